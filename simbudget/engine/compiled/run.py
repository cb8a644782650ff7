"""Runs of a program with the compiled engine: its tables as arrays, and the outcomes."""

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.compilation import CODE_FOLDER
from simbudget.engine.compiled import records, scheduling
from simbudget.engine.compiled.tables import (
    AGENT,
    CLIENT,
    CONTEXT,
    ENTRY,
    EVENT,
    GROUP,
    JOB,
    KEPT,
    LIMITS,
    METER,
    PLACE,
    POOL,
    RUN,
    SERVED,
    STEP,
    TURN,
    Site,
    records_of,
    write_row,
)
from simbudget.engine.laws.accounts import BINS
from simbudget.engine.laws.draws import Integers
from simbudget.engine.laws.tasks import empty_task_list
from simbudget.engine.outcome import Outcome, Sums
from simbudget.engine.program import (
    NONE,
    Program,
    Step,
)
from simbudget.engine.totals import sums_length, totals
from simbudget.errors import UserError
from simbudget.interrupts import came, while_running
from simbudget.ledger.entry import COMPONENTS, Entry
from simbudget.ledger.frame import DTYPES, TOKEN_COLUMNS, with_context_tokens
from simbudget.pricing.charge import SERVICES

if TYPE_CHECKING:
    from simbudget.engine.compiled.board import Desk

_POSTS: Final = 4096
"""Posts that can still be read, to begin with; a run that needs more is played again with more."""

_SUBMISSIONS: Final = 1024
"""Room for submissions, to begin with; a run that makes more is played again with more."""

_JOBS: Final = 8
"""Jobs that an agent may have side by side, to begin with, if it may have several; as above."""

_SUB_AGENTS: Final = 8
"""Sub-agents that an agent may have side by side, to begin with, if it delegates; as above."""

_REVIEWS: Final = 64
"""Reviews by a model that may wait or run at the same time, to begin with; as above."""

_ENTRIES: Final = 1 << 14
"""Room for entries, to begin with; a run that makes more is played again with as much as it needs."""
_BROKEN_OFF: Final = -1
"""In `never_ends`, where numbers of groups are counted from 1: someone asked for the run to stop."""
_SECOND_NS: Final = 1e9


def is_compiled() -> bool:
    """Return whether the kernel's machine code lies on disk, so that the first run need not wait for a compiler."""
    return any(CODE_FOLDER.rglob("kernel.play_many*.nbc"))


def simulate_many(program: Program, seed: int, worlds: Integers, replications: Integers) -> Sums:
    """Return the outcomes of runs of a program, each given by its world and replication. Lets other threads run.

    Args:
        program: the program.
        seed: seed of all draws.
        worlds: [runs] worlds.
        replications: [runs] replications.

    Raises:
        UserError: the scenario never ends.
    """
    keys = np.column_stack([np.full_like(worlds, seed), worlds, replications])
    return _play(program, _site(program, records=False), keys)


def simulate(
    program: Program, seed: int = 1, world: int = 0, replication: int = 0, record: bool = True
) -> Outcome:
    """Return the outcome of one run of a program, with its ledger if requested.

    Args:
        program: the program.
        seed: seed of all draws.
        world: which draw of everything unknown.
        replication: which draw of everything that varies.
        record: whether to keep every entry.

    Raises:
        UserError: the scenario never ends.
    """
    keys = np.array([[seed, world, replication]], dtype=np.int64)
    site = _site(program, records=record)
    sums = _play(program, site, keys)
    # Entries beyond the room were counted, so that the second time is the last.
    needed = int(site.run[0]["entries"])
    if record and needed > len(site.entries):
        site = site._replace(entries=np.zeros(needed, dtype=ENTRY))
        sums = _play(program, site, keys)
    ledger = _ledger(program, site.entries[:needed], replication) if record else None
    figures = totals(program, sums.sums)
    return Outcome({name: float(of_run[0]) for name, of_run in figures.items()}, sums.by_time_usd[0], ledger)


