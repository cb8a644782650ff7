"""A result shows itself: answer, tables, pictures, JSON, files and notes, whoever looks at it."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import simbudget
from simbudget.drawing import new_figure
from simbudget.errors import UserError
from simbudget.report.markdown import table_markdown
from simbudget.report.terminal import rich_table
from simbudget.results import Number, Picture, Result, Table, as_plain


@dataclass(frozen=True)
class Idle(Result):
    """A result with everything that a result can have."""

    hours: tuple[float, ...]
    notes: tuple[str, ...] = ()

    json_name = "idle.json"

    def answer(self) -> str:
        return f"Agents idle for {sum(self.hours):g} h <in all>."

    def as_json(self) -> dict[str, Any]:
        return {"hours": as_plain(self.hours), "notes": list(self.notes)}

    def tables(self) -> list[Table]:
        rows = [(f"agent [{n}]", Number(f"{h:g} h", h, f"hours.{n}")) for n, h in enumerate(self.hours)]
        return [Table("Idle time", ("agent", "idle"), rows, "of | all", rules=(1,))]

    def figures(self) -> dict[str, Picture]:
        def draw() -> Any:
            figure, axes = new_figure()
            axes.plot(self.hours)
            return figure, pd.DataFrame({"hours": self.hours})

        return {"idle_time": Picture("Idle time", draw)}


IDLE = Idle((1.0, 2.5), ("the second agent waited for GPUs",))


def test_a_result_is_short_in_a_notebook_and_shows_its_pictures_there() -> None:
    assert repr(IDLE) == "<Idle: Agents idle for 3.5 h <in all>.>"
    assert len(repr(Idle(tuple(map(float, range(100_000)))))) < 400
    page = IDLE._repr_html_()
    assert "&lt;in all&gt;" in page and "<in all>" not in page
    assert "data:image/png;base64," in page
    assert "waited for GPUs" in page
    assert IDLE.figure("idle-time")._repr_png_().startswith(b"\x89PNG")


def test_a_result_is_written_whole_and_pictures_come_with_their_data(tmp_path: Path) -> None:
    written = IDLE.write(tmp_path / "out")
    assert {path.name for path in written} == {"idle.json", "idle-time.png", "idle-time.csv"}
    assert json.loads((tmp_path / "out/idle.json").read_text()) == IDLE.as_json()
    assert pd.read_csv(tmp_path / "out/idle-time.csv")["hours"].to_list() == [1.0, 2.5]
    again = Idle(IDLE.hours, IDLE.notes).write(tmp_path / "again")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]


def test_every_view_draws_the_same_table() -> None:
    (table,) = IDLE.tables()
    assert table.texts() == [("agent [0]", "1 h"), ("agent [1]", "2.5 h")]
    drawn = rich_table(table)
    assert [str(cell) for cell in drawn.columns[1].cells] == ["1 h", "2.5 h"]
    assert "| agent &#91;1&#93; | 2.5 h |" in table_markdown(table)
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        Table("Idle time", ("agent", "idle"), [("one",)])


def test_a_figure_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match="there is no figure 'idle_tim'; did you mean 'idle_time'"):
        IDLE.figure("idle_tim")


def test_plain_values_are_what_json_can_hold() -> None:
    values = {"a": np.float64(1.5), "b": np.arange(2), "c": float("inf"), "d": (Path("x"), None), 1: True}
    plain = as_plain(values)
    assert plain == {"a": 1.5, "b": [0, 1], "c": None, "d": ["x", None], "1": True}
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_the_public_names_are_listed_and_each_is_there() -> None:
    code = "import simbudget, sys; print([n for n in dir(simbudget)]); assert 'numpy' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert eval(done.stdout) == dir(simbudget)
    for name in dir(simbudget):
        assert getattr(simbudget, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'projekt'"):
        simbudget.projekt  # noqa: B018


def test_what_is_wrong_with_an_argument_is_said_by_its_name() -> None:
    plan = simbudget.load("autoresearch-one-gpu")
    for ask, said in (
        (lambda: plan.project(replications=0), "^replications is 0"),
        (lambda: plan.project(precision=2.0), "^precision is 2"),
        (lambda: plan.project(on="nowhere", workers=2), "^on and workers"),
        (lambda: plan.plan(["agents=1:4"]), "neither a goal nor"),
        (lambda: simbudget.compare(plan), "nothing to compare with"),
    ):
        with pytest.raises(UserError, match=said) as raised:
            ask()
        assert "--" not in str(raised.value)
