"""Changes of a scenario's text: what was meant is changed, and nothing else."""

import difflib
from pathlib import Path

import pytest

from simbudget.deciding.changes import Change, Source, parse_changes
from simbudget.deciding.choices import one_change_each
from simbudget.engine.lowering import lower
from simbudget.errors import UserError

TEXT = """# my plan
name: small    # a name
fleet:
  - group: alice            # the first
    agents: 4               # as many as there are desks
    model: claude-opus-4-6
  - {group: bob, agents: 2}
cycle:
  - think: {turns: 5}       # short
  - experiment: {time: 1 h}
  - think: {turns: 7}
  - score
gpus: {count: 2, price: 3 $/h}
prices: {on: 2026-06-01}
gates:
  - {name: code, keeps: 50%, price: 10 $/try}
research: {transfers: 5%}
stop: {after: 2 days}       # no budget yet
limits: ["spend p90 <= $900"]
"""


def source(text: str = TEXT) -> Source:
    return Source(text, "plan.yaml", Path())


def changed_lines(change: str) -> list[str]:
    after = source().changed(*parse_changes(change)).text
    diff = difflib.ndiff(TEXT.splitlines(), after.splitlines())
    return [line for line in diff if line[0] in "+-"]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("agents=9", "    agents: 9               # as many as there are desks"),
        ("fleet[1].agents=3", "  - {group: bob, agents: 3}"),
        ("fleet[bob].agents=3", "  - {group: bob, agents: 3}"),
        ("hours=36", "stop: {after: 36 h}       # no budget yet"),
        ("hours=3 days", "stop: {after: 3 days}       # no budget yet"),
        ("budget=$20,000", "stop: {after: 2 days, budget: '$20,000'}       # no budget yet"),
        ("cycle.think[1].turns=9", "  - think: {turns: 9}"),
        ("gates[code].price=7 $/try", "  - {name: code, keeps: 50%, price: 7 $/try}"),
        ("gates[0].tries=passed", "  - {name: code, keeps: 50%, price: 10 $/try, tries: passed}"),
        ("fixed=$50", "fixed: $50"),
        ("context.cache=1 h", "context: {cache: 1 h}"),
        ("fleet[0].start.then_every=5 min", "    start: {then_every: 5 min}"),
        ("research.transfers={unknown: 1% to 9%}", "research: {transfers: {unknown: 1% to 9%}}"),
    ],
)
def test_a_change_writes_one_line_and_leaves_all_others(change: str, line: str) -> None:
    lines = changed_lines(change)
    added = [text[2:] for text in lines if text[0] == "+"]
    assert [text.strip() for text in added] == [line.strip()]
    assert sum(text[0] == "-" for text in lines) <= 1
    source().load(*parse_changes(change))  # and the loader reads it


def test_what_is_changed_is_what_is_read() -> None:
    scenario = (
        source().load(Change("agents", "9"), Change("hours", "36"), Change("budget", "$5,000")).scenario
    )
    assert scenario.fleet[0].agents == 9
    assert scenario.stop.after.exact_value == 36 * 3600
    assert scenario.stop.budget == 5000
    assert scenario.fleet[1].agents == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("agents=many", "with agents=many: "),
        ("stop.afterr=3 h", "did you mean `after`"),
        ("fleet.agents=3", "write which of the list"),
        ("fleet[7].agents=3", "the list has 2"),
        ("cycle=3", "is a block of its own"),
        ("nothing.here[2].x=3", "a scenario has no `nothing`"),
        ("model=claude-opsu-4-6", "claude-opus"),
    ],
)
def test_a_wrong_change_is_told_in_the_loaders_words(change: str, words: str) -> None:
    with pytest.raises(UserError) as raised:
        lower(source().load(*parse_changes(change)).scenario)
    assert words in str(raised.value)


@pytest.mark.parametrize("text", ["agents", "agents=", "=3", "agents=1,,2", "a b c==", ""])
def test_what_is_no_change_is_told(text: str) -> None:
    with pytest.raises(UserError, match="is no change"):
        parse_changes(text)


def test_values_are_split_at_commas_that_are_no_part_of_a_number() -> None:
    assert [change.value for change in parse_changes("agents=4,9,18")] == ["4", "9", "18"]
    assert [change.value for change in parse_changes("budget=$20,000")] == ["$20,000"]
    assert [change.value for change in parse_changes("budget=$5,$20,000")] == ["$5", "$20,000"]
    nested = parse_changes("gpus={count: 2, price: 3 $/h},{count: 4, price: 3 $/h}")
    assert [change.value for change in nested] == ["{count: 2, price: 3 $/h}", "{count: 4, price: 3 $/h}"]


