"""Bayesian update of the priors of `research` by the evidence in a scenario.

Counts of trials update a beta prior by the beta-binomial rule: they are added to its two parameters. Any other prior is
represented by its values at equal steps of probability, weighted by the likelihood of the observation (importance
weights). Reviews update three probabilities together (of hacks, of catching them, and of blaming honest work), of which
the marginal distributions are kept; gates update two, see `gate_evidence`. A sequence of scores updates `refines`.
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
from simbudget.engine.lowering.gate_evidence import after_gates, quantiles
from simbudget.scenario.language.quantities import Kind, Quantity
from simbudget.scenario.language.reading import Provenance
from simbudget.scenario.research import REVIEW
from simbudget.scenario.scenario import Counts, Evidence, Research, Scenario

Floats = npt.NDArray[np.float64]

_GRID: Final = 201
"""Values that represent a prior: half a percent of probability each, finer than priors are known. Odd, so that one is
the median."""
_REVIEW_GRID: Final = 61
"""Fewer values, since three probabilities are updated together."""
_SURPRISING: Final = 3.0
"""Standard deviations from the expected count."""
_NEGLIGIBLE: Final = 1e-12
"""Values of less weight, relative to the heaviest, are left out: together they are below any Monte-Carlo error."""


Found = dict[str, tuple[Quantity, str]]
"""By key of `research`: the updated quantity, and a description of the evidence."""


@dataclass(frozen=True)
class Weighed:
    """A scenario updated by its evidence."""

    scenario: Scenario
    rows: tuple[Provenance, ...] = ()
    """The provenance of each updated quantity."""


@functools.lru_cache(
    maxsize=256
)  # plans look at one scenario again and again, a tenth of a second with gates
def weigh(scenario: Scenario) -> Weighed:
    """Return a scenario with the priors of `research` updated by its evidence; unchanged without evidence.

    Args:
        scenario: the scenario.
    """
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
    # Each kind of evidence is weighed with what the ones before it have left.
    research = _with(research, found, rows)
    if REVIEW in evidence.counts:
        research = _with(research, _from_reviews(research, evidence.counts[REVIEW]), rows)
    if evidence.gates:
        research = _with(research, _from_gates(research, scenario, evidence), rows)
    if len(evidence.scores) > 1:
        research = _with(research, _from_scores(research, evidence.scores, noise), rows)
    return Weighed(scenario.filled(research=research), tuple(rows.values()))


def understood(provenance: Iterable[Provenance], scenario: Scenario) -> tuple[Provenance, ...]:
    """Return the provenance of a scenario's quantities, with updated quantities in place of priors.

    Args:
        provenance: what the scenario says of its quantities.
        scenario: the scenario, evidence included.
    """
    after = {row.name: row for row in weigh(scenario).rows}
    rows = [after.pop(row.name, row) for row in provenance]
    return (*rows, *after.values())


def _with(research: Research, found: Found, rows: dict[str, Provenance]) -> Research:
    """Return research with updated quantities, and add their provenance to `rows`."""
    for quantity, why in found.values():
        rows[quantity.name] = Provenance(quantity.name, quantity.text, Kind.UNKNOWN, f"evidence: {why}")
    return research.filled(**{key: quantity for key, (quantity, _) in found.items()})


def _after(prior: Quantity, counts: Counts, part: float) -> Distribution:
    """Return a probability updated by counts of trials, each of which succeeds with `part` times the probability."""
    if prior.distribution.family == "beta" and part == 1.0 and prior.posterior is None:
        parameters = prior.distribution.parameters()
        weight = parameters["weight"] + counts.trials
        return beta((parameters["mean"] * parameters["weight"] + counts.hits) / weight, weight=weight)
    points = _points(prior)
    return _weighted(points, _binomial(counts.hits, counts.trials, part * points))


def _narrowed(prior: Quantity, distribution: Distribution) -> Quantity:
    """Return an updated quantity, with a text that also states the prior."""
    low, high = distribution.quantile(0.1), distribution.quantile(0.9)
    text = f"{low:.3g} to {high:.3g} (was {prior.text})"
    return replace(prior, distribution=distribution, text=text, posterior=None)


def _points(prior: Quantity, count: int = _GRID) -> Floats:
    """Return the [count] values of a prior at the middles of equal steps of probability, cut to 0 to 1."""
    return np.clip(quantiles(prior, count), 0.0, 1.0)


def _weighted(points: Floats, log_weights: Floats) -> Distribution:
    """Return the discrete distribution of [points] with these log weights; equal values are merged."""
    values, members = np.unique(points, return_inverse=True)
    weights = np.bincount(members, np.exp(log_weights - log_weights.max()))
    kept = weights > _NEGLIGIBLE * weights.max()
    return discrete(values[kept].tolist(), weights[kept].tolist())


def _binomial(hits: int, trials: int, chance: Floats) -> Floats:
    chance = np.clip(chance, 1e-9, 1 - 1e-9)
    return np.asarray(hits * np.log(chance) + (trials - hits) * np.log1p(-chance), dtype=np.float64)


def _from_reviews(research: Research, counts: Counts) -> Found:
    """Return `hacks`, `caught` and `blames` updated by the number of reviewed submissions that were blamed.

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
    """Return joint draws of `transfers` and `real_share` updated by the number of finalists that passed each gate."""
    found = after_gates(scenario.filled(research=research), evidence.gates)
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
    """Return a remark on counts that are improbable even in the updated model; empty otherwise."""
    spread = np.sqrt(max(counts.trials * expected * (1.0 - expected), 1e-9))
    if abs(counts.hits - counts.trials * expected) <= _SURPRISING * spread:
        return ""
    return f" (and the model still expects {counts.trials * expected:.3g}: look at `keeps` and `smallest_effect`)"


def _from_scores(research: Research, scores: tuple[float, ...], noise: float) -> Found:
    """Return `refines` updated by a history of scores: how often the best rose by more than noise explains."""
    prior = research.refines
    if prior.kind is not Kind.UNKNOWN:
        return {}
    best = np.maximum.accumulate(scores)
    risen = int((np.diff(best) > 2.0 * noise).sum())
    tries = 1.0 - research.explores.distribution.mean()
    why = f"the best of {len(scores)} scores rose {risen} times"
    return {"refines": (_narrowed(prior, _after(prior, Counts(risen, len(scores) - 1), tries)), why)}
