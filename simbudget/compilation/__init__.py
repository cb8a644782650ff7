"""How a law is compiled: one decorator, so that every law is compiled alike.

Laws are small pure functions of plain numbers. `compiled` turns one into machine code with numba when it is first
called, and keeps that code on disk; `internal` does so for what only compiled code calls (`compiler` says how).
Without `fastmath`, floating-point arithmetic is the same to the last bit wherever a law is called from.

Numba looks at the file of the function itself only when it decides whether code on disk is still good, not at the
files of what it calls. So the code lies in a folder named after all of simbudget's sources: a change of any of
them is a new folder.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar, cast

import numba
from platformdirs import user_cache_path

from simbudget.compilation import compiler

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "error_model": "numpy", "_nrt": False}
"""Without numba's run time (`_nrt`) nobody counts who refers to an array: that alone was five sixths of the time of
an engine that hands its arrays from law to law. Whoever calls from Python owns them all."""

_NO_WRAPPERS: Final[dict[str, Any]] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

IS_PLAIN: Final = os.environ.get("SIMBUDGET_COMPILER") == "plain" or not compiler.fits()
"""Whether numba compiles in its own way: the same figures after six times as long, with any version of numba."""

_COMPILED_SOURCES: Final = (
    *("compilation", "distributions", "engine/compiled", "engine/laws", "engine/reference"),
    *("engine/outcome.py", "engine/program.py", "engine/streams.py", "engine/totals.py"),
    *("ledger/entry.py", "pricing/charge.py"),
)
"""Where compiled functions are, what they take constants from, and the rest of what runs a program: how a scenario
becomes one (`engine.lowering`) may change without a new compilation."""


def _sources_digest() -> str:
    package = Path(__file__).parents[1]
    digest = hashlib.blake2b(f"{numba.__version__} {IS_PLAIN}".encode(), digest_size=8)
    for part in _COMPILED_SOURCES:
        path = package / part
        for source in [path] if path.is_file() else sorted(path.rglob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()


def _folder() -> Path:
    """Return where machine code is kept: within NUMBA_CACHE_DIR if the user has set it.

    Who has no home to write to, as in a container that runs as any user, keeps it in a folder of one's own among the
    temporary files: numba refuses to work where it cannot write.
    """
    own = os.environ.get("NUMBA_CACHE_DIR")
    digest = _sources_digest()
    folder = (Path(own) if own else user_cache_path("simbudget")) / digest
    return folder if _can_write(folder) else _temporary_folder() / digest


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _temporary_folder() -> Path:
    """Return a folder that only this user can write to: what lies in it is run."""
    folder = Path(tempfile.gettempdir()) / f"simbudget-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return folder if is_own else Path(tempfile.mkdtemp(prefix="simbudget-"))


CODE_FOLDER: Final = _folder()
numba.config.CACHE_DIR = str(CODE_FOLDER)  # type: ignore[attr-defined]  # made at run time from the environment


def has_code() -> bool:
    """Return whether there is machine code on disk for these sources."""
    return any(CODE_FOLDER.rglob("*.nbc"))


def compiled(law: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Return `law` compiled to machine code; the same call signature, callable from other compiled laws.

    Called from Python it lets other threads run meanwhile. A law makes no arrays of its own.
    """
    made = numba.njit(cache=True, **_OPTIONS)(law) if IS_PLAIN else compiler.law(law, _OPTIONS)
    return cast(Callable[_Parameters, _Result], made)


def internal(law: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Return `law` compiled as by `compiled`, to be called from compiled code only: less work for the compiler."""
    made = (
        numba.njit(cache=True, **_OPTIONS, **_NO_WRAPPERS)(law) if IS_PLAIN else compiler.inner(law, _OPTIONS)
    )
    return cast(Callable[_Parameters, _Result], made)


@contextmanager
def compilation_told(watcher: compiler.Watcher) -> Iterator[None]:
    """Tell `watcher` of what is compiled meanwhile: the function's name, and which part of the engine is done."""
    compiler.watch(watcher)
    try:
        yield
    finally:
        compiler.unwatch(watcher)
