"""The reference profiles: fitted to runs of real agents, and how well each forecasts a group that was left out.

`python -m benchmarks.reference_profiles [--data FOLDER] --write`, or `make profiles`; `--score` leaves each group
(a project or repository) out in turn and forecasts its runs, beside the empirical distribution of the same phase, and
what each project's turns are from the turns of the other projects. `--turns` leaves runs as they are.
"""

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.calibration.observed.observations import FLOORS, observe
from simbudget.calibration.observed.sessions import Session, sessions_of
from simbudget.calibration.posteriors.durations import level_of
from simbudget.calibration.posteriors.pooling import log_of
from simbudget.calibration.scenarios.session_fits import fit_sessions
from simbudget.calibration.scenarios.wording import written_varying
from simbudget.distributions.posteriors import Posterior
from simbudget.forecast.hierarchy import Hierarchy, fit_hierarchy
from simbudget.forecast.profiles import FILE, MODEL, PHASE, Profile, written
from simbudget.forecast.whole_runs import run_totals
from simbudget.ledger.readers import read_logs
from simbudget.scenario.context import FILE as TURN_FILE
from simbudget.scenario.context import TurnProfile, written_profile
from simbudget.units import Dimension

Floats = npt.NDArray[np.float64]

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data" / "raw"
TARGET = ROOT / "simbudget" / "forecast" / FILE
SHIPPED = 160
"""Draws of each posterior: the error of a p90 is then a seventh of the scatter."""
QUANTITIES = ("cost_usd", "input_tokens", "output_tokens", "calls", "wall_time_s")
AGENTS = {
    "claude-code": (
        "entireio-cli",
        "pup-mcp",
        "agentv-claude",
        "superpowers-f4",
        "blackgirlbytes-token-costs",
    ),
    "codex": ("agentv-codex",),
    "opencode": ("nimbus-opencode",),
    "autoresearch": ("dhruv-parameter-golf-pi",),
}
"""Sessions of coding agents, by client; each folder is a project."""
ABOUT = {
    "claude-code": "Claude Code sessions in software projects, attended by people",
    "codex": "Codex sessions in a software project",
    "opencode": "OpenCode sessions in a software project",
    "autoresearch": "sessions of one autoresearch campaign (Pi)",
}


TURN_TARGET = ROOT / "simbudget" / "scenario" / TURN_FILE
TURNS = {
    "claude-code": "Claude Code in software projects",
    "codex": "Codex in a software project",
    "opencode": "OpenCode in a software project",
    "autoresearch": "Pi in an autoresearch campaign",
    "managed-agents": "managed agents that reproduce papers",
}
TURN_FOLDERS = AGENTS | {"managed-agents": ("open-hai",)}
LICENCES = {
    "claude-code": "MIT and others: aggregates",
    "codex": "MIT",
    "opencode": "none stated: aggregates",
    "autoresearch": "MIT",
    "managed-agents": "none stated: aggregates",
}
KEYS = {
    "output": "output_tokens",
    "tool_result": "tool_result_tokens",
    "tool_time": "tool_time",
}
SPLITS, TOGETHER = 16, 20
"""Number of splits, each leaving out half of the repositories, and number of runs whose total is forecast."""
RESAMPLES = 2000
DRAWS_EACH = 16
"""Draws of a run for each draw of the posterior, so that quantiles do not move by chance."""
MOST_APART = 3.0
"""A project is not beyond e^3 times what was seen: between two of the nine times differ by a factor of 500."""


