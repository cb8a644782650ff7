"""The pool that jobs queue for, first come first served; in a pilot a processor core takes the place of a GPU."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class SlotPool:
    """A pool of slots, given out in the order of requests.

    A job that needs several slots waits until that many are free, and later jobs do not overtake it: the same
    first-come queue as in the engine. Use as `async with pool.hold(1) as queued_s:`.
    """

    def __init__(self, slots: int) -> None:
        if slots < 1:
            raise ValueError(f"a pool of {slots} slots")
        self.slots = slots
        self._free = slots
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def free(self) -> int:
        """Return the number of free slots."""
        return self._free

    @property
    def queue_length(self) -> int:
        """Return the number of waiting jobs."""
        return len(self._waiting)

    @asynccontextmanager
    async def hold(self, slots: int = 1) -> AsyncIterator[float]:
        """Hold slots while the block runs; yields the waiting time in seconds.

        Raises:
            ValueError: the pool does not have that many slots.
        """
        if not 1 <= slots <= self.slots:
            raise ValueError(f"{slots} slots of a pool of {self.slots}")
        asked = time.monotonic()
        await self._take(slots)
        try:
            yield time.monotonic() - asked
        finally:
            self._give(slots)

    async def _take(self, slots: int) -> None:
        """Wait for slots and take them."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (slots, turn)
        self._waiting.append(place)
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # served at the same moment as it was cancelled
                self._give(slots)
            else:
                if place in self._waiting:
                    self._waiting.remove(place)
                self._serve()
            raise

    def _give(self, slots: int) -> None:
        """Return slots and serve the queue."""
        self._free += slots
        self._serve()

    def _serve(self) -> None:
        """Serve the head of the queue as long as enough slots are free.

        A job that is cancelled stays in the queue until its task runs again, so that its turn may come meanwhile.
        """
        while self._waiting:
            slots, turn = self._waiting[0]
            if not turn.cancelled():
                if slots > self._free:
                    return
                self._free -= slots
                turn.set_result(None)
            self._waiting.popleft()
