"""`simbudget forecast`: forecast future spend from logs alone."""

from pathlib import Path
from typing import Any

import click

from simbudget.cli.options import amount, money, show


def _days_until(ledger: Any, date: Any) -> float:
    """Return the number of days from the last entry of the logs to the end of a date."""
    import pandas as pd  # noqa: PLC0415

    from simbudget.errors import Problem, UserError  # noqa: PLC0415

    ends = ledger.runs["ended_at"].dropna()
    if ends.empty:
        raise UserError(
            Problem("these logs have no dates, so --until cannot be counted from them", remedy="write --days")
        )
    last = ends.max().floor("D")
    days = (pd.Timestamp(date, tz="UTC") - last) / pd.Timedelta(days=1)
    if days < 1:
        raise UserError(
            Problem(f"--until {date.date()}: the logs end on {last.date()}", remedy="write a later date")
        )
    return float(days)


@click.command("forecast")
@click.argument("logs", nargs=-1, type=click.Path(path_type=Path), metavar="LOG...")
@click.option("--calls", type=click.IntRange(1), help="Each session in progress makes this many more calls.")
@click.option(
    "--for",
    "seconds",
    callback=amount("DURATION"),
    metavar="TIME",
    help="Sessions continue for this long: 2h, 90 min.",
)
@click.option("--runs", type=click.IntRange(1, 1_000_000), help="Forecast this many further runs.")
@click.option("--days", type=click.IntRange(1, 3650), help="Forecast spend over this many days.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Forecast spend up to this date.")
@click.option("--run", help="Prefix of the session to forecast.  [default: all in progress]")
@click.option(
    "--like", metavar="PROFILE", help="Without logs: forecast runs like those of a reference profile."
)
@click.option("--phases", metavar="A,B,...", help="With --like: the phases that each run goes through.")
@click.option(
    "--model", help="Model of calls whose logs name none; with --like: the model that the runs use."
)
@click.option("--budget", callback=money, metavar="$", help="Report the probability of staying within this.")
@click.option("--history", multiple=True, type=click.Path(path_type=Path), help="Further logs to learn from.")
@click.option("--columns", metavar="A=B,...", help="Column mapping for other tables; see `import`.")
@click.option(
    "--draws",
    type=click.IntRange(50, 100_000),
    default=1000,
    show_default=True,
    help="Number of simulated futures.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Random seed.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for the result.")
@click.option("--json", "as_json", is_flag=True, help="Print only JSON.")
@click.option("--quiet", is_flag=True, help="Print only the answer.")
def forecast_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    logs: tuple[Path, ...],
    calls: int | None,
    seconds: float | None,
    runs: int | None,
    days: int | None,
    until: Any,
    run: str | None,
    like: str | None,
    phases: str | None,
    model: str | None,
    budget: float | None,
    history: tuple[Path, ...],
    columns: str | None,
    draws: int,
    seed: int,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Forecast future spend from the LOGs alone; no scenario is needed.

    By default, forecasts the sessions in progress (last entry within an hour of the newest one) to their end, however
    far off that is. `simbudget backtest` shows how accurate such forecasts have been on the same logs.

    \b
    Examples:
      simbudget forecast ~/.claude/projects --for 2h --budget '$500'
      simbudget forecast ~/.claude/projects --days 30
      simbudget forecast logs/ --runs 20
      simbudget forecast --like research-agents --runs 40 --phases resource_finder,execution
    """  # noqa: D301  click looks for the character itself
    given = [name for name, value in _given(calls, seconds, runs, days, until).items() if value is not None]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} exclude each other; give only one of them")

    if like is not None:
        from simbudget.forecast.forecast import forecast_like  # noqa: PLC0415

        if logs or calls or seconds or days or until:
            raise click.UsageError(
                "--like needs no logs, and only combines with --runs, --phases, --model and --budget"
            )
        wanted = [phase.strip() for phase in phases.split(",") if phase.strip()] if phases else []
        show(
            forecast_like(like, runs or 1, wanted, model, budget, seed),
            as_json=as_json,
            quiet=quiet,
            out=out,
        )
        return
    if not logs:
        raise click.UsageError("give a LOG or a folder of logs, or a profile with --like")
    if phases:
        raise click.UsageError("--phases needs --like")
    from simbudget.forecast.forecast import Asked, forecast  # noqa: PLC0415
    from simbudget.ledger.readers import Assumed, column_map, read_logs  # noqa: PLC0415
    from simbudget.report.terminal import progress_bar, reading  # noqa: PLC0415

    with reading() as begins:
        assumed = Assumed(model or "")
        ledger = read_logs(logs, column_map(columns), begins, assumed)
        before = read_logs(history, column_map(columns), begins, assumed) if history else None
    of_days = _days_until(ledger, until) if until is not None else days
    asked = Asked(calls, seconds, runs, of_days, run, budget, draws, seed)
    with progress_bar(quiet or as_json) as progress:
        found = forecast(ledger, asked, progress, before)
    show(found, as_json=as_json, quiet=quiet, out=out)


def _given(
    calls: int | None, seconds: float | None, runs: int | None, days: int | None, until: Any
) -> dict[str, Any]:
    return {"--calls": calls, "--for": seconds, "--runs": runs, "--days": days, "--until": until}
