"""Review: people who look at submissions in their office hours, first come first served.

A review holds nobody up, so when it will begin and end follows at once from when it is asked for: the reviewer who
is free first takes it (Kiefer and Wolfowitz's recursion for a queue with several servers). What it finds out is
known from its end on; until then a hack misleads everyone who reads about it.
"""

from typing import Final

from simbudget.compilation import compiled
from simbudget.engine.laws.accounts import time_cost_usd
from simbudget.engine.laws.draws import Integers, draw_ns
from simbudget.engine.laws.hours import closes_ns, opens_ns
from simbudget.engine.laws.notebook import (
    AUTHOR,
    BLAMED,
    IS_HACK,
    LEADS,
    NUMBER,
    REVIEW_NS,
    REVIEW_STARTS_NS,
    REVIEWED_NS,
    Notebook,
)
from simbudget.engine.laws.research import Lab, agent_lanes, certain
from simbudget.engine.streams import MEASUREMENT, REVIEWER, stream_key

NONE_REVIEWED: Final = 0
ALL: Final = 1
LEADERS: Final = 2
A_SHARE: Final = 3


@compiled
def done_ns(hours: Integers, starts_week_ns: int, work_ns: int) -> int:
    """Return when work is done that begins in office hours and is done in office hours only.

    Args:
        hours: [9] office hours.
        starts_week_ns: start of the work, in nanoseconds after a Monday 0:00; so is the result.
        work_ns: the time it takes, in nanoseconds.
    """
    at_ns = starts_week_ns
    while work_ns > closes_ns(hours, at_ns) - at_ns:
        closes = closes_ns(hours, at_ns)
        work_ns -= closes - at_ns
        at_ns = opens_ns(hours, closes)
    return at_ns + work_ns


@compiled
def is_chosen(lab: Lab, notebook: Notebook, submission: int) -> bool:
    """Return whether a submission is to be reviewed once it has its score.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        submission: the number of the submission.
    """
    row, research = notebook.submissions[submission], lab.research
    if research.review_of == A_SHARE:
        u_chosen = agent_lanes(lab, row[AUTHOR], MEASUREMENT, row[NUMBER])[1]
        return u_chosen < certain(lab, research.reviewed_share)
    return research.review_of == ALL or (research.review_of == LEADERS and row[LEADS] == 1)


@compiled
def review(lab: Lab, notebook: Notebook, submission: int, now_ns: int) -> None:
    """Queue a submission for review, and record when the review begins and ends and what it finds.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        submission: the number of the submission.
        now_ns: the current time, in nanoseconds.
    """
    row, begins_ns = notebook.submissions[submission], lab.research.begins_ns
    _, _, u_verdict, u_time = agent_lanes(lab, row[AUTHOR], MEASUREMENT, row[NUMBER])
    reviewer = 0
    for other in range(1, len(notebook.reviewers_ns)):
        if notebook.reviewers_ns[other] < notebook.reviewers_ns[reviewer]:
            reviewer = other
    free_ns = max(now_ns, notebook.reviewers_ns[reviewer])
    starts_ns = opens_ns(lab.hours, begins_ns + free_ns)
    work_ns = draw_ns(lab.rows, lab.table, lab.research.review_time, u_time)
    row[REVIEW_STARTS_NS], row[REVIEW_NS] = starts_ns - begins_ns, work_ns
    row[REVIEWED_NS] = done_ns(lab.hours, starts_ns, work_ns) - begins_ns
    notebook.reviewers_ns[reviewer] = row[REVIEWED_NS]
    row[BLAMED] = int(u_verdict < _finds(lab, row[IS_HACK] == 1))


@compiled
def _finds(lab: Lab, is_hack: bool) -> float:
    """Return the probability with which a review takes a submission for a hack."""
    return certain(lab, lab.research.caught if is_hack else lab.research.blames)


@compiled
def takes_for_hack(lab: Lab, notebook: Notebook, submission: int) -> bool:
    """Return whether a review takes a submission for a hack.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        submission: the number of the submission.
    """
    row = notebook.submissions[submission]
    u_verdict = agent_lanes(lab, row[AUTHOR], MEASUREMENT, row[NUMBER])[2]
    return u_verdict < _finds(lab, row[IS_HACK] == 1)


@compiled
def note_review(lab: Lab, notebook: Notebook, submission: int, starts_ns: int, ends_ns: int) -> None:
    """Record a review made by a model, and what it found.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        submission: the number of the submission.
        starts_ns: start of the review, in nanoseconds.
        ends_ns: its end.
    """
    row = notebook.submissions[submission]
    row[REVIEW_STARTS_NS], row[REVIEWED_NS], row[REVIEW_NS] = starts_ns, ends_ns, ends_ns - starts_ns
    row[BLAMED] = int(takes_for_hack(lab, notebook, submission))


@compiled
def review_key(stream: Integers, submission: int) -> int:
    """Return the number of the streams of a model's review of an agent's `submission`-th submission.

    Args:
        stream: [4] the author's stream: seed, world, replication and agent.
        submission: the number of the submission among the author's.
    """
    return stream_key(stream, REVIEWER, submission)


@compiled
def review_cost_usd(lab: Lab, notebook: Notebook, submission: int) -> float:
    """Return the cost of the review of a submission, in US dollars.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        submission: the number of the submission.
    """
    work_ns = float(notebook.submissions[submission, REVIEW_NS])
    return time_cost_usd(certain(lab, lab.research.review_price), 1.0, work_ns)
