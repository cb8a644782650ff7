"""Starts the command line: Ctrl-C during the imports, too, ends in one line.

Importing the command line takes part of a second. Until it watches for interrupts itself (`simbudget.interrupts`),
Python would answer Ctrl-C with the traceback of whatever module was being imported.
"""

import os
import signal
from types import FrameType
from typing import Final

_INTERRUPTED: Final = 130
"""The exit status that shells report for a program ended by SIGINT: 128 + 2; as in `simbudget.interrupts`."""


def main() -> None:
    """Import and run the command line, and exit."""
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN  # as under nohup
    if not ignored:
        signal.signal(signal.SIGINT, _leave)
    from simbudget.cli import main as command_line  # noqa: PLC0415  what takes long is imported only here

    if not ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command_line.main()


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, b"interrupted\n")
    os._exit(_INTERRUPTED)
