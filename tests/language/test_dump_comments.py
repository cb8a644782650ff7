"""A scenario is written with comments where they are wanted, and means the same."""

import pytest

from simbudget.errors import UserError
from simbudget.scenario.language.document import KeyPath
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.scenario import Scenario, dump

SCENARIO = Scenario(
    fleet=[{"group": "a", "agents": 3, "start": {"then_every": "5 min"}}, {"group": "b", "agents": 2}],
    cycle=[{"think": {"turns": "20 to 60"}}, {"experiment": {"time": "1 h"}}],
)
COMMENTS: dict[KeyPath, str] = {
    ("fleet", 0, "agents"): "three of them",
    ("fleet", 0, "start"): "one after the other",
    ("fleet", 1): "the others",
    ("cycle", 0, "think", "turns"): "a guess: 20, or more",
    ("cycle",): "what they do",
}


def line_with(text: str, comment: str) -> str:
    return next(line for line in text.splitlines() if f"# {comment}" in line or f"; {comment}" in line)


def test_comments_stand_on_the_lines_of_their_values() -> None:
    text = dump(SCENARIO, COMMENTS)
    assert line_with(text, "three of them").split()[:2] == ["agents:", "3"]
    assert line_with(text, "one after the other").lstrip().startswith("start: {then_every: 5 min}")
    assert "turns: 20 to 60" in line_with(text, "a guess: 20, or more")
    assert line_with(text, "what they do").startswith("cycle:")
    assert "group: b" in line_with(text, "the others")


def test_comments_change_nothing_of_the_scenario() -> None:
    assert loads_scenario(dump(SCENARIO, COMMENTS)).scenario == loads_scenario(dump(SCENARIO)).scenario


def test_a_block_and_its_value_have_their_own_comments() -> None:
    text = dump(SCENARIO, {("fleet", 1, "agents"): "two", ("prices", "on"): "today", ("prices",): "a date"})
    assert line_with(text, "two").split()[:2] == ["agents:", "2"]
    assert line_with(text, "today") != line_with(text, "a date")


@pytest.mark.parametrize("path", [("stop",), ("fleet", 2), ("fleet", 0, "agents", "x"), ("fleet", "a")])
def test_a_comment_on_what_is_not_written_is_a_mistake(path: KeyPath) -> None:
    with pytest.raises(UserError, match="the scenario does not write it"):
        dump(SCENARIO, {path: "nothing"})
