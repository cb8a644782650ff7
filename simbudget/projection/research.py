"""Figures on research: scores, hacks, transferable results, and the price of one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.arrays import Floats, Integers
from simbudget.engine.laws.gates import power
from simbudget.engine.laws.tally import LOOKS
from simbudget.engine.totals import result_column
from simbudget.projection.economics import (
    PricesOverWorlds,
    Ratio,
    cost_per_result,
    decompose,
    price_moves,
    prices_over_worlds,
)
from simbudget.projection.simulated import Simulated
from simbudget.projection.statistics import Spread, statistics
from simbudget.projection.unknowns import unknowns_of
from simbudget.scenario.scenario import MOST_FINALISTS

CANNOT_PRICE: Final = (
    "no gate in the scenario, so what a useful result costs cannot be said: a score on the benchmark does not tell "
    "what holds outside it; write `gates`, such as a held-out domain"
)

_DAY_HOURS: Final = 24.0
_MOST_DRIVERS: Final = 3
_MANY_RUNS: Final = 0.1
"""If results are missed in more than this share of the runs, a note says so."""


@dataclass(frozen=True)
class Hacks:
    """Submissions whose score comes from gaming the scorer, per replication."""

    made: Spread | None
    caught: Spread | None
    missed: Spread | None


@dataclass(frozen=True)
class TransferableResults:
    """Distinct methods, or improvements, that hold at every gate, per replication."""

    true: Spread | None
    """Those that truly hold."""
    found: Spread | None
    """Those that truly hold and pass the gates."""
    false: Spread | None
    """Those that pass the gates and do not truly hold."""
    untried: Spread | None
    """Those that truly hold but are not among the finalists."""


@dataclass(frozen=True)
class Price:
    """Expected spend over expected results, with the middle 80 % of its bootstrap over worlds; None if infinite."""

    estimate: float | None
    p10: float | None
    p90: float | None


@dataclass(frozen=True)
class PriceByWorld:
    """Quantiles over worlds of the long-run price of a result in one world; None if infinite."""

    p10: float | None
    p50: float | None
    p90: float | None
    error_p10: float | None
    """Standard errors of the logarithms of the quantiles; they decrease with more replications."""
    error_p50: float | None
    error_p90: float | None


@dataclass(frozen=True)
class PriceOfResult(Price):
    """The price of a transferable result: mean spend divided by mean expected results, given each run's findings."""

    by_world: PriceByWorld | None
    """None unless several worlds have several replications, and each costs something."""


@dataclass(frozen=True)
class PriceDriver:
    """An unknown that moves the price of a result, with the price if it is low and if it is high."""

    name: str
    written: str
    """As written in the scenario."""
    price_at_p10_usd: float
    """In the fifth of the worlds with its lowest values, whose middle is its p10."""
    price_at_p90_usd: float
    """In the fifth of the worlds with its highest values."""


@dataclass(frozen=True)
class GateSummary:
    """A gate, and its probability of passing a method with no effect, the smallest relevant effect, and twice that."""

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
    """Cost and yield of the last 24 hours of the run (or of a shorter run): the marginal price of a result."""

    hours: float
    spend_usd: float
    """Includes the additional cost of trying finalists compared with the beginning of these hours."""
    results: float
    cost_per_result_usd: float | None


@dataclass(frozen=True)
class Research:
    """The research figures of a projection; those on transferable results are None if the scenario has no gate."""

    submissions: Spread | None
    methods: Spread | None
    kept: Spread | None
    """Number of times that the best score rose."""
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
    """The share of the variance of the number of results that is due to unknowns."""
    probability_of_no_transferable_result: float | None = None
    cost_per_result_found_usd: Price | None = None
    price_drivers: tuple[PriceDriver, ...] = ()
    """The strongest first, at most three; those explained by chance are omitted."""
    gates: tuple[GateSummary, ...] = ()
    last_day: LastDay | None = None


