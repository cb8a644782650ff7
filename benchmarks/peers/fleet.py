"""The fleet that every peer simulates, small enough to be written plainly in each.

An agent thinks in turns: it waits in line for a token bucket that the fleet shares, calls its model, runs a tool. Then
it runs an experiment on a pool of GPUs and has it scored by a pool of servers, and begins again. Peers keep neither
money nor tokens nor caches nor a ledger, which simbudget does in the same time.
"""

from dataclasses import dataclass
from typing import Final

TURNS: Final = 30
CALL_S: Final = (4.0, 20.0)
TOOL_S: Final = (2.0, 10.0)
EXPERIMENT_S: Final = (600.0, 1800.0)
SCORING_S: Final = (20.0, 100.0)
CALLS_PER_MIN_PER_AGENT: Final = 1.5
"""What the bucket lets through; an agent alone would make up to 3 in a minute of thinking."""


@dataclass(frozen=True)
class Fleet:
    """How large a fleet is, and for how long it runs."""

    agents: int
    hours: float

    @property
    def gpus(self) -> int:
        """Return one GPU for each two agents."""
        return -(-self.agents // 2)

    @property
    def scorers(self) -> int:
        """Return one scoring server for each ten agents."""
        return -(-self.agents // 10)
