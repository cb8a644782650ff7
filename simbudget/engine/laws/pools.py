"""Pools of GPUs: a pool's row in a program, and what is charged for it.

Both engines and the totals ask the functions below, which take a pool's row or its record in the compiled engine, so
that nobody but the row's maker knows the kinds of billing. They are plain functions of numbers: the reference engine
and the totals call them as they are, the latter with arrays, and the compiled engine compiles them.
"""

from typing import Any, NamedTuple


class PoolRow(NamedTuple):
    """One pool of GPUs. Price (of one GPU), speed and the mean time between preemptions are quantities."""

    gpus: int
    price: int
    speed: int
    preempted_every: int
    checkpoint_every_ns: int
    held: int
    """GPUs held by served models, which jobs cannot use."""
    bills_use: int
    """Whether the time is charged for which jobs and served models hold its GPUs."""
    bills_run: int
    """Whether all its GPUs are charged for from the start of the run to its end."""
    sharers: int
    """Number of agents among which the pool is divided, each charged for its share; 0: it is not divided."""

    @property
    def free_gpus(self) -> int:
        """Return the number of GPUs available to jobs."""
        return self.gpus - self.held


def unit_usd_per_hour(pool: Any, gpu_usd_per_hour: float) -> float:
    """Return the price of what is charged for as one unit: a GPU, or the share of the pool that an agent has.

    Args:
        pool: the pool's row or record.
        gpu_usd_per_hour: price of one GPU, in $/h.
    """
    return gpu_usd_per_hour * (pool.gpus / pool.sharers if pool.sharers else 1.0)


def due_at_end_ns(pool: Any, used_ns: Any, ended_ns: Any) -> Any:
    """Return what is charged for a pool as a whole when the run ends, in GPU-nanoseconds.

    Args:
        pool: the pool's row or record.
        used_ns: GPU time for which jobs and served models have held its GPUs; a number, or an array of shape (runs,).
        ended_ns: length of the run, alike.
    """
    return pool.bills_run * pool.gpus * ended_ns


def billed_ns(pool: Any, used_ns: Any, lives_ns: Any, ended_ns: Any) -> Any:
    """Return everything that is charged for a pool in a run, in GPU-nanoseconds.

    Args:
        pool: the pool's row.
        used_ns: GPU time for which jobs and served models have held its GPUs; a number, or an array of shape (runs,).
        lives_ns: lengths of all agents' lives together, alike.
        ended_ns: length of the run, alike.
    """
    billed = pool.bills_use * used_ns + due_at_end_ns(pool, used_ns, ended_ns)
    return billed + lives_ns * pool.gpus / pool.sharers if pool.sharers else billed
