"""Research yield: where ideas come from and whether they hold, review, gates, and evidence on all of these.

Field names are the keys of the scenario language; quantities are in base units. A field's annotation says what its
key expects, and the sentence below it what the key means; reference page and JSON Schema are generated from both.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Self

from simbudget.published.defaults import KEEPS, RESEARCH
from simbudget.scenario.language.amounts import Amount
from simbudget.scenario.language.blocks import Block, FrozenDict
from simbudget.scenario.language.calendar import OfficeHours
from simbudget.scenario.language.document import Fields, Items, Node, Text
from simbudget.scenario.language.expectations import (
    HOURS,
    MOST_AGENTS,
    Parsed,
    choice,
    fact,
    mapping_of,
    model_name,
    share,
    time,
    tokens,
    whole,
    words,
)
from simbudget.scenario.language.quantities import Quantity
from simbudget.scenario.language.reading import Reading, is_absent, nearest
from simbudget.units import Dimension

MOST_GATES: Final = 64
"""Gates of a run fit into the bits of a 64-bit integer."""
MOST_METHODS: Final = 1_000_000
MOST_FINALISTS: Final = 1000
"""Far above what has been published; arrays of a replication grow with both."""


def _parse_of(text: str) -> str | float:
    if text in ("all", "best"):
        return text
    return share().parse(text).distribution.mean()


_SHARE_TEXT: Final = {"type": "string", "pattern": r"^\s*[\d.]+ ?%?\s*$"}
_OF: Final = Parsed(
    _parse_of,
    "all",
    schema={
        "anyOf": [{"enum": ["all", "best"]}, {"type": "number", "minimum": 0, "maximum": 1}, _SHARE_TEXT]
    },
    form="`all`, `best` or a share such as `20%`",
)


def _probability(key: str) -> Amount:
    """Return the expectation of a probability of `research`, whose default is taken from published evidence."""
    return fact(Dimension.FRACTION, RESEARCH[key].text, basis=RESEARCH[key].basis)


def _number(key: str, low: float, high: float, is_fact: bool = False) -> Amount:
    """Return the expectation of another number of `research`."""
    default = RESEARCH[key]
    return Amount(
        Dimension.NUMBER, default.text, is_fact, low=low, high=high, percent=True, basis=default.basis
    )


class Review(Block):
    """People who review submissions."""

    people: Annotated[int, whole(1, MOST_AGENTS, "1")]
    """Number of reviewers."""
    hours: Annotated[OfficeHours, HOURS]
    """When they work."""
    time: Annotated[Quantity, time("10 min to 40 min")]
    """Duration of one review."""
    price: Annotated[Quantity, fact(Dimension.USD_PER_HOUR, "0 $/h")]
    """Price of a reviewer's time."""
    of: Annotated[str | float, _OF]
    """Which submissions are reviewed: `all`, `best` (each new leader, and finalists), or a share."""
    by: Annotated[str | None, model_name()]
    """A model that reviews instead of people, at any hour, `people` submissions at a time."""
    input_tokens: Annotated[Quantity | None, tokens(optional=True)]
    """Uncached input of a review by a model."""
    output_tokens: Annotated[Quantity | None, tokens(optional=True)]
    """Output of a review by a model."""


class _Kept(Amount):
    """The expectation of the share of an effect that a gate leaves."""

    def advice(self) -> str:
        """Return what to write; how far a gate reaches says it too."""
        reaches = ", ".join(f"`{reach}`" for reach in KEEPS)
        return f"{super().advice()}, or `reach` ({reaches}) for the default that published evidence gives"


