"""Draws: streams are Philox, and every family's draws are its quantiles."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simbudget.distributions import families
from simbudget.distributions.base import Distribution
from simbudget.distributions.sampling import normal_score, quantile
from simbudget.engine.streams import agent_key, named_purpose, philox, uniforms

UNIFORMS = [1e-12, 1e-6, 0.001, 0.1, 0.25, 0.5, 0.77, 0.9, 0.999, 1 - 1e-9]

CASES: list[tuple[Distribution, object]] = [
    (
        families.lognormal(20, 60),
        stats.lognorm(math.log(3) / (2 * 1.2815515655446004), scale=math.sqrt(1200)),
    ),
    (families.normal(-1, 3), stats.norm(1, 2 / 1.2815515655446004)),
    (families.uniform(2, 5), stats.uniform(2, 3)),
    (families.triangular(0, 1, 4), stats.triang(0.25, 0, 4)),
    (families.gamma(3, 1), stats.expon(scale=3)),
    (families.gamma(5, 0.5), stats.gamma(4, scale=1.25)),
    (families.gamma(5, 2), stats.gamma(0.25, scale=20)),
    (families.beta(0.3, weight=10), stats.beta(3, 7)),
    (families.beta(0.99, weight=2), stats.beta(1.98, 0.02)),
]


def draw(distribution: Distribution, u: float) -> float:
    table: list[float] = []
    row = distribution.row(table)
    return quantile(*row, np.array(table or [0.0]), u)


@given(*[st.integers(0, 2**63 - 1)] * 6)
def test_words_are_those_of_numpys_philox(
    seed: int, world: int, replication: int, agent: int, purpose: int, index: int
) -> None:
    counter = index | purpose << 64 | agent << 128 | replication << 192
    generator = np.random.Philox(counter=(counter - 1) % 2**256, key=seed | world << 64)
    assert philox(seed, world, replication, agent, purpose, index) == tuple(generator.random_raw(4))


def test_uniforms_are_uniform_and_lanes_do_not_depend_on_each_other() -> None:
    draws = np.array([uniforms(1, 2, 3, 4, 5, index) for index in range(20_000)])
    assert 0 < draws.min() < draws.max() < 1
    for lane in draws.T:
        assert stats.kstest(lane, "uniform").pvalue > 1e-4
    correlations = np.corrcoef(draws.T)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < 4 / math.sqrt(len(draws))


def test_names_give_the_same_streams_on_every_machine() -> None:
    assert named_purpose("turn.output_tokens") == 5131485271679387244
    assert agent_key("researchers", 1) - agent_key("researchers", 0) == 1


@pytest.mark.parametrize(("distribution", "theirs"), CASES)
def test_draws_are_the_quantiles_that_scipy_gives(distribution: Distribution, theirs: object) -> None:
    for u in UNIFORMS:
        expected = theirs.ppf(u)  # type: ignore[attr-defined]
        assert draw(distribution, u) == pytest.approx(expected, rel=2e-6, abs=1e-290)
        assert distribution.quantile(u) == pytest.approx(expected, rel=1e-9, abs=1e-290)
    assert distribution.mean() == pytest.approx(theirs.mean())  # type: ignore[attr-defined]


@pytest.mark.parametrize(("distribution", "theirs"), CASES)
@given(pair=st.tuples(st.floats(1e-9, 1 - 1e-9), st.floats(1e-9, 1 - 1e-9)))
def test_a_draw_grows_with_its_uniform(
    distribution: Distribution, theirs: object, pair: tuple[float, float]
) -> None:
    low, high = sorted(pair)
    lower, higher = draw(distribution, low), draw(distribution, high)
    assert lower <= higher + 1e-12 * (1 + abs(higher))


def test_normal_scores_are_scipys() -> None:
    for u in [*UNIFORMS, 2**-54, 1e-300]:
        assert normal_score(u) == pytest.approx(stats.norm.ppf(u), rel=1e-14, abs=1e-15)


def test_a_lognormal_range_has_its_ends_at_p10_and_p90() -> None:
    assert draw(families.lognormal(20, 60), 0.1) == pytest.approx(20)
    assert draw(families.lognormal(20, 60), 0.9) == pytest.approx(60)
    assert draw(families.lognormal_median(30, 2), 0.9) == pytest.approx(60)
    assert families.beta(0.3, p10=0.1).quantile(0.1) == pytest.approx(0.1)


def test_steps_are_drawn_with_their_weights() -> None:
    discrete = families.discrete([3, 1, 2], [1, 0, 3])
    assert [draw(discrete, u) for u in (0.01, 0.74, 0.76, 0.99)] == [2, 2, 3, 3]
    assert [draw(families.empirical([5, 1]), u) for u in (0.49, 0.51)] == [1, 5]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: families.lognormal(0, 1),
        lambda: families.lognormal(2, 1),
        lambda: families.normal(math.nan, 1),
        lambda: families.triangular(0, 5, 1),
        lambda: families.gamma(1, 0),
        lambda: families.beta(1.5, weight=2),
        lambda: families.beta(0.5),
        lambda: families.beta(0.5, p10=0.4999999),
        lambda: families.discrete([], []),
        lambda: families.discrete([1], [-1]),
        lambda: families.empirical([math.inf]),
    ],
)
def test_parameters_that_make_no_sense_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"\w+: "):
        wrong()  # type: ignore[operator]
