"""Calibration learns what agents delegate: how often, to how many, to which model, and what it costs."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simbudget.calibration.observed.delegation import callers_of
from simbudget.calibration.observed.sessions import Session, sessions_of
from simbudget.calibration.scenarios.calibrate import Calibrated, calibrate
from simbudget.calibration.scenarios.checks import check_calibration
from simbudget.calibration.scenarios.delegate_fits import fit_roles
from simbudget.calibration.scenarios.implied import implied_scenario
from simbudget.engine.lowering import lower
from simbudget.engine.reference import simulate
from simbudget.ledger.frame import DTYPES
from simbudget.ledger.imported import ImportedLedger, typed_runs
from simbudget.ledger.readers import read_logs
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.scenario import Delegate
from tests.calibration.logs import runs_table

TRUTH = """
fleet: [{group: leads, agents: 2, model: lead}]
cycle:
  - think: {turns: {typical: 6, varies: 1.4x}}
  - delegate:
      if: 60%
      agents: {typical: 3, varies: 1.6x}
      model: worker
      turns: {typical: 8, varies: 1.5x}
      turn: {output_tokens: {typical: 200, varies: 2x}, tool_result_tokens: {typical: 900, varies: 2x}}
      context: {first_prompt_tokens: 6000, shared_prefix_tokens: 5000}
      returns_tokens: 1200
  - think: {turns: {typical: 6, varies: 1.4x}}
turn:
  output_tokens: {typical: 500, varies: 2x}
  tool_result_tokens: {typical: 700, varies: 2x}
  tool_time: {typical: 3 s, varies: 2x}
context: {first_prompt_tokens: 18000, limit_tokens: 900000}
models: {lead: {first_token: 1 s, output_speed: 60 tokens/s}, worker: {first_token: 1 s, output_speed: 90 tokens/s}}
PRICES
stop: {after: 30 days, cycles_per_agent: 30}
"""
PRICES = """prices:
  lead: {input: 5 $/Mtok, cache_write: 6.25 $/Mtok, cache_read: 0.5 $/Mtok, output: 25 $/Mtok}
  worker: {input: 2 $/Mtok, cache_write: 2.5 $/Mtok, cache_read: 0.2 $/Mtok, output: 10 $/Mtok}"""
TRUTH = TRUTH.replace("PRICES", PRICES)

ASSUMED = f"""
fleet: [{{group: leads, agents: 2, model: lead}}]
cycle:
  - think: {{turns: 2 to 40}}
  - delegate: {{agents: 1 to 20, model: worker, turns: 2 to 60}}
  - think: {{turns: 2 to 40}}
