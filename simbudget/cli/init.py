"""`simbudget init`: write a commented scenario to start from, or one derived from logs."""

import json
import shlex
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import click

from simbudget.errors import Place, Problem, UserError

_WITH_VALUE: Final = ("--from", "--template", "--model")
_TEMPLATES = ("aar", "autoresearch", "benchmark", "minimal")
SCHEMA = "scenario.schema.json"
"""File name of the JSON Schema, which the first line of every template refers to."""
_REPLICATIONS: Final = 200
"""Replications of the projection shown beside the logs' cost: enough for p10 and p90, and done in seconds."""


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
    type=click.Choice(_TEMPLATES),
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
    from simbudget.scenario.reference import schema  # noqa: PLC0415

    if logs and template is not None:
        raise UserError(Problem("--template and --from exclude each other", remedy="leave one of them out"))
    if more and not logs:
        raise UserError(Problem(f"{more[0]} is not expected here", remedy="write --from before the logs"))
    if model and not logs:
        raise UserError(Problem("--model needs logs", remedy="write --from LOG"))
    if logs:
        _require_no_logs(directory)
    path = directory / "scenario.yaml"
    if path.exists():
        raise UserError(Problem("a scenario already exists", Place(str(path)), "choose another directory"))
    if logs:
        _write_implied((*logs, *more), model, path)
    else:
        name = f"{template or 'minimal'}.yaml"
        text = files("simbudget.scenario").joinpath("templates", name).read_text(encoding="utf-8")
        directory.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    beside = directory / SCHEMA
    beside.write_text(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    quoted = shlex.quote(str(path))
    click.echo(f"Wrote {path}. Now: simbudget check {quoted}; simbudget project {quoted}")


def _require_no_logs(directory: Path) -> None:
    """Raise UserError if a directory holds logs, so that nothing is written among them."""
    from simbudget.ledger.readers import read_logs  # noqa: PLC0415

    if not directory.is_dir() or not any(directory.iterdir()):
        return
    try:
        read_logs([directory])
    except UserError:
        return
    raise UserError(
        Problem(
            "this directory holds logs, and a scenario would be written among them",
            Place(str(directory)),
            "name a new directory last: `simbudget init --from LOG... DIRECTORY`",
        )
    )


def _write_implied(logs: tuple[Path, ...], model: str, path: Path) -> None:
    """Write the scenario that logs imply, and print its projected spend beside the logs' cost."""
    from simbudget.calibration.observed.sessions import sessions_of  # noqa: PLC0415
    from simbudget.calibration.scenarios.implied import implied_scenario  # noqa: PLC0415
    from simbudget.calibration.scenarios.logged_groups import is_unnamed  # noqa: PLC0415
    from simbudget.calibration.scenarios.writing import write_implied  # noqa: PLC0415
    from simbudget.ledger.readers import Assumed, read_logs  # noqa: PLC0415
    from simbudget.report.terminal import reading  # noqa: PLC0415
    from simbudget.scenario.scenario import DEFAULT_MODEL  # noqa: PLC0415

    with reading() as begins:
        ledger = read_logs(logs, None, begins, Assumed(model))
        unnamed = sum(is_unnamed(session.model) for session in sessions_of(ledger))
        if unnamed:  # so that the logs' cost and the projection assume the same
            ledger = read_logs(logs, None, begins, Assumed(DEFAULT_MODEL))
    implied = implied_scenario(ledger)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_implied(implied, path)
    sessions = sum(len(group.sessions) for group in implied.groups)
    groups = len(implied.groups)
    contexts = sum(len(group.delegated) for group in implied.groups)
    helped = f" and {contexts:,} of sub-agents or helpers" if contexts else ""
    click.echo(
        f"{sessions:,} session{'s' * (sessions != 1)}{helped} in {groups} group{'s' * (groups != 1)}, "
        f"{_costs(implied, path)}."
    )
    if unnamed:
        many = f"{unnamed:,} session{'s' * (unnamed != 1)}"
        click.echo(
            f"Note: the logs name no model for {many}: {DEFAULT_MODEL} is assumed; --model sets another."
        )
    for note in implied.notes:
        click.echo(f"Note: {note}.")


def _costs(implied: Any, path: Path) -> str:
    """Return what the logged sessions cost and what the scenario projects."""
    from simbudget.numbers import usd  # noqa: PLC0415
    from simbudget.projection.run import Options, project  # noqa: PLC0415
    from simbudget.report.terminal import progress_bar  # noqa: PLC0415
    from simbudget.scenario.loading import load_scenario  # noqa: PLC0415

    with progress_bar(False) as progress:
        projection = project(load_scenario(path).scenario, Options(replications=_REPLICATIONS), progress)
    spend = projection.summary.spend_usd
    return (
        f"which cost {usd(implied.logged_usd)} as `usage` counts it; "
        f"the scenario projects {usd(spend.p50)} (80 %: {usd(spend.p10)} to {usd(spend.p90)})"
    )
