"""The provider of models: speeds, prices, rate limits, errors, subscriptions.

Field names are the keys of the scenario language; quantities are in base units. A field's annotation says what its
key expects, and the sentence below it what the key means; reference page and JSON Schema are generated from both.
"""

import datetime
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Self

from simbudget.pricing.facts import TIERS
from simbudget.scenario.language.amounts import Amount
from simbudget.scenario.language.blocks import Block, FrozenDict, keys_of
from simbudget.scenario.language.document import Fields, Given, Node, Text
from simbudget.scenario.language.expectations import (
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
from simbudget.scenario.language.quantities import Quantity
from simbudget.scenario.language.reading import Reading, describe, is_absent, nearest, read_date
from simbudget.units import Dimension


@dataclass(frozen=True)
class Service:
    """The provider's service used for calls, and how long a batch takes to return."""

    name: str
    returns_in: Quantity


SERVICES: Final = ("standard", "batch", "priority", "flex", "fast")


class ServiceKey:
    """The expectation of a service: its name, or `{batch: {returns_in: 1 h}}`."""

    required: ClassVar[bool] = False
    default: ClassVar[str] = "standard"
    returns_in: ClassVar[Amount] = time("10 min to 2 h")

    def read(self, reading: Reading, node: Node | None, name: str) -> Service | None:
        """Return the service, or None if none is written."""
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
    """How fast a model responds."""

    first_token: Annotated[Quantity, time("1.5 s to 5 s")]
    """Time to the first token of an answer."""
    output_speed: Annotated[Quantity, Amount(Dimension.TOKENS_PER_S, "45 to 80 tokens/s", low=0.01, high=1e6)]
    """Output speed after the first token."""
    served_on: Annotated[str | None, words()]
    """Pool of GPUs that serves the model, whose calls then cost nothing per token."""
    replicas: Annotated[int, whole(1, 100_000, "1")]
    """Number of copies of a model served on GPUs."""
    gpus_each: Annotated[int, whole(1, 100_000, "1")]
    """GPUs that each copy holds for the whole run."""
    throughput: Annotated[
        Quantity | None, Amount(Dimension.TOKENS_PER_S, is_fact=True, low=0.01, high=1e9, optional=True)
    ]
    """Output speed of one copy, shared by its concurrent calls."""
    at_most: Annotated[
        Quantity | None, Amount(Dimension.TOKENS_PER_S, is_fact=True, low=0.01, high=1e9, optional=True)
    ]
    """Maximum speed of a single call; by default unlimited."""


@dataclass(frozen=True)
class Amounts:
    """The expectation of quantities by name."""

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
        """Return the quantities as written."""
        return {name: self.each.write(quantity) for name, quantity in value.items()}


COMPONENTS: Final = ("tokens", "gpu", "scorer", "sandbox", "review", "gates", "staff", "fixed")
"""The components that money is spent on."""


class PriceTier(Block):
    """Prices by token class; `cache_write` is for the class that the scenario's cache writes."""

    input: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]
    """Input that is neither read from nor written to the cache."""
    cache_write: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]
    """Input written to the cache, of the class set by `context.cache`."""
    cache_read: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]
    """Input read from the cache."""
    output: Annotated[Quantity, fact(Dimension.USD_PER_MTOK)]
    """Output, including thinking."""


class LongTier(PriceTier):
    """Prices of calls whose context is longer than `above`."""

    above: Annotated[Quantity, tokens(exact=True)]
    """Context length above which these prices apply to the whole call."""


class ModelPrices(PriceTier):
    """Prices of a model that override the price list."""

    long: Annotated[LongTier | None, Nested(LongTier, optional=True)]
    """Prices of calls with a long context."""
    services: Annotated[FrozenDict, Amounts(Amount(Dimension.FRACTION, is_fact=True, high=100.0), SERVICES)]
    """Prices of other services, relative to these: `{batch: 50%}`."""


DATE: Final = Parsed(read_date, schema={"type": "string", "format": "date"}, form="a date: `2026-03-01`")


