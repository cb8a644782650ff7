"""Gates: tests of the best results away from the benchmark, each with its price, time, noise and smallest effect.

At a gate a result keeps a share of its real effect. It holds there if that effect is at least the smallest that
matters, and it passes if the effect measured, noise included, is. Hacks have no real effect. A result is a method in
its best version; or, where improvements count, a first version or a refinement that led when it was scored.
"""

import math
from typing import Final

from simbudget.compilation import compiled
from simbudget.distributions.sampling import normal_score
from simbudget.engine.laws.draws import Floats, draw, draw_ns
from simbudget.engine.laws.notebook import (
    ADDED,
    AUTHOR,
    CHANCE,
    DIRECTION,
    HOLDS,
    IS_FIRST,
    IS_HACK,
    IS_LATE,
    IS_TRIED,
    KEY,
    LEADS,
    METHOD,
    METHODS,
    NOBODY,
    NUMBER,
    ORDINAL,
    PASSED,
    QUALITY,
    REAL,
    REVIEWED_NS,
    SCORE,
    SCORED_NS,
    SUBMISSIONS,
    TRIED,
    Notebook,
    is_struck,
)
from simbudget.engine.laws.research import Lab, certain
from simbudget.engine.laws.review import LEADERS, review
from simbudget.engine.streams import TRY, uniforms

MOST_GATES: Final = 64
"""As the language allows."""

# Columns of the gates: four quantities, the time, and whether only what passed the gates before is tried.
KEEPS: Final = 0
SMALLEST: Final = 1
NOISE: Final = 2
PRICE: Final = 3
TIME: Final = 4
ONLY_PASSED: Final = 5
GATE_COLUMNS: Final = 6


FOR_EVER_NS: Final = 1 << 62
"""Later than any time in a run, and far enough from the end of 64 bits to add durations to."""

_HALVINGS: Final = 40
"""Of the interval that holds the probability of keeping enough: to 1e-12, far below any Monte-Carlo error."""


@compiled
def power(effect: float, smallest: float, noise: float) -> float:
    """Return the probability that a gate passes a method: 1 - Φ((smallest - effect) / noise).

    At no effect it is the probability of a false alarm.

    Args:
        effect: the method's effect at the gate.
        smallest: the smallest effect that matters.
        noise: standard deviation of the measured effect; 0 for an exact test.
    """
    if noise == 0.0:
        return 1.0 if effect >= smallest and effect > 0.0 else 0.0
    return 0.5 * math.erfc((smallest - effect) / (noise * math.sqrt(2.0)))


@compiled
def powers(effects: Floats, smallest: float, noise: float, chances: Floats) -> None:
    """Write the probabilities that a gate passes methods; see `power`.

    Args:
        effects: [n, m] the methods' effects at the gate.
        smallest: the smallest effect that matters.
        noise: standard deviation of the measured effect.
        chances: [n, m] is written.
    """
    for row in range(effects.shape[0]):
        for column in range(effects.shape[1]):
            chances[row, column] = power(effects[row, column], smallest, noise)


@compiled
def find_versions(notebook: Notebook, until_ns: int, now_ns: int, first_leaders: bool) -> None:
    """Write each method's best submission into `notebook.versions`, NOBODY where there is none.

    Args:
        notebook: the state of research in the run.
        until_ns: submissions scored later do not count.
        now_ns: submissions struck by then do not count.
        first_leaders: whether only first versions that led when they were scored count.
    """
    versions, scores = notebook.versions, notebook.worths[:, SCORE]
    for method in range(notebook.counts[METHODS]):
        versions[method] = NOBODY
    for submission in range(notebook.counts[SUBMISSIONS]):
        row = notebook.submissions[submission]
        if row[SCORED_NS] > until_ns or is_struck(notebook, submission, now_ns):
            continue
        if first_leaders and (row[LEADS] == 0 or row[IS_FIRST] == 0):
            continue
        other = versions[row[METHOD]]
        if other == NOBODY or scores[submission] > scores[other]:
            versions[row[METHOD]] = submission


