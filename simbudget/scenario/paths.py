"""Paths: by which names the values of a scenario's steps and pools are told apart."""

from collections.abc import Iterator
from typing import Any

from simbudget.scenario.fleet import Group
from simbudget.scenario.reading import Reading
from simbudget.scenario.resources import Gpus
from simbudget.scenario.top_level import ScenarioKeys


def pool_path(scenario: ScenarioKeys, pool: Gpus) -> str:
    """Return the path of a pool's values: `gpus` for the first, `gpus[NAME]` for others."""
    place = next(place for place, each in enumerate(scenario.pools) if each is pool)
    return f"gpus[{pool.name or place}]" if place else "gpus"


def steps_of(reading: Reading, group: Group) -> Iterator[tuple[Any, str]]:
    """Yield the steps of a group's cycle, each with the path of its values."""
    counted: dict[str, int] = {}
    for step in group.cycle:
        counted[step.kind] = counted.get(step.kind, -1) + 1
        yield step, f"{cycle_path(reading, group)}.{step.kind}[{counted[step.kind]}]"


def cycle_path(reading: Reading, group: Group) -> str:
    """Return the path of a group's cycle: the group's own where it has one, else the fleet's."""
    name = f"fleet[{group.group}].cycle"
    return name if name in reading.places else "cycle"
