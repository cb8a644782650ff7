"""What many replications say together, without keeping them."""

import tracemalloc

import numpy as np
import pytest

from simbudget.engine.totals import totals
from simbudget.projection.aggregate import ERRORS_FROM, KEPT
from simbudget.projection.statistics import ACCURACY, STATISTICS, Sketches, statistics
from tests.scale.synthetic import BUDGET_USD, PROGRAM, aggregate, in_blocks, replications

MANY = KEPT + 5_500
_PROJECTIONS = 80


def test_figures_are_the_same_to_the_last_bit_whatever_blocks_they_come_in() -> None:
    block = replications(MANY)
    one, other = (aggregate(in_blocks(block, *sizes)) for sizes in ((MANY,), (1, 250, 3, 999, 1, 4000)))
    for mine, its in (
        (one.statistics(), other.statistics()),
        (one.statistics("spend_usd"), other.statistics("spend_usd")),
    ):
        assert mine.values.tobytes() == its.values.tobytes()
        assert mine.errors.tobytes() == its.errors.tobytes()
        assert mine.within_budget == its.within_budget
    assert one.frame().equals(other.frame())
    assert one.kept().spend_by_time_usd.tobytes() == other.kept().spend_by_time_usd.tobytes()


def test_figures_are_exact_as_long_as_every_replication_is_kept() -> None:
    block = replications(KEPT)
    whole = aggregate(in_blocks(block, 256))
    values = np.column_stack(list(totals(PROGRAM, block.sums).values()))
    assert np.array_equal(whole.statistics().values[:, : values.shape[1]], statistics(values), equal_nan=True)


def test_beyond_what_is_kept_means_are_exact_and_quantiles_within_the_stated_part() -> None:
    block = replications(MANY)
    whole = aggregate(in_blocks(block, 256))
    exact = {
        name: statistics(column[:, np.newaxis])[:, 0] for name, column in totals(PROGRAM, block.sums).items()
    }
    figures = whole.statistics()
    assert len(whole.frame()) == KEPT
    for column, wanted in exact.items():
        found = [figures.value(column, statistic) for statistic in STATISTICS]
        assert found[0] == pytest.approx(wanted[0], rel=1e-12, nan_ok=True), column
        assert found[1:] == pytest.approx(wanted[1:], rel=1.2 * ACCURACY, nan_ok=True), column
    assert figures.within_budget == (block.sums[:, 0] <= BUDGET_USD).mean()


def _worst_part(values: np.ndarray, sketches: Sketches) -> float:
    """Return by which part of itself a quantile is off at most."""
    sketches.add(values)
    parts = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)
    exact = np.quantile(values, parts, axis=0, method="lower")
    return float(np.abs(sketches.quantiles(parts) / exact - 1.0).max())


@pytest.mark.parametrize("seed", range(3))
def test_a_sketch_keeps_its_word_for_any_distribution_and_a_coarser_one_does_not(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(seed)
    stopped = np.minimum(random.lognormal(9, 0.5, 20_000), 9000.0)
    values = np.column_stack([stopped, random.pareto(1.5, 20_000) + 1e-9, -random.lognormal(0, 4, 20_000)])
    assert _worst_part(values, Sketches(3)) <= ACCURACY * (1 + 1e-9)
    monkeypatch.setattr("simbudget.projection.statistics.ACCURACY", 10 * ACCURACY)
    assert _worst_part(values, Sketches(3)) > ACCURACY


def test_constants_and_zeros_are_exact_in_a_sketch() -> None:
    sketches = Sketches(2)
    sketches.add(np.column_stack([np.full(100, 120.0), np.zeros(100)]))
    assert sketches.quantiles((0.1, 0.9)).tolist() == [[120.0, 0.0], [120.0, 0.0]]


def _z_of_errors(worlds: int, *factors: float) -> list[float]:
    """Return how the true spread of means over projections compares with factors of their stated errors, as z."""
    figures = [
        aggregate(in_blocks(replications(4 * ERRORS_FROM, seed, worlds), 1000)).statistics("spend_usd")
        for seed in range(_PROJECTIONS)
    ]
    spread = np.std([each.value("spend_usd") for each in figures], ddof=1)
    stated = np.mean([each.errors[0, 0] for each in figures])
    return [
        float((spread / (factor * stated) - 1.0) * np.sqrt(2.0 * (_PROJECTIONS - 1))) for factor in factors
    ]


def test_monte_carlo_errors_beyond_those_they_are_taken_from_are_as_large_as_stated() -> None:
    """Error rate of |z| < 4: below 1 in 10,000. The wrong twin does not make the errors smaller."""
    right, wrong = _z_of_errors(1 << 62, 1.0, 2.0)
    assert abs(right) < 4.0 < abs(wrong)


def test_where_replications_share_worlds_errors_count_worlds() -> None:
    """Error rate of |z| < 4: below 1 in 10,000. The wrong twin counts replications."""
    right, wrong = _z_of_errors(50, 1.0, 0.5)
    assert abs(right) < 4.0 < abs(wrong)


def _peak_bytes(count: int) -> int:
    tracemalloc.start()
    aggregate(replications(250, seed) for seed in range(count // 250)).statistics()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_three_times_as_many_replications_need_no_more_memory() -> None:
    once, thrice = _peak_bytes(KEPT + 2_000), _peak_bytes(3 * KEPT + 6_000)
    assert thrice - once < 2_000_000
    assert thrice < 60_000_000
