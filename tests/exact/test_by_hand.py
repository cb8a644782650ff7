"""Model calls without randomness equal a calculation by hand, to the last cent and second."""

import pytest

from tests.running import CENT, PRICES, TURN, one_agent, run


def test_a_cache_that_lives_is_read_and_what_has_come_since_is_written() -> None:
    outcome = run(one_agent("[think: {turns: 3}]", "stop: {cycles_per_agent: 1}"))
    # Contexts sent: 10,000; 11,100; 12,200. The second reads 10,000 and writes 1,100, and so on.
    assert outcome.totals["tokens_cache_write"] == 10_000 + 1_100 + 1_100
    assert outcome.totals["tokens_cache_read"] == 10_000 + 11_100
    assert outcome.totals["tokens_output"] == 300
    assert outcome.totals["spend_usd"] == pytest.approx(
        (12_200 * 6.25 + 21_100 * 0.5 + 300 * 25) / 1e6, abs=CENT
    )
    assert outcome.totals["wall_clock_hours"] * 3600 == pytest.approx(30)
    assert outcome.totals["agent_hours"] * 3600 == pytest.approx(30)


def test_without_a_cache_all_of_the_context_is_input() -> None:
    context = "{first_prompt_tokens: 10000, cache: off}"
    outcome = run(one_agent("[think: {turns: 3}]", "stop: {cycles_per_agent: 1}", context))
    assert outcome.totals["tokens_uncached_input"] == 10_000 + 11_100 + 12_200
    assert outcome.totals["spend_usd"] == pytest.approx((33_300 * 5 + 300 * 25) / 1e6, abs=CENT)


@pytest.mark.parametrize(
    ("cache", "job", "lives"), [("5 min", "286 s", True), ("5 min", "287 s", False), ("1 h", "58 min", True)]
)
def test_an_experiment_longer_than_the_cache_lives_loses_it(cache: str, job: str, lives: bool) -> None:
    # From the start of a turn's call to the next call: 4 s answer, 10 s more (6 s tool, then the job).
    context = f"{{first_prompt_tokens: 10000, cache: {cache}}}"
    cycle = f"[think: {{turns: 1}}, experiment: {{time: {job}}}, think: {{turns: 1}}]"
    turn = "turn: {tool_time: 10 s, output_tokens: 100, tool_result_tokens: 1000}"
    text = one_agent(cycle, "stop: {cycles_per_agent: 1}\ngpus: {price: 0 $/h}", context).replace(TURN, turn)
    totals = run(text).totals
    assert totals["tokens_cache_read"] == (10_000 if lives else 0)
    assert totals["tokens_cache_write"] == (11_100 if lives else 21_100)
    write = 10 if cache == "1 h" else 6.25
    usd = (totals["tokens_cache_write"] * write + totals["tokens_cache_read"] * 0.5 + 200 * 25) / 1e6
    assert totals["spend_usd"] == pytest.approx(usd, abs=CENT)


def test_a_full_context_is_compacted_first_and_its_cache_is_empty_then() -> None:
    context = "{first_prompt_tokens: 10000, limit_tokens: 12000, compacted_to_tokens: 1000}"
    outcome = run(one_agent("[think: {turns: 4}]", "stop: {cycles_per_agent: 1}", context))
    # Sent: 10,000; 11,100; then 12,200 > 12,000: compaction sends 12,200, puts out 1,000; then 11,000; 12,100 is
    # too much again: compaction sends 12,100; then 11,000.
    calls = outcome.ledger
    assert calls is not None
    sent = calls[calls["kind"].isin(["call", "compaction"])]
    totals = sent["cache_write_tokens"] + sent["cache_read_tokens"]
    assert totals.tolist() == [10_000, 11_100, 12_200, 11_000, 12_100, 11_000]
    assert sent["cache_read_tokens"].tolist() == [0, 10_000, 11_100, 0, 11_000, 0]
    assert sent["output_tokens"].tolist() == [100, 100, 1_000, 100, 1_000, 100]
    assert outcome.totals["wall_clock_hours"] * 3600 == pytest.approx(4 * 10 + 2 * (2 + 20))


