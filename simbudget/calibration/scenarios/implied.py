"""The scenario implied by logs: as many sessions of each model, with the quantities learnt from them.

Each session is an agent with one cycle. Agents of one model are a group; if a model has enough sessions, its group has
separate turns and contexts. Waits for people are part of `turn.tool_time`, since a cache expires in any pause. The
scenario has GPUs only if the logs have jobs on them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from simbudget.calibration.observed.session_prices import list_prices, session_prices
from simbudget.calibration.observed.sessions import Session, sessions_of
from simbudget.calibration.posteriors.caches import cache_life
from simbudget.calibration.scenarios.experiments import Jobs, jobs_of
from simbudget.calibration.scenarios.fit import Fit
from simbudget.calibration.scenarios.fits import WORLDS, fit_ledger, fit_of_sessions
from simbudget.calibration.scenarios.new_sessions import UNSEEN_SUMMARY, least_limit
from simbudget.calibration.scenarios.wording import written_varying
from simbudget.distributions.base import NORMAL_P90
from simbudget.distributions.posteriors import Posterior
from simbudget.errors import Problem, UserError
from simbudget.ledger.imported import ImportedLedger
from simbudget.numbers import usd
from simbudget.scenario.blocks import keys_of
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration
from simbudget.scenario.model import DEFAULT_MODEL, Turn
from simbudget.scenario.provider import OTHERS
from simbudget.scenario.reading import Reading
from simbudget.units import Dimension

_ENOUGH: Final = 20
"""With fewer sessions, a model's group has the turns and contexts of all sessions."""
_UNNAMED: Final = frozenset({"", "nan", "None", "<NA>", "-"})
_TURNS: Final = "cycle.think.turns"
_OUTPUT, _THINKING = "turn.output_tokens", "turn.thinking_tokens"
_LONGEST_TIMES: Final = 10.0
"""Horizon after the start of the last session, in longest sessions, so that none is cut off."""
_DAY_S: Final = 86_400.0
_MOST_DAYS: Final = 3650
_COMMENT_COLUMN: Final = 60


@dataclass(frozen=True)
class LoggedGroup:
    """Logged sessions of one model."""

    model: str
    sessions: tuple[Session, ...]
    is_own: bool
    """Whether it has separate turns and contexts."""

    @property
    def cost_usd(self) -> float:
        """Return what its calls cost by the price list, without outputs that the logs do not say."""
        return float(sum(np.nansum(session.list_cost_usd) for session in self.sessions))

    @property
    def waiting_share(self) -> float:
        """Return the share of time between calls spent waiting for people."""
        between_s = sum(float(np.nansum(session.gap_s)) for session in self.sessions)
        people_s = sum(
            float(np.nansum(np.minimum(session.person_s[:-1], session.gap_s))) for session in self.sessions
        )
        return people_s / between_s if between_s > 0 else 0.0


@dataclass(frozen=True)
class Implied:
    """The scenario implied by logs."""

    text: str
    """Its file, without the line that names the calibration."""
    calibration: Calibration
    groups: tuple[LoggedGroup, ...]
    notes: tuple[str, ...]

    @property
    def logged_usd(self) -> float:
        """Return what the sessions cost by the price list, without outputs that the logs do not say."""
        return sum(group.cost_usd for group in self.groups)


def implied_scenario(ledger: ImportedLedger) -> Implied:
    """Return the scenario of which a ledger's sessions are one run.

    Args:
        ledger: logs of real runs, call by call.

    Raises:
        UserError: the logs hold no session call by call.
    """
    sessions = sessions_of(ledger)
    if not sessions:
        raise UserError(
            Problem(
                "these logs hold no session call by call, so they imply no cycle",
                remedy="`simbudget forecast LOG --runs 20` forecasts further runs from their totals",
            )
        )
    groups = _groups(sessions)
    jobs = _paid_jobs(ledger)
    cycles = 1 if jobs is None else max(1, round(len(jobs) / len(sessions)))
    writer = _Writer(groups, cycles, jobs)
    return writer.written(ledger, sessions)