context: {{first_prompt_tokens: 18000, limit_tokens: 900000}}
models: {{lead: {{}}, worker: {{}}}}
{PRICES}
stop: {{after: 30 days, cycles_per_agent: 30}}
"""

TYPICAL = {
    "cycle.delegate[0].if": 0.6,
    "cycle.delegate[0].turns": 8.0,
    "cycle.delegate[0].turn.output_tokens": 200.0,
    "cycle.delegate[0].turn.tool_result_tokens": 900.0,
    "cycle.delegate[0].context.first_prompt_tokens": 6000.0,
    "cycle.delegate[0].context.shared_prefix_tokens": 5000.0,
    "cycle.delegate[0].returns_tokens": 1200.0,
    "turn.output_tokens": 500.0,
    "turn.tool_result_tokens": 700.0,
    "context.first_prompt_tokens": 18000.0,
}
"""The typical values of `TRUTH` by the names of a calibrated scenario."""


@cache
def ledger_of_truth(runs: int = 3, truth: str = TRUTH) -> ImportedLedger:
    program = lower(loads_scenario(truth).scenario)
    ledgers = [simulate(program, 5, 0, run).ledger for run in range(runs)]
    frames = [ledger.assign(run=run) for run, ledger in enumerate(ledgers) if ledger is not None]
    return ImportedLedger(pd.concat(frames, ignore_index=True).astype(DTYPES), runs_table(runs))


def calibrated_on(ledger: ImportedLedger, text: str = ASSUMED) -> Calibrated:
    return calibrate(loads_scenario(text), text, ledger, "x.calibration.parquet")


def errors_of(calibrated: Calibrated) -> dict[str, float]:
    """Return by how many standard deviations of its posterior each typical value is off; missing ones by infinity."""
    errors = {}
    for name, truth in TYPICAL.items():
        learnt = calibrated.calibration.quantities.get(name)
        if learnt is None:
            errors[name] = float("inf")
            continue
        location = learnt.posterior.draws[:, 0]
        right = truth if learnt.posterior.is_fact else np.log(truth)
        # rounding to whole tokens and turns moves a typical value by up to half of one
        rounding = 0.5 if learnt.posterior.is_fact and truth > 1 else 0.0 if truth < 1 else 0.5 / truth
        off = max(abs(location.mean() - right) - rounding, 0.0)
        errors[name] = float(off / max(location.std(), 1e-9))
    return errors


def test_what_is_delegated_is_learnt_as_it_was() -> None:
    # ten quantities, each beyond four standard deviations once in 16,000: a false alarm in 1,600 seeds
    errors = errors_of(calibrated_on(ledger_of_truth()))
    assert max(errors.values()) < 4.0, errors


def test_sub_agents_taken_for_agents_are_learnt_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = ledger_of_truth()
    everyone = [replace(session, is_delegated=False) for session in sessions_of(ledger)]
    monkeypatch.setattr("simbudget.calibration.scenarios.fits.sessions_of", lambda _: everyone)
    monkeypatch.setattr("simbudget.calibration.scenarios.calibrate.sessions_of", lambda _: everyone)
    assert max(errors_of(calibrated_on(ledger)).values()) > 4.0


def test_the_calibrated_scenario_costs_what_the_logs_cost_by_model() -> None:
    ledger = ledger_of_truth()
    tokens = ledger.entries[ledger.entries["component"] == "tokens"]
    logged_usd = tokens["cost_usd"].sum() / len(ledger.runs)
    spend = project(calibrated_on(ledger).after.scenario, Options(replications=100)).summary.spend_usd
    assert spend.p10 <= logged_usd <= spend.p90
    assert spend.p50 == pytest.approx(logged_usd, rel=0.1)


def as_session_logs() -> ImportedLedger:
    """Return the ledger of truth as session logs have it: a session for each cycle, numbered sub-agents."""
    ledger = ledger_of_truth()
    calls = ledger.entries[ledger.entries["kind"] == "call"]
    run = calls.groupby(["run", "agent", "cycle"]).ngroup()
    first = calls["session"].groupby(run).transform("min")
    is_own = ~calls["parent"].astype(str).str.startswith("agent ")
    columns = {
        "run": run,
        "agent": (calls["session"] - first + 1).where(~is_own, 0),
        "cycle": -1,
        "session": -1,
        "name": "",
        "parent": "",
        "source": "claude-code",
        "list_cost_usd": calls["cost_usd"],
    }
    entries = calls.assign(**columns).sort_values(["run", "started_s"], kind="stable", ignore_index=True)
    starts = entries.groupby("run")["started_s"].transform("min")
    runs = runs_table(int(run.max()) + 1).assign(source="claude-code")
    return ImportedLedger(
        entries.assign(started_s=entries["started_s"] - starts).astype(DTYPES), typed_runs(runs)
    )


def test_session_logs_imply_a_scenario_with_their_sub_agents_at_their_cost() -> None:
    ledger = as_session_logs()
    implied = implied_scenario(ledger)
    assert implied.logged_usd == pytest.approx(ledger.entries["cost_usd"].sum())
    scenario = implied.scenario
    think, delegate = scenario.fleet[0].cycle
    assert isinstance(delegate, Delegate)
    assert (think.kind, delegate.model, scenario.fleet[0].agents) == ("think", "worker", len(ledger.runs))
    share = implied.calibration.quantities["cycle.delegate[0].if"].posterior.draws[:, 0]
    assert abs(share.mean() - 0.6) < 4.0 * share.std()
    summary = project(scenario, Options(replications=100)).summary
    assert summary.spend_usd.p10 <= implied.logged_usd <= summary.spend_usd.p90
    assert summary.spend_usd.p50 == pytest.approx(implied.logged_usd, rel=0.1)
    assert loads_scenario(implied.text, calibration=implied.calibration).scenario == scenario


def test_time_in_which_sub_agents_work_is_not_tool_time() -> None:
    callers = callers_of(sessions_of(as_session_logs()))
    waiting = [one for one in callers.own if one.sub_agents_s is not None]
    assert waiting
    longest_s = max(float(one.own_gap_s.max()) for one in waiting)
    assert longest_s < 60.0 < max(float(one.gap_s.max()) for one in waiting)


OPUS, HAIKU = "claude-opus-4-5", "claude-haiku-4-5"
LISTED = {"lead": "claude-opus-4-5", "worker": "claude-haiku-4-5"}
"""Models of the price list in place of those of the truth, whose prices a scenario cannot have without calling them."""


def listed(text: str) -> str:
    """Return a scenario's text with the models of the list, and without own prices and speeds."""
    lines = [line for line in text.replace(PRICES, "").splitlines() if not line.startswith("models")]
    return "\n".join(lines).replace("lead}", f"{LISTED['lead']}}}").replace("worker", LISTED["worker"])


