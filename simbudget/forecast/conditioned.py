"""Draws of what has been and what will be in a run, given what was seen of it."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats, Integers
from simbudget.forecast.conditioning import Likeness, conditioned
from simbudget.forecast.in_flight import NOTHING
from simbudget.forecast.reference_runs import ReferenceRuns
from simbudget.forecast.run_state import RunState
from simbudget.units import HOUR_S

SURPRISING: Final = 0.02
"""From here on down the scenario did not expect what was seen: one simulated run in fifty lies as far out."""
_LEAST_LATE: Final = 0.05
_LEAST: Final = 1e-9
"""So that nothing has a logarithm."""
_RATE_SPREAD: Final = 0.3
"""Scatter of the logarithm of a rate from one half of a run to the next: measured on fleets, 0.2 to 0.4."""


@dataclass(frozen=True)
class Conditioned:
    """Draws of what has been and what will be, given what was seen."""

    runs: ReferenceRuns
    state: RunState
    like: Likeness
    rows: Integers
    """[draws] the run that each draw rests on."""
    scores: Floats
    """[draws] standard normal scores of what is under way."""

    def so_far(self, column: str, known: float | None) -> Floats:
        """Return [draws] of what a column has come to: what is known and under way, else as the simulated runs say."""
        if known is None:
            return conditioned(self.runs.so_far[column].to_numpy(), self.like)[self.rows]
        return known + self.state.in_flight.get(column, NOTHING).around(self.scores)

    def rest(self, column: str) -> Floats:
        """Return [draws] of what is still to come of a column.

        As the simulated runs went on, where the real one looks like them. Where it does not, they are weighed against
        the run's own rate, which is then all that is known of it: the less the scenario expected what was seen, the
        more the rate counts.
        """
        rest = self.runs.whole[column].to_numpy() - self.runs.so_far[column].to_numpy()
        simulated = conditioned(np.maximum(rest, 0.0), self.like)[self.rows]
        weight = max(0.0, 1.0 - self.like.surprise / SURPRISING)
        at_rate = self._at_rate(column)
        if not weight or at_rate is None or not simulated.any():
            return simulated
        return np.exp(
            (1.0 - weight) * np.log(np.maximum(simulated, _LEAST))
            + weight * np.log(np.maximum(at_rate, _LEAST))
        )

    def _at_rate(self, column: str) -> Floats | None:
        """Return [draws] of what is to come at the rate of the run so far; None if the log does not say it.

        The rate of the second half differs from that of the first by as much as that of what comes will from both. It
        counts for as much of the time that is left as simulated runs keep theirs: agents may end before the planned
        end, or work one after the other.
        """
        seen = self.state.so_far.get(column, 0.0)
        left_s = float(self.runs.hours[-1]) * HOUR_S - self.state.elapsed_s
        if seen <= 0.0 or left_s <= 0.0:
            return None
        late = max(seen - self.state.halfway.get(column, 0.0), _LEAST_LATE * seen)
        drift = float(np.clip(np.log(2.0 * late / seen), -1.0, 1.0))
        spread = np.hypot(_RATE_SPREAD, drift)
        going_on = left_s / self.state.elapsed_s
        before = float(self.runs.so_far[column].sum())
        if before > 0.0:
            going_on = min(going_on, float(self.runs.whole[column].sum()) / before - 1.0)
        return np.asarray(2.0 * late * max(going_on, 0.0) * np.exp(spread * self.scores))

    def progress(self, gates_later: bool) -> Floats:
        """Return [draws, bins + 1] the part of what is left to spend that is spent by each time.

        Gates that come at the end are left out.
        """
        spent, hours = self.runs.spent_usd[self.rows], self.runs.hours
        if gates_later:
            spent[:, -1] -= self.runs.whole["spend_gates_usd"].to_numpy()[self.rows]
        now = spent_at(spent, hours, self.state.elapsed_s / HOUR_S)[:, np.newaxis]
        left = np.maximum(spent[:, -1:] - now, 1e-12)
        return np.asarray(np.clip((spent - now) / left, 0.0, 1.0))


def spent_at(spent: Floats, hours: Floats, hour: float) -> Floats:
    """Return [draws] what has been spent at an hour, between two times in proportion."""
    after = int(np.clip(np.searchsorted(hours, hour), 1, len(hours) - 1))
    part = (hour - hours[after - 1]) / (hours[after] - hours[after - 1])
    return np.asarray(spent[:, after - 1] + part * (spent[:, after] - spent[:, after - 1]))
