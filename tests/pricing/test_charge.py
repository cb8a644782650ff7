"""What a call is charged: the list's own reckoning in decimals, whatever the model, the service and the hour."""

import datetime
import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from genai_prices import Usage as ListUsage
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from simbudget.ledger.entry import Entry
from simbudget.pricing.catalogue import changes_of_price, has_service, rates
from simbudget.pricing.charge import COUNTS as COUNTED
from simbudget.pricing.charge import (
    PRICE_CLASSES,
    WHOLE_CLASSES,
    ClassPrices,
    LongPrices,
    Rates,
    Usage,
    charge,
    tokens_usd,
    worst_case_usd,
)

DAY = datetime.date(2026, 11, 9)
COUNTS = st.integers(0, 600_000)
PRICED = [
    (provider, info)
    for provider in get_snapshot().providers
    if provider.id in ("anthropic", "openai", "google", "deepseek", "openrouter", "aws", "x-ai")
    for info in provider.models
]
SERVICES: dict[str, list[dict[str, str]]] = {
    "": [{}],
    "batch": [{"processing": "batch"}],
    "flex": [{"service_tier": "flex"}],
    "priority": [{"service_tier": "priority"}],
    "fast": [{"speed": "fast"}, {"service_tier": "fast"}],
}


@given(
    st.sampled_from(PRICED),
    st.sampled_from(sorted(SERVICES)),
    st.tuples(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS),
    st.integers(0, 50),
    st.integers(0, 86_399),
    st.dates(datetime.date(2025, 6, 1), datetime.date(2027, 6, 1)),
)
def test_a_charge_is_what_the_list_itself_reckons(
    priced: Any, service: str, counts: tuple[int, ...], searches: int, second: int, on: datetime.date
) -> None:
    provider, info = priced
    name = f"{provider.id}/{info.id}"
    uncached, write_5m, write_1h, read, output = counts
    found = rates(name, on, service, second)
    moment = datetime.datetime.combine(on, datetime.time(), datetime.UTC) + datetime.timedelta(seconds=second)
    standard = info.get_prices(moment)
    if standard.cache_write_mtok is None or standard.cache_write_1h_mtok is None:
        uncached, write_5m, write_1h = uncached + write_5m + write_1h, 0, 0  # the list has no such class
    if standard.cache_read_mtok is None:
        uncached, read = uncached + read, 0
    unusual = (standard.output_reasoning_mtok, standard.input_text_messages_kcount, standard.requests_kcount)
    if any(price is not None for price in unusual):
        return
    context = next((each for each in SERVICES[service] if _is_listed(info, each, on)), {})
    if service and not context:
        return  # the list does not have it: see the facts' own tests
    usage = Usage(uncached, write_5m, write_1h, read, output, web_searches=searches)
    right = info.calc_price(
        ListUsage(
            input_tokens=uncached + write_5m + write_1h + read,
            output_tokens=output,
            cache_read_tokens=read,
            cache_write_tokens=write_5m + write_1h,
            cache_write_1h_tokens=write_1h,
            web_searches=searches,
        ),
        provider,
        genai_request_timestamp=moment,
        price_context=context or None,
    ).total_price
    assert math.isclose(charge(usage, found).total_usd, float(right), rel_tol=1e-12, abs_tol=1e-12)


def _is_listed(info: Any, context: dict[str, str], on: datetime.date) -> bool:
    starts = [
        getattr(variant.constraint, "start_date", None) or datetime.date.min
        for variant in info.price_variants or ()
        if dict(variant.when) == context
    ]
    return any(start <= on for start in starts)


PRICES = st.floats(0, 100, allow_nan=False)


@given(
    st.lists(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS), min_size=1, max_size=20),
    st.tuples(PRICES, PRICES, PRICES, PRICES, PRICES),
    st.tuples(PRICES, PRICES, PRICES, PRICES, PRICES),
    st.integers(0, 10**6),
)
def test_many_calls_are_charged_to_the_last_bit_as_each_alone(
    counts: list[tuple[int, ...]], base: tuple[float, ...], long: tuple[float, ...], above: int
) -> None:
    found = Rates(ClassPrices(*base), (LongPrices(*long, above_tokens=above),), geo_factors={"us": 1.1})
    columns = [np.array(column, dtype=np.float64) for column in zip(*counts, strict=True)]
    together = charge(Usage(*columns), found, "us").total_usd
    assert together.tolist() == [charge(Usage(*each), found, "us").total_usd for each in counts]


