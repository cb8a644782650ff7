"""Research yield: inference of worlds of the `research` block from a campaign's kept results, and prediction.

Simulation-based inference (Cranmer, Brehmer and Louppe, PNAS 117 (2020), 30055) by approximate Bayesian computation
with a kernel (Wilkinson, Statistical Applications in Genetics and Molecular Biology 12 (2013), 129): thousands of
campaigns are simulated by the engine's laws (`histories`), each in a world drawn from the prior, and a world is
weighted by the similarity of its kept results to the observed ones. Counts are compared after a variance-stabilising
transform (Anscombe, Biometrika 35 (1948), 246). The prior is learnt from other campaigns: the mixing distribution over
worlds, by a few rounds of the EM algorithm (Laird, JASA 73 (1978), 805), a part of the prior staying as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.arrays import Floats, Integers
from simbudget.calibration.campaigns.beginnings import Course, thirds
from simbudget.calibration.campaigns.campaigns import Campaign
from simbudget.calibration.campaigns.histories import Histories, play_histories
from simbudget.engine.lowering import lower
from simbudget.scenario.scenario import Group, Scenario, Score, Think

_MOST_WORLDS: Final = 8000
_MOST_PLAYED: Final = 12_000_000
"""Maximum number of simulated experiments over all worlds."""
MOST_EXPERIMENTS: Final = 8000
"""Maximum number of simulated experiments per campaign; later ones are assumed to keep nothing."""
_RESEARCH: Final = {
    "explores": {"distribution": "uniform", "low": 0, "high": 0.6},
    "refines": {"distribution": "beta", "mean": 0.3, "weight": 1.3},
    "gain": {"typical": "0.002 to 0.2", "varies": "3x"},
    "first_quality": {"typical": "0.01 to 0.4", "varies": "1.5x"},
    "hacks": "0%",
}
"""Wide prior of campaigns: from keeping nearly nothing to keeping nearly everything."""
_NOISE: Final = {"unknown": "0.0001 to 0.03"}
_SEED: Final = 20_260_302
ROUNDS: Final = 3
STAYS: Final = 0.2
"""Share of the prior that stays unchanged when learning from other campaigns."""
_CONTINUITY: Final = 0.375
_SHAPE_KERNEL: Final = 0.2
_LITTLE: Final = 0.03
"""Shares of a gain are compared by their logarithms, of this much more."""
_LITTLE_GAIN: Final = 0.002
_GAIN_KERNEL: Final = 0.35
_ASSUMED_GAIN: Final = 0.35
_ASSUMED_CAMPAIGNS: Final = 4.0


@dataclass(frozen=True, eq=False)
class Seen:
    """Results kept in a campaign, or its beginning, by number of experiments."""

    experiments: Integers
    """[parts] ascending."""
    kept: Floats
    """[parts] results kept among the first `experiments`."""
    gain: Floats
    """[parts] gain of the best by then over the baseline, as a fraction of the last; NaN if unknown."""
    is_share_of_last: bool = True
    """Otherwise gains are in the unit of the bank's."""


def seen_of(begun: Campaign) -> Seen:
    """Return the results kept in the beginning of a campaign."""
    ends = np.unique(np.array([*thirds(len(begun)), len(begun)]))
    kept = begun.kept.cumsum()[ends[ends > 0] - 1].astype(np.float64)
    return Seen(ends[ends > 0], kept, np.full(len(kept), np.nan))


def seen_of_course(course: Course) -> Seen:
    """Return the results kept in a whole campaign."""
    ends = np.array([*thirds(course.experiments), course.experiments])
    kept = np.array([course.kept_third, course.kept_two_thirds, course.kept], dtype=np.float64)
    if not course.whole_gain > 0:
        return Seen(ends, kept, np.full(3, np.nan))
    gain = np.array([course.gain_third, course.gain_two_thirds, course.whole_gain])
    return Seen(ends, kept, gain / course.whole_gain)


