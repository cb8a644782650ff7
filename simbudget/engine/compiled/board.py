"""The board of a run: what is submitted, scored, reviewed and tried at gates, at what cost; see `reference.board`.

An agent asks something of the board and waits; the kernel has it answered before anything else happens. So what only
the board needs does not go through the functions of every event.
"""

import math
from typing import NamedTuple

from simbudget.compilation import internal
from simbudget.engine.compiled import records, states
from simbudget.engine.compiled.accounts import pay_at, pay_for_time
from simbudget.engine.compiled.judging import ask_for_review
from simbudget.engine.compiled.records import BLAMED as IS_BLAMED
from simbudget.engine.compiled.records import REVIEW as IS_REVIEW
from simbudget.engine.compiled.records import add_entry
from simbudget.engine.compiled.scheduling import HORIZON, SLOTS, after, cancel
from simbudget.engine.compiled.tables import Record, Site
from simbudget.engine.laws.accounts import GATES, REVIEW, is_reached
from simbudget.engine.laws.draws import Integers
from simbudget.engine.laws.gates import (
    FOR_EVER_NS,
    PRICE,
    appears,
    find_finalists,
    gates_begin_ns,
    is_admitted,
    rank_finalists,
    try_at_gate,
)
from simbudget.engine.laws.notebook import (
    AUTHOR,
    BLAMED,
    IS_ASKED,
    IS_LATE,
    LEADS,
    NOBODY,
    REVIEW_STARTS_NS,
    REVIEWED_NS,
    SCORE,
    SCORED_NS,
    SUBMISSIONS,
    Notebook,
    best_known,
    clear,
    is_full,
    learn,
    report,
)
from simbudget.engine.laws.research import Lab, certain, submit
from simbudget.engine.laws.review import LEADERS, is_chosen, note_review, review, review_cost_usd
from simbudget.engine.program import NONE


class Desk(NamedTuple):
    """What the board needs beside the site."""

    lab: Lab
    notebook: Notebook
    reported: Integers
    """[posts that can still be read] the submission that each post reports, by its number modulo the length."""


@internal
def open_board(site: Site, run: Record, desk: Desk, key: Integers) -> None:
    """Begin with an empty board.

    Args:
        site: the arrays of the run.
        run: the run's record.
        desk: the board's tables.
        key: [3] seed, world and replication.
    """
    run.board_asked = run.notebook_is_short = run.target_is_reached = run.concluded = 0
    for part in range(len(key)):
        desk.lab.run[part] = key[part]
    clear(desk.notebook)
    if run.has_research and run.no_improvement_ns > 0:
        after(site, run, SLOTS * run.callers + 1, run.no_improvement_ns, HORIZON, 0)


@internal
def answer(site: Site, run: Record, desk: Desk) -> None:
    """Answer what was asked of the board."""
    number, asked = run.board_agent, run.board_asked
    run.board_asked = 0
    if asked == states.FOR_SCORE:
        _submit(site, run, desk, site.agents[number])
    elif asked == states.FOR_KNOWN:
        site.agents[number].known_at_start = best_known(desk.notebook, number, run.now)
    elif asked == states.FOR_REVIEW:
        _take_verdict(site, run, desk, site.agents[number])
    elif asked == states.FOR_POSTS:
        own = site.agents[number].own_post
        for post in range(run.board_first_post, run.posts):
            # Nobody learns from the post that is its own.
            if post != own:
                learn(desk.notebook, number, desk.reported[post % len(desk.reported)], run.now)
    else:
        desk.reported[run.posts % len(desk.reported)] = report(desk.notebook, number)


@internal
def _submit(site: Site, run: Record, desk: Desk, agent: Record) -> None:
    lab, notebook = desk.lab, desk.notebook
    agent.entry_score = math.nan
    if is_full(notebook):
        run.notebook_is_short = 1
        return
    parent = best_known(notebook, agent.number, run.now)
    if site.steps[agent.step].each:
        parent = agent.known_at_start
    bar = best_known(notebook, agent.number, agent.submitted)
    submission = submit(lab, notebook, agent.number, agent.submissions - 1, parent, run.now)
    # Before the review, as the reference engine asks it: a finalist may be blamed, and is not tried then.
    is_finalist = appears(lab, notebook, submission)
    to_review = is_chosen(lab, notebook, submission) or (is_finalist and lab.research.review_of == LEADERS)
    row = notebook.submissions[submission]
    if to_review and run.reviewer != NONE:
        row[IS_ASKED] = 1
        ask_for_review(site, run, lab, notebook, submission, is_finalist)
    else:
        if to_review:
            review(lab, notebook, submission, run.now)
            _pay_review(site, run, desk, submission)
        _is_reviewed(site, run, desk, submission, is_finalist)
    agent.entry_score = notebook.worths[submission, SCORE]
    agent.has_improved = 1 if bar == NOBODY or agent.entry_score > notebook.worths[bar, SCORE] else 0
    _stop(site, run, agent.entry_score, row[LEADS] == 1)


