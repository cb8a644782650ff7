"""The remaining run of a session: joint draws of its calls, tokens, cost and time, call by call.

A context grows with each turn, is read from the cache or written to it anew, and is compacted when it is full; so the
hundredth call does not cost what the first did. What is not known of this session (how fast its context grows, how
much it puts out, how often its cache is lost, how long it goes on) is drawn once a world from what its beginning and
other sessions say together. All worlds are simulated at once, one call after the other.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simbudget.arrays import Flags, Floats, Integers
from simbudget.calibration.observed.caches import (
    cache_life,
    misses_of,
    pauses_of,
    remaining_rate,
    usual_misses,
)
from simbudget.calibration.observed.limits import limit_draws
from simbudget.calibration.observed.session_prices import (
    ClassRates,
    counted_to_list,
    price_is_known,
    session_rates,
)
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.observed.totals import per_call
from simbudget.calibration.posteriors.openings import ages_of
from simbudget.calibration.posteriors.shapes import midpoint_scores
from simbudget.distributions.posteriors import Posterior
from simbudget.forecast.calls_left import calls_to_come, calls_within_time, known_calls
from simbudget.forecast.cases import known_runs
from simbudget.forecast.counts import Usual, remaining_counts
from simbudget.forecast.durations import remaining_durations
from simbudget.forecast.past_runs import DURATIONS, Library, PastRuns, finite, settled_growth
from simbudget.forecast.regression import features_of, least, pooled
from simbudget.scenario.context import CACHE_LIFE_S

_OUTPUT: Final = Usual(6.2, 1.5)
_GROWTH: Final = Usual(6.6, 0.6, 5.0)
"""Logarithms of tokens a turn of agents nobody has seen, rounded from the projects that the models were built on."""
_USUAL_PAUSES: Final = {300.0: 0.03, 3600.0: 0.004}
"""The rate of gaps longer than a cache's life before any was seen; measured: 3.1 % and 0.4 % of Claude Code's gaps."""
_MOST_CALLS: Final = 20_000
"""No simulated session is longer: ten times the longest that was seen."""
WEIGHTS: Final = {
    "input_tokens": 0.15,
    "cache_read_tokens": 0.15,
    "new_input_tokens": 0.5,
    "output_tokens": 0.3,
    "cost_usd": 0.4,
    "model_time_s": 0.3,
    "active_time_s": 0.4,
    "wall_time_s": 0.6,
}
"""The regression's weight in the pool: least log pinball loss over the projects that the models were built on."""
_INPUT_UNKNOWN: Final = {"cost_usd": 0.8}
"""The same where a log leaves out what was sent, so that no price can be put on it call by call."""
OWN_PACE: Final = {
    "new_input_tokens": (0.6, 1.15),
    "output_tokens": (0.3, 0.7),
    "cost_usd": (0.3, 0.45),
    "model_time_s": (0.2, 0.5),
    "active_time_s": (0.5, 0.8),
    "wall_time_s": (0.5, 0.8),
}
"""Weight of the mean call so far where no other session is known, and the scatter of the logarithm of a remaining mean
call around it: least CRPS, and 80 % intervals that hold 80 %, over the agents that the models were built on, each
forecast with none, 2, 5, 8, 16 and all others of its sessions. A context's size is better simulated from the start."""
_OWN_PACE_INPUT_UNKNOWN: Final = {"cost_usd": (0.7, 0.45)}
OWN_PACE_WORTH: Final = 4.0
"""With this many other sessions the mean call so far has half that weight."""
KNOWN_RUNS_WEIGHT: Final = 0.6
"""Weight of what remained of many longer sessions where a run's length is unknown, by the CRPS over the projects that
the models were built on: short and long runs differ in more than their calls."""
_TIME_TELLS: Final = 0.5
"""How much of the difference between simulated and given time is believed: with all of it, 80 % intervals of model
time held 55 to 80 % of sessions of the projects that the models were built on; with half 76 to 91 %."""
_SHORTEST_S: Final = 1e-3
_MOST_LOG: Final = 25.0
"""No mean per call is above e^25."""
_PARTS: Final = 500
"""Quantiles that the mean of a distribution is worked out from."""
_SMALLEST_MEAN: Final = 1e-3
_CHUNK: Final = 256
"""Calls are drawn this many at a time, so that long sessions need little memory."""


