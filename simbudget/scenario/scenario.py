"""The scenario as a value: read from YAML or made in code, compared, changed, printed and written.

scenario = Scenario(
    fleet=[Group(group="a", agents=9, model="claude-opus-4-6")],
    cycle=[Think(turns="20 to 60"), Experiment(time="1 h")],
    stop=Stop(after="5 days", budget="$20,000"),
)
longer = scenario.replace(stop={"after": "10 days"})
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self

from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration, LearntFrom
from simbudget.scenario.checks import check_scenario, is_priced
from simbudget.scenario.context import Context, Opening, Turn, WhenFull
from simbudget.scenario.fleet import (
    DEFAULT_MODEL,
    AgentStop,
    Attempt,
    Crashes,
    Group,
    Sandbox,
    Shared,
    Staff,
    Start,
    Tasks,
    models_of,
    read_fleet,
)
from simbudget.scenario.language.amounts import write_quantity
from simbudget.scenario.language.blocks import Block, FrozenDict, changed, keys_of, read_keys
from simbudget.scenario.language.calendar import OfficeHours
from simbudget.scenario.language.document import Fields, KeyPath, Node, flow_text, node_of, write_yaml
from simbudget.scenario.language.expectations import (
    mapping_of,
    models_called,
)
from simbudget.scenario.language.reading import Reading
from simbudget.scenario.provider import (
    OTHERS,
    Api,
    LongTier,
    ModelLimits,
    ModelPrices,
    ModelSpeed,
    Plan,
    Prices,
    PriceTier,
    Service,
    Week,
    Window,
)
from simbudget.scenario.research import (
    MOST_FINALISTS,
    MOST_GATES,
    MOST_METHODS,
    Counts,
    Evidence,
    Gate,
    Research,
    Review,
    gate_names,
    gates_meant,
)
from simbudget.scenario.resources import Forum, Gpus, Preempted, Scorer, Stop
from simbudget.scenario.steps import Delegate, Experiment, OwnStep, Polls, Score, Share, Step, Think
from simbudget.scenario.top_level import VERSION, ScenarioKeys

__all__ = [
    "DEFAULT_MODEL",
    "MOST_FINALISTS",
    "MOST_GATES",
    "MOST_METHODS",
    "VERSION",
    "AgentStop",
    "Api",
    "Attempt",
    "Block",
    "Context",
    "Counts",
    "Crashes",
    "Delegate",
    "Evidence",
    "Experiment",
    "Forum",
    "Gate",
    "Gpus",
    "Group",
    "LongTier",
    "ModelLimits",
    "ModelPrices",
    "ModelSpeed",
    "OfficeHours",
    "Opening",
    "OwnStep",
    "Plan",
    "Polls",
    "Preempted",
    "PriceTier",
    "Prices",
    "Research",
    "Review",
    "Sandbox",
    "Scenario",
    "Score",
    "Scorer",
    "Service",
    "Share",
    "Staff",
    "Start",
    "Step",
    "Stop",
    "Tasks",
    "Think",
    "Turn",
    "Week",
    "WhenFull",
    "Window",
    "dump",
    "gate_names",
    "gates_meant",
]

UNNAMED: Final = "scenario"


class Scenario(ScenarioKeys):
    """A complete scenario; immutable, and equal to any other with the same meaning."""

    unused_models: FrozenDict
    """Speeds of models that no group calls, kept for a changed fleet."""

    def __init__(self, **written: Any) -> None:
        """Make a scenario from values as a file would have them.

        Raises:
            UserError: the scenario is invalid; lists every mistake.
        """
        reading = Reading(Path())
        scenario = type(self).read(reading, node_of(written, ""), "", None)
        reading.require_right()
        self.__dict__.update(scenario.__dict__)

    @classmethod
    def read(cls, reading: Reading, node: Node | None, name: str, base: Self | None) -> Self:
        """Read and check a scenario from a document; `name` is its default name."""
        assert isinstance(node, Fields)
        keys, blocks = keys_of(cls), node.values
        reading.places[""] = node.place
        reading.unknown_keys(node, keys, "a scenario")
        calibration = keys["calibration"].read(reading, blocks.get("calibration"), "calibration")
        reading.calibration = calibration or reading.calibration
        known: dict[str, Any] = {
            "calibration": reading.calibration,
            "simbudget": keys["simbudget"].read(reading, blocks.get("simbudget"), "simbudget"),
            "name": keys["name"].read(reading, blocks.get("name"), "name") or name or UNNAMED,
        }
        if "name" not in blocks:
            reading.note("name", known["name"], "setting", None)
        known["turn"] = Turn.read(reading, blocks.get("turn"), "turn", None)
        known["context"] = Context.read(reading, blocks.get("context"), "context", None)
        known["cycle"] = keys["cycle"].read(reading, blocks.get("cycle"), "cycle")
        known["fleet"] = read_fleet(reading, node, Shared(known["cycle"], known["turn"], known["context"]))
        known["prices"] = Prices.read(reading, blocks.get("prices"), "prices", None)
        known["gates"] = keys["gates"].read(reading, blocks.get("gates"), "gates")
        evidence = keys["evidence"].read(reading, blocks.get("evidence"), "evidence")
        known["evidence"] = evidence.of_gates(reading, known["gates"]) if evidence is not None else None
        known["limits"] = keys["limits"].read(reading, blocks.get("limits"), "limits")
        known["scorer"] = Scorer.read(reading, blocks.get("scorer"), "scorer", None)
        known["review"] = keys["review"].read(reading, blocks.get("review"), "review")
        others = [known["scorer"], *([known["review"]] if known["review"] else [])]
        known["models"], unused = _read_models(
            reading,
            blocks.get("models"),
            known["fleet"],
            [model for block in others for _, model in models_called(block, "")],
            known["prices"],
        )
        values = read_keys(reading, cls, node, "", None, known) | {"unused_models": unused}
        written = frozenset(blocks).intersection(keys) | {
            "simbudget",
            "name",
            "prices",
            "models",
            "calibration",
        }
        return check_scenario(reading, cls.of_values(values, written))

    @property
    def version(self) -> int:
        """Return the version of the language that the scenario is written in."""
        return self.simbudget

    def document(self) -> dict[str, Any]:
        """Return the values of the written keys."""
        written = {name: block for name, block in self.models.items() if block.written}
        document = super().document() | {"models": FrozenDict({**written, **self.unused_models})}
        return {key: value for key, value in document.items() if key != "models" or value}

    def replace(self, **changes: Any) -> Self:
        """Return the scenario with some values replaced; a mapping replaces only what it names, for `fleet` by group.

        `scenario.replace(stop={"after": "3 days"}, fleet={"researchers": {"agents": 4}})`

        Raises:
            UserError: a value is invalid, or the result is inconsistent.
        """
        groups = changes.get("fleet")
        if isinstance(groups, Mapping) and groups.keys() <= {group.group for group in self.fleet}:
            fleet = [
                changed(group.document() | {"group": group.group}, groups.get(group.group, {}))
                for group in self.fleet
            ]
            changes = {**changes, "fleet": fleet}
        return super().replace(**changes)

    __replace__ = replace

    def __eq__(self, other: object) -> bool:
        """Return whether both mean the same: equal values, and the same values shared among groups."""
        if not isinstance(other, Scenario):
            return NotImplemented
        same = [[quantity.name for quantity in each.quantities()] for each in (self, other)]
        return super().__eq__(other) is True and same[0] == same[1]

    __hash__ = ScenarioKeys.__hash__

    def __repr__(self) -> str:
        """Return a one-line description."""
        agents = sum(group.agents for group in self.fleet)
        budget = "" if self.stop.budget is None else f", budget ${self.stop.budget:,.0f}"
        return (
            f"<Scenario {self.name!r}: {agents:,} agent{'s' * (agents != 1)}, {self.stop.after.text}{budget}>"
        )


def _read_models(
    reading: Reading, node: Node | None, fleet: tuple[Group, ...], others: list[str], prices: Prices
) -> tuple[FrozenDict, FrozenDict]:
    """Return the speeds of the fleet's models, and those of other models that are written."""
    used = models_of(fleet, others)
    given = mapping_of(reading, node, "models")
    unused: dict[str, Any] = {}
    base = None
    if OTHERS in given:
        base = unused[OTHERS] = _speed_of_others(reading, given[OTHERS])
    for model in given:
        if model in used or model == OTHERS:
            continue
        if not is_priced(model, prices):
            listed = ", ".join(used) or "none"
            message = f"no group uses model `{model}`"
            reading.problem(message, given[model].place, f"the fleet's models: {listed}")
        else:  # kept for a fleet that calls it, such as one made by `compare --set model=...`
            apart = Reading(reading.folder, reading.problems)
            unused[model] = ModelSpeed.read(apart, given[model], f"models[{model}]", base)
    models = {model: ModelSpeed.read(reading, given.get(model), f"models[{model}]", base) for model in used}
    return FrozenDict(models), FrozenDict(unused)


