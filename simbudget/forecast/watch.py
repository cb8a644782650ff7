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

from simbudget.arrays import Floats
from simbudget.errors import Problem, UserError, argument, check_range
from simbudget.forecast.conditioned import SURPRISING, Conditioned
from simbudget.forecast.conditioning import Likeness, conditioned, likeness
from simbudget.forecast.in_flight import NOTHING
from simbudget.forecast.outlook import Learnt, Outlook
from simbudget.forecast.reference_runs import Progress, ReferenceRuns, simulate_reference_runs
from simbudget.forecast.run_state import RunState
from simbudget.forecast.stopping import worthwhile
from simbudget.ledger.entry import COMPONENTS
from simbudget.pricing.charge import TOKEN_CLASSES
from simbudget.projection.schedule import Options
from simbudget.scenario.limits import Limit
from simbudget.scenario.loading import LoadedScenario
from simbudget.units import HOUR_S

DEFAULT_RUNS: Final = 600
SURE: Final = 0.8
"""A run is on track if it stays within its budget with at least this probability, unless another is asked for."""

_DRAWS: Final = 4_000
_COUNTS: Final = (
    "model_calls",
    *(f"tokens_{name}" for name in TOKEN_CLASSES),
    "experiments",
    "scorer_calls",
    "gpu_hours_used",
)
_LIMITED: Final = {"spend": "spend_usd", "wall_clock": "", **{name: name for name in _COUNTS}}


@dataclass(frozen=True)
class Watching:
    """How a run is watched."""

    runs: int = DEFAULT_RUNS
    seed: int = 1
    sure: float = SURE
    worth_usd: float | None = None
    """What a transferable result is worth; None: not asked."""
    workers: int | None = None
    """Cores to use; by default all. The outlook does not depend on it."""
    on: str | None = None
    """A Dask cluster in place of this machine's cores."""

    def __post_init__(self) -> None:
        """Check the number of runs.

        Raises:
            UserError: it is too small to show a distribution.
        """
        check_range("runs", self.runs, 20, 10_000)


def watch(
    loaded: LoadedScenario,
    state: RunState,
    how: Watching | None = None,
    progress: Progress = lambda done, total: None,
) -> Outlook:
    """Return the outlook of a run of a scenario from where it stands.

    Raises:
        UserError: results are to be weighed and the scenario counts none; the scenario cannot be simulated.
    """
    how, scenario = how or Watching(), loaded.scenario
    if how.worth_usd is not None and (scenario.research is None or not scenario.gates):
        worth = argument("worth_usd", option="--worth")
        message = f"{worth} needs to know what a result is, and the scenario has no gate"
        raise UserError(Problem(message, remedy=f"write `gates`, or leave {worth} out"))
    runs = reference_runs_for(loaded, state.elapsed_s, how, progress)
    return outlook_of(loaded, state, runs, how)


def reference_runs_for(
    loaded: LoadedScenario,
    elapsed_s: float,
    how: Watching,
    progress: Progress = lambda done, total: None,
) -> ReferenceRuns:
    """Return simulated runs of a scenario beside which a run that has lasted so long is looked at."""
    ends_s = loaded.scenario.stop.after.exact_value
    unknown = [row.name for row in loaded.provenance if row.kind in ("unknown", "both")]
    until_s = min(elapsed_s, ends_s * (1.0 - 1e-9))
    options = Options(how.seed, how.runs, workers=how.workers, on=how.on)
    return simulate_reference_runs(loaded.scenario, unknown, until_s, options, progress)


def outlook_of(loaded: LoadedScenario, state: RunState, runs: ReferenceRuns, how: Watching) -> Outlook:
    """Return the outlook of a run from where it stands, given runs that are known at the same moment."""
    rng = np.random.default_rng([how.seed, 7])
    like = likeness(*_statistics(runs, state, rng))
    rows = rng.choice(how.runs, size=_DRAWS, p=like.weights)
    scores = rng.standard_normal(_DRAWS)
    return _outlook(loaded, state, how, Conditioned(runs, state, like, rows, scores))