@dataclass(frozen=True, eq=False)
class Begun:
    """A session that has begun, and the others that it is compared with."""

    session: Session
    past: PastRuns
    calls_left: Integers
    """[worlds] how many calls are still to come."""
    seed: int

    @property
    def worlds(self) -> int:
        """Return the number of joint draws."""
        return len(self.calls_left)

    @property
    def left(self) -> float:
        """Return how many calls are still to come, about."""
        return max(float(np.median(self.calls_left)), 1.0)

    @property
    def cut(self) -> float:
        """Return which part of the whole session its beginning is, about, in steps of 5 %.

        Steps, since what other sessions teach is worked out once for each.
        """
        share = len(self.session) / (len(self.session) + self.left)
        return float(np.clip(round(share * 20) / 20, 0.05, 0.95))


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of the calls that are still to come: usually nothing.

    An analysis of errors puts the truth in for one part at a time; a run that nobody attends to has no pauses.
    """

    growth: float | None = None
    """Mean tokens that join the context in a turn, each counted as if it came late (`past_runs.settled_growth`)."""
    output_tokens: float | None = None
    """Tokens that all of these calls put out together."""
    pauses: Flags | None = None
    """[calls] or [worlds, calls] which calls come after a pause that outlasts the cache."""
    missed: Floats | None = None
    """[calls] the share of the preceding context that each call does not find in the cache, whatever the reason."""
    compactions: Floats | None = None
    """[calls] the context of each call that follows a compaction, NaN for other calls."""
    contexts: Floats | None = None
    """[calls] the context of each call."""


NOTHING_KNOWN: Final = Known()


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What is unknown of a session, settled in each world; [worlds] arrays and posteriors of what varies by call."""

    growth: Posterior
    output: Posterior | None
    call_s: Posterior | None
    gap_s: Posterior | None
    wait_s: Posterior | None
    limit: Floats
    compacted: Posterior
    misses: Floats
    pauses: Floats


@dataclass(frozen=True)
class Horizon:
    """What is known of the future of a run: how many calls it still makes, how long it goes on, or neither."""

    calls: int | None = None
    seconds: float | None = None


def remaining_session(
    session: Session, library: Library, horizon: Horizon, worlds: int, seed: int
) -> dict[str, Floats]:
    """Return [worlds] joint draws of what is still to come of a session: its calls, tokens, cost and time.

    Quantities that the horizon fixes are left out. This is what a forecast shows and what a backtest replays.

    Args:
        session: its calls so far.
        library: other sessions.
        horizon: what is known of its future.
        worlds: how many joint draws.
        seed: the same seed, the same draws.
    """
    rng = np.random.default_rng([seed, session.run, len(session), 1])
    past = library.like(session)
    if horizon.calls is not None:
        calls = known_calls(horizon.calls, worlds)
    elif horizon.seconds is not None and np.isfinite(session.started_s).all():
        calls = calls_within_time(session, past, horizon.seconds, worlds, rng)
    else:
        calls = calls_to_come(len(session), past.lengths, worlds, rng)
    found = remaining_run(session, library, calls, seed)
    if horizon == Horizon():
        found = _with_known_runs(
            found, known_runs(past.sessions, len(session), None, worlds, rng), past, session
        )
    if horizon.calls is not None:
        del found["calls"]
    elif horizon.seconds is not None:
        found = _within(found, horizon.seconds)
        if not any(DURATIONS["wait_s"](each).any() for each in (session, *past.sessions)):
            found.pop("active_time_s", None)  # nobody is waited for: it is the time that is given
    return found


def _with_known_runs(
    found: dict[str, Floats], resampled: dict[str, Floats], past: PastRuns, session: Session
) -> dict[str, Floats]:
    """Return draws pooled with what remained of longer sessions after as many calls, the more of them the more."""
    longer = int((past.lengths > len(session)).sum())
    weight = KNOWN_RUNS_WEIGHT * longer / (longer + OWN_PACE_WORTH)
    joined = found | {  # both err by the number of calls first of all
        q: pooled(found[q], sample, weight, errors_alike=1.0) for q, sample in resampled.items() if q in found
    }
    joined["calls"] = np.maximum(np.rint(joined["calls"]), 1.0)
    return _reconciled(joined)


