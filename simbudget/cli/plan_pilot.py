"""`simbudget plan-pilot`: find the short real run that would narrow the projection most per dollar."""

from pathlib import Path
from typing import Any

import click

from simbudget.cli.options import View, file_argument, money, sample_options


def _numbers(_: click.Context, __: click.Parameter, text: str | None) -> tuple[float, ...]:
    """Parse numbers such as `1,4,12`."""
    try:
        numbers = tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list of numbers; write for example 1,4,12") from None
    if any(not 0.0 < number < 1e6 for number in numbers):
        raise click.BadParameter("numbers have to be above 0 and below a million")
    return numbers


@click.command("plan-pilot")
@file_argument
@click.option(
    "--hours",
    callback=_numbers,
    metavar="N,...",
    help="Pilot lengths to consider.  [default: 1,3,10, at most half of the run]",
)
@click.option(
    "--agents",
    callback=_numbers,
    metavar="N,...",
    help="Pilot sizes.  [default: a third of the agents, and all]",
)
@click.option(
    "--worth", callback=money, metavar="$", help="Value of a transferable result.  [default: what one costs]"
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE[,VALUE...]",
    help="Alternative plans to decide between.",
)
@click.option(
    "--rehearsals",
    type=click.IntRange(0, 200),
    default=8,
    show_default=True,
    help="Worlds in which pilots are rehearsed and calibrated on; 0 uses only their simulated records.",
)
@sample_options(600)
def plan_pilot_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    file: Path,
    hours: tuple[float, ...],
    agents: tuple[float, ...],
    worth: float | None,
    settings: tuple[str, ...],
    rehearsals: int,
    sample: dict[str, Any],
    view: View,
) -> None:
    """Find the short pilot of the scenario FILE to run first, or report that none would change the decision.

    \b
    Examples:
      simbudget plan-pilot scenario.yaml --hours 1,4,12 --agents 1,9
      simbudget plan-pilot scenario.yaml --worth '$50000' --set agents=4

    Pilots are simulated alongside the whole run in the same worlds, and end before any gate. The cheapest ones are
    rehearsed: simulated, calibrated on as by `calibrate`, and followed by a new projection of the run.
    """  # noqa: D301  click looks for the character itself
    from simbudget import api  # noqa: PLC0415
    from simbudget.report.terminal import progress_bar  # noqa: PLC0415

    with progress_bar(view.is_silent) as progress:
        found = api.plan_pilot(
            file,
            hours=hours,
            agents=[int(size) for size in agents],
            worth_usd=worth,
            against=settings,
            rehearsals=rehearsals,
            progress=progress,
            **sample,
        )
    view.show(found)