@internal
def _is_reviewed(site: Site, run: Record, desk: Desk, submission: int, is_finalist: bool) -> None:
    """Try a finalist at the gates now that its review is over, if it is to be tried as it appears."""
    notebook = desk.notebook
    row = notebook.submissions[submission]
    run.concluded = max(run.concluded, row[REVIEWED_NS])
    if is_finalist and row[BLAMED] == 0:
        # `_try` takes its submissions from the ranking, which nobody needs at this time.
        notebook.ranking[0] = submission
        _try(site, run, desk, 1, max(run.now, row[REVIEWED_NS]))


@internal
def _take_verdict(site: Site, run: Record, desk: Desk, caller: Record) -> None:
    """Note what a model that has reviewed a submission found."""
    note_review(desk.lab, desk.notebook, caller.submission, caller.review_began, run.now)
    _is_reviewed(site, run, desk, caller.submission, caller.awaits_gates == 1)


@internal
def ask_for_late_reviews(site: Site, run: Record, desk: Desk) -> int:
    """Let models review the finalists of a run that has ended that had no review; return how many those are."""
    lab, notebook = desk.lab, desk.notebook
    if len(lab.gates) == 0 or lab.research.review_of != LEADERS:
        return 0
    asked = 0
    for place in range(rank_finalists(lab, notebook, FOR_EVER_NS, FOR_EVER_NS)):
        submission = notebook.ranking[place]
        row = notebook.submissions[submission]
        if row[IS_ASKED] == 0:
            row[IS_ASKED] = row[IS_LATE] = 1
            ask_for_review(site, run, lab, notebook, submission, False)
            asked += 1
    return asked


@internal
def _stop(site: Site, run: Record, score: float, leads: bool) -> None:
    """End the run if the target is reached; wait for the next improvement if this was one."""
    slot = SLOTS * run.callers + 1
    if run.target_is_reached:
        return
    if score >= run.target_score:
        run.target_is_reached = 1
        cancel(site, run, slot)
        after(site, run, slot, 0, HORIZON, 0)
    elif leads and run.no_improvement_ns > 0:
        cancel(site, run, slot)
        after(site, run, slot, run.no_improvement_ns, HORIZON, 0)


@internal
def conclude(site: Site, run: Record, desk: Desk) -> None:
    """Let people review the finalists of a run that has ended, and try at the gates those that have not been."""
    if run.has_research == 0 or len(desk.lab.gates) == 0:
        return
    if run.reviewer != NONE:
        count = rank_finalists(desk.lab, desk.notebook, FOR_EVER_NS, FOR_EVER_NS)
    else:
        count = find_finalists(desk.lab, desk.notebook, run.ended)
        for submission in range(desk.notebook.counts[SUBMISSIONS]):
            if desk.notebook.submissions[submission, IS_LATE] == 1:
                _pay_review(site, run, desk, submission)
    _try(site, run, desk, count, gates_begin_ns(desk.notebook, run.ended))


@internal
def _pay_review(site: Site, run: Record, desk: Desk, submission: int) -> None:
    row = desk.notebook.submissions[submission]
    cost_usd = review_cost_usd(desk.lab, desk.notebook, submission) * run.charged[REVIEW]
    pay_for_time(run, REVIEW, cost_usd, row[REVIEW_STARTS_NS], row[REVIEWED_NS])
    run.concluded = max(run.concluded, row[REVIEWED_NS])
    if not run.records:
        return
    number = add_entry(site, run, row[AUTHOR], IS_REVIEW, row[REVIEW_STARTS_NS], row[REVIEWED_NS])
    entry = site.entries[number]
    entry.queued_ns = row[REVIEW_STARTS_NS] - row[SCORED_NS]
    entry.score = desk.notebook.worths[submission, SCORE]
    entry.outcome = IS_BLAMED if row[BLAMED] == 1 else records.OK
    if cost_usd != 0.0:
        entry.component = REVIEW
        entry.cost_usd = cost_usd


@internal
def _try(site: Site, run: Record, desk: Desk, count: int, starts: int) -> None:
    """Try the first `count` of the ranking at one gate after another, in parallel at each, as the budget allows."""
    for gate in range(len(desk.lab.gates)):
        ends = starts
        for place in range(count):
            submission = desk.notebook.ranking[place]
            # Gates are paid from the whole budget, what is reserved for them included.
            if is_reached(run.budget_with_gates_usd, run.spent_usd):
                return
            if is_admitted(desk.lab, desk.notebook, submission, gate):
                ends = max(ends, starts + _try_at(site, run, desk, submission, gate, starts))
        starts = ends


@internal
def _try_at(site: Site, run: Record, desk: Desk, submission: int, gate: int, starts: int) -> int:
    """Try a submission at a gate, and return how long that takes."""
    price_usd = certain(desk.lab, desk.lab.gates[gate, PRICE]) * run.charged[GATES]
    measured, duration_ns, passes = try_at_gate(desk.lab, desk.notebook, submission, gate)
    pay_at(run, GATES, price_usd, starts)
    run.concluded = max(run.concluded, starts + duration_ns)
    if run.records:
        author = desk.notebook.submissions[submission, AUTHOR]
        entry = site.entries[add_entry(site, run, author, records.GATE, starts, starts + duration_ns)]
        entry.turn = gate
        entry.score = measured
        entry.outcome = records.OK if passes else records.FAILED
        if price_usd != 0.0:
            entry.component = GATES
            entry.cost_usd = price_usd
    return duration_ns
