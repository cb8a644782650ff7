"""Sensitivity: planted drivers are ranked rightly, dummies get nothing, and values of information are exact."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from simbudget.deciding.alternatives import Alternative, Sample
from simbudget.deciding.changes import Source
from simbudget.deciding.choices import one_at_a_time, one_change_each
from simbudget.deciding.compare import compare
from simbudget.deciding.emulator import fit
from simbudget.deciding.information import of_group, partial_perfect
from simbudget.deciding.outcomes import SPEND
from simbudget.deciding.sensitivity import sensitivity
from simbudget.numbers import usd
from simbudget.projection.run import Options, project, replications_of
from simbudget.scenario.loading import loads_scenario

CLOSED = """
fleet: [{agents: 2, sandbox: {price: {unknown: {distribution: uniform, low: 1 $/h, high: 3 $/h}}}}]
cycle: [experiment: {gpus: 1, time: {typical: 20 min to 40 min, varies: 1.01x}}]
gpus: {count: 4, price: {unknown: {distribution: uniform, low: 2 $/h, high: 4 $/h}}, billing: reserved}
fixed: {unknown: {distribution: uniform, low: $100, high: $200}}
stop: {after: 24 h}
prices: {on: 2026-06-01}
"""
"""Spend = 96 h GPU price + 48 h sandbox price + fixed: variances (96 x 2)^2 / 12, (48 x 2)^2 / 12 and 100^2 / 12."""


def ishigami(x: np.ndarray) -> np.ndarray:
    """T. Ishigami and T. Homma, ISUMA 1990: first 0.3139, 0.4424, 0; total 0.5576, 0.4424, 0.2437."""
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_the_indices_of_ishigamis_function_are_found_and_dummies_get_nothing(noise: float) -> None:
    random = np.random.default_rng(1)
    uniforms = random.random((1000, 8))
    outcome = ishigami(np.pi * (2 * uniforms - 1)) + random.normal(0, noise, 1000)
    share = 13.8446 / (13.8446 + noise**2)
    emulator = fit(uniforms, outcome)
    tolerance = 0.02 if noise == 0.0 else 0.06
    assert np.allclose(emulator.first_order()[:3], share * np.array([0.3139, 0.4424, 0.0]), atol=tolerance)
    assert np.allclose(emulator.total()[:3], share * np.array([0.5576, 0.4424, 0.2437]), atol=tolerance)
    assert (emulator.total()[3:] <= emulator.hidden + 2 * emulator.errors()[3:]).all()


@pytest.mark.parametrize("worlds", [32, 300])
def test_noise_alone_has_a_driver_in_about_one_fit_in_a_hundred(worlds: int) -> None:
    false_alarms = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        false_alarms += bool(fit(random.random((worlds, 10)), random.normal(size=worlds)).terms)
    assert false_alarms <= 5  # binomial(100, 0.01) passes 5 once in 2,000 times


def test_the_shares_of_a_scenario_with_a_closed_form_are_found() -> None:
    plan = Alternative("plan", loads_scenario(CLOSED).scenario)
    split = sensitivity([plan], Sample(600)).split("spend_usd")
    variances = {"gpus.price": 192.0**2, "fixed": 100.0**2, "fleet[agents].sandbox.price": 96.0**2}
    total = sum(variances.values())
    found = {driver.unknown: driver for driver in split.drivers}
    for name, variance in variances.items():
        assert found[name].total == pytest.approx(variance / total, abs=0.01)
        assert found[name].first_order == pytest.approx(variance / total, abs=0.01)
    assert [driver.unknown for driver in split.drivers][:3] == list(variances)
    assert found["cycle.experiment[0].time"].total == 0.0  # a reserved pool costs the same, used or not
    assert split.luck == pytest.approx(0.0, abs=1e-9)
    gpu = found["gpus.price"]
    assert gpu.at_high - gpu.at_low == pytest.approx(96 * 2 * 0.8, rel=0.02)


def test_luck_is_told_from_what_is_unknown() -> None:
    lucky = CLOSED.replace("varies: 1.01x", "varies: 3x").replace("billing: reserved", "billing: on demand")
    plan = Alternative(
        "plan", loads_scenario(lucky.replace("after: 24 h", "after: 24 h, cycles_per_agent: 3")).scenario
    )
    certain = CLOSED.replace("20 min to 40 min", "30 min")
    with_luck = sensitivity([plan], Sample(400)).split("spend_usd")
    without = sensitivity([Alternative("plan", loads_scenario(certain).scenario)], Sample(400)).split(
        "spend_usd"
    )
    assert with_luck.luck > 0.01
    assert without.luck < 1e-9
    explained = sum(driver.first_order for driver in with_luck.drivers)
    assert explained + with_luck.luck + with_luck.unattributed == pytest.approx(1.0, abs=0.05)


def unit_loss(mean: float, spread: float) -> float:
    """Return E[max(0, X)] of a normal X (H. Raiffa and R. Schlaifer, "Applied Statistical Decision Theory", 1961)."""
    z = mean / spread
    return mean * 0.5 * math.erfc(-z / math.sqrt(2)) + spread * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def test_the_value_of_knowing_is_that_of_the_closed_form() -> None:
    uniforms = np.random.default_rng(2).random((4000, 3))
    normals = norm.ppf(uniforms)
    luck = np.random.default_rng(3).normal(0, 10, 4000)
    benefit = 5.0 + 20.0 * normals[:, 0] + 10.0 * normals[:, 1] + luck
    values = partial_perfect(uniforms, np.column_stack([benefit, np.zeros(4000)]))
    for value, spread in zip(values, (20.0, 10.0), strict=False):
        truth = unit_loss(5.0, spread) - 5.0
        assert abs(value.usd - truth) < 4 * value.error_usd
        assert value.error_usd < 0.2 * truth
    assert values[2].usd == 0.0
    both = of_group(uniforms, np.column_stack([benefit, np.zeros(4000)]))
    assert abs(both.usd - (unit_loss(5.0, math.sqrt(500.0)) - 5.0)) < 4 * both.error_usd
    taken_for_known = np.maximum(benefit, 0.0).mean() - 5.0  # the twin: luck taken for something to be known
    assert taken_for_known - both.usd > 3 * both.error_usd


def test_each_choice_is_changed_alone() -> None:
    source = Source(CLOSED, "plan.yaml", Path())
    made = one_change_each(source)
    names = [each.name for each in made]
    assert {"agents=1", "agents=4", "hours=12", "hours=48", "gpus=2", "gpus=8"} <= set(names)
    assert "billing=on demand" in names
    assert all(len(each.changes) == 1 for each in made)


def test_choices_are_compared_in_the_plans_own_worlds_with_the_numbers_of_a_full_comparison() -> None:
    source = Source(UNCERTAIN, "plan.yaml", Path())
    plan, others = Alternative("plan", source.load().scenario), one_change_each(source)
    found = sensitivity([plan], Sample(100))
    changed = one_at_a_time((plan, found.projection), others, Sample(100))
    assert [each.name for each in changed] == [each.name for each in others]
    full = compare([plan, *others], Sample(400, in_each_world=1)).against
    for few, many in zip(changed, full, strict=True):
        spend, of_all = few.differences[SPEND], many.differences[SPEND]
        assert 10 <= spend.replications <= 20
        half = max(spend.high - spend.mean, 1e-9)
        assert abs(spend.mean - of_all.mean) < 2 * half + (of_all.high - of_all.mean), few.name  # |z| < 4
    more_agents = next(each for each in changed if each.name == "agents=4").differences[SPEND]
    assert more_agents.low > 0.0
    # The twin: in worlds of its own, the price of a GPU would remain in the difference.
    alone = project(others[1].scenario, Options(2, 10, 10)).replications["spend_usd"]
    spread = float(np.std(alone - found.projection.replications["spend_usd"][:10]))
    assert spread / math.sqrt(10) > 10 * (more_agents.high - more_agents.low)


def test_further_replications_are_the_rows_that_a_longer_projection_has() -> None:
    scenario = loads_scenario(UNCERTAIN).scenario
    options = Options(seed=3, replications=30, worlds=24)
    whole = project(scenario, options).replications
    further = replications_of(scenario, options, first=12)
    assert further["spend_usd"].tolist() == whole["spend_usd"].tolist()[12:]
    assert further["world"].tolist() == whole["world"].tolist()[12:] == [*range(12, 24), *range(6)]


def test_a_plan_is_as_good_as_doing_nothing_where_a_result_is_worth_what_it_costs() -> None:
    plan = Alternative("plan", loads_scenario(UNCERTAIN).scenario)
    at_cost, worth_more = sensitivity([plan], Sample(60)), sensitivity([plan], Sample(60), worth_usd=1e6)
    assert at_cost.information is not None
    assert at_cost.information.best == ("plan", "do nothing")
    assert "these plans are equally good: plan and do nothing" in at_cost.answer()
    assert worth_more.information is not None
    assert worth_more.information.best == ("plan",)


def test_the_errors_of_the_value_of_information_cover_the_closed_form_over_twenty_seeds() -> None:
    z_scores: dict[str, list[float]] = {"strong": [], "weak": [], "all": []}
    of_twin = []
    for seed in range(20):
        random = np.random.default_rng(100 + seed)
        uniforms = random.random((400, 3))
        normals = norm.ppf(uniforms)
        benefit = 5.0 + 20.0 * normals[:, 0] + 10.0 * normals[:, 1] + random.normal(0, 10, 400)
        benefits = np.column_stack([benefit, np.zeros(400)])
        strong, weak, _ = partial_perfect(uniforms, benefits)
        of_all = of_group(uniforms, benefits)
        truths = {"strong": 20.0, "weak": 10.0, "all": math.hypot(20.0, 10.0)}
        for (name, spread), value in zip(truths.items(), (strong, weak, of_all), strict=True):
            z_scores[name].append((value.usd - (unit_loss(5.0, spread) - 5.0)) / value.error_usd)
        luck_as_known = np.maximum(benefit, 0.0).mean() - max(benefit.mean(), 0.0)
        of_twin.append((luck_as_known - (unit_loss(5.0, truths["all"]) - 5.0)) / of_all.error_usd)
    for name, scores in z_scores.items():
        assert abs(np.mean(scores)) < 4 / math.sqrt(20), name
        assert np.sqrt(np.mean(np.square(scores))) < 1.6, name  # chi-square of 20: 1.6² is beyond 1 in 1,000
        assert np.sqrt(np.mean(np.square(scores))) > 0.5, name
        # Of 20 with a probability of 80 % each, fewer than 9 are covered once in 10,000 times.
        assert np.mean(np.abs(scores) < 1.28) >= 0.45, name
    assert np.mean(of_twin) > 4 / math.sqrt(20)  # the twin: luck taken for something that can be known


def test_what_is_not_seen_to_matter_is_worth_nothing_but_for_an_error() -> None:
    random = np.random.default_rng(7)
    uniforms = random.random((60, 2))
    benefits = np.column_stack([random.normal(0.0, 50.0, 60), np.zeros(60)])
    values = partial_perfect(uniforms, benefits)
    assert all(value.usd == 0.0 and value.error_usd > 0.0 for value in values)


def test_where_too_few_worlds_leave_an_unknown_unseen_that_is_noted_with_how_many_to_make() -> None:
    plan = Alternative("plan", loads_scenario(LUCKY).scenario)
    few, many = (sensitivity([plan], Sample(number)).notes for number in (40, 2000))
    assert any("with 32 worlds" in note and "go undetected" in note for note in few)
    assert not any("go undetected" in note for note in many)


GUESSED = """
fleet: [{agents: 1}]
cycle: [experiment: {gpus: 1, time: 10 min to 40 min}]
gpus: {count: 1, price: 3 $/h, billing: on demand}
fixed: {unknown: {distribution: uniform, low: $100, high: $110}}
stop: {after: 1000 h, cycles_per_agent: 400}
prices: {on: 2026-06-01}
"""
"""Spend = 400 jobs × 3 $/h × their mean time + fixed."""
LUCKY = GUESSED.replace("cycles_per_agent: 400", "cycles_per_agent: 3").replace("high: $110", "high: $100.1")
"""Three jobs, whose luck is nearly all of the variance."""


def test_a_range_that_counts_as_known_is_named_and_what_hangs_on_it_is_shown() -> None:
    found = sensitivity([Alternative("plan", loads_scenario(GUESSED).scenario)], Sample(400))
    assert [driver.unknown for driver in found.split("spend_usd").drivers] == ["fixed"]
    assert any("cycle.experiment[0].time (10 min to 40 min)" in note for note in found.notes)
    guesses = found.guesses
    assert guesses is not None
    assert guesses.ranges["cycle.experiment[0].time"] == "10 min to 40 min"
    assert "forum.post_tokens" not in guesses.ranges  # nothing is shared
    spend = guesses.intervals[0]
    low, high = (400 * 3 * minutes / 60 + 105 for minutes in (10, 40))  # the range is p10 to p90
    assert spend.guessed_usd[0] == pytest.approx(low, rel=0.15)
    assert spend.guessed_usd[1] == pytest.approx(high, rel=0.15)
    known = spend.written_usd[1], spend.written_usd[0]
    assert None not in known
    assert float(known[0] or 0) - float(known[1] or 0) < 0.1 * (
        high - low
    )  # the scatter of 400 jobs averages out
    (driver,) = guesses.drivers["spend_usd"]
    assert driver.total == pytest.approx(1.0, abs=0.02)
    assert "10 min to 40 min" in str(found.tables()[-1].rows)
    assert found.as_json()["guesses"]["ranges"] == guesses.ranges


def test_what_is_written_as_unknown_is_no_guess() -> None:
    told = GUESSED.replace("time: 10 min to 40 min", "time: {typical: 10 min to 40 min, varies: 1.5x}")
    found = sensitivity([Alternative("plan", loads_scenario(told).scenario)], Sample(400))
    assert found.guesses is None or "cycle.experiment[0].time" not in found.guesses.ranges
    assert not any("cycle.experiment[0].time" in note for note in found.notes)
    assert found.split("spend_usd").drivers[0].unknown == "cycle.experiment[0].time"


@pytest.mark.parametrize("replications", [20, 60])
def test_luck_is_at_most_all_of_the_variance_and_the_parts_are_at_most_the_whole(replications: int) -> None:
    """With few worlds the estimate of the variance between them may be negative, which must not show."""
    seen = []
    for seed in range(6):
        plan = Alternative("plan", loads_scenario(LUCKY).scenario)
        split = sensitivity([plan], Sample(replications, seed=seed)).split("spend_usd")
        assert 0.0 <= split.luck <= 1.0
        assert 0.0 <= split.unattributed <= 1.0 + 1e-9
        assert all(0.0 <= driver.first_order <= driver.total + 1e-9 for driver in split.drivers)
        seen.append(split.luck)
    assert max(seen) > 0.9


UNCERTAIN = """
fleet: [{agents: 2}]
cycle: [experiment: {gpus: 1, time: 1 h}, score: {}]
gpus: {count: 2, price: {unknown: 1 $/h to 9 $/h}, billing: on demand}
stop: {after: 30 h}
prices: {on: 2026-06-01}
research: {explores: 30% to 60%}
gates: [{keeps: 20% to 90%, smallest_effect: 0.05}]
"""


@pytest.mark.parametrize("replications", [40, 120, 400])
def test_knowing_one_unknown_is_never_worth_more_than_knowing_all(replications: int) -> None:
    worth = []
    for seed in range(3):
        plan = Alternative("plan", loads_scenario(UNCERTAIN).scenario)
        information = sensitivity([plan], Sample(replications, seed=seed)).information
        assert information is not None
        assert all(0.0 <= value.usd <= information.of_all.usd for value in information.of_each.values())
        worth.append(information.of_all.usd)
    assert max(worth) > 0.0


def test_what_rounding_leaves_of_nothing_is_written_as_nothing() -> None:
    assert usd(1.14e-13) == usd(-1.14e-13) == "$0"
    assert usd(2e-7) == "$0.000000200"  # a token of the cheapest model costs something


FLAT = """
fleet: [{agents: 1, model: claude-opus-4-6}]
cycle: [think: {turns: 1}]
turn: {output_tokens: 100, tool_result_tokens: 100, tool_time: {unknown: 1 h to 3 h}}
context: {first_prompt_tokens: 1000}
api: {plan: {price: 200 $/month, window: {every: 5 h, allows: $35}}}
prices: {on: 2026-06-01}
stop: {after: 2 days}
"""


def test_on_a_flat_plan_it_is_said_what_moves_the_cycles() -> None:
    found = sensitivity([Alternative("plan", loads_scenario(FLAT).scenario)], Sample(60))
    assert found.answer().startswith(
        "No unknown moves spend, which is $200 in every world. Cycles depend most on"
    )
    assert [driver.unknown for driver in found.split("cycles").drivers][:1] == ["turn.tool_time"]


@pytest.mark.parametrize(
    ("text", "replications", "answer"),
    [
        (FLAT, 8, "6 worlds are too few to say what moves spend."),
        (
            FLAT.replace("{unknown: 1 h to 3 h}", "2 h"),
            40,
            "Nothing is unknown in this scenario.",
        ),
    ],
)
def test_where_nothing_is_seen_to_move_spend_the_answer_says_why(
    text: str, replications: int, answer: str
) -> None:
    found = sensitivity([Alternative("plan", loads_scenario(text).scenario)], Sample(replications))
    assert found.answer() == answer
