"""Usage tiers of the Claude API, with the maximum spend of an organisation per calendar month.

Source: https://platform.claude.com/docs/en/api/rate-limits, in force since 2026-06-26, read in 2026-11. Beyond the
cap, calls are refused until the first of the next month.
"""

import math
from typing import Final

_CAPS_USD: Final[dict[str, float | None]] = {
    "start": 500.0,
    "build": 1_000.0,
    "scale": 200_000.0,
    "custom": None,
}

TIERS: Final = tuple(_CAPS_USD)


def monthly_spend_cap_usd(tier: str) -> float | None:
    """Return the cap of a tier per calendar month, in US dollars; None for no cap.

    Raises:
        KeyError: there is no such tier.
    """
    return _CAPS_USD[tier.lower()]


def smallest_tier_for(monthly_usd: float) -> str:
    """Return the smallest tier that allows a given spend per calendar month, in US dollars.

    Raises:
        ValueError: the spend is not a number.
    """
    for tier, cap_usd in _CAPS_USD.items():
        if monthly_usd <= (math.inf if cap_usd is None else cap_usd):
            return tier
    raise ValueError(f"{monthly_usd:g} is not a spend")
