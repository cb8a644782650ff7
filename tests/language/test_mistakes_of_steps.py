"""Mistakes in steps, pools and judges: each is found where it stands, and says what to write."""

import pytest

from tests.language.test_mistakes import problems

FLEET = "fleet: [{group: r, agents: 2, model: claude-opus-4-6}]\n"
TWO_POOLS = "gpus: [{name: old, count: 2}, {name: new, count: 4}]\n"
OFFICE = "fleet: [{group: p, agents: 1, kind: people, staff: {price: 90 $/h}}]\n"

# The scenario but for its fleet; words of the message and of what it advises.
MISTAKES = [
    ("cycle: [{experiment: {time: 1 h, at_once: 0}}]", ["at_once", "is out of bounds"]),
    ("cycle: [{experiment: {time: 1 h, wait_for: 0}}]", ["wait_for", "whole number from 1"]),
    ("cycle: [{experiment: {time: 1 h, wait_for: 1.5}}]", ["wait_for"]),
    ("cycle: [{experiment: {time: 1 h, wait_for: most}}]", ["`most`", "write `all` or a whole number"]),
    ("cycle: [{experiment: {time: 1 h, attempts: 0}}]", ["attempts", "whole number from 1"]),
    ("cycle: [{experiment: {time: 1 h, on_failure: stop}}]", ["on_failure", "`go on`", "`end cycle`"]),
    (
        "cycle:\n- think:\n  turns: 3\n  if: 30%",  # two spaces short
        ["several keys", "inside it: `- think: {turns: ..., if: ...}`"],
    ),
    (
        "cycle: [{think: {turns: 3}}, {think: {turns: 3, if: [improved]}}]",
        ["found a list", "`improved`, or a share such as `30%`"],
    ),
    ("cycle: [score]\nscorer: {price: 7 $/tok}", ["priced by the million: `$/Mtok`"]),
    ("cycle: [score]\ngates: [{name: x}]", ["`gates[0]` needs `keeps`", "`reach` (`same task`"]),
    (
        "cycle: [score]\nlimits: [spend p99 <= $20,000, spend p90 <= $20000]",
        ["no statistic `p99`", "put it in quotes: `'spend p99 <= $20,000'`"],
    ),
    ("cycle: [{think: {turns: 1}, share: {}}]", ["several keys", "one step per item"]),
    ("cycle: [{experiment: {time: 1 h, if: succeded}}]", ["did you mean `succeeded`"]),
    ("cycle: [{experiment: {time: 1 h, if: succeeded}}]", ["needs an earlier step `experiment`"]),
    (
        "cycle: [{score: {if: failed}}, {experiment: {time: 1 h}}]",
        ["`if: failed`", "needs an earlier step `experiment`"],
    ),
    (
        "cycle: [{experiment: {time: 1 h}}, {think: {turns: 2, if: improved}}]",
        ["needs an earlier step `score`"],
    ),
    ("cycle: [{experiment: {time: 1 h}}, {score: {if: 120%}}]", ["is out of bounds"]),
    (
        "cycle: [{experiment: {time: 1 h, on: newer}}]\n" + TWO_POOLS,
        ["no pool `newer`", "did you mean `new`"],
    ),
    ("cycle: [{experiment: {time: 1 h, on: hall}}]\ngpus: {count: 2}", ["no pool `hall`", "`name: hall`"]),
    (
        "cycle: [{experiment: {time: 1 h, on: old, gpus: 3}}]\n" + TWO_POOLS,
        ["3 GPUs of a pool of 2"],
    ),
    (
        "cycle: [{think: {turns: 2}}]\ngpus: [{count: 2}, {count: 4}]",
        ["each of several pools needs a `name`"],
    ),
    (
        "cycle: [{think: {turns: 2}}]\ngpus: [{name: a, count: 2}, {name: a, count: 4}]",
        ["another pool `a`"],
    ),
    ("cycle: [{think: {turns: 2}}]\ngpus: {speed: 0}", ["speed", "is out of bounds"]),
    ("cycle: [score]\nscorer: {calls: 3}", ["`scorer.calls` describes a model's calls"]),
    ("cycle: [score]\nscorer: {model: claude-haiku-4-5}", ["needs `input_tokens`"]),
    (
        "cycle: [score]\nreview: {by: claude-haiku-4-5, input_tokens: 100}",
        ["`review` by a model needs `output_tokens`"],
    ),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES, ids=[text[:60] for text, _ in MISTAKES])
def test_a_mistake_in_a_step_is_named_with_what_to_write(text: str, words: list[str]) -> None:
    found = problems(FLEET + text)
    said = " ".join(f"{problem.message} {problem.remedy}" for problem in found)
    assert [word for word in words if word not in said] == []
    assert all(problem.place is not None and problem.place.line for problem in found)


def test_people_do_not_poll() -> None:
    found = problems(OFFICE + "cycle: [{experiment: {time: 1 h, polls: {every: 4 min}}}]")
    assert "people do not poll" in found[0].message


def test_a_service_without_prices_is_one_mistake_however_many_steps_use_it() -> None:
    prices = "{input: 1 $/Mtok, cache_write: 1 $/Mtok, cache_read: 1 $/Mtok, output: 1 $/Mtok}"
    text = (
        "fleet: [{agents: 2, model: m, service: batch}]\ncycle: [{think: {turns: 1}}, {think: {turns: 2}}]\n"
    )
    found = problems(f"{text}models: {{m: {{}}}}\nprices: {{m: {prices}}}\n")
    assert [problem.place.line if problem.place else None for problem in found] == [1]
    assert "what the service `batch` costs" in found[0].message
