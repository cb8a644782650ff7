"""Suspicious constructs in a submission's code, found in its syntax tree without running it."""

import ast
import re
from collections.abc import Collection, Iterator
from typing import Final

_EXECUTES: Final = frozenset({"exec", "eval", "compile", "__import__", "execfile"})
_MODULES: Final = frozenset(
    {"subprocess", "socket", "sqlite3", "urllib", "http", "requests", "httpx", "httpx2", "ctypes", "multiprocessing",
     "glob", "shutil", "inspect", "gc", "runpy"}
)  # fmt: skip
_DATA_SETS: Final = re.compile(
    r"^(sklearn\.datasets|torchvision\.datasets|datasets)\b|^(load|fetch)_[a-z0-9_]+$"
)
_WALKS: Final = frozenset({"walk", "listdir", "scandir", "glob", "rglob", "iterdir"})
_READS: Final = frozenset(
    {"open", "read_text", "read_bytes", "write_text", "write_bytes", "fromfile", "memmap"}
)
_TELLTALE: Final = re.compile(
    r"labels?_?test|test_?labels?|answer_?key|ground_?truth|\btests?(_test)?$|^/(proc|etc|root|home|var|tmp)\b|\.\./"
    r"|site\.(sqlite|db)|ledger\.sqlite"
)


def suspicious(source: str, known: Collection[str] = ()) -> tuple[str, ...]:
    """List the suspicious constructs of a source, each as `line 7: imports sqlite3`.

    Args:
        source: Python code.
        known: trusted sources; what they do is not suspicious.

    Returns:
        An empty tuple for code that only computes.
    """
    usual = {what for one in known for _, what in _found(one)}
    return tuple(dict.fromkeys(f"line {line}: {what}" for line, what in _found(source) if what not in usual))


def _found(source: str) -> list[tuple[int, str]]:
    """Return what a source does that a method has no need for, with line numbers."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [(0, "the code is not valid Python")]
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    docstrings = {id(one.value) for one in statements if isinstance(one.value, ast.Constant)}
    return sorted(
        (getattr(node, "lineno", 0), what)
        for node in ast.walk(tree)
        if id(node) not in docstrings
        for what in _of_node(node)
    )


def _of_node(node: ast.AST) -> Iterator[str]:
    """Yield what a node does that a method has no need for."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from _of_import(node)
    elif isinstance(node, ast.Call):
        name = _name(node.func)
        if name in _EXECUTES and isinstance(node.func, ast.Name):
            yield f"executes code with {name}"
        elif name in _WALKS:
            yield f"looks for files with {name}"
        elif name in _READS:
            yield f"reads or writes files with {name}"
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _TELLTALE.search(node.value):
        yield f"names {node.value[:60]!r}"


def _of_import(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Yield what is suspicious about an import."""
    module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
    names = [one.name for one in node.names]
    for whole in [module, *names]:
        if whole.split(".")[0] in _MODULES:
            yield f"imports {whole}"
        elif _DATA_SETS.search(whole):
            yield f"loads a data set with {whole}"


def _name(function: ast.expr) -> str:
    """Return the last part of the called function's name."""
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""
