"""Planning a pilot: how much a short real run is expected to narrow the projection and improve the decision.

A preposterior analysis. In each of many worlds, the whole run and the pilot are simulated independently, and the run's
outcomes are regressed on the figures of the pilot's record (`deciding.pilot_evidence`). The explained part is the
expected information from the pilot: for the projection, the reduction of variance; for the decision, the expected value
of sample information: M. Strong, J. E. Oakley, A. Brennan and P. Breeze, "Estimating the expected value of sample
information using the probabilistic sensitivity analysis sample: a fast, nonparametric regression-based method",
Medical Decision Making 35 (2015), 570-583. A pilot that shows nothing is expected to narrow nothing. The pilot ends
before any gate, so it informs about transfer only as far as benchmark scores do.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from simbudget.arrays import Floats, Integers
from simbudget.deciding.alternatives import (
    Alternative,
    Progress,
    Sample,
    as_it_stands,
    paired_rows,
    project_together,
)
from simbudget.deciding.changes import Change, Source
from simbudget.deciding.emulator import PLAIN
from simbudget.deciding.information import of_group
from simbudget.deciding.net_benefit import net_benefits
from simbudget.deciding.outcomes import RESULTS, SPEND, counts_results
from simbudget.deciding.pilot_evidence import (
    FIGURES,
    Stage,
    figures_of,
    narrowing,
    ranks,
    stage,
    variance_left,
)
from simbudget.deciding.pilots import WORTHWHILE, Pilot, PilotPlan, Pilots, does_enough, recommend
from simbudget.deciding.splits import means
from simbudget.engine.lowering import lower
from simbudget.engine.totals import SPENT_USD
from simbudget.projection.economics import decompose
from simbudget.projection.engines import engine_for
from simbudget.projection.executors import cores
from simbudget.scenario.scenario import Scenario

LUCK_OF_PILOT: Final = 1 << 40
"""The replication number of a pilot: the same world as the run's replications, with other random numbers."""


@dataclass(frozen=True)
class Run:
    """Outcomes of the whole run in each world, which a pilot is to predict."""

    worlds: Integers
    spends_usd: tuple[Floats, ...]
    """[worlds] per plan."""
    results: tuple[Floats, ...]
    spends_of_each_usd: Floats
    """[worlds, 2] of the first plan, in each replication."""
    spend_between: float
    spend_within: float
    results_between: float | None


