"""Every figure of a projection's first sentence can be recomputed from its files; the notebook in `docs/` does it."""

import json
import os
from pathlib import Path

import pytest

from simbudget.projection.run import Options, project
from simbudget.scenario.loading import load_scenario

ROOT = Path(__file__).parents[2]
SCENARIO = """
fleet: [{agents: 2}]
cycle: [{experiment: {time: 1 h to 3 h}}, score]
scorer: {time: 10 min, noise: 0.02}
gpus: {count: 2, price: 4 $/h}
gates: [{name: other, keeps: 30% to 80%, smallest_effect: 0.1, price: 20 $/try}]
stop: {after: 2 days, budget: $350, reserve: $60}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    projection = project(load_scenario(tmp_path / "scenario.yaml").scenario, Options(3, 300))
    written = tmp_path / "projection"
    written.mkdir()
    (written / "summary.json").write_text(json.dumps(projection.as_json()))
    projection.replications.to_parquet(written / "replications.parquet", index=False)
    return tmp_path


def run_notebook(folder: Path, spoil: str = "") -> None:
    cells = json.loads((ROOT / "docs" / "recompute.ipynb").read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert sum("assert" in cell for cell in code) == len(code)
    names: dict[str, object] = {}
    before = Path.cwd()
    os.chdir(folder)
    try:
        for number, cell in enumerate(code):
            exec(compile(cell, f"cell {number}", "exec"), names)
            exec(spoil if number == 0 else "", names)
    finally:
        os.chdir(before)


def test_the_notebook_finds_every_figure_of_the_first_sentence_in_the_replications(folder: Path) -> None:
    run_notebook(folder)


@pytest.mark.parametrize("column", ["spend_usd", "transferable_expected", "transferable_true"])
def test_the_notebook_fails_on_rows_that_are_not_those_of_the_summary(folder: Path, column: str) -> None:
    with pytest.raises(AssertionError):
        run_notebook(folder, f"runs['{column}'] = runs['{column}'] * 0.5 + (runs['{column}'] == 0) * 1.0")
