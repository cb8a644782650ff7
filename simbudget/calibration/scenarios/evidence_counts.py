"""Gate and review outcomes of logs, counted into the scenario's `evidence`: each run once, however often it is read.

What a user wrote there stays, and logs' runs are added to it; a calibration file keeps what of the sum is which run's,
so that a run that comes again, maybe grown since, takes its own place. Counts written by hand that equal those of the
logs are taken for the same trials: evidence that is counted twice would promise more than is known.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from simbudget.calibration.observed.trials import Counts, Trials, trials_of
from simbudget.calibration.scenarios.editing import keys_at
from simbudget.calibration.scenarios.fit import Fit
from simbudget.calibration.scenarios.logs import evidence_of_ledger
from simbudget.ledger.imported import ImportedLedger
from simbudget.scenario.calibration_file import ByRun
from simbudget.scenario.evidence import gate_names
from simbudget.scenario.loading import LoadedScenario

GATES: Final = "evidence.gates"
REVIEW: Final = "evidence.review"
NAMES: Final = (GATES, REVIEW)
_NEARLY_ALL: Final = 0.9
"""Where at least this part of all submissions was reviewed, it does not matter how they were chosen."""


@dataclass(frozen=True)
class EvidenceCounts:
    """What a scenario's evidence becomes."""

    fits: tuple[Fit, ...]
    before: Mapping[str, str]
    """By fit: what was written."""
    counted: Mapping[str, ByRun]
    """By what was counted, such as `evidence.gates[held-out domain]`: each run's part."""
    left: tuple[str, ...]


@dataclass(frozen=True)
class _Sum:
    """What stands in the evidence of one thing, and what of it are runs of logs."""

    total: Counts
    by_run: ByRun
    remark: str


def count_evidence(
    before: LoadedScenario, text: str, ledger: ImportedLedger, keep: Collection[str] = ()
) -> EvidenceCounts:
    """Return the scenario's evidence with what a ledger tells of gates and reviews.

    Args:
        before: the scenario.
        text: its file.
        ledger: logs of real runs.
        keep: names that are to stay as they are, such as `evidence.gates`.
    """
    scenario = before.scenario
    gates = gate_names(scenario.gates)
    trials = trials_of(ledger, gates)
    written = scenario.evidence
    known = before.calibration.counted if before.calibration else {}
    counted, fits, texts = dict(known), [], {}
    for name, place, by_run in _found(text, gates, trials, keep, before):
        stood = written.gates.get(gates[place]) if written and place is not None else None
        if written and place is None:
            stood = written.counts.get("review")
        entry = f"{GATES}[{gates[place]}]" if place is not None else REVIEW
        summed = _summed((stood.hits, stood.trials) if stood else (0, 0), known.get(entry, {}), by_run)
        counted[entry] = summed.by_run
        trials_told = sum(trials for _, trials in by_run.values())
        evidence = evidence_of_ledger(
            ledger, ("gate" if place is not None else "review",), trials_told, summed.remark
        )
        texts[name] = str(stood) if stood else "none"
        fits.append(Fit(name, None, f"{summed.total[0]} of {summed.total[1]}", evidence))
    return EvidenceCounts(tuple(fits), texts, counted, tuple(_left(before, trials, keep)))


def _found(
    text: str, gates: list[str], trials: Trials, keep: Collection[str], before: LoadedScenario
) -> Iterator[tuple[str, int | None, ByRun]]:
    """Yield what was counted: its name, with a gate's as the scenario writes it, the gate's place, and runs' counts."""
    if GATES not in keep:
        keys = keys_at(text, ["evidence", "gates"])
        for place, by_run in trials.gates.items():
            key = next((key for key in keys if gates[place] == key), None) or next(
                (key for key in keys if gates[place].startswith(key)), gates[place]
            )
            yield f"{GATES}[{key}]", place, by_run
    if REVIEW not in keep and trials.reviews and not _why_not_reviews(before, trials):
        yield REVIEW, None, trials.reviews


def _summed(stood: Counts, known: ByRun, told: ByRun) -> _Sum:
    """Return what becomes of counts that stood in the evidence, of which some are of runs that were counted before."""
    already = tuple(sum(of[k] for of in known.values()) for k in (0, 1))
    by_hand = stood[0] - already[0], stood[1] - already[1]
    if not 0 <= by_hand[0] <= by_hand[1]:  # somebody has written it anew
        known, by_hand = {}, stood
    by_run = {**known, **told}
    logs = tuple(sum(of[k] for of in by_run.values()) for k in (0, 1))
    runs = f"{logs[0]} of {logs[1]} in {len(by_run)} run{'s' if len(by_run) != 1 else ''} of logs"
    if by_hand[1] and by_hand == logs:
        return _Sum(by_hand, by_run, f"{runs}, taken for those that were written")
    beside = f" beside {by_hand[0]} of {by_hand[1]} as written" if by_hand[1] else ""
    return _Sum((by_hand[0] + logs[0], by_hand[1] + logs[1]), by_run, runs + beside)


def _why_not_reviews(before: LoadedScenario, trials: Trials) -> str:
    """Return why reviews' outcomes say nothing of the scenario's research; empty if they do."""
    review = before.scenario.review
    if review is None:
        return "the scenario has no review"
    count = sum(reviewed for _, reviewed in trials.reviews.values())
    if review.of == "best" and count < _NEARLY_ALL * trials.submissions:
        return "only leaders were reviewed, and gaming makes leaders: they are no sample of submissions"
    return ""


def _left(before: LoadedScenario, trials: Trials, keep: Collection[str]) -> Iterator[str]:
    if trials.unknown:
        named = ", ".join(re.sub(r"\s+", " ", name)[:60] for name in trials.unknown)
        yield f"{GATES}: logs speak of {named}; no one gate of the scenario is called so"
    why = _why_not_reviews(before, trials) if trials.reviews and REVIEW not in keep else ""
    if why:
        blamed, reviewed = (sum(of[k] for of in trials.reviews.values()) for k in (0, 1))
        yield f"{REVIEW}: {blamed} of {reviewed} reviewed submissions were blamed; {why}"
