"""A forecast from logs: what is still to come of the runs under way, of further runs, or of the next days.

No scenario is needed. What the logs hold is what the forecast rests on, and what it rests on is said in its notes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.arrays import Floats
from simbudget.calibration.observed.session_prices import counted_to_list
from simbudget.calibration.observed.sessions import Session, sessions_of
from simbudget.calibration.observed.totals import truths
from simbudget.errors import Problem, UserError, argument, check_range
from simbudget.forecast.daily import FEWEST_DAYS, daily_spend, next_days
from simbudget.forecast.past_runs import Library
from simbudget.forecast.profiles import profile
from simbudget.forecast.remaining_run import Horizon, remaining_session
from simbudget.forecast.whole_runs import QUANTITIES, further_runs, run_totals
from simbudget.ledger.costs import counted_usd, is_counted
from simbudget.ledger.imported import ImportedLedger
from simbudget.numbers import count, hours, percent, rounded, usd
from simbudget.results import Number, Result, Table, as_plain

Progress = Callable[[int, int], None]

DRAWS: Final = 1000
LABELS: Final = {
    "cost_usd": "cost",
    "calls": "model calls",
    "input_tokens": "input tokens",
    "new_input_tokens": "new input tokens",
    "cache_read_tokens": "cache-read tokens",
    "output_tokens": "output tokens",
    "model_time_s": "model time",
    "active_time_s": "active time",
    "wall_time_s": "wall time",
}
"""What each quantity is called, in the order in which they are shown."""
_UNDER_WAY_S: Final = 3600.0
"""A session whose last entry is within an hour of the newest one counts as under way: caches live that long."""
_MOST_UNDER_WAY: Final = 50
_FEWEST_SAID: Final = 8
"""With fewer other sessions the note says how little the forecast rests on."""
_LEVELS: Final = (0.1, 0.5, 0.9)
_DAY_S: Final = 86_400.0
_WHOLE: Final = 100.0
"""Counts below this would be shown with decimals."""
_MOST_NAMED: Final = 3
_SAME_COST: Final = 0.01
"""Reported costs within this share of the list's need no note."""
_VAGUE: Final = 10.0
"""Where p90 is this many times p10, the answer begins by saying so."""


@dataclass(frozen=True)
class Asked:
    """What is asked for; at most one of the first four. Nothing: the runs under way to their end, wherever that is."""

    calls: int | None = None
    """How many calls each session under way still makes."""
    seconds: float | None = None
    """How long the sessions under way go on."""
    runs: int | None = None
    """How many further runs."""
    days: float | None = None
    """How many days of spend."""
    run: str | None = None
    """The name, or the beginning of it, of the session to forecast; by default all that are under way."""
    budget_usd: float | None = None
    draws: int = DRAWS
    seed: int = 1

    def __post_init__(self) -> None:
        """Check that one thing at most is asked for, and that it can be.

        Raises:
            UserError: several exclude each other, or a number is out of its bounds.
        """
        asked = {"calls": self.calls, "hours": self.seconds, "runs": self.runs, "days": self.days}
        given = [name for name, value in asked.items() if value is not None]
        if len(given) > 1:
            names = " and ".join(argument(name) for name in given)
            raise UserError(Problem(f"{names} exclude each other", remedy="give only one of them"))
        if self.run is not None and given and given[0] in ("runs", "days"):
            raise UserError(
                Problem(
                    f"{argument('run')} names one session, and {argument(given[0])} asks for what all of them lead to",
                    remedy="give only one of them",
                )
            )
        check_range("calls", self.calls, 1)
        check_range("hours", None if self.seconds is None else self.seconds / 3600.0, 1e-6, option="--for")
        check_range("runs", self.runs, 1, 1_000_000)
        check_range("days", self.days, 1, 3650)
        check_range("budget_usd", self.budget_usd, 0, option="--budget")
        check_range("draws", self.draws, 50, 100_000)


