"""Spend on tokens by calendar month, compared with the monthly cap of a usage tier."""

import datetime
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats, Integers
from simbudget.numbers import usd
from simbudget.pricing.facts import monthly_spend_cap_usd, smallest_tier_for
from simbudget.pricing.models import maker_of
from simbudget.projection.limits import LimitCheck
from simbudget.scenario.scenario import Scenario

DEAREST_MONTH: Final = "tokens_dearest_month_usd"
"""The column with the spend on tokens in each replication's most expensive calendar month."""

_LONGEST_MONTH_HOURS = 31 * 24.0


@dataclass(frozen=True)
class Calendar:
    """The spans of a run's time that fall into each calendar month."""

    windows: Integers
    """[windows, 2] the first span of each month, and the one after its last."""

    @staticmethod
    def of(scenario: Scenario, bin_edges_hours: Floats) -> "Calendar":
        """Return the calendar of a run.

        If the scenario does not state the date on which the run begins, any 31 consecutive days may be a month.

        Args:
            scenario: the scenario, which may say when the run begins.
            bin_edges_hours: [bins + 1] from 0 to the horizon.
        """
        starts_hours = bin_edges_hours[:-1]
        begins = scenario.stop.begins_on
        if begins is None:
            last = np.searchsorted(starts_hours, starts_hours + _LONGEST_MONTH_HOURS)
            return Calendar(np.column_stack([np.arange(len(starts_hours)), last]))
        months = _months(begins, scenario.stop.begins_s % 86_400, starts_hours)
        first = np.flatnonzero(np.diff(months, prepend=months[0] - 1))
        return Calendar(np.column_stack([first, [*first[1:], len(months)]]))

    def dearest_month(self, spend_usd: Floats) -> Floats:
        """Return the [replications] spend in the most expensive month, from [replications, bins] spend in dollars.

        Args:
            spend_usd: [replications, bins] spend within each span of time, in US dollars.
        """
        until = np.zeros((len(spend_usd), spend_usd.shape[1] + 1))
        np.cumsum(spend_usd, axis=1, out=until[:, 1:])
        dearest: Floats = (until[:, self.windows[:, 1]] - until[:, self.windows[:, 0]]).max(axis=1)
        return dearest


def check_spend_cap(scenario: Scenario, most_usd: float) -> tuple[list[LimitCheck], list[str]]:
    """Return whether the usage tier allows the spend on tokens, as a limit, and notes about it.

    Args:
        scenario: its `api.tier` is the usage tier, if any.
        most_usd: the p90 of the spend on tokens in the most expensive calendar month.
    """
    tier = scenario.api.tier
    needed = smallest_tier_for(most_usd)
    if tier is None:
        return [], [_note(needed, most_usd)] if most_usd > 0 and _has_tiers(scenario) else []
    cap_usd = monthly_spend_cap_usd(tier)
    if cap_usd is None:
        return [], []
    holds = most_usd <= cap_usd
    limit = f"usage tier {tier}: tokens in a calendar month p90 <= ${cap_usd:,.0f}"
    notes = [] if holds else [f"{_note(needed, most_usd)}; tier {tier} ends at ${cap_usd:,.0f}"]
    return [LimitCheck(limit, holds, most_usd)], notes


def _has_tiers(scenario: Scenario) -> bool:
    """Return whether any model is called at the list prices of the provider whose tiers these are."""
    return any(
        maker_of(model) == "anthropic"
        for model, speed in scenario.models.items()
        if speed.served_on is None and model not in scenario.prices.models
    )


def _note(tier: str, most_usd: float) -> str:
    return f"Anthropic's usage tier {tier} is needed (p90 of tokens in the most expensive month: {usd(most_usd)})"


def _months(begins: datetime.date, begins_s: float, hours: Floats) -> Integers:
    """Return the number of the calendar month that contains each hour of the run."""
    midnight = datetime.datetime.combine(begins, datetime.time())
    instants = [midnight + datetime.timedelta(seconds=begins_s, hours=float(hour)) for hour in hours]
    return np.array([instant.year * 12 + instant.month for instant in instants], dtype=np.int64)
