"""Which model a name means: every id of the list, clouds' profiles, and names as people say them."""

import datetime

import pytest
from genai_prices.data_snapshot import get_snapshot

from simbudget.errors import UserError
from simbudget.pricing.catalogue import model_prices
from simbudget.pricing.models import find_model, qualified
from simbudget.scenario.loading import loads_scenario
from tests.running import one_agent

DAY = datetime.date(2026, 11, 9)
PROVIDERS = get_snapshot().providers


def test_every_id_of_the_list_is_found_with_its_provider() -> None:
    for provider in PROVIDERS:
        for info in provider.models:
            found = find_model(f"{provider.id}/{info.id}", DAY)
            assert found.info is info, f"{provider.id}/{info.id}"
            assert found.provider is provider
            assert model_prices(f"{provider.id}/{info.id}", DAY).provider == provider.id


def test_an_id_that_one_provider_alone_has_is_found_bare() -> None:
    having: dict[str, list[str]] = {}
    for provider in PROVIDERS:
        for info in provider.models:
            having.setdefault(info.id.lower(), []).append(provider.id)
    qualified_names = {
        f"{provider.id}/{info.id}".lower() for provider in PROVIDERS for info in provider.models
    }
    found = 0
    for model, providers in having.items():
        if len(providers) == 1 and model not in qualified_names:
            assert find_model(model, DAY).provider.id == providers[0], model
            found += 1
    assert found > 1_400


@pytest.mark.parametrize(
    ("name", "provider", "model"),
    [
        ("claude-opus-4-8", "anthropic", "claude-opus-4-8"),  # google and a reseller have it too
        ("gpt-5.5", "openai", "gpt-5.5"),
        ("claude-opus-4-8[1m]", "anthropic", "claude-opus-4-8"),
        ("claude-sonnet-4-5-20250929", "anthropic", "claude-sonnet-4-5"),
        ("eu.anthropic.claude-opus-4-8-v1:0", "aws", "regional.anthropic.claude-opus-4-8-v1:0"),
        ("apac.anthropic.claude-opus-4-8-v1:0", "aws", "regional.anthropic.claude-opus-4-8-v1:0"),
        ("anthropic.claude-opus-4-8-v1:0", "aws", "regional.anthropic.claude-opus-4-8-v1:0"),
        ("global.anthropic.claude-opus-4-8-v1:0", "aws", "global.anthropic.claude-opus-4-8-v1:0"),
        ("bedrock/us.anthropic.claude-opus-4-8-v1:0", "aws", "regional.anthropic.claude-opus-4-8-v1:0"),
        ("claude-opus-4-8@20260528", "google", "claude-opus-4-8"),
        ("vertex_ai/claude-opus-5", "google", "claude-opus-5"),
        ("azure/gpt-5.5", "openai", "gpt-5.5"),  # azure's own list lacks it, and sells it at openai's prices
        ("models/gemini-2.5-pro", "google", "gemini-2.5-pro"),
        ("anthropic/claude-haiku-4.5:batch", "openrouter", "anthropic/claude-haiku-4.5:batch"),
    ],
)
def test_a_name_means_the_makers_model_or_the_clouds(name: str, provider: str, model: str) -> None:
    found = find_model(name, DAY)
    assert (found.provider.id, found.info.id) == (provider, model)


def test_a_clouds_regional_profile_costs_a_tenth_more_than_its_global_one() -> None:
    regional = model_prices("eu.anthropic.claude-opus-4-8-v1:0", DAY).base
    assert regional.input == pytest.approx(
        1.1 * model_prices("global.anthropic.claude-opus-4-8-v1:0", DAY).base.input
    )


def test_a_name_that_several_resellers_have_is_refused_and_they_are_named() -> None:
    with pytest.raises(UserError, match=r"sold by .*novita, openrouter.*`novita/google/gemma-2-9b-it`"):
        find_model("google/gemma-2-9b-it", DAY)


@pytest.mark.parametrize(
    ("name", "on", "model"),
    [
        ("opus", DAY, "claude-opus-5-5"),
        ("opus", datetime.date(2026, 2, 4), "claude-opus-4-5"),
        ("opus", datetime.date(2026, 2, 5), "claude-opus-4-6"),
        ("Sonnet", DAY, "claude-sonnet-5-5"),
        ("haiku", datetime.date(2026, 10, 1), "claude-haiku-4-5"),
        ("opus 4.6", DAY, "claude-opus-4-6"),
        ("gemini pro", DAY, "gemini-3.1-pro-preview"),
        ("gemini flash", datetime.date(2026, 8, 1), "gemini-3.6-flash"),
    ],
)
def test_a_short_name_is_the_newest_model_of_its_day_and_says_so(
    name: str, on: datetime.date, model: str
) -> None:
    found = find_model(name, on)
    assert found.info.id == model
    assert model in found.said


@pytest.mark.parametrize("name", ["gpt", "claude", "gemini", "opus 9", "17"])
def test_a_name_that_could_be_any_of_several_lines_is_refused(name: str) -> None:
    with pytest.raises(UserError):
        find_model(name, DAY)


def test_a_scenario_says_which_model_a_short_name_is() -> None:
    text = (
        one_agent("[{think: {turns: 1}}]")
        .replace("claude-opus-4-6", "opus")
        .replace("2026-06-01", "2026-02-10")
    )
    loaded = loads_scenario(text.replace("{agents: 1}", "{agents: 1, model: opus}"))
    source = next(each.source for each in loaded.provenance if each.name == "prices[opus]")
    assert source.startswith("`opus` is anthropic/claude-opus-4-6, the newest on 2026-02-10")


def test_a_logs_model_keeps_its_bare_name_unless_its_provider_has_another_price_list() -> None:
    assert qualified("openai", "gpt-5.5") == "gpt-5.5"
    assert (
        qualified("aws.bedrock", "us.anthropic.claude-opus-4-8-v1:0") == "us.anthropic.claude-opus-4-8-v1:0"
    )
    assert qualified("openrouter", "deepseek/deepseek-r1") == "openrouter/deepseek/deepseek-r1"
    assert qualified("a gateway of our own", "gpt-5.5") == "gpt-5.5"
