"""Mistakes in how models are called: each is found where it stands, and says what to write."""

import pytest

from tests.language.test_mistakes import problems

FLEET = "fleet: [{group: r, agents: 2, model: claude-opus-4-6}]\n"
THINK = "cycle: [{think: {turns: 2}}]\n"

MISTAKES = [
    ("cycle: [{think: {turns: 2, returns_tokens: 9}}]", ["context of its own", "write `model` or `context`"]),
    ("cycle: [{think: {turns: 2, model: claude-opsu-4-6}}]", ["claude-opsu-4-6", "not on the price list"]),
    ("cycle: [{delegate: {turns: 2}}]", ["needs `agents`"]),
    ("cycle: [{delegate: {agents: 2, turns: 2, context: {lasts: life}}}]", ["as long as the sub-agent"]),
    (THINK + "context: {when_full: forget}", ["`forget`", "`compact`, `restart`"]),
    (THINK + "context: {when_full: drop oldest to 120%}", ["out of bounds", "below 100%"]),
    (
        THINK + "context: {limit_tokens: 20000, when_full: restart, carried_tokens: 5000}",
        ["a restarted context", "already over the limit"],
    ),
    (THINK + "api: {models: {claude-haiku-4-5: {requests_per_min: 3}}}", ["no group uses model"]),
    (THINK + "api: {plan: {seats: 2}}", ["`api.plan` needs `price`"]),
    (THINK + "api: {plan: {price: 20 $/month, then: stop}}", ["`wait`", "`pay`"]),
    ("cycle: [{think: {turns: 2, service: priority}}]\nprices: {on: 2026-06-01}", ["priority", "2026-06-01"]),
    (
        "cycle: [{think: {turns: 2, service: fast}}]\n"
        "prices: {claude-opus-4-6: {input: 1, cache_write: 1, cache_read: 1, output: 1}}",
        ["do not say what the service `fast` costs", "services: {fast: 50%}"],
    ),
    (
        THINK + "models: {claude-opus-4-6: {served_on: hall, throughput: 9 tokens/s, gpus_each: 3}}\n"
        "gpus: [{name: hall, count: 2}]",
        ["hold 3 GPUs of a pool of 2"],
    ),
    (
        "cycle: [{experiment: {time: 1 h}}]\n"
        "models: {claude-opus-4-6: {served_on: hall, throughput: 9 tokens/s, gpus_each: 2}}\n"
        "gpus: [{name: hall, count: 2}]",
        ["1 GPUs of a pool of 2", "served models hold 2"],
    ),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES, ids=[text[:60] for text, _ in MISTAKES])
def test_a_mistake_in_a_call_is_named_with_what_to_write(text: str, words: list[str]) -> None:
    found = problems(FLEET + text)
    said = " ".join(f"{problem.message} {problem.remedy}" for problem in found)
    assert [word for word in words if word not in said] == [], said
    assert all(problem.place is not None and problem.place.line for problem in found)
