"""The compiled engine: runs of a fleet as one kernel of machine code, what projections run on.

It plays the same program by the same laws with the same streams as the reference engine, and gives the same ledger
to the last bit; `tests/differential` holds the two to that. Where the reference engine has processes that yield,
this one has states between which an agent goes (`states`), records instead of objects (`tables`), and one heap of
events (`scheduling`).

Functions take the same things in the same order: `site`, all arrays of the run; `run`, the record of the run itself;
then the record of whom they are about (`agent`, `caller`: an agent, a sub-agent or a reviewer, `job`). Times are
nanoseconds from the start of the run.
"""

from simbudget.engine.compiled.run import is_compiled, simulate, simulate_many
from simbudget.engine.outcome import Sums

__all__ = ["Sums", "is_compiled", "simulate", "simulate_many"]
