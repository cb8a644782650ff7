"""Campaigns of experiments: the rest of each, from its beginning."""

from collections.abc import Iterator

from simbudget.calibration.forecasts import Forecast
from simbudget.ledger.imported import ImportedLedger


def campaign_forecasts(
    ledger: ImportedLedger, cut: float, replications: int, seed: int
) -> Iterator[Forecast]:
    """Yield the forecasts of campaigns."""
    yield from ()
