"""The finalists of the search without a clock, and what gates say of them, beside those of the compiled engine."""

from typing import Final

import numpy as np
import pytest

from simbudget.engine.compiled import simulate
from simbudget.engine.lowering import gate_evidence, lower
from simbudget.engine.lowering.finalists import MOST_SUBMISSIONS, Finalists, finalists_of, search_of
from simbudget.engine.lowering.gate_evidence import _log_chance, after_gates
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.scenario import Counts, Scenario

TEXT = """
fleet: [{group: g, agents: 3, model: m}]
cycle: [{think: {turns: 1}}, {score: {}}SHARE]
turn: {output_tokens: 100, tool_result_tokens: 100, tool_time: 1 h}
context: {first_prompt_tokens: 1000, limit_tokens: 900000}
models: {m: {first_token: 1 s, output_speed: 100 tokens/s}}
prices: {m: {input: 3 $/Mtok, cache_write: 3.75 $/Mtok, cache_read: 0.3 $/Mtok, output: 15 $/Mtok}}
scorer: {noise: 0.03, time: 1 s}
review: {people: 1, hours: always, time: 1 s, of: all}
research: {explores: 30%, follows: 50%, ideas: 10, first_quality: 0.0 to 0.45, refines: 40%, gain: 0.1 to 0.4,
  transfers: 100%, real_share: 0%, hacks: 2%, caught: 80%, blames: 2%, hack_score: 0.9 to 1.0, finalists: 3}
gates: [{name: only what it began with, keeps: 100%}]
stop: {after: 20 h}
"""
"""With these shares the effect at the gate is the first quality of a method, and that of a hack nothing."""
RUNS = 300


def scenario(share: bool, **changed: str) -> Scenario:
    text = TEXT.replace("SHARE", ", {share: {}}" if share else "")
    for before, after in changed.values():
        text = text.replace(before, after)
    return loads_scenario(text).scenario


def effects(of: Scenario, runs: int) -> list[np.ndarray]:
    """Return by run the effects that the engine measures at the gate, of the best finalist first."""
    program = lower(of)
    found = []
    for run in range(runs):
        ledger = simulate(program, 5, run, 0).ledger
        assert ledger is not None
        found.append(ledger.loc[ledger["kind"] == "gate", "score"].to_numpy(np.float64))
    return found


def without_a_clock(of: Scenario) -> tuple[np.ndarray, np.ndarray]:
    found = finalists_of(of, RUNS, 1)
    return np.where(found.is_hack, 0.0, found.first), found.counts


@pytest.mark.parametrize("share", [True, False])
def test_improvements_of_the_search_without_a_clock_are_those_of_the_engine(share: bool) -> None:
    """As below, of the quality that each improvement added; methods in their best versions differ by far."""
    improved = ("finalists: 3", "finalists: 20, unit: improvement")
    of = scenario(share, real=("real_share: 0%", "real_share: 100%"), unit=improved)
    engine = effects(of, RUNS)
    found = finalists_of(of, RUNS, 1)
    played = np.where(found.is_hack, 0.0, found.first + found.refined)
    all_of = np.concatenate(engine)
    error = np.hypot(all_of.std() / np.sqrt(len(all_of)), played.std() / np.sqrt(len(played)))
    assert abs(all_of.mean() - played.mean()) < 4 * error
    counts = np.array([len(one) for one in engine])
    error = np.hypot(counts.std() / np.sqrt(RUNS), found.counts.std() / np.sqrt(RUNS))
    assert abs(counts.mean() - found.counts.mean()) < 4 * error
    methods = np.concatenate(effects(scenario(share, real=("real_share: 0%", "real_share: 100%")), RUNS))
    assert methods.mean() - all_of.mean() > 0.1


@pytest.mark.parametrize("share", [True, False])
def test_finalists_of_the_search_without_a_clock_are_those_of_the_engine(share: bool) -> None:
    """Two means of some 900 finalists differ by less than four standard errors; those of another search by more."""
    of = scenario(share)
    engine, (played, counts) = np.concatenate(effects(of, RUNS)), without_a_clock(of)
    error = np.hypot(engine.std() / np.sqrt(len(engine)), played.std() / np.sqrt(len(played)))
    assert abs(engine.mean() - played.mean()) < 4 * error
    assert abs(np.mean(engine == 0.0) - np.mean(played == 0.0)) < 0.03
    assert counts.mean() == pytest.approx(3, abs=0.05)
    other, _ = without_a_clock(scenario(share, explores=("explores: 30%", "explores: 90%")))
    assert abs(engine.mean() - other.mean()) > 4 * error