class Gate(Block):
    """A test of a method away from the benchmark."""

    name: Annotated[str | None, words()]
    """The gate's name."""
    reach: Annotated[str | None, choice(*KEEPS)]
    """How far from the benchmark the gate tests, which sets the default of `keeps`."""
    keeps: Annotated[Quantity, _Kept(Dimension.FRACTION, high=1.0)]
    """Share of a method's real effect that remains at this gate."""
    smallest_effect: Annotated[Quantity, fact(Dimension.NUMBER, "0", percent=True)]
    """Smallest effect that matters."""
    noise: Annotated[Quantity, fact(Dimension.NUMBER, "0", percent=True)]
    """Standard deviation of the measured effect."""
    price: Annotated[Quantity, fact(Dimension.USD_PER_TRY, "0 $/try")]
    """Price of testing one method."""
    time: Annotated[Quantity, time("0 s")]
    """Duration of testing one method."""
    tries: Annotated[str, choice("all", "passed", default="all")]
    """Whether all finalists are tested, or only those that passed the earlier gates."""

    @classmethod
    def depending(cls, reading: Reading, fields: Fields | None, name: str) -> dict[str, Any]:
        """Return the default of `keeps`, which depends on `reach`."""
        reach = fields.values.get("reach") if fields is not None and "keeps" not in fields.values else None
        word = " ".join(reach.text.lower().replace("-", " ").split()) if isinstance(reach, Text) else ""
        if word not in KEEPS:
            return {}
        default = KEEPS[word]
        return {"keeps": share(default.text, default.basis).read(reading, None, f"{name}.keeps")}


class Research(Block):
    """How ideas arise, and what they are worth."""

    explores: Annotated[Quantity, _probability("explores")]
    """Probability that a cycle tries a new method rather than refining one."""
    follows: Annotated[Quantity, _probability("follows")]
    """Probability that a new idea is sought in the direction of the best known method rather than the agent's own."""
    ideas: Annotated[Quantity, _number("ideas", 0.001, 1e9, is_fact=True)]
    """Number of other agents' methods in a direction at which half of the new ideas there repeat one of them."""
    known_methods: Annotated[int | None, whole(1, MOST_METHODS)]
    """Total number of methods that exist; by default unlimited."""
    first_quality: Annotated[Quantity, _number("first_quality", -10.0, 10.0)]
    """Quality of a new method, before noise."""
    refines: Annotated[Quantity, _probability("refines")]
    """Probability that a refinement succeeds."""
    gain: Annotated[Quantity, share(RESEARCH["gain"].text, RESEARCH["gain"].basis)]
    """Share of the distance to 1 that a successful refinement closes."""
    transfers: Annotated[Quantity, _probability("transfers")]
    """Probability that a method has a real core."""
    real_share: Annotated[Quantity, _probability("real_share")]
    """Share of a refinement's gain that is real; with `unit: improvement` the probability that all of it is."""
    hacks: Annotated[Quantity, _probability("hacks")]
    """Probability that a submission games the scorer."""
    hack_score: Annotated[Quantity, _number("hack_score", -10.0, 10.0)]
    """Score of such a submission."""
    caught: Annotated[Quantity, _probability("caught")]
    """Probability that review catches it."""
    blames: Annotated[Quantity, _probability("blames")]
    """Probability that review mistakes an honest submission for a hack."""
    unit: Annotated[str, choice("method", "improvement", default="method")]
    """What counts as a result: a method in its best version, or each submission that led when it was scored."""
    finalists: Annotated[int, whole(1, MOST_FINALISTS, "3")]
    """Number of methods, or of improvements, tested at each gate: those with the best scores."""
    gates_start: Annotated[str, choice("at the end", "as finalists appear", default="at the end")]
    """When gates are run: after the run, or as soon as there is a new finalist."""


# Evidence on the unknowns of `research`. It is weighed outside the language, which does no inference.

PROBABILITIES: Final = ("explores", "refines", "transfers", "hacks", "caught", "blames")
"""Keys of `research` with countable trials."""

REVIEW: Final = "review"
"""Key for the number of reviewed submissions that were rejected, hacks or not."""


@dataclass(frozen=True)
class Counts:
    """Successes among trials."""

    hits: int
    trials: int

    is_setting: ClassVar[bool] = True

    def __str__(self) -> str:
        """Return the counts as written."""
        return f"{self.hits} of {self.trials}"


def _parse_counts(text: str) -> Counts:
    match = re.fullmatch(r"\s*(\d{1,9})\s+of\s+(\d{1,9})\s*", text)
    if match is None or int(match[1]) > int(match[2]):
        raise ValueError(f"found `{text[:40]}`; write for example `1 of 3`")
    return Counts(int(match[1]), int(match[2]))


