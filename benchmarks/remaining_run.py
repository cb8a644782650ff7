"""How near forecasts of remaining runs come to what a session's beginning can tell: raw coverage, sources of error.

Every session of 15 calls or more is cut after a fifth of its calls; how many remain is given. It is forecast twice:
with other sessions of its project at hand (those outside its tenth), and with its project left out whole, so that only
other people's sessions are known. Then the simulator is given the truth of one part at a time (which calls follow a
pause that outlasts the cache; how much joins the context; where it is compacted; …): what an error falls to shows how
much of it is due to that part. No interval is stretched here.

Usage: python -m benchmarks.remaining_run [--data FOLDER] [--draws 300] [--write]
"""

import argparse
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.track_record import BUILT_ON, CAMPAIGNS, CUT, DATA, HELD_OUT
from simbudget.calibration.observed.caches import cache_life
from simbudget.calibration.observed.sessions import Session, sessions_of
from simbudget.calibration.observed.totals import truths
from simbudget.forecast.backtest import FEWEST_CALLS, FEWEST_KNOWN
from simbudget.forecast.cases import KNOWN_RUNS, Case, known_runs, naive_rest
from simbudget.forecast.past_runs import Library, settled_growth
from simbudget.forecast.remaining_run import Horizon, Known, remaining_session, simulated_run
from simbudget.forecast.scores import log_crps, score
from simbudget.ledger.readers import read_logs
from simbudget.numbers import percent
from simbudget.scenario.context import CACHE_LIFE_S

Floats = npt.NDArray[np.float64]

