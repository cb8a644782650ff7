"""Damaged logs of every format: never a traceback, never silence, and good neighbours are read."""

from pathlib import Path

import pytest

from benchmarks.fuzz_logs import WAYS, bases, damaged, outcome

SEED = 7


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_damaged_logs_are_named_and_their_good_neighbours_are_read(first: int, tmp_path: Path) -> None:
    faults = [outcome(number, SEED, tmp_path) for number in range(first, first + 20)]
    assert not [fault for fault in faults if fault.fault]


def test_every_way_of_damage_and_every_format_is_tried() -> None:
    found = [damaged(number, SEED)[:2] for number in range(300)]
    assert {way for way, _ in found} == set(WAYS)
    assert {base for _, base in found} == set(bases())
