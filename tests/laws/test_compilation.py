"""Functions are compiled once, whoever calls them, and to the same values as by numba's own way."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from simbudget.compilation import IS_PLAIN, compilation_reported, compiled, compiler, internal
from simbudget.compilation.references import by_reference

needs_own_compiler = pytest.mark.skipif(IS_PLAIN, reason="numba compiles in its own way here")

VALUES = """
from simbudget.compilation import CODE_FOLDER
from simbudget.distributions.sampling import normal_score
from simbudget.engine.streams import uniforms
print([score.hex() for score in map(normal_score, (1e-9, 0.1, 0.5, 0.99))], end=" ")
print([u.hex() for u in uniforms(1, 2, 3, 4, 5, 6)])
print(len(list(CODE_FOLDER.rglob("*.nbc"))))
"""


@internal
def _sum(left: int, right: int) -> int:
    return left + right


@compiled
def _sums(number: int) -> int:
    return _sum(number, 3) + _sum(number, 4) + _sum(number, number)


class _Shelf(NamedTuple):
    numbers: Any
    count: int


class _Room(NamedTuple):
    shelf: _Shelf
    prices: Any


@internal
def _change(room: Any) -> float:
    room.shelf.numbers[1] = 7
    return room.prices[0] * room.shelf.count + len(room.shelf.numbers)


@compiled
def _change_by_reference(room: _Room) -> float:
    return _change(by_reference(room))


def values(folder: Path, **environment: str) -> tuple[str, int]:
    """Return what laws give in a fresh process, and how many files of machine code that left."""
    own = {**os.environ, "NUMBA_CACHE_DIR": str(folder), **environment}
    done = subprocess.run([sys.executable, "-c", VALUES], capture_output=True, text=True, check=True, env=own)
    said, files = done.stdout.splitlines()
    return said, int(files)


def test_the_numba_that_is_installed_is_one_that_the_compiler_has_been_tried_with() -> None:
    assert compiler.fits()


@needs_own_compiler
def test_only_what_python_calls_lies_on_disk_and_numbas_own_way_gives_the_same_values(tmp_path: Path) -> None:
    said, files = values(tmp_path / "own")
    said_by_plain, files_of_plain = values(tmp_path / "plain", SIMBUDGET_COMPILER="plain")
    assert said == said_by_plain
    assert files == 2 < files_of_plain
    assert values(tmp_path / "own") == (said, 2)


@needs_own_compiler
def test_a_literal_argument_makes_no_compilation_of_its_own() -> None:
    assert _sums(2) == 15
    _sums.recompile()  # type: ignore[attr-defined]
    assert len(_sum.signatures) == 1  # type: ignore[attr-defined]


def test_an_operation_has_the_types_of_its_own_arguments_whoever_had_it_compiled_first() -> None:
    @compiled
    def halves(whole: int, part: float) -> tuple[float, float, float]:
        return _sum(whole, whole) / 2, _sum(part, part) / 2, _sum(whole, part)

    assert halves(3, 0.25) == (3.0, 0.25, 3.25)


def test_a_reference_reads_as_the_tuple_does_and_shares_its_arrays() -> None:
    numbers = np.array([1, 2, 3])
    assert _change_by_reference(_Room(_Shelf(numbers, 5), np.array([0.5]))) == 5.5
    assert numbers.tolist() == [1, 7, 3]


def test_who_waits_is_told_what_is_compiled_and_how_far_it_is() -> None:
    told: list[tuple[str, float]] = []

    @internal
    def fresh(number: int) -> int:
        return number + 1

    @internal
    def fresh_caller(number: int) -> int:
        return fresh(number)

    with compilation_reported(lambda name, part: told.append((name, part))):
        fresh_caller.compile((compiler.types.int64,))  # type: ignore[attr-defined]
    assert [name.rpartition(".")[2] for name, _ in told] == ["fresh_caller", "fresh", "fresh_caller"]
    assert all(0.0 < part < 1.0 for _, part in told[:-1])
    assert told[-1][1] == 1.0
    fresh_caller.compile((compiler.types.float64,))  # type: ignore[attr-defined]
    assert len(told) == 3