def main() -> None:
    """Fit, score, and print or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--write", action="store_true", help="write the profiles that ship")
    parser.add_argument("--score", action="store_true", help="leave each group out in turn, and score")
    parser.add_argument("--turns", action="store_true", help="only the profiles of turns")
    arguments = parser.parse_args()
    projects = _projects(arguments.data)
    if arguments.score:
        _score_turns(projects)
    if arguments.write:
        turns = {name: written_profile(_turn_profile(name, projects), SHIPPED) for name in TURNS}
        TURN_TARGET.write_text(json.dumps(turns, separators=(",", ":")) + "\n", encoding="utf-8")
        print(f"{TURN_TARGET.relative_to(ROOT)}: {TURN_TARGET.stat().st_size / 1e3:.0f} kB")
    if arguments.turns:
        return
    tables = {**_research_agents(arguments.data), **_sessions(arguments.data)}
    if arguments.score:
        for name, runs in tables.items():
            for quantity in QUANTITIES:
                _score(name, quantity, runs)
                _score_totals(name, quantity, runs)
    if arguments.write:
        found = {name: written(_profile(name, runs), SHIPPED) for name, runs in tables.items()}
        TARGET.write_text(json.dumps(found, separators=(",", ":")) + "\n", encoding="utf-8")
        print(f"{TARGET.relative_to(ROOT)}: {len(found)} profiles, {TARGET.stat().st_size / 1e3:.0f} kB")


def _research_agents(data: Path) -> dict[str, pd.DataFrame]:
    """Return the runs of autonomous research agents, by tool."""
    runs = pd.read_csv(data / "research-agents" / "runs.csv")
    classes = ["uncached", "cache_write_5m", "cache_write_1h", "cache_read"]
    runs["input_tokens"] = runs[classes].sum(axis=1)
    runs = runs[runs["input_tokens"] > 0]  # some runs are a "success" without a token
    runs["model"] = [re.sub(r"\[1m\]|-\d{8}", "", str(model)) for model in runs["main_model"]]
    runs = runs.drop(columns="calls").rename(
        columns={"output": "output_tokens", "turns": "calls", "duration_s": "wall_time_s"}
    )
    columns = [*QUANTITIES, PHASE, MODEL, "group", "date"]
    found = {}
    for tool, of_tool in runs.groupby("tool"):
        name = "research-agents" if tool == "claude" else f"research-agents-{tool}"
        table = of_tool[columns].copy()
        if tool != "claude":  # one turn is recorded for the whole run, and no time or cost
            table[["calls", "cost_usd"]] = np.nan
        found[name] = table
    return found


def _sessions(data: Path) -> dict[str, pd.DataFrame]:
    found = {}
    for name, folders in AGENTS.items():
        tables = []
        for folder in folders:
            ledger = read_logs([data / folder])
            totals = run_totals(ledger)
            dated = totals["began_at"].dt.strftime("%Y-%m").fillna("")
            tables.append(
                totals.assign(group=folder, date=dated, model="", phase="")[[*QUANTITIES, "group", "date"]]
            )
        found[name] = pd.concat(tables, ignore_index=True)
    return found


def _fitted(runs: pd.DataFrame, quantity: str) -> Hierarchy | None:
    known = runs[(runs[quantity] > 0) & np.isfinite(runs[quantity].astype(float))]
    if len(known) < 4:
        return None
    labels = {label: known[label].astype(str).tolist() for label in (PHASE, MODEL) if label in known}
    totals = known[quantity].to_numpy(np.float64)
    return fit_hierarchy(totals, labels, known["group"].astype(str).tolist(), np.random.default_rng(1))


def _profile(name: str, runs: pd.DataFrame) -> Profile:
    quantities = {q: one for q in QUANTITIES if (one := _fitted(runs, q)) is not None}
    dates = sorted(str(date).strip("~")[:7] for date in runs["date"] if str(date) not in {"", "nan"})
    research = name.startswith("research-agents")
    about = ABOUT.get(name, "autonomous research agents: an idea's resources, experiments and paper")
    source = (
        "public repositories, no licence stated: aggregates only" if research else ", ".join(AGENTS[name])
    )
    return Profile(
        name=name,
        about=about,
        source=source,
        dates=f"{dates[0]} to {dates[-1]}" if dates else "",
        runs=len(runs),
        groups=runs["group"].nunique(),
        phases=_counts(runs, PHASE),
        models=_counts(runs, MODEL),
        quantities=quantities,
    )


def _counts(runs: pd.DataFrame, label: str) -> dict[str, int]:
    return {str(k): int(v) for k, v in runs[label].value_counts().items()} if label in runs else {}


def _score(name: str, quantity: str, runs: pd.DataFrame) -> None:
    """Print raw coverage and CRPS of runs whose group was left out, by phase and in all."""
    known = runs[runs[quantity] > 0]
    if len(known) < 10 or known["group"].nunique() < 3:
        return
    rows = []
    for group in known["group"].unique():
        others, own = known[known["group"] != group], known[known["group"] == group]
        fitted = _fitted(others, quantity)
        if fitted is None:
            continue
        for row in own.to_dict("records"):
            labels = {label: str(row[label]) for label in (PHASE, MODEL) if label in row}
            draws = fitted.draws(labels, DRAWS_EACH, np.random.default_rng(2)).ravel()
            like = others[others[PHASE] == row[PHASE]] if PHASE in others else others
            rows.append(_case(group, labels.get(PHASE, ""), draws, like[quantity], float(row[quantity])))
    cases = pd.DataFrame(rows)
    phases = [phase for phase, count in cases["phase"].value_counts().items() if count >= 10]
    for phase in phases if len(phases) > 1 else []:
        print(f"{name:24} {quantity:14} {_summary(cases[cases['phase'] == phase])}, {phase}")
    print(f"{name:24} {quantity:14} {_summary(cases)}", flush=True)


def _score_totals(name: str, quantity: str, runs: pd.DataFrame) -> None:
    """Print how totals of new runs, of repositories that were left out, were forecast."""
    known = runs[runs[quantity] > 0]
    groups = known["group"].unique()
    if PHASE not in known:
        return
    rows = []
    for split in range(SPLITS):
        rng = np.random.default_rng(split)
        left_out = known["group"].isin(rng.permutation(groups)[: len(groups) // 2])
        fitted = _fitted(known[~left_out], quantity)
        if fitted is None or left_out.sum() < TOGETHER:
            continue
        new = known[left_out].sample(TOGETHER, random_state=rng)
        ours, empirical = np.zeros(len(fitted.level)), np.zeros(len(fitted.level))
        for _, of_group in new.groupby("group"):
            parts = [{PHASE: str(row[PHASE]), MODEL: str(row[MODEL])} for row in of_group.to_dict("records")]
            ours += fitted.draws_of_ideas(parts, 1, rng).sum(axis=1)
            for part in parts:
                like = known[~left_out & (known[PHASE] == part[PHASE])][quantity].to_numpy(np.float64)
                empirical += rng.choice(like, len(empirical)) if len(like) else 0.0
        rows.append(_case(str(split), "", ours, empirical, float(new[quantity].sum())))
    if rows:
        print(f"{name:24} {quantity:14} totals of {TOGETHER}: {_summary(pd.DataFrame(rows))}", flush=True)


def _case(group: str, phase: str, draws: Floats, like: Any, truth: float) -> dict[str, Any]:
    """Return how a truth was forecast, and how by the empirical distribution, if it has any value."""
    low, high = np.quantile(draws, (0.1, 0.9))
    empirical = np.asarray(like, dtype=np.float64)
    return {
        "group": group,
        "phase": phase,
        "held": low <= truth <= high,
        "crps": _crps(draws, truth),
        "empirical": _crps(empirical, truth) if len(empirical) > 1 else np.nan,
    }


def _summary(cases: pd.DataFrame) -> str:
    """Return coverage and CRPS, each with 90 % of a bootstrap over groups; a group counts once, whatever its size."""
    means = cases.groupby("group")[["held", "crps", "empirical"]].mean()
    both = means.dropna().to_numpy(np.float64)
    held, rng = means["held"].to_numpy(np.float64), np.random.default_rng(3)
    of_held = np.quantile(rng.choice(held, (RESAMPLES, len(held))).mean(axis=1), (0.05, 0.95))
    drawn = both[rng.integers(len(both), size=(RESAMPLES, len(both)))].sum(axis=1)
    of_ratio = np.quantile(drawn[:, 1] / drawn[:, 2], (0.05, 0.95))
    ratio = both[:, 1].sum() / both[:, 2].sum()
    return (
        f"{len(cases):4} cases: held {held.mean():.0%} ({of_held[0]:.0%} to {of_held[1]:.0%}), CRPS "
        f"{ratio:.2f} ({of_ratio[0]:.2f} to {of_ratio[1]:.2f}) of the empirical distribution's"
    )


def _crps(sample: Any, truth: float) -> float:
    values = np.sort(sample[np.isfinite(sample)])
    count = len(values)
    if not count:
        return float("nan")
    ranks = 2 * np.arange(1, count + 1) - count - 1
    return float(np.abs(values - truth).mean() - (ranks * values).sum() / count**2)


def _projects(data: Path) -> dict[str, list[Session]]:
    """Return the sessions of each project, by folder."""
    folders = dict.fromkeys(folder for name in TURNS for folder in TURN_FOLDERS[name])
    return {folder: sessions_of(read_logs([data / folder])) for folder in folders}


def _level(quantity: str, sessions: Sequence[Session]) -> float | None:
    """Return a project's level of a quantity: of times the logarithm of the mean, else the mean of logarithms."""
    knowing = [session for session in sessions if session.knows_output]
    seen = observe(knowing if quantity == "output" else sessions).values[quantity]
    values = np.concatenate(seen) if seen else np.zeros(0)
    if len(values) < 3 or not values.max() > 0:
        return None
    return level_of(values) if quantity == "tool_time" else float(log_of(values, FLOORS[quantity]).mean())


