"""What research brings agrees with closed forms and independent integration; each check fails for a wrong theory.

Statistical checks allow |z| < 4 over independent replications with a fixed seed: one false alarm in 16,000.
"""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from simbudget.engine import compiled
from simbudget.engine.lowering import lower
from simbudget.engine.totals import totals
from tests.running import scenario

REPLICATIONS = 2000
HONEST = {
    "hacks": "0%",
    "explores": "100%",
    "transfers": "0%",
    "real_share": "0%",
    "ideas": "5",
    "follows": "0%",
}


def outcomes(
    cycles: int, agents: int = 1, more: str = "", noise: str = "0", **research: str
) -> dict[str, Any]:
    """Return the totals of replications in which agents submit so often and do nothing else."""
    keys = ", ".join(f"{key}: {value}" for key, value in {**HONEST, **research}.items())
    text = (
        f"fleet: [{{agents: {agents}}}]\ncycle: [score]\nscorer: {{servers: 99, time: 1 min, noise: {noise}}}\n"
        f"stop: {{cycles_per_agent: {cycles}, after: 100 days}}\nresearch: {{{keys}}}\n{more}"
    )
    program = lower(scenario(text))
    numbers = np.arange(REPLICATIONS)
    return totals(program, compiled.simulate_many(program, 11, numbers, 0 * numbers).sums)


def z_score(values: Any, expected: float) -> float:
    return float((np.mean(values) - expected) / (np.std(values, ddof=1) / math.sqrt(len(values))))


def expected_maximum(count: int) -> float:
    """Return the expected maximum of so many standard normals, by integration of z dF(z)^n."""
    density = lambda z: z * count * stats.norm.pdf(z) * stats.norm.cdf(z) ** (count - 1)  # noqa: E731
    return float(integrate.quad(density, -10, 10)[0])


NORMAL = "{distribution: normal, p10: -1.2815515655446004, p90: 1.2815515655446004}"


@pytest.mark.parametrize(("count", "noise"), [(1, 0.5), (8, 0.0), (8, 0.5), (40, 2.0)])
def test_the_best_of_normal_qualities_and_the_winner_s_curse_are_as_order_statistics_say(
    count: int, noise: float
) -> None:
    made = outcomes(count, first_quality=NORMAL, noise=str(noise))
    measured = math.hypot(1.0, noise) * expected_maximum(count)
    shrunken = measured / (1.0 + noise**2)  # E[quality | score] is score / (1 + noise²)
    assert abs(z_score(made["best_measured_score"], measured)) < 4
    assert abs(z_score(made["best_measured_true_quality"], shrunken)) < 4
    assert abs(z_score(made["best_true_quality"], expected_maximum(count))) < 4
    if noise > 0 and count > 1:
        assert abs(z_score(made["best_measured_true_quality"], measured)) > 4  # the twin without a curse


def test_without_hacks_noise_and_overfitting_the_best_score_is_the_best_truth() -> None:
    made = outcomes(30, explores="30%", refines="40%", gain="0.1 to 0.3", transfers="100%", real_share="100%")
    assert (made["best_measured_score"] == made["best_true_quality"]).all()
    hacked = outcomes(30, explores="30%", refines="40%", hacks="10%", hack_score="2")
    assert (hacked["best_measured_score"] > hacked["best_true_quality"]).mean() > 0.9


def test_refinements_close_a_share_of_the_distance_to_one() -> None:
    made = outcomes(12, explores="0%", refines="40%", gain="0.25", first_quality="0.2")
    expected = 1 - 0.8 * (1 - 0.4 * 0.25) ** 11  # E[(1 - gain)^successes] of 11 tries
    assert abs(z_score(made["best_true_quality"], expected)) < 4
    assert abs(z_score(made["best_true_quality"], 1 - 0.8 * (1 - 0.5 * 0.25) ** 11)) > 4


GATE = "gates: [{keeps: 100%, smallest_effect: 0.1, price: 10 $/try, time: 1 h}]"


def test_results_among_finalists_are_binomial() -> None:
    made = outcomes(9, more=GATE, first_quality="0.3 to 0.6", transfers="30%", finalists="5")
    true = made["transferable_true"]
    expected = 5 * 0.3
    assert abs(z_score(true, expected)) < 4
    counts = np.bincount(true.astype(int), minlength=6)
    chance = stats.chisquare(counts, REPLICATIONS * stats.binom.pmf(range(6), 5, 0.3)).pvalue
    assert chance > 1e-4
    assert stats.chisquare(counts, REPLICATIONS * stats.binom.pmf(range(6), 5, 0.36)).pvalue < 1e-4
    assert (made["transferable_found"] == true).all()  # the gate has no noise
    assert (made["spend_gates_usd"] == 50.0).all()