def test_a_call_over_the_long_context_tier_costs_it_as_a_whole() -> None:
    text = one_agent(
        "[think: {turns: 2}]",
        "stop: {cycles_per_agent: 1}",
        "{first_prompt_tokens: 199500, limit_tokens: 900000}",
    )
    totals = run(text.replace("2026-06-01", "2026-03-01")).totals
    first = (199_500 * 6.25 + 100 * 25) / 1e6
    second = (199_500 * 1.0 + 1_100 * 12.5 + 100 * 37.5) / 1e6
    assert totals["spend_usd"] == pytest.approx(first + second, abs=CENT)


def test_own_prices_come_before_the_list() -> None:
    own = (
        "{input: 1 $/Mtok, cache_write: 2, cache_read: 0.1, output: 3, "
        "long: {above: 10500, input: 9, cache_write: 9, cache_read: 9, output: 9}}"
    )
    text = one_agent("[think: {turns: 2}]", "stop: {cycles_per_agent: 1}").replace(
        PRICES, f"prices: {{claude-opus-4-6: {own}}}"
    )
    assert run(text).totals["spend_usd"] == pytest.approx(
        (10_000 * 2 + 100 * 3 + 11_100 * 9 + 100 * 9) / 1e6, abs=CENT
    )


def test_thinking_is_billed_takes_time_and_joins_the_context() -> None:
    text = one_agent("[think: {turns: 2}]", "stop: {cycles_per_agent: 1}")
    totals = run(text.replace("output_tokens: 100,", "output_tokens: 100, thinking_tokens: 400,")).totals
    assert totals["tokens_output"] == 1_000
    assert totals["tokens_cache_read"] + totals["tokens_cache_write"] == 10_000 + 11_500
    assert totals["wall_clock_hours"] * 3600 == pytest.approx(2 * (2 + 10 + 6))


@pytest.mark.parametrize(
    ("limit", "second_starts_s"),
    [
        # Two agents ask at 0; the bucket holds one minute's worth, the second call waits until it can pay.
        ("requests_per_min: 1", 60.0),
        ("input_tokens_per_min: 12000", 40.0),  # 2,000 are left after the first; 8,000 more take 40 s
        ("output_tokens_per_min: 120", 40.0),  # 20 are left; 80 more take 40 s
        (
            "input_tokens_per_min: 6000",
            100.0,
        ),  # larger than the bucket: leaves it 4,000 in debt; full after 100 s
    ],
)
def test_a_call_starts_when_every_bucket_can_pay(limit: str, second_starts_s: float) -> None:
    text = one_agent("[think: {turns: 1}]", f"api: {{{limit}}}\nstop: {{cycles_per_agent: 1}}")
    outcome = run(text.replace("agents: 1", "agents: 2"))
    ledger = outcome.ledger
    assert ledger is not None
    calls = ledger[ledger["kind"] == "call"]
    assert calls["started_s"].tolist() == pytest.approx([0.0, second_starts_s])
    assert calls["queued_s"].tolist() == pytest.approx([0.0, second_starts_s])
    assert outcome.totals["wall_clock_hours"] * 3600 == pytest.approx(second_starts_s + 10)
    assert outcome.totals["share_waiting_api"] == pytest.approx(second_starts_s / (20 + second_starts_s))


def test_the_horizon_cuts_a_call_which_is_paid_for_in_full() -> None:
    totals = run(one_agent("[think: {turns: 3}]", "stop: {after: 12 s}")).totals
    assert totals["model_calls"] == 2
    assert totals["tokens_output"] == 200
    assert totals["wall_clock_hours"] * 3600 == pytest.approx(12)


