"""The scenario as a value: made in code as in a file, compared, changed, printed, and written so that it reads back."""

import copy
import datetime
import pickle
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from simbudget.distributions import families
from simbudget.distributions.posteriors import Posterior
from simbudget.errors import UserError
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration, LearntFrom
from simbudget.scenario.language.blocks import Block
from simbudget.scenario.language.expectations import Nested, model_name, models_called, words
from simbudget.scenario.language.quantities import Kind
from simbudget.scenario.loading import load_scenario, loads_scenario
from simbudget.scenario.scenario import (
    Context,
    Experiment,
    Gate,
    Group,
    ModelPrices,
    Prices,
    Scenario,
    Score,
    Share,
    Stop,
    Think,
    Turn,
    dump,
)
from simbudget.testing import documents, load

ROOT = Path(__file__).parents[2]
BUNDLED = [
    *sorted((ROOT / "scenarios").glob("*.yaml")),
    *sorted((ROOT / "simbudget" / "scenario" / "templates").glob("*.yaml")),
]
GROUP = Group(group="a", agents=9, model="claude-opus-4-6")


def made(**more: Any) -> Scenario:
    written: dict[str, Any] = {
        "fleet": [GROUP],
        "cycle": [Think(turns=30), Experiment(time="1 h")],
        "stop": Stop(after="5 days"),
        "prices": {"on": "2026-03-01"},
    }
    return Scenario(**written | more)


def read_back(scenario: Scenario) -> Scenario:
    return loads_scenario(dump(scenario)).scenario


@settings(max_examples=60, deadline=None)
@given(documents())
def test_every_scenario_is_written_so_that_it_reads_back_equal(document: dict[str, Any]) -> None:
    scenario = load(document)
    if scenario is None:
        return
    again = read_back(scenario)
    assert again == scenario
    assert hash(again) == hash(scenario)
    assert dump(again) == dump(scenario)
    assert Scenario(**document, name="scenario") == scenario.replace(name="scenario")
    assert scenario.replace() == scenario
    assert pickle.loads(pickle.dumps(scenario)) == scenario == copy.deepcopy(scenario)


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_a_bundled_scenario_is_written_so_that_it_reads_back_equal(path: Path) -> None:
    scenario = load_scenario(path).scenario
    assert read_back(scenario) == scenario
    assert scenario.replace(stop={"after": "36 days"}) != scenario


def test_code_and_yaml_make_equal_scenarios() -> None:
    text = (
        "name: scenario\nfleet: [{group: a, agents: 9, model: claude-opus-4-6}]\nprices: {on: 2026-03-01}\n"
        "cycle: [{think: {turns: 30}}, {experiment: {time: 60 min}}]\nstop: {after: 120 h}\n"
    )
    assert made() == loads_scenario(text).scenario


def test_quantities_may_be_numbers_text_mappings_and_distributions() -> None:
    assert Think(turns=30) == Think(turns="30") == Think(turns=30.0) == Think(turns=families.constant(30))
    assert Experiment(time=datetime.timedelta(hours=2)) == Experiment(time="2 h")
    spelt = {"distribution": "lognormal", "p10": 20, "p90": 60}
    assert Think(turns="20 to 60") == Think(turns=spelt) == Think(turns=families.lognormal(20, 60))
    assert Gate(keeps={"unknown": families.beta(0.3, weight=10)}).keeps.kind is Kind.UNKNOWN
    assert Context(cache_misses=families.beta(0.3, weight=10)).cache_misses.kind is Kind.UNKNOWN


FROZEN = [
    stats.norm(400, 50),
    stats.lognorm(0.7, scale=300),
    stats.gamma(2.0, scale=200),
    stats.expon(scale=300),
    stats.uniform(100, 400),
    stats.weibull_min(1.5, scale=300),
    stats.triang(0.3, 100, 500),
]