def test_a_search_is_as_long_as_typical_times_make_it() -> None:
    assert search_of(scenario(False)).submissions == pytest.approx(60, abs=2)
    assert search_of(scenario(True)).reads_at_most > 0
    assert search_of(scenario(True, after=("20 h", "900 h"))).submissions == MOST_SUBMISSIONS


def test_the_chance_of_so_many_passes_is_that_of_all_ways_to_get_them() -> None:
    chance = np.array([[0.2, 0.5, 0.9], [0.0, 1.0, 0.3]])
    by_hand = [
        [0.8 * 0.5 * 0.1, 0.2 * 0.5 * 0.1 + 0.8 * 0.5 * 0.1 + 0.8 * 0.5 * 0.9],
        [0.0, 0.7],
    ]
    for hits in (0, 1):
        found = np.exp(_log_chance(hits, chance))
        assert found == pytest.approx([row[hits] for row in by_hand], abs=1e-12)


def test_two_gates_that_pass_the_same_methods_say_hardly_more_than_one() -> None:
    of = scenario(
        True,
        real=("transfers: 100%", "transfers: {unknown: 1% to 90%}"),
        gates=(
            "keeps: 100%}",
            "keeps: 100%, smallest_effect: 0.05}, {name: again, keeps: 100%, smallest_effect: 0.05}",
        ),
    )
    assert of.research is not None
    name = "only what it began with"
    one = after_gates(of, {name: Counts(3, 9)}).transfers
    both = after_gates(of, {name: Counts(3, 9), "again": Counts(3, 9)}).transfers
    assert both.std() > 0.85 * one.std()
    twice = after_gates(of, {name: Counts(6, 18)}).transfers
    assert twice.std() < 0.85 * one.std()


SEARCHED: Final = {
    "gate": ("keeps: 100%", "keeps: 30% to 80%, smallest_effect: 0.1, noise: 0.03"),
    "core": ("transfers: 100%", "transfers: CORE"),
    "real": ("real_share: 0%", "real_share: REAL"),
}


def held(worlds: int) -> float:
    """Return in which part of worlds of the prior the 80 % interval of `real_share` holds it, after twelve tries."""
    prior = scenario(
        True, **SEARCHED, unknown=("CORE", "{unknown: 1% to 20%}"), too=("REAL", "{unknown: 5% to 60%}")
    )
    assert prior.research is not None
    rng, inside = np.random.default_rng(1), []
    for _ in range(worlds):
        core, real = (
            min(of.distribution.quantile(float(rng.random())), 1.0)
            for of in (prior.research.transfers, prior.research.real_share)
        )
        program = lower(scenario(True, **SEARCHED, this=("CORE", f"{core}"), too=("REAL", f"{real}")))
        frames = [simulate(program, 7, 0, run).ledger for run in range(4)]
        tries = [
            row
            for frame in frames
            if frame is not None
            for row in frame.loc[frame["kind"] == "gate", "outcome"]
        ]
        counts = Counts(tries.count("ok"), len(tries))
        after = after_gates(prior, {"only what it began with": counts}).real_share
        inside.append(np.quantile(after, 0.1) <= real <= np.quantile(after, 0.9))
    return float(np.mean(inside))


def test_intervals_after_gates_hold_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 30 intervals at 80 % fewer than 18 hold it once in 300 times; if finalists are taken for others, they do."""
    found = held(30)
    assert found >= 0.6
    monkeypatch.setattr(gate_evidence, "finalists_of", refined_far)
    assert held(30) < found - 0.15


def refined_far(*_: object) -> Finalists:
    """Return finalists of which all were refined to a quality of 0.5 to 1, whatever the search was."""
    rng = np.random.default_rng(0)
    first = rng.uniform(0.0, 0.45, 600)
    refined = rng.uniform(0.5, 1.0, 600) - first
    return Finalists(first, refined, first > 1.0, np.array([0]), np.array([600]))
