"""Objectives and limits of a plan, evaluated on a projection with their standard errors."""

import math
import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from simbudget.arrays import Floats
from simbudget.deciding.alternatives import ANY_RESULT
from simbudget.deciding.differences import by_world
from simbudget.deciding.outcomes import Unit
from simbudget.errors import Problem, UserError
from simbudget.projection.limits import LimitCheck
from simbudget.projection.projection import Projection
from simbudget.scenario.language.reading import nearest
from simbudget.scenario.limits import Limit, parse_limit


@dataclass(frozen=True)
class Objective:
    """A figure to maximise or minimise."""

    text: str
    column: str
    unit: Unit
    maximise: bool
    per: str | None = None
    """The figure is the ratio of the means of `column` and of this one."""
    of_results: bool = False
    of_tasks: bool = False

    def by_world(self, frame: pd.DataFrame) -> Floats:
        """Return its value in each world, the higher the better; of a ratio, its logarithm's influence on the mean.

        The mean over worlds is what is compared, and their spread its error.
        """
        worlds = frame["world"].to_numpy()
        above: Floats = by_world(np.nan_to_num(frame[self.column].to_numpy()), worlds)
        if self.per is None:
            return above if self.maximise else -above
        below = by_world(frame[self.per].to_numpy(), worlds)
        if below.mean() <= 0.0:
            return np.full(len(below), -1e3)
        # Delta method: log(E above / E below), and how much each world moves it.
        price = math.log(above.mean() / below.mean()) + above / above.mean() - below / below.mean()
        return np.asarray(-price, dtype=np.float64)

    def value(self, better: float) -> float:
        """Return the figure in its unit for a mean of `by_world`."""
        if self.per is not None:
            return math.exp(-better) if better > -500 else math.inf
        return better if self.maximise else -better

    def error(self, by_world_values: Floats) -> float:
        """Return the Monte-Carlo standard error of the figure in its unit."""
        if len(by_world_values) < 2:
            return 0.0
        error = float(by_world_values.std(ddof=1) / math.sqrt(len(by_world_values)))
        return error * self.value(float(by_world_values.mean())) if self.per is not None else error


_RESULTS: Final = "transferable_expected"
"""Has the same mean as the number of results, and less variance."""

OBJECTIVES: Final = {
    objective.text: objective
    for objective in (
        Objective("P(any transferable)", ANY_RESULT, Unit.SHARE, True, of_results=True),
        Objective("transferable results", _RESULTS, Unit.COUNT, True, of_results=True),
        Objective("cost per result", "spend_usd", Unit.USD, False, per=_RESULTS, of_results=True),
        Objective("tasks solved", "tasks_solved", Unit.COUNT, True, of_tasks=True),
        Objective("cost per solved task", "spend_usd", Unit.USD, False, per="tasks_solved", of_tasks=True),
        Objective("best score", "best_measured_score", Unit.SCORE, True),
        Objective("best true quality", "best_true_quality", Unit.SCORE, True),
        Objective("experiments", "experiments", Unit.COUNT, True),
        Objective("cycles", "cycles", Unit.COUNT, True),
        Objective("spend", "spend_usd", Unit.USD, False),
        Objective("wall clock", "wall_clock_hours", Unit.HOURS, False),
    )
}
"""Objectives by the text that names them."""

LEAST_COST: Final = OBJECTIVES["spend"]

_ANY: Final = re.compile(r"P\(\s*any[ _]transferable([ _]results?)?\s*\)", re.IGNORECASE)
_WITHIN: Final = re.compile(r"P\(\s*within[ _]budget\s*\)", re.IGNORECASE)


def parse_objective(text: str) -> Objective:
    """Return the objective that a text such as `P(any transferable)` names; UserError if there is none."""
    words = " ".join(text.replace("_", " ").split()).lower()
    words = "p(any transferable)" if _ANY.fullmatch(text.strip()) else words
    by_name = {name.lower(): objective for name, objective in OBJECTIVES.items()}
    if words not in by_name:
        raise UserError(Problem(f"{text[:60]!r} is no objective", remedy=nearest(words, OBJECTIVES)))
    return by_name[words]


def parse_requirement(text: str) -> Limit:
    """Return the limit that a text such as `P(any transferable) >= 80%` states; UserError if it is none.

    It is about the mean where it does not say which statistic.
    """
    written = _ANY.sub("probability_of_any_transferable_result", text)
    written = _WITHIN.sub("probability_within_budget", written)
    for name in (
        "transferable results",
        "wall clock",
        "agent hours",
        "gpu hours",
        "cost per transferable result",
    ):
        written = re.sub(name, name.replace(" ", "_"), written, flags=re.IGNORECASE)
    written = re.sub(r"^(\s*)tasks (?=attempts|solved|unsolved)", r"\1tasks.", written, flags=re.IGNORECASE)
    written = re.sub(r"^\s*(?!prob)([\w.]+)\s*(<|>|≤|≥)", r"\1 mean \2", written)
    try:
        return parse_limit(written)
    except ValueError as error:
        raise UserError(Problem(f"least cost for {text[:60]!r}: {error}")) from None


def violations(projection: Projection, budget_usd: float | None) -> dict[str, float]:
    """Return by how much a plan exceeds each limit, as a fraction of the limit, at most 1; negative if within it.

    A budget is a limit on the spend: nine runs in ten have to keep to it.

    Args:
        projection: the projection of the plan.
        budget_usd: what nine in ten runs may spend at most; None for no budget.
    """
    found = {check.limit: _violation(check, limit) for check, limit in _checked(projection)}
    if budget_usd is not None:
        p90 = projection.statistics.value("spend_usd", "p90")
        found[f"spend p90 <= {budget_words(budget_usd)}"] = _cut((p90 - budget_usd) / budget_usd)
    return found


def budget_words(budget_usd: float) -> str:
    """Return an amount of money, with cents unless they are zero."""
    if budget_usd == round(budget_usd):
        return f"${budget_usd:,.0f}"
    return f"${budget_usd:,.2f}" if budget_usd >= 0.01 else f"${budget_usd:.2g}"


def _checked(projection: Projection) -> list[tuple[LimitCheck, Limit | None]]:
    limits: dict[str, Limit] = {limit.text: limit for limit in projection.scenario.limits}
    return [(check, limits.get(check.limit)) for check in projection.summary.limits]


def _violation(check: LimitCheck, limit: Limit | None) -> float:
    if limit is None or check.value is None:
        return -0.1 if check.holds else 1.0
    allowed = limit.value / 3600.0 if limit.figure == "wall_clock" else limit.value
    beyond = (check.value - allowed) / max(abs(allowed), 1e-9)
    beyond = beyond if limit.at_most else -beyond
    return _cut(max(beyond, 1e-9) if not check.holds else min(beyond, 0.0))


def _cut(value: float) -> float:
    return float(min(1.0, max(-1.0, value)))
