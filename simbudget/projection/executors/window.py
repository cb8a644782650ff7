"""The window: blocks that are under way at one time, and come back in their order."""

from collections import deque
from collections.abc import Callable, Generator
from typing import Final, Protocol

from simbudget.projection.blocks import Block, Cutter

AHEAD: Final = 3
"""Blocks that are handed out ahead of each worker, so that none is idle and few are made in vain."""


class Promised(Protocol):
    """A block that a worker is asked for: a future of the standard library or of Dask."""

    def result(self) -> Block:
        """Return the block, once it is there."""


def in_order(
    cutter: Cutter, submit: Callable[[range], Promised], workers: Callable[[], int]
) -> Generator[Block, None, None]:
    """Yield the blocks that `submit` promises, in their order, with a few under way for each of the workers."""
    under_way: deque[Promised] = deque()
    while True:
        while len(under_way) < AHEAD * workers() and (numbers := cutter.cut()) is not None:
            under_way.append(submit(numbers))
        if not under_way:
            return
        block = under_way.popleft().result()
        cutter.learn(len(block), block.seconds)
        yield block
