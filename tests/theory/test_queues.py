"""Fleets that only compute and queue reproduce queueing theory; each check fails for a wrong theory.

Statistical checks allow |z| < 4 over independent replications with a fixed seed: one false alarm in 16,000.
"""

import math

import numpy as np
import pytest

from simbudget.engine.lowering import lower
from simbudget.engine.reference import Outcome, simulate
from tests.running import scenario

REPLICATIONS = 24
HORIZON_H = 1200.0


def outcomes(text: str, replications: int = REPLICATIONS, record: bool = False) -> list[Outcome]:
    program = lower(scenario(text))
    return [simulate(program, 7, 0, number, record) for number in range(replications)]


def z_score(values: list[float], expected: float) -> float:
    error = np.std(values, ddof=1) / math.sqrt(len(values))
    return float((np.mean(values) - expected) / error)


def exponential(mean: str) -> str:
    return f"{{distribution: gamma, mean: {mean}, cv: 1}}"


def machine_repair_throughput(agents: int, servers: int, think_h: float, service_h: float) -> float:
    """Return the jobs per hour of a finite-source M/M/c//N queue, from its birth-death balance equations.

    D. Gross, J. F. Shortle, J. M. Thompson, C. M. Harris, "Fundamentals of Queueing Theory", 4th ed., section 2.7.
    """
    weights = [1.0]
    for waiting in range(agents):
        arrival = (agents - waiting) / think_h
        service = min(waiting + 1, servers) / service_h
        weights.append(weights[-1] * arrival / service)
    probabilities = np.array(weights) / sum(weights)
    busy = np.minimum(np.arange(agents + 1), servers)
    return float(probabilities @ busy / service_h)


def mean_value_analysis(agents: int, services_h: list[float], delay_h: float) -> float:
    """Return the cycles per hour of a closed network of single servers and one delay.

    M. Reiser and S. S. Lavenberg, "Mean-value analysis of closed multichain queuing networks", JACM 27 (1980).
    """
    queues, throughput = np.zeros(len(services_h)), 0.0
    for population in range(1, agents + 1):
        residence = np.array(services_h) * (1 + queues)
        throughput = population / (delay_h + residence.sum())
        queues = throughput * residence
    return throughput


def gpu_text(agents: int, gpus: int) -> str:
    people = f"fleet: [{{kind: people, agents: {agents}, staff: {{price: 0 $/h}}}}]"
    cycle = f"cycle: [think: {{time: {exponential('2 h')}}}, experiment: {{time: {exponential('1 h')}}}]"
    return f"{people}\n{cycle}\ngpus: {{count: {gpus}, price: 0 $/h}}\nstop: {{after: {HORIZON_H:.0f} h}}"


@pytest.mark.parametrize(("agents", "gpus"), [(5, 1), (8, 3), (4, 4)])
def test_a_pool_of_gpus_is_a_finite_source_queue(agents: int, gpus: int) -> None:
    found = [outcome.totals["experiments"] / HORIZON_H for outcome in outcomes(gpu_text(agents, gpus))]
    expected = machine_repair_throughput(agents, gpus, 2.0, 1.0)
    assert abs(z_score(found, expected)) < 4
    wrong = machine_repair_throughput(agents, gpus, 2.0, 1.1)
    assert abs(z_score(found, wrong)) > 4


def test_a_scorer_is_a_finite_source_queue() -> None:
    people = "fleet: [{kind: people, agents: 6, staff: {price: 0 $/h}}]"
    cycle = f"cycle: [think: {{time: {exponential('2 h')}}}, score]"
    text = f"{people}\n{cycle}\nscorer: {{servers: 2, time: {exponential('1 h')}}}\nstop: {{after: {HORIZON_H:.0f} h}}"
    found = [outcome.totals["scorer_calls"] / HORIZON_H for outcome in outcomes(text)]
    assert abs(z_score(found, machine_repair_throughput(6, 2, 2.0, 1.0))) < 4
    assert abs(z_score(found, machine_repair_throughput(6, 1, 2.0, 1.0))) > 4


def test_gpus_and_scorer_are_a_closed_network() -> None:
    people = "fleet: [{kind: people, agents: 5, staff: {price: 0 $/h}}]"
    steps = f"think: {{time: {exponential('2 h')}}}, experiment: {{time: {exponential('1 h')}}}, score"
    more = f"gpus: {{count: 1, price: 0 $/h}}\nscorer: {{time: {exponential('30 min')}}}"
    text = f"{people}\ncycle: [{steps}]\n{more}\nstop: {{after: {HORIZON_H:.0f} h}}"
    found = [outcome.totals["cycles"] / HORIZON_H for outcome in outcomes(text)]
    assert abs(z_score(found, mean_value_analysis(5, [1.0, 0.5], 2.0))) < 4
    assert abs(z_score(found, mean_value_analysis(5, [1.0], 2.0))) > 4


def test_littles_law_holds_in_every_run() -> None:
    """L = λ W on the sample path: J. D. C. Little, "A proof for the queuing formula L = λ W", Op. Res. 9 (1961)."""
    for outcome in outcomes(gpu_text(6, 2).replace("1200 h", "200 h"), 5, record=True):
        ledger = outcome.ledger
        assert ledger is not None
        jobs = ledger[ledger["kind"] == "experiment"]
        asked = (jobs["started_s"] - jobs["queued_s"]).to_numpy()
        ended = (jobs["started_s"] + jobs["duration_s"]).to_numpy()
        instants = np.unique([*asked, *ended])
        inside = [((asked <= at) & (ended > at)).sum() for at in instants[:-1]]
        area = float(np.diff(instants) @ inside)
        assert area == pytest.approx(float((ended - asked).sum()), rel=1e-9)
        in_queue = float(jobs["queued_s"].sum()) / 3600
        assert in_queue == pytest.approx(outcome.totals["queued_gpu_hours"], abs=1e-6)


