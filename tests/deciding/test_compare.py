"""Comparisons: the same luck for all, intervals that cover, and saying so when runs are too few."""

from pathlib import Path

import numpy as np
import pytest

from simbudget.deciding.alternatives import Alternative, Sample, alternatives, paired_rows, project_together
from simbudget.deciding.changes import Source, parse_changes
from simbudget.deciding.compare import Comparison, compare
from simbudget.deciding.differences import Difference, difference
from simbudget.deciding.net_benefit import acceptability
from simbudget.deciding.outcomes import SPEND
from simbudget.scenario.loading import loads_scenario

RESEARCH = """
fleet: [{group: r, agents: 3, crashes: {every: 10 h to 40 h, restart: 5 min}}]
cycle: [think: {turns: 2 to 6}, experiment: {time: {typical: 10 min to 40 min, varies: 2x}, fails: 10%}, score, share]
gpus: {count: 2, price: 3 $/h}
prices: {on: 2026-06-01}
scorer: {noise: {unknown: 0.02 to 0.05}}
research: {transfers: {unknown: 20% to 80%}}
gates: [{keeps: 30% to 90%, smallest_effect: 0.05, noise: 0.03, price: 5 $/try}]
stop: {after: 12 h}
"""

JOBS = """
fleet: [{agents: 1}]
cycle: [experiment: {gpus: 1, time: {distribution: uniform, low: 1 h, high: 3 h}}]
gpus: {count: 1, price: {unknown: {distribution: uniform, low: 2 $/h, high: 6 $/h}}, billing: on demand}
stop: {after: 100 days, cycles_per_agent: 5}
prices: {on: 2026-06-01}
"""
"""Spend is the price (mean 4) times 5 jobs of 2 hours in the mean: $40."""


def of(text: str, *changes: str) -> list[Alternative]:
    """Return a scenario as it stands, and with all these changes."""
    source = Source(text, "plan.yaml", Path())
    made = [parse_changes(change)[0] for change in changes]
    return [Alternative("first", source.load().scenario), Alternative("second", source.load(*made).scenario)]


def test_a_scenario_against_itself_is_zero_in_every_replication() -> None:
    first, second = (Alternative(name, loads_scenario(RESEARCH).scenario) for name in "ab")
    comparison = compare([first, second], Sample(60))
    one, other = paired_rows([each.replications for each in comparison.projections])
    assert one.equals(other)
    against = comparison.against[0]
    assert against.is_same
    assert all(
        (each.mean, each.low, each.high, each.p10, each.p90) == (0,) * 5
        for each in against.differences.values()
    )
    assert against.price_usd is not None
    assert against.price_usd.estimate == 0.0
    assert len(against.differences) == 8
    plain = comparison.as_json()["against_first"][0]["differences"]
    assert plain
    assert not any(each["told_apart"] for each in plain.values())
    (table,) = (table for table in comparison.tables() if "significant" in table.columns)
    place = table.columns.index("significant")
    assert all(row[place] != "yes" for row in table.rows)
    curves = comparison.acceptability
    assert curves is not None
    assert {"a and b"} < set(curves.best) <= {"a and b", "do nothing"}
    assert ": a and b." in comparison.answer()


def test_a_higher_price_costs_just_so_much_more_in_every_replication() -> None:
    projections = project_together([each.scenario for each in of(JOBS, "fixed=$7")], Sample(50))
    one, other = paired_rows([each.replications for each in projections])
    assert np.allclose(other["spend_usd"] - one["spend_usd"], 7.0)


def test_what_is_not_changed_keeps_its_luck() -> None:
    more = of(RESEARCH, "agents=4", "gpus=4")
    one, other = (
        each.replications for each in project_together([each.scenario for each in more], Sample(60))
    )
    together = float((other["spend_usd"] - one["spend_usd"]).std())
    apart = float(np.hypot(one["spend_usd"].std(), other["spend_usd"].std()))
    assert together < 0.6 * apart


def test_a_scenario_without_chance_is_set_against_one_with_it() -> None:
    certain = JOBS.replace("{distribution: uniform, low: 1 h, high: 3 h}", "2 h").replace(
        "{unknown: {distribution: uniform, low: 2 $/h, high: 6 $/h}}", "4 $/h"
    )
    pair = [
        Alternative(name, loads_scenario(text).scenario)
        for name, text in (("certain", certain), ("not", JOBS))
    ]
    comparison = compare(pair, Sample(400))
    found = comparison.against[0].differences[SPEND]
    assert comparison.projections[0].summary.spend_usd.mean == pytest.approx(40.0)
    assert found.replications == 400
    assert found.low < 0.0 < found.high


