"""`simbudget watch`: re-project a run in progress from its current state."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from simbudget.cli.options import (
    LIMIT_NOT_MET,
    ScenarioPath,
    amount,
    cores_options,
    money,
    show,
)


@click.command("watch")
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="LOG...")
@click.option(
    "--scenario",
    type=ScenarioPath(),
    help="The plan of the run.  [default: none; forecast from the logs alone]",
)
@click.option("--budget", callback=money, metavar="$", help="Without a scenario: budget for the whole run.")
@click.option("--model", default="", help="Without a scenario: model of calls whose logs name none.")
@click.option("--follow", is_flag=True, help="Update repeatedly, until the planned end or Ctrl-C.")
@click.option(
    "--interval",
    callback=amount("DURATION"),
    metavar="TIME",
    default="30 s",
    show_default=True,
    help="Time between updates.",
)
@click.option(
    "--elapsed",
    callback=amount("DURATION"),
    metavar="TIME",
    help="Time since the run began.  [default: end of its last entry]",
)
@click.option("--worth", callback=amount("MONEY"), metavar="$", help="Value of a transferable result.")
@click.option(
    "--sure",
    callback=amount("FRACTION"),
    metavar="SHARE",
    default="80%",
    show_default=True,
    help="Required probability of staying within budget to be on track.",
)
@click.option(
    "--runs",
    type=click.IntRange(50, 10_000),
    default=600,
    show_default=True,
    help="Number of simulated runs.",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Random seed.")
@cores_options
@click.option("--json", "as_json", is_flag=True, help="Print only JSON; with --follow, one line per update.")
def watch_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    logs: tuple[Path, ...],
    scenario: Path | None,
    budget: float | None,
    model: str,
    follow: bool,
    interval: float,
    elapsed: float | None,
    worth: float | None,
    sure: float,
    runs: int,
    seed: int,
    workers: int | None,
    on: str | None,
    as_json: bool,
) -> None:
    """Report whether the run recorded in LOG is on track, and project its final cost and results.

    LOG is a simbudget ledger (Parquet, CSV, a pilot's store) or any log that `simbudget import` reads. Past spend is
    taken from it, observations so far update the unknown quantities, and the remaining run is projected anew.
    Without a scenario, shows what `simbudget forecast` shows.

    Exit status 1: a limit of the scenario is not met, or staying within budget is less likely than --sure; without a
    budget, the spend is above the interval that was projected before the run.

    Example: simbudget watch pilot/ledger.sqlite --scenario scenario.yaml --worth '$50,000'
    """
    if scenario is None:
        _require_scenario_for("worth", "elapsed", "sure", "runs")
        from simbudget.forecast.forecast import Asked  # noqa: PLC0415

        _watch_logs(logs, model, Asked(budget_usd=budget, seed=seed), interval if follow else None, as_json)
        return
    if model:
        raise click.UsageError("--model cannot be combined with --scenario, which names the models itself")
    if budget is not None:
        raise click.UsageError(
            "--budget cannot be combined with --scenario, which sets the budget itself: `stop.budget`"
        )
    from simbudget.forecast.following import Look, looks  # noqa: PLC0415
    from simbudget.forecast.watch import Watching  # noqa: PLC0415
    from simbudget.report.terminal import live_view, progress_bar  # noqa: PLC0415
    from simbudget.scenario.loading import load_scenario  # noqa: PLC0415

    look = Look(load_scenario(scenario), logs, elapsed, Watching(runs, seed, sure, worth, workers, on))
    if not follow:
        with progress_bar(as_json) as progress:
            outlook = look.now(progress)
        show(outlook, as_json=as_json)
        return
    if as_json:
        for outlook in looks(look, interval):
            click.echo(json.dumps(outlook.as_json(), allow_nan=False))
    else:
        outlook = live_view(looks(look, interval))
    if not outlook.is_on_track:
        sys.exit(LIMIT_NOT_MET)


def _require_scenario_for(*options: str) -> None:
    """Raise click.UsageError if an option was given that has no meaning without a scenario."""
    context = click.get_current_context()
    for option in options:
        if context.get_parameter_source(option) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{option} needs a plan to compare with: add --scenario SCENARIO")


def _watch_logs(
    logs: tuple[Path, ...], model: str, asked: Any, interval_s: float | None, as_json: bool
) -> None:
    """Show the forecast of the sessions in progress: once, or after every change of a log until Ctrl-C."""
    from simbudget.forecast.following import state_of  # noqa: PLC0415
    from simbudget.forecast.forecast import forecast  # noqa: PLC0415
    from simbudget.ledger.readers import Assumed, read_logs  # noqa: PLC0415

    before = None
    while True:
        state = state_of(logs)
        if state != before:
            show(forecast(read_logs(logs, assumed=Assumed(model)), asked), as_json=as_json)
        if interval_s is None:
            return
        before = state
        time.sleep(interval_s)
