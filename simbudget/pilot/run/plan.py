"""The plan of a pilot: its options, the agents taken from a scenario's fleet, and everything that prevents it.

All mistakes are found before anything is started or spent, and are reported together.
"""

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simbudget.errors import Problem, UserError
from simbudget.pilot.draws import Draws
from simbudget.pilot.rates import called_as, pilot_rates
from simbudget.pilot.run.what_cannot_run import what_cannot_run, what_differs
from simbudget.pilot.tasks.loading import load_task
from simbudget.pilot.tasks.task import Task
from simbudget.pricing.facts import monthly_spend_cap_usd
from simbudget.scenario.loading import load_scenario
from simbudget.scenario.scenario import Scenario

LOCAL_TIME_SCALE: Final = 60.0
"""On the local model server, a minute of real time is an hour of the run."""
_MOST_AGENTS: Final = 200
"""Far above the fleets of the literature, and about what one machine can run."""
_KEY: Final = "ANTHROPIC_API_KEY"
_MEMORY_EACH_BYTES: Final = 180 * 1024 * 1024
"""Memory of an agent's process without its sandbox, as measured."""


@dataclass(frozen=True)
class Options:
    """The options that a user gives."""

    scenario: Path
    out: Path
    lasts_s: float
    """In real time."""
    budget_usd: float
    agents: int | None = None
    """None for as many as in the scenario."""
    live: bool = False
    task: str = "weak-to-strong"
    time_scale: float | None = None
    """None for 60 with the local model server and 1 with the real API."""
    slots: int | None = None
    """None for the scenario's number of GPUs, at most the machine's number of cores."""
    seed: int = 1
    luck: int = 0
    hack_rate: float | None = None
    experiment_timeout_s: float = 120.0
    resume: bool = False

    @property
    def scale(self) -> float:
        """Return the seconds of the run per second of real time."""
        if self.time_scale is not None:
            return self.time_scale
        return 1.0 if self.live else LOCAL_TIME_SCALE


@dataclass(frozen=True)
class AgentPlan:
    """One agent of a pilot."""

    agent: int
    group: int
    """Index of its group in the scenario's fleet."""
    member: int
    """Its number within its group."""
    model: str
    direction: str


@dataclass(frozen=True)
class Plan:
    """A pilot that can be started."""

    options: Options
    scenario: Scenario
    scenario_text: str
    task: Task
    agents: tuple[AgentPlan, ...]
    slots: int
    notes: tuple[str, ...]
    """What the user should know before it starts, each a clause."""


def make_plan(options: Options, secret: int) -> Plan:
    """Plan a pilot.

    Args:
        options: the user's options.
        secret: the task's secret.

    Raises:
        UserError: the pilot cannot be run; lists every reason.
    """
    problems: list[Problem] = []
    problems += _of_options(options)
    missing = [
        name for name in ("fastapi", "uvicorn", "sklearn", "psutil") if not importlib.util.find_spec(name)
    ]
    if missing:
        raise UserError(
            Problem(f"a pilot needs {', '.join(missing)}", remedy="install simbudget[pilot]"), *problems
        )
    loaded = load_scenario(options.scenario)
    scenario = loaded.scenario
    task = load_task(options.task, secret, options.scenario.parent)
    agents = _agents(scenario, task, options)
    if not agents:
        problems.append(Problem("the fleet has only people", remedy="give the scenario a group of agents"))
    problems += what_cannot_run(loaded, task)
    problems += _of_scenario(scenario, options)
    if problems:
        raise UserError(*problems)
    pilot_rates(scenario, Draws(options.seed, options.luck), options.live)
    slots = options.slots or max(1, min(scenario.gpus.count, os.cpu_count() or 1))
    text = options.scenario.read_text("utf-8")
    notes = tuple(_notes(scenario, options, len(agents), slots))
    return Plan(options, scenario, text, task, agents, slots, notes)


