"""Running scenarios that are written as text in tests."""

from simbudget.engine.reference import Outcome, simulate
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.scenario import Scenario

SPEED = "models: {claude-opus-4-6: {first_token: 2 s, output_speed: 50 tokens/s}}"
"""A model that needs 2 s, and 20 ms a token."""

PRICES = "prices: {on: 2026-06-01}"
"""The flat list: $/Mtok input 5, 5-minute write 6.25, 1-hour write 10, read 0.50, output 25."""

TURN = "turn: {output_tokens: 100, tool_result_tokens: 1000, tool_time: 6 s}"
"""A turn of 4 s of model and 6 s of tool."""


def scenario(text: str) -> Scenario:
    """Return the scenario that a text states."""
    return loads_scenario(text).scenario


def run(text: str, **which: int) -> Outcome:
    """Return the outcome of one replication of a scenario."""
    return simulate(scenario(text), **which)


CENT = 1e-7
"""Money that is equal to the cent, and far beyond."""


def one_agent(cycle: str, more: str = "", context: str = "") -> str:
    """Return the text of a scenario of one agent whose every number is exact."""
    context = context or "{first_prompt_tokens: 10000, limit_tokens: 900000, compacted_to_tokens: 5000}"
    return f"{SPEED}\n{PRICES}\n{TURN}\ncontext: {context}\nfleet: [{{agents: 1}}]\ncycle: {cycle}\n{more}"
