"""The scenario that logs imply projects what the logs cost."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from simbudget.calibration.observed.sessions import sessions_of
from simbudget.calibration.scenarios.implied import Implied, implied_scenario
from simbudget.cli.main import commands
from simbudget.errors import UserError
from simbudget.ledger.imported import ImportedLedger
from simbudget.ledger.readers import read_logs
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import load_scenario, loads_scenario
from simbudget.scenario.model import Scenario, dump
from tests.calibration.logs import sessions_ledger

LOGS = Path(__file__).parent.parent / "data" / "logs"


def scenario_of(implied: Implied) -> Scenario:
    return implied.scenario


def test_it_projects_the_sessions_and_the_cost_of_simulated_logs() -> None:
    ledger = sessions_ledger(40)
    calls = ledger.entries[ledger.entries["kind"] == "call"]
    # the truth is added up from the simulated calls, at the prices of the scenario that they came from
    truth = float(
        (
            calls["uncached_input_tokens"] * 3.0
            + calls["cache_write_tokens"] * 3.75
            + calls["cache_read_tokens"] * 0.3
            + calls["output_tokens"] * 15.0
        ).sum()
        / 1e6
    )
    implied = implied_scenario(ledger)
    assert implied.logged_usd == pytest.approx(truth, rel=1e-6)
    summary = project(scenario_of(implied), Options(replications=100)).summary
    assert summary.spend_usd.p50 == pytest.approx(truth, rel=0.1)
    assert summary.model_calls.p50 == pytest.approx(len(calls), rel=0.1)


@pytest.mark.parametrize("folder", ["agentv-claude", "agentv-codex", "dhruv-parameter-golf-pi"])
def test_it_loads_and_writes_and_holds_real_logs_cost_within_its_interval(folder: str) -> None:
    implied = implied_scenario(read_logs([LOGS / folder]))
    scenario = scenario_of(implied)
    assert loads_scenario(dump(scenario)).scenario == scenario
    spend = project(scenario, Options(replications=100)).summary.spend_usd
    assert spend.p10 <= implied.logged_usd <= spend.p90


def test_groups_are_the_models_and_there_are_gpus_only_where_logs_have_jobs_on_them() -> None:
    ledger = read_logs([LOGS / "agentv-codex"])
    sessions = sessions_of(ledger)
    scenario = scenario_of(implied_scenario(ledger))
    assert {group.model: group.agents for group in scenario.fleet} == {
        model: sum(session.model == model for session in sessions)
        for model in {session.model for session in sessions}
    }
    assert {step.kind for group in scenario.fleet for step in group.cycle} == {"think"}
    assert project(scenario, Options(replications=20)).summary.spend_by_component_usd["gpu"].p90 == 0.0


def test_waiting_for_people_is_a_part_of_tool_time() -> None:
    ledger = read_logs([LOGS / "agentv-codex"])
    sessions = sessions_of(ledger)
    between_s = sum(float(np.nansum(session.gap_s)) for session in sessions)
    people_s = sum(float(np.nansum(np.minimum(session.person_s[:-1], session.gap_s))) for session in sessions)
    assert people_s > 0
    assert f"{people_s / between_s:.0%} of it is waiting for people" in implied_scenario(ledger).text


def test_init_from_logs_writes_a_scenario_that_check_and_project_take(tmp_path: Path) -> None:
    directory = tmp_path / "mine"
    arguments = ["init", str(directory), "--from", str(LOGS / "agentv-codex")]
    said = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    assert "by the price list; the scenario projects $" in said.stdout
    scenario = load_scenario(directory / "scenario.yaml").scenario
    assert scenario.turn.tool_time.posterior is not None
    checked = CliRunner().invoke(
        commands, ["check", str(directory / "scenario.yaml")], catch_exceptions=False
    )
    assert "calibration (n=" in " ".join(checked.stdout.split())


def test_logs_without_calls_imply_no_cycle() -> None:
    ledger = sessions_ledger(1)
    empty = ImportedLedger(ledger.entries.iloc[:0], ledger.runs)
    with pytest.raises(UserError, match="no session call by call"):
        implied_scenario(empty)


TWO_LOGS = [str(LOGS / "agentv-codex"), str(LOGS / "agentv-claude")]


@pytest.mark.parametrize(
    "order",
    [
        ["{directory}", "--from", *TWO_LOGS],
        ["--from", *TWO_LOGS, "{directory}"],
        ["--from", TWO_LOGS[0], "--from", TWO_LOGS[1], "{directory}"],
        [f"--from={TWO_LOGS[0]}", TWO_LOGS[1], "{directory}"],
    ],
)
def test_the_directory_may_stand_before_or_behind_the_logs(order: list[str], tmp_path: Path) -> None:
    directory = tmp_path / "mine"
    arguments = [each.format(directory=directory) for each in order]
    said = CliRunner().invoke(commands, ["init", *arguments], catch_exceptions=False)
    assert said.stdout.startswith("2 sessions in 2 groups")
    assert (directory / "scenario.yaml").exists()


def test_nothing_is_written_among_logs(tmp_path: Path) -> None:
    shutil.copytree(LOGS / "agentv-claude", tmp_path / "logs")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match="holds logs"):
        CliRunner().invoke(
            commands, ["init", "--from", TWO_LOGS[0], str(tmp_path / "logs")], catch_exceptions=False
        )
    assert sorted(tmp_path.rglob("*")) == before


def test_without_a_directory_it_says_where_to_name_one() -> None:
    with pytest.raises(UserError, match="name it last"):
        CliRunner().invoke(commands, ["init", "--from", TWO_LOGS[0]], catch_exceptions=False)
