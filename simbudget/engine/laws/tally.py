"""The tally of a run's research: what came of it, and what would have come of it had it stopped sooner."""

from typing import Final

import numpy as np

from simbudget.compilation import compiled
from simbudget.engine.laws.draws import Floats
from simbudget.engine.laws.gates import FOR_EVER_NS, best_versions, holds_everywhere, ranked
from simbudget.engine.laws.research import (
    BLAMED,
    HOLDS,
    IS_HACK,
    IS_LATE,
    METHOD,
    METHODS,
    NOBODY,
    PASSED,
    QUALITY,
    REVIEW_NS,
    REVIEW_STARTS_NS,
    REVIEWED_NS,
    SCORE,
    SCORED_NS,
    SUBMISSIONS,
    TRIED,
    Lab,
    Notebook,
)

LOOKS: Final = 24
"""Times, from one 24th of the horizon to all of it, for which results are counted as if the run had stopped then."""

TALLY: Final = (
    "submissions",
    "methods",
    "best_measured_score",
    "best_measured_true_quality",
    "second_measured_score",
    "best_true_quality",
    "hacks_made",
    "hacks_caught",
    "hacks_missed",
    "blamed_honest",
    "reviews",
    "review_hours",
    "review_wait_hours",
    "finalists",
    "transferable_true",
    "transferable_found",
    "transferable_false",
    "transferable_untried",
)
"""What is told of a run's research, by the names of the projection's columns."""

TALLY_LENGTH: Final = len(TALLY)

_HOUR_NS: Final = 3.6e12


@compiled
def research_tally(lab: Lab, notebook: Notebook) -> Floats:
    """Return the [TALLY] figures of a run whose reviews and gates are done; NaN for the best of no submissions."""
    told = np.zeros(TALLY_LENGTH)
    told[0] = notebook.counts[SUBMISSIONS]
    _tally_scores(notebook, told)
    _tally_reviews(notebook, told)
    _tally_methods(lab, notebook, told)
    return told


@compiled
def _tally_scores(notebook: Notebook, told: Floats) -> None:
    order = ranked(notebook, best_versions(notebook, FOR_EVER_NS, FOR_EVER_NS))
    told[2] = told[3] = told[4] = told[5] = np.nan
    if len(order) > 0:
        told[2], told[3] = notebook.worths[order[0], SCORE], notebook.worths[order[0], QUALITY]
    if len(order) > 1:
        told[4] = notebook.worths[order[1], SCORE]
    honest = np.zeros(notebook.counts[METHODS], dtype=np.int64)
    for submission in range(notebook.counts[SUBMISSIONS]):
        if notebook.submissions[submission, IS_HACK] == 1:
            continue
        honest[notebook.submissions[submission, METHOD]] = 1
        quality = notebook.worths[submission, QUALITY]
        if not told[5] >= quality:
            told[5] = quality
    told[1] = honest.sum()


@compiled
def _tally_reviews(notebook: Notebook, told: Floats) -> None:
    waited = 0
    for submission in range(notebook.counts[SUBMISSIONS]):
        row = notebook.submissions[submission]
        told[6] += row[IS_HACK]
        told[7] += row[IS_HACK] * row[BLAMED]
        told[9] += (1 - row[IS_HACK]) * row[BLAMED]
        if row[REVIEWED_NS] != NOBODY:
            told[10] += 1
            told[11] += row[REVIEW_NS] / _HOUR_NS
            if row[IS_LATE] == 0:
                waited += 1
                told[12] += (row[REVIEW_STARTS_NS] - row[SCORED_NS]) / _HOUR_NS
    told[8] = told[6] - told[7]
    told[12] = told[12] / waited if waited > 0 else np.nan


@compiled
def _tally_methods(lab: Lab, notebook: Notebook, told: Floats) -> None:
    if len(lab.gates) == 0:
        told[13:18] = np.nan
        return
    versions = best_versions(notebook, FOR_EVER_NS, FOR_EVER_NS)
    for method in range(notebook.counts[METHODS]):
        row = notebook.methods[method]
        if row[TRIED] == NOBODY:
            version = versions[method]
            told[17] += version != NOBODY and holds_everywhere(lab, notebook, version)
            continue
        told[13] += 1
        told[14] += row[HOLDS]
        told[15] += row[HOLDS] * row[PASSED]
        told[16] += (1 - row[HOLDS]) * row[PASSED]


@compiled
def results_by_time(lab: Lab, notebook: Notebook, horizon_ns: int) -> Floats:
    """Return the [LOOKS] transferable results among the finalists, had the run stopped at each look.

    Reviews tell the same as they did. NaN without gates.
    """
    results = np.zeros(LOOKS)
    for look in range(LOOKS):
        if len(lab.gates) == 0:
            results[look] = np.nan
            continue
        until_ns = horizon_ns * (look + 1) // LOOKS
        order = ranked(notebook, best_versions(notebook, until_ns, FOR_EVER_NS))
        for submission in order[: lab.research.finalists]:
            results[look] += holds_everywhere(lab, notebook, submission)
    return results
