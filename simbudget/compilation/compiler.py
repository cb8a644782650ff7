"""A compiler on top of numba's, for code in which most functions are called from compiled code only.

Numba optimises each function together with everything it calls, generates machine code and caches it. In an engine of
some three hundred small functions that call each other, the innermost ones are optimised again in every function above
them. Here a function has up to two compilations instead, each made when it is needed:

- an *inner* one for compiled callers, which only types it and lowers it to bitcode;
- an *outer* one for Python, which links its bitcode with that of everything it calls, optimises it once, generates
  machine code and caches it.

Callers see no difference: values are the same to the last bit. `Law` is a numba dispatcher that shows its inner
compilation to compiled callers. Most of the remaining time is spent in numba's own Python code, so `_Passes` leaves out
the passes that laws have no use for, and `_RememberingContext` infers the type of each built-in operation once.

Apart from numba's documented interface (`pipeline_class`), this depends on its code libraries, which may change between
versions, so `fits` checks for the version that the tests cover.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numba
from numba.core import event, typed_passes, types, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager
from numba.core.registry import CPUDispatcher

_TRIED_VERSION: Final = (0, 68)
"""The numba release that the tests cover."""

_LINKING_PART: Final = 0.25
"""Share of the compilation time that linking, optimising and emitting the engine takes, as measured."""

Watcher = Callable[[str, float], None]
"""Called with the function compiled next and the share of the engine done; 1 when all that was asked for is ready."""

_COMPILATION: Final = "numba:compile"
"""Numba's event around every compilation, whichever compiler makes it."""

_watchers: list[Watcher] = []
_dispatchers: Final[list[Any]] = []
"""All functions that may have to be compiled, for the progress display."""


def fits() -> bool:
    """Return whether the installed numba is the version that this compiler has been tested with."""
    return bool(numba.version_info.short == _TRIED_VERSION)


class BitcodeLibrary(JITCodeLibrary):
    """The code of an inner compilation: unoptimised bitcode, and the libraries that it calls."""

    def add_llvm_module(self, ll_module: Any) -> None:
        """Add a module as it is; numba would simplify each of its functions first, as `LinkedLibrary` will."""
        ll_module.data_layout = self._codegen._data_layout
        self._final_module.link_in(ll_module)

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
        if linked > len(_dispatchers) / 2:  # only the engine's kernel calls most functions
            _report("machine code", 1.0 - _LINKING_PART)
        super().finalize()


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


_PASSES: Final = (
    untyped_passes.TranslateByteCode,
    untyped_passes.FixupArgs,
    untyped_passes.IRProcessing,
    untyped_passes.GenericRewrites,  # indices that are constants, such as names of fields
    untyped_passes.ReconstructSSA,
    typed_passes.NopythonTypeInference,
    typed_passes.PreLowerStripPhis,
    typed_passes.IRLegalization,
    typed_passes.NativeLowering,
    typed_passes.NoPythonBackend,
)
"""Numba's passes that laws need. The others rewrite array expressions, closures, `with` blocks, literals and branches
that never run: laws have none of the former, and LLVM removes the latter."""


class _Passes(PassManager):
    """Numba's order of passes, without the checks and the events around each of them."""

    def _runPass(self, index: int, pss: Any, internal_state: Any) -> None:  # noqa: N802  numba's name
        pss.analysis = self._analysis
        pss.run_initialization(internal_state)
        pss.run_pass(internal_state)
        pss.run_finalizer(internal_state)


class _RememberingContext:
    """A typing context that infers the type of a built-in operation once for each tuple of argument types.

    Numba tries every implementation of an operator in turn, for each place where the operator stands. What it finds
    depends on the types only, and the engine adds the same few types in thousands of places.
    """

    _found: Final[dict[Any, Any]] = {}

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def resolve_function_type(self, func: Any, args: Any, kws: Any) -> Any:
        """Return the signature of a call, as numba's typing context does."""
        if kws or not isinstance(func, types.Function):
            return self._context.resolve_function_type(func, args, kws)
        key = (func, args)
        if key not in self._found:
            self._found[key] = self._context.resolve_function_type(func, args, kws)
        return self._found[key]


class _Compiler(CompilerBase):
    library: Any

    def define_pipelines(self) -> list[Any]:
        """Return the passes that laws need, with a library of this compiler."""
        state = self.state
        state.library = self.library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        state.typingctx = _RememberingContext(state.typingctx)
        passes = _Passes("laws")
        for each in _PASSES:
            passes.add_pass(each)
        passes.finalize()
        return [passes]


class InnerCompiler(_Compiler):
    """Compiles a function to bitcode."""

    library = BitcodeLibrary

    def define_pipelines(self) -> list[Any]:
        """Return numba's own passes, without generating machine code."""
        self.state.flags.no_compile = True
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

    def compile(self, sig: Any) -> Any:
        """Return the machine code for arguments of these types."""
        with _rare_garbage_collection():
            return super().compile(sig)


_OBJECTS_BEFORE_COLLECTION: Final = 100_000
"""New objects until Python looks for garbage, instead of 700. A compilation makes millions of objects that live until
its end; looking through them took a tenth of its time, and finds next to nothing."""


@contextmanager
def _rare_garbage_collection() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


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
    count(dispatcher)
    return dispatcher


def _nopython(options: dict[str, Any]) -> dict[str, Any]:
    return options | {"nopython": True, "boundscheck": None}


# Progress of compilation.


class _Progress(event.Listener):
    """Counts numba's compilations and reports them to the watchers; code found on disk is not compiled."""

    def __init__(self) -> None:
        self.count = 0
        self._depth = 0

    def on_start(self, event: Any) -> None:
        """Report that a compilation begins; those of the functions that it calls begin and end within it."""
        dispatcher = event.data["dispatcher"]
        self._depth += 1
        self.count += not isinstance(dispatcher, Law)  # whose inner compilation counts
        part = min(1.0, self.count / max(1, len(_dispatchers))) * (1.0 - _LINKING_PART)
        _report(dispatcher.py_func.__qualname__, part)

    def on_end(self, event: Any) -> None:
        """Report that everything is ready, at the end of the outermost compilation."""
        self._depth -= 1
        if self._depth == 0:
            _report(event.data["dispatcher"].py_func.__qualname__, 1.0)


_progress: Final = _Progress()


def count(dispatcher: Any) -> None:
    """Count a function among those that may have to be compiled."""
    _dispatchers.append(dispatcher)


def watch(watcher: Watcher) -> None:
    """Call `watcher` for every function compiled from now on."""
    if not _watchers:
        event.register(_COMPILATION, _progress)
    _watchers.append(watcher)


def unwatch(watcher: Watcher) -> None:
    """Stop calling `watcher`."""
    _watchers.remove(watcher)
    if not _watchers:
        event.unregister(_COMPILATION, _progress)


def _report(name: str, part: float) -> None:
    for watcher in tuple(_watchers):
        watcher(name, part)
