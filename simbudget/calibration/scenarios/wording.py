"""Learnt quantities as text of the scenario language: readable, and close to the draws."""

from typing import Any, Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.distributions.posteriors import Posterior
from simbudget.scenario.language.document import parse_value, plain
from simbudget.units import Dimension

_EXACT_DIGITS: Final = 9
_DIGITS: Final = 3
"""Significant digits of a range: a person writes no more, and the draws have them all."""
_WHOLE: Final = 1e-9
_DURATIONS: Final = (("days", 86_400.0), ("h", 3600.0), ("min", 60.0))
_UNITS: Final = {
    Dimension.DURATION: "s",
    Dimension.USD_PER_HOUR: "$/h",
    Dimension.USD_PER_TRY: "$/try",
}


def written_varying(posterior: Posterior, dimension: Dimension) -> str:
    """Return `{typical: 410 to 455, varies: 3.1x}`: p10 to p90 of the median, and p90/median of draws.

    What three digits do not tell apart is written as one number: `{typical: 30 s, varies: 2x}`, or just `30 s`.
    """
    medians, high = quantiles_of(posterior, (0.5, 0.9))
    low, up = np.quantile(medians, (0.1, 0.9))
    spread = f"{min(_spread(medians, high), 999.0):.3g}"
    typical = _range(low, up, dimension, _DIGITS)
    return (
        typical if spread == "1" and " to " not in typical else f"{{typical: {typical}, varies: {spread}x}}"
    )


def spread_of(posterior: Posterior) -> float:
    """Return p90/median of a quantity's draws, as `varies` states it; at least 1."""
    return _spread(*quantiles_of(posterior, (0.5, 0.9)))


def _spread(medians: Floats, high: Floats) -> float:
    return max(float(np.median(high) / max(np.median(medians), 1e-9)), 1.0)


def highest_of(posterior: Posterior) -> float:
    """Return a scenario's highest value: p90 of the median times p90/median of draws."""
    medians, high = quantiles_of(posterior, (0.5, 0.9))
    return float(np.quantile(medians, 0.9) * np.median(high) / max(np.median(medians), 1e-9))


def written_fact(draws: Floats, dimension: Dimension) -> str:
    """Return `4.1% to 6.3%`: p10 to p90 of a constant quantity.

    Args:
        draws: [worlds] of a fact.
        dimension: for its units.
    """
    low, up = np.quantile(draws, (0.1, 0.9))
    return _range(low, up, dimension, min(max(2, _digits_apart(low, up)), _DIGITS))


def as_value(written: str) -> Any:
    """Return a learnt quantity's text as the value of a scenario's key: text, or a mapping of text."""
    return plain(parse_value(written, ""))


def written_exact(value: float, dimension: Dimension) -> str:
    """Return `4 h` or `2500 $/try`: one number.

    Args:
        value: in base units.
        dimension: for its units.
    """
    for unit, seconds in _DURATIONS if dimension is Dimension.DURATION else ():
        if value >= seconds and abs(value / seconds - round(value / seconds)) < _WHOLE:
            count = round(value / seconds)
            return f"{count} {unit if count != 1 else unit.rstrip('s')}"
    return _amount(value, dimension, _EXACT_DIGITS)


def written_duration(value_s: float) -> str:
    """Return `1 day`, `1.25 h` or `40 s`: a duration as a person would round it."""
    text = _range(value_s, value_s, Dimension.DURATION, _DIGITS)
    return text.removesuffix("s") if text == "1 days" else text


def quantiles_of(posterior: Posterior, at: tuple[float, ...], draws: int = 400) -> Floats:
    """Return [len(at), worlds] quantiles of draws in each world, contexts' differences included.

    Args:
        posterior: of a quantity that varies.
        at: probabilities.
        draws: draws in each world.
    """
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((1, draws))
    levels = rng.standard_normal((1, draws))
    worlds = len(posterior.draws)
    sample = posterior.sample(np.repeat(scores, worlds, 0), np.repeat(levels, worlds, 0))
    return np.asarray(np.quantile(sample, at, axis=1))


def _digits_apart(low: float, high: float) -> int:
    """Return the number of significant digits that distinguish two numbers."""
    if high <= low or low <= 0:
        return 3
    return int(np.ceil(-np.log10((high - low) / high))) + 1


def _range(low: float, up: float, dimension: Dimension, digits: int) -> str:
    """Return `2.5 min to 4 min`, in the largest unit no longer than the low end; one number if both are alike."""
    unit, seconds = _UNITS.get(dimension, ""), 1.0
    if dimension is Dimension.DURATION:
        unit, seconds = next(((name, size) for name, size in _DURATIONS if low >= size), ("s", 1.0))
    elif dimension is Dimension.FRACTION:
        unit, seconds = "%", 0.01
    gap = "" if unit in ("", "%") else " "
    ends = [f"{_plain(end / seconds, digits)}{gap}{unit}" for end in (low, up)]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _amount(value: float, dimension: Dimension, digits: int) -> str:
    """Return an amount with the given number of significant digits."""
    if dimension is Dimension.FRACTION:
        return f"{_plain(100 * value, digits)}%"
    if dimension in _UNITS:
        return f"{_plain(value, digits)} {_UNITS[dimension]}"
    return _plain(value, digits)


def _plain(value: float, digits: int) -> str:
    """Return a number without an exponent."""
    if value <= 0:
        return "0"
    places = digits - 1 - int(np.floor(np.log10(value)))
    text = f"{round(value, places):.{min(max(0, places), 9)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
