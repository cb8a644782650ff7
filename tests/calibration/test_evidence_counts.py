"""Gates and reviews of logs are counted into a scenario's evidence: each run once, beside what a user had written."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from simbudget.calibration.observed.trials import run_key
from simbudget.calibration.scenarios.calibrate import Calibrated, calibrate
from simbudget.calibration.scenarios.fit import Fit
from simbudget.calibration.scenarios.trial_fits import fit_trials
from simbudget.calibration.scenarios.writing import write_calibrated
from simbudget.engine.lowering.evidence import understood, weigh
from simbudget.ledger.frame import DTYPES
from simbudget.ledger.imported import ImportedLedger, typed_runs
from simbudget.projection.trace import trace
from simbudget.scenario.loading import LoadedScenario, load_scenario, loads_scenario
from tests.calibration.logs import runs_table

TEXT = """
fleet: [{group: g, agents: 2, model: m}]
cycle: [{think: {turns: 2}}, {score: {}}]
turn: {output_tokens: 400, tool_result_tokens: 900, tool_time: {typical: 30 min, varies: 2x}}
context: {first_prompt_tokens: 5000, limit_tokens: 900000}
models: {m: {first_token: 2 s, output_speed: 60 tokens/s}}
prices: {m: {input: 3 $/Mtok, cache_write: 3.75 $/Mtok, cache_read: 0.3 $/Mtok, output: 15 $/Mtok}}
scorer: {noise: 0.03, time: {typical: 1 min, varies: 2x}}
# people look at all
review: {people: 1, hours: Mon-Fri 9-12, time: {typical: 20 min, varies: 2x}, price: 90 $/h, of: all}
research: {hacks: {unknown: 5% to 40%}, transfers: {unknown: 5% to 60%}}
gates:
  - {name: held-out (code), keeps: 30% to 80%, smallest_effect: 0.10, noise: 0.03, price: 40 $/try, time: 4 h}
  - {name: production, keeps: 0% to 60%, smallest_effect: 0.05, noise: 0.03, price: 2500 $/try, time: 5 h to 9 h}