@compiled
def is_refinement_to_try(notebook: Notebook, submission: int, until_ns: int, now_ns: int) -> bool:
    """Return whether a submission is a refinement that led when it was scored and has not been struck.

    Args:
        notebook: the state of research in the run.
        submission: the number of the submission.
        until_ns: submissions scored later do not count.
        now_ns: submissions struck by then do not count.
    """
    row = notebook.submissions[submission]
    is_there = row[SCORED_NS] <= until_ns and not is_struck(notebook, submission, now_ns)
    return bool(is_there and row[LEADS] == 1 and row[IS_FIRST] == 0)


@compiled
def rank_methods(notebook: Notebook, until_ns: int, now_ns: int, most: int) -> int:
    """Rank the best submissions of distinct methods, the best first; return how many are ranked.

    Of equal scores the earlier one goes first, so that the order does not depend on that of the methods.

    Args:
        notebook: the state of research in the run.
        until_ns: submissions scored later do not count.
        now_ns: submissions struck by then do not count.
        most: maximum number of methods ranked.
    """
    find_versions(notebook, until_ns, now_ns, False)
    return _rank_versions(notebook, most)


@compiled
def rank_finalists(lab: Lab, notebook: Notebook, until_ns: int, now_ns: int) -> int:
    """Rank the finalists, the best score first, as if gates were tried at `now_ns`; return how many there are.

    They are methods; where improvements count, they are refinements and first versions that led when they were scored.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        until_ns: submissions scored later do not count.
        now_ns: submissions struck by then do not count.
    """
    if lab.research.counts_improvements == 0:
        return rank_methods(notebook, until_ns, now_ns, lab.research.finalists)
    find_versions(notebook, until_ns, now_ns, True)
    ranked = _rank_versions(notebook, lab.research.finalists)
    for submission in range(notebook.counts[SUBMISSIONS]):
        if is_refinement_to_try(notebook, submission, until_ns, now_ns):
            ranked = _rank_in(notebook, submission, ranked, lab.research.finalists)
    return ranked


@compiled
def _rank_versions(notebook: Notebook, most: int) -> int:
    ranked = 0
    for method in range(notebook.counts[METHODS]):
        if notebook.versions[method] != NOBODY:
            ranked = _rank_in(notebook, notebook.versions[method], ranked, most)
    return ranked


@compiled
def _rank_in(notebook: Notebook, submission: int, ranked: int, most: int) -> int:
    """Insert a submission into the ranking, which keeps the best `most`; return the length of the ranking."""
    ranking, scores, place = notebook.ranking, notebook.worths[:, SCORE], ranked
    while place > 0 and _is_better(scores, submission, ranking[place - 1]):
        if place < most:
            ranking[place] = ranking[place - 1]
        place -= 1
    if place < most:
        ranking[place] = submission
        return min(ranked + 1, most)
    return ranked


@compiled
def _is_better(scores: Floats, submission: int, other: int) -> bool:
    if scores[submission] == scores[other]:
        return submission < other
    return scores[submission] > scores[other]


@compiled
def stands_alone(lab: Lab, notebook: Notebook, submission: int) -> bool:
    """Return whether a submission is a result of its own: a refinement, where improvements count.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        submission: the number of the submission.
    """
    return lab.research.counts_improvements == 1 and notebook.submissions[submission, IS_FIRST] == 0


@compiled
def tried_as(lab: Lab, notebook: Notebook, submission: int) -> int:
    """Return the submission that was tried at the gates for the result that this one belongs to, or NOBODY.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        submission: the number of the submission.
    """
    row = notebook.submissions[submission]
    if stands_alone(lab, notebook, submission):
        return submission if row[IS_TRIED] == 1 else NOBODY
    return int(notebook.methods[row[METHOD], TRIED])


