"""A compiler on top of numba's, for code in which most functions are called from compiled code only.

Numba optimises each function together with everything it calls, generates machine code and caches it. In an engine of
some three hundred small functions that call each other, the innermost ones are optimised again in every function above
them. Here a function has up to two compilations instead, each made when it is needed:

- an *inner* one for compiled callers, which only types it and lowers it to bitcode;
- an *outer* one for Python, which links its bitcode with that of everything it calls, optimises it once, generates
  machine code and caches it.

Callers see no difference: values are the same to the last bit. `Law` is a numba dispatcher that shows its inner
compilation to compiled callers. Apart from numba's documented interface (`pipeline_class`), this depends on its code
libraries, which may change between versions, so `fits` checks for the version that the tests cover.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import numba
from numba.core import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.registry import CPUDispatcher

_TRIED_VERSION: Final = (0, 68)
"""The numba release that the tests cover."""

_LINKING_PART: Final = 0.25
"""Share of the compilation time that linking, optimising and emitting the engine takes, as measured."""

Watcher = Callable[[str, float], None]
"""Called with the function compiled next and the share of the engine done; 1 when everything is ready to run."""

_watchers: list[Watcher] = []
_dispatchers: Final[list[Any]] = []
"""All functions that may have to be compiled, for the progress display."""
_compiled_count = 0


def fits() -> bool:
    """Return whether the installed numba is the version that this compiler has been tested with."""
    return bool(numba.version_info.short == _TRIED_VERSION)


class BitcodeLibrary(JITCodeLibrary):
    """The code of an inner compilation: unoptimised bitcode, and the libraries that it calls."""

    def finalize(self) -> None:
        """Close the library without optimising it."""
        self._raise_if_finalized()
        self._finalized = True

    def called(self) -> Iterator[Any]:
        """Yield the libraries that this one calls directly."""
        yield from self._linking_libraries

    def bitcode(self) -> Any:
        """Return the module with only this library's functions."""
        return self._final_module


class LinkedLibrary(JITCodeLibrary):
    """The code of an outer compilation: linked with everything it calls, directly or indirectly, then optimised."""

    def finalize(self) -> None:
        """Link everything, optimise it once, and generate machine code."""
        module = self._final_module
        linked = 0
        own = {function.name for function in module.functions if not function.is_declaration}
        outside = []
        for library in _all_called(self._linking_libraries):
            if isinstance(library, BitcodeLibrary):
                module.link_in(library.bitcode(), preserve=True)
                linked += 1
            else:
                outside.append(library)
        for function in module.functions:
            # Internal functions may be dropped once they have been inlined into their callers.
            if not function.is_declaration and function.name not in own:
                function.linkage = "internal"
        self._linking_libraries = outside
        is_engine = linked > len(_dispatchers) / 2  # only the engine's kernel calls most functions
        if is_engine:
            _tell("machine code", 1.0 - _LINKING_PART)
        super().finalize()
        if is_engine:
            _tell("machine code", 1.0)


def _all_called(libraries: list[Any]) -> Iterator[Any]:
    """Yield libraries and everything they call, directly or indirectly, each once."""
    seen: set[Any] = set()
    waiting = list(libraries)
    while waiting:
        library = waiting.pop()
        if library in seen:
            continue
        seen.add(library)
        yield library
        if isinstance(library, BitcodeLibrary):
            waiting.extend(library.called())


class _Compiler(CompilerBase):
    library: Any

    def define_pipelines(self) -> list[Any]:
        """Return numba's own passes, with a library of this compiler."""
        state = self.state
        state.library = self.library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return [DefaultPassBuilder.define_nopython_pipeline(state)]


class InnerCompiler(_Compiler):
    """Compiles a function to bitcode."""

    library = BitcodeLibrary

    def define_pipelines(self) -> list[Any]:
        """Return numba's own passes, without generating machine code."""
        self.state.flags.no_compile = True
        _tell_next(self.state.func_id.func_qualname)
        return super().define_pipelines()


class OuterCompiler(_Compiler):
    """Compiles a function and everything it calls to machine code."""

    library = LinkedLibrary


class InnerDispatcher(CPUDispatcher):
    """A function as seen by compiled callers."""

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """Return the compilation for arguments of these types; literals are treated as values of their type."""
        plain = {name: types.unliteral(argument) for name, argument in kws.items()}
        return super().get_call_template(tuple(map(types.unliteral, args)), plain)

    def add_overload(self, compiled: Any) -> None:
        """Make a compilation available to compiled code, but not to Python."""
        found = compiled._replace(entry_point=object())
        self.targetctx.insert_user_function(found.entry_point, found.fndesc, [found.library])
        self.overloads[tuple(found.signature.args)] = found


class Law(CPUDispatcher):
    """A function as seen by Python; compiled code that refers to it calls `inner`."""

    inner: Any
    """An `InnerDispatcher`."""

    @property
    def _numba_type_(self) -> Any:
        return self.inner._numba_type_


def law(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    """Return a function that Python and compiled code can call."""
    outer = Law(py_func=function, targetoptions=_nopython(options), pipeline_class=OuterCompiler)
    outer.enable_caching()
    outer.inner = inner(function, options)
    return outer


def inner(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    """Return a function that only compiled code can call."""
    no_wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    dispatcher = InnerDispatcher(
        py_func=function, targetoptions=_nopython(options) | no_wrappers, pipeline_class=InnerCompiler
    )
    _dispatchers.append(dispatcher)
    return dispatcher


def _nopython(options: dict[str, Any]) -> dict[str, Any]:
    return options | {"nopython": True, "boundscheck": None}


# Progress of compilation.


def watch(watcher: Watcher) -> None:
    """Call `watcher` for every function compiled from now on."""
    _watchers.append(watcher)


def unwatch(watcher: Watcher) -> None:
    """Stop calling `watcher`."""
    _watchers.remove(watcher)


def _tell_next(name: str) -> None:
    global _compiled_count  # noqa: PLW0603  the count is the process's, as compiled functions are
    _compiled_count += 1
    _tell(name, min(1.0, _compiled_count / max(1, len(_dispatchers))) * (1.0 - _LINKING_PART))


def _tell(name: str, part: float) -> None:
    for watcher in tuple(_watchers):
        watcher(name, part)
