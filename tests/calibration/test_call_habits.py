"""Logs say whether thinking stays in contexts, what prefix they share, and by which service calls are made."""

from dataclasses import replace

import numpy as np
import pytest

from simbudget.calibration.observed.call_habits import kept_thinking, shared_prefix, used_service
from simbudget.calibration.observed.observations import observe
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.scenarios.session_fits import fit_sessions


def session(run: int, rng: np.random.Generator, kept: float = 1.0, prefix: int = 0) -> Session:
    """Return a session of 40 calls of which a share of the thinking stays in the context."""
    calls = 40
    thinking = rng.lognormal(6.0, 0.8, calls).round()
    output = thinking + rng.lognormal(5.0, 0.5, calls).round()
    results = rng.lognormal(6.0, 1.0, calls).round()
    stays = rng.random(calls) < kept
    growth = (output - thinking + thinking * stays + results)[:-1]
    context = 20_000 + np.concatenate([[0.0], growth.cumsum()])
    read = np.concatenate([[float(prefix)], context[:-1]])
    return Session(
        run=run,
        source="codex",
        project="",
        model="m",
        uncached=np.zeros(calls),
        write=context - read,
        read=read,
        output=output,
        thinking=thinking,
        duration_s=output / 50.0,
        started_s=np.arange(float(calls)) * 60.0,
        list_cost_usd=np.zeros(calls),
        write_1h=np.zeros(calls),
        person_s=np.zeros(calls),
    )


def sessions(count: int = 20, kept: float = 1.0, prefix: int = 0) -> list[Session]:
    rng = np.random.default_rng(7)
    return [session(run, rng, kept, prefix) for run in range(count)]


@pytest.mark.parametrize(("kept", "keeps"), [(1.0, True), (0.9, True), (0.1, False), (0.0, False)])
def test_whether_thinking_stays_is_read_off_the_growth_of_contexts(kept: float, keeps: bool) -> None:
    found = kept_thinking(sessions(kept=kept), np.random.default_rng(0))
    assert found is not None
    assert found.keeps is keeps
    share, low, high = found.share
    assert low <= share <= high
    assert share < kept + 0.05
    if kept in (0.0, 1.0):
        assert share == pytest.approx(kept, abs=0.05)


def test_nothing_is_said_where_results_are_too_long_for_thinking_to_show() -> None:
    long = [replace(one, write=one.write + np.arange(40) * 50_000.0) for one in sessions(kept=0.0)]
    assert kept_thinking(long, np.random.default_rng(0)) is None


def test_nothing_is_said_of_logs_that_do_not_count_thinking() -> None:
    silent = [replace(one, thinking=np.full(40, np.nan)) for one in sessions()]
    assert kept_thinking(silent, np.random.default_rng(0)) is None


@pytest.mark.parametrize("kept", [0.0, 1.0])
def test_outputs_thinking_and_results_add_up_to_the_growth_under_the_setting_that_is_learnt(
    kept: float,
) -> None:
    logged = sessions(kept=kept)
    found = kept_thinking(logged, np.random.default_rng(0))
    assert found is not None
    seen = observe(logged, keeps=found.keeps)
    for one, result in zip(logged, seen.values["tool_result"], strict=True):
        output = one.output - (0.0 if seen.keeps_thinking else one.thinking)
        assert result.sum() + output[:-1].sum() == pytest.approx(one.growth.sum())


def test_the_other_setting_would_not_add_up() -> None:
    logged = sessions(kept=0.0)
    seen = observe(logged, keeps=True)
    joined = sum(float(values.sum()) for values in seen.values["tool_result"])
    assert joined + sum(one.output[:-1].sum() for one in logged) > 1.2 * sum(
        one.growth.sum() for one in logged
    )


def test_the_setting_is_a_fit_with_its_interval() -> None:
    fits = {
        fit.name: fit for fit in fit_sessions(sessions(kept=0.0), (), 50, False, np.random.default_rng(0))
    }
    fit = fits["context.keeps_thinking"]
    assert fit.written == "no"
    assert "of thinking stays (80 %: " in fit.evidence.remark


def test_a_shared_prefix_is_the_length_that_first_calls_read() -> None:
    logged = [*sessions(30, prefix=15_000), *sessions(10)]
    found = shared_prefix(logged, np.random.default_rng(0))
    assert found is not None
    assert (found.beginnings, found.found) == (40, 30)
    assert set(found.draws.tolist()) == {15_000.0}
    low, high = found.share[1:]
    assert low < 30 * 15_000 / (40 * 20_000) < high


def test_contexts_that_share_nothing_say_so_only_if_they_are_enough() -> None:
    nothing = shared_prefix(sessions(20), np.random.default_rng(0))
    assert nothing is not None
    assert not nothing.draws.any()
    assert shared_prefix(sessions(4), np.random.default_rng(0)) is None


def test_sessions_without_caches_say_nothing_of_a_prefix() -> None:
    uncached = [
        replace(one, uncached=one.context, read=np.zeros(40), write=np.zeros(40)) for one in sessions()
    ]
    assert shared_prefix(uncached, np.random.default_rng(0)) is None


def test_the_service_of_most_calls_is_learnt_and_that_of_a_few_is_not() -> None:
    fast = [replace(one, service="fast") for one in sessions(18)]
    used = used_service([*fast, *sessions(2)], np.random.default_rng(0))
    assert used is not None
    assert used.name == "fast"
    assert used.share[0] == pytest.approx(0.9)
    assert used_service([*fast[:2], *sessions(18)], np.random.default_rng(0)) is None
