"""How honest `watch` is: real logs cut at 25, 50 and 75 % of their time, projected on, beside a straight line.

Two kinds of runs, each watched with one scenario whose ranges were written down beforehand and fit none of them:
sessions of coding agents (calls, tokens and cost of each; times in which a person was waited for or nothing happened
for ten minutes are taken out), and campaigns of experiments (how many there are at the end). The straight line takes
what was done so far times whole over elapsed time; its interval is a Poisson one, as of events that come at one rate.

Usage: python benchmarks/watch.py DATA [--write]
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from simbudget.errors import UserError
from simbudget.forecast.run_state import run_state_of
from simbudget.forecast.watch import Watching, watch
from simbudget.ledger.imported import ImportedLedger
from simbudget.ledger.readers import read_logs
from simbudget.scenario.loading import LoadedScenario, loads_scenario

CUTS = (0.25, 0.5, 0.75)
PAUSE_S = 600.0
HERE = Path(__file__).parent
FEWEST_CALLS, FEWEST_EXPERIMENTS = 40, 25
MOST_OF_A_SOURCE = 8
MOST_HOURS = 150.0
RUNS = {"session": 300, "campaign": 120}

SESSION = """
fleet: [{{agents: 1, model: claude-opus-4-6}}]
cycle: [{{think: {{turns: 100000}}}}]
turn:
  output_tokens: {{typical: 100 to 1500, varies: 4x}}
  tool_result_tokens: {{typical: 300 to 5000, varies: 6x}}
  tool_time: {{typical: 0.5 s to 60 s, varies: 10x}}
context: {{first_prompt_tokens: 18000, limit_tokens: 165000, compacted_to_tokens: 20000, lasts: life, cache: 5 min}}
models:
  claude-opus-4-6:
    first_token: {{typical: 1 s to 12 s, varies: 2x}}
    output_speed: {{unknown: 20 to 150 tokens/s}}
stop: {{after: {hours:.6f} h}}
"""
CAMPAIGN = """
fleet: [{{agents: {agents}, model: claude-opus-4-6}}]
cycle:
  - think: {{turns: {{typical: 5 to 60, varies: 3x}}}}
  - experiment: {{gpus: 1, time: {{typical: 20 s to 60 min, varies: 3x}}, fails: {{unknown: 2% to 30%}}}}
