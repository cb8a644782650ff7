"""Tables of a calibration: before and after side by side with the evidence, totals, and predictive checks."""

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from simbudget.calibration.scenarios.calibrate import Change
from simbudget.calibration.scenarios.checks import Check
from simbudget.numbers import count, hours, rounded, usd
from simbudget.projection.statistics import Spread
from simbudget.projection.summary import Summary


def change_table(changes: Sequence[Change]) -> Table:
    """Return what was assumed and what was learnt, and from what."""
    table = _table("Before and after")
    for heading in ("quantity", "before", "after", "family", "evidence"):
        table.add_column(heading, overflow="fold")
    for change in changes:
        evidence = str(change.evidence).removeprefix("calibration (").removesuffix(")")
        censored = f"; {change.evidence.censored:,} censored" if change.evidence.censored else ""
        remark = f"; {change.evidence.remark}" if change.evidence.remark else ""
        cells = (change.name, change.before, change.after, change.family, f"{evidence}{censored}{remark}")
        table.add_row(*map(escape, cells))
    return table


def totals_table(before: Summary, after: Summary) -> Table:
    """Return the projection of the scenario as it was assumed, and calibrated."""
    table = _table("Projected, before and after")
    for heading in ("", "before", "(80 %)", "after", "(80 %)"):
        table.add_column(heading, justify="left" if not heading else "right")
    rows = (
        ("spend", "spend_usd", usd),
        ("wall clock", "wall_clock_hours", hours),
        ("model calls", "model_calls", count),
        ("experiments", "experiments", count),
        ("cycles", "cycles", count),
    )
    for label, name, show in rows:
        table.add_row(label, *_cells(getattr(before, name), show), *_cells(getattr(after, name), show))
    return table


def _cells(figure: Spread, show: Any) -> tuple[str, str]:
    return show(figure.p50), f"{show(figure.p10)} – {show(figure.p90)}"


def check_table(checks: Sequence[Check]) -> Table:
    """Return observed beside simulated quantiles."""
    table = _table("Simulating what was calibrated on")
    for heading in ("", "observed p10, p50, p90", "simulated", "mean", "distance"):
        table.add_column(heading, justify="left" if not heading else "right")
    for check in checks:
        observed, simulated = check.quantiles()
        if len(check.observed) == 1:
            observed = observed[:1]
        table.add_row(
            escape(check.label),
            ", ".join(rounded(float(value)) for value in observed),
            ", ".join(rounded(float(value)) for value in simulated),
            f"× {check.mean_ratio:.2f}",
            f"{check.distance:.2f}" if len(check.observed) > 1 else "",
        )
    return table


def _table(title: str) -> Table:
    return Table(title=title, box=SIMPLE_HEAD, title_justify="left", title_style="bold", padding=(0, 1, 0, 0))
