"""What a person sees of the planning of a pilot: which to run, and what each would tell."""

from collections.abc import Iterator
from typing import Final

from rich.table import Table

from simbudget.deciding.pilots import WORTHWHILE, Pilot, PilotPlan, for_spend
from simbudget.numbers import hours, percent, usd
from simbudget.report.comparison import plan_table

_ROUNDING: Final = 1e-9


def pilots_answer(found: PilotPlan) -> str:
    """Return the answer: the pilot to run, or why none."""
    best = found.recommended
    if best is not None:
        gain = ""
        if best.net_usd is not None and best.information is not None:
            gain = f"; for the decision it is worth {usd(best.information.usd)}, {usd(best.net_usd)} more than it costs"
        return (
            f"Run {_name(best)} for about {usd(best.cost_usd)}: it is expected to make the projected spend "
            f"{percent(best.promised)} narrower{_how_known(best)} (all that could be known: {percent(found.most)})"
            f"{gain}."
        )
    if found.worth_usd is not None:
        narrowest = for_spend(found.pilots)
        alone = (
            "To project the spend alone, none would do much either."
            if narrowest is None
            else f"To project the spend alone, {_name(narrowest)} would make it {percent(narrowest.promised)} narrower"
            f"{_how_known(narrowest)} for {usd(narrowest.cost_usd)}."
        )
        return (
            f"No pilot pays for the decision between {', '.join(found.plans)}, a result being worth "
            f"{usd(found.worth_usd)}: what it shows would not change it by enough. {alone}"
        )
    if found.spread_usd <= _ROUNDING * max(pilot.cost_usd for pilot in found.pilots):
        return "No pilot is needed: nothing of the spend is unknown or left to chance."
    if any(pilot.rehearsed is not None for pilot in found.pilots):
        return (
            f"No pilot is worth its price: none that was rehearsed made the projected spend {percent(WORTHWHILE)} "
            "narrower: what `calibrate` learns from so little is no surer than the scenario's own ranges."
        )
    return (
        f"No pilot is worth its price: none would make the projected spend {percent(WORTHWHILE)} narrower; "
        f"{percent(1 - found.most)} of its spread is luck that no evidence removes."
    )


def _how_known(pilot: Pilot) -> str:
    return "" if pilot.rehearsed is None else ", as rehearsed"


def _name(pilot: Pilot) -> str:
    return f"{pilot.agents} agent{'s' if pilot.agents > 1 else ''} for {hours(pilot.hours)}"


def pilot_tables(found: PilotPlan) -> Iterator[Table]:
    """Yield the table of pilots."""
    decides = found.worth_usd is not None
    table = plan_table(f"What pilots would tell ({found.worlds:,} worlds)", "pilot")
    for column in (
        "costs",
        "spend narrower by",
        *(("rehearsed",) if found.rehearsals else ()),
        "for each $100",
        *(("results explained", "worth") if decides else ()),
    ):
        table.add_column(column, justify="right", overflow="fold")
    for pilot in found.pilots:
        rehearsed = "–" if pilot.rehearsed is None else percent(pilot.rehearsed)
        cells = [
            usd(pilot.cost_usd),
            percent(pilot.narrowing),
            *((rehearsed,) if found.rehearsals else ()),
            percent(pilot.narrowing_per_100_usd),
        ]
        if decides and pilot.information is not None:
            cells += [percent(pilot.results_explained), usd(pilot.information.usd)]
        table.add_row(_name(pilot), *cells)
    table.caption = f"spread of the spend now: {usd(found.spread_usd)} (standard deviation)"
    if any(pilot.rehearsed is not None for pilot in found.pilots):
        table.caption += f"; rehearsed in {found.rehearsals} worlds, but for pilots dearer than needed"
    table.caption_justify = "left"
    yield table
