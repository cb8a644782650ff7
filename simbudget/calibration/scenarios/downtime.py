"""Downtime: frequency and duration of long stops of a campaign's agents, as `crashes` of a scenario.

An agent that does nothing between two experiments for more than ten times its typical pause, and longer than any
experiment takes, was down, for whatever reason. What a log records of it besides experiments (calls, tools, scoring,
waiting) is not a pause, so that a cycle may begin with an hour of thought. Times between such stops are assumed to be
exponential, as in the engine, so that the posterior of their mean is inverse gamma (Bayesian Data Analysis, 3rd
edition, section 2.6). An agent with parallel experiments has no pauses between them, and is ignored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.campaigns.campaigns import Campaign, evidence_of
from simbudget.calibration.observed.spans import covered_s
from simbudget.calibration.posteriors.pooling import log_of
from simbudget.calibration.posteriors.runs_to_come import pool
from simbudget.calibration.scenarios.fit import Fit, fit_of_fact, fit_of_varying
from simbudget.calibration.scenarios.wording import written_fact
from simbudget.ledger.imported import ImportedLedger
from simbudget.units import Dimension

_LONG: Final = 10.0
_SHORTEST_S: Final = 1.0
_FEWEST: Final = 10
"""Fewest stops; a few may be artefacts of a table, such as results entered together."""
_OVERLAPS: Final = 0.1
"""If more of an agent's experiments start before the previous one has ended, they run in parallel."""
_SEED: Final = 20_260_304
_JEFFREYS: Final = 0.5
_AT_WORK: Final = ("call", "post", "poll", "compaction", "tool", "score", "wait", "plan", "restart")
"""Kinds of entries that show an agent to be up between its experiments."""
EVERY: Final = "crashes.every"
RESTART: Final = "crashes.restart"


@dataclass(frozen=True, eq=False)
class Stops:
    """Stops of the agents of one campaign."""

    lasted_s: Floats
    """[stops]"""
    ran_s: float
    """Total time in which agents worked, over all agents."""


def stops_of(campaign: Campaign, ledger: ImportedLedger) -> Stops:
    """Return the stops of a campaign's agents.

    Args:
        campaign: its experiments.
        ledger: what else its agents did.
    """
    entries = ledger.entries
    alive = entries[(entries["run"] == campaign.run) & entries["kind"].isin(_AT_WORK)]
    ran_s, found = 0.0, []
    longest_s = float(np.nanmax(campaign.duration_s, initial=0.0))
    for agent in np.unique(campaign.agent):
        mine = campaign.part(campaign.agent == agent)
        pauses_s = mine.pauses_s()
        if not len(pauses_s) or _overlap(mine):
            continue
        spans = alive.loc[alive["agent"] == agent, ["started_s", "duration_s"]].dropna().to_numpy(np.float64)
        opens_s, closes_s = mine.ended_s[:-1], np.maximum(mine.started_s[1:], mine.ended_s[:-1])
        pauses_s = pauses_s - covered_s(opens_s, closes_s, [(at, at + lasted) for at, lasted in spans])
        limit_s = max(_LONG * max(float(np.median(pauses_s)), _SHORTEST_S), longest_s)
        found.append(pauses_s[pauses_s > limit_s])
        ran_s += mine.ends_s - mine.begins_s - float(found[-1].sum())
    return Stops(np.concatenate(found) if found else np.zeros(0), ran_s)


def _overlap(mine: Campaign) -> bool:
    ends_s = mine.started_s + np.nan_to_num(mine.duration_s)
    return bool((mine.started_s[1:] < ends_s[:-1] - _SHORTEST_S).mean() > _OVERLAPS)


def fit_downtime(ledger: ImportedLedger, campaigns: Sequence[Campaign], worlds: int) -> Iterator[Fit]:
    """Yield the frequency and duration of stops, if there are enough.

    Args:
        ledger: the logs.
        campaigns: those in the logs.
        worlds: number of joint draws.
    """
    campaigns = [campaign for campaign in campaigns if campaign.is_timed]
    stops = [stops_of(campaign, ledger) for campaign in campaigns]
    count = sum(len(one.lasted_s) for one in stops)
    if count < _FEWEST:
        return
    rng = np.random.default_rng(_SEED)
    evidence = evidence_of(campaigns, count, "pauses ten times as long as usual")
    rate = _rates(stops, worlds, rng)
    yield fit_of_fact(EVERY, 1.0 / rate, written_fact(1.0 / rate, Dimension.DURATION), evidence)
    logs = [log_of(one.lasted_s, _SHORTEST_S) for one in stops if len(one.lasted_s)]
    learnt = pool(logs, worlds, rng, has_levels=False)
    lasted_s = np.concatenate([one.lasted_s for one in stops])
    yield fit_of_varying(RESTART, Dimension.DURATION, learnt, evidence, lasted_s)


def _rates(stops: Sequence[Stops], worlds: int, rng: np.random.Generator) -> Floats:
    """Return [worlds] draws of stops per second; where campaigns differ beyond chance, each stop counts for less."""
    counts, ran_s = np.array([len(one.lasted_s) for one in stops]), np.array([one.ran_s for one in stops])
    expected = np.maximum(ran_s * counts.sum() / ran_s.sum(), 1e-9)
    squares = float(((counts - expected) ** 2 / expected).sum())
    dispersion = max(squares / max(len(stops) - 1, 1), 1.0)
    return rng.gamma(counts.sum() / dispersion + _JEFFREYS, dispersion / ran_s.sum(), worlds)