@dataclass(frozen=True)
class Forecast(Result):
    """What is still to come, as joint draws."""

    subject: str
    """What is forecast: "the remaining run of session ab12"."""
    remaining: Mapping[str, Floats]
    """By quantity: [draws] of what is still to come, one row a possible future."""
    so_far: Mapping[str, float]
    """By quantity: what there was until now, where the forecast goes on from it; else empty."""
    asked: Asked
    rests_on: str
    """The logs that it was learnt from."""
    notes: tuple[str, ...] = ()
    by_day_usd: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    """[draws, days] of the next days; empty for other forecasts."""

    json_name = "forecast.json"

    @property
    def total(self) -> dict[str, Floats]:
        """Return [draws] of what there will have been in all."""
        return {name: values + self.so_far.get(name, 0.0) for name, values in self.remaining.items()}

    @property
    def within_budget(self) -> float | None:
        """Return how likely all of it stays within the budget; None if no budget or no cost is known."""
        if self.asked.budget_usd is None or "cost_usd" not in self.remaining:
            return None
        return float((self.total["cost_usd"] <= self.asked.budget_usd).mean())

    def answer(self) -> str:
        """Return what it will cost, or how many tokens it will take, in a sentence."""
        name = next(name for name in LABELS if name in self.remaining)
        low, middle, high = np.quantile(self.remaining[name], _LEVELS)
        words = (
            f"{_shown(name, float(middle))} (80 %: {_shown(name, float(low))} to {_shown(name, float(high))})"
        )
        what = " will cost" if name == "cost_usd" else f": {LABELS[name]}"
        line = f"{self.subject[:1].upper()}{self.subject[1:]}{what} {words}"
        if self.so_far.get(name):
            line += f", after {_shown(name, self.so_far[name])} so far"
        if self.within_budget is not None and self.asked.budget_usd is not None:
            line += (
                f"; within {usd(self.asked.budget_usd)} in all with probability {percent(self.within_budget)}"
            )
        if name != "cost_usd" and self.asked.days is None:
            line += "; the cost is unknown"
        if high > _VAGUE * max(float(low), 1e-9):
            line = f"Very uncertain: {line[:1].lower()}{line[1:]}"
        return f"{line}."

    def tables(self) -> list[Table]:
        """Return each quantity: so far, still to come, and in all."""
        rows = []
        has_past = bool(self.so_far)
        for name in (name for name in LABELS if name in self.remaining):
            cells: list[Number | str] = [LABELS[name]]
            if has_past:
                cells.append(_shown(name, self.so_far[name]) if name in self.so_far else "")
            for level, of_level in zip(_LEVELS, np.quantile(self.remaining[name], _LEVELS), strict=True):
                path = f"remaining.{name}.p{round(100 * level)}"
                cells.append(Number(_shown(name, float(of_level)), float(of_level), path))
            if has_past:
                middle = float(np.median(self.total[name]))
                cells.append(Number(_shown(name, middle), middle, f"total.{name}.p50"))
            rows.append(tuple(cells))
        past, whole = (("so far",), ("in all, median",)) if has_past else ((), ())
        columns = ("", *past, "p10", "median", "p90", *whole)
        return [Table("Still to come", columns, rows, self.rests_on)]

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values; samples as quantiles."""
        return {
            "subject": self.subject,
            "answer": self.answer(),
            "so_far": as_plain(dict(self.so_far)),
            "remaining": {name: _figure(values) for name, values in self.remaining.items()},
            "total": {name: _figure(values) for name, values in self.total.items()},
            "budget_usd": self.asked.budget_usd,
            "within_budget": self.within_budget,
            "rests_on": self.rests_on,
            "notes": list(self.notes),
            "by_day_usd": [_figure(day) for day in self.by_day_usd.T],
        }

    def draws(self) -> pd.DataFrame:
        """Return the joint draws of what is still to come, a column for each quantity."""
        return pd.DataFrame(dict(self.remaining))


def forecast(
    ledger: ImportedLedger,
    asked: Asked | None = None,
    progress: Progress = lambda done, total: None,
    before: ImportedLedger | None = None,
) -> Forecast:
    """Return what is still to come, by what logs say.

    Args:
        ledger: the logs.
        asked: what is asked for.
        progress: called with the sessions done and those to do.
        before: further logs, to learn from only.

    Raises:
        UserError: the logs hold nothing that such a forecast could rest on.
    """
    asked = asked or Asked()
    if asked.days is not None:
        return _of_days(ledger, asked)
    sessions = [] if asked.runs is not None else sessions_of(ledger)
    if not sessions:
        return _of_runs(ledger, asked)
    chosen = _chosen(sessions, ledger, asked)
    further = [] if before is None else sessions_of(before)
    found = _of_sessions(sessions, chosen, further, asked, progress)
    return replace(found, notes=(*found.notes, *_cost_notes(ledger, "cost_usd" in found.remaining)))


def forecast_like(
    name: str,
    runs: int = 1,
    phases: Sequence[str] = (),
    model: str | None = None,
    budget_usd: float | None = None,
    seed: int = 1,
) -> Forecast:
    """Return what further runs will come to by a reference profile, without logs.

    Args:
        name: of the profile; `profiles.profiles` has them all.
        runs: how many runs, or ideas that are taken through all `phases`.
        phases: of the work on an idea; by default those of which the profile knows enough runs.
        model: by default one like those of the profile.
        budget_usd: what all of it should stay within.
        seed: the same seed, the same draws.

    Raises:
        UserError: there is no such profile, or it knows no run of such a phase.
    """
    known = profile(name)
    known.require(phases)
    taken = tuple(phases) or known.usual_phases
    draws = known.forecast(runs, taken, model, seed)
    what = f"{runs:,} {'idea' if taken else 'run'}{'s' * (runs != 1)}"
    through = f" through {_listed(taken)}" if taken else ""
    like = f" like {known.name}"
    rests_on = (
        f"learnt from {known.runs:,} runs of {known.groups:,} project{'s' * (known.groups != 1)}, {known.dates}: "
        f"{known.about}"
    )
    asked = Asked(runs=runs, budget_usd=budget_usd, seed=seed)
    return Forecast(f"{what}{through}{like}", draws, {}, asked, rests_on, tuple(known.notes(taken, model)))


def _listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def forecast_logs(  # noqa: PLR0913  one argument for each option of the command
    *logs: "str | Path | ImportedLedger",
    calls: int | None = None,
    hours: float | None = None,
    runs: int | None = None,
    days: float | None = None,
    run: str | None = None,
    budget_usd: float | None = None,
    model: str = "",
) -> Forecast:
    """Return what is still to come, by logs alone: `simbudget.forecast("logs", hours=2)`.

    Args:
        logs: files or folders of logs, or one ledger that was read from them.
        calls: how many calls each session under way still makes.
        hours: how long they go on.
        runs: how many further runs to forecast.
        days: how many further days of spend.
        run: the name, or the beginning of it, of the session to forecast; by default all that are under way.
        budget_usd: what all of it should stay within.
        model: the model of calls whose logs name none.

    Raises:
        UserError: the logs hold nothing that such a forecast could rest on.
    """
    from simbudget.ledger.readers import Assumed, read_logs  # noqa: PLC0415  forty readers, for those who read logs

    ledgers = [log for log in logs if isinstance(log, ImportedLedger)]
    paths = [Path(log) for log in logs if not isinstance(log, ImportedLedger)]
    if len(ledgers) > 1 or (ledgers and paths):
        raise UserError(Problem("forecast takes one ledger, or logs", remedy="read all logs into one ledger"))
    ledger = ledgers[0] if ledgers else read_logs(paths, assumed=Assumed(model))
    seconds = None if hours is None else hours * 3600.0
    return forecast(ledger, Asked(calls, seconds, runs, days, run, budget_usd))


def _chosen(sessions: list[Session], ledger: ImportedLedger, asked: Asked) -> list[Session]:
    """Return the sessions to forecast: the one asked for, or all that are under way."""
    if asked.run is not None:
        found = [session for session in sessions if session.name.startswith(asked.run)]
        if not found:
            newest = ", ".join(session.name for session in sessions[-3:])
            raise UserError(
                Problem(f"no session's name begins with {asked.run!r}", remedy=f"there are {newest}, …")
            )
        return found
    began = ledger.runs.set_index("run")["began_at"]
    ends = [
        (began.get(session.run, pd.NaT) + pd.Timedelta(seconds=float(np.nan_to_num(session.started_s[-1]))))
        for session in sessions
    ]
    dated = [end for end in ends if not pd.isna(end)]
    if not dated:
        return sessions[-1:]
    newest = max(dated)
    under_way = [
        session
        for session, end in zip(sessions, ends, strict=True)
        if not pd.isna(end) and (newest - end).total_seconds() <= _UNDER_WAY_S
    ]
    return under_way[-_MOST_UNDER_WAY:]


def _of_sessions(
    sessions: list[Session], chosen: list[Session], further: list[Session], asked: Asked, progress: Progress
) -> Forecast:
    timeless = [session for session in chosen if not np.isfinite(session.started_s).all()]
    if asked.seconds is not None and timeless:
        raise UserError(
            Problem(
                f"the calls of session {timeless[0].name} have no times, so how many it makes in "
                f"{hours(asked.seconds / 3600.0)} cannot be forecast",
                remedy=f"give the number of calls instead ({argument('calls')})",
            )
        )
    runs = {session.run for session in chosen}
    library = Library([*further, *(session for session in sessions if session.run not in runs)])
    horizon = Horizon(calls=asked.calls, seconds=asked.seconds)
    samples = []
    for done, session in enumerate(chosen):
        progress(done, len(chosen))
        samples.append(remaining_session(session, library, horizon, asked.draws, asked.seed))
    progress(len(chosen), len(chosen))
    names = [name for name in LABELS if all(name in sample for sample in samples)]
    remaining = {name: np.sum([sample[name] for sample in samples], axis=0) for name in names}
    totals = [truths(session, 0) for session in chosen]
    so_far = {name: sum(total[name] for total in totals) for name in names if all(name in t for t in totals)}
    subject = f"session {chosen[0].name}" if len(chosen) == 1 else f"the {len(chosen)} sessions under way"
    ratio_notes = _ratio_notes(chosen, library) if "cost_usd" in names else []
    until = ""
    if asked.calls is not None:
        until = f" for {asked.calls:,} more calls" + (" each" if len(chosen) > 1 else "")
    elif asked.seconds is not None:
        until = f" for {hours(asked.seconds / 3600.0)} more"
    notes = [*_session_notes(chosen, library, asked, names, remaining), *ratio_notes]
    alike = len(library.like(chosen[0]).sessions)
    others = f" and from {alike:,} other session{'s' * (alike != 1)}" if alike else ""
    rests_on = f"learnt from its beginning{others}"
    return Forecast(
        f"the remaining run of {subject}{until}", remaining, so_far, asked, rests_on, tuple(notes)
    )


def _session_notes(
    chosen: list[Session], library: Library, asked: Asked, names: list[str], remaining: dict[str, Floats]
) -> list[str]:
    notes = []
    alike = len(library.like(chosen[0]).sessions)
    if alike < _FEWEST_SAID:
        others = f"{alike} other session{'s are' if alike > 1 else ' is'} too few"
        few = others if alike else "there is no other session"
        notes.append(
            f"{few} to learn from, so typical values from other projects are used and intervals are wide; "
            "give more logs, such as the whole folder"
        )
    if asked.calls is None and asked.seconds is None:
        low, high = np.quantile(remaining["calls"], (0.1, 0.9)) if "calls" in remaining else (0, 0)
        notes.append(
            f"how long the run will go on is not known: {low:,.0f} to {high:,.0f} more calls, going by "
            f"{'other' if alike else 'typical'} sessions; "
            f"set it with {argument('calls')} or {argument('hours', option='--for')}"
        )
    if len(chosen) > 1:
        notes.append(
            f"{len(chosen)} sessions count as under way, since their last entries are within an hour of the newest; "
            f"{argument('run')} forecasts one of them"
        )
    unknown = [
        session for session in chosen if not session.knows_output and np.isfinite(session.list_cost_usd).any()
    ]
    if unknown and "cost_usd" in names:
        notes.append("the logs give no output tokens, so the cost excludes output and is a lower bound")
    return notes


def _ratio_notes(chosen: list[Session], library: Library) -> list[str]:
    """Return a note on how costs that logs report compare with the list's, if they differ."""
    ratios = [counted_to_list(session, library.like(session).sessions) for session in chosen]
    low, high = min(ratios), max(ratios)
    if max(abs(low - 1.0), abs(high - 1.0)) < _SAME_COST:
        return []
    times = rounded(low) if rounded(low) == rounded(high) else f"{rounded(low)} to {rounded(high)}"
    return [
        f"the logs report {times} times what the price list says of the tokens that they record; past costs are as "
        "reported, and calls to come are priced by the list times that"
    ]


