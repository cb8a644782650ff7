"""What ideas are worth: new methods, refinements of known ones, their scores, and what an agent knows of them.

All that a run learns stands in a `Notebook`: arrays of numbers that grow by doubling. A submission is one row that
is never changed after its review: what it is truly worth on the benchmark (quality), what of that is real, and its
score. A refinement makes a new submission of the same method. `docs/research-model.md` argues for each choice.
"""

from typing import Final, NamedTuple

import numpy as np

from simbudget.compilation import compiled
from simbudget.distributions.sampling import normal_score
from simbudget.engine.laws.draws import Floats, Integers, draw
from simbudget.engine.streams import ATTEMPT, IDEA, MEASUREMENT, WORTH, uniforms

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
_SUBMISSION_COLUMNS: Final = 11

# Columns of `Notebook.worths`.
QUALITY: Final = 0
REAL: Final = 1
SCORE: Final = 2

# Columns of `Notebook.methods`, and of `Notebook.first_worths`: QUALITY and REAL.
DIRECTION: Final = 0
NEXT: Final = 1  # the method of the same direction that was found before it
FINDER: Final = 2
ORDINAL: Final = 3  # within its direction
IS_HONEST: Final = 4  # it was submitted without gaming the scorer at least once
TRIED: Final = 5  # the submission that was tried at gates, or NOBODY
HOLDS: Final = 6
PASSED: Final = 7  # how many gates
_METHOD_COLUMNS: Final = 8

# Columns of `Notebook.directions` and `Notebook.agents`; places of `Notebook.counts`.
NEWEST: Final = 0
FOUND: Final = 1
KEY: Final = 2
TOLD: Final = 0  # the best submission since the agent's last post
OWN_DIRECTION: Final = 1
SUBMISSIONS: Final = 0
METHODS: Final = 1
BEST: Final = 2  # the submission that leads the board
IMPROVED_NS: Final = 3

KNOWN: Final = 8
"""An agent remembers so many submissions, the best that it made or read of."""


class Research(NamedTuple):
    """The numbers of the quantities of `research` and `review`, and their settings; quantities are -1 if absent."""

    is_on: int
    explores: int
    follows: int
    ideas: int
    known_methods: int
    """How many methods there are in all; 0 for no end of them."""
    first_quality: int
    transfers: int
    refines: int
    gain: int
    real_share: int
    noise: int
    hacks: int
    hack_score: int
    caught: int
    blames: int
    reviewed_share: int
    review_of: int
    review_time: int
    review_price: int
    finalists: int
    gates_as_they_appear: int
    begins_ns: int
    """Nanoseconds from a Monday 0:00 to the start of the run."""


class Notebook(NamedTuple):
    """What has been tried and scored in a run, and who knows of it."""

    counts: Integers
    """[4] how many submissions and methods, the leading submission, when the board was last improved."""
    submissions: Integers
    """[room, columns]"""
    worths: Floats
    """[room, 3] quality, real effect and score of each submission."""
    methods: Integers
    """[room, columns]"""
    first_worths: Floats
    """[room, 2] quality and real effect of each method as it was found."""
    directions: Integers
    """[directions, 3] the newest method, how many were found, the number of its streams."""
    agents: Integers
    """[agents, 2] the submission to tell of in the next post, the direction to start from."""
    known: Integers
    """[agents, KNOWN] submissions, in no order."""
    reviewers_ns: Integers
    """[people] when each has done all that has been asked for."""
    versions: Integers
    """[room] each method's best submission, as `laws.gates` finds it when it is asked for."""
    ranking: Integers
    """[room] the best of those, the best first."""


class Lab(NamedTuple):
    """All that the laws of research look up: one world of one scenario."""

    rows: Floats
    """[quantities, 8] the world."""
    table: Floats
    research: Research
    gates: Integers
    """[gates, 6] see `laws.gates`."""
    hours: Integers
    """[9] the reviewers' office hours, see `laws.hours`."""
    agent_keys: Integers
    """[agents] the number of each one's streams."""
    run: Integers
    """[3] seed, world, replication."""


@compiled
def agent_lanes(lab: Lab, agent: int, purpose: int, index: int) -> tuple[float, float, float, float]:
    """Return the four uniforms of one of an agent's draws."""
    return uniforms(lab.run[0], lab.run[1], lab.run[2], lab.agent_keys[agent], purpose, index)


@compiled
def certain(lab: Lab, quantity: int) -> float:
    """Return the one value that a fact has in this world; 0 for none."""
    return 0.0 if quantity < 0 else lab.rows[quantity, 1]


