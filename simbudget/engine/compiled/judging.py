"""Models that assess submissions: the scorer's judge, and reviewers; see `reference.judging`.

The judge is a caller with its own model, streams and attempts. While it is at work its agent waits for the score and
calls nobody, so its calls are made on the agent's record: what the agent needs later is put aside.

Reviewers hold no agent up. Each review that has been asked for has a record among the callers until it is over. Records
are used again, so that there are as many as reviews have waited and run at the same time.
"""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled import scheduling, states
from simbudget.engine.compiled.calls import (
    calls_alone,
    calls_as,
    calls_as_itself,
    put_context_aside,
    take_context_back,
)
from simbudget.engine.compiled.records import JUDGE, REVIEW
from simbudget.engine.compiled.scheduling import ask, at_once, leave, own_slot, place_before_server, rank_of
from simbudget.engine.compiled.states import asks_board
from simbudget.engine.compiled.tables import Record, Site
from simbudget.engine.laws.notebook import AUTHOR, NUMBER, SCORE, Notebook
from simbudget.engine.laws.research import Lab
from simbudget.engine.laws.review import review_key, takes_for_hack
from simbudget.engine.laws.tasks import NO_TASK
from simbudget.engine.laws.work import draw_judge_call, draw_judging, judge_key

_KEY: Final = 3
"""The place in a stream of the number that distinguishes callers."""


@internal
def begin_judging(site: Site, run: Record, agent: Record) -> None:
    """Switch to the judge, and draw the number of its calls for the agent's last submission."""
    put_context_aside(site, agent)
    agent.is_judged = 1
    calls_as(site, agent, run.judge)
    agent.own_key = agent.stream[_KEY]
    agent.stream[_KEY] = judge_key(agent.stream)
    agent.own_attempts = agent.attempts
    # Attempts index draws: the judge's go on where its last ones ended.
    agent.attempts = agent.judge_attempts
    agent.judge_calls_left = draw_judging(
        site.rows, site.table, run.judge_calls, agent.stream, agent.submissions - 1
    )


@internal
def end_judging(site: Site, agent: Record) -> None:
    """Switch back to the agent's own calls."""
    agent.is_judged = 0
    agent.judge_attempts = agent.attempts
    agent.attempts = agent.own_attempts
    agent.stream[_KEY] = agent.own_key
    calls_as_itself(site, agent)
    take_context_back(site, agent)


@internal
def judges(site: Site, run: Record, agent: Record) -> int:
    """Make the judge's next call."""
    input_tokens, output_tokens = draw_judge_call(
        site.rows, site.table, run.judge_input, run.judge_output, agent.stream, agent.judge_calls
    )
    agent.judge_calls += 1
    return calls_alone(site, run, agent, JUDGE, input_tokens, output_tokens)


_NOBODY: Final = -1


@internal
def open_reviews(site: Site, run: Record) -> None:
    """Begin without any review."""
    run.reviews_asked = run.reviews_in_flight = run.awaits_reviews = run.reviewers_are_short = 0
    run.idle_reviewer = _NOBODY
    for number in range(run.first_reviewer, run.callers):
        site.agents[number].next_idle = run.idle_reviewer
        run.idle_reviewer = number


@internal
def ask_for_review(
    site: Site, run: Record, lab: Lab, notebook: Notebook, submission: int, awaits_gates: bool
) -> None:
    """Queue a submission for review by a model.

    Args:
        site: the arrays of the run.
        run: the run's record.
        lab: the tables of one world.
        notebook: the state of research in the run.
        submission: the number of the submission.
        awaits_gates: whether it is a finalist that waits to be tried.
    """
    number = run.idle_reviewer
    if number == _NOBODY:  # the run is played again, with more room
        run.reviewers_are_short = 1
        return
    caller, row = site.agents[number], notebook.submissions[submission]
    run.idle_reviewer = caller.next_idle
    run.reviews_asked += 1
    run.reviews_in_flight += 1
    author = row[AUTHOR]
    _make_caller(site, run, caller, author)
    for part in range(_KEY):
        caller.stream[part] = lab.run[part]
    # The review's key follows from the author's stream, not from the order of reviews.
    caller.stream[_KEY] = lab.agent_keys[author]
    caller.stream[_KEY] = review_key(caller.stream, row[NUMBER])
    caller.submission = submission
    caller.awaits_gates = 1 if awaits_gates else 0
    # The verdict depends on the submission alone, so it can be known before the review is made.
    caller.entry_score = notebook.worths[submission, SCORE]
    caller.blames = 1 if takes_for_hack(lab, notebook, submission) else 0
    caller.state = states.ASKED_FOR_REVIEW
    at_once(site, run, scheduling.SLOTS * number + scheduling.ITSELF, scheduling.URGENT)


@internal
def _make_caller(site: Site, run: Record, caller: Record, author: int) -> None:
    """Reset a record for a model that reviews this author's submission; it takes the author's place at an instant."""
    group_number = site.agents[author].group
    caller.owner = author
    caller.sub_agent = 0
    caller.rank = rank_of(run, author, 0)
    caller.group = group_number
    caller.client = run.reviewer
    caller.context_row = site.groups[group_number].context
    caller.cycle = _NOBODY
    caller.task = NO_TASK
    caller.attempts = caller.polls_now = caller.is_judged = caller.waits_for_bell = 0


@internal
def joins_reviewers(site: Site, run: Record, caller: Record) -> int:
    """Stand in line for one of the reviewers."""
    caller.state = states.AT_REVIEWERS
    ask(site, run, place_before_server(caller), run.reviewers, 1)
    return states.WAITS


@internal
def reviews(site: Site, run: Record, caller: Record) -> int:
    """Make the call."""
    caller.review_began = run.now
    input_tokens, output_tokens = draw_judge_call(
        site.rows, site.table, run.review_input, run.review_output, caller.stream, 0
    )
    return calls_alone(site, run, caller, REVIEW, input_tokens, output_tokens)


@internal
def review_answered(site: Site, run: Record, caller: Record) -> int:
    """Leave the reviewers' place to the next review, and hand the verdict to the board."""
    leave(site, run, place_before_server(caller), run.reviewers)
    return asks_board(run, caller, states.FOR_REVIEW, states.REVIEW_NOTED)


@internal
def review_is_refused(site: Site, run: Record, caller: Record) -> int:
    """Leave the reviewers' place to the next review, as the budget does not allow this one."""
    leave(site, run, place_before_server(caller), run.reviewers)
    return ends_review(site, run, caller)


@internal
def ends_review(site: Site, run: Record, caller: Record) -> int:
    """End a review, one event later as in SimPy."""
    caller.state = states.REVIEW_OVER
    at_once(site, run, own_slot(caller), scheduling.AT_ONCE)
    return states.WAITS


@internal
def review_is_over(site: Site, run: Record, caller: Record) -> int:
    """Free the record, and wake a run that waits for its last review."""
    caller.next_idle = run.idle_reviewer
    run.idle_reviewer = caller.number
    run.reviews_in_flight -= 1
    if run.awaits_reviews and run.reviews_in_flight == 0:
        at_once(site, run, scheduling.SLOTS * run.callers + scheduling.OVER, scheduling.AT_ONCE)
    return states.WAITS
