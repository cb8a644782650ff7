"""The blocks about what scores are worth: review, gates and research."""

from typing import Annotated, Final

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
    keeps: Annotated[Quantity, share()]
    smallest_effect: Annotated[Quantity, fact(Dimension.NUMBER, "0")]
    noise: Annotated[Quantity, fact(Dimension.NUMBER, "0")]
    price: Annotated[Quantity, fact(Dimension.USD_PER_TRY, "0 $/try")]
    time: Annotated[Quantity, time("0 s")]
    tries: Annotated[str, choice("all", "passed", default="all")]
    """Whether all finalists are tried, or only those that passed the gates before."""


class Research(Block):
    """What ideas are worth."""

    explores: Annotated[Quantity, fact(Dimension.FRACTION, "20% to 50%")]
    follows: Annotated[Quantity, fact(Dimension.FRACTION, "20% to 60%")]
    """How many new ideas are sought where the best known method is, instead of in the agent's own direction."""
    ideas: Annotated[Quantity, Amount(Dimension.NUMBER, "3 to 30", is_fact=True, low=0.001, high=1e9)]
    """With so many methods of others in a direction, half of one's new ideas there are one of them."""
    known_methods: Annotated[int | None, whole(1, MOST_METHODS)]
    """All choose among so many methods; without it there is no end of new ones."""
    first_quality: Annotated[Quantity, Amount(Dimension.NUMBER, "0.0 to 0.45", low=-10.0, high=10.0)]
    refines: Annotated[Quantity, fact(Dimension.FRACTION, "10% to 30%")]
    gain: Annotated[Quantity, share("0.05 to 0.35")]
    transfers: Annotated[Quantity, fact(Dimension.FRACTION, "1% to 20%")]
    real_share: Annotated[Quantity, fact(Dimension.FRACTION, "5% to 60%")]
    hacks: Annotated[Quantity, fact(Dimension.FRACTION, "0.3% to 3%")]
    hack_score: Annotated[Quantity, Amount(Dimension.NUMBER, "0.9 to 1.0", low=-10.0, high=10.0)]
    caught: Annotated[Quantity, fact(Dimension.FRACTION, "70% to 99%")]
    blames: Annotated[Quantity, fact(Dimension.FRACTION, "0%")]
    """How often review takes an honest submission for a hack."""
    finalists: Annotated[int, whole(1, 1000, "3")]
    gates_start: Annotated[str, choice("at the end", "as finalists appear", default="at the end")]
