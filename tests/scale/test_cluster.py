"""The same projection on a Dask cluster of real worker processes, one of which is killed in the middle."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from simbudget.errors import Problem, UserError
from simbudget.projection.engines import ENGINES
from simbudget.projection.executors import cluster
from simbudget.projection.executors.cluster import Maker, make_block
from simbudget.projection.run import Options, project
from simbudget.projection.schedule import Schedule
from tests.scale.running import NEVER_ENDS, SCENARIO, alone, assert_same
from tests.scale.synthetic import PROGRAM

MANY = Options(replications=400, engine="reference")
"""Some seconds of work for two workers, in blocks of a second at most."""


@dataclass
class Cluster:
    """A scheduler and its workers, processes of their own as on machines of their own."""

    address: str
    workers: list[subprocess.Popen[bytes]]

    def kill_one_in_the_middle(self) -> None:
        """Kill a worker with SIGKILL that is making a block."""
        from distributed import Client  # noqa: PLC0415

        with Client(self.address, set_as_default=False) as client:
            pids = client.run(os.getpid)
            busy = next(pids[worker] for worker, tasks in client.processing().items() if tasks)
            os.kill(busy, signal.SIGKILL)


@contextmanager
def _process(*command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-m", *command], env={**os.environ, **environment}, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def cluster_of(workers: int, folder: Path, **environment: str) -> Iterator[Cluster]:
    """Start a scheduler and its workers."""
    file = folder / "scheduler.json"
    here = ("--scheduler-file", str(file), "--no-dashboard", "--interface", "lo")
    with ExitStack() as stack:
        start = ("distributed.cli.dask_scheduler", *here, "--port", "0")
        stack.enter_context(_process(*start, **environment))
        started = [
            stack.enter_context(
                _process(
                    "distributed.cli.dask_worker",
                    *here,
                    *("--nthreads", "1", "--no-nanny", "--local-directory", str(folder)),
                )
            )
            for _ in range(workers)
        ]
        yield Cluster(_address(file, workers), started)


def _address(file: Path, workers: int) -> str:
    """Return the scheduler's address once it and its workers are there."""
    from distributed import Client  # noqa: PLC0415

    with Client(scheduler_file=str(file), timeout=600, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=600)
        return str(client.scheduler.address)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_local_cluster_gives_the_same_bits(engine: str) -> None:
    assert_same(alone(), project(SCENARIO, Options(replications=48, on="local:2", engine=engine)))


def test_a_worker_that_is_killed_in_the_middle_of_a_block_costs_no_result(tmp_path: Path) -> None:
    with cluster_of(2, tmp_path) as there:
        killed = []

        def kill_once(done: int, _: int) -> None:
            if done >= 20 and not killed:
                there.kill_one_in_the_middle()
                killed.append(done)

        on = replace(MANY, on=there.address)
        survived = project(SCENARIO, on, kill_once)
        assert killed and killed[0] < 400
        assert sorted(worker.poll() is None for worker in there.workers) == [False, True]
        with pytest.raises(UserError, match="never end"):
            project(NEVER_ENDS, Options(replications=8, on=there.address))
    assert_same(project(SCENARIO, replace(MANY, engine="compiled", workers=2)), survived)


def test_where_no_block_may_be_retried_the_same_kill_is_one_clear_line(tmp_path: Path) -> None:
    with cluster_of(1, tmp_path, DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0") as there:
        killed = []

        def kill_once(done: int, _: int) -> None:
            if done >= 20 and not killed:
                there.kill_one_in_the_middle()
                killed.append(done)

        with pytest.raises(UserError, match="each time its worker died"):
            project(SCENARIO, replace(MANY, on=there.address), kill_once)


def test_a_cluster_whose_workers_are_all_gone_is_not_awaited_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_PATIENCE_S", 1.0)
    with cluster_of(1, tmp_path) as there:
        killed = []

        def kill_once(done: int, _: int) -> None:
            if done >= 20 and not killed:
                there.kill_one_in_the_middle()
                killed.append(done)

        with pytest.raises(UserError, match="all workers of the Dask cluster are gone; start some"):
            project(SCENARIO, replace(MANY, on=there.address), kill_once)
    assert killed


def test_a_worker_with_other_versions_refuses_to_work() -> None:
    plan, here = Schedule(PROGRAM, 1, 1), Maker.here()
    for other, named in (
        (replace(here, python="3.99"), "Python 3.99"),
        (replace(here, simbudget="9.9"), "simbudget"),
        (replace(here, sources="other"), "other sources"),
    ):
        with pytest.raises(UserError, match=named):
            make_block(other, plan, range(1))
    assert len(make_block(here, plan, range(1))) == 1


@pytest.mark.parametrize("on", ["local:0", "local:many", "here", "http://a:1", "tcp://a", "tcp://a:99999"])
def test_what_is_no_cluster_is_said_before_anything_starts(on: str) -> None:
    with pytest.raises(UserError, match="is no cluster; write for example local:4"):
        project(SCENARIO, Options(on=on))


def test_a_scheduler_that_does_not_answer_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_S", 1)
    with pytest.raises(UserError, match="no Dask scheduler answers at"):
        project(SCENARIO, Options(on="tcp://127.0.0.1:9"))


def test_without_dask_the_remedy_is_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'simbudget\[dask\]'"):
        project(SCENARIO, Options(on="local:2"))


def test_a_cluster_and_a_number_of_workers_contradict_each_other() -> None:
    with pytest.raises(UserError, match="leave one out"):
        project(SCENARIO, Options(on="local:2", workers=2))


def test_mistakes_keep_their_remedies_when_they_travel() -> None:
    import pickle  # noqa: PLC0415

    mistake = UserError(Problem("a", remedy="b"), Problem("c"))
    assert pickle.loads(pickle.dumps(mistake)).problems == mistake.problems
