"""`simbudget backtest`: how accurate forecasts would have been on runs whose outcome is known."""

from pathlib import Path

import click

from simbudget.cli.options import amount, show


@click.command("backtest")
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="LOG...")
@click.option(
    "--cut",
    default="20%",
    show_default=True,
    callback=amount("FRACTION", at_most=0.99),
    metavar="SHARE",
    help="Share of each run, or of the runs, taken as known.",
)
@click.option(
    "--by",
    type=click.Choice(["calls", "time", "unknown", "runs", "days"]),
    default="calls",
    show_default=True,
    help="Forecast the remaining run given its calls, its time or nothing; further runs; or the next days.",
)
@click.option(
    "--replications", type=click.IntRange(20), default=200, show_default=True, help="Draws per forecast."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Random seed.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for the picture and the cases."
)
@click.option("--columns", metavar="A=B,...", help="Column mapping for other tables; see `import`.")
@click.option("--json", "as_json", is_flag=True, help="Print only the scores, as JSON.")
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
    """Forecast outcomes that are already known, and score the forecasts.

    Each forecast is the one that `simbudget forecast` would have made from the beginning of the run and from other
    runs. It is compared with what happened, and with baselines: a straight line, a bootstrap of calls, and what other
    runs came to. Intervals are widened by the errors of forecasts of other runs; `raw` scores are those before
    widening. With `--by unknown`, runs are cut after 5, 10, 20, 40, 80 and 160 calls, since a share of them would tell
    how long they are. Campaigns of experiments are always cut by time.
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
