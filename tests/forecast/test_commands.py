"""`forecast` and `watch` on real logs, as a user runs them."""

import json
import subprocess
import sys
from pathlib import Path

DATA = Path(__file__).parent.parent / "data" / "logs"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Return what the real command line answers."""
    command = [sys.executable, "-m", "simbudget", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_a_further_run_like_a_profile_needs_no_logs() -> None:
    done = run("forecast", "--like", "research-agents", "--runs", "3", "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    cost = found["remaining"]["cost_usd"]
    assert 0 < cost["p10"] < cost["p50"] < cost["p90"]
    assert "3 ideas" in found["answer"]


def test_two_questions_at_a_time_are_one_mistake() -> None:
    done = run("forecast", str(DATA), "--calls", "3", "--days", "4")
    assert done.returncode == 2
    assert "--calls and --days exclude each other" in done.stderr


def test_without_logs_and_without_a_profile_there_is_one_clear_message() -> None:
    done = run("forecast")
    assert done.returncode == 2
    assert "give a LOG" in done.stderr


def test_profiles_and_logs_exclude_each_other() -> None:
    done = run("forecast", str(DATA), "--like", "codex")
    assert done.returncode == 2
    assert "--like needs no logs" in done.stderr


def test_a_budget_of_the_command_line_goes_without_a_scenario() -> None:
    done = run("watch", str(DATA), "--scenario", "aar-weak-to-strong", "--budget", "$5")
    assert done.returncode == 2
    assert "--budget cannot be combined with --scenario" in done.stderr


def test_what_only_a_plan_gives_a_meaning_needs_a_scenario() -> None:
    for option, value in (("--worth", "$500"), ("--sure", "90%"), ("--elapsed", "3 h"), ("--runs", "100")):
        done = run("watch", str(DATA / "agentv-codex"), option, value)
        assert done.returncode == 2
        assert f"{option} needs a plan to compare with: add --scenario SCENARIO" in " ".join(
            done.stderr.split()
        )


def test_watch_without_a_scenario_is_the_forecast_of_the_same_log() -> None:
    log = str(DATA / "agentv-codex")
    watched, forecast = run("watch", log, "--json", "--seed", "1"), run("forecast", log, "--json")
    assert watched.returncode == forecast.returncode == 0
    assert json.loads(watched.stdout) == json.loads(forecast.stdout)


def test_a_budget_below_zero_is_a_mistake() -> None:
    done = run("forecast", str(DATA / "agentv-codex"), "--budget=-5")
    assert done.returncode == 2
    assert "'-5' is below zero" in done.stderr
