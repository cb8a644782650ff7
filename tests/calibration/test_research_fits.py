"""A research block fitted to campaigns that were played in worlds of it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from simbudget.calibration.campaigns.campaigns import campaigns_of
from simbudget.calibration.campaigns.histories import Histories, play_histories
from simbudget.calibration.scenarios.calibrate import calibrate
from simbudget.calibration.scenarios.downtime import stops_of
from simbudget.calibration.scenarios.research_fits import closed, fit_research
from simbudget.calibration.scenarios.writing import write_calibrated
from simbudget.engine.lowering import lower
from simbudget.ledger.entry import Entry
from simbudget.ledger.frame import ledger_frame
from simbudget.ledger.imported import ImportedLedger
from simbudget.scenario.loading import LoadedScenario, load_scenario, loads_scenario
from tests.calibration.logs import runs_table
from tests.calibration.synthetic_campaigns import campaign

ASSUMED = """
fleet: [{group: fleet, agents: 1, model: m, crashes: {every: 10 h to 40 h}}]
cycle: [{think: {turns: 1}}, {experiment: {time: 1 h}}, {score: {}}]   # again and again
prices: {m: {input: 0 $/Mtok, cache_write: 0 $/Mtok, cache_read: 0 $/Mtok, output: 0 $/Mtok}}
gpus: {count: 1, price: 0 $/h}
scorer: {noise: 0.002 to 0.02}
research:
  explores: 2% to 20%      # assumed
  refines: 5% to 60%
  gain: {typical: 0.005 to 0.1, varies: 1.5x}
  first_quality: 0.1 to 0.2
  hacks: 0%
"""
EXPERIMENTS = 150


def assumed() -> LoadedScenario:
    return loads_scenario(ASSUMED)


def ledger_of(histories: Histories, worlds: list[int], pause_every: int = 0) -> ImportedLedger:
    """Return the log of campaigns played in these worlds: one experiment an hour, a long pause after so many."""
    entries = []
    for run, world in enumerate(worlds):
        kept = histories.kept[world]
        scores = histories.first[world] + histories.best[world].astype(float) - np.where(kept, 0.0, 0.01)
        for number, (is_kept, score) in enumerate(zip(kept.tolist(), scores.tolist(), strict=True)):
            hours = number + (50.0 * (number // pause_every) if pause_every else 0.0)
            entries.append(
                Entry(
                    run,
                    0,
                    number,
                    0,
                    -1,
                    "experiment",
                    3600.0 * hours,
                    3000.0,
                    0.0,
                    score=score,
                    source="results-table",
                    kept=is_kept,
                )
            )
    runs = runs_table(len(worlds)).assign(metric="score", better="higher")
    return ImportedLedger(ledger_frame(entries), runs)


@pytest.fixture(scope="module")
def played() -> Histories:
    return play_histories(lower(assumed().scenario), 300, EXPERIMENTS, 99)


def test_the_gains_that_were_true_lie_in_their_interval(played: Histories) -> None:
    """Of 40 cases at 80 % fewer than 65 % are covered once in 80 times; of other worlds' gains far fewer are."""
    prior = 0.005, 0.1
    rng = np.random.default_rng(1)
    worlds = [int(w) for w in rng.choice(300, 60, replace=False) if played.kept[w].any()][:40]
    truths = np.exp(played.worlds[worlds, lower(assumed().scenario).research.gain, 1])
    found = []
    for world in worlds:
        fits = fit_research(assumed(), ASSUMED, campaigns_of(ledger_of(played, [world])), 300).fits
        learnt = [fit.quantity.posterior.draws[:, 0] for fit in fits if fit.name == "research.gain"]
        found.append(np.exp(np.quantile(learnt[0], (0.1, 0.9))) if learnt else prior)
    low, high = np.array(found).T
    inside = np.mean((low <= truths) & (truths <= high))
    assert inside > 0.65
    assert np.mean((low <= np.roll(truths, 1)) & (np.roll(truths, 1) <= high)) < inside - 0.15
    assert np.median(high / low) < 0.7 * prior[1] / prior[0]


