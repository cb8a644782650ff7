"""Evidence narrows priors: by the beta-binomial rule where it holds, and by weights elsewhere."""

import numpy as np
import pytest
from scipy import stats

from simbudget.distributions.posteriors import Posterior
from simbudget.engine.laws.draws import ONE_A_WORLD
from simbudget.engine.lowering import lower
from simbudget.engine.lowering.evidence import understood, weigh
from simbudget.errors import UserError
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration
from simbudget.scenario.calibration_file import LearntFrom as Learnt
from simbudget.scenario.language.quantities import Quantity
from simbudget.scenario.loading import LoadedScenario, loads_scenario

BASE = "fleet: [{agents: 1}]\ncycle: [score]\n"
BETA = "{unknown: {distribution: beta, mean: 0.3, weight: 10}}"


def loaded(research: str, evidence: str, gates: str = "") -> LoadedScenario:
    return loads_scenario(f"{BASE}research: {{{research}}}\nevidence: {{{evidence}}}\n{gates}\n")


def quantity(research: str, evidence: str, key: str, gates: str = "") -> Quantity:
    return getattr(weigh(loaded(research, evidence, gates).scenario).scenario.research, key)  # type: ignore[no-any-return]


def quantiles(which: Quantity) -> list[float]:
    return [which.distribution.quantile(p) for p in (0.1, 0.5, 0.9)]


def test_counts_narrow_a_beta_prior_by_the_beta_binomial_rule() -> None:
    found = quantity(f"caught: {BETA}", "caught: 4 of 5", "caught")
    assert quantiles(found) == pytest.approx(list(stats.beta(3 + 4, 7 + 1).ppf([0.1, 0.5, 0.9])))
    assert quantiles(found) != pytest.approx(list(stats.beta(3 + 5, 7 + 1).ppf([0.1, 0.5, 0.9])), rel=1e-3)


def test_counts_weigh_any_other_prior() -> None:
    grid = (np.arange(200_000) + 0.5) / 200_000
    values = np.exp(np.log(0.01) + np.log(20) * (stats.norm.ppf(grid) / (2 * 1.2815515655446004) + 0.5))
    values = np.clip(values, 0, 1)
    weights = values**3 * (1 - values) ** 7
    order = np.cumsum(weights) / weights.sum()
    true = [float(values[np.searchsorted(order, p)]) for p in (0.1, 0.5, 0.9)]
    assert quantiles(quantity("hacks: 1% to 20%", "hacks: 3 of 10", "hacks")) == pytest.approx(true, rel=0.03)
    assert quantiles(quantity("hacks: 1% to 20%", "hacks: 0 of 10", "hacks")) != pytest.approx(true, rel=0.3)


def test_gates_that_pass_just_what_has_a_core_count_its_trials() -> None:
    gates = "gates: [{name: held-out domain, keeps: 100%, smallest_effect: 0.1}]"
    found = quantity(
        f"transfers: {BETA}, real_share: 0%, first_quality: 0.5, hacks: 0%",
        "gates: {held-out: 2 of 4}",
        "transfers",
        gates,
    )
    assert quantiles(found) == pytest.approx(list(stats.beta(3 + 2, 7 + 2).ppf([0.1, 0.5, 0.9])), rel=0.03)


def test_more_passes_mean_more_transfer_and_no_trial_means_nothing() -> None:
    gates = "gates: [{name: g, keeps: 30% to 80%, smallest_effect: 0.1, noise: 0.03}]"
    priors = "transfers: 1% to 20%, real_share: 5% to 60%, hacks: 0%, refines: 10% to 30%"
    means = [
        quantity(priors, f"gates: {{g: {hits} of 6}}", key, gates).distribution.mean()
        for key in ("transfers", "real_share")
        for hits in (0, 2, 4, 6)
    ]
    assert means[:4] == sorted(means[:4])
    # One finalist in three is refined far: that it alone passes speaks for refinement, that others do for cores.
    assert 2 * means[4] < min(means[5:])
    before = loads_scenario(f"{BASE}research: {{{priors}}}\n{gates}").scenario.research
    after = quantity(priors, "gates: {g: 0 of 0}", "transfers", gates)
    assert before is not None
    assert quantiles(after) == pytest.approx(quantiles(before.transfers), rel=0.03)


def test_a_history_of_scores_narrows_how_often_refinement_pays() -> None:
    steady = ", ".join(str(0.02 * step) for step in range(20))
    stuck = ", ".join(["0.5", *["0.4"] * 19])
    assert (
        quantity("refines: 5% to 90%", f"scores: [{steady}]", "refines").distribution.mean()
        > 3 * quantity("refines: 5% to 90%", f"scores: [{stuck}]", "refines").distribution.mean()
    )


def test_what_was_understood_says_what_the_evidence_did() -> None:
    found = loaded("hacks: 1% to 20%", "hacks: 3 of 10")
    rows = {row.name: row for row in understood(found.provenance, found.scenario)}
    assert rows["research.hacks"].source == "evidence: 3 of 10"
    assert "was 1% to 20%" in rows["research.hacks"].text


@pytest.mark.parametrize(
    ("research", "evidence", "message"),
    [
        ("hacks: 2%", "hacks: 3 of 10", "evidence cannot narrow it"),
        ("hacks: 1% to 20%", "hacks: 11 of 10", "1 of 3"),
        ("hacks: 1% to 20%", "gates: {mars: 1 of 2}", "`mars` does not name exactly one gate"),
        ("hacks: 1% to 20%", "hakcs: 1 of 2", "`hakcs`"),
        ("hacks: 1% to 20%", "scores: [high]", "list of numbers"),
    ],
)
def test_evidence_that_makes_no_sense_is_named(research: str, evidence: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        loaded(research, evidence, "gates: [{name: g, keeps: 50%}]")


def test_what_a_calibration_learnt_is_narrowed_too() -> None:
    draws = np.column_stack([np.linspace(0.05, 0.4, 500), np.zeros((500, 2))])
    evidence = Learnt(500, 1, "logs", "")
    learnt = CalibratedQuantity(
        "research.refines", "5% to 40%", "fact", Posterior(draws, is_fact=True), evidence
    )
    text = f"{BASE}research: {{refines: 5% to 40%}}\nevidence: {{refines: 60 of 200}}\n"
    found = weigh(
        loads_scenario(text, calibration=Calibration({"research.refines": learnt})).scenario
    ).scenario
    assert found.research is not None
    assert found.research.refines.posterior is None
    assert quantiles(found.research.refines)[1] == pytest.approx(0.3, abs=0.02)
    program = lower(loads_scenario(text, calibration=Calibration({"research.refines": learnt})).scenario)
    assert program.kinds[program.research.refines] == ONE_A_WORLD