HERE: Final = Path(__file__).parent
QUANTITIES: Final = {
    "input_tokens": "input tokens",
    "new_input_tokens": "new input tokens",
    "cost_usd": "cost",
    "active_time_s": "active time",
}
KINDS: Final = {
    "claude-code": "Claude Code",
    "codex": "Codex",
    "opencode": "OpenCode",
    "pi": "Pi",
    "managed-agents": "managed agents",
    "usage-lines": "usage lines",
}
FOLDS: Final = 10
OWN, LEFT_OUT = "other sessions of the project known", "project left out"
AS_FORECAST, SIMULATOR = "as forecast", "simulator alone"
TRUTHS: Final = {
    "pauses": "which calls follow a pause beyond the cache's life",
    "number of pauses": "how many calls do, not which",
    "caches": "what share of its context each call misses in the cache",
    "growth": "mean tokens that join the context in a turn",
    "compactions": "when and to what the context is compacted",
    "contexts": "the context of each call",
    "contexts, pauses": "the context of each call and the pauses",
    "output": "all output tokens together",
}
TIMES: Final = {
    "model time": "model time",
    "gaps": "all gaps between calls together",
    "longest gap": "the longest gap, as a lower bound",
}
INPUT_PARTS: Final = (AS_FORECAST, SIMULATOR, "growth", "compactions")
TIME_PARTS: Final = (AS_FORECAST, SIMULATOR, *TIMES)
METHODS: Final = {
    "straight_line": "line",
    "bootstrap": "bootstrap",
    "known_runs": "known runs",
    "last_calls": "last calls",
}
RESAMPLES: Final = 1000
INTRODUCTION: Final = """# Remaining runs: accuracy and sources of error

Sessions of 15 calls or more, cut after a fifth of their calls; the number of remaining calls is given. Made by
`python -m benchmarks.remaining_run --write`; no interval is stretched.

- *Median error*: of the median forecast, as a share of the truth; in brackets 90 % of a bootstrap over sessions.
- *CRPS*: mean over sessions of the CRPS of the logarithm, so that long and short sessions count alike.
- *Simple methods*: a straight line through the mean call so far, a lognormal bootstrap of these calls, the mean
  remaining call of other sessions resampled (known runs), and the mean of the last quarter of the calls so far
  (last calls).
- *Below the best of them*: by which share the CRPS is below that of the best simple method, chosen afterwards.

Costs of most Claude Code sessions are those of input only, since their logs hold placeholders for output counts.
"""
LEFT_OUT_WORDS: Final = """Only sessions of other projects and the same agent are known. Where there are none, as for
Codex, OpenCode, Pi, managed agents and usage lines, the forecast rests on the session's beginning, its pace and on what
is usual, and known runs say nothing. How often intervals hold then depends on how unusual the agent is: what is unknown
of it is the same for all of its sessions, so that the mean over agents counts.
"""
SOURCES_WORDS: Final = """Median error if the simulator, without the regression it is pooled with, is given the truth
of one part; other sessions of the project are known.
"""
LEARNERS_WORDS: Final = """Can a more flexible learner predict better? Each is given the forecast's own median and 22
features of the beginning: calls, context, growth, pauses, waits for people, gaps, hour of the day, weekday, duration,
cost so far, cache life and model. It predicts what the forecast missed, in tenfold cross-validation over sessions.
Median error of the corrected forecast, and mean absolute error of its logarithm:
"""
FLOOR_WORDS: Final = """No learner corrects the cost or the active time of Claude Code sessions, or the cost of OpenCode
sessions or of usage lines, beyond chance. A random forest's mean error is a sixth lower for OpenCode's input tokens, of
47 sessions. So what remains is, as far as these logs and learners show, not in the beginning of a session, and the
median errors of the first table are about the floor:

- Claude Code, cost: the number of pauses that outlast the cache. More than half of the remaining runs have none, one in
  ten has four or more; once the number is known, the error falls by more than a quarter, to 13 %. Where in the run they
  come hardly matters.
- Claude Code, active time: gaps between calls, of which the longest is a large part; with their sum it falls to 8 %.
- OpenCode: how much joins the context in a turn (input tokens: 9 % once that is known), and how often the provider's
  cache is missed (cost: 19 %).
- Usage lines: how much the remaining calls put out (cost: 8 %).
- Eight Codex, four Pi and two managed sessions are too few to say: intervals that held 62 % of eight hold 38 to 88 %.
"""
WEIGHTS_WORDS: Final = """Mean CRPS of the logarithm for different weights of the regression, without the pace so far:
the shipped weights, equal ones, those learnt from all other projects, those learnt from the other nine tenths of the
project's sessions, and those that would have been best. For tokens and cost learning weights from a project's past
gains nothing; for the active time of usage lines it gains 6 % and for the wall time of OpenCode 3 %, of 50 and 47
sessions. Equal weights are worse by a tenth for what Claude Code sends, and as good elsewhere.
"""


@dataclass(frozen=True)
class Cut:
    """A session cut in two, and the sessions that its forecast may learn from."""

    session: Session
    first: int
    library: Library
    learnt_from: str

    @property
    def begun(self) -> Session:
        """Return the calls so far."""
        return self.session.part(0, self.first)

    @property
    def left(self) -> int:
        """Return the number of remaining calls."""
        return len(self.session) - self.first


def cuts(sessions: Sequence[Session]) -> Iterator[Cut]:
    """Yield each session that is long enough twice: with its own project known, and without."""
    long = [session for session in sessions if len(session) >= FEWEST_CALLS]
    fold = {id(session): number % FOLDS for number, session in enumerate(sessions)}
    known: dict[tuple[str, int], Library] = {}
    for session in long:
        first = min(max(FEWEST_KNOWN, int(np.ceil(CUT * len(session)))), len(session) - 1)
        mine = fold[id(session)]
        if (OWN, mine) not in known:
            known[OWN, mine] = Library([other for other in sessions if fold[id(other)] != mine])
        if (session.project, -1) not in known:
            known[session.project, -1] = Library([o for o in sessions if o.project != session.project])
        yield Cut(session, first, known[OWN, mine], OWN)
        yield Cut(session, first, known[session.project, -1], LEFT_OUT)


