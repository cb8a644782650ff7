"""Hostile input: whatever the bytes, types, structure, size or nesting, only a UserError comes out, and soon."""

import itertools
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbudget.errors import UserError
from simbudget.scenario.loading import load_scenario, loads_scenario

EXAMPLE = (Path(__file__).parents[1] / "data" / "aar-weak-to-strong.yaml").read_text(encoding="utf-8")
TREE: Any = yaml.load(EXAMPLE, yaml.BaseLoader)
LONGEST_S = 3.0
"""A second is promised; machines that run tests are busy."""
BASE = "fleet: [{agents: 1}]\ncycle: [{think: {turns: 3}}]\n"
STEP = "{experiment: {time: {typical: 3 h to 5 h, varies: 2x}}}"
ODD = [
    "",
    "~",
    "nan",
    "-1",
    "0",
    "1e999",
    "1e-320",
    "0x1F",
    "9:00",
    "yes",
    "1 to",
    "to",
    "1 to 2 to 3",
    "5 %",
    "$",
    "$$5",
    "5 $/",
    "1_0",
    "9" * 5000,
    "٣ s",
    "2026-02-30",
    "{",
    "spend <=",
    "\U0001f600",
    "a\nb",
    "\x1b[31m",
    "%",
    "= 5",
]


def survives(text: str) -> None:
    started_s = time.process_time()
    try:
        loads_scenario(text, "s.yaml")
    except UserError as error:
        assert error.problems
        for problem in error.problems:
            assert str(problem).isprintable()
            assert len(str(problem)) < 2000
    assert time.process_time() - started_s < LONGEST_S


def bomb(opening: str, closing: str) -> str:
    names = "abcdefgh"
    lines = [
        f"{name}: &{name} {opening}{','.join([f'*{before}'] * 9)}{closing}"
        for before, name in itertools.pairwise(names)
    ]
    return "\n".join(["a: &a {x: 1}", *lines])


LARGE = {
    "brackets": "[" * 100_000,
    "closed brackets": "a: " + "[" * 10_000 + "]" * 10_000,
    "braces": "{a: " * 100_000,
    "dashes": "- " * 100_000,
    "question marks": "? " * 100_000,
    "deep blocks": "\n".join(" " * level + "a:" for level in range(1300)),
    "nested varies": BASE + "turn: {output_tokens: " + "{varies: " * 30 + "5" + "}" * 30 + "}",
    "list bomb": bomb("[", "]"),
    "merge bomb": bomb("{<<: [", "]}"),
    "an alias in itself": "fleet: &f [{agents: 1, cycle: *f}]",
    "many items": "[" + "a," * 400_000 + "]",
    "many keys": BASE + "x: {" + ",".join(f"k{number}: 1" for number in range(60_000)) + "}",
    "many unknown keys": BASE + "".join(f"k{number}: 1\n" for number in range(9_000)),
    "many groups": "fleet: [" + "{agents: 1}," * 4_000 + "]\ncycle: [score]",
    "many groups and steps": "fleet: [" + "{agents: 1}," * 200 + "]\ncycle: [" + "score," * 1_000 + "]",
    "many steps": "fleet: [{agents: 1}]\ncycle: [" + f"{STEP}," * 1_200 + "]",
    "many prices": BASE + "prices: {" + ",".join(f"m{number}: {{}}" for number in range(4_000)) + "}",
    "many models": "fleet: [" + ",".join(f"{{agents: 1, model: m{number}}}" for number in range(150)) + "]\n"
    "cycle: [score]",
    "many limits": BASE + "limits: [" + "spnd <= $5," * 4_000 + "]",
    "many gates": BASE + "gates: [" + "{name: a, keeps: 5%}," * 2_000 + "]",
    "a long text": "a: " + "x" * 990_000,
    "a long number": BASE + "fixed: " + "9" * 900_000,
    "a long key": BASE + "? " + "x" * 900_000 + "\n: 1",
    "a long key beside typical": BASE + "turn: {output_tokens: {typical: 5, ? " + "9" * 5_000 + " : 1}}",
    "a long repeated key": BASE + ("? " + "9" * 5_000 + "\n: 1\n") * 2,
    "long hours": BASE + "review: {hours: '" + "a-" * 400_000 + "'}",
    "a long limit": BASE + "limits: ['" + "a " * 400_000 + "']",
    "directives": "%YAML 1.1\n" * 90_000,
    "comments": "#\n" * 450_000,
    "anchors": "&a " * 300_000,
    "documents": "---\n" * 200_000,
    "quotes": "a: " + "'" * 900_000,
    "too large": "a: 1\n" * 300_000,
    "a surrogate": "name: \ud800",
}


@pytest.mark.parametrize("what", LARGE)
def test_no_size_or_nesting_takes_long(what: str) -> None:
    survives(LARGE[what])


paths = [
    (key, *inner)
    for key, value in TREE.items()
    for inner in ([()] if not isinstance(value, dict) else [(), *((name,) for name in value)])
]
atoms = st.one_of(
    st.sampled_from(ODD), st.text(max_size=12), st.integers(), st.floats(), st.booleans(), st.none()
)
trees = st.recursive(
    atoms,
    lambda inside: st.one_of(
        st.lists(inside, max_size=4),
        st.dictionaries(
            st.sampled_from(
                [
                    "distribution",
                    "typical",
                    "varies",
                    "unknown",
                    "p10",
                    "p90",
                    "low",
                    "high",
                    "mean",
                    "values",
                    "weights",
                    "cv",
                    "weight",
                    "agents",
                    "cycle",
                    "turns",
                    "time",
                    "group",
                ]
            ),
            inside,
            max_size=4,
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(paths), trees)
def test_any_value_of_another_type_or_shape_gives_messages(path: tuple[str, ...], value: Any) -> None:
    tree = {key: dict(block) if isinstance(block, dict) else block for key, block in TREE.items()}
    block: Any = tree
    for key in path[:-1]:
        block = block[key]
    block[path[-1]] = value
    survives(yaml.safe_dump(tree, allow_unicode=True))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_scalar_replaced_by_an_odd_one_gives_messages(data: st.DataObject) -> None:
    words = EXAMPLE.split(" ")
    for _ in range(data.draw(st.integers(1, 3))):
        words[data.draw(st.integers(0, len(words) - 1))] = data.draw(st.sampled_from(ODD))
    survives(" ".join(words))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(EXAMPLE)), st.integers(0, 40), st.binary(max_size=12))
def test_any_mutated_bytes_give_messages(tmp_path: Path, start: int, cut: int, inserted: bytes) -> None:
    data = EXAMPLE.encode()
    path = tmp_path / "s.yaml"
    path.write_bytes(data[:start] + inserted + data[start + cut :])
    try:
        load_scenario(path)
    except UserError as error:
        assert error.problems


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["lognormal", "normal", "uniform", "triangular", "beta", "gamma", "discrete"]),
    st.dictionaries(
        st.sampled_from(["p10", "p90", "low", "mode", "high", "mean", "cv", "weight"]),
        st.floats(allow_nan=True),
        max_size=3,
    ),
    st.lists(st.floats(), max_size=4),
)
def test_no_parameters_of_a_distribution_escape(
    family: str, parameters: dict[str, float], values: list[float]
) -> None:
    written = {"distribution": family, **{name: repr(value) for name, value in parameters.items()}}
    if family == "discrete":
        written |= {"values": [repr(value) for value in values], "weights": [repr(value) for value in values]}
    survives(BASE + yaml.safe_dump({"turn": {"output_tokens": written}}))
