"""The state of research in a run: submissions, their worths and reviews, methods, and which agent knows which.

Arrays of numbers that grow by doubling. A submission is one row that is never changed after its review: what it is
truly worth on the benchmark (quality), what of that is real, and its score.
"""

from typing import Final, NamedTuple

import numpy as np

from simbudget.compilation import compiled
from simbudget.engine.laws.draws import Floats, Integers

NOBODY: Final = -1
"""No submission, no method; the time of a review that is not made."""

# Columns of `Notebook.submissions`.
METHOD: Final = 0
AUTHOR: Final = 1
NUMBER: Final = 2  # of the author's submissions, from 0
IS_HACK: Final = 3
SCORED_NS: Final = 4
LEADS: Final = 5  # its score was above all others on the board
REVIEW_STARTS_NS: Final = 6
REVIEWED_NS: Final = 7  # when the verdict is there
BLAMED: Final = 8
REVIEW_NS: Final = 9  # reviewer's time
IS_LATE: Final = 10  # reviewed before the gates, not when it was scored
IS_FIRST: Final = 11  # a method as it is found, not a refinement
IS_TRIED: Final = 12  # at the gates
HOLDS: Final = 13  # at every gate in truth; known once it is tried
PASSED: Final = 14  # how many gates
IS_ASKED: Final = 15  # for review by a model
_SUBMISSION_COLUMNS: Final = 16

# Columns of `Notebook.worths`.
QUALITY: Final = 0
REAL: Final = 1
SCORE: Final = 2
CHANCE: Final = 3  # of holding at every gate, see `laws.gates.chance_of_holding`; NaN until it is asked for
ADDED: Final = 4  # the quality by which it is above what it refines; of a first version its quality
_WORTH_COLUMNS: Final = 5

# Columns of `Notebook.methods`, and of `Notebook.first_worths`: QUALITY and REAL.
DIRECTION: Final = 0
NEXT: Final = 1  # the method of the same direction that was found before it
FINDER: Final = 2
ORDINAL: Final = 3  # within its direction
IS_HONEST: Final = 4  # it was submitted without gaming the scorer at least once
TRIED: Final = 5  # the submission that was tried at gates as this method, or NOBODY
_METHOD_COLUMNS: Final = 6

# Columns of `Notebook.directions` and `Notebook.agents`; places of `Notebook.counts`.
NEWEST: Final = 0
FOUND: Final = 1
KEY: Final = 2
TO_REPORT: Final = 0  # the best submission since the agent's last post
OWN_DIRECTION: Final = 1
SUBMISSIONS: Final = 0
METHODS: Final = 1
BEST: Final = 2  # the submission that leads the board
IMPROVED_NS: Final = 3

KNOWN: Final = 8
"""Number of submissions that an agent remembers: the best that it has made or read about."""


class Notebook(NamedTuple):
    """Everything tried and scored in a run, and which agents know of it."""

    counts: Integers
    """[4] how many submissions and methods, the leading submission, when the board was last improved."""
    submissions: Integers
    """[room, columns]"""
    worths: Floats
    """[room, 5] quality, real effect, score, chance of holding and added quality of each submission."""
    methods: Integers
    """[room, columns]"""
    first_worths: Floats
    """[room, 2] quality and real effect of each method as it was found."""
    directions: Integers
    """[directions, 3] the newest method, how many were found, the number of its streams."""
    agents: Integers
    """[agents, 2] the submission to report in the next post, the direction to start from."""
    known: Integers
    """[agents, KNOWN] submissions, in no order."""
    reviewers_ns: Integers
    """[reviewers] the time at which each will have finished all reviews requested so far."""
    versions: Integers
    """[room] scratch space of `laws.gates`: the best submission of each method."""
    ranking: Integers
    """[room] scratch space of `laws.gates`: submissions to try at gates, the best first."""