def _within(found: dict[str, Floats], seconds: float) -> dict[str, Floats]:
    """Return the draws of a remaining run, adjusted to a run of the given duration in seconds.

    In a simulated world, calls and gaps rarely add up to that duration. Times and outputs are therefore shifted by
    their regression on the difference: the regression adjustment of approximate Bayesian computation (Beaumont, Zhang
    and Balding, Genetics 162 (2002), 2025-2035), in part, since the number of calls already fits into the time.
    """
    moved = dict(found)
    wall_s = moved.pop("wall_time_s", None)
    if wall_s is None or not seconds > 0.0:
        return moved
    short = np.log(seconds / np.maximum(wall_s, _SHORTEST_S))
    for name in ("model_time_s", "active_time_s", "output_tokens"):
        if name in moved:
            logs = np.log(np.maximum(moved[name], _SHORTEST_S))
            slope = float(
                np.clip(-np.cov(logs, short)[0, 1] / max(float(short.var()), _SHORTEST_S), 0.0, 1.0)
            )
            moved[name] = moved[name] * np.exp(_TIME_TELLS * slope * short)
    fitting = {name: np.minimum(x, seconds) if name.endswith("time_s") else x for name, x in moved.items()}
    return _reconciled(fitting)


def remaining_run(
    session: Session, library: Library, calls_left: Integers, seed: int, known: Known = NOTHING_KNOWN
) -> dict[str, Floats]:
    """Return [worlds] joint draws of each quantity of the calls that a session still makes.

    Args:
        session: its calls so far.
        library: other sessions.
        calls_left: [worlds] how many calls are still to come in each world.
        seed: the same seed, the same draws.
        known: what is known of these calls besides.

    Returns:
        By quantity (`input_tokens`, `new_input_tokens`, `cache_read_tokens`, `output_tokens`, `cost_usd`,
        `model_time_s`, `active_time_s`, `wall_time_s`, `calls`), without what the log says nothing of.
    """
    begun = Begun(session, library.like(session), np.minimum(calls_left, _MOST_CALLS), seed)
    rng = np.random.default_rng([seed, session.run, len(session)])
    return _reconciled(_with_own_pace(begun, _pooled(begun, _simulated(begun, known, rng), rng), rng))


def simulated_run(
    session: Session, library: Library, calls_left: Integers, seed: int, known: Known = NOTHING_KNOWN
) -> dict[str, Floats]:
    """Return what `remaining_run` does, by the simulator alone: the regression cannot make use of what is known."""
    begun = Begun(session, library.like(session), np.minimum(calls_left, _MOST_CALLS), seed)
    return _simulated(begun, known, np.random.default_rng([seed, session.run, len(session)]))


def _pooled(begun: Begun, simulated: dict[str, Floats], rng: np.random.Generator) -> dict[str, Floats]:
    """Return the simulated quantities pooled with what a regression says of each."""
    left = begun.calls_left.astype(np.float64)
    odds = np.log(left / len(begun.session))
    found = dict(simulated)
    for quantity, regression in begun.past.regressions.items():
        if quantity not in simulated:
            continue
        features = features_of(begun.session, quantity, left)
        logs = np.minimum(regression.draws(features, odds, rng), _MOST_LOG)
        regressed = np.maximum(np.exp(logs) - least(quantity), 0.0) * left
        weights = WEIGHTS if begun.session.knows_input else WEIGHTS | _INPUT_UNKNOWN
        found[quantity] = pooled(simulated[quantity], regressed, weights[quantity])
    return found


def _with_own_pace(begun: Begun, found: dict[str, Floats], rng: np.random.Generator) -> dict[str, Floats]:
    """Return draws pooled with the session's mean call so far, the more the fewer other sessions are known."""
    share = OWN_PACE_WORTH / (OWN_PACE_WORTH + len(begun.past.sessions))
    paces = OWN_PACE if begun.session.knows_input else OWN_PACE | _OWN_PACE_INPUT_UNKNOWN
    means = per_call(begun.session)
    joined = dict(found)
    for quantity, (weight, scatter) in paces.items():
        known = finite(means[quantity])
        if quantity in found and known.any():
            own = known.mean() * begun.calls_left * np.exp(scatter * rng.standard_normal(begun.worlds))
            joined[quantity] = pooled(found[quantity], own, weight * share)
    return joined


