"""What agents call models with, as a program's rows: clients, turns and contexts, each written once."""

from dataclasses import dataclass, field
from typing import TypeVar

from simbudget.engine.laws.calls import NO_CACHE
from simbudget.engine.lowering.prices import price_row
from simbudget.engine.lowering.quantities import Quantities
from simbudget.engine.lowering.units import nanoseconds
from simbudget.engine.program import ClientRow, ContextRow, Lasts, TurnRow
from simbudget.scenario import model as scenarios
from simbudget.scenario.context import CACHE_LIFE_S

_CACHE_LIFE_NS = {"off": NO_CACHE} | {kind: nanoseconds(life_s) for kind, life_s in CACHE_LIFE_S.items()}
_LASTS = {"think": Lasts.THINK, "cycle": Lasts.CYCLE, "life": Lasts.LIFE}

_Row = TypeVar("_Row")


@dataclass
class Calling:
    """The clients, turns and contexts of a program, numbered as they come; equal ones have one number."""

    scenario: scenarios.Scenario
    quantities: Quantities
    clients: dict[tuple[str | None, str, bool], ClientRow] = field(default_factory=dict)
    """By model, kind of cache, and whether it is ever called."""
    turns: list[TurnRow] = field(default_factory=list)
    contexts: list[ContextRow] = field(default_factory=list)
    models: list[str] = field(default_factory=list)

    def client(self, model: str | None, cache: str, is_called: bool) -> int:
        """Return the number of the client of a model, for contexts that are cached so; people have one of no model."""
        key = model, cache, is_called
        if key not in self.clients:
            self.clients[key] = self._client(*key)
        return list(self.clients).index(key)

    def turn(self, turn: scenarios.Turn, is_made: bool) -> int:
        """Return the number of a turn; one that nobody makes has no quantities."""
        add, fact = self.quantities.add, self.quantities.fact
        row = TurnRow(
            output=add(turn.output_tokens if is_made else None),
            thinking=add(turn.thinking_tokens if is_made else None),
            tool_result=add(turn.tool_result_tokens if is_made else None),
            tool_time=add(turn.tool_time if is_made else None),
            opening_times=fact(turn.opening.times if is_made else None),
            opening_turns=fact(turn.opening.turns if is_made else None),
        )
        return _number(self.turns, row)

    def context(self, context: scenarios.Context) -> int:
        """Return the number of a context."""
        add, fact = self.quantities.add, self.quantities.fact
        row = ContextRow(
            lasts=_LASTS[context.lasts],
            first_prompt=add(context.first_prompt_tokens),
            limit_tokens=fact(context.limit_tokens),
            compacted=add(context.compacted_to_tokens),
            cache_misses=fact(context.cache_misses),
        )
        return _number(self.contexts, row)

    def _client(self, model: str | None, cache: str, is_called: bool) -> ClientRow:
        # The speed of a model that nobody calls would be one more thing that is not known.
        speed = self.scenario.models[model] if model is not None and is_called else None
        api = self.scenario.api
        return ClientRow(
            model=_number(self.models, model or ""),
            cache_life_ns=_CACHE_LIFE_NS[cache],
            first_token=self.quantities.add(speed.first_token if speed else None),
            output_speed=self.quantities.add(speed.output_speed if speed else None),
            error_rate=self.quantities.fact(api.error_rate),
            gives_up_for=self.quantities.add(api.gives_up_for),
            prices=price_row(self.scenario, model, cache, self.quantities),
        )


def _number(rows: list[_Row], row: _Row) -> int:
    """Return the number of a row, which is added if it is not there."""
    if row not in rows:
        rows.append(row)
    return rows.index(row)
