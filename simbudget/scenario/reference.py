"""The language as a JSON Schema for editors and as the reference page, both generated from the blocks' annotations.

`python -m simbudget.scenario.reference docs/language.md` writes the page.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from simbudget.scenario.examples import EXAMPLES
from simbudget.scenario.fleet import Fleet
from simbudget.scenario.language.amounts import PARAMETERS, Amount
from simbudget.scenario.language.blocks import Block, Expectation, keys_of
from simbudget.scenario.language.expectations import Listed, Named, Nested, Parsed
from simbudget.scenario.own_steps import OwnFile
from simbudget.scenario.provider import SERVICES, Amounts, Prices, ServiceKey
from simbudget.scenario.research import ByGate, Scores
from simbudget.scenario.scenario import Scenario
from simbudget.scenario.steps import STEPS, Condition, Partly, Steps
from simbudget.scenario.top_level import CalibrationKey, Limits, Pools
from simbudget.units import EXAMPLES as AMOUNTS
from simbudget.units import UNITS, Dimension, examples, written_amount

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

_NUMBER: Final = r"[+-]?(\d[\d,_]*(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?[kMB]?"
_BARE: Final = frozenset(
    {Dimension.NUMBER, Dimension.FRACTION, Dimension.MONEY, Dimension.USD_PER_MTOK, Dimension.TOKENS_PER_S}
)
"""Dimensions that may be written without a unit."""


def sentences(model: type[Block]) -> Mapping[str, str]:
    """Return the description of each key of a block: the docstring below its annotation."""
    found: dict[str, str] = {}
    key_of_field = {field: key for key, field in model.fields.items()}
    for each in reversed(model.__mro__):
        if not (isinstance(each, type) and issubclass(each, Block)):
            continue
        tree = next(
            node
            for node in ast.parse(inspect.getsource(sys.modules[each.__module__])).body
            if isinstance(node, ast.ClassDef) and node.name == each.__name__
        )
        for field, after in zip(tree.body, tree.body[1:], strict=False):
            if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
                continue
            said = (
                after.value.value
                if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                else ""
            )
            if isinstance(said, str) and said:
                name = field.target.id
                found[key_of_field.get(name, name.removesuffix("_"))] = " ".join(said.split())
    return found


def schema() -> Schema:
    """Return the JSON Schema of a scenario (draft 2020-12), as used by YAML language servers."""
    definitions: dict[str, Schema] = {}
    root = _block(Scenario, definitions)
    named = {"$schema": DIALECT, "title": "A simbudget scenario"}
    return named | root | {"required": ["fleet"], "$defs": dict(sorted(definitions.items()))}


def _block(model: type[Block], definitions: dict[str, Schema]) -> Schema:
    said, properties = sentences(model), {}
    for key, expectation in keys_of(model).items():
        about = {"description": said.get(key, "")}
        default = getattr(expectation, "default", None)
        properties[key] = (
            _expected(expectation, definitions) | about | ({"default": default} if default else {})
        )
    required = [key for key, expectation in keys_of(model).items() if expectation.required]
    result: Schema = {
        "type": "object",
        "description": inspect.cleandoc(model.__doc__ or "").partition("\n\n")[0],
        "properties": properties,
        "additionalProperties": False,
    }
    if model is Prices:
        del properties["models"]
        result["additionalProperties"] = _named_block(keys_of(Prices)["models"].model, definitions)  # type: ignore[attr-defined]
    if model in EXAMPLES:
        result["examples"] = [EXAMPLES[model]]
    return result | ({"required": required} if required else {})


def _named_block(model: type[Block], definitions: dict[str, Schema]) -> Schema:
    """Return a reference to a block, which is defined once."""
    if model.__name__ not in definitions:
        definitions[model.__name__] = {}
        definitions[model.__name__] = _block(model, definitions)
    return {"$ref": f"#/$defs/{model.__name__}"}


def _expected(expectation: Expectation, definitions: dict[str, Schema]) -> Schema:  # noqa: PLR0911  one for each sort
    """Return the JSON Schema of a key's value."""
    if isinstance(expectation, Amount):
        return _amount(expectation, definitions)
    if isinstance(expectation, Parsed):
        amount = expectation.schema.get("amount")
        return _amount(amount, definitions) if amount is not None else dict(expectation.schema)
    if isinstance(expectation, Listed):
        return {"type": ["array", "null"], "items": _expected(expectation.each, definitions)}
    if isinstance(expectation, Steps):
        return _steps(definitions)
    if isinstance(expectation, Condition):
        return {"anyOf": [{"enum": list(Condition.words)}, _amount(Condition.part, definitions)]}
    if isinstance(expectation, ServiceKey):
        returns_in = {"returns_in": _amount(ServiceKey.returns_in, definitions)}
        batch = _closed({"batch": _closed(returns_in)})
        return {"anyOf": [{"enum": list(SERVICES)}, batch, {"type": "null"}]}
    if isinstance(expectation, Amounts):
        return _closed({name: _amount(expectation.each, definitions) for name in expectation.names})
    if isinstance(expectation, Nested | Named | Partly | Fleet | Pools):
        return _within(expectation, definitions)
    return _OTHERS[type(expectation)]


