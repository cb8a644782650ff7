"""The commands as users run them, on a ledger file of simulated runs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from simbudget.cli.main import commands
from simbudget.errors import UserError
from simbudget.ledger.stored import write_ledger
from tests.calibration.logs import ASSUMED, sessions_ledger


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    write_ledger(sessions_ledger(14), folder / "logs.csv")
    (folder / "scenario.yaml").write_text(ASSUMED, encoding="utf-8")
    return folder


def test_backtest_prints_the_scores_of_each_quantity_as_json(folder: Path) -> None:
    arguments = ["backtest", str(folder / "logs.csv"), "--replications", "60", "--json"]
    result = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    (scores,) = json.loads(result.stdout).values()
    figures = scores["input_tokens"]
    assert figures["cases"] == 14
    assert {"median_abs_error", "bias", "coverage_80", "relative_width_80", "crps", "naive"} <= figures.keys()
    assert figures["median_abs_error"] < figures["naive"]["straight_line"]["median_abs_error"]


def test_backtest_by_runs_and_by_time_work_too(folder: Path) -> None:
    for by in ("runs", "time"):
        arguments = ["backtest", str(folder / "logs.csv"), "--replications", "40", "--by", by]
        result = CliRunner().invoke(commands, arguments, catch_exceptions=False)
        assert "median error" in result.stdout


def test_calibrate_shows_before_and_after_and_writes_pictures(folder: Path) -> None:
    arguments = ["calibrate", str(folder / "scenario.yaml"), str(folder / "logs.csv")]
    result = CliRunner(env={"COLUMNS": "160"}).invoke(
        commands, [*arguments, "-o", str(folder / "new.yaml")], catch_exceptions=False
    )
    assert "{typical: 100" in result.stdout
    assert (folder / "new-pictures" / "before-after.png").is_file()
    assert (folder / "new-pictures" / "predictive-check.csv").is_file()
    checked = CliRunner().invoke(
        commands, ["check", str(folder / "new.yaml"), "--json"], catch_exceptions=False
    )
    sources = {row["name"]: row["source"] for row in json.loads(checked.stdout)["values"]}
    assert sources["turn.tool_time"].startswith("calibration (n=")


@pytest.mark.parametrize("output", ["scenario.yaml", "new.txt", "nowhere/new.yaml"])
def test_an_output_that_cannot_be_is_refused_before_anything_is_read(folder: Path, output: str) -> None:
    arguments = ["calibrate", str(folder / "scenario.yaml"), "no-log", "-o", str(folder / output)]
    with pytest.raises(UserError):
        CliRunner().invoke(commands, arguments, catch_exceptions=False, standalone_mode=False)


@pytest.mark.parametrize(
    ("cut", "said"),
    [("0%", "is not above zero"), ("120%", "write at most 99%"), ("some", "write a share such as")],
)
def test_a_cut_that_is_not_a_share_is_refused(folder: Path, cut: str, said: str) -> None:
    result = CliRunner().invoke(commands, ["backtest", str(folder / "logs.csv"), "--cut", cut])
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
