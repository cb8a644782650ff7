"""Threads of this process, for an engine that does not block other threads."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

from simbudget.projection.blocks import Block, Cutter, simulate_block
from simbudget.projection.executors.window import in_order
from simbudget.projection.schedule import Schedule


def in_threads(schedule: Schedule, cutter: Cutter, workers: int) -> Generator[Block, None, None]:
    """Yield a schedule's blocks in order."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="simbudget")
    try:
        yield from in_order(
            cutter, lambda numbers: pool.submit(simulate_block, schedule, numbers), lambda: workers
        )
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