def _reconciled(found: dict[str, Floats]) -> dict[str, Floats]:
    """Return draws in which no part exceeds its whole: model time is active time, and that is wall time."""
    for part, whole in (("model_time_s", "active_time_s"), ("active_time_s", "wall_time_s")):
        if part in found and whole in found:
            found[whole] = np.maximum(found[whole], found[part])
    return found


def _drawn(begun: Begun, life: str, rng: np.random.Generator) -> _Drawn:
    session, past, worlds, cut = begun.session, begun.past, begun.worlds, begun.cut
    growth = remaining_counts(
        _GROWTH,
        past.growth(cut),
        settled_growth(session, past.opening),
        begun.left,
        worlds,
        rng,
        _evenness(begun),
    )
    output = None
    if session.knows_output:
        own = finite(session.output)
        output = remaining_counts(_OUTPUT, past.output(cut), own, begun.left, worlds, rng)
    times: dict[str, Posterior | None] = {}
    for name, values in DURATIONS.items():
        known, own = past.durations(name, cut), values(session)
        times[name] = remaining_durations(known, own, worlds, rng) if known.parts or len(own) > 1 else None
    mean, variance, count = past.compacted
    locations = mean + np.sqrt(variance / count) * rng.standard_normal(worlds)
    compacted = Posterior(np.column_stack([locations, np.full(worlds, np.sqrt(variance)), np.zeros(worlds)]))
    misses = remaining_rate(
        usual_misses(session.model), past.misses(session.model, life), misses_of(session, life), worlds, rng
    )
    life_s = CACHE_LIFE_S[life]
    pauses = remaining_rate(_USUAL_PAUSES[life_s], past.pauses(life), pauses_of(session, life_s), worlds, rng)
    limit = limit_draws(past.sessions, session, worlds, rng)
    return _Drawn(
        growth, output, times["call_s"], times["gap_s"], times["wait_s"], limit, compacted, misses, pauses
    )


def _evenness(begun: Begun) -> float:
    """Return the share of the results to come that tokens sent vary with as if all counted alike.

    A result counts in all later calls, and the first ones are larger (Kish's design effect).
    """
    left = int(begun.left)
    turns = _turns(begun.session)
    counts = np.arange(left, 0.0, -1.0) * begun.past.opening.factor(turns + np.arange(float(left)))
    return float(counts.sum() ** 2 / (left * (counts**2).sum()))


def _turns(session: Session) -> int:
    """Return how many turns' results the context holds, that of the last call included."""
    return int(ages_of(np.append(session.compacts, False))[-1]) + 1


def _simulated(begun: Begun, known: Known, rng: np.random.Generator) -> dict[str, Floats]:
    session = begun.session
    life = cache_life(begun.past.sessions, session)
    rates = None
    if price_is_known(session, begun.past.sessions):
        ratio = counted_to_list(session, begun.past.sessions)
        rates = session_rates(session, begun.past.sessions, life).times(ratio)
    drawn = _drawn(begun, life, rng)
    if known.growth is not None:
        drawn = replace(drawn, growth=_with_mean(drawn.growth, known.growth))
    contexts = _Contexts(begun, drawn, rng.standard_normal(begun.worlds))
    sums = {name: np.zeros(begun.worlds) for name in ("output", *DURATIONS)}
    most = int(begun.calls_left.max(initial=0))
    for start in range(0, most, _CHUNK):
        shape = (begun.worlds, min(_CHUNK, most - start))
        growth = drawn.growth.sample(rng.standard_normal(shape))
        after = drawn.compacted.sample(rng.standard_normal(shape))
        missed = _missed(drawn, known, start, shape, rng)
        goes_on = start + np.arange(shape[1]) < begun.calls_left[:, None]
        for name in sums:
            posterior = getattr(drawn, name)
            if posterior is not None:
                sums[name] += (posterior.sample(rng.standard_normal(shape)) * goes_on).sum(axis=1)
        for call in range(shape[1]):
            contexts.compact(after[:, call], known, start + call)
            contexts.send(missed[:, call], goes_on[:, call])
            contexts.grow(growth[:, call])
    if known.output_tokens is not None and drawn.output is not None:
        sums["output"] = np.full(begun.worlds, known.output_tokens)
    return _quantities(begun, drawn, rates, sums | {"read": contexts.read, "new": contexts.new})


