"""How many model calls a second simbudget simulates, beside the same fleet written plainly in SimPy and its peers.

All in one run, in turns, so that what slows the machine slows all; rates are to be compared as ratios. With one worker
what counts is the processor's time, with more the clock on the wall. With --write
the table, its data and its picture are written beside this file. Peers that are not installed are left out:
pip install 'simbudget[bench]'.
"""

import argparse
import importlib.metadata
import math
import multiprocessing
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pandas as pd

from benchmarks.peers import simbudget_fleet, simpy_fleet
from benchmarks.peers.fleet import Fleet
from simbudget.engine.lowering import lower
from simbudget.scenario.loading import load_scenario

AGENTS: Final = (9, 90, 900, 9000)
HOURS: Final = 2.0
LEAST_S: Final = 0.5
"""A measurement repeats until it takes so long."""

SEED_EXPERIMENT: Final = Path(__file__).parent.parent / "scenarios" / "aar-weak-to-strong.yaml"
PLAIN: Final = "SimPy, plain"
OURS: Final = "simbudget, compiled"

Simulate = Callable[[int], float]
"""Replications to model calls made."""


@dataclass(frozen=True)
class Contender:
    """Something that simulates a fleet, with so many workers, of up to so many agents."""

    name: str
    workers: int
    prepare: Callable[[Fleet], Simulate]
    most_agents: int = AGENTS[-1]


def contenders() -> list[Contender]:
    """Return everyone who is installed."""
    found = [Contender(OURS, workers, partial(_ours, "compiled", workers)) for workers in (1, 2)]
    found += [Contender("simbudget, reference", 1, partial(_ours, "reference", 1), 900)]
    found += [Contender(PLAIN, 1, lambda fleet: partial(simpy_fleet.simulate, fleet))]
    found += [Contender(PLAIN, 2, _simpy_in_processes, 900)]
    for name, module, workers, most_agents in (
        ("cimba", "cimba_fleet", (1, 2), AGENTS[-1]),
        ("salabim", "salabim_fleet", (1,), 90),
        ("ciw (part of it)", "ciw_fleet", (1,), 90),
    ):
        try:
            peer = importlib.import_module(f"benchmarks.peers.{module}")
        except ModuleNotFoundError:
            continue
        found += [Contender(name, count, partial(_peer, peer, count), most_agents) for count in workers]
    return found


def _ours(engine: str, workers: int, fleet: Fleet) -> Simulate:
    program = simbudget_fleet.program(fleet)
    return lambda replications: simbudget_fleet.simulate(program, replications, engine, workers)


def _peer(peer: object, workers: int, fleet: Fleet) -> Simulate:
    if hasattr(peer, "prepare"):
        prepared: Simulate = peer.prepare(fleet, workers)
        return prepared
    return partial(peer.simulate, fleet)  # type: ignore[attr-defined]