def test_a_file_may_hold_the_speeds_of_models_that_are_compared() -> None:
    text = (
        TEXT
        + "models: {claude-opus-4-6: {output_speed: 60 tokens/s}, claude-sonnet-5: {output_speed: 90 tokens/s}}\n"
    )
    other = source(text).load(Change("fleet[0].model", "claude-sonnet-5")).scenario
    assert other.models["claude-sonnet-5"].output_speed.exact_value == 90
    with pytest.raises(UserError, match="no group uses model `claude-sonet`"):
        source(text.replace("claude-sonnet-5", "claude-sonet")).load()


def test_each_of_several_pools_is_a_choice_of_its_own() -> None:
    path = Path(__file__).parents[1] / "data" / "real-fleets" / "two-pools.yaml"
    names = {alternative.name for alternative in one_change_each(Source.of(path))}
    assert {"gpus[0].count=1", "gpus[0].count=4", "gpus[1].count=6", "gpus[1].billing=reserved"} <= names


CALLS = """fleet: [{group: a, agents: 2, model: claude-opus-4-6}]
cycle:
  - think: {turns: 2}
  - delegate: {agents: 3, turns: 4, context: {cache: 1 h}}
  - think: {turns: 5}
  - experiment: {time: 1 h}
models:
  claude-opus-4-6: {served_on: serving, replicas: 2, gpus_each: 4, throughput: 900 tokens/s, at_most: 60 tokens/s}
api: {plan: {price: 200 $/month, window: {every: 5 h, allows: $35}}}
gpus: [{name: training, count: 2, price: 3 $/h}, {name: serving, count: 8, price: 3 $/h}]
prices: {on: 2026-06-01}
stop: {after: 1 day}
"""


@pytest.mark.parametrize(
    ("change", "written"),
    [
        ("cycle.delegate.agents=5", "delegate: {agents: 5, turns: 4, context: {cache: 1 h}}"),
        (
            "cycle.delegate.context.cache=off",
            "delegate: {agents: 3, turns: 4, context: {cache: off}}",
        ),
        (
            "cycle.delegate.returns_tokens=500",
            "delegate: {agents: 3, turns: 4, context: {cache: 1 h}, returns_tokens: 500}",
        ),
        ("cycle.think[1].turns=9", "- think: {turns: 9}"),
        (
            "api.plan.window.allows=$20",
            "api: {plan: {price: 200 $/month, window: {every: 5 h, allows: $20}}}",
        ),
        ("models.claude-opus-4-6.replicas=1", "{served_on: serving, replicas: 1, gpus_each: 4, "),
        ("models[claude-opus-4-6].at_most=70 tokens/s", "throughput: 900 tokens/s, at_most: 70 tokens/s}"),
        (
            "api.models[claude-opus-4-6].requests_per_min=9",
            "allows: $35}}, models: {claude-opus-4-6: {requests_per_min: 9}}}",
        ),
        ("gpus[serving].count=16", "{name: serving, count: 16, price: 3 $/h}"),
    ],
)
def test_what_an_agent_calls_can_be_changed(change: str, written: str) -> None:
    after = source(CALLS).changed(*parse_changes(change))
    assert written in after.text
    assert after.load().scenario != source(CALLS).load().scenario


def test_a_step_that_stands_there_twice_has_to_be_told_by_its_number() -> None:
    with pytest.raises(UserError, match=r"there are 2 steps `think`; write which: `think\[0\]` is the first"):
        source(CALLS).changed(*parse_changes("cycle.think.turns=9"))


def test_blocks_within_blocks_are_one_value() -> None:
    block = "{price: 100 $/month, window: {every: 5 h, allows: $20}}"
    assert [change.value for change in parse_changes(f"api.plan={block}")] == [block]
    loaded = source(CALLS).load(*parse_changes(f"api.plan={block}")).scenario
    assert loaded.api.plan is not None
    assert loaded.api.plan.price.exact_value == 100.0  # US dollars a month


def test_seats_of_a_plan_and_replicas_are_choices() -> None:
    names = {alternative.name for alternative in one_change_each(source(CALLS))}
    assert {"api.plan.seats=2", "api.plan.then=pay", "models[claude-opus-4-6].replicas=1"} <= names
    assert "models[claude-opus-4-6].replicas=4" not in names  # the pool is too small for them
