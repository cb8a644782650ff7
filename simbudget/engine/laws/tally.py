"""The tally of a run's research: what came of it, and what would have come of it had it stopped sooner."""

import math
from typing import Final

from simbudget.compilation import compiled
from simbudget.engine.laws.draws import Floats
from simbudget.engine.laws.gates import (
    FOR_EVER_NS,
    chance_of_holding,
    find_versions,
    holds_everywhere,
    is_refinement_to_try,
    rank_finalists,
    rank_methods,
    stands_alone,
)
from simbudget.engine.laws.notebook import (
    BLAMED,
    HOLDS,
    IS_HACK,
    IS_HONEST,
    IS_LATE,
    IS_TRIED,
    LEADS,
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
    Notebook,
)
from simbudget.engine.laws.research import Lab

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
    "transferable_expected",
    "kept",
)
"""The figures of a run's research: the names of the projection's columns, in order."""

TALLY_LENGTH: Final = len(TALLY)

_HOUR_NS: Final = 3.6e12


@compiled
def research_tally(lab: Lab, notebook: Notebook, figures: Floats) -> None:
    """Write the [TALLY] figures of a run whose reviews and gates are done; NaN for the best of no submissions.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        figures: [TALLY_LENGTH] is written.
    """
    figures[:] = 0.0
    figures[0] = notebook.counts[SUBMISSIONS]
    _tally_scores(notebook, figures)
    _tally_reviews(notebook, figures)
    _tally_methods(lab, notebook, figures)
    _tally_improvements(lab, notebook, figures)


@compiled
def _tally_scores(notebook: Notebook, figures: Floats) -> None:
    ranked = rank_methods(notebook, FOR_EVER_NS, FOR_EVER_NS, 2)
    figures[2:6] = math.nan
    if ranked > 0:
        best = notebook.ranking[0]
        figures[2], figures[3] = notebook.worths[best, SCORE], notebook.worths[best, QUALITY]
    if ranked > 1:
        figures[4] = notebook.worths[notebook.ranking[1], SCORE]
    for submission in range(notebook.counts[SUBMISSIONS]):
        is_hack, quality = notebook.submissions[submission, IS_HACK], notebook.worths[submission, QUALITY]
        if is_hack == 0 and not figures[5] >= quality:
            figures[5] = quality
        figures[19] += notebook.submissions[submission, LEADS]


@compiled
def _tally_reviews(notebook: Notebook, figures: Floats) -> None:
    waited = 0
    for submission in range(notebook.counts[SUBMISSIONS]):
        row = notebook.submissions[submission]
        figures[6] += row[IS_HACK]
        figures[7] += row[IS_HACK] * row[BLAMED]
        figures[9] += (1 - row[IS_HACK]) * row[BLAMED]
        if row[REVIEWED_NS] != NOBODY:
            figures[10] += 1
            figures[11] += row[REVIEW_NS] / _HOUR_NS
            if row[IS_LATE] == 0:
                waited += 1
                figures[12] += (row[REVIEW_STARTS_NS] - row[SCORED_NS]) / _HOUR_NS
    figures[8] = figures[6] - figures[7]
    figures[12] = figures[12] / waited if waited > 0 else math.nan


@compiled
def _tally_methods(lab: Lab, notebook: Notebook, figures: Floats) -> None:
    if len(lab.gates) == 0:
        figures[13:19] = math.nan
    find_versions(notebook, FOR_EVER_NS, FOR_EVER_NS, lab.research.counts_improvements == 1)
    for method in range(notebook.counts[METHODS]):
        row, version = notebook.methods[method], notebook.versions[method]
        figures[1] += row[IS_HONEST]
        if row[TRIED] != NOBODY:
            _tally_result(lab, notebook, row[TRIED], figures)
        elif version != NOBODY and len(lab.gates) > 0:
            figures[17] += holds_everywhere(lab, notebook, version)


@compiled
def _tally_improvements(lab: Lab, notebook: Notebook, figures: Floats) -> None:
    """Count the refinements that are results of their own."""
    if lab.research.counts_improvements == 0 or len(lab.gates) == 0:
        return
    for submission in range(notebook.counts[SUBMISSIONS]):
        if stands_alone(lab, notebook, submission) and notebook.submissions[submission, IS_TRIED] == 1:
            _tally_result(lab, notebook, submission, figures)
        elif is_refinement_to_try(notebook, submission, FOR_EVER_NS, FOR_EVER_NS):
            figures[17] += holds_everywhere(lab, notebook, submission)


@compiled
def _tally_result(lab: Lab, notebook: Notebook, submission: int, figures: Floats) -> None:
    """Count a submission that was tried at the gates."""
    row = notebook.submissions[submission]
    passed = row[PASSED] == len(lab.gates)
    figures[13] += 1
    figures[14] += row[HOLDS]
    figures[15] += row[HOLDS] * passed
    figures[16] += (1 - row[HOLDS]) * passed
    figures[18] += chance_of_holding(lab, notebook, submission)


@compiled
def results_by_time(lab: Lab, notebook: Notebook, horizon_ns: int, results: Floats) -> None:
    """Write transferable results, expected results and finalists, had the run stopped at each look.

    Results are counted among the finalists; expected ones given what had been found (`chance_of_holding`). Reviews find
    the same as they did. NaN without gates.

    Args:
        lab: the tables of one world.
        notebook: the state of research in the run.
        horizon_ns: the horizon of the run.
        results: [3 × LOOKS] is written.
    """
    results[: 3 * LOOKS] = 0.0 if len(lab.gates) > 0 else math.nan
    for look in range(LOOKS):
        if len(lab.gates) == 0:
            continue
        until_ns = horizon_ns // LOOKS * (look + 1) if look + 1 < LOOKS else horizon_ns
        ranked = rank_finalists(lab, notebook, until_ns, FOR_EVER_NS)
        for place in range(ranked):
            results[look] += holds_everywhere(lab, notebook, notebook.ranking[place])
            results[LOOKS + look] += chance_of_holding(lab, notebook, notebook.ranking[place])
        results[2 * LOOKS + look] = ranked
