"""One basis of cost: what `usage` counts is what `import` states and what forecasts go on from."""

from pathlib import Path

import numpy as np
import pytest

import simbudget
from simbudget.forecast.daily import daily_spend
from simbudget.forecast.forecast import Asked, Forecast, _shown, forecast
from simbudget.forecast.whole_runs import run_totals
from simbudget.ledger.found import find
from simbudget.ledger.imported import ImportedLedger
from simbudget.ledger.readers import Assumed, read_logs
from simbudget.ledger.usage import of_ledger, usage
from tests.forecast.costed_logs import opencode_log

DATA = Path(__file__).parents[1] / "data" / "logs"
REPORTED = 1.8
"""What the made logs report, relative to list prices."""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> ImportedLedger:
    folder = tmp_path_factory.mktemp("logs")
    return read_logs([opencode_log(folder, sessions=14, reported=REPORTED)])


def notes_of(found: Forecast) -> str:
    return "; ".join(found.notes)


def test_the_logs_report_more_than_the_list_says(ledger: ImportedLedger) -> None:
    reported, listed = (float(ledger.entries[f"{name}_usd"].sum()) for name in ("cost", "list_cost"))
    assert reported == pytest.approx(REPORTED * listed, rel=1e-6)


def test_past_runs_and_days_come_to_what_usage_counts(ledger: ImportedLedger) -> None:
    counted = float(of_ledger(ledger, "day").totals()["cost_usd"])
    past = daily_spend(ledger)
    assert past is not None
    assert run_totals(ledger)["cost_usd"].sum() == pytest.approx(counted, rel=1e-9)
    assert past.usd.sum() == pytest.approx(counted, rel=1e-9)


def test_further_runs_cost_what_usage_counted_for_a_run(ledger: ImportedLedger) -> None:
    counted = float(of_ledger(ledger, "day").totals()["cost_usd"])
    found = forecast(ledger, Asked(runs=140, draws=400)).remaining["cost_usd"]
    assert found.mean() == pytest.approx(10.0 * counted, rel=0.12)


def test_import_states_the_cost_that_usage_counts(tmp_path: Path) -> None:
    """One log reports less than the list says, the other names no model: neither may raise the lower bound."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    opencode_log(tmp_path / "a", sessions=3, reported=0.5)
    opencode_log(tmp_path / "b", sessions=2, model="")
    for path in sorted((tmp_path / "b").iterdir()):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("session-", "other-").replace("message-", "other-"), encoding="utf-8")
    found, counted = find([tmp_path]), of_ledger(read_logs([tmp_path]), "day")
    listed = float(read_logs([tmp_path / "a"]).entries["list_cost_usd"].sum())
    stated = f"at least ${listed * 0.5:,.2f}"
    assert stated in found.answer()
    assert counted.answer().lower().startswith(stated)


def test_runs_without_calls_and_costs_are_counted_apart() -> None:
    logs = [DATA / "hilo-parameter-golf"]
    assert "in 0 of 1 run." in usage(logs).answer()
    assert any("1 run in the logs has no model calls" in note for note in usage(logs).notes)


def test_usage_of_runs_without_calls_and_costs_does_not_send_to_forecast() -> None:
    assert not any("simbudget forecast" in note for note in usage([DATA / "hilo-parameter-golf"]).notes)


def test_tokens_without_a_price_do_not_cost_nothing(tmp_path: Path) -> None:
    unpriced = read_logs([opencode_log(tmp_path, sessions=3, model="")])
    answer = of_ledger(unpriced, "day").answer()
    assert "is unknown" in answer and "$0" not in answer


def test_further_runs_without_a_price_have_no_cost_and_say_what_to_write(tmp_path: Path) -> None:
    found = forecast(read_logs([opencode_log(tmp_path, sessions=9, model="")]), Asked(runs=3, draws=100))
    assert "cost_usd" not in found.remaining
    assert "the cost is unknown" in found.answer()
    assert 'model="M" prices them' in notes_of(found)


def test_an_assumed_model_prices_calls_that_name_none(tmp_path: Path) -> None:
    log = opencode_log(tmp_path, sessions=9, model="")
    priced = read_logs([log], assumed=Assumed("claude-sonnet-4-5"))
    found = forecast(priced, Asked(runs=9, draws=200)).remaining["cost_usd"]
    assert found.mean() == pytest.approx(float(priced.entries["list_cost_usd"].sum()), rel=0.25)


def test_a_past_with_unpriced_calls_makes_the_forecast_a_lower_bound(ledger: ImportedLedger) -> None:
    partly = ledger.entries.copy()
    partly.loc[:3, ["cost_usd", "list_cost_usd"]] = np.nan
    found = forecast(ImportedLedger(partly, ledger.runs), Asked(days=3, draws=100))
    assert "lower bounds" in notes_of(found)
    assert "lower bounds" not in notes_of(forecast(ledger, Asked(days=3, draws=100)))


def test_counts_are_shown_as_whole_numbers() -> None:
    assert [_shown("new_input_tokens", value) for value in (0.199, 5.0, 473.2)] == ["0", "5", "473"]


def test_a_session_is_priced_by_what_its_logs_report(ledger: ImportedLedger, tmp_path: Path) -> None:
    """The same calls without reported costs are the twin: the ratio is all that differs."""
    asked = Asked(calls=10, draws=300)
    listed = read_logs([opencode_log(tmp_path, sessions=14)])
    reported, by_list = forecast(ledger, asked), forecast(listed, asked)
    assert reported.so_far["cost_usd"] == pytest.approx(REPORTED * by_list.so_far["cost_usd"], rel=1e-6)
    to_come = [float(np.median(found.remaining["cost_usd"])) for found in (reported, by_list)]
    assert to_come[0] == pytest.approx(REPORTED * to_come[1], rel=1e-3)
    assert "the logs report 1.80 times what the price list says" in notes_of(reported)
    assert "times what the price list says" not in notes_of(by_list)


@pytest.mark.parametrize("model", ["", "acme-llm-9"])
def test_a_session_without_a_price_has_no_cost(tmp_path: Path, model: str) -> None:
    found = forecast(read_logs([opencode_log(tmp_path, sessions=3, model=model)]), Asked(draws=100))
    assert "cost_usd" not in found.remaining
    assert "the cost is unknown" in found.answer()
    remedy = (
        'model="M" prices them' if not model else "have a price for anthropic/acme-llm-9; a scenario takes"
    )
    assert remedy.replace("anthropic/", "") in notes_of(found).replace("anthropic/", "")


def test_an_unlisted_model_whose_calls_report_their_cost_has_one(tmp_path: Path) -> None:
    log = opencode_log(tmp_path, sessions=3, model="acme-llm-9", reported=1.0)
    assert np.median(forecast(read_logs([log]), Asked(calls=10, draws=100)).remaining["cost_usd"]) > 0.1


def test_python_prices_calls_of_no_named_model_as_the_command_does(tmp_path: Path) -> None:
    log = opencode_log(tmp_path, sessions=3, model="")
    assert "cost_usd" not in simbudget.forecast(log, runs=3).remaining
    assert "cost_usd" in simbudget.forecast(log, runs=3, model="claude-opus-4-6").remaining
