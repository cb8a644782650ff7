"""Research yield: how ideas come and hold, review, gates, and what has been observed of them.

Field names are the keys of the scenario language, quantities are in base units. Each annotation says what a key
expects, the sentence under it what the key means; the reference page and the JSON Schema are made from both.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Self

from simbudget.published.defaults import KEEPS, RESEARCH
from simbudget.scenario.amounts import Amount
from simbudget.scenario.blocks import Block, FrozenDict
from simbudget.scenario.calendar import OfficeHours
from simbudget.scenario.document import Fields, Items, Node, Text
from simbudget.scenario.expectations import (
    HOURS,
    MOST_AGENTS,
    Parsed,
    choice,
    fact,
    mapping_of,
    share,
    time,
    tokens,
    whole,
    words,
)
from simbudget.scenario.quantities import Quantity
from simbudget.scenario.reading import Reading, is_absent, nearest
from simbudget.units import Dimension

MOST_GATES: Final = 64
MOST_METHODS: Final = 1_000_000


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
    """Return what expects one of the probabilities of `research`, by default as published evidence has it."""
    return fact(Dimension.FRACTION, RESEARCH[key].text, basis=RESEARCH[key].basis)


def _number(key: str, low: float, high: float, is_fact: bool = False) -> Amount:
    """Return what expects another number of `research`."""
    default = RESEARCH[key]
    return Amount(Dimension.NUMBER, default.text, is_fact, low=low, high=high, basis=default.basis)


class Review(Block):
    """People who look at submissions."""

    people: Annotated[int, whole(1, MOST_AGENTS, "1")]
    """Reviewers."""
    hours: Annotated[OfficeHours, HOURS]
    """When they work."""
    time: Annotated[Quantity, time("10 min to 40 min")]
    """Time that one review takes."""
    price: Annotated[Quantity, fact(Dimension.USD_PER_HOUR, "0 $/h")]
    """Price of a reviewer's time."""
    of: Annotated[str | float, _OF]
    """Which submissions are reviewed: `all`, `best` (each new leader, and finalists), or a share."""
    by: Annotated[str | None, words()]
    """A model that reviews in people's place, always, `people` submissions at a time."""
    input_tokens: Annotated[Quantity | None, tokens(optional=True)]
    """Uncached input of such a review."""
    output_tokens: Annotated[Quantity | None, tokens(optional=True)]
    """Output of such a review."""


class Gate(Block):
    """A test of a method away from the benchmark."""

    name: Annotated[str | None, words()]
    """What the gate is called."""
    reach: Annotated[str | None, choice(*KEEPS)]
    """How far from the benchmark it tests, which says what `keeps` is where that is not written."""
    keeps: Annotated[Quantity, share()]
    """Share of a method's real effect that shows there."""
    smallest_effect: Annotated[Quantity, fact(Dimension.NUMBER, "0")]
    """Smallest effect that counts."""
    noise: Annotated[Quantity, fact(Dimension.NUMBER, "0")]
    """Standard deviation of the measured effect."""
    price: Annotated[Quantity, fact(Dimension.USD_PER_TRY, "0 $/try")]
    """Price of trying one method."""
    time: Annotated[Quantity, time("0 s")]
    """How long that takes."""
    tries: Annotated[str, choice("all", "passed", default="all")]
    """Whether all finalists are tried, or only those that passed the gates before."""

    @classmethod
    def depending(cls, reading: Reading, fields: Fields | None, name: str) -> dict[str, Any]:
        """Return what the gate keeps by default, by how far from the benchmark it tests."""
        reach = fields.values.get("reach") if fields is not None and "keeps" not in fields.values else None
        word = " ".join(reach.text.lower().replace("-", " ").split()) if isinstance(reach, Text) else ""
        if word not in KEEPS:
            return {}
        default = KEEPS[word]
        return {"keeps": share(default.text, default.basis).read(reading, None, f"{name}.keeps")}


class Research(Block):
    """What ideas are worth."""

    explores: Annotated[Quantity, _probability("explores")]
    """Probability that a cycle tries a new method, and does not refine one."""
    follows: Annotated[Quantity, _probability("follows")]
    """Probability that a new idea is sought where the best known method is, and not in the agent's own direction."""
    ideas: Annotated[Quantity, _number("ideas", 0.001, 1e9, is_fact=True)]
    """Number of other agents' methods in a direction at which half of the new ideas there repeat one of them."""
    known_methods: Annotated[int | None, whole(1, MOST_METHODS)]
    """Number of methods that exist in all; without it there is always a new one to find."""
    first_quality: Annotated[Quantity, _number("first_quality", -10.0, 10.0)]
    """Quality of a new method, before noise."""
    refines: Annotated[Quantity, _probability("refines")]
    """Probability that a refinement succeeds."""
    gain: Annotated[Quantity, share(RESEARCH["gain"].text, RESEARCH["gain"].basis)]
    """Share of the distance to 1 that it closes."""
    transfers: Annotated[Quantity, _probability("transfers")]
    """Probability that a method has a real core."""
    real_share: Annotated[Quantity, _probability("real_share")]
    """Share of a refinement's gain that is real."""
    hacks: Annotated[Quantity, _probability("hacks")]
    """Probability that a submission games the scorer."""
    hack_score: Annotated[Quantity, _number("hack_score", -10.0, 10.0)]
    """Score of such a submission."""
    caught: Annotated[Quantity, _probability("caught")]
    """Probability that review catches it."""
    blames: Annotated[Quantity, _probability("blames")]
    """Probability that review takes an honest submission for a hack."""
    finalists: Annotated[int, whole(1, 1000, "3")]
    """Methods that are tried at each gate."""
    gates_start: Annotated[str, choice("at the end", "as finalists appear", default="at the end")]
    """When gates are tried: after the run, or whenever there is a new finalist."""


