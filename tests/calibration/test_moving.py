"""A quantity that moves along a run: what comes next is held as promised, and chance alone moves nothing."""

import numpy as np
import pytest

from simbudget.calibration.posteriors.moving import Move, move_of
from simbudget.distributions.posteriors import Posterior

CONTEXTS = 16
SCATTER = 0.1


def halves_and_next(rng: np.random.Generator, step: float) -> tuple[list[np.ndarray], float]:
    """Return contexts whose level moves once in the middle, and the level after a further step."""
    levels = np.cumsum(rng.normal(0.0, step, 3))
    values = np.exp(np.repeat(levels[:2], CONTEXTS // 2) + SCATTER * rng.standard_normal(CONTEXTS))
    return [np.array([value]) for value in values], float(levels[2])


def without(move: Move) -> Move:
    """Return the wrong twin, which knows of no move."""
    return Move(move.halves, 0.0, 0.0)


def held(step: float, twin: bool = False, tries: int = 1500) -> float:
    """Return how often the 80 % interval of the level to come holds the truth, where a move is found."""
    rng = np.random.default_rng(4)
    hits = []
    for _ in range(tries):
        contexts, truth = halves_and_next(rng, step)
        move = move_of(contexts, [0] * CONTEXTS)
        if move is None:
            continue
        logs = np.log(np.concatenate(contexts))
        location = logs.mean() + logs.std(ddof=1) / 4 * rng.standard_normal(400)
        known = Posterior(np.column_stack([location, np.full(400, SCATTER), np.zeros(400)]))
        draws = (without(move) if twin else move).applied(known, rng).draws[:, 0]
        low, high = np.quantile(draws, (0.1, 0.9))
        hits.append(low <= truth <= high)
    assert len(hits) > tries / 3
    return float(np.mean(hits))


def test_a_level_that_walks_is_held_where_it_goes_next() -> None:
    # Only moves beyond chance count, which are the larger ones: the interval is somewhat too wide, never too narrow.
    assert 0.77 < held(step=0.2) < 0.93


def test_without_the_move_the_interval_is_too_narrow() -> None:
    assert held(step=0.2, twin=True) < 0.4


def test_chance_alone_seldom_moves_anything() -> None:
    rng = np.random.default_rng(5)
    found = [move_of(halves_and_next(rng, 0.0)[0], [0] * CONTEXTS) is not None for _ in range(2000)]
    assert np.mean(found) < 0.04


def test_few_contexts_or_many_runs_of_one_context_tell_of_no_move() -> None:
    values = [np.array([1.0])] * 3 + [np.array([3.0])] * 3
    assert move_of(values, [0] * 6) is None
    assert move_of(values * 4, list(range(24))) is None


def test_a_move_is_the_same_in_each_run_whatever_its_level() -> None:
    rng = np.random.default_rng(6)
    run = [np.array([value]) for value in np.exp(0.02 * rng.standard_normal(12)) * np.repeat([1.0, 1.5], 6)]
    both = move_of(run + [10.0 * value for value in run], [0] * 12 + [1] * 12)
    assert both is not None
    assert both.halves == pytest.approx(np.log(1.5), abs=0.03)
    assert 0 < both.shift < both.halves / 2 + 1e-9