def _play(program: Program, site: Site, keys: Integers) -> Sums:
    from simbudget.engine.compiled.kernel import play_many  # noqa: PLC0415  only what runs needs the machine code

    sums, by_time_usd = (
        np.zeros((len(keys), sums_length(program))),
        np.zeros((len(keys), len(COMPONENTS), BINS)),
    )
    room = _SUBMISSIONS
    while True:
        with while_running(partial(_stop, site)):
            play_many(
                site,
                _desk(program, site, room),
                program.rows,
                program.kinds,
                program.spreads,
                program.purposes,
                keys,
                sums,
                by_time_usd,
            )
        if came():  # then some of its runs may have been broken off
            raise KeyboardInterrupt
        if site.run[0]["never_ends"]:
            raise UserError(program.never_ends(int(site.run[0]["never_ends"]) - 1))
        if site.run[0]["forum_is_short"]:
            site = site._replace(forum=np.zeros(2 * len(site.forum), dtype=np.int64))
        elif site.run[0]["notebook_is_short"]:
            room *= 4
        elif any(
            site.run[0][name] for name in ("jobs_are_short", "sub_agents_are_short", "reviewers_are_short")
        ):
            site = _with_room(site, program, _more_room(site))
        else:
            return Sums(sums, by_time_usd)


def _more_room(site: Site) -> "Room":
    """Return the room that a run needs which had too little."""
    run = site.run[0]
    reviews = int(run["callers"] - run["first_reviewer"])
    return Room(
        jobs_of_agent=max(int(run["jobs_of_agent"]), int(run["jobs_are_short"])),
        sub_agents_of_agent=max(int(run["sub_agents_of_agent"]), int(run["sub_agents_are_short"])),
        reviews=4 * reviews if run["reviewers_are_short"] else reviews,
    )


def _stop(site: Site) -> None:
    """Break off the run that is being played: the kernel looks at this after each thing that happens.

    It is reset when a run begins, so a caller who wants to stop a series of runs has to ask repeatedly.
    """
    site.run[0]["never_ends"] = _BROKEN_OFF


# The tables of a program as arrays.


def _site(program: Program, records: bool) -> Site:
    settings, nothing = program.settings, np.zeros(0, dtype=np.int64)
    site = Site(
        run=_run(program, records),
        agents=nothing,
        groups=_groups(program),
        steps=records_of(STEP, program.steps, kept=_places_of_contexts(program)),
        clients=records_of(CLIENT, program.clients),
        turns=records_of(TURN, program.turns),
        contexts=records_of(CONTEXT, program.contexts),
        kept=_kept(program),
        limits=_limits(program),
        served=records_of(SERVED, program.served),
        prefixes=np.zeros((len(program.groups), len(program.models)), dtype=np.int64),
        plan_line=nothing,
        jobs=nothing,
        pools=_pools(program),
        standing=nothing,
        meters=_meters(program),
        heap=nothing,
        places=nothing,
        rows=program.rows.copy(),
        table=program.table,
        forum=np.zeros(min(settings.reads_at_most + 2, _POSTS), dtype=np.int64),
        entries=np.zeros(_ENTRIES if records else 1, dtype=ENTRY),
        terms=program.tasks,
        tasks=empty_task_list(max(1, program.tasks.total)),
    )
    has_several = any(step.at_once != NONE for step in program.steps)
    delegates = any(step.kind == Step.DELEGATE for step in program.steps)
    room = Room(
        jobs_of_agent=_JOBS if has_several else 1,
        sub_agents_of_agent=_SUB_AGENTS if delegates else 0,
        reviews=0 if program.settings.reviewer == NONE else _REVIEWS,
    )
    return _with_room(site, program, room)


class Room(NamedTuple):
    """For how much that happens side by side a site has room."""

    jobs_of_agent: int
    sub_agents_of_agent: int
    reviews: int
    """By models; they may wait or run."""


