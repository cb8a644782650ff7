"""The scenario that logs imply projects what the logs cost."""

import datetime
import json
import re
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from simbudget.calibration.observed.sessions import sessions_of
from simbudget.calibration.scenarios.implied import Implied, implied_scenario
from simbudget.calibration.scenarios.wording import written_duration
from simbudget.cli.main import commands
from simbudget.errors import UserError
from simbudget.ledger.imported import ImportedLedger
from simbudget.ledger.readers import read_logs
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import load_scenario, loads_scenario
from simbudget.scenario.scenario import Scenario, dump
from tests.calibration.logs import sessions_ledger


@dataclass(frozen=True)
class Made:
    """A session of Claude Code to write: calls of half a minute with a growing context."""

    model: str = "claude-opus-4-6"
    turns: int = 30
    output: int = 500
    day: int = 0
    pauses_s: tuple[float, ...] = (30.0,)
    """Time between calls, in turn."""


def write_session(path: Path, made: Made) -> None:
    """Write a session's log, in which each call adds 1,000 tokens to a context of 20,000."""
    at = datetime.datetime(2026, 10, 1, 9) + datetime.timedelta(days=made.day)
    name, lines = path.stem, []
    for turn in range(made.turns):
        usage = {
            "input_tokens": 3,
            "cache_creation_input_tokens": 20_000 if turn == 0 else 1_000,
            "cache_read_input_tokens": 0 if turn == 0 else 19_000 + 1_000 * turn,
            "output_tokens": made.output,
        }
        message: dict[str, Any] = {
            "id": f"m{name}{turn}",
            "type": "message",
            "role": "assistant",
            "model": made.model,
            "stop_reason": "tool_use",
            "usage": usage,
            "content": [{"type": "tool_use", "id": f"t{turn}", "name": "Bash"}],
        }
        result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{turn}"}]}
        for kind, said in (("assistant", message), ("user", result)):
            about = {
                "type": kind,
                "uuid": f"{name}{kind}{turn}",
                "sessionId": name,
                "requestId": f"r{name}{turn}",
            }
            lines.append(json.dumps(about | {"timestamp": f"{at.isoformat()}Z", "message": said}))
            pause_s = made.pauses_s[turn % len(made.pauses_s)] if kind == "assistant" else 30.0
            at += datetime.timedelta(seconds=pause_s)
    path.write_text("\n".join(lines) + "\n")


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


def test_waiting_for_people_is_left_out_of_tool_time_and_said() -> None:
    ledger = read_logs([LOGS / "agentv-codex"])
    sessions = sessions_of(ledger)
    between_s = sum(float(np.nansum(session.gap_s)) for session in sessions)
    people_s = sum(float(np.nansum(np.minimum(session.person_s[:-1], session.gap_s))) for session in sessions)
    assert people_s > 0
    implied = implied_scenario(ledger)
    share = f"{people_s / between_s:.0%} of the time between calls, is left out of `turn.tool_time`"
    assert any(share in note for note in implied.notes)
    gaps = [np.maximum(session.gap_s - session.person_s[:-1], 0.0) for session in sessions]
    mean = written_duration(float(np.concatenate(gaps).mean()))
    assert re.search(rf"tool_time: .* # {mean} on average in the logs", implied.text)


def test_models_whose_sessions_differ_have_their_own_cycle_and_hold_the_logged_cost(tmp_path: Path) -> None:
    for number in range(6):
        write_session(tmp_path / f"o{number}.jsonl", Made(turns=25, day=number))
        haiku = Made("claude-haiku-4-5", turns=60, output=200, day=number)
        write_session(tmp_path / f"h{number}.jsonl", haiku)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        implied = implied_scenario(read_logs([tmp_path]))
    turns = {group.model: group.cycle[0].turns.typical for group in implied.written.fleet}
    assert turns["claude-opus-4-6"] == pytest.approx(25, rel=0.05)
    assert turns["claude-haiku-4-5"] == pytest.approx(60, rel=0.05)
    spend = project(implied.scenario, Options(replications=100)).summary.spend_usd
    assert implied.logged_usd == pytest.approx(8.48, abs=0.01)
    assert spend.p10 <= implied.logged_usd <= spend.p90
    assert spend.p90 < 1.15 * implied.logged_usd


def test_models_whose_sessions_are_alike_share_a_cycle(tmp_path: Path) -> None:
    for number in range(4):
        write_session(tmp_path / f"o{number}.jsonl", Made(turns=20, day=number))
        write_session(tmp_path / f"h{number}.jsonl", Made("claude-haiku-4-5", turns=20, day=number))
    assert not any(group.is_own for group in implied_scenario(read_logs([tmp_path])).groups)


def test_numbers_are_written_as_a_person_would_write_them(tmp_path: Path) -> None:
    for number in range(10):
        write_session(tmp_path / f"s{number}.jsonl", Made(turns=30, day=number))
    implied = implied_scenario(read_logs([tmp_path]))
    assert "tool_time: 30 s\n" in implied.text
    assert "then_every: 1 day" in implied.text
    ranges = [line for line in implied.text.splitlines() if "typical" in line]
    numbers = [number for line in ranges for number in re.findall(r"[\d.]+", line.split("#", 1)[0])]
    assert numbers
    assert all(len(number.replace(".", "").strip("0")) <= 3 for number in numbers)


def test_durations_that_do_not_tell_the_speed_leave_its_default(tmp_path: Path) -> None:
    for number in range(4):
        write_session(tmp_path / f"s{number}.jsonl", Made(turns=30, day=number))
    implied = implied_scenario(read_logs([tmp_path]))
    speed = implied.written.models["claude-opus-4-6"]
    assert speed.output_speed.text == "45 to 80 tokens/s"
    call_s = speed.first_token.typical + 500 / speed.output_speed.typical
    assert call_s == pytest.approx(30.0, rel=0.05)  # as in the log
    assert any("cannot tell its output speed" in note for note in implied.notes)


def test_a_single_call_says_its_output_and_its_cost(tmp_path: Path) -> None:
    write_session(tmp_path / "s.jsonl", Made(turns=1))
    implied = implied_scenario(read_logs([tmp_path]))
    assert implied.written.turn.output_tokens.typical == 500
    spend = project(implied.scenario, Options(replications=5)).summary.spend_usd
    assert spend.p50 == pytest.approx(implied.logged_usd, rel=0.001)


def test_pauses_of_several_kinds_in_one_are_noted(tmp_path: Path) -> None:
    for number in range(4):
        made = Made(turns=40, day=number, pauses_s=(1.0, 1.0, 1.0, 1.0, 900.0))
        write_session(tmp_path / f"s{number}.jsonl", made)
    notes = implied_scenario(read_logs([tmp_path])).notes
    assert any("`turn.tool_time` is 2.71 min on average and varies" in note for note in notes)


def test_init_from_logs_writes_a_scenario_that_check_and_project_take(tmp_path: Path) -> None:
    directory = tmp_path / "mine"
    arguments = ["init", str(directory), "--from", str(LOGS / "agentv-codex")]
    said = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    assert "; the scenario projects $" in said.stdout
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
