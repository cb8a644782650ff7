"""The language described: a schema that editors use, and a page with every key, both made from the annotations."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from simbudget.calibration.scenarios.new_scenario import SCHEMA
from simbudget.cli.init import init_command
from simbudget.scenario.examples import EXAMPLES
from simbudget.scenario.language.amounts import Amount
from simbudget.scenario.language.blocks import Block, keys_of
from simbudget.scenario.language.document import Fields, Items, Node, Text, parse_document
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.reference import page, schema, sections, sentences
from simbudget.scenario.scenario import Scenario
from simbudget.testing import documents
from simbudget.units import Dimension
from tests.language.test_values import BUNDLED, ROOT

VALIDATOR = jsonschema.Draft202012Validator(schema())
BLOCKS = [model for _, model in sections()]


def plain(node: Node) -> Any:
    """Return what a YAML 1.2 parser, as editors have it, makes of a document."""
    if isinstance(node, Fields):
        return {key: plain(value) for key, value in node.values.items()}
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    assert isinstance(node, Text)
    if node.is_null or node.text in ("true", "false"):
        return None if node.is_null else node.text == "true"
    is_number = re.fullmatch(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?", node.text)
    return float(node.text) if is_number else node.text


def mistakes(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(plain(parse_document(text, "s.yaml")[0]))]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert json.loads(json.dumps(schema())) == schema()


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_a_bundled_scenario_fits_the_schema(path: Path) -> None:
    assert mistakes(path.read_text()) == []


@settings(max_examples=40, deadline=None)
@given(documents(), st.data())
def test_random_scenarios_fit_the_schema_and_a_misspelt_key_does_not(
    document: dict[str, Any], data: st.DataObject
) -> None:
    text = yaml.safe_dump(document, sort_keys=False)
    assert mistakes(text) == []
    blocks = [found for found in _mappings(document) if found is not document["fleet"]]
    block = data.draw(st.sampled_from(blocks))
    key = data.draw(st.sampled_from(sorted(block)))
    block[f"{key}x"] = block.pop(key)
    assert mistakes(yaml.safe_dump(document, sort_keys=False))


def _mappings(value: Any) -> list[dict[str, Any]]:
    """Return the mappings within a document whose keys are the language's."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [each for part in inner for each in _mappings(part)]
    return [value, *found] if isinstance(value, dict) and value else found


@pytest.mark.parametrize(
    "wrong",
    [
        "stop: {after: 5}",
        "stop: {after: 5 $/h}",
        "stop: {budget: soon}",
        "gpus: {billing: sometimes}",
        "turn: {output_tokens: {distribution: gama, mean: 5, cv: 1}}",
        "turn: {output_tokens: {typical: 5, varies: 2}}",
        "context: {cache: 10 min}",
        "cycle: [{sleep: {}}]",
        "cycle: [{experiment: {gpus: 1}}]",
        "fleet: [{group: a}]",
        "fleet: [{agents: 0}]",
        "api: {error_rate: 2}",
        "fleet: [{agents: 50%}]",
        "turn: {output_tokens: 10%}",
        "stop: {after: 1 h to 2 h}",
    ],
)
def test_wrong_values_do_not_fit_the_schema(wrong: str) -> None:
    complete = "fleet: [{agents: 1}]\ncycle: [{think: {turns: 3}}]\n"
    assert mistakes(complete) == []
    key = wrong.partition(":")[0]
    others = "".join(line + "\n" for line in complete.splitlines() if not line.startswith(f"{key}:"))
    assert mistakes(others + wrong)


def test_a_score_may_be_a_percentage() -> None:
    assert mistakes("fleet: [{agents: 1}]\ncycle: [{think: {turns: 3}}]\nstop: {target_score: 90%}\n") == []


def test_the_remedy_for_an_exact_amount_suggests_no_range() -> None:
    assert Amount(Dimension.DURATION, exact=True).advice() == (
        "write a duration such as `90 s`, `5 min`, `4 h` or `5 days`"
    )
    assert "or `2 min to 1 h`" in Amount(Dimension.DURATION).advice()


def test_init_writes_the_schema_that_the_template_names(tmp_path: Path) -> None:
    result = CliRunner().invoke(init_command, [str(tmp_path / "new")])
    assert result.exit_code == 0, result.output
    first = (tmp_path / "new" / "scenario.yaml").read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={SCHEMA}"
    assert json.loads((tmp_path / "new" / SCHEMA).read_text()) == schema()


@pytest.mark.parametrize("model", BLOCKS, ids=lambda model: model.__name__)
def test_every_key_has_a_sentence(model: type[Block]) -> None:
    for key in keys_of(model):
        sentence = sentences(model).get(key, "")
        assert sentence.endswith((".", ". ")) and len(sentence) > 8, f"{model.__name__}.{key}: {sentence!r}"


def example(model: type[Block], folder: Path) -> Scenario:
    (folder / "steps.py").write_text("def step(agent):\n    yield\n")
    text = EXAMPLES[model]
    for key, needed in (
        ("fleet", "fleet: [{agents: 2, model: claude-opus-4-6}]"),
        ("cycle", "cycle: [{think: {turns: 10}}]"),
    ):
        text += "" if re.search(rf"^{key}:", text, re.MULTILINE) else f"\n{needed}"
    return loads_scenario(re.sub(r"^calibration:.*$", "", text, flags=re.MULTILINE), folder=folder).scenario


def written(value: Any) -> set[tuple[type, str]]:
    """Return which keys of which blocks are written within a value."""
    found: set[tuple[type, str]] = set()
    if isinstance(value, Block):
        found = {(type(value), key) for key in value.written}
        parts = [value.cycle, value.turn, value.context] if isinstance(value, Scenario) else []
        inner: Any = [*value.parts(), *parts]
    else:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    for part in inner:
        found |= written(part)
    return found


@pytest.mark.parametrize("model", BLOCKS, ids=lambda model: model.__name__)
def test_every_key_stands_in_the_example_of_its_block_which_loads(model: type[Block], tmp_path: Path) -> None:
    shown = {key for of, key in written(example(model, tmp_path)) if of is model}
    missing = set(keys_of(model)) - shown - {"calibration"}
    if model.__name__ in ("PriceTier", "Group", "Think", "Step"):
        missing -= {"staff", "cycle", "time"}  # of people, who stand in the same example
    assert not missing, missing
    assert f"## {next(title for title, of in sections() if of is model)}\n" in page()


def test_the_reference_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "language.md").read_text() == page() + "\n", "make docs"