def _with_room(site: Site, program: Program, room: Room) -> Site:
    """Return the site with room for the records, places and events of what happens side by side."""
    agents, run = program.agents, site.run[0]
    jobs_of_agent, sub_agents_of_agent = room.jobs_of_agent, room.sub_agents_of_agent
    run["first_reviewer"] = agents * (1 + sub_agents_of_agent)
    callers = int(run["first_reviewer"]) + room.reviews
    run["jobs_of_agent"], run["sub_agents_of_agent"] = jobs_of_agent, sub_agents_of_agent
    run["callers"], run["places_of_agent"] = callers, max(jobs_of_agent, sub_agents_of_agent, 1)
    jobs = np.zeros(agents * jobs_of_agent, dtype=JOB)
    jobs["agent"] = np.repeat(np.arange(agents), jobs_of_agent)
    jobs["number"] = np.tile(np.arange(jobs_of_agent), agents)
    own_slots = scheduling.SLOTS * callers + scheduling.SLOTS_OF_RUN
    slots = own_slots + scheduling.JOB_SLOTS * len(jobs)
    standing = np.zeros(2 * callers + len(jobs), dtype=PLACE)
    of_callers = scheduling.SLOTS * np.arange(callers) + scheduling.ITSELF
    of_jobs = own_slots + scheduling.JOB_SLOTS * np.arange(len(jobs)) + scheduling.JOB_ITSELF
    standing["slot"] = np.concatenate([of_callers, of_callers, of_jobs])
    return site._replace(
        agents=_agents(program, callers),
        jobs=jobs,
        standing=standing,
        plan_line=np.zeros(callers, dtype=np.int64),
        heap=np.zeros(slots, dtype=EVENT),
        places=np.zeros(slots, dtype=np.int64),
    )


def _desk(program: Program, site: Site, room: int) -> "Desk":
    from simbudget.engine.compiled.board import Desk  # noqa: PLC0415
    from simbudget.engine.laws.notebook import empty_notebook  # noqa: PLC0415

    lab = program.lab(site.rows, 0, 0, 0)
    room = room if program.research.is_on else 1
    notebook = empty_notebook(program.agent_directions, program.direction_keys, program.reviewers, room)
    return Desk(lab, notebook, np.zeros_like(site.forum))


def _run(program: Program, records: bool) -> npt.NDArray[Any]:
    settings, run = program.settings, np.zeros(1, dtype=RUN)
    row = run[0]
    row["agents"] = program.agents
    row["bin_ns"] = settings.horizon_ns / BINS
    row["budget_usd"] = program.agents_budget_usd
    row["budget_with_gates_usd"] = program.budget_usd
    row["target_score"] = program.target_score
    row["has_research"] = program.research.is_on
    row["models"] = len(program.models)
    if program.plan is not None:
        write_row(row, program.plan, "plan_")
        row["has_plan"] = 1
    row["records"] = records
    row["discounts"] = program.discounts
    row["has_tasks"] = program.tasks.total > 0
    row["keeps_accounts"] = program.tasks.total > 0 or any(group.is_limited for group in program.groups)
    row["gpu_pools"] = row["scorers"] = len(program.pools)
    row["line"] = len(program.pools) + 1
    row["reviewers"] = len(program.pools) + 1 + len(program.limits_per_min)
    write_row(row, settings)
    return run


def _pools(program: Program) -> npt.NDArray[Any]:
    lines = len(program.limits_per_min)
    pools = np.zeros(len(program.pools) + 1 + lines + 1, dtype=POOL)
    of_gpus = (row.free_gpus for row in program.pools)
    pools["units"] = [*of_gpus, program.settings.servers, *lines * [1], program.reviewers]
    for pool, row in zip(pools, program.pools, strict=False):
        write_row(pool, row)
    return pools


def _agents(program: Program, callers: int) -> npt.NDArray[Any]:
    """Return the records of the agents, and room for those of their sub-agents."""
    agents = np.zeros(callers, dtype=AGENT)
    agents["number"] = np.arange(callers)
    agents["group"][: program.agents] = program.agent_groups
    agents["stream"][: program.agents, 3] = program.agent_keys
    return agents


def _groups(program: Program) -> npt.NDArray[Any]:
    of_groups = (program.steps[row.first_step :][: row.steps] for row in program.groups)
    return records_of(
        GROUP,
        program.groups,
        is_limited=[row.is_limited for row in program.groups],
        hours=program.hours,
        submits_each=[any(step.each for step in steps) for steps in of_groups],
    )