def _levels(quantity: str, projects: dict[str, list[Session]]) -> dict[str, float]:
    found = {name: _level(quantity, sessions) for name, sessions in projects.items()}
    return {name: level for name, level in found.items() if level is not None}


def _spread_of(levels: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Return draws of the standard deviation between projects: scaled inverse chi-squared."""
    freedom = len(levels) - 1
    return np.asarray(levels.std(ddof=1) * np.sqrt(freedom / rng.chisquare(freedom, draws)))


def _turn_profile(name: str, projects: dict[str, list[Session]]) -> TurnProfile:
    """Return the posterior of a turn in a project that nobody has seen.

    What varies within a session, and between sessions, is as in a calibration on all sessions of the profile. Its
    location is that of the mean project, apart from it as far as all projects differ, whatever their client.
    """
    mine = {folder: projects[folder] for folder in TURN_FOLDERS[name]}
    sessions = [session for own in mine.values() for session in own]
    knowing = [session for session in sessions if session.knows_output]
    rng = np.random.default_rng(1)
    fits = {fit.name: fit for fit in fit_sessions(sessions, (), SHIPPED, people=False, rng=rng)}
    outputs = {fit.name: fit for fit in fit_sessions(knowing, (), SHIPPED, people=False, rng=rng)}
    fits |= {key: outputs[key] for key in ("turn.output_tokens", "turn.thinking_tokens") if key in outputs}
    quantities = {}
    for quantity, key in KEYS.items():
        fit = fits.get(f"turn.{key}")
        if fit is None or fit.quantity is None:
            continue
        levels = _levels(quantity, mine)
        apart = _spread_of(np.array(list(_levels(quantity, projects).values())), SHIPPED, rng)
        whole = _level(quantity, sessions)
        assert whole is not None
        step = np.clip(apart * rng.standard_normal(SHIPPED), -MOST_APART, MOST_APART)
        step += float(np.mean(list(levels.values()))) - whole
        if quantity == "tool_result" and len(knowing) < len(sessions):
            step += np.log(1 - _joined(knowing))  # of other sessions all that joined the context was seen
        moved = fit.quantity.posterior.draws + np.column_stack([step, np.zeros((SHIPPED, 2))])
        dimension = Dimension.DURATION if quantity == "tool_time" else Dimension.NUMBER
        posterior = Posterior(moved, fit.quantity.posterior.shape)
        quantities[key] = replace(
            fit.quantity, posterior=posterior, written=written_varying(posterior, dimension)
        )
    for key in ("thinking_tokens", "opening.times", "opening.turns"):  # too few projects say how these differ
        fit = fits.get(f"turn.{key}")
        if fit is not None and fit.quantity is not None:
            quantities[key] = fit.quantity
    days = sorted(session.ended for session in sessions if session.ended)
    dates = f"{days[0][:7]} to {days[-1][:7]}" if days else ""
    source = ", ".join(mine)
    return TurnProfile(name, TURNS[name], source, LICENCES[name], dates, len(mine), len(sessions), quantities)


def _joined(sessions: Sequence[Session]) -> float:
    """Return which part of what joined contexts was output."""
    seen = observe(sessions)
    output, results = (sum(float(v.sum()) for v in seen.values[name]) for name in ("output", "tool_result"))
    return output / (output + results)


def _score_turns(projects: dict[str, list[Session]]) -> None:
    """Print how often the 80 % interval of other projects' turns held a project's own level."""
    for quantity in KEYS:
        levels = _levels(quantity, projects)
        held = []
        for folder, level in levels.items():
            others = np.array([other for name, other in levels.items() if name != folder])
            rng = np.random.default_rng(2)
            apart = _spread_of(others, 4000, rng) * rng.standard_normal(4000)
            low, high = np.quantile(others.mean() + np.clip(apart, -MOST_APART, MOST_APART), (0.1, 0.9))
            held.append(low <= level <= high)
        print(f"turns: {quantity:14} {len(held)} projects: held {np.mean(held):.0%}", flush=True)


if __name__ == "__main__":
    main()