def _of_options(options: Options) -> Iterator[Problem]:
    if not 0 < options.budget_usd < float("inf"):
        yield Problem(f"a budget of {options.budget_usd:g} dollars", remedy="write for example --budget '$5'")
    if not 0 < options.lasts_s < float("inf"):
        yield Problem(f"a pilot of {options.lasts_s:g} s", remedy="write for example --for 30min")
    if options.agents is not None and not 1 <= options.agents <= _MOST_AGENTS:
        yield Problem(f"{options.agents} agents", remedy=f"write 1 to {_MOST_AGENTS}")
    if options.slots is not None and options.slots < 1:
        yield Problem(f"{options.slots} slots", remedy="write 1 or more")
    if options.time_scale is not None and not 0 < options.time_scale <= 3600:
        yield Problem(f"a time scale of {options.time_scale:g}", remedy="write a number above 0, up to 3600")
    if options.live:
        if options.scale != 1.0:
            yield Problem("--live runs in real time", remedy="leave out --time-scale")
        if not os.environ.get(_KEY):
            yield Problem(
                f"--live needs an API key, and {_KEY} is not set; nothing was spent",
                remedy=f"set {_KEY}, or leave out --live to run on the local model server",
            )


def _of_scenario(scenario: Scenario, options: Options) -> Iterator[Problem]:
    """Yield what a pilot cannot do with a scenario's usage tier."""
    tier = scenario.api.tier
    if options.live and tier is not None:
        cap_usd = monthly_spend_cap_usd(tier)
        if cap_usd is not None and options.budget_usd > cap_usd:
            yield Problem(
                f"the budget of ${options.budget_usd:,.0f} is above the monthly limit of usage tier {tier} "
                f"(${cap_usd:,.0f})",
                remedy="lower --budget, or set a higher api.tier",
            )


def _notes(scenario: Scenario, options: Options, agents: int, slots: int) -> Iterator[str]:
    """Yield what the user should know before the pilot starts."""
    if not options.live:
        yield (
            "the model was a program on this machine, so no real money was spent, and a scenario calibrated on this "
            "ledger reflects that program"
        )
    from simbudget.pilot.sandbox.isolation import isolation, isolation_in_words  # noqa: PLC0415  needs psutil

    if isolation() != "bubblewrap":
        yield isolation_in_words().rstrip(".")
    wanted = scenario.gpus.count
    if slots < wanted and options.slots is None:
        yield (
            f"{slots} slots stand for the scenario's {wanted} GPUs, since this machine has no more cores, so that "
            "waiting times for GPUs are not those of your cluster"
        )
    yield from what_differs(scenario)
    needed = agents * _MEMORY_EACH_BYTES
    free = _free_memory_bytes()
    if needed > free:
        yield f"{agents} agents need about {needed / 2**30:.1f} GiB of memory, of which {free / 2**30:.1f} are free"


def _free_memory_bytes() -> int:
    import psutil  # noqa: PLC0415  only in the extra `pilot`

    return int(psutil.virtual_memory().available)


def _agents(scenario: Scenario, task: Task, options: Options) -> tuple[AgentPlan, ...]:
    """Return the agents: all of the scenario's, or a given number from its groups in proportion to their sizes."""
    groups = [(place, group) for place, group in enumerate(scenario.fleet) if group.kind == "agents"]
    if not groups:
        return ()
    whole = sum(group.agents for _, group in groups)
    total = options.agents or min(whole, _MOST_AGENTS)
    directions = _directions(task)
    members = dict.fromkeys((place for place, _ in groups), 0)
    models = {place: called_as(str(group.model), options.live) for place, group in groups}
    plans = []
    for number in range(total):
        # The next agent comes from the group that is then least represented; ties go to the earlier group.
        place, group = min(groups, key=lambda pair: ((members[pair[0]] + 1) / pair[1].agents, pair[0]))
        distinct = min(group.directions or len(directions) or 1, max(1, len(directions)))
        direction = directions[members[place] % distinct] if directions else ""
        plans.append(AgentPlan(number, place, members[place], models[place], direction))
        members[place] += 1
    return tuple(plans)


def _directions(task: Task) -> list[str]:
    """Return the directions of the task's methods, without baselines."""
    return list(dict.fromkeys(method.direction for method in task.methods if method.direction != "baseline"))
