"""Facts about providers that the price list leaves out, as dated rows with their sources.

`services.csv`: by what factor a service or a place changes the price of tokens, for days that the list does not reach
back to; `releases.csv`: when models came out, so that `opus` can mean the newest of a day; `caches.csv`: how long a
prefix has to be to be cached, how long it is kept, and whether reading it counts towards the limit on input tokens.
"""

import csv
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class CacheRule:
    """How a provider caches the prompts of a model."""

    min_prefix_tokens: int
    """A shorter beginning of a prompt is not cached."""
    step_tokens: int
    """The length of what is cached is a multiple of this."""
    lives_s: tuple[float, ...]
    """How long an entry may be kept after its last use, in seconds, from the shortest."""
    is_write_charged: bool
    """Whether writing costs more than plain input."""
    reads_count_towards_limit: bool
    """Whether what is read from the cache counts towards the limit on input tokens a minute."""
    source: str
    as_of: datetime.date


def table_rows(name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of one of this package's tables."""
    text = files("simbudget.pricing").joinpath(name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


@cache
def _services() -> tuple[dict[str, str], ...]:
    return tuple(table_rows("services.csv"))


def factors(provider: str, model: str, what: str, on: datetime.date) -> dict[str, float]:
    """Return by what factors the price of tokens changes, for each value of `what` (`service`, `inference_geo`)."""
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
    """Return when models came out, by provider and the list's name of the model."""
    return {
        (row["provider"], row["model"]): datetime.date.fromisoformat(row["released"])
        for row in table_rows("releases.csv")
    }


@cache
def cache_rule(provider: str, model: str) -> CacheRule | None:
    """Return how a provider caches a model's prompts; None where no rule is known. The first row that fits counts."""
    for row in table_rows("caches.csv"):
        if row["provider"] == provider and model.startswith(row["models"]):
            return CacheRule(
                min_prefix_tokens=int(row["min_prefix_tokens"]),
                step_tokens=int(row["step_tokens"]),
                lives_s=tuple(map(float, row["lives_s"].split())),
                is_write_charged=row["write_is_charged"] == "yes",
                reads_count_towards_limit=row["reads_count_towards_input_limit"] == "yes",
                source=row["source"],
                as_of=datetime.date.fromisoformat(row["as_of"]),
            )
    return None
