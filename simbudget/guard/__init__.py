"""The budget guard: the worst case of every call is reserved first, and a call that could exceed a cap is not made.

It works on its own, around any `anthropic` client:

    guard = BudgetGuard(Path("spend.sqlite"), cap_usd=5)
    client = guard.wrap(anthropic.AsyncAnthropic())
    ...                                       # messages.create, messages.stream as usual
    print(guard.spend())

or, as `simbudget guard`, as a proxy around any program.
"""

from simbudget.guard.bounds import UnboundedCostError, UnguardedCallError
from simbudget.guard.guard import BudgetGuard, Cap, StoppedError
from simbudget.ledger.store import CapReachedError, Spend

__all__ = [
    "BudgetGuard",
    "Cap",
    "CapReachedError",
    "Spend",
    "StoppedError",
    "UnboundedCostError",
    "UnguardedCallError",
]
