"""The scenario implied by logs: as many sessions of each model, with the quantities learnt from them.

Each session is an agent with one cycle. Agents of one model are a group; if a model has enough sessions, its group has
separate turns and contexts. Sub-agents, and helpers of another model, are a `delegate` step for each of their models.
Waits for people are part of `turn.tool_time`, since a cache expires in any pause. The scenario has GPUs only if the
logs have jobs on them.
"""

import datetime
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from simbudget.calibration.observed.caches import cache_life
from simbudget.calibration.observed.delegation import callers_of
from simbudget.calibration.observed.session_prices import list_prices, session_prices
from simbudget.calibration.observed.sessions import Session, sessions_of
from simbudget.calibration.scenarios.delegate_fits import RoleFits, fit_roles, service_fits
from simbudget.calibration.scenarios.experiments import Jobs, jobs_of
from simbudget.calibration.scenarios.fit import Fit, fit_of_fact
from simbudget.calibration.scenarios.fits import WORLDS, fit_ledger, fit_of_sessions
from simbudget.calibration.scenarios.new_sessions import UNSEEN_SUMMARY, least_limit
from simbudget.calibration.scenarios.session_fits import KEEPS
from simbudget.calibration.scenarios.wording import as_value, written_fact, written_varying
from simbudget.distributions.base import NORMAL_P90
from simbudget.distributions.posteriors import Posterior
from simbudget.errors import Problem, UserError
from simbudget.ledger.imported import ImportedLedger
from simbudget.numbers import usd
from simbudget.pricing.catalogue import has_service
from simbudget.scenario.blocks import keys_of
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration
from simbudget.scenario.document import KeyPath
from simbudget.scenario.model import DEFAULT_MODEL, Scenario, Turn, dump
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

_ASSUMED_OUTPUT: Final = str(getattr(keys_of(Turn)["output_tokens"], "default", "0"))

Document = dict[str, Any]
"""A block as text, or lists and dicts of text."""


@dataclass(frozen=True)
class LoggedGroup:
    """Logged sessions of one model."""

    model: str
    sessions: tuple[Session, ...]
    """Those of agents."""
    delegated: tuple[Session, ...]
    """Those of their sub-agents."""
    is_own: bool
    """Whether it has separate turns and contexts."""

    @property
    def cost_usd(self) -> float:
        """Return what its calls cost by the price list, without outputs that the logs do not say."""
        return float(sum(np.nansum(session.list_cost_usd) for session in (*self.sessions, *self.delegated)))

    @property
    def waiting_share(self) -> float:
        """Return the share of time between calls spent waiting for people."""
        between_s = sum(float(np.nansum(session.own_gap_s)) for session in self.sessions)
        people_s = sum(
            float(np.nansum(np.minimum(session.person_s[:-1], session.own_gap_s)))
            for session in self.sessions
        )
        return people_s / between_s if between_s > 0 else 0.0


@dataclass(frozen=True)
class Implied:
    """The scenario implied by logs."""

    written: Scenario
    """The scenario with ranges as they are written, without the joint draws behind them."""
    calibration: Calibration
    """The joint draws."""
    groups: tuple[LoggedGroup, ...]
    notes: tuple[str, ...]
    heading: tuple[str, ...]
    """Lines of comment at the beginning of its file."""
    comments: Mapping[KeyPath, str]
    """Comments on single values, by their paths."""

    @cached_property
    def scenario(self) -> Scenario:
        """Return the scenario with the joint draws."""
        return Scenario(**self.written.write(), calibration=self.calibration)

    @property
    def text(self) -> str:
        """Return the scenario's file, without the line that names the calibration."""
        return "".join(f"# {line}\n" for line in self.heading) + dump(self.written, self.comments)

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
    cycles = 1 if jobs is None else max(1, round(len(jobs) / sum(len(group.sessions) for group in groups)))
    return _Maker(groups, cycles, jobs).made(ledger, sessions)


def _groups(sessions: Sequence[Session]) -> tuple[LoggedGroup, ...]:
    """Return agents' sessions by model with their sub-agents', the most frequent first."""
    by_model: dict[str, list[Session]] = {}
    own = callers_of(sessions).own
    for session in own or sessions:  # sub-agents whose agents are not in the logs are agents
        by_model.setdefault(_named(session.model), []).append(session)
    several = len(by_model) > 1
    ordered = sorted(by_model.items(), key=lambda one: -len(one[1]))
    model_of = {session.run: model for model, alike in by_model.items() for session in alike}
    contexts = [context for role in callers_of(sessions).roles for context in role.contexts] if own else []
    return tuple(
        LoggedGroup(
            model,
            tuple(alike),
            tuple(context for context in contexts if model_of.get(context.run) == model),
            several and len(alike) >= _ENOUGH,
        )
        for model, alike in ordered
    )


