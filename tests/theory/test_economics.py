"""The price of a result, and how its spread divides, agree with closed forms; the interval covers what it says."""

import math

import numpy as np
import pytest

from simbudget.projection.economics import (
    PricesOverWorlds,
    acceptability,
    cost_per_result,
    decompose,
    price_moves,
    prices_over_worlds,
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


def noisy(
    worlds: int, each: int, seed: int, spread: float, cv: float, barren: float = 0.0
) -> tuple[np.ndarray, ...]:
    """Return spend, expected results and worlds: results lognormal over worlds, gamma within, nothing in some runs."""
    random = np.random.default_rng(seed)
    true = np.repeat(np.exp(random.normal(-1.0, spread, worlds)), each)
    expected = true * random.gamma(1 / cv**2, cv**2, worlds * each) * (random.random(worlds * each) >= barren)
    return np.full(worlds * each, 1000.0), expected, np.repeat(np.arange(worlds), each)


def over_worlds(of: tuple[np.ndarray, ...]) -> PricesOverWorlds:
    found = prices_over_worlds(*of)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("spread", "cv", "barren"), [(1.2, 0.4, 0.0), (1.2, 1.0, 0.0), (0.4, 0.8, 0.1), (1.0, 0.5, 0.2)]
)
def test_quantiles_over_worlds_are_those_of_the_worlds_and_not_of_their_noisy_means(
    spread: float, cv: float, barren: float
) -> None:
    made = noisy(2000, 2, 3, spread, cv, barren)
    found = over_worlds(made)
    median = 1000.0 / (np.exp(-1.0) * (1.0 - barren))
    true = median * np.exp(spread * np.array([-1.2816, 0.0, 1.2816]))
    stated = np.log([found.p10, found.p50, found.p90])
    errors = np.array([found.error_p10, found.error_p50, found.error_p90])
    assert (abs(stated - np.log(true)) < 4 * errors + 0.05).all()
    assert (errors < 0.1).all()
    means = made[1].reshape(-1, 2).mean(axis=1)
    naive = np.log(
        1000.0 / np.quantile(means, 0.1)
    )  # the twin that takes the means of two runs for their worlds
    assert cv < 0.5 or abs(naive - np.log(true[2])) > 0.15
    assert found.share_below(np.array([found.p10, found.p50, found.p90])) == pytest.approx(
        [0.1, 0.5, 0.9], abs=1e-6
    )


def test_the_interval_over_worlds_does_not_narrow_or_widen_with_the_number_of_replications() -> None:
    few = np.log(
        [
            (found.p10, found.p50, found.p90)
            for found in (over_worlds(noisy(60, 2, n, 1.2, 0.6)) for n in range(40))
        ]
    )
    many = over_worlds(noisy(5000, 2, 99, 1.2, 0.6))
    off = few.mean(axis=0) - np.log([many.p10, many.p50, many.p90])
    assert (abs(off) < 4 * few.std(axis=0) / math.sqrt(len(few)) + 0.03).all()


def test_the_errors_of_the_quantiles_are_their_spread_over_samples() -> None:
    found = [over_worlds(noisy(150, 2, n, 1.2, 0.6)) for n in range(60)]
    for name in ("p10", "p50", "p90"):
        spread = float(np.log([getattr(each, name) for each in found]).std())
        stated = float(np.mean([getattr(each, f"error_{name}") for each in found]))
        assert stated == pytest.approx(spread, rel=0.35)


def test_four_fifths_of_two_hundred_new_worlds_have_a_price_within_the_interval() -> None:
    held = []
    for seed in range(20):
        found = over_worlds(noisy(200, 2, seed, 1.2, 0.6))
        true = 1000.0 / np.exp(np.random.default_rng(1000 + seed).normal(-1.0, 1.2, 200))
        held.append(((true >= found.p10) & (true <= found.p90)).mean())
    assert np.mean(held) == pytest.approx(0.8, abs=0.02)


def test_where_many_worlds_have_no_result_to_expect_the_price_has_no_end() -> None:
    spend, expected, worlds = noisy(400, 2, 5, 1.0, 0.5)
    expected[worlds % 3 == 0] = 0.0
    found = over_worlds((spend, expected, worlds))
    assert math.isinf(found.p90)
    assert math.isfinite(found.p50)
    assert found.weights.sum() == pytest.approx(2 / 3, abs=0.01)
    none = over_worlds((spend, np.zeros(len(spend)), worlds))
    assert math.isinf(none.p10)
    assert prices_over_worlds(spend, expected, np.arange(len(spend))) is None  # one run a world tells no luck


def test_what_moves_the_price_is_found_and_what_does_not_is_left_out() -> None:
    random = np.random.default_rng(8)
    ranks, worlds = random.random((400, 12)), np.repeat(np.arange(400), 2)
    expected = np.exp(2.0 * ranks[worlds, 4] - 0.8 * ranks[worlds, 7]) * random.gamma(4.0, 0.25, 800)
    moves = price_moves(np.full(800, 1000.0), expected, worlds, ranks)
    assert [move.unknown for move in moves] == [4, 7]
    assert moves[0].at_high_usd / moves[0].at_low_usd == pytest.approx(math.exp(-1.6), rel=0.15)
    assert moves[1].at_high_usd > moves[1].at_low_usd
    assert (
        price_moves(np.full(80, 1000.0), expected[:80], worlds[:80], ranks[:40]) == []
    )  # too few worlds to tell


def test_acceptability_is_the_share_of_runs_that_are_worth_more_than_they_cost() -> None:
    spend, results, _ = runs(1000, 2, 3)
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


def test_the_price_in_the_summary_is_the_mean_spend_over_the_mean_of_expected_results() -> None:
    text = f"{SCORES}gates: [{{keeps: 100%, price: 7 $/try}}]\nlimits: ['cost_per_transferable_result mean <= $1000']"
    projection = project(scenario(text), Options(replications=100, workers=1))
    research, frame = projection.as_json()["research"], projection.replications
    expected = frame["spend_usd"].mean() / frame["transferable_expected"].mean()
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


def test_where_a_world_costs_nothing_the_price_has_no_distribution_over_worlds() -> None:
    worlds = np.repeat(np.arange(60), 2)
    expected = np.random.default_rng(1).uniform(0.1, 1.0, 120)
    free = np.where(worlds == 7, 0.0, 100.0)
    assert prices_over_worlds(free, expected, worlds) is None
    assert prices_over_worlds(0.0 * free, expected, worlds) is None
    assert prices_over_worlds(free + 1.0, expected, worlds) is not None
    assert cost_per_result(0.0 * free, expected, worlds).estimate == 0.0


def test_no_price_is_stated_where_no_world_has_two_runs_with_results() -> None:
    worlds, spend = np.repeat(np.arange(4), 2), np.full(8, 100.0)
    alone = np.array(
        [0.5, 0.0, 0.0, 0.0, 0.0, 0.25, 0.0, 0.0]
    )  # what followed each of the two brought nothing
    assert prices_over_worlds(spend, alone, worlds) is None
    together = np.array([0.5, 0.25, 0.0, 0.0, 0.0, 0.25, 0.0, 0.0])
    found = prices_over_worlds(spend, together, worlds)
    assert found is not None
    assert 0.0 < found.p10 <= found.p50
