"""The judge of an agent's submissions: a model whose calls the scorer makes one after the other; see `reference.judge`.

The judge is a caller of its own, with its own model, streams and attempts. While it is at work its agent waits for the
score and calls nobody, so its calls are made on the agent's record: what the agent needs later is put aside.
"""

from simbudget.compilation import internal
from simbudget.engine.compiled.calls import calls_alone
from simbudget.engine.compiled.contexts import put_context_aside, take_context_back
from simbudget.engine.compiled.entries import JUDGE
from simbudget.engine.compiled.state import Record, Site
from simbudget.engine.laws.work import draw_judge_call, draw_judging, judge_key

_KEY = 3
"""The place in a stream of the number that tells callers apart."""


@internal
def begin_judging(site: Site, run: Record, agent: Record) -> None:
    """Let the calls to come be the judge's, and draw how many it makes for the agent's last submission."""
    put_context_aside(site, agent)
    agent.is_judged = 1
    agent.client = run.judge
    agent.own_key = agent.stream[_KEY]
    agent.stream[_KEY] = judge_key(agent.stream)
    agent.own_attempts = agent.attempts
    agent.attempts = agent.judge_attempts
    agent.judge_calls_left = draw_judging(
        site.rows, site.table, run.judge_calls, agent.stream, agent.submissions - 1
    )


@internal
def end_judging(site: Site, agent: Record) -> None:
    """Let the calls to come be the agent's own again."""
    agent.is_judged = 0
    agent.judge_attempts = agent.attempts
    agent.attempts = agent.own_attempts
    agent.stream[_KEY] = agent.own_key
    agent.client = site.groups[agent.group].client
    take_context_back(site, agent)


@internal
def judges(site: Site, run: Record, agent: Record) -> int:
    """Make the judge's next call."""
    input_tokens, output_tokens = draw_judge_call(
        site.rows, site.table, run.judge_input, run.judge_output, agent.stream, agent.judge_calls
    )
    agent.judge_calls += 1
    return calls_alone(site, run, agent, JUDGE, input_tokens, output_tokens)
