"""The summary of a projection: every figure that `project --json` prints, as a typed value."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from simbudget.engine.lowering.pools import pool_names
from simbudget.engine.lowering.settings import not_compiled
from simbudget.engine.totals import pool_column
from simbudget.ledger.entry import ACTIVITIES, COMPONENTS
from simbudget.pricing.charge import TOKEN_CLASSES
from simbudget.projection.engines import SIMULATES_ALL
from simbudget.projection.limits import LimitCheck, check_limits
from simbudget.projection.months import DEAREST_MONTH, check_spend_cap
from simbudget.projection.research import Research, notes_on_research, summarise_research
from simbudget.projection.simulated import Simulated
from simbudget.projection.statistics import ACCURACY, Spread, Statistics
from simbudget.projection.tasks import TaskFigures, summarise_tasks
from simbudget.results import as_plain
from simbudget.scenario.provider import Api

RESOURCES: Final = ("gpu", "scorer", "api_requests", "api_input", "api_output")
"""Resources with a limited capacity."""

WAITED_FOR: Final = (*RESOURCES, "plan")
"""Resources that agents wait for; `plan` is the subscription, whose usage windows can be exhausted."""

_GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "spend_by_component_usd": {name: f"spend_{name}_usd" for name in COMPONENTS},
    "tokens": {name: f"tokens_{name}" for name in TOKEN_CLASSES},
    "gpu_hours": {"used": "gpu_hours_used", "billed": "gpu_hours_billed"},
    "agent_time_share": {name: f"share_{name}" for name in ACTIVITIES},
    "utilisation": {name: f"utilisation_{name}" for name in RESOURCES},
    "waiting_hours": {name: f"queued_{name}_hours" for name in WAITED_FOR},
}
"""The columns of the replications that form a group of figures; a single figure has the name of its column."""

_OF_A_POOL: Final = ("used_hours", "billed_hours", "utilisation")

NO_BOTTLENECK: Final = "none"

_NEGLIGIBLE_WAITING: Final = 0.005
"""Waiting for less than this share of the agents' hours (seven minutes a day) is not a bottleneck."""

_SAME_HOURS: Final = 1e-6
"""Hours that differ by less (a few milliseconds) are equal, since sums of floats are not exact."""

Spreads = Mapping[str, Spread | None]


_OFTEN_FULL: Final = 0.05
"""If contexts are full in more than this share of the runs, the answer depends on the default of their limit."""


@dataclass(frozen=True, kw_only=True)
class Measures:
    """Figures of a run, each with its mean and quantiles over replications; None for one that does not apply."""

    spend_usd: Spread
    spend_by_component_usd: Spreads
    agent_hours: Spread
    cost_per_agent_hour_usd: Spread | None
    wall_clock_hours: Spread
    """Until the last agent, the last review and the last gate have ended."""
    run_hours: Spread
    """Until the last agent has ended."""
    overrun_usd: Spread
    """Spend beyond the budget: what was in flight when the budget was reached."""
    model_calls: Spread
    tokens: Spreads
    gpu_hours: Spreads
    gpu_pools: Mapping[str, Spreads]
    """By pool of GPUs: hours used and billed, and the used share of its capacity."""
    experiments: Spread
    """Jobs that ended with a result."""
    jobs: Spread
    """Jobs that were not cut off, with or without a result."""
    jobs_cancelled: Spread
    """Jobs that were cancelled, cut or refused."""
    scorer_calls: Spread
    cycles: Spread
    agent_time_share: Spreads
    """By activity, its share of the agents' hours."""
    utilisation: Spreads
    """By resource, the used share of its capacity; None without a limit."""
    waiting_hours: Spreads
    """By resource, the hours that all agents wait for it; sub-agents that wait in parallel count separately."""

    def measures_as_json(self) -> dict[str, Any]:
        """Return the measures alone as plain values."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(Measures)}


@dataclass(frozen=True, kw_only=True)
class MonteCarloErrors(Measures):
    """The standard errors of the figures due to the finite number of replications."""

    probability_within_budget: float | None


@dataclass(frozen=True, kw_only=True)
class Summary(Measures):
    """The figures of a projection."""

    scenario: str
    seed: int
    engine: str
    worlds: int
    replications: int
    simulated_hours: float
    probability_within_budget: float | None
    """Of a spend of at most the budget; None without a budget."""
    probability_cut_short: float | None
    """That the budget, less the reserve, stops the agents before their planned end; None without a budget."""
    bottleneck: str
    """The resource of `WAITED_FOR` that agents wait for longest, or `NO_BOTTLENECK`; `gpu NAME` if there are several
    pools of GPUs, and such as `api_requests MODEL` if only one model has that limit."""
    research: Research | None
    """None if nothing is scored."""
    tasks: TaskFigures | None
    """None without tasks."""
    limits: tuple[LimitCheck, ...]
    monte_carlo_error: MonteCarloErrors
    prices_on: str
    """The date of the prices, such as 2026-06-01."""
    interrupted: bool

    def as_json(self) -> dict[str, Any]:
        """Return the summary as plain values."""
        head = ("scenario", "seed", "engine", "worlds", "replications", "simulated_hours")
        errors = self.monte_carlo_error
        return {
            **{name: getattr(self, name) for name in head},
            **self.measures_as_json(),
            "probability_within_budget": self.probability_within_budget,
            "probability_cut_short": self.probability_cut_short,
            "bottleneck": self.bottleneck,
            "research": as_plain(self.research),
            "tasks": as_plain(self.tasks),
            "limits": as_plain(self.limits),
            "monte_carlo_error": {
                **errors.measures_as_json(),
                "probability_within_budget": errors.probability_within_budget,
            },
            "prices_on": self.prices_on,
            "interrupted": self.interrupted,
        }


def summarise(simulated: Simulated) -> tuple[Summary, tuple[str, ...]]:
    """Return the summary of simulated runs, and the notes on it.

    Args:
        simulated: the simulated replications.
    """
    scenario, statistics = simulated.scenario, simulated.statistics
    research = summarise_research(simulated)
    cap, cap_notes = check_spend_cap(scenario, statistics.value(DEAREST_MONTH, "p90"))
    tasks = summarise_tasks(simulated)
    within, within_error = _within_budget(simulated)
    pools = pool_names(scenario)
    summary = Summary(
        scenario=scenario.name,
        seed=simulated.seed,
        engine=simulated.engine,
        worlds=simulated.worlds,
        replications=statistics.replications,
        simulated_hours=float(simulated.bin_edges_hours[-1]),
        probability_within_budget=within,
        probability_cut_short=_cut_short(simulated),
        bottleneck=_bottleneck(statistics, pools, scenario.api),
        research=research,
        tasks=tasks,
        limits=(*check_limits(scenario.limits, statistics, research, tasks), *cap),
        monte_carlo_error=MonteCarloErrors(
            **_measures(statistics, statistics.errors, pools), probability_within_budget=within_error
        ),
        prices_on=scenario.prices.on.isoformat(),
        interrupted=simulated.interrupted,
        **_measures(statistics, statistics.values, pools),
    )
    return summary, tuple(_notes(simulated, cap_notes))


def _notes(simulated: Simulated, cap_notes: list[str]) -> list[str]:
    notes = [*notes_on_research(simulated), *cap_notes]
    if slow := not_compiled(simulated.scenario):
        notes.append(
            f"{', '.join(slow)}: simulated by the {SIMULATES_ALL} engine, which is some hundred times slower"
        )
    full = float((simulated.replications["full_contexts"] > 0).mean())
    if full > _OFTEN_FULL:
        notes.append(
            f"in {full:.0%} of the runs contexts are full at a limit that nobody wrote, a part of the model's window "
            "(`simbudget check` says which): write `context.limit_tokens`"
        )
    made, kept = simulated.statistics.replications, len(simulated.replications)
    if made > kept:
        notes.append(
            f"quantiles over {made:,} replications are within {100 * ACCURACY:g} % (DDSketch); research, spend over "
            f"time, the budget's curve and replications.parquet rest on the first {kept:,}"
        )
    return notes


def _measures(statistics: Statistics, values: np.ndarray, pools: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of `Measures` from [statistics, columns] values, which are figures or their errors."""

    def spread(column: str) -> Spread:
        return Spread(*map(float, values[:, statistics.columns.index(column)]))

    def applying(column: str) -> Spread | None:
        found = spread(column)
        return None if np.isnan(found.mean) else found

    by_pool = {pool: {what: applying(pool_column(pool, what)) for what in _OF_A_POOL} for pool in pools}
    return {
        field.name: by_pool
        if field.name == "gpu_pools"
        else {key: applying(column) for key, column in _GROUPS[field.name].items()}
        if field.name in _GROUPS
        else applying(field.name)
        if field.name == "cost_per_agent_hour_usd"
        else spread(field.name)
        for field in fields(Measures)
    }


