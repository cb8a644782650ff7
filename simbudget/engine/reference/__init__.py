"""The reference engine: one possible run of a fleet as SimPy processes, the executable specification.

Each agent is a process that reads like its day (`agent`), talks to its model (`calls`), runs jobs on GPUs
(`experiments`) and shares with the others what a fleet shares (`site`). Every number comes from the laws.
"""

from simbudget.engine.outcome import Outcome, Sums
from simbudget.engine.reference.run import simulate, simulate_many

__all__ = ["Outcome", "Sums", "simulate", "simulate_many"]
