"""A Dask cluster: `local:4` starts one of four processes here, `tcp://host:8786` uses the one of a scheduler.

A worker that dies costs time only: Dask gives its blocks to another, and what it had made and not yet delivered is
made again. Every block carries what it was asked by, so that a worker with another version of simbudget or of
Python, which might give other bits, refuses it.
"""

import logging
import sys
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from simbudget import __version__
from simbudget.compilation import CODE_FOLDER
from simbudget.errors import Problem, UserError, argument
from simbudget.projection.blocks import Cutter, SimulatedBlock, simulate_block
from simbudget.projection.executors.local import in_order
from simbudget.projection.executors.uninterrupted import held_back
from simbudget.projection.schedule import Schedule

if TYPE_CHECKING:
    from distributed import Client

_LOCAL: Final = "local:"
_UNINTERRUPTED: Final = "simbudget.projection.executors.uninterrupted"
_PROTOCOLS: Final = ("tcp", "tls", "ws", "wss")
_CONNECT_S: Final = 10
"""Time to wait for a scheduler, and for its first worker."""

_PATIENCE_S: Final = 60.0
"""Time that a cluster may be without workers: a dead worker is restarted by its nanny."""

_BLOCK_S: Final = 1.0
"""Target duration of a block: distributing one over a network takes some milliseconds."""


@dataclass(frozen=True)
class Maker:
    """The software that simulates a block; the same software gives the same bits."""

    simbudget: str
    python: str
    sources: str
    """A digest of the engine's sources and of numba's version."""

    @staticmethod
    def here() -> "Maker":
        """Return the software of this process."""
        return Maker(__version__, ".".join(map(str, sys.version_info[:2])), CODE_FOLDER.name)


def on_cluster(schedule: Schedule, cutter: Cutter, on: str) -> Generator[SimulatedBlock, None, None]:
    """Yield a schedule's blocks in order, simulated by the workers of a Dask cluster.

    Args:
        schedule: the replications and their engine.
        cutter: cuts them into blocks.
        on: `local:4`, or the address of a scheduler.

    Raises:
        UserError: Dask is not installed, the cluster cannot be reached, has no workers or unfit ones.
    """
    if find_spec("distributed") is None:
        raise UserError(
            Problem("a cluster needs Dask", remedy="install it with: pip install 'simbudget[dask]'")
        )
    return _on_cluster(schedule, cutter, on)


def _on_cluster(schedule: Schedule, cutter: Cutter, on: str) -> Generator[SimulatedBlock, None, None]:
    with _client(on) as client:
        maker = Maker.here()

        cutter.seconds = _BLOCK_S

        def submit(numbers: range) -> Any:
            return _Awaited(client, client.submit(make_block, maker, schedule, numbers, pure=False))

        with _plain_errors():
            yield from in_order(cutter, submit, lambda: _threads(client))


@dataclass(frozen=True)
class _Awaited:
    """A block that is awaited as long as there are workers."""

    client: "Client"
    future: Any

    def result(self) -> SimulatedBlock:
        """Wait for the block and return it; UserError if all workers are gone for good."""
        while True:
            try:
                block: SimulatedBlock = self.future.result(timeout=_PATIENCE_S)
            except TimeoutError:
                if not self.client.nthreads():
                    remedy = "start some, and the projection again"
                    raise UserError(
                        Problem("all workers of the Dask cluster are gone", remedy=remedy)
                    ) from None
            else:
                return block


def make_block(maker: Maker, schedule: Schedule, numbers: range) -> SimulatedBlock:
    """Return a block, in a worker; UserError if the worker has different software.

    Args:
        maker: the software that the projection began with.
        schedule: the replications and their engine.
        numbers: numbers of the replications to simulate.
    """
    if (here := Maker.here()) != maker:
        raise UserError(_unfit(maker, here))
    return simulate_block(schedule, numbers)


def _unfit(wanted: Maker, found: Maker) -> Problem:
    """Return how the software of a worker differs."""
    if found.python != wanted.python:
        message = f"a worker of the cluster runs Python {found.python}, this is Python {wanted.python}"
    elif found.simbudget != wanted.simbudget:
        message = f"a worker of the cluster runs simbudget {found.simbudget}, this is {wanted.simbudget}"
    else:
        message = (
            "a worker of the cluster has other sources of simbudget, or another numba, than this process"
        )
    return Problem(
        message, remedy="install the same versions there: results have to be the same to the last bit"
    )