def _limits(program: Program) -> npt.NDArray[Any]:
    limits = np.zeros(len(program.limits_per_min), dtype=LIMITS)
    limits["per_min"] = program.limits_per_min
    limits["is_limited"] = program.limits_per_min.any(axis=1)
    return limits


def _places_of_contexts(program: Program) -> list[int]:
    """Return for each step the place of its context among an agent's kept contexts; 0: it has none."""
    places: list[int] = []
    for group in program.groups:
        own = 0
        for step in program.steps[group.first_step : group.first_step + group.steps]:
            own += step.context != NONE
            places.append(own if step.context != NONE else 0)
    return places


def _kept(program: Program) -> npt.NDArray[Any]:
    """Return room for kept contexts: the last place is for what an agent's judge puts aside."""
    judged = int(program.settings.judge != NONE)
    return np.zeros((program.agents, 1 + max(_places_of_contexts(program)) + judged), dtype=KEPT)


def _meters(program: Program) -> npt.NDArray[Any]:
    groups, pools = len(program.groups), len(program.pools)
    meters = np.zeros(pools + 2 * groups, dtype=METER)
    meters["staff_group"] = [*(pools + groups) * [-1], *range(groups)]
    return meters


# The ledger.


def _ledger(program: Program, entries: npt.NDArray[Any], run: int) -> pd.DataFrame:
    """Return the entries as a ledger, in the order of their starts."""
    # In seconds, as the reference engine sorts: two times that differ in nanoseconds may be one float.
    rows = entries[np.lexsort((entries["agent"], entries["started"] / _SECOND_NS))]
    names = {
        "kind": np.array(records.KINDS, dtype=object)[rows["kind"]],
        "model": np.array([*program.models, ""], dtype=object)[_or_last(rows["model"], records.NO_MODEL)],
        "service": np.array(SERVICES, dtype=object)[rows["service"]],
        "component": np.array([*COMPONENTS, ""], dtype=object)[
            _or_last(rows["component"], records.NO_COMPONENT)
        ],
        "outcome": np.array(records.OUTCOMES, dtype=object)[rows["outcome"]],
        "name": np.array([*program.entry_pools, ""], dtype=object)[_or_last(rows["pool"], records.NO_POOL)],
    }
    columns: dict[str, Any] = {
        **Entry._field_defaults,
        "run": run,
        "started_s": rows["started"] / _SECOND_NS,
        "duration_s": (rows["ended"] - rows["started"]) / _SECOND_NS,
        "queued_s": rows["queued_ns"] / _SECOND_NS,
        **{name: rows[name] for name in ("agent", "cycle", "session", "turn", "gpus", "cost_usd", "score")},
        **{name: rows["tokens"][:, number] for number, name in enumerate(TOKEN_COLUMNS)},
        **names,
        "source": "simulated",
    }
    columns["name"] = np.where(names["kind"] == records.KINDS[records.JUDGE], "judge", columns["name"])
    by_sub_agent = rows["sub_agent"] > 0
    columns["name"] = np.where(by_sub_agent, _numbered("sub-agent", rows["sub_agent"]), columns["name"])
    columns["parent"] = np.where(by_sub_agent, _numbered("agent", rows["agent"]), "")
    columns |= {"task_number": _or_missing(rows["task"]), "attempt": _or_missing(rows["attempt"])}
    frame = pd.DataFrame({name: columns[name] for name in DTYPES}, index=range(len(rows))).astype(DTYPES)
    return with_context_tokens(frame)


def _numbered(word: str, numbers: Integers) -> npt.NDArray[Any]:
    return np.array([f"{word} {number}" for number in numbers.tolist()], dtype=object)


def _or_missing(numbers: Integers) -> pd.api.extensions.ExtensionArray:
    """Return numbers of which negative ones are missing."""
    return pd.arrays.IntegerArray(numbers.astype(np.int64), numbers < 0)


def _or_last(numbers: Integers, none: int) -> Integers:
    return np.where(numbers == none, -1, numbers)