def test_gates_with_noise_have_the_power_and_the_false_alarms_that_are_printed() -> None:
    more = "gates: [{keeps: 50%, smallest_effect: 0.1, noise: 0.1}]"
    made = outcomes(3, more=more, first_quality="0.4", transfers="50%", finalists="3")
    found_if_true, false_alarm = stats.norm.cdf((0.2 - 0.1) / 0.1), stats.norm.cdf(-0.1 / 0.1)
    assert abs(z_score(made["transferable_found"], 3 * 0.5 * found_if_true)) < 4
    assert abs(z_score(made["transferable_false"], 3 * 0.5 * false_alarm)) < 4
    assert abs(z_score(made["transferable_false"], 3 * 0.5 * 0.05)) > 4


def test_a_result_has_to_hold_at_every_gate() -> None:
    more = "gates: [{keeps: {distribution: discrete, values: [0, 1], weights: [1, 1]}, smallest_effect: 0.1},"
    more += " {keeps: {distribution: discrete, values: [0, 1], weights: [3, 1]}, smallest_effect: 0.1}]"
    made = outcomes(4, more=more, first_quality="0.4", transfers="100%", finalists="4")
    assert abs(z_score(made["transferable_true"], 4 * 0.5 * 0.25)) < 4
    assert abs(z_score(made["transferable_true"], 4 * 0.5)) > 4


REVIEW = "review: {{people: 3, hours: always, time: 1 min, price: 60 $/h, of: {of}}}"


def test_a_perfect_reviewer_lets_nothing_through_and_a_useless_one_everything() -> None:
    perfect = outcomes(40, more=REVIEW.format(of="all"), hacks="10%", caught="100%")
    useless = outcomes(40, more=REVIEW.format(of="all"), hacks="10%", caught="0%")
    assert perfect["hacks_made"].sum() > 0
    assert (perfect["hacks_missed"] == 0).all()
    assert (useless["hacks_caught"] == 0).all()
    assert perfect["spend_review_usd"] == pytest.approx(40.0)  # 40 reviews of a minute at a dollar a minute
    assert abs(z_score(perfect["hacks_made"], 4.0)) < 4
    some = outcomes(40, more=REVIEW.format(of="25%"), hacks="10%", caught="80%")
    assert abs(z_score(some["hacks_caught"], 4.0 * 0.25 * 0.8)) < 4
    assert abs(z_score(some["hacks_caught"], 4.0 * 0.25)) > 4


def test_more_review_never_lets_more_hacks_through() -> None:
    missed = [
        outcomes(40, more=REVIEW.format(of=of), hacks="10%", caught="80%")["hacks_missed"]
        for of in ("0%", "20%", "60%", "all")
    ]
    for less, more in pairwise(missed):
        assert (more <= less).all()
        assert more.mean() < less.mean()


def test_review_sometimes_blames_an_honest_submission() -> None:
    made = outcomes(20, more=REVIEW.format(of="all"), blames="10%")
    assert abs(z_score(made["blamed_honest"], 2.0)) < 4
    assert (outcomes(20, more=REVIEW.format(of="all"), blames="0%")["blamed_honest"] == 0).all()


READS = "forum: {post_tokens: 10, reads_at_most: 1000}"


def methods(agents: int, follows: str, directions: str = "") -> float:
    text = (
        f"fleet: [{{agents: {agents}{directions}}}]\ncycle: [score, share]\nscorer: {{servers: 99, time: 1 min}}\n"
        f"stop: {{cycles_per_agent: 12, after: 10 days}}\n{READS}\n"
        f"research: {{explores: 100%, ideas: 5, follows: {follows}, hacks: 0%}}"
    )
    program = lower(scenario(text))
    numbers = np.arange(200)
    made = totals(program, compiled.simulate_many(program, 5, numbers, 0 * numbers).sums)
    return float(made["methods"].mean())


def test_a_fleet_twice_as_large_does_not_find_twice_as_much_when_all_read_each_other() -> None:
    assert methods(8, "90%") < 1.8 * methods(4, "90%")
    assert methods(8, "0%") == 2 * methods(4, "0%") == 8 * 12  # the twin: who reads and does not follow


def test_distinct_directions_keep_methods_apart() -> None:
    one, three, all_own = (methods(8, "30%", extra) for extra in (", directions: 1", ", directions: 3", ""))
    assert one < 0.8 * three < 0.8 * all_own


