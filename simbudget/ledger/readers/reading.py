"""From paths to a ledger: which files there are, which format each has, and reading them all."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from simbudget.errors import Place, Problem, UserError
from simbudget.ledger.imported import StreamedLedger
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.finishing import finish
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.formats import FORMATS
from simbudget.ledger.readers.gathering import Gathering

_PILOTS_LEDGER: Final = "ledger.sqlite"
_OF_A_PILOT: Final = {_PILOTS_LEDGER, "site.sqlite"}
_PASSED_OVER: Final = {"__pycache__", "node_modules"}


def read_all(
    paths: Sequence[Path],
    formats: Sequence[Format] = FORMATS,
    begins: Callable[[Path], None] = lambda _: None,
) -> StreamedLedger:
    """Return the ledger of all runs that the files tell of; `begins` is called with each file.

    Raises:
        UserError: a path does not exist, or none of the files is a log.
    """
    if not paths:
        raise UserError(Problem("none of these places has logs", remedy="name files or folders with logs"))
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise UserError(*(Problem("there is no such file or folder", Place(str(path))) for path in missing))
    gathering, logs = Gathering(), 0
    for path, is_named in _files(paths):
        begins(path)
        logs += _read(path, is_named, formats, gathering)
    if not logs:
        raise UserError(_no_logs(paths, gathering, formats))
    return finish(gathering)


def _files(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield every file once, in a fixed order, and whether it was named rather than found in a folder."""
    seen: set[Path] = set()
    for path in paths:
        found = [path] if path.is_file() else sorted(_within(path))
        for file in found:
            resolved = file.resolve()
            if resolved not in seen:
                seen.add(resolved)
                yield file, file == path


def _within(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _PASSED_OVER]
        is_pilots = set(files) >= _OF_A_PILOT
        if is_pilots:  # the rest of its folder is what its agents and its service work with
            folders.clear()
        names = [_PILOTS_LEDGER] if is_pilots else files
        yield from (Path(place) / name for name in names if (Path(place) / name).is_file())


def _read(path: Path, is_named: bool, formats: Sequence[Format], gathering: Gathering) -> bool:
    """Read a file if it is a log, and return whether it is."""
    file = LogFile(path)
    try:
        found = next((known for known in formats if known.recognises(file)), None)
        if found is not None:
            found.read(file, gathering)
    except OSError as error:
        gathering.cannot_read(path, 0, error.strerror.lower() if error.strerror else str(error))
        return False
    if found is None and is_named:
        gathering.cannot_read(path, 0, _what_it_is(file))
    elif found is None:
        gathering.cannot_read(path.parent, 0, "files that are no log of a known format")
    return found is not None


def _what_it_is(file: LogFile) -> str:
    if not file.head:
        return "an empty file, or a damaged gzip stream"
    return "a binary file of no known format" if file.is_binary else "no log of a known format"


def _no_logs(paths: Sequence[Path], gathering: Gathering, formats: Sequence[Format]) -> Problem:
    known = ", ".join(known.title for known in formats)
    what = "; ".join(f"{unread.path}: {unread.why}" for unread in gathering.unread[:5])
    return Problem(
        f"nothing to read in {', '.join(map(str, paths))}" + (f" ({what})" if what else ""),
        remedy=f"known are {known}; for another table say what its columns are with --columns",
    )
