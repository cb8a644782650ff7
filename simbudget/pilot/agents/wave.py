"""Jobs side by side: those of one experiment step, until as many as the step waits for have ended well."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from simbudget.pilot.agents.allowance import CycleOverError, StoppedError
from simbudget.pilot.agents.laboratory import Idea, Job


@dataclass
class Wave:
    """The outcome of a step's jobs."""

    ideas: list[Idea | None]
    """In the order of the jobs; None for a job that was cancelled or not allowed to start."""
    ended_well: list[Idea] = field(default_factory=list)
    """In the order in which they ended."""
    refused: StoppedError | CycleOverError | None = None
    """The limit that did not allow a job to start; one that ends the agent comes before one that ends the cycle."""


async def run_side_by_side(
    jobs: Sequence[Job], wait_for: int | None, run: Callable[[Job], Awaitable[Idea]]
) -> Wave:
    """Run jobs side by side, and return when all have ended, or when enough have ended well.

    The jobs ask for slots in their order. Those that are still queued or running at the end are cancelled.

    Args:
        jobs: the jobs, at least one.
        wait_for: number of jobs that have to end well; None for all jobs to end.
        run: runs one job to its end.

    Raises:
        SlotsGoneError: the run is over.
    """
    wave = Wave([None] * len(jobs))
    under_way = {asyncio.ensure_future(run(job)): place for place, job in enumerate(jobs)}
    waiting = set(under_way)
    try:
        while waiting and not _is_enough(wave, wait_for):
            ended, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for each in sorted(ended, key=under_way.__getitem__):
                if not _is_enough(wave, wait_for):
                    _take(wave, under_way[each], each)
    finally:
        for each in waiting:
            each.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
    return wave


def _is_enough(wave: Wave, wait_for: int | None) -> bool:
    return wait_for is not None and len(wave.ended_well) >= wait_for


def _take(wave: Wave, place: int, ended: "asyncio.Future[Idea]") -> None:
    """Note the end of a job."""
    try:
        idea = ended.result()
    except CycleOverError as error:
        wave.refused = wave.refused or error
    except StoppedError as error:
        wave.refused = error
    else:
        wave.ideas[place] = idea
        if idea.answer is not None:
            wave.ended_well.append(idea)
