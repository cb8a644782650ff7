"""What logs cannot tell: speeds of models without outputs, and parts of a scenario that the logs have not."""

from pathlib import Path

import numpy as np
import pytest

from simbudget.calibration.scenarios.calibrate import calibrate
from simbudget.calibration.scenarios.learnt import learnt
from simbudget.calibration.scenarios.writing import calibration_name, write_calibrated
from simbudget.deciding.alternatives import Sample, alternatives
from simbudget.deciding.changes import Source, parse_changes
from simbudget.deciding.compare import Comparison, compare
from simbudget.errors import UserError
from simbudget.ledger.frame import DTYPES
from simbudget.ledger.imported import ImportedLedger
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.scenario import dump
from tests.calibration.logs import sessions_ledger

FIRST, SECOND = "claude-opus-4-6", "claude-opus-4-5"
"""Two models of one price: $5, $25 and the same caches."""
PLANNED = f"""
fleet:
  - {{group: researchers, agents: 2, model: {FIRST}}}
  - {{group: managers, kind: people, agents: 1, staff: {{price: 100 $/h}}, cycle: [{{think: {{time: 1 h}}}}]}}
cycle: [{{think: {{turns: 20 to 60}}}}, {{experiment: {{time: 1 h}}}}]
gpus: {{count: 2, price: 4 $/h}}
prices: {{on: 2026-03-01}}
context: {{limit_tokens: 160000}}
stop: {{after: 1 day}}
"""
"""Time is money here: the shorter a turn, the more of them, and the more jobs, there are in the day."""


def logs() -> ImportedLedger:
    """Return the ledger of twenty sessions of the first model."""
    ledger = sessions_ledger(20)
    entries = ledger.entries.assign(model=FIRST).astype(DTYPES)
    return ImportedLedger(entries, ledger.runs)


def without_outputs(ledger: ImportedLedger) -> ImportedLedger:
    """Return a ledger that says neither how much was put out nor which step a call belongs to."""
    return ImportedLedger(ledger.entries.assign(output_tokens=np.nan, session=-1).astype(DTYPES), ledger.runs)


def compared(ledger: ImportedLedger, folder: Path, planned: str = PLANNED) -> Comparison:
    """Return the comparison of two equally priced models after calibration."""
    path = folder / "calibrated.yaml"
    found = calibrate(loads_scenario(planned), planned, ledger, calibration_name(path))
    write_calibrated(found, path)
    return compare(alternatives([Source.of(path)], [parse_changes(f"model={FIRST},{SECOND}")]), Sample(40))


def test_equally_priced_models_differ_by_nothing_where_outputs_are_unknown(tmp_path: Path) -> None:
    (against,) = compared(without_outputs(logs()), tmp_path).against
    assert against.is_same


def test_they_would_differ_if_one_had_the_default_speed(tmp_path: Path) -> None:
    """The twin that fails: speeds written for one model by its name, as they are where outputs are known."""
    comparison = compared(logs(), tmp_path)
    (against,) = comparison.against
    assert not against.is_same
    assert any(f"the speed of {SECOND} is assumed" in note for note in comparison.notes)


def test_a_speed_that_was_written_for_one_model_does_not_outlive_what_was_learnt(tmp_path: Path) -> None:
    planned = PLANNED + f"models: {{{FIRST}: {{first_token: 40 s}}}}\n"
    comparison = compared(without_outputs(logs()), tmp_path, planned)
    first, second = (projection.summary.spend_usd.p50 for projection in comparison.projections)
    assert first == pytest.approx(second, rel=0.1)


def test_a_speed_of_others_holds_for_models_without_one_and_is_written_again() -> None:
    text = PLANNED + "models: {others: {first_token: 7 s, output_speed: 50 tokens/s}}\n"
    scenario = loads_scenario(text).scenario
    assert scenario.models[FIRST].first_token.exact_value == 7.0
    assert loads_scenario(dump(scenario)).scenario == scenario
    own = loads_scenario(
        text.replace("others: {first_token: 7 s,", f"{FIRST}: {{first_token: 3 s}}, others: {{")
    ).scenario
    assert own.models[FIRST].first_token.exact_value == 3.0
    assert own.models[FIRST].output_speed.exact_value == 50.0
    with pytest.raises(UserError, match="`served_on` is for a model by its name"):
        loads_scenario(PLANNED + "models: {others: {served_on: a}}\n")


def test_what_the_scenario_pays_for_and_the_logs_have_not_is_named_with_its_amount() -> None:
    ledger = logs()
    found = learnt(calibrate(loads_scenario(PLANNED), PLANNED, ledger, "x.parquet"), ())
    rows = project(found.calibrated.after.scenario, Options(seed=1, replications=100)).replications
    gpus_usd = 4.0 * rows["gpu_hours_billed"].mean()
    (said,) = (note for note in found.notes if note.startswith("the scenario's GPUs"))
    assert f"${gpus_usd:.0f} of $" in said
    assert "are not in these logs" in said
    (people,) = (note for note in found.notes if note.startswith("the scenario's people"))
    assert "$2,400 of $" in people  # 100 $/h for 24 h


def test_nothing_is_missing_from_the_logs_of_a_scenario_that_only_thinks() -> None:
    planned = PLANNED.replace(", {experiment: {time: 1 h}}", "").replace(
        "  - {group: managers, kind: people, agents: 1, staff: {price: 100 $/h}, cycle: [{think: {time: 1 h}}]}\n",
        "",
    )
    found = learnt(calibrate(loads_scenario(planned), planned, logs(), "x.parquet"), ())
    assert not any(note.startswith("the scenario's") for note in found.notes)
