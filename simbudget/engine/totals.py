"""Results of a run: the sums that an engine keeps while it runs, and the totals computed from them.

Both engines fill the same sums, so what follows from them is computed once, for many runs at a time.
"""

from typing import Final

import numpy as np

from simbudget.engine.laws.accounts import HOUR_NS
from simbudget.engine.laws.draws import Floats
from simbudget.engine.laws.pools import billed_ns
from simbudget.engine.laws.tally import LOOKS, TALLY
from simbudget.engine.laws.tasks import TASK_TALLY, TENTHS, TWENTIETHS
from simbudget.engine.program import Program
from simbudget.ledger.entry import ACTIVITIES, COMPONENTS
from simbudget.pricing.charge import TOKEN_CLASSES

API_LIMITS: Final = ("api_requests", "api_input", "api_output")

SPENT_USD: Final = 0
"""All money; then by component."""
COMPONENT_USD: Final = 1
ACTIVITY_NS: Final = COMPONENT_USD + len(COMPONENTS)
"""Agents' time by activity."""
LIFE_NS: Final = ACTIVITY_NS + len(ACTIVITIES)
LIFE_OF_GPU_USERS_NS: Final = LIFE_NS + 1
"""The lives of all but people."""
ENDED_NS: Final = LIFE_NS + 2
"""When the last agent's life ended."""
CONCLUDED_NS: Final = LIFE_NS + 3
"""When the last review and the last try at a gate had ended, too."""
MODEL_CALLS: Final = LIFE_NS + 4
TOKENS: Final = LIFE_NS + 5
"""By token class."""
GPU_NS: Final = TOKENS + len(TOKEN_CLASSES)
"""GPU time used, in GPU-nanoseconds."""
EXPERIMENTS: Final = GPU_NS + 1
"""Those that ended with a result."""
SCORER_CALLS: Final = GPU_NS + 2
SCORER_NS: Final = GPU_NS + 3
CYCLES: Final = GPU_NS + 4
LIMIT_QUEUED_NS: Final = GPU_NS + 5
"""For how long calls waited, by the limit that held up the line."""
LIMIT_USED: Final = LIMIT_QUEUED_NS + len(API_LIMITS)
"""What was let through, by limit."""
RESEARCH: Final = LIMIT_USED + len(API_LIMITS)
"""What came of the research, see `laws.tally`; nothing is there where nothing is scored."""
RESULTS: Final = RESEARCH + len(TALLY)
"""Transferable results had the run stopped at each look; then those expected, and the finalists."""
JOBS: Final = RESULTS + 3 * LOOKS
"""Jobs on GPUs that ended by themselves, successfully or failed for good."""
JOBS_CANCELLED: Final = JOBS + 1
"""Those that were cancelled, cut or refused."""
FULL_CONTEXTS: Final = JOBS_CANCELLED + 1
"""Contexts that were full at a limit that the scenario does not set."""
BUSIEST_LINE: Final = FULL_CONTEXTS + 1
"""By limit, how many minutes' worth of it were let through where that is most: by all models, or one with its own."""
PLAN_QUEUED_NS: Final = BUSIEST_LINE + len(API_LIMITS)
"""For how long calls waited for the subscription."""
TASKS: Final = PLAN_QUEUED_NS + 1
"""What came of the tasks, see `laws.tasks.task_tally`; nothing is there where there are none."""
SUMS: Final = TASKS + TASK_TALLY
"""How many sums there are beside those of the pools."""

POOL_GPU_NS: Final = 0
"""Of each pool, after all other sums: GPU time used, in GPU-nanoseconds."""
POOL_WAITED_NS: Final = 1
"""For how long agents waited for its GPUs."""
POOL_SUMS: Final = 2
"""How many sums a pool has."""

_DOWN: Final = ACTIVITIES.index("down")
_MINUTE_NS: Final = 60e9


def sums_length(program: Program) -> int:
    """Return the number of sums of a run.

    Args:
        program: the program.
    """
    return SUMS + POOL_SUMS * len(program.pools)


