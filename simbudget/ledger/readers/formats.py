"""The formats that are known, in the order in which a file is asked whether it is one."""

from typing import Final

from simbudget.ledger.readers import (
    claude_code,
    claude_results,
    codex,
    experiment_lines,
    inspect_logs,
    managed_agents,
    opencode,
    opencode_store,
    otlp,
    own,
    pi,
    results_table,
    seed,
    swe_agent,
    usage_lines,
)
from simbudget.ledger.readers.format import Format

FORMATS: Final[tuple[Format, ...]] = (
    own.FORMAT,
    seed.FORMAT,
    inspect_logs.FORMAT,
    claude_code.FORMAT,
    codex.FORMAT,
    pi.FORMAT,
    managed_agents.FORMAT,
    claude_results.FORMAT,
    otlp.FORMAT,
    swe_agent.FORMAT,
    opencode.FORMAT,
    opencode_store.FORMAT,
    experiment_lines.FORMAT,
    usage_lines.FORMAT,
    results_table.FORMAT,
)