@dataclass(frozen=True)
class GainLaw:
    """How gains go on: the logarithm of the whole over the beginning's, beyond that of the number of experiments.

    A gain in proportion to the logarithm of that number is what many campaigns show at first sight.
    """

    mean: float = 0.0
    deviation: float = _ASSUMED_GAIN

    @classmethod
    def learnt(cls, courses: Sequence[Course]) -> "GainLaw":
        """Return the law as campaigns show it; what is assumed counts as a few of them."""
        seen = np.array(
            [
                np.log(c.whole_gain / c.begun.gain) - _log_growth(c.begun.experiments, c.rest_experiments)
                for c in courses
                if c.begun.gain > 0
            ]
        )
        count = len(seen) + _ASSUMED_CAMPAIGNS
        mean = float(seen.sum() / count)
        squares = float(((seen - mean) ** 2).sum()) + _ASSUMED_CAMPAIGNS * _ASSUMED_GAIN**2
        return cls(mean, float(np.sqrt(squares / count * (1 + 1 / count))))


def log_linear_gain(begun: int, more: float) -> float:
    """Return the gain by the end, as a part of that so far, if gains grow as the logarithm of experiments.

    Args:
        begun: experiments so far.
        more: experiments to come.
    """
    return float(np.log1p(begun + more) / np.log1p(begun))


def _log_growth(begun: int, more: float) -> float:
    return float(np.log(log_linear_gain(begun, more)))