def _groups(sessions: Sequence[Session]) -> tuple[LoggedGroup, ...]:
    """Return sessions by model, the most frequent first."""
    by_model: dict[str, list[Session]] = {}
    for session in sessions:
        model = DEFAULT_MODEL if session.model in _UNNAMED else session.model
        by_model.setdefault(model, []).append(session)
    several = len(by_model) > 1
    ordered = sorted(by_model.items(), key=lambda one: -len(one[1]))
    return tuple(LoggedGroup(model, tuple(own), several and len(own) >= _ENOUGH) for model, own in ordered)


def _paid_jobs(ledger: ImportedLedger) -> Jobs | None:
    """Return the jobs with known GPUs; None without any."""
    jobs = jobs_of(ledger)
    return jobs if jobs is not None and np.nansum(jobs.gpus) > 0 else None


class _Writer:
    """Builds the scenario's text and its calibration."""

    def __init__(self, groups: tuple[LoggedGroup, ...], cycles: int, jobs: Jobs | None) -> None:
        self._groups, self._cycles, self._jobs = groups, cycles, jobs
        self._quantities: dict[str, CalibratedQuantity] = {}
        self._notes: list[str] = []

    def written(self, ledger: ImportedLedger, sessions: Sequence[Session]) -> Implied:
        """Return the scenario."""
        fits = fit_ledger(ledger, [group.model for group in self._groups], WORLDS, people=True)
        source = ", ".join(sorted({session.source for session in sessions}))
        days = sorted(session.ended for session in sessions if session.ended)
        until = f", to {days[-1]}" if days else ""
        lines = [
            "# yaml-language-server: $schema=scenario.schema.json",
            f"# What {len(sessions):,} logged session{'s' * (len(sessions) != 1)} imply ({source}{until}): as many "
            "over again, one an agent.",
            "# Ranges were learnt from them; `simbudget check` prints what each rests on.",
            "simbudget: 1",
            "name: As logged",
            "",
            "fleet:",
        ]
        for group in self._groups:
            lines += self._group(group)
        if any(not group.is_own for group in self._groups):
            everyone = LoggedGroup("", tuple(sessions), False)
            lines += ["", *self._body(everyone, fits, "")]
        lines += ["", *self._models(fits), *self._prices(days)]
        by_name = {fit.name: fit for fit in fits}
        if "api.error_rate" in by_name:
            lines += [f"api: {{error_rate: {self._taken(by_name['api.error_rate'], 'api.error_rate')}}}"]
        if self._jobs is not None:
            lines += [_pool(self._jobs)]
        lines += [
            "",
            _line(f"stop: {{after: {self._days(ledger)} days, cycles_per_agent: {self._cycles}}}", ""),
        ]
        self._note_outputs(sessions)
        return Implied(
            "\n".join(lines) + "\n", Calibration(self._quantities), self._groups, tuple(self._notes)
        )

    def _group(self, group: LoggedGroup) -> Iterator[str]:
        """Yield the lines of a group of the fleet."""
        count = len(group.sessions)
        yield f"  - group: {group.model}"
        yield _line(f"    agents: {count}", "sessions in the logs; as many as you plan")
        yield f"    model: {group.model}"
        every_s = _every_s(group.sessions)
        if every_s:
            yield _line(
                f"    start: {{then_every: {every_s:.0f} s}}", "as they began in the logs, on average"
            )
        if group.is_own:
            fits = fit_of_sessions(group.sessions, WORLDS)
            yield from (
                f"    {line}" if line else line for line in self._body(group, fits, f"fleet[{group.model}].")
            )

    def _body(self, group: LoggedGroup, fits: Sequence[Fit], prefix: str) -> Iterator[str]:
        """Yield the lines of a cycle, turns and contexts that were learnt from some sessions."""
        by_name = {fit.name: fit for fit in fits}
        turns = by_name.get(_TURNS)
        text = str(round(np.mean([len(session) for session in group.sessions]) / self._cycles) or 1)
        if turns is not None:
            text = self._taken(_shared_out(turns, self._cycles), f"{prefix}cycle.think[0].turns")
        yield "cycle:"
        yield f"  - think: {{turns: {text}}}"
        yield from self._job(by_name, prefix)
        yield "turn:"
        yield from self._turn(group, by_name, prefix)
        yield "context:"
        yield from self._context(group, by_name, prefix)

    def _job(self, fits: Mapping[str, Fit], prefix: str) -> Iterator[str]:
        if self._jobs is None or "cycle.experiment.time" not in fits:
            return
        gpus = float(np.nanmedian(self._jobs.gpus[self._jobs.gpus > 0]))
        parts = [f"gpus: {gpus:g}"]
        parts += [
            f"{key}: {self._taken(fits[f'cycle.experiment.{key}'], f'{prefix}cycle.experiment[0].{key}')}"
            for key in ("time", "fails")
            if f"cycle.experiment.{key}" in fits
        ]
        yield "  - experiment: {" + ", ".join(parts) + "}"

    def _turn(self, group: LoggedGroup, fits: Mapping[str, Fit], prefix: str) -> Iterator[str]:
        if _OUTPUT not in fits:
            assumed = str(keys_of(Turn)["output_tokens"].default)  # type: ignore[attr-defined]
            yield _line(
                "  output_tokens: 0", "the logs do not say it: what joined contexts is in the results"
            )
            yield _line(f"  thinking_tokens: {assumed}", "assumed")
        for name, key in ((_OUTPUT, "output_tokens"), (_THINKING, "thinking_tokens")):
            if name in fits:
                yield f"  {key}: {self._taken(fits[name], f'{prefix}{name}')}"
        if "turn.tool_result_tokens" in fits:
            taken = self._taken(fits["turn.tool_result_tokens"], f"{prefix}turn.tool_result_tokens")
            yield f"  tool_result_tokens: {taken}"
        if "turn.tool_time" in fits:
            taken = self._taken(fits["turn.tool_time"], f"{prefix}turn.tool_time")
            people = (
                f"{group.waiting_share:.0%} of it is waiting for people"
                if group.waiting_share >= 0.005
                else ""
            )
            yield _line(f"  tool_time: {taken}", people)
        opening = [
            f"{key}: {self._taken(fits[f'turn.opening.{key}'], f'{prefix}turn.opening.{key}')}"
            for key in ("times", "turns")
            if f"turn.opening.{key}" in fits
        ]
        if opening:
            yield "  opening: {" + ", ".join(opening) + "}"

    def _context(self, group: LoggedGroup, fits: Mapping[str, Fit], prefix: str) -> Iterator[str]:
        typical = group.sessions[-1]
        reads = any(np.nansum(session.read) > 0 for session in group.sessions)
        yield f"  cache: {cache_life(group.sessions, typical) if reads else 'off'}"
        if self._cycles > 1:
            yield "  lasts: life"
        quantities = {name: fit.quantity for name, fit in fits.items() if fit.quantity is not None}
        least, largest = (
            least_limit(quantities),
            max(float(session.context.max()) for session in group.sessions),
        )
        for key in ("first_prompt_tokens", "compacted_to_tokens", "cache_misses"):
            if f"context.{key}" in fits:
                yield f"  {key}: {self._taken(fits[f'context.{key}'], f'{prefix}context.{key}')}"
        known = fits.get("context.limit_tokens")
        limit = float(known.written) if known is not None else largest + 1
        remark = "where contexts were compacted" if known is not None else "the largest context in the logs"
        yield _line(
            f"  limit_tokens: {max(round(limit), least)}",
            remark if limit >= least else "room for the first prompt",
        )
        if "context.compacted_to_tokens" not in fits:
            yield _line(
                f"  compacted_to_tokens: {UNSEEN_SUMMARY}", "assumed: compactions are too few to learn from"
            )

    def _models(self, fits: Sequence[Fit]) -> Iterator[str]:
        by_name = {fit.name: fit for fit in fits}
        speeds = {}
        for model in (*(group.model for group in self._groups), OTHERS):
            names = {key: f"models[{model}].{key}" for key in ("first_token", "output_speed")}
            parts = [
                f"{key}: {self._taken(by_name[name], name)}" for key, name in names.items() if name in by_name
            ]
            if parts:
                speeds[model] = parts
        if speeds:
            yield "models:"
            yield from (f"  {model}: {{{', '.join(parts)}}}" for model, parts in speeds.items())

    def _prices(self, days: Sequence[str]) -> Iterator[str]:
        own = {}
        for group in self._groups:
            typical = group.sessions[-1]
            if typical.model in _UNNAMED:
                self._notes.append(
                    f"the logs name no model for {len(group.sessions):,} sessions: {DEFAULT_MODEL} is assumed"
                )
            elif list_prices(typical) is None:
                knows = any(session.knows_output for session in group.sessions)
                life = cache_life(group.sessions, typical)
                dearest = max(group.sessions, key=lambda session: float(np.nansum(session.list_cost_usd)))
                own[group.model] = session_prices(dearest, knows, life)
        if days or own:
            yield "prices:"
        if days:
            yield _line(f"  on: {days[-1]}", "the day of the last session")
        yield from (_line(f"  {model}: {text}", "what calls in the logs cost") for model, text in own.items())

    def _days(self, ledger: ImportedLedger) -> int:
        began = ledger.runs["began_at"].dropna()
        span_s = float((began.max() - began.min()).total_seconds()) if len(began) else 0.0
        longest_s = max(
            float(np.nanmax(session.started_s) - np.nanmin(session.started_s))
            if np.isfinite(session.started_s).any()
            else 0.0
            for group in self._groups
            for session in group.sessions
        )
        return min(_MOST_DAYS, int(np.ceil((span_s + _LONGEST_TIMES * longest_s) / _DAY_S)) + 1)

    def _note_outputs(self, sessions: Sequence[Session]) -> None:
        silent = [session for session in sessions if not session.knows_output]
        if silent:
            self._notes.append(
                f"{len(silent):,} of {len(sessions):,} sessions do not say how much was put out: their logged cost is "
                f"without output, to which the scenario adds what is assumed, about {usd(_assumed_usd(silent))}"
            )

    def _taken(self, fit: Fit, name: str) -> str:
        """Return the text of a fit, and store the fit under this name."""
        if fit.quantity is not None:
            self._quantities[name] = replace(fit.quantity, name=name)
        return fit.written


