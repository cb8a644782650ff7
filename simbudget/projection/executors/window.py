"""The window of blocks that are simulated at one time and returned in order."""

from collections import deque
from collections.abc import Callable, Generator
from typing import Final, Protocol

from simbudget.projection.blocks import Block, Cutter

AHEAD: Final = 3
"""Blocks queued per worker, so that no worker is idle and few blocks are simulated in vain."""


class Promised(Protocol):
    """A block requested from a worker: a future of the standard library or of Dask."""

    def result(self) -> Block:
        """Wait for the block and return it."""


def in_order(
    cutter: Cutter, submit: Callable[[range], Promised], workers: Callable[[], int]
) -> Generator[Block, None, None]:
    """Yield the blocks that `submit` requests, in order, with a few requested ahead for each worker."""
    under_way: deque[Promised] = deque()
    while True:
        while len(under_way) < AHEAD * workers() and (numbers := cutter.cut()) is not None:
            under_way.append(submit(numbers))
        if not under_way:
            return
        block = under_way.popleft().result()
        cutter.learn(len(block), block.seconds)
        yield block
