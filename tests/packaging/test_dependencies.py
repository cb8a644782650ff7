"""What is imported is declared, what is declared is imported, and what few need is asked for by few."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "simbudget"
DISTRIBUTION_OF = {"yaml": "pyyaml", "sklearn": "scikit-learn", "inspect_ai": "inspect-ai"}
"""Where a module is not called as what it comes in."""

IN_A_SANDBOX = PACKAGE / "pilot/tasks/weak_to_strong/sandboxed"
"""Run where an agent's code runs, with what is there."""


def imported() -> dict[str, set[Path]]:
    """Return the distributions that are imported, and by which modules."""
    found: dict[str, set[Path]] = {}
    for path in PACKAGE.rglob("*.py"):
        if path.is_relative_to(IN_A_SANDBOX):
            continue
        for name in _names(ast.parse(path.read_text(encoding="utf-8"))):
            if name not in sys.stdlib_module_names and name != "simbudget":
                distribution = DISTRIBUTION_OF.get(name, name).replace("_", "-").lower()
                found.setdefault(distribution, set()).add(path.relative_to(PACKAGE))
    return found


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def declared(extra: str | None = None) -> set[str]:
    """Return the distributions that a user gets, alone or with an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    return {re.split(r"[\s\[<>=!~;]", line)[0].lower().replace("_", "-") for line in lines}


@pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="not a checkout")
def test_everything_that_is_imported_is_declared() -> None:
    extras = {
        "guard": ("guard", "pilot"),  # the extra `pilot` has it in it
        "pilot": ("pilot", "guard"),
        "dask": ("projection",),
        "inspect": ("ledger",),
        "testing": ("testing.py",),
    }
    rooms = {name: rooms for extra, rooms in extras.items() for name in declared(extra)}
    undeclared = {
        name: sorted(map(str, paths))
        for name, paths in imported().items()
        if name not in declared() and not all(path.parts[0] in rooms.get(name, ()) for path in paths)
    }
    assert undeclared == {}


@pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="not a checkout")
def test_everything_that_is_declared_is_imported() -> None:
    assert declared() - set(imported()) == set()


def test_only_the_pilot_imports_the_anthropic_sdk() -> None:
    rooms = {path.parts[0] for path in imported()["anthropic"]}
    assert rooms <= {"pilot", "guard"}
    heavy = "import simbudget.api, simbudget.cli.pilot, simbudget.report.html.page, simbudget.deciding.figures, sys"
    code = f"{heavy}; print([name for name in sys.modules if name.startswith('anthropic')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