@contextmanager
def _client(on: str) -> "Iterator[Client]":
    """Yield a client of the cluster; a local one ends with it."""
    from distributed import Client  # noqa: PLC0415  optional, and slow to import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Dask has to say about versions, `Maker` says as an error
        if on.startswith(_LOCAL):
            with _local_cluster(_local_workers(on)) as cluster, Client(cluster) as client:
                yield client
            return
        _require_address(on)
        try:
            client = Client(on, timeout=_CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError):
            remedy = "start one with: dask scheduler"
            raise UserError(Problem(f"no Dask scheduler answers at {on}", remedy=remedy)) from None
        with client:
            _wait_for_a_worker(client, on)
            yield client


def _local_cluster(workers: int) -> Any:
    """Return a cluster of worker processes on this machine, each simulating one block at a time."""
    from dask import config  # noqa: PLC0415
    from distributed import LocalCluster  # noqa: PLC0415
    from distributed.security import Security  # noqa: PLC0415

    if find_spec("cryptography") is None:
        remedy = "install it with: pip install 'simbudget[dask]'"
        raise UserError(Problem(f"{argument('on', 'local:N')} needs the package cryptography", remedy=remedy))
    # Its servers would tell anybody on the machine over HTTP what runs where; with no routes they tell nothing.
    silent: dict[str, list[str]] = {
        f"distributed.{who}.http.routes": [] for who in ("scheduler", "worker", "nanny")
    }
    with held_back(), config.set(silent):
        return LocalCluster(
            workers,
            processes=True,
            threads_per_worker=1,
            dashboard_address=None,
            # Without a dashboard Dask still opens a port for one (8787): let it be free, and of this machine only.
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            # A scheduler runs whatever code it is sent. With a certificate of this session, which exists in memory
            # only, nobody else on the machine can send any.
            security=Security.temporary(),
            silence_logs=logging.CRITICAL,
            preload=[_UNINTERRUPTED],
        )


def _local_workers(on: str) -> int:
    count = on.removeprefix(_LOCAL)
    if not count.isdecimal() or not 1 <= int(count) <= 1024:
        raise UserError(_no_cluster(on))
    return int(count)


def _require_address(on: str) -> None:
    """Raise UserError unless this is the address of a scheduler: Dask's own check leaves threads behind."""
    try:
        address = urlsplit(on)
        is_one = address.scheme in _PROTOCOLS and bool(address.hostname) and address.port is not None
    except ValueError:  # a port that is no number
        is_one = False
    if not is_one:
        raise UserError(_no_cluster(on))


def _no_cluster(on: str) -> Problem:
    return Problem(f"{on!r} is no cluster", remedy="write for example local:4 or tcp://host:8786")


def _wait_for_a_worker(client: "Client", on: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_CONNECT_S)
    except TimeoutError:
        remedy = f"start some with: dask worker {on}"
        raise UserError(Problem(f"the Dask scheduler at {on} has no workers", remedy=remedy)) from None


def _threads(client: "Client") -> int:
    """Return the number of blocks that the cluster simulates at a time; it may grow or lose workers."""
    return max(1, sum(map(int, client.nthreads().values())))


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Return one line on what went wrong with a cluster."""
    from distributed import CancelledError, KilledWorker  # noqa: PLC0415

    try:
        yield
    except KilledWorker as error:
        message = f"a block was tried {error.allowed_failures + 1} times, and each time its worker died"
        raise UserError(
            Problem(message, remedy="workers may lack memory: try fewer on each machine")
        ) from None
    except (CancelledError, OSError, TimeoutError):
        problem = Problem("the Dask scheduler went away", remedy="start it, and the projection, again")
        raise UserError(problem) from None
    except (ModuleNotFoundError, AttributeError) as error:
        message = f"a worker of the cluster cannot run this simbudget ({error})"
        remedy = f"install simbudget {__version__} there"
        raise UserError(Problem(message, remedy=remedy)) from None
