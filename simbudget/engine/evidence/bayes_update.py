"""Bayes' rule for what a scenario's evidence says of the priors of `research`.

Counts of a probability's own trials narrow a beta prior by the beta-binomial rule, the counts added to its two
parameters. Any other prior is held by its values at equal steps of probability, and these are weighted by how likely
they make what was observed (importance weights). Reviews speak of three probabilities at once, how often there are
hacks, are caught, and honest work is blamed, of which the margins are kept; gates of two, see `gates`.
Scores in their order narrow `refines`.
(A. Gelman et al., "Bayesian Data Analysis", 3rd ed. 2013, sections 2.4, 3.7 and 10.4.)
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.distributions.families import Distribution, beta, discrete, empirical
from simbudget.distributions.posteriors import Posterior
from simbudget.engine.evidence.drawing import quantiles
from simbudget.engine.evidence.gates import after_gates
from simbudget.scenario.model import Counts, Evidence, Research, Scenario
from simbudget.scenario.quantities import Kind, Quantity
from simbudget.scenario.reading import Provenance
from simbudget.scenario.research import REVIEW

Floats = npt.NDArray[np.float64]

_GRID: Final = 201
_REVIEW_GRID: Final = 61
"""Three probabilities at once: fewer values each."""
_SURPRISING: Final = 3.0
"""Standard deviations from what is expected."""
_NEGLIGIBLE: Final = 1e-12


Found = dict[str, tuple[Quantity, str]]
"""By key of `research`: what it is after the evidence, and what that evidence was."""


@dataclass(frozen=True)
class Weighed:
    """A scenario after its evidence."""

    scenario: Scenario
    rows: tuple[Provenance, ...] = ()
    """What became of each quantity that the evidence speaks of."""


@functools.lru_cache(
    maxsize=256
)  # with gates it takes seconds, and plans look at one scenario again and again
def weigh(scenario: Scenario) -> Weighed:
    """Return a scenario whose `research` is what its evidence makes of it; the same one without evidence."""
    evidence, research = scenario.evidence, scenario.research
    if evidence is None or research is None:
        return Weighed(scenario)
    noise = scenario.scorer.noise.distribution.mean()
    rows: dict[str, Provenance] = {}
    counts = {key: counts for key, counts in evidence.counts.items() if key != REVIEW}
    found: Found = {}
    for key, of_trials in counts.items():
        prior = getattr(research, key)
        if prior.kind is Kind.UNKNOWN:
            found[key] = _narrowed(prior, _after(prior, of_trials, 1.0)), str(of_trials)
    research = _with(research, found, rows)
    if REVIEW in evidence.counts:
        research = _with(research, _from_reviews(research, evidence.counts[REVIEW]), rows)
    if evidence.gates:
        research = _with(research, _from_gates(research, scenario, evidence), rows)
    if len(evidence.scores) > 1:
        research = _with(research, _from_scores(research, evidence.scores, noise), rows)
    return Weighed(scenario.filled(research=research), tuple(rows.values()))


def understood(provenance: Iterable[Provenance], scenario: Scenario) -> tuple[Provenance, ...]:
    """Return what was understood of a scenario, with what its evidence makes of it in the place of the priors."""
    after = {row.name: row for row in weigh(scenario).rows}
    rows = [after.pop(row.name, row) for row in provenance]
    return (*rows, *after.values())


def _with(research: Research, found: Found, rows: dict[str, Provenance]) -> Research:
    """Return research with what evidence makes of some of it; add to `rows` what that was."""
    for quantity, why in found.values():
        rows[quantity.name] = Provenance(quantity.name, quantity.text, Kind.UNKNOWN, f"evidence: {why}")
    return research.filled(**{key: quantity for key, (quantity, _) in found.items()})


def _after(prior: Quantity, counts: Counts, part: float) -> Distribution:
    """Return a probability after so many of so many trials, each of which succeeds with a part of it."""
    if prior.distribution.family == "beta" and part == 1.0 and prior.posterior is None:
        parameters = prior.distribution.parameters()
        weight = parameters["weight"] + counts.trials
        return beta((parameters["mean"] * parameters["weight"] + counts.hits) / weight, weight=weight)
    points = _points(prior)
    return _weighted(points, _binomial(counts.hits, counts.trials, part * points))


def _narrowed(prior: Quantity, distribution: Distribution) -> Quantity:
    """Return a quantity after evidence, with a text that says what it was before."""
    low, high = distribution.quantile(0.1), distribution.quantile(0.9)
    text = f"{low:.3g} to {high:.3g} (was {prior.text})"
    return replace(prior, distribution=distribution, text=text, posterior=None)


def _points(prior: Quantity, count: int = _GRID) -> Floats:
    """Return the values of a prior at the middles of equal shares of probability, as probabilities are drawn."""
    return np.clip(quantiles(prior, count), 0.0, 1.0)


def _weighted(points: Floats, log_weights: Floats) -> Distribution:
    """Return the distribution over a few values with these weights; equal values are one."""
    values, members = np.unique(points, return_inverse=True)
    weights = np.bincount(members, np.exp(log_weights - log_weights.max()))
    kept = weights > _NEGLIGIBLE * weights.max()
    return discrete(values[kept].tolist(), weights[kept].tolist())


def _binomial(hits: int, trials: int, chance: Floats) -> Floats:
    chance = np.clip(chance, 1e-9, 1 - 1e-9)
    return np.asarray(hits * np.log(chance) + (trials - hits) * np.log1p(-chance), dtype=np.float64)


def _from_reviews(research: Research, counts: Counts) -> Found:
    """Return `hacks`, `caught` and `blames` after so many of the reviewed submissions were blamed.

    They are a sample of all: each is blamed with probability hacks · caught + (1 - hacks) · blames.
    """
    priors = {key: getattr(research, key) for key in ("hacks", "caught", "blames")}
    hacks, caught, blames = (_points(prior, _REVIEW_GRID) for prior in priors.values())
    hacks = hacks[:, None, None]
    chance = hacks * caught[:, None] + (1.0 - hacks) * blames
    log_likelihood = _binomial(counts.hits, counts.trials, chance)
    weights = np.exp(log_likelihood - log_likelihood.max())
    expected = float((weights * chance).sum() / weights.sum()) * counts.trials
    why = f"{counts} reviewed were blamed{_contradiction(counts, expected / counts.trials)}"
    return {
        key: (_narrowed(prior, _weighted(points.ravel(), np.log(weights.sum(axis=others) + 1e-300))), why)
        for (key, prior), points, others in zip(
            priors.items(), (hacks, caught, blames), ((1, 2), (0, 2), (0, 1)), strict=True
        )
        if prior.kind is Kind.UNKNOWN
    }


def _from_gates(research: Research, scenario: Scenario, evidence: Evidence) -> Found:
    """Return `transfers` and `real_share` after so many of the finalists passed each gate: joint draws of both."""
    found = after_gates(research, scenario, evidence.gates)
    why = ", ".join(
        f"{name} {counts}{_contradiction(counts, found.expected[name])}"
        for name, counts in evidence.gates.items()
    )
    narrowed_to: Found = {}
    for key, values in (("transfers", found.transfers), ("real_share", found.real_share)):
        prior = getattr(research, key)
        if prior.kind is Kind.UNKNOWN:
            quantity = _narrowed(prior, empirical(values.tolist()))
            narrowed_to[key] = replace(quantity, posterior=Posterior.of_fact(values)), why
    return narrowed_to


def _contradiction(counts: Counts, expected: float) -> str:
    """Return what to say of counts that the narrowed model would hardly give: another `keeps` might."""
    spread = np.sqrt(max(counts.trials * expected * (1.0 - expected), 1e-9))
    if abs(counts.hits - counts.trials * expected) <= _SURPRISING * spread:
        return ""
    return f" (and the model still expects {counts.trials * expected:.3g}: look at `keeps` and `smallest_effect`)"


def _from_scores(research: Research, scores: tuple[float, ...], noise: float) -> Found:
    """Return `refines` after a history of scores: how often the best rose by more than noise explains."""
    prior = research.refines
    if prior.kind is not Kind.UNKNOWN:
        return {}
    best = np.maximum.accumulate(scores)
    risen = int((np.diff(best) > 2.0 * noise).sum())
    tries = 1.0 - research.explores.distribution.mean()
    why = f"the best of {len(scores)} scores rose {risen} times"
    return {"refines": (_narrowed(prior, _after(prior, Counts(risen, len(scores) - 1), tries)), why)}
