"""Future sessions: a scenario for them, calibrated on past ones."""

from collections.abc import Iterator, Sequence
from typing import Final

from simbudget.calibration.observed.session_prices import session_prices
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.posteriors.caches import cache_life
from simbudget.calibration.scenarios.fit import Fit
from simbudget.calibration.scenarios.session_fits import KEEPS
from simbudget.calibration.scenarios.wording import highest_of
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.model import Scenario
from simbudget.scenario.provider import OTHERS

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
    names = {"cycle.think.turns": "cycle.think[0].turns"}
    learnt = {names.get(fit.name, fit.name): fit.quantity for fit in fits if fit.quantity is not None}
    text = {name: quantity.written for name, quantity in learnt.items()}
    text |= {fit.name: fit.written for fit in fits if fit.name == KEEPS}
    models = [session.model for session in sessions]
    typical = max(sessions, key=lambda session: (models.count(session.model), session.ended))
    life = cache_life(sessions, typical)
    largest = max(session.context.max() for session in sessions)
    limit = text.get("context.limit_tokens", str(int(largest + 1)))
    text.setdefault("context.compacted_to_tokens", str(UNSEEN_SUMMARY))
    text["context.limit_tokens"] = str(max(int(limit), least_limit(learnt)))
    lines = [
        f"fleet: [{{group: session, agents: 1, model: {MODEL}}}]",
        f"cycle: [{{think: {{turns: {text['cycle.think[0].turns']}}}}}]",
        "turn: {" + ", ".join(_entries(text, "turn.", {"output_tokens": "0", "tool_time": "0 s"})) + "}",
        f"context: {{lasts: cycle, cache: {life}, " + ", ".join(_entries(text, "context.", {})) + "}",
        f"models: {{{OTHERS}: {{" + ", ".join(_entries(text, f"models[{OTHERS}].", {})) + "}}",
        f"prices: {{{MODEL}: {session_prices(typical, 'turn.output_tokens' in text, life)}}}",
        f"stop: {{after: 3650 days, cycles_per_agent: {count}}}",
    ]
    if "api.error_rate" in text:
        lines.append(f"api: {{error_rate: {text['api.error_rate']}}}")
    return loads_scenario("\n".join(lines), "check", calibration=Calibration(learnt)).scenario


def least_limit(learnt: dict[str, CalibratedQuantity]) -> int:
    """Return the lowest limit that leaves room after nine in ten compactions."""
    names = ("context.first_prompt_tokens", "context.compacted_to_tokens")
    highest = [highest_of(learnt[name].posterior) if name in learnt else _DEFAULT_TOKENS for name in names]
    return int(1.5 * sum(highest))


def _entries(text: dict[str, str], block: str, defaults: dict[str, str]) -> Iterator[str]:
    """Yield `key: value` for a block's quantities, including unlearnt ones that have a default."""
    values = defaults | {
        name.removeprefix(block): value for name, value in text.items() if name.startswith(block)
    }
    inner = {key: value for key, value in values.items() if "." in key}
    for key, value in values.items():
        if key not in inner:
            yield f"{key}: {value}"
    for name in dict.fromkeys(key.partition(".")[0] for key in inner):
        of_name = (
            f"{key.partition('.')[2]}: {value}" for key, value in inner.items() if key.startswith(f"{name}.")
        )
        yield f"{name}: {{" + ", ".join(of_name) + "}"
