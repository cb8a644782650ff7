"""The pool that jobs queue for, first come first served; in a pilot a GPU is a processor core."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class SlotPool:
    """So many slots, given out in the order in which they were asked for.

    A job that wants several waits until that many are free, and nobody behind it passes it meanwhile: the
    first-come queue of the engine. Use as `async with pool.hold(1) as queued_s:`.
    """

    def __init__(self, slots: int) -> None:
        if slots < 1:
            raise ValueError(f"a pool of {slots} slots")
        self.slots = slots
        self._free = slots
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def free(self) -> int:
        """Return how many slots nobody holds."""
        return self._free

    @property
    def queue_length(self) -> int:
        """Return how many jobs wait."""
        return len(self._waiting)

    @asynccontextmanager
    async def hold(self, slots: int = 1) -> AsyncIterator[float]:
        """Hold slots for a while; gives how many seconds they were waited for. Raises ValueError."""
        if not 1 <= slots <= self.slots:
            raise ValueError(f"{slots} slots of a pool of {self.slots}")
        asked = time.monotonic()
        await self._take(slots)
        try:
            yield time.monotonic() - asked
        finally:
            self._give(slots)

    async def _take(self, slots: int) -> None:
        """Wait for so many slots, and take them."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (slots, turn)
        self._waiting.append(place)
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # served in the very moment of the cancellation
                self._give(slots)
            else:
                self._waiting.remove(place)
                self._serve()
            raise

    def _give(self, slots: int) -> None:
        """Give slots back, to whoever is next."""
        self._free += slots
        self._serve()

    def _serve(self) -> None:
        """Give free slots to the head of the queue, as long as it can be served."""
        while self._waiting and self._waiting[0][0] <= self._free:
            slots, turn = self._waiting.popleft()
            self._free -= slots
            turn.set_result(None)
