"""Outcomes of gates and reviews in logs, added to the scenario's `evidence`; each run counts once.

The user's counts stay, and those of the logs' runs are added. The calibration file stores each run's contribution, so
that a run read again, possibly longer, replaces its earlier contribution. Counts written by hand that equal those of
the logs are taken to be the same trials, since evidence counted twice would give too narrow intervals.
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
from simbudget.scenario.loading import LoadedScenario
from simbudget.scenario.scenario import Counts as Written
from simbudget.scenario.scenario import gate_names

GATES: Final = "evidence.gates"
REVIEW: Final = "evidence.review"
NAMES: Final = (GATES, REVIEW)
_NEARLY_ALL: Final = 0.9
"""From this share of reviewed submissions on, their selection does not matter."""


@dataclass(frozen=True)
class EvidenceCounts:
    """A scenario's new evidence."""

    fits: tuple[Fit, ...]
    before: Mapping[str, str]
    """By fit: the previous text."""
    counted: Mapping[str, ByRun]
    """By name, such as `evidence.gates[held-out domain]`: each run's counts."""
    left: tuple[str, ...]


@dataclass(frozen=True)
class _Told:
    """Counts in a ledger for one entry of the scenario's evidence."""

    kind: str
    """Kind of the ledger's entries."""
    name: str
    """Its name in the scenario's text."""
    entry: str
    """Its name in the calibration file."""
    stood: Written | None
    """Previous counts in the evidence."""
    by_run: ByRun


@dataclass(frozen=True)
class _Sum:
    """The total counts of one entry, and the contributions of logged runs."""

    total: Counts
    by_run: ByRun
    remark: str


def count_evidence(
    before: LoadedScenario, text: str, ledger: ImportedLedger, keep: Collection[str] = ()
) -> EvidenceCounts:
    """Return the scenario's evidence, updated with a ledger's gates and reviews.

    Args:
        before: the scenario.
        text: its file.
        ledger: logs of real runs.
        keep: names that are to stay as they are, such as `evidence.gates`.
    """
    trials = trials_of(ledger, gate_names(before.scenario.gates))
    known = before.calibration.counted if before.calibration else {}
    counted, fits, texts = dict(known), [], {}
    for told in _told(before, text, trials, keep):
        stood = (told.stood.hits, told.stood.trials) if told.stood else (0, 0)
        summed = _summed(stood, known.get(told.entry, {}), told.by_run)
        counted[told.entry] = summed.by_run
        evidence = evidence_of_ledger(ledger, (told.kind,), _total(told.by_run)[1], summed.remark)
        texts[told.name] = str(told.stood) if told.stood else "none"
        fits.append(Fit(told.name, None, f"{summed.total[0]} of {summed.total[1]}", evidence))
    return EvidenceCounts(tuple(fits), texts, counted, tuple(_left(before, trials, keep)))


def _told(before: LoadedScenario, text: str, trials: Trials, keep: Collection[str]) -> Iterator[_Told]:
    """Yield the ledger's counts for each gate and for reviews."""
    gates, written = gate_names(before.scenario.gates), before.scenario.evidence
    if GATES not in keep:
        keys = keys_at(text, ["evidence", "gates"])
        for place, by_run in trials.gates.items():
            gate = gates[place]
            key = gate if gate in keys else next((key for key in keys if gate.startswith(key)), gate)
            stood = written.gates.get(gate) if written else None
            yield _Told("gate", f"{GATES}[{key}]", f"{GATES}[{gate}]", stood, by_run)
    if REVIEW not in keep and trials.reviews and not _why_not_reviews(before, trials):
        stood = written.counts.get("review") if written else None
        yield _Told("review", REVIEW, REVIEW, stood, trials.reviews)


def _total(by_run: ByRun) -> Counts:
    """Return successes and trials, over all runs."""
    return sum(hits for hits, _ in by_run.values()), sum(trials for _, trials in by_run.values())


def _summed(stood: Counts, known: ByRun, told: ByRun) -> _Sum:
    """Return the new counts, given the previous ones, of which some are from runs counted before."""
    already = _total(known)
    by_hand = stood[0] - already[0], stood[1] - already[1]
    if not 0 <= by_hand[0] <= by_hand[1]:  # somebody has written it anew
        known, by_hand = {}, stood
    by_run = {**known, **told}
    logs = _total(by_run)
    runs = f"{logs[0]} of {logs[1]} in {len(by_run)} run{'s' if len(by_run) != 1 else ''} of logs"
    if by_hand[1] and by_hand == logs:
        return _Sum(by_hand, by_run, f"{runs}, taken for those that were written")
    beside = f" beside {by_hand[0]} of {by_hand[1]} as written" if by_hand[1] else ""
    return _Sum((by_hand[0] + logs[0], by_hand[1] + logs[1]), by_run, runs + beside)


def _why_not_reviews(before: LoadedScenario, trials: Trials) -> str:
    """Return why reviews are not evidence on the scenario's research; empty if they are."""
    review = before.scenario.review
    if review is None:
        return "the scenario has no review"
    reviewed = _total(trials.reviews)[1]
    if review.of == "best" and reviewed < _NEARLY_ALL * trials.submissions:
        return "only leaders were reviewed, and gaming makes leaders: they are no sample of submissions"
    return ""


def _left(before: LoadedScenario, trials: Trials, keep: Collection[str]) -> Iterator[str]:
    if trials.unknown:
        named = ", ".join(re.sub(r"\s+", " ", name)[:60] for name in trials.unknown)
        yield f"{GATES}: logs speak of {named}; no one gate of the scenario is called so"
    why = _why_not_reviews(before, trials) if trials.reviews and REVIEW not in keep else ""
    if why:
        blamed, reviewed = _total(trials.reviews)
        yield f"{REVIEW}: {blamed} of {reviewed} reviewed submissions were blamed; {why}"