def differences_of_30(pair: list[Alternative]) -> list[Difference]:
    """Return the differences in spend that 300 comparisons of 30 replications find."""
    one, other = (
        each.replications for each in project_together([each.scenario for each in pair], Sample(9000))
    )
    first, second = (
        one["spend_usd"].to_numpy().reshape(300, 30),
        other["spend_usd"].to_numpy().reshape(300, 30),
    )
    return [difference(*rows, np.arange(30)) for rows in zip(first, second, strict=True)]


def test_monte_carlo_intervals_hold_the_true_difference_in_95_of_100_repeats() -> None:
    changes = (
        "stop.cycles_per_agent=8",
        "gpus.price={unknown: {distribution: uniform, low: 2 $/h, high: 5.5 $/h}}",
    )
    found = differences_of_30(of(JOBS, *changes))
    truth = 8 * 2 * 3.75 - 5 * 2 * 4.0
    held = np.mean([each.low <= truth <= each.high for each in found])
    narrow = np.mean([abs(each.mean - truth) <= 0.7 * (each.high - each.mean) for each in found])
    four_errors = 4 * np.sqrt(0.95 * 0.05 / 300)
    assert abs(held - 0.95) < four_errors
    assert abs(narrow - 0.95) > four_errors  # the twin: intervals that are too narrow


def test_the_stated_number_of_replications_tells_the_difference_in_most_repeats() -> None:
    random = np.random.default_rng(1)
    stated = []
    for _ in range(200):
        found = difference(np.zeros(50), random.normal(0.2, 1.0, 50), np.arange(50))
        stated.append(found.needed or 50)
    needed = int(np.median(stated))
    told = [
        difference(np.zeros(needed), random.normal(0.2, 1.0, needed), np.arange(needed)).is_significant
        for _ in range(400)
    ]
    assert 0.6 < np.mean(told) < 0.99


def test_a_difference_in_fewer_than_six_worlds_is_not_told() -> None:
    second = np.zeros(1000)
    second[:5] = 100.0
    assert not difference(np.zeros(1000), second, np.arange(1000)).is_significant
    second[:8] = 100.0
    assert difference(np.zeros(1000), second, np.arange(1000)).is_significant


def test_replications_in_the_same_world_are_not_counted_as_independent() -> None:
    worlds = np.repeat(np.arange(20), 10)
    values = np.random.default_rng(3).normal(size=20)[worlds]
    together = difference(np.zeros(200), values, worlds)
    alone = difference(np.zeros(20), values[::10], np.arange(20))
    assert together.high - together.low == pytest.approx(alone.high - alone.low)


def test_best_buys_add_up_ties_are_shared_and_nothing_is_best_where_results_are_worth_nothing() -> None:
    spends, results = (
        [np.array([10.0, 20.0]), np.array([10.0, 20.0])],
        [np.array([1.0, 0.0]), np.array([1.0, 0.0])],
    )
    curves = acceptability(["a", "b"], spends, results, np.array([0.0, 15.0, 100.0]), np.arange(2))
    assert np.allclose(curves.probabilities.sum(axis=1), 1.0)
    assert np.allclose(curves.probabilities[:, 0], curves.probabilities[:, 1])
    assert curves.probabilities[0, 2] == 1.0
    assert np.allclose(curves.expected_usd[2], [100 * 0.5 - 15, 100 * 0.5 - 15, 0])
    assert curves.best == ["do nothing", "do nothing", "a and b"]


def test_one_file_with_choices_makes_every_combination(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(RESEARCH)
    made = alternatives([Source.of(path)], [parse_changes("agents=2,3"), parse_changes("hours=6,12")])
    assert [each.name for each in made] == [
        "agents=2 hours=6",
        "agents=2 hours=12",
        "agents=3 hours=6",
        "agents=3 hours=12",
    ]
    assert [each.name for each in alternatives([Source.of(path)], [parse_changes("agents=2")])] == [
        "as it stands",
        "agents=2",
    ]


def test_figures_of_alternatives_are_those_of_their_own_projections() -> None:
    comparison: Comparison = compare(of(RESEARCH, "agents=2"), Sample(40))
    content = comparison.as_json()
    for described, projection in zip(content["alternatives"], comparison.projections, strict=True):
        assert described["spend_usd"] == projection.as_json()["spend_usd"]
        assert described["research"] == projection.as_json()["research"]
    means = [described["spend_usd"]["mean"] for described in content["alternatives"]]
    assert content["against_first"][0]["differences"]["spend_usd"]["mean"] == pytest.approx(
        means[1] - means[0]
    )