def _cost_notes(ledger: ImportedLedger, knows_cost: bool) -> list[str]:
    """Return what has to be said of costs that the logs leave open, and what to do about it."""
    entries = ledger.entries
    paid = entries[is_counted(entries)]
    models = sorted(set(paid.loc[counted_usd(paid).isna(), "model"].astype(str)))
    said = []
    if "" in models:
        named = argument("model", "M")
        said.append(f"the logs name no model for some calls; {named} prices them as calls of M")
    unlisted = [model for model in models if model]
    if unlisted:
        more = f" and {len(unlisted) - _MOST_NAMED} more" if len(unlisted) > _MOST_NAMED else ""
        said.append(
            f"neither the price list nor the logs have a price for {', '.join(unlisted[:_MOST_NAMED])}{more}; a "
            "scenario takes one under `prices`"
        )
    if not knows_cost:
        return [f"the cost is unknown: {'; '.join(said) or 'the logs give no counts to price'}"]
    if paid["cost_usd"].isna().any():
        why = said or ["some counts of tokens are unknown"]
        return [f"part of the past cost is unknown, so that costs are lower bounds: {'; '.join(why)}"]
    return []


def _of_runs(ledger: ImportedLedger, asked: Asked) -> Forecast:
    """Return a forecast of further runs of the same kind."""
    totals = run_totals(ledger)
    if totals.empty:
        raise UserError(
            Problem(
                "these logs hold neither model calls nor costs to forecast from",
                remedy="`simbudget import LOG` shows what they hold",
            )
        )
    runs = asked.runs or 1
    rng = np.random.default_rng([asked.seed, runs, len(totals)])
    values = {name: totals[name].to_numpy(np.float64) for name in QUANTITIES}
    groups = totals["project"].fillna("").astype(str).tolist()
    found = further_runs(values, runs, asked.draws, rng, groups)
    low, high = np.quantile(found.one["calls"], (0.1, 0.9)) if "calls" in found.one else (0.0, 0.0)
    notes = []
    if high > _VAGUE * max(low, 1.0):
        notes.append(
            f"nothing in these logs tells how long a new run will be: {low:,.0f} to {high:,.0f} calls (80 %)"
        )
    if len(totals) < _FEWEST_SAID:
        notes.append(
            f"{len(totals)} known run{'s are' if len(totals) != 1 else ' is'} little to go by: intervals are wide"
        )
    notes += _cost_notes(ledger, "cost_usd" in found.all)
    if asked.runs is None:
        notes.append("these logs hold no run call by call, so a further run is forecast")
    subject = "a further run" if runs == 1 else f"{runs:,} further runs"
    rests_on = f"learnt from {len(totals):,} run{'s' * (len(totals) != 1)} of {len(set(groups)):,} project"
    rests_on += "s" * (len(set(groups)) != 1)
    return Forecast(subject, found.all, {}, asked, rests_on, tuple(notes))


