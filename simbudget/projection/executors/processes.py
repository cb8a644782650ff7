"""Processes on this machine, for an engine that blocks other threads."""

import multiprocessing
import signal
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from simbudget.errors import Problem, UserError
from simbudget.projection.blocks import Block, Cutter, simulate_block
from simbudget.projection.executors.uninterrupted import held_back
from simbudget.projection.executors.window import in_order
from simbudget.projection.schedule import Schedule

_schedule: Schedule | None = None
"""The schedule of this worker process, sent once instead of with every block."""


def in_processes(schedule: Schedule, cutter: Cutter, workers: int) -> Generator[Block, None, None]:
    """Yield a schedule's blocks in order.

    Raises:
        UserError: the scenario never ends, or a worker was killed.
    """
    can_fork_cleanly = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if can_fork_cleanly else "spawn")
    if can_fork_cleanly:
        context.set_forkserver_preload(["simbudget.projection.blocks"])
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(schedule,))
    try:
        with held_back():
            pool.submit(int)  # the first task starts all workers
        yield from in_order(cutter, lambda numbers: pool.submit(_simulate, numbers), lambda: workers)
    except BrokenProcessPool:
        problem = Problem("a worker process was killed", remedy="it may lack memory: try one worker")
        raise UserError(problem) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _start_worker(schedule: Schedule) -> None:
    global _schedule  # noqa: PLW0603  a worker process has one schedule for its life
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    _schedule = schedule


def _simulate(numbers: range) -> Block:
    assert _schedule is not None
    return simulate_block(_schedule, numbers)
