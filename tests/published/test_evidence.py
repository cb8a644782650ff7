"""Defaults follow from the published claims, and what follows covers settings that were not used."""

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner

from simbudget.cli.main import commands
from simbudget.errors import UserError
from simbudget.published.claims import Claim, list_claims
from simbudget.published.defaults import ASSUMED, KEEPS, RESEARCH
from simbudget.published.random_effects import predictive
from simbudget.scenario.loading import loads_scenario
from simbudget.units import parse_range

WITH_GATES = (
    "fleet: [{agents: 2}]\ncycle: [score]\nscorer: {time: 1 h}\nstop: {after: 1 day}\n"
    "gates: [{reach: other domain}, {reach: production, keeps: 3%}]\n"
)
CUT = {"blames": 0.3191}  # the one published rate of people


@pytest.mark.parametrize("key", [key for key, default in RESEARCH.items() if default.group])
def test_a_default_of_research_is_what_its_claims_let_us_expect_of_a_new_setting(key: str) -> None:
    default = RESEARCH[key]
    assert default.group is not None
    expected = predictive(default.group)
    ends = parse_range(default.text)
    assert ends is not None
    assert ends[0].value == pytest.approx(expected.p10, rel=0.05)
    assert ends[1].value == pytest.approx(min(expected.p90, CUT.get(key, 1.0)), rel=0.05)
    assert default.settings == expected.settings


@pytest.mark.parametrize("reach", [reach for reach, default in KEEPS.items() if default.group])
def test_what_a_gate_keeps_by_default_has_the_quantiles_of_the_published_ratios(reach: str) -> None:
    default = KEEPS[reach]
    assert default.group is not None
    expected = predictive(default.group)
    gate = loads_scenario(WITH_GATES.replace("other domain", reach)).scenario.gates[0]
    for u, quantile in ((0.1, expected.p10), (0.9, expected.p90)):
        assert float(gate.keeps.distribution.quantile(u)) == pytest.approx(quantile, abs=0.04)
    assert default.settings == expected.settings


def test_the_interval_for_a_new_setting_is_wider_than_that_of_the_pooled_rate() -> None:
    claims = [claim for claim in list_claims() if claim.group == "transfers"]
    hits, trials = (sum(getattr(claim, name) or 0 for claim in claims) for name in ("hits", "trials"))
    pooled = hits / trials
    half = 1.28 * math.sqrt(pooled * (1 - pooled) / trials)
    expected = predictive("transfers")
    assert expected.p10 < pooled - 4 * half
    assert expected.p90 > pooled + 4 * half


def test_four_of_five_new_settings_lie_within_the_interval_and_far_fewer_within_the_pooled_one() -> None:
    random = np.random.default_rng(5)
    held = pooled_held = 0
    cases = 60
    for _ in range(cases):
        rates = 1 / (1 + np.exp(-random.normal(-2.5, 1.0, 9)))
        hits = random.binomial(100, rates[:8])
        claims = [_claim(int(count), 100) for count in hits]
        expected = predictive("synthetic", claims)
        held += expected.p10 <= rates[8] <= expected.p90
        pooled = hits.sum() / 800
        pooled_held += abs(rates[8] - pooled) <= 1.28 * math.sqrt(pooled * (1 - pooled) / 800)
    assert held / cases == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / cases))
    assert pooled_held / cases < 0.5


def _claim(hits: int, trials: int) -> Claim:
    return Claim("", "", hits, trials, hits / trials, "", "", "", "", "synthetic", "", "a", "", "2026")


def test_every_claim_has_a_source_a_date_a_unit_and_a_rate_that_is_its_count() -> None:
    claims = list_claims()
    assert len({claim.claim_id for claim in claims}) == len(claims)
    for claim in claims:
        assert claim.source
        assert claim.published.startswith("20")
        assert claim.unit.startswith("per ")
        assert 0.0 <= claim.rate <= 1.0
        if claim.trials:
            assert claim.hits is not None
            assert claim.rate == pytest.approx(claim.hits / claim.trials, abs=6e-5)


def test_check_says_which_defaults_rest_on_published_settings_and_which_are_assumed() -> None:
    sources = {row.name: row.source for row in loads_scenario(WITH_GATES).provenance}
    assert sources["research.transfers"] == "default: 6 published settings"
    assert sources["research.explores"] == f"default: {ASSUMED}"
    assert sources["gates[0].keeps"] == "default: 2 published settings"
    assert sources["gates[1].keeps"] == "<text>:5"
    assert all(row.is_default for row in loads_scenario(WITH_GATES).provenance if "default" in row.source)


def test_the_command_shows_defaults_and_the_claims_of_one_key() -> None:
    shown = CliRunner().invoke(commands, ["evidence", "transfers"], catch_exceptions=False)
    assert "1.1% to 21%" in shown.output
    assert "deepscientist" not in shown.output  # its claims are shown in words
    listed = json.loads(CliRunner().invoke(commands, ["evidence", "--json"]).output)
    assert len(listed["claims"]) == len(list_claims())
    assert listed["defaults"]["research.explores"]["basis"] == ASSUMED
    with pytest.raises(UserError, match="no evidence on 'luck'"):
        CliRunner().invoke(commands, ["evidence", "luck"], catch_exceptions=False)
