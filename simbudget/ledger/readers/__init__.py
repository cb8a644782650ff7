"""Readers of logs of real runs: one module a format, recognised by content; `read_logs` is the way in."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from simbudget.ledger.imported import ImportedLedger


def read_logs(paths: Sequence[Path], columns: Mapping[str, str] | None = None) -> ImportedLedger:
    """Return the ledger of all runs that files, or folders of files, tell of.

    A format is recognised by what is in a file, not by its name; gzipped files are read as what they hold. The
    same session in several files is counted once. Lines that cannot be read are counted in `unread`.

    Args:
        paths: files, and folders that are searched for files.
        columns: for tables of no known format: which of their columns is which of the ledger's.

    Raises:
        UserError: a path does not exist, or nothing in any of the files is a log.
    """
    raise NotImplementedError
