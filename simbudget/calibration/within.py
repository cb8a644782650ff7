"""The rest of a session, from its beginning: the scenario that a user would write for it, calibrated.

One agent, whose context is under way, makes the calls that are left. What is not known of this session comes
from others; see `pooling.rest_of_run`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.calibration.durations import PRIORS, rest_durations
from simbudget.calibration.observations import (
    FLOORS,
    NO_SPEED,
    TURN_QUANTITIES,
    Observed,
    compaction_limit,
    observe,
)
from simbudget.calibration.pooling import log_of, rest_of_run
from simbudget.calibration.sessions import Session
from simbudget.distributions.posteriors import Posterior
from simbudget.prices.models import ClassPrices, model_prices
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration, Evidence
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.model import Scenario

Floats = npt.NDArray[np.float64]

NAMES: Final = {
    "output": "turn.output_tokens",
    "thinking": "turn.thinking_tokens",
    "tool_result": "turn.tool_result_tokens",
    "tool_time": "turn.tool_time",
    "first_token": "models[M].first_token",
    "first_prompt": "context.first_prompt_tokens",
    "compacted": "context.compacted_to_tokens",
}
"""Where each observed quantity stands in a scenario of one group whose model is called M."""

_DEFAULT_LIMIT: Final = 160_000
_FEW_OTHERS: Final = 8
"""With fewer other sessions of its own project, a session is compared with all there are."""
_FEW_COMPACTIONS: Final = 8
_FIVE_MINUTES, _ONE_HOUR = "5 min", "1 h"
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
    others = _comparable(begun, case.others)
    rng = np.random.default_rng([case.seed, begun.run, len(begun)])
    seen = observe([*others, begun], people=True)
    mine = observe([begun], people=True, speed=seen.output_speed)
    quantities = {quantity.name: quantity for quantity in _quantities(case, seen, mine, rng)}
    text = _text(case, others, seen, mine)
    return loads_scenario(text, "rest of a session", calibration=Calibration(quantities)).scenario


def _comparable(begun: Session, others: Sequence[Session]) -> list[Session]:
    """Return the other sessions that a session is compared with: those of its project, if there are enough."""
    alike = [other for other in others if other.knows_output == begun.knows_output and len(other) >= 5]
    own = [other for other in alike if (other.source, other.project) == (begun.source, begun.project)]
    if len(own) >= _FEW_OTHERS:
        return own
    same = [other for other in alike if other.source == begun.source]
    return same if len(same) >= _FEW_OTHERS else alike


def _quantities(
    case: RestOfSession, seen: Observed, mine: Observed, rng: np.random.Generator
) -> list[CalibratedQuantity]:
    """Return the calibrated quantities of the rest of a session."""
    found = []
    for name in TURN_QUANTITIES:
        others = [log_of(v, FLOORS[name]) for v in seen.values[name][:-1] if len(v)]
        begun = log_of(mine.values[name][0], FLOORS[name])
        if not others and len(begun) < 2:
            continue
        if name in PRIORS:
            durations = [v for v in seen.values[name][:-1] if len(v)]
            posterior = rest_durations(
                PRIORS[name], durations, mine.values[name][0], case.cut, case.worlds, rng
            )
        else:
            posterior = rest_of_run(others, begun, case.cut, case.worlds, rng)
        found.append(_quantity(name, case.begun, posterior))
    compacted = np.concatenate([*seen.values["compacted"], np.zeros(0)])
    if len(compacted) >= _FEW_COMPACTIONS:
        logs = log_of(compacted, FLOORS["compacted"])
        draws = np.column_stack(
            [np.full(case.worlds, logs.mean()), np.full(case.worlds, logs.std()), np.zeros(case.worlds)]
        )
        found.append(_quantity("compacted", case.begun, Posterior(draws)))
    return found


def _quantity(name: str, begun: Session, posterior: Posterior) -> CalibratedQuantity:
    place = NAMES[name].replace("[M]", f"[{_MODEL}]")
    written = _WRITTEN[name]
    return CalibratedQuantity(
        place, written, "", posterior, Evidence(len(begun), 1, begun.source, begun.ended)
    )


_MODEL: Final = "model"
_WRITTEN: Final = {
    "output": "1",
    "thinking": "1",
    "tool_result": "1",
    "tool_time": "1 s",
    "first_token": "1 s",
    "compacted": "20000",
}
"""Stand-ins in the scenario's text, which the calibration replaces."""


