"""Calls by several models, sub-agents, caches, services and subscriptions equal a calculation by hand, to the cent.

A call of claude-opus-4-6 takes 4 s and its tools 6 s, unless a test says otherwise. In $/Mtok it costs 6.25 to write,
0.50 to read and 25 for output; claude-haiku-4-5 a fifth of that.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from simbudget.engine import compiled, reference
from simbudget.engine.lowering import lower
from simbudget.engine.outcome import Outcome
from simbudget.engine.program import Program
from tests.running import CENT, PRICES, TURN, run, scenario

SPEEDS = (
    "models: {claude-opus-4-6: {first_token: 2 s, output_speed: 50 tokens/s}, "
    "claude-haiku-4-5: {first_token: 2 s, output_speed: 50 tokens/s}}"
)
SPEED = "models: {claude-opus-4-6: {first_token: 2 s, output_speed: 50 tokens/s}}"
CONTEXT = "first_prompt_tokens: 10000, limit_tokens: 900000, compacted_to_tokens: 5000"
ONCE = "stop: {cycles_per_agent: 1}"


def fleet(
    cycle: str, more: str = ONCE, context: str = "", speeds: str = SPEED, group: str = "agents: 1"
) -> str:
    """Return a scenario whose every number is exact; `context` and `group` are added to those keys."""
    context = f"context: {{{CONTEXT}{', ' if context else ''}{context}}}"
    return f"{speeds}\n{PRICES}\n{TURN}\n{context}\nfleet: [{{{group}}}]\ncycle: {cycle}\n{more}\n"


def usd(write: float = 0, read: float = 0, output: float = 0, times: float = 1.0) -> float:
    """Return what tokens cost with Opus, or `times` as much."""
    return times * (write * 6.25 + read * 0.5 + output * 25) / 1e6


def calls(outcome: Outcome, kind: str = "call") -> pd.DataFrame:
    assert outcome.ledger is not None
    return outcome.ledger[outcome.ledger["kind"] == kind]


def spends(outcome: Outcome, expected_usd: float) -> bool:
    """Return whether a run spent so much on tokens; its entries add up to it."""
    assert outcome.ledger is not None
    assert outcome.ledger["cost_usd"].sum() == pytest.approx(outcome.totals["spend_usd"], abs=CENT)
    return outcome.totals["spend_tokens_usd"] == pytest.approx(expected_usd, abs=CENT)


def seconds(outcome: Outcome) -> float:
    return outcome.totals["wall_clock_hours"] * 3600


def times_of(outcome: Outcome) -> dict[str, float]:
    """Return for how many seconds agents did what, of what they did at all."""
    life_s = outcome.totals["agent_hours"] * 3600
    shares = {name: value for name, value in outcome.totals.items() if name.startswith("share_")}
    return {name.removeprefix("share_"): round(life_s * value, 6) for name, value in shares.items() if value}


# A step's own turn, model and context.


def test_a_turn_of_a_steps_own_stays_in_the_groups_context_and_takes_the_rest_from_the_group() -> None:
    cycle = "[think: {turns: 1}, think: {turns: 1, turn: {output_tokens: 200, tool_time: 1 s}}, think: {turns: 1}]"
    outcome = run(fleet(cycle))
    # Sent: 10,000; 11,100; then 200 of output and 1,000 of results more: 12,300.
    assert calls(outcome)["context_tokens"].tolist() == [10_000, 11_100, 12_300]
    assert spends(outcome, usd(12_300, 21_100, 400))
    assert seconds(outcome) == pytest.approx(10 + 6 + 1 + 10)


def test_a_context_of_a_steps_own_lasts_for_the_step_or_the_life_and_the_groups_stands_still() -> None:
    own = "model: claude-haiku-4-5, context: {first_prompt_tokens: 2000, lasts: life}, returns_tokens: 300"
    cycle = f"[think: {{turns: 1}}, think: {{turns: 1, {own}}}]"
    outcome = run(fleet(cycle, "stop: {cycles_per_agent: 2}", "lasts: life", SPEEDS))
    # Opus: 10,000; then 1,100 of its turn and 300 of the step. Haiku: 2,000; then 1,100 of its own turn.
    assert calls(outcome)["cache_write_tokens"].tolist() == [10_000, 2_000, 1_400, 1_100]
    assert calls(outcome)["cache_read_tokens"].tolist() == [0, 0, 10_000, 2_000]
    assert spends(outcome, usd(11_400, 10_000, 200) + usd(3_100, 2_000, 200, 1 / 5))
    anew = run(
        fleet(cycle.replace(", lasts: life", ""), "stop: {cycles_per_agent: 2}", "lasts: life", SPEEDS)
    )
    assert calls(anew)["cache_write_tokens"].tolist() == [10_000, 2_000, 1_400, 2_000]


def test_the_groups_cache_ages_while_a_step_is_in_a_context_of_its_own() -> None:
    own = "context: {first_prompt_tokens: 500}, turn: {tool_time: 5 min}"
    outcome = run(fleet(f"[think: {{turns: 1}}, think: {{turns: 1, {own}}}, think: {{turns: 1}}]"))
    assert calls(outcome)["cache_read_tokens"].tolist() == [0, 0, 0]
    assert calls(outcome)["cache_write_tokens"].tolist() == [10_000, 500, 11_100]


@pytest.mark.parametrize("simulate", [reference.simulate, compiled.simulate])
def test_an_attempt_that_ends_within_a_step_leaves_the_steps_model_and_context(
    simulate: Callable[[Program], Outcome],
) -> None:
    own = "model: claude-haiku-4-5, context: {first_prompt_tokens: 2000}, returns_tokens: 300"
    tasks = "tasks: {count: 2, attempts: 1, solved: 100%, limit: {turns: 2}}"
    outcome = simulate(
        lower(scenario(fleet(f"[think: {{turns: 1}}, think: {{turns: 5, {own}}}]", tasks, speeds=SPEEDS)))
    )
    # Each attempt is a call of Opus with 10,000 and one of Haiku with 2,000.
    assert outcome.totals["model_calls"] == 4
    assert outcome.totals["spend_tokens_usd"] == pytest.approx(
        2 * (usd(10_000, 0, 100) + usd(2_000, 0, 100, 1 / 5)), abs=CENT
    )


# Sub-agents.

TEAM = "delegate: {agents: 2, turns: 2, context: {first_prompt_tokens: 1000}, returns_tokens: 50}"


def test_sub_agents_work_side_by_side_and_what_they_return_joins_the_agents_context() -> None:
    outcome = run(fleet(f"[think: {{turns: 1}}, {TEAM}, think: {{turns: 1}}]"))
    # Each sub-agent sends 1,000, then 2,100; the agent 10,000, then 11,100 and twice 50.
    assert outcome.totals["model_calls"] == 6
    assert spends(outcome, usd(10_000 + 1_200 + 2 * 2_100, 10_000 + 2 * 1_000, 600))
    assert seconds(outcome) == pytest.approx(10 + 20 + 10)
    assert outcome.totals["agent_hours"] * 3600 == pytest.approx(40)
    assert times_of(outcome) == {"model": 16, "tool": 24}
    team = calls(outcome)[calls(outcome)["parent"] == "agent 0"]
    assert sorted(team["name"].tolist()) == 2 * ["sub-agent 1"] + 2 * ["sub-agent 2"]
    assert set(team["agent"]) == {0}
    assert set(team["session"]) == {1, 2}


def test_no_sub_agents_take_no_time() -> None:
    outcome = run(fleet("[think: {turns: 1}, delegate: {agents: 0, turns: 5, returns_tokens: 900}]"))
    assert (outcome.totals["model_calls"], seconds(outcome)) == (1, pytest.approx(10))


def test_an_agent_whose_sub_agents_all_wait_waits_for_the_provider() -> None:
    # One request a minute: the second sub-agent calls at 60 s. From 4 to 10 s the first uses tools, then all wait.
    cycle = "[delegate: {agents: 2, turns: 1, context: {first_prompt_tokens: 1000}}]"
    outcome = run(fleet(cycle, f"{ONCE}\napi: {{requests_per_min: 1}}"))
    assert calls(outcome)["started_s"].tolist() == [0, 60]
    assert times_of(outcome) == {"model": 8, "tool": 12, "waiting_api": 50}


def test_sub_agents_are_cut_at_the_horizon_and_their_calls_are_paid_in_full() -> None:
    outcome = run(fleet(f"[{TEAM}]", "stop: {after: 3 s}"))
    assert calls(outcome)["outcome"].tolist() == ["cut", "cut"]
    assert calls(outcome)["duration_s"].tolist() == [3, 3]
    assert spends(outcome, usd(2_000, 0, 200))
    assert times_of(outcome) == {"model": 3}


def test_sub_agents_end_at_the_budget_each_for_itself_and_their_agent_finds_out_at_its_next_call() -> None:
    # The first call of each costs $0.00875 and begins below the budget; at their second nothing is left.
    outcome = run(fleet(f"[{TEAM}, think: {{turns: 1}}]", "stop: {budget: $0.01}"))
    assert outcome.totals["model_calls"] == 2
    assert spends(outcome, usd(2_000, 0, 200))
    assert seconds(outcome) == pytest.approx(10)


# Shared prefixes.


def test_a_prefix_that_contexts_share_is_read_by_those_that_begin_while_its_cache_lives() -> None:
    two_cycles = "stop: {cycles_per_agent: 2}"
    outcome = run(fleet("[think: {turns: 1}]", two_cycles, "shared_prefix_tokens: 6000"))
    assert spends(outcome, usd(10_000 + 4_000, 6_000, 200))
    late = "[think: {turns: 1}, experiment: {time: 5 min}]"
    outcome = run(fleet(late, f"{two_cycles}\ngpus: {{price: 0 $/h}}", "shared_prefix_tokens: 6000"))
    assert spends(outcome, usd(20_000, 0, 200))


def test_a_compaction_leaves_the_shared_prefix_and_calls_of_another_model_do_not_share_it() -> None:
    # Sent: 10,000; 11,100; 12,200 is too much: a compaction sends it and puts out 1,000; then 11,000.
    full = "shared_prefix_tokens: 6000, limit_tokens: 12000, compacted_to_tokens: 1000"
    context = f"context: {{first_prompt_tokens: 10000, {full}}}"
    text = f"{SPEED}\n{PRICES}\n{TURN}\n{context}\nfleet: [{{agents: 1}}]\ncycle: [think: {{turns: 3}}]\n{ONCE}\n"
    outcome = run(text)
    sent = calls(outcome)
    assert sent["cache_read_tokens"].tolist() == [0, 10_000, 6_000]
    assert sent["cache_write_tokens"].tolist() == [10_000, 1_100, 5_000]
    other = "think: {turns: 1, model: claude-haiku-4-5}"
    outcome = run(fleet(f"[think: {{turns: 1}}, {other}]", ONCE, "shared_prefix_tokens: 6000", SPEEDS))
    assert calls(outcome)["cache_read_tokens"].tolist() == [0, 0]


def test_sub_agents_read_a_shared_prefix_and_without_a_cache_there_is_none() -> None:
    team = "delegate: {agents: 3, turns: 1, context: {first_prompt_tokens: 7000}}"
    outcome = run(fleet(f"[think: {{turns: 1}}, {team}]", ONCE, "shared_prefix_tokens: 6000"))
    assert spends(outcome, usd(10_000 + 3 * 1_000, 3 * 6_000, 400))
    uncached = run(fleet(f"[think: {{turns: 1}}, {team}]", ONCE, "shared_prefix_tokens: 6000, cache: off"))
    assert uncached.totals["tokens_uncached_input"] == 10_000 + 3 * 7_000


def test_a_shared_prefix_does_not_count_towards_input_limits() -> None:
    # 10,000 tokens a minute: the second context writes 4,000, for which the empty bucket fills from 0 to 24 s.
    limits = "api: {input_tokens_per_min: 10000}"
    outcome = run(
        fleet("[think: {turns: 1}]", f"stop: {{cycles_per_agent: 2}}\n{limits}", "shared_prefix_tokens: 6000")
    )
    assert calls(outcome)["started_s"].tolist() == [0, 24]


# Full contexts, and thinking.


@pytest.mark.parametrize(
    ("when_full", "sent", "read", "sessions"),
    [
        ("when_full: restart, carried_tokens: 500", [10_000, 11_100, 10_500, 11_600], 20_500, [0, 0, 1, 1]),
        ("when_full: drop oldest to 50%", [10_000, 11_100, 6_000, 7_100], 16_000, [0, 0, 0, 0]),
    ],
)
def test_a_full_context_is_restarted_or_loses_its_oldest_part_without_a_call(
    when_full: str, sent: list[int], read: int, sessions: list[int]
) -> None:
    context = f"context: {{first_prompt_tokens: 10000, limit_tokens: 12000, {when_full}}}"
    text = f"{SPEED}\n{PRICES}\n{TURN}\n{context}\nfleet: [{{agents: 1}}]\ncycle: [think: {{turns: 4}}]\n{ONCE}\n"
    outcome = run(text)
    assert calls(outcome)["context_tokens"].tolist() == sent
    assert calls(outcome)["session"].tolist() == sessions
    assert outcome.totals["tokens_cache_read"] == read
    assert spends(outcome, usd(sum(sent) - read, read, 400))
    assert seconds(outcome) == pytest.approx(40)
    kind = "restart" if "restart" in when_full else "drop"
    assert calls(outcome, kind)["cost_usd"].tolist() == [0.0]


@pytest.mark.parametrize(("keeps", "second"), [("yes", 11_300), ("no", 11_100)])
def test_thinking_joins_the_context_where_it_is_kept(keeps: str, second: int) -> None:
    turn = "{output_tokens: 100, thinking_tokens: 200, tool_result_tokens: 1000, tool_time: 6 s}"
    text = fleet("[think: {turns: 2}]", ONCE, f"keeps_thinking: {keeps}").replace(TURN, f"turn: {turn}")
    outcome = run(text)
    assert calls(outcome)["context_tokens"].tolist() == [10_000, second]
    assert seconds(outcome) == pytest.approx(2 * (2 + 6 + 6))


# Limits by model, services, served models.


def test_a_model_with_limits_of_its_own_does_not_share_the_common_ones() -> None:
    # Opus may call once a minute. Haiku's bucket holds two: it pays at 0 and 10 s; at 20 s it holds 2/3, at 30 s one.
    limits = "api: {requests_per_min: 1, models: {claude-haiku-4-5: {requests_per_min: 2}}}"
    groups = "agents: 1}, {group: small, agents: 1, model: claude-haiku-4-5, cycle: [think: {turns: 3}]"
    outcome = run(fleet("[think: {turns: 2}]", f"{ONCE}\n{limits}", "", SPEEDS, groups))
    started = calls(outcome).groupby("model", observed=True)["started_s"].apply(list)
    assert started["claude-opus-4-6"] == [0, 60]
    assert np.allclose(started["claude-haiku-4-5"], [0, 10, 30])


def test_a_batch_returns_in_its_time_for_half_the_price_outside_limits_and_errors() -> None:
    group = "agents: 1, service: {batch: {returns_in: 10 min}}"
    limits = "api: {requests_per_min: 1, error_rate: 50%}"
    outcome = run(fleet("[think: {turns: 2}]", f"{ONCE}\n{limits}", "", SPEED, group))
    # The second call begins after 606 s, when the cache is lost.
    assert calls(outcome)["started_s"].tolist() == [0, 606]
    assert calls(outcome)["service"].tolist() == ["batch", "batch"]
    assert spends(outcome, usd(21_100, 0, 200, 1 / 2))
    assert outcome.totals["model_calls"] == 2


def test_own_prices_say_what_a_service_costs() -> None:
    own = "{input: 5, cache_write: 6.25, cache_read: 0.5, output: 25, services: {fast: 600%}}"
    text = fleet("[think: {turns: 1}, think: {turns: 1, service: fast}]")
    outcome = run(text.replace(PRICES, f"prices: {{claude-opus-4-6: {own}}}"))
    # The step stays in the group's context, and reads its cache.
    assert calls(outcome)["cache_read_tokens"].tolist() == [0, 10_000]
    assert spends(outcome, usd(10_000, 0, 100) + usd(1_100, 10_000, 100, 6))


HALL = "served_on: hall, gpus_each: 2, throughput: 80 tokens/s, at_most: 50 tokens/s"
SERVED = f"models: {{own: {{first_token: 2 s, {HALL}}}}}"


@pytest.mark.parametrize(("billing", "gpus_paid"), [("on demand", 2), ("reserved", 4)])
def test_calls_to_a_served_model_share_its_throughput_and_its_gpus_are_held(
    billing: str, gpus_paid: int
) -> None:
    hall = f"gpus: [{{name: hall, count: 4, price: 3 $/h, billing: {billing}}}]"
    outcome = run(
        fleet("[think: {turns: 1}]", f"{ONCE}\n{hall}", "", SERVED, "agents: 2, model: own").replace(
            PRICES, ""
        )
    )
    # Both ask at 0: the first has 50 tokens/s, the second, of two, 40: 2 s and 2.5 s beside the 2 s of the first token.
    assert calls(outcome)["duration_s"].tolist() == [4.0, 4.5]
    assert outcome.totals["spend_tokens_usd"] == 0
    assert outcome.totals["gpu_hours_used"] == pytest.approx(2 * 10.5 / 3600)
    assert outcome.totals["spend_gpu_usd"] == pytest.approx(gpus_paid * 3 * 10.5 / 3600, abs=CENT)
    assert outcome.totals["spend_usd"] == pytest.approx(outcome.totals["spend_gpu_usd"], abs=CENT)


def test_jobs_wait_for_gpus_that_no_served_model_holds() -> None:
    hall = "gpus: [{name: hall, count: 3, price: 3 $/h}]"
    group = "agents: 2, model: own"
    outcome = run(
        fleet("[experiment: {time: 1 h}]", f"{ONCE}\n{hall}", "", SERVED, group).replace(PRICES, "")
    )
    assert calls(outcome, "experiment")["started_s"].tolist() == [0, 3600]
    assert outcome.totals["gpu_hours_used"] == pytest.approx(2 * 2 + 2 * 1)


# Subscriptions.


def test_a_call_beyond_a_window_waits_for_its_end_and_begins_the_next() -> None:
    # The first call uses $0.065 of $0.05. The second waits, loses its cache, and uses more than a window's worth again.
    plan = "api: {plan: {price: 200 $/month, window: {every: 5 h, allows: $0.05}}}"
    outcome = run(fleet("[think: {turns: 3}]", f"{ONCE}\n{plan}"))
    assert calls(outcome)["started_s"].tolist() == [0, 18_000, 36_000]
    assert calls(outcome)["cache_read_tokens"].tolist() == [0, 0, 0]
    assert outcome.totals["spend_tokens_usd"] == 0
    assert outcome.totals["spend_fixed_usd"] == 200
    assert times_of(outcome)["waiting_api"] == pytest.approx(36_000 - 20)


def test_a_call_beyond_a_window_is_paid_if_the_plan_says_so_and_uses_nothing_of_it() -> None:
    plan = "api: {plan: {price: 100 $/month, seats: 2, window: {every: 5 h, allows: $0.03}, then: pay}}"
    outcome = run(fleet("[think: {turns: 3}]", f"{ONCE}\n{plan}"))
    # Two seats allow $0.06, which the first call passes; the others are paid.
    assert spends(outcome, usd(1_100, 10_000, 100) + usd(1_100, 11_100, 100))
    assert outcome.totals["spend_fixed_usd"] == 200


def test_a_window_that_ends_during_a_call_leaves_the_call_alone_and_the_next_call_begins_a_new_one() -> None:
    # A turn takes 10 s. The first two calls use $0.065 and $0.014, a window's worth: the third waits for 60 s.
    plan = "api: {plan: {price: 0 $/month, window: {every: 1 min, allows: $0.07}}}"
    outcome = run(fleet("[think: {turns: 3}]", f"{ONCE}\n{plan}"))
    assert calls(outcome)["started_s"].tolist() == [0, 10, 60]
    longer = TURN.replace("output_tokens: 100", "output_tokens: 3000")  # a call of 62 s
    outcome = run(fleet("[think: {turns: 2}]", f"{ONCE}\n{plan}").replace(TURN, longer))
    assert calls(outcome)["started_s"].tolist() == [0, 68]


def test_a_week_holds_beside_the_window_and_months_are_paid_as_they_begin() -> None:
    plan = "api: {plan: {price: 50 $/month, window: {every: 1 h, allows: $1}, week: {allows: $0.06}}}"
    outcome = run(fleet("[think: {turns: 2}]", f"stop: {{after: 8 days, cycles_per_agent: 1}}\n{plan}"))
    assert calls(outcome)["started_s"].tolist() == [0, 7 * 86_400]
    job = "[think: {turns: 1}, experiment: {time: 60 days}]"
    outcome = run(
        fleet(job, f"stop: {{after: 90 days, cycles_per_agent: 1}}\ngpus: {{price: 0 $/h}}\n{plan}")
    )
    assert calls(outcome, "plan")["started_s"].tolist() == [0, 30 * 86_400, 60 * 86_400]
    assert outcome.totals["spend_fixed_usd"] == 150


def test_calls_that_wait_for_a_window_go_on_in_the_order_in_which_they_asked() -> None:
    plan = "api: {plan: {price: 0 $/month, window: {every: 1 h, allows: $0.06}}}"
    group = "agents: 3, start: {then_every: 1 s}"
    outcome = run(fleet("[think: {turns: 2}]", f"stop: {{after: 5 h}}\n{plan}", "", SPEED, group))
    # Each first call is more than a window: one an hour. The first agent asked again after the others had asked.
    assert calls(outcome)["agent"].tolist() == [0, 1, 2, 0, 1]
    assert calls(outcome)["started_s"].tolist() == [0, 3_600, 7_200, 10_800, 14_400]
