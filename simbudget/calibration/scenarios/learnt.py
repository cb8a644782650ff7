"""The result of a calibration: quantities before and after with evidence, totals, and predictive checks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from simbudget.calibration.scenarios.calibrate import Absent, Calibrated
from simbudget.calibration.scenarios.changes import Change
from simbudget.calibration.scenarios.checks import Check
from simbudget.numbers import count, hours, rounded, usd
from simbudget.projection.run import Options, project
from simbudget.projection.statistics import Spread
from simbudget.projection.summary import Summary
from simbudget.results import Picture, Result, Table, as_plain

_REPLICATIONS: Final = 100
"""Replications of the projections before and after, enough to show the effect on the totals."""

_TOTALS: Final[tuple[tuple[str, str, Callable[[float | None], str]], ...]] = (
    ("spend", "spend_usd", usd),
    ("wall clock", "wall_clock_hours", hours),
    ("model calls", "model_calls", count),
    ("experiments", "experiments", count),
    ("cycles", "cycles", count),
)


@dataclass(frozen=True)
class Learnt(Result):
    """Learnt and assumed quantities of a scenario."""

    calibrated: Calibrated
    checks: tuple[Check, ...]
    """Predictive checks on the runs used for calibration; empty if not requested."""
    before: Summary
    """The projection before calibration."""
    after: Summary
    """The projection after calibration."""
    notes: tuple[str, ...] = ()

    json_name = "calibration.json"

    def answer(self) -> str:
        """Return the number of learnt quantities and the effect on spend."""
        changes = self.calibrated.changes
        spends = (
            f"{usd(s.spend_usd.p50)} ({_interval(s.spend_usd, usd)})" for s in (self.before, self.after)
        )
        return f"Learnt {len(changes)} quantities; the projected spend goes from {' to '.join(spends)}."

    def as_json(self) -> dict[str, Any]:
        """Return each quantity before and after, the totals, and the checks."""
        return {
            "changes": [
                {
                    "name": change.name,
                    "before": change.before,
                    "after": change.after,
                    "family": change.family,
                    "evidence": as_plain(change.evidence),
                }
                for change in self.calibrated.changes
            ],
            "before": {name: as_plain(getattr(self.before, name)) for _, name, _ in _TOTALS},
            "after": {name: as_plain(getattr(self.after, name)) for _, name, _ in _TOTALS},
            "checks": [
                {"label": check.label, "mean_ratio": check.mean_ratio, "says": check.words}
                for check in self.checks
            ],
            "notes": list(self.notes),
        }

    def tables(self) -> list[Table]:
        """Return before and after side by side, the totals, and observed beside simulated."""
        tables = [_changes(self.calibrated.changes), _totals(self.before, self.after)]
        return [*tables, _checks(self.checks)] if self.checks else tables

    def figures(self) -> dict[str, Picture]:
        """Return before and after and, if there were checks, observed beside simulated distributions."""
        from simbudget.calibration import figures as drawn  # noqa: PLC0415  matplotlib is slow to import

        figures = {"before_after": Picture("Before and after", partial(drawn.before_after, self.calibrated))}
        if self.checks:
            draw = partial(drawn.predictive_check, self.checks)
            figures["predictive_check"] = Picture("Simulating what was calibrated on", draw)
        return figures


def learnt(calibrated: Calibrated, checks: Sequence[Check], options: Options | None = None) -> Learnt:
    """Return the result of a calibration, with projections before and after it made with `options`.

    Args:
        calibrated: the calibrated scenario.
        checks: its checks; empty if there were none.
        options: how to project; the number of replications is set here.
    """
    options = replace(options or Options(), replications=_REPLICATIONS)
    before, after = (project(s.scenario, options).summary for s in (calibrated.before, calibrated.after))
    notes = list(calibrated.notes)
    notes += [_absent(absent, after) for absent in calibrated.absent]
    notes += [f"left as it was: {words}" for words in calibrated.left]
    notes += [f"{check.label}: {check.words}" for check in checks if check.words]
    return Learnt(calibrated, tuple(checks), before, after, tuple(notes))


def _absent(absent: Absent, after: Summary) -> str:
    """Return the parts that the logs lack, with their cost."""
    spend = None if absent.component is None else after.spend_by_component_usd[absent.component]
    amount = "" if spend is None else f", {usd(spend.mean)} of {usd(after.spend_usd.mean)} on average,"
    verb = "is" if absent.who in ("scorer", "forum") else "are"
    return (
        f"the scenario's {absent.who}{amount} {verb} not in these logs and stay as assumed; {absent.remedy}"
    )


def _changes(changes: Sequence[Change]) -> Table:
    rows = [
        (change.name, change.before, change.after, change.family, _evidence(change)) for change in changes
    ]
    columns = ("quantity", "before", "after", "family", "evidence")
    return Table("Before and after", columns, rows, words=(0, 1, 2, 3, 4))


def _evidence(change: Change) -> str:
    evidence = str(change.evidence).removeprefix("calibration (").removesuffix(")")
    censored = f"; {change.evidence.censored:,} censored" if change.evidence.censored else ""
    remark = f"; {change.evidence.remark}" if change.evidence.remark else ""
    return f"{evidence}{censored}{remark}"


def _totals(before: Summary, after: Summary) -> Table:
    def cells(figure: Spread, show: Callable[[float | None], str]) -> tuple[str, str]:
        return show(figure.p50), _interval(figure, show)

    rows = [
        (label, *cells(getattr(before, name), show), *cells(getattr(after, name), show))
        for label, name, show in _TOTALS
    ]
    return Table("Projected, before and after", ("", "before", "(80 %)", "after", "(80 %)"), rows)


def _interval(figure: Spread, show: Callable[[float | None], str]) -> str:
    return f"{show(figure.p10)} – {show(figure.p90)}"


def _checks(checks: Sequence[Check]) -> Table:
    rows = []
    for check in checks:
        observed, simulated = check.quantiles()
        several = len(check.observed) > 1
        shown = observed if several else observed[:1]
        rows.append(
            (
                check.label,
                ", ".join(rounded(float(value)) for value in shown),
                ", ".join(rounded(float(value)) for value in simulated),
                f"× {check.mean_ratio:.2f}",
                f"{check.distance:.2f}" if several else "",
            )
        )
    columns = ("", "observed p10, p50, p90", "simulated", "mean", "distance")
    return Table("Simulating what was calibrated on", columns, rows)
