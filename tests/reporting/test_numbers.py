"""Numbers for people: a value and its error have the same unit and as many decimals."""

import pytest

from simbudget.numbers import count, hours, percent, usd, with_error


@pytest.mark.parametrize(
    ("show", "value", "error", "text"),
    [
        (count, 14.7, 0.568, "14.7 ± 0.6"),
        (usd, 1340.4, 55.6, "$1,340 ± $56"),
        (usd, -12.3, 0.04, "-$12.3 ± $0.0"),
        (percent, 0.123, 0.0312, "12 % ± 3 %"),
        (hours, 1.2, 0.5, "1.20 h ± 0.50 h"),
        (count, 2.5e6, 12_345.0, "2.50 M ± 0.01 M"),
        (usd, 0.0, 0.568, "$0 ± $0.568"),
    ],
)
def test_an_error_has_the_unit_and_the_decimals_of_its_value(show, value, error, text) -> None:
    assert with_error(show, value, error) == text
