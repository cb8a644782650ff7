"""The compiled engine: runs of a fleet as one kernel of machine code, what projections run on.

It plays the same program by the same laws with the same streams as the reference engine, and gives the same ledger
to the last bit; `tests/differential` holds the two to that. Where the reference engine has processes that yield,
this one has points between which an agent goes (`points`), records instead of objects (`state`), and one heap of
events (`events`).
"""

from simbudget.engine.compiled.run import is_compiled, simulate, simulate_many
from simbudget.engine.outcome import Sums

__all__ = ["Sums", "is_compiled", "simulate", "simulate_many"]