def empty_notebook(
    agent_directions: Integers, direction_keys: Integers, reviewers: int, room: int
) -> Notebook:
    """Return the notebook of a run that begins, with room for so many submissions."""
    agents = np.zeros((len(agent_directions), 2), dtype=np.int64)
    agents[:, OWN_DIRECTION] = agent_directions
    directions = np.zeros((len(direction_keys), 3), dtype=np.int64)
    directions[:, KEY] = direction_keys
    notebook = Notebook(
        counts=np.zeros(4, dtype=np.int64),
        submissions=np.zeros((room, _SUBMISSION_COLUMNS), dtype=np.int64),
        worths=np.zeros((room, 3)),
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
    """Return the notebook with room for one more submission: twice as much, if it is full."""
    if not is_full(notebook):
        return notebook
    twice = {
        name: np.concatenate([getattr(notebook, name)] * 2)
        for name in ("submissions", "worths", "methods", "first_worths", "versions", "ranking")
    }
    return notebook._replace(**twice)


@compiled
def clear(notebook: Notebook) -> None:
    """Make a notebook as it is when a run begins."""
    notebook.counts[:] = 0
    notebook.counts[BEST] = NOBODY
    notebook.directions[:, NEWEST] = NOBODY
    notebook.directions[:, FOUND] = 0
    notebook.agents[:, TOLD] = NOBODY
    notebook.known[:] = NOBODY
    notebook.reviewers_ns[:] = 0


@compiled
def is_full(notebook: Notebook) -> bool:
    """Return whether there is no room for one more submission."""
    return notebook.counts[SUBMISSIONS] == len(notebook.submissions)


@compiled
def is_struck(notebook: Notebook, submission: int, now_ns: int) -> bool:
    """Return whether a review has told by now that a submission is a hack, rightly or not."""
    row = notebook.submissions[submission]
    return row[BLAMED] == 1 and row[REVIEWED_NS] <= now_ns


@compiled
def best_known(notebook: Notebook, agent: int, now_ns: int) -> int:
    """Return the submission with the best score that an agent knows of and that stands, or NOBODY."""
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
    """Let an agent know of a submission; it forgets what is struck, and else the worst, to keep it in mind."""
    known, scores = notebook.known[agent], notebook.worths[:, SCORE]
    if submission == NOBODY:
        return
    place = 0
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
def tell(notebook: Notebook, agent: int) -> int:
    """Return the submission that an agent's post tells of, and let the next post tell of later ones."""
    submission = notebook.agents[agent, TOLD]
    notebook.agents[agent, TOLD] = NOBODY
    return submission


@compiled
def _add_method(lab: Lab, notebook: Notebook, direction: int, ordinal: int, finder: int) -> int:
    """Return a method new to the run: its worth depends on its direction and ordinal, not on who finds it when."""
    place, method = notebook.directions[direction], notebook.counts[METHODS]
    notebook.counts[METHODS] += 1
    row = notebook.methods[method]
    row[:] = 0
    row[DIRECTION], row[NEXT], row[FINDER], row[ORDINAL], row[TRIED] = (
        direction,
        place[NEWEST],
        finder,
        ordinal,
        NOBODY,
    )
    place[NEWEST] = method
    place[FOUND] += 1
    u_quality, u_core, _, _ = uniforms(lab.run[0], lab.run[1], lab.run[2], place[KEY], WORTH, ordinal)
    quality = draw(lab.rows, lab.table, lab.research.first_quality, u_quality)
    notebook.first_worths[method, QUALITY] = quality
    notebook.first_worths[method, REAL] = quality if u_core < certain(lab, lab.research.transfers) else 0.0
    return method


@compiled
def _alike(
    notebook: Notebook, agent: int, direction: int, ideas: float, u_alike: float, u_which: float
) -> int:
    """Return the method of another agent that a new idea turns out to be, or NOBODY.

    With n methods that others have found in the direction, that happens with probability n / (n + ideas); each is
    as likely as the next.
    """
    others, method = 0, notebook.directions[direction, NEWEST]
    while method != NOBODY:
        others += notebook.methods[method, FINDER] != agent
        method = notebook.methods[method, NEXT]
    if others == 0 or u_alike * (others + ideas) >= others:
        return NOBODY
    left, method = min(int(u_which * others), others - 1), notebook.directions[direction, NEWEST]
    while left > 0 or notebook.methods[method, FINDER] == agent:
        left -= notebook.methods[method, FINDER] != agent
        method = notebook.methods[method, NEXT]
    return method


@compiled
def _known_method(notebook: Notebook, direction: int, ordinal: int) -> int:
    """Return the method with this ordinal, or NOBODY if it has not been tried yet."""
    method = notebook.directions[direction, NEWEST]
    while method != NOBODY and notebook.methods[method, ORDINAL] != ordinal:
        method = notebook.methods[method, NEXT]
    return method


@compiled
def _explore(lab: Lab, notebook: Notebook, agent: int, parent: int, number: int) -> int:
    """Return the method that an agent tries which looks for a new one; `parent` is the best it knows."""
    research, direction = lab.research, notebook.agents[agent, OWN_DIRECTION]
    _, u_follows, u_alike, u_which = agent_lanes(lab, agent, IDEA, number)
    if research.known_methods > 0:
        ordinal = min(int(u_which * research.known_methods), research.known_methods - 1)
        method = _known_method(notebook, direction, ordinal)
    else:
        if parent != NOBODY and u_follows < certain(lab, research.follows):
            direction = notebook.methods[notebook.submissions[parent, METHOD], DIRECTION]
        ordinal = notebook.directions[direction, FOUND]
        method = _alike(notebook, agent, direction, certain(lab, research.ideas), u_alike, u_which)
    return _add_method(lab, notebook, direction, ordinal, agent) if method == NOBODY else method


@compiled
def _attempt(lab: Lab, notebook: Notebook, agent: int, number: int, now_ns: int) -> tuple[int, float, float]:
    """Return the method that an agent tries next, its quality and what of that is real."""
    research, parent = lab.research, best_known(notebook, agent, now_ns)
    if parent == NOBODY or agent_lanes(lab, agent, IDEA, number)[0] < certain(lab, research.explores):
        method = _explore(lab, notebook, agent, parent, number)
        return method, notebook.first_worths[method, QUALITY], notebook.first_worths[method, REAL]
    u_refines, u_gain, _, _ = agent_lanes(lab, agent, ATTEMPT, number)
    quality, real = notebook.worths[parent, QUALITY], notebook.worths[parent, REAL]
    if u_refines < certain(lab, research.refines):
        gain = draw(lab.rows, lab.table, research.gain, u_gain) * max(0.0, 1.0 - quality)
        quality += gain
        real += certain(lab, research.real_share) * gain
    return notebook.submissions[parent, METHOD], quality, real


@compiled
def _score(lab: Lab, agent: int, number: int, quality: float) -> tuple[float, bool]:
    """Return what the scorer says of a submission of this quality, and whether it was made to say so."""
    _, _, u_hacks, u_hack_score = agent_lanes(lab, agent, ATTEMPT, number)
    if u_hacks < certain(lab, lab.research.hacks):
        return draw(lab.rows, lab.table, lab.research.hack_score, u_hack_score), True
    noise = certain(lab, lab.research.noise)
    if noise == 0.0:
        return quality, False
    return quality + noise * normal_score(agent_lanes(lab, agent, MEASUREMENT, number)[0]), False


@compiled
def submit(lab: Lab, notebook: Notebook, agent: int, number: int, now_ns: int) -> int:
    """Score what an agent tries in its `number`-th submission, note it, and return the submission.

    The notebook has room (`with_room`). What the agent tries follows from what it knows now.
    """
    method, quality, real = _attempt(lab, notebook, agent, number, now_ns)
    score, is_hack = _score(lab, agent, number, quality)
    submission = notebook.counts[SUBMISSIONS]
    notebook.counts[SUBMISSIONS] += 1
    row, worth = notebook.submissions[submission], notebook.worths[submission]
    row[:] = 0
    row[METHOD], row[AUTHOR], row[NUMBER], row[IS_HACK], row[SCORED_NS] = (
        method,
        agent,
        number,
        int(is_hack),
        now_ns,
    )
    row[REVIEW_STARTS_NS] = row[REVIEWED_NS] = NOBODY
    worth[QUALITY], worth[REAL], worth[SCORE] = quality, real, score
    row[LEADS] = int(_leads(notebook, submission, now_ns))
    learn(notebook, agent, submission, now_ns)
    if not is_hack:
        notebook.methods[method, IS_HONEST] = 1
    told = notebook.agents[agent, TOLD]
    if told == NOBODY or score > notebook.worths[told, SCORE]:
        notebook.agents[agent, TOLD] = submission
    return submission


@compiled
def _leads(notebook: Notebook, submission: int, now_ns: int) -> bool:
    """Return whether a new submission has a better score than all that stand on the board, and note if so."""
    best, scores = notebook.counts[BEST], notebook.worths[:, SCORE]
    if best != NOBODY and is_struck(notebook, best, now_ns):
        best = NOBODY
        for other in range(submission):
            stands = not is_struck(notebook, other, now_ns)
            if stands and (best == NOBODY or scores[other] > scores[best]):
                best = other
    leads = best == NOBODY or scores[submission] > scores[best]
    notebook.counts[BEST] = submission if leads else best
    if leads:
        notebook.counts[IMPROVED_NS] = now_ns
    return leads