def empty_notebook(
    agent_directions: Integers, direction_keys: Integers, reviewers: int, room: int
) -> Notebook:
    """Return the notebook at the start of a run.

    Args:
        agent_directions: [agents] the direction in which each agent starts to look for ideas.
        direction_keys: [directions] the number of each direction's random streams.
        reviewers: number of people who review.
        room: number of submissions to make room for.
    """
    agents = np.zeros((len(agent_directions), 2), dtype=np.int64)
    agents[:, OWN_DIRECTION] = agent_directions
    directions = np.zeros((len(direction_keys), 3), dtype=np.int64)
    directions[:, KEY] = direction_keys
    notebook = Notebook(
        counts=np.zeros(4, dtype=np.int64),
        submissions=np.zeros((room, _SUBMISSION_COLUMNS), dtype=np.int64),
        worths=np.zeros((room, _WORTH_COLUMNS)),
        methods=np.zeros((room, _METHOD_COLUMNS), dtype=np.int64),
        first_worths=np.zeros((room, 2)),
        directions=directions,
        agents=agents,
        known=np.zeros((len(agent_directions), KNOWN), dtype=np.int64),
        reviewers_ns=np.zeros(reviewers, dtype=np.int64),
        versions=np.zeros(room, dtype=np.int64),
        ranking=np.zeros(room, dtype=np.int64),
    )
    clear(notebook)
    return notebook


def with_room(notebook: Notebook) -> Notebook:
    """Return a notebook with room for one more submission; the room is doubled if it is full.

    Args:
        notebook: the state of research in the run.
    """
    if not is_full(notebook):
        return notebook
    twice = {
        name: np.concatenate([getattr(notebook, name)] * 2)
        for name in ("submissions", "worths", "methods", "first_worths", "versions", "ranking")
    }
    return notebook._replace(**twice)


@compiled
def clear(notebook: Notebook) -> None:
    """Reset a notebook to the start of a run.

    Args:
        notebook: the state of research in the run.
    """
    notebook.counts[:] = 0
    notebook.counts[BEST] = NOBODY
    notebook.directions[:, NEWEST] = NOBODY
    notebook.directions[:, FOUND] = 0
    notebook.agents[:, TO_REPORT] = NOBODY
    notebook.known[:] = NOBODY
    notebook.reviewers_ns[:] = 0


@compiled
def is_full(notebook: Notebook) -> bool:
    """Return whether the notebook has no room for another submission.

    Args:
        notebook: the state of research in the run.
    """
    return notebook.counts[SUBMISSIONS] == len(notebook.submissions)


@compiled
def is_struck(notebook: Notebook, submission: int, now_ns: int) -> bool:
    """Return whether a review has called a submission a hack by now, rightly or wrongly.

    Args:
        notebook: the state of research in the run.
        submission: the number of the submission.
        now_ns: the current time, in nanoseconds.
    """
    row = notebook.submissions[submission]
    return row[BLAMED] == 1 and row[REVIEWED_NS] <= now_ns


@compiled
def best_known(notebook: Notebook, agent: int, now_ns: int) -> int:
    """Return the best-scored submission that an agent knows and no review has struck, or NOBODY.

    Args:
        notebook: the state of research in the run.
        agent: the number of the agent.
        now_ns: the current time, in nanoseconds.
    """
    best = NOBODY
    for place in range(KNOWN):
        submission = notebook.known[agent, place]
        if submission == NOBODY or is_struck(notebook, submission, now_ns):
            continue
        if best == NOBODY or notebook.worths[submission, SCORE] > notebook.worths[best, SCORE]:
            best = submission
    return best


@compiled
def learn(notebook: Notebook, agent: int, submission: int, now_ns: int) -> None:
    """Let an agent remember a submission, in place of one that was struck or else of the worst, if that is worse.

    Args:
        notebook: the state of research in the run.
        agent: the number of the agent.
        submission: the number of the submission, or NOBODY.
        now_ns: the current time, in nanoseconds.
    """
    known, scores = notebook.known[agent], notebook.worths[:, SCORE]
    if submission == NOBODY:
        return
    place = 0
    # The places are in no order: there are few enough to look at all of them.
    for i in range(KNOWN):
        if known[i] == submission:
            return
        if known[place] == NOBODY or is_struck(notebook, known[place], now_ns):
            continue
        if (
            known[i] == NOBODY
            or is_struck(notebook, known[i], now_ns)
            or scores[known[i]] < scores[known[place]]
        ):
            place = i
    kept = known[place]
    if kept == NOBODY or is_struck(notebook, kept, now_ns) or scores[submission] > scores[kept]:
        known[place] = submission


@compiled
def report(notebook: Notebook, agent: int) -> int:
    """Return the submission that an agent's post reports; the next post will report later ones only.

    Args:
        notebook: the state of research in the run.
        agent: the number of the agent.
    """
    submission = notebook.agents[agent, TO_REPORT]
    notebook.agents[agent, TO_REPORT] = NOBODY
    return submission