def test_a_shared_direction_has_as_many_methods_as_its_recursion_says() -> None:
    """P(new) is ideas / (ideas + what others have found): from agent to agent in turn, by the exact mean of a chain."""
    agents, rounds, ideas = 6, 12, 5.0
    random, runs = np.random.default_rng(1), 4000
    found = np.zeros((runs, agents))
    for _ in range(rounds):
        for agent in range(agents):
            others = found.sum(axis=1) - found[:, agent]
            found[:, agent] += random.random(runs) >= others / (others + ideas)
    text = (
        f"fleet: [{{agents: {agents}, directions: 1}}]\ncycle: [score]\nscorer: {{servers: 99, time: 1 min}}\n"
        f"stop: {{cycles_per_agent: {rounds}, after: 10 days}}\n"
        "research: {explores: 100%, ideas: 5, hacks: 0%}"
    )
    program = lower(scenario(text))
    numbers = np.arange(REPLICATIONS)
    made = totals(program, compiled.simulate_many(program, 3, numbers, 0 * numbers).sums)["methods"]
    assert abs(z_score(made, float(found.sum(axis=1).mean()))) < 4
    assert abs(z_score(made, agents * rounds)) > 4


def test_only_known_methods_are_tried_where_there_are_no_others() -> None:
    made = outcomes(30, agents=2, known_methods="4")
    assert (made["methods"] <= 4).all()
    expected = 4 * (1 - 0.75**60)
    assert abs(made["methods"].mean() - expected) < 1e-3


GATED = (
    "gates: [{keeps: {distribution: uniform, low: 0, high: 1}, smallest_effect: 0.1}, "
    "{keeps: 90%, smallest_effect: 0.2}]\n"
)


def test_the_chance_of_a_first_version_is_that_of_a_core_times_that_of_keeping_enough() -> None:
    made = outcomes(1, more=GATED, transfers="30%", first_quality="0.5")
    assert made["transferable_expected"] == pytest.approx(0.3 * (1 - 0.1 / 0.5), abs=1e-9)
    weak = outcomes(1, more=GATED, transfers="30%", first_quality="0.21")
    assert (weak["transferable_expected"] == 0.0).all()  # 0.21 · 90 % is below 0.2
    gamed = outcomes(1, more=GATED, transfers="30%", first_quality="0.5", hacks="100%")
    assert (gamed["transferable_expected"] == 0.0).all()


def test_the_chance_of_a_refined_version_counts_what_is_real_of_its_gains_with_a_core_and_without() -> None:
    # 0.5, then 0.75 and 0.875: the gains add 0.375, of which 80 % are real.
    made = outcomes(
        3,
        more=GATED,
        explores="0%",
        refines="100%",
        gain="0.5",
        first_quality="0.5",
        real_share="80%",
        transfers="30%",
    )
    with_core, without = 1 - 0.1 / (0.5 + 0.3), 1 - 0.1 / 0.3
    assert made["transferable_expected"] == pytest.approx(0.3 * with_core + 0.7 * without, abs=1e-9)


@pytest.mark.parametrize(
    "more",
    [
        "gates: [{keeps: 30% to 80%, smallest_effect: 0.1, noise: 0.05}, {keeps: 0% to 60%, smallest_effect: 0.05}]\n",
        "gates: [{keeps: {distribution: discrete, values: [0.2, 0.9], weights: [1, 1]}, smallest_effect: 0.2}]\n",
        "gates: [{keeps: 100%}, {keeps: 10% to 90%, smallest_effect: 0.1, noise: 0.1, tries: passed}]\n"
        "review: {of: best, price: 9 $/h}\n",
    ],
)
def test_expected_results_have_the_mean_of_the_results_and_less_variance(more: str) -> None:
    made = outcomes(
        25,
        agents=3,
        more=more,
        explores="40%",
        refines="30%",
        gain="0.1 to 0.4",
        first_quality="0.0 to 0.45",
        noise="0.03",
        transfers="{unknown: 5% to 40%}",
        real_share="{unknown: 20% to 70%}",
        hacks="{unknown: 1% to 5%}",
    )
    true, expected = made["transferable_true"], made["transferable_expected"]
    assert true.mean() > 0.05
    assert abs(z_score(true - expected, 0.0)) < 4
    assert abs(z_score(true - 1.25 * expected, 0.0)) > 4  # the twin that gets a quarter too many
    assert expected.var() < 0.8 * true.var()
    assert made["expected_after_24_of_24"] == pytest.approx(expected)
    assert (made["finalists_after_24_of_24"] == made["finalists"]).all()


IMPROVED = {"unit": "improvement", "finalists": "1000"}
FREE = "gates: [{keeps: 100%}]\n"