def _missed(
    drawn: _Drawn, known: Known, start: int, shape: tuple[int, int], rng: np.random.Generator
) -> Floats:
    """Return [worlds, calls] the share of the preceding context that each call does not find in the cache."""
    paused = rng.random(shape) < drawn.pauses[:, None]
    young = rng.random(shape) < drawn.misses[:, None]
    calls = slice(start, start + shape[1])
    if known.missed is not None:
        return np.broadcast_to(known.missed[calls], shape)
    if known.pauses is not None:
        paused = np.broadcast_to(known.pauses[..., calls], shape)
    return (paused | young).astype(np.float64)


def _with_mean(growth: Posterior, mean: float) -> Posterior:
    """Return the posterior with all worlds' means moved to one."""
    worlds = len(growth.draws)
    scores = np.broadcast_to(midpoint_scores(_PARTS), (worlds, _PARTS))
    means = growth.sample(scores).mean(axis=1)
    moved = growth.draws.copy()
    moved[:, 0] += np.log(max(mean, _SMALLEST_MEAN) / np.maximum(means, _SMALLEST_MEAN))
    return replace(growth, draws=moved)


class _Contexts:
    """The contexts of all worlds, [worlds] arrays that change from call to call, and what was read and sent anew."""

    def __init__(self, begun: Begun, drawn: _Drawn, scores: Floats) -> None:
        session, worlds = begun.session, begun.worlds
        turns = float(_turns(session))
        self.opening, self.first, self.limit = begun.past.opening, float(session.context[0]), drawn.limit
        self.age = np.full(worlds, turns)
        self.cached = np.full(worlds, float(session.context[-1]))
        last = float(self.opening.factor(np.array(turns - 1.0)))
        self.context = self.cached + last * drawn.growth.sample(scores)
        self.read, self.new = np.zeros(worlds), np.zeros(worlds)

    def compact(self, beyond_first: Floats, known: Known, call: int) -> None:
        """Compact the contexts that are full, to the first prompt and this much beyond it."""
        worlds = len(self.age)
        if known.compactions is not None:
            is_full = np.full(worlds, bool(np.isfinite(known.compactions[call])))
            compacted = np.full(worlds, known.compactions[call])
        elif known.contexts is not None:
            is_full, compacted = np.zeros(worlds, dtype=bool), self.context
        else:
            is_full, compacted = self.context > self.limit, self.first + beyond_first
        if is_full.any():
            self.context = np.where(is_full, compacted, self.context)
            self.cached = np.where(is_full, self.first, self.cached)
            self.age = np.where(is_full, 0.0, self.age)
        if known.contexts is not None:
            self.context = np.full(len(self.age), known.contexts[call])

    def send(self, missed: Floats, goes_on: Flags) -> None:
        """Send the contexts: what the cache holds is read, the remainder is new."""
        read = (1.0 - missed) * np.minimum(self.cached, self.context)
        self.read += read * goes_on
        self.new += (self.context - read) * goes_on
        self.cached = self.context

    def grow(self, tokens: Floats) -> None:
        """Add a turn's tokens, more in the first turns of a context."""
        self.context = self.context + tokens * self.opening.factor(self.age)
        self.age = self.age + 1.0


def _quantities(
    begun: Begun, drawn: _Drawn, rates: ClassRates | None, sums: dict[str, Floats]
) -> dict[str, Floats]:
    found = {"calls": begun.calls_left.astype(np.float64)}
    if begun.session.knows_input:
        found["input_tokens"] = sums["read"] + sums["new"]
        found["new_input_tokens"], found["cache_read_tokens"] = sums["new"], sums["read"]
    if drawn.output is not None:
        found["output_tokens"] = sums["output"]
    if drawn.call_s is not None:
        found["model_time_s"] = sums["call_s"]
        found["active_time_s"] = sums["call_s"] + sums["gap_s"]
        found["wall_time_s"] = found["active_time_s"] + sums["wait_s"]
    if rates is not None:
        found["cost_usd"] = rates.cost_usd(sums["read"], sums["new"], sums["output"])
    return found
