"""The forum: reading what others have posted, and posting."""

from simbudget.compilation import internal
from simbudget.engine.compiled.calls import wants_call
from simbudget.engine.compiled.contexts import HELD
from simbudget.engine.compiled.entries import (
    POST,
)
from simbudget.engine.compiled.limits import may_not_start
from simbudget.engine.compiled.points import (
    BUDGET_REACHED,
    CALLS,
    POST_KNOWN,
    POSTS_READ,
    STEP_DONE,
)
from simbudget.engine.compiled.state import Record, Site
from simbudget.engine.compiled.steps.common import (
    FOR_POSTS,
    FOR_TELLING,
    asks_board,
)
from simbudget.engine.laws.calls import draw_post


@internal
def shares_in_turn(site: Site, run: Record, agent: Record) -> int:
    """Read what others have posted, and write a post."""
    if may_not_start(site, run, agent):
        return BUDGET_REACHED
    agent.post_tokens = draw_post(site.rows, site.table, run.post_tokens, agent.stream, agent.posts)
    agent.posts += 1
    tokens, first = _reads(site, run, agent)
    if site.groups[agent.group].is_people == 0:
        agent.context[HELD] += tokens
    if run.has_research:
        run.board_first_post = first
        return asks_board(run, agent, FOR_POSTS, POSTS_READ)
    return posts_read(site, run, agent)


@internal
def posts_read(site: Site, run: Record, agent: Record) -> int:
    """Write a post: with a call, if the agent is not one of the people."""
    if site.groups[agent.group].is_people:
        return post_answered(site, run, agent)
    wants_call(site, agent, POST, agent.post_tokens, 0)
    return CALLS


@internal
def post_answered(site: Site, run: Record, agent: Record) -> int:
    """Report the agent's own best submission in the post, if there is one."""
    if run.has_research:
        return asks_board(run, agent, FOR_TELLING, POST_KNOWN)
    return posts(site, run, agent)


@internal
def posts(site: Site, run: Record, agent: Record) -> int:
    """Let others see the post."""
    site.forum[run.posts % len(site.forum)] = run.posted_tokens
    agent.own_post = run.posts
    agent.own_post_tokens = agent.post_tokens
    run.posts += 1
    run.posted_tokens += agent.post_tokens
    return STEP_DONE


@internal
def _reads(site: Site, run: Record, agent: Record) -> tuple[int, int]:
    """Return the tokens of the latest posts of others since the agent's last look, and the first that is read.

    Notes the look.

    Who reads has posted at most once since then, so sums of what was posted before each post are enough.
    """
    first, most = agent.posts_seen, run.reads_at_most
    agent.posts_seen = run.posts
    others = run.posts - first - (1 if agent.own_post >= first else 0)
    if others > most:
        first = run.posts - most
        if agent.own_post >= first:
            first -= 1
    if first == run.posts:
        return 0, first
    if run.posts - first > len(site.forum):
        run.forum_is_short = 1
    own_tokens = agent.own_post_tokens if agent.own_post >= first else 0
    return run.posted_tokens - site.forum[first % len(site.forum)] - own_tokens, first
