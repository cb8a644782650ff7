"""Watching: a run that is under way, projected anew from where it stands and from what it has shown so far.

What has been spent is known; the rest is what simulated runs of the scenario still had before them, given that they
look like the real one up to now (`conditioning`): as many calls, tokens, experiments and dollars by now, and in the
second half of the time until now. So a fleet that turned out quicker, dearer or more talkative than was assumed has a
rest that is, too, as far as the scenario says that these go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simbudget.deciding.conditioning import Likeness, conditioned, likeness
from simbudget.deciding.courses import Courses, Progress, simulate_courses
from simbudget.deciding.standing import Standing
from simbudget.engine.laws.tally import LOOKS
from simbudget.engine.totals import result_column
from simbudget.errors import Problem, UserError
from simbudget.ledger.entry import COMPONENTS
from simbudget.scenario.limits import Limit
from simbudget.scenario.loading import LoadedScenario

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

DEFAULT_RUNS: Final = 600
SURE: Final = 0.8
"""A run is on track if it stays within its budget with at least this probability, unless another is asked for."""
SURPRISING: Final = 0.02

_DRAWS: Final = 4_000
_COUNTS: Final = (
    "model_calls",
    "tokens_uncached_input",
    "tokens_cache_write",
    "tokens_cache_read",
    "tokens_output",
    "experiments",
    "scorer_calls",
    "gpu_hours_used",
)
_LIMITED: Final = {"spend": "spend_usd", "wall_clock": "", **{name: name for name in _COUNTS}}
_HOUR_S: Final = 3600.0


@dataclass(frozen=True)
class Watching:
    """How a run is watched."""

    runs: int = DEFAULT_RUNS
    seed: int = 1
    sure: float = SURE
    worth_usd: float | None = None
    """What a transferable result is worth; None: not asked."""


@dataclass(frozen=True)
class Learnt:
    """What the run so far has said of one unknown."""

    name: str
    before: tuple[float, float, float]
    """p10, p50, p90."""
    after: tuple[float, float, float]
    narrower: float
    """By which part its interval got narrower, on a logarithmic scale where it is positive."""


@dataclass(frozen=True)
class Worthwhile:
    """When the next hour costs more than it brings."""

    stop_at_hours: float
    p10: float
    p90: float
    """Of a bootstrap over runs."""
    next_hour_costs_usd: float
    next_hour_brings_usd: float


@dataclass(frozen=True)
class Outlook:
    """What is to be expected of a run, from where it stands."""

    standing: Standing
    ends_hours: float
    """The planned end."""
    budget_usd: float | None
    spent_usd: dict[str, float]
    """p10, p50, p90: where the log does not tell all that was spent, the scenario says what else was."""
    expected_by_now_usd: dict[str, float]
    """The same, as it was projected before the run."""
    spend_usd: dict[str, float]
    """At the planned end, if the budget does not stop it; mean, p10, p50, p90."""
    spend_before_usd: dict[str, float]
    """As it was projected before the run."""
    by_component_usd: dict[str, dict[str, float]]
    counts: dict[str, dict[str, float]]
    within_budget: float | None
    budget_met_hours: dict[str, float | None] | None
    """p10, p50, p90 of when the budget is reached; None: not before the planned end."""
    limits: list[dict[str, Any]]
    learnt: list[Learnt]
    worthwhile: Worthwhile | None
    surprise: float
    curve: dict[str, list[float]]
    """hours, and p10, p50, p90 of what will have been spent by then."""
    sure: float
    notes: tuple[str, ...]
    samples: dict[str, Floats]
    """[draws] of the spend (`spend_usd`) and of each count at the planned end."""

    @property
    def is_on_track(self) -> bool:
        """Return whether every limit is kept, and the budget as surely as asked for."""
        kept = self.within_budget is None or self.within_budget >= self.sure
        return kept and all(limit["holds"] for limit in self.limits)

    @property
    def elapsed_hours(self) -> float:
        """Return how long the run has lasted."""
        return self.standing.elapsed_s / _HOUR_S


def watch(
    loaded: LoadedScenario,
    standing: Standing,
    how: Watching | None = None,
    progress: Progress = lambda done, total: None,
) -> Outlook:
    """Return the outlook of a run of a scenario from where it stands.

    Raises:
        UserError: results are to be weighed and the scenario counts none; the scenario cannot be simulated.
    """
    how, scenario = how or Watching(), loaded.scenario
    ends_s = scenario.stop.after.exact_value
    if how.worth_usd is not None and (scenario.research is None or not scenario.gates):
        message = "--worth needs to know what a result is, and the scenario has no gate"
        raise UserError(Problem(message, remedy="write `gates`, or leave --worth out"))
    elapsed_s = min(standing.elapsed_s, ends_s * (1.0 - 1e-9))
    unknown = [row.name for row in loaded.provenance if row.kind in ("unknown", "both")]
    courses = simulate_courses(scenario, unknown, elapsed_s, how.runs, how.seed, progress)
    like = likeness(*_statistics(courses, standing))
    rows = np.random.default_rng([how.seed, 7]).choice(how.runs, size=_DRAWS, p=like.weights)
    return _outlook(loaded, standing, how, _Conditioned(courses, standing, like, rows))


def _statistics(courses: Courses, standing: Standing) -> tuple[Floats, Floats]:
    """Return [runs, statistics] and [statistics]: totals so far, and what of them is of the second half."""
    simulated, observed = [], []
    for name, value in standing.so_far.items():
        now, half = courses.so_far[name].to_numpy(), courses.halfway[name].to_numpy()
        if np.isnan(now).any() or not (now.any() or value):
            continue
        simulated += [now, np.maximum(now - half, 0.0)]
        observed += [value, max(value - standing.halfway[name], 0.0)]
    if not simulated:
        return np.zeros((len(courses.so_far), 0)), np.zeros(0)
    return np.column_stack(simulated), np.array(observed)


@dataclass(frozen=True)
class _Conditioned:
    """Draws of what has been and what will be, given what was seen."""

    courses: Courses
    standing: Standing
    like: Likeness
    rows: Integers
    """[draws] the run that each draw rests on."""

    def so_far(self, column: str, known: float | None) -> Floats:
        """Return [draws] of what a column has come to: what is known, else as the simulated runs say."""
        if known is not None:
            return np.full(len(self.rows), known)
        return conditioned(self.courses.so_far[column].to_numpy(), self.like)[self.rows]

    def rest(self, column: str) -> Floats:
        """Return [draws] of what is still to come of a column."""
        rest = self.courses.whole[column].to_numpy() - self.courses.so_far[column].to_numpy()
        return conditioned(np.maximum(rest, 0.0), self.like)[self.rows]

    def progress(self, gates_later: bool) -> Floats:
        """Return [draws, bins + 1] the part of what is left to spend that is spent by each time.

        Gates that come at the end are left out.
        """
        spent, hours = self.courses.spent_usd[self.rows], self.courses.hours
        if gates_later:
            spent[:, -1] -= self.courses.whole["spend_gates_usd"].to_numpy()[self.rows]
        now = _at(spent, hours, self.standing.elapsed_s / _HOUR_S)[:, np.newaxis]
        left = np.maximum(spent[:, -1:] - now, 1e-12)
        return np.asarray(np.clip((spent - now) / left, 0.0, 1.0))


def _outlook(loaded: LoadedScenario, standing: Standing, how: Watching, given: _Conditioned) -> Outlook:
    scenario, courses = loaded.scenario, given.courses
    gates_later = _gates_at_the_end(loaded)
    so_far, rest = {}, {}
    for name in COMPONENTS:
        column = f"spend_{name}_usd"
        if name == "gates" and gates_later:
            whole = conditioned(courses.whole[column].to_numpy(), given.like)[given.rows]
            so_far[name], rest[name] = np.zeros(len(given.rows)), whole
            continue
        so_far[name] = given.so_far(column, standing.paid_usd.get(name))
        rest[name] = given.rest(column)
    spent, left = sum(so_far.values()), sum(rest.values())
    total = np.asarray(spent + left)
    at_end = rest["gates"] if gates_later else np.zeros(len(given.rows))
    steady = np.asarray(left - at_end)[:, np.newaxis] * given.progress(gates_later)
    curve = np.asarray(spent)[:, np.newaxis] + steady
    curve[:, -1] += at_end
    budget = scenario.stop.budget
    met = None if budget is None else _met_hours(curve, courses.hours, budget)
    within = None if budget is None else float((total <= budget).mean())
    counts = {
        name: given.so_far(name, standing.so_far.get(name)) + given.rest(name)
        for name in _COUNTS
        if courses.whole[name].notna().all() and courses.whole[name].any()
    }
    ends_hours = float(courses.hours[-1])
    totals = {**counts, "spend_usd": total}
    limits, unsaid = _limits(scenario.limits, totals, ends_hours, within)
    notes = [*standing.notes, *unsaid, *_notes(standing, loaded, given.like)]
    ahead = courses.hours >= standing.elapsed_s / _HOUR_S
    before = courses.so_far["spend_usd"].to_numpy() - (
        courses.so_far["spend_gates_usd"].to_numpy() if gates_later else 0.0
    )
    return Outlook(
        standing=standing,
        ends_hours=ends_hours,
        budget_usd=budget,
        spent_usd=_figure(np.asarray(spent)),
        expected_by_now_usd=_figure(before),
        spend_usd=_figure(total),
        spend_before_usd=_figure(courses.whole["spend_usd"].to_numpy()),
        by_component_usd={
            name: _figure(so_far[name] + rest[name])
            for name in COMPONENTS
            if (so_far[name] + rest[name]).any()
        },
        counts={name: _figure(values) for name, values in counts.items()},
        within_budget=within,
        budget_met_hours=met,
        limits=limits,
        learnt=_learnt(given),
        worthwhile=None if how.worth_usd is None else _worthwhile(given, how, curve, at_end),
        surprise=given.like.surprise,
        curve={
            "hours": courses.hours[ahead].tolist(),
            **{
                name: np.quantile(curve[:, ahead], level, axis=0).tolist()
                for name, level in (("p10", 0.1), ("p50", 0.5), ("p90", 0.9))
            },
        },
        sure=how.sure,
        notes=tuple(notes),
        samples=totals,
    )


def _gates_at_the_end(loaded: LoadedScenario) -> bool:
    research = loaded.scenario.research
    return bool(loaded.scenario.gates) and research is not None and research.gates_start == "at the end"


def _figure(values: Floats) -> dict[str, float]:
    p10, p50, p90 = np.quantile(values, (0.1, 0.5, 0.9))
    return {"mean": float(values.mean()), "p10": float(p10), "p50": float(p50), "p90": float(p90)}


def _at(spent: Floats, hours: Floats, hour: float) -> Floats:
    """Return [draws] what has been spent at an hour, between two times in proportion."""
    after = int(np.clip(np.searchsorted(hours, hour), 1, len(hours) - 1))
    part = (hour - hours[after - 1]) / (hours[after] - hours[after - 1])
    return np.asarray(spent[:, after - 1] + part * (spent[:, after] - spent[:, after - 1]))


def _met_hours(curve: Floats, hours: Floats, budget: float) -> dict[str, float | None]:
    """Return p10, p50 and p90 of the hour at which the budget is reached; None: not before the end."""
    reached = curve >= budget
    first = np.where(reached.any(axis=1), reached.argmax(axis=1), len(hours))
    at = np.full(len(curve), np.inf)
    for draw in np.flatnonzero(first < len(hours)):
        k = first[draw]
        if k == 0:
            at[draw] = 0.0
            continue
        low, high = curve[draw, k - 1], curve[draw, k]
        part = 1.0 if high <= low else (budget - low) / (high - low)
        at[draw] = hours[k - 1] + part * (hours[k] - hours[k - 1])
    quantiles = np.quantile(at, (0.1, 0.5, 0.9), method="nearest")
    names = ("p10", "p50", "p90")
    return {n: float(v) if np.isfinite(v) else None for n, v in zip(names, quantiles, strict=True)}


def _limits(
    limits: Sequence[Limit], totals: dict[str, Floats], ends_hours: float, within: float | None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return each limit, whether it holds and its value, and notes on those that are not looked at."""
    checked, unsaid = [], []
    for limit in limits:
        if limit.figure == "probability_within_budget" and within is not None:
            value, allowed = within, limit.value
        elif limit.figure == "wall_clock":
            value, allowed = ends_hours, limit.value / _HOUR_S
        elif limit.figure in _LIMITED and _LIMITED[limit.figure] in totals:
            value, allowed = _figure(totals[_LIMITED[limit.figure]])[limit.statistic], limit.value
        else:
            unsaid.append(f"the limit `{limit.text}` is not watched")
            continue
        holds = value <= allowed if limit.at_most else value >= allowed
        checked.append({"limit": limit.text, "holds": bool(holds), "value": float(value)})
    return checked, unsaid