def usual_pilots(scenario: Scenario) -> Pilots:
    """Return the default pilots: a third of the agents or all, for an hour to half a day."""
    agents = scenario.fleet[0].agents
    horizon_h = scenario.stop.after.exact_value / 3600.0
    hours = tuple(hours for hours in (1.0, 3.0, 10.0) if hours <= horizon_h / 2) or (horizon_h / 4,)
    return Pilots(tuple(sorted({max(1, agents // 3), agents})), hours)


def plan_pilot(
    source: Source,
    looked_at: Pilots,
    sample: Sample,
    plans: Sequence[Alternative] = (),
    worth_usd: float | None = None,
    progress: Progress | None = None,
) -> PilotPlan:
    """Return the expected information from pilots, and which to run.

    Args:
        source: the scenario.
        looked_at: sizes and lengths; a longer pilot begins with a shorter one.
        sample: replications of the run, two in each world, and the seed.
        plans: the scenario, and others that it is decided against, beside doing nothing.
        worth_usd: what a transferable result is worth; by default what one costs.
        progress: called with the steps done and those to do.

    Raises:
        UserError: a change that makes the pilot is wrong, or the scenario cannot be simulated.
    """
    every = list(plans) or [as_it_stands(source)]
    run = whole_run(every, sample, progress)
    if worth_usd is None and run.results_between is not None and run.results[0].any():
        worth_usd = float(run.spends_usd[0].sum() / run.results[0].sum())
    benefits = None
    if worth_usd is not None and run.results_between is not None:
        benefits = net_benefits(run.spends_usd, run.results, worth_usd)
    pilots: list[Pilot] = []
    for size in looked_at.sizes:
        shown = records(source, size, sorted(looked_at.hours), run.worlds, sample.seed, sample.workers)
        of_size = [_expected(run, benefits, size, length, *evidence) for length, evidence in shown.items()]
        pilots += _never_less(of_size)
    if looked_at.rehearsals:
        on = stage(source, sample.seed, run.worlds, run.spends_of_each_usd, looked_at.rehearsals)
        pilots = _rehearsed(pilots, on, progress)
    total = run.spend_between + run.spend_within
    most = 1.0 - float(np.sqrt(run.spend_within / total)) if total > 0.0 else 0.0
    return PilotPlan(
        scenario=every[0].scenario,
        seed=sample.seed,
        worlds=len(run.worlds),
        spread_usd=float(np.sqrt(total)),
        most=most,
        pilots=tuple(pilots),
        recommended=recommend(pilots),
        worth_usd=worth_usd if benefits is not None else None,
        plans=(*(plan.name for plan in every), "do nothing") if benefits is not None else (),
        rehearsals=looked_at.rehearsals,
    )


def _never_less(pilots: Sequence[Pilot]) -> list[Pilot]:
    """Return pilots of one size, the shorter first; a longer one is at least as informative as a shorter one."""
    made: list[Pilot] = []
    for pilot in pilots:
        best = made[-1] if made and made[-1].narrowing > pilot.narrowing else pilot
        made.append(replace(pilot, narrowing=best.narrowing, explained=best.explained))
    return made


def _rehearsed(pilots: Sequence[Pilot], on: Stage, progress: Progress | None) -> list[Pilot]:
    """Return the pilots, the cheapest of them rehearsed until one does what the best is expected to do.

    The one that a decision asks for is rehearsed in any case, and none that could not narrow the spend.
    """
    hoped = max((pilot.narrowing for pilot in pilots), default=0.0)
    chosen = recommend(pilots)
    if hoped < WORTHWHILE:
        return list(pilots)
    made, enough = list(pilots), False
    for done, place in enumerate(sorted(range(len(pilots)), key=lambda place: pilots[place].cost_usd)):
        pilot = pilots[place]
        if not enough or pilot is chosen:
            scenario = pilot_scenario(on.source, pilot.agents, pilot.hours)
            made[place] = replace(pilot, rehearsed=narrowing(on, scenario, LUCK_OF_PILOT))
            enough = enough or does_enough(made[place].promised, hoped)
        if progress is not None:
            progress(done + 1, len(pilots))
    return made


def whole_run(plans: Sequence[Alternative], sample: Sample, progress: Progress | None = None) -> Run:
    """Return the outcomes of the plans in each world, and how the first one's vary.

    Args:
        plans: the alternatives of the decision, the first of which is the plan as it stands.
        sample: numbers of replications and worlds.
        progress: called with the replications done and those to do.
    """
    projections = project_together(
        [plan.scenario for plan in plans], replace(sample, in_each_world=2), progress
    )
    frames = paired_rows([projection.replications for projection in projections])
    world = frames[0]["world"].to_numpy()
    spend = decompose(frames[0][SPEND.column].to_numpy(), world)
    counted = all(counts_results(plan.scenario) for plan in plans)
    results = decompose(frames[0][RESULTS.column].to_numpy(), world) if counted else None
    worlds = np.unique(world)
    in_worlds = frames[0].sort_values("world", kind="stable")
    return Run(
        worlds=worlds,
        spends_usd=tuple(means(frame, SPEND) for frame in frames),
        results=tuple(means(frame, RESULTS) for frame in frames),
        spends_of_each_usd=in_worlds[SPEND.column].to_numpy().reshape(len(worlds), -1),
        spend_between=spend.between if spend else 0.0,
        spend_within=spend.within if spend else 0.0,
        results_between=results.between if results else None,
    )


def pilot_scenario(source: Source, size: int, hours: float) -> Scenario:
    """Return the scenario of a pilot: fewer agents, a shorter run, no gates.

    Args:
        source: the scenario of the run.
        size: number of agents in the first group.
        hours: length in hours.
    """
    changes = (Change("agents", str(size)), Change("hours", f"{hours:g}"))
    return source.load(*changes).scenario.with_values(gates=(), limits=())


def records(
    source: Source, size: int, hours: Sequence[float], worlds: Integers, seed: int, workers: int | None = None
) -> dict[float, tuple[Floats, Floats]]:
    """Return for each length the [worlds, figures] that pilots show, and the [worlds] spend of each.

    A shorter pilot is the beginning of the longest one; its spend is that of a run of its own length.

    Args:
        source: the scenario of the run.
        size: number of agents in the first group.
        hours: lengths, in hours, in ascending order.
        worlds: [worlds] their numbers.
        seed: that of the worlds.
        workers: threads to use; None for all cores.
    """
    program = lower(pilot_scenario(source, size, max(hours)))
    shown: dict[float, Floats] = {length: np.empty((len(worlds), len(FIGURES))) for length in hours}

    def record(place: int) -> None:
        ledger = engine_for(program).simulate(program, seed, int(worlds[place]), LUCK_OF_PILOT).ledger
        assert ledger is not None
        for length in hours:
            shown[length][place] = figures_of(ledger, length)

    def spend(length: float, some: Integers) -> Floats:
        shorter = lower(pilot_scenario(source, size, length))
        luck = np.full_like(some, LUCK_OF_PILOT)
        return engine_for(shorter).simulate_many(shorter, seed, some, luck).sums[:, SPENT_USD]

    # The engine lets other threads run, and a world's figures do not depend on who makes them.
    with ThreadPoolExecutor(workers or cores()) as pool:
        list(pool.map(record, range(len(worlds))))
        parts = [part for part in np.array_split(worlds, workers or cores()) if len(part)]
        spends = {length: np.concatenate(list(pool.map(partial(spend, length), parts))) for length in hours}
    return {length: (shown[length], spends[length]) for length in hours}


def _expected(
    run: Run, benefits: Floats | None, size: int, hours: float, shown: Floats, spends_usd: Floats
) -> Pilot:
    evidence = ranks(shown)
    between = max(0.0, run.spend_between - _explained(evidence, run.spends_usd[0]))
    before, after = run.spend_between + run.spend_within, between + run.spend_within
    results_explained = None
    if run.results_between is not None:
        part = _explained(evidence, run.results[0])
        results_explained = min(1.0, part / run.results_between) if run.results_between > 0.0 else 0.0
    return Pilot(
        agents=size,
        hours=hours,
        cost_usd=float(spends_usd.mean()),
        explained=1.0 - between / run.spend_between if run.spend_between > 0.0 else 0.0,
        narrowing=1.0 - float(np.sqrt(after / before)) if before > 0.0 else 0.0,
        results_explained=results_explained,
        information=of_group(evidence, benefits, PLAIN) if benefits is not None else None,
    )


def _explained(evidence: Floats, outcome: Floats) -> float:
    """Return how much of an outcome's variance the pilot is expected to remove."""
    return float(outcome.var(ddof=1)) - variance_left(evidence, outcome) if len(outcome) > 1 else 0.0
