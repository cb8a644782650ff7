"""The price list says what the provider published; numbers here were copied from its pages by hand."""

import datetime

import pytest

from simbudget.errors import UserError
from simbudget.pricing.catalogue import list_models, model_prices
from simbudget.pricing.charge import ClassPrices
from simbudget.pricing.facts import gpu_price, list_gpus, monthly_spend_cap_usd, smallest_tier_for
from simbudget.pricing.models import nearest_models

BEFORE, AFTER, LATE = datetime.date(2026, 3, 12), datetime.date(2026, 3, 13), datetime.date(2026, 11, 1)
OPUS = ClassPrices(5, 6.25, 10, 0.5, 25)


@pytest.mark.parametrize(
    ("model", "on", "base", "long"),
    [
        ("claude-opus-4-5", LATE, OPUS, None),
        ("claude-opus-4-6", BEFORE, OPUS, (200_000, 10, 12.5, 20, 1, 37.5)),
        ("claude-opus-4-6", AFTER, OPUS, None),
        ("claude-opus-4-7", LATE, OPUS, None),
        ("claude-opus-5", LATE, OPUS, None),
        ("claude-opus-5-5", LATE, ClassPrices(4, 5, 8, 0.2, 20), None),
        ("claude-sonnet-4-6", BEFORE, ClassPrices(3, 3.75, 6, 0.3, 15), (200_000, 6, 7.5, 12, 0.6, 22.5)),
        ("claude-sonnet-4-6", AFTER, ClassPrices(3, 3.75, 6, 0.3, 15), None),
        ("claude-sonnet-5", LATE, ClassPrices(2, 2.5, 4, 0.2, 10), None),
        ("claude-sonnet-5-5", LATE, ClassPrices(2, 2.5, 4, 0.1, 10), None),
        ("claude-haiku-4-5", LATE, ClassPrices(1, 1.25, 2, 0.1, 5), None),
        (
            "claude-haiku-5-5",
            LATE,
            ClassPrices(0.1, 0.125, 0.2, 0.01, 0.5),
            (100_000, 0.5, 0.625, 1, 0.05, 2.5),
        ),
    ],
)
def test_prices_are_those_that_were_published(
    model: str, on: datetime.date, base: ClassPrices, long: tuple[float, ...] | None
) -> None:
    found = model_prices(model, on)
    assert found.base == base
    if long is None:
        assert found.long is None
    else:
        tier = found.long
        assert tier is not None
        classes = (tier.input, tier.cache_write_5m, tier.cache_write_1h, tier.cache_read, tier.output)
        assert (tier.above_tokens, *classes) == long


def test_a_batch_costs_half_from_the_day_on_which_the_list_has_it() -> None:
    batch = model_prices("claude-opus-4-5", LATE).batch
    assert batch == ClassPrices(2.5, 3.125, 5, 0.25, 12.5)
    assert model_prices("claude-opus-4-5", AFTER).batch is None


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(UserError, match="claude-opus-4-6"):
        model_prices("claude-opuss-4-6", LATE)
    assert "claude-sonnet-5" in nearest_models("claude-sonet-5")


def test_every_model_of_the_list_has_a_price_and_a_source() -> None:
    for provider in ("anthropic", "openai", "google"):
        for model in list_models(LATE, provider):
            assert model.base.input >= 0
            assert model.source


def test_gpu_prices_are_dated_and_sourced() -> None:
    assert gpu_price("h200").usd_per_hour == 4.59
    assert gpu_price("H100-PCIe").type == "H100 PCIe"
    for gpu in list_gpus():
        assert 0.05 < gpu.usd_per_hour < 20
        assert gpu.source.startswith("https://")
        assert datetime.date(2026, 1, 1) < gpu.as_of <= datetime.date(2026, 11, 24)
    with pytest.raises(UserError, match="H200"):
        gpu_price("H20")


def test_tiers_have_their_caps() -> None:
    assert [monthly_spend_cap_usd(tier) for tier in ("start", "Build", "scale", "custom")] == [
        500,
        1000,
        200_000,
        None,
    ]
    assert [smallest_tier_for(usd) for usd in (0, 500, 501, 18_000, 1e9)] == [
        "start",
        "start",
        "build",
        "scale",
        "custom",
    ]
