"""The seed experiment's findings beside its projection: on which percentile each falls, and what one run can settle.

    .venv/bin/python benchmarks/seed_findings.py [--write]

Writes benchmarks/seed-findings.md. The scenario's priors were assumed before the run and are not fitted to it.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from simbudget.engine import compiled
from simbudget.engine.lowering import lower
from simbudget.numbers import percent, usd
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import loads_scenario

HERE = Path(__file__).parent
SCENARIO = HERE.parent / "scenarios" / "aar-weak-to-strong.yaml"
REPLICATIONS = 2000
TRACED = 200

EVIDENCE = {
    "none: the priors alone": "",
    "this run: the winner held on code, not in production; 4 of 4 hacks caught": (
        "evidence: {gates: {held-out: 1 of 1, production: 0 of 1}, caught: 4 of 4}"
    ),
    "ten winners: four hold on code, one in production": "evidence: {gates: {held-out: 4 of 10, production: 1 of 10}}",
}


def gate_outcomes() -> pd.DataFrame:
    """Return the best finalist's measured effect at each gate in traced replications, one row each."""
    program = lower(loads_scenario(SCENARIO.read_text()).scenario)
    rows = []
    for world in range(TRACED):
        ledger = compiled.simulate(program, 1, world).ledger
        assert ledger is not None
        gates = ledger[ledger["kind"] == "gate"]
        scores = ledger[(ledger["kind"] == "score") & ledger["score"].notna()]
        best = gates.groupby("turn").first()["score"]
        if len(best) == len(program.gates) and len(scores):
            rows.append({"held_out": best.iloc[0], "production": best.iloc[1]})
    return pd.DataFrame(rows)


def findings() -> list[str]:
    """Return the table of findings: published, p5, p50, p95, and the percentile of the published figure."""
    frame = project(
        loads_scenario(SCENARIO.read_text()).scenario, Options(replications=REPLICATIONS)
    ).replications
    gates = gate_outcomes()
    agents = frame["spend_tokens_usd"] + frame["spend_gpu_usd"]
    lines = [
        "| finding | published | p5 | p50 | p95 | percentile of the published figure |",
        "| --- | --- | --- | --- | --- | --- |",
        _row("tokens and training compute", 18_000, agents, usd),
        _row("best measured score", 0.97, frame["best_measured_score"], _score),
        _row("second-best method's score", 0.75, frame["second_measured_score"], _score),
        _row("effect measured at the held-out domain code", 0.47, gates["held_out"], _score),
    ]
    all_caught = float((frame["hacks_missed"] == 0).mean())
    four = float((frame["hacks_made"] <= 4).mean())
    none = float((gates["production"] < 0.05).mean())
    return [
        *lines,
        "",
        f"- No significant effect of the winner in production: probability {percent(none)}.",
        f"- Four hacks: at most four are made with probability {percent(four)}; that all are caught, be there any or "
        f"none, has probability {percent(all_caught)}. Review looks at new leaders only, so others go unseen.",
    ]


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _row(name: str, published: float, values: "pd.Series[float]", show) -> str:  # type: ignore[no-untyped-def]
    known = values.dropna()
    quantiles = " | ".join(show(float(value)) for value in np.quantile(known, [0.05, 0.5, 0.95]))
    return f"| {name} | {show(published)} | {quantiles} | {float((known < published).mean()) * 100:.0f} |"


def settled() -> list[str]:
    """Return the table of what a result costs world by world, after one run's evidence and after more."""
    lines = [
        "| evidence | estimate | world by world, p10 | p50 | p90 | p90 ÷ p10 |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, evidence in EVIDENCE.items():
        loaded = loads_scenario(f"{SCENARIO.read_text()}\n{evidence}\n")
        research = project(loaded.scenario, Options(replications=REPLICATIONS)).as_json()["research"]
        price = research["cost_per_transferable_result_usd"]
        worlds = price["by_world"]
        ratio = worlds["p90"] / worlds["p10"] if worlds["p90"] else float("inf")
        figures = [price["estimate"], worlds["p10"], worlds["p50"], worlds["p90"]]
        lines.append(f"| {name} | {' | '.join(map(usd, figures))} | {ratio:.1f} |")
    return lines


def main() -> None:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    text = "\n".join(
        [
            "# The seed experiment's findings beside its projection",
            "",
            f"{REPLICATIONS:,} replications (seed 1), gates from {TRACED} traced ones; scenarios/{SCENARIO.name}.",
            "",
            *findings(),
            "",
            "## What one run's evidence settles",
            "",
            *settled(),
            "",
        ]
    )
    if arguments.write:
        (HERE / "seed-findings.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