@pytest.mark.parametrize("frozen", FROZEN, ids=[frozen.dist.name for frozen in FROZEN])
def test_a_frozen_distribution_of_scipy_keeps_its_quantiles(frozen: Any) -> None:
    scenario = made(turn=Turn(output_tokens=frozen))
    quantity = read_back(scenario).fleet[0].turn.output_tokens
    for p in (0.05, 0.25, 0.5, 0.75, 0.95):
        assert quantity.distribution.quantile(p) == pytest.approx(frozen.ppf(p), rel=0.01)
    assert read_back(scenario) == scenario


WRONG = [
    (lambda: Think(turns=-5), "turns", "is out of bounds"),
    (lambda: Think(trns=5), "trns", "did you mean `turns`"),
    (Experiment, "time", "needs `time`"),
    (lambda: Group(group="a"), "agents", "needs `agents`"),
    (lambda: Stop(after=5), "after", "without a unit"),
    (lambda: Turn(output_tokens=object()), "output_tokens", "type object"),
    (lambda: Turn(output_tokens=float("nan")), "output_tokens", "not a finite number"),
    (lambda: Turn(output_tokens=stats.cauchy(400, 900)), "output_tokens", "is out of bounds"),
    (lambda: made(gpsu=3), "gpsu", "did you mean `gpus`"),
    (lambda: made(stop={"after": "1 to 2 h"}), "after", "is a range"),
    (lambda: made(fleet=[]), "fleet", "no group"),
    (lambda: made().replace(fleet={"a": {"model": "claude-opus-46"}}), "fleet", "not on the price list"),
]


