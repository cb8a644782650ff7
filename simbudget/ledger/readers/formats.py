"""The formats that are known, in the order in which a file is asked whether it is one."""

from typing import Final

from simbudget.ledger.readers import claude_code, codex, managed_agents, opencode, pi
from simbudget.ledger.readers.format import Format

FORMATS: Final[tuple[Format, ...]] = (
    claude_code.FORMAT,
    codex.FORMAT,
    pi.FORMAT,
    managed_agents.FORMAT,
    opencode.FORMAT,
)
