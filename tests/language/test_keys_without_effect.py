"""A key that has no effect, because another one is missing or says otherwise, is told with its place and a remedy."""

import pytest

from simbudget.scenario.loading import loads_scenario

THINK = "fleet: [{agents: 2}]\ncycle: [think: {turns: 3}, score]\n"
JOBS = (
    "fleet: [{agents: 2}]\ngpus: {count: 4, price: 1 $/h}\ncycle: [experiment: {time: 1 h%s}, score: {%s}]\n"
)
POOLS = "gpus: [{name: a, count: 4, price: 1 $/h}, {name: b, count: 4, price: 1 $/h}]\n"
SERVED = (
    "models: {claude-opus-4-6: {served_on: own, throughput: 100 tokens/s}}\ngpus: {name: own, count: 1}\n"
)
REVIEW = "review: {by: claude-haiku-4-5, input_tokens: 1000, output_tokens: 100%s}\n"
PLAN = "api: {plan: {price: 200 $/month, then: pay%s}}\n"

IDLE_AND_NOT = {
    "context.carried_tokens": [
        THINK + "context: {carried_tokens: 500}\n",
        THINK + "context: {carried_tokens: 500, when_full: restart}\n",
    ],
    "context.compacted_to_tokens": [
        THINK + "context: {compacted_to_tokens: 500, when_full: restart}\n",
        THINK + "context: {compacted_to_tokens: 500}\n",
    ],
    "context.shared_prefix_tokens": [
        THINK + "context: {shared_prefix_tokens: 9000, cache: off}\n",
        THINK + "context: {shared_prefix_tokens: 9000}\n",
    ],
    "cycle.think[0].context.carried_tokens": [
        "fleet: [{agents: 1}]\ncycle: [think: {turns: 3, context: {carried_tokens: 500}}]\n",
        "fleet: [{agents: 1}]\ncycle: [think: {turns: 3, context: {carried_tokens: 500, when_full: restart}}]\n",
    ],
    "cycle.score[0].each": [THINK.replace("score", "score: {each: yes}"), JOBS % ("", "each: yes")],
    "cycle.experiment[0].attempts": [JOBS % (", attempts: 5", ""), JOBS % (", attempts: 5, fails: 10%", "")],
    "cycle.experiment[0].on_failure": [
        JOBS % (", on_failure: end cycle", ""),
        JOBS % (", on_failure: end cycle, fails: 10%", ""),
    ],
    "cycle.experiment[0].wait_for": [
        JOBS % (", wait_for: 2", ""),
        JOBS % (", wait_for: 2, at_once: 1 to 3", ""),
    ],
    "fleet[agents].stop.after": [
        THINK.replace("2}]", "2, stop: {after: 2 days}}]"),
        THINK.replace("2}]", "2, stop: {after: 2 h}}]"),
    ],
    "scorer.model": [
        THINK.replace(", score", "")
        + "scorer: {model: claude-haiku-4-5, input_tokens: 100, output_tokens: 10}\n",
        THINK + "scorer: {model: claude-haiku-4-5, input_tokens: 100, output_tokens: 10}\n",
    ],
    "review.hours": [THINK + REVIEW % ", hours: always", THINK + "review: {hours: always}\n"],
    "review.time": [THINK + REVIEW % ", time: 5 min", THINK + "review: {time: 5 min}\n"],
    "review.price": [THINK + REVIEW % ", price: 9 $/h", THINK + "review: {price: 9 $/h}\n"],
    "api.requests_per_min": [
        THINK + SERVED + "api: {requests_per_min: 5}\n",
        THINK + "api: {requests_per_min: 5}\n",
    ],
    "prices[claude-opus-4-6]": [
        THINK + SERVED + "prices: {claude-opus-4-6: {input: 1, cache_write: 1, cache_read: 1, output: 1}}\n",
        THINK + "prices: {claude-opus-4-6: {input: 1, cache_write: 1, cache_read: 1, output: 1}}\n",
    ],
    "api.models[claude-opus-4-6]": [
        THINK + SERVED + "api: {models: {claude-opus-4-6: {requests_per_min: 5}}}\n",
        THINK + "api: {models: {claude-opus-4-6: {requests_per_min: 5}}}\n",
    ],
    "api.retries": [
        THINK + "api: {retries: 5}\n",
        THINK + "api: {retries: 5, error_rate: 1%}\n",
    ],
    "scorer.noise": [THINK + "scorer: {noise: 0.1}\n", THINK + "scorer: {noise: 0.1}\nresearch: {}\n"],
    "fleet[agents].start.context_turns": [
        THINK.replace("2}]", "2, start: {context_turns: 5}}]"),
        THINK.replace("2}]", "2, start: {context_turns: 5, context_tokens: 30000}}]"),
    ],
    "api.plan.then": [THINK + PLAN % "", THINK + PLAN % ", week: {allows: $20}"],
    "gpus.billing": [
        (JOBS % ("", "")).replace("1 $/h}", "1 $/h, billing: spot}"),
        (JOBS % ("", "")).replace("1 $/h}", "1 $/h, billing: spot, preempted: {every: 20 h}}"),
    ],
    "gpus[b].name": [
        (JOBS % ("", "")).replace("gpus: {count: 4, price: 1 $/h}\n", POOLS),
        (JOBS % (", on: b", "")).replace("gpus: {count: 4, price: 1 $/h}\n", POOLS),
    ],
    "stop.budget_counts": [
        THINK + "stop: {budget_counts: when billed}\n",
        THINK + "stop: {budget_counts: when billed, budget: $5}\n",
    ],
    "tasks.difficulty": [
        THINK + "tasks: {count: 5, solved: 100%, difficulty: 1}\n",
        THINK + "tasks: {count: 5, solved: 40%, difficulty: 1}\n",
    ],
}


@pytest.mark.parametrize("key", IDLE_AND_NOT)
def test_a_key_without_effect_is_told_with_its_line_and_a_remedy(key: str) -> None:
    text, with_effect = IDLE_AND_NOT[key]
    (note,) = loads_scenario(text).notes
    assert note.startswith(f"`{key}` (line ")
    assert "; " in note
    assert loads_scenario(with_effect).notes == ()


def test_defaults_of_what_is_not_used_are_not_listed() -> None:
    def listed(text: str) -> set[str]:
        return {row.name for row in loads_scenario(text).provenance}

    assert "models[claude-opus-4-6].replicas" in listed(THINK + SERVED)
    assert "models[claude-opus-4-6].replicas" not in listed(THINK)
    assert "models[claude-opus-4-6].output_speed" not in listed(THINK + SERVED)
    assert "models[claude-opus-4-6].output_speed" in listed(THINK)
    assert "review.time" in listed(THINK + "review: {}\n")
    assert "review.time" not in listed(THINK + REVIEW % "")
