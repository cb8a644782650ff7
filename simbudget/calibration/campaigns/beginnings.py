"""Beginnings of campaigns, and the continuations of other campaigns.

Other campaigns are those of the same logs and those used in developing simbudget, of which a table of counts is
included (`known_campaigns.csv`, written by `make backtest`), so that a single campaign can be projected.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.arrays import Floats
from simbudget.calibration.campaigns.campaigns import Campaign

FILE: Final = "known_campaigns.csv"
CUTS: Final = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Fractions of a campaign's time at which the table has its beginning."""
DAY_S: Final = 86_400.0
_SHORTEST_S: Final = 1.0
_SPREAD_P90: Final = 2.563
"""Standard deviations between p10 and p90 of a normal distribution."""


@dataclass(frozen=True)
class Beginning:
    """A campaign as seen when a fraction of its time has passed."""

    experiments: int
    irregularity: float
    """Logarithm of mean over median of the times between results; 0 for regular ones."""
    agents_irregularity: float
    """The same of the times between one agent's results."""
    failed: int
    kept: int
    duration_s: float
    """Mean duration in seconds of experiments that ran; NaN if unknown."""
    spread: float
    """Standard deviation of the logarithm of durations, from p10 and p90; NaN where they are not known."""
    gain: float
    """Gain of the best result over the baseline; NaN if unknown."""


@dataclass(frozen=True)
class Course:
    """A campaign with known beginning and continuation."""

    project: str
    cut: float
    days: float
    """Duration of the whole campaign."""
    begun: Beginning
    rest_experiments: int
    rest_failed: int
    rest_kept: int
    rest_duration_s: float
    whole_gain: float
    kept_third: int
    """Kept results among the first third of all experiments."""
    kept_two_thirds: int
    gain_third: float
    gain_two_thirds: float

    @property
    def experiments(self) -> int:
        """Return the total number of experiments."""
        return self.begun.experiments + self.rest_experiments

    @property
    def kept(self) -> int:
        """Return the total number of kept experiments."""
        return self.begun.kept + self.rest_kept

    @property
    def failed(self) -> int:
        """Return the total number of failures."""
        return self.begun.failed + self.rest_failed


def thirds(experiments: int) -> tuple[int, int]:
    """Return the number of experiments in a third and in two thirds of the given number."""
    return round(experiments / 3), round(2 * experiments / 3)


def beginning_of(begun: Campaign) -> Beginning:
    """Return the beginning of a campaign."""
    ran_s = begun.duration_s[begun.duration_s > 0]
    return Beginning(
        experiments=len(begun),
        irregularity=_irregularity(np.diff(begun.ended_s)),
        agents_irregularity=_irregularity(
            np.concatenate([np.diff(begun.ended_s[begun.agent == agent]) for agent in np.unique(begun.agent)])
            if len(begun)
            else np.zeros(0)
        ),
        failed=int(begun.failed.sum()),
        kept=int(begun.kept.sum()),
        duration_s=float(ran_s.mean()) if len(ran_s) else np.nan,
        spread=_spread(ran_s),
        gain=float(begun.gain[-1]) if len(begun) else np.nan,
    )


def _irregularity(gaps_s: Floats) -> float:
    if len(gaps_s) < 2:
        return 0.0
    mean_s, median_s = (max(float(t), _SHORTEST_S) for t in (gaps_s.mean(), np.median(gaps_s)))
    return max(float(np.log(mean_s / median_s)), 0.0)


def _spread(ran_s: Floats) -> float:
    if len(ran_s) < 3:
        return np.nan
    low, high = np.quantile(np.log(np.maximum(ran_s, _SHORTEST_S)), (0.1, 0.9))
    return float((high - low) / _SPREAD_P90)


def course_of(campaign: Campaign, cut: float) -> Course:
    """Return the course of a known campaign, split at a fraction of its time.

    Args:
        campaign: the whole campaign.
        cut: fraction of its time, 0 to 1.
    """
    known = campaign.until(cut)
    begun, rest = campaign.part(known), campaign.part(~known)
    rest_s = rest.duration_s[rest.duration_s > 0]
    third, two_thirds = thirds(len(campaign))
    return Course(
        project=campaign.project,
        cut=cut,
        days=(campaign.ends_s - campaign.begins_s) / DAY_S,
        begun=beginning_of(begun),
        rest_experiments=len(rest),
        rest_failed=int(rest.failed.sum()),
        rest_kept=int(rest.kept.sum()),
        rest_duration_s=float(rest_s.mean()) if len(rest_s) else np.nan,
        whole_gain=float(campaign.gain[-1]),
        kept_third=int(campaign.kept[:third].sum()),
        kept_two_thirds=int(campaign.kept[:two_thirds].sum()),
        gain_third=float(campaign.gain[third - 1]),
        gain_two_thirds=float(campaign.gain[two_thirds - 1]),
    )


def known_table(campaigns: Iterable[Campaign]) -> pd.DataFrame:
    """Return the included table of known campaigns: a row for each campaign and each of `CUTS`."""
    rows = []
    for campaign in campaigns:
        for cut in CUTS:
            course = course_of(campaign, cut)
            flat = asdict(course)
            rows.append(flat.pop("begun") | flat)
    names = ["project", "cut", *(f.name for f in fields(Beginning))]
    table = pd.DataFrame(rows)
    return table[[*names, *(name for name in table.columns if name not in names)]]


@lru_cache(maxsize=1)
def known_courses() -> tuple[Course, ...]:
    """Return the courses of the campaigns in the included table; none if the table does not exist yet."""
    path = files("simbudget.calibration").joinpath(FILE)
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8") as stream:
        table = pd.read_csv(stream)
    return tuple(_course(row) for row in table.to_dict("records"))


def _course(row: dict[Any, Any]) -> Course:
    begun = Beginning(**{f.name: row[f.name] for f in fields(Beginning)})
    return Course(begun=begun, **{f.name: row[f.name] for f in fields(Course) if f.name != "begun"})


def courses_for(campaign: Campaign, others: Sequence[Campaign], cut: float) -> list[Course]:
    """Return the courses of other campaigns, from the same logs and the table, at about the same cut.

    Args:
        campaign: the one to forecast, which is left out.
        others: other campaigns of the same logs.
        cut: fraction of the time, 0 to 1.
    """
    mine = [course_of(other, cut) for other in others]
    names = {campaign.project, *(course.project for course in mine)}
    sizes = {_size(course) for course in (course_of(campaign, cut), *mine)}
    nearest = min(CUTS, key=lambda known: abs(np.log(known / cut)))
    of_table = (course for course in known_courses() if course.cut == nearest)
    return [*mine, *(c for c in of_table if c.project not in names and _size(c) not in sizes)]


def _size(course: Course) -> tuple[int, int, int]:
    """Return what identifies a campaign wherever its log is: the numbers of experiments, failures and results."""
    return course.experiments, course.failed, course.kept