stop: {after: 30 h, begins: Mon 9:00}
"""
LEARNT = TEXT.replace("Mon-Fri 9-12", "always")
NAME = "c.parquet"


def ledger_of(*replications: int, text: str = TEXT) -> ImportedLedger:
    scenario = loads_scenario(text).scenario
    frames = [
        trace(scenario, 3, replication).ledger.assign(run=run) for run, replication in enumerate(replications)
    ]
    return ImportedLedger(pd.concat(frames, ignore_index=True).astype(DTYPES), runs_undated(len(frames)))


def runs_undated(runs: int) -> pd.DataFrame:
    return typed_runs(runs_table(runs).assign(began_at=None))


def learnt(text: str, ledger: ImportedLedger, keep: tuple[str, ...] = ()) -> Calibrated:
    return calibrate(loads_scenario(text), text, ledger, NAME, keep)


def evidence(found: Calibrated) -> dict:
    return yaml.safe_load(found.text).get("evidence", {})


def passed(ledger: ImportedLedger, gate: int) -> str:
    tries = ledger.entries[(ledger.entries["kind"] == "gate") & (ledger.entries["turn"] == gate)]
    return f"{(tries['outcome'] == 'ok').sum()} of {len(tries)}"


@pytest.fixture(scope="module")
def two() -> ImportedLedger:
    return ledger_of(0, 1)


@pytest.fixture(scope="module")
def of_two(two: ImportedLedger) -> Calibrated:
    return learnt(TEXT, two)


def again(found: Calibrated, ledger: ImportedLedger, folder, text: str | None = None) -> Calibrated:
    """Return a calibrated scenario, written and read again and maybe edited between, calibrated on a ledger."""
    write_calibrated(found, folder / "c.yaml")
    (folder / "c.calibration.parquet").rename(folder / NAME)
    if text is not None:
        (folder / "c.yaml").write_text(text, encoding="utf-8")
    read: LoadedScenario = load_scenario(folder / "c.yaml")
    return calibrate(read, (folder / "c.yaml").read_text(encoding="utf-8"), ledger, NAME)


def test_tries_at_gates_and_reviews_are_counted(two: ImportedLedger, of_two: Calibrated) -> None:
    reviews = two.entries[two.entries["kind"] == "review"]
    assert evidence(of_two)["gates"] == {"held-out (code)": passed(two, 0), "production": passed(two, 1)}
    assert evidence(of_two)["review"] == f"{(reviews['outcome'] == 'blamed').sum()} of {len(reviews)}"
    assert "# people look at all" in of_two.text
    weighed = weigh(of_two.after.scenario).scenario.research
    assert weighed is not None
    assert weighed.transfers.posterior is not None
    sources = {row.name: row.source for row in understood(of_two.after.provenance, of_two.after.scenario)}
    assert "held-out (code)" in sources["research.transfers"]
    assert "reviewed" in sources["research.hacks"]


def test_calibrating_again_on_the_same_logs_changes_nothing(two, of_two: Calibrated, tmp_path) -> None:
    once_more = again(of_two, two, tmp_path)
    assert once_more.text == of_two.text
    assert once_more.calibration.counted == of_two.calibration.counted
    more = again(of_two, ledger_of(1, 2), tmp_path)
    together = learnt(TEXT, ledger_of(0, 1, 2))
    assert evidence(more) == evidence(together)


def test_what_a_user_wrote_stays_and_the_logs_are_added(two: ImportedLedger, tmp_path) -> None:
    text = f"{TEXT}evidence: {{gates: {{held-out: 2 of 9}}}}   # by hand\n"
    found = learnt(text, two)
    hits, trials = map(int, passed(two, 0).split(" of "))
    assert evidence(found)["gates"]["held-out"] == f"{2 + hits} of {9 + trials}"
    assert evidence(found)["gates"]["production"] == passed(two, 1)
    assert "# by hand" in found.text
    assert "beside 2 of 9 as written" in found.changes[-3].evidence.remark
    assert again(found, two, tmp_path).text == found.text


def test_counts_that_equal_those_of_the_logs_are_taken_for_the_same_trials(two: ImportedLedger) -> None:
    found = learnt(f"{TEXT}evidence: {{gates: {{held-out: {passed(two, 0)}}}}}\n", two)
    assert evidence(found)["gates"]["held-out"] == passed(two, 0)
    assert any("taken for those that were written" in change.evidence.remark for change in found.changes)


def test_evidence_that_was_changed_by_hand_since_is_the_users(two, of_two: Calibrated, tmp_path) -> None:
    hits, trials = map(int, passed(two, 0).split(" of "))
    more = of_two.text.replace(f"(code): {hits} of {trials}", f"(code): {hits + 1} of {trials + 2}")
    assert (
        evidence(again(of_two, two, tmp_path, more))["gates"]["held-out (code)"]
        == f"{hits + 1} of {trials + 2}"
    )
    fewer = of_two.text.replace(f"(code): {hits} of {trials}", "(code): 0 of 1")
    found = evidence(again(of_two, two, tmp_path, fewer))
    assert found["gates"]["held-out (code)"] == f"{hits} of {trials + 1}"


def test_a_run_is_known_again_when_more_of_it_is_read(two: ImportedLedger) -> None:
    first, second = (two.entries[two.entries["run"] == run] for run in (0, 1))
    later = first.assign(started_s=first["started_s"] + 5e8)
    assert run_key(first.iloc[: len(first) // 2]) == run_key(first) == run_key(later)
    assert run_key(first) != run_key(second)


def test_what_is_to_be_kept_is_kept(two: ImportedLedger) -> None:
    assert evidence(learnt(TEXT, two, keep=("evidence.gates",))).keys() == {"review"}


def test_reviews_of_leaders_only_say_nothing_of_how_often_there_are_hacks() -> None:
    text = LEARNT.replace("of: all", "of: best")
    found = learnt(text, ledger_of(0, text=text))
    assert "review" not in evidence(found)
    assert any("no sample" in words for words in found.left)


def test_gates_are_known_by_their_names_or_by_their_place(two: ImportedLedger) -> None:
    renamed = TEXT.replace("name: production", "name: factory")
    found = learnt(renamed, two)
    assert evidence(found)["gates"].keys() == {"held-out (code)"}
    assert any("production" in words for words in found.left)
    nameless = replace(two, entries=two.entries.assign(name=""))
    assert evidence(learnt(renamed, nameless))["gates"]["factory"] == passed(two, 1)


def typical_s(fit: Fit) -> float:
    assert fit.quantity is not None
    return float(np.exp(np.median(fit.quantity.posterior.draws[:, 0])))


def test_times_and_prices_of_trials_are_learnt(two: ImportedLedger) -> None:
    fits = {fit.name: fit for fit in fit_trials(two, loads_scenario(TEXT).scenario, 200)}
    assert fits["gates[0].time"].written == "4 h"
    assert fits["gates[1].price"].written == "2500 $/try"
    assert fits["review.price"].written == "90 $/h"
    assert fits["gates[1].time"].quantity is not None
    assert np.exp(np.median(fits["gates[1].time"].quantity.posterior.draws[:, 0])) == pytest.approx(
        6.7 * 3600, rel=0.25
    )


def test_a_reviews_work_is_what_was_done_in_office_hours(two: ImportedLedger) -> None:
    reviews = two.entries[two.entries["kind"] == "review"]
    fits = {fit.name: fit for fit in fit_trials(two, loads_scenario(TEXT).scenario, 200)}
    assert reviews["duration_s"].max() > 21 * 3600, "none was left lying over night"
    assert typical_s(fits["review.time"]) == pytest.approx(1200, rel=0.2)
    always = {fit.name: fit for fit in fit_trials(two, loads_scenario(LEARNT).scenario, 200)}
    assert always["review.price"].written != "90 $/h"
