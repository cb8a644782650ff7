"""Facts about providers that the price list lacks, as dated rows with their sources.

`services.csv`: factors on token prices by service or place, for dates before the list begins; `releases.csv`: release
dates of models, so that `opus` can mean the newest one on a date; `caches.csv`: minimum length of a cached prefix,
its lifetime, and whether cache reads count towards the limit on input tokens; `gpus.csv`: published hourly on-demand
prices of GPUs, for plans that name only a type. Usage tiers stand below.
"""

import csv
import datetime
import difflib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from simbudget.errors import Problem, UserError
from simbudget.units import Dimension, written_amount


@dataclass(frozen=True)
class CacheRule:
    """How a provider caches the prompts of a model."""

    min_prefix_tokens: int
    """Shorter prefixes are not cached."""
    step_tokens: int
    """The length of a cached prefix is a multiple of this."""
    lives_s: tuple[float, ...]
    """Possible lifetimes of an entry after its last use, in seconds, in ascending order; empty if unknown."""
    is_write_charged: bool
    """Whether writing costs more than uncached input."""
    reads_count_towards_limit: bool | None
    """Whether cache reads count towards the limit on input tokens per minute; None if unknown."""
    source: str
    as_of: datetime.date

    @property
    def lifetimes(self) -> str:
        """Return the possible lifetimes in words; empty if unknown."""
        return " or ".join(written_amount(life_s, Dimension.DURATION) for life_s in self.lives_s)

    @property
    def words(self) -> str:
        """Return the rule on one line."""
        lives = f"for {self.lifetimes}" if self.lives_s else "for a time that the provider does not state"
        write = "writes cost more than input" if self.is_write_charged else "writes cost as input"
        text = f"prompts from {self.min_prefix_tokens:,} tokens, {lives}; {write}"
        if self.reads_count_towards_limit is not None:
            count = "count" if self.reads_count_towards_limit else "do not count"
            text += f"; reads {count} towards limits on input"
        return text


def table_rows(name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of one of this package's tables.

    Args:
        name: name of the CSV file.
    """
    text = files("simbudget.pricing").joinpath(name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


@cache
def _services() -> tuple[dict[str, str], ...]:
    return tuple(table_rows("services.csv"))


def factors(provider: str, model: str, what: str, on: datetime.date) -> dict[str, float]:
    """Return the factors on token prices for each value of `what` (`service`, `inference_geo`).

    Args:
        provider: the list's name of the provider.
        model: the list's name of the model.
        what: what the factor depends on.
        on: the date (UTC).
    """
    day = on.isoformat()
    return {
        row["value"]: float(row["factor"])
        for row in _services()
        if row["provider"] == provider
        and model.startswith(row["models"])
        and row["what"] == what
        and row["since"] <= day
        and (not row["until"] or day < row["until"])
    }


@cache
def releases() -> dict[tuple[str, str], datetime.date]:
    """Return the release dates of models, by provider and the list's name of the model."""
    return {
        (row["provider"], row["model"]): datetime.date.fromisoformat(row["released"])
        for row in table_rows("releases.csv")
    }


@cache
def cache_rule(provider: str, model: str) -> CacheRule | None:
    """Return how a provider caches a model's prompts; None if unknown. The first matching row applies.

    Args:
        provider: the list's name of the provider.
        model: the list's name of the model.
    """
    for row in table_rows("caches.csv"):
        if row["provider"] == provider and model.startswith(row["models"]):
            return CacheRule(
                min_prefix_tokens=int(row["min_prefix_tokens"]),
                step_tokens=int(row["step_tokens"]),
                lives_s=tuple(map(float, row["lives_s"].split())),
                is_write_charged=row["write_is_charged"] == "yes",
                reads_count_towards_limit={"yes": True, "no": False}.get(
                    row["reads_count_towards_input_limit"]
                ),
                source=row["source"],
                as_of=datetime.date.fromisoformat(row["as_of"]),
            )
    return None


# GPUs.


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
    return tuple(
        GpuPrice(
            row["type"],
            float(row["usd_per_hour"]),
            row["offer"],
            row["source"],
            datetime.date.fromisoformat(row["as_of"]),
        )
        for row in table_rows("gpus.csv")
    )


def gpu_price(gpu_type: str) -> GpuPrice:
    """Return the price of a GPU type, ignoring case.

    Args:
        gpu_type: name of the type, such as `H100`.

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


# Usage tiers of the Claude API.

_CAPS_USD: Final[dict[str, float | None]] = {
    "start": 500.0,
    "build": 1_000.0,
    "scale": 200_000.0,
    "custom": None,
}
"""Maximum spend of an organisation per calendar month; beyond it, calls are refused until the first of the next month.

https://platform.claude.com/docs/en/api/rate-limits, in force since 2026-06-26, read in 2026-11.
"""

TIERS: Final = tuple(_CAPS_USD)


def monthly_spend_cap_usd(tier: str) -> float | None:
    """Return the cap of a tier per calendar month, in US dollars; None for no cap.

    Args:
        tier: one of `TIERS`.

    Raises:
        KeyError: there is no such tier.
    """
    return _CAPS_USD[tier.lower()]


def smallest_tier_for(monthly_usd: float) -> str:
    """Return the smallest tier that allows a given spend per calendar month, in US dollars.

    Args:
        monthly_usd: the spend.

    Raises:
        ValueError: the spend is not a number.
    """
    for tier, cap_usd in _CAPS_USD.items():
        if monthly_usd <= (math.inf if cap_usd is None else cap_usd):
            return tier
    raise ValueError(f"{monthly_usd:g} is not a spend")
