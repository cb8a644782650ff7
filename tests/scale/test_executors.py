"""Who makes the replications makes no difference: a thread or several, processes, in blocks of any size."""

import pytest

from simbudget.errors import Problem, UserError
from simbudget.projection.blocks import Cutter
from simbudget.projection.engines import ENGINES
from simbudget.projection.run import Options, project
from simbudget.projection.schedule import Schedule
from tests.scale.running import NEVER_ENDS, SCENARIO, alone, assert_same
from tests.scale.synthetic import PROGRAM


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("engine", ENGINES)
def test_any_number_of_workers_gives_the_same_bits(workers: int, engine: str) -> None:
    assert_same(alone(), project(SCENARIO, Options(replications=48, workers=workers, engine=engine)))


def test_another_seed_gives_other_bits() -> None:
    other = project(SCENARIO, Options(replications=48, workers=1, seed=2))
    assert not alone().replications.equals(other.replications)


@pytest.mark.parametrize("size", [1, 5, 48])
def test_blocks_of_any_size_give_the_same_bits(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cutter, "learn", lambda cutter, *_: setattr(cutter, "_size", size))
    assert_same(alone(), project(SCENARIO, Options(replications=48, workers=2)))


def test_a_precision_is_reached_after_the_same_replications_whoever_makes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = Options(precision=0.05, workers=1)
    first = project(SCENARIO, wanted)
    assert 40 <= first.summary.replications < 1000
    errors = vars(first.summary.monte_carlo_error.spend_usd)
    assert all(errors[name] <= 0.05 * value for name, value in vars(first.summary.spend_usd).items())
    assert_same(first, project(SCENARIO, Options(precision=0.05, workers=3)))
    monkeypatch.setattr(Cutter, "learn", lambda cutter, *_: setattr(cutter, "_size", 7))
    assert_same(first, project(SCENARIO, Options(precision=0.05, workers=2)))


def test_replications_take_turns_in_the_worlds_so_that_a_longer_projection_begins_with_a_shorter_one() -> (
    None
):
    short, long = (project(SCENARIO, Options(replications=n, worlds=5, workers=1)) for n in (7, 12))
    assert long.replications["world"].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    assert short.replications.equals(long.replications.iloc[:7])
    assert (short.worlds, long.worlds) == (5, 5)


def test_blocks_grow_as_they_turn_out_short_and_shrink_as_they_turn_out_long() -> None:
    cutter = Cutter(Schedule(PROGRAM, 1, 10_000), seconds=0.3)
    assert cutter.cut() == range(1)
    for seconds_each, replications in ((0.0001, 4), (0.0001, 16), (0.05, 6), (10.0, 1), (0.0, 4)):
        cutter.learn(10, 10 * seconds_each)
        assert len(cutter.cut() or ()) == replications


def test_blocks_cover_every_replication_once() -> None:
    cutter, numbers = Cutter(Schedule(PROGRAM, 1, 1000)), []
    while (block := cutter.cut()) is not None:
        numbers += block
        cutter.learn(len(block), 0.01)
    assert numbers == list(range(1000))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_mistake_that_a_worker_finds_comes_back_as_one(workers: int, engine: str) -> None:
    with pytest.raises(UserError, match="never end") as mistake:
        project(NEVER_ENDS, Options(replications=8, workers=workers, engine=engine))
    assert all(isinstance(problem, Problem) for problem in mistake.value.problems)
    assert mistake.value.problems[0].remedy is not None
