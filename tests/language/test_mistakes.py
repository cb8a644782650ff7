"""Mistakes: each is found where it stands, says what was found and what to write, and all come at once."""

from pathlib import Path

import pytest

from simbudget.errors import Problem, UserError
from simbudget.scenario.loading import load_scenario, loads_scenario

FLEET = "fleet: [{group: r, agents: 2, model: claude-opus-4-6}]\n"
CYCLE = "cycle: [{think: {turns: 10}}]\n"
INSTANT = (
    "models: {claude-opus-4-6: {first_token: 0 s, output_speed: 1000000 tokens/s}}\n"
    "turn: {tool_time: 0.000000001 s, output_tokens: 1}\n"
)
"""Turns of a millionth of a second."""


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(UserError) as caught:
        loads_scenario(text, "s.yaml")
    return caught.value.problems


# What is written besides fleet and cycle; the text at which the message points; words of the message.
MISTAKES = [
    ("gpsu: {count: 2}", "gpsu", ["no key `gpsu`", "did you mean `gpus`"]),
    ("turn: {output_tokns: 5}", "output_tokns", ["did you mean `output_tokens`"]),
    ("gpus: {billing: ondemand}", "ondemand", ["did you mean `on demand`", "reserved"]),
    ("stop: {after: 5}", "5}", ["without a unit", "`5 days`"]),
    ("stop: {after: 5 $/h}", "5 $/h", ["a price per hour, not a duration"]),
    ("stop: {after: 1 to 2 h}", "1 to 2 h", ["is a range", "one exact number"]),
    ("stop: {after: 0}", "0}", ["is out of bounds", "1 s to 3,650 days"]),
    ("stop: {after: 20 years}", "20 years", ["unit 'years'"]),
    ("stop: {budget: -5}", "-5", ["is out of bounds"]),
    ("stop: {budget: .nan}", ".nan", ["not a finite number"]),
    ("stop: {budget: 1e999}", "1e999", ["too large"]),
    ("stop: {budget: $20,000}", "$20,000", ["YAML splits `$20,000`", "`$20000`", "`'$20,000'`"]),
    ("stop: {budget: $1,250,000}", "$1,250,000", ["YAML splits `$1,250,000`", "`$1250000`"]),
    ("limits: [spend p90 <= $20,000]", "000]", ["YAML splits `spend p90 <= $20,000`", "in quotes"]),
    ("turn: {output_tokens: 60 to 20}", "60 to", ["goes down", "the lower end first"]),
    ("turn: {output_tokens: -5 to 10}", "-5 to", ["is out of bounds"]),
    ("turn: {output_tokens: }", "}", ["has no value"]),
    ("context: {shared_prefix_tokens: 30%}", "30%", ["a share, not a number", "write a number such as"]),
    ("context: {first_prompt_tokens: 250%}", "250%", ["a share, not a number"]),
    ("context: {limit_tokens: 80% to 90%}", "80%", ["a share, not a number"]),
    ("turn: {output_tokens: {typical: 50%, varies: 2x}}", "50%", ["a share, not a number"]),
    ("api: {requests_per_min: 50%}", "50%", ["a share, not a number"]),
    ("turn: {opening: {turns: 50%}}", "50%", ["a share, not a number"]),
    ("turn: {output_tokens: [5]}", "[5]", ["found a list"]),
    ("turn: {output_tokens: {typical: 3 to 4, varies: 2}}", "2}}", ["not a spread", "`2x`"]),
    ("turn: {output_tokens: {distribution: gama, mean: 5, cv: 1}}", "gama", ["did you mean `gamma`"]),
    ("turn: {output_tokens: {distribution: gamma, mean: 5, cv: 1e-300}}", "{distribution", ["too extreme"]),
    (
        "turn: {output_tokens: {distribution: discrete, values: 3, weights: [1]}}",
        "3,",
        ["`values` is not a list"],
    ),
    ("turn: {output_tokens: {distribution: empirical, file: no.csv, column: a}}", "no.csv", ["no such file"]),
    ("turn:\n  tool_time: 1,5 s", "1,5 s", ["a comma only groups thousands", "a decimal point"]),
    ("turn: {tool_time: 5m}", "5m", ["`5 min`"]),
    ("prices: {on: yesterday}", "yesterday", ["is not a date", "`2026-03-01`"]),
    ("prices: {on: 0001-01-01}", "0001", ["out of bounds"]),
    ("models: {claude-opus-4-6: {output_speed: 0}}", "0}", ["is out of bounds"]),
    ("api: {requests_per_min: 0}", "0}", ["is out of bounds"]),
    ("api: {error_rate: 100%}", "100%", ["is out of bounds"]),
    ("api: {tier: gold}", "gold", ["`start`, `build`, `scale`, `custom`"]),
    ("gpus: {count: 0}", "0}", ["whole number from 1"]),
    ("gpus: {type: H9000, billing: reserved}", "H9000", ["no price for GPU type"]),
    ("gpus: {preempted: {every: 20 h}}", "{every", ["for `billing: spot`"]),
    ("context: {limit_tokens: 30000}", "30000", ["already over the limit"]),
    ("context: {cache: 10 min}", "10 min", ["`5 min`"]),
    ("research: {transfers: 70}", "70", ["is out of bounds"]),
    ("review: {hours: 9-17}", "9-17", ["`Mon-Fri 9-17`"]),
    ("stop: {begins: 9:00}", "9:00", ["not a day of the week"]),
    ("research: {unit: improvment}", "improvment", ["did you mean `improvement`", "`method`"]),
    ("research: {unit: [method]}", "[method]", ["found a list", "a single value is expected"]),
    ("limits: [spent <= $5]", "spent", ["did you mean `spend`"]),
    ("limits: [spend p95 <= $5]", "spend p95", ["no statistic `p95`"]),
    ("limits: [wall_clock <= $5]", "wall_clock", ["money, not a duration"]),
    ("limits: [probability_within_budget >= 90%]", "probability", ["needs a budget"]),
    ("stop: {budget: 9}\nlimits: [probability_within_budget >= 90]", "probability", ["0% to 100%"]),
    ("calibration: fit.yaml", "fit.yaml", ["there is no such file"]),
    ("simbudget: 2", "2", ["whole number from 1 to 1"]),
    ("scorer: 3", "3", ["found `3`", "`servers`"]),
    ("fixed: 1\nfixed: 2", "fixed: 2", ["is repeated (first on line 3)"]),
]