def _plain(figure: Spread | Spreads | Mapping[str, Spreads] | None) -> Any:
    """Return a figure as JSON; None without a mean, such as for the error of a single replication."""
    if isinstance(figure, Mapping):
        return {name: _plain(each) for name, each in figure.items()}
    return None if figure is None or np.isnan(figure.mean) else as_plain(figure)


def _within_budget(simulated: Simulated) -> tuple[float | None, float | None]:
    """Return the probability of a spend of at most the budget, and its Monte-Carlo error; None without one."""
    if simulated.scenario.stop.budget is None:
        return None, None
    error = simulated.statistics.within_budget_error
    return simulated.statistics.within_budget, None if np.isnan(error) else error


def _cut_short(simulated: Simulated) -> float | None:
    """Return the share of runs whose agents were stopped by the budget, which may be kept nevertheless."""
    stop, runs = simulated.scenario.stop, simulated.replications
    if stop.budget is None:
        return None
    agents_part_usd = stop.budget - (stop.reserve or 0.0)
    ended_early = runs["run_hours"] < simulated.bin_edges_hours[-1] - _SAME_HOURS
    stopped = ended_early & (runs["spend_usd"] - runs["spend_gates_usd"] >= agents_part_usd)
    return float(stopped.mean())


_LIMIT_KEYS: Final = {
    "api_requests": "requests_per_min",
    "api_input": "input_tokens_per_min",
    "api_output": "output_tokens_per_min",
}
"""The key under `api` for each of the provider's limits."""


def _bottleneck(statistics: Statistics, pools: tuple[str, ...], api: Api) -> str:
    """Return the resource that agents wait for longest, over all replications."""
    waiting = {name: statistics.value(f"queued_{name}_hours") for name in WAITED_FOR}
    if len(pools) > 1:
        del waiting["gpu"]
        waiting |= {f"gpu {pool}": statistics.value(pool_column(pool, "queued_hours")) for pool in pools}
    worst = max(waiting, key=lambda name: waiting[name])
    if waiting[worst] <= _NEGLIGIBLE_WAITING * statistics.value("agent_hours"):
        return NO_BOTTLENECK
    model = _only_limited(api, _LIMIT_KEYS[worst]) if worst in _LIMIT_KEYS else None
    return f"{worst} {model}" if model else worst


def _only_limited(api: Api, key: str) -> str | None:
    """Return the only model with this limit; None if there are several, since waiting is not recorded by model."""
    if getattr(api, key) is not None or api.tier is not None:
        return None
    models = [model for model, limits in api.models.items() if getattr(limits, key) is not None]
    return models[0] if len(models) == 1 else None