def _of_days(ledger: ImportedLedger, asked: Asked) -> Forecast:
    """Return a forecast of the spend of the next days."""
    past = daily_spend(ledger)
    if past is None:
        raise UserError(
            Problem(
                "these logs have no dates or no prices",
                remedy=f"{argument('runs')} forecasts runs without dates, {argument('model')} prices calls whose "
                "logs name no model",
            )
        )
    if len(past.usd) < FEWEST_DAYS:
        raise UserError(
            Problem(
                f"the logs cover {len(past.usd)} day{'s' * (len(past.usd) != 1)}, and {FEWEST_DAYS} are needed to "
                "forecast further ones",
                remedy=f"{argument('runs')} forecasts runs; or give older logs too",
            )
        )
    assert asked.days is not None
    days = max(1, round(asked.days))
    rng = np.random.default_rng([asked.seed, days, len(past.usd)])
    by_day = next_days(past, days, asked.draws, rng)
    last = past.first + pd.Timedelta(days=len(past.usd) - 1)
    notes = []
    if days > len(past.usd):
        notes.append(f"{days} days are forecast from {len(past.usd)}: what lies beyond is a guess")
    idle = float((past.usd == 0).mean())
    if idle:
        notes.append(f"{percent(idle)} of the past days cost nothing")
    notes += _cost_notes(ledger, knows_cost=True)
    rests_on = (
        f"learnt from {len(past.usd)} days to {last.date()}: {usd(float(past.usd.mean()))} a day, "
        f"{usd(float(past.usd[-7:].mean()))} in the last week"
    )
    subject = f"the {days} day{'s' * (days != 1)} from {(last + pd.Timedelta(days=1)).date()}"
    return Forecast(subject, {"cost_usd": by_day.sum(axis=1)}, {}, asked, rests_on, tuple(notes), by_day)


def _shown(name: str, value: float) -> str:
    if name == "cost_usd":
        return usd(value)
    if name.endswith("_s"):
        return hours(value / 3600.0)
    return f"{value:.0f}" if value < _WHOLE else count(value)  # calls and tokens are whole


def _figure(values: Floats) -> dict[str, float]:
    p10, p50, p90 = np.quantile(values, _LEVELS)
    return {"mean": float(values.mean()), "p10": float(p10), "p50": float(p50), "p90": float(p90)}
