"""Hourly GPU prices: a small dated table of published on-demand prices, for plans that name only a type."""

import csv
import datetime
import difflib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from simbudget.errors import Problem, UserError


@dataclass(frozen=True)
class GpuPrice:
    """One published on-demand price of one GPU."""

    type: str
    usd_per_hour: float
    offer: str
    """Provider and exact offer."""
    source: str
    as_of: datetime.date
    """Date on which the source was read."""


@cache
def list_gpus() -> tuple[GpuPrice, ...]:
    """Return the table."""
    text = files("simbudget.pricing").joinpath("gpus.csv").read_text(encoding="utf-8")
    return tuple(
        GpuPrice(
            row["type"],
            float(row["usd_per_hour"]),
            row["offer"],
            row["source"],
            datetime.date.fromisoformat(row["as_of"]),
        )
        for row in csv.DictReader(text.splitlines())
    )


def gpu_price(gpu_type: str) -> GpuPrice:
    """Return the price of a GPU type, ignoring case.

    Raises:
        UserError: the table does not have the type; the message names the nearest ones.
    """
    by_name = {price.type.lower(): price for price in list_gpus()}
    wanted = " ".join(gpu_type.lower().replace("-", " ").replace("_", " ").split())
    if wanted in by_name:
        return by_name[wanted]
    near = [by_name[name].type for name in difflib.get_close_matches(wanted, by_name, 3, 0.5)]
    known = near or [price.type for price in list_gpus()]
    raise UserError(
        Problem(
            f"there is no price for GPU type {gpu_type!r}",
            remedy=f"write one of {', '.join(known)}, or give the price: `price: 3.59 $/h`",
        )
    )