def summarise_research(simulated: Simulated) -> Research | None:
    """Return the research figures; None if nothing is scored.

    Args:
        simulated: the simulated replications.
    """
    if not simulated.scores:
        return None
    frame = simulated.replications
    return Research(
        submissions=_spread(frame["submissions"]),
        methods=_spread(frame["methods"]),
        kept=_spread(frame["kept"]),
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
    """Return what has to be said of research beside its figures.

    Args:
        simulated: the simulated replications.
    """
    frame = simulated.replications
    if not simulated.scores:
        return []
    if not simulated.prices_results:
        return [CANNOT_PRICE]
    return [*_note_on_untried_runs(frame, simulated.scenario.stop.budget), *_note_on_finalists(simulated)]


def _note_on_untried_runs(frame: pd.DataFrame, budget: float | None) -> list[str]:
    untried = float(((frame["finalists"] == 0) & (frame["submissions"] > 0)).mean())
    if untried == 0.0 or budget is None:  # else all that was submitted has been struck
        return []
    share = f"{untried:.0%}" if untried >= 0.01 else "less than 1%"
    return [
        f"in {share} of the replications the budget was spent before the gates, so that nothing was tried there; "
        "`stop.reserve` keeps a part of the budget for them"
    ]


def _note_on_finalists(simulated: Simulated) -> list[str]:
    """Return what to write where the number of finalists caps the results in many runs."""
    frame, research = simulated.replications, simulated.scenario.research
    assert research is not None
    capped = (frame["finalists"] >= research.finalists) & (frame["transferable_untried"] > 0)
    share = float(capped.mean())
    if share <= _MANY_RUNS or research.finalists == MOST_FINALISTS:
        return []
    if research.unit == "improvement":
        result, more = "an improvement", int(np.quantile(frame["kept"], 1.0 - _MANY_RUNS, method="higher"))
        would = f"as many as are kept in {1.0 - _MANY_RUNS:.0%} of the replications"
    else:
        result, more, would = "a method", 2 * research.finalists, "twice as many"
    return [
        f"in {share:.0%} of the replications {result} that holds was never tried, since only {research.finalists} "
        f"finalists are; `research: {{finalists: {min(more, MOST_FINALISTS)}}}` would try {would}"
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
    expected = frame["transferable_expected"].to_numpy()
    price, over_worlds = cost_per_result(spend, expected, worlds), prices_over_worlds(spend, expected, worlds)
    names = ("true", "found", "false", "untried")
    return {
        "transferable_results": TransferableResults(
            *(_spread(frame[f"transferable_{name}"]) for name in names)
        ),
        "probability_of_any_transferable_result": float((true > 0).mean()),
        "cost_per_transferable_result_usd": PriceOfResult(
            *_finite_price(price),
            _by_world(over_worlds) if over_worlds else None,
        ),
        "prior_share": _prior_share(true, expected, frame["world"].to_numpy()),
        "probability_of_no_transferable_result": float((true == 0).mean()),
        "cost_per_result_found_usd": Price(*_finite_price(cost_per_result(spend, found, worlds))),
        "price_drivers": tuple(_price_drivers(simulated, spend, expected)),
        "gates": tuple(_gates(simulated)),
        "last_day": _last_day(simulated),
    }


def _by_world(prices: PricesOverWorlds) -> PriceByWorld:
    return PriceByWorld(
        *(
            _finite(getattr(prices, name))
            for name in ("p10", "p50", "p90", "error_p10", "error_p50", "error_p90")
        )
    )


def _prior_share(true: Floats, expected: Floats, worlds: Integers) -> float | None:
    """Return the share of the variance of results that lies between worlds.

    Expected results have the same mean in each world as results and less variance within it, so the variance between
    worlds is estimated from them.
    """
    found, total = decompose(expected, worlds), float(true.var(ddof=1)) if len(true) > 1 else 0.0
    return min(1.0, found.between / total) if found is not None and total > 0.0 else None


def _price_drivers(simulated: Simulated, spend: Floats, expected: Floats) -> Iterator[PriceDriver]:
    worlds = simulated.replications["world"].to_numpy()
    names = np.unique(worlds)
    if len(names) < 2:
        return
    unknowns = unknowns_of(simulated.scenario, simulated.seed, names)
    for move in price_moves(spend, expected, worlds, unknowns.uniforms)[:_MOST_DRIVERS]:
        name, text = unknowns.names[move.unknown], unknowns.texts[move.unknown]
        yield PriceDriver(name, text, move.at_low_usd, move.at_high_usd)


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
    """Return for each look the hours, the mean spend, and the results to expect had the run stopped then.

    Columns: hours, spend_usd (what trying the finalists of that time would have cost included), results (their mean),
    results_p10 and results_p90 (over worlds).

    Args:
        simulated: the simulated replications.
    """
    frame, spent_usd = simulated.replications, simulated.spend_by_time_usd.cumsum(axis=1)
    assert simulated.scenario.research is not None
    bins = spent_usd.shape[1] // LOOKS
    looks = range(LOOKS)
    if simulated.scenario.research.gates_start == "at the end":
        gates = frame["spend_gates_usd"].to_numpy(dtype=np.float64)
        before_gates = frame["spend_usd"].to_numpy(dtype=np.float64) - gates
        spent_usd = np.minimum(
            spent_usd, before_gates[:, np.newaxis]
        )  # gates are the last thing that is paid
        tried = np.column_stack([frame[result_column(look, "finalists")] for look in looks])
        # A finalist of any time is taken to cost what those of the end did, on average over the run's finalists.
        share = np.divide(tried, tried[:, -1:], out=np.zeros(tried.shape), where=tried[:, -1:] > 0)
        spent = (spent_usd[:, bins - 1 :: bins] + gates[:, np.newaxis] * share).mean(axis=0)
    else:
        spent = spent_usd.mean(axis=0)[bins - 1 :: bins]
    expected = np.column_stack([frame[result_column(look, "expected")] for look in looks])
    of_worlds = pd.DataFrame(expected).groupby(frame["world"].to_numpy()).mean().to_numpy()
    p10, p90 = np.quantile(of_worlds, (0.1, 0.9), axis=0)
    return pd.DataFrame(
        {
            "hours": simulated.bin_edges_hours[bins::bins],
            "spend_usd": spent,
            "results": expected.mean(axis=0),
            "results_p10": p10,
            "results_p90": p90,
        }
    )


def _last_day(simulated: Simulated) -> LastDay:
    data = over_time(simulated)
    ended = float(simulated.replications["run_hours"].mean())
    last = int(np.searchsorted(data["hours"], min(ended, data["hours"].iloc[-1]) - 1e-9))
    before = data[data["hours"] <= data["hours"].iloc[last] - _DAY_HOURS + 1e-9]
    spend_0, results_0 = (0.0, 0.0) if before.empty else before.iloc[-1][["spend_usd", "results"]]
    spend = float(data["spend_usd"].iloc[-1] - spend_0)
    results = float(data["results"].iloc[last] - results_0)
    price = spend / results if results > 0 else None
    upto = float(data["hours"].iloc[last])
    hours = min(upto, ended) if before.empty else upto - float(before["hours"].iloc[-1])
    return LastDay(hours, spend, results, price)
