"""Executors of blocks: this process, its threads, other processes on this machine, or a Dask cluster.

Whoever does it, blocks come back in their order, so that a projection is the same for any number of workers and
an interrupted one is what a shorter one would have been.
"""

import os
from collections.abc import Generator

from simbudget.projection.blocks import Cutter, SimulatedBlock, simulate_block
from simbudget.projection.engines import engine_named
from simbudget.projection.executors.local import in_processes, in_threads
from simbudget.projection.schedule import Schedule


def cores() -> int:
    """Return the number of cores available to this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def blocks_in_order(
    schedule: Schedule, workers: int | None = None, on: str | None = None, first: int = 0
) -> Generator[SimulatedBlock, None, None]:
    """Yield the simulated blocks of a schedule in order, as they are finished.

    Args:
        schedule: the replications and their engine.
        workers: number of threads or processes on this machine; by default one per core.
        on: a Dask cluster instead: `local:4`, or the address of a scheduler such as `tcp://host:8786`.
        first: the first replication to simulate; earlier ones are skipped.

    Raises:
        UserError: the scenario never ends, a worker was killed, or the cluster cannot be used.
    """
    cutter = Cutter(schedule, first)
    blocks = _executor(schedule, cutter, workers, on)
    if not engine_named(schedule.engine).is_compiled():
        # Simulated here, so that the machine code is on disk before many workers look for it at once.
        yield from _here(schedule, cutter, most=1)
    yield from blocks


def _executor(
    schedule: Schedule, cutter: Cutter, workers: int | None, on: str | None
) -> Generator[SimulatedBlock, None, None]:
    if on is not None:
        from simbudget.projection.executors.cluster import on_cluster  # noqa: PLC0415  an optional package

        return on_cluster(schedule, cutter, on)
    workers = min(workers or cores(), schedule.replications - cutter.first)
    if workers <= 1:
        return _here(schedule, cutter)
    in_parallel = in_threads if engine_named(schedule.engine).runs_in_threads else in_processes
    return in_parallel(schedule, cutter, workers)


def _here(
    schedule: Schedule, cutter: Cutter, most: int | None = None
) -> Generator[SimulatedBlock, None, None]:
    """Yield the next blocks, at most `most` of them, simulated in this thread."""
    made = 0
    while made != most and (numbers := cutter.cut()) is not None:
        block = simulate_block(schedule, numbers)
        cutter.learn(len(block), block.seconds)
        made += 1
        yield block
