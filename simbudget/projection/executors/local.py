"""Threads of this process, or processes on this machine for an engine that blocks other threads.

All executors request a window of blocks ahead and return them in order.
"""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final, Protocol

from simbudget.errors import Problem, UserError
from simbudget.projection.blocks import Cutter, SimulatedBlock, simulate_block
from simbudget.projection.executors.uninterrupted import held_back
from simbudget.projection.schedule import Schedule

AHEAD: Final = 3
"""Blocks queued per worker, so that no worker is idle and few blocks are simulated in vain."""


class Promised(Protocol):
    """A block requested from a worker: a future of the standard library or of Dask."""

    def result(self) -> SimulatedBlock:
        """Wait for the block and return it."""


def in_order(
    cutter: Cutter, submit: Callable[[range], Promised], workers: Callable[[], int]
) -> Generator[SimulatedBlock, None, None]:
    """Yield the blocks that `submit` requests, in order, with a few requested ahead for each worker.

    Args:
        cutter: cuts the schedule into blocks.
        submit: requests the block of these replications from a worker.
        workers: returns the number of workers, which may change on a cluster.
    """
    in_flight: deque[Promised] = deque()
    while True:
        while len(in_flight) < AHEAD * workers() and (numbers := cutter.cut()) is not None:
            in_flight.append(submit(numbers))
        if not in_flight:
            return
        block = in_flight.popleft().result()
        cutter.learn(len(block), block.seconds)
        yield block


def in_threads(schedule: Schedule, cutter: Cutter, workers: int) -> Generator[SimulatedBlock, None, None]:
    """Yield a schedule's blocks in order.

    Args:
        schedule: the replications and their engine.
        cutter: cuts them into blocks.
        workers: number of threads.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="simbudget")
    try:
        yield from in_order(
            cutter, lambda numbers: pool.submit(simulate_block, schedule, numbers), lambda: workers
        )
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_schedule: Schedule | None = None
"""The schedule of this worker process, sent once instead of with every block."""


def in_processes(schedule: Schedule, cutter: Cutter, workers: int) -> Generator[SimulatedBlock, None, None]:
    """Yield a schedule's blocks in order.

    Args:
        schedule: the replications and their engine.
        cutter: cuts them into blocks.
        workers: number of processes.

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


def _simulate(numbers: range) -> SimulatedBlock:
    assert _schedule is not None
    return simulate_block(_schedule, numbers)
