"""Campaigns that were made up: their law is known."""

import numpy as np

from simbudget.calibration.campaigns.beginnings import Course, course_of
from simbudget.calibration.campaigns.campaigns import Campaign


def campaign(
    ended_s: np.ndarray,
    failed: np.ndarray | None = None,
    kept: np.ndarray | None = None,
    agents: int = 1,
    lasts_s: float = 10.0,
) -> Campaign:
    """Return a campaign whose experiments end at these times and all take as long."""
    count = len(ended_s)
    nothing = np.zeros(count, dtype=bool)
    return Campaign(
        name="made up",
        source="test",
        project=f"made up/{count}/{float(ended_s[-1])}",
        agent=np.arange(count) % agents,
        started_s=ended_s - lasts_s,
        ended_s=ended_s,
        duration_s=np.full(count, lasts_s),
        failed=nothing if failed is None else failed,
        kept=nothing if kept is None else kept,
        gain=np.full(count, np.nan),
    )


def steady(count: int, rng: np.random.Generator, slower: float = 1.0, cut: float = 0.2) -> Campaign:
    """Return a campaign of a steady pace that falls to a part of it after a fifth of its time."""
    first = round(count * cut / (cut + (1 - cut) * slower))
    times = [np.sort(rng.uniform(0.0, cut, first)), np.sort(rng.uniform(cut, 1.0, count - first))]
    ended = 1e5 * np.concatenate(times)
    ended[0], ended[-1] = 10.0, 1e5
    return campaign(np.sort(ended))


def failing(count: int, first: float, later: float, rng: np.random.Generator, cut: float = 0.2) -> Course:
    """Return the course of a campaign that fails at one rate in its beginning and at another in the rest."""
    ended = np.linspace(10.0, 1e5, count)
    rates = np.where(ended <= cut * 1e5, first, later)
    return course_of(campaign(ended, failed=rng.random(count) < rates), cut)