def listed_ledger() -> ImportedLedger:
    ledger = ledger_of_truth()
    models = ledger.entries["model"].astype(str).replace(LISTED)
    return ImportedLedger(ledger.entries.assign(model=models).astype(DTYPES), ledger.runs)


def test_a_model_that_the_step_does_not_name_is_learnt_and_one_that_it_names_is_reported() -> None:
    unnamed = listed(ASSUMED.replace("model: worker, ", ""))
    after = {change.name: change.after for change in calibrated_on(listed_ledger(), unnamed).changes}
    assert after["cycle.delegate[0].model"] == LISTED["worker"]
    named = listed(ASSUMED.replace("model: worker", "model: claude-sonnet-4-5"))
    other = calibrated_on(listed_ledger(), named)
    assert "cycle.delegate[0].model" not in {change.name for change in other.changes}
    assert any(
        f"the logs' sub-agents are {LISTED['worker']}, the scenario's" in words for words in other.left
    )


def test_a_scenario_without_a_step_for_sub_agents_is_told_which_step_to_add() -> None:
    without = "\n".join(line for line in listed(ASSUMED).splitlines() if "delegate" not in line)
    left = calibrated_on(listed_ledger(), without).left
    remedy = next(words for words in left if "no `delegate` step" in words)
    step = remedy.partition("add `- ")[2].partition("` to its cycle")[0]
    added = without.replace("\ncontext:", f"\n  - {step}\ncontext:")
    steps = loads_scenario(added).scenario.fleet[0].cycle
    assert [one.kind for one in steps].count("delegate") == 1


def session_of(models: list[str], context: list[float]) -> Session:
    values = np.array(context)
    known = {name: np.zeros(len(values)) for name in ("uncached", "write", "thinking", "list_cost_usd")}
    return Session(
        run=0,
        source="otlp",
        project="",
        model="main",
        **known,
        write_1h=np.zeros(len(values)),
        person_s=np.zeros(len(values)),
        read=values,
        output=np.full(len(values), 10.0),
        duration_s=np.ones(len(values)),
        started_s=np.arange(float(len(values))) * 2,
        models=np.array(models),
    )


def test_calls_of_another_model_with_a_context_of_their_own_are_a_helpers() -> None:
    session = session_of(["help", "main", "main", "help", "main"], [900.0, 20e3, 21e3, 2e3, 22e3])
    callers = callers_of([session])
    assert len(callers.own[0]) == 3
    assert not callers.own[0].compacts.any()
    assert [(role.model, len(role.contexts), role.kind) for role in callers.roles] == [("help", 2, "helper")]


def test_a_model_that_takes_over_a_session_is_no_helper() -> None:
    session = session_of(["main", "main", "other", "other", "main"], [20e3, 21e3, 22e3, 23e3, 24e3])
    callers = callers_of([session])
    assert len(callers.own[0]) == 5
    assert not callers.roles


def test_ledgers_without_sub_agents_have_no_roles() -> None:
    sessions = [session for session in sessions_of(ledger_of_truth()) if not session.is_delegated]
    assert not fit_roles(sessions, 10)


def test_sessions_that_wait_for_sub_agents_are_not_held_against_simulated_ones_that_do_not() -> None:
    ledger = as_session_logs()
    labels = {check.label for check in check_calibration(ledger)}
    assert "turn.output_tokens" in labels
    assert "calls a session" not in labels
    waiting = [session.run for session in sessions_of(ledger) if session.is_left]
    runs = ledger.runs[~ledger.runs["run"].isin(waiting)]
    without = ImportedLedger(ledger.entries[ledger.entries["run"].isin(runs["run"])], runs)
    checks = {check.label: check for check in check_calibration(without)}
    assert len(checks["calls a session"].observed) == len(runs)
    assert checks["token cost a session"].mean_ratio == pytest.approx(1.0, abs=0.15)


