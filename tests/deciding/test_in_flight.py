"""What is under way: no log has it, and yet it is known on average, and how far that may be off."""

import numpy as np
import pandas as pd
import pytest

from simbudget.forecast.run_state import run_state_of
from simbudget.ledger.imported import ImportedLedger

HOURS = 200
NOW_S = HOURS * 3600.0


def entries(rng: np.random.Generator, agents: int) -> pd.DataFrame:
    """Return calls and jobs in turn, of agents that began long ago, on until well after now."""
    rows = []
    for agent in range(agents):
        at_s = -float(rng.exponential(3600.0))
        while at_s < 1.5 * NOW_S:
            for kind, mean_s in (("call", 60.0), ("experiment", 1800.0)):
                duration_s = float(rng.exponential(mean_s))
                tokens = 10.0 * duration_s if kind == "call" else 0.0
                rows.append((agent, kind, at_s, duration_s, tokens, 1 if kind == "experiment" else None))
                at_s += duration_s
    names = ["agent", "kind", "started_s", "duration_s", "output_tokens", "gpus"]
    frame = pd.DataFrame(rows, columns=names)
    usd = np.where(frame["kind"] == "experiment", frame["duration_s"] / 3600.0 * 3.0, 0.01)
    component = np.where(frame["kind"] == "experiment", "gpu", "tokens")
    empty = dict.fromkeys(("uncached_input_tokens", "cache_write_tokens", "cache_read_tokens"), 0.0)
    return frame.assign(
        run=0, outcome="ok", component=component, cost_usd=usd, list_cost_usd=usd, calls=None, **empty
    )


def ledger(frame: pd.DataFrame) -> ImportedLedger:
    return ImportedLedger(frame, pd.DataFrame({"run": [0], "began_at": pd.to_datetime([None], utc=True)}))


def missed(frame: pd.DataFrame) -> tuple[float, float]:
    """Return what is truly under way now: output tokens, and GPU hours used so far."""
    open_now = frame[(frame["started_s"] < NOW_S) & (frame["started_s"] + frame["duration_s"] > NOW_S)]
    jobs = open_now[open_now["kind"] == "experiment"]
    return float(open_now["output_tokens"].sum()), float((NOW_S - jobs["started_s"]).sum()) / 3600.0


def test_what_is_under_way_is_right_on_average_and_its_error_is_the_scatter() -> None:
    rng = np.random.default_rng(5)
    scores = []
    for _ in range(150):
        frame = entries(rng, 6)
        in_flight = run_state_of(ledger(frame), NOW_S).in_flight
        for truth, name in zip(missed(frame), ("tokens_output", "gpu_hours_used"), strict=True):
            scores.append((truth - in_flight[name].mean) / in_flight[name].error)
    for of_one in np.array(scores).reshape(-1, 2).T:
        assert abs(of_one.mean()) < 4 / np.sqrt(150)
        assert of_one.std() == pytest.approx(1.0, abs=0.4)
        assert abs((of_one + 1.0).mean()) > 4 / np.sqrt(150)  # the twin: one error off would be seen


def test_money_under_way_follows_the_hours() -> None:
    frame = entries(np.random.default_rng(1), 4)
    in_flight = run_state_of(ledger(frame), NOW_S).in_flight
    assert in_flight["spend_gpu_usd"].mean == pytest.approx(3.0 * in_flight["gpu_hours_used"].mean)


def test_who_has_just_ended_something_has_nothing_in_flight() -> None:
    frame = entries(np.random.default_rng(2), 1)
    ends_s = frame["started_s"] + frame["duration_s"]
    last_s = float(ends_s[ends_s <= NOW_S].max())
    assert run_state_of(ledger(frame), last_s).in_flight == {}
    assert run_state_of(ledger(frame), last_s + 1e-3).in_flight != {}
