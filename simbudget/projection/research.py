"""What a projection says of research: scores, hacks, transferable results, and the price of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.engine.laws.gates import power
from simbudget.engine.laws.tally import LOOKS
from simbudget.engine.totals import result_column
from simbudget.projection.economics import Ratio, cost_per_result, decompose, price_by_world
from simbudget.projection.simulated import Simulated
from simbudget.projection.statistics import Floats, Spread, statistics

CANNOT_PRICE: Final = (
    "no gate in the scenario, so what a useful result costs cannot be said: a score on the benchmark does not tell "
    "what holds outside it; write `gates`, such as a held-out domain"
)

_DAY_HOURS: Final = 24.0


@dataclass(frozen=True)
class Hacks:
    """Submissions whose score comes from gaming the scorer, per replication."""

    made: Spread | None
    caught: Spread | None
    missed: Spread | None


@dataclass(frozen=True)
class TransferableResults:
    """Distinct methods that hold at every gate, per replication."""

    true: Spread | None
    """Those that hold in truth."""
    found: Spread | None
    """Those among them that the gates passed."""
    false: Spread | None
    """Methods that the gates passed and that do not hold."""
    untried: Spread | None
    """Those that hold and were not among the finalists."""


@dataclass(frozen=True)
class Price:
    """Expected spend over expected results, with the middle 80 % of its bootstrap over worlds; None if infinite."""

    estimate: float | None
    p10: float | None
    p90: float | None


@dataclass(frozen=True)
class PriceByWorld:
    """Quantiles over worlds of what a result costs in the long run of one world; None if infinite."""

    p10: float | None
    p50: float | None
    p90: float | None


@dataclass(frozen=True)
class PriceOfResult(Price):
    """The price of a transferable result."""

    by_world: PriceByWorld | None
    """None unless several worlds have several replications."""


@dataclass(frozen=True)
class GateSummary:
    """A gate, and how likely it passes a method of no effect, of the smallest that matters, and of twice that."""

    name: str
    price_usd: float
    hours: float
    smallest_effect: float
    noise: float
    false_alarm: float
    power_at_smallest_effect: float
    power_at_twice_smallest_effect: float


@dataclass(frozen=True)
class LastDay:
    """What the last 24 hours of the run (or all of a shorter one) cost and brought: the marginal price of a result."""

    hours: float
    spend_usd: float
    results: float
    cost_per_result_usd: float | None


@dataclass(frozen=True)
class Research:
    """What comes of a run; what concerns transferable results is None where the scenario has no gate."""

    submissions: Spread | None
    methods: Spread | None
    best_measured_score: Spread | None
    best_measured_true_quality: Spread | None
    second_measured_score: Spread | None
    best_true_quality: Spread | None
    hacks: Hacks
    blamed_honest: Spread | None
    reviews: Spread | None
    review_wait_hours: Spread | None
    transferable_results: TransferableResults | None = None
    probability_of_any_transferable_result: float | None = None
    cost_per_transferable_result_usd: PriceOfResult | None = None
    prior_share: float | None = None
    """The part of the variance of the number of results that comes from what is unknown."""
    probability_of_no_transferable_result: float | None = None
    cost_per_result_found_usd: Price | None = None
    gates: tuple[GateSummary, ...] = ()
    last_day: LastDay | None = None


def summarise_research(simulated: Simulated) -> Research | None:
    """Return what comes of a run; None where nothing is scored."""
    if not simulated.scores:
        return None
    frame = simulated.replications
    return Research(
        submissions=_spread(frame["submissions"]),
        methods=_spread(frame["methods"]),
        best_measured_score=_spread(frame["best_measured_score"]),
        best_measured_true_quality=_spread(frame["best_measured_true_quality"]),
        second_measured_score=_spread(frame["second_measured_score"]),
        best_true_quality=_spread(frame["best_true_quality"]),
        hacks=Hacks(*(_spread(frame[f"hacks_{name}"]) for name in ("made", "caught", "missed"))),
        blamed_honest=_spread(frame["blamed_honest"]),
        reviews=_spread(frame["reviews"]),
        review_wait_hours=_spread(frame["review_wait_hours"]),
        **(_results(simulated) if simulated.prices_results else {}),
    )


def notes_on_research(simulated: Simulated) -> list[str]:
    """Return what has to be said of research beside its figures."""
    frame = simulated.replications
    if not simulated.scores:
        return []
    if not simulated.prices_results:
        return [CANNOT_PRICE]
    untried = float(((frame["finalists"] == 0) & (frame["submissions"] > 0)).mean())
    if untried == 0.0:
        return []
    share = f"{untried:.0%}" if untried >= 0.01 else "less than 1%"
    return [
        f"in {share} of the replications the budget was spent before the gates, so that nothing was tried there; "
        "`stop.reserve` keeps a part of the budget for them"
    ]


def _spread(column: "pd.Series[float]") -> Spread | None:
    """Return the statistics of a column over the replications in which it applies."""
    values: Floats = np.asarray(column.dropna(), dtype=np.float64)
    if not len(values):
        return None
    return Spread(*map(float, statistics(values[:, np.newaxis])[:, 0]))


def _results(simulated: Simulated) -> dict[str, Any]:
    """Return the fields of `Research` that concern transferable results."""
    frame = simulated.replications
    spend, worlds = frame["spend_usd"].to_numpy(), frame["world"].to_numpy()
    true, found = frame["transferable_true"].to_numpy(), frame["transferable_found"].to_numpy()
    price, variance = cost_per_result(spend, true, worlds), decompose(true, worlds)
    by_world = price_by_world(float(spend.mean()), variance) if variance else None
    names = ("true", "found", "false", "untried")
    return {
        "transferable_results": TransferableResults(
            *(_spread(frame[f"transferable_{name}"]) for name in names)
        ),
        "probability_of_any_transferable_result": float((true > 0).mean()),
        "cost_per_transferable_result_usd": PriceOfResult(
            *_finite_price(price),
            PriceByWorld(*map(_finite, by_world.values())) if by_world else None,
        ),
        "prior_share": _finite(variance.prior_share) if variance else None,
        "probability_of_no_transferable_result": float((true == 0).mean()),
        "cost_per_result_found_usd": Price(*_finite_price(cost_per_result(spend, found, worlds))),
        "gates": tuple(_gates(simulated)),
        "last_day": _last_day(simulated),
    }


def _finite_price(price: Ratio) -> tuple[float | None, float | None, float | None]:
    return _finite(price.estimate), _finite(price.p10), _finite(price.p90)


def _finite(value: float) -> float | None:
    """Return a number; None for one that is infinite or not a number."""
    return float(value) if np.isfinite(value) else None


def _gates(simulated: Simulated) -> Iterator[GateSummary]:
    for number, gate in enumerate(simulated.scenario.gates, 1):
        smallest, noise = gate.smallest_effect.distribution.mean(), gate.noise.distribution.mean()
        yield GateSummary(
            name=gate.name or f"gate {number}",
            price_usd=gate.price.distribution.mean(),
            hours=gate.time.distribution.mean() / 3600.0,
            smallest_effect=smallest,
            noise=noise,
            false_alarm=power(0.0, smallest, noise),
            power_at_smallest_effect=power(smallest, smallest, noise),
            power_at_twice_smallest_effect=power(2.0 * smallest, smallest, noise),
        )


def over_time(simulated: Simulated) -> pd.DataFrame:
    """Return for each look the hours, and the mean spend and transferable results had the run stopped then.

    Columns: hours, spend_usd, results. What the gates cost at the end is left out: that would be spent at any time.
    """
    frame, spent_usd = simulated.replications, simulated.spend_by_time_usd.cumsum(axis=1)
    assert simulated.scenario.research is not None
    if simulated.scenario.research.gates_start == "at the end":
        before_gates = (frame["spend_usd"] - frame["spend_gates_usd"]).to_numpy(dtype=np.float64)
        spent_usd = np.minimum(
            spent_usd, before_gates[:, np.newaxis]
        )  # gates are the last thing that is paid
    bins = spent_usd.shape[1] // LOOKS
    spent: Floats = spent_usd.mean(axis=0)[bins - 1 :: bins]
    results = [float(frame[result_column(look)].mean()) for look in range(LOOKS)]
    hours = simulated.bin_edges_hours[bins::bins]
    return pd.DataFrame({"hours": hours, "spend_usd": spent, "results": results})


def _last_day(simulated: Simulated) -> LastDay:
    data = over_time(simulated)
    ended = float(simulated.replications["wall_clock_hours"].mean())
    last = int(np.searchsorted(data["hours"], min(ended, data["hours"].iloc[-1]) - 1e-9))
    before = data[data["hours"] <= data["hours"].iloc[last] - _DAY_HOURS + 1e-9]
    spend_0, results_0 = (0.0, 0.0) if before.empty else before.iloc[-1][["spend_usd", "results"]]
    spend = float(data["spend_usd"].iloc[-1] - spend_0)
    results = float(data["results"].iloc[last] - results_0)
    price = spend / results if results > 0 else None
    upto = float(data["hours"].iloc[last])
    hours = min(upto, ended) if before.empty else upto - float(before["hours"].iloc[-1])
    return LastDay(hours, spend, results, price)
