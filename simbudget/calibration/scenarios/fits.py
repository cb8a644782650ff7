"""All fits to a ledger: sessions, experiments and scorer."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import numpy as np

from simbudget.calibration.observed.caches import FIVE_MINUTES
from simbudget.calibration.observed.delegation import callers_of
from simbudget.calibration.observed.observations import FLOORS
from simbudget.calibration.observed.sessions import Session, sessions_of
from simbudget.calibration.observed.steps import scoring_times
from simbudget.calibration.posteriors.pooling import log_of
from simbudget.calibration.posteriors.runs_to_come import pool
from simbudget.calibration.posteriors.survival import censored_lognormal
from simbudget.calibration.scenarios.delegate_fits import prefix_fits, service_fits
from simbudget.calibration.scenarios.experiments import Jobs, jobs_of
from simbudget.calibration.scenarios.fit import FEWEST, Fit, fit_of_rate, fit_of_varying
from simbudget.calibration.scenarios.joint import jointly
from simbudget.calibration.scenarios.session_fits import (
    evidence_of_sessions,
    fit_misses,
    fit_sessions,
    fit_speeds,
)
from simbudget.ledger.imported import ImportedLedger
from simbudget.scenario.calibration_file import LearntFrom
from simbudget.scenario.context import CACHE_LIFE_S
from simbudget.units import Dimension

WORLDS: Final = 500
"""Number of joint draws in a calibration."""

_SEED: Final = 20_260_301


def fit_ledger(
    ledger: ImportedLedger,
    models: Sequence[str] = (),
    worlds: int = WORLDS,
    people: bool = False,
    agents: Collection[str] = (),
) -> list[Fit]:
    """Return the fits of a scenario's quantities to a ledger, in the order of the scenario's blocks.

    Args:
        ledger: logs of real runs.
        models: the scenario's, whose speeds are learnt; those that logs do not distinguish share `models[others]`.
        worlds: how many joint draws.
        people: whether waiting for people counts as tool time.
        agents: models of the scenario's agents; see `callers_of`.
    """
    rng = np.random.default_rng(_SEED)
    sessions = sessions_of(ledger)
    own = callers_of(sessions, agents).own
    fits = [*fit_sessions(own, models, worlds, people, rng, sessions)]
    fits.extend(habit_fits(own, worlds))
    fits.extend(_fit_jobs(jobs_of(ledger), worlds, rng))
    fits.extend(_fit_scorer(ledger, sessions, worlds, rng))
    return jointly(fits, worlds, rng)


def fit_speed(ledger: ImportedLedger, model: str, worlds: int = WORLDS) -> list[Fit]:
    """Return the fits of the speed of a model, or of `others`.

    Args:
        ledger: logs of real runs.
        model: whose speed is learnt.
        worlds: how many joint draws.
    """
    sessions = sessions_of(ledger)
    return [*fit_speeds(model, sessions, False, worlds, np.random.default_rng(_SEED))] if sessions else []


def fit_of_sessions(sessions: Sequence[Session], worlds: int = WORLDS) -> list[Fit]:
    """Return the fits of turns and contexts to sessions, without their waits for people.

    Args:
        sessions: those that are learnt from.
        worlds: number of joint draws.
    """
    rng = np.random.default_rng(_SEED)
    fits = [*fit_sessions(sessions, (), worlds, people=False, rng=rng), *habit_fits(sessions, worlds)]
    return expired_as_missed(jointly(fits, worlds, rng), sessions, worlds)


def expired_as_missed(fits: Sequence[Fit], sessions: Sequence[Session], worlds: int = WORLDS) -> list[Fit]:
    """Return fits in which caches that expired during waits for people count as missed.

    So a scenario without these waits still pays for what they cost.

    Args:
        fits: of turns and contexts.
        sessions: those that they were learnt from.
        worlds: number of joint draws.
    """
    if not any(session.person_s[:-1].max(initial=0.0) > CACHE_LIFE_S[FIVE_MINUTES] for session in sessions):
        return list(fits)
    missed = [*fit_misses(sessions, worlds, np.random.default_rng(_SEED + 2), people=False)]
    return [*(fit for fit in fits if fit.name != "context.cache_misses"), *missed]


def habit_fits(sessions: Sequence[Session], worlds: int) -> Iterator[Fit]:
    """Yield the prefix that contexts of agents share, and the service of their calls, where logs tell.

    Args:
        sessions: those of agents, without their sub-agents.
        worlds: number of joint draws.
    """
    rng = np.random.default_rng(_SEED + 1)
    yield from prefix_fits(sessions, worlds, rng)
    yield from service_fits(sessions, rng)


def _fit_jobs(jobs: Jobs | None, worlds: int, rng: np.random.Generator) -> Iterator[Fit]:
    """Yield the time and the failures of experiments."""
    if jobs is None:
        return
    evidence = LearntFrom(len(jobs), jobs.runs, jobs.source, jobs.date, int(jobs.censored.sum()))
    times = jobs.duration_s[~jobs.failed]
    if np.isfinite(times).sum() >= FEWEST:
        learnt = censored_lognormal(jobs.by_run(~jobs.failed), worlds, rng, FLOORS["experiment_time"])
        known = times[np.isfinite(times)]
        yield fit_of_varying("cycle.experiment.time", Dimension.DURATION, learnt, evidence, known)
    hits, tries = jobs.failures_by_run()
    if hits.sum() > 0:  # a log without any may not record them
        yield fit_of_rate("cycle.experiment.fails", hits, tries, evidence, worlds, rng)


def _fit_scorer(
    ledger: ImportedLedger, sessions: Sequence[Session], worlds: int, rng: np.random.Generator
) -> Iterator[Fit]:
    """Yield the scorer's time, if the ledger has it."""
    times = scoring_times(ledger.entries)
    count = sum(map(len, times))
    if count < FEWEST:
        return
    learnt = pool([log_of(values, FLOORS["scoring_time"]) for values in times], worlds, rng, has_levels=False)
    evidence = evidence_of_sessions([session for session in sessions if session.steps is not None], count)
    yield fit_of_varying("scorer.time", Dimension.DURATION, learnt, evidence, np.concatenate(times))