def _speed_of_others(reading: Reading, node: Node) -> ModelSpeed:
    """Return how quick models are that have no speed of their own; what they are served on, each says for itself."""
    name, shared = f"models[{OTHERS}]", ("first_token", "output_speed")
    apart = Reading(reading.folder, reading.problems, calibration=reading.calibration)
    speed = ModelSpeed.read(apart, node, name, None)
    reading.places |= apart.places
    reading.provenance += [row for row in apart.provenance if row.name.rpartition(".")[2] in shared]
    for key in sorted(speed.written.difference(shared)):
        place = reading.place_of(f"{name}.{key}")
        reading.problem(f"`{key}` is for a model by its name", place, f"take it out of `{OTHERS}`")
    return speed


def dump(scenario: Scenario, comments: Mapping[KeyPath, str] | None = None) -> str:
    """Write a scenario as YAML that loads to an equal value.

    Text is kept as written. The content of other files becomes part of it: the values of an empirical distribution,
    and what a calibration learnt.

    Args:
        scenario: what is written.
        comments: comments by the path of the value that each follows, such as `("fleet", 0, "agents")`.
    """
    calibration = _calibration_of(scenario)
    written = scenario if calibration is None else scenario.with_values(calibration=calibration)
    return write_yaml(written.write(), comments)


def _calibration_of(scenario: Scenario) -> Calibration | None:
    """Return the calibrated quantities of a scenario under their names and texts."""
    known = dict(scenario.calibration.quantities) if scenario.calibration else {}
    steps = (getattr(step, "turn", None) for group in scenario.fleet for step in group.cycle)
    turns = [*(group.turn for group in scenario.fleet), *(turn for turn in steps if turn is not None)]
    measured = frozenset[str]().union(*(turn.measured for turn in turns))  # implied by `like`
    for quantity in scenario.quantities():
        if quantity.posterior is None or quantity.name in measured:
            continue
        text = flow_text(node_of(write_quantity(quantity), ""))
        before = known.get(quantity.name)
        learnt_from = before.evidence if before else LearntFrom(0, 0, "code", "")
        family = before.family if before else ""
        known[quantity.name] = CalibratedQuantity(
            quantity.name, text, family, quantity.posterior, learnt_from
        )
    if not known:
        return scenario.calibration
    return replace(scenario.calibration or Calibration({}), quantities=known)