def truth_of(cut: Cut, part: str, draws: int) -> Known:
    """Return the truth of one part of the remaining run."""
    session, first = cut.session, cut.first
    contexts, outputs = session.context[first:], session.output[first:]
    compactions = np.where(session.compacts[first - 1 :], contexts, np.nan)
    truths: dict[str, Callable[[], Known]] = {
        "pauses": lambda: Known(pauses=_pauses(cut)),
        "number of pauses": lambda: Known(
            pauses=np.random.default_rng([3, session.run]).permuted(np.tile(_pauses(cut), (draws, 1)), axis=1)
        ),
        "caches": lambda: Known(missed=_missed(session)[first - 1 :]),
        "growth": lambda: Known(growth=_growth(cut)),
        "compactions": lambda: Known(compactions=compactions),
        "contexts": lambda: Known(contexts=contexts, compactions=compactions),
        "contexts, pauses": lambda: Known(contexts=contexts, compactions=compactions, pauses=_pauses(cut)),
        "output": lambda: Known(
            output_tokens=float(np.nanmean(outputs) * len(outputs)) if session.knows_output else None
        ),
    }
    return truths[part]()


def _pauses(cut: Cut) -> npt.NDArray[np.bool_]:
    """Return [calls] which remaining calls followed a pause that outlasted the cache."""
    life_s = CACHE_LIFE_S[cache_life(cut.library.like(cut.begun).sessions, cut.begun)]
    return np.asarray(np.nan_to_num(np.diff(cut.session.started_s))[cut.first - 1 :] > life_s)


def _missed(session: Session) -> Floats:
    """Return [calls - 1] the share of the preceding context that each call did not find in the cache."""
    before = np.minimum(session.context[:-1], session.context[1:])
    return np.clip(1.0 - np.nan_to_num(session.read)[1:] / np.maximum(before, 1.0), 0.0, 1.0)


def _growth(cut: Cut) -> float | None:
    """Return the mean tokens that joined the context in a remaining turn; None if it was compacted in each."""
    joined = settled_growth(cut.session, cut.library.like(cut.begun).opening)
    after = joined[int(np.isfinite(cut.session.growth[: cut.first - 1]).sum()) :]
    return float(after.mean()) if len(after) else None


