"""Gates: tests of the best methods away from the benchmark, each with its price, time, noise and smallest effect.

At a gate a method keeps a share of its real effect. It holds there if that effect is at least the smallest that
matters, and it passes if the effect measured, noise included, is. Hacks have no real effect.
"""

import math
from typing import Final

import numpy as np

from simbudget.compilation import compiled
from simbudget.distributions.sampling import normal_score
from simbudget.engine.laws.draws import Floats, Integers, draw, draw_ns
from simbudget.engine.laws.money import is_reached
from simbudget.engine.laws.research import (
    BLAMED,
    DIRECTION,
    HOLDS,
    IS_HACK,
    IS_LATE,
    KEY,
    METHOD,
    METHODS,
    NOBODY,
    ORDINAL,
    PASSED,
    REAL,
    REVIEWED_NS,
    SCORE,
    SCORED_NS,
    SUBMISSIONS,
    TRIED,
    Lab,
    Notebook,
    certain,
)
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

# Columns of a try; its figures are the effect measured and the price.
TRY_SUBMISSION: Final = 0
TRY_GATE: Final = 1
TRY_STARTS_NS: Final = 2
TRY_NS: Final = 3
TRY_PASSES: Final = 4
TRY_COLUMNS: Final = 5

FOR_EVER_NS: Final = 1 << 62


@compiled
def power(effect: float, smallest: float, noise: float) -> float:
    """Return the probability that a gate passes a method with this effect; at no effect: of a false alarm."""
    if noise == 0.0:
        return 1.0 if effect >= smallest and effect > 0.0 else 0.0
    return 0.5 * math.erfc((smallest - effect) / (noise * math.sqrt(2.0)))


@compiled
def best_versions(notebook: Notebook, until_ns: int, now_ns: int) -> Integers:
    """Return for each method its best submission scored by `until_ns` that is not struck by `now_ns`, or NOBODY."""
    best = np.full(notebook.counts[METHODS], NOBODY)
    for submission in range(notebook.counts[SUBMISSIONS]):
        row = notebook.submissions[submission]
        if row[SCORED_NS] > until_ns or (row[BLAMED] == 1 and row[REVIEWED_NS] <= now_ns):
            continue
        other = best[row[METHOD]]
        if other == NOBODY or notebook.worths[submission, SCORE] > notebook.worths[other, SCORE]:
            best[row[METHOD]] = submission
    return best


@compiled
def ranked(notebook: Notebook, versions: Integers) -> Integers:
    """Return the best submission of each method that has one, by falling score; what was scored first goes first."""
    standing = versions[versions != NOBODY]
    standing.sort()
    return standing[np.argsort(-notebook.worths[standing, SCORE], kind="mergesort")]


@compiled
def effect_at_gate(lab: Lab, notebook: Notebook, submission: int, gate: int) -> tuple[float, float, int]:
    """Return a try at a gate: the effect there, the effect measured, and the time it takes in nanoseconds.

    What is kept and the noise belong to the method and the gate, whichever version is tried.
    """
    row, columns = notebook.submissions[submission], lab.gates[gate]
    method = notebook.methods[row[METHOD]]
    key, index = notebook.directions[method[DIRECTION], KEY], method[ORDINAL] * MOST_GATES + gate
    u_keeps, u_noise, u_time, _ = uniforms(lab.run[0], lab.run[1], lab.run[2], key, TRY, index)
    real = 0.0 if row[IS_HACK] == 1 else notebook.worths[submission, REAL]
    effect = real * draw(lab.rows, lab.table, columns[KEEPS], u_keeps)
    noise = certain(lab, columns[NOISE])
    measured = effect if noise == 0.0 else effect + noise * normal_score(u_noise)
    return effect, measured, draw_ns(lab.rows, lab.table, columns[TIME], u_time)


@compiled
def reaches(effect: float, smallest: float) -> bool:
    """Return whether an effect is at least the smallest that matters, and an effect at all."""
    return effect > 0.0 and effect >= smallest