@compiled
def effect_at_gate(lab: Lab, notebook: Notebook, submission: int, gate: int) -> tuple[float, float, int]:
    """Return a try at a gate: the true effect there, the measured effect, and the time it takes in nanoseconds.

    The share kept and the noise belong to the method and the gate, whichever version is tried; those of a refinement
    that is a result of its own belong to the refinement.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        submission: the number of the submission.
        gate: the number of the gate.
    """
    row, columns = notebook.submissions[submission], lab.gates[gate]
    method = notebook.methods[row[METHOD]]
    # A method keeps its identity, whichever agent finds it and when: its tries are keyed by direction and ordinal.
    key, index = notebook.directions[method[DIRECTION], KEY], method[ORDINAL] * MOST_GATES + gate
    if stands_alone(lab, notebook, submission):
        key, index = lab.agent_keys[row[AUTHOR]], row[NUMBER] * MOST_GATES + gate
    u_keeps, u_noise, u_time, _ = uniforms(lab.run[0], lab.run[1], lab.run[2], key, TRY, index)
    real = 0.0 if row[IS_HACK] == 1 else notebook.worths[submission, REAL]
    effect = real * draw(lab.rows, lab.table, columns[KEEPS], u_keeps)
    noise = certain(lab, columns[NOISE])
    measured = effect if noise == 0.0 else effect + noise * normal_score(u_noise)
    return effect, measured, draw_ns(lab.rows, lab.table, columns[TIME], u_time)


@compiled
def reaches(effect: float, smallest: float) -> bool:
    """Return whether an effect is at least the smallest that matters, and an effect at all.

    Args:
        effect: the effect, true or measured.
        smallest: the smallest effect that matters.
    """
    return effect > 0.0 and effect >= smallest


@compiled
def holds_everywhere(lab: Lab, notebook: Notebook, submission: int) -> bool:
    """Return whether a submission holds at every gate in truth: whether it is a transferable result.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        submission: the number of the submission.
    """
    for gate in range(len(lab.gates)):
        effect, _, _ = effect_at_gate(lab, notebook, submission, gate)
        if not reaches(effect, certain(lab, lab.gates[gate, SMALLEST])):
            return False
    return True


@compiled
def chance_of_holding(lab: Lab, notebook: Notebook, submission: int) -> float:
    """Return the probability that a submission holds at every gate, given what was searched and found.

    The coins that no agent sees are integrated out: whether the method has a real core (probability `transfers`),
    or the improvement is real (`real_share`), and the share of its effect that it keeps at each gate. Nothing in a run
    depends on them before the result itself has been tried, so the expected number of results is the expectation of
    the chances of those tried, whose variance is smaller (D. Blackwell, "Conditional expectation and unbiased
    sequential estimation", Annals of Mathematical Statistics 18 (1947), 105-110).

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        submission: the number of the submission.
    """
    worth, row = notebook.worths[submission], notebook.submissions[submission]
    if math.isnan(worth[CHANCE]):
        if row[IS_HACK] == 1:
            worth[CHANCE] = 0.0
        elif lab.research.counts_improvements == 1:
            is_real = lab.research.transfers if row[IS_FIRST] == 1 else lab.research.real_share
            worth[CHANCE] = _probability(lab, is_real) * _chance_at_gates(lab, worth[ADDED])
        else:
            worth[CHANCE] = _chance_of_method(lab, notebook, submission)
    return float(worth[CHANCE])


@compiled
def _chance_of_method(lab: Lab, notebook: Notebook, submission: int) -> float:
    first = notebook.first_worths[notebook.submissions[submission, METHOD], QUALITY]
    added = certain(lab, lab.research.real_share) * (notebook.worths[submission, QUALITY] - first)
    core = _probability(lab, lab.research.transfers)
    return core * _chance_at_gates(lab, first + added) + (1.0 - core) * _chance_at_gates(lab, added)


@compiled
def _probability(lab: Lab, quantity: int) -> float:
    return min(max(certain(lab, quantity), 0.0), 1.0)


@compiled
def _chance_at_gates(lab: Lab, real: float) -> float:
    """Return the probability that an effect that is `real` holds at every gate; shares kept are independent."""
    chance = 1.0
    for gate in range(len(lab.gates)):
        if chance == 0.0:
            break
        chance *= _chance_at_gate(lab, real, gate)
    return chance


