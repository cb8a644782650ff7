"""Fits to what agents delegate, by model: how many sub-agents, their turns and contexts, and what they return.

A scenario has a `delegate` step for each model. `if` is the share of cycles that delegate at all, `agents` the number
of sub-agents in those. Sub-agents that a log starts one after the other stand side by side in the step: cost and tokens
are theirs, the time is that of the slowest.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from simbudget.arrays import Floats
from simbudget.calibration.observed.call_habits import SharedPrefix, shared_prefix, used_service
from simbudget.calibration.observed.delegation import HELPER, STEP, SUB_AGENT, Callers, Role, callers_of
from simbudget.calibration.observed.sessions import Session
from simbudget.calibration.posteriors.runs_to_come import pool
from simbudget.calibration.scenarios.fit import (
    FEWEST,
    Fit,
    fit_as_text,
    fit_of_fact,
    fit_of_rate,
    fit_of_varying,
)
from simbudget.calibration.scenarios.session_fits import (
    ASSUMED_OUTPUT,
    KEEPS,
    evidence_of_sessions,
    fit_sessions,
)
from simbudget.calibration.scenarios.wording import as_value
from simbudget.scenario.calibration_file import LearntFrom
from simbudget.units import Dimension

_SEED: Final = 20_261_130
_TAKEN: Final = ("turn.", "context.first_prompt_tokens", "context.keeps_thinking")
"""What a sub-agent's context has of its own, by the beginning of its name; limits and cache misses are the group's."""
_WHO: Final = {SUB_AGENT: "sub-agents", HELPER: "calls of a helper", STEP: "steps"}
PREFIX_KEY: Final = "context.shared_prefix_tokens"


@dataclass(frozen=True)
class RoleFits:
    """The fits to what is delegated to one model, or done in steps with it; names are keys within the step."""

    role: Role
    fits: tuple[Fit, ...]

    @property
    def words(self) -> str:
        """Return what is delegated, in words."""
        who = _WHO[self.role.kind]
        having = int((self.role.counts > 0).sum())
        return (
            f"{len(self.role.contexts):,} {who} of {self.role.model} ({self.role.calls:,} calls) in "
            f"{having:,} of {len(self.role.counts):,} cycles"
        )

    @property
    def by_name(self) -> dict[str, Fit]:
        """Return the fits by key."""
        return {fit.name: fit for fit in self.fits}

    def step(self) -> dict[str, Any]:
        """Return the step as a scenario has it, as text and mappings of it."""
        step: dict[str, Any] = {"model": self.role.model}
        for fit in self.fits:
            put(step, fit.name, as_value(fit.written))
        return step


def put(step: dict[str, Any], name: str, value: Any) -> None:
    """Set a value of a step's document, in the block that its name says, such as `turn.tool_time`.

    Args:
        step: the document, which is changed.
        name: the key, after those of the blocks around it.
        value: as a scenario has it.
    """
    *blocks, key = name.split(".")
    for block in blocks:
        step = step.setdefault(block, {})
    step[key] = value


def fit_roles(sessions: Sequence[Session], worlds: int, agents: Collection[str] = ()) -> list[RoleFits]:
    """Return the fits to what agents delegate, by model, the most frequent first; empty if they do not.

    Args:
        sessions: all sessions of a ledger.
        worlds: number of joint draws.
        agents: models of the scenario's agents; see `callers_of`.
    """
    callers = callers_of(sessions, agents)
    rng = np.random.default_rng(_SEED)
    return [RoleFits(role, tuple(_of_role(role, callers, worlds, rng))) for role in callers.roles]


def _of_role(role: Role, callers: Callers, worlds: int, rng: np.random.Generator) -> Iterator[Fit]:
    if role.kind != STEP:
        yield from _number(role, worlds, rng)
    fits = {fit.name: fit for fit in fit_sessions(role.contexts, (), worlds, people=False, rng=rng)}
    yield _turns(role, fits)
    yield from (fit for name, fit in fits.items() if name.startswith(_TAKEN))
    yield from _not_the_groups(role, fits)
    yield from prefix_fits(role.contexts, worlds, rng)
    returned = _returned(role, callers.own)
    if len(returned) >= FEWEST:
        yield _returns(returned, evidence_of_sessions(role.contexts, len(returned)), worlds, rng)
    yield from service_fits(role.contexts, rng)


def _number(role: Role, worlds: int, rng: np.random.Generator) -> Iterator[Fit]:
    """Yield how many sub-agents a cycle starts, and the share of cycles that start any."""
    having = role.counts[role.counts > 0]
    evidence = evidence_of_sessions(role.contexts, len(having))
    if len(having) < FEWEST:
        mean = float(having.mean()) if len(having) else float(len(role.contexts))
        few = replace(evidence, remark="too few to learn how they differ: their mean")
        yield fit_as_text("agents", f"{max(mean, 1.0):.3g}", few)
    else:
        learnt = pool([np.log([count]) for count in having], worlds, rng, has_levels=False)
        yield fit_of_varying("agents", Dimension.NUMBER, learnt, evidence, having)
    if len(having) < len(role.counts):
        hits, tries = role.by_run()
        of_all = replace(evidence, observations=len(role.counts), remark="share of cycles that delegate")
        yield fit_of_rate("if", hits, tries, of_all, worlds, rng)


def _turns(role: Role, fits: Mapping[str, Fit]) -> Fit:
    """Return the turns of a sub-agent; their mean where there are too few contexts to learn from."""
    learnt = fits.get("cycle.think.turns")
    if learnt is None:
        few = evidence_of_sessions(role.contexts, len(role.contexts), "too few to learn from: their mean")
        return fit_as_text("turns", f"{role.calls / len(role.contexts):.3g}", few)
    quantity = None if learnt.quantity is None else replace(learnt.quantity, name="turns")
    return replace(learnt, name="turns", quantity=quantity)


def _not_the_groups(role: Role, fits: Mapping[str, Fit]) -> Iterator[Fit]:
    """Yield values that logs do not show, where a step would take those of its group instead."""
    evidence = evidence_of_sessions(role.contexts, role.calls)
    says_output = "turn.output_tokens" in fits
    nothing = {"turn.opening.times": "1"}
    if says_output:
        nothing["turn.thinking_tokens"] = "0"
    if all(len(context) == 1 for context in role.contexts):  # nothing follows an only call
        nothing |= {"turn.tool_result_tokens": "0", "turn.tool_time": "0 s"}
    for name, written in nothing.items():
        if name not in fits:
            yield fit_as_text(name, written, replace(evidence, remark="none in these logs"))
    if not says_output:
        remark = "assumed: the logs do not say outputs, and what joined contexts is in the results"
        for name, written in (("output_tokens", "0"), ("thinking_tokens", ASSUMED_OUTPUT)):
            yield fit_as_text(f"turn.{name}", written, replace(evidence, remark=remark))
        yield fit_as_text(KEEPS, "no", replace(evidence, remark=remark))


def prefix_fits(contexts: Sequence[Session], worlds: int, rng: np.random.Generator) -> Iterator[Fit]:
    """Yield the prefix that contexts share, where their first calls tell.

    Args:
        contexts: those of one role.
        worlds: number of draws.
        rng: for resampling.
    """
    found = shared_prefix(contexts, rng)
    if found is None:
        return
    evidence = evidence_of_sessions(contexts, found.beginnings, _prefix_words(found))
    draws: Floats = np.round(np.resize(found.draws, worlds)).astype(np.float64)
    low, high = np.quantile(draws, (0.1, 0.9))
    written = f"{low:.0f}" if low == high else f"{{unknown: {low:.0f} to {high:.0f}}}"
    if low == high:
        draws = np.full(worlds, low)
    yield fit_of_fact(PREFIX_KEY, draws, written, evidence)


def _prefix_words(found: SharedPrefix) -> str:
    share, low, high = found.share
    return (
        f"{found.found:,} of {found.beginnings:,} first calls read from a shared cache, "
        f"{share:.0%} of first prompts (80 %: {low:.0%} to {high:.0%})"
    )


def service_fits(sessions: Sequence[Session], rng: np.random.Generator) -> Iterator[Fit]:
    """Yield the service of most calls, where it is not the standard one.

    Args:
        sessions: those of one role.
        rng: for resampling.
    """
    used = used_service(sessions, rng)
    if used is None:
        return
    share, low, high = used.share
    remark = f"{share:.0%} of calls (80 %: {low:.0%} to {high:.0%})"
    yield fit_as_text("service", used.name, evidence_of_sessions(sessions, used.calls, remark))


def _returned(role: Role, own: Sequence[Session]) -> Floats:
    """Return [delegations] the tokens that joined the agent's context for each sub-agent, where ledgers record steps.

    Other logs put what a sub-agent returns among the tool results, which are learnt as such.
    """
    found: list[float] = []
    for session in own:
        if session.steps is not None:
            found.extend(_returned_to(session, role))
    return np.array(found)


def _returned_to(session: Session, role: Role) -> Iterator[float]:
    """Yield the tokens for each sub-agent of the delegations within one context, typical tool results taken off."""
    theirs = [
        context
        for context in role.contexts
        if (context.run, context.agent) == (session.run, session.agent)
        and session.started_s[0] <= context.started_s[0] < session.started_s[-1]
    ]
    if not theirs:
        return
    calls = np.searchsorted(session.started_s, [context.started_s[0] for context in theirs], side="right") - 1
    joined = session.growth - session.output[:-1]
    others = np.setdiff1d(np.arange(len(joined)), calls)
    usual = float(np.nanmean(joined[others])) if len(others) else 0.0
    for call, count in zip(*np.unique(calls, return_counts=True), strict=True):
        if np.isfinite(joined[call]):
            yield (joined[call] - usual) / count


def _returns(returned: Floats, evidence: LearntFrom, worlds: int, rng: np.random.Generator) -> Fit:
    """Return the mean of what a sub-agent returns, which is all that sums over sub-agents and tools tell."""
    error = returned.std(ddof=1) / np.sqrt(len(returned))
    draws = np.maximum(returned.mean() + error * rng.standard_normal(worlds), 0.0)
    low, high = np.quantile(draws, (0.1, 0.9))
    remark = "the mean; logs show sums of several, with a tool's result"
    return fit_of_fact(
        "returns_tokens", draws, f"{{unknown: {low:.0f} to {high:.0f}}}", replace(evidence, remark=remark)
    )