def test_agents_start_one_after_the_other() -> None:
    text = one_agent("[think: {turns: 1}]", "stop: {cycles_per_agent: 1}").replace(
        "agents: 1", "agents: 3, start: {first: 1 min, then_every: 2 min}"
    )
    outcome = run(text)
    ledger = outcome.ledger
    assert ledger is not None
    assert ledger.loc[ledger["kind"] == "call", "started_s"].tolist() == pytest.approx([60, 180, 300])
    assert outcome.totals["wall_clock_hours"] * 3600 == pytest.approx(310)
    assert outcome.totals["agent_hours"] * 3600 == pytest.approx(30)


def test_reading_the_forum_grows_with_the_fleet_up_to_what_is_read_at_most() -> None:
    fleet = "agents: 4, start: {then_every: 1 min}"
    text = one_agent("[share]", "forum: {post_tokens: 500, reads_at_most: 2}\nstop: {cycles_per_agent: 1}")
    ledger = run(text.replace("agents: 1", fleet)).ledger
    assert ledger is not None
    posts = ledger[ledger["kind"] == "post"]
    assert posts["cache_write_tokens"].tolist() == [10_000, 10_500, 11_000, 11_000]
    assert posts["output_tokens"].tolist() == [500] * 4


def test_polls_keep_the_cache_alive_and_the_agent_goes_on_when_the_job_has_ended() -> None:
    cycle = (
        "[think: {turns: 1}, experiment: {time: 10 min, polls: {every: 4 min, "
        "output_tokens: 50, result_tokens: 300}}, think: {turns: 1}]"
    )
    outcome = run(one_agent(cycle, "stop: {cycles_per_agent: 1}\ngpus: {price: 0 $/h}"))
    ledger = outcome.ledger
    assert ledger is not None
    polls = ledger[ledger["kind"] == "poll"]
    assert polls["started_s"].tolist() == pytest.approx([10 + 240, 10 + 480])
    # Sent: 10,000; then polls of 11,100 and 11,450; the last turn 11,800, all with what was sent before in the cache.
    assert outcome.totals["tokens_cache_read"] == 10_000 + 11_100 + 11_450
    assert outcome.totals["tokens_cache_write"] == 10_000 + 1_100 + 350 + 350
    assert outcome.totals["wall_clock_hours"] * 3600 == pytest.approx(10 + 600 + 10)


@pytest.mark.parametrize(
    ("lasts", "sent"),
    [
        ("think", [10_000, 10_000] * 2),
        ("cycle", [10_000, 11_100] * 2),
        ("life", [10_000, 11_100, 12_200, 13_300]),
    ],
)
def test_a_context_lasts_as_long_as_it_says(lasts: str, sent: list[int]) -> None:
    context = f"{{first_prompt_tokens: 10000, lasts: {lasts}}}"
    cycle = "[think: {turns: 1}, think: {turns: 1}]"
    ledger = run(one_agent(cycle, "stop: {cycles_per_agent: 2}", context)).ledger
    assert ledger is not None
    calls = ledger[ledger["kind"] == "call"]
    assert (calls["cache_write_tokens"] + calls["cache_read_tokens"]).tolist() == sent


def test_fixed_money_is_spent_whatever_happens() -> None:
    totals = run(
        one_agent("[think: {turns: 1}]", "fixed: $250\nstop: {budget: $300, cycles_per_agent: 1}")
    ).totals
    assert totals["spend_fixed_usd"] == 250
    assert totals["spend_usd"] == pytest.approx(250 + (10_000 * 6.25 + 100 * 25) / 1e6, abs=CENT)


