"""Kept results thin out as campaigns show: records as 1/n, refinement at a constant rate."""

import numpy as np

from simbudget.calibration.thinning import kept_later, thinning_exponent, thinning_exponents


def records(count: int, rng: np.random.Generator) -> np.ndarray:
    scores = rng.random(count)
    return scores >= np.maximum.accumulate(scores)


def test_records_thin_out_with_exponent_one() -> None:
    rng = np.random.default_rng(1)
    found = np.mean([thinning_exponent(records(2000, rng)) for _ in range(60)])
    assert 0.9 < found < 1.15


def test_a_constant_rate_does_not_thin_out() -> None:
    rng = np.random.default_rng(2)
    assert np.mean([thinning_exponent(rng.random(1000) < 0.2) for _ in range(30)]) < 0.08


def test_records_to_come_are_covered_where_a_straight_line_is_far_too_high() -> None:
    rng = np.random.default_rng(3)
    others = [records(500, rng) for _ in range(20)]
    inside, line = [], []
    for _ in range(100):
        kept = records(500, rng)
        exponents = thinning_exponents(others, 200, rng)
        sample = kept_later(kept[:100], exponents, np.full(200, 400.0), rng)
        truth = kept[100:].sum()
        inside.append(np.quantile(sample, 0.1) <= truth <= np.quantile(sample, 0.9))
        line.append(kept[:100].sum() * 4 - truth)
    assert np.mean(inside) > 0.75
    assert np.median(line) > 10
