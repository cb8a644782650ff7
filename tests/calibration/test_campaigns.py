"""Campaigns: what is known of them, how their rest differs from their beginning, and how well that is projected."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from simbudget.calibration.campaigns import beginnings
from simbudget.calibration.campaigns.beginnings import (
    Course,
    beginning_of,
    course_of,
    courses_for,
    known_courses,
    known_table,
)
from simbudget.calibration.campaigns.campaigns import best_gain
from simbudget.calibration.campaigns.drifts import PaceDrift, duration_drifts, failure_rates
from simbudget.forecast.campaigns import RestOfCampaign, rest_samples
from tests.calibration.synthetic_campaigns import campaign, failing, steady

NONE: list[Course] = []


def test_the_best_gain_is_that_of_what_was_kept_and_never_falls() -> None:
    scores = np.array([1.0, 0.9, 0.5, 0.95, 0.8])
    kept = np.array([True, True, False, False, True])
    assert best_gain(scores, kept, "lower", 1.2) == pytest.approx([0.2, 0.3, 0.3, 0.3, 0.4])
    assert np.isnan(best_gain(scores, kept, "lower", np.nan)).all()


def test_a_metric_without_direction_or_that_changes_or_that_was_not_kept_by_tells_no_gain() -> None:
    scores, kept = np.linspace(1.0, 0.0, 20), np.ones(20, dtype=bool)
    assert np.isfinite(best_gain(scores, kept, "lower", 1.0)).all()
    assert np.isnan(best_gain(scores, kept, "", 1.0)).all()
    assert np.isnan(best_gain(scores, kept, "lower", 1.0, changed=True)).all()
    assert np.isnan(best_gain(scores, kept, "higher", 1.0)).all()  # what was kept got worse by this measure


def test_only_what_has_ended_is_known() -> None:
    three = campaign(np.array([10.0, 40.0, 50.0]), lasts_s=20.0)
    assert three.until(0.55).tolist() == [True, False, False]  # the second had started by then, and ran


def test_a_clockwork_is_regular_a_steady_stream_less_so_and_long_pauses_are_far_from_it() -> None:
    rng = np.random.default_rng(1)
    poisson = campaign(np.cumsum(rng.exponential(60.0, 2000)))
    paused = campaign(np.cumsum(np.where(np.arange(2000) % 50 == 0, 20000.0, rng.exponential(60.0, 2000))))
    clockwork = campaign(np.arange(1.0, 2001.0) * 60.0)
    assert beginning_of(clockwork).irregularity == pytest.approx(0.0)
    assert beginning_of(poisson).irregularity == pytest.approx(np.log(1 / np.log(2)), abs=0.1)
    assert beginning_of(paused).irregularity > 1.9
    fleet = campaign(
        np.sort(np.concatenate([np.arange(1.0, 101.0) * 600.0 + rng.uniform(0, 600) for _ in range(9)]))
    )
    shared = replace(fleet, agent=(np.arange(900) % 9).astype(np.int64))
    assert beginning_of(shared).agents_irregularity < 0.05 < beginning_of(fleet).irregularity


def test_a_long_campaign_slows_down_where_people_are_in_the_loop_and_a_clockwork_does_not() -> None:
    rng = np.random.default_rng(9)
    attended = [
        replace(course_of(steady(200, rng, slower=1.0 / days), 0.2), days=days)
        for days in (1.0, 1.0, 1.0, 2.0, 4.0, 8.0) * 4
    ]
    drift = PaceDrift.learnt(attended)
    loose = attended[0].begun
    clockwork = replace(loose, irregularity=0.0, agents_irregularity=0.0)
    short, long, clock = (
        float(np.median(drift.draws(begun, days, 4000, rng)))
        for begun, days in ((loose, 1.0), (loose, 8.0), (clockwork, 8.0))
    )
    assert short == pytest.approx(0.0, abs=0.15)
    assert np.log(1 / 8) - 0.3 < long < -1.0  # drawn towards no change by a weak prior
    assert clock > -0.3


def test_a_campaign_never_learns_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    mine, other = steady(80, rng), steady(60, rng)
    shorter = replace(mine, project=mine.project).part(np.arange(80) < 70)
    elsewhere = replace(mine, project="copied to another folder")
    table = tuple(course_of(one, 0.2) for one in (shorter, elsewhere, steady(50, rng)))
    monkeypatch.setattr(beginnings, "known_courses", lambda: table)
    projects = [course.project for course in courses_for(mine, [other], 0.2)]
    assert projects == [other.project, table[2].project]


def test_the_table_that_ships_teaches_a_campaign_that_is_alone() -> None:
    assert len(courses_for(steady(80, np.random.default_rng(2)), [], 0.2)) == len(
        {course.project for course in known_courses()}
    )


def test_the_table_of_known_campaigns_reads_as_it_was_written(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    made = [steady(count, np.random.default_rng(count)) for count in (40, 90)]
    table = known_table(made)
    table.to_csv(tmp_path / "table.csv", index=False)
    read = [beginnings._course(row) for row in pd.read_csv(tmp_path / "table.csv").to_dict("records")]
    written = [course_of(one, cut) for one in made for cut in beginnings.CUTS]
    for one, other in zip(read, written, strict=True):
        assert one.begun.irregularity == pytest.approx(other.begun.irregularity)
        assert (one.experiments, one.kept, one.failed) == (other.experiments, other.kept, other.failed)


def test_pace_falls_as_it_fell_in_others_and_less_so_on_little_evidence() -> None:
    rng = np.random.default_rng(3)
    halved = [course_of(steady(200, rng, slower=0.5), 0.2) for _ in range(20)]
    many = PaceDrift.learnt(halved).draws(halved[0].begun, 1.0, 4000, rng)
    few = PaceDrift.learnt(halved[:2]).draws(halved[0].begun, 1.0, 4000, rng)
    assert np.median(many) == pytest.approx(np.log(0.5), abs=0.12)
    assert np.median(many) < np.median(few) < 0.0
    assert np.ptp(np.quantile(many, (0.1, 0.9))) < np.ptp(np.quantile(few, (0.1, 0.9)))


def test_durations_of_a_fixed_length_hardly_drift_and_varying_ones_do() -> None:
    rng = np.random.default_rng(4)
    same = beginning_of(campaign(np.linspace(10.0, 1e5, 50)))
    varying = beginnings.Beginning(50, 0.0, 0.0, 0, 0, 10.0, 0.5, np.nan)
    fixed, wide = (np.std(duration_drifts(NONE, b, 4000, rng)) for b in (same, varying))
    assert fixed < 0.05
    assert wide > 0.2


def test_a_beginning_without_failures_says_less_where_failures_come_later() -> None:
    rng = np.random.default_rng(5)
    lasting = [failing(200, rate, rate, rng) for rate in np.linspace(0.02, 0.3, 20)]
    late = [failing(200, 0.01, rate, rng) for rate in np.linspace(0.02, 0.3, 20)]
    begun = beginnings.Beginning(100, 0.0, 0.0, 0, 0, np.nan, np.nan, np.nan)
    alike, later = (failure_rates(courses, begun, 4000, rng).mean() for courses in (lasting, late))
    assert alike < 0.03
    assert later > 2 * alike
    often = failure_rates(lasting, replace(begun, failed=30), 4000, rng).mean()
    assert 0.2 < often < 0.35


def _interval(
    begun_of: int, seed: int, courses: list[Course], count: int = 100
) -> tuple[float, float, float]:
    """Return p10, median and p90 of the experiments projected for the rest of a steady campaign."""
    one = steady(count, np.random.default_rng(seed))
    begun = one.part(one.until(0.2))
    samples = rest_samples(RestOfCampaign(begun, 2e4, 8e4, courses, 200, begun_of), None)["experiments"]
    low, middle, high = np.quantile(samples, (0.1, 0.5, 0.9))
    return float(low), float(middle), float(high)


def test_steady_campaigns_are_projected_without_bias_and_covered() -> None:
    rng = np.random.default_rng(6)
    courses = [course_of(steady(100, rng), 0.2) for _ in range(30)]
    found = [_interval(7, seed, courses) for seed in range(40)]
    truth = [int((~steady(100, np.random.default_rng(seed)).until(0.2)).sum()) for seed in range(40)]
    ratios = [middle / t for (_, middle, _), t in zip(found, truth, strict=True)]
    inside = [low <= t <= high for (low, _, high), t in zip(found, truth, strict=True)]
    assert 0.9 < np.median(ratios) < 1.1
    assert np.mean(inside) > 0.7
    wrong = [_interval(7, seed, [course_of(steady(100, rng, 0.3), 0.2)] * 30) for seed in range(40)]
    assert np.mean([low <= t <= high for (low, _, high), t in zip(wrong, truth, strict=True)]) < 0.3


def test_gpu_time_is_experiments_times_their_length() -> None:
    one = steady(100, np.random.default_rng(8))
    begun = one.part(one.until(0.2))
    samples = rest_samples(RestOfCampaign(begun, 2e4, 8e4, NONE, 200, 1), None)
    ratio = samples["gpu_time_s"].sum() / samples["experiments"].sum()
    assert ratio == pytest.approx(10.0, rel=0.05)
