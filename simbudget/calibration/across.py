"""Some runs from others: a calibration on a part of the runs projects the rest, all together and each by itself."""

from collections.abc import Iterator, Sequence

from simbudget.calibration.forecasts import Forecast
from simbudget.calibration.sessions import Session


def across_runs(sessions: Sequence[Session], cut: float, replications: int, seed: int) -> Iterator[Forecast]:
    """Yield the forecasts of the runs that are not known, projected from a share of them that is."""
    yield from ()