@pytest.mark.parametrize(("written", "at", "words"), MISTAKES, ids=[mistake[0][:60] for mistake in MISTAKES])
def test_a_mistake_is_named_where_it_stands(written: str, at: str, words: list[str]) -> None:
    text = FLEET + CYCLE + written + "\n"
    (problem,) = problems(text)
    assert problem.place is not None
    assert problem.place.line is not None
    assert problem.place.column is not None
    line = text.splitlines()[problem.place.line - 1]
    assert line[problem.place.column - 1 :].startswith(at)
    for word in words:
        assert word in str(problem)
    assert "\n" not in str(problem)


FLEET_MISTAKES = [
    ("fleet: [{agents: 0}]\n" + CYCLE, ["whole number from 1"]),
    ("fleet: [{agents: 100001}]\n" + CYCLE, ["to 100,000"]),
    ("fleet: [{agents: 70000}, {agents: 70000}]\n" + CYCLE, ["140,000 agents together"]),
    ("fleet: []\n" + CYCLE, ["`fleet` has no group"]),
    (CYCLE, ["`fleet` is missing"]),
    (FLEET, ["`cycle` is missing"]),
    (FLEET + "cycle: [sleep]\n", ["no step `sleep`", "`think`"]),
    (FLEET + "cycle: [{experiment: {gpus: 4, time: 1 h}}]\n", ["4 GPUs of a pool of 2"]),
    (FLEET + "cycle: [{experiment: {}}]\n", ["needs `time`"]),
    (FLEET + "cycle: [{think: {time: 2 h}}]\n", ["takes `turns`, not `time`"]),
    (FLEET + "cycle: [score]\nscorer: {time: 0 s}\n", ["takes no time", "never end"]),
    (FLEET + "cycle: [{experiment: {time: 0.000000001 s}}]\n", ["calls, jobs", "can be simulated"]),
    (FLEET + CYCLE + INSTANT + "stop: {after: 20 days}\n", ["calls, jobs", "can be simulated"]),
    ("fleet: [{agents: 100000}]\n" + CYCLE + "stop: {after: 3650 days}\n", ["can be simulated"]),
    ("fleet: [{agents: 1, kind: people}]\ncycle: [{think: {time: 2 h}}]\n", ["people need `staff`"]),
    ("fleet: [{agents: 1, kind: people, staff: {price: 9 $/h}}]\n" + CYCLE, ["takes `time`, not `turns`"]),
    ("fleet: [{agents: 1, model: claude-opus-46}]\n" + CYCLE, ["not on the price list", "claude-opus-4-6"]),
    ("fleet: [{group: a, agents: 1}, {group: a, agents: 1}]\n" + CYCLE, ["another group `a`"]),
    ("fleet: [{agents: 1, start: {first: 2 days}}]\n" + CYCLE, ["starts after the end"]),
    ("fleet: [{agents: 1, crashes: {every: 0 h}}]\n" + CYCLE, ["is out of bounds"]),
]


