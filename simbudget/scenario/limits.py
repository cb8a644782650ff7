"""Limits that a plan has to meet, as text such as `spend p90 <= $20,000`."""

import re
from dataclasses import dataclass, field
from typing import ClassVar, Final

from simbudget.scenario.language.amounts import Amount
from simbudget.scenario.language.reading import nearest
from simbudget.units import Dimension

STATISTICS: Final = ("mean", "p10", "p50", "p90")

PROBABILITIES: Final = ("probability_within_budget", "probability_of_any_transferable_result")

FIGURES: Final = {
    "spend": Dimension.MONEY,
    "overrun": Dimension.MONEY,
    "cost_per_agent_hour": Dimension.MONEY,
    "wall_clock": Dimension.DURATION,
    "agent_hours": Dimension.NUMBER,
    "gpu_hours": Dimension.NUMBER,
    "model_calls": Dimension.NUMBER,
    "cycles": Dimension.NUMBER,
    "experiments": Dimension.NUMBER,
    "scorer_calls": Dimension.NUMBER,
    "transferable_results": Dimension.NUMBER,
    "cost_per_transferable_result": Dimension.MONEY,
    "tasks.attempts": Dimension.NUMBER,
    "tasks.solved": Dimension.NUMBER,
    "tasks.unsolved": Dimension.NUMBER,
    "tasks.spend_per_task": Dimension.MONEY,
    "tasks.cost_per_solved": Dimension.MONEY,
    **dict.fromkeys(PROBABILITIES, Dimension.FRACTION),
}
"""Figures that can be limited; durations are written with a unit and stored in seconds."""

NEEDS_RESEARCH: Final = (
    "transferable_results",
    "cost_per_transferable_result",
    "probability_of_any_transferable_result",
)

NEEDS_TASKS: Final = tuple(figure for figure in FIGURES if figure.startswith("tasks."))

_HOURS: Final = ("agent_hours", "gpu_hours")

_LIMIT: Final = re.compile(r"\s*([\w.]+)(?:\s+(\w+))?\s*(<=|>=|<|>|≤|≥)\s*(.+?)\s*")


@dataclass(frozen=True)
class Limit:
    """One limit: the statistic of a figure, and the bound that it must not exceed."""

    text: str = field(compare=False)
    figure: str
    statistic: str
    """One of `STATISTICS`; for a probability, which has no statistic, `mean`."""
    at_most: bool
    value: float
    """In base units: seconds, US dollars, numbers, shares."""

    is_setting: ClassVar[bool] = True

    def __str__(self) -> str:
        """Return the limit as written."""
        return self.text


def parse_limit(text: str) -> Limit:
    """Parse a limit such as `spend p90 <= $20,000`.

    Without a statistic, an upper limit applies to the p90 and a lower limit to the p10, the cautious side.

    Raises:
        ValueError: the text is not a limit.
    """
    match = _LIMIT.fullmatch(text) if len(text) <= 200 else None
    if match is None:
        raise ValueError(f"`{text[:60]}` is not a limit; write for example `spend p90 <= $20,000`")
    figure, statistic, sign, written = match.groups()
    at_most = sign in ("<=", "<", "≤")
    if figure not in FIGURES:
        raise ValueError(f"there is no figure `{figure[:40]}`; {nearest(figure, FIGURES)}")
    if figure in PROBABILITIES:
        if statistic is not None:
            raise ValueError(f"`{figure}` is one number; leave out `{statistic[:20]}`")
        statistic = "mean"
    statistic = statistic or ("p90" if at_most else "p10")
    if statistic not in STATISTICS:
        raise ValueError(f"there is no statistic `{statistic[:40]}`; {nearest(statistic, STATISTICS)}")
    amount = Amount(FIGURES[figure], exact=True)
    written = (
        re.sub(r"^\$(.*)/h$|^(.*\S)\s*\$/h$", r"$\1\2", written)
        if figure == "cost_per_agent_hour"
        else written
    )
    if figure in _HOURS:
        written = re.sub(r"\s*(h|hours?)$", "", written)
    value = amount.parse(written).distribution.mean()
    if value < 0 or (figure in PROBABILITIES and value > 1):
        allowed = "a share from 0% to 100%" if figure in PROBABILITIES else "0 or more"
        raise ValueError(f"`{written}` is out of bounds for `{figure}`; {allowed} is allowed")
    return Limit(text.strip(), figure, statistic, at_most, value)