def _statistics(runs: ReferenceRuns, state: RunState, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return [runs, statistics] and [statistics]: totals so far, and what of them is of the second half.

    What is under way in the real run is known but for an error; the simulated runs' totals get one as large, as if
    they had been looked at in the same way (R. D. Wilkinson, "Approximate Bayesian computation (ABC) gives exact
    results under the assumption of model error", Statistical Applications in Genetics and Molecular Biology 12 (2013),
    129-141).
    """
    simulated, observed = [], []
    for name, value in state.so_far.items():
        now, half = runs.so_far[name].to_numpy(), runs.halfway[name].to_numpy()
        if np.isnan(now).any() or not (now.any() or value):
            continue
        in_flight = state.in_flight.get(name, NOTHING)
        looked, looked_half = (
            np.maximum(true + in_flight.error * rng.standard_normal(len(true)), 0.0) for true in (now, half)
        )
        simulated += [looked, np.maximum(looked - looked_half, 0.0)]
        # as much is taken to have been under way at half time as now, with the same error
        observed += [value + in_flight.mean, max(value - state.halfway[name], 0.0)]
    if not simulated:
        return np.zeros((len(runs.so_far), 0)), np.zeros(0)
    return np.column_stack(simulated), np.array(observed)


def _outlook(loaded: LoadedScenario, state: RunState, how: Watching, given: Conditioned) -> Outlook:
    scenario, runs = loaded.scenario, given.runs
    gates_later = _gates_at_the_end(loaded)
    so_far, rest = {}, {}
    for name in COMPONENTS:
        column = f"spend_{name}_usd"
        if name == "gates" and gates_later:
            whole = conditioned(runs.whole[column].to_numpy(), given.like)[given.rows]
            so_far[name], rest[name] = np.zeros(len(given.rows)), whole
            continue
        so_far[name] = given.so_far(column, state.paid_usd.get(name))
        rest[name] = given.rest(column)
    spent, left = sum(so_far.values()), sum(rest.values())
    total = np.asarray(spent + left)
    at_end = rest["gates"] if gates_later else np.zeros(len(given.rows))
    steady = np.asarray(left - at_end)[:, np.newaxis] * given.progress(gates_later)
    curve = np.asarray(spent)[:, np.newaxis] + steady
    curve[:, -1] += at_end
    budget = scenario.stop.budget
    met = None if budget is None else _met_hours(curve, runs.hours, budget)
    within = None if budget is None else float((total <= budget).mean())
    counts = {
        name: given.so_far(name, state.so_far.get(name)) + given.rest(name)
        for name in _COUNTS
        if runs.whole[name].notna().all() and runs.whole[name].any()
    }
    ends_hours = float(runs.hours[-1])
    totals = {**counts, "spend_usd": total}
    limits, unsaid = _limits(scenario.limits, totals, ends_hours, within)
    notes = [*state.notes, *unsaid, *_notes(state, loaded, given.like)]
    ahead = runs.hours >= state.elapsed_s / HOUR_S
    before = runs.so_far["spend_usd"].to_numpy() - (
        runs.so_far["spend_gates_usd"].to_numpy() if gates_later else 0.0
    )
    return Outlook(
        state=state,
        ends_hours=ends_hours,
        budget_usd=budget,
        spent_usd=_figure(np.asarray(spent)),
        expected_by_now_usd=_figure(before),
        spend_usd=_figure(total),
        spend_before_usd=_figure(runs.whole["spend_usd"].to_numpy()),
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
        worthwhile=None
        if how.worth_usd is None
        else worthwhile(given, how.worth_usd, how.seed, curve, at_end),
        surprise=given.like.surprise,
        curve={
            "hours": runs.hours[ahead].tolist(),
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
            value, allowed = ends_hours, limit.value / HOUR_S
        elif limit.figure in _LIMITED and _LIMITED[limit.figure] in totals:
            value, allowed = _figure(totals[_LIMITED[limit.figure]])[limit.statistic], limit.value
        else:
            unsaid.append(f"the limit `{limit.text}` is not watched")
            continue
        holds = value <= allowed if limit.at_most else value >= allowed
        checked.append({"limit": limit.text, "holds": bool(holds), "value": float(value)})
    return checked, unsaid


def _learnt(given: Conditioned) -> list[Learnt]:
    """Return what was learnt of the unknowns, those first whose intervals got narrowest."""
    found = []
    for name, values in given.runs.unknowns.items():
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


def _notes(state: RunState, loaded: LoadedScenario, like: Likeness) -> list[str]:
    notes = []
    planned = sum(group.agents for group in loaded.scenario.fleet)
    if state.agents != planned:
        notes.append(f"{state.agents:,} agents in the log, {planned:,} in the scenario")
    if like.surprise < SURPRISING:
        notes.append(
            "the scenario did not expect what was seen, so the run's own rate counts more than the scenario; "
            "`simbudget calibrate` on this log brings the two together"
        )
    if state.elapsed_s >= loaded.scenario.stop.after.exact_value:
        notes.append("the planned end is past")
    return notes