def _named(model: str) -> str:
    return DEFAULT_MODEL if model in _UNNAMED else model


def _paid_jobs(ledger: ImportedLedger) -> Jobs | None:
    """Return the jobs with known GPUs; None without any."""
    jobs = jobs_of(ledger)
    return jobs if jobs is not None and np.nansum(jobs.gpus) > 0 else None


@dataclass
class _Block:
    """A part of the scenario in the making, with the place that it will have."""

    path: KeyPath
    """Where it stands in the document."""
    name: str
    """What the names of its quantities begin with, such as `fleet[opus].`."""
    values: Document = field(default_factory=dict)


class _Maker:
    """Makes the scenario and its calibration."""

    def __init__(self, groups: tuple[LoggedGroup, ...], cycles: int, jobs: Jobs | None) -> None:
        self._groups, self._cycles, self._jobs = groups, cycles, jobs
        self._quantities: dict[str, CalibratedQuantity] = {}
        self._comments: dict[KeyPath, str] = {}
        self._notes: list[str] = []

    def made(self, ledger: ImportedLedger, sessions: Sequence[Session]) -> Implied:
        """Return the scenario."""
        own = [session for group in self._groups for session in group.sessions]
        delegated = tuple(session for group in self._groups for session in group.delegated)
        models = list(dict.fromkeys(_named(model) for model in self._models_called()))
        fits = fit_ledger(ledger, models, WORLDS, people=True)
        days = sorted(session.ended for session in sessions if session.ended)
        document: Document = {"simbudget": "1", "name": "As logged"}
        document["fleet"] = [self._group(group, place, days) for place, group in enumerate(self._groups)]
        if any(not group.is_own for group in self._groups):
            everyone = LoggedGroup("", tuple(own), delegated, False)
            document |= self._body(everyone, fits, _Block((), ""), days)
        by_name = {fit.name: fit for fit in fits}
        document |= self._speeds(by_name, models)
        document |= self._prices(days)
        if "api.error_rate" in by_name:
            document["api"] = {"error_rate": self._taken(by_name["api.error_rate"], "api.error_rate")}
        if self._jobs is not None:
            document["gpus"] = {"count": str(max(1, int(np.nanmax(self._jobs.gpus))))}
            self._comments["gpus", "count"] = "the most that one job held; the price is the list's"
        document["stop"] = {"after": f"{self._days(ledger)} days", "cycles_per_agent": str(self._cycles)}
        self._note_outputs(sessions)
        return Implied(
            Scenario(**document),
            Calibration(self._quantities),
            self._groups,
            tuple(self._notes),
            _heading(own, days),
            self._comments,
        )

    def _models_called(self) -> Iterator[str]:
        yield from (group.model for group in self._groups)
        yield from (session.model for group in self._groups for session in group.delegated)

    def _group(self, group: LoggedGroup, place: int, days: Sequence[str]) -> Document:
        """Return a group of the fleet."""
        path: KeyPath = ("fleet", place)
        found: Document = {
            "group": group.model,
            "agents": str(len(group.sessions)),
            "model": group.model,
        }
        self._comments[*path, "agents"] = "sessions in the logs; as many as you plan"
        every_s = _every_s(group.sessions)
        if every_s:
            found["start"] = {"then_every": f"{every_s:.0f} s"}
            self._comments[*path, "start"] = "as they began in the logs, on average"
        service = next(service_fits(group.sessions, np.random.default_rng(0)), None)
        if service is not None and self._has_prices(group.model, service, days):
            found["service"] = service.written
            self._comments[*path, "service"] = service.evidence.remark
        if group.is_own:
            fits = fit_of_sessions(group.sessions, WORLDS)
            found |= self._body(group, fits, _Block(path, f"fleet[{group.model}]."), days)
        return found

    def _has_prices(self, model: str, service: Fit, days: Sequence[str]) -> bool:
        """Return whether the price list has a model's prices for a service; note it if it has not."""
        on = datetime.date.fromisoformat(days[-1]) if days else datetime.date.today()
        if has_service(model, on, service.written):
            return True
        self._notes.append(
            f"{service.evidence.remark} are `{service.written}`, for which {model} has no prices"
        )
        return False

    def _body(self, group: LoggedGroup, fits: Sequence[Fit], block: _Block, days: Sequence[str]) -> Document:
        """Return the cycle, turns and contexts that were learnt from some sessions."""
        by_name = {fit.name: fit for fit in fits}
        turns = by_name.get(_TURNS)
        text: Any = str(round(np.mean([len(session) for session in group.sessions]) / self._cycles) or 1)
        if turns is not None:
            text = self._taken(_shared_out(turns, self._cycles), f"{block.name}cycle.think[0].turns")
        cycle = [{"think": {"turns": text}}]
        roles = fit_roles((*group.sessions, *group.delegated), WORLDS)
        for number, role in enumerate(roles):
            place = _Block((*block.path, "cycle", len(cycle), "delegate"), block.name)
            cycle.append({"delegate": self._delegate(role, number, place, days)})
        cycle += self._job(by_name, block.name)
        return {
            "cycle": cycle,
            "turn": self._turn(group, by_name, block),
            "context": self._context(group, roles, by_name, block),
        }

    def _delegate(self, role: RoleFits, number: int, block: _Block, days: Sequence[str]) -> Document:
        """Return the step of what is delegated to one model."""
        step: Document = {"agents": "1", "turns": "1", "model": _named(role.role.model)}
        path = block.path
        self._comments[*path, "model"] = role.words
        for fit in (_per_cycle(fit, self._cycles) for fit in role.fits):
            if fit.name == "service" and not self._has_prices(role.role.model, fit, days):
                continue
            inner, keys = step, fit.name.split(".")
            for key in keys[:-1]:
                inner = inner.setdefault(key, {})
            inner[keys[-1]] = self._taken(fit, f"{block.name}cycle.delegate[{number}].{fit.name}")
            if fit.evidence.remark and fit.name in ("agents", "if", "context.shared_prefix_tokens"):
                self._comments[*path, *keys] = fit.evidence.remark
        if self._cycles > 1 and "if" not in step:
            step["if"] = f"{100 / self._cycles:.3g}%"
        contexts = role.role.contexts
        reads = any(np.nansum(session.read) > 0 for session in contexts)
        context = step.setdefault("context", {})
        context["cache"] = cache_life(contexts, contexts[-1]) if reads else "off"
        return step

    def _job(self, fits: Mapping[str, Fit], prefix: str) -> list[Document]:
        if self._jobs is None or "cycle.experiment.time" not in fits:
            return []
        gpus = float(np.nanmedian(self._jobs.gpus[self._jobs.gpus > 0]))
        job: Document = {"gpus": f"{gpus:g}"}
        for key in ("time", "fails"):
            if f"cycle.experiment.{key}" in fits:
                name = f"{prefix}cycle.experiment[0].{key}"
                job[key] = self._taken(fits[f"cycle.experiment.{key}"], name)
        return [{"experiment": job}]

    def _turn(self, group: LoggedGroup, fits: Mapping[str, Fit], block: _Block) -> Document:
        turn: Document = {}
        path = (*block.path, "turn")
        if _OUTPUT not in fits:
            turn["output_tokens"] = "0"
            turn["thinking_tokens"] = as_value(_ASSUMED_OUTPUT)
            self._comments[*path, "output_tokens"] = (
                "the logs do not say it: what joined contexts is in the results"
            )
            self._comments[*path, "thinking_tokens"] = "assumed"
        for key in ("output_tokens", "thinking_tokens", "tool_result_tokens", "tool_time"):
            if f"turn.{key}" in fits:
                turn[key] = self._taken(fits[f"turn.{key}"], f"{block.name}turn.{key}")
        if "tool_time" in turn and group.waiting_share >= 0.005:
            share = f"{group.waiting_share:.0%} of it is waiting for people"
            self._comments[*path, "tool_time"] = share
        opening = {
            key: self._taken(fits[f"turn.opening.{key}"], f"{block.name}turn.opening.{key}")
            for key in ("times", "turns")
            if f"turn.opening.{key}" in fits
        }
        return turn | ({"opening": opening} if opening else {})

    def _context(
        self, group: LoggedGroup, roles: Sequence[RoleFits], fits: Mapping[str, Fit], block: _Block
    ) -> Document:
        path = (*block.path, "context")
        reads = any(np.nansum(session.read) > 0 for session in group.sessions)
        context: Document = {"cache": cache_life(group.sessions, group.sessions[-1]) if reads else "off"}
        if self._cycles > 1:
            context["lasts"] = "life"
        if _OUTPUT not in fits:
            context["keeps_thinking"] = "no"
        elif KEEPS in fits:
            context["keeps_thinking"] = fits[KEEPS].written
            self._comments[*path, "keeps_thinking"] = fits[KEEPS].evidence.remark
        for key in ("first_prompt_tokens", "shared_prefix_tokens", "compacted_to_tokens", "cache_misses"):
            if f"context.{key}" in fits and fits[f"context.{key}"].written != "0":
                context[key] = self._taken(fits[f"context.{key}"], f"{block.name}context.{key}")
        if "first_prompt_tokens" not in context:
            mean = np.mean([session.context[0] for session in group.sessions])
            context["first_prompt_tokens"] = f"{mean:.0f}"
            self._comments[*path, "first_prompt_tokens"] = (
                "the mean: too few sessions to learn how they differ"
            )
        if "shared_prefix_tokens" in context:
            self._comments[*path, "shared_prefix_tokens"] = fits[
                "context.shared_prefix_tokens"
            ].evidence.remark
        least = max(0, _least_limit(fits), *(_least_limit(_summary(fits) | role.by_name) for role in roles))
        known = fits.get("context.limit_tokens")
        limit = (
            float(known.written)
            if known is not None
            else max(float(session.context.max()) for session in (*group.sessions, *group.delegated)) + 1
        )
        remark = "where contexts were compacted" if known is not None else "the largest context in the logs"
        context["limit_tokens"] = str(max(round(limit), least))
        self._comments[*path, "limit_tokens"] = remark if limit >= least else "room for the first prompt"
        if "compacted_to_tokens" not in context:
            context["compacted_to_tokens"] = str(UNSEEN_SUMMARY)
            self._comments[*path, "compacted_to_tokens"] = "assumed: compactions are too few to learn from"
        return context

    def _speeds(self, fits: Mapping[str, Fit], models: Sequence[str]) -> Document:
        speeds: Document = {}
        for model in (*models, OTHERS):
            for key in ("first_token", "output_speed"):
                name = f"models[{model}].{key}"
                if name in fits:
                    speeds.setdefault(model, {})[key] = self._taken(fits[name], name)
        return {"models": speeds} if speeds else {}

    def _prices(self, days: Sequence[str]) -> Document:
        prices: Document = {}
        if days:
            prices["on"] = days[-1]
            self._comments["prices", "on"] = "the day of the last session"
        sessions = [session for group in self._groups for session in (*group.sessions, *group.delegated)]
        by_model: dict[str, list[Session]] = {}
        for session in sessions:
            by_model.setdefault(session.model, []).append(session)
        for model, alike in by_model.items():
            if model in _UNNAMED:
                self._notes.append(
                    f"the logs name no model for {len(alike):,} sessions: {DEFAULT_MODEL} is assumed"
                )
            elif list_prices(alike[-1]) is None:
                knows = any(session.knows_output for session in alike)
                dearest = max(alike, key=lambda session: float(np.nansum(session.list_cost_usd)))
                prices[model] = as_value(session_prices(dearest, knows, cache_life(alike, alike[-1])))
                self._comments["prices", model] = "what calls in the logs cost"
        return {"prices": prices} if prices else {}

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

    def _taken(self, fit: Fit, name: str) -> Any:
        """Return the value of a fit, and store the fit under this name."""
        if fit.quantity is not None:
            self._quantities[name] = replace(fit.quantity, name=name)
        return as_value(fit.written)


