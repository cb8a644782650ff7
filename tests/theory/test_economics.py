"""The price of a result, and how its spread divides, agree with closed forms; the interval covers what it says."""

import math

import numpy as np
import pytest

from simbudget.projection.economics import (
    acceptability,
    acceptability_by_world,
    cost_per_result,
    decompose,
    price_by_world,
)
from simbudget.projection.run import Options, project
from tests.running import scenario


def runs(worlds: int, each: int, seed: int, shape: float = 2.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the spend, results and worlds of runs whose results are Poisson with a gamma mean of 1 a world."""
    random = np.random.default_rng(seed)
    expected = np.repeat(random.gamma(shape, 1 / shape, worlds), each)
    spend = 1000.0 + 100.0 * random.standard_normal(worlds * each)
    return spend, random.poisson(expected).astype(float), np.repeat(np.arange(worlds), each)


def test_the_price_is_the_ratio_of_means_and_not_the_mean_of_ratios() -> None:
    price = cost_per_result(np.array([10.0, 20.0, 30.0]), np.array([0.0, 0.0, 2.0]), np.arange(3))
    assert price.estimate == 30.0
    none = cost_per_result(np.array([10.0, 20.0]), np.zeros(2), np.arange(2))
    assert math.isinf(none.estimate)
    assert math.isinf(none.p90)


def test_the_interval_of_the_price_covers_the_true_price_four_times_in_five() -> None:
    def coverage(clusters: bool) -> float:
        held = 0
        for seed in range(300):
            spend, results, worlds = runs(60, 4, seed, shape=0.5)
            price = cost_per_result(spend, results, worlds if clusters else np.arange(len(worlds)))
            held += price.p10 <= 1000.0 <= price.p90
        return held / 300

    assert coverage(clusters=True) == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / 300))
    assert coverage(clusters=False) < 0.7  # the twin that takes the runs of one world for independent


def test_the_variance_divides_into_worlds_and_luck() -> None:
    _, results, worlds = runs(20_000, 2, 1)
    found = decompose(results, worlds)
    assert found is not None
    assert found.between == pytest.approx(0.5, rel=0.1)  # Var of a gamma of shape 2 and mean 1
    assert found.within == pytest.approx(1.0, rel=0.05)
    assert found.prior_share == pytest.approx(1 / 3, abs=0.03)
    assert decompose(results, np.arange(len(results))) is None  # one run a world tells nothing of luck
    assert decompose(results, np.zeros(len(results))) is None
    lucky = decompose(np.random.default_rng(2).poisson(1.0, 40_000).astype(float), worlds)
    assert lucky is not None
    assert lucky.prior_share < 0.02


def test_prices_world_by_world_are_quantiles_of_a_gamma_and_acceptability_is_its_distribution() -> None:
    spend, results, worlds = runs(50_000, 2, 3)
    found = decompose(results, worlds)
    assert found is not None
    prices = price_by_world(1000.0, found)
    true = 1000.0 / np.quantile(np.random.default_rng(4).gamma(2.0, 0.5, 1_000_000), [0.9, 0.5, 0.1])
    assert [prices["p10"], prices["p50"], prices["p90"]] == pytest.approx(list(true), rel=0.08)
    levels = acceptability_by_world(1000.0, found, np.array([prices["p10"], prices["p50"], prices["p90"]]))
    assert levels == pytest.approx([0.1, 0.5, 0.9], abs=1e-6)
    worths = np.array([500.0, 1000.0, 5000.0])
    pays = acceptability(spend, results, worths)
    assert (np.diff(pays) >= 0).all()
    assert pays[2] == pytest.approx(float((5000 * results > spend).mean()))


SCORES = (
    "fleet: [{agents: 2}]\ncycle: [score]\nscorer: {time: 1 h, price: 1 $/call}\n"
    "stop: {cycles_per_agent: 5, after: 1 day}\n"
    "research: {hacks: 0%, transfers: 20% to 60%, first_quality: 0.5, explores: 100%}\n"
)


def test_with_no_gate_there_is_no_price_and_the_projection_says_so() -> None:
    summary = project(scenario(SCORES), Options(replications=10, workers=1)).as_json()
    research = summary["research"]
    assert research["cost_per_transferable_result_usd"] is None
    assert research["transferable_results"] is None
    assert research["submissions"]["mean"] == 10
    assert any("no gate" in note for note in summary["notes"])
    gated = project(
        scenario(f"{SCORES}gates: [{{keeps: 100%}}]"), Options(replications=10, workers=1)
    ).as_json()
    assert gated["research"]["cost_per_transferable_result_usd"]["estimate"] is not None
    assert not any("no gate" in note for note in gated["notes"])
    assert (
        project(scenario(SCORES.replace("research", "# ")), Options(replications=1)).as_json()["research"]
        is None
    )


def test_the_price_in_the_summary_is_the_mean_spend_over_the_mean_results() -> None:
    text = f"{SCORES}gates: [{{keeps: 100%, price: 7 $/try}}]\nlimits: ['cost_per_transferable_result mean <= $1000']"
    projection = project(scenario(text), Options(replications=100, workers=1))
    research, frame = projection.as_json()["research"], projection.replications
    expected = frame["spend_usd"].mean() / frame["transferable_true"].mean()
    assert research["cost_per_transferable_result_usd"]["estimate"] == pytest.approx(expected)
    assert frame["spend_usd"].mean() == pytest.approx(10 + 3 * 7)
    assert projection.worlds == 50  # two runs a world, to tell luck from what is unknown
    assert 0.0 <= research["prior_share"] <= 1.0
    assert projection.as_json()["limits"][0]["holds"]
    assert projection.as_json()["limits"][0]["value"] == pytest.approx(expected)


def test_the_budget_leaves_what_is_reserved_for_gates() -> None:
    budget = "stop: {cycles_per_agent: 50, after: 10 days, budget: $30"
    text = SCORES.replace("stop: {cycles_per_agent: 5, after: 1 day", budget)
    gates = "gates: [{keeps: 100%, price: 5 $/try}]"
    spent = project(scenario(f"{text}{gates}"), Options(replications=4, workers=1))
    assert (spent.replications["finalists"] == 0).all()
    assert any("reserve" in note for note in spent.as_json()["notes"])
    kept = project(
        scenario(f"{text}{gates}".replace("budget: $30", "budget: $30, reserve: $15")),
        Options(replications=4, workers=1),
    )
    assert (kept.replications["finalists"] == 3).all()
    assert (kept.replications["spend_usd"] == 30.0).all()


def test_a_run_ends_at_its_target_score_or_when_nothing_improves() -> None:
    text = "fleet: [{agents: 1}]\ncycle: [score]\nscorer: {time: 1 h}\n"
    target = "stop: {after: 100 h, target_score: 0.7}\nresearch: {hacks: 0%, explores: 0%, refines: 100%, gain: 0.5, "
    made = project(
        scenario(f"{text}{target}first_quality: 0}}"), Options(replications=2, workers=1)
    ).replications
    assert (made["submissions"] == 3).all()  # 0, 0.5, 0.75
    assert (made["wall_clock_hours"] == 3.0).all()
    still = "stop: {after: 100 h, no_improvement_for: 5 h}\nresearch: {hacks: 0%, explores: 0%, refines: 0%}"
    made = project(scenario(f"{text}{still}"), Options(replications=2, workers=1)).replications
    assert (made["wall_clock_hours"] == 6.0).all()  # the first score is the last improvement
