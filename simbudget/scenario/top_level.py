"""The top-level keys of a scenario, and how the whole is read.

Field names are the keys of the scenario language; quantities are in base units. A field's annotation says what its
key expects, and the sentence below it what the key means; reference page and JSON Schema are generated from both.
"""

import base64
from collections.abc import Iterator
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final

from simbudget.scenario.calibration_file import (
    Calibration,
    calibration_bytes,
    calibration_of_bytes,
    read_calibration,
)
from simbudget.scenario.context import Context, Turn
from simbudget.scenario.fleet import MOST_GROUPS, Fleet, Group, Tasks
from simbudget.scenario.language.amounts import Amount
from simbudget.scenario.language.blocks import Block, FrozenDict, attribute, keys_of
from simbudget.scenario.language.document import Fields, Given, Items, Node, Text
from simbudget.scenario.language.expectations import (
    MOST_USD,
    Listed,
    Named,
    Nested,
    Parsed,
    list_of,
    whole,
    words,
)
from simbudget.scenario.language.quantities import Quantity
from simbudget.scenario.language.reading import Reading, describe, is_absent
from simbudget.scenario.language.trust import allowing, is_outside
from simbudget.scenario.limits import Limit, parse_limit
from simbudget.scenario.provider import Api, ModelSpeed, Prices
from simbudget.scenario.research import Evidence, Gate, Research, Review
from simbudget.scenario.resources import Forum, Gpus, Scorer, Stop
from simbudget.scenario.steps import Step, Steps
from simbudget.units import Dimension

VERSION: Final = 1
"""Version of the language, which `simbudget:` may state; a file of a later one is refused."""


class Limits:
    """The expectation of limits such as `spend p90 <= $20,000`."""

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> tuple[Limit, ...]:
        """Return the limits."""
        limits: list[Limit] = []
        before = ""
        for index, item in enumerate(list_of(reading, node, name)):
            if isinstance(item, Text) and item.text.isdigit() and len(item.text) == 3 and before:
                written = f"{before},{item.text}"
                message = f"inside [...] YAML splits `{written}` at its comma"
                reading.problem(message, item.place, f"put it in quotes: `'{written}'`")
                continue
            before = item.text if isinstance(item, Text) else ""
            limit = Parsed(parse_limit, required=True, form="a limit such as `spend p90 <= $20,000`").read(
                reading, item, f"{name}[{index}]"
            )
            if limit is not None:
                limits.append(limit)
        return tuple(limits)

    def write(self, value: Any) -> Any:
        """Return the limits as text."""
        return [limit.text for limit in value]


_INLINE: Final = "data:;base64,"
"""Prefix of a calibration that is part of the scenario's text."""


class CalibrationKey:
    """The expectation of a calibration: the name of its file or, as written by `dump`, the file's content."""

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> Calibration | None:
        """Return what was learnt from logs, or None."""
        if node is None or is_absent(node):
            return None
        if isinstance(node, Given) and isinstance(node.value, Calibration):
            return node.value
        if not isinstance(node, Text):
            message = f"`calibration`: found {describe(node)}"
            reading.problem(message, node.place, "write the name of one file")
            return None
        inline = node.text.startswith(_INLINE)
        if not inline and is_outside(reading.folder / node.text, reading.folder):
            message = f"calibration file `{node.text[:60]}` is outside the scenario's folder"
            reading.problem(message, node.place, f"move it there, or {allowing('leaves_folder')}")
            return None
        try:
            if inline:
                encoded = node.text.removeprefix(_INLINE)
                calibration = calibration_of_bytes(base64.b64decode(encoded, validate=True))
            else:
                calibration = read_calibration(reading.folder / node.text)
        except ValueError as error:  # `NotACalibrationError`, or of base64
            remedy = "`simbudget calibrate` writes one; or remove the line"
            reading.problem(f"calibration file `{node.text[:60]}`: {error}", node.place, remedy)
            return None
        reading.note(name, "(part of the text)" if inline else node.text, "setting", node)
        return calibration

    def write(self, value: Any) -> Any:
        """Return a calibration file's content as text."""
        return _INLINE + base64.b64encode(calibration_bytes(value)).decode()