def with_step(text: str, step: str) -> str:
    """Return a scenario with a step of the cheaper model in place of the sub-agents."""
    kept = [line for line in text.splitlines() if not line.startswith("      ")]
    return "\n".join(f"  - {step}" if "delegate" in line else line for line in kept)


def test_a_step_with_a_model_of_its_own_is_learnt_apart_from_the_agents_turns() -> None:
    step = "think: {turns: {typical: 9, varies: 1.5x}, model: worker, returns_tokens: 800, "
    step += "turn: {output_tokens: {typical: 150, varies: 2x}}, context: {first_prompt_tokens: 4000}}"
    ledger = ledger_of_truth(3, with_step(TRUTH, step))
    calibrated = calibrated_on(ledger, with_step(ASSUMED, "think: {turns: 2 to 60, model: worker}"))
    learnt = calibrated.calibration.quantities
    truths = {
        "cycle.think[1].turns": np.log(9.0),
        "cycle.think[1].turn.output_tokens": np.log(150.0),
        "cycle.think[1].context.first_prompt_tokens": np.log(4000.0),
        "cycle.think[1].returns_tokens": 800.0,
        "context.first_prompt_tokens": np.log(18_000.0),
    }
    # five quantities, each beyond four standard deviations once in 16,000
    for name, truth in truths.items():
        draws = learnt[name].posterior.draws[:, 0]
        assert abs(draws.mean() - truth) < 4.0 * draws.std() + 0.06 * (truth < 3), name
    tokens = ledger.entries[ledger.entries["component"] == "tokens"]
    logged_usd = tokens["cost_usd"].sum() / len(ledger.runs)
    spend = project(calibrated.after.scenario, Options(replications=100)).summary.spend_usd
    assert spend.p10 <= logged_usd <= spend.p90


def claude_line(at_s: int, kind: str, agent: str = "", **message: object) -> str:
    """Return a line of a Claude Code session, of the agent itself or of a sub-agent."""
    line = {
        "type": kind,
        "uuid": f"{kind} {at_s}",
        "sessionId": "s",
        "timestamp": f"2026-06-01T00:{at_s // 60:02}:{at_s % 60:02}Z",
        "isSidechain": bool(agent),
        "message": message,
    }
    return json.dumps(line | ({"agentId": agent} if agent else {}))


def claude_call(at_s: int, model: str, read: int, write: int, agent: str = "", tool_s: int = 2) -> list[str]:
    """Return the lines of a call that asks for a tool, and of the tool's result."""
    usage = {"input_tokens": 0, "cache_read_input_tokens": read, "cache_creation_input_tokens": write}
    tool = {"type": "tool_use", "id": f"tool {at_s}", "name": "Bash"}
    result = {"type": "tool_result", "tool_use_id": f"tool {at_s}"}
    answer = {"id": f"message {at_s}", "model": model, "stop_reason": "tool_use", "content": [tool]}
    return [
        claude_line(at_s, "assistant", agent, **answer, usage={**usage, "output_tokens": 100}),
        claude_line(at_s + tool_s, "user", agent, content=[result]),
    ]


def test_sidechains_of_claude_code_are_sub_agents_of_their_own_model(tmp_path: Path) -> None:
    lines = [claude_line(0, "user", content="a question")]
    lines += claude_call(5, OPUS, 0, 20_000) + claude_call(10, OPUS, 20_000, 500, tool_s=96)
    for place, at_s in enumerate(range(20, 100, 10)):
        lines += claude_call(at_s, HAIKU, 5_000 + 500 * place, 1_000, agent="b7")
    lines += claude_call(110, OPUS, 20_500, 900) + claude_call(115, OPUS, 21_400, 900)
    (tmp_path / "s.jsonl").write_text("\n".join(lines), encoding="utf-8")
    callers = callers_of(sessions_of(read_logs([tmp_path])))
    (own,), (role,) = callers.own, callers.roles
    assert (own.model, len(own), role.model, role.calls, role.kind) == (OPUS, 4, HAIKU, 8, "sub-agent")
    assert own.is_left
    assert own.own_gap_s.max() < 30.0 < own.gap_s.max()