@dataclass(frozen=True, eq=False)
class Bank:
    """Simulated campaigns and the weights of their worlds."""

    counts: npt.NDArray[np.int32]
    """[worlds, experiments + 1] results kept among the first n experiments."""
    best: npt.NDArray[np.float32]
    """[worlds, experiments + 1] the gain by then."""
    weights: Floats
    """[worlds] adding up to 1."""

    @classmethod
    def of(cls, histories: Histories) -> "Bank":
        """Return histories with equal weights."""
        worlds, experiments = histories.kept.shape
        counts = np.zeros((worlds, experiments + 1), dtype=np.int32)
        histories.kept.cumsum(axis=1, out=counts[:, 1:])
        best = np.concatenate([np.zeros((worlds, 1), dtype=np.float32), histories.best], axis=1)
        return cls(counts, best, np.full(len(counts), 1.0 / len(counts)))

    @property
    def last(self) -> int:
        """Return the number of simulated experiments per campaign."""
        return int(self.counts.shape[1]) - 1

    def taught(self, others: Sequence[Seen], rounds: int = ROUNDS, stays: float = STAYS) -> "Bank":
        """Return the bank with weights learnt from other campaigns.

        Args:
            others: what is known of them.
            rounds: one mixes the posteriors of each alone; more sharpen the mixture to what they share.
            stays: the part of the prior that they do not change.
        """
        likely = [self._likelihood(seen) for seen in others if seen.kept[-1] > 0]
        if not likely:
            return self
        weights = self.weights
        for _ in range(rounds):
            mixed = np.mean([_normalised(weights * chance) for chance in likely], axis=0)
            weights = (1 - stays) * mixed + stays * self.weights
        return Bank(self.counts, self.best, weights)

    def given(self, seen: Seen) -> "Bank":
        """Return the bank with weights updated by the beginning of a campaign."""
        return Bank(self.counts, self.best, _normalised(self.weights * self._likelihood(seen)))

    def gaining(self, law: GainLaw, begun: int, more: float) -> "Bank":
        """Return the bank with weights updated by other campaigns' gains over this many further experiments."""
        first, last = min(begun, self.last), min(int(begun + more), self.last)
        before, after = self.best[:, first].astype(np.float64), self.best[:, last].astype(np.float64)
        usable = before > 0
        grown = np.log(np.where(usable, after, 1.0) / np.where(usable, before, 1.0))
        apart = (grown - _log_growth(begun, more) - law.mean) / law.deviation
        weights = self.weights * usable * np.exp(-0.5 * apart**2)
        return self if weights.sum() <= 0 else Bank(self.counts, self.best, _normalised(weights))

    def _likelihood(self, seen: Seen) -> Floats:
        """Return [worlds] the similarity of each world's campaign to a real one, relative to the highest."""
        ends = np.minimum(np.concatenate([[0], seen.experiments]), self.last)
        played, real = np.diff(self.counts[:, ends], axis=1), np.diff(np.concatenate([[0.0], seen.kept]))
        log = -0.5 * ((_steady(played) - _steady(real)) ** 2).sum(axis=1)
        if np.isfinite(seen.gain).all() and len(ends) > 2:
            gains = self.best[:, ends[1:]].astype(np.float64)
            if seen.is_share_of_last:
                shares, real_shares = gains[:, :-1] / np.maximum(gains[:, -1:], 1e-12), seen.gain[:-1]
                apart, kernel = np.log(shares + _LITTLE) - np.log(real_shares + _LITTLE), _SHAPE_KERNEL
            else:
                apart, kernel = np.log(gains + _LITTLE_GAIN) - np.log(seen.gain + _LITTLE_GAIN), _GAIN_KERNEL
            log -= 0.5 * ((apart / kernel) ** 2).sum(axis=1)
        return np.asarray(np.exp(log - log.max()))

    def drawn(self, worlds: int, rng: np.random.Generator) -> Integers:
        """Return [worlds] numbers of worlds, drawn by weight: systematically, so that chance adds little.

        Args:
            worlds: how many.
            rng: what the draws are made from.
        """
        places = (rng.random() + np.arange(worlds)) / worlds
        found = np.searchsorted(self.weights.cumsum(), places).clip(0, len(self.weights) - 1)
        return np.asarray(rng.permutation(found))

    def kept_later(self, drawn: Integers, begun: int, more: Floats) -> Floats:
        """Return [worlds] the number of kept results among the next experiments in the drawn worlds.

        Args:
            drawn: [worlds] numbers of worlds.
            begun: experiments so far.
            more: [worlds] experiments to come.
        """
        first, last = min(begun, self.last), np.minimum(begun + more, self.last).astype(np.int64)
        return np.asarray(self.counts[drawn, last] - self.counts[drawn, first], dtype=np.float64)

    def gain_later(self, drawn: Integers, begun: int, more: Floats) -> Floats:
        """Return [worlds] the gain by the end, as a part of the gain so far; NaN in worlds without any so far.

        Args:
            drawn: [worlds] numbers of worlds.
            begun: experiments so far.
            more: [worlds] experiments to come.
        """
        first, last = min(begun, self.last), np.minimum(begun + more, self.last).astype(np.int64)
        before, after = self.best[drawn, first].astype(np.float64), self.best[drawn, last].astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(before > 0, after / before, np.nan))


def campaign_bank(experiments: int) -> Bank:
    """Return campaigns with the given number of experiments, simulated in worlds of the wide prior."""
    scenario = Scenario(
        fleet=[Group(group="fleet", agents=1, model="none")],
        cycle=[Think(turns=1), Score()],
        prices={"none": dict.fromkeys(("input", "cache_write", "cache_read", "output"), "0 $/Mtok")},
        scorer={"noise": _NOISE},
        research=_RESEARCH,
    )
    program = lower(scenario)
    length = min(experiments, MOST_EXPERIMENTS)
    return Bank.of(play_histories(program, min(_MOST_WORLDS, _MOST_PLAYED // length), length, _SEED))


def _steady(counts: npt.NDArray[np.generic]) -> Floats:
    """Return counts on the scale on which a Poisson count has variance 1."""
    return np.asarray(2.0 * np.sqrt(np.asarray(counts, dtype=np.float64) + _CONTINUITY))


def _normalised(weights: Floats) -> Floats:
    return np.asarray(weights / weights.sum())
