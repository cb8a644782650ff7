"""The scenario implied by logs: as many sessions of each model, with the quantities learnt from them.

Each session is an agent with one cycle. Agents of one model are a group; if its sessions differ from those of other
models, the group has its own cycle, turns and contexts. Sub-agents, and helpers of another model, are a `delegate` step
for each of their models. Waits for people are left out; a cache that expired during one counts as missed. The scenario
has GPUs only if the logs have jobs on them.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from simbudget.calibration.observed.caches import cache_life
from simbudget.calibration.observed.sessions import Session, sessions_of
from simbudget.calibration.scenarios.delegate_fits import RoleFits, fit_roles, put, service_fits
from simbudget.calibration.scenarios.experiments import Jobs, jobs_of
from simbudget.calibration.scenarios.fit import FEWEST, Fit, fit_of_fact
from simbudget.calibration.scenarios.fits import WORLDS, expired_as_missed, fit_ledger, fit_of_sessions
from simbudget.calibration.scenarios.implied_notes import (
    known_outputs,
    mean_of_few,
    mixed_models_noted,
    no_speed_noted,
    note_on,
    remark_on,
    tells_no_speed,
    waits_noted,
)
from simbudget.calibration.scenarios.implied_prices import assumed_usd, logged_prices, with_prices
from simbudget.calibration.scenarios.logged_groups import LoggedGroup, groups_of, model_named
from simbudget.calibration.scenarios.new_sessions import UNSEEN_SUMMARY, least_limit
from simbudget.calibration.scenarios.session_fits import ASSUMED_OUTPUT, KEEPS, fit_first_token
from simbudget.calibration.scenarios.wording import (
    as_value,
    written_duration,
    written_exact,
    written_fact,
    written_varying,
)
from simbudget.distributions.posteriors import Posterior
from simbudget.errors import Problem, UserError
from simbudget.ledger.imported import ImportedLedger
from simbudget.numbers import usd
from simbudget.pricing.catalogue import has_service
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration
from simbudget.scenario.language.document import KeyPath
from simbudget.scenario.language.reading import Reading
from simbudget.scenario.provider import OTHERS, ModelSpeed
from simbudget.scenario.scenario import Scenario, dump
from simbudget.units import Dimension

_TURNS: Final = "cycle.think.turns"
_OUTPUT, _THINKING = "turn.output_tokens", "turn.thinking_tokens"
_LONGEST_TIMES: Final = 3.0
"""Horizon after the start of the last session, in longest sessions, so that none is cut off."""
_LONGEST_TIMES_OF_FEW: Final = 10.0
"""The same for fewer than ten sessions, which have hardly shown the longest."""
_FEW: Final = 10
_DAY_S: Final = 86_400.0
_MOST_DAYS: Final = 3650

Document = dict[str, Any]
"""A block as text, or lists and dicts of text."""


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
        """Return what the sessions cost, as `usage` counts it; without outputs that the logs do not say."""
        return sum(group.cost_usd for group in self.groups)


def implied_scenario(ledger: ImportedLedger) -> Implied:
    """Return the scenario of which a ledger's sessions are one run.

    Args:
        ledger: logs of real runs, call by call.

    Raises:
        UserError: the logs hold no session call by call, or a model has no price.
    """
    sessions = sessions_of(ledger)
    if not sessions:
        raise UserError(
            Problem(
                "these logs hold no session call by call, so they imply no cycle",
                remedy="`simbudget forecast LOG --runs 20` forecasts further runs from their totals",
            )
        )
    sessions, left_out = with_prices(sessions)
    groups = groups_of(sessions)
    jobs = _paid_jobs(ledger)
    cycles = 1 if jobs is None else max(1, round(len(jobs) / sum(len(group.sessions) for group in groups)))
    made = _Maker(groups, cycles, jobs).made(ledger, sessions)
    return replace(made, notes=(*left_out, *made.notes))


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
        self._mixed: dict[str, list[str]] = {}
        """Figures of quantities that mix several kinds of draws, by what they mix."""

    def made(self, ledger: ImportedLedger, sessions: Sequence[Session]) -> Implied:
        """Return the scenario."""
        own = [session for group in self._groups for session in group.sessions]
        models = list(dict.fromkeys(model_named(model) for model in self._models_called()))
        fits = fit_ledger(ledger, models, WORLDS)
        jobs = [fit for fit in fits if fit.name.startswith("cycle.experiment.")]
        days = sorted(session.ended for session in sessions if session.ended)
        document: Document = {"simbudget": "1", "name": "As logged"}
        document["fleet"] = [
            self._group(group, place, days, jobs) for place, group in enumerate(self._groups)
        ]
        if any(not group.is_own for group in self._groups):
            shared = self._shared()
            is_all = len(shared.sessions) == len(own)
            learnt = expired_as_missed(fits, own) if is_all else [*fit_of_sessions(shared.sessions), *jobs]
            document |= self._body(shared, learnt, _Block((), ""), days)
        by_name = {fit.name: fit for fit in fits}
        document |= self._speeds(by_name, models, sessions)
        prices = logged_prices(
            [session for group in self._groups for session in (*group.sessions, *group.delegated)]
        )
        dated = {"on": days[-1]} if days else {}
        if dated or prices.documents:
            document["prices"] = dated | prices.documents
        self._comments |= {("prices", key): comment for key, comment in prices.comments.items()}
        if days:
            self._comments["prices", "on"] = "the day of the last session"
        self._notes += prices.notes
        if "api.error_rate" in by_name:
            document["api"] = {"error_rate": self._taken(by_name["api.error_rate"], "api.error_rate")}
        if self._jobs is not None:
            document["gpus"] = {"count": str(max(1, int(np.nanmax(self._jobs.gpus))))}
            self._comments["gpus", "count"] = "the most that one job held; the price is the list's"
        after = written_exact(self._days(ledger) * _DAY_S, Dimension.DURATION)
        document["stop"] = {"after": after, "cycles_per_agent": str(self._cycles)}
        self._comments["stop", "after"] = "room for long sessions; the run ends with the last of them"
        self._note_outputs(sessions)
        self._notes += [f"{'; '.join(figures)}: {mixed}" for mixed, figures in self._mixed.items()]
        self._notes += waits_noted(self._groups)
        self._notes += mixed_models_noted(self._groups)
        return Implied(
            Scenario(**document),
            Calibration(self._quantities),
            self._groups,
            tuple(self._notes),
            _heading(own, days),
            self._comments,
        )

    def _shared(self) -> LoggedGroup:
        """Return what the groups without their own cycle share: their sessions, or if these are few, all."""
        sharing = [group for group in self._groups if not group.is_own]
        if sum(len(group.sessions) for group in sharing) < FEWEST:
            sharing = list(self._groups)
        several = len(self._groups) > 1
        for group in self._groups:
            if several and not group.is_own and len(group.sessions) < FEWEST:
                few = f"{len(group.sessions)} session{'s' * (len(group.sessions) != 1)}"
                self._notes.append(
                    f"{few} of {group.model} cannot say how its sessions differ: it has the turns and contexts "
                    f"of {sum(len(each.sessions) for each in sharing):,} sessions of "
                    + " and ".join(each.model for each in sharing)
                )
        return LoggedGroup(
            "",
            tuple(session for group in sharing for session in group.sessions),
            tuple(session for group in sharing for session in group.delegated),
            False,
        )

    def _models_called(self) -> Iterator[str]:
        yield from (group.model for group in self._groups)
        yield from (session.model for group in self._groups for session in group.delegated)

    def _group(self, group: LoggedGroup, place: int, days: Sequence[str], jobs: Sequence[Fit]) -> Document:
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
            found["start"] = {"then_every": written_duration(every_s)}
            self._comments[*path, "start"] = "as they began in the logs, on average"
        service = next(service_fits(group.sessions, np.random.default_rng(0)), None)
        if service is not None and self._has_prices(group.model, service, days):
            found["service"] = service.written
            self._comments[*path, "service"] = service.evidence.remark
        if group.is_own:
            fits = [*fit_of_sessions(group.sessions, WORLDS), *jobs]
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
        path: KeyPath = (*block.path, "cycle", 0, "think", "turns")
        self._comments[path] = mean_of_few(len(group.sessions), "session")
        if turns is not None:
            del self._comments[path]
            text = self._taken(_shared_out(turns, self._cycles), f"{block.name}cycle.think[0].turns", path)
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
        step: Document = {"agents": "1", "turns": "1", "model": model_named(role.role.model)}
        path = block.path
        self._comments[*path, "model"] = role.words
        for fit in (_per_cycle(fit, self._cycles) for fit in role.fits):
            if fit.name == "service" and not self._has_prices(role.role.model, fit, days):
                continue
            put(step, fit.name, self._taken(fit, f"{block.name}cycle.delegate[{number}].{fit.name}"))
            if fit.evidence.remark and fit.name in ("agents", "if", "context.shared_prefix_tokens"):
                self._comments[*path, *fit.name.split(".")] = fit.evidence.remark
        if self._cycles > 1 and "if" not in step:
            step["if"] = f"{100 / self._cycles:.3g}%"
        contexts = role.role.contexts
        caches = _uses_cache(contexts)
        context = step.setdefault("context", {})
        context["cache"] = cache_life(contexts, contexts[-1]) if caches else "off"
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
        outputs = known_outputs(group.sessions)
        if _OUTPUT not in fits and len(outputs):
            turn["output_tokens"] = f"{outputs.mean():.0f}"
            self._comments[*path, "output_tokens"] = mean_of_few(len(outputs), "call")
        elif _OUTPUT not in fits:
            turn["output_tokens"] = "0"
            turn["thinking_tokens"] = as_value(ASSUMED_OUTPUT)
            self._comments[*path, "output_tokens"] = (
                "the logs do not say it: what joined contexts is in the results"
            )
            self._comments[*path, "thinking_tokens"] = "assumed"
        for key in ("output_tokens", "thinking_tokens", "tool_result_tokens", "tool_time"):
            if f"turn.{key}" in fits:
                turn[key] = self._taken(fits[f"turn.{key}"], f"{block.name}turn.{key}", (*path, key))
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
        caches = _uses_cache(group.sessions)
        context: Document = {"cache": cache_life(group.sessions, group.sessions[-1]) if caches else "off"}
        if self._cycles > 1:
            context["lasts"] = "life"
        if _OUTPUT not in fits and not len(known_outputs(group.sessions)):
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
            self._comments[*path, "first_prompt_tokens"] = mean_of_few(len(group.sessions), "session")
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

    def _speeds(
        self, fits: Mapping[str, Fit], models: Sequence[str], sessions: Sequence[Session]
    ) -> Document:
        """Return the models' speeds; where durations do not grow with outputs, the default output speed stays."""
        speeds: Document = {}
        for model in (*models, OTHERS):
            first, output = (fits.get(f"models[{model}].{key}") for key in ("first_token", "output_speed"))
            if first is None or output is None:
                continue
            found: Document = {}
            if tells_no_speed(output):
                default = ModelSpeed.read(Reading(Path()), None, "models", None).output_speed
                rng = np.random.default_rng(0)
                rest = fit_first_token(model, sessions, default.typical, WORLDS, rng)
                self._notes.append(no_speed_noted(model, str(default.text), sessions, rest is not None))
                first, output = (first, output) if rest is None else (rest, None)
            path: KeyPath = ("models", model)
            found["first_token"] = self._taken(first, first.name, (*path, "first_token"))
            if output is not None:
                found["output_speed"] = self._taken(output, output.name)
            speeds[model] = found
        return {"models": speeds} if speeds else {}

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
        count = sum(len(group.sessions) for group in self._groups)
        times = _LONGEST_TIMES_OF_FEW if count < _FEW else _LONGEST_TIMES
        return min(_MOST_DAYS, int(np.ceil((span_s + times * longest_s) / _DAY_S)) + 1)

    def _note_outputs(self, sessions: Sequence[Session]) -> None:
        silent = [session for session in sessions if not session.knows_output]
        if silent:
            self._notes.append(
                f"{len(silent):,} of {len(sessions):,} sessions give no output tokens: their logged cost is "
                f"without output, to which the scenario adds what is assumed, about {usd(assumed_usd(silent))}"
            )

    def _taken(self, fit: Fit, name: str, path: KeyPath | None = None) -> Any:
        """Return the value of a fit, and store the fit under this name; remark at its path on how it varies."""
        if fit.quantity is not None:
            self._quantities[name] = replace(fit.quantity, name=name)
        if path is not None and (remark := remark_on(fit)):
            self._comments[path] = remark
            figures, mixed = note_on(fit, name)
            if mixed:
                self._mixed.setdefault(mixed, []).append(figures)
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


def _uses_cache(sessions: Sequence[Session]) -> bool:
    return any(np.nansum(session.read) + np.nansum(session.write) > 0 for session in sessions)


def _summary(fits: Mapping[str, Fit]) -> dict[str, Fit]:
    name = "context.compacted_to_tokens"
    return {name: fits[name]} if name in fits else {}


def _least_limit(fits: Mapping[str, Fit]) -> int:
    return least_limit({name: fit.quantity for name, fit in fits.items() if fit.quantity is not None})


def _per_cycle(fit: Fit, cycles: int) -> Fit:
    """Divide the probability of delegating by the number of cycles in a session."""
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


def _every_s(sessions: Sequence[Session]) -> float:
    """Return the time between starts of sessions, estimated from the days on which they ended; 0 if unknown."""
    days = sorted(np.datetime64(session.ended) for session in sessions if session.ended)
    if len(days) < 2:
        return 0.0
    return float((days[-1] - days[0]) / np.timedelta64(1, "s")) / (len(sessions) - 1)