@compiled
def _chance_at_gate(lab: Lab, real: float, gate: int) -> float:
    """Return the probability that a draw of `keeps` leaves enough of a real effect.

    Draws grow with their uniforms, so it is one minus the least uniform whose draw does, found by bisection: this
    holds for every family, its limits and its steps included.
    """
    keeps, smallest = lab.gates[gate, KEEPS], certain(lab, lab.gates[gate, SMALLEST])
    if real <= 0.0:
        return 0.0
    fails, holds = 0.0, 1.0
    for _ in range(_HALVINGS):
        u = 0.5 * (fails + holds)
        if reaches(real * draw(lab.rows, lab.table, keeps, u), smallest):
            holds = u
        else:
            fails = u
    # An end that was never moved is the end itself: all draws hold, or none does.
    if fails == 0.0:
        return 1.0
    return 0.0 if holds == 1.0 else 1.0 - holds


@compiled
def appears(lab: Lab, notebook: Notebook, submission: int) -> bool:
    """Return whether a submission that was just scored makes an untried result one of the finalists.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        submission: the number of the submission.
    """
    if lab.research.gates_as_they_appear == 0 or tried_as(lab, notebook, submission) != NOBODY:
        return False
    scored_ns = notebook.submissions[submission, SCORED_NS]
    ranked = rank_finalists(lab, notebook, scored_ns, scored_ns)
    found = False
    for place in range(ranked):
        found |= notebook.ranking[place] == submission
    return found


@compiled
def find_finalists(lab: Lab, notebook: Notebook, now_ns: int) -> int:
    """Rank the submissions to try at gates when a run has ended, and return how many there are.

    Where only leaders are reviewed, the other finalists are reviewed now, and replaced if they are blamed.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        now_ns: the end of the run, in nanoseconds.
    """
    while True:
        ranked, reviewed = rank_finalists(lab, notebook, FOR_EVER_NS, FOR_EVER_NS), 0
        for place in range(ranked):
            submission = notebook.ranking[place]
            row = notebook.submissions[submission]
            if lab.research.review_of == LEADERS and row[REVIEWED_NS] == NOBODY:
                review(lab, notebook, submission, now_ns)
                row[IS_LATE] = 1
                reviewed += 1
        if reviewed == 0:
            return ranked


@compiled
def gates_begin_ns(notebook: Notebook, ended_ns: int) -> int:
    """Return when the gates begin after a run that ended at `ended_ns`: when every review is done.

    Args:
        notebook: the state of research in the run.
        ended_ns: the end of the run, in nanoseconds.
    """
    begin_ns = ended_ns
    for submission in range(notebook.counts[SUBMISSIONS]):
        begin_ns = max(begin_ns, notebook.submissions[submission, REVIEWED_NS])
    return begin_ns


@compiled
def is_admitted(lab: Lab, notebook: Notebook, submission: int, gate: int) -> bool:
    """Return whether a finalist is to be tried at a gate, if there is money for it.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        submission: the number of the submission.
        gate: the number of the gate.
    """
    tried = tried_as(lab, notebook, submission)
    if gate == 0:
        return tried == NOBODY
    if tried != submission:
        return False
    return lab.gates[gate, ONLY_PASSED] == 0 or notebook.submissions[submission, PASSED] == gate


@compiled
def try_at_gate(lab: Lab, notebook: Notebook, submission: int, gate: int) -> tuple[float, int, bool]:
    """Try a finalist at a gate; return the measured effect, the time in nanoseconds, and whether it passes.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        submission: the number of the submission.
        gate: the number of the gate.
    """
    row = notebook.submissions[submission]
    _, measured, time_ns = effect_at_gate(lab, notebook, submission, gate)
    passes = reaches(measured, certain(lab, lab.gates[gate, SMALLEST]))
    if gate == 0:
        # The first gate is the only one that every finalist is tried at, so a try there marks the result as tried.
        row[IS_TRIED] = 1
        row[HOLDS] = int(holds_everywhere(lab, notebook, submission))
        if not stands_alone(lab, notebook, submission):
            notebook.methods[row[METHOD], TRIED] = submission
    row[PASSED] += int(passes)
    return measured, time_ns, passes
