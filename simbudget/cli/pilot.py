"""`simbudget pilot`: run a scenario for real, for a short time, and write a ledger to calibrate on."""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import click

from simbudget import interrupts
from simbudget.cli.options import ScenarioPath, amount, money


def _then(_: click.Context, __: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Split `calibrate,project` into its steps."""
    steps = tuple(step.strip() for step in (text or "").split(",") if step.strip())
    unknown = [step for step in steps if step not in ("calibrate", "project")]
    if unknown or (steps and steps[0] != "calibrate"):
        raise click.BadParameter(f"{text!r} is not known; write calibrate, or calibrate,project")
    return steps


@click.command("pilot")
@click.argument("scenario", type=ScenarioPath())
@click.option(
    "--for",
    "lasts_s",
    callback=amount("DURATION"),
    metavar="TIME",
    default="5min",
    show_default=True,
    help="Maximum duration (real time).",
)
@click.option(
    "--budget",
    callback=money,
    metavar="$",
    default="$5",
    show_default=True,
    help="Maximum total cost of model calls.",
)
@click.option("--agents", type=int, help="Number of agents.  [default: as in the scenario]")
@click.option("--live", is_flag=True, help="Use the real API, with ANTHROPIC_API_KEY. Costs real money.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("pilot"),
    show_default=True,
    help="Folder for the ledger, sandboxes and logs.",
)
@click.option(
    "--task", default="weak-to-strong", show_default=True, help="Built-in task, FILE.yaml, or module:Class."
)
@click.option(
    "--time-scale",
    type=float,
    help="Speed-up of the local run: at 60 a minute stands for an hour.  [default: 60]",
)
@click.option(
    "--slots", type=int, help="Experiments in parallel.  [default: the scenario's GPUs, at most your cores]"
)
@click.option(
    "--hacks",
    callback=amount("FRACTION", may_be_zero=True, at_most=1.0),
    metavar="SHARE",
    help="Rate at which the local researcher cheats.  [default: the scenario's]",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the local system's unknowns.")
@click.option(
    "--luck", type=int, default=0, show_default=True, help="Repeat the same system with other random draws."
)
@click.option("--resume", is_flag=True, help="Continue the pilot in --out.")
@click.option(
    "--then", callback=_then, metavar="STEPS", help="Afterwards run calibrate, or calibrate,project."
)
@click.option("--json", "as_json", is_flag=True, help="Print only the summary, as JSON.")
@click.option("--quiet", is_flag=True, help="Print only the answer.")
@click.pass_context
def pilot_command(
    context: click.Context, /, then: tuple[str, ...], as_json: bool, quiet: bool, **options: Any
) -> None:
    """Run SCENARIO for real, for a short time, and write a ledger to calibrate on.

    Without --live, the model is a program on a local server that speaks the same protocol; agents, sandboxes,
    training, scorer and ledger are real. Ctrl-C shuts it down cleanly (a second one at once); --resume continues it.

    Example: simbudget pilot scenario.yaml --for 5min --budget '$5' --agents 3
    """
    from simbudget.pilot.run.pilot import prepare, run_pilot  # noqa: PLC0415
    from simbudget.pilot.run.plan import Options  # noqa: PLC0415
    from simbudget.pilot.run.runner import INTERRUPTED  # noqa: PLC0415
    from simbudget.report.pilot_view import (  # noqa: PLC0415
        live_view,
        next_step,
        pilot_answer,
        pilot_tables,
        reconciliation_line,
    )
    from simbudget.report.terminal import standard_output  # noqa: PLC0415

    options["budget_usd"], options["hack_rate"] = options.pop("budget"), options.pop("hacks")
    prepared = prepare(Options(**options))
    with live_view(quiet or as_json) as show:
        summary = run_pilot(prepared, show)
    if as_json:
        click.echo(json.dumps(summary, indent=2, allow_nan=False))
    else:
        console = standard_output()
        console.print(pilot_answer(summary), highlight=False, soft_wrap=True)
        if not quiet:
            for table in pilot_tables(summary):
                console.print(table, highlight=False)
            for note in summary["notes"]:
                console.print(f"Note: {note}.", highlight=False)
        console.print(reconciliation_line(summary), highlight=False, soft_wrap=True)
        console.print(f"Ledger: {summary['ledger']}", highlight=False, soft_wrap=True)
        if not then:
            console.print(next_step(summary, options["scenario"]), highlight=False, soft_wrap=True)
    if then and summary["model_calls"] and summary["ended_because"] != INTERRUPTED:
        _go_on(context, then, options["scenario"], Path(summary["ledger"]), as_json or quiet)
    if summary["ended_because"] == INTERRUPTED:
        sys.exit(interrupts.STATUS)


def _go_on(context: click.Context, then: tuple[str, ...], scenario: Path, ledger: Path, quiet: bool) -> None:
    """Calibrate the scenario on the ledger and optionally project it, as the commands of those names do."""
    from simbudget.cli.calibrate import calibrate_command  # noqa: PLC0415
    from simbudget.cli.project import project_command  # noqa: PLC0415

    new = ledger.parent / "calibrated.yaml"
    with redirect_stdout(sys.stderr if quiet else sys.stdout):
        context.invoke(
            calibrate_command,
            **{
                "scenario": scenario,
                "logs": (ledger,),
                "output": new,
                "keep": (),
                "seed": 1,
                "no_check": quiet,
            },
        )
        if "project" in then:
            context.invoke(
                project_command,
                **dict.fromkeys(("replications", "worlds", "precision", "workers", "on")),
                **{"file": new, "seed": 1, "engine": "compiled", "as_json": False, "quiet": quiet},
                out=ledger.parent / "projection",
            )
