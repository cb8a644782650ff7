"""Threads of this process, for an engine that lets other threads run meanwhile."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

from simbudget.projection.blocks import Block, Cutter, Plan, simulate_block
from simbudget.projection.executors.window import in_order


def in_threads(plan: Plan, cutter: Cutter, workers: int) -> Generator[Block, None, None]:
    """Yield a plan's blocks, in their order."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="simbudget")
    try:
        yield from in_order(
            cutter, lambda numbers: pool.submit(simulate_block, plan, numbers), lambda: workers
        )
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
