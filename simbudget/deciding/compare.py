"""Comparison of two or more alternatives with common random numbers, and the causes of their differences."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.deciding.alternatives import Alternative, Progress, Sample, paired_rows, project_together
from simbudget.deciding.differences import Difference, RatioDifference, difference, ratio_difference
from simbudget.deciding.net_benefit import Acceptability, acceptability, worths_to_show
from simbudget.deciding.outcomes import (
    RESULTS,
    SHOW,
    SOLVED,
    SPEND,
    Outcome,
    Unit,
    counts_results,
    outcomes_of,
    same_skill,
)
from simbudget.numbers import NOTHING, rounded, usd
from simbudget.projection.projection import Projection
from simbudget.results import Picture, Result, Table
from simbudget.scenario.scenario import Scenario


@dataclass(frozen=True)
class Against:
    """One alternative compared with the first."""

    name: str
    first: str
    differences: dict[Outcome, Difference]
    price_usd: RatioDifference | None
    """The difference per transferable result; None if results are not counted."""
    solved_price_usd: RatioDifference | None = None
    """The difference per solved task; None if there are no tasks."""

    @property
    def is_same(self) -> bool:
        """Return whether the two are the same in every replication."""
        return all(found.is_same for found in self.differences.values())


@dataclass(frozen=True)
class Comparison(Result):
    """The comparison of several alternatives."""

    alternatives: tuple[Alternative, ...]
    projections: tuple[Projection, ...]
    outcomes: tuple[Outcome, ...]
    against: tuple[Against, ...]
    """Every alternative but the first."""
    acceptability: Acceptability | None
    """None if results are not counted, or no replication has any."""
    notes: tuple[str, ...] = ()

    json_name = "comparison.json"

    def answer(self) -> str:
        """Return each alternative against the first, and which is the best buy at which worth of a result."""
        return " ".join([*map(_against, self.against), *_best_buys(self)])

    def tables(self) -> list[Table]:
        """Return the alternatives side by side, and the differences of each from the first."""
        return [_alternatives(self), *map(_differences, self.against)]

    def figures(self) -> dict[str, Picture]:
        """Return spend compared and, where results are counted, cost against results and the best buy."""
        from simbudget.deciding import figures as drawn  # noqa: PLC0415  matplotlib is slow to import

        figures = {
            "spend_compared": Picture("Spend of each alternative", partial(drawn.spend_compared, self))
        }
        if self.acceptability is not None:
            figures |= {
                "cost_against_results": Picture(
                    "Cost against results", partial(drawn.cost_against_results, self)
                ),
                "best_buy": Picture("Probability of being the best buy", partial(drawn.best_buy, self)),
            }
        return figures

    @property
    def replications(self) -> int:
        """Return how many replications of each it rests on."""
        return max(len(projection.replications) for projection in self.projections)

    @property
    def worlds(self) -> int:
        """Return over how many worlds."""
        return max(projection.worlds for projection in self.projections)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "seed": self.projections[0].seed,
            "replications": self.replications,
            "worlds": self.worlds,
            "alternatives": [
                {"name": alternative.name, "changes": [str(change) for change in alternative.changes]}
                | projection.as_json()
                for alternative, projection in zip(self.alternatives, self.projections, strict=True)
            ],
            "against_first": [_against_as_json(against) for against in self.against],
            "acceptability": _acceptability_as_json(self.acceptability),
            "notes": list(self.notes),
        }


def compare(
    alternatives: Sequence[Alternative], sample: Sample | None = None, progress: Progress | None = None
) -> Comparison:
    """Return the comparison of two or more alternatives, the others against the first.

    Args:
        alternatives: the alternatives, the first of which is the reference.
        sample: numbers of replications and worlds.
        progress: called with the replications done and those to do.

    Raises:
        UserError: an option makes no sense, or a scenario cannot be simulated.
    """
    projections = project_together([each.scenario for each in alternatives], sample, progress)
    projections = [
        replace(projection, notes=(*projection.notes, *alternative.notes))
        for alternative, projection in zip(alternatives, projections, strict=True)
    ]
    return compare_projections(alternatives, projections)


def compare_projections(alternatives: Sequence[Alternative], projections: Sequence[Projection]) -> Comparison:
    """Return the comparison of alternatives projected with common random numbers.

    Args:
        alternatives: the alternatives.
        projections: their projections, in the same order, from `project_together`.
    """
    frames = paired_rows([projection.replications for projection in projections])
    scenarios = [each.scenario for each in alternatives]
    outcomes = outcomes_of(scenarios, frames)
    against = [
        against_first((alternatives[0], frames[0]), other, outcomes)
        for other in zip(alternatives[1:], frames[1:], strict=True)
    ]
    curves = None
    if all(counts_results(scenario) for scenario in scenarios):
        spends = [frame[SPEND.column].to_numpy() for frame in frames]
        results = [frame[RESULTS.column].to_numpy() for frame in frames]
        worths = worths_to_show(spends, results)
        if worths is not None:
            worlds = frames[0]["world"].to_numpy()
            curves = acceptability([each.name for each in alternatives], spends, results, worths, worlds)
    notes = dict.fromkeys(note for alternative in alternatives for note in alternative.notes)
    notes |= dict.fromkeys((*_assumed_speeds(scenarios), *same_skill(scenarios)))
    return Comparison(
        tuple(alternatives), tuple(projections), tuple(outcomes), tuple(against), curves, tuple(notes)
    )


def against_first(
    first: tuple[Alternative, pd.DataFrame],
    other: tuple[Alternative, pd.DataFrame],
    outcomes: Sequence[Outcome],
) -> Against:
    """Return one alternative compared with another.

    Args:
        first: an alternative, and its replications.
        other: the one that is compared with it, with replications aligned by row.
        outcomes: those that apply to both.
    """
    one, two = first[1], other[1]
    worlds = one["world"].to_numpy()

    def price_of(outcome: Outcome) -> RatioDifference | None:
        if outcome not in outcomes:
            return None
        spends = one[SPEND.column].to_numpy(), two[SPEND.column].to_numpy()
        counts = one[outcome.of_means].to_numpy(), two[outcome.of_means].to_numpy()
        return ratio_difference(spends, counts, worlds)

    return Against(
        name=other[0].name,
        first=first[0].name,
        differences={outcome: _difference(outcome, one, two) for outcome in outcomes},
        price_usd=price_of(RESULTS),
        solved_price_usd=price_of(SOLVED),
    )


def _difference(outcome: Outcome, one: pd.DataFrame, two: pd.DataFrame) -> Difference:
    """Return the difference of an outcome, its mean from the column with the least luck."""
    worlds = one["world"].to_numpy()
    of_means = difference(one[outcome.of_means].to_numpy(), two[outcome.of_means].to_numpy(), worlds)
    if outcome.expected is None:
        return of_means
    of_runs = difference(one[outcome.column].to_numpy(), two[outcome.column].to_numpy(), worlds)
    return replace(of_means, p10=of_runs.p10, p50=of_runs.p50, p90=of_runs.p90)


def _against_as_json(against: Against) -> dict[str, Any]:
    return {
        "name": against.name,
        "first": against.first,
        "same_in_every_replication": against.is_same,
        "differences": {
            outcome.name: {
                "mean": _number(found.mean),
                "p10": _number(found.p10),
                "p50": _number(found.p50),
                "p90": _number(found.p90),
                "monte_carlo_95": [_number(found.low), _number(found.high)],
                "told_apart": found.is_significant and not found.is_same,
                "replications_needed": found.needed,
            }
            for outcome, found in against.differences.items()
        },
        "cost_per_transferable_result_usd": asdict(against.price_usd) if against.price_usd else None,
        "cost_per_solved_usd": asdict(against.solved_price_usd) if against.solved_price_usd else None,
    }


def _acceptability_as_json(curves: Acceptability | None) -> dict[str, Any] | None:
    if curves is None:
        return None
    return {
        "worth_usd": [float(worth) for worth in curves.worths_usd],
        "probability_best_buy": dict(zip(curves.names, curves.probabilities.T.tolist(), strict=True)),
        "expected_net_benefit_usd": dict(zip(curves.names, curves.expected_usd.T.tolist(), strict=True)),
        "best": curves.best,
        "best_is_told_from_second": curves.is_significant.tolist(),
    }


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _assumed_speeds(scenarios: Sequence[Scenario]) -> Iterator[str]:
    """Yield a note if compared models include one whose speed is neither written nor learnt."""
    if len({frozenset(scenario.models) for scenario in scenarios}) < 2:
        return
    assumed = {
        model
        for scenario in scenarios
        for model, speed in scenario.models.items()
        if speed.served_on is None
        and speed.output_speed.name == f"models[{model}].output_speed"  # not that of `others`
        and speed.output_speed.posterior is None
        and "output_speed" not in speed.written
    }
    if assumed:
        names = ", ".join(sorted(assumed))
        yield (
            f"the speed of {names} is assumed, and so are differences in time and in costs that depend on time; "
            f"write `models: {{{min(assumed)}: {{output_speed: ...}}}}`, or calibrate on its logs"
        )


def _against(against: Against) -> str:
    if against.is_same:
        return f"{against.name} and {against.first} are the same in every replication."
    significant = [
        _significant(outcome, against.differences[outcome])
        for outcome in (SPEND, RESULTS, SOLVED)
        if outcome in against.differences and against.differences[outcome].is_significant
    ]
    insignificant = [
        (outcome, against.differences[outcome])
        for outcome in (SPEND, RESULTS, SOLVED)
        if outcome in against.differences and not against.differences[outcome].is_significant
    ]
    sentence = f"{against.name} against {against.first}: {' and '.join(significant)}." if significant else ""
    sentences = [sentence, _solved_price(against), *(_too_few(against, *each) for each in insignificant)]
    return " ".join(filter(None, sentences))


def _solved_price(against: Against) -> str:
    """Return the sentence on the difference in cost per solved task; empty if unknown."""
    price = against.solved_price_usd
    if price is None or price.estimate is None or price.low is None or price.high is None:
        return ""
    low, high = sorted((abs(price.low), abs(price.high)))
    if price.low <= 0.0 <= price.high:
        return f"A solved task costs the same within {usd(high)}."
    more = "more" if price.estimate > 0.0 else "less"
    return f"A solved task costs {usd(abs(price.estimate))} {more} ({usd(low)} to {usd(high)})."


def _significant(outcome: Outcome, found: Difference) -> str:
    if found.is_same:
        return f"the same {outcome.label} in every replication"
    show, more = SHOW[outcome.unit], "more" if found.mean > 0 else "less"
    if outcome.unit is Unit.COUNT:
        more = "more" if found.mean > 0 else "fewer"
    ends = sorted((abs(found.low), abs(found.high)))
    what = "" if outcome is SPEND else f" {outcome.label}"
    return f"{show(abs(found.mean))} {more}{what} on average ({show(ends[0])} to {show(ends[1])})"


def _too_few(against: Against, outcome: Outcome, found: Difference) -> str:
    if not found.replications:
        return ""
    enough = f"about {found.needed:,} would suffice" if found.needed else "no feasible number would suffice"
    return (
        f"{found.replications:,} replications are too few to tell {against.name} and {against.first} apart by "
        f"{outcome.label}; {enough}, if the difference is as large as it seems."
    )


def _best_buys(comparison: Comparison) -> Iterator[str]:
    """Yield which alternative has the highest net benefit, and from which value of a result on."""
    curves = comparison.acceptability
    if curves is None:
        return
    buys: list[tuple[float, str]] = []
    for worth, name, significant in zip(curves.worths_usd, curves.best, curves.is_significant, strict=True):
        label = name if significant else _UNTOLD
        if not buys or label != buys[-1][1]:
            buys.append((float(worth), label))
    low, high = usd(float(curves.worths_usd[0])), usd(float(curves.worths_usd[-1]))
    if len(buys) == 1:
        yield f"Best buy where a transferable result is worth {low} to {high}: {buys[0][1]}."
        return
    described = [f"from {usd(worth)}: {name}" for worth, name in buys]
    yield f"Best buy by what a transferable result is worth (up to {high}): {'; '.join(described)}."


_UNTOLD: Final = "the best two cannot be told apart"


def _alternatives(comparison: Comparison) -> Table:
    """Return the outcomes of every alternative side by side."""
    rests_on = f"({comparison.replications:,} replications each, {comparison.worlds:,} worlds)"
    rows = [
        (outcome.label, *(_figure(outcome, projection) for projection in comparison.projections))
        for outcome in comparison.outcomes
    ]
    if any(against.price_usd for against in comparison.against):
        rows.append(("price per result", *map(_price, comparison.projections)))
    if any(against.solved_price_usd for against in comparison.against):
        rows.append(("price per solved task", *map(_price_of_solved, comparison.projections)))
    columns = ("what", *(alternative.name for alternative in comparison.alternatives))
    return Table(f"Alternatives {rests_on}", columns, rows, "mean, and p10 to p90")


def _figure(outcome: Outcome, projection: Projection) -> str:
    show, column = SHOW[outcome.unit], outcome.column
    frame = projection.replications
    if outcome.unit is Unit.SHARE:
        return show(float((frame[RESULTS.column] > 0).mean()))
    values = frame[column].dropna()
    mean, low, high = float(values.mean()), float(values.quantile(0.1)), float(values.quantile(0.9))
    return show(mean) if low == high == mean else f"{show(mean)}\n{show(low)} to {show(high)}"


def _price(projection: Projection) -> str:
    price = projection.price_of_result
    if price is None or price.estimate is None:
        return "no result"
    return f"{usd(price.estimate)}\n{usd(price.p10)} to {usd(price.p90)}"


def _price_of_solved(projection: Projection) -> str:
    tasks = projection.summary.tasks
    if tasks is None or tasks.cost_per_solved_usd.estimate is None:
        return "none solved"
    return usd(tasks.cost_per_solved_usd.estimate)


def _differences(against: Against) -> Table:
    rows: list[tuple[str, ...]] = []
    for outcome, found in against.differences.items():
        show = SHOW[outcome.unit]
        if outcome.unit is Unit.SHARE:
            show = _points
        runs = NOTHING if outcome.unit is Unit.SHARE else f"{show(found.p10)} to {show(found.p90)}"
        interval = f"{show(found.low)} to {show(found.high)}"
        rows.append((outcome.label, show(found.mean), interval, runs, _word(found)))
    if against.price_usd is not None:
        rows.append(("price per result", *_price_cells(against.price_usd)))
    if against.solved_price_usd is not None:
        rows.append(("price per solved task", *_price_cells(against.solved_price_usd)))
    columns = ("what", "mean difference", "95 % Monte-Carlo", "p10 to p90 of runs", "significant")
    return Table(f"{against.name} less {against.first}", columns, rows)


def _points(value: float | None) -> str:
    return NOTHING if value is None else f"{rounded(100 * value, 2)} points"


def _word(found: Difference) -> str:
    if found.is_same:
        return "the same"
    if found.is_significant:
        return "yes"
    return f"no: needs {found.needed:,}" if found.needed else "no"


def _price_cells(price: RatioDifference) -> tuple[str, str, str, str]:
    shown = [usd(value) if value is not None else "infinite" for value in (price.low, price.high)]
    if price.low is None or price.high is None:
        return usd(price.estimate), " to ".join(shown), NOTHING, "no"
    is_same = price.low == price.high == 0.0
    significant = "the same" if is_same else "no" if price.low <= 0.0 <= price.high else "yes"
    return usd(price.estimate), " to ".join(shown), NOTHING, significant
