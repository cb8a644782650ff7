"""The HTML page: a projection, its scenario's text and the origin of every value, in one file."""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from simbudget import __version__
from simbudget.errors import visible
from simbudget.numbers import NOTHING, count, hours, percent, usd
from simbudget.projection.projection import Projection
from simbudget.projection.summary import Summary
from simbudget.projection.tables import limit_value, projection_tables, words
from simbudget.report.html.charts import Chart, charts
from simbudget.report.html.headline import headline
from simbudget.results import Number
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration
from simbudget.scenario.language.reading import Provenance

_HERE: Final = "simbudget.report.html"
_FONTS: Final = {
    "Report Sans": "inter-latin-wght-normal.woff2",
    "Report Serif": "source-serif-4-latin-wght-normal.woff2",
}
_SHOW: Final = {"usd": usd, "hours": hours, "percent": percent, "count": count}
_LINE: Final = re.compile(r".*:(\d+)")


@dataclass(frozen=True)
class Subject:
    """The content of a report."""

    projection: Projection
    provenance: tuple[Provenance, ...]
    text: str
    """The text of the scenario file."""
    file: str
    """The name of the scenario file."""
    command: str
    """The command that reproduces the report."""
    calibration: Calibration | None = None
    """The quantities learnt from logs."""


@dataclass(frozen=True)
class Assumption:
    """One value of the scenario, as displayed in the report."""

    name: str
    text: str
    kind: str
    source: str
    line: int | None
    """Line of the scenario's text that sets it, if there is one."""
    is_default: bool

    @classmethod
    def of(cls, row: Provenance) -> "Assumption":
        """Create it from the origin of a value."""
        found = _LINE.fullmatch(row.source)
        line = int(found.group(1)) if found else None
        return cls(row.name, row.text, row.kind, f"line {line}" if line else row.source, line, row.is_default)


def report_page(subject: Subject) -> str:
    """Return the report as HTML."""
    projection, summary = subject.projection, subject.projection.summary
    drawn = charts(projection)
    script, library = _read("page.js"), _read("vendor/echarts.min.js")
    data = _json({"charts": {chart.id: chart.spec for chart in drawn.values()}})
    encoded = subject.text.encode()
    page: str = _template().render(
        version=__version__,
        summary=summary,
        head=headline(projection),
        charts=drawn,
        tables=projection_tables(summary),
        notes=projection.notes,
        limits=[(index, limit, limit_value(limit)) for index, limit in enumerate(summary.limits)],
        assumptions=_blocks(map(Assumption.of, subject.provenance)),
        kinds=_kinds(subject.provenance),
        errors=_errors(summary),
        calibration=subject.calibration,
        learnt=_learnt(subject),
        text_lines=subject.text.splitlines(),
        file=subject.file,
        command=subject.command,
        sha256=hashlib.sha256(encoded).hexdigest(),
        fonts={name: b64encode(_bytes(f"vendor/{file}")).decode() for name, file in _FONTS.items()},
        style=_read("page.css"),
        script=script,
        library=library,
        script_hashes=[_csp_hash(library), _csp_hash(script)],
        data=data,
        summary_json=_json(projection.as_json()),
    )
    return page


def chart_cells(chart: Chart) -> list[list[tuple[Any, str]]]:
    """Return the rows of a chart's table: each value with its text."""
    shows = [_SHOW.get(chart.units[name]) for name in chart.data.columns]
    return [
        [
            (value, str(value).replace("_", " ") if show is None else show(float(value)))
            for value, show in zip(row, shows, strict=True)
        ]
        for row in chart.data.itertuples(index=False, name=None)
    ]


def _json(value: object) -> str:
    """Return JSON that is safe inside a script element, whatever it contains."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c").replace("&", "\\u0026")


def _csp_hash(script: str) -> str:
    """Return the source expression that allows a browser to run only this script (CSP level 3, section 6.7)."""
    return f"'sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _blocks(assumptions: Iterable[Assumption]) -> dict[str, list[Assumption]]:
    """Group the values by their block of the scenario."""
    blocks: dict[str, list[Assumption]] = {}
    for assumption in assumptions:
        blocks.setdefault(re.split(r"[.\[]", assumption.name)[0], []).append(assumption)
    return blocks


def _kinds(provenance: Iterable[Provenance]) -> dict[str, int]:
    """Return the number of values of each kind, of defaults, and in total."""
    rows = list(provenance)
    kinds = {kind: sum(row.kind == kind for row in rows) for kind in ("exact", "varies", "unknown", "both")}
    return kinds | {"defaults": sum(row.is_default for row in rows), "all": len(rows)}


def _learnt(subject: Subject) -> list[CalibratedQuantity]:
    """Return the calibrated quantities that the scenario still takes from its calibration."""
    learnt = subject.calibration.quantities if subject.calibration else {}
    used = {row.name for row in subject.provenance if row.source.startswith("calibration")}
    return [quantity for name, quantity in learnt.items() if name in used]


def _errors(summary: Summary) -> list[tuple[str, list[Number]]]:
    """Return the Monte-Carlo errors of the main figures; empty for a single replication."""
    if summary.replications == 1:
        return []
    named = {"spend": ("spend_usd", usd), "wall clock": ("wall_clock_hours", hours)}
    errors = summary.monte_carlo_error
    return [
        (
            name,
            [
                Number(show(value), value, f"monte_carlo_error.{key}.{statistic}")
                for statistic in ("p10", "p50", "p90", "mean")
                for value in (getattr(getattr(errors, key), statistic),)
            ],
        )
        for name, (key, show) in named.items()
    ]


def _bytes(name: str) -> bytes:
    return files(_HERE).joinpath(name).read_bytes()


@lru_cache(maxsize=8)
def _read(name: str) -> str:
    return _bytes(name).decode()


def _shown(value: Any) -> Any:
    """Return a value as displayed, with control characters of text from other sources made visible."""
    return visible(value) if type(value) is str else value


@lru_cache(maxsize=1)
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415  slow to import

    environment = Environment(
        loader=PackageLoader("simbudget.report", "html"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"chart_cells": chart_cells, "words": words, "NOTHING": NOTHING}
    return environment.get_template("page.html")