COUNTS: Final = Parsed(
    _parse_counts, schema={"type": "string", "pattern": r"^\s*\d+\s+of\s+\d+\s*$"}, form="counts: `1 of 3`"
)


class ByGate:
    """The expectation of counts by gate."""

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> FrozenDict:
        """Return the counts by gate name as written."""
        nodes = mapping_of(reading, node, name)
        found = {key: COUNTS.read(reading, value, f"{name}.{key}") for key, value in nodes.items()}
        return FrozenDict({key: counts for key, counts in found.items() if counts is not None})

    def write(self, value: Any) -> Any:
        """Return the counts as text."""
        return {key: str(counts) for key, counts in value.items()}


class Scores:
    """The expectation of a sequence of scores."""

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> tuple[float, ...]:
        """Return the scores."""
        reading.seen(name, node)
        if node is None or is_absent(node):
            return ()
        items = node.items if isinstance(node, Items) else ()
        try:
            scores = tuple(float(item.text) if isinstance(item, Text) else math.nan for item in items)
        except ValueError:
            scores = (math.nan,)
        if not scores or not all(map(math.isfinite, scores)):
            message = "`scores` has to be a list of numbers, in order"
            reading.problem(message, node.place, "write `[0.21, 0.34]`")
            return ()
        return scores

    def write(self, value: Any) -> Any:
        """Return the scores as text."""
        return [repr(score) for score in value]


class Evidence(Block):
    """Observations on what `research` leaves unknown."""

    explores: Annotated[Counts | None, COUNTS]
    """Cycles that tried a new method, of all cycles."""
    refines: Annotated[Counts | None, COUNTS]
    """Refinements that succeeded."""
    transfers: Annotated[Counts | None, COUNTS]
    """Methods that proved to have a real core."""
    hacks: Annotated[Counts | None, COUNTS]
    """Submissions that gamed the scorer."""
    caught: Annotated[Counts | None, COUNTS]
    """Hacks that review caught."""
    blames: Annotated[Counts | None, COUNTS]
    """Honest submissions that review mistook for hacks."""
    review: Annotated[Counts | None, COUNTS]
    """Reviewed submissions that were rejected, hacks or not."""
    gates: Annotated[FrozenDict, ByGate()]
    """Finalists that passed, by gate; the beginning of a gate's name is enough."""
    scores: Annotated[tuple[float, ...], Scores()]
    """Scores so far, in order."""

    @property
    def counts(self) -> dict[str, Counts]:
        """Return the counts by key, without those of gates."""
        counted = {key: getattr(self, key) for key in (*PROBABILITIES, REVIEW)}
        return {key: counts for key, counts in counted.items() if counts is not None and counts.trials}

    def of_gates(self, reading: Reading, gates: Sequence[Gate]) -> Self:
        """Return the evidence with full names of gates; notes names that match no gate."""
        names = gate_names(gates)
        found = {}
        for key, counts in self.gates.items():
            meant = gates_meant(key, names)
            if len(meant) == 1:
                found[names[meant[0]]] = counts
            else:
                place = reading.place_of(f"evidence.gates.{key}")
                remedy = (
                    nearest(key, names) if names else "the scenario has no gates; write them under `gates`"
                )
                reading.problem(f"`{key[:60]}` does not name exactly one gate", place, remedy)
        return self.filled(gates=FrozenDict(found))


def gate_names(gates: Sequence[Gate]) -> list[str]:
    """Return the gates' names: `gate 2` if the second has none."""
    return [gate.name or f"gate {number}" for number, gate in enumerate(gates, 1)]


def gates_meant(word: str, names: Sequence[str]) -> list[int]:
    """Return the indices of the gates that a word refers to: exact matches, or else those whose name begins with it.

    Args:
        word: a name, or its beginning.
        names: the names of the gates.
    """
    exactly = [place for place, name in enumerate(names) if name == word]
    return exactly or [place for place, name in enumerate(names) if name.startswith(word)]
