"""A new scenario in a folder: a template, or the one that logs imply, with the schema for editors beside it."""

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from simbudget.errors import Place, Problem, UserError, argument
from simbudget.numbers import usd
from simbudget.results import Result, as_plain

TEMPLATES: Final = ("aar", "autoresearch", "benchmark", "minimal")
SCHEMA: Final = "scenario.schema.json"
"""File name of the JSON Schema, which the first line of every template refers to."""
_REPLICATIONS: Final = 200
"""Replications of the projection shown beside the logs' cost: enough for p10 and p90, and done in seconds."""


@dataclass(frozen=True)
class FromLogs:
    """What a scenario that logs imply rests on, and how its projection compares with them."""

    sessions: int
    contexts: int
    """Contexts of sub-agents and helpers."""
    groups: int
    logged_usd: float
    """What the sessions cost."""
    projected_usd: tuple[float, float, float]
    """p10, median and p90 of what the scenario projects."""


@dataclass(frozen=True)
class NewScenario(Result):
    """A scenario that has been written to a folder."""

    path: Path
    from_logs: FromLogs | None = None
    """None for a template."""
    notes: tuple[str, ...] = ()

    json_name = "init.json"

    def answer(self) -> str:
        """Return what the logs imply and cost, or where the scenario is."""
        if self.from_logs is None:
            return f"Wrote {self.path}."
        of, (low, middle, high) = self.from_logs, self.from_logs.projected_usd
        helped = f" and {of.contexts:,} of sub-agents or helpers" if of.contexts else ""
        return (
            f"{of.sessions:,} session{'s' * (of.sessions != 1)}{helped} in {of.groups} group"
            f"{'s' * (of.groups != 1)}, which cost {usd(of.logged_usd)} as `usage` counts it; the scenario projects "
            f"{usd(middle)} (80 %: {usd(low)} to {usd(high)})."
        )

    @property
    def next_step(self) -> str:
        """Return where the scenario is, and the commands to continue with."""
        quoted = shlex.quote(str(self.path))
        return f"Wrote {self.path}. Now: simbudget check {quoted}; simbudget project {quoted}"

    def as_json(self) -> dict[str, Any]:
        """Return the path, and for logs what the scenario rests on."""
        return {
            "path": str(self.path),
            "from_logs": as_plain(self.from_logs),
            "notes": list(self.notes),
        }


def new_scenario(
    folder: Path,
    template: str | None = None,
    logs: Sequence[Path] = (),
    model: str = "",
    begins: Callable[[Path], None] = lambda _: None,
) -> NewScenario:
    """Write `scenario.yaml` and its schema to a folder.

    Args:
        folder: the folder, which may not hold a scenario; it is created if needed.
        template: one of `TEMPLATES`; by default the shortest.
        logs: logs to derive the scenario from instead.
        model: model of calls whose logs name none.
        begins: called with each log before it is read.

    Raises:
        UserError: the folder holds a scenario or logs, or the arguments do not go together.
    """
    from simbudget.scenario.reference import schema  # noqa: PLC0415  only needed once the arguments are right

    _require_sense(folder, template, logs, model)
    path = folder / "scenario.yaml"
    if path.exists():
        raise UserError(Problem("a scenario already exists", Place(str(path)), "choose another directory"))
    if logs:
        made = _from_logs(logs, model, path, begins)
    else:
        name = f"{template or 'minimal'}.yaml"
        text = files("simbudget.scenario").joinpath("templates", name).read_text(encoding="utf-8")
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        made = NewScenario(path)
    beside = folder / SCHEMA
    beside.write_text(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return made


def _require_sense(folder: Path, template: str | None, logs: Sequence[Path], model: str) -> None:
    from_logs, of_template = argument("logs", option="--from"), argument("template")
    if logs and template is not None:
        problem = Problem(f"{of_template} and {from_logs} exclude each other", remedy="leave one of them out")
        raise UserError(problem)
    if template is not None and template not in TEMPLATES:
        remedy = f"write one of {', '.join(TEMPLATES)}"
        raise UserError(Problem(f"{of_template}: there is no template {template!r}", remedy=remedy))
    if model and not logs:
        raise UserError(Problem(f"{argument('model')} needs logs", remedy=f"give {from_logs}"))
    if logs:
        _require_no_logs(folder)


def _require_no_logs(folder: Path) -> None:
    """Raise UserError if a folder holds logs, so that nothing is written among them."""
    from simbudget.ledger.readers import read_logs  # noqa: PLC0415  not needed for a template

    if not folder.is_dir() or not any(folder.iterdir()):
        return
    try:
        read_logs([folder])
    except UserError:
        return
    raise UserError(
        Problem(
            "this directory holds logs, and a scenario would be written among them",
            Place(str(folder)),
            "name a new directory, on the command line last: `simbudget init --from LOG... DIRECTORY`",
        )
    )


def _from_logs(logs: Sequence[Path], model: str, path: Path, begins: Callable[[Path], None]) -> NewScenario:
    """Write the scenario that logs imply, and project it."""
    from simbudget.calibration.observed.sessions import sessions_of  # noqa: PLC0415  not needed for a template
    from simbudget.calibration.scenarios.implied import implied_scenario  # noqa: PLC0415
    from simbudget.calibration.scenarios.logged_groups import is_unnamed  # noqa: PLC0415
    from simbudget.calibration.scenarios.writing import write_implied  # noqa: PLC0415
    from simbudget.ledger.readers import Assumed, read_logs  # noqa: PLC0415
    from simbudget.projection.run import Options, project  # noqa: PLC0415
    from simbudget.scenario.loading import load_scenario  # noqa: PLC0415
    from simbudget.scenario.scenario import DEFAULT_MODEL  # noqa: PLC0415

    ledger = read_logs(logs, None, begins, Assumed(model))
    unnamed = sum(is_unnamed(session.model) for session in sessions_of(ledger))
    notes = []
    if unnamed:  # so that the logs' cost and the projection assume the same
        ledger = read_logs(logs, None, begins, Assumed(DEFAULT_MODEL))
        notes.append(
            f"the logs name no model for {unnamed:,} session{'s' * (unnamed != 1)}: {DEFAULT_MODEL} is assumed; "
            f"{argument('model')} sets another"
        )
    implied = implied_scenario(ledger)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_implied(implied, path)
    spend = project(load_scenario(path).scenario, Options(replications=_REPLICATIONS)).summary.spend_usd
    found = FromLogs(
        sessions=sum(len(group.sessions) for group in implied.groups),
        contexts=sum(len(group.delegated) for group in implied.groups),
        groups=len(implied.groups),
        logged_usd=implied.logged_usd,
        projected_usd=(spend.p10, spend.p50, spend.p90),
    )
    return NewScenario(path, found, (*notes, *implied.notes))
