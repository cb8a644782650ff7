"""The tables of `prices`."""

import datetime
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.table import Table

from simbudget.pricing.catalogue import ListPrices
from simbudget.pricing.charge import ClassPrices
from simbudget.pricing.gpus import GpuPrice

_CLASSES = {
    "input": "input",
    "cache_write_5m": "5-min write",
    "cache_write_1h": "1-h write",
    "cache_read": "read",
    "output": "output",
}


def model_table(models: Iterable[ListPrices], on: datetime.date) -> Table:
    """Return model prices in $/Mtok, with a row for each tier and each listed service."""
    models = list(models)
    sources = "; ".join(dict.fromkeys(model.source for model in models))
    more = [model.named for model in models if model.named]
    more += [f"{model.model}: other prices from {model.hours}" for model in models if model.hours]
    if len(models) == 1 and models[0].caching:
        caching = models[0].caching
        more.append(f"Caches {caching.words} ({caching.source}, {caching.as_of})")
    title, caption = f"$/Mtok on {on}", "\n".join([*more, f"Source: {sources}"])
    table = Table(title=title, caption=caption, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("model", overflow="fold")
    for name in _CLASSES.values():
        table.add_column(name, justify="right")
    table.add_column("since", overflow="fold")
    for model in models:
        since = str(model.effective_from) if model.effective_from else ""
        table.add_row(model.model, *_prices(model.base), since)
        if model.long:
            table.add_row(f"  prompt > {model.long.above_tokens:,}", *_prices(model.long), "")
        for service, prices in model.services.items():
            table.add_row(f"  {service}", *_prices(prices), "")
    return table


def _prices(prices: ClassPrices) -> list[str]:
    return [f"{getattr(prices, name):.4g}" for name in _CLASSES]


def gpu_table(gpus: Iterable[GpuPrice]) -> Table:
    """Return GPU prices in $/h."""
    table = Table(title="$/h for one GPU, on demand", box=SIMPLE_HEAD, pad_edge=False)
    for name, justify in (
        ("type", "left"),
        ("$/h", "right"),
        ("offer", "left"),
        ("read on", "left"),
        ("source", "left"),
    ):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for gpu in gpus:
        table.add_row(gpu.type, f"{gpu.usd_per_hour:.2f}", gpu.offer, str(gpu.as_of), gpu.source)
    return table
