"""Pilots from the command line: real processes, sandboxes and sockets; what they write, and what kills leave."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from simbudget import interrupts
from simbudget.errors import UserError
from simbudget.ledger.readers import read_logs
from simbudget.ledger.store import LedgerStore
from simbudget.pilot.draws import Draws
from simbudget.pilot.rates import called_as, pilot_rates
from simbudget.scenario.loading import loads_scenario
from tests.pilot.killing import KilledPilot
from tests.pilot.provider import FAST

TOLERANCE_S = 0.05


def pilot(scenario: Path, *options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "simbudget", "pilot", str(scenario), *options]
    known = {name: value for name, value in os.environ.items() if name != "ANTHROPIC_API_KEY"}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=600, env={**known, **environment}
    )


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "fast.yaml"
    path.write_text(FAST)
    return path


def test_a_pilot_runs_from_one_command_and_its_ledger_adds_up(tmp_path: Path) -> None:
    running = KilledPilot(tmp_path)
    running.start()
    running.wait_for(2, "'score'")
    running.wait_for(1, "'post'")
    summary, out = running.end(), running.out
    running.check(summary)
    assert summary["submissions"] >= 2
    assert summary["ended_because"] == "interrupted"
    assert -1.0 < summary["best_score"] <= 1.0
    assert sum(summary["agent_time_share"].values()) == pytest.approx(1.0)
    assert summary["spend_usd"] == pytest.approx(sum(summary["spend_by_component_usd"].values()))
    ledger = read_logs((out / "ledger.sqlite",))
    assert len(ledger.entries) > 10
    with LedgerStore(out / "ledger.sqlite") as store:
        lived = store.query(
            "SELECT agent, max(started_s + duration_s) - min(started_s - queued_s),"
            " sum(duration_s) + sum(CASE WHEN outcome != 'failed' OR kind = 'experiment' THEN queued_s END)"
            " FROM entries WHERE agent >= 0 AND outcome != 'failed' GROUP BY agent"
        )
    assert len(lived) == 2
    for _, life_s, accounted_s in lived:
        assert accounted_s == pytest.approx(life_s, rel=0.02), "an agent's entries add up to its life"


def test_a_resumed_pilot_whose_time_is_used_up_says_so(tmp_path: Path) -> None:
    running = KilledPilot(tmp_path)
    running.start()
    running.wait_for(1)
    played = running.end()["notes"]
    assert [note[:40] for note in played] == ["the model was a program on this machine,"]
    again = ("--out", str(running.out), "--resume", "--for", "0.001 s", "--json")
    summary = json.loads(pilot(tmp_path / "killed.yaml", *again).stdout)
    assert summary["ended_because"] == "time"
    assert summary["notes"] == [
        *played,
        "--for is the total duration, and its 0.001 s were used up when the pilot was resumed",
    ]


def test_whatever_is_killed_the_books_agree_and_the_run_goes_on(tmp_path: Path) -> None:
    chance = random.Random(7)
    killed = KilledPilot(tmp_path)
    killed.start()
    for part in ("agent", "runner", "service", "model server"):
        killed.wait_for(2)
        killed.kill(part, chance)
        if part == "runner":
            killed.start()
    killed.wait_for(2)
    killed.check(killed.end())


def test_an_interrupt_while_a_pilot_starts_leaves_no_process_behind(tmp_path: Path) -> None:
    pilot = KilledPilot(tmp_path)
    pilot.start()
    while not (
        pilot.out / "settings" / "service.json"
    ).exists():  # the model server runs, the service is next
        assert pilot.runner.poll() is None
    children = psutil.Process(pilot.runner.pid).children()
    assert pilot.end()["ended_because"] == "interrupted"
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_a_second_interrupt_ends_a_pilot_at_once_and_it_can_be_resumed(tmp_path: Path) -> None:
    pilot = KilledPilot(tmp_path)
    pilot.start()
    pilot.wait_for(2)
    children = psutil.Process(pilot.runner.pid).children()
    pilot.runner.send_signal(signal.SIGINT)
    pilot.runner.send_signal(signal.SIGINT)
    _, said = pilot.runner.communicate(timeout=60)
    assert (pilot.runner.returncode, "Traceback" in said) == (interrupts.STATUS, False)
    assert psutil.wait_procs(children, timeout=30)[1] == []
    pilot.start()
    pilot.wait_for(2)
    pilot.check(pilot.end())


def test_the_books_do_not_agree_if_a_billed_call_is_missing(tmp_path: Path) -> None:
    killed = KilledPilot(tmp_path)
    killed.start()
    killed.wait_for(3)
    with LedgerStore(killed.out / "ledger.sqlite") as store:
        store.update_run(0, source="pilot")
        assert (
            store.query("DELETE FROM entries WHERE id = (SELECT min(id) FROM entries WHERE kind = 'call')")
            == []
        )
    summary = killed.end()
    assert summary["reconciliation"]["agrees"] is False
    assert summary["reconciliation"]["billed_and_missing"] == 1


def test_live_without_a_key_says_so_before_anything_is_made(scenario: Path, tmp_path: Path) -> None:
    ran = pilot(scenario, "--live", "--out", str(tmp_path / "out"))
    assert ran.returncode == 2
    assert "ANTHROPIC_API_KEY is not set; nothing was spent" in ran.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("model", "live", "called"),
    [
        ("claude-opus-4-6", True, "claude-opus-4-6"),
        ("claude-opus-4-5-20251101", True, "claude-opus-4-5-20251101"),
        ("anthropic/claude-opus-4-6", True, "claude-opus-4-6"),
        ("a-model-of-tomorrow", True, "a-model-of-tomorrow"),
        ("opus", False, "opus"),
    ],
)
def test_a_live_pilot_calls_models_as_the_provider_knows_them(model: str, live: bool, called: str) -> None:
    assert called_as(model, live) == called


def test_a_short_name_becomes_the_id_of_the_newest_model_and_has_its_price() -> None:
    text = "fleet: [{agents: 1, model: opus}]\ncycle: [{think: {turns: 1}}]\n"
    (called,) = pilot_rates(loads_scenario(text, "s.yaml").scenario, Draws(1, 0), live=True)
    assert re.fullmatch(r"claude-opus-\d+(-\d+)*", called)


def test_a_live_pilot_refuses_a_model_that_another_provider_sells() -> None:
    with pytest.raises(UserError, match="sold by openai"):
        called_as("gpt-5.5", live=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--budget", "5 min"), "not an amount of money"),
        (("--for", "$5"), "not a duration"),
        (("--agents", "0"), "0 agents"),
        (("--slots", "0"), "0 slots"),
        (("--time-scale", "0"), "time scale"),
        (("--task", "nowhere.yaml"), "nowhere.yaml"),
        (("--resume",), "holds no pilot to resume"),
        (("--live", "--time-scale", "2"), "leave out --time-scale"),
        (("--then", "project"), "write calibrate"),
    ],
)
def test_a_mistake_gets_one_clear_line(
    scenario: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    ran = pilot(scenario, "--out", str(tmp_path / "out"), *options)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "out").exists()