def test_where_every_refinement_leads_each_is_a_result_with_probability_real_share() -> None:
    made = outcomes(
        12, more=FREE, explores="0%", refines="100%", gain="0.1", first_quality="0.2",
        transfers="50%", real_share="30%", **IMPROVED,
    )  # fmt: skip
    assert (made["kept"] == 12).all()
    assert (made["finalists"] == 12).all()
    true = made["transferable_true"]
    assert abs(z_score(true, 0.5 + 11 * 0.3)) < 4
    assert abs(true.var(ddof=1) - (0.25 + 11 * 0.21)) < 4 * (0.25 + 11 * 0.21) * math.sqrt(2 / REPLICATIONS)
    assert abs(z_score(true, 12 * 0.3)) > 4  # the twin that takes the first version for a refinement
    assert made["transferable_expected"] == pytest.approx(0.5 + 11 * 0.3, abs=1e-9)


def test_where_all_is_real_every_improvement_is_a_result_and_where_nothing_is_none() -> None:
    search = {"explores": "20%", "refines": "40%", "gain": "0.05 to 0.3", "first_quality": "0.1 to 0.5"}
    real = outcomes(30, agents=2, more=FREE, transfers="100%", real_share="100%", **search, **IMPROVED)
    assert (real["transferable_true"] == real["kept"]).all()
    assert real["kept"].min() < real["kept"].max()
    fitted = outcomes(30, agents=2, more=FREE, transfers="0%", real_share="0%", **search, **IMPROVED)
    assert (fitted["kept"] == real["kept"]).all()
    assert (fitted["transferable_true"] == 0).all()
    assert (fitted["transferable_expected"] == 0).all()


def test_new_methods_alone_are_kept_as_often_as_records_are_set() -> None:
    """Of n independent draws of one density the expected number of records is 1 + 1/2 + ... + 1/n (Renyi 1962)."""
    records = sum(1 / n for n in range(1, 41))
    made = outcomes(40, more=FREE, first_quality="0.1 to 0.4", transfers="25%", **IMPROVED)
    assert abs(z_score(made["kept"], records)) < 4
    assert abs(z_score(made["transferable_true"], 0.25 * records)) < 4
    assert abs(z_score(made["kept"], 1.1 * records)) > 4
    methods = outcomes(40, more=FREE, first_quality="0.1 to 0.4", transfers="25%", finalists="1000")
    assert abs(z_score(methods["transferable_true"], 0.25 * 40)) < 4  # the same search, counted by method
    assert (methods["kept"] == made["kept"]).all()


def test_what_noise_alone_kept_is_tried_and_is_no_result() -> None:
    made = outcomes(
        30, more="gates: [{keeps: 100%, price: 10 $/try}]\n", noise="0.05", explores="0%", refines="0%",
        first_quality="0.3", transfers="100%", real_share="100%", **IMPROVED,
    )  # fmt: skip
    assert abs(z_score(made["kept"], sum(1 / n for n in range(1, 31)))) < 4
    assert (made["transferable_true"] == 1).all()
    assert made["spend_gates_usd"] == pytest.approx(10 * made["kept"])


def test_a_method_found_again_is_no_second_result() -> None:
    made = outcomes(
        10,
        agents=2,
        more=FREE,
        known_methods="1",
        noise="0.1",
        first_quality="0.5",
        transfers="100%",
        **IMPROVED,
    )
    assert made["kept"].mean() > 2
    assert (made["transferable_true"] == 1).all()
    assert (made["finalists"] == 1).all()


@pytest.mark.parametrize("gates_start", ["at the end", "as finalists appear"])
def test_expected_improvements_have_the_mean_of_those_that_hold_and_less_variance(gates_start: str) -> None:
    more = "gates: [{keeps: 30% to 80%, smallest_effect: 0.01, noise: 0.05}, {keeps: 0% to 60%}]\nreview: {of: best}\n"
    made = outcomes(
        25, agents=3, more=more, explores="40%", refines="30%", gain="0.1 to 0.4", noise="0.03",
        first_quality="0.0 to 0.45", transfers="{unknown: 5% to 40%}", real_share="{unknown: 20% to 70%}",
        hacks="{unknown: 1% to 5%}", gates_start=gates_start, **IMPROVED,
    )  # fmt: skip
    true, expected = made["transferable_true"], made["transferable_expected"]
    assert true.mean() > 0.05
    assert abs(z_score(true - expected, 0.0)) < 4
    assert abs(z_score(true - 1.25 * expected, 0.0)) > 4
    assert expected.var() < 0.8 * true.var()
