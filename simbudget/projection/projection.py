"""A projection: the distribution of outcomes over worlds and replications."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.projection.statistics import Figures
from simbudget.scenario.model import Scenario


@dataclass(frozen=True)
class Projection:
    """What a scenario comes to: what all replications say together, and the first of them row by row."""

    scenario: Scenario
    seed: int
    engine: str
    worlds: int
    figures: Figures
    """Over all replications."""
    replications: pd.DataFrame
    """A row for each of the first `aggregate.KEPT` replications: its `world`, then its totals (`engine.totals`)."""
    spend_by_time_usd: npt.NDArray[np.float64]
    """[replications kept, bins] what was spent within each span of time."""
    bin_edges_hours: npt.NDArray[np.float64]
    """[bins + 1] from 0 to the horizon."""
    summary: dict[str, Any]
    """What `project --json` prints; plain dicts, lists, numbers and None."""