def _simpy_in_processes(fleet: Fleet) -> Simulate:
    def simulate(replications: int) -> float:
        half = -(-replications // 2)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            return sum(pool.starmap(simpy_fleet.simulate, 2 * [(fleet, half)]))

    return simulate


def calls_per_second(simulate: Simulate, workers: int) -> tuple[float, float]:
    """Return the rate, and the calls of one replication; the first run is for compilers and caches."""
    clock = time.process_time if workers == 1 else time.perf_counter
    simulate(workers)
    replications = workers
    while True:
        began = clock()
        calls = simulate(replications)
        taken = clock() - began
        if taken >= LEAST_S:
            return calls / taken, calls / replications
        replications *= max(2, min(64, math.ceil(1.2 * LEAST_S / taken / workers)))


def measure() -> pd.DataFrame:
    """Return a row for each contender and size of fleet."""
    rows = []
    for agents in AGENTS:
        fleet = Fleet(agents, HOURS)
        for contender in contenders():
            if agents > contender.most_agents:
                continue
            rate, calls = calls_per_second(contender.prepare(fleet), contender.workers)
            row = {"tool": contender.name, "workers": contender.workers, "agents": agents}
            rows.append({**row, "calls_per_second": rate, "calls_per_replication": calls})
            print(
                f"{contender.name:22} {contender.workers} worker(s) {agents:5} agents {rate:12,.0f} calls/s"
            )
    return pd.DataFrame(rows)


def measure_seed_experiment() -> dict[str, float]:
    """Return calls a second on the seed experiment, with everything in, by engine and workers."""
    program = lower(load_scenario(SEED_EXPERIMENT).scenario)
    rates = {}
    for engine, workers in (("reference", 1), ("compiled", 1), ("compiled", 2)):
        simulate = partial(simbudget_fleet.simulate, program, engine=engine, workers=workers)
        rates[f"{engine}, {workers}"] = calls_per_second(lambda n, run=simulate: run(n), workers)[0]
    return rates


def table(data: pd.DataFrame) -> str:
    """Return the rates as a table, each with its ratio to plain SimPy's on one core at the same size."""
    plain = data[(data["tool"] == PLAIN) & (data["workers"] == 1)].set_index("agents")["calls_per_second"]
    lines = [
        "| model calls a second (times plain SimPy) | workers | "
        + " | ".join(f"{n:,} agents" for n in AGENTS)
    ]
    lines = [f"{lines[0]} |", "| --- " * (2 + len(AGENTS)) + "|"]
    for (tool, workers), rows in data.groupby(["tool", "workers"], sort=False):
        rates = rows.set_index("agents")["calls_per_second"]
        cells = [f"{rates[n]:,.0f} ({rates[n] / plain[n]:.2g}×)" if n in rates else "–" for n in AGENTS]
        lines.append(f"| {tool} | {workers} | {' | '.join(cells)} |")
    return "\n".join(lines)


def growth(data: pd.DataFrame) -> str:
    """Return how the cost of a call grows with the number of agents, and what a logarithm would allow."""
    ours = data[(data["tool"] == OURS) & (data["workers"] == 1)].set_index("agents")["calls_per_second"]
    cost_ns = 1e9 / ours
    few, many = AGENTS[0], AGENTS[-1]
    logs = pd.Series([math.log2(n) for n in AGENTS], index=AGENTS)
    slope_ns = float(cost_ns.cov(logs) / logs.var())
    return (
        f"A call costs {cost_ns[few]:,.0f} ns with {few} agents and {cost_ns[many]:,.0f} ns with {many:,}: "
        f"{cost_ns[many] / cost_ns[few]:.2f} times as much; growth with the logarithm of the number of agents would be "
        f"{math.log(many) / math.log(few):.2f} times. Fitted: {cost_ns.mean() - slope_ns * logs.mean():,.0f} ns "
        f"+ {slope_ns:,.0f} ns × log2(agents)."
    )


def basis(load: float) -> str:
    """Return what was measured on; `load` is how many processes wanted a core when it began."""
    packages = ("simbudget", "simpy", "numba", "cimba", "salabim", "ciw")
    versions = []
    for package in packages:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, {', '.join(versions)}; "
        f"all in one run, each measurement at least {LEAST_S:g} s: of processor time with 1 worker, of wall clock with "
        f"2. Fleets of {HOURS:g} hours as in peers/fleet.py. "
        f"When it began, {load:.1f} other processes wanted one of the {os.cpu_count()} cores"
        f"{': figures of 2 workers are too low' if load > 0.5 else ''}."
    )


def draw(data: pd.DataFrame, path: Path) -> None:
    """Write the picture: calls a second by fleet size, a line for each contender."""
    from simbudget.drawing import entitle, new_figure  # noqa: PLC0415

    figure, axes = new_figure(5.0)
    colours = ("#0072B2", "#56B4E9", "#555555", "#E69F00", "#009E73", "#CC79A7")
    for number, (tool, rows) in enumerate(data.groupby("tool", sort=False)):
        for workers, own in rows.groupby("workers"):
            style = {
                "ls": "-" if workers == 1 else "--",
                "marker": "osD^vx"[number],
                "color": colours[number],
            }
            label = f"{tool}, {workers} worker{'s' if workers > 1 else ''}"
            axes.plot(own["agents"], own["calls_per_second"], label=label, ms=4, **style)
    axes.set(xscale="log", yscale="log", xlabel="agents", ylabel="model calls a second")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    entitle(axes, "Model calls simulated in a second", f"{os.cpu_count()} cores, one run")
    figure.savefig(path, dpi=130, metadata={"Software": None})


def main() -> None:
    """Measure, and print a table; with --write also into fleets.md, .csv and .png."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    load = os.getloadavg()[0]
    data, seed = measure(), measure_seed_experiment()
    reference = seed["reference, 1"]
    seed_lines = [f"| {name} | {rate:,.0f} | {rate / reference:.0f} |" for name, rate in seed.items()]
    text = "\n".join(
        [
            "# Fleets\n",
            f"{basis(load)}\n",
            table(data),
            "\nA model call is three events: let through, answered, tool done. Peers keep no money, tokens or caches; "
            "what ciw cannot express is left out there (see peers/). – was not run: too slow.\n",
            f"{growth(data)}\n",
            "## The seed experiment, with everything in\n",
            "| engine, workers | model calls a second | times the reference engine |",
            "| --- | --- | --- |",
            *seed_lines,
        ]
    )
    print(text)
    if write:
        here = Path(__file__)
        here.with_suffix(".md").write_text(f"{text}\n")
        data.to_csv(here.with_suffix(".csv"), index=False, float_format="%.6g")
        draw(data, here.with_suffix(".png"))


if __name__ == "__main__":
    main()