def totals(program: Program, sums: Floats) -> dict[str, Floats]:
    """Return the [runs] totals by name of [runs, sums] sums: US dollars, hours, shares of the agents' lives.

    What does not apply is NaN.

    Args:
        program: the program.
        sums: [runs, sums] what the engines add up.
    """
    sums = np.asarray(sums, dtype=np.float64)
    spent, life, ended = sums[:, SPENT_USD], sums[:, LIFE_NS], sums[:, ENDED_NS]
    activities = sums[:, ACTIVITY_NS : ACTIVITY_NS + len(ACTIVITIES)]
    agent_hours = (life - activities[:, _DOWN]) / HOUR_NS
    return {
        "spend_usd": spent,
        **{f"spend_{name}_usd": sums[:, COMPONENT_USD + i] for i, name in enumerate(COMPONENTS)},
        "agent_hours": agent_hours,
        "cost_per_agent_hour_usd": _ratio(spent, agent_hours),
        "wall_clock_hours": sums[:, CONCLUDED_NS] / HOUR_NS,
        "run_hours": ended / HOUR_NS,
        "overrun_usd": np.maximum(0.0, spent - program.budget_usd),
        "model_calls": sums[:, MODEL_CALLS],
        **{f"tokens_{name}": sums[:, TOKENS + i] for i, name in enumerate(TOKEN_CLASSES)},
        "gpu_hours_used": sums[:, GPU_NS] / HOUR_NS,
        "gpu_hours_billed": _billed_gpu_hours(program, sums),
        **_pools(program, sums),
        "experiments": sums[:, EXPERIMENTS],
        "jobs": sums[:, JOBS],
        "jobs_cancelled": sums[:, JOBS_CANCELLED],
        "scorer_calls": sums[:, SCORER_CALLS],
        "cycles": sums[:, CYCLES],
        **{f"share_{name}": activities[:, i] / np.maximum(1.0, life) for i, name in enumerate(ACTIVITIES)},
        **_utilisation(program, sums),
        "queued_gpu_hours": activities[:, ACTIVITIES.index("waiting_gpu")] / HOUR_NS,
        "queued_scorer_hours": activities[:, ACTIVITIES.index("waiting_scorer")] / HOUR_NS,
        **{
            f"queued_{name}_hours": sums[:, LIMIT_QUEUED_NS + i] / HOUR_NS
            for i, name in enumerate(API_LIMITS)
        },
        "queued_plan_hours": sums[:, PLAN_QUEUED_NS] / HOUR_NS,
        "full_contexts": sums[:, FULL_CONTEXTS],
        **_research(program, sums),
        **(_tasks(program, sums) if program.tasks.total else {}),
    }


def _tasks(program: Program, sums: Floats) -> dict[str, Floats]:
    """Return what came of the tasks."""
    spent, count = sums[:, SPENT_USD], program.tasks.total
    attempts, solved, on_attempts, *parts = sums[:, TASKS:SUMS].T
    return {
        "tasks_count": np.full(len(sums), float(count)),
        "tasks_attempts": attempts,
        "tasks_solved": solved,
        "tasks_unsolved": count - solved,
        "spend_per_task_usd": spent / count,
        "spend_per_attempt_usd": _ratio(spent, attempts),
        "attempts_usd": on_attempts,
        "dearest_tenth_share": _ratio(parts[TENTHS - 1], on_attempts),
        **{task_tenth_column(tenth): parts[tenth] / (count / TENTHS) for tenth in range(TENTHS)},
        **{money_column(step): parts[TENTHS + step] for step in range(TWENTIETHS)},
    }


def task_tenth_column(tenth: int) -> str:
    """Return the column of what a task costs on average in one of the tenths of the tasks, the cheapest first.

    Args:
        tenth: which tenth, from 0.
    """
    return f"task_usd_tenth_{tenth + 1:02d}"


