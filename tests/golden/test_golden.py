"""Scenarios come to what they came to before, to the last bit."""

import json

import pytest

from tests.golden.golden import BUNDLED, HERE, bundled, missing, random_one, random_texts

GOLDEN = json.loads((HERE / "bundled.json").read_text())


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_a_scenario_of_the_repository_comes_to_the_same(name: str) -> None:
    assert name in BUNDLED
    assert missing(GOLDEN[name], bundled(name)) == []


def test_random_scenarios_come_to_the_same() -> None:
    golden = json.loads((HERE / "random.json").read_text())
    found = [random_one(text) for text in random_texts()]
    assert [missing(*pair, f"scenario {n}") for n, pair in enumerate(zip(golden, found, strict=True))] == [
        []
    ] * len(golden)


def test_a_value_that_moved_is_seen() -> None:
    moved = json.loads(json.dumps(GOLDEN["aar-weak-to-strong"]))
    moved["spend_usd"]["mean"] += 1e-6
    assert missing(GOLDEN["aar-weak-to-strong"], moved)
