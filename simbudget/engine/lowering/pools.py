"""Pools of GPUs, as a program's rows."""

from simbudget.engine.laws.pools import PoolRow
from simbudget.engine.lowering.quantities import Quantities, nanoseconds
from simbudget.scenario import scenario as scenarios


def pool_row(pool: scenarios.Gpus, quantities: Quantities, held: int, agents: int) -> PoolRow:
    """Return the row of a pool, some of whose GPUs are held by served models.

    Args:
        pool: the pool.
        quantities: the program's quantities; new ones are added.
        held: GPUs that served models hold.
        agents: number of agents in the fleet, people not included.
    """
    checkpoint, bills = pool.checkpoint_every, pool.bills
    return PoolRow(
        gpus=pool.count,
        price=quantities.fact(pool.price),
        speed=quantities.fact(pool.speed),
        preempted_every=quantities.fact(pool.preempted.every if pool.preempted else None),
        checkpoint_every_ns=nanoseconds(checkpoint.exact_value) if checkpoint else 0,
        held=held,
        bills_use=int(bills.use),
        bills_run=int(bills.run),
        sharers=agents if bills.agents else 0,
    )


def pool_names(scenario: scenarios.Scenario) -> tuple[str, ...]:
    """Return the names of the pools; one without a name is called as the block that describes it.

    Args:
        scenario: the scenario.
    """
    return tuple(pool.name or "gpus" for pool in scenario.pools)
