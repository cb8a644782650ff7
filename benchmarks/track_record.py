"""The track record: backtests on logs of real runs, as the docs show them; new backtests learn from them.

`python benchmarks/track_record.py [--data FOLDER] --write`, or `make backtest`. The data are folders of logs, named
after their projects (see docs/track-record.md). The models were built on the projects of BUILT_ON; those of HELD_OUT
were not looked at, and their forecasts are stretched by what the others showed only.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from simbudget.drawing import write_picture
from simbudget.errors import UserError
from simbudget.forecast.backtest import BY, Backtest, Plan, calibrated, forecasts_of, summary
from simbudget.forecast.cases import Case
from simbudget.forecast.conformal import PastCase, position
from simbudget.forecast.figures import reliability
from simbudget.forecast.scored import positions_of
from simbudget.forecast.track_record import CAMPAIGN_QUANTITIES
from simbudget.ledger.readers import read_logs
from simbudget.report.track_record_page import page

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data" / "raw"
RECORD = ROOT / "simbudget" / "forecast" / "track_record.json"
DOCS = ROOT / "docs"

BUILT_ON = (
    "entireio-cli",
    "nimbus-opencode",
    "dhruv-parameter-golf-pi",
    "elixir-sft",
    "pi-autoresearch",
    "results-tsv",
    "hilo-parameter-golf",
    "auto-research-recipes",
)
HELD_OUT = (
    "open-hai",
    "agentv-codex",
    "agentv-claude",
    "pup-mcp",
    "superpowers-f4",
    "blackgirlbytes-token-costs",
)
CAMPAIGNS = ("auto-research-recipes", "pi-autoresearch", "results-tsv", "hilo-parameter-golf")
CUT = 0.2
MOST_CASES = {"calls": 250, "time": 250, "unknown": 80, "runs": 75, "days": 60}
"""So many sessions of a project are projected, evenly taken: they say enough."""
SHIPPED = 40
"""So many cases of a project and quantity ship with the product."""


def main() -> None:
    """Measure, and print or write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--write", action="store_true", help="write the docs and the record")
    parser.add_argument("--replications", type=int, default=150)
    arguments = parser.parse_args()
    if not arguments.data.is_dir():
        sys.exit(f"{arguments.data}: no such folder; name the logs' folder with --data")
    record: dict[str, Any] = {"cut": CUT, "replications": arguments.replications, "scores": {}, "cases": {}}
    pictures = {}
    for by in BY:
        built = list(_forecasts(arguments.data, BUILT_ON, by, arguments.replications))
        held = list(_forecasts(arguments.data, HELD_OUT, by, arguments.replications))
        found = {"built on": calibrated(built, {}), "held out": _by_past_only(held, _past(built))}
        record["scores"][by] = {
            name: summary(backtest, lambda forecast: forecast.project.partition("/")[0])
            | {"all": summary(backtest, lambda _: "all").get("all", {})}
            for name, backtest in found.items()
        }
        record["cases"][by] = _shipped([*built, *held])
        pictures[by] = found
    if not arguments.write:
        print(json.dumps(record["scores"], indent=2))
        return
    RECORD.write_text(json.dumps(record, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")
    DOCS.mkdir(exist_ok=True)
    for by, found in pictures.items():
        for name, backtest in found.items():
            if backtest.forecasts:
                title = f"{name}, by {by}: {len(backtest.forecasts):,} cases"
                file = f"track-record-{by}-{name.replace(' ', '-')}"
                write_picture(*reliability(positions_of(backtest), title), DOCS, file)
    (DOCS / "track-record.md").write_text(page(record), encoding="utf-8")


def _forecasts(data: Path, projects: Sequence[str], by: str, replications: int) -> Iterator[Case]:
    """Yield the forecasts of each project's logs, as a user with these logs makes them; campaigns learn of others."""
    fleets = [
        data / name for name in projects if name in CAMPAIGNS and (data / name).exists() and by == "time"
    ]
    groups = [[data / name] for name in projects if name not in CAMPAIGNS and (data / name).exists()]
    for paths in [*groups, *([fleets] if fleets else [])]:
        try:
            ledger = read_logs(paths)
        except UserError as error:
            print(f"{paths}: {error}", file=sys.stderr)
            continue
        print(by, [path.name for path in paths], file=sys.stderr, flush=True)
        try:
            found = forecasts_of(ledger, Plan(CUT, by, replications, most_cases=MOST_CASES[by]))
            yield from (f for f in found if by == "time" or f.quantity not in CAMPAIGN_QUANTITIES)
        except UserError as error:
            print(f"{paths}: {error}", file=sys.stderr)


def _past(forecasts: Sequence[Case]) -> dict[str, list[PastCase]]:
    past: dict[str, list[PastCase]] = {}
    for forecast in forecasts:
        case = PastCase(forecast.project, f"{forecast.project}/{forecast.run}", position(forecast))
        past.setdefault(forecast.quantity, []).append(case)
    return past


def _by_past_only(forecasts: Sequence[Case], past: dict[str, list[PastCase]]) -> Backtest:
    """Return forecasts stretched by other projects' cases only: each as if it were the first of its project."""
    found = Backtest([], [], [])
    for quantity in dict.fromkeys(forecast.quantity for forecast in forecasts):
        for forecast in (f for f in forecasts if f.quantity == quantity):
            alone = calibrated([forecast], past)
            found.forecasts.extend(alone.forecasts)
            found.raw.extend(alone.raw)
            found.stretches.extend(alone.stretches)
    return found


def _shipped(forecasts: Sequence[Case]) -> dict[str, list[list[Any]]]:
    """Return the cases that new backtests learn from: project, run and position, evenly taken."""
    shipped: dict[str, list[list[Any]]] = {}
    for quantity, cases in _past(forecasts).items():
        for project in dict.fromkeys(case.project for case in cases):
            mine = [case for case in cases if case.project == project]
            stride = max(1, len(mine) // SHIPPED)
            rows = [[project, f"{project}/{k}", round(case.position, 3)] for k, case in enumerate(mine)]
            shipped.setdefault(quantity, []).extend(rows[::stride])
    return shipped


if __name__ == "__main__":
    main()
