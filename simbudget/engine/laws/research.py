"""What ideas are worth: new methods, refinements of known ones, and their scores.

A refinement makes a new submission of the same method. What agents learn stands in a `Notebook`.
`docs/research-model.md` argues for each choice.
"""

import math
from typing import NamedTuple

from simbudget.compilation import compiled
from simbudget.distributions.sampling import normal_score
from simbudget.engine.laws.draws import Floats, Integers, draw
from simbudget.engine.laws.notebook import (
    ADDED,
    AUTHOR,
    BEST,
    CHANCE,
    DIRECTION,
    FINDER,
    FOUND,
    IMPROVED_NS,
    IS_FIRST,
    IS_HACK,
    IS_HONEST,
    KEY,
    LEADS,
    METHOD,
    METHODS,
    NEWEST,
    NEXT,
    NOBODY,
    NUMBER,
    ORDINAL,
    OWN_DIRECTION,
    QUALITY,
    REAL,
    REVIEW_STARTS_NS,
    REVIEWED_NS,
    SCORE,
    SCORED_NS,
    SUBMISSIONS,
    TO_REPORT,
    TRIED,
    Notebook,
    is_struck,
    learn,
)
from simbudget.engine.streams import ATTEMPT, IDEA, MEASUREMENT, WORTH, uniforms


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
    counts_improvements: int
    """Whether each improvement is a result of its own, and not each method."""
    gates_as_they_appear: int
    begins_ns: int
    """Nanoseconds from a Monday 0:00 to the start of the run."""


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
    """Return the four uniforms of one of an agent's draws.

    Args:
        lab: the tables of one world.
        agent: the number of the agent.
        purpose: the purpose of the draw.
        index: the number of the draw.
    """
    return uniforms(lab.run[0], lab.run[1], lab.run[2], lab.agent_keys[agent], purpose, index)


@compiled
def certain(lab: Lab, quantity: int) -> float:
    """Return the one value that a fact has in this world; 0 for none.

    Args:
        lab: the tables of one world.
        quantity: the row of the fact; negative for none.
    """
    return 0.0 if quantity < 0 else lab.rows[quantity, 1]


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
    # Multiplied out, so that no draw depends on how a quotient is rounded.
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


class Attempt(NamedTuple):
    """What an agent tries."""

    method: int
    quality: float
    added: float
    """By how much its quality is above what it refines; of a first version all of it."""
    real: float
    """Its real effect; where improvements are results of their own, that of what it added."""
    is_first: bool
    """Whether it is a method as it is found, and not a refinement."""


@compiled
def _attempt(lab: Lab, notebook: Notebook, agent: int, number: int, parent: int) -> Attempt:
    """Return what an agent tries next."""
    research = lab.research
    explores = parent == NOBODY or agent_lanes(lab, agent, IDEA, number)[0] < certain(lab, research.explores)
    if explores:
        method = _explore(lab, notebook, agent, parent, number)
        quality = added = notebook.first_worths[method, QUALITY]
        real = notebook.first_worths[method, REAL]
    else:
        u_refines, u_gain, _, _ = agent_lanes(lab, agent, ATTEMPT, number)
        method, quality, added = notebook.submissions[parent, METHOD], notebook.worths[parent, QUALITY], 0.0
        if u_refines < certain(lab, research.refines):
            added = draw(lab.rows, lab.table, research.gain, u_gain) * max(0.0, 1.0 - quality)
        quality += added
        real = _real_effect(lab, agent, number, notebook.worths[parent, REAL], added)
    return Attempt(method, quality, added, real, explores)


@compiled
def _real_effect(lab: Lab, agent: int, number: int, real_before: float, gain: float) -> float:
    """Return the real effect of a refinement: a share of each gain is, or each improvement is as a whole or not."""
    real_share = certain(lab, lab.research.real_share)
    if lab.research.counts_improvements == 0:
        return real_before + real_share * gain
    return gain if agent_lanes(lab, agent, WORTH, number)[1] < real_share else 0.0


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
def submit(lab: Lab, notebook: Notebook, agent: int, number: int, parent: int, now_ns: int) -> int:
    """Score the idea of an agent's submission, record it, and return the submission.

    Args:
        lab: the tables of one world.
        notebook: the state of research; it has room (see `with_room`).
        agent: the number of the agent.
        number: the number of the agent's submission.
        parent: the best submission that the agent knew when it had the idea (`best_known`), or NOBODY.
        now_ns: the current time, in nanoseconds.
    """
    tried = _attempt(lab, notebook, agent, number, parent)
    score, is_hack = _score(lab, agent, number, tried.quality)
    submission = notebook.counts[SUBMISSIONS]
    notebook.counts[SUBMISSIONS] += 1
    row, worth = notebook.submissions[submission], notebook.worths[submission]
    row[:] = 0
    row[METHOD], row[AUTHOR], row[NUMBER], row[SCORED_NS] = tried.method, agent, number, now_ns
    row[IS_HACK], row[IS_FIRST] = int(is_hack), int(tried.is_first)
    # Rows are used again by the next run, so everything in them is written here.
    row[REVIEW_STARTS_NS] = row[REVIEWED_NS] = NOBODY
    worth[QUALITY], worth[ADDED], worth[REAL] = tried.quality, tried.added, tried.real
    worth[SCORE], worth[CHANCE] = score, math.nan
    row[LEADS] = int(_leads(notebook, submission, now_ns))
    learn(notebook, agent, submission, now_ns)
    if not is_hack:
        notebook.methods[tried.method, IS_HONEST] = 1
    to_report = notebook.agents[agent, TO_REPORT]
    if to_report == NOBODY or score > notebook.worths[to_report, SCORE]:
        notebook.agents[agent, TO_REPORT] = submission
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
