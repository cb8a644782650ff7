"""A scenario implied by logs has their prices: those that they report, the list's, or none, which is refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from simbudget.calibration.observed.session_prices import pooled_counted_to_list
from simbudget.calibration.observed.sessions import sessions_of
from simbudget.calibration.scenarios.implied import implied_scenario
from simbudget.calibration.scenarios.writing import write_implied
from simbudget.errors import UserError
from simbudget.ledger.readers import read_logs
from simbudget.ledger.usage import of_ledger
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import load_scenario
from tests.forecast.costed_logs import opencode_log


def test_it_projects_what_logs_report_where_that_is_not_the_list_price(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    ledger = read_logs([opencode_log(tmp_path / "logs", sessions=14, reported=1.8)])
    implied, path = implied_scenario(ledger), tmp_path / "scenario.yaml"
    counted = float(of_ledger(ledger, "day").totals()["cost_usd"])
    assert implied.logged_usd == pytest.approx(counted, rel=1e-9)
    assert pooled_counted_to_list(sessions_of(ledger)) == pytest.approx(1.8, rel=1e-6)
    write_implied(implied, path)
    assert "list prices times 1.80, as the logs report costs" in path.read_text(encoding="utf-8")
    spend = project(load_scenario(path).scenario, Options(replications=100)).summary.spend_usd
    assert spend.p50 == pytest.approx(counted, rel=0.2)


def test_list_prices_stay_where_logs_report_them(tmp_path: Path) -> None:
    text = implied_scenario(read_logs([opencode_log(tmp_path, sessions=5, reported=1.0)])).text
    assert "as the logs report costs" not in text and "$/Mtok" not in text


def test_a_model_that_nothing_prices_is_refused(tmp_path: Path) -> None:
    ledger = read_logs([opencode_log(tmp_path, sessions=3, model="acme-llm-9")])
    with pytest.raises(UserError, match=r"neither the price list nor the logs have a price for .*acme-llm-9"):
        implied_scenario(ledger)


def test_sessions_of_a_model_that_nothing_prices_are_left_out_beside_others(tmp_path: Path) -> None:
    logs = []
    for seed, model in enumerate(("claude-opus-4-6", "acme-llm-9")):
        (tmp_path / model).mkdir()
        logs.append(opencode_log(tmp_path / model, sessions=3, model=model, seed=seed))
    implied = implied_scenario(read_logs(logs))
    alone = implied_scenario(read_logs(logs[:1]))
    assert implied.logged_usd == alone.logged_usd
    (note,) = [note for note in implied.notes if "acme-llm-9" in note]
    assert note.startswith("3 of 6 sessions left out")


def init(folder: Path, *arguments: str) -> str:
    """Return what the real command line prints."""
    command = [sys.executable, "-m", "simbudget", "init", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return done.stdout


def test_a_model_that_logs_do_not_name_is_assumed_for_the_logs_and_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log = str(opencode_log(tmp_path / "logs", sessions=3, model=""))
    assumed = init(tmp_path / "assumed", "--from", log)
    named = init(tmp_path / "named", "--from", log, "--model", "claude-opus-4-6")
    assert "claude-opus-4-6 is assumed; --model sets another" in " ".join(assumed.split())
    assert "is assumed" not in named
    assert "which cost $0 " not in assumed
    assert assumed.splitlines()[0] == named.splitlines()[0]
