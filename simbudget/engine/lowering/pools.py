"""Pools of GPUs, as a program's rows."""

from typing import Final

from simbudget.engine.lowering.quantities import Quantities, nanoseconds
from simbudget.engine.program import Billing, PoolRow
from simbudget.scenario import scenario as scenarios

_BILLING: Final = {
    "on demand": Billing.BY_USE,
    "reserved": Billing.RESERVED,
    "per agent": Billing.PER_AGENT,
    "spot": Billing.BY_USE,  # at a lower price, with pre-emptions
}
"""What each kind of billing pays for; the engines only know that."""


def pool_row(pool: scenarios.Gpus, quantities: Quantities, held: int) -> PoolRow:
    """Return the row of a pool, some of whose GPUs are held by served models.

    Args:
        pool: the pool.
        quantities: the program's quantities; new ones are added.
        held: GPUs that served models hold.
    """
    checkpoint = pool.checkpoint_every
    return PoolRow(
        gpus=pool.count,
        billing=_BILLING[pool.billing],
        price=quantities.fact(pool.price),
        speed=quantities.fact(pool.speed),
        preempted_every=quantities.fact(pool.preempted.every if pool.preempted else None),
        checkpoint_every_ns=nanoseconds(checkpoint.exact_value) if checkpoint else 0,
        held=held,
    )


def pool_names(scenario: scenarios.Scenario) -> tuple[str, ...]:
    """Return the names of the pools; one without a name is called as the block that describes it.

    Args:
        scenario: the scenario.
    """
    return tuple(pool.name or "gpus" for pool in scenario.pools)
