"""Predictive checks: simulating the very runs that were calibrated on, to see what the model cannot reproduce.

Posterior predictive checks: Gelman et al., Bayesian Data Analysis, 3rd edition, section 6.3. Draws of each quantity are
held against the values in the logs, and simulated sessions against the real ones, total by total.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.observed.delegation import callers_of
from simbudget.calibration.observed.sessions import Session, sessions_of
from simbudget.calibration.observed.totals import session_samples, truths
from simbudget.calibration.scenarios.fit import Fit
from simbudget.calibration.scenarios.fits import WORLDS, fit_ledger, fit_speed
from simbudget.calibration.scenarios.new_sessions import MODEL, session_scenario
from simbudget.ledger.imported import ImportedLedger
from simbudget.projection.run import Options, project
from simbudget.scenario.calibration_file import Checked
from simbudget.scenario.provider import OTHERS

_SIMULATED: Final = 500
_LEVELS: Final = (0.1, 0.5, 0.9)
_FEWEST_SESSIONS: Final = 5
_NEARLY_ALL: Final = 0.9
"""Share of sessions that have to be without sub-agents for totals to be checked: the others are longer than usual."""
_FAR: Final = 0.15
"""Means that differ by more than this fraction are reported."""
_OTHER_SHAPE: Final = 0.10
"""Kolmogorov-Smirnov distance beyond which distributions count as different."""
_OTHER_SPREAD: Final = 1.5
"""Spreads (p90/p10) that differ by more than this factor are reported."""

_TOTALS: Final = {
    "calls": "calls a session",
    "input_tokens": "input tokens a session",
    "new_input_tokens": "new input tokens a session",
    "cache_read_tokens": "cache reads a session",
    "output_tokens": "output tokens a session",
    "cost_usd": "token cost a session",
    "model_time_s": "model time a session",
}


@dataclass(frozen=True, eq=False)
class Check:
    """One quantity or total: as it was, and as it is simulated."""

    label: str
    observed: Floats
    simulated: Floats
    is_total: bool

    @property
    def distance(self) -> float:
        """Return the Kolmogorov-Smirnov distance between the two."""
        both = np.concatenate([self.observed, self.simulated])
        reached = [
            np.searchsorted(np.sort(values), both, side="right") / len(values)
            for values in (self.observed, self.simulated)
        ]
        return float(np.abs(reached[0] - reached[1]).max())

    @property
    def mean_ratio(self) -> float:
        """Return simulated over observed mean."""
        mean = float(self.observed.mean())
        return float(self.simulated.mean() / mean) if mean > 0 else 1.0

    def quantiles(self) -> tuple[Floats, Floats]:
        """Return p10, median and p90, observed and simulated."""
        return np.quantile(self.observed, _LEVELS), np.quantile(self.simulated, _LEVELS)

    @property
    def words(self) -> str:
        """Return the misfit of the model and its consequence for a projection; empty without a misfit."""
        return "; ".join(self._says())

    def _says(self) -> Iterator[str]:
        off = self.mean_ratio - 1.0
        error = float(self.observed.std() / np.sqrt(len(self.observed)) / max(self.observed.mean(), 1e-9))
        if abs(off) > max(_FAR, 2 * error):
            more = "more" if off > 0 else "less"
            means = (
                ""
                if not self.is_total
                else f", so a projection of many sessions is too {_side(off)} by as much"
            )
            yield f"simulated {abs(off):.0%} {more} on average{means}"
        elif not self.is_total and self.distance > max(_OTHER_SHAPE, 1.63 / np.sqrt(len(self.observed))):
            yield f"another shape (distance {self.distance:.2f}); sums of many draws hardly feel it"
        observed, simulated = self.quantiles()
        if not self.is_total or observed[0] <= 0 or simulated[0] <= 0:
            return
        spread = np.log(simulated[2] / simulated[0]) / max(np.log(observed[2] / observed[0]), 1e-9)
        if spread > _OTHER_SPREAD:
            yield "simulated sessions differ more than real ones: intervals of a single session are too wide"
        elif spread < 1 / _OTHER_SPREAD:
            yield "simulated sessions differ less than real ones: intervals of a single session are too narrow"


def noted(checks: Sequence[Check]) -> tuple[Checked, ...]:
    """Return checks as stored in a calibration file."""
    return tuple(Checked(check.label, check.mean_ratio, check.words) for check in checks)


def check_calibration(
    ledger: ImportedLedger, seed: int = 1, fits: Sequence[Fit] | None = None
) -> list[Check]:
    """Return the checks of a calibration on its own ledger: of each quantity, and of sessions' totals.

    Args:
        ledger: what was calibrated on.
        seed: for the simulation.
        fits: what was learnt from the ledger; learnt anew if it is not given.
    """
    if fits is None:
        fits = fit_ledger(ledger, (MODEL,), WORLDS)
    elif not any(fit.name.startswith(f"models[{OTHERS}].") for fit in fits):
        fits = [
            *fits,
            *fit_speed(ledger, OTHERS, WORLDS),
        ]  # the simulated sessions are of no model in particular
    rng = np.random.default_rng(seed)
    checks = [_of_quantity(fit, rng) for fit in fits if fit.quantity is not None and len(fit.observed) > 1]
    own = [session for session in callers_of(sessions_of(ledger)).own if len(session) > 1]
    # A simulated session waits for no sub-agents, during which caches expire, and nothing of theirs joins its context.
    sessions = [session for session in own if not session.is_left]
    if len(sessions) >= max(_FEWEST_SESSIONS, _NEARLY_ALL * len(own)):
        checks.extend(_of_sessions(sessions, fits, seed))
    return checks


def _of_quantity(fit: Fit, rng: np.random.Generator) -> Check:
    assert fit.quantity is not None
    posterior = fit.quantity.posterior
    draws = max(1, 4000 // len(posterior.draws))
    shape = (len(posterior.draws), draws)
    if posterior.is_fact:
        simulated = posterior.draws[:, 0]
    else:
        simulated = posterior.sample(rng.standard_normal(shape), rng.standard_normal(shape)).ravel()
    observed = fit.observed if not posterior.is_fact else np.array([fit.rate])
    return Check(fit.name, observed, simulated, False)


def _of_sessions(sessions: Sequence[Session], fits: Sequence[Fit], seed: int) -> Iterator[Check]:
    """Yield the checks of sessions' totals: one calibrated agent, simulated for one session, again and again."""
    names = {fit.name for fit in fits}
    if "cycle.think.turns" not in names or "turn.tool_result_tokens" not in names:
        return
    scenario = session_scenario(sessions, fits)
    options = Options(seed=seed, replications=_SIMULATED, workers=1)
    simulated = session_samples(project(scenario, options).replications)
    # the simulated session pays list prices
    totals = [truths(replace(session, counted_usd=None), 0) for session in sessions]
    for name, label in _TOTALS.items():
        observed = np.array([total[name] for total in totals if name in total])
        if len(observed) >= _FEWEST_SESSIONS and observed.max() > 0:
            yield Check(label, observed, simulated[name], True)


def _side(off: float) -> str:
    return "high" if off > 0 else "low"
