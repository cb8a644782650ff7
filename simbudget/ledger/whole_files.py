"""Files that are written completely or not at all, however the writing ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simbudget.errors import Place, Problem, UserError, why


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`, which replaces it if the block succeeds and is deleted otherwise.

    Args:
        path: the path that the file is to have.

    Raises:
        UserError: the file cannot be written, or the disk is full.
    """
    if path.exists() and not path.is_file():  # a terminal or a pipe is written to directly
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
    """Raise UserError if a file cannot be written at a place; call it before long computations.

    Args:
        path: the path that the file is to have.
    """
    folder = path.parent
    if path.is_dir():
        raise UserError(Problem("a folder has this name", Place(str(path)), "give the name of a file"))
    if not folder.is_dir():
        raise UserError(
            Problem("there is no such folder", Place(str(folder)), "create it, or name another file")
        )
    if not os.access(folder, os.W_OK):
        raise UserError(Problem("this folder is not writable", Place(str(folder)), "name another folder"))


def cannot_write(path: Path, error: OSError) -> Problem:
    """Return the problem that a file could not be written.

    Args:
        path: the path of the file.
        error: why it could not be written.
    """
    return Problem(f"could not be written: {why(error)}", Place(str(path)), "the previous file is unchanged")
