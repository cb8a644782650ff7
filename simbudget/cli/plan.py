"""`simbudget plan`: search for the best plan within a budget and the scenario's limits."""

from pathlib import Path
from typing import Any

import click

from simbudget.cli.options import View, file_argument, money, sample_options


@click.command("plan")
@file_argument
@click.option(
    "--vary",
    "varied",
    multiple=True,
    required=True,
    metavar="KEY=LOW:HIGH | KEY=VALUE,...",
    help="Values to search over.",
)
@click.option("--budget", callback=money, metavar="$", help="90 % of runs have to cost at most this.")
@click.option("--for", "goal", metavar="FIGURE", help="Figure to maximise, such as 'P(any transferable)'.")
@click.option(
    "--least-cost-for",
    "requirement",
    metavar="LIMIT",
    help="Requirement to meet at least cost, such as 'P(any transferable) >= 80%'.",
)
@click.option(
    "--evaluations",
    type=click.IntRange(1),
    default=60,
    show_default=True,
    help="Maximum number of plans tried.",
)
@sample_options(200)
def plan_command(  # noqa: PLR0913, PLR0917  one parameter for each option
    file: Path,
    varied: tuple[str, ...],
    budget: float | None,
    goal: str | None,
    requirement: str | None,
    evaluations: int,
    sample: dict[str, Any],
    view: View,
) -> None:
    """Search for the best plan of the scenario FILE.

    \b
    Examples:
      simbudget plan scenario.yaml --vary agents=1:32 --vary hours=12:240 \\
          --budget '$20000' --for "P(any transferable)" --out plan
      simbudget plan scenario.yaml --vary gpus=1:8 --least-cost-for "experiments >= 500"
      simbudget plan benchmark.yaml --vary attempts=1:5 --vary model=opus,sonnet \\
          --least-cost-for "tasks.solved >= 200"

    Figures for --for: P(any transferable), transferable results, cost per result, best score, best true quality,
    tasks solved, cost per solved task, experiments, cycles, spend, wall clock. Every plan also has to meet the
    scenario's own limits. The best plan is written to plan.yaml in the folder of --out. Exit status 1: none meets
    them.
    """  # noqa: D301  click looks for the character itself
    if (goal is None) == (requirement is None):
        raise click.UsageError("give one of --for and --least-cost-for, such as --for 'P(any transferable)'")
    from simbudget import api  # noqa: PLC0415
    from simbudget.report.terminal import progress_bar  # noqa: PLC0415

    with progress_bar(view.is_silent) as progress:
        found = api.plan(
            file,
            varied,
            budget_usd=budget,
            goal=goal,
            least_cost_for=requirement,
            evaluations=evaluations,
            progress=progress,
            **sample,
        )
    view.show(found)