def _shared_out(turns: Fit, cycles: int) -> Fit:
    """Return a session's turns divided by its cycles."""
    if cycles == 1 or turns.quantity is None:
        return turns
    draws = turns.quantity.posterior.draws - np.array([np.log(cycles), 0.0, 0.0])
    posterior = Posterior(draws, turns.quantity.posterior.shape)
    written = written_varying(posterior, Dimension.NUMBER)
    return replace(
        turns, written=written, quantity=replace(turns.quantity, posterior=posterior, written=written)
    )


def _assumed_usd(sessions: Sequence[Session]) -> float:
    """Return the mean cost of the sessions' assumed outputs at list prices."""
    output = Turn.read(Reading(Path()), None, "turn", None).output_tokens
    scatter = math.log(output.spread or 1.0) / NORMAL_P90
    each = output.distribution.mean() * math.exp(scatter**2 / 2)  # of a lognormal around its median
    prices = ((session, list_prices(session)) for session in sessions)
    return sum(len(session) * each * price.output / 1e6 for session, price in prices if price is not None)


def _pool(jobs: Jobs) -> str:
    most = int(np.nanmax(jobs.gpus))
    return _line(f"gpus: {{count: {max(1, most)}}}", "the most that one job held; the price is the list's")


def _every_s(sessions: Sequence[Session]) -> float:
    """Return the time between starts of sessions, estimated from the days on which they ended; 0 if unknown."""
    days = sorted(np.datetime64(session.ended) for session in sessions if session.ended)
    if len(days) < 2:
        return 0.0
    return float((days[-1] - days[0]) / np.timedelta64(1, "s")) / (len(sessions) - 1)


def _line(text: str, comment: str) -> str:
    """Return a line with a trailing comment."""
    return f"{text:<{_COMMENT_COLUMN}}  # {comment}" if comment else text
