"""The fleet as a scenario of simbudget, which also keeps money, tokens, caches and what was spent when."""

from benchmarks.peers.fleet import (
    CALL_S,
    CALLS_PER_MIN_PER_AGENT,
    EXPERIMENT_S,
    SCORING_S,
    TOOL_S,
    TURNS,
    Fleet,
)
from simbudget.engine.lowering import lower
from simbudget.engine.program import Program
from simbudget.engine.totals import MODEL_CALLS
from simbudget.projection.executors import blocks_in_order
from simbudget.projection.schedule import Schedule
from simbudget.scenario.loading import loads_scenario


def program(fleet: Fleet) -> Program:
    """Return the fleet as a program; a call's time is drawn as that of its first token, but for the last second."""
    text = f"""
fleet: [{{agents: {fleet.agents}}}]
cycle: [think: {{turns: {TURNS}}}, experiment: {{gpus: 1, time: {_uniform(EXPERIMENT_S)}}}, score]
turn: {{output_tokens: 60, tool_result_tokens: 1000, tool_time: {_uniform(TOOL_S)}}}
context: {{first_prompt_tokens: 20000, limit_tokens: 900000, compacted_to_tokens: 20000}}
models: {{claude-opus-4-6: {{first_token: {_uniform((CALL_S[0] - 1, CALL_S[1] - 1))}, output_speed: 60 tokens/s}}}}
api: {{requests_per_min: {CALLS_PER_MIN_PER_AGENT * fleet.agents}, error_rate: 0}}
gpus: {{count: {fleet.gpus}, price: 3 $/h, billing: on demand}}
scorer: {{servers: {fleet.scorers}, time: {_uniform(SCORING_S)}}}
stop: {{after: {fleet.hours} h}}
"""
    return lower(loads_scenario(text).scenario)


def _uniform(span_s: tuple[float, float]) -> str:
    return f"{{distribution: uniform, low: {span_s[0]} s, high: {span_s[1]} s}}"


def simulate(what: Program, replications: int, engine: str, workers: int) -> float:
    """Return how many model calls the replications made."""
    blocks = blocks_in_order(Schedule(what, 1, replications, engine=engine), workers)
    return float(sum(block.sums[:, MODEL_CALLS].sum() for block in blocks))
