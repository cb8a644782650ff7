"""The provider of models: speeds, prices, rate limits, errors, subscriptions.

Field names are the keys of the scenario language, quantities are in base units. Each annotation says what a key
expects, the sentence under it what the key means; the reference page and the JSON Schema are made from both.
"""

import datetime
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Self

from simbudget.pricing.tiers import TIERS
from simbudget.scenario.amounts import Amount
from simbudget.scenario.blocks import Block, FrozenDict, keys_of
from simbudget.scenario.document import Fields, Given, Node, Text
from simbudget.scenario.expectations import (
    MOST_USD,
    Named,
    Nested,
    Parsed,
    choice,
    fact,
    mapping_of,
    number,
    time,
    tokens,
    whole,
    words,
)
from simbudget.scenario.quantities import Quantity
from simbudget.scenario.reading import Reading, describe, is_absent, nearest, read_date
from simbudget.units import Dimension


@dataclass(frozen=True)
class Service:
    """The provider's service that calls are made by, and how long a batch takes to return."""

    name: str
    returns_in: Quantity


SERVICES: Final = ("standard", "batch", "priority", "flex", "fast")


class ServiceKey:
    """What expects a service: its name, or `{batch: {returns_in: 1 h}}`."""

    required: ClassVar[bool] = False
    default: ClassVar[str] = "standard"
    returns_in: ClassVar[Amount] = time("10 min to 2 h")

    def read(self, reading: Reading, node: Node | None, name: str) -> Service | None:
        """Return the service; None where none is written."""
        reading.seen(name, node)
        if node is None or is_absent(node):
            return None
        within, word = None, node.text if isinstance(node, Text) else "batch"
        if isinstance(node, Given) and isinstance(node.value, Service):
            return node.value
        if isinstance(node, Fields):
            reading.unknown_keys(node, ("batch",), "`service`")
            batch = mapping_of(reading, node.values.get("batch"), f"{name}.batch")
            within = batch.pop("returns_in", None)
            for key, value in batch.items():
                reading.problem(
                    f"`batch` has no key `{key[:60]}`", value.place, nearest(key, ("returns_in",))
                )
        elif word not in SERVICES:
            reading.problem(f"`service`: found {describe(node)}", node.place, nearest(word, SERVICES))
            return None
        if within is None:
            reading.note(name, word, "setting", node)
        apart = reading if word == "batch" else Reading(reading.folder)
        returns_in = self.returns_in.read(apart, within, f"{name}.batch.returns_in")
        assert returns_in is not None
        return Service(word, returns_in)

    def write(self, value: Any) -> Any:
        """Return the service."""
        if value.name != "batch" or value.returns_in.text == self.returns_in.default:
            return value.name
        return {"batch": {"returns_in": self.returns_in.write(value.returns_in)}}


OTHERS: Final = "others"
"""Stands in `models` for all that have no speed of their own there."""


class ModelSpeed(Block):
    """How quick a model answers."""

    first_token: Annotated[Quantity, time("1.5 s to 5 s")]
    """Time to the first token of an answer."""
    output_speed: Annotated[Quantity, Amount(Dimension.TOKENS_PER_S, "45 to 80 tokens/s", low=0.01, high=1e6)]
    """Speed of output after that."""
    served_on: Annotated[str | None, words()]
    """Pool of GPUs on which the model is served; its calls cost nothing by token then."""
    replicas: Annotated[int, whole(1, 100_000, "1")]
    """Copies of a model that is served on GPUs."""
    gpus_each: Annotated[int, whole(1, 100_000, "1")]
    """GPUs that each copy holds for the whole run."""
    throughput: Annotated[
        Quantity | None, Amount(Dimension.TOKENS_PER_S, is_fact=True, low=0.01, high=1e9, optional=True)
    ]
    """Output of one copy, shared by the calls that are under way."""
    at_most: Annotated[
        Quantity | None, Amount(Dimension.TOKENS_PER_S, is_fact=True, low=0.01, high=1e9, optional=True)
    ]
    """Speed of a single call at most; unlimited by default."""


@dataclass(frozen=True)
class Amounts:
    """Quantities by name."""

    each: Amount
    names: tuple[str, ...]

    required: ClassVar[bool] = False

    def read(self, reading: Reading, node: Node | None, name: str) -> FrozenDict:
        """Return the quantities."""
        nodes = mapping_of(reading, node, name)
        if isinstance(node, Fields):
            reading.unknown_keys(node, self.names, f"`{name.rpartition('.')[2]}`")
        found = {
            key: self.each.read(reading, nodes[key], f"{name}.{key}") for key in self.names if key in nodes
        }
        return FrozenDict(found)

    def write(self, value: Any) -> Any:
        """Return the quantities as they were written."""
        return {name: self.each.write(quantity) for name, quantity in value.items()}


COMPONENTS: Final = ("tokens", "gpu", "scorer", "sandbox", "review", "gates", "staff", "fixed")
"""What money is spent on."""


class PriceTier(Block):
    """Prices by token class; `cache_write` is of the class that the scenario's cache writes."""

    input: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]
    """Input that is neither read from nor written to the cache."""
    cache_write: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]
    """Input that is written to the cache, of the class that `context.cache` writes."""
    cache_read: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]
    """Input that is read from the cache."""
    output: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]
    """Output, thinking included."""


class LongTier(PriceTier):
    """Prices of a call whose context is longer than `above`."""

    above: Annotated[Quantity, tokens(exact=True)]
    """Context length above which a whole call has these prices."""


