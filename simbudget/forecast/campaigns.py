"""The rest of each campaign from its beginning, by a scenario calibrated on that and on other campaigns.

The scenario is what a user would write: agents that pause and experiment in turn. Its mean pause is, world by
world, the one at which the renewal theorem promises the experiments that the campaign's pace and its drift do; the
engine then runs the fleet for the time that is left. What fails and what is kept is told of the experiments simulated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.campaigns.beginnings import (
    DAY_S,
    Beginning,
    Course,
    beginning_of,
    course_of,
    courses_for,
)
from simbudget.calibration.campaigns.campaigns import Campaign, campaigns_of, others_than
from simbudget.calibration.campaigns.drifts import PaceDrift, duration_drifts, failure_rates
from simbudget.calibration.campaigns.yields import (
    Bank,
    GainLaw,
    campaign_bank,
    log_linear_gain,
    seen_of,
    seen_of_course,
)
from simbudget.calibration.posteriors.shapes import midpoint_scores, shape_of
from simbudget.distributions.posteriors import Posterior
from simbudget.forecast.cases import BOOTSTRAP, STRAIGHT_LINE, Case
from simbudget.ledger.imported import ImportedLedger
from simbudget.projection.run import Options, project
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration, LearntFrom
from simbudget.scenario.scenario import Group, Scenario, Think

LAST_VALUE: Final = "last_value"
LOG_LINEAR: Final = "log_linear"
_FEWEST_KNOWN: Final = 3
_SHORTEST_S: Final = 1.0
_LONGEST_S: Final = 3650 * DAY_S
"""A scenario lasts no longer."""
_FEWEST_FOR_SHAPE: Final = 10
_LEAST_PAUSE: Final = 0.02
"""Agents pause at least so much of a cycle."""
_SCATTER: Final = (0.2, 1.2)
_QUANTILES: Final = (0.1, 0.9)
_SPREAD_P90: Final = 2.563
_MORE: Final = 2
_PARTS: Final = 400
"""Campaigns are played for so many times the experiments that a straight line promises."""


@dataclass(frozen=True, eq=False)
class RestOfCampaign:
    """What a forecast of the rest of a campaign is made from."""

    begun: Campaign
    lasted_s: float
    left_s: float
    courses: Sequence[Course]
    worlds: int
    seed: int

    @cached_property
    def beginning(self) -> Beginning:
        """Return what the beginning shows."""
        return beginning_of(self.begun)

    def rng(self, purpose: int) -> np.random.Generator:
        """Return what the draws for one purpose are made from."""
        return np.random.default_rng([self.seed, len(self.begun), purpose])


def campaign_forecasts(ledger: ImportedLedger, cut: float, replications: int, seed: int) -> Iterator[Case]:
    """Yield the forecasts of campaigns' rests."""
    campaigns = campaigns_of(ledger)
    begun = {id(c): c.until(cut) for c in campaigns if _FEWEST_KNOWN <= c.until(cut).sum() < len(c)}
    longest = max((int(known.sum()) for known in begun.values()), default=0)
    bank = (
        campaign_bank(int(_MORE * longest / cut)) if any(c.kept.any() for c in campaigns) and begun else None
    )
    for campaign in campaigns:
        known, length_s = begun.get(id(campaign)), campaign.ends_s - campaign.begins_s
        if known is None or not _SHORTEST_S <= (1 - cut) * length_s <= _LONGEST_S:
            continue
        courses = courses_for(campaign, others_than(campaign, campaigns), cut)
        case = RestOfCampaign(
            campaign.part(known), cut * length_s, (1 - cut) * length_s, courses, replications, seed
        )
        truth = _truths(campaign, cut)
        samples = rest_samples(case, bank)
        naive = _naive(case, cut, int(truth["experiments"]))
        for quantity, value in truth.items():
            yield Case(
                "time",
                campaign.source,
                campaign.project,
                campaign.name,
                quantity,
                value,
                samples[quantity],
                naive[quantity],
            )