def test_what_ends_goes_before_what_asks_at_the_same_instant() -> None:
    # The second agent's post ends at 2 + 400 / 50 = 10 s, when the first agent's turn ends and it asks to share.
    text = one_agent("[think: {turns: 1}, share]", "forum: {post_tokens: 400}\nstop: {cycles_per_agent: 1}")
    ledger = run(text.replace("[{agents: 1}]", "[{agents: 1}, {group: b, agents: 1, cycle: [share]}]")).ledger
    assert ledger is not None
    post = ledger[(ledger["kind"] == "post") & (ledger["agent"] == 0)].iloc[0]
    assert post["started_s"] == 10
    assert post["cache_read_tokens"] + post["cache_write_tokens"] == 10_000 + 100 + 1_000 + 400


def test_a_cent_more_or_less_would_be_seen() -> None:
    """The twin: a wrong price fails the check that the right one passes."""
    wrong = run(
        one_agent("[think: {turns: 3}]", "stop: {cycles_per_agent: 1}").replace(
            "2026-06-01",
            "2026-06-01, claude-opus-4-6: {input: 5, cache_write: 6.26, cache_read: 0.5, output: 25}",
        )
    )
    assert wrong.totals["spend_usd"] != pytest.approx(
        (12_200 * 6.25 + 21_100 * 0.5 + 300 * 25) / 1e6, abs=CENT
    )


def sent_tokens(text: str, **which: int) -> list[float]:
    """Return the context that each call sent."""
    calls = run(text, **which).ledger
    assert calls is not None
    sent = calls[calls["kind"].isin(["call", "compaction"])]
    return list(sent["cache_write_tokens"] + sent["cache_read_tokens"])


OPENING = TURN.replace("}", ", opening: {times: 3, turns: 2}}")


def test_the_first_results_of_a_context_are_larger_and_so_are_those_after_a_compaction() -> None:
    context = "{first_prompt_tokens: 10000, limit_tokens: 16000, compacted_to_tokens: 900}"
    text = one_agent("[think: {turns: 5}]", "stop: {cycles_per_agent: 1}", context).replace(TURN, OPENING)
    # Results: 1,000 (1 + 2 exp(-k/2)) = 3,000; 2,213; 1,736; and 100 of output each.
    assert sent_tokens(text) == [10_000, 13_100, 15_413, 17_249, 10_900, 14_000]


def test_a_context_under_way_has_its_first_turns_behind_it() -> None:
    text = one_agent("[think: {turns: 2}]", "stop: {cycles_per_agent: 1}").replace(TURN, OPENING)
    start = "start: {context_tokens: 20000, context_turns: 2}"
    assert sent_tokens(text.replace("agents: 1", f"agents: 1, {start}")) == [20_000, 21_836]


def test_a_cache_that_is_always_missed_is_written_anew_by_each_call() -> None:
    context = "{first_prompt_tokens: 10000, cache_misses: 100%}"
    totals = run(one_agent("[think: {turns: 3}]", "stop: {cycles_per_agent: 1}", context)).totals
    assert (totals["tokens_cache_write"], totals["tokens_cache_read"]) == (10_000 + 11_100 + 12_200, 0)


def test_a_cache_is_missed_as_often_as_the_scenario_says() -> None:
    context = "{first_prompt_tokens: 10000, limit_tokens: 9M, cache_misses: 20%}"
    ledger = run(one_agent("[think: {turns: 2000}]", "stop: {cycles_per_agent: 1}", context)).ledger
    assert ledger is not None
    missed = (ledger[ledger["kind"] == "call"]["cache_read_tokens"].iloc[1:] == 0).sum()
    assert abs(missed - 0.2 * 1999) < 4 * (0.2 * 0.8 * 1999) ** 0.5


def test_a_limit_that_is_not_known_is_one_number_in_a_world() -> None:
    context = "{first_prompt_tokens: 10000, limit_tokens: 12k to 20k, compacted_to_tokens: 1000}"
    text = one_agent("[think: {turns: 40}]", "stop: {cycles_per_agent: 1}", context)
    largest = {max(sent_tokens(text, world=world)) for world in range(5)}
    assert len(largest) > 1
