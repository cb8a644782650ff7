"""Places of learnt quantities in a scenario: their names, and their paths in the text."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from simbudget.scenario.loading import LoadedScenario
from simbudget.scenario.scenario import Group, Scenario, Step, Think

_STEP: Final = re.compile(
    r"^(?P<cycle>(?:fleet\[.*\]\.)?cycle)\.(?P<kind>\w+)\[(?P<number>\d+)\]\.(?P<key>[\w.]+)$"
)
_GROUP: Final = re.compile(r"^fleet\[(?P<group>.*)\]\.(?P<rest>.+)$")
_GATE: Final = re.compile(r"^gates\[(?P<number>\d+)\]\.(?P<key>[\w.]+)$")
_EVIDENCE: Final = re.compile(r"^evidence\.gates\[(?P<gate>.*)\]$")
_MODEL: Final = re.compile(r"^models\[(?P<model>.*)\]\.(?P<key>\w+)$")


def places_of(loaded: LoadedScenario, name: str) -> list[str]:
    """Return the names in a scenario that a quantity applies to: the general one and those of groups.

    Steps are by kind: `cycle.think.turns` stands for the turns of every think step.

    Args:
        loaded: the scenario as it was read.
        name: of the quantity, without group and number.
    """
    block, _, key = name.rpartition(".")
    if name == "service":
        return [f"fleet[{group.group}].service" for group in loaded.scenario.fleet if group.kind == "agents"]
    found = []
    for row in loaded.provenance:
        own = _GROUP.match(row.name)
        step = _STEP.match(row.name)
        is_step = step is not None and block == f"cycle.{step['kind']}" and step["key"] == key
        if row.name == name or (own and own["rest"] == name) or is_step:
            found.append(row.name)
    return found


StepKind = TypeVar("StepKind", bound=Step)


def steps_of_kind(scenario: Scenario, kind: type[StepKind]) -> Iterator[tuple[str, StepKind]]:
    """Yield the steps of a kind with their names, such as `cycle.delegate[0]`; those of a shared cycle once.

    Args:
        scenario: whose cycles are looked through.
        kind: of the steps.
    """
    shared = [group for group in scenario.fleet if "cycle" not in group.written]
    own = [group for group in scenario.fleet if "cycle" in group.written]
    for group in [*shared[:1], *own]:
        prefix = f"fleet[{group.group}]." if "cycle" in group.written else ""
        steps = [step for step in group.cycle if isinstance(step, kind)]
        for number, step in enumerate(steps):
            yield f"{prefix}cycle.{kind.kind}[{number}]", step


def path_of(scenario: Scenario, name: str, has_list: bool = True) -> list[str | int]:
    """Return the keys and positions that lead to a quantity in the scenario's text.

    Args:
        scenario: what was read.
        name: of the quantity, such as `cycle.think[0].turns`.
        has_list: whether `fleet` is a list; one group needs none.
    """
    own = _GROUP.match(name)
    if own:
        number = [group.group for group in scenario.fleet].index(own["group"])
        group = scenario.fleet[number]
        return ["fleet", *([number] if has_list else []), *_within(group, own["rest"])]
    return _within(scenario.fleet[0], name)


def _within(group: Group, name: str) -> list[str | int]:
    """Return the path of a name within the scenario or within a group, whose steps are those of `group`."""
    model = _MODEL.match(name)
    if model:
        return ["models", model["model"], model["key"]]
    gate, evidence = _GATE.match(name), _EVIDENCE.match(name)
    if gate:
        return ["gates", int(gate["number"]), gate["key"]]
    if evidence:
        return ["evidence", "gates", evidence["gate"]]
    step = _STEP.match(name)
    if step:
        alike = [number for number, other in enumerate(group.cycle) if other.kind == step["kind"]]
        return ["cycle", alike[int(step["number"])], step["kind"], *step["key"].split(".")]
    return list(name.split("."))


def shares(scenario: Scenario, names: Sequence[str]) -> Iterator[float]:
    """Yield each think step's share of a session's turns, in proportion to the assumed turns.

    Args:
        scenario: whose turns are assumed.
        names: of the turns of think steps that share a context.
    """
    typical = []
    for name in names:
        step = _STEP.match(name)
        own = _GROUP.match(name)
        group = next((g for g in scenario.fleet if own and g.group == own["group"]), scenario.fleet[0])
        thinks = [other for other in group.cycle if isinstance(other, Think)]
        turns = thinks[int(step["number"])].turns if step else None
        typical.append(turns.distribution.quantile(0.5) if turns else 1.0)
    for name, value in zip(names, typical, strict=True):
        cycle = name.split(".think[")[0]
        yield value / sum(v for n, v in zip(names, typical, strict=True) if n.startswith(f"{cycle}.think["))
