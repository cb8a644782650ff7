"""Sensitivity: planted drivers are ranked rightly, dummies get nothing, and values of information are exact."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from simbudget.deciding.alternatives import Alternative, Sample
from simbudget.deciding.changes import Source
from simbudget.deciding.choices import one_change_each
from simbudget.deciding.emulator import fit
from simbudget.deciding.information import of_group, partial_perfect
from simbudget.deciding.sensitivity import sensitivity
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


def test_noise_alone_has_a_driver_in_about_one_fit_in_a_hundred() -> None:
    false_alarms = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        false_alarms += bool(fit(random.random((300, 10)), random.normal(size=300)).terms)
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


def test_the_errors_of_the_value_of_information_cover_the_closed_form_over_twenty_seeds() -> None:
    z_scores: dict[str, list[float]] = {"strong": [], "weak": [], "all": []}
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
    for name, scores in z_scores.items():
        assert abs(np.mean(scores)) < 4 / math.sqrt(20), name
        assert np.sqrt(np.mean(np.square(scores))) < 1.6, name  # chi-square of 20: 1.6² is beyond 1 in 1,000
        assert np.sqrt(np.mean(np.square(scores))) > 0.5, name


def test_what_is_not_seen_to_matter_is_worth_nothing_but_for_an_error() -> None:
    random = np.random.default_rng(7)
    uniforms = random.random((60, 2))
    benefits = np.column_stack([random.normal(0.0, 50.0, 60), np.zeros(60)])
    values = partial_perfect(uniforms, benefits)
    assert all(value.usd == 0.0 and value.error_usd > 0.0 for value in values)


def test_too_few_worlds_and_ranges_that_count_as_known_are_noted() -> None:
    plan = Alternative("plan", loads_scenario(CLOSED).scenario)
    few, many = (sensitivity([plan], Sample(number)).notes for number in (30, 400))
    assert any("not be seen" in note for note in few) or few == many
    guess = CLOSED.replace("time: {typical: 20 min to 40 min, varies: 1.01x}", "time: 20 min to 40 min")
    if guess != CLOSED:
        noted = sensitivity([Alternative("plan", loads_scenario(guess).scenario)], Sample(40)).notes
        assert any("count as known" in note or "counts as known" in note for note in noted)
