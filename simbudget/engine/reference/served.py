"""Models served on the fleet's own GPUs, which their replicas hold from the start of a run to its end."""

from simbudget.engine.program import ServedRow
from simbudget.engine.reference.accounts import Meter
from simbudget.engine.reference.site import GPU, Site
from simbudget.ledger.entry import FLEET


def begin_serving(site: Site) -> None:
    """Let the GPUs of all served models begin to cost, where a pool is paid by use."""
    for served in site.program.served:
        if (meter := _meter(site, served)) is not None:
            meter.start(0, served.gpus)


def end_serving(site: Site) -> None:
    """Count and pay what the served models have held until now."""
    now_ns = site.clock.now
    for served in site.program.served:
        site.tally.gpu_ns[served.pool] += float(served.gpus) * float(now_ns)
        columns = {"model": site.program.models[served.model], "gpus": served.gpus}
        if (meter := _meter(site, served)) is not None:
            cost_usd = meter.stop(0, now_ns, served.gpus)
            site.accounts.pay_for_time(GPU, cost_usd, 0, now_ns)
            columns |= {"component": "gpu", "cost_usd": cost_usd}
        site.record.add(FLEET, "served", 0, now_ns, columns)


def _meter(site: Site, served: ServedRow) -> Meter | None:
    """Return the meter of a served model's pool; None if the pool is paid whatever it is used for."""
    return site.gpu_meters[served.pool] if site.program.pools[served.pool].is_metered else None
