"""The real command line, in a process of its own."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

PLAN = """
name: small
fleet: [{agents: 2, sandbox: {price: 0.1 $/h}}]
cycle: [think: {turns: 3 to 9}, experiment: {time: 5 min to 20 min}, score, share]
prices: {on: 2026-06-01}
stop: {after: 2 h, budget: $100}
limits: ["spend p90 <= $100"]
"""

KEYS = [
    "scenario",
    "seed",
    "engine",
    "worlds",
    "replications",
    "simulated_hours",
    "spend_usd",
    "spend_by_component_usd",
    "agent_hours",
    "cost_per_agent_hour_usd",
    "wall_clock_hours",
    "probability_within_budget",
    "overrun_usd",
    "model_calls",
    "tokens",
    "gpu_hours",
    "experiments",
    "scorer_calls",
    "cycles",
    "agent_time_share",
    "utilisation",
    "bottleneck",
    "research",
    "limits",
]


def simbudget(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "simbudget", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


@pytest.fixture(name="plan")
def _plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return path


def test_project_answers_first_and_writes_pictures_with_their_data(plan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = simbudget("project", plan, "--replications", "6", "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("About $")
    assert "probability" in done.stdout.splitlines()[0]
    for picture in ("spend-over-time", "within-budget", "components", "agent-time", "gantt"):
        assert (out / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
        assert len(pd.read_csv(out / f"{picture}.csv")) > 0
    assert len(pd.read_parquet(out / "replications.parquet")) == 6
    summary = json.loads((out / "summary.json").read_text())
    assert summary["replications"] == 6


def test_json_has_every_figure_and_nothing_else_is_printed(plan: Path) -> None:
    done = simbudget("project", plan, "--replications", "6", "--json")
    summary = json.loads(done.stdout)
    assert set(KEYS) <= set(summary)
    assert set(summary["spend_usd"]) == {"mean", "p10", "p50", "p90"}
    assert summary["limits"] == [
        {"limit": "spend p90 <= $100", "holds": True, "value": summary["spend_usd"]["p90"]}
    ]
    assert done.stderr == ""


def test_the_same_seed_gives_the_same_output_and_another_seed_another(plan: Path) -> None:
    first, second, other = (
        simbudget(
            "project", plan, "--replications", "6", "--json", "--seed", seed, "--workers", workers
        ).stdout
        for seed, workers in (("3", "1"), ("3", "2"), ("4", "1"))
    )
    assert first == second
    assert first != other


def test_a_limit_that_is_not_met_is_exit_status_1(plan: Path) -> None:
    plan.write_text(PLAN.replace("spend p90 <= $100", "spend p90 <= $0.01"))
    done = simbudget("project", plan, "--replications", "4")
    assert done.returncode == 1
    assert "not met" in done.stdout.splitlines()[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ("project", "missing.yaml"),
        ("check", "missing.yaml"),
        ("project",),
        ("projekt",),
        ("prices", "claude-opus-9"),
        ("prices", "--on", "yesterday"),
        ("init", "--template", "none", "x"),
    ],
)
def test_wrong_input_is_exit_status_2_and_no_traceback(arguments: tuple[str, ...]) -> None:
    done = simbudget(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_options_that_make_no_sense_are_refused(plan: Path) -> None:
    for option in (("--replications", "0"), ("--precision", "two"), ("--workers", "-1"), ("--seed", "-1")):
        done = simbudget("project", plan, *option)
        assert done.returncode == 2, option
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--replications", "0"), "replications is 0"),
        (("-o", "nowhere/report.html"), "nowhere: there is no such folder"),
    ],
)
def test_a_report_that_cannot_be_made_is_refused_at_once(
    plan: Path, option: tuple[str, str], said: str
) -> None:
    done = simbudget("report", plan, *option)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {said}")
    assert done.stdout == ""


def test_every_command_has_help_and_the_first_comes_without_heavy_imports() -> None:
    for command in ("init", "check", "project", "trace", "prices"):
        done = simbudget(command, "--help")
        assert done.returncode == 0
        assert "Usage: simbudget" in done.stdout
    heavy = ("numpy", "pandas", "numba", "matplotlib", "pydantic")
    code = f"import simbudget.cli.main, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


EXAMPLES = {"compare": 2, "sensitivity": 2, "plan": 3, "plan-pilot": 2, "forecast": 4}
"""The commands whose help shows examples on lines of their own, and how many."""


def test_examples_in_help_stand_on_lines_of_their_own_and_can_be_pasted_into_a_shell() -> None:
    for command, count in EXAMPLES.items():
        lines = simbudget(command, "--help").stdout.splitlines()
        examples = [line.strip() for line in lines if line.strip().startswith(f"simbudget {command} ")]
        assert len(examples) == count, lines
        assert not any("\\b" in line for line in lines)
        for example in examples:  # a shell would take `$2` of an unquoted $20000 for its second argument
            assert not re.search(r"[^']\$\d", example)


def test_help_offers_what_scenarios_may_do_only_where_a_scenario_is_read() -> None:
    assert "--no-python" in simbudget("project", "--help").stdout
    assert "--no-python" not in simbudget("prices", "--help").stdout
    assert simbudget("prices", "opus", "--no-python").returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ("report", "none.yaml"),
        ("watch", "log.jsonl", "--scenario", "none.yaml"),
        ("plan", "PLAN", "--vary", "foo=1:3", "--for", "cycles"),
        ("compare", "PLAN", "--set", "agnets=2"),
        ("sensitivity", "PLAN", "--set", "agnets=2"),
    ],
)
def test_mistakes_are_reported_before_the_engine_is_compiled(
    plan: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simbudget", *(str(plan) if word == "PLAN" else word for word in words)],
        cwd=tmp_path,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "no machine code")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: "), done.stderr


def test_a_misspelt_command_is_told_the_nearest_one() -> None:
    done = simbudget("prject", "plan.yaml")
    assert done.returncode == 2
    assert "did you mean 'project'?" in done.stderr


def test_a_misspelt_bundled_scenario_is_told_the_nearest_one() -> None:
    assert "did you mean the bundled `aar-weak-to-strong`?" in simbudget("check", "aar-week-to-strong").stderr
    assert "`simbudget init DIR` writes one" in simbudget("check", "no.yaml").stderr


def test_what_init_says_to_run_next_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    done = simbudget("init", tmp_path / "my plans")
    command = done.stdout.partition("Now: ")[2].partition(";")[0]
    assert shlex.split(command) == ["simbudget", "check", str(tmp_path / "my plans" / "scenario.yaml")]


def test_trace_writes_a_ledger_and_a_timeline(plan: Path, tmp_path: Path) -> None:
    for suffix, read in (("parquet", pd.read_parquet), ("csv", pd.read_csv)):
        out = tmp_path / suffix
        done = simbudget("trace", plan, "--out", out, "--format", suffix)
        assert done.returncode == 0, done.stderr
        ledger = read(out / f"ledger.{suffix}")
        events = json.loads((out / "timeline.json").read_text())["traceEvents"]
        calls = [event for event in events if event["ph"] == "X" and event["cat"] == "call"]
        assert len(calls) == (ledger["kind"] == "call").sum()
        names = {event["args"]["name"] for event in events if event["name"] == "thread_name"}
        assert {"agents 1", "agents 2"} <= names
        spent = [event["args"]["usd"] for event in events if event["ph"] == "C"]
        assert spent[-1] == pytest.approx(ledger["cost_usd"].sum(), abs=1e-5)


def test_an_interrupt_gives_what_has_been_computed(plan: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "simbudget",
        "project",
        str(plan),
        "--replications",
        "1000000000",
        "--json",
    ]
    for patience_s in (8, 40, 200):  # the time to start two workers depends on the machine
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            time.sleep(patience_s)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=600)
        assert "Traceback" not in errors
        if output and json.loads(output)["replications"]:
            break
    summary = json.loads(output)
    assert summary["interrupted"] is True
    assert 0 < summary["replications"] < 1_000_000_000


def test_a_reader_that_has_seen_enough_is_no_failure(plan: Path) -> None:
    command = [sys.executable, "-m", "simbudget", "project", str(plan), "--replications", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait() == 0
    assert errors == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_is_said_in_one_line(plan: Path) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "simbudget", "project", str(plan), "--replications", "4"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: no space left on device\n"


def test_precision_ends_a_projection_early(plan: Path) -> None:
    done = simbudget("project", plan, "--replications", "2000", "--precision", "20%", "--json")
    assert json.loads(done.stdout)["replications"] < 2000


def test_it_fits_a_narrow_terminal(plan: Path) -> None:
    done = simbudget("project", plan, "--replications", "4", COLUMNS="60")
    assert max(map(len, done.stdout.splitlines()[1:])) <= 60
