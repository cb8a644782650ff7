"""Cost as reported beside cost by the list of the day: equal to the cent, or the difference is explained."""

import json
from pathlib import Path

import pytest

from simbudget.ledger.found import summarise
from tests.readers.sessions import Line, read

PRICES = {"5m": 6.25, "1h": 10.0, "uncached": 5.0, "read": 0.5, "output": 25.0}
"""Dollars for a million tokens of Opus 4.6 on the day of the session."""


def pi_session(path: Path, paid: "dict[str, float]", **columns: float) -> Path:
    """Write a Pi session of thirty calls whose cost is what the prices say."""
    lines: list[Line] = [{"type": "session", "id": "s", "version": 3, "timestamp": "2026-06-01T10:00:00Z"}]
    for number in range(30):
        counts = {"input": 100 + number, "cacheWrite": 500 * number, "cacheRead": 10_000, "output": 300}
        cost = (
            counts["input"] * paid["uncached"]
            + counts["cacheWrite"] * paid["5m"]
            + counts["cacheRead"] * paid["read"]
            + counts["output"] * paid["output"]
        ) / 1e6
        usage = {**counts, "cost": {"total": cost * columns.get("factor", 1.0)}}
        message = {"role": "assistant", "model": "claude-opus-4-6", "usage": usage}
        lines.append(
            {
                "type": "message",
                "id": str(number),
                "parentId": None,
                "timestamp": f"2026-06-01T10:{number:02}:00Z",
                "message": message,
            }
        )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def explained(path: Path) -> str:
    (row,) = summarise(read(path))["cost_comparisons"]
    return str(row["explanation"])


def test_costs_by_the_list_agree_to_the_cent(tmp_path: Path) -> None:
    assert explained(pi_session(tmp_path / "a", PRICES)) == "agrees to the cent"


def test_a_cent_in_a_thousand_dollars_is_noticed_when_every_call_is_off(tmp_path: Path) -> None:
    assert (
        explained(pi_session(tmp_path / "a", PRICES, factor=1.02))
        == "1.02 times the list's price throughout, for an unknown reason"
    )


@pytest.mark.parametrize(
    ("paid", "words"),
    [
        (PRICES | {"5m": 5.0, "read": 5.0}, "cached input reported at the full price of input"),
        ({name: price / 2 for name, price in PRICES.items()}, "reported at batch prices"),
        (dict.fromkeys(PRICES, 0.0), "reported as zero: a subscription"),
    ],
)
def test_a_difference_is_explained_by_what_reproduces_it(
    tmp_path: Path, paid: dict[str, float], words: str
) -> None:
    assert explained(pi_session(tmp_path / "a", paid)).startswith(words)


def test_a_difference_that_nothing_reproduces_is_not_explained_away(tmp_path: Path) -> None:
    odd = PRICES | {"read": 3.3, "output": 1.0}
    assert "for an unknown reason" in explained(pi_session(tmp_path / "a", odd))
