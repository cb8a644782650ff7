"""Remarks and notes on what logs imply: what varies widely, what is left out, and what logs cannot tell."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.observed.observations import NO_SPEED
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.scenarios.fit import Fit
from simbudget.calibration.scenarios.logged_groups import LoggedGroup, model_named
from simbudget.calibration.scenarios.wording import spread_of, written_duration
from simbudget.numbers import hours, percent, rounded

_WIDE: Final = 5.0
"""From this p90/median on the typical value says little, and the mean stands beside it."""
_SEVERAL_KINDS: Final = 30.0
"""From this p90/median on a quantity is noted: one kind of draw hardly varies by more."""
_LONG_S: Final = 1800.0
"""Mean time between calls from which on it is noted: few tools take half an hour on average."""
_LEAST_SHARE: Final = 0.005
_TIMES: Final = ("tool_time", "first_token", "time")
_SILENT: Final = 1.0
"""Tokens: anything less is nothing."""
_MANY_ZEROS: Final = 0.1
_NOTABLE_SHARE: Final = 0.01
"""Fewer calls of another model hardly move a cost."""


def mean_of_few(count: int, what: str) -> str:
    """Return the remark on a mean of too few sessions or calls to learn how they differ.

    Args:
        count: how many there are.
        what: `session` or `call`.
    """
    many = f"of {count:,} {what}s" if count != 1 else f"of one {what}"
    return f"the mean {many}: too few to learn how they differ"


def known_outputs(sessions: Sequence[Session]) -> Floats:
    """Return the outputs that the logs of some sessions say, call by call."""
    outputs = [session.output for session in sessions if session.knows_output]
    return np.concatenate([output[np.isfinite(output)] for output in outputs]) if outputs else np.zeros(0)


def remark_on(fit: Fit) -> str:
    """Return the mean in the logs of a quantity that varies widely or lasts long; empty for others."""
    if fit.quantity is None or not len(fit.observed):
        return ""
    if spread_of(fit.quantity.posterior) < _WIDE and not _is_long(fit):
        return ""
    return f"{_mean(fit)} on average in the logs"


def note_on(fit: Fit, name: str) -> tuple[str, str]:
    """Return the figures of a quantity that mixes several kinds of draws, and what it mixes; empty for others.

    Args:
        fit: a quantity with draws.
        name: its name in the scenario.
    """
    assert fit.quantity is not None
    spread = spread_of(fit.quantity.posterior)
    if spread < _SEVERAL_KINDS and not _is_long(fit):
        return "", ""
    key = fit.name.rsplit(".", maxsplit=1)[-1]
    varies = (
        f"`{name.removesuffix('[0].turns')}` is {_mean(fit)} on average and varies {spread:.3g}x (p90/median)"
    )
    if key == "tool_time":
        return varies, (
            "it mixes tools with breaks between tasks and with people where the logs do not mark them; "
            "write what tools take if you plan runs without such breaks"
        )
    if key in _TIMES:
        return varies, "it mixes prompt answers with waits of several kinds"
    none = float((fit.observed < _SILENT).mean())
    if none >= _MANY_ZEROS:
        return varies, f"{percent(none)} of the values are 0"
    return varies, "there are many small values and a few large ones"


def _is_long(fit: Fit) -> bool:
    return fit.name == "turn.tool_time" and float(fit.observed.mean()) > _LONG_S


def _mean(fit: Fit) -> str:
    mean = float(fit.observed.mean())
    if fit.name.rsplit(".", maxsplit=1)[-1] in _TIMES:
        return written_duration(mean)
    return rounded(mean)


def waits_noted(groups: Sequence[LoggedGroup]) -> Iterator[str]:
    """Yield the note on waits for people, which the scenario leaves out."""
    people_s, between_s = (sum(getattr(group, key) for group in groups) for key in ("people_s", "between_s"))
    if between_s > 0 and people_s / between_s >= _LEAST_SHARE:
        yield (
            f"waiting for people, {hours(people_s / 3600)} or {people_s / between_s:.0%} of the time between calls, "
            "is left out of `turn.tool_time`; caches that expired meanwhile count in `context.cache_misses`"
        )


def mixed_models_noted(groups: Sequence[LoggedGroup]) -> Iterator[str]:
    """Yield a note for each group some of whose calls are of other models."""
    for group in groups:
        called = np.concatenate(
            [session.models for session in group.sessions if session.models is not None] or [np.zeros(0, str)]
        )
        models, counts = np.unique([model_named(str(model)) for model in called], return_counts=True)
        others = {
            str(model): int(count)
            for model, count in zip(models, counts, strict=True)
            if model != group.model
        }
        calls = sum(map(len, group.sessions))
        if others and sum(others.values()) >= _NOTABLE_SHARE * calls:
            of = " and ".join(f"{count:,} of {model}" for model, count in others.items())
            yield (
                f"{of} among {calls:,} calls are in sessions of mostly {group.model}, and the scenario makes them with "
                f"{group.model}; write a `think` step with its own `model` for a share of turns"
            )


def tells_no_speed(output_speed: Fit) -> bool:
    """Return whether durations of calls did not grow with their outputs."""
    assert output_speed.quantity is not None
    return bool(output_speed.quantity.posterior.draws[:, 0].min() >= NO_SPEED)


def no_speed_noted(model: str, default: str, sessions: Sequence[Session], is_default: bool) -> str:
    """Return the note on a model whose output speed the logs cannot tell.

    Args:
        model: its name in the scenario, or `others`.
        default: the default output speed.
        sessions: all sessions.
        is_default: whether the default is taken; otherwise the whole duration of calls is in `first_token`.
    """
    if not is_default:
        why = (
            "calls were shorter than the default speed allows"
            if len(known_outputs(sessions))
            else "output counts are not known"
        )
        return f"the logs cannot tell the output speed of {model}, and {why}: `first_token` holds whole calls"
    return (
        f"the durations of {model}'s calls do not grow with their outputs, so they cannot tell its output speed: the "
        f"default ({default}) is assumed, and `first_token` is the remaining time"
    )
