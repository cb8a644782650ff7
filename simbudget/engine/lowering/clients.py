"""What agents call models with, as a program's rows: clients, turns and contexts, each written once."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

import numpy as np

from simbudget.engine.laws.calls import COMPACT, DROP, NO_CACHE, RESTART
from simbudget.engine.laws.draws import Floats
from simbudget.engine.laws.provider import WEEK_NS
from simbudget.engine.lowering.prices import no_prices, price_row, service_factor
from simbudget.engine.lowering.quantities import Quantities, nanoseconds
from simbudget.engine.program import (
    NONE,
    CallDraws,
    ClientRow,
    ContextRow,
    Lasts,
    PlanRow,
    ServedRow,
    TurnDraws,
    TurnRow,
)
from simbudget.pricing.charge import SERVICES, STANDARD
from simbudget.scenario import scenario as scenarios
from simbudget.scenario.context import CACHE_LIFE_S

_CACHE_LIFE_NS = {"off": NO_CACHE} | {kind: nanoseconds(life_s) for kind, life_s in CACHE_LIFE_S.items()}
_LASTS = {"think": Lasts.THINK, "cycle": Lasts.CYCLE, "life": Lasts.LIFE}
_WHEN_FULL = {"compact": COMPACT, "restart": RESTART, "drop oldest": DROP}
_BATCH: Final = "batch"

_Row = TypeVar("_Row")


class _Call(NamedTuple):
    """What distinguishes clients."""

    model: str | None
    cache: str
    service: str
    returns_in: str
    """The name of the quantity."""
    is_called: bool


@dataclass
class Calling:
    """The clients, turns and contexts of a program, numbered as they come; equal ones have one number."""

    scenario: scenarios.Scenario
    quantities: Quantities
    clients: dict[_Call, ClientRow] = field(default_factory=dict)
    turns: list[TurnRow] = field(default_factory=list)
    contexts: list[ContextRow] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    constants: dict[float, int] = field(default_factory=dict)

    def client(
        self, model: str | None, cache: str, service: scenarios.Service | None, is_called: bool = True
    ) -> int:
        """Return the number of the client of a model, for contexts that are cached so; people have one of no model.

        Args:
            model: the model's name; None for people.
            cache: `off`, `5 min` or `1 h`.
            service: the service of the provider; None for the standard one.
            is_called: whether anybody calls it: the speed of a model that nobody calls is not looked up.
        """
        name = STANDARD if service is None or service.name == "standard" else service.name
        returns_in = service.returns_in if service is not None and name == _BATCH else None
        call = _Call(model, cache, name, "" if returns_in is None else returns_in.name, is_called)
        # Equal calls are one client, so that the engines look up each price once.
        if call not in self.clients:
            self.clients[call] = self._client(call)._replace(returns_in=self.quantities.add(returns_in))
        return list(self.clients).index(call)

    def turn(self, turn: scenarios.Turn, is_made: bool = True) -> int:
        """Return the number of a turn; one that nobody makes has no quantities.

        Args:
            turn: the turn.
            is_made: whether anybody makes it.
        """
        add, fact = self.quantities.add, self.quantities.fact
        row = TurnRow(
            parts=TurnDraws(
                output=add(turn.output_tokens if is_made else None),
                thinking=add(turn.thinking_tokens if is_made else None),
                tool_result=add(turn.tool_result_tokens if is_made else None),
                tool_time=add(turn.tool_time if is_made else None),
            ),
            opening_times=fact(turn.opening.times if is_made else None),
            opening_turns=fact(turn.opening.turns if is_made else None),
        )
        return _number(self.turns, row)

    def context(self, context: scenarios.Context, limit_is_written: bool) -> int:
        """Return the number of a context.

        Args:
            context: the context.
            limit_is_written: whether the scenario writes at how many tokens it is full.
        """
        add, fact, how = self.quantities.add, self.quantities.fact, context.when_full.how
        prefix = context.shared_prefix_tokens
        row = ContextRow(
            lasts=_LASTS[context.lasts],
            first_prompt=add(context.first_prompt_tokens),
            limit_tokens=fact(context.limit_tokens),
            compacted=add(context.compacted_to_tokens if how == "compact" else None),
            cache_misses=fact(context.cache_misses),
            limit_is_written=int(limit_is_written),
            keeps_thinking=int(context.keeps_thinking),
            shared_prefix=add(None if prefix.surely_zero else prefix),
            when_full=_WHEN_FULL[how],
            carried=add(context.carried_tokens if how == "restart" else None),
            left_part=self._constant(context.when_full.to) if how == "drop oldest" else NONE,
        )
        return _number(self.contexts, row)

    def limits_per_min(self) -> Floats:
        """Return the [lines, 3] limits: the common ones, then those of models that have their own."""
        api = self.scenario.api
        return np.array(
            [
                [
                    limits.requests_per_min or 0.0,
                    limits.input_tokens_per_min or 0.0,
                    limits.output_tokens_per_min or 0.0,
                ]
                for limits in (api, *api.models.values())
            ]
        )

    def served(self) -> tuple[ServedRow, ...]:
        """Return the models that are served on the fleet's own GPUs."""
        fact, pools = self.quantities.fact, [pool.name for pool in self.scenario.pools]
        return tuple(
            ServedRow(
                model=_number(self.models, model),
                pool=pools.index(speed.served_on),
                gpus=speed.replicas * speed.gpus_each,
                replicas=speed.replicas,
                throughput=fact(speed.throughput),
                at_most=fact(speed.at_most),
            )
            for model, speed in self.scenario.models.items()
            if speed.served_on is not None
        )

    def plan(self) -> PlanRow | None:
        """Return the subscription, if there is one."""
        plan, fact = self.scenario.api.plan, self.quantities.fact
        if plan is None:
            return None
        return PlanRow(
            price=fact(plan.price),
            seats=plan.seats,
            lengths_ns=(
                0 if plan.window is None else nanoseconds(plan.window.every.exact_value),
                0 if plan.week is None else WEEK_NS,
            ),
            allows=(
                fact(None if plan.window is None else plan.window.allows),
                fact(None if plan.week is None else plan.week.allows),
            ),
            pays=int(plan.then == "pay"),
        )

    def _client(self, call: _Call) -> ClientRow:
        model, api, add = call.model, self.scenario.api, self.quantities.add
        # The speed of a model that nobody calls would be one more thing that is not known.
        speed = self.scenario.models[model] if model is not None and call.is_called else None
        served = self._served_number(model)
        # Calls to self-hosted models and in batches have no rate limits, and do not fail.
        is_free = served != NONE or call.service == _BATCH
        output_speed = add(speed.output_speed if speed else None)
        return ClientRow(
            model=_number(self.models, model or ""),
            cache_life_ns=_CACHE_LIFE_NS[call.cache],
            attempt=CallDraws(
                first_token=add(speed.first_token if speed else None),
                output_speed=self._constant(1.0) if is_free else output_speed,
                error_rate=self._constant(0.0) if is_free else self.quantities.fact(api.error_rate),
                gives_up_for=add(api.gives_up_for),
            ),
            price_row=self._prices(call, served),
            price_factor=service_factor(self.scenario, model, call.service, self.quantities),
            service=SERVICES.index(call.service),
            line=NONE if is_free else self._line(model),
            is_planned=int(api.plan is not None and not is_free),
            served=served,
        )

    def _prices(self, call: _Call, served: int) -> tuple[int, ...]:
        if call.model is None or served != NONE:
            return no_prices(self.quantities)
        return price_row(self.scenario, call.model, call.cache, call.service, self.quantities)

    def _constant(self, value: float) -> int:
        """Return the number of the quantity that is always `value`, the same each time."""
        if value not in self.constants:
            self.constants[value] = self.quantities.number(value)
        return self.constants[value]

    def _line(self, model: str | None) -> int:
        """Return the line of a model's calls in `limits_per_min`."""
        own = list(self.scenario.api.models)
        return 1 + own.index(model) if model in own else 0

    def _served_number(self, model: str | None) -> int:
        served = [name for name, speed in self.scenario.models.items() if speed.served_on is not None]
        return served.index(model) if model in served else NONE


def _number(rows: list[_Row], row: _Row) -> int:
    """Return the number of a row, which is added if it is not there."""
    if row not in rows:
        rows.append(row)
    return rows.index(row)