def test_calibrate_sets_what_campaigns_tell_as_joint_draws_and_names_what_they_do_not(
    played: Histories,
) -> None:
    found = calibrate(assumed(), ASSUMED, ledger_of(played, [3], pause_every=10), "c.parquet")
    learnt = found.calibration.quantities
    assert {"research.refines", "research.gain", "fleet[fleet].crashes.every"} <= set(learnt)
    assert len({len(learnt[name].posterior.draws) for name in learnt}) == 1
    assert "# assumed" in found.text
    assert found.after.scenario.research is not None
    assert found.after.scenario.research.refines.posterior is not None
    assert any("transfers" in words for words in found.left)
    again = calibrate(assumed(), ASSUMED, ledger_of(played, [3], pause_every=10), "c.parquet")
    assert again.text == found.text


def test_campaigns_that_research_rests_on_already_do_not_narrow_it_again(played: Histories, tmp_path) -> None:
    one, two = ledger_of(played, [3]), ledger_of(played, [3, 5])
    write_calibrated(calibrate(assumed(), ASSUMED, one, "c.calibration.parquet"), tmp_path / "c.yaml")
    first, text = load_scenario(tmp_path / "c.yaml"), (tmp_path / "c.yaml").read_text(encoding="utf-8")
    assert first.calibration is not None
    again = calibrate(first, text, one, "c.calibration.parquet")
    assert again.text == text
    for name in ("research.gain", "research.refines"):
        draws = first.calibration.quantities[name].posterior.draws
        assert np.array_equal(again.calibration.quantities[name].posterior.draws, draws)
    more = calibrate(first, text, two, "c.calibration.parquet")
    assert any("rests on 1 of these campaigns already" in words for words in more.left)
    forgetful = replace(first, calibration=replace(first.calibration, counted={}))
    narrower = calibrate(forgetful, text, one, "c.calibration.parquet")
    assert narrower.text != text, "the check cannot fail"


def test_a_scenario_that_scores_nothing_says_that_campaigns_would_tell_what_is_kept(
    played: Histories,
) -> None:
    text = ASSUMED.partition("scorer")[0].replace(", {score: {}}", "")
    fitted = fit_research(loads_scenario(text), text, campaigns_of(ledger_of(played, [3])), 100)
    assert not fitted.fits
    assert "scores nothing" in fitted.left[0]


def test_the_distance_to_a_perfect_score_is_told_in_the_metric_that_there_is() -> None:
    three = campaign(np.array([1.0, 2.0, 3.0]) * 100, kept=np.ones(3, dtype=bool))
    for better, baseline, gain, part in (
        ("lower", 2.0, 0.5, 0.25),
        ("higher", 0.2, 0.4, 0.5),
        ("higher", 100.0, 100.0, 0.5),
    ):
        told = type(three)(
            **{**three.__dict__, "better": better, "baseline": baseline, "gain": np.full(3, gain)}
        )
        assert closed(told) == pytest.approx([part] * 3)


def test_stops_are_pauses_far_beyond_the_usual(played: Histories) -> None:
    with_pauses = ledger_of(played, [3], pause_every=30)
    (paused,) = campaigns_of(with_pauses)
    stops = stops_of(paused, with_pauses)
    assert len(stops.lasted_s) == EXPERIMENTS // 30 - 1
    assert stops.lasted_s == pytest.approx(50 * 3600.0 + 600.0)
    without = ledger_of(played, [3])
    (steady,) = campaigns_of(without)
    assert not len(stops_of(steady, without).lasted_s)


def test_an_agent_that_thinks_between_experiments_is_not_down(played: Histories) -> None:
    """A cycle begins with fifty hours of calls, as a pilot's begins with a new context."""
    ledger = ledger_of(played, [3], pause_every=30)
    (paused,) = campaigns_of(ledger)
    began_s = np.flatnonzero(np.arange(1, EXPERIMENTS) % 30 == 0) * 3600.0 + 3000.0
    began_s += 50.0 * 3600.0 * np.arange(len(began_s))
    calls = [
        Entry(0, 0, 0, 0, k, "call", at + 60.0, 50 * 3600.0, 0.0, source="results-table")
        for k, at in enumerate(began_s)
    ]
    entries = pd.concat([ledger.entries, ledger_frame(calls)], ignore_index=True)
    assert not len(stops_of(paused, ImportedLedger(entries, ledger.runs)).lasted_s)