class Prices(Block):
    """The date of the price list, and prices by model that override it."""

    on: Annotated[datetime.date, DATE]
    """Date of the price list; by default today."""
    discount: Annotated[FrozenDict, Amounts(fact(Dimension.FRACTION), COMPONENTS)]
    """Share by which a component is cheaper: `{tokens: 15%}`."""
    models: Annotated[FrozenDict, Named(ModelPrices)]
    """Prices of a model that override the list, under the model's name."""

    @classmethod
    def read(cls, reading: Reading, node: Node | None, name: str, base: Self | None) -> Self:
        """Return the prices; all keys except its own are names of models."""
        given = dict(mapping_of(reading, node, name))
        if node is not None and node.place.line is None and isinstance(inner := given.get("models"), Fields):
            del given["models"]  # code may give them under a key of their own
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
        """Return the prices by model and the date, which is always written because results depend on it."""
        return {"on": self.on, **({"discount": self.discount} if self.discount else {}), **self.models}

    def write(self) -> Any:
        """Return the same as text."""
        discount = {"discount": keys_of(Prices)["discount"].write(self.discount)} if self.discount else {}
        models = {model: prices.write() for model, prices in self.models.items()}
        return {"on": str(self.on)} | discount | models


class ModelLimits(Block):
    """Rate limits of one model, which then does not share the common ones; missing ones are unlimited."""

    requests_per_min: Annotated[float | None, number(Dimension.NUMBER, 0.001, 1e9)]
    """Requests per minute."""
    input_tokens_per_min: Annotated[float | None, number(Dimension.NUMBER, 1, 1e12)]
    """Input tokens per minute, not counting cache reads."""
    output_tokens_per_min: Annotated[float | None, number(Dimension.NUMBER, 1, 1e12)]
    """Output tokens per minute."""


class Window(Block):
    """A usage window of a subscription, which begins with the first call after the previous one has ended."""

    every: Annotated[Quantity, time(exact=True, low=60.0)]
    """Duration of the window."""
    allows: Annotated[Quantity, Amount(Dimension.MONEY, is_fact=True, high=MOST_USD)]
    """Usage allowed per seat, at list prices."""


class Week(Block):
    """A weekly limit of a subscription, which begins with the first call after the previous week has ended."""

    allows: Annotated[Quantity, Amount(Dimension.MONEY, is_fact=True, high=MOST_USD)]
    """Usage allowed per seat, at list prices."""


class Plan(Block):
    """A subscription, within which calls cost nothing per token."""

    price: Annotated[Quantity, Amount(Dimension.USD_PER_MONTH, is_fact=True, high=1e9)]
    """Price of a seat for 30 days, paid in advance."""
    seats: Annotated[int, whole(1, 1_000_000, "1")]
    """Number of seats, whose usage is pooled."""
    window: Annotated[Window | None, Nested(Window, optional=True)]
    """A limit over some hours; by default none."""
    week: Annotated[Week | None, Nested(Week, optional=True)]
    """A limit per week; by default none."""
    then: Annotated[str, choice("wait", "pay", default="wait")]
    """What happens to a call at the limit: it waits until the window ends, or is billed at list prices."""


class Api(Block):
    """The provider's rate limits and errors."""

    requests_per_min: Annotated[float | None, number(Dimension.NUMBER, 0.001, 1e9)]
    """Requests per minute of the whole fleet; by default unlimited."""
    input_tokens_per_min: Annotated[float | None, number(Dimension.NUMBER, 1, 1e12)]
    """Input tokens per minute, not counting cache reads."""
    output_tokens_per_min: Annotated[float | None, number(Dimension.NUMBER, 1, 1e12)]
    """Output tokens per minute."""
    error_rate: Annotated[Quantity, Amount(Dimension.FRACTION, "0%", is_fact=True, high=0.99)]
    """Probability that an attempt at a call fails."""
    retries: Annotated[int, whole(0, 1000, "2")]
    """Retries of a call before the agent gives up for a while."""
    gives_up_for: Annotated[Quantity, time("1 min")]
    """Time until the agent tries the call again."""
    tier: Annotated[str | None, choice(*TIERS)]
    """The organisation's usage tier, whose limits apply where none are written."""
    models: Annotated[FrozenDict, Named(ModelLimits)]
    """Models with their own rate limits."""
    plan: Annotated[Plan | None, Nested(Plan, optional=True)]
    """A subscription instead of prices per token; by default none."""
