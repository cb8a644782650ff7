"""What a user sees of many replications and of an engine that has to be compiled."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner
from numba.core import types

from simbudget.cli.project import project_command
from simbudget.compilation import internal
from simbudget.engine.outcome import Sums
from simbudget.projection.aggregate import KEPT
from simbudget.projection.engines import ENGINES

SMALL = """
fleet: [{agents: 1, sandbox: {price: 1 $/h}}]
cycle: [think: {turns: 1 to 3}]
prices: {on: 2026-06-01}
stop: {cycles_per_agent: 1, after: 2 h, budget: $100}
"""


@pytest.fixture(name="plan")
def _plan(tmp_path: Path) -> str:
    path = tmp_path / "plan.yaml"
    path.write_text(SMALL)
    return str(path)


def test_what_rests_on_fewer_replications_than_were_made_says_so(plan: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(project_command, [plan, "--replications", str(KEPT + 500), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "(10,500 replications" in done.output
    assert "rest on the first 10,000" in " ".join(done.output.split())
    assert json.loads((out / "summary.json").read_text())["replications"] == KEPT + 500
    frame = pd.read_parquet(out / "replications.parquet")
    assert len(frame) == KEPT
    assert frame.attrs == {"replications": KEPT + 500, "kept": KEPT}
    assert len(pd.read_csv(out / "within-budget.csv")) == KEPT


@pytest.mark.parametrize(("option", "said"), [((), True), (("--quiet",), False), (("--json",), False)])
def test_who_waits_for_the_compiler_is_told(
    option: tuple[str, ...], said: bool, plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiles_first(*of: Any) -> Sums:
        @internal
        def fresh(number: int) -> int:
            return number + 1

        if not begun:
            begun.append("Compiling" in stderr())
            fresh.compile((types.int64,))  # type: ignore[attr-defined]
            begun.append("Compiling" in stderr())
        return engine.simulate_many(*of)

    begun: list[bool] = []
    engine = ENGINES["compiled"]
    monkeypatch.setitem(ENGINES, "compiled", replace(engine, simulate_many=compiles_first))
    done = CliRunner().invoke(project_command, [plan, "--replications", "3", "--workers", "1", *option])
    assert done.exit_code == 0, done.output
    assert begun == [False, said]
    assert done.stderr.count("Compiling (once on this machine") == said


def stderr() -> str:
    """Return what has been written to click's stand-in for stderr."""
    sys.stderr.flush()
    return sys.stderr.buffer.getvalue().decode()  # type: ignore[attr-defined]


def test_an_engine_on_disk_needs_no_word(plan: str) -> None:
    for _ in range(2):
        done = CliRunner().invoke(project_command, [plan, "--replications", "3"])
    assert "Compiling" not in done.stderr
