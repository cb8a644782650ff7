"""Observed values of the quantities of turns and contexts, one array per session.

The engine adds a turn's output and tool result to the context and bills thinking separately. A log shows the growth g
of the context, the output o, and sometimes the thinking k within it. Where k is known, thinking is k, and the tool
result is g - o if thinking stays in the context, else g - (o - k). Where it is not known, min(g, o) is taken as output
that joined the context, o - min as thinking that did not, and g - min as the tool result. Both totals are then right.
Either way a scenario needs the same `context.keeps_thinking` as the observations; see `Observed.keeps_thinking`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.observed.steps import Steps
from simbudget.calibration.posteriors.openings import Opening, ages_of

TURN_QUANTITIES: Final = ("output", "thinking", "tool_result", "tool_time", "first_token")

FLOORS: Final = {
    "output": 1.0,
    "thinking": 0.3,
    "tool_result": 1.0,
    "tool_time": 0.01,
    "first_token": 0.05,
    "first_prompt": 1.0,
    "compacted": 1.0,
    "turns": 1.0,
    "experiment_time": 0.1,
    "post": 1.0,
    "scoring_time": 0.1,
}
"""The smallest values whose logarithms are taken; smaller values are negligible."""

NO_SPEED: Final = 1e6
"""Tokens per second if outputs are unknown: `first_token` then contains the whole duration of a call."""

_NOTHING: Final = np.zeros(0)
_LITTLE_THINKING: Final = 0.05
_MOST_FOR_SLOPE: Final = 300
_MOSTLY_KNOWN: Final = 0.9
"""Share of calls whose count has to be known, as for outputs; see `Session.knows_output`."""


@dataclass(frozen=True, eq=False)
class Observed:
    """Values by the names of `FLOORS`: one array per session, possibly empty."""

    values: dict[str, list[Floats]]
    ages: list[Floats]
    """Per session, the age of the context in turns at each tool result."""
    output_speed: float
    """Tokens per second, over all sessions."""
    knows_output: bool
    missing_outputs: int
    """Calls whose output count is not known."""
    keeps_thinking: bool | None = None
    """Whether thinking is among what joins contexts; None if there is no thinking."""


def observe(
    sessions: Sequence[Session], people: bool = False, speed: float | None = None, keeps: bool | None = None
) -> Observed:
    """Return the observations of sessions.

    Args:
        sessions: of one kind, all with known outputs or none: see `Session.knows_output`.
        people: whether waiting for people counts as tool time, as it does for a session's own wall time.
        speed: tokens per second, if it is known already.
        keeps: whether thinking stays in the context, if logs tell.
    """
    knows = bool(sessions) and all(session.knows_output for session in sessions)
    if speed is None:
        speed = _output_speed(sessions) if knows else NO_SPEED
    counted = knows and _counts_thinking(sessions)
    thinks = knows and not counted and _thinking_share(sessions) > _LITTLE_THINKING
    keeps = keeps is not False if counted else False if thinks else None
    values: dict[str, list[Floats]] = {name: [] for name in FLOORS}
    ages: list[Floats] = []
    for session in sessions:
        if session.steps is not None:
            of_session = _told(session, session.steps, speed, keeps) | _contexts(session)
            of_session["turns"] = session.steps.turns
        elif counted:
            of_session = _counted(session, keeps is True, speed, people) | _contexts(session)
        else:
            of_session = _turns(session, knows, thinks, speed, people) | _contexts(session)
        of_turns = ages_of(session.compacts)
        if session.steps is not None:
            of_turns = of_turns[session.steps.has_result]
        ages.append(of_turns[np.isfinite(of_session["tool_result"])])
        for name, of_name in values.items():
            array = of_session.get(name, _NOTHING)
            of_name.append(array[np.isfinite(array)])
    missing = sum(int(np.isnan(session.output).sum()) for session in sessions)
    return Observed(values, ages, speed, knows, missing, keeps)


def settled(seen: Observed, opening: Opening) -> Observed:
    """Return the observations with tool results scaled to those late in a context.

    Args:
        seen: what sessions show.
        opening: by how much early results are larger.
    """
    results = [v / opening.factor(a) for v, a in zip(seen.values["tool_result"], seen.ages, strict=True)]
    return replace(seen, values=seen.values | {"tool_result": results})


def _turns(session: Session, knows: bool, thinks: bool, speed: float, people: bool) -> dict[str, Floats]:
    growth, output = session.growth, session.output
    gap_s = session.own_gap_s if people else np.maximum(session.own_gap_s - session.person_s[:-1], 0.0)
    duration_s = session.duration_s
    if not knows:
        return {
            "output": _NOTHING,
            "thinking": _NOTHING,
            "tool_result": growth,
            "tool_time": gap_s,
            "first_token": duration_s,
        }
    joined = np.minimum(output[:-1], growth) if thinks else output[:-1]
    return {
        "output": np.where(np.isnan(growth), output[:-1], joined) if thinks else output,
        "thinking": np.where(np.isnan(growth), 0.0, output[:-1] - joined) if thinks else _NOTHING,
        "tool_result": np.maximum(growth - joined, 0.0),
        "tool_time": gap_s,
        "first_token": np.maximum(duration_s - output / speed, 0.0),
    }


def _counted(session: Session, keeps: bool, speed: float, people: bool) -> dict[str, Floats]:
    """Return the observations of a session whose log counts thinking apart."""
    thinking = np.nan_to_num(session.thinking)
    visible = session.output - thinking
    joined = session.output if keeps else visible
    return _turns(session, True, False, speed, people) | {
        "output": visible,
        "thinking": thinking,
        "tool_result": np.maximum(session.growth - joined[:-1], 0.0),
    }


def _told(session: Session, steps: Steps, speed: float, keeps: bool | None) -> dict[str, Floats]:
    """Return the observations of a session whose ledger records steps; only calls of think steps count as turns."""
    is_turn, output = steps.is_turn, session.output
    thinking = np.nan_to_num(session.thinking)
    joined = output if keeps else output - thinking
    post_tokens = float(output[steps.is_post].mean()) if steps.is_post.any() else 0.0
    results = session.growth - joined[:-1] - steps.posts_read[1:] * post_tokens
    return {
        "output": (output - thinking)[is_turn],
        "thinking": thinking[is_turn] if thinking.any() else np.zeros(0),
        "tool_result": np.maximum(results[steps.has_result], 0.0),
        "tool_time": steps.tool_s[is_turn],
        "first_token": np.maximum(session.duration_s - output / speed, 0.0),
        "post": output[steps.is_post],
    }


def _contexts(session: Session) -> dict[str, Floats]:
    context, compacts = session.context, session.compacts
    first_prompt = context[:1]
    after = context[1:][compacts]
    return {
        "first_prompt": first_prompt,
        "compacted": np.maximum(after - first_prompt, 1.0) if len(after) else np.zeros(0),
        "turns": np.array([float(len(session))]),
    }


def _counts_thinking(sessions: Sequence[Session]) -> bool:
    """Return whether logs count thinking apart from other output, and there is some."""
    thinking = np.concatenate([session.thinking for session in sessions])
    return bool(np.isfinite(thinking).mean() > _MOSTLY_KNOWN and np.nansum(thinking) > 0)


def _thinking_share(sessions: Sequence[Session]) -> float:
    """Return the share of output that did not join the context."""
    put_out = thought = 0.0
    for session in sessions:
        growth, output = session.growth, session.output[:-1]
        known = np.isfinite(growth) & np.isfinite(output)
        put_out += float(output[known].sum())
        thought += float(np.maximum(output - growth, 0.0)[known].sum())
    return thought / put_out if put_out else 0.0


def _output_speed(sessions: Sequence[Session]) -> float:
    """Return tokens per second: the slope of duration over output, robust to pauses (Theil and Sen)."""
    from scipy.stats import theilslopes  # noqa: PLC0415  slow to import

    output = np.concatenate([session.output for session in sessions])
    duration_s = np.concatenate([session.duration_s for session in sessions])
    known = np.isfinite(output) & np.isfinite(duration_s) & (duration_s > 0)
    stride = max(1, int(known.sum()) // _MOST_FOR_SLOPE)
    output, duration_s = output[known][::stride], duration_s[known][::stride]
    if len(output) < 10 or np.ptp(output) == 0:
        return NO_SPEED
    with np.errstate(
        invalid="ignore"
    ):  # its interval, which is not used, is undefined if most outputs are equal
        slope = float(theilslopes(duration_s, output).slope)
    return min(max(1.0 / slope, 1.0), NO_SPEED) if slope > 0 else NO_SPEED
