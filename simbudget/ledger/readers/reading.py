"""From paths to a ledger: which files there are, which format each has, and reading them all."""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from simbudget.errors import Place, Problem, UserError, argument
from simbudget.ledger.imported import NOTHING_ASSUMED, Assumed, StreamedLedger
from simbudget.ledger.readers.files import WRONG_CONTENT, LogFile
from simbudget.ledger.readers.finishing import finish
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.formats import FORMATS
from simbudget.ledger.readers.gathering import Gathering

_PILOTS_LEDGER: Final = "ledger.sqlite"
_OF_A_PILOT: Final = {_PILOTS_LEDGER, "site.sqlite"}
_SHOWN: Final = 5
"""Files that an error names before it counts the others."""
_PASSED_OVER: Final = {"__pycache__", "node_modules"}


def read_all(
    paths: Sequence[Path],
    formats: Sequence[Format] = FORMATS,
    begins: Callable[[Path], None] = lambda _: None,
    assumed: Assumed = NOTHING_ASSUMED,
) -> StreamedLedger:
    """Return the ledger of all runs in the files; `begins` is called with each file.

    Raises:
        UserError: a path does not exist, or none of the files is a log.
    """
    if not paths:
        raise UserError(Problem("none of these places has logs", remedy="give files or folders with logs"))
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise UserError(*(Problem("there is no such file or folder", Place(str(path))) for path in missing))
    gathering, logs = Gathering(), 0
    later: list[tuple[float, Path, int]] = []
    for path in _files(paths):
        begins(path)
        logs += _read(path, formats, gathering, later)
    for _, path, place in sorted(
        later
    ):  # what continues or sums up other logs, in the order in which it began
        logs += _read(path, formats[place:], gathering)
    gathering.ends(WRONG_CONTENT)
    if not logs:
        raise UserError(_no_logs(paths, gathering))
    return finish(gathering, assumed)


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield every file once, in a fixed order."""
    seen: set[Path] = set()
    for path in paths:
        found = [path] if path.is_file() else sorted(_within(path))
        for file in found:
            resolved = file.resolve()
            if resolved not in seen:
                seen.add(resolved)
                yield file


def _within(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _PASSED_OVER]
        is_pilots = set(files) >= _OF_A_PILOT
        if is_pilots:  # the rest of its folder is what its agents and its service work with
            folders.clear()
        names = [_PILOTS_LEDGER] if is_pilots else files
        yield from (Path(place) / name for name in names if (Path(place) / name).is_file())


def _read(
    path: Path,
    formats: Sequence[Format],
    gathering: Gathering,
    later: list[tuple[float, Path, int]] | None = None,
) -> bool:
    """Read a file as the first format that finds anything in it, and return whether one did.

    One that is to be read after others is put into `later` instead, if that is given, with the place of its format.

    This is the one guard around all readers: whatever is wrong with a file, or with how it is read, becomes a line
    about that file, and the others are read. What a reader had found before it stopped is kept.
    """
    file, found_nothing, is_told = LogFile(path), [], False
    try:
        for place, known in enumerate(formats):
            if (is_told and not known.is_printed) or not _recognises(known, file):
                continue
            if later is not None and (began_s := _follows(known, file)) is not None:
                later.append((math.inf if math.isnan(began_s) else began_s, path, place))
                return False
            mark = gathering.begins_file(again=is_told)
            try:
                known.read(file, gathering)
            except WRONG_CONTENT as error:
                gathering.cannot_read(path, file.line, f"damaged: {_shown(error)}; not read further")
            if gathering.yielded_since(mark):
                if gathering.only_repeats and not gathering.is_faulty(path):
                    gathering.cannot_read(
                        path, 0, "nothing new: everything in it has been read from other files"
                    )
                is_told = True
                if known.is_printed:  # then another tool may have printed into the same file
                    continue
                return True
            found_nothing.append((known.title, gathering.missing_here))
    except OSError as error:
        gathering.cannot_read(path, 0, error.strerror.lower() if error.strerror else str(error))
        return False
    except MemoryError:
        gathering.cannot_read(path, 0, "more than fits into memory")
        return False
    if is_told:
        return True
    if not found_nothing:
        gathering.cannot_read(path, 0, _what_it_is(file))
    elif not gathering.is_faulty(path):  # else its reader has said why already
        is_cut = file.is_document and file.document is None
        gathering.cannot_read(path, 0, "not a whole JSON document" if is_cut else _empty(*found_nothing[0]))
    return False


def _recognises(known: Format, file: LogFile) -> bool:
    """Return whether a file is of a format; one that a recogniser stumbles over is not."""
    try:
        return known.recognises(file)
    except WRONG_CONTENT:
        return False


def _follows(known: Format, file: LogFile) -> float | None:
    """Return when a log began that is to be read after others; None if it stands for itself."""
    try:
        return known.follows(file)
    except WRONG_CONTENT:
        return None


def _shown(error: Exception) -> str:
    said = str(error).partition("\n")[0][:100]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _empty(title: str, missing: list[str]) -> str:
    """Return what to say of a file that a reader takes for its own and finds nothing in."""
    why = f" ({', '.join(missing)}: not there)" if missing else ""
    return f"read as {title}, but without a call, an experiment or a cost{why}"


def _what_it_is(file: LogFile) -> str:
    if not file.head:
        return "an empty file, or a damaged gzip stream"
    if file.head.isspace():
        return "nothing but blank lines"
    return "a binary file of no known format" if file.is_binary else "no log of a known format"


def _no_logs(paths: Sequence[Path], gathering: Gathering) -> Problem:
    unread = gathering.unread
    what = "; ".join(f"{each.path}: {each.why}" for each in unread[:_SHOWN])
    if len(unread) > _SHOWN:
        what += f"; and {len(unread) - _SHOWN:,} more"
    columns = argument("columns")
    return Problem(
        f"nothing to read in {', '.join(map(str, paths))}" + (f" ({what})" if what else ""),
        remedy=f"`simbudget import --help` lists the formats; for another table name its columns with {columns}",
    )
