"""Files that are there whole or not at all, however the writing of them ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simbudget.errors import Place, Problem, UserError, why


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a name beside a file's, to write to; when that is done, it takes the file's place, else it goes.

    Raises:
        UserError: it cannot be written, or the disk is full.
    """
    if path.exists() and not path.is_file():  # a terminal or a pipe is written to as it is
        yield path
        return
    path = Path(os.path.realpath(path))
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield fresh
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise UserError(cannot_write(path, error)) from error
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def check_place(path: Path) -> None:
    """Raise UserError if no file can be written at a place, before anything is done for it."""
    folder = path.parent
    if path.is_dir():
        raise UserError(Problem("a folder has this name", Place(str(path)), "name a file"))
    if not folder.is_dir():
        raise UserError(
            Problem("there is no such folder", Place(str(folder)), "make it, or name another file")
        )
    if not os.access(folder, os.W_OK):
        raise UserError(Problem("nothing can be written there", Place(str(folder)), "name another folder"))


def cannot_write(path: Path, error: OSError) -> Problem:
    """Return why a file could not be written."""
    return Problem(
        f"could not be written: {why(error)}", Place(str(path)), "what was there before is unchanged"
    )