turn: {{output_tokens: 500, tool_result_tokens: 500, tool_time: {{typical: 1 s to 60 s, varies: 4x}}}}
gpus: {{count: {gpus}, price: 3 $/h}}
stop: {{after: {hours:.6f} h}}
"""

SESSIONS = (
    "entireio-cli",
    "dhruv-parameter-golf-pi",
    "agentv-codex",
    "open-hai",
    "nimbus-opencode",
    "superpowers-f4",
)
CAMPAIGNS = ("auto-research-recipes", "pi-autoresearch", "results-tsv", "hilo-parameter-golf")


def only(ledger: ImportedLedger, run: int) -> ImportedLedger:
    """Return one run of a ledger."""
    return ImportedLedger(
        ledger.entries[ledger.entries["run"] == run], ledger.runs[ledger.runs["run"] == run]
    )


def without_pauses(ledger: ImportedLedger) -> ImportedLedger:
    """Return one session whose waits for people, and gaps of ten minutes and more, are taken out."""
    entries = ledger.entries[ledger.entries["kind"].astype(str) != "wait"].sort_values("started_s")
    start = entries["started_s"].to_numpy(np.float64)
    end = np.maximum.accumulate(start + np.nan_to_num(entries["duration_s"].to_numpy(np.float64)))
    gap = np.maximum(0.0, start[1:] - end[:-1])
    out = np.concatenate([[0.0], np.where(gap > PAUSE_S, gap, 0.0)]).cumsum()
    return replace(ledger, entries=entries.assign(started_s=start - out - start[0]))


def runs(data: Path) -> Iterator[tuple[str, str, ImportedLedger]]:
    """Yield the runs that are watched: kind, source, ledger."""
    for kind, sources in (("session", SESSIONS), ("campaign", CAMPAIGNS)):
        for source in sources:
            try:
                ledger = read_logs([data / source])
            except UserError as error:
                print(f"{source}: {error}", file=sys.stderr)
                continue
            what = "call" if kind == "session" else "experiment"
            counts = ledger.entries[ledger.entries["kind"].astype(str) == what].groupby("run").size()
            fewest = FEWEST_CALLS if kind == "session" else FEWEST_EXPERIMENTS
            chosen = counts[counts >= fewest].index
            chosen = (
                chosen[np.unique(np.linspace(0, len(chosen) - 1, MOST_OF_A_SOURCE).astype(int))]
                if len(chosen)
                else []
            )
            for run in chosen:
                alone = only(ledger, int(run))
                yield kind, source, without_pauses(alone) if kind == "session" else alone


def scenario_of(kind: str, ledger: ImportedLedger, hours: float) -> LoadedScenario:
    """Return the scenario that a run is watched with."""
    if kind == "session":
        return loads_scenario(SESSION.format(hours=hours))
    agents = max(1, ledger.entries.loc[ledger.entries["agent"] >= 0, "agent"].nunique())
    return loads_scenario(CAMPAIGN.format(hours=hours, agents=agents, gpus=agents))


def cases(data: Path) -> pd.DataFrame:
    """Return a row for each run, cut and figure."""
    rows = []
    for kind, source, ledger in runs(data):
        try:
            whole = run_state_of(ledger)
        except UserError:  # a log without times
            continue
        hours = whole.elapsed_s / 3600.0
        if not 0.05 <= hours <= MOST_HOURS:
            continue
        loaded = scenario_of(kind, ledger, hours)
        print(f"{source}: {hours:.1f} h", file=sys.stderr)
        names = ("experiments",) if kind == "campaign" else ("model_calls", "tokens_cache_read", "spend_usd")
        if "--write" in sys.argv:
            pd.DataFrame(rows).to_csv(
                HERE / "watch.csv", index=False, float_format="%.6g", lineterminator="\n"
            )
        for cut in CUTS:
            try:
                state = run_state_of(ledger, cut * whole.elapsed_s)
                outlook = watch(loaded, state, Watching(runs=RUNS[kind]))
            except UserError:
                continue
            for name in names:
                key = "spend_tokens_usd" if name == "spend_usd" else name
                truth, seen = whole.so_far.get(key), state.so_far.get(key)
                if truth is None or seen is None or seen <= 0 or name not in outlook.samples:
                    continue
                p10, p50, p90 = np.quantile(outlook.samples[name], (0.1, 0.5, 0.9))
                per = seen / max(
                    1.0, state.so_far.get("experiments", 0) or state.so_far.get("model_calls", 1)
                )
                events = seen / per
                rest = events * (1 - cut) / cut
                spread = 1.2816 * np.sqrt(rest) * per
                line = seen / cut
                rows.append(
                    {
                        "kind": kind,
                        "source": source,
                        "cut": cut,
                        "figure": name,
                        "truth": truth,
                        "seen": seen,
                        "p10": p10,
                        "p50": p50,
                        "p90": p90,
                        "line": line,
                        "line_low": line - spread,
                        "line_high": line + spread,
                        "surprise": outlook.surprise,
                    }
                )
    return pd.DataFrame(rows)


def table(found: pd.DataFrame) -> pd.DataFrame:
    """Return errors, widths and coverage by kind of run, figure and cut."""
    rest = found["truth"]
    found = found.assign(
        error=(found["p50"] - rest).abs() / rest,
        line_error=(found["line"] - rest).abs() / rest,
        covers=(found["truth"] >= found["p10"]) & (found["truth"] <= found["p90"]),
        line_covers=(found["truth"] >= found["line_low"]) & (found["truth"] <= found["line_high"]),
        width=(found["p90"] - found["p10"]) / rest,
    )
    return found.groupby(["kind", "figure", "cut"]).agg(
        runs=("truth", "size"),
        error=("error", "median"),
        line_error=("line_error", "median"),
        width=("width", "median"),
        covers=("covers", "mean"),
        line_covers=("line_covers", "mean"),
    )


def as_markdown(found: pd.DataFrame) -> str:
    """Return the table as Markdown."""
    lines = [
        "| runs | figure | cut at | n | median error | straight line | 80 % interval's width "
        "| holds the truth | straight line's |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (kind, figure, cut), row in table(found).iterrows():
        lines.append(
            f"| {kind}s | {figure.replace('_', ' ')} | {cut:.0%} | {row.runs:.0f} "
            f"| {row.error:.0%} | {row.line_error:.0%} "
            f"| {row.width:.0%} | {row.covers:.0%} | {row.line_covers:.0%} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    result = cases(Path(sys.argv[1]))
    text = as_markdown(result)
    print(text)
    if "--write" in sys.argv:
        (HERE / "watch.md").write_text(f"{text}\n", encoding="utf-8")
        result.to_csv(HERE / "watch.csv", index=False, float_format="%.6g", lineterminator="\n")
        page = HERE.parent / "docs" / "watch.md"
        before, mark, after = page.read_text(encoding="utf-8").partition("<!-- benchmark -->\n")
        page.write_text(before + mark + text + "\n" + after[after.find("<!-- end -->") :], encoding="utf-8")