def simple_methods(cut: Cut, draws: int, rng: np.random.Generator) -> dict[str, dict[str, Floats]]:
    """Return forecasts by quantity and method: straight line, bootstrap of calls, known runs, last calls."""
    found = naive_rest(cut.begun, cut.left, draws, rng)
    recent = truths(cut.begun, max(cut.first - max(cut.first // 4, 1), 0))
    others = known_runs(cut.library.like(cut.begun).sessions, cut.first, cut.left, draws, rng)
    for quantity, methods in found.items():
        if quantity in others:
            methods[KNOWN_RUNS] = others[quantity]
        if quantity in recent:
            methods["last_calls"] = np.array([recent[quantity] / recent["calls"] * cut.left])
    return found


def cases(sessions: Sequence[Session], draws: int) -> Iterator[tuple[str, str, Case]]:
    """Yield what was forecast, and from what: which sessions were known, which truth was put in, the case."""
    for cut in cuts(sessions):
        truth, session = truths(cut.session, cut.first), cut.session
        rng = np.random.default_rng([1, session.run])
        naive = simple_methods(cut, draws, rng)
        left = np.full(draws, cut.left)
        found = {
            AS_FORECAST: remaining_session(cut.begun, cut.library, Horizon(calls=cut.left), draws, 1),
            SIMULATOR: simulated_run(cut.begun, cut.library, left, 1),
        }
        for part in TRUTHS:
            found[part] = simulated_run(cut.begun, cut.library, left, 1, truth_of(cut, part, draws))
        for given, sample in found.items():
            for quantity in QUANTITIES:
                if quantity in sample and truth.get(quantity, 0.0) > 0.0:
                    yield (
                        cut.learnt_from,
                        given,
                        Case(
                            "calls",
                            session.source,
                            session.project,
                            session.name,
                            quantity,
                            truth[quantity],
                            sample[quantity],
                            naive[quantity] if given == AS_FORECAST else {},
                        ),
                    )
        yield from _times(cut, found[SIMULATOR], truth)


def _times(
    cut: Cut, simulated: dict[str, Floats], truth: dict[str, float]
) -> Iterator[tuple[str, str, Case]]:
    """Yield active time with the truth of the model's time, and without its longest gap."""
    if "active_time_s" not in simulated or not truth.get("active_time_s"):
        return
    session = cut.session
    gaps = np.maximum(session.gap_s - session.person_s[:-1], 0.0)[cut.first - 1 :]
    idle = simulated["active_time_s"] - simulated["model_time_s"]
    for given, sample, value in (
        ("model time", truth["model_time_s"] + idle, truth["active_time_s"]),
        (
            "gaps",
            simulated["model_time_s"] + truth["active_time_s"] - truth["model_time_s"],
            truth["active_time_s"],
        ),
        (
            "longest gap",
            np.maximum(simulated["active_time_s"], float(gaps.max())),
            truth["active_time_s"],
        ),
    ):
        yield (
            cut.learnt_from,
            given,
            Case("calls", session.source, session.project, session.name, "active_time_s", value, sample, {}),
        )


@dataclass(frozen=True, eq=False)
class Group:
    """Forecasts of one quantity of one kind of agent, all made from the same knowledge."""

    cases: Sequence[Case]

    @cached_property
    def crps(self) -> Floats:
        """[cases] CRPS of the logarithm, so that large and small sessions count alike."""
        return np.array([log_crps(case.sample, case.truth) for case in self.cases])

    @cached_property
    def simple(self) -> dict[str, Floats]:
        """By simple method: [cases] the same, NaN where the method says nothing."""
        methods = sorted({method for case in self.cases for method in case.naive})
        return {
            method: np.array(
                [log_crps(c.naive[method], c.truth) if method in c.naive else np.nan for c in self.cases]
            )
            for method in methods
        }

    @cached_property
    def best_simple(self) -> str:
        """Return the simple method with the lowest mean CRPS."""
        return min(self.simple, key=lambda method: float(np.nanmean(self.simple[method])))

    def skill(self) -> tuple[float, float, float]:
        """Return by which share the CRPS is below that of the best simple method, and 90 % of a bootstrap."""
        theirs = self.simple[self.best_simple]
        ours, theirs = self.crps[np.isfinite(theirs)], theirs[np.isfinite(theirs)]
        drawn = np.random.default_rng(1).integers(len(ours), size=(RESAMPLES, len(ours)))
        ratios = 1.0 - ours[drawn].mean(axis=1) / theirs[drawn].mean(axis=1)
        low, high = np.quantile(ratios, (0.05, 0.95))
        return float(1.0 - ours.mean() / theirs.mean()), float(low), float(high)


def groups(found: Sequence[tuple[str, str, Case]]) -> dict[tuple[str, str, str, str], Group]:
    """Return the cases by what was known of other sessions, which truth was put in, kind of agent and quantity."""
    parts: dict[tuple[str, str, str, str], list[Case]] = {}
    for learnt_from, given, case in found:
        parts.setdefault((learnt_from, given, case.source, case.quantity), []).append(case)
    return {key: Group(cases) for key, cases in parts.items()}


def accuracy(found: dict[tuple[str, str, str, str], Group], learnt_from: str) -> str:
    """Return how good forecasts were, as Markdown."""
    lines = [
        "| agent | quantity | cases | median error (90 %) | 80 % interval held (90 %) | CRPS "
        "| of simple methods | below the best of them (90 %) |",
        "| --- | --- | ---: | ---: | ---: | ---: | --- | ---: |",
    ]
    for kind, label in KINDS.items():
        for quantity, name in QUANTITIES.items():
            group = found.get((learnt_from, AS_FORECAST, kind, quantity))
            if group is None:
                continue
            of_all = score(group.cases)
            simple = ", ".join(f"{METHODS[m]} {np.nanmean(v):.2f}" for m, v in group.simple.items())
            skill = "{:+.0%} ({:+.0%} to {:+.0%})".format(*group.skill())
            cells = (
                label,
                name,
                f"{len(group.cases)}",
                f"{percent(of_all['median_abs_error'])} {_range(of_all['median_abs_error_interval'])}",
                f"{percent(of_all['coverage_80'])} {_range(of_all['coverage_80_interval'])}",
                f"{group.crps.mean():.2f}",
                simple,
                skill,
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def over_agents(found: dict[tuple[str, str, str, str], Group], learnt_from: str) -> str:
    """Return the mean over agents of how often intervals held."""
    means = []
    for quantity, name in QUANTITIES.items():
        held = [
            score(group.cases)["coverage_80"]
            for (learnt, given, _, q), group in found.items()
            if (learnt, given, q) == (learnt_from, AS_FORECAST, quantity)
        ]
        means.append(f"{name} {percent(float(np.mean(held)))} of {len(held)}")
    return f"Mean over agents of how often 80 % intervals held: {', '.join(means)}.\n"


def sources(found: dict[tuple[str, str, str, str], Group], learnt_from: str, quantity: str) -> str:
    """Return what the median error falls to with the truth of one part, as Markdown: a column for each kind."""
    given = dict.fromkeys(g for k, g, _, q in found if k == learnt_from and q == quantity)
    kinds = [k for k in KINDS if (learnt_from, SIMULATOR, k, quantity) in found]
    lines = [
        f"| {QUANTITIES[quantity]} | {' | '.join(KINDS[k] for k in kinds)} |",
        f"| --- | {' | '.join('---:' for _ in kinds)} |",
    ]
    for part in given:
        cells = []
        for kind in kinds:
            group = found[learnt_from, part, kind, quantity]
            of_all = score(group.cases)
            cells.append(
                f"{percent(of_all['median_abs_error'])} {_range(of_all['median_abs_error_interval'])}"
            )
        name = part if part in (AS_FORECAST, SIMULATOR) else f"+ {TRUTHS.get(part) or TIMES[part]}"
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _range(interval: Sequence[float]) -> str:
    return f"({100 * interval[0]:.0f}–{100 * interval[1]:.0f})"


def page(found: dict[tuple[str, str, str, str], Group], learners: str, weights: str) -> str:
    """Return the page."""
    parts = [INTRODUCTION, "## With other sessions of the project\n", accuracy(found, OWN)]
    parts += ["## With the project left out whole\n", LEFT_OUT_WORDS, accuracy(found, LEFT_OUT)]
    parts.append(over_agents(found, LEFT_OUT))
    parts += ["## Sources of error\n", SOURCES_WORDS]
    shown = {
        "input_tokens": INPUT_PARTS,
        "new_input_tokens": None,
        "cost_usd": None,
        "active_time_s": TIME_PARTS,
    }
    for quantity, only in shown.items():
        some = {
            key: group
            for key, group in found.items()
            if key[3] == quantity and (only is None or key[1] in only) and (only or key[1] not in TIMES)
        }
        parts.append(sources(some, OWN, quantity))
    parts += ["## What other learners find in the beginning\n", LEARNERS_WORDS, learners, FLOOR_WORDS]
    parts += ["## Weights of the pool\n", WEIGHTS_WORDS, weights]
    return "\n".join(parts)


def main() -> None:
    """Measure, and print or write the page."""
    from benchmarks.remaining_run_limits import learners_table, weights_table  # noqa: PLC0415  imports this

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)
    names = [n for n in (*BUILT_ON, *HELD_OUT) if n not in CAMPAIGNS and (arguments.data / n).is_dir()]
    ledger = read_logs([arguments.data / name for name in names])
    sessions = sessions_of(ledger)
    own = [cut for cut in cuts(sessions) if cut.learnt_from == OWN]
    learners = learners_table(own, ledger.runs.set_index("run")["began_at"], arguments.draws)
    weights = weights_table(own, arguments.draws)
    text = page(groups(list(cases(sessions, arguments.draws))), learners, weights)
    if arguments.write:
        (HERE / "remaining_run.md").write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