def _truths(campaign: Campaign, cut: float) -> dict[str, float]:
    """Return what came true of the rest; what the log does not say is left out."""
    known = campaign.until(cut)
    rest, course = campaign.part(~known), course_of(campaign, cut)
    truth = {"experiments": float(len(rest))}
    if campaign.knows_durations:
        truth["gpu_time_s"] = float(np.nanmean(rest.duration_s) * len(rest))
    if campaign.failed.any():
        truth["failures"] = float(course.rest_failed)
    if campaign.kept.any():
        truth["kept"] = float(course.rest_kept)
        if course.begun.gain > 0:
            truth["best_score"] = course.whole_gain / course.begun.gain
    return truth


def rest_samples(case: RestOfCampaign, bank: Bank | None) -> dict[str, Floats]:
    """Return [worlds] forecasts of each quantity of a campaign's rest.

    Args:
        case: what is known.
        bank: campaigns played by the laws of research, of equal weight; None: nothing was ever kept.
    """
    begun, options = case.begun, Options(seed=case.seed, replications=case.worlds, workers=1)
    simulated = project(rest_scenario(case), options).replications
    experiments = simulated["experiments"].to_numpy(np.float64)
    samples = {
        "experiments": experiments,
        "gpu_time_s": simulated["gpu_hours_used"].to_numpy(np.float64) * 3600.0,
    }
    rng = case.rng(1)
    rates = failure_rates(case.courses, case.beginning, case.worlds, rng)
    samples["failures"] = rng.binomial(experiments.astype(np.int64), rates).astype(np.float64)
    if bank is not None:
        taught = bank.taught([seen_of_course(course) for course in case.courses]).given(seen_of(begun))
        drawn = taught.drawn(case.worlds, rng)
        samples["kept"] = taught.kept_later(drawn, len(begun), experiments)
        gaining = taught.gaining(GainLaw.learnt(case.courses), len(begun), float(np.median(experiments)))
        grown = gaining.gain_later(gaining.drawn(case.worlds, rng), len(begun), experiments)
        samples["best_score"] = np.nan_to_num(grown, nan=1.0)
    return samples


def _naive(case: RestOfCampaign, cut: float, experiments: int) -> dict[str, dict[str, Floats]]:
    """Return what each quantity would be if all went on as it began; the best score's are told of its gain."""
    begun, more = case.begun, (1 - cut) / cut
    seconds = float(np.nanmean(begun.duration_s) * len(begun)) if np.isfinite(begun.duration_s).any() else 0.0
    lines = {
        "experiments": len(begun) * more,
        "gpu_time_s": seconds * more,
        "failures": float(begun.failed.sum()) * more,
        "kept": float(begun.kept.sum()) * more,
    }
    counts = case.rng(2).poisson(lines["experiments"], case.worlds) / max(lines["experiments"], 1.0)
    naive = {
        name: {STRAIGHT_LINE: np.array([line]), BOOTSTRAP: line * counts} for name, line in lines.items()
    }
    naive["best_score"] = {
        STRAIGHT_LINE: np.array([1.0 + more]),
        LAST_VALUE: np.array([1.0]),
        LOG_LINEAR: np.array([log_linear_gain(len(begun), lines["experiments"])]),
    }
    return naive


