"""What other runs teach about one that has begun, worked out once and used for every run that is compared with them.

All that a call puts out stands in `output`, which is billed; all that joins the context after it in `growth`, of which
the answer is a part. Two sums are wanted, and each is learnt as one series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.observed.caches import Misses, misses_of, pauses_of
from simbudget.calibration.observed.observations import FLOORS, NO_SPEED, observe
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.observed.totals import calls_within, wall_time_s
from simbudget.calibration.posteriors.openings import Opening, ages_of, learnt_opening
from simbudget.calibration.posteriors.pooling import log_of
from simbudget.forecast.counts import CountHistory, count_history
from simbudget.forecast.durations import PRIORS, DurationHistory, duration_history, telling
from simbudget.forecast.regression import Regression, regressions
from simbudget.scenario.context import CACHE_LIFE_S

FEWEST_ALIKE: Final = 8
"""With fewer other sessions of its own project, a session is compared with all of the same agent."""
_SAME_START: Final = 0.03
"""First contexts that differ by no more than this share are of the same kind of session: they differ by the prompt."""
FEWEST_CALLS: Final = 5
"""Shorter sessions teach nothing about a remaining run."""
_COMPACTED: Final = (15_000.0, 0.8, 2.0)
"""A compacted context beyond its first prompt, before any was seen: median, scatter of the logarithm, its worth."""


@dataclass(frozen=True, eq=False)
class PastRuns:
    """Other sessions that are alike, and what they teach."""

    sessions: Sequence[Session]

    @cached_property
    def opening(self) -> Opening:
        """Return how much more the first turns of a context return than later ones."""
        growth, ages = zip(*map(joined, self.sessions), strict=True) if self.sessions else ((), ())
        return learnt_opening(growth, ages)

    @cached_property
    def output_speed(self) -> float:
        """Return tokens per second; 1,000,000 where outputs or times are not known."""
        return min(observe(self.sessions).output_speed, NO_SPEED) if self.sessions else NO_SPEED

    @cached_property
    def lengths(self) -> Floats:
        """[sessions] the number of calls of each."""
        return np.array([float(len(session)) for session in self.sessions])

    @cached_property
    def compacted(self) -> tuple[float, float, float]:
        """Return mean and variance of the logarithm of a compacted context beyond its first prompt, and their count."""
        median, scatter, worth = _COMPACTED
        after = [
            np.maximum(session.context[1:][session.compacts] - session.context[0], 1.0)
            for session in self.sessions
        ]
        logs = log_of(np.concatenate([*after, np.zeros(0)]), FLOORS["compacted"])
        count = len(logs) + worth
        mean = (logs.sum() + worth * np.log(median)) / count
        variance = (((logs - mean) ** 2).sum() + worth * (scatter**2 + (np.log(median) - mean) ** 2)) / count
        return float(mean), float(variance), float(count)

    @cached_property
    def regressions(self) -> dict[str, Regression]:
        """Return what followed beginnings, by quantity."""
        return regressions(self.sessions)

    def growth(self, cut: float) -> CountHistory:
        """Return what is known of the tokens that join a context in a turn, as if all turns came late in it."""
        return self._counts("growth", cut)

    def output(self, cut: float) -> CountHistory:
        """Return what is known of the tokens that a call puts out."""
        return self._counts("output", cut)

    def durations(self, name: str, cut: float) -> DurationHistory:
        """Return what is known of `call_s`, `gap_s` (people apart) or `wait_s` (people)."""
        key = (name, round(cut, 3))
        if key not in self._known_durations:
            runs = [DURATIONS[name](session) for session in self.sessions]
            self._known_durations[key] = duration_history(PRIORS[name], runs, cut)
        return self._known_durations[key]

    def calls_in_time(self, cut: float) -> Floats:
        """Return [sessions, 3] logarithms of calls and of the seconds after a share of a session's time, and its calls.

        The first column counts the calls up to there, the last those after it.
        """
        if cut not in self._known_paces:
            rows = []
            for session in self.sessions:
                first = calls_within(session, cut)
                if first is not None:
                    rows.append([first, max(wall_time_s(session, first), 1.0), len(session) - first])
            self._known_paces[cut] = np.log(np.array(rows).reshape(-1, 3))
        return self._known_paces[cut]

    def misses(self, model: str, life: str) -> list[Misses]:
        """Return how often calls of this model missed a cache that was young."""
        return [misses_of(session, life) for session in self.sessions if session.model == model]

    def pauses(self, life: str) -> list[Misses]:
        """Return how often a session paused for longer than its cache lives."""
        return self._pauses(CACHE_LIFE_S[life])

    def _pauses(self, life_s: float) -> list[Misses]:
        if life_s not in self._known_pauses:
            self._known_pauses[life_s] = [pauses_of(session, life_s) for session in self.sessions]
        return self._known_pauses[life_s]

    def _counts(self, name: str, cut: float) -> CountHistory:
        key = (name, round(cut, 3))
        if key not in self._known_counts:
            if name == "growth":
                runs = [settled_growth(session, self.opening) for session in self.sessions]
            else:  # what short sessions put out is of another kind; how contexts grow, less so
                outputs = [finite(session.output) for session in self.sessions]
                runs = [outputs[k] for k in telling([len(values) for values in outputs])]
            self._known_counts[key] = count_history(runs, cut)
        return self._known_counts[key]

    @cached_property
    def _known_counts(self) -> dict[tuple[str, float], CountHistory]:
        return {}

    @cached_property
    def _known_durations(self) -> dict[tuple[str, float], DurationHistory]:
        return {}

    @cached_property
    def _known_paces(self) -> dict[float, Floats]:
        return {}

    @cached_property
    def _known_pauses(self) -> dict[float, list[Misses]]:
        return {}


class Library:
    """Other sessions of any kind, of which those that are like a session are chosen."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.sessions = [session for session in sessions if len(session) >= FEWEST_CALLS]
        self._chosen: dict[tuple[str, str, bool, float], PastRuns] = {}

    def like(self, begun: Session) -> PastRuns:
        """Return the sessions to compare one with, of the same agent and as like it as there are enough of.

        That is of its project and with a first context of the same size: the first call sends the system prompt, the
        tools and the instructions of the project, so its size tells sub-agents and versions of an agent apart.
        """
        first = float(begun.context[0]) if begun.knows_input else 0.0
        key = (begun.source, begun.project, begun.knows_output, first)
        if key not in self._chosen:
            everything = (*key[:3], 0.0)
            if everything not in self._chosen:
                self._chosen[everything] = PastRuns(self._alike(begun))
            alike = self._chosen[everything]
            near = [other for other in alike.sessions if first and _begins_like(other, first)]
            self._chosen[key] = PastRuns(near) if FEWEST_ALIKE <= len(near) < len(alike.sessions) else alike
        return self._chosen[key]

    def _alike(self, begun: Session) -> list[Session]:
        """Return sessions of the same agent only: those of another say less than what is usual everywhere."""
        same = [other for other in self.sessions if other.source == begun.source]
        alike = [other for other in same if other.knows_output == begun.knows_output]
        own = [other for other in alike if other.project == begun.project]
        return next((some for some in (own, alike) if len(some) >= FEWEST_ALIKE), same)


def _begins_like(other: Session, first: float) -> bool:
    return bool(abs(float(other.context[0]) - first) <= _SAME_START * first)


def joined(session: Session) -> tuple[Floats, Floats]:
    """Return what joined a session's context, and how many turns old that was; compactions left out."""
    known = np.isfinite(session.growth)
    return session.growth[known], ages_of(session.compacts)[known]


def settled_growth(session: Session, opening: Opening) -> Floats:
    """Return what joined a session's context in each turn, as if each had come late in it."""
    growth, ages = joined(session)
    return growth / opening.factor(ages)


def finite(values: Floats) -> Floats:
    """Return the values that are known."""
    return values[np.isfinite(values)]


def _gaps(session: Session) -> Floats:
    return finite(np.maximum(session.gap_s - session.person_s[:-1], 0.0))


def _waits(session: Session) -> Floats:
    return finite(np.minimum(session.person_s[:-1], session.gap_s))


DURATIONS: Final = {"call_s": lambda session: finite(session.duration_s), "gap_s": _gaps, "wait_s": _waits}
"""By name: what a session shows of it."""
