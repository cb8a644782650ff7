"""The results of `simbudget prices`: what models and GPUs cost on a date, with sources."""

import datetime
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from simbudget.pricing.catalogue import ListPrices, list_models, model_prices
from simbudget.pricing.charge import (
    WHOLE_CLASSES,
    ClassPrices,
)
from simbudget.pricing.facts import GpuPrice, list_gpus
from simbudget.results import Number, Result, Table, as_plain

if TYPE_CHECKING:
    import pandas as pd

_CLASSES = {each.price: each.words for each in WHOLE_CLASSES}


@dataclass(frozen=True)
class PriceList(Result):
    """Prices of models on a date."""

    on: datetime.date
    models: tuple[ListPrices, ...]
    notes: tuple[str, ...] = ()

    json_name = "prices.json"

    def answer(self) -> str:
        """Return whose prices these are."""
        if len(self.models) == 1:
            base = self.models[0].base
            return f"{self.models[0].model}: input ${base.input:.4g}, output ${base.output:.4g} for a million tokens."
        return f"Prices of {len(self.models):,} models on {self.on}."

    @property
    def frame(self) -> "pd.DataFrame":
        """Return a row for each model, with the price of each class of tokens in $/Mtok."""
        import pandas as pd  # noqa: PLC0415  slow to import

        return pd.DataFrame(
            [{"model": each.model, **vars(each.base), "source": each.source} for each in self.models]
        )

    def as_json(self) -> dict[str, Any]:
        """Return everything that the list says of each model."""
        return {
            "on": str(self.on),
            "models": [as_plain(asdict(each)) for each in self.models],
            "notes": list(self.notes),
        }

    def tables(self) -> list[Table]:
        """Return prices in $/Mtok, with a row for each tier and each listed service."""
        rows = [row for model in self.models for row in _rows(model)]
        columns = ("model", *_CLASSES.values(), "since")
        return [Table(f"$/Mtok on {self.on}", columns, rows, words=(0, len(columns) - 1))]


@dataclass(frozen=True)
class GpuPriceList(Result):
    """Prices of GPUs."""

    gpus: tuple[GpuPrice, ...]
    notes: tuple[str, ...] = ()

    json_name = "gpu-prices.json"

    def answer(self) -> str:
        """Return how many types there are."""
        return f"Prices of {len({gpu.type for gpu in self.gpus})} types of GPUs."

    @property
    def frame(self) -> "pd.DataFrame":
        """Return a row for each offer, in $/h for one GPU."""
        import pandas as pd  # noqa: PLC0415  slow to import

        return pd.DataFrame([vars(gpu) for gpu in self.gpus])

    def as_json(self) -> dict[str, Any]:
        """Return every offer."""
        return {"gpus": [as_plain(asdict(gpu)) for gpu in self.gpus], "notes": list(self.notes)}

    def tables(self) -> list[Table]:
        """Return prices in $/h."""
        rows = [
            (
                gpu.type,
                Number(f"{gpu.usd_per_hour:.2f}", gpu.usd_per_hour),
                gpu.offer,
                str(gpu.as_of),
                gpu.source,
            )
            for gpu in self.gpus
        ]
        return [
            Table(
                "$/h for one GPU, on demand",
                ("type", "$/h", "offer", "read on", "source"),
                rows,
                words=(0, 2, 3, 4),
            )
        ]


def list_prices(
    model: str | None = None, on: datetime.date | None = None, provider: str = "anthropic"
) -> PriceList:
    """Return the prices of a model, or of every model of a provider.

    Args:
        model: an id of the list, or a short name such as `opus`.
        on: the day; by default today.
        provider: provider whose models are listed without a model.

    Raises:
        UserError: there is no such model or provider.
    """
    day = on or datetime.date.today()
    models = (model_prices(model, day),) if model else tuple(list_models(day, provider))
    notes = [each.named for each in models if each.named]
    notes += [f"{each.model}: other prices from {each.hours}" for each in models if each.hours]
    if len(models) == 1 and models[0].caching:
        caching = models[0].caching
        notes.append(f"caches {caching.words} ({caching.source}, {caching.as_of})")
    notes += [f"source: {source}" for source in dict.fromkeys(each.source for each in models)]
    return PriceList(day, models, tuple(notes))


def list_gpu_prices() -> GpuPriceList:
    """Return the prices of GPUs on demand."""
    return GpuPriceList(tuple(list_gpus()))


def _rows(model: ListPrices) -> list[tuple[str | Number, ...]]:
    since = str(model.effective_from) if model.effective_from else ""
    rows: list[tuple[str | Number, ...]] = [(model.model, *_prices(model.base), since)]
    if model.long:
        rows.append((f"  prompt > {model.long.above_tokens:,}", *_prices(model.long), ""))
    return rows + [(f"  {service}", *_prices(prices), "") for service, prices in model.services.items()]


def _prices(prices: ClassPrices) -> list[Number]:
    return [Number(f"{getattr(prices, name):.4g}", getattr(prices, name)) for name in _CLASSES]
