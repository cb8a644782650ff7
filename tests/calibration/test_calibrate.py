"""A scenario calibrated on logs whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from simbudget.calibration.scenarios.calibrate import Calibrated, calibrate, with_checks
from simbudget.calibration.scenarios.checks import check_calibration
from simbudget.calibration.scenarios.fits import fit_ledger
from simbudget.calibration.scenarios.writing import write_calibrated
from simbudget.errors import UserError
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import load_scenario, loads_scenario
from tests.calibration.logs import ASSUMED, sessions_ledger

NAME = "new.calibration.parquet"


def calibrated(runs: int, keep: tuple[str, ...] = ()) -> Calibrated:
    return calibrate(loads_scenario(ASSUMED), ASSUMED, sessions_ledger(runs), NAME, keep)


@pytest.fixture(scope="module")
def of_many() -> Calibrated:
    return calibrated(60)


def test_comments_and_layout_stay(of_many: Calibrated) -> None:
    for line in ("# A scenario to calibrate.", "# two of them", "# a guess", "# another guess"):
        assert line in of_many.text
    assert of_many.text.splitlines()[2:5] == ASSUMED.splitlines()[2:5]


def test_what_was_learnt_is_near_the_truth(of_many: Calibrated) -> None:
    truth = {
        "turn.output_tokens": 400,
        "turn.tool_result_tokens": 900,
        "turn.tool_time": 4,
        "context.first_prompt_tokens": 15_000,
        "cycle.think[0].turns": 25,
        "models[m].output_speed": 60,
    }
    for name, typical in truth.items():
        posterior = of_many.calibration.quantities[name].posterior
        median = np.median(posterior.draws[:, 0])
        learnt = median if posterior.is_fact else np.exp(median)
        assert abs(learnt / typical - 1) < 0.12, name


def test_check_says_where_quantities_come_from(of_many: Calibrated) -> None:
    sources = {row.name: row.source for row in of_many.after.provenance}
    assert sources["turn.output_tokens"].startswith("calibration (n=")
    assert "from 60 runs" in sources["turn.output_tokens"]
    assert "simulated, 2026-02" in sources["turn.output_tokens"]


def test_what_was_learnt_from_a_program_is_said(of_many: Calibrated) -> None:
    (note,) = of_many.notes
    assert "answered by a simulation, for play money" in note
    ledger = sessions_ledger(12)
    real = replace(ledger, entries=ledger.entries.assign(source="claude-code"))
    assert not calibrate(loads_scenario(ASSUMED), ASSUMED, real, NAME).notes
    pilots = replace(ledger, entries=ledger.entries.assign(source="pilot"))
    (note,) = calibrate(loads_scenario(ASSUMED), ASSUMED, pilots, NAME).notes
    assert "program that stands for the model in a pilot without a key" in note


def test_what_is_kept_stays_as_it_was() -> None:
    kept = calibrated(12, keep=("turn.output_tokens",))
    assert "output_tokens: {typical: 100 to 2000, varies: 3x}  # another guess" in kept.text
    assert "turn.output_tokens" not in kept.calibration.quantities


def test_a_name_to_keep_that_is_none_is_said(of_many: Calibrated) -> None:
    with pytest.raises(UserError, match=r"turn\.outputs"):
        calibrated(5, keep=("turn.outputs",))


def test_the_written_scenario_projects_as_the_one_in_memory(of_many: Calibrated, tmp_path) -> None:
    write_calibrated(of_many, tmp_path / "new.yaml")
    options = Options(seed=1, replications=20, workers=1)
    read = load_scenario(tmp_path / "new.yaml").scenario
    first, second = (project(s, options).as_json()["spend_usd"] for s in (read, of_many.after.scenario))
    assert first == second


def test_calibrating_twice_gives_the_same_bytes(tmp_path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_calibrated(calibrated(12), tmp_path / folder / "new.yaml")
    for file in ("new.yaml", NAME):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_few_runs_give_wider_projections_than_many(of_many: Calibrated) -> None:
    def width(scenario) -> float:
        spend = project(scenario, Options(seed=1, replications=200, workers=1)).replications["spend_usd"]
        return float(np.quantile(spend, 0.9) / np.quantile(spend, 0.1))

    few, many = (width(c.after.scenario) for c in (calibrated(4), of_many))
    assert few > 1.15 * many


def test_totals_of_what_was_calibrated_on_are_reproduced() -> None:
    checks = check_calibration(sessions_ledger(60))
    totals = {check.label: check for check in checks if check.is_total}
    for label in ("input tokens a session", "output tokens a session", "model time a session"):
        assert 0.85 < totals[label].mean_ratio < 1.18, label


def test_a_model_of_other_runs_is_caught_by_the_check() -> None:
    fits = fit_ledger(sessions_ledger(40, turns=60), ("model",), 200)
    checks = check_calibration(sessions_ledger(40, turns=25), fits=fits)
    words = {check.label: check.words for check in checks}
    assert "more on average" in words["input tokens a session"]


def test_thinking_that_logs_do_not_tell_from_output_is_counted_once() -> None:
    text = (
        ASSUMED.replace("turn: {", "turn: {thinking_tokens: 500, ")
        if "turn: {" in ASSUMED
        else ASSUMED.replace("turn:\n", "turn:\n  thinking_tokens: 500\n")
    )
    found = calibrate(loads_scenario(text), text, sessions_ledger(12), NAME)
    after = {row.name: row.text for row in found.after.provenance}
    assert after["turn.thinking_tokens"] == "0"
    assert any("turn.thinking_tokens" in words for words in found.left)


def test_the_file_of_draws_keeps_what_the_checks_said(of_many: Calibrated, tmp_path) -> None:
    checks = check_calibration(sessions_ledger(60))
    write_calibrated(with_checks(of_many, checks), tmp_path / "new.yaml")
    kept = load_scenario(tmp_path / "new.yaml").calibration
    assert kept is not None
    assert [(check.label, check.words) for check in kept.checks] == [(c.label, c.words) for c in checks]


def test_logs_that_say_nothing_are_a_users_mistake() -> None:
    ledger = sessions_ledger(3)
    nothing = type(ledger)(ledger.entries.iloc[:0], ledger.runs)
    with pytest.raises(UserError, match="say nothing"):
        calibrate(loads_scenario(ASSUMED), ASSUMED, nothing, NAME)


def test_logs_without_durations_do_not_make_calls_instantaneous() -> None:
    ledger = sessions_ledger(4)
    entries = ledger.entries.copy()
    entries.loc[entries["kind"] == "call", "duration_s"] = np.nan
    entries["output_tokens"] = entries["output_tokens"].where(entries["kind"] != "call")
    made = calibrate(loads_scenario(ASSUMED), ASSUMED, replace(ledger, entries=entries), NAME, ())
    learnt = set(made.calibration.quantities)
    assert "cycle.think[0].turns" in learnt
    assert not any(name.startswith("models[m]") for name in learnt)
