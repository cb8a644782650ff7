"""The rest of a session, from its beginning: the scenario that a user would write for it, calibrated.

One agent, whose context is under way, makes the calls that are left. What is not known of this session comes
from others; see `quantities`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.calibration.observed.observations import NO_SPEED
from simbudget.calibration.observed.session_prices import session_prices
from simbudget.calibration.observed.sessions import Session
from simbudget.distributions.posteriors import Posterior
from simbudget.forecast.hidden_input import USD_PER_MTOK
from simbudget.forecast.quantities import Known, known_of, rest_posteriors
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration, Evidence
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.model import Scenario

Floats = npt.NDArray[np.float64]

_GROUP: Final = "session"
_MODEL: Final = "model"

NAMES: Final = {
    "output": "turn.output_tokens",
    "thinking": "turn.thinking_tokens",
    "tool_result": "turn.tool_result_tokens",
    "tool_time": "turn.tool_time",
    "first_token": f"models[{_MODEL}].first_token",
    "compacted": "context.compacted_to_tokens",
    "limit": "context.limit_tokens",
    "cache_misses": "context.cache_misses",
    "under_way": f"fleet[{_GROUP}].start.context_tokens",
}
"""Where each quantity stands in a scenario of one group."""

_STAND_INS: Final = {
    "output": "1",
    "thinking": "1",
    "tool_result": "1",
    "tool_time": "1 s",
    "first_token": "1 s",
    "compacted": "20000",
    "limit": "1000000000",
    "cache_misses": "1%",
    "under_way": "1",
}
"""What the scenario's text says, which the calibration replaces."""
_UNKNOWN: Final = {"tool_time": "0 s", "first_token": "0 s", "cache_misses": "0%", "limit": "1000000000"}
"""What it says where nothing is known; 0 of anything else."""

_FEW_OTHERS: Final = 8
"""With fewer other sessions of its own project, a session is compared with all there are."""
_MOST_TURNS: Final = 1_000_000
_HOUR_S: Final = 3600.0


@dataclass(frozen=True, eq=False)
class RestOfSession:
    """A session that is known up to a point, and what others are known to have done."""

    begun: Session
    others: Sequence[Session]
    calls_left: int | None
    """How many calls are still to come; None: as many as fit in `seconds_left`."""
    seconds_left: float | None
    cut: float
    """Which part of the whole the beginning is."""
    worlds: int
    seed: int


def rest_scenario(case: RestOfSession) -> Scenario:
    """Return the calibrated scenario of the rest of a session."""
    begun = case.begun
    left = case.calls_left or int(len(begun) * (1.0 / case.cut - 1.0))
    known = known_of(begun, _comparable(begun, case.others), case.cut, left, case.worlds, case.seconds_left)
    rng = np.random.default_rng([case.seed, begun.run, len(begun)])
    posteriors = rest_posteriors(known, rng)
    quantities = [_quantity(name, begun, posterior) for name, posterior in posteriors.items()]
    calibration = Calibration({quantity.name: quantity for quantity in quantities})
    text = _text(case, known, posteriors)
    return loads_scenario(text, "rest of a session", calibration=calibration).scenario


def _comparable(begun: Session, others: Sequence[Session]) -> list[Session]:
    """Return the other sessions that a session is compared with: those of its project, if there are enough."""
    alike = [other for other in others if other.knows_output == begun.knows_output and len(other) >= 5]
    own = [other for other in alike if (other.source, other.project) == (begun.source, begun.project)]
    if len(own) >= _FEW_OTHERS:
        return own
    same = [other for other in alike if other.source == begun.source]
    return same if len(same) >= _FEW_OTHERS else alike


def _quantity(name: str, begun: Session, posterior: Posterior) -> CalibratedQuantity:
    evidence = Evidence(len(begun), 1, begun.source, begun.ended)
    return CalibratedQuantity(NAMES[name], _STAND_INS[name], "", posterior, evidence)


def _text(case: RestOfSession, known: Known, posteriors: Mapping[str, Posterior]) -> str:
    """Return the scenario as a user would write it."""
    begun, opening = known.begun, known.opening
    hours = "3650 days" if case.seconds_left is None else f"{max(case.seconds_left, 1.0):.3f} s"
    says = {name: _STAND_INS[name] if name in posteriors else _UNKNOWN.get(name, "0") for name in NAMES}
    cached = int(begun.context[-1]) if known.hidden is None else _STAND_INS["limit"]
    lines = [
        f"fleet: [{{group: {_GROUP}, agents: 1, model: {_MODEL}, start: {{context_tokens: {says['under_way']}, "
        f"cached_tokens: {cached}, context_turns: {known.turns}}}}}]",
        f"cycle: [{{think: {{turns: {case.calls_left or _MOST_TURNS}}}}}]",
        f"turn: {{output_tokens: {says['output']}, thinking_tokens: {says['thinking']}, "
        f"tool_result_tokens: {says['tool_result']}, tool_time: {says['tool_time']}, "
        f"opening: {{times: {opening.times}, turns: {opening.turns}}}}}",
        f"context: {{first_prompt_tokens: {int(begun.context[0])}, limit_tokens: {says['limit']}, "
        f"compacted_to_tokens: {says['compacted']}, lasts: life, cache: {known.life}, "
        f"cache_misses: {says['cache_misses']}}}",
        f"models: {{{_MODEL}: {{first_token: {says['first_token']}, "
        f"output_speed: {min(known.seen.output_speed, NO_SPEED):.4f} tokens/s}}}}",
        f"prices: {{{_MODEL}: {_prices(known)}}}",
        f"stop: {{after: {hours}, cycles_per_agent: 1}}",
    ]
    return "\n".join(lines)


def _prices(known: Known) -> str:
    if known.hidden is None:
        return session_prices(known.begun, known.seen.knows_output, known.life)
    sent, put_out = f"{USD_PER_MTOK} $/Mtok", f"{known.hidden.output_usd_per_mtok:.6f} $/Mtok"
    return f"{{input: {sent}, cache_write: {sent}, cache_read: {sent}, output: {put_out}}}"
