"""Forecasts that are too narrow and off are mended by what past ones showed, and never by themselves."""

import numpy as np

from simbudget.forecast.cases import Case
from simbudget.forecast.conformal import (
    PastCase,
    Stretch,
    conformal,
    position,
    stretch_of,
    stretched,
)


def forecasts(count: int, spread: float, bias: float, seed: int, project: str = "a") -> list[Case]:
    """Return forecasts of lognormal truths whose own spread is 0.5."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        centre = rng.normal(10, 2)
        truth = float(np.exp(centre + 0.5 * rng.standard_normal()))
        sample = np.exp(centre + bias + spread * rng.standard_normal(400))
        found.append(Case("calls", "s", project, f"run {number}", "input_tokens", truth, sample, {}))
    return found


def coverage(cases: list[Case]) -> float:
    inside = [np.quantile(c.sample, 0.1) <= c.truth <= np.quantile(c.sample, 0.9) for c in cases]
    return float(np.mean(inside))


def test_intervals_that_are_half_as_wide_as_they_should_be_cover_80_percent_afterwards() -> None:
    narrow = forecasts(200, 0.25, 0.0, 1)
    assert coverage(narrow) < 0.6
    mended, stretches = conformal(narrow)
    assert 0.75 <= coverage(mended) <= 0.86
    assert 1.6 < np.mean([stretch.factor for stretch in stretches]) < 2.5


def test_what_is_always_too_high_is_shifted() -> None:
    mended, _ = conformal(forecasts(200, 0.5, 0.6, 2))
    errors = [np.log(np.median(case.sample) / case.truth) for case in mended]
    assert abs(np.median(errors)) < 0.15


def test_sound_forecasts_stay_nearly_as_they_are() -> None:
    _, stretches = conformal(forecasts(300, 0.5, 0.0, 3))
    assert 0.85 < np.mean([stretch.factor for stretch in stretches]) < 1.2


def test_a_case_does_not_move_itself() -> None:
    cases = forecasts(40, 0.25, 0.0, 4)
    wild = [*cases[:-1], Case("calls", "s", "a", "run 39", "input_tokens", 1e12, cases[-1].sample, {})]
    assert conformal(cases)[1][-1] == conformal(wild)[1][-1]


def test_few_past_cases_change_nothing() -> None:
    assert stretch_of([PastCase("a", str(k), 5.0) for k in range(7)], "a") == Stretch()


def test_many_cases_of_another_project_do_not_outweigh_ones_own() -> None:
    others = [PastCase("other", f"o{k}", 10.0) for k in range(1000)]
    own = [PastCase("own", f"m{k}", float(k % 3 - 1) * 0.5) for k in range(300)]
    assert stretch_of([*own, *others], "own").middle < 0.5


def test_what_other_projects_show_neither_shifts_nor_narrows() -> None:
    too_wide_and_high = [PastCase(f"p{k % 4}", str(k), -0.1 - 0.001 * k) for k in range(80)]
    assert stretch_of(too_wide_and_high, "new") == Stretch()


def test_each_other_project_counts_the_same_however_many_cases_it_has() -> None:
    few = [PastCase(f"p{j}", f"p{j}/{k}", 2.0) for j in range(4) for k in range(5)]
    many = [PastCase("big", f"big/{k}", 0.2) for k in range(2000)]
    assert stretch_of([*few, *many], "new").high == 2.0


def new_projects_covered(few_projects: int, worlds: int = 150) -> float:
    """Return how often cases of new projects are held, when projects differ in bias and in width."""
    rng = np.random.default_rng(8)
    held = []
    for _ in range(worlds):
        bias, width = rng.normal(0.0, 0.6, 7), np.exp(rng.normal(0.2, 0.4, 7))
        past = [
            PastCase(f"p{j}", f"p{j}/{k}", float(bias[j] + width[j] * rng.standard_normal() / 1.2816))
            for j in range(few_projects)
            for k in range(30)
        ]
        stretch = stretch_of(past, "new")
        truths = bias[-1] + width[-1] * rng.standard_normal(20) / 1.2816
        held.append(np.mean((stretch.low <= truths) & (truths <= stretch.high)))
    return float(np.mean(held))


def test_a_new_projects_cases_are_held_four_times_in_five_when_projects_differ() -> None:
    assert 0.74 <= new_projects_covered(6) <= 0.86


def test_without_past_projects_they_are_not_held() -> None:
    assert new_projects_covered(0) < 0.68


def test_stretching_by_nothing_changes_nothing() -> None:
    case = forecasts(1, 0.5, 0.0, 5)[0]
    assert np.allclose(stretched(case, Stretch()).sample, case.sample)


def test_a_value_that_half_of_the_draws_have_stays() -> None:
    sample = np.repeat([1.0, 4.0, 16.0], [120, 50, 30])
    case = Case("runs", "s", "a", "r", "calls", 1.0, sample, {})
    moved = stretched(case, Stretch(-0.2, 0.2, 1.2)).sample
    assert np.quantile(moved, 0.1) == np.median(moved) == 1.0
    assert np.quantile(moved, 0.9) > 16.0


def test_the_truth_at_p90_has_position_one() -> None:
    case = forecasts(1, 0.5, 0.0, 6)[0]
    at_p90 = Case("calls", "s", "a", "r", "q", float(np.quantile(case.sample, 0.9)), case.sample, {})
    assert abs(position(at_p90) - 1.0) < 0.05


def test_past_cases_of_the_same_project_may_be_of_the_same_runs_and_are_left_out() -> None:
    cases = forecasts(40, 0.5, 0.0, 5)
    past = [PastCase("a", f"a/{k}", 9.0) for k in range(100)]
    assert conformal(cases, past)[1] == conformal(cases)[1]
    assert conformal(cases, [PastCase("b", f"b/{k}", 9.0) for k in range(100)])[1] != conformal(cases)[1]