@pytest.mark.parametrize(
    ("text", "words"), FLEET_MISTAKES, ids=[" ".join(words) for _, words in FLEET_MISTAKES]
)
def test_a_mistake_in_fleet_or_cycle_is_the_only_thing_said(text: str, words: list[str]) -> None:
    (problem,) = problems(text)
    assert problem.place is not None
    assert problem.place.line is not None
    for word in words:
        assert word in str(problem)


@pytest.mark.parametrize(
    "text",
    [
        "fleet: [{agents: 100000}]\n" + CYCLE + "stop: {after: 60 days}\n",
        FLEET + CYCLE + INSTANT + "stop: {after: 20 days, cycles_per_agent: 100}\n",
        FLEET + CYCLE + INSTANT + "stop: {after: 20 days, budget: $100}\n",
        FLEET + CYCLE + INSTANT + "api: {requests_per_min: 100}\nstop: {after: 20 days}\n",
    ],
    ids=("a large fleet", "few cycles", "a budget", "a rate limit"),
)
def test_what_ends_soon_enough_may_be_fast_or_large(text: str) -> None:
    loads_scenario(text, "s.yaml")


def test_scores_and_factors_may_be_percentages() -> None:
    written = loads_scenario(
        f"{FLEET}{CYCLE}research: {{first_quality: 20%}}\nscorer: {{noise: 5%}}\nturn: {{opening: {{times: 150%}}}}\n"
        "gates: [{name: g, keeps: 50%, smallest_effect: 10%, noise: 3%}]\nstop: {target_score: 90%}\n"
    ).scenario
    assert written.research.first_quality.typical == 0.2
    assert written.stop.target_score == 0.9


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    text = (
        "fleet:\n  - {agents: 2, model: claude-opus-46, colour: red}\n"
        "cycle: [{experiment: {gpus: 4, time: 1}}]\n"
        "stop: {budget: $20,000, after: 9}\n"
        "turn: {output_tokens: nan}\nturn: {output_tokens: 1}\nlimits: [spend p95 <= $5]\n"
    )
    found = problems(text)
    places = [(problem.place.line, problem.place.column) for problem in found if problem.place]
    assert places == sorted(places)
    assert [line for line, _ in places] == [2, 2, 3, 3, 4, 4, 5, 6, 7]


def test_a_split_number_is_mended_so_that_only_the_comma_is_a_mistake() -> None:
    (problem,) = problems(FLEET + CYCLE + "stop: {budget: $20,000, after: 2 days}\nlimits: [overrun <= $5]\n")
    assert "splits" in problem.message


def test_a_file_full_of_mistakes_ends_in_a_list_that_can_be_read() -> None:
    found = problems(FLEET + CYCLE + "".join(f"key{number}: 1\n" for number in range(3000)))
    assert len(found) <= 101
    assert "may be more" in found[-1].message


FILES = {
    "empty.yaml": (b"", "nothing in it"),
    "comment.yaml": (b"# nothing\n", "nothing in it"),
    "list.yaml": (b"- 1\n", "a list in it"),
    "word.yaml": (b"hello\n", "a single value in it"),
    "latin.yaml": ("name: ü".encode("latin-1"), "UTF-8"),
    "binary.yaml": (bytes(range(256)), "UTF-8"),
    "control.yaml": (b"name: a\x00b\n", "not YAML"),
    "tab.yaml": (b"fleet:\n\t- agents: 1\n", "instead of tabs"),
    "two.yaml": (b"a: 1\n---\nb: 2\n", "one scenario"),
    "large.yaml": (b"a: 1\n" * 250_000, "1,250,000 bytes"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_scenario_gets_one_line(name: str, tmp_path: Path) -> None:
    data, words = FILES[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        load_scenario(path)
    assert len(caught.value.problems) == 1
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_a_folder_and_a_device_get_one_line(tmp_path: Path) -> None:
    for path, words in [(tmp_path / "no.yaml", "no such file"), (tmp_path, "a folder")]:
        with pytest.raises(UserError, match=words):
            load_scenario(path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="has no endless device")
def test_an_endless_device_is_not_read() -> None:
    with pytest.raises(UserError, match="not a regular file"):
        load_scenario("/dev/zero")
    endless = "{distribution: empirical, file: /dev/zero, column: a}"
    (problem,) = problems(f"{FLEET}{CYCLE}turn: {{output_tokens: {endless}}}\n")
    assert "outside the scenario's folder" in problem.message
