"""`simbudget init`: write a commented scenario to start from, or one derived from logs."""

from pathlib import Path
from typing import Final

import click

from simbudget.calibration.scenarios.new_scenario import TEMPLATES
from simbudget.cli.options import say, show
from simbudget.errors import Problem, UserError

_WITH_VALUE: Final = ("--from", "--template", "--model")


class _InitCommand(click.Command):
    """A command whose DIRECTORY may stand first, or last behind logs: `init --from a b mine`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put a DIRECTORY that stands last behind logs first."""
        places, begins = _arguments(args)
        if begins is not None and not places and not {"--help", "-h"} & set(args):
            remedy = "name it last: `simbudget init --from LOG... DIRECTORY`"
            raise UserError(Problem("there is no directory to write the scenario to", remedy=remedy))
        if begins is not None and len(places) > 1 and begins < places[0]:
            args = [args[places[-1]], *args[: places[-1]], *args[places[-1] + 1 :]]
        return super().parse_args(ctx, args)


def _arguments(args: list[str]) -> tuple[list[int], int | None]:
    """Return the places of arguments that belong to no option, and that of the first `--from`."""
    places, begins, is_value = [], None, False
    for place, arg in enumerate(args):
        if is_value:
            is_value = False
        elif arg in _WITH_VALUE:
            is_value = True
            begins = place if arg == "--from" and begins is None else begins
        elif arg.startswith("--from="):
            begins = place if begins is None else begins
        elif not arg.startswith("-"):
            places.append(place)
    return places, begins


@click.command("init", cls=_InitCommand)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--template",
    type=click.Choice(TEMPLATES),
    help="aar: nine agents for five days; autoresearch: one agent and one GPU overnight; "
    "benchmark: a list of tasks, with attempts.",
)
@click.option(
    "--from",
    "logs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="LOG",
    help="Derive the scenario from this log or folder of logs; may be repeated.",
)
@click.option("--model", default="", metavar="NAME", help="With --from: model of calls whose logs name none.")
@click.argument("more", nargs=-1, type=click.Path(path_type=Path), metavar="[LOG]...")
def init_command(
    directory: Path, template: str | None, logs: tuple[Path, ...], model: str, more: tuple[Path, ...]
) -> None:
    """Write DIRECTORY/scenario.yaml, a commented scenario to start from.

    Example: simbudget init mine --from ~/.claude/projects

    Also writes scenario.schema.json, with which an editor completes and explains keys. With --from, the scenario is
    derived from logs: their groups, models, sub-agents, turns, contexts and pauses. Further LOGs may follow, and
    DIRECTORY may stand last: simbudget init --from LOG LOG mine
    """
    from simbudget.calibration.scenarios.new_scenario import new_scenario  # noqa: PLC0415
    from simbudget.report.terminal import working  # noqa: PLC0415

    if more and not logs:
        raise UserError(Problem(f"{more[0]} is not expected here", remedy="write --from before the logs"))
    with working(not logs) as does:
        made = new_scenario(directory, template, (*logs, *more), model, lambda path: does(f"reading {path}"))
    if made.from_logs is not None:
        show(made)
    say(made.next_step)
