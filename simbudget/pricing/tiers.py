"""The usage tiers of the Claude API and what each lets an organisation spend in a calendar month.

Source: https://platform.claude.com/docs/en/api/rate-limits, in force since 2026-06-26, read in 2026-11. Past the
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
    """Return what a tier allows in a calendar month, in US dollars; None for no cap. KeyError if unknown."""
    return _CAPS_USD[tier.lower()]


def smallest_tier_for(monthly_usd: float) -> str:
    """Return the smallest tier that allows so much in a calendar month."""
    for tier, cap_usd in _CAPS_USD.items():
        if monthly_usd <= (math.inf if cap_usd is None else cap_usd):
            return tier
    raise ValueError(f"{monthly_usd:g} is no spend")