@compiled
def holds_everywhere(lab: Lab, notebook: Notebook, submission: int) -> bool:
    """Return whether a submission holds at every gate in truth: whether it is a transferable result."""
    for gate in range(len(lab.gates)):
        effect, _, _ = effect_at_gate(lab, notebook, submission, gate)
        if not reaches(effect, certain(lab, lab.gates[gate, SMALLEST])):
            return False
    return True


@compiled
def appears(lab: Lab, notebook: Notebook, submission: int) -> bool:
    """Return whether a submission that was just scored makes an untried method one of the finalists."""
    row = notebook.submissions[submission]
    now_ns, method = row[SCORED_NS], row[METHOD]
    if lab.research.gates_as_they_appear == 0 or notebook.methods[method, TRIED] != NOBODY:
        return False
    versions = best_versions(notebook, now_ns, now_ns)
    better = 0
    for other in versions:
        better += other != NOBODY and notebook.worths[other, SCORE] > notebook.worths[submission, SCORE]
    return versions[method] == submission and better < lab.research.finalists


@compiled
def finalists(lab: Lab, notebook: Notebook, now_ns: int) -> Integers:
    """Return the submissions to try at gates when a run has ended at `now_ns`: the best method first.

    Where only leaders are reviewed, the other finalists are reviewed now, and replaced if they are blamed.
    """
    while True:
        best = ranked(notebook, best_versions(notebook, FOR_EVER_NS, FOR_EVER_NS))[: lab.research.finalists]
        reviewed = 0
        for submission in best:
            row = notebook.submissions[submission]
            if lab.research.review_of == LEADERS and row[REVIEWED_NS] == NOBODY:
                review(lab, notebook, submission, now_ns)
                row[IS_LATE] = 1
                reviewed += 1
        if reviewed == 0:
            return best


@compiled
def gates_begin_ns(notebook: Notebook, ended_ns: int) -> int:
    """Return when the gates begin after a run that ended at `ended_ns`: when every review is done."""
    begin_ns = ended_ns
    for submission in range(notebook.counts[SUBMISSIONS]):
        begin_ns = max(begin_ns, notebook.submissions[submission, REVIEWED_NS])
    return begin_ns


@compiled
def try_at_gates(
    lab: Lab, notebook: Notebook, candidates: Integers, starts_ns: int, money_usd: Floats
) -> tuple[Integers, Floats]:
    """Try submissions at gate after gate, side by side at each, and return a row a try, as integers and floats.

    `money_usd` is what has been spent and the budget; past it nothing is tried. See the columns above.
    """
    tries = np.zeros((len(candidates) * len(lab.gates), TRY_COLUMNS), dtype=np.int64)
    figures = np.zeros((len(tries), 2), dtype=np.float64)
    made, spent_usd = 0, money_usd[0]
    passed = np.zeros(len(candidates), dtype=np.int64)
    for gate in range(len(lab.gates)):
        price_usd, smallest = certain(lab, lab.gates[gate, PRICE]), certain(lab, lab.gates[gate, SMALLEST])
        next_ns = starts_ns
        for i, submission in enumerate(candidates):
            if is_reached(money_usd[1], spent_usd) or (
                lab.gates[gate, ONLY_PASSED] == 1 and passed[i] < gate
            ):
                continue
            _, measured, time_ns = effect_at_gate(lab, notebook, submission, gate)
            passes = reaches(measured, smallest)
            passed[i] += passes
            spent_usd += price_usd
            tries[made] = np.array([submission, gate, starts_ns, time_ns, int(passes)])
            figures[made] = np.array([measured, price_usd])
            next_ns, made = max(next_ns, starts_ns + time_ns), made + 1
            if gate == 0:
                _note_try(lab, notebook, submission)
        starts_ns = next_ns
    for i, submission in enumerate(candidates):
        notebook.methods[notebook.submissions[submission, METHOD], PASSED] = int(passed[i] == len(lab.gates))
    return tries[:made], figures[:made]


@compiled
def _note_try(lab: Lab, notebook: Notebook, submission: int) -> None:
    method = notebook.methods[notebook.submissions[submission, METHOD]]
    method[TRIED] = submission
    method[HOLDS] = int(holds_everywhere(lab, notebook, submission))
