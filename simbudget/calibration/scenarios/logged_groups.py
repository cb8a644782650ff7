"""Groups of logged sessions by model, and which of them differ enough to have their own cycle and turns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.observed.delegation import callers_of
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.scenarios.fit import FEWEST
from simbudget.scenario.scenario import DEFAULT_MODEL

_ENOUGH: Final = 20
"""With this many sessions a model's group needs nothing from other models, whether they differ or not."""
_LEVEL: Final = 0.1
"""Significance level of the test for a difference. With three sessions in each group, the smallest possible p-value is
0.1 (2 of 20 orders). A false alarm only widens intervals, since the group's ranges then rest on fewer sessions."""
_UNNAMED: Final = frozenset({"", "nan", "None", "<NA>", "-"})


@dataclass(frozen=True)
class LoggedGroup:
    """Logged sessions of one model."""

    model: str
    sessions: tuple[Session, ...]
    """Those of agents."""
    delegated: tuple[Session, ...]
    """Those of their sub-agents."""
    is_own: bool
    """Whether it has its own cycle, turns and contexts."""

    @property
    def cost_usd(self) -> float:
        """Return what its calls cost, as `usage` counts it; without outputs that the logs do not say."""
        return float(sum(np.nansum(session.cost_usd) for session in (*self.sessions, *self.delegated)))

    @property
    def between_s(self) -> float:
        """Return the time between calls, people included."""
        return sum(float(np.nansum(session.own_gap_s)) for session in self.sessions)

    @property
    def people_s(self) -> float:
        """Return the part of the time between calls that was spent waiting for people."""
        return sum(
            float(np.nansum(np.minimum(session.person_s[:-1], session.own_gap_s)))
            for session in self.sessions
        )


def is_unnamed(model: str) -> bool:
    """Return whether a log's word for a model names none."""
    return model in _UNNAMED


def model_named(model: str) -> str:
    """Return the name of a model in the scenario: the default's if the log names none."""
    return DEFAULT_MODEL if is_unnamed(model) else model


def groups_of(sessions: Sequence[Session]) -> tuple[LoggedGroup, ...]:
    """Return agents' sessions by model with their sub-agents', the most frequent first.

    A group is its own if it has enough sessions, or a few that differ from those of the other models.

    Args:
        sessions: all sessions of a ledger.
    """
    by_model: dict[str, list[Session]] = {}
    callers = callers_of(sessions)
    own = callers.own
    for session in own or sessions:  # sub-agents whose agents are not in the logs are agents
        by_model.setdefault(model_named(session.model), []).append(session)
    ordered = sorted(by_model.items(), key=lambda one: -len(one[1]))
    model_of = {session.run: model for model, alike in by_model.items() for session in alike}
    contexts = [context for role in callers.roles for context in role.contexts] if own else []
    return tuple(
        LoggedGroup(
            model,
            tuple(alike),
            tuple(context for context in contexts if model_of.get(context.run) == model),
            _is_own(alike, [session for other, of in ordered if other != model for session in of]),
        )
        for model, alike in ordered
    )


def _is_own(sessions: Sequence[Session], others: Sequence[Session]) -> bool:
    """Return whether sessions of one model are learnt from apart from those of others."""
    if not others or len(sessions) < FEWEST:
        return False
    return len(sessions) >= _ENOUGH or _differ(sessions, others)


def _differ(sessions: Sequence[Session], others: Sequence[Session]) -> bool:
    """Return whether turns, outputs, growth or first prompts differ (test of Mann and Whitney, 1947)."""
    from scipy.stats import mannwhitneyu  # noqa: PLC0415  slow to import

    here, there = _habits(sessions), _habits(others)
    for values, other_values in zip(here.T, there.T, strict=True):
        ours, theirs = values[np.isfinite(values)], other_values[np.isfinite(other_values)]
        if not len(ours) or not len(theirs) or np.ptp(np.concatenate([ours, theirs])) == 0:
            continue
        if mannwhitneyu(ours, theirs).pvalue <= _LEVEL:
            return True
    return False


def _habits(sessions: Sequence[Session]) -> Floats:
    """Return [sessions, 4] turns, mean output, mean growth and first prompt; NaN where a log does not say."""
    return np.array(
        [
            (len(session), _mean(session.output), _mean(session.growth), float(session.context[0]))
            for session in sessions
        ]
    )


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
