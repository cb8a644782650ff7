"""What providers say of caches is a dated table, shown by `check`, and a note says where a scenario departs from it."""

import datetime

import pytest

from simbudget.pricing.catalogue import model_prices
from simbudget.pricing.facts import table_rows
from simbudget.scenario.loading import loads_scenario

FLEET = """
simbudget: 1
fleet: [{{group: a, agents: 2, model: {model}, context: {{{context}}}}}]
cycle: [think: {{turns: 3}}]
prices: {{on: 2026-11-29}}
stop: {{after: 1 h}}
"""


def notes(model: str, context: str = "first_prompt_tokens: 20000", more: str = "") -> tuple[str, ...]:
    return loads_scenario(FLEET.format(model=model, context=context) + more).notes


@pytest.mark.fast
@pytest.mark.parametrize(
    ("model", "shortest"),
    [
        ("claude-haiku-4-5", 4096),
        ("claude-opus-4-6", 4096),
        ("claude-opus-4-7", 2048),
        ("claude-opus-4-8", 1024),
        ("claude-sonnet-4-5", 1024),
        ("claude-opus-5", 512),
        ("gpt-5.5", 1024),
        ("gemini-2.5-pro", 2048),
    ],
)
def test_a_first_prompt_too_short_for_the_provider_s_cache_is_noted(model: str, shortest: int) -> None:
    caching = model_prices(model, datetime.date(2026, 11, 29)).caching
    assert caching is not None
    assert caching.min_prefix_tokens == shortest
    (note,) = notes(model, f"first_prompt_tokens: {shortest - 1}")
    assert f"is shorter than what the provider of {model} caches ({shortest:,})" in note
    assert notes(model, f"first_prompt_tokens: {shortest}") == ()
    assert notes(model, f"first_prompt_tokens: {shortest - 1}, cache: off") == ()


@pytest.mark.fast
def test_a_shared_prefix_too_short_for_the_cache_is_noted() -> None:
    (note,) = notes("claude-opus-4-6", "first_prompt_tokens: 9000, shared_prefix_tokens: 3000")
    assert "shared prefix (3,000 tokens)" in note
    assert notes("claude-opus-4-6", "first_prompt_tokens: 9000, shared_prefix_tokens: 5000") == ()


@pytest.mark.fast
def test_a_cache_that_the_provider_does_not_keep_so_long_is_noted() -> None:
    (note,) = notes("gpt-5.5", "cache: 1 h")
    assert "keeps a prompt for 5 min, and the scenario for 1 h" in note
    assert notes("claude-opus-4-6", "cache: 1 h") == ()


@pytest.mark.fast
def test_reads_that_count_towards_a_limit_on_input_are_noted_where_there_is_one() -> None:
    (note,) = notes("gpt-5.5", more="api: {input_tokens_per_min: 100000}\n")
    assert "counts cache reads towards the limit on input tokens" in note
    assert notes("claude-opus-4-6", more="api: {input_tokens_per_min: 100000}\n") == ()
    assert notes("gpt-5.5", more="api: {requests_per_min: 10}\n") == ()
    assert (
        notes("gpt-5.5", more="api: {input_tokens_per_min: 9, models: {gpt-5.5: {requests_per_min: 9}}}\n")
        == ()
    )


@pytest.mark.fast
def test_a_step_with_a_model_of_its_own_is_held_against_that_model_s_provider() -> None:
    text = FLEET.format(model="claude-sonnet-4-5", context="first_prompt_tokens: 2000")
    (note,) = loads_scenario(text.replace("turns: 3", "turns: 3, model: claude-haiku-4-5")).notes
    assert note.startswith("step think of group a: the first prompt")


@pytest.mark.fast
def test_prices_and_servers_of_one_s_own_say_nothing_of_a_provider() -> None:
    own = "prices: {claude-haiku-4-5: {input: 1 $/Mtok, output: 5 $/Mtok, cache_write: 1, cache_read: 0.1}}\n"
    text = FLEET.format(model="claude-haiku-4-5", context="first_prompt_tokens: 100")
    assert (
        loads_scenario(
            text.replace(
                "prices: {on: 2026-11-29}\n",
                own.replace("write: 1,", "write: 1 $/Mtok,").replace("0.1}", "0.1 $/Mtok}"),
            )
        ).notes
        == ()
    )


@pytest.mark.fast
def test_check_names_what_is_known_of_a_model_s_cache_with_source_and_date() -> None:
    loaded = loads_scenario(FLEET.format(model="claude-opus-4-6", context=""))
    (row,) = [row for row in loaded.provenance if row.name == "models[claude-opus-4-6].caching"]
    assert row.text.startswith("prompts from 4,096 tokens, for 5 min or 1 h; writes cost more than input")
    assert row.source.startswith("https://")


@pytest.mark.fast
def test_every_row_of_the_table_has_a_source_and_a_date_and_the_longest_name_comes_first() -> None:
    rows = list(table_rows("caches.csv"))
    for number, row in enumerate(rows):
        assert row["source"].startswith("https://")
        datetime.date.fromisoformat(row["as_of"])
        for earlier in rows[:number]:
            hides = earlier["provider"] == row["provider"] and row["models"].startswith(earlier["models"])
            assert not hides, f"{row['models']} is never reached"
