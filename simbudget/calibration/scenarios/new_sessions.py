"""Future sessions: a scenario for them, calibrated on past ones."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from simbudget.calibration.observed.caches import cache_life
from simbudget.calibration.observed.session_prices import session_prices
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.scenarios.fit import Fit
from simbudget.calibration.scenarios.session_fits import KEEPS
from simbudget.calibration.scenarios.wording import as_value, highest_of
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration
from simbudget.scenario.provider import OTHERS
from simbudget.scenario.scenario import Group, Scenario

MODEL: Final = "model"
"""The model's name in the scenario."""
_DEFAULT_TOKENS: Final = 20_000.0
UNSEEN_SUMMARY: Final = 2_000
"""Assumed if compactions are too few to learn from: they keep contexts below the largest one seen, at low cost."""


def session_scenario(sessions: Sequence[Session], fits: Sequence[Fit], count: int = 1) -> Scenario:
    """Return the scenario of an agent with the given number of consecutive sessions, all quantities calibrated.

    Args:
        sessions: those that were calibrated on; the most frequent model's prices are taken.
        fits: what was learnt from them; turns and tool results at least.
        count: how many sessions.
    """
    of_step = {"cycle.think.turns": "cycle.think[0].turns"}
    learnt = {of_step.get(fit.name, fit.name): fit.quantity for fit in fits if fit.quantity is not None}
    values = {
        fit.name: as_value(fit.written) for fit in fits if fit.quantity is not None or fit.name == KEEPS
    }
    models = [session.model for session in sessions]
    typical = max(sessions, key=lambda session: (models.count(session.model), session.ended))
    life = cache_life(sessions, typical)
    largest = max(session.context.max() for session in sessions)
    limit = int(values.get("context.limit_tokens", largest + 1))
    context = {"compacted_to_tokens": UNSEEN_SUMMARY} | _block(values, "context")
    context |= {"lasts": "cycle", "cache": life, "limit_tokens": max(limit, least_limit(learnt))}
    return Scenario(
        fleet=[Group(group="session", agents=1, model=MODEL)],
        cycle=[{"think": {"turns": values["cycle.think.turns"]}}],
        turn={"output_tokens": 0, "tool_time": "0 s"} | _block(values, "turn"),
        context=context,
        models={OTHERS: _block(values, f"models[{OTHERS}]")},
        prices={MODEL: as_value(session_prices(typical, "turn.output_tokens" in values, life))},
        api=_block(values, "api"),
        stop={"after": "3650 days", "cycles_per_agent": count},
        calibration=Calibration(learnt),
    )


def least_limit(learnt: dict[str, CalibratedQuantity]) -> int:
    """Return the lowest limit that leaves room after nine in ten compactions."""
    names = ("context.first_prompt_tokens", "context.compacted_to_tokens")
    highest = [highest_of(learnt[name].posterior) if name in learnt else _DEFAULT_TOKENS for name in names]
    return int(1.5 * sum(highest))


def _block(values: Mapping[str, Any], block: str) -> dict[str, Any]:
    """Return the values of a block by their keys, those of blocks within it as mappings."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name.startswith(f"{block}."):
            *blocks, key = name.removeprefix(f"{block}.").split(".")
            inner = found
            for each in blocks:
                inner = inner.setdefault(each, {})
            inner[key] = value
    return found
