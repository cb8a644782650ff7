"""The pool of slots: first come, first served, and given back on every way out."""

import asyncio

import pytest

from simbudget.pilot.sandbox.slots import SlotPool


def test_jobs_are_served_in_the_order_of_asking_and_nobody_passes_a_large_one() -> None:
    async def story() -> list[str]:
        pool, order = SlotPool(2), []

        async def job(name: str, slots: int) -> None:
            async with pool.hold(slots):
                order.append(name)
                await asyncio.sleep(0.01)

        names = [("a", 1), ("b", 2), ("c", 1), ("d", 1)]
        await asyncio.gather(*(job(*one) for one in names))
        assert pool.free == 2
        return order

    assert asyncio.run(story()) == ["a", "b", "c", "d"]


def test_no_more_slots_are_held_than_there_are() -> None:
    async def story() -> int:
        pool, held, most = SlotPool(3), 0, 0

        async def job(slots: int) -> None:
            nonlocal held, most
            async with pool.hold(slots):
                held += slots
                most = max(most, held)
                await asyncio.sleep(0.001)
                held -= slots

        await asyncio.gather(*(job(1 + k % 3) for k in range(40)))
        return most

    assert asyncio.run(story()) == 3


def test_a_job_that_is_cancelled_gives_back_its_slot_or_its_place() -> None:
    async def story() -> None:
        pool = SlotPool(1)

        async def job() -> None:
            async with pool.hold():
                await asyncio.sleep(60)

        jobs = [asyncio.create_task(job()) for _ in range(3)]
        await asyncio.sleep(0)
        assert (pool.free, pool.queue_length) == (0, 2)
        jobs[1].cancel()
        await asyncio.sleep(0)
        jobs[0].cancel()
        await asyncio.sleep(0)
        jobs[2].cancel()  # served in this very moment
        await asyncio.gather(*jobs, return_exceptions=True)
        assert (pool.free, pool.queue_length) == (1, 0)

    asyncio.run(story())


@pytest.mark.parametrize("cancelled", [(0, 1), (1, 0), (0, 1, 2), (1, 2, 0)])
def test_jobs_that_are_cancelled_in_one_moment_leave_the_pool_whole(cancelled: tuple[int, ...]) -> None:
    async def story() -> None:
        pool, served = SlotPool(1), []

        async def job(number: int) -> None:
            async with pool.hold():
                served.append(number)
                await asyncio.sleep(60)

        jobs = [asyncio.create_task(job(number)) for number in range(4)]
        await asyncio.sleep(0)
        for number in cancelled:  # one holds the slot, the others are in the queue
            jobs[number].cancel()
        await asyncio.wait(jobs, timeout=0.1)
        assert served[-1] == min({0, 1, 2, 3} - set(cancelled)), "the next one in the queue was served"
        for each in jobs:
            each.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        assert (pool.free, pool.queue_length) == (1, 0)

    asyncio.run(asyncio.wait_for(story(), 10))


def test_what_a_pool_can_never_give_is_refused() -> None:
    async def story() -> None:
        async with SlotPool(2).hold(3):
            pass

    with pytest.raises(ValueError, match="3 slots of a pool of 2"):
        asyncio.run(story())
    with pytest.raises(ValueError, match="pool of 0"):
        SlotPool(0)
