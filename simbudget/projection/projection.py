"""A projection: the distribution of outcomes over worlds and replications."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.scenario.model import Scenario


@dataclass(frozen=True)
class Projection:
    """What a scenario comes to: every replication's totals, and their summary."""

    scenario: Scenario
    seed: int
    engine: str
    worlds: int
    replications: pd.DataFrame
    """A row a replication: its `world`, then the totals of `engine.reference.run`."""
    spend_by_time_usd: npt.NDArray[np.float64]
    """[replications, components, bins] what was spent within each span of time."""
    bin_edges_hours: npt.NDArray[np.float64]
    """[bins + 1] from 0 to the horizon."""
    summary: dict[str, Any]
    """What `project --json` prints; plain dicts, lists, numbers and None."""
