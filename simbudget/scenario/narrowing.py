"""Narrowing: what evidence makes of the priors of `research`.

Counts of a probability's own trials narrow a beta prior by the beta-binomial rule, the counts added to its two
parameters. Any other prior is held by its values at equal steps of probability, and these are weighted by how likely
they make what was observed (importance weights). Reviews speak of three probabilities at once, how often there are
hacks, are caught, and honest work is blamed, of which the margins are kept; gates of two, see `gate_evidence`.
Scores in their order narrow `refines`.
(A. Gelman et al., "Bayesian Data Analysis", 3rd ed. 2013, sections 2.4, 3.7 and 10.4.)
"""

from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simbudget.distributions.families import Distribution, beta, discrete, empirical
from simbudget.distributions.posteriors import Posterior
from simbudget.scenario.drawing import quantiles
from simbudget.scenario.evidence import REVIEW, Counts, Evidence
from simbudget.scenario.gate_evidence import after_gates
from simbudget.scenario.model import Scenario
from simbudget.scenario.quantities import Kind, Quantity
from simbudget.scenario.reading import Provenance, Reading
from simbudget.scenario.research import Research

Floats = npt.NDArray[np.float64]

_GRID: Final = 201
_REVIEW_GRID: Final = 61
"""Three probabilities at once: fewer values each."""
_SURPRISING: Final = 3.0
"""Standard deviations from what is expected."""
_NEGLIGIBLE: Final = 1e-12


def narrowed(reading: Reading, research: Research, scenario: Scenario, evidence: Evidence) -> Research:
    """Return `research` as the scenario's evidence narrows it. Notes what became of each value."""
    noise = scenario.scorer.noise.distribution.mean()
    found: dict[str, Quantity] = {}
    for key, counts in evidence.counts.items():
        if key == REVIEW:
            continue
        prior = getattr(research, key)
        if _is_unknown(reading, prior, f"evidence.{key}"):
            found[key] = _noted(reading, prior, _after(prior, counts, 1.0), str(counts))
    research = research.model_copy(update=found)
    if REVIEW in evidence.counts:
        research = research.model_copy(update=_from_reviews(reading, research, evidence.counts[REVIEW]))
    if evidence.gates:
        research = research.model_copy(update=_from_gates(reading, research, scenario, evidence))
    if len(evidence.scores) > 1:
        research = research.model_copy(update=_from_scores(reading, research, evidence.scores, noise))
    return research


def _is_unknown(reading: Reading, quantity: Quantity, name: str) -> bool:
    """Return whether a quantity can be narrowed; note a problem if the user thinks so and it cannot."""
    if quantity.kind is not Kind.UNKNOWN and name in reading.places:
        message = f"`{quantity.name}` is {quantity.kind}, so there is nothing that evidence could narrow"
        remedy = f"write it as a range, or `{{unknown: ...}}`, and not as `{quantity.text}`"
        reading.problem(message, reading.place_of(name), remedy)
    return quantity.kind is Kind.UNKNOWN


def _after(prior: Quantity, counts: Counts, part: float) -> Distribution:
    """Return a probability after so many of so many trials, each of which succeeds with a part of it."""
    if prior.distribution.family == "beta" and part == 1.0 and prior.posterior is None:
        parameters = prior.distribution.parameters()
        weight = parameters["weight"] + counts.trials
        return beta((parameters["mean"] * parameters["weight"] + counts.hits) / weight, weight=weight)
    points = _points(prior)
    return _weighted(points, _binomial(counts.hits, counts.trials, part * points))


def _noted(reading: Reading, prior: Quantity, distribution: Distribution, why: str) -> Quantity:
    """Return a quantity after evidence, and note it in the place of what was understood before."""
    low, high = distribution.quantile(0.1), distribution.quantile(0.9)
    text = f"{low:.3g} to {high:.3g} (was {prior.text})"
    row = Provenance(prior.name, text, Kind.UNKNOWN, f"evidence: {why}")
    rows = [old for old in reading.provenance if old.name != prior.name]
    place = next((i for i, old in enumerate(reading.provenance) if old.name == prior.name), len(rows))
    reading.provenance[:] = [*rows[:place], row, *rows[place:]]
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


def _from_reviews(reading: Reading, research: Research, counts: Counts) -> dict[str, Any]:
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
        key: _noted(reading, prior, _weighted(points.ravel(), np.log(weights.sum(axis=others) + 1e-300)), why)
        for (key, prior), points, others in zip(
            priors.items(), (hacks, caught, blames), ((1, 2), (0, 2), (0, 1)), strict=True
        )
        if _is_unknown(reading, prior, key)
    }


def _from_gates(
    reading: Reading, research: Research, scenario: Scenario, evidence: Evidence
) -> dict[str, Any]:
    """Return `transfers` and `real_share` after so many of the finalists passed each gate: joint draws of both."""
    found = after_gates(research, scenario, evidence.gates)
    why = ", ".join(
        f"{name} {counts}{_contradiction(counts, found.expected[name])}"
        for name, counts in evidence.gates.items()
    )
    narrowed_to = {}
    for key, values in (("transfers", found.transfers), ("real_share", found.real_share)):
        prior = getattr(research, key)
        if _is_unknown(reading, prior, key):
            quantity = _noted(reading, prior, empirical(values.tolist()), why)
            narrowed_to[key] = replace(quantity, posterior=Posterior.of_fact(values))
    return narrowed_to


def _contradiction(counts: Counts, expected: float) -> str:
    """Return what to say of counts that the narrowed model would hardly give: another `keeps` might."""
    spread = np.sqrt(max(counts.trials * expected * (1.0 - expected), 1e-9))
    if abs(counts.hits - counts.trials * expected) <= _SURPRISING * spread:
        return ""
    return f" (and the model still expects {counts.trials * expected:.3g}: look at `keeps` and `smallest_effect`)"


def _from_scores(
    reading: Reading, research: Research, scores: tuple[float, ...], noise: float
) -> dict[str, Any]:
    """Return `refines` after a history of scores: how often the best rose by more than noise explains."""
    prior = research.refines
    if not _is_unknown(reading, prior, "evidence.scores"):
        return {}
    best = np.maximum.accumulate(scores)
    risen = int((np.diff(best) > 2.0 * noise).sum())
    tries = 1.0 - research.explores.distribution.mean()
    why = f"the best of {len(scores)} scores rose {risen} times"
    return {"refines": _noted(reading, prior, _after(prior, Counts(risen, len(scores) - 1), tries), why)}
