"""The simulated replications of a projection, before anything is concluded from them."""

from dataclasses import dataclass

import pandas as pd

from simbudget.arrays import Floats
from simbudget.projection.statistics import Spread, Statistics
from simbudget.scenario.scenario import Scenario


@dataclass(frozen=True)
class Simulated:
    """The simulated runs of a scenario: statistics over all replications, and the first replications as rows."""

    scenario: Scenario
    seed: int
    engine: str
    worlds: int
    statistics: Statistics
    """Of all replications."""
    replications: pd.DataFrame
    """One row for each of the first `aggregate.KEPT` replications: its `world`, then its totals (`engine.totals`)."""
    spend_by_time_usd: Floats
    """[replications kept, bins] spend within each span of time, in US dollars."""
    bin_edges_hours: Floats
    """[bins + 1] from 0 to the horizon."""
    interrupted: bool
    """Whether an interrupt ended the projection before all replications were done."""

    @property
    def is_certain(self) -> bool:
        """Return whether a single replication suffices, since nothing in the scenario is random."""
        return self.statistics.replications == 1

    @property
    def prices_results(self) -> bool:
        """Return whether transferable results are counted, so that they have a price."""
        return self.scores and len(self.scenario.gates) > 0

    @property
    def scores(self) -> bool:
        """Return whether anything is scored."""
        return self.scenario.research is not None and not self.replications["submissions"].isna().all()

    def spread(self, column: str) -> Spread | None:
        """Return the statistics of a column over all replications; None where it does not apply.

        Args:
            column: name of the total, as in `engine.totals`.
        """
        return self.statistics.spread(column)

    def rests_on(self, single: bool = False) -> str:
        """Return the replications that a picture rests on: all, or (`single`) only those kept as rows.

        Args:
            single: whether the picture shows single replications.
        """
        made, kept = self.statistics.replications, len(self.replications)
        if made == 1:
            return "1 replication"
        if single and kept < made:
            return f"the first {kept:,} of {made:,} replications"
        return f"{made:,} replications in {self.worlds:,} world{'s' if self.worlds > 1 else ''}"