@pytest.mark.parametrize(("make", "key", "words"), WRONG, ids=[f"{key}: {words}" for _, key, words in WRONG])
def test_a_mistake_in_code_names_the_key(make: Any, key: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        make()
    assert key in str(caught.value)
    assert words in str(caught.value)


def test_a_changed_scenario_differs_in_what_was_named() -> None:
    before = made(stop={"after": "5 days", "budget": "$20,000"})
    after = before.replace(stop={"after": "3 days"}, fleet={"a": {"agents": 4}})
    assert after.stop == Stop(after="3 days", budget=20_000)
    assert after.fleet[0].agents == 4
    assert after.cycle == before.cycle
    assert after.replace(stop={"after": "5 days"}, fleet={"a": {"agents": 9}}) == before
    assert before.stop.replace(budget=None) == Stop(after="5 days")


def test_what_groups_share_stays_shared_and_what_they_override_stays_their_own() -> None:
    own = Group(group="b", agents=2, turn=Turn(tool_time="9 s"), cycle=[Think(turns=3), Share()])
    scenario = made(fleet=[GROUP, own], turn=Turn(output_tokens="300 to 900", tool_time="1 s"))
    again = read_back(scenario)
    assert again == scenario
    a, b = again.fleet
    assert a.turn.output_tokens.name == b.turn.output_tokens.name == "turn.output_tokens"
    assert (a.turn.tool_time.name, b.turn.tool_time.name) == ("turn.tool_time", "fleet[b].turn.tool_time")
    apart = made(
        fleet=[GROUP, own.replace(turn=Turn(output_tokens="300 to 900", tool_time="9 s"))],
        turn=Turn(output_tokens="300 to 900", tool_time="1 s"),
    )
    assert apart.fleet[1].turn == b.turn
    assert apart != scenario  # the same numbers, but two outputs that are drawn apart


def calibrated() -> Scenario:
    draws = np.random.default_rng(1).normal([6.0, 0.5, 0.1], 0.05, (50, 3))
    learnt = {
        "turn.output_tokens": Posterior(draws, np.linspace(-3.0, 3.0, 513)),
        "gates[0].noise": Posterior.of_fact(np.linspace(0.01, 0.09, 50)),
    }
    written = {"turn.output_tokens": "300 to 900", "gates[0].noise": "0.01 to 0.09"}
    quantities = {
        name: CalibratedQuantity(
            name, written[name], "lognormal", posterior, LearntFrom(9, 1, "logs", "2026-01-01")
        )
        for name, posterior in learnt.items()
    }
    text = (
        "fleet: [{agents: 1}]\ncycle: [{think: {turns: 2}}, score]\nturn: {output_tokens: 300 to 900}\n"
        "gates: [{keeps: 50%, noise: 0.01 to 0.09}]\nprices: {on: 2026-03-01}\n"
    )
    return loads_scenario(text, calibration=Calibration(quantities)).scenario


def test_what_a_calibration_learnt_is_part_of_the_text_and_of_the_value() -> None:
    scenario = calibrated()
    assert scenario.fleet[0].turn.output_tokens.posterior is not None
    assert scenario.gates[0].noise.posterior is not None
    again = read_back(scenario)
    assert again == scenario
    assert again.calibration is not None
    assert again.calibration.quantities["turn.output_tokens"].evidence.observations == 9
    changed = scenario.replace(stop={"after": "2 days"})
    assert changed.fleet[0].turn == scenario.fleet[0].turn
    assert read_back(changed) == changed
    assert loads_scenario(dump(scenario).partition("calibration:")[0]).scenario != scenario


def test_what_was_observed_is_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("seconds\n" + "\n".join(str(7.25 * n) for n in range(1, 40)))
    text = (
        "fleet: [{agents: 1}]\ncycle: [{experiment: {time: {unknown: {distribution: empirical, "
        "file: jobs.csv, column: seconds}}}}]\nprices: {on: 2026-03-01}\n"
    )
    scenario = loads_scenario(text, folder=tmp_path).scenario
    assert "jobs.csv" not in dump(scenario)
    assert read_back(scenario) == scenario


def test_a_scenario_is_frozen_and_prints_shortly() -> None:
    scenario = made(name="Nine", stop=Stop(after="5 days", budget=20_000))
    with pytest.raises(FrozenInstanceError):
        scenario.name = "Ten"
    with pytest.raises(FrozenInstanceError):
        scenario.models["m"] = None
    assert repr(scenario) == "<Scenario 'Nine': 9 agents, 5 days, budget $20,000>"
    assert repr(Think(turns="20 to 60")) == "Think(turns='20 to 60')"
    assert len({scenario, read_back(scenario), made()}) == 2


def test_own_prices_are_made_by_model() -> None:
    tier = {"input": 5, "cache_write": 6.25, "cache_read": 0.5, "output": "25 $/Mtok"}
    prices = Prices(on=datetime.date(2026, 3, 1), models={"m": ModelPrices(**tier)})
    scenario = made(fleet=[GROUP.replace(model="m")], prices=prices, cycle=[Think(turns=1), Score()])
    assert scenario.prices.models["m"].cache_write.exact_value == 6.25
    assert read_back(scenario) == scenario
    assert scenario == made(
        fleet=[GROUP.replace(model="m")],
        prices={"m": tier, "on": "2026-03-01"},
        cycle=[Think(turns=1), "score"],
    )


def test_the_package_gives_what_is_needed_to_make_and_write_a_scenario() -> None:
    import simbudget  # noqa: PLC0415

    scenario = simbudget.Scenario(
        fleet=[simbudget.Group(group="a", agents=9, model="claude-opus-4-6")],
        cycle=[simbudget.Think(turns=30), simbudget.Experiment(time="1 h")],
        stop=simbudget.Stop(after="5 days"),
    )
    assert simbudget.loads(simbudget.dump(scenario)) == scenario
    assert scenario == simbudget.loads(simbudget.dump(scenario))
    assert simbudget.loads(simbudget.dump(scenario)).scenario == scenario


def test_models_are_found_wherever_a_block_within_another_one_names_them() -> None:
    class Inner(Block):
        """A block that calls a model."""

        by: Annotated[str | None, model_name()]
        """The model."""

    class Outer(Block):
        """A block that calls a model, and holds one that calls another."""

        model: Annotated[str | None, model_name()]
        """The model."""
        inner: Annotated[Inner | None, Nested(Inner, optional=True)]
        """The other."""
        name: Annotated[str | None, words()]
        """No model."""

    block = Outer(model="one", inner={"by": "two"}, name="three")
    assert list(models_called(block, "outer")) == [("outer.model", "one"), ("outer.inner.by", "two")]
    assert list(models_called(Outer(name="three"), "outer")) == []
