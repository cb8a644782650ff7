"""Amounts: what is written is read exactly, and what is read can be written again."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simbudget.units import Dimension, parse_amount, parse_range, written_amount

BASE_UNITS = {
    "90 s": (90.0, Dimension.DURATION),
    "90s": (90.0, Dimension.DURATION),
    "5 min": (300.0, Dimension.DURATION),
    "0.1 h": (360.0, Dimension.DURATION),
    "0.7 days": (60480.0, Dimension.DURATION),
    "1 day": (86400.0, Dimension.DURATION),
    "2 weeks": (1209600.0, Dimension.DURATION),
    "$18,000": (18000.0, Dimension.MONEY),
    "18000 $": (18000.0, Dimension.MONEY),
    "$2M": (2e6, Dimension.MONEY),
    "3.59 $/h": (3.59, Dimension.USD_PER_HOUR),
    "$3.59/h": (3.59, Dimension.USD_PER_HOUR),
    "5 $/Mtok": (5.0, Dimension.USD_PER_MTOK),
    "0.02 $/call": (0.02, Dimension.USD_PER_CALL),
    "40 $/try": (40.0, Dimension.USD_PER_TRY),
    "60 tokens/s": (60.0, Dimension.TOKENS_PER_S),
    "70%": (0.7, Dimension.FRACTION),
    "400k": (400_000.0, Dimension.NUMBER),
    "2.3M": (2_300_000.0, Dimension.NUMBER),
    "20_000": (20_000.0, Dimension.NUMBER),
}


@pytest.mark.parametrize("text", BASE_UNITS)
def test_an_amount_is_read_in_base_units_to_the_last_bit(text: str) -> None:
    amount = parse_amount(text)
    assert (amount.value, amount.dimension) == BASE_UNITS[text]


@given(st.floats(0, 1e12), st.sampled_from(list(Dimension)))
def test_what_is_written_is_read_back_to_the_last_bit(value: float, dimension: Dimension) -> None:
    read = parse_amount(written_amount(value, dimension))
    assert read.value == value
    assert read.dimension == dimension or dimension is Dimension.FRACTION


@given(st.integers(0, 10**6), st.integers(0, 999), st.sampled_from(["s", "min", "h", "days", "weeks"]))
def test_a_duration_is_rounded_once(whole: int, thousandths: int, unit: str) -> None:
    seconds = {"s": 1, "min": 60, "h": 3600, "days": 86400, "weeks": 604800}[unit]
    exact = (Fraction(whole) + Fraction(thousandths, 1000)) * seconds
    assert parse_amount(f"{whole}.{thousandths:03d} {unit}").value == float(exact)


@given(st.text(max_size=80))
def test_any_text_is_an_amount_or_a_value_error(text: str) -> None:
    for parse in (parse_amount, parse_range):
        try:
            parse(text)
        except ValueError as error:
            assert str(error)


def test_a_unit_at_the_second_end_of_a_range_holds_for_both() -> None:
    ends = parse_range("45 to 80 tokens/s")
    assert ends is not None
    assert [(end.value, end.dimension) for end in ends] == [
        (45.0, Dimension.TOKENS_PER_S),
        (80.0, Dimension.TOKENS_PER_S),
    ]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("5-10 min", "write `5 to 10 min`"),
        ("300 – 500", "write `300 to 500`"),
        ("2k-3k", "write `2k to 3k`"),
        ("5 hr", "did you mean 'hour'"),
        ("3 $/hr", "did you mean '$/h'"),
        ("5 dollars", "unknown unit .dollars.$"),
    ],
)
def test_a_wrong_unit_gets_the_probable_one_as_advice(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice.replace("$/h", r"\$/h")):
        parse_amount(text)
