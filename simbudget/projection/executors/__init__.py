"""Executors of blocks: this process, its threads, other processes on this machine, or a Dask cluster.

Whoever does it, blocks come back in their order, so that a projection is the same for any number of workers and
an interrupted one is what a shorter one would have been.
"""

from simbudget.projection.executors.choice import blocks_in_order, cores

__all__ = ["blocks_in_order", "cores"]