def money_column(step: int) -> str:
    """Return the column of what the run had spent when `step + 1` 20ths of the tasks were solved; NaN if never.

    Args:
        step: which 20th, from 0.
    """
    return f"usd_at_{step + 1:02d}_of_{TWENTIETHS}_solved"


def _research(program: Program, sums: Floats) -> dict[str, Floats]:
    """Return what came of the research; NaN where nothing is scored."""
    names = [*TALLY, *(result_column(look, what) for what in OF_A_LOOK for look in range(LOOKS))]
    of_looks = sums[:, RESEARCH:JOBS] if program.research.is_on else np.full((len(sums), len(names)), np.nan)
    return {name: of_looks[:, i] for i, name in enumerate(names)}


OF_A_LOOK: Final = ("transferable", "expected", "finalists")
"""What is known of a run had it stopped at each look."""


def result_column(look: int, what: str = "transferable") -> str:
    """Return the column of one of `OF_A_LOOK` had the run stopped after `look + 1` 24ths of its horizon.

    Args:
        look: which look, from 0.
        what: one of `OF_A_LOOK`.
    """
    return f"{what}_after_{look + 1:02d}_of_{LOOKS}"


def _ratio(above: Floats, below: Floats) -> Floats:
    """Return quotients; NaN where there is nothing to divide by."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0.0)


OF_A_POOL: Final = ("used_hours", "billed_hours", "utilisation", "queued_hours")
"""What is known of a pool of GPUs."""


def pool_column(name: str, what: str) -> str:
    """Return the column of one of `OF_A_POOL` of the pool of a name.

    Args:
        name: the pool's name.
        what: one of `OF_A_POOL`.
    """
    return f"gpu_pool_{name}_{what}"


def _pools(program: Program, sums: Floats) -> dict[str, Floats]:
    ended = sums[:, ENDED_NS]
    columns: dict[str, Floats] = {}
    for number, (name, pool) in enumerate(zip(program.pool_names, program.pools, strict=True)):
        used, waited = _of_pool(sums, number, POOL_GPU_NS), _of_pool(sums, number, POOL_WAITED_NS)
        figures = (
            used / HOUR_NS,
            _billed_hours_of_pool(program, number, sums),
            _ratio(used, pool.gpus * ended),
            waited / HOUR_NS,
        )
        columns |= {pool_column(name, what): f for what, f in zip(OF_A_POOL, figures, strict=True)}
    return columns


def _of_pool(sums: Floats, number: int, what: int) -> Floats:
    return sums[:, SUMS + POOL_SUMS * number + what]


def _billed_gpu_hours(program: Program, sums: Floats) -> Floats:
    first, *others = (_billed_hours_of_pool(program, number, sums) for number in range(len(program.pools)))
    return sum(others, start=first)


def _billed_hours_of_pool(program: Program, number: int, sums: Floats) -> Floats:
    used, lives, ended = (
        _of_pool(sums, number, POOL_GPU_NS),
        sums[:, LIFE_OF_GPU_USERS_NS],
        sums[:, ENDED_NS],
    )
    billed: Floats = billed_ns(program.pools[number], used, lives, ended) / HOUR_NS
    return billed


def _utilisation(program: Program, sums: Floats) -> dict[str, Floats]:
    """Return the part of each resource that was used over the run; NaN for what has no limit."""
    settings, ended = program.settings, sums[:, ENDED_NS]
    parts = {
        "gpu": _ratio(sums[:, GPU_NS], sum(pool.gpus for pool in program.pools) * ended),
        "scorer": _ratio(sums[:, SCORER_NS], settings.servers * ended),
    }
    common, *of_models = program.limits_per_min
    for i, name in enumerate(API_LIMITS):
        if of_models:
            is_limited = float(program.limits_per_min[:, i].any())
            parts[name] = _ratio(sums[:, BUSIEST_LINE + i], is_limited * ended / _MINUTE_NS)
        else:
            parts[name] = _ratio(sums[:, LIMIT_USED + i], float(common[i]) * ended / _MINUTE_NS)
    return {f"utilisation_{name}": part for name, part in parts.items()}