# What has been observed so far of what is unknown in `research`. What follows from it is weighed above the language.

PROBABILITIES: Final = ("explores", "refines", "transfers", "hacks", "caught", "blames")
"""The keys of `research` whose trials can be counted."""

REVIEW: Final = "review"
"""The key of how many of the reviewed submissions were blamed, hacks or not."""


@dataclass(frozen=True)
class Counts:
    """Successes among trials."""

    hits: int
    trials: int

    is_setting: ClassVar[bool] = True

    def __str__(self) -> str:
        """Return the counts as they are written."""
        return f"{self.hits} of {self.trials}"


def _parse_counts(text: str) -> Counts:
    match = re.fullmatch(r"\s*(\d{1,9})\s+of\s+(\d{1,9})\s*", text)
    if match is None or int(match[1]) > int(match[2]):
        raise ValueError(f"found `{text[:40]}`; write such as `1 of 3`")
    return Counts(int(match[1]), int(match[2]))


COUNTS: Final = Parsed(
    _parse_counts, schema={"type": "string", "pattern": r"^\s*\d+\s+of\s+\d+\s*$"}, form="counts: `1 of 3`"
)


class ByGate:
    """What expects counts by the names of gates."""

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> FrozenDict:
        """Return the counts by what is written of the gates' names."""
        nodes = mapping_of(reading, node, name)
        found = {key: COUNTS.read(reading, value, f"{name}.{key}") for key, value in nodes.items()}
        return FrozenDict({key: counts for key, counts in found.items() if counts is not None})

    def write(self, value: Any) -> Any:
        """Return the counts as text."""
        return {key: str(counts) for key, counts in value.items()}


class Scores:
    """What expects scores in their order."""

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
            message = "`scores` takes a list of numbers, in their order"
            reading.problem(message, node.place, "write `[0.21, 0.34]`")
            return ()
        return scores

    def write(self, value: Any) -> Any:
        """Return the scores as text."""
        return [repr(score) for score in value]


class Evidence(Block):
    """What has been observed of what `research` leaves unknown."""

    explores: Annotated[Counts | None, COUNTS]
    """Cycles that tried a new method, of all."""
    refines: Annotated[Counts | None, COUNTS]
    """Refinements that succeeded."""
    transfers: Annotated[Counts | None, COUNTS]
    """Methods that turned out to have a real core."""
    hacks: Annotated[Counts | None, COUNTS]
    """Submissions that gamed the scorer."""
    caught: Annotated[Counts | None, COUNTS]
    """Hacks that review caught."""
    blames: Annotated[Counts | None, COUNTS]
    """Honest submissions that review took for hacks."""
    review: Annotated[Counts | None, COUNTS]
    """Reviewed submissions that were blamed, hacks or not."""
    gates: Annotated[FrozenDict, ByGate()]
    """Finalists that passed, by gate; the beginning of a gate's name is enough."""
    scores: Annotated[tuple[float, ...], Scores()]
    """Scores so far, in their order."""

    @property
    def counts(self) -> dict[str, Counts]:
        """Return the counts of trials by key, without those of gates."""
        counted = {key: getattr(self, key) for key in (*PROBABILITIES, REVIEW)}
        return {key: counts for key, counts in counted.items() if counts is not None and counts.trials}

    def of_gates(self, reading: Reading, gates: Sequence[Gate]) -> Self:
        """Return the evidence with the gates' full names; note those that no gate has."""
        names = gate_names(gates)
        found = {}
        for key, counts in self.gates.items():
            meant = gates_meant(key, names)
            if len(meant) == 1:
                found[names[meant[0]]] = counts
            else:
                place = reading.place_of(f"evidence.gates.{key}")
                reading.problem(f"no one gate is called `{key[:60]}`", place, nearest(key, names))
        return self.filled(gates=FrozenDict(found))


def gate_names(gates: Sequence[Gate]) -> list[str]:
    """Return what gates are called: `gate 2` where the second has no name."""
    return [gate.name or f"gate {number}" for number, gate in enumerate(gates, 1)]


def gates_meant(word: str, names: Sequence[str]) -> list[int]:
    """Return the places of the gates that a word may mean: those of this name, else those whose name begins so."""
    exactly = [place for place, name in enumerate(names) if name == word]
    return exactly or [place for place, name in enumerate(names) if name.startswith(word)]
