"""A fault put into either engine is found by comparing it with the other over random scenarios."""

import dataclasses
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, settings

from simbudget.engine import compiled, reference
from simbudget.engine.lowering import lower
from simbudget.engine.program import Program
from simbudget.engine.reference import calls, judging
from simbudget.engine.reference.accounts import RunningCosts
from simbudget.engine.reference.agent import Agent
from simbudget.engine.reference.board import Board
from simbudget.engine.reference.calls import Line
from simbudget.engine.reference.experiments import Wave
from simbudget.engine.reference.records import Timesheet
from simbudget.engine.reference.scheduling import Pool
from simbudget.engine.reference.site import Forum
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.scenario import Scenario
from simbudget.testing import scenarios, tied_scenarios
from tests.differential.test_engines_agree import SLOW, both, differences

searching = settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[*SLOW, HealthCheck.differing_executors],
)

Fault = Callable[[pytest.MonkeyPatch], None]


def the_last_in_line_comes_first(patch: pytest.MonkeyPatch) -> None:
    def ask(pool: Any, units: int = 1) -> Any:
        pool._line = deque(reversed(pool._line))
        return real(pool, units)

    real = Pool.ask
    patch.setattr(Pool, "ask", ask)


def a_crash_leaves_the_context(patch: pytest.MonkeyPatch) -> None:
    def restart(agent: Any) -> Any:
        yield from real(agent)
        agent._needs_context = False

    real = Agent._restart
    patch.setattr(Agent, "_restart", restart)


def a_compaction_keeps_the_cache(patch: pytest.MonkeyPatch) -> None:
    def compact(line: Any) -> Any:
        yield from real(line)
        line.context.began_ns, line.context.sent_tokens = line.began_ns, line.context.first_prompt_tokens

    real = Line._compact
    patch.setattr(Line, "_compact", compact)


def a_compaction_keeps_the_turns_behind_it(patch: pytest.MonkeyPatch) -> None:
    def compact(line: Any) -> Any:
        results = line.context.results
        yield from real(line)
        line.context.results = results

    real = Line._compact
    patch.setattr(Line, "_compact", compact)