def rest_scenario(case: RestOfCampaign) -> Scenario:
    """Return the scenario of the rest of a campaign, calibrated on its beginning and on other campaigns."""
    begun, rng = case.begun, case.rng(0)
    evidence = LearntFrom(len(begun), 1 + len(case.courses), begun.source, "")
    known_s = begun.duration_s[np.isfinite(begun.duration_s)]
    learnt: dict[str, CalibratedQuantity] = {}
    means_s, spread_s2 = np.zeros(case.worlds), 0.0
    if len(known_s):
        means_s = known_s.mean() * np.exp(duration_drifts(case.courses, case.beginning, case.worlds, rng))
        spread_s2 = float(known_s.var())
        posterior = _durations(known_s, means_s)
        learnt["cycle.experiment[0].time"] = CalibratedQuantity(
            "cycle.experiment[0].time", "1 s", "", posterior, evidence
        )
    pauses = _pauses(case, means_s, spread_s2, rng)
    learnt["turn.tool_time"] = CalibratedQuantity("turn.tool_time", "1 s", "", pauses, evidence)
    agents = begun.agents
    return Scenario(
        fleet=[Group(group="fleet", agents=agents, model="none")],
        cycle=[Think(turns=1), {"experiment": {"time": "1 s" if len(known_s) else "0 s"}}],
        turn={"output_tokens": 0, "tool_result_tokens": 0, "tool_time": "1 s"},
        context={"first_prompt_tokens": 0},
        models={"none": {"first_token": "0 s", "output_speed": "1000000 tokens/s"}},
        prices={"none": dict.fromkeys(("input", "cache_write", "cache_read", "output"), "0 $/Mtok")},
        gpus={"count": agents, "price": "0 $/h"},
        stop={"after": f"{case.left_s:.0f} s"},
        calibration=Calibration(learnt),
    )


def _durations(known_s: Floats, means_s: Floats) -> Posterior:
    """Return durations scattered as those of the beginning, whose means are those of the worlds."""
    logs = np.log(np.maximum(known_s, _SHORTEST_S))
    scatter = float(max(logs.std(), 0.01))
    shape = shape_of(logs) if len(logs) >= _FEWEST_FOR_SHAPE and np.ptp(logs) > 0 else None
    return _with_means(Posterior(_rows(means_s, scatter), shape), means_s)


def _pauses(case: RestOfCampaign, means_s: Floats, spread_s2: float, rng: np.random.Generator) -> Posterior:
    """Return pauses at which the renewal theorem promises each world's experiments.

    Of a process of mean μ and coefficient of variation c, t / μ + (c² - 1) / 2 renewals are expected in time t
    (Cox, Renewal Theory, section 4.2).
    """
    begun, beginning = case.begun, case.beginning
    days = (case.lasted_s + case.left_s) / DAY_S
    drift = PaceDrift.learnt(case.courses).draws(beginning, days, case.worlds, rng)
    wanted = len(begun) * case.left_s / case.lasted_s * np.exp(drift) / begun.agents
    scatter = _scatter(begun.pauses_s())
    cycle_s = case.left_s / np.maximum(wanted, 0.1)
    for _ in range(3):
        pause_s = np.maximum(cycle_s - means_s, _LEAST_PAUSE * cycle_s)
        variation2 = (spread_s2 + pause_s**2 * np.expm1(scatter**2)) / cycle_s**2
        cycle_s = case.left_s / np.maximum(wanted - (variation2 - 1) / 2, 0.1)
    pause_s = np.maximum(cycle_s - means_s, _LEAST_PAUSE * cycle_s)
    return _with_means(Posterior(_rows(pause_s, scatter)), pause_s)


def _scatter(pauses_s: Floats) -> float:
    """Return the scatter of logarithms of pauses, without the long ones: these are in the pace."""
    positive = np.log(np.maximum(pauses_s, _SHORTEST_S))
    if len(positive) < _FEWEST_KNOWN:
        return 0.7
    low, high = np.quantile(positive, _QUANTILES)
    return float(np.clip((high - low) / _SPREAD_P90, *_SCATTER))


def _rows(means_s: Floats, scatter: float) -> Floats:
    location = np.log(np.maximum(means_s, 1e-3))
    return np.column_stack([location, np.full(len(means_s), scatter), np.zeros(len(means_s))])


def _with_means(posterior: Posterior, means_s: Floats) -> Posterior:
    """Return a posterior moved so that the mean of draws is each world's."""
    scores = np.tile(midpoint_scores(_PARTS), (len(means_s), 1))
    draws = posterior.draws.copy()
    draws[:, 0] -= np.log(posterior.sample(scores).mean(axis=1) / np.maximum(means_s, 1e-3))
    return Posterior(draws, posterior.shape)
