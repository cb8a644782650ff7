"""The update of `transfers` and `real_share` by gates, from the probability that finalists pass them.

Both probabilities are drawn from their priors, with finalists of searches without a clock (`finalists`); each draw is
weighted by the likelihood of the counts. A method's core, its first quality and the quality added by refinements are
the same at every gate, so that trials of one method at several gates are not independent; and runs of one world share
its other unknowns. The number of passes among methods with different probabilities follows Poisson's binomial
distribution, computed by its recursion (Y. H. Wang, Statistica Sinica 3 (1993), 295-312).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.engine.laws.gates import powers
from simbudget.engine.lowering.finalists import Finalists, finalists_of
from simbudget.scenario.language.quantities import Quantity
from simbudget.scenario.scenario import Counts, Gate, Scenario, gate_names

Floats = npt.NDArray[np.float64]

_DRAWS: Final = 20_000
"""Sixty trials that the prior expects leave some five hundred of them with weight (Kish's effective number)."""
_ROWS: Final = 500
"""Number of joint draws kept, the same as in a calibration."""
_STRIPS: Final = 20
"""About the square root of `_ROWS`: the draws kept are then spread as evenly over one value as over the other."""
_WORLDS: Final = 400
"""Their Monte-Carlo error is then small beside that of the counts; a search takes a tenth of a millisecond."""
_RUNS_EACH: Final = 4
"""With three finalists or so, a world has about a dozen methods to draw from."""
_MOST_TRIALS: Final = 60
"""More trials at a gate count as this number with the same rate of success, since finalists are known no better."""
_LEAST_EFFECTIVE: Final = 100.0
"""Minimum effective number of draws; counts that would leave fewer are weighted less."""
_LESS: Final = 0.8
"""Factor on the log-likelihood until enough draws have weight (a power posterior)."""
_TABLE: Final = 500
"""Equal steps of probability of a prior; a divisor of `_DRAWS`, so that each step has as many draws."""


@dataclass(frozen=True, eq=False)
class AfterGates:
    """The updated probabilities: [draws] of both, jointly drawn."""

    transfers: Floats
    real_share: Floats
    expected: Mapping[str, float]
    """By gate, the share of its trials that is expected to pass."""


def after_gates(scenario: Scenario, counts: Mapping[str, Counts]) -> AfterGates:
    """Return `transfers` and `real_share` updated by counts of finalists that passed gates.

    Args:
        scenario: the priors in its research, its fleet, review and gates.
        counts: passes and trials by the names of gates.
    """
    rng, research = np.random.default_rng(0), scenario.research
    assert research is not None
    finalists = finalists_of(scenario, _WORLDS, _RUNS_EACH)
    prior = {key: _prior(getattr(research, key), rng) for key in ("transfers", "real_share")}
    tried = {name: _at_most(of) for name, of in counts.items()}
    most = max((of.trials for of in tried.values()), default=1) or 1
    first, refined, is_hack = _methods(finalists, most, rng)
    # Each method's coin is thrown anew: in the searches nothing depended on it.
    has_core = rng.random(first.shape) < prior["transfers"][:, None]
    share = prior["real_share"][:, None]
    is_real = rng.random(first.shape) < share if research.unit == "improvement" else share
    real = np.where(is_hack, 0.0, has_core * first + is_real * refined)
    log_weights, passes = np.zeros(_DRAWS), {}
    before: Floats | None = None
    for name, gate in zip(gate_names(scenario.gates), scenario.gates, strict=True):
        chance = _passes(gate, real, rng)
        if name in tried:
            passes[name] = _of_those(chance, before if gate.tries == "passed" else None, tried[name], rng)
            log_weights += _log_chance(tried[name].hits, passes[name])
        before = chance if before is None else before * chance
    weights = _weights(log_weights)
    kept = _systematic(weights, prior["transfers"], prior["real_share"], rng)
    expected = {name: float(weights @ of.mean(axis=1)) if of.size else 0.0 for name, of in passes.items()}
    return AfterGates(prior["transfers"][kept], prior["real_share"][kept], expected)


def quantiles(quantity: Quantity, count: int) -> Floats:
    """Return the [count] quantiles at the middles of equal steps of probability; those of its draws, if calibrated.

    Args:
        quantity: the quantity.
        count: number of quantiles.
    """
    if quantity.posterior is not None and quantity.posterior.is_fact:
        middles = (np.arange(count) + 0.5) / count
        return np.asarray(np.quantile(quantity.posterior.draws[:, 0], middles))
    return np.array([quantity.distribution.quantile((k + 0.5) / count) for k in range(count)])


def _prior(quantity: Quantity, rng: np.random.Generator) -> Floats:
    """Return draws of a probability in equal parts of its prior, in a random order."""
    table = np.clip(quantiles(quantity, _TABLE), quantity.low, quantity.high)
    return np.asarray(np.repeat(table, _DRAWS // _TABLE)[rng.permutation(_DRAWS)])


def _at_most(counts: Counts) -> Counts:
    """Return counts of no more than `_MOST_TRIALS`."""
    if counts.trials <= _MOST_TRIALS:
        return counts
    return Counts(round(counts.hits * _MOST_TRIALS / counts.trials), _MOST_TRIALS)


def _methods(
    finalists: Finalists, count: int, rng: np.random.Generator
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Return [draws, count] finalists of one world each: first quality, what refining added, whether it is a hack."""
    if not len(finalists.counts):  # every submission is struck
        nothing = np.zeros((_DRAWS, count))
        return nothing, nothing, nothing > 0
    world = rng.integers(len(finalists.counts), size=_DRAWS)
    within = rng.random((_DRAWS, count)) * finalists.counts[world][:, None]
    at = finalists.begins[world][:, None] + within.astype(np.int64)
    return finalists.first[at], finalists.refined[at], finalists.is_hack[at]


def _passes(gate: Gate, real: Floats, rng: np.random.Generator) -> Floats:
    """Return [draws, methods] how likely a gate passes methods of these real effects."""
    keeps = np.clip(quantiles(gate.keeps, _TABLE), gate.keeps.low, gate.keeps.high)
    effect = keeps[rng.integers(_TABLE, size=real.shape)] * real
    smallest, noise = gate.smallest_effect.distribution.mean(), gate.noise.distribution.mean()
    chances = np.empty_like(effect)
    powers(effect, smallest, noise, chances)
    return chances


def _of_those(chance: Floats, before: Floats | None, counts: Counts, rng: np.random.Generator) -> Floats:
    """Return the [draws, trials] chances of the methods tried, drawn from all or from those that passed before."""
    if before is None:
        return chance[:, : counts.trials]
    # Gumbel noise picks methods with the probabilities `before`, without replacement.
    drawn = np.log(np.maximum(before, 1e-12)) + rng.gumbel(size=before.shape)
    order = np.argsort(-drawn, axis=1)[:, : counts.trials]
    return np.take_along_axis(chance, order, axis=1)


def _log_chance(hits: int, chance: Floats) -> Floats:
    """Return the [draws] log-probabilities of exactly `hits` passes, given [draws, trials] chances of each trial."""
    at = np.zeros((len(chance), hits + 1))
    at[:, 0] = 1.0
    for passes in chance.T:
        at[:, 1:] = at[:, 1:] * (1.0 - passes[:, None]) + at[:, :-1] * passes[:, None]
        at[:, 0] *= 1.0 - passes
    return np.asarray(np.log(np.maximum(at[:, hits], 1e-300)))


def _weights(log_weights: Floats) -> Floats:
    """Return weights that add up to 1, of draws that are many enough."""
    while True:
        weights = np.exp(log_weights - log_weights.max())
        weights /= weights.sum()
        if 1.0 / float((weights**2).sum()) >= _LEAST_EFFECTIVE:
            return np.asarray(weights)
        log_weights = _LESS * log_weights


def _systematic(
    weights: Floats, first: Floats, second: Floats, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return which draws are kept, in a random order: at equal steps of weight on a way through both values.

    The way goes up and down the second value, in strips of the first that have equal weights.
    """
    along = np.argsort(first, kind="stable")
    strip = np.empty(len(weights), dtype=np.int64)
    strip[along] = np.minimum(np.cumsum(weights[along]) * _STRIPS, _STRIPS - 1).astype(np.int64)
    order = np.lexsort((np.where(strip % 2, -second, second), strip))
    steps = (np.arange(_ROWS) + 0.5) / _ROWS
    at = np.minimum(np.searchsorted(np.cumsum(weights[order]), steps), len(order) - 1)
    return np.asarray(rng.permutation(order[at]))
