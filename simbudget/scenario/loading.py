"""Loading: a YAML file becomes a scenario, or one list of everything that is wrong with it."""

import datetime
import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from simbudget.errors import UserError
from simbudget.prices.models import model_prices
from simbudget.published.defaults import KEEPS
from simbudget.scenario.calibration_file import Calibration, NotACalibrationError, read_calibration
from simbudget.scenario.checks import check_scenario
from simbudget.scenario.document import Fields, Items, Node, Text, parse_document, read_file
from simbudget.scenario.evidence import read_evidence
from simbudget.scenario.fields import Parsed, read_block, read_fields, whole, words
from simbudget.scenario.fleet import read_fleet
from simbudget.scenario.limits import Limit, parse_limit
from simbudget.scenario.model import Context, Group, ModelPrices, ModelSpeed, Prices, Scenario, Turn
from simbudget.scenario.reading import (
    MOST_PROBLEMS,
    Provenance,
    Reading,
    describe,
    in_order,
    is_absent,
    read_date,
)
from simbudget.scenario.research import Gate, gate_at

VERSION: Final = 1

_KEYS: Final = (
    "simbudget",
    "name",
    "fleet",
    "cycle",
    "turn",
    "context",
    "models",
    "prices",
    "api",
    "gpus",
    "scorer",
    "forum",
    "review",
    "research",
    "gates",
    "evidence",
    "fixed",
    "stop",
    "limits",
    "calibration",
)


@dataclass(frozen=True)
class LoadedScenario:
    """A scenario, and what is known about how it came to be."""

    scenario: Scenario
    provenance: tuple[Provenance, ...]
    """Where each value came from, in the order of the file's blocks."""
    notes: tuple[str, ...]
    """What a reader of its projection has to know."""
    calibration: Calibration | None = None
    """What was learnt from logs, and the track record of that."""


def load_scenario(path: str | Path) -> LoadedScenario:
    """Return the scenario in a file.

    Raises:
        UserError: it cannot be read, or something in it is wrong; every mistake is named at once.
    """
    path = Path(path)
    return loads_scenario(read_file(path), str(path), path.parent)


