"""Experiments as logs of campaigns tell them: one row each, with a score, a status, and some of its times."""

import math
from dataclasses import dataclass, field
from typing import Final

from simbudget.ledger.entry import FLEET, Entry
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.values import NOT_KNOWN, JsonObject, text

_KEPT: Final = {"keep", "kept", "accept", "accepted", "improved", "improvement", "new_best"}
_LEFT: Final = {"discard", "discarded", "reject", "rejected", "revert", "reverted", "no-op", "checks_failed"}
_FAILED: Final = ("crash", "oom", "abort", "error", "timeout", "timed_out", "killed", "failed")
_NO_SCORES: Final = {-999.0, -9999.0, 999.0, 9999.0, 99999.0}
"""Numbers that stand for no score; and a loss of exactly 0 does."""
_RAN: Final = {"checks_failed"}
"""Statuses that sound like a failure, and yet the experiment gave its result."""

_HIGHER: Final = ("acc", "score", "pgr", "tok_s", "tok_per", "reward", "auc", "f1", "green", "ndcg", "mfu")
_LOWER: Final = ("bpb", "loss", "ppl", "perplexity", "err", "mse", "mae", "bits", "_ms", "_ns", "_us", "_s")


@dataclass(frozen=True)
class Experiment:
    """One experiment as a row of a log tells it; times in seconds since 1970."""

    name: str
    status: str
    score: float
    agent: str = ""
    parent: str = ""
    started_s: float = NOT_KNOWN
    ended_s: float = NOT_KNOWN
    duration_s: float = NOT_KNOWN
    segment: int = 0
    columns: JsonObject = field(default_factory=dict)


def better(metric: str) -> str:
    """Return whether more or less of a metric is better, judged by its name; empty if the name does not tell."""
    name = metric.lower()
    if any(part in name for part in _HIGHER):
        return "higher"
    return "lower" if any(part in name or name.endswith(part) for part in _LOWER) else ""


def add_experiment(gathering: Gathering, run: RunInMaking, experiment: Experiment) -> None:
    """Add an experiment to a run; each is a cycle of its agent's."""
    status = experiment.status.lower()
    is_baseline = status == "baseline" or experiment.agent == "baseline"
    agent = FLEET if is_baseline and experiment.agent else run.agent(experiment.agent)
    if agent == FLEET:
        cycle = -1
    else:
        run.last_turns[agent] += 1
        cycle = run.last_turns[agent] - 1
    started_s, duration_s = _times(experiment, run)
    gathering.add(
        Entry(
            run.number,
            agent,
            cycle,
            experiment.segment,
            -1,
            "experiment",
            started_s,
            duration_s,
            0.0,
            gpus=None,
            component="gpu",
            cost_usd=NOT_KNOWN,
            score=_score(experiment.score, run.better, has_failed=_failed(status)),
            outcome="failed" if _failed(status) else "ok",
            source=run.source,
            status=status,
            kept=_kept(status),
            name=experiment.name,
            parent=experiment.parent,
            **experiment.columns,
        )
    )


def _failed(status: str) -> bool:
    return status not in _RAN and any(part in status for part in _FAILED)


def _score(score: float, direction: str, *, has_failed: bool) -> float:
    """Return a score; NaN for what stands in its place where there is none.

    A crash has no score, whatever its row says: authors write 0, -1, -999 or infinity there.
    """
    is_placeholder = score in _NO_SCORES or (score == 0 and direction == "lower")
    return NOT_KNOWN if has_failed or is_placeholder or math.isinf(score) else score


def _kept(status: str) -> bool | None:
    """Return whether a change was kept; None for a baseline, and where the status does not speak of it."""
    if status in _KEPT:
        return True
    is_open = status in ("", "baseline", "ok", "completed", "running", "queued")
    return None if is_open and status not in _LEFT else False


def _times(experiment: Experiment, run: RunInMaking) -> tuple[float, float]:
    """Return start and duration, each from the other times where it is not given."""
    started_s, ended_s, lasted_s = experiment.started_s, experiment.ended_s, experiment.duration_s
    if math.isnan(lasted_s) and ended_s - started_s >= 0:
        lasted_s = ended_s - started_s
    if not math.isnan(started_s):
        return started_s, lasted_s
    if math.isnan(lasted_s):
        known = "; their times are when they ended" if ended_s > 0 else ", and when they were"
        run.missing[f"how long experiments took{known}"] += 1
        return ended_s, lasted_s
    return ended_s - lasted_s, lasted_s


def experiment_id(row: JsonObject) -> str:
    """Return what an experiment is called in a row."""
    for name in ("exp_id", "experiment_id", "run_id", "id", "commit", "iteration", "run", "name"):
        if row.get(name) not in (None, ""):
            return text(row[name])
    return ""
