"""The pace of a run: how long a cycle typically takes, and an upper bound on the number of events.

The bound serves to refuse scenarios that would take too long to simulate.
"""

from typing import Final

from simbudget.scenario.fleet import Group
from simbudget.scenario.steps import Delegate, Experiment, OwnStep, Score, Share, Think
from simbudget.scenario.top_level import ScenarioKeys

MOST_EVENTS: Final = 1e11
"""Calls, jobs and submissions of one run: at 10^7 per second in the compiled engine, this takes hours."""
_CHEAPEST_CALL_USD: Final = 1e-6
"""No paid call costs less, so a budget bounds the number of calls."""
_SHORTEST_S: Final = 1e-9
"""The engines' clock counts nanoseconds."""


def most_events(scenario: ScenarioKeys) -> float:
    """Return an upper bound on the calls, jobs and submissions of one run, using the quantities' typical values.

    Waiting is ignored, so that a run may have far fewer. The duration of steps written in Python is unknown; groups
    with one are left out.
    """
    calls = sum(_of_group(scenario, group) for group in scenario.fleet)
    budget = scenario.stop.budget
    return calls if budget is None else min(calls, budget / _CHEAPEST_CALL_USD)


def cycle_s(scenario: ScenarioKeys, group: Group) -> float:
    """Return how long a cycle of a group takes, in seconds, if everything takes its typical time and nobody waits.

    Steps written in Python count as nothing.

    Args:
        scenario: the scenario.
        group: one of its groups.
    """
    return sum(_of_step(scenario, group, step)[1] for step in group.cycle)


def _of_group(scenario: ScenarioKeys, group: Group) -> float:
    if any(isinstance(step, OwnStep) for step in group.cycle):
        return 0.0
    events = sum(_of_step(scenario, group, step)[0] for step in group.cycle)
    horizon_s = scenario.stop.after.exact_value
    cycles = horizon_s / max(cycle_s(scenario, group), _SHORTEST_S)
    if scenario.stop.cycles_per_agent is not None:
        cycles = min(cycles, scenario.stop.cycles_per_agent)
    if scenario.tasks is not None:
        cycles = min(cycles, scenario.tasks.count * scenario.tasks.attempts)
    calls = group.agents * events * cycles
    rpm = scenario.api.requests_per_min
    only_calls = all(isinstance(step, Think | Share | Delegate) for step in group.cycle)
    return min(calls, rpm * horizon_s / 60) if rpm and only_calls and group.kind == "agents" else calls


def _of_step(scenario: ScenarioKeys, group: Group, step: object) -> tuple[float, float]:
    """Return the number of events in a step, and its duration in seconds."""
    if isinstance(step, Experiment):
        pool = scenario.pool(step.on)
        lasts_s = step.time.typical / (1.0 if pool is None else pool.speed.typical)
        polls = lasts_s / max(step.polls.every.typical, _SHORTEST_S) if step.polls is not None else 0.0
        return step.at_once.typical + polls, lasts_s
    if isinstance(step, Score):
        scorer = scenario.scorer
        judge_calls = max(1.0, scorer.calls.typical) if scorer.model is not None else 0.0
        output = scorer.output_tokens.typical if scorer.output_tokens is not None else 0.0
        judging_s = judge_calls * _call_s(scenario, group, scorer.model, output)
        return 1.0 + judge_calls, scorer.time.typical + scorer.cool_down.typical + judging_s
    if isinstance(step, Share):
        return 1.0, _call_s(scenario, group, None, scenario.forum.post_tokens.typical)
    if isinstance(step, Think) and step.time is not None:
        return 1.0, step.time.typical
    if isinstance(step, Think | Delegate) and step.turns is not None:
        turn = [
            getattr(step.turn, name, None) or getattr(group.turn, name)
            for name in ("output_tokens", "thinking_tokens", "tool_time")
        ]
        output, thinking, tool_time = (quantity.typical for quantity in turn)
        turns = max(1.0, step.turns.typical)
        agents = step.agents.typical if isinstance(step, Delegate) else 1.0
        each_s = _call_s(scenario, group, step.model, output + thinking) + tool_time
        return turns * agents, turns * each_s
    return 0.0, 0.0


def _call_s(scenario: ScenarioKeys, group: Group, model: str | None, tokens: float) -> float:
    """Return the duration in seconds of a call with an output of `tokens`."""
    called = scenario.models.get(model or group.model or "")
    if called is None:
        return 0.0
    lasts_s: float = called.first_token.typical + tokens / called.output_speed.typical
    return lasts_s
