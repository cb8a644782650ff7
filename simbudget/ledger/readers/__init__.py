"""Readers of logs of real runs: one module a format, recognised by content.

`stream_logs` is the way in for logs of any size, `read_logs` for those whose entries are to be in memory.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from simbudget.errors import Problem, UserError, argument
from simbudget.ledger.imported import NOTHING_ASSUMED as NOTHING_ASSUMED
from simbudget.ledger.imported import Assumed as Assumed
from simbudget.ledger.imported import ImportedLedger, StreamedLedger


def read_logs(
    paths: Sequence[Path],
    columns: Mapping[str, str] | None = None,
    begins: Callable[[Path], None] = lambda _: None,
    assumed: Assumed = NOTHING_ASSUMED,
) -> ImportedLedger:
    """Return the ledger that `stream_logs` returns, with all its entries in memory.

    Raises:
        UserError: as `stream_logs` does.
    """
    return stream_logs(paths, columns, begins, assumed).whole()


def stream_logs(
    paths: Sequence[Path],
    columns: Mapping[str, str] | None = None,
    begins: Callable[[Path], None] = lambda _: None,
    assumed: Assumed = NOTHING_ASSUMED,
) -> StreamedLedger:
    """Return the ledger of all runs in files or folders of files; entries come in batches.

    A format is recognised by what is in a file, not by its name; gzipped files are read as what they hold. The
    same session in several files is counted once. Lines that cannot be read are counted in `unread`.

    Args:
        paths: files, and folders that are searched for files.
        columns: for tables of no known format: which of their columns is which of the ledger's.
        begins: called with each file before it is read.
        assumed: the model and the day of calls whose logs do not say.

    Raises:
        UserError: a path does not exist, nothing in any of the files is a log, or `columns` names what a ledger
            does not have.
    """
    from simbudget.ledger.readers.formats import FORMATS  # noqa: PLC0415  slow to import
    from simbudget.ledger.readers.mapped_table import mapped_format  # noqa: PLC0415
    from simbudget.ledger.readers.reading import read_all  # noqa: PLC0415

    mapped = (mapped_format(columns),) if columns else ()
    return read_all(paths, (*mapped, *FORMATS), begins, assumed)


def column_map(columns: str | None) -> dict[str, str]:
    """Return the columns that were named as `started=ts,input=in`.

    Raises:
        UserError: a part is not `name=column`.
    """
    pairs = [part.partition("=") for part in columns.split(",")] if columns else []
    wrong = [name for name, mark, column in pairs if not (mark and name.strip() and column.strip())]
    if wrong:
        shown = ", ".join(repr(name) for name in wrong)
        raise UserError(
            Problem(f"{argument('columns')}: found {shown}", remedy="write started=ts,input=in_tokens,…")
        )
    return {name.strip(): column.strip() for name, _, column in pairs}
