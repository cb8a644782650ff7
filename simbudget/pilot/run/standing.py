"""Costs that accrue with time rather than use, at the scenario's prices: sandboxes, and GPUs not billed by use.

Nobody bills them in a pilot. They are in the ledger so that a pilot's spend has the same components as a projection's.
"""

from simbudget.ledger.entry import FLEET, Entry
from simbudget.pilot.draws import Draws
from simbudget.pilot.run.plan import Plan
from simbudget.units import HOUR_S


def gpu_usd_per_hour_of_use(plan: Plan) -> float:
    """Return the price of a GPU if it is billed by use, otherwise 0."""
    gpus = plan.scenario.gpus
    if gpus.price is None or not gpus.bills.use:
        return 0.0
    return _draws(plan).value(gpus.price)


def scorer_usd(plan: Plan) -> float:
    """Return the price of a scorer call."""
    return _draws(plan).value(plan.scenario.scorer.price)


def standing_entries(
    plan: Plan, lives: dict[int, tuple[float, float]], ended_s: float, source: str
) -> list[Entry]:
    """Return the entries of sandboxes and reserved GPUs.

    Args:
        plan: the pilot.
        lives: start and end of each agent's life, in seconds of the run.
        ended_s: end of the run.
        source: the entries' source.
    """
    scenario, draws = plan.scenario, _draws(plan)
    gpus = scenario.gpus
    price = draws.value(gpus.price) if gpus.price is not None else 0.0
    entries = []
    for each in plan.agents:
        if each.agent not in lives:
            continue
        from_s, to_s = lives[each.agent]
        sandbox = draws.value(scenario.fleet[each.group].sandbox.price)
        entries.append(_entry(each.agent, "sandbox", sandbox, (from_s, to_s), source))
        if gpus.bills.agents:
            share = gpus.count / sum(group.agents for group in scenario.fleet if group.kind == "agents")
            entries.append(_entry(each.agent, "reserved", price * share, (from_s, to_s), source))
    if gpus.bills.run:
        entries.append(_entry(FLEET, "reserved", price * gpus.count, (0.0, ended_s), source))
    return [entry for entry in entries if entry.cost_usd > 0.0]


def _entry(agent: int, kind: str, usd_per_hour: float, life_s: tuple[float, float], source: str) -> Entry:
    began_s, ended_s = life_s
    return Entry(
        run=0,
        agent=agent,
        cycle=-1,
        session=-1,
        turn=-1,
        kind=kind,
        started_s=began_s,
        duration_s=ended_s - began_s,
        queued_s=0.0,
        component="gpu" if kind == "reserved" else kind,
        cost_usd=usd_per_hour * (ended_s - began_s) / HOUR_S,
        source=source,
    )


def _draws(plan: Plan) -> Draws:
    return Draws(plan.options.seed, plan.options.luck)
