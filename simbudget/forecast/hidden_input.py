"""Hidden input: where a log leaves out what was read from the cache, calls cost more than what it tells of them.

Costs are regressed on outputs, which gives the price of output; what then remains of each call's cost is taken for that
of as many tokens at a dollar a million, of which nothing else is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from simbudget.calibration.observed.session_prices import list_prices
from simbudget.calibration.observed.sessions import Session
from simbudget.forecast.counts import Usual

Floats = npt.NDArray[np.float64]

_MTOK: Final = 1e6
_FEWEST: Final = 3
USUAL_TOKENS: Final = Usual(10.5, 4.0)
"""Hidden tokens of a call, as good as unknown beforehand."""
USD_PER_MTOK: Final = 1.0
"""What a hidden token is taken to cost."""


@dataclass(frozen=True, eq=False)
class HiddenInput:
    """What calls cost beside their output."""

    output_usd_per_mtok: float
    tokens: list[Floats]
    """For each session, by call: hidden tokens."""


def hidden_input(sessions: Sequence[Session]) -> HiddenInput | None:
    """Return the hidden input of sessions of which the last one's is wanted; None if its log tells what it sent."""
    last = sessions[-1]
    if last.knows_input or not last.knows_output or list_prices(last) is not None:
        return None
    alike = [session if session.model == last.model else session.part(0, 0) for session in sessions]
    told = [np.isfinite(session.list_cost_usd) & np.isfinite(session.output) for session in alike]
    cost = np.concatenate([session.list_cost_usd[known] for session, known in zip(alike, told, strict=True)])
    output = np.concatenate([session.output[known] for session, known in zip(alike, told, strict=True)])
    if len(cost) < _FEWEST or not told[-1].any():
        return None
    price = _output_usd(cost, output)
    beside = [
        np.maximum(session.list_cost_usd[known] - price * session.output[known], 0.0) * _MTOK / USD_PER_MTOK
        for session, known in zip(alike, told, strict=True)
    ]
    return HiddenInput(price * _MTOK, beside)


def _output_usd(cost: Floats, output: Floats) -> float:
    """Return the dollars that a token of output costs, by non-negative least squares beside a constant."""
    from scipy.optimize import nnls  # noqa: PLC0415  slow to import

    return float(nnls(np.column_stack([np.ones(len(cost)), output / _MTOK]), cost)[0][1]) / _MTOK