class Pools:
    """The expectation of GPU pools: one, or a list of them."""

    required: ClassVar[bool] = False
    model: ClassVar[type[Block]] = Gpus

    def read(self, reading: Reading, node: Node | None, name: str) -> tuple[Gpus, ...]:
        """Return the pools, at least one."""
        if not isinstance(node, Items):
            return (Gpus.read(reading, node, name, None),)
        reading.seen(name, node)
        if not node.items:
            reading.problem(
                "`gpus` has no pool", node.place, "write for example `gpus: [{name: a, count: 8}]`"
            )
        pools: list[Gpus] = []
        for place, item in enumerate(node.items[:MOST_GROUPS]):
            given = item.values.get("name") if isinstance(item, Fields) else None
            label = given.text if isinstance(given, Text) and not given.is_null else str(place)
            pools.append(Gpus.read(reading, item, f"{name}[{label}]" if place else name, None))
            if place:
                reading.seen(f"{name}[{label}]", item)
            if given is None and len(node.items) > 1:
                reading.problem(
                    "each of several pools needs a `name`", item.place, "write for example `name: new`"
                )
            elif label in [pool.name for pool in pools[:-1]]:
                reading.problem(f"there is another pool `{label[:40]}`", item.place, "give each its own name")
        return tuple(pools) or (Gpus.read(Reading(reading.folder), None, name, None),)

    def write(self, value: Any) -> Any:
        """Return the pool, or the list of them."""
        return value[0].write() if len(value) == 1 else [pool.write() for pool in value]


class ScenarioKeys(Block):
    """A run: what it consists of, and when it ends. Only `fleet` and `cycle` are required."""

    fields = MappingProxyType({"gpus": "pools"})

    simbudget: Annotated[int, whole(VERSION, VERSION, str(VERSION))]
    """Version of the language."""
    name: Annotated[str, words()]
    """The scenario's name; by default that of its file."""
    fleet: Annotated[tuple[Group, ...], Fleet()]
    """The groups of agents and people."""
    cycle: Annotated[tuple[Step, ...], Steps()]
    """The steps that agents repeat; for groups without a cycle of their own."""
    turn: Annotated[Turn, Nested(Turn)]
    """One model call and the tool results that follow it; for groups without their own."""
    context: Annotated[Context, Nested(Context)]
    """What calls send and what is cached; for groups without their own."""
    models: Annotated[FrozenDict, Named(ModelSpeed)]
    """Speeds by model; `others` stands for all models without a speed of their own."""
    prices: Annotated[Prices, Nested(Prices)]
    """The date of the price list, and prices that override it."""
    api: Annotated[Api, Nested(Api)]
    """The provider's rate limits and errors."""
    pools: Annotated[tuple[Gpus, ...], Pools()]
    """The pool of GPUs, or a list of pools."""
    scorer: Annotated[Scorer, Nested(Scorer)]
    """The server that scores submissions."""
    forum: Annotated[Forum, Nested(Forum)]
    """The forum where agents read and post."""
    review: Annotated[Review | None, Nested(Review, optional=True)]
    """People who review submissions; by default nobody."""
    research: Annotated[Research | None, Nested(Research, optional=True)]
    """How ideas arise and what they are worth; by default not simulated, unless review, gates or evidence need it."""
    tasks: Annotated[Tasks | None, Nested(Tasks, optional=True)]
    """Tasks that agents work on; by default none."""
    gates: Annotated[tuple[Gate, ...], Listed(Nested(Gate))]
    """Tests of methods away from the benchmark."""
    evidence: Annotated[Evidence | None, Nested(Evidence, optional=True)]
    """Observations so far."""
    fixed: Annotated[Quantity, Amount(Dimension.MONEY, "$0", is_fact=True, high=MOST_USD)]
    """Costs that do not depend on the course of the run."""
    stop: Annotated[Stop, Nested(Stop)]
    """When the run ends."""
    limits: Annotated[tuple[Limit, ...], Limits()]
    """Limits that a plan has to meet."""
    calibration: Annotated[Calibration | None, CalibrationKey()]
    """The file that `simbudget calibrate` wrote beside the scenario."""

    def parts(self) -> Iterator[Any]:
        """Yield its values, without those that groups and quantities already contain."""
        apart = ("cycle", "turn", "context", "calibration")
        return (getattr(self, attribute(type(self), key)) for key in keys_of(type(self)) if key not in apart)

    @property
    def gpus(self) -> Gpus:
        """Return the first pool of GPUs, which jobs use by default."""
        return self.pools[0]

    def pool(self, name: str | None) -> Gpus | None:
        """Return a pool by name, the first one for None; None if there is no such pool."""
        return (
            self.pools[0] if name is None else next((pool for pool in self.pools if pool.name == name), None)
        )