def _closed(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _within(expectation: Any, definitions: dict[str, Schema]) -> Schema:
    """Return the schema of a nested block, which may be left empty if none of its keys are required."""
    block = _named_block(expectation.model, definitions)
    if isinstance(expectation, Fleet | Pools):
        return {"anyOf": [block, {"type": "array", "items": block, "minItems": 1}]}
    empty: list[Schema] = [{"type": "null"}]
    if isinstance(expectation, Named):
        return {"type": ["object", "null"], "additionalProperties": {"anyOf": [block, *empty]}}
    text: list[Schema] = []
    if isinstance(expectation, Nested) and expectation.as_text:
        text = [{"type": "string", "pattern": rf"^{expectation.as_text} "}]
    if any(each.required for each in keys_of(expectation.model).values()):
        empty = []
    return {"anyOf": [block, *text, *empty]}


_COUNTS: Final = {"type": "string", "pattern": r"^\s*\d+ +of +\d+\s*$"}
_OTHERS: Final[dict[type, Schema]] = {
    ByGate: {"type": ["object", "null"], "additionalProperties": _COUNTS},
    CalibrationKey: {"type": ["string", "null"]},
    Limits: {"type": ["array", "null"], "items": {"type": "string", "pattern": r"[<>≤≥]"}},
    OwnFile: {"type": "string"},
    Scores: {"type": ["array", "null"], "items": {"type": "number"}},
}


def _steps(definitions: dict[str, Schema]) -> Schema:
    """Return the schema of a cycle: steps with one key each, or just a step's name."""
    if "step" not in definitions:
        definitions["step"] = {}
        alone = [
            kind for kind, step in STEPS.items() if not any(each.required for each in keys_of(step).values())
        ]
        bodies = {kind: {"anyOf": [_named_block(step, definitions)]} for kind, step in STEPS.items()}
        for kind in alone:
            bodies[kind]["anyOf"].append({"type": "null"})
        step: Schema = {"type": "object", "properties": bodies, "additionalProperties": False}
        step |= {"minProperties": 1, "maxProperties": 1}
        definitions["step"] = {"anyOf": [step, {"enum": alone}]}
    return {"type": "array", "items": {"$ref": "#/$defs/step"}, "minItems": 1}


def _amount(amount: Amount, definitions: dict[str, Schema]) -> Schema:
    """Return a reference to a quantity of a dimension, exact or not, with the key's bounds for plain numbers."""
    name = amount.dimension.value.removeprefix("a ").replace(" ", "-")
    name += ("-or-percentage" if amount.percent else "") + ("-exact" if amount.exact else "")
    if name not in definitions:
        definitions[name] = {}
        definitions[name] = _quantity(amount, name)
    bounds: Schema = {"minimum": amount.low} if amount.dimension in _BARE and amount.low > -1e300 else {}
    if amount.dimension in _BARE and amount.high < 1e300:
        bounds["maximum"] = amount.high
    return {"$ref": f"#/$defs/{name}"} | bounds


def _quantity(amount: Amount, name: str) -> Schema:
    """Return the schema of a quantity: a number, a text, or a mapping that describes its randomness."""
    dimension, exact = amount.dimension, amount.exact
    one = rf"({'|'.join(_texts(dimension, amount.percent))})"
    text = rf"^\s*{one}\s*$" if exact else rf"^\s*{one}(\s+to\s+{one})?\s*$"
    if dimension not in _BARE:  # a unit at the upper end applies to both
        text = rf"^\s*({one}|0)(\s+to\s+{one})?\s*$|^\s*{_NUMBER}\s+to\s+{one}\s*$"
        text = rf"^\s*({one}|0)\s*$" if exact else text
    number: Schema = {"type": "number"} if dimension in _BARE else {"const": 0}
    shown = [text for text in AMOUNTS[dimension] if not (exact and " to " in text)]
    what = f"{dimension.value[0].upper()}{dimension.value[1:]}"
    said = {"description": f"{what}, such as {examples(dimension, exact)}."}
    forms: list[Schema] = [number, {"type": "string", "pattern": text}]
    if not exact:
        forms += [*_spelt(), *_split({"$ref": f"#/$defs/{name}"})]
    return said | {"anyOf": forms, "examples": shown}


def _texts(dimension: Dimension, percent: bool) -> Iterator[str]:
    """Yield patterns of a single amount of a dimension as text; of a number also as a percentage, if that may be."""
    alike = {dimension} | ({Dimension.FRACTION} if percent else set())
    if dimension is Dimension.FRACTION:
        alike.add(Dimension.NUMBER)
    units = [re.escape(unit) for unit, (of, _) in UNITS.items() if of in alike and unit]
    units = [unit.replace("mtok", "[Mm]tok").replace("usd", "(usd|USD)") for unit in units]
    if units:
        yield rf"{_NUMBER}\s*({'|'.join(units)})"
    if dimension in _BARE:
        yield _NUMBER
    if dimension is Dimension.MONEY:
        yield rf"-?\$\s*{_NUMBER}"
    if any(unit.startswith(r"\$/") for unit in units):
        yield rf"\$\s*{_NUMBER}\s*/.+"


def _spelt() -> Iterator[Schema]:
    """Yield the schemas of spelt-out distributions."""
    value: Schema = {"type": ["number", "string"]}
    several: Schema = {"type": ["array", "string"], "items": value}
    for family, (required, optional) in PARAMETERS.items():
        keys = {key: several if key in ("values", "weights") else value for key in (*required, *optional)}
        yield {
            "type": "object",
            "properties": {"distribution": {"const": family}, **keys},
            "required": ["distribution", *required],
            "additionalProperties": False,
        }


def _split(quantity: Schema) -> Iterator[Schema]:
    """Yield the schemas that separate what varies from what is unknown."""
    spread = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*[x×]\s*$"}
    typical = {"typical": quantity, "varies": spread}
    closed: Schema = {"type": "object", "additionalProperties": False}
    yield closed | {"properties": typical, "required": ["typical"]}
    for key in ("varies", "unknown"):
        yield closed | {"properties": {key: quantity}, "required": [key]}


# The reference page.

_WIDTH: Final = 118
"""Columns of text in the page's source."""

_OPENING: Final = """\
# The scenario language

Every key of a scenario: its meaning, what to write, its default and its bounds. This page is generated from the
program's definition of the language (`make docs`); `simbudget schema` prints the same for editors. How a run follows
from a scenario is described in [research-model.md](research-model.md) and in the project's README.

The compiled engine does not simulate every key. Scenarios that use other keys are simulated by the slower reference
engine, and a note says so; a key that neither engine simulates is refused by name. No key is ever ignored.

## Quantities

| written | means |
| --- | --- |
| `9`, `1.5`, `2M`, `400k`, `70%` | a number |
| `90 s`, `5 min`, `4 h`, `5 days`, `2 weeks` | a duration |
| `$18,000`, `18000 $` | money; within `{...}` write `$18000` or put it in quotes |
| `3.59 $/h`, `5 $/Mtok`, `0.02 $/call`, `40 $/try` | a price |
| `60 tokens/s` | a speed |
| `20 to 60` | p10 to p90; lognormal if both ends are above 0, else normal |
| `{distribution: lognormal, p10: 20, p90: 60}` | a distribution, see below |
| `{typical: 30 to 45, varies: 2x}` | the typical value (median) is unknown; draws scatter with p90/median = 2 |
| `{varies: ...}`, `{unknown: ...}` | differs from draw to draw; has one unknown value in each world |

{distributions}

A bare range *varies*, unless the table says *fact*: then it is one *unknown* value, constant throughout a run. In
Python a quantity may be a number, such a text or mapping, or a frozen distribution of `scipy.stats`.
"""


def _distributions() -> str:
    """Return a sentence on the families and their parameters."""
    families = []
    for name, (required, optional) in PARAMETERS.items():
        needed, either = (", ".join(map("`{}`".format, required)), " or ".join(map("`{}`".format, optional)))
        if name != "empirical":
            families.append(f"`{name}` with " + " and ".join(filter(None, (needed, either))))
    text = f"Distributions: {'; '.join(families)}; `empirical` with `file` and `column` of a CSV file, or `values`."
    return "\n".join(textwrap.wrap(text, _WIDTH))


def page() -> str:
    """Return the reference page as Markdown."""
    opening = _OPENING.replace("{distributions}", _distributions())
    return "\n".join([opening, *(_section(title, model) for title, model in sections())])


def sections() -> Iterator[tuple[str, type[Block]]]:
    """Yield every block once, in order of first use, with the title of its section."""
    seen: set[type[Block]] = set()

    def visit(title: str, model: type[Block]) -> Iterator[tuple[str, type[Block]]]:
        if model in seen:
            return
        seen.add(model)
        yield title, model
        first = (
            ("turn", "context") if model is Scenario else ()
        )  # before steps and groups, which also have them
        for key, expectation in sorted(keys_of(model).items(), key=lambda item: item[0] not in first):
            if isinstance(expectation, Steps):
                for kind, step in STEPS.items():
                    yield from visit(f"Step `{kind}`", step)
            for inner in _inner(expectation):
                yield from visit(_title(title, key), inner)

    yield from visit("A scenario", Scenario)


def _title(outer: str, key: str) -> str:
    inside = outer.split("`")[1] if "`" in outer else ""
    return f"`{inside}.{key}`" if inside else f"`{key}`"


def _inner(expectation: Any) -> Iterator[type[Block]]:
    """Yield the blocks that an expectation reads."""
    if isinstance(expectation, Listed):
        yield from _inner(expectation.each)
    elif isinstance(model := getattr(expectation, "model", None), type):
        yield model


def _section(title: str, model: type[Block]) -> str:
    said = sentences(model)
    rows = [
        f"| `{key}` | {said.get(key, '')} | {_form(expectation)} | {_default(expectation)} | {_bounds(expectation)} |"
        for key, expectation in keys_of(model).items()
    ]
    about = inspect.cleandoc(model.__doc__ or "")
    table = [
        "| key | meaning | what to write | default | allowed |",
        "| --- | --- | --- | --- | --- |",
        *rows,
    ]
    example = ["", "```yaml", EXAMPLES[model].strip(), "```"] if model in EXAMPLES else []
    return "\n".join(["", f"## {title}", "", about, *(["", *table] if rows else []), *example])


def _form(expectation: Any) -> str:
    if isinstance(expectation, Amount):
        example = f"`{AMOUNTS[expectation.dimension][0]}`"
        kind = ", exact" if expectation.exact else ", fact" if expectation.is_fact else ""
        return f"{expectation.dimension.value}{kind}: {example}"
    if isinstance(expectation, Parsed):
        return expectation.form.replace("|", "\\|")
    return _FORMS.get(type(expectation), "keys with values")


_FORMS: Final[dict[type, str]] = {
    ByGate: "counts by gate: `{held-out: 1 of 3}`",
    CalibrationKey: "a file name",
    Amounts: "shares by name",
    Condition: "`succeeded`, `failed`, `improved` or a share, fact",
    Fleet: "a list of groups",
    Pools: "keys with values, or a list of pools",
    ServiceKey: "`standard`, `batch`, `priority`, `flex` or `fast`; `{batch: {returns_in: 1 h}}`",
    Limits: "a list of limits: `spend p90 <= $20,000`",
    Listed: "a list",
    Named: "blocks by name",
    OwnFile: "a file name",
    Scores: "a list of numbers",
    Steps: "a list of steps",
}


def _default(expectation: Any) -> str:
    default = getattr(expectation, "default", None)
    return f"`{default}`" if default is not None else "required" if expectation.required else ""


def _bounds(expectation: Any) -> str:
    amount = expectation.schema.get("amount") if isinstance(expectation, Parsed) else expectation
    if not isinstance(amount, Amount):
        return ""
    low = written_amount(amount.low, amount.dimension)
    return (
        f"{low} to {written_amount(amount.high, amount.dimension)}"
        if amount.high < 1e300
        else f"{low} or more"
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page() + "\n", encoding="utf-8")