def _learnt(given: _Conditioned) -> list[Learnt]:
    """Return what was learnt of the unknowns, those first whose intervals got narrowest."""
    found = []
    for name, values in given.courses.unknowns.items():
        before = np.quantile(values, (0.1, 0.5, 0.9))
        if before[0] >= before[2] or before[0] < 0.0:
            continue
        after = np.quantile(conditioned(values, given.like)[given.rows], (0.1, 0.5, 0.9))
        widths = [
            np.log(q[2] / q[0]) if before[0] > 0 and after[0] > 0 else q[2] - q[0] for q in (before, after)
        ]
        found.append(Learnt(name, _three(before), _three(after), float(1.0 - widths[1] / widths[0])))
    return sorted(found, key=lambda each: -each.narrower)


def _three(quantiles: Floats) -> tuple[float, float, float]:
    return float(quantiles[0]), float(quantiles[1]), float(quantiles[2])


def _worthwhile(given: _Conditioned, how: Watching, curve: Floats, at_end: Floats) -> Worthwhile:
    """Return from which hour on another hour costs more than it brings, in expectation.

    Where the expected worth of the results so far less the expected spend is highest, over the looks that are left;
    a bootstrap over draws says how well that is known.
    """
    assert how.worth_usd is not None
    courses, now = given.courses, given.standing.elapsed_s / _HOUR_S
    whole = courses.whole
    results = np.column_stack([whole[result_column(look)].to_numpy() for look in range(LOOKS)])[given.rows]
    looks = courses.hours[-1] * (np.arange(LOOKS) + 1) / LOOKS
    left = looks > now * (1.0 + 1e-6)
    times = np.concatenate([[now], looks[left]])
    brought = np.column_stack(
        [np.apply_along_axis(lambda r: np.interp(now, looks, r), 1, results), results[:, left]]
    )
    spent = np.column_stack([_at(curve, courses.hours, hour) for hour in times])
    spent[:, -1] -= at_end  # gates are paid for whenever the run stops
    net = how.worth_usd * brought - spent
    best = int(net.mean(axis=0).argmax())
    rng = np.random.default_rng([how.seed, 11])
    runs = max(2, round(given.like.effective_runs))
    again = [int(net[rng.integers(len(net), size=runs)].mean(axis=0).argmax()) for _ in range(400)]
    low, high = np.quantile(times[again], (0.1, 0.9))
    hours = max(times[1] - times[0], 1e-9) if len(times) > 1 else 1.0
    step = 1 if len(times) > 1 else 0
    return Worthwhile(
        float(times[best]),
        float(low),
        float(high),
        float((spent[:, step] - spent[:, 0]).mean() / hours),
        float(how.worth_usd * (brought[:, step] - brought[:, 0]).mean() / hours),
    )


def _notes(standing: Standing, loaded: LoadedScenario, like: Likeness) -> list[str]:
    notes = []
    planned = sum(group.agents for group in loaded.scenario.fleet)
    if standing.agents != planned:
        notes.append(f"{standing.agents:,} agents in the log, {planned:,} in the scenario")
    if like.surprise < SURPRISING:
        notes.append(
            "what was seen is beyond what the scenario expects; intervals are widened, and a calibration on this "
            "log would tell more"
        )
    if standing.elapsed_s >= loaded.scenario.stop.after.exact_value:
        notes.append("the planned end is past")
    return notes
