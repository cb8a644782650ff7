"""Pilots: what is predicted of them holds on simulated truths, and one that shows nothing is not recommended."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

from simbudget.deciding.alternatives import Sample, as_it_stands
from simbudget.deciding.changes import Source
from simbudget.deciding.emulator import PLAIN, fit
from simbudget.deciding.information import Value
from simbudget.deciding.pilot_evidence import ranks, stage, variance_left
from simbudget.deciding.pilots import Pilot, PilotPlan, Pilots, recommend
from simbudget.deciding.plan_pilot import plan_pilot, records, whole_run
from simbudget.numbers import usd
from simbudget.scenario.loading import loads_scenario

JOBS = """
fleet: [{agents: 8}]
cycle: [experiment: {gpus: 1, time: {typical: 10 min to 40 min, varies: 2x}}]
gpus: {count: 8, price: 3 $/h, billing: on demand}
stop: {after: 90 days, cycles_per_agent: 40}
prices: {on: 2026-06-01}
"""
"""Spend is proportional to the typical time, but for little luck: 320 jobs."""

SPREAD = math.log(2.0) / 1.2815515655446004
"""Standard deviation of the logarithm of the typical time, p90 being twice the median; and of the draws around it."""


def source(text: str = JOBS) -> Source:
    return Source(text, "plan.yaml", Path())


def conjugate(jobs: int) -> float:
    """Return the part of the variance of the spend that is left after so many jobs were seen: normal and conjugate.

    The posterior variance of the logarithm is v = 1 / (1 / s0^2 + n / s^2), and the mean of a lognormal's variance
    over what may be seen is exp(s0^2) (1 - exp(-v)) / (exp(s0^2) - 1) of what it was.
    """
    posterior = 1.0 / (1.0 / SPREAD**2 + jobs / SPREAD**2)
    return math.exp(SPREAD**2) * (1.0 - math.exp(-posterior)) / (math.exp(SPREAD**2) - 1.0)


@pytest.mark.parametrize("cycles", [1, 4])
def test_the_narrowing_is_that_of_the_closed_form(cycles: int) -> None:
    run = whole_run([as_it_stands(source())], Sample(1200))
    text = JOBS.replace("cycles_per_agent: 40", f"cycles_per_agent: {cycles}")
    shown, _ = records(source(text), 2, [400.0], run.worlds, 1)[400.0]
    left = variance_left(ranks(shown), run.spends_usd[0])
    assert left / run.spends_usd[0].var(ddof=1) == pytest.approx(conjugate(2 * cycles), abs=0.06)


def test_many_weak_habits_that_a_record_shows_are_told_and_noise_is_not() -> None:
    """The logarithm of the outcome is the sum of twelve figures; two thirds of them are too weak to be seen alone."""
    rng = np.random.default_rng(4)
    figures, noise = rng.standard_normal((400, 12)), rng.standard_normal((400, 12))
    weights = np.array([0.3, 0.3, 0.3, 0.3, *[0.1] * 8])
    outcome = 100.0 * np.exp(figures @ weights)
    sparse = fit(ranks(figures), outcome, PLAIN).residual_variance
    assert variance_left(ranks(figures), outcome) < 0.05 * outcome.var() < 0.5 * sparse
    assert variance_left(ranks(noise), outcome) > 0.97 * outcome.var()


def test_predicted_narrowing_is_achieved_on_truths_that_were_not_fitted() -> None:
    fitted, fresh = (whole_run([as_it_stands(source())], Sample(600, seed)) for seed in (1, 2))
    shown = [records(source(), 4, [1.0], run.worlds, seed)[1.0][0] for run, seed in ((fitted, 1), (fresh, 2))]
    both = ranks(np.vstack(shown))  # ranks among all that pilots show, not of what the runs come to
    emulator = fit(both[: len(shown[0])], fitted.spends_usd[0], PLAIN)
    new = both[len(shown[0]) :]
    missed = (fresh.spends_usd[0] - emulator.predict(new)) ** 2
    error = float(missed.std(ddof=1) / math.sqrt(len(missed)))
    predicted = emulator.residual_variance
    assert missed.mean() == pytest.approx(predicted, abs=4 * error)
    assert predicted < 0.7 * fitted.spends_usd[0].var()  # it does tell something
    of_other_worlds = emulator.predict(np.random.default_rng(1).permutation(new))
    assert ((fresh.spends_usd[0] - of_other_worlds) ** 2).mean() > predicted + 4 * error  # the twin


def test_a_longer_pilot_tells_more() -> None:
    found = plan_pilot(source(), Pilots((2,), (1.0, 8.0)), Sample(400))
    short, long = found.pilots
    assert long.narrowing > short.narrowing > 0.1
    assert long.cost_usd > short.cost_usd
    assert found.recommended in found.pilots


def test_where_nothing_is_unknown_no_pilot_is_recommended() -> None:
    certain = JOBS.replace("{typical: 10 min to 40 min, varies: 2x}", "10 min to 40 min")
    found = plan_pilot(source(certain), Pilots((2,), (1.0, 8.0)), Sample(400))
    assert found.recommended is None
    assert all(pilot.narrowing < 0.05 for pilot in found.pilots)


def test_a_rehearsed_pilot_is_promised_what_calibrate_makes_of_it() -> None:
    """Of some dozen jobs nearly what they could tell; of one or two, too few for calibrate, much less."""
    found = plan_pilot(source(), Pilots((4,), (0.5, 8.0), rehearsals=4), Sample(300))
    short, long = found.pilots
    assert long.rehearsed is not None and short.rehearsed is not None
    assert long.rehearsed == pytest.approx(long.narrowing, abs=0.15)
    assert short.rehearsed < short.narrowing - 0.15
    assert found.recommended is long
    assert long.promised == long.rehearsed


def test_rehearsals_are_spread_from_cheap_worlds_to_dear_ones() -> None:
    spends = np.arange(100.0)[:, np.newaxis] + np.zeros(2)
    on = stage(source(), 1, np.arange(1000, 1100), spends, 4)
    assert on.worlds.tolist() == [1012, 1037, 1062, 1087]
    assert on.width_now_usd == pytest.approx(79.2, abs=0.5)


def test_what_was_rehearsed_counts_and_what_was_only_hoped_for_does_not() -> None:
    def pilot(cost: float, narrowing: float, rehearsed: float | None = None) -> Pilot:
        return Pilot(1, 1.0, cost, 0.5, narrowing, None, None, rehearsed)

    poor, good, hoped = pilot(1, 0.6, 0.1), pilot(5, 0.5, 0.7), pilot(90, 0.9)
    assert recommend([poor, good, hoped]) is good
    assert recommend([pilot(1, 0.6, 0.02)]) is None
    assert recommend([pilot(1, 0.6), hoped]) is hoped


def test_for_a_decision_the_pilot_that_gains_most_beyond_its_price_is_recommended() -> None:
    def pilot(cost: float, value: float) -> Pilot:
        return Pilot(1, 1.0, cost, 0.5, 0.5, 0.1, Value(value, 5.0))

    cheap, good, dear = pilot(10, 40), pilot(50, 200), pilot(500, 510)
    assert recommend([cheap, good, dear]) is good
    assert recommend([pilot(100, 90)]) is None
    assert recommend([]) is None


def test_nothing_gets_narrower_by_more_than_all_of_it_however_cheap_the_pilot() -> None:
    cheap = Pilot(1, 0.1, 0.07, 0.7, 0.49, None, None)  # 49 % for 7 cents, which is 700 times that for $100
    plan = PilotPlan(loads_scenario(JOBS).scenario, 1, 100, 5000.0, 0.7, (cheap,), cheap, None, ("plan",))
    text = " ".join([plan.answer(), *(str(cell) for row in plan.tables()[0].rows for cell in row)])
    shares = [float(share) for share in re.findall(r"([\d.,]+) %", text)]
    assert 49 in shares
    assert max(shares) <= 100
    assert usd(0.07 / 49) in text  # the price of one percent is what tells pilots apart
