"""Scenarios without randomness come to figures that a program of another author computed, to the cent and second.

The files are those of `tests/data/real-fleets`, whose figures follow from the meaning of the language alone.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from simbudget.projection.run import Options, project
from simbudget.scenario.loading import load_scenario

CASES = Path(__file__).parents[1] / "data" / "real-fleets"
EXPECTED: dict[str, dict[str, float]] = json.loads((CASES / "expected.json").read_text())


def _at(summary: Any, path: str) -> float:
    for key in path.split("."):
        summary = summary[key]
    return float(summary["mean"] if isinstance(summary, dict) else summary)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_scenario_comes_to_what_another_program_computed(name: str) -> None:
    summary = project(load_scenario(CASES / f"{name}.yaml").scenario, Options(1, 1)).as_json()
    found = {path: _at(summary, path) for path in EXPECTED[name]}
    assert found == pytest.approx(EXPECTED[name], rel=1e-9, abs=1e-9)
