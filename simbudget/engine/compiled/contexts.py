"""Contexts: what an agent's next call sends, and the contexts that stand still meanwhile; see `reference.context`."""

from typing import Final

from simbudget.compilation import internal
from simbudget.engine.compiled.state import Record, Site
from simbudget.engine.laws.calls import NEVER, draw_first_prompt, draw_shared_prefix, tokens_under_way
from simbudget.engine.program import NONE, Lasts

_LIFE_LONG: Final = int(Lasts.LIFE)

HELD: Final = 0
SENT: Final = 1
BEGAN: Final = 2
LIFE: Final = 3
"""The cells of a context: tokens, tokens that the last call sent, when it began, the cache's life in nanoseconds."""


@internal
def open_context(site: Site, run: Record, agent: Record) -> None:
    """Begin a new context with nothing but the first prompt."""
    open_context_with(site, run, agent, 0)


@internal
def take_up_context(site: Site, run: Record, agent: Record) -> None:
    """Let the context with which an agent starts be under way already, if its group's contexts are."""
    group = site.groups[agent.group]
    started = tokens_under_way(site.rows, group.start_context_tokens)
    if started:
        agent.opened_with_tokens = agent.context[HELD] = started
        agent.context[SENT] = min(started, group.start_cached_tokens)
        agent.context[BEGAN] = run.now
        agent.context_results = group.start_context_turns


@internal
def open_context_with(site: Site, run: Record, agent: Record, more_tokens: int) -> None:
    """Begin a new context with the first prompt and further tokens."""
    row = site.contexts[agent.context_row]
    prompt = draw_first_prompt(site.rows, site.table, row.first_prompt, agent.stream, agent.contexts)
    agent.prefix_tokens = draw_shared_prefix(
        site.rows, site.table, row.shared_prefix, agent.stream, agent.contexts
    )
    agent.first_prompt_tokens = prompt
    agent.opened_with_tokens = prompt + more_tokens
    agent.context_turns = 0
    agent.context[LIFE] = site.clients[agent.client].cache_life_ns
    empty_context(agent, prompt + more_tokens, 0)
    agent.context_number = agent.contexts
    owner = site.agents[agent.owner]
    agent.session = owner.sessions
    agent.contexts += 1
    owner.sessions += 1


@internal
def context_is_used(agent: Record) -> bool:
    """Return whether a call has been made, or anything has joined the first prompt."""
    return agent.context_turns > 0 or agent.context[HELD] != agent.opened_with_tokens


@internal
def empty_context(agent: Record, tokens: int, results: int) -> None:
    """Reduce a context to `tokens` that the cache does not hold; tool results count from `results` on."""
    agent.context[HELD] = tokens
    agent.context[SENT] = 0
    agent.context[BEGAN] = NEVER
    agent.context_results = results


# A step's own terms.


@internal
def begin_own_terms(site: Site, run: Record, agent: Record) -> None:
    """Make calls on the terms of the agent's step, in its own context if it has one; the group's stands still."""
    step = site.steps[agent.step]
    if step.client != NONE:
        agent.client = step.client
    if step.turn != NONE:
        agent.turn_row = step.turn
    if step.context == NONE:
        return
    _keep(site, agent, 0)
    agent.is_on_own_context = 1
    agent.context_row = step.context
    if site.kept[agent.number, step.kept].is_kept:
        _take_back(site, agent, step.kept)
    else:
        open_context(site, run, agent)


@internal
def end_own_terms(site: Site, agent: Record) -> None:
    """Make calls on the group's terms again, in its context."""
    group = site.groups[agent.group]
    if agent.is_on_own_context:
        if site.contexts[agent.context_row].lasts == _LIFE_LONG:
            _keep(site, agent, site.steps[agent.step].kept)
        _take_back(site, agent, 0)
        agent.is_on_own_context = 0
    agent.client = group.client
    agent.turn_row = group.turn
    agent.context_row = group.context


@internal
def put_context_aside(site: Site, agent: Record) -> None:
    """Keep an agent's context while its judge makes calls; the last place of those that stand still is for it."""
    _keep(site, agent, site.kept.shape[1] - 1)


@internal
def take_context_back(site: Site, agent: Record) -> None:
    """Go on with the context that was put aside."""
    _take_back(site, agent, site.kept.shape[1] - 1)


@internal
def forget_contexts(site: Site, agent: Record) -> None:
    """Lose the lasting contexts of steps, at a crash."""
    for place in range(site.kept.shape[1]):
        site.kept[agent.number, place].is_kept = 0


@internal
def _keep(site: Site, agent: Record, place: int) -> None:
    kept = site.kept[agent.number, place]
    kept.is_kept = 1
    _copy_context(agent, kept)


@internal
def _take_back(site: Site, agent: Record, place: int) -> None:
    _copy_context(site.kept[agent.number, place], agent)


@internal
def _copy_context(source: Record, target: Record) -> None:
    """Copy what an agent and a context that stands still have in common; see `state.CONTEXT_AT_HAND`."""
    for cell in range(len(source.context)):
        target.context[cell] = source.context[cell]
    target.first_prompt_tokens = source.first_prompt_tokens
    target.opened_with_tokens = source.opened_with_tokens
    target.context_turns = source.context_turns
    target.context_results = source.context_results
    target.context_number = source.context_number
    target.prefix_tokens = source.prefix_tokens
    target.session = source.session