@settings(deadline=None)
@given(st.tuples(COUNTS, COUNTS, COUNTS, COUNTS), st.tuples(PRICES, PRICES, PRICES, PRICES))
def test_the_engine_charges_to_the_last_bit_what_the_ledger_does(
    counts: tuple[int, ...], prices: tuple[float, ...]
) -> None:
    from simbudget.engine.laws.calls import call_cost_usd  # noqa: PLC0415  compiles

    plain, write, read, output = prices
    row = np.array([math.inf, *prices, *prices])
    uncached_tokens, write_tokens, read_tokens, output_tokens = counts
    usage = Usage(uncached_tokens, write_tokens, 0, read_tokens, output_tokens)
    own = charge(usage, Rates(ClassPrices(plain, write, write, read, output))).total_usd
    assert call_cost_usd(row, np.array(counts)) == own
    counted = (
        usage.uncached_input,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.cache_read,
        usage.output,
    )
    assert tokens_usd(counted, (plain, write, write, read, output)) == own


def test_past_a_threshold_the_whole_call_costs_the_tier_of_its_prompt() -> None:
    name = "openrouter/qwen/qwen3-coder-flash"  # two thresholds: 32,000 and 128,000
    costs = [
        charge(Usage(prompt, output=1_000_000), rates(name, DAY)).total_usd for prompt in (32_000, 32_001)
    ]
    assert costs == pytest.approx([0.975 + 0.195 * 0.032, 1.625 + 0.325 * 0.032001])
    assert charge(Usage(128_001, output=1_000_000), rates(name, DAY)).total_usd == pytest.approx(
        2.6 + 0.52 * 0.128001
    )


def test_searches_cost_the_same_in_a_batch_and_wherever_the_call_runs() -> None:
    for service, place in (("", ""), ("batch", ""), ("", "us")):
        found = charge(Usage(1000, web_searches=35), rates("claude-opus-4-8", DAY, service), place)
        assert found.web_searches_usd == 0.35
    assert charge(Usage(1_000_000), rates("claude-opus-4-8", DAY), "us").tokens_usd == pytest.approx(5.5)
    assert charge(Usage(1_000_000), rates("claude-opus-4-8", DAY), "global").tokens_usd == 5


def test_a_batch_costs_half_also_before_the_list_has_it() -> None:
    before = datetime.date(2026, 5, 30)
    assert rates("claude-opus-4-8", before, "batch").base.output == 12.5
    assert rates("claude-opus-4-8", datetime.date(2024, 10, 7), "batch").base.output == 25
    assert has_service("claude-opus-4-8", before, "batch")
    assert not has_service("claude-opus-4-8", before, "priority")


def test_prices_change_with_the_hour() -> None:
    assert changes_of_price("deepseek-v4-pro") == (3_600, 14_400, 21_600, 36_000)
    by_hour = [rates("deepseek-v4-pro", DAY, "", hour * 3600).base.input for hour in range(24)]
    assert [hour for hour, price in enumerate(by_hour) if price == 1.32] == [1, 2, 3, 6, 7, 8, 9]
    assert rates("deepseek-v4-pro", DAY).base.input == 0.66
    assert changes_of_price("claude-opus-4-8") == ()


@given(
    st.tuples(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS),
    st.tuples(PRICES, PRICES, PRICES, PRICES, PRICES),
    st.tuples(PRICES, PRICES, PRICES, PRICES, PRICES),
    st.integers(0, 10**6),
    st.sampled_from(["", "us"]),
)
def test_no_call_costs_more_than_its_worst_case(
    counts: tuple[int, ...], base: tuple[float, ...], long: tuple[float, ...], above: int, place: str
) -> None:
    found = Rates(ClassPrices(*base), (LongPrices(*long, above_tokens=above),), geo_factors={"us": 1.1})
    usage = Usage(*counts)
    worst_usd = worst_case_usd(found, int(usage.prompt), int(usage.output), bool(place))
    assert charge(usage, found, place).total_usd <= worst_usd * (1 + 1e-12)


def test_every_price_class_has_a_count_a_price_and_a_column_of_ledgers() -> None:
    listed = get_snapshot().providers[0].models[0].get_prices(datetime.datetime.now(datetime.UTC))
    for each in PRICE_CLASSES:
        assert hasattr(Usage(), each.usage)
        assert each.price in {field.name for field in fields(ClassPrices)}
        assert hasattr(listed, each.listed)
        assert each.part_of == "" or each.part_of in {whole.price for whole in WHOLE_CLASSES}
    assert {f"{name}_tokens" for name in COUNTED} <= set(Entry._fields)


@given(st.integers(0, 10_000), st.integers(0, 10_000), PRICES, PRICES)
def test_a_part_with_a_price_of_its_own_costs_only_the_difference(
    thinking: int, more: int, output_price: float, thinking_price: float
) -> None:
    prices = ClassPrices(0.0, 0.0, 0.0, 0.0, output_price, thinking_price)
    cost = charge(Usage(output=thinking + more, thinking=thinking), Rates(prices)).total_usd
    assert cost == pytest.approx((thinking * thinking_price + more * output_price) / 1e6)
    unreported = charge(Usage(output=thinking + more), Rates(prices)).total_usd
    assert unreported == pytest.approx((thinking + more) * output_price / 1e6)
