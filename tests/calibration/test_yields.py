"""Research yield: campaigns played by the laws of research, and which of them are like a real one."""

import numpy as np
import pytest

from simbudget.calibration.campaigns.beginnings import course_of
from simbudget.calibration.campaigns.histories import play_histories
from simbudget.calibration.campaigns.yields import (
    Bank,
    GainLaw,
    Seen,
    campaign_bank,
    log_linear_gain,
    seen_of,
    seen_of_course,
)
from simbudget.engine.lowering import lower
from simbudget.engine.program import Program
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.scenario import Scenario
from tests.calibration.synthetic_campaigns import campaign

FREE = "prices: {none: {input: 0 $/Mtok, cache_write: 0 $/Mtok, cache_read: 0 $/Mtok, output: 0 $/Mtok}}"


def scenario(research: str, noise: str = "0", agents: int = 1, cycles: int = 50) -> Scenario:
    text = f"""
fleet: [{{group: fleet, agents: {agents}, model: none}}]
cycle: [{{think: {{turns: 1}}}}, {{score: {{}}}}]
{FREE}
scorer: {{noise: {noise}}}
research: {research}
stop: {{after: 30 days, cycles_per_agent: {cycles}}}
"""
    return loads_scenario(text, "test").scenario


def program(research: str, noise: str = "0", agents: int = 1) -> Program:
    return lower(scenario(research, noise, agents))


REFINING = "{explores: 0%, refines: 30%, gain: 0.02, first_quality: 0.1, hacks: 0%}"


def test_refinements_without_noise_are_kept_as_often_as_they_succeed() -> None:
    kept = play_histories(program(REFINING), 200, 200, 1).kept
    error = np.sqrt(0.3 * 0.7 / kept.size)
    assert abs(kept.mean() - 0.3) < 4 * error
    halves = [half.mean() for half in np.array_split(kept, 2, axis=1)]
    assert abs(halves[1] - halves[0]) < 4 * np.sqrt(2) * error * np.sqrt(2)


def test_with_noise_kept_results_thin_out() -> None:
    kept = play_histories(program(REFINING.replace("0.02", "0.001"), "0.05"), 200, 200, 1).kept
    first, second = (half.mean() for half in np.array_split(kept, 2, axis=1))
    assert second < 0.5 * first


def test_a_history_is_what_the_engine_makes_of_the_same_world() -> None:
    text, noise, cycles = "{explores: 20% to 40%, refines: 10% to 50%, gain: 0.1, hacks: 0%}", "0.02", 50
    histories = play_histories(lower(scenario(text, noise, 1, cycles)), 20, cycles - 1, 7)
    options = Options(seed=7, replications=20, worlds=20, workers=1)
    engine = project(scenario(text, noise, 1, cycles), options).replications
    played = histories.best[:, -1].astype(np.float64) + histories.first
    assert played == pytest.approx(engine["best_measured_score"].to_numpy(), abs=1e-6)


@pytest.fixture(scope="module")
def bank() -> Bank:
    return campaign_bank(300)


def _seen(bank: Bank, world: int, begun: int) -> Seen:
    ends = np.array([begun // 3, 2 * begun // 3, begun])
    return Seen(ends, bank.counts[world, ends].astype(np.float64), np.full(3, np.nan))


def _covered(bank: Bank, of_itself: bool, cases: int = 150) -> float:
    """Return how often the 80 % interval of what is kept later holds what a world of the prior kept.

    The forecast is made from its own beginning, or from that of another world.
    """
    rng = np.random.default_rng(3)
    worlds = rng.choice(len(bank.weights), cases, replace=False)
    inside = []
    for world, other in zip(worlds, np.roll(worlds, 1), strict=True):
        weights = bank.weights.copy()
        weights[world] = 0.0
        prior = Bank(bank.counts, bank.best, weights / weights.sum())
        given = prior.given(_seen(bank, world if of_itself else other, 60))
        drawn = given.drawn(400, rng)
        low, high = np.quantile(given.kept_later(drawn, 60, np.full(400, 240.0)), (0.1, 0.9))
        inside.append(low <= bank.counts[world, 300] - bank.counts[world, 60] <= high)
    return float(np.mean(inside))


def test_what_is_kept_later_is_covered_in_worlds_of_the_prior(bank: Bank) -> None:
    """Of 150 cases at 80 % fewer than 72 % are covered once in 100 times."""
    assert _covered(bank, of_itself=True) > 0.72
    assert _covered(bank, of_itself=False) < 0.6


def test_a_beginning_that_keeps_much_promises_more_than_one_that_keeps_little(bank: Bank) -> None:
    rng = np.random.default_rng(4)
    found = []
    for every in (3, 30):
        kept = np.arange(60) % every == 0
        given = bank.given(seen_of(campaign(np.arange(1.0, 61.0), kept=kept)))
        found.append(given.kept_later(given.drawn(1000, rng), 60, np.full(1000, 100.0)).mean())
    assert found[0] > 4 * found[1]


def test_other_campaigns_teach_whether_keeping_lasts(bank: Bank) -> None:
    rng = np.random.default_rng(5)
    begun = seen_of(campaign(np.arange(1.0, 31.0), kept=np.arange(30) % 3 == 0))
    lasting = campaign(np.arange(1.0, 201.0), kept=np.arange(200) % 3 == 0)
    ending = campaign(np.arange(1.0, 201.0), kept=(np.arange(200) % 3 == 0) & (np.arange(200) < 50))
    means = []
    for other in (lasting, ending):
        taught = bank.taught([seen_of_course(course_of(other, 0.2))] * 5).given(begun)
        means.append(taught.kept_later(taught.drawn(1000, rng), 30, np.full(1000, 170.0)).mean())
    assert means[0] > 2 * means[1]


def test_weights_add_up_and_a_campaign_that_kept_nothing_teaches_nothing(bank: Bank) -> None:
    nothing = campaign(np.arange(1.0, 101.0))
    assert bank.taught([seen_of_course(course_of(nothing, 0.2))]) is bank
    assert bank.given(seen_of(nothing)).weights.sum() == pytest.approx(1.0)


def test_gains_are_drawn_towards_what_they_did_in_other_campaigns(bank: Bank) -> None:
    rng = np.random.default_rng(6)
    spread = []
    for law in (GainLaw(0.0, 0.05), GainLaw(0.5, 0.05)):
        gaining = bank.gaining(law, 50, 200.0)
        grown = gaining.gain_later(gaining.drawn(1000, rng), 50, np.full(1000, 200.0))
        spread.append(np.median(grown) / log_linear_gain(50, 200.0))
    assert spread[0] == pytest.approx(1.0, abs=0.1)
    assert spread[1] == pytest.approx(np.exp(0.5), rel=0.1)
