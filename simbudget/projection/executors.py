"""Executors: who simulates the blocks. In this process, or in one process for each core.

Whoever does it, blocks come back in their order, so that a projection is the same for any number of workers and
an interrupted one is what a shorter one would have been.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from simbudget.errors import Problem, UserError
from simbudget.projection.blocks import BlockOfOutcomes, Plan, simulate_block

_AHEAD = 3
"""Blocks that are handed out ahead of each worker, so that none is idle and few are made in vain."""

_plan: Plan | None = None
"""The plan of this worker process; it is sent once, not with every block."""


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def outcomes_in_order(plan: Plan, workers: int) -> Iterator[BlockOfOutcomes]:
    """Yield the outcomes of a plan's blocks, in their order, as they get ready.

    Raises:
        UserError: the scenario never ends, or a worker was killed.
    """
    blocks = plan.blocks()
    if min(workers, len(blocks)) <= 1:
        return (simulate_block(plan, numbers) for numbers in blocks)
    return _in_processes(plan, blocks, min(workers, len(blocks)))


def _in_processes(plan: Plan, blocks: list[range], workers: int) -> Iterator[BlockOfOutcomes]:
    simulate_block(plan, range(0))  # compiled laws are on disk before workers look for them
    can_fork_cleanly = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if can_fork_cleanly else "spawn")
    if can_fork_cleanly:
        context.set_forkserver_preload(["simbudget.projection.blocks"])
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(plan,))
    todo, under_way = iter(blocks), list[Future[BlockOfOutcomes]]()
    try:
        while True:
            for numbers in todo:
                under_way.append(pool.submit(_simulate, numbers))
                if len(under_way) >= _AHEAD * workers:
                    break
            if not under_way:
                return
            yield under_way.pop(0).result()
    except BrokenProcessPool:
        problem = Problem("a worker process was killed", remedy="it may lack memory: try --workers 1")
        raise UserError(problem) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _start_worker(plan: Plan) -> None:
    global _plan  # noqa: PLW0603  a worker process has one plan for its life
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    _plan = plan


def _simulate(numbers: range) -> BlockOfOutcomes:
    assert _plan is not None
    return simulate_block(_plan, numbers)