def test_crashes_take_their_share_of_time() -> None:
    """Availability of an alternating renewal process: mean up time ÷ (mean up + mean down)."""
    text = (
        "fleet: [{agents: 4, crashes: {every: 8 h, restart: 2 h}}]\ncycle: [experiment: {time: 10 min}]\n"
        f"gpus: {{price: 0 $/h}}\nstop: {{after: {HORIZON_H:.0f} h}}"
    ).replace("agents: 4,", "agents: 4, sandbox: {price: 1 $/h},")
    results = outcomes(text, 12)
    for outcome in results:  # a sandbox that is down costs nothing
        assert outcome.totals["spend_usd"] == pytest.approx(outcome.totals["agent_hours"])
    found = [outcome.totals["share_down"] for outcome in results]
    assert abs(z_score(found, 0.2)) < 4
    assert abs(z_score(found, 0.25)) > 4


def test_pre_emption_makes_a_job_as_long_as_renewal_theory_says() -> None:
    """A job of length T restarted from nothing at rate λ takes (exp(λT) - 1)/λ of GPU time on average."""
    text = (
        "fleet: [{agents: 1}]\ncycle: [experiment: {time: 2 h}]\n"
        "gpus: {price: 1 $/h, billing: spot, preempted: {every: 4 h}}\nstop: {cycles_per_agent: 300, after: 1000 days}"
    )
    found = [outcome.totals["gpu_hours_used"] / 300 for outcome in outcomes(text, 16)]
    assert abs(z_score(found, 4 * (math.exp(0.5) - 1))) < 4
    assert abs(z_score(found, 2.0)) > 4


def test_two_gpus_are_pre_empted_twice_as_often_as_one() -> None:
    text = (
        "fleet: [{agents: 1}]\ncycle: [experiment: {time: 2 h, gpus: 2}]\n"
        "gpus: {count: 2, price: 1 $/h, billing: spot, preempted: {every: 4 h}}\n"
        "stop: {cycles_per_agent: 300, after: 1000 days}"
    )
    found = [outcome.totals["wall_clock_hours"] / 300 for outcome in outcomes(text, 16)]
    assert abs(z_score(found, 2 * (math.exp(1.0) - 1))) < 4


def test_checkpoints_save_what_was_done() -> None:
    """With a checkpoint every h, each stretch is a job of length h: T/h of them, one after the other."""
    text = (
        "fleet: [{agents: 1}]\ncycle: [experiment: {time: 2 h}]\n"
        "gpus: {price: 1 $/h, billing: spot, preempted: {every: 4 h}, checkpoint_every: 30 min}\n"
        "stop: {cycles_per_agent: 300, after: 1000 days}"
    )
    found = [outcome.totals["gpu_hours_used"] / 300 for outcome in outcomes(text, 16)]
    assert abs(z_score(found, 4 * 4 * (math.exp(0.125) - 1))) < 4


def test_failing_attempts_at_calls_are_geometric() -> None:
    text = (
        "fleet: [{agents: 1}]\ncycle: [think: {turns: 10}]\napi: {error_rate: 20%}\n"
        "turn: {output_tokens: 0, tool_result_tokens: 0, tool_time: 1 s}\n"
        "models: {claude-opus-4-6: {first_token: 1 s}}\nstop: {cycles_per_agent: 100, after: 100 days}"
    )
    found = []
    for outcome in outcomes(text, 12, record=True):
        assert outcome.ledger is not None
        found.append(float((outcome.ledger["outcome"] == "failed").sum()) / outcome.totals["model_calls"])
    assert abs(z_score(found, 0.25)) < 4
    assert abs(z_score(found, 0.2)) > 4


def test_failing_experiments_end_half_way_on_average_and_are_tried_three_times() -> None:
    text = (
        "fleet: [{agents: 1}]\ncycle: [experiment: {time: 1 h, fails: 50%}]\ngpus: {price: 1 $/h}\n"
        "stop: {cycles_per_agent: 400, after: 1000 days}"
    )
    results = outcomes(text, 16)
    assert abs(z_score([o.totals["experiments"] / 400 for o in results], 1 - 0.5**3)) < 4
    hours = (0.5 + 0.25 + 0.125) * 1.0 + (0.5 + 0.25 + 0.125) * 0.5
    assert abs(z_score([o.totals["gpu_hours_used"] / 400 for o in results], hours)) < 4
    assert abs(z_score([o.totals["gpu_hours_used"] / 400 for o in results], 1.5)) > 4


def test_a_rate_limit_is_the_throughput_of_a_fleet_that_wants_more() -> None:
    text = (
        "fleet: [{agents: 30}]\ncycle: [think: {turns: 10}]\napi: {output_tokens_per_min: 10k}\n"
        "turn: {output_tokens: 500, tool_result_tokens: 0, tool_time: 0 s}\n"
        "models: {claude-opus-4-6: {first_token: 1 s, output_speed: 50 tokens/s}}\nstop: {after: 10 h}"
    )
    totals = outcomes(text, 1)[0].totals
    assert totals["tokens_output"] == pytest.approx(10_000 * 600 + 10_000, abs=500)
    assert totals["share_waiting_api"] > 0.5
