"""Learnt quantities as text of the scenario language: readable, and close to the draws."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simbudget.distributions.posteriors import Posterior
from simbudget.scenario.document import parse_value, plain
from simbudget.units import Dimension

Floats = npt.NDArray[np.float64]

_EXACT_DIGITS: Final = 9
_WHOLE: Final = 1e-9
_DURATIONS: Final = (("days", 86_400.0), ("h", 3600.0), ("min", 60.0))
_UNITS: Final = {
    Dimension.DURATION: "s",
    Dimension.USD_PER_HOUR: "$/h",
    Dimension.USD_PER_TRY: "$/try",
}


def written_varying(posterior: Posterior, dimension: Dimension) -> str:
    """Return `{typical: 410 to 455, varies: 3.1x}`: p10 to p90 of the median, and p90/median of draws.

    Args:
        posterior: of a quantity that varies.
        dimension: for its units.
    """
    medians, high = quantiles_of(posterior, (0.5, 0.9))
    low, up = np.quantile(medians, (0.1, 0.9))
    spread = max(float(np.median(high) / max(np.median(medians), 1e-9)), 1.0)
    digits = max(3, _digits_apart(low, up))
    ends = f"{_amount(low, dimension, digits)} to {_amount(up, dimension, digits)}"
    return f"{{typical: {ends}, varies: {min(spread, 999.0):.3g}x}}"


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
    digits = max(2, _digits_apart(low, up))
    return f"{_amount(low, dimension, digits)} to {_amount(up, dimension, digits)}"


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
            return f"{round(value / seconds)} {unit}"
    return _amount(value, dimension, _EXACT_DIGITS)


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
    places = max(0, digits - 1 - int(np.floor(np.log10(value))))
    text = f"{value:.{min(places, 9)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