def _heading(sessions: Sequence[Session], days: Sequence[str]) -> tuple[str, ...]:
    source = ", ".join(sorted({session.source for session in sessions}))
    until = f", to {days[-1]}" if days else ""
    many = f"{len(sessions):,} logged session{'s' * (len(sessions) != 1)}"
    verb = "implies" if len(sessions) == 1 else "imply"
    return (
        "yaml-language-server: $schema=scenario.schema.json",
        f"What {many} {verb} ({source}{until}): as many over again, one an agent.",
        "Ranges were learnt from them; `simbudget check` prints what each rests on.",
    )


def _summary(fits: Mapping[str, Fit]) -> dict[str, Fit]:
    name = "context.compacted_to_tokens"
    return {name: fits[name]} if name in fits else {}


def _least_limit(fits: Mapping[str, Fit]) -> int:
    return least_limit({name: fit.quantity for name, fit in fits.items() if fit.quantity is not None})


def _per_cycle(fit: Fit, cycles: int) -> Fit:
    """Return the share of cycles that delegate where a session has several: so many times smaller."""
    if cycles == 1 or fit.name != "if" or fit.quantity is None:
        return fit
    draws = fit.quantity.posterior.draws[:, 0] / cycles
    return fit_of_fact(fit.name, draws, written_fact(draws, Dimension.FRACTION), fit.evidence)


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


def _every_s(sessions: Sequence[Session]) -> float:
    """Return the time between starts of sessions, estimated from the days on which they ended; 0 if unknown."""
    days = sorted(np.datetime64(session.ended) for session in sessions if session.ended)
    if len(days) < 2:
        return 0.0
    return float((days[-1] - days[0]) / np.timedelta64(1, "s")) / (len(sessions) - 1)
