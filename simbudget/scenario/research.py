"""The blocks about what scores are worth: review, gates and research."""

from functools import cache
from typing import Annotated, Final

from pydantic import create_model

from simbudget.published.defaults import KEEPS, RESEARCH
from simbudget.scenario.amounts import Amount
from simbudget.scenario.calendar import OfficeHours
from simbudget.scenario.expectations import HOURS, MOST_AGENTS, fact, share, time
from simbudget.scenario.fields import Block, Parsed, choice, whole, words
from simbudget.scenario.quantities import Quantity
from simbudget.units import Dimension


def _parse_of(text: str) -> str | float:
    if text in ("all", "best"):
        return text
    return share().parse(text).distribution.mean()


MOST_GATES: Final = 64
MOST_METHODS: Final = 1_000_000

_OF: Final = Parsed(_parse_of, "all")


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
    hours: Annotated[OfficeHours, HOURS]
    time: Annotated[Quantity, time("10 min to 40 min")]
    price: Annotated[Quantity, fact(Dimension.USD_PER_HOUR, "0 $/h")]
    of: Annotated[str | float, _OF]


class Gate(Block):
    """A test of a method away from the benchmark."""

    name: Annotated[str | None, words()]
    reach: Annotated[str | None, choice(*KEEPS)]
    """How far from the benchmark it tests; it says what `keeps` is where that is not written."""
    keeps: Annotated[Quantity, share()]
    smallest_effect: Annotated[Quantity, fact(Dimension.NUMBER, "0")]
    noise: Annotated[Quantity, fact(Dimension.NUMBER, "0")]
    price: Annotated[Quantity, fact(Dimension.USD_PER_TRY, "0 $/try")]
    time: Annotated[Quantity, time("0 s")]
    tries: Annotated[str, choice("all", "passed", default="all")]
    """Whether all finalists are tried, or only those that passed the gates before."""


@cache
def gate_at(reach: str) -> type[Gate]:
    """Return the block of a gate whose `keeps` has the default of how far from the benchmark it tests."""
    default = KEEPS[reach]
    keeps = Annotated[Quantity, share(default.text, default.basis)]
    return create_model("Gate", __base__=Gate, __doc__=Gate.__doc__, keeps=(keeps, ...))


class Research(Block):
    """What ideas are worth."""

    explores: Annotated[Quantity, _probability("explores")]
    follows: Annotated[Quantity, _probability("follows")]
    """How many new ideas are sought where the best known method is, instead of in the agent's own direction."""
    ideas: Annotated[Quantity, _number("ideas", 0.001, 1e9, is_fact=True)]
    """With so many methods of others in a direction, half of one's new ideas there are one of them."""
    known_methods: Annotated[int | None, whole(1, MOST_METHODS)]
    """All choose among so many methods; without it there is no end of new ones."""
    first_quality: Annotated[Quantity, _number("first_quality", -10.0, 10.0)]
    refines: Annotated[Quantity, _probability("refines")]
    gain: Annotated[Quantity, share(RESEARCH["gain"].text, RESEARCH["gain"].basis)]
    transfers: Annotated[Quantity, _probability("transfers")]
    real_share: Annotated[Quantity, _probability("real_share")]
    hacks: Annotated[Quantity, _probability("hacks")]
    hack_score: Annotated[Quantity, _number("hack_score", -10.0, 10.0)]
    caught: Annotated[Quantity, _probability("caught")]
    blames: Annotated[Quantity, _probability("blames")]
    """How often review takes an honest submission for a hack."""
    finalists: Annotated[int, whole(1, 1000, "3")]
    gates_start: Annotated[str, choice("at the end", "as finalists appear", default="at the end")]
