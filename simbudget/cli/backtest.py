"""`simbudget backtest`: how good projections would have been on runs whose end is known."""

from pathlib import Path

import click

from simbudget.cli.options import show


def _part(_: click.Context, __: click.Parameter, text: str) -> float:
    """Return `20%` or `0.2` as a number between 0 and 1."""
    try:
        part = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        part = 0.0
    if not 0.0 < part < 1.0:
        raise click.BadParameter(f"{text!r} is no part of a run; write such as 20%")
    return part


@click.command("backtest")
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="LOG...")
@click.option("--cut", default="20%", show_default=True, callback=_part, help="What is known of each run.")
@click.option(
    "--by",
    type=click.Choice(["calls", "time", "unknown", "runs", "days"]),
    default="calls",
    show_default=True,
    help="Forecast the remaining run with its calls, its time or nothing known; further runs; or the next days.",
)
@click.option(
    "--replications", type=click.IntRange(20), default=200, show_default=True, help="For each case."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Same seed, same result.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Write the picture and cases here."
)
@click.option("--columns", metavar="A=B,...", help="For other tables: which column is what; see `import`.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON, and nothing else.")
def backtest_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    logs: tuple[Path, ...],
    cut: float,
    by: str,
    replications: int,
    seed: int,
    out: Path | None,
    columns: str | None,
    as_json: bool,
) -> None:
    """Forecast what is known already: each run in the LOGs from its beginning, some runs from others, or days.

    Each forecast is the one that `simbudget forecast` makes, from the beginning of the run and from other runs, scored
    against what happened, beside a straight line and a bootstrap of calls. Intervals are stretched by what forecasts
    of other runs showed; `raw` are the scores before that. Campaigns of experiments are always cut by time.
    """
    from simbudget.forecast.backtest import Plan  # noqa: PLC0415
    from simbudget.forecast.scored import scored  # noqa: PLC0415
    from simbudget.forecast.track_record import past_cases  # noqa: PLC0415
    from simbudget.ledger.readers import column_map, read_logs  # noqa: PLC0415
    from simbudget.report.terminal import progress_bar, reading  # noqa: PLC0415

    with reading() as begins:
        ledger = read_logs(logs, column_map(columns), begins)
    with progress_bar(as_json) as progress:
        found = scored(ledger, Plan(cut, by, replications, seed, past=past_cases(by)), progress)
    show(found, as_json=as_json, out=out)
