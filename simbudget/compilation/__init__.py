"""How laws are compiled: one decorator, so that all laws are compiled alike.

Laws are small pure functions of plain numbers. `compiled` turns one into machine code with numba on its first call, and
caches that code on disk; `internal` does the same for functions that only compiled code calls (see `compiler`).
Without `fastmath`, floating-point results are the same to the last bit wherever a law is called from.

To decide whether cached code is still valid, numba only looks at the file of the function itself, not at those of the
functions it calls. The cache is therefore in a folder named after a digest of the compiled sources: a change in any of
them leads to a new folder.
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
"""Without numba's runtime (`_nrt`), references to arrays are not counted; counting took five sixths of the time of an
engine that passes its arrays from law to law. The Python caller owns all arrays."""

_NO_WRAPPERS: Final[dict[str, Any]] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

IS_PLAIN: Final = os.environ.get("SIMBUDGET_COMPILER") == "plain" or not compiler.fits()
"""Whether to compile as numba does by default: identical results, six times the time, any version of numba."""

_COMPILED_SOURCES: Final = (
    *("compilation", "distributions", "engine/compiled", "engine/laws", "engine/reference"),
    *("engine/outcome.py", "engine/program.py", "engine/streams.py", "engine/totals.py"),
    *("ledger/entry.py", "pricing/charge.py"),
)
"""Modules with compiled functions, the constants they use, and the remaining code that runs a program. Modules that
only build a program from a scenario (`engine.lowering`) can change without recompilation."""


def _sources_digest() -> str:
    package = Path(__file__).parents[1]
    digest = hashlib.blake2b(f"{numba.__version__} {IS_PLAIN}".encode(), digest_size=8)
    for part in _COMPILED_SOURCES:
        path = package / part
        for source in [path] if path.is_file() else sorted(path.rglob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()


def _folder() -> Path:
    """Return the folder for machine code: inside NUMBA_CACHE_DIR if the user has set it.

    Users without a writable home, as in a container with an arbitrary user id, get a private folder among the
    temporary files, since numba refuses to work without a writable cache.
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
    """Return a folder that only this user can write to, as the code in it will be executed."""
    folder = Path(tempfile.gettempdir()) / f"simbudget-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return folder if is_own else Path(tempfile.mkdtemp(prefix="simbudget-"))


CODE_FOLDER: Final = _folder()
numba.config.CACHE_DIR = str(CODE_FOLDER)  # type: ignore[attr-defined]  # made at run time from the environment


def has_code() -> bool:
    """Return whether there is machine code on disk for the current sources."""
    return any(CODE_FOLDER.rglob("*.nbc"))


def compiled(law: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Compile a law to machine code, callable from Python and from other compiled laws.

    It releases the GIL while it runs. A law must not allocate arrays.
    """
    if IS_PLAIN:
        return _plain(law)
    return cast(Callable[_Parameters, _Result], compiler.law(law, _OPTIONS))


def internal(law: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Compile a law as `compiled` does, but callable from compiled code only, which takes less compilation time."""
    if IS_PLAIN:
        return _plain(law, **_NO_WRAPPERS)
    return cast(Callable[_Parameters, _Result], compiler.inner(law, _OPTIONS))


def _plain(law: Callable[_Parameters, _Result], **options: Any) -> Callable[_Parameters, _Result]:
    """Compile a law as numba does by default."""
    made = numba.njit(cache=True, **_OPTIONS, **options)(law)
    compiler.count(made)
    return cast(Callable[_Parameters, _Result], made)


@contextmanager
def compilation_reported(watcher: compiler.Watcher) -> Iterator[None]:
    """Report compilation inside the block to `watcher`: the name of each function, and the share of the engine done."""
    compiler.watch(watcher)
    try:
        yield
    finally:
        compiler.unwatch(watcher)
