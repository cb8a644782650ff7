"""Synthetic truth: whether 80 % intervals hold what is true in random worlds that were simulated and calibrated on.

`python benchmarks/synthetic_truth.py [--worlds 200] [--write]`. Each world is a random scenario of sessions whose
numbers are exact but for their scatter. A pilot of so many sessions is simulated by the compiled engine, calibrated
on, and what was learnt is held against the truth: typical values, and totals of 20 more sessions of the same world.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from simbudget.calibration.fits import fit_sessions
from simbudget.calibration.new_sessions import MODEL, session_scenario
from simbudget.calibration.sessions import sessions_of
from simbudget.calibration.within import session_samples
from simbudget.engine.compiled import simulate
from simbudget.engine.lowering import lower
from simbudget.ledger.frame import DTYPES
from simbudget.ledger.imported import ImportedLedger
from simbudget.ledger.stored import typed_runs
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import loads_scenario

PILOTS = (5, 15, 50)
TO_COME = 20
DRAWS = 200
TOTALS = ("calls", "input_tokens", "output_tokens", "cost_usd", "model_time_s")
TEXT = """
fleet: [{{group: session, agents: 1, model: m}}]
cycle: [{{think: {{turns: {{typical: {turns:.1f}, varies: {s_turns:.2f}x}}}}}}]
turn: {{output_tokens: {{typical: {output:.0f}, varies: {s_output:.2f}x}},
       tool_result_tokens: {{typical: {result:.0f}, varies: {s_result:.2f}x}},
       tool_time: {{typical: {tool:.1f} s, varies: {s_tool:.2f}x}}}}
context: {{first_prompt_tokens: {{typical: {prompt:.0f}, varies: 1.2x}}, limit_tokens: 900000, lasts: cycle}}
models: {{m: {{first_token: {{typical: {first:.2f} s, varies: {s_first:.2f}x}}, output_speed: {speed:.1f} tokens/s}}}}
prices: {{m: {{input: 3 $/Mtok, cache_write: 3.75 $/Mtok, cache_read: 0.3 $/Mtok, output: 15 $/Mtok}}}}
stop: {{after: 3650 days, cycles_per_agent: {count}}}
"""


def random_world(rng: np.random.Generator) -> dict[str, float]:
    """Return the numbers of a random world."""
    typical = {
        "turns": (15, 60),
        "output": (100, 1000),
        "result": (200, 2000),
        "tool": (1, 20),
        "first": (1, 5),
    }
    world = {name: float(np.exp(rng.uniform(*np.log(ends)))) for name, ends in typical.items()}
    world |= {f"s_{name}": float(rng.uniform(1.2, 3.5)) for name in typical}
    return world | {"prompt": float(rng.uniform(5e3, 4e4)), "speed": float(rng.uniform(30, 90))}


def pilot(world: dict[str, float], sessions: int, seed: int) -> ImportedLedger:
    """Return the ledger of a pilot: so many sessions, a run each."""
    program = lower(loads_scenario(TEXT.format(**world, count=1)).scenario)
    frames = [simulate(program, seed, 0, run).ledger.assign(run=run) for run in range(sessions)]
    texts = dict.fromkeys(("path", "model", "metric", "better", "not_known", "oddities", "name"), "")
    began = pd.Timestamp("2026-01-01", tz="UTC")
    columns = {**texts, "run": range(sessions), "source": "simulated", "project": "truth", "began_at": began}
    runs = typed_runs(pd.DataFrame({**columns, "agents": 1}, index=range(sessions)))
    return ImportedLedger(pd.concat(frames, ignore_index=True).astype(DTYPES), runs)


def held(sample: np.ndarray, truth: float) -> bool:
    """Return whether the middle 80 % holds a truth."""
    low, high = np.quantile(sample, (0.1, 0.9))
    return bool(low <= truth <= high)


def one(number: int) -> list[tuple[str, int, bool]]:
    """Return what one world says of each quantity: its name, the pilot's sessions, whether the interval held."""
    rng = np.random.default_rng([7, number])
    world = random_world(rng)
    truth_scenario = loads_scenario(TEXT.format(**world, count=TO_COME)).scenario
    options = Options(seed=100_000 + number, replications=1, workers=1)
    truth = session_samples(project(truth_scenario, options).replications)
    sessions = PILOTS[number % len(PILOTS)]
    known = sessions_of(pilot(world, sessions, number + 1))
    fits = list(fit_sessions(known, (MODEL,), DRAWS, False, rng))
    names = {
        "turn.output_tokens": "output",
        "turn.tool_result_tokens": "result",
        "turn.tool_time": "tool",
        "context.first_prompt_tokens": "prompt",
        "cycle.think.turns": "turns",
    }
    rows = []
    for fit in fits:
        if fit.name in names and fit.quantity is not None:
            posterior = fit.quantity.posterior
            middle = 0.0 if posterior.shape is None else float(posterior.shape[len(posterior.shape) // 2])
            medians = np.exp(posterior.draws[:, 0] + posterior.draws[:, 1] * middle)
            rows.append((fit.name, sessions, held(medians, world[names[fit.name]])))
    projected = project(
        session_scenario(known, fits, TO_COME), Options(seed=1, replications=DRAWS, workers=1)
    )
    totals = session_samples(projected.replications)
    return rows + [(f"total {name}", sessions, held(totals[name], float(truth[name][0]))) for name in TOTALS]


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    rows = [row for number in range(arguments.worlds) for row in one(number)]
    frame = pd.DataFrame(rows, columns=["quantity", "sessions", "held"])
    lines = [
        "# Synthetic truth",
        "",
        f"How often 80 % intervals held the truth, over {arguments.worlds} random worlds; pilots of "
        f"{', '.join(map(str, PILOTS))} sessions. Made by `python benchmarks/synthetic_truth.py --write`.",
        "",
        "| quantity | all | " + " | ".join(f"{n} sessions" for n in PILOTS) + " |",
        "| --- |" + " ---: |" * (len(PILOTS) + 1),
    ]
    for quantity, part in frame.groupby("quantity", sort=False):
        by = [part[part["sessions"] == n]["held"].mean() for n in PILOTS]
        lines.append(
            f"| {quantity} | {part['held'].mean():.0%} | " + " | ".join(f"{x:.0%}" for x in by) + " |"
        )
    text = "\n".join(lines) + "\n"
    if arguments.write:
        Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
