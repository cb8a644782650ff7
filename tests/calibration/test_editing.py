"""A scenario's text changes where something was learnt, and nowhere else."""

import pytest
import yaml

from simbudget.calibration.scenarios.editing import with_value

TEXT = """# about
a:
  - think: {turns: 3}   # why
  - plain
b:      # block
  c: 1 to 2  # range
  d: {e: 1, f: 2}

g: x
"""


def test_only_the_value_changes() -> None:
    new = with_value(TEXT, ["b", "c"], "{typical: 3 to 4, varies: 2x}")
    assert new == TEXT.replace("1 to 2", "{typical: 3 to 4, varies: 2x}")


def test_steps_are_found_by_their_place() -> None:
    assert with_value(TEXT, ["a", 0, "think", "turns"], "9") == TEXT.replace("turns: 3", "turns: 9")


def test_a_missing_key_joins_its_flow_mapping() -> None:
    assert with_value(TEXT, ["b", "d", "h"], "7") == TEXT.replace("{e: 1, f: 2}", "{e: 1, f: 2, h: 7}")


def test_a_missing_key_joins_its_block() -> None:
    new = with_value(TEXT, ["b", "h"], "7")
    assert yaml.safe_load(new)["b"] == {"c": "1 to 2", "d": {"e": 1, "f": 2}, "h": 7}
    assert "# range" in new
    assert "\n\ng: x\n" in new


def test_a_missing_block_comes_last() -> None:
    new = with_value(TEXT, ["m", "n"], "7")
    assert new == TEXT + "m:\n  n: 7\n"


def test_a_step_without_keys_is_no_place_for_one() -> None:
    with pytest.raises(KeyError):
        with_value(TEXT, ["a", 1, "think", "turns"], "9")


def test_a_key_without_a_value_gets_one() -> None:
    for nothing in ("", " ~", " null"):
        text = f"a: 1\nevidence:{nothing}\nb: 2\n"
        new = with_value(text, ["evidence", "gates", "held-out"], "1 of 3")
        assert yaml.safe_load(new) == {"a": 1, "evidence": {"gates": {"held-out": "1 of 3"}}, "b": 2}


def test_a_key_that_yaml_would_take_for_something_else_is_quoted() -> None:
    for key in ("a: b", "{code}", "5", "it's, so", "# one"):
        for text in ("evidence: {}\n", "evidence:\n  caught: 1 of 2\n"):
            new = with_value(text, ["evidence", "gates", key], "1 of 3")
            assert yaml.safe_load(new)["evidence"]["gates"] == {key: "1 of 3"}
