"""The budget guard: before a call its worst case is reserved, and a call that could pass a cap is not made.

It stands on its own, around anybody's `anthropic` client:

    guard = BudgetGuard(Path("spend.sqlite"), cap_usd=5)
    client = guard.wrap(anthropic.AsyncAnthropic())
    ...                                       # messages.create, messages.stream: as ever
    print(guard.spend())

or, as `simbudget guard`, as a proxy around any program.
"""

from simbudget.guard.bounds import UnboundedCostError
from simbudget.guard.guard import BudgetGuard, Cap, StoppedError, UnguardedCallError
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
