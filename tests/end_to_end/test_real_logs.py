"""The commands that take logs, on real logs of every format at hand, as users run them one after the other."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from simbudget.cli.main import commands
from simbudget.errors import UserError

ROOT = Path(__file__).parent.parent
SCENARIO = ROOT.parent / "scenarios" / "aar-weak-to-strong.yaml"
LOGS = sorted(path for path in (ROOT / "data" / "logs").iterdir() if path.is_dir())
NAMES = [path.name for path in LOGS]
TOO_LITTLE = ("swe-agent",)
"""One trajectory that tells totals only: neither tokens nor times of its five calls."""
TELLING = [path for path in LOGS if path.name not in TOO_LITTLE]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    assert result.exit_code in (0, 1), result.output  # 1: a limit of the scenario is passed
    return result.stdout


@pytest.mark.parametrize("logs", TELLING, ids=[path.name for path in TELLING])
def test_what_was_calibrated_on_real_logs_can_be_checked_and_projected(logs: Path, tmp_path: Path) -> None:
    new = str(tmp_path / "new.yaml")
    said = run("calibrate", str(SCENARIO), str(logs), "-o", new)
    assert "Now: simbudget project" in " ".join(said.split())
    learnt = [row for row in json.loads(run("check", new, "--json"))["values"] if "(n=" in row["source"]]
    assert learnt
    projected = json.loads(run("project", new, "--replications", "20", "--json"))
    assert projected["spend_usd"]["mean"] > 0


@pytest.mark.parametrize("name", TOO_LITTLE)
def test_a_log_that_says_too_little_teaches_nothing_and_says_so(name: str, tmp_path: Path) -> None:
    new = tmp_path / "new.yaml"
    with pytest.raises(UserError, match="say nothing of this scenario's quantities"):
        CliRunner().invoke(
            commands,
            ["calibrate", str(SCENARIO), str(ROOT / "data" / "logs" / name), "-o", str(new)],
            standalone_mode=False,
            catch_exceptions=False,
        )
    assert not new.exists()


@pytest.mark.parametrize("logs", LOGS, ids=NAMES)
@pytest.mark.parametrize("by", ["calls", "time"])
def test_real_logs_can_be_backtested(logs: Path, by: str) -> None:
    arguments = ["backtest", str(logs), "--by", by, "--replications", "30", "--json"]
    result = CliRunner().invoke(commands, arguments, standalone_mode=False)
    if result.exception is not None:  # campaigns have no calls, and some logs no run that is long enough
        assert isinstance(result.exception, UserError)
        assert "nothing in these logs can be projected" in str(result.exception)
        return
    for scores in json.loads(result.stdout).values():
        assert all(figures["cases"] > 0 for figures in scores.values())