def loads_scenario(
    text: str, name: str = "<text>", folder: Path | None = None, calibration: Calibration | None = None
) -> LoadedScenario:
    """Return the scenario in a text; `name` is how messages call it, `folder` where its CSV files are.

    `calibration` is what was learnt from logs, unless the text itself names a file of that.

    Raises:
        UserError: something in it is wrong; every mistake is named at once.
    """
    document, problems = parse_document(text, name)
    reading = Reading(folder or Path(), problems[: MOST_PROBLEMS // 2])
    reading.places[""] = document.place
    reading.calibration = _read_calibration(reading, document.values.get("calibration")) or calibration
    scenario = _read(reading, document, Path(name).stem)
    scenario = check_scenario(reading, scenario)
    if reading.problems:
        raise UserError(*in_order(reading.problems))
    return LoadedScenario(
        scenario,
        tuple(reading.provenance),
        _notes(scenario) + _record(reading.calibration),
        reading.calibration,
    )


def _read(reading: Reading, document: Fields, default_name: str) -> Scenario:
    reading.unknown_keys(document, _KEYS, "a scenario")
    blocks = document.values
    version = whole(VERSION, VERSION, str(VERSION)).read(reading, blocks.get("simbudget"), "simbudget")
    name = words(default_name or "scenario").read(reading, blocks.get("name"), "name")
    turn = read_block(reading, Turn, blocks.get("turn"), "turn")
    context = read_block(reading, Context, blocks.get("context"), "context")
    fleet = read_fleet(reading, document, turn, context)
    used = list(dict.fromkeys(group.model for group in fleet if group.model))
    prices = _read_prices(reading, blocks.get("prices"))
    gates = _read_gates(reading, blocks.get("gates"))
    return Scenario(
        version=version,
        name=name,
        fleet=fleet,
        models=_read_models(reading, blocks.get("models"), used, prices.models),
        prices=prices,
        gates=gates,
        evidence=read_evidence(reading, blocks.get("evidence"), gates),
        limits=_read_limits(reading, blocks.get("limits")),
        **read_fields(reading, Scenario, document, ""),
    )


def _read_calibration(reading: Reading, node: Node | None) -> Calibration | None:
    """Return what the file holds that `calibration:` names; its path begins at the scenario's folder."""
    if node is None or is_absent(node):
        return None
    if not isinstance(node, Text):
        reading.problem(f"`calibration`: found {describe(node)}", node.place, "write the name of one file")
        return None
    try:
        calibration = read_calibration(reading.folder / node.text)
    except NotACalibrationError as error:
        remedy = "`simbudget calibrate` writes one; or take the line out"
        reading.problem(f"calibration file `{node.text[:60]}`: {error}", node.place, remedy)
        return None
    reading.note("calibration", node.text, "setting", node)
    return calibration


def _mapping(reading: Reading, node: Node | None, name: str) -> dict[str, Node]:
    """Return the values of a mapping by key; nothing, and a problem, for anything else."""
    reading.seen(name, node)
    if node is None or is_absent(node):
        return {}
    if isinstance(node, Fields):
        return node.values
    reading.problem(f"`{name}`: found {describe(node)}", node.place, "write keys with values")
    return {}


def _list(reading: Reading, node: Node | None, name: str) -> tuple[Node, ...]:
    """Return the items of a list; nothing, and a problem, for anything else."""
    reading.seen(name, node)
    if node is None or is_absent(node):
        return ()
    if isinstance(node, Items):
        return node.items
    reading.problem(
        f"`{name}`: found {describe(node)}", node.place, "write a list: lines that begin with `- `"
    )
    return ()


def _is_known(model: str, priced: Collection[str]) -> bool:
    """Return whether a model has a price: in the scenario, or on the list."""
    try:
        return model in priced or bool(model_prices(model, datetime.date.today()))
    except UserError:
        return False


def _read_models(
    reading: Reading, node: Node | None, used: list[str], priced: Collection[str]
) -> dict[str, ModelSpeed]:
    given = _mapping(reading, node, "models")
    for model in given:
        if model not in used and not _is_known(model, priced):
            listed = ", ".join(used) or "none"
            reading.problem(
                f"no group uses model `{model}`", given[model].place, f"the fleet's models: {listed}"
            )
        elif model not in used:  # kept for a fleet of that model, such as `compare --set model=...` makes
            read_block(
                Reading(reading.folder, reading.problems), ModelSpeed, given[model], f"models[{model}]"
            )
    return {model: read_block(reading, ModelSpeed, given.get(model), f"models[{model}]") for model in used}


def _read_prices(reading: Reading, node: Node | None) -> Prices:
    given = _mapping(reading, node, "prices")
    today = datetime.date.today().isoformat()
    on = Parsed(read_date, today).read(reading, given.get("on"), "prices.on")
    models = {
        model: read_block(reading, ModelPrices, prices, f"prices[{model}]")
        for model, prices in given.items()
        if model != "on"
    }
    return Prices(on=on, models=models)


def _read_gates(reading: Reading, node: Node | None) -> tuple[Gate, ...]:
    items = _list(reading, node, "gates")
    return tuple(
        read_block(reading, _gate_block(item), item, f"gates[{index}]") for index, item in enumerate(items)
    )


def _gate_block(item: Node) -> type[Gate]:
    """Return the block to read a gate as: `reach` says what it keeps by default."""
    reach = item.values.get("reach") if isinstance(item, Fields) else None
    if not isinstance(reach, Text) or reach.is_null:
        return Gate
    word = " ".join(reach.text.lower().replace("-", " ").split())
    return gate_at(word) if word in KEEPS else Gate


def _read_limits(reading: Reading, node: Node | None) -> tuple[Limit, ...]:
    limits: list[Limit] = []
    for index, item in enumerate(_list(reading, node, "limits")):
        expectation = Parsed(parse_limit)
        if isinstance(item, Text) and item.text.isdigit() and len(item.text) == 3 and limits:
            written = f"{limits[-1].text},{item.text}"
            message = f"inside [...] YAML splits `{written}` at its comma"
            reading.problem(message, item.place, f"put it in quotes: `'{written}'`")
            continue
        limit: Any = expectation.read(reading, item, f"limits[{index}]")
        if limit is not None:
            limits.append(limit)
    return tuple(limits)


def _record(calibration: Calibration | None) -> tuple[str, ...]:
    """Return the track record of the method that a calibrated scenario was made with."""
    words = calibration.record.get("words") if calibration else None
    return (str(words),) if words else ()


def _notes(scenario: Scenario) -> tuple[str, ...]:
    """Return what is worth saying of a scenario that is not wrong."""
    late = [note for group in scenario.fleet for note in _late(group, scenario.stop.after.exact_value)]
    scores = any(step.kind == "score" for group in scenario.fleet for step in group.cycle)
    if scenario.research is not None and not scores:
        late.append("no cycle has a `score` step, so there are no scores and no results")
    return tuple(late)


def _late(group: Group, ends_s: float) -> list[str]:
    """Return what to say about the agents of a group that would start after the end of the run."""
    first_s, every_s = group.start.first.exact_value, group.start.then_every.exact_value
    started = group.agents if every_s == 0 else min(group.agents, math.ceil((ends_s - first_s) / every_s))
    late = group.agents - started
    return (
        [f"group {group.group}: {late:,} of {group.agents:,} agents would start after the end"]
        if late
        else []
    )
