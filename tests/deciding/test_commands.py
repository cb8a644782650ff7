"""The commands that decide, as they are typed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from simbudget.cli.main import commands
from simbudget.errors import UserError

JOBS = """# a plan of jobs
name: jobs
fleet: [{agents: 2, sandbox: {price: 1 $/h}}]   # two for now
cycle: [experiment: {gpus: 1, time: {distribution: uniform, low: 30 min, high: 90 min}}]
gpus: {count: 2, price: 3 $/h, billing: reserved}
stop: {after: 20 h}
prices: {on: 2026-06-01}
"""


@pytest.fixture(name="jobs")
def _jobs(tmp_path: Path) -> str:
    path = tmp_path / "jobs.yaml"
    path.write_text(JOBS)
    return str(path)


def simbudget(*arguments: str) -> Result:
    return CliRunner().invoke(commands, arguments, catch_exceptions=False)


def test_a_file_compared_with_itself_says_that_all_is_the_same(jobs: str) -> None:
    result = simbudget("compare", jobs, jobs, "--replications", "10")
    assert "are the same in every replication" in result.output
    content = json.loads(simbudget("compare", jobs, jobs, "--replications", "10", "--json").output)
    assert content["against_first"][0]["same_in_every_replication"] is True


def test_the_chosen_plan_runs_again_and_gives_the_promised_figures(jobs: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--vary", "agents=1:3", "--vary", "gpus=1:3", "--budget", "$200", "--for", "experiments")
    result = simbudget("plan", jobs, *options, "--replications", "10", "--out", str(out))
    assert result.exit_code == 0
    assert "Choose agents=2 gpus=2 budget=$200" in result.output.replace("\n", " ")
    assert {path.name for path in out.iterdir()} == {"plan.yaml", "plan.json", "frontier.png", "frontier.csv"}
    promised = json.loads((out / "plan.json").read_text())
    again = simbudget(
        "project", str(out / "plan.yaml"), "--seed", "1000004", "--replications", "40", "--json"
    )
    assert json.loads(again.output)["spend_usd"] == promised["projection"]["spend_usd"]
    assert promised["chosen"]["spend_usd"]["mean"] == promised["projection"]["spend_usd"]["mean"]


def test_no_plan_within_the_limits_is_exit_status_1(jobs: str) -> None:
    options = ("--vary", "agents=1:2", "--least-cost-for", "experiments >= 1000", "--replications", "4")
    result = simbudget("plan", jobs, *options)
    assert result.exit_code == 1
    assert "No plan meets all limits" in result.output


def test_pictures_and_data_are_written(jobs: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    simbudget("compare", jobs, "--set", "agents=1,2", "--replications", "6", "--out", str(out / "a"))
    simbudget("plan-pilot", jobs, "--hours", "1", "--replications", "24", "--out", str(out / "b"))
    written = {str(path.relative_to(out)) for path in out.rglob("*.*")}
    assert {
        "a/comparison.json",
        "a/spend-compared.png",
        "a/spend-compared.csv",
        "b/pilots.json",
        "b/pilots.png",
    } <= written


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("compare", "FILE"), "nothing to compare with"),
        (("compare", "FILE", "--set", "agents"), "is no change"),
        (("compare", "FILE", "--set", "agents=0,2"), "with agents=0"),
        (("plan", "FILE", "--vary", "agents=1:2", "--for", "fame"), "is no objective"),
        (("sensitivity", "FILE", "--set", "agent=3"), "did you mean"),
    ],
)
def test_a_mistake_is_told_in_a_line(jobs: str, arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(UserError) as raised:
        simbudget(*(jobs if argument == "FILE" else argument for argument in arguments))
    assert words in str(raised.value)


def test_the_front_door_opens_nothing_heavy() -> None:
    heavy = "('numpy', 'pandas', 'numba', 'sklearn')"
    code = (
        f"import sys, simbudget, simbudget.cli.main; print([name for name in {heavy} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