def a_young_cache_is_always_found(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(calls, "finds_cache", lambda rows, misses, stream, attempt: True)


def an_agent_reads_its_own_posts(patch: pytest.MonkeyPatch) -> None:
    def read(forum: Any, agent: int) -> tuple[int, list[int]]:
        unread = forum._posts[forum._seen[agent] :]
        forum._seen[agent] = len(forum._posts)
        read = unread[max(0, len(unread) - forum._reads_at_most) :]
        return sum(tokens for _, tokens, _ in read), [submission for _, _, submission in read]

    patch.setattr(Forum, "read", read)


def a_sandbox_costs_while_its_agent_is_down(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Agent, "_restart", _restart_without_pause)


def _restart_without_pause(agent: Any) -> Any:
    with agent.entry("down"):
        agent.does("down")
        yield agent.site.clock.after(agent._restart_ns, 0, agent.number)
    agent._needs_context = True
    agent._await_crash()


def an_experiment_does_not_count_as_waiting(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Timesheet, "waits_for_experiment", lambda sheet, activity, pool: None)


def people_are_paid_around_the_clock(patch: pytest.MonkeyPatch) -> None:
    def pay(costs: Any) -> None:
        meter = costs._site.staff_meters[costs._group]
        hours = (costs._site.clock.now - costs._started_ns) / 3.6e12
        costs._pay(6, "staff", meter.usd_per_hour * hours, costs._started_ns)

    patch.setattr(RunningCosts, "_pay_staff", pay)


@pytest.mark.parametrize(
    "fault",
    [
        the_last_in_line_comes_first,
        a_crash_leaves_the_context,
        a_compaction_keeps_the_cache,
        a_compaction_keeps_the_turns_behind_it,
        a_young_cache_is_always_found,
        an_agent_reads_its_own_posts,
        a_sandbox_costs_while_its_agent_is_down,
        an_experiment_does_not_count_as_waiting,
        people_are_paid_around_the_clock,
    ],
)
def test_a_fault_in_the_reference_engine_is_found(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    fault(monkeypatch)
    find(scenarios() | tied_scenarios(), lambda which: differ(lower(which)), settings=searching)


def differ(program: Program) -> bool:
    return bool(differences(*both(program, seed=7)))


@pytest.mark.parametrize("setting", ["retries", "cool_down_ns", "reads_at_most"])
def test_one_more_of_a_setting_in_the_compiled_engine_alone_is_found(setting: str) -> None:
    def differs(which: Scenario) -> bool:
        program = lower(which)
        more = program.settings._replace(**{setting: getattr(program.settings, setting) + 1})
        one = reference.simulate(program, 7, 3, 0)
        return bool(differences(one, compiled.simulate(dataclasses.replace(program, settings=more), 7, 3, 0)))

    find(scenarios(), differs, settings=searching)


def a_job_cancelled_is_a_job_that_ended(patch: pytest.MonkeyPatch) -> None:
    def ends(wave: Any, number: int, is_well: bool, refused: Any = None) -> None:
        real(wave, number, is_well, refused)
        wave._agent.site.tally.cancelled_jobs = 0

    real = Wave.ends
    patch.setattr(Wave, "ends", ends)


def all_jobs_are_waited_for(patch: pytest.MonkeyPatch) -> None:
    def ends(wave: Any, number: int, is_well: bool, refused: Any = None) -> None:
        wave.step = wave.step._replace(wait_for=0)
        real(wave, number, is_well, refused)

    real = Wave.ends
    patch.setattr(Wave, "ends", ends)


def every_submission_builds_on_the_one_before(patch: pytest.MonkeyPatch) -> None:
    def submit(board: Any, agent: int, number: int, asked_ns: int, parent: int | None) -> Any:
        return real(board, agent, number, asked_ns, None)

    real = Board.submit
    patch.setattr(Board, "submit", submit)


@pytest.mark.parametrize(
    "fault",
    [
        a_job_cancelled_is_a_job_that_ended,
        all_jobs_are_waited_for,
    ],
)
def test_a_fault_in_what_is_beyond_one_job_is_found(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    fault(monkeypatch)
    find(scenarios(beyond=True), lambda which: differ(lower(which)), settings=searching)


def test_submissions_for_each_job_that_build_on_one_another_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Random scenarios seldom score each job and refine what they know; one that does is written here."""
    program = lower(
        loads_scenario(
            "fleet: [{agents: 2}]\ncycle: [experiment: {time: 1 h, at_once: 4}, score: {each: yes}]\n"
            "gpus: {count: 8, price: 1 $/h}\nscorer: {noise: 0.05}\nstop: {after: 2 days}\n"
            "research: {explores: 30%, refines: 80%, gain: 0.05 to 0.35}\n"
        ).scenario
    )
    assert not differ(program)
    every_submission_builds_on_the_one_before(monkeypatch)
    assert differ(program)


def a_judge_has_its_agents_luck(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judging, "judge_key", lambda stream: int(stream[3]))


def a_judge_that_is_cut_short_leaves_no_mark(patch: pytest.MonkeyPatch) -> None:
    def judges(of_agent: Any, submission: int) -> Any:
        calls_before = of_agent._calls
        try:
            yield from real(of_agent, submission)
        except BaseException:
            of_agent._calls = calls_before
            raise

    real = judging.Judge.judges
    patch.setattr(judging.Judge, "judges", judges)


def reviews_do_not_wait_for_one_another(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(judging.Reviewer, "reviews", _reviewed_at_once)


def _reviewed_at_once(of_submission: Any, reviewers: Pool) -> Any:
    idle = Pool(of_submission.site.clock, 1)
    yield from _REVIEWS(of_submission, idle)


_REVIEWS = judging.Reviewer.reviews


@pytest.mark.parametrize(
    "fault",
    [
        a_judge_has_its_agents_luck,
        a_judge_that_is_cut_short_leaves_no_mark,
        reviews_do_not_wait_for_one_another,
    ],
)
def test_a_fault_in_how_models_judge_and_review_is_found(
    fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = lower(
        loads_scenario(
            "fleet: [{agents: 3, crashes: {every: 1 h, restart: 5 min}}]\nprices: {on: 2026-03-01}\n"
            "cycle: [think: {turns: 2}, score]\nturn: {tool_time: 30 s to 3 min}\nstop: {after: 1 day}\n"
            "scorer: {model: claude-haiku-4-5, calls: 2 to 9, input_tokens: 100 to 9000, output_tokens: 50 to 900}\n"
            "review: {by: claude-haiku-4-5, of: all, input_tokens: 9000, output_tokens: 90 to 9000}\n"
        ).scenario
    )
    assert not differ(program)
    fault(monkeypatch)
    assert differ(program)


@pytest.mark.parametrize("of_a_pool", ["checkpoint_every_ns", "gpus"])
def test_one_more_of_what_a_pool_has_in_the_compiled_engine_alone_is_found(of_a_pool: str) -> None:
    def differs(which: Scenario) -> bool:
        program = lower(which)
        pools = tuple(pool._replace(**{of_a_pool: getattr(pool, of_a_pool) + 1}) for pool in program.pools)
        one = reference.simulate(program, 7, 3, 0)
        return bool(differences(one, compiled.simulate(dataclasses.replace(program, pools=pools), 7, 3, 0)))

    with_checkpoints = scenarios(beyond=True).filter(lambda which: which.gpus.checkpoint_every is not None)
    find(with_checkpoints if of_a_pool == "checkpoint_every_ns" else scenarios(), differs, settings=searching)
