"""A forecast goes on from what was seen, rests on what it says, and is the one that backtests replay."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.observed.totals import truths
from simbudget.errors import UserError
from simbudget.forecast.backtest import Plan, forecasts_of
from simbudget.forecast.calls_left import calls_to_come
from simbudget.forecast.daily import DailySpend, next_days
from simbudget.forecast.forecast import Asked, Forecast, forecast, forecast_like
from simbudget.forecast.hierarchy import fit_hierarchy
from simbudget.forecast.past_runs import Library
from simbudget.forecast.regression import pooled
from simbudget.forecast.remaining_run import Horizon, Known, remaining_session, simulated_run
from simbudget.ledger.frame import DTYPES
from simbudget.ledger.imported import ImportedLedger
from simbudget.report.terminal import print_result
from tests.calibration.logs import runs_table


def growing(run: int, rng: np.random.Generator, calls: int) -> Session:
    """Return a session whose context grows by some 800 tokens a turn, all of it cached, a call in five seconds."""
    context = 12_000.0 + np.cumsum(rng.exponential(800.0, calls))
    read = np.append(0.0, context[:-1])
    output = rng.exponential(300.0, calls)
    cost_usd = (0.3 * read + 3.75 * (context - read) + 15.0 * output) / 1e6
    return Session(
        run=run,
        source="simulated",
        project="truth",
        model="unlisted-model",
        uncached=np.zeros(calls),
        write=context - read,
        read=read,
        output=output,
        thinking=np.zeros(calls),
        duration_s=rng.exponential(5.0, calls),
        started_s=np.arange(calls) * 10.0,
        list_cost_usd=cost_usd,
        write_1h=np.zeros(calls),
        person_s=np.zeros(calls),
        name=f"run {run}",
    )


@pytest.fixture(scope="module")
def sessions() -> list[Session]:
    rng = np.random.default_rng(1)
    return [growing(run, rng, int(rng.integers(30, 80))) for run in range(30)]


def ledger_of(sessions: list[Session]) -> ImportedLedger:
    """Return sessions as a ledger."""
    frames = []
    for session in sessions:
        columns = {
            "run": session.run,
            "kind": "call",
            "model": session.model,
            "started_s": session.started_s,
            "duration_s": session.duration_s,
            "uncached_input_tokens": session.uncached.astype(int),
            "cache_write_tokens": session.write.astype(int),
            "cache_read_tokens": session.read.astype(int),
            "output_tokens": session.output.astype(int),
            "cost_usd": session.list_cost_usd,
            "list_cost_usd": np.nan,
            "agent": 0,
            "cycle": 0,
        }
        frames.append(
            pd.DataFrame({name: columns.get(name, pd.NA) for name in DTYPES}, index=range(len(session)))
        )
    entries = pd.concat(frames, ignore_index=True)
    known = {name: kind for name, kind in DTYPES.items() if entries[name].notna().any()}
    return ImportedLedger(entries.astype(known), runs_table(len(sessions)))


def test_a_known_number_of_calls_is_forecast_within_its_intervals(sessions: list[Session]) -> None:
    """30 sessions: a true 80 % is seen as 57 to 100 % but once in a thousand."""
    held, errors, lines = [], [], []
    for session in sessions:
        first = len(session) // 5
        library = Library([other for other in sessions if other.run != session.run])
        draws = remaining_session(
            session.part(0, first), library, Horizon(calls=len(session) - first), 150, 1
        )
        truth = truths(session, first)["cost_usd"]
        low, middle, high = np.quantile(draws["cost_usd"], (0.1, 0.5, 0.9))
        held.append(low <= truth <= high)
        errors.append(abs(middle - truth) / truth)
        line = session.list_cost_usd[:first].mean() * (len(session) - first)
        lines.append(abs(line - truth) / truth)
    assert np.mean(held) >= 0.57
    assert np.median(errors) < np.median(lines)


def test_more_calls_cost_more_and_take_longer(sessions: list[Session]) -> None:
    begun, library = sessions[0].part(0, 10), Library(sessions[1:])
    few, many = (remaining_session(begun, library, Horizon(calls=n), 100, 1) for n in (10, 40))
    for name in ("cost_usd", "input_tokens", "output_tokens", "wall_time_s"):
        assert np.median(many[name]) > 3 * np.median(few[name])
    assert (many["wall_time_s"] >= many["active_time_s"]).all()
    assert (many["active_time_s"] >= many["model_time_s"]).all()


def test_an_unknown_number_of_calls_makes_intervals_wider(sessions: list[Session]) -> None:
    begun, library = sessions[0].part(0, 10), Library(sessions[1:])
    known = remaining_session(begun, library, Horizon(calls=35), 300, 1)["cost_usd"]
    unknown = remaining_session(begun, library, Horizon(), 300, 1)["cost_usd"]
    widths = [np.log(np.quantile(draws, 0.9) / np.quantile(draws, 0.1)) for draws in (known, unknown)]
    assert widths[1] > 1.3 * widths[0]


def test_a_session_learns_from_those_that_begin_with_a_context_of_its_size(sessions: list[Session]) -> None:
    large = [
        replace(
            session, run=100 + session.run, write=session.write + 40_000.0 * (np.arange(len(session)) == 0)
        )
        for session in sessions
    ]
    library = Library([*sessions, *large])
    begun = large[0].part(0, 10)
    assert {session.run for session in library.like(begun).sessions} <= {session.run for session in large}
    assert len(library.like(begun).sessions) >= 8


def test_a_session_learns_nothing_from_another_agent(sessions: list[Session]) -> None:
    others = Library([replace(session, source="another agent") for session in sessions[1:]])
    assert not others.like(sessions[0].part(0, 10)).sessions


def test_known_contexts_leave_nothing_unknown_of_the_input(sessions: list[Session]) -> None:
    session, first = sessions[0], 10
    left = np.full(50, len(session) - first)
    known = Known(contexts=session.context[first:], missed=np.zeros(len(session) - first))
    draws = simulated_run(session.part(0, first), Library(sessions[1:]), left, 1, known)
    truth = truths(session, first)
    assert draws["input_tokens"] == pytest.approx(truth["input_tokens"])
    assert draws["cache_read_tokens"] == pytest.approx(truth["cache_read_tokens"])


def test_a_known_mean_growth_narrows_the_forecast_of_the_input(sessions: list[Session]) -> None:
    session, first = sessions[0], 10
    left, library = np.full(300, len(session) - first), Library(sessions[1:])
    widths = [
        np.ptp(
            np.quantile(
                simulated_run(session.part(0, first), library, left, 1, known)["input_tokens"], (0.1, 0.9)
            )
        )
        for known in (Known(), Known(growth=800.0))
    ]
    assert widths[1] < 0.8 * widths[0]


def test_a_run_without_pauses_is_cheaper_than_one_with_a_pause_before_every_call(
    sessions: list[Session],
) -> None:
    left = np.full(100, 30)
    without, with_pauses = (
        simulated_run(
            sessions[0].part(0, 10), Library(sessions[1:]), left, 1, Known(pauses=np.full(30, paused))
        )["cost_usd"]
        for paused in (False, True)
    )
    assert (with_pauses > without).all()


def test_a_pool_is_narrower_than_two_forecasts_that_err_alike() -> None:
    rng = np.random.default_rng(1)
    one, other = np.exp(rng.standard_normal((2, 4000)))
    both = np.std(np.log(pooled(one, other, 0.5)))
    assert 0.9 < both < 0.97
    assert np.std(np.log(pooled(one, other, 0.0))) == pytest.approx(np.std(np.log(one)))


def test_a_session_that_outlasted_all_others_may_go_on_as_long_as_it_did() -> None:
    draws = calls_to_come(500, np.array([20.0, 60.0, 90.0]), 4000, np.random.default_rng(1))
    assert 250 < np.median(draws) < 1000


def test_what_backtests_replay_is_what_forecast_shows(sessions: list[Session]) -> None:
    case = next(iter(forecasts_of(ledger_of(sessions), Plan(0.2, "calls", 100, 3))))
    session = next(session for session in sessions if session.name == case.run)
    first = int(np.ceil(0.2 * len(session)))
    known = [other for other in sessions if other.run % 10 != session.run % 10]
    found = forecast(
        ledger_of([replace(session.part(0, first), run=0)]),
        Asked(calls=len(session) - first, draws=100, seed=3),
        before=ledger_of([replace(other, run=k) for k, other in enumerate(known)]),
    )
    low, high = np.quantile(found.remaining[case.quantity], (0.1, 0.9))
    assert np.quantile(case.sample, 0.1) == pytest.approx(low, rel=0.25)
    assert np.quantile(case.sample, 0.9) == pytest.approx(high, rel=0.25)


def test_what_is_spent_and_what_is_to_come_add_up_to_what_the_budget_is_held_against(
    sessions: list[Session],
) -> None:
    ledger = ledger_of(sessions)
    spent = float(sessions[-1].list_cost_usd.sum())
    found = forecast(ledger, Asked(calls=20, run="run 29", budget_usd=spent * 0.5, draws=100))
    assert found.so_far["cost_usd"] == pytest.approx(spent, rel=1e-3)
    assert found.within_budget == 0.0
    assert "with probability 0 %" in found.answer()


def test_an_unknown_run_is_named_with_those_that_there_are(sessions: list[Session]) -> None:
    with pytest.raises(UserError, match="no session's name begins with 'nobody'"):
        forecast(ledger_of(sessions), Asked(run="nobody"))


def test_a_pool_lies_between_its_members_and_keeps_the_order_of_worlds() -> None:
    rng = np.random.default_rng(2)
    simulated, regressed = np.exp(rng.normal(0.0, 1.0, 500)), np.exp(rng.normal(2.0, 1.0, 500))
    found = pooled(simulated, regressed, 0.5)
    assert np.median(np.log(found)) == pytest.approx(1.0, abs=0.15)
    assert (np.argsort(found) == np.argsort(simulated)).all()


def test_weekends_without_work_stay_without_work() -> None:
    week = np.array([10.0, 12.0, 9.0, 11.0, 10.0, 0.0, 0.0])  # a Monday first
    past = DailySpend(pd.Timestamp("2026-06-01", tz="UTC"), np.tile(week, 6))
    ahead = next_days(past, 14, 400, np.random.default_rng(1))
    assert (ahead[:, [5, 6, 12, 13]] == 0.0).all()
    low, high = np.quantile(ahead.sum(axis=1), (0.1, 0.9))
    assert low < 2 * week.sum() < high


def test_a_label_seen_twice_is_drawn_towards_the_others_and_one_never_seen_is_more_uncertain() -> None:
    rng = np.random.default_rng(3)
    phases = ["plan"] * 2 + ["run"] * 30
    totals = np.exp(np.where(np.array(phases) == "plan", 3.0, 1.0) + 0.3 * rng.standard_normal(32))
    fitted = fit_hierarchy(totals, {"phase": phases}, [f"group {k}" for k in range(32)], rng)
    medians = {
        phase: float(np.median(fitted.draws({"phase": phase}, 4, np.random.default_rng(1))))
        for phase in ("plan", "run", "write")
    }
    assert medians["run"] == pytest.approx(np.exp(1.0), rel=0.25)
    assert medians["run"] < medians["plan"] < np.exp(3.2)
    widths = [
        np.ptp(np.quantile(np.log(fitted.draws({"phase": phase}, 4, np.random.default_rng(1))), (0.1, 0.9)))
        for phase in ("run", "write")
    ]
    assert widths[1] > 1.2 * widths[0]


def test_forty_ideas_cost_about_forty_times_one_and_vary_less() -> None:
    one = forecast_like("research-agents", 1).remaining["cost_usd"]
    forty = forecast_like("research-agents", 40).remaining["cost_usd"]
    assert forty.mean() / 40 == pytest.approx(one.mean(), rel=0.3)
    assert np.ptp(np.log(np.quantile(forty, (0.1, 0.9)))) < np.ptp(np.log(np.quantile(one, (0.1, 0.9))))


def test_a_phase_of_which_hardly_a_run_is_known_is_named() -> None:
    found = forecast_like("research-agents", 5, ["execution", "rule_maker"])
    assert any(note.startswith("rule_maker: fewer than") for note in found.notes)


def test_a_phase_that_the_profile_does_not_have_is_a_mistake_with_those_that_it_has() -> None:
    with pytest.raises(UserError, match=r"no phase 'foo'; there are execution, resource_finder"):
        forecast_like("research-agents", 5, ["execution", "foo"])
    with pytest.raises(UserError, match="its runs have no phases"):
        forecast_like("codex", 5, ["execution"])


def test_a_misspelt_profile_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match="there is no profile 'research-agent'"):
        forecast_like("research-agent")


def test_a_single_session_is_not_said_to_rest_on_others(sessions: list[Session]) -> None:
    found = forecast(ledger_of(sessions[:1]), Asked(draws=100))
    assert found.rests_on == "learnt from its beginning"
    notes = " ".join(found.notes)
    assert "there is no other session to learn from" in notes
    assert "going by typical sessions" in notes


def test_what_a_forecast_rests_on_is_not_broken_to_the_width_of_its_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rests_on = "learnt from 21 days to 2026-07-23: $21.9 a day, $29.9 in the last week"
    print_result(Forecast("the next days", {"cost_usd": np.array([1.0, 2.0, 3.0])}, {}, Asked(), rests_on))
    assert rests_on in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    "asked",
    [
        {"seconds": -7200.0},
        {"calls": -5},
        {"days": 0},
        {"runs": 0},
        {"seconds": 3600.0, "calls": 3},
        {"runs": 3, "days": 3},
        {"run": "019", "days": 3},
        {"calls": 10, "budget_usd": -5.0},
    ],
)
def test_what_cannot_be_forecast_cannot_be_asked_for(asked: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Asked(**asked)


@pytest.mark.parametrize(
    "plan",
    [{"by": "weeks"}, {"cut": 1.2}, {"cut": 0.0}, {"replications": 1}],
    ids=lambda plan: next(iter(plan)),
)
def test_a_backtest_without_meaning_is_a_mistake(plan: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Plan(**plan)