class ModelPrices(PriceTier):
    """The scenario's own prices of a model."""

    long: Annotated[LongTier | None, Nested(LongTier, optional=True)]
    """Prices of calls with a long context."""
    services: Annotated[FrozenDict, Amounts(Amount(Dimension.FRACTION, is_fact=True, high=100.0), SERVICES)]
    """Prices of other services, as parts of these: `{batch: 50%}`."""


DATE: Final = Parsed(read_date, schema={"type": "string", "format": "date"}, form="a date: `2026-03-01`")


class Prices(Block):
    """The date of the price list, and the scenario's own prices, by model."""

    on: Annotated[datetime.date, DATE]
    """Day of the price list; today by default."""
    discount: Annotated[FrozenDict, Amounts(fact(Dimension.FRACTION), COMPONENTS)]
    """By which part a component costs less: `{tokens: 15%}`."""
    models: Annotated[FrozenDict, Named(ModelPrices)]
    """Own prices of a model, under the model's name."""

    @classmethod
    def read(cls, reading: Reading, node: Node | None, name: str, base: Self | None) -> Self:
        """Return the prices; every key but its own is a model's name."""
        given = dict(mapping_of(reading, node, name))
        if node is not None and node.place.line is None and isinstance(inner := given.get("models"), Fields):
            del given["models"]  # in code they may stand apart
            given |= inner.values
        today = datetime.date.today().isoformat()
        on = Parsed(read_date, today).read(reading, given.pop("on", None), f"{name}.on")
        discount = keys_of(cls)["discount"].read(reading, given.pop("discount", None), f"{name}.discount")
        models = {
            model: ModelPrices.read(reading, prices, f"{name}[{model}]", None)
            for model, prices in given.items()
        }
        values = {"on": on, "discount": discount, "models": FrozenDict(models)}
        return cls.of_values(values, frozenset(values))

    def document(self) -> dict[str, Any]:
        """Return the date, always, since it is a result's; and the prices by model."""
        return {"on": self.on, **({"discount": self.discount} if self.discount else {}), **self.models}

    def write(self) -> Any:
        """Return the same as text."""
        discount = {"discount": keys_of(Prices)["discount"].write(self.discount)} if self.discount else {}
        models = {model: prices.write() for model, prices in self.models.items()}
        return {"on": str(self.on)} | discount | models


class ModelLimits(Block):
    """Limits of one model, which then does not share the common ones; what is not written is unlimited."""

    requests_per_min: Annotated[float | None, number(Dimension.NUMBER, 0.001, 1e9)]
    """Requests a minute."""
    input_tokens_per_min: Annotated[float | None, number(Dimension.NUMBER, 1, 1e12)]
    """Input tokens a minute, cache reads not counted."""
    output_tokens_per_min: Annotated[float | None, number(Dimension.NUMBER, 1, 1e12)]
    """Output tokens a minute."""


class Window(Block):
    """A window of a subscription, which begins with the first call after the last one has ended."""

    every: Annotated[Quantity, time(exact=True, low=60.0)]
    """How long it lasts."""
    allows: Annotated[Quantity, Amount(Dimension.MONEY, is_fact=True, high=MOST_USD)]
    """Use at list prices that it allows, for each seat."""


class Week(Block):
    """A week of a subscription, which begins with the first call after the last one has ended."""

    allows: Annotated[Quantity, Amount(Dimension.MONEY, is_fact=True, high=MOST_USD)]
    """Use at list prices that it allows, for each seat."""


class Plan(Block):
    """A subscription: calls within it cost nothing by token."""

    price: Annotated[Quantity, Amount(Dimension.USD_PER_MONTH, is_fact=True, high=1e9)]
    """Price of a seat for 30 days, paid at the start of each."""
    seats: Annotated[int, whole(1, 1_000_000, "1")]
    """Number of seats, whose use is counted together."""
    window: Annotated[Window | None, Nested(Window, optional=True)]
    """A limit for some hours; none by default."""
    week: Annotated[Week | None, Nested(Week, optional=True)]
    """A limit for a week; none by default."""
    then: Annotated[str, choice("wait", "pay", default="wait")]
    """What a call does at the limit: it waits for the window's end, or is paid at list prices."""


class Api(Block):
    """The provider's limits and errors."""

    requests_per_min: Annotated[float | None, number(Dimension.NUMBER, 0.001, 1e9)]
    """Requests a minute of the whole fleet; unlimited by default."""
    input_tokens_per_min: Annotated[float | None, number(Dimension.NUMBER, 1, 1e12)]
    """Input tokens a minute, cache reads not counted."""
    output_tokens_per_min: Annotated[float | None, number(Dimension.NUMBER, 1, 1e12)]
    """Output tokens a minute."""
    error_rate: Annotated[Quantity, Amount(Dimension.FRACTION, "0%", is_fact=True, high=0.99)]
    """Probability that an attempt at a call fails."""
    retries: Annotated[int, whole(0, 1000, "2")]
    """Attempts after the first, before the agent gives up for a while."""
    gives_up_for: Annotated[Quantity, time("1 min")]
    """How long it waits before it starts the call anew."""
    tier: Annotated[str | None, choice(*TIERS)]
    """The organisation's usage tier, whose limits hold where none are written."""
    models: Annotated[FrozenDict, Named(ModelLimits)]
    """Models with limits of their own."""
    plan: Annotated[Plan | None, Nested(Plan, optional=True)]
    """A subscription in place of prices by token; none by default."""