def _text(case: RestOfSession, others: Sequence[Session], seen: Observed, mine: Observed) -> str:
    """Return the scenario as a user would write it."""
    begun = case.begun
    growth = begun.growth[np.isfinite(begun.growth)]
    last = int(begun.context[-1])
    context = last + int(np.median(growth) if len(growth) else 0)
    limit, _ = compaction_limit([*others, begun])
    largest = max(session.context.max() for session in [*others, begun])
    first_prompt = int(begun.context[0])
    limit = max(limit or max(largest, _DEFAULT_LIMIT), begun.context[-10:].max(), first_prompt + 2)
    compacted = min(int(_WRITTEN["compacted"]), (int(limit) - first_prompt) // 2)
    turns = case.calls_left or 1_000_000
    hours = "3650 days" if case.seconds_left is None else f"{max(case.seconds_left, 1.0):.3f} s"
    known = {
        name: any(len(v) for v in seen.values[name]) or len(mine.values[name][0]) for name in TURN_QUANTITIES
    }
    written = {name: _WRITTEN[name] if known[name] else "0" for name in TURN_QUANTITIES}
    lines = [
        f"fleet: [{{group: session, agents: 1, model: {_MODEL}, "
        f"start: {{context_tokens: {context}, cached_tokens: {last}}}}}]",
        f"cycle: [{{think: {{turns: {turns}}}}}]",
        f"turn: {{output_tokens: {written['output']}, thinking_tokens: {written['thinking']}, "
        f"tool_result_tokens: {written['tool_result']}, tool_time: {written['tool_time']}}}",
        f"context: {{first_prompt_tokens: {first_prompt}, limit_tokens: {int(limit)}, "
        f"compacted_to_tokens: {compacted}, lasts: life, cache: {_cache(begun)}}}",
        f"models: {{{_MODEL}: {{first_token: {written['first_token'] if written['first_token'] != '0' else '0 s'}, "
        f"output_speed: {min(seen.output_speed, NO_SPEED):.4f} tokens/s}}}}",
        f"prices: {{{_MODEL}: {session_prices(begun, seen.knows_output)}}}",
        f"stop: {{after: {hours}, cycles_per_agent: 1}}",
    ]
    return "\n".join(lines)


def _cache(begun: Session) -> str:
    """Return for how long a session's cache keeps what is written to it."""
    hour, written = np.nansum(begun.write_1h), np.nansum(begun.write)
    return _ONE_HOUR if written > 0 and hour > 0.5 * written else _FIVE_MINUTES


def session_prices(begun: Session, knows_output: bool) -> str:
    """Return a session's prices as a scenario writes them; outputs that no one knows cost nothing, here and there.

    A model that no list has costs what the session's own calls show.
    """
    prices = list_prices(begun)
    if prices is None:
        read, write, output = _shown_prices(begun)
        plain = write
    else:
        write = prices.cache_write_1h if _cache(begun) == _ONE_HOUR else prices.cache_write_5m
        plain, read, output = prices.input, prices.cache_read, prices.output
        if np.nansum(begun.write) == 0:
            write = plain
    output = output if knows_output else 0.0
    return (
        f"{{input: {plain:.6f} $/Mtok, cache_write: {write:.6f} $/Mtok, "
        f"cache_read: {read:.6f} $/Mtok, output: {output:.6f} $/Mtok}}"
    )


def _shown_prices(session: Session) -> tuple[float, float, float]:
    """Return $/Mtok of what is read from the cache, of other input, and of output, by non-negative least squares."""
    from scipy.optimize import nnls  # noqa: PLC0415  slow to import

    cost = session.list_cost_usd
    new = np.nan_to_num(session.uncached) + np.nan_to_num(session.write)
    tokens = np.column_stack([np.nan_to_num(session.read), new, np.nan_to_num(session.output)])
    known = np.isfinite(cost)
    if known.sum() < len(tokens.T):
        return 0.0, 0.0, 0.0
    read, write, output = (float(price) for price in nnls(tokens[known] / 1e6, cost[known])[0])
    return read, write, output


def list_prices(session: Session) -> ClassPrices | None:
    """Return what a session's model cost on its day; None if the price list does not have it."""
    import datetime  # noqa: PLC0415

    from simbudget.errors import UserError  # noqa: PLC0415

    day = datetime.date.fromisoformat(session.ended) if session.ended else datetime.date(2026, 1, 1)
    try:
        return model_prices(session.model, day).base
    except UserError:
        return None


def session_samples(replications: pd.DataFrame) -> dict[str, Floats]:
    """Return a projection's replications by the names of a session's quantities."""
    column = {name: replications[name].to_numpy(np.float64) for name in replications}
    new = column["tokens_uncached_input"] + column["tokens_cache_write"]
    hours = column["agent_hours"]
    return {
        "input_tokens": new + column["tokens_cache_read"],
        "new_input_tokens": new,
        "cache_read_tokens": column["tokens_cache_read"],
        "output_tokens": column["tokens_output"],
        "cost_usd": column["spend_tokens_usd"],
        "model_time_s": np.nan_to_num(column["share_model"]) * hours * _HOUR_S,
        "wall_time_s": hours * _HOUR_S,
        "calls": column["model_calls"],
    }
