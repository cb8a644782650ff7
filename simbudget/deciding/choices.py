"""The choices in a plan: exact numbers and words, the alternatives to each, and what each alternative changes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import pandas as pd

from simbudget.deciding.alternatives import FEW_TWICE, Alternative, Progress, Sample, paired_rows
from simbudget.deciding.changes import Change, Source
from simbudget.deciding.compare import Against, against_first
from simbudget.deciding.outcomes import SPEND, outcomes_of
from simbudget.errors import UserError
from simbudget.projection.projection import Projection
from simbudget.projection.run import replications_of
from simbudget.scenario.resources import BILLINGS
from simbudget.scenario.scenario import Scenario

_CACHES: Final = ("off", "5 min", "1 h")
_BILLINGS: Final = tuple(name for name, kind in BILLINGS.items() if not kind.keys)
"""Kinds of billing that need no further keys."""
_AT_THE_END_OF_A_PLAN: Final = ("wait", "pay")


def one_change_each(source: Source) -> list[Alternative]:
    """Return the scenario with one choice changed, for each choice: counts halved and doubled, words replaced.

    What the loader would not allow is left out.
    """
    made = []
    for change in _changes(source.load().scenario):
        try:
            loaded = source.load(change)
        except UserError:
            continue
        made.append(Alternative(str(change), loaded.scenario, (change,), loaded.notes))
    return made


def _changes(scenario: Scenario) -> Iterator[Change]:
    kinds = {step.kind for group in scenario.fleet for step in group.cycle}
    for number, group in enumerate(scenario.fleet):
        key = "agents" if number == 0 else f"fleet[{number}].agents"
        yield from _half_and_double(key, group.agents)
    yield from _horizon(scenario)
    for number, pool in enumerate(scenario.pools if "experiment" in kinds else ()):
        is_only = len(scenario.pools) == 1
        yield from _half_and_double("gpus" if is_only else f"gpus[{number}].count", pool.count)
        yield from _others("billing" if is_only else f"gpus[{number}].billing", pool.billing, _BILLINGS)
    if "score" in kinds:
        yield from _half_and_double("servers", scenario.scorer.servers)
    if scenario.review is not None:
        yield from _half_and_double("reviewers", scenario.review.people)
    if scenario.research is not None and scenario.gates:
        yield from _half_and_double("finalists", scenario.research.finalists)
        for number, gate in list(enumerate(scenario.gates))[1:]:
            if gate.tries == "all":
                yield Change(f"gates[{number}].tries", "passed")
    yield from _provider(scenario)
    contexts = {group.context.cache for group in scenario.fleet if group.kind == "agents"}
    for cache in contexts if len(contexts) == 1 else ():
        yield from _others("cache", cache, _CACHES)
    used = {group.model for group in scenario.fleet}
    for model in scenario.prices.models:
        if model not in used:
            yield Change("model", model)


def _provider(scenario: Scenario) -> Iterator[Change]:
    """Yield alternative subscriptions, and alternative replica counts for self-hosted models."""
    if (plan := scenario.api.plan) is not None:
        yield from _half_and_double("api.plan.seats", plan.seats)
        yield from _others("api.plan.then", plan.then, _AT_THE_END_OF_A_PLAN)
    for name, model in scenario.models.items():
        if model.served_on is not None:
            yield from _half_and_double(f"models[{name}].replicas", model.replicas)


def _half_and_double(key: str, count: int) -> Iterator[Change]:
    if count > 1:
        yield Change(key, str(count // 2))
    yield Change(key, str(2 * count))


def _horizon(scenario: Scenario) -> Iterator[Change]:
    after_h = scenario.stop.after.exact_value / 3600.0
    for factor in (0.5, 2.0):
        yield Change("hours", f"{factor * after_h:g}")


def _others(key: str, current: str, words: tuple[str, ...]) -> Iterator[Change]:
    for word in words:
        if word != current:
            yield Change(key, word)


_FIRST: Final = 10
"""Worlds; enough for a difference of 1.2 standard deviations to be significant with a probability of 90 %."""
_MOST: Final = 20
"""Worlds; the same for 0.8 standard deviations."""
_PART: Final = 15
"""One fifteenth of a large sample: some twenty choices then take about as long as the plan itself."""
_OF_DIFFERENCE: Final = 0.25
_OF_SPEND: Final = 0.01
"""A difference known to within a quarter of itself, or to within 1 % of the spend, is precise enough to be ranked."""


def one_at_a_time(
    first: tuple[Alternative, Projection],
    others: Sequence[Alternative],
    sample: Sample,
    progress: Progress | None = None,
) -> tuple[Against, ...]:
    """Return every alternative compared with the first, from a few replications each.

    Alternatives share their luck, so that differences need fewer replications than the figures themselves, and
    some twenty choices with as many would take nearly all of the time. Each gets ten worlds, and more only if the
    difference in spend is not precise yet.

    Args:
        first: the plan and its projection, whose first replications the others' are paired with.
        others: the plan with one choice changed each.
        sample: that of the projection.
        progress: called with the number of alternatives done, and of all.

    Raises:
        UserError: a scenario cannot be simulated.
        KeyboardInterrupt: interrupted.
    """
    found = []
    for done, other in enumerate(others):
        if progress is not None:
            progress(done, len(others))
        found.append(_against(first, other, sample))
    if progress is not None:
        progress(len(others), len(others))
    return tuple(found)


def _against(first: tuple[Alternative, Projection], other: Alternative, sample: Sample) -> Against:
    """Return an alternative compared with the first, from as many replications as that needs."""
    plan, projection = first
    options = replace(sample, in_each_world=FEW_TWICE).options(())
    rows_of_first = options.worlds if projection.is_certain else len(projection.replications)
    rows: list[pd.DataFrame] = []
    for enough in (_FIRST, max(_MOST, sample.replications // _PART)):
        looked_at = min(enough, options.worlds or 1, rows_of_first or 1)
        made = sum(map(len, rows))
        if made and not made < looked_at:
            break
        rows.append(replications_of(other.scenario, replace(options, replications=looked_at), made))
        frames = paired_rows([projection.replications[:looked_at], pd.concat(rows, ignore_index=True)])
        against = against_first(
            (plan, frames[0]), (other, frames[1]), outcomes_of([plan.scenario, other.scenario], frames)
        )
        if _is_precise(against, float(frames[0][SPEND.column].mean())):
            break
    return against


def _is_precise(against: Against, spend_usd: float) -> bool:
    """Return whether more replications would tell little more of the difference in spend."""
    spend = against.differences[SPEND]
    half = (spend.high - spend.low) / 2.0
    return half <= max(_OF_DIFFERENCE * abs(spend.mean), _OF_SPEND * spend_usd)
