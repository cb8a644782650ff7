"""What a projection says of research: scores, hacks, transferable results, and the price of one."""

from typing import Any, Final

import numpy as np
import pandas as pd

from simbudget.engine.laws.gates import power
from simbudget.engine.laws.tally import LOOKS
from simbudget.engine.totals import result_column
from simbudget.projection.economics import cost_per_result, decompose, price_by_world
from simbudget.projection.projection import Projection
from simbudget.projection.statistics import STATISTICS, Floats, statistics

CANNOT_PRICE: Final = (
    "no gate in the scenario, so what a useful result costs cannot be said: a score on the benchmark does not tell "
    "what holds outside it; write `gates`, such as a held-out domain"
)

RESULT_COLUMNS: Final = {name: f"transferable_{name}" for name in ("true", "found", "false", "untried")}

_DAY_HOURS: Final = 24.0


def summarise_research(projection: Projection) -> dict[str, Any] | None:
    """Return the `research` of a summary; None where nothing is scored, and no result without a gate."""
    scenario, frame = projection.scenario, projection.replications
    if scenario.research is None or frame["submissions"].isna().all():
        return None
    scores = (
        "best_measured_score",
        "best_measured_true_quality",
        "second_measured_score",
        "best_true_quality",
    )
    summary: dict[str, Any] = {
        **{name: _figure(frame[name]) for name in ("submissions", "methods", *scores)},
        "hacks": {name: _figure(frame[f"hacks_{name}"]) for name in ("made", "caught", "missed")},
        "blamed_honest": _figure(frame["blamed_honest"]),
        "reviews": _figure(frame["reviews"]),
        "review_wait_hours": _figure(frame["review_wait_hours"]),
        "transferable_results": None,
        "probability_of_any_transferable_result": None,
        "cost_per_transferable_result_usd": None,
        "prior_share": None,
    }
    return summary | _results(projection) if scenario.gates else summary


def notes_on_research(projection: Projection) -> list[str]:
    """Return what has to be said of a projection's research beside its figures."""
    scenario, frame = projection.scenario, projection.replications
    if scenario.research is None or frame["submissions"].isna().all():
        return []
    if not scenario.gates:
        return [CANNOT_PRICE]
    untried = float(((frame["finalists"] == 0) & (frame["submissions"] > 0)).mean())
    if untried == 0.0:
        return []
    share = f"{untried:.0%}" if untried >= 0.01 else "less than 1%"
    return [
        f"in {share} of the replications the budget was spent before the gates, so that nothing was tried there; "
        "`stop.reserve` keeps a part of the budget for them"
    ]


def _figure(column: "pd.Series[float]") -> dict[str, float] | None:
    """Return the statistics of a column over the replications in which it applies."""
    values: Floats = np.asarray(column.dropna(), dtype=np.float64)
    if not len(values):
        return None
    return dict(zip(STATISTICS, map(float, statistics(values[:, np.newaxis])[:, 0]), strict=True))


def _results(projection: Projection) -> dict[str, Any]:
    frame = projection.replications
    spend, worlds = frame["spend_usd"].to_numpy(), frame["world"].to_numpy()
    true, found = frame["transferable_true"].to_numpy(), frame["transferable_found"].to_numpy()
    price, variance = cost_per_result(spend, true, worlds), decompose(true, worlds)
    by_world = price_by_world(float(spend.mean()), variance) if variance else None
    found_price = cost_per_result(spend, found, worlds)
    return {
        "transferable_results": {name: _figure(frame[column]) for name, column in RESULT_COLUMNS.items()},
        "probability_of_any_transferable_result": float((true > 0).mean()),
        "probability_of_no_transferable_result": float((true == 0).mean()),
        "cost_per_transferable_result_usd": {
            "estimate": _finite(price.estimate),
            "p10": _finite(price.p10),
            "p90": _finite(price.p90),
            "by_world": {name: _finite(value) for name, value in by_world.items()} if by_world else None,
        },
        "cost_per_result_found_usd": {
            "estimate": _finite(found_price.estimate),
            "p10": _finite(found_price.p10),
            "p90": _finite(found_price.p90),
        },
        "prior_share": _finite(variance.prior_share) if variance else None,
        "gates": _gates(projection),
        "last_day": _last_day(projection),
    }


def _finite(value: float) -> float | None:
    """Return a number as JSON has it: None for one that is infinite or none."""
    return float(value) if np.isfinite(value) else None


def _gates(projection: Projection) -> list[dict[str, Any]]:
    """Return each gate, and how likely it passes a method of no effect, of the smallest that matters, of twice that."""
    described = []
    for number, gate in enumerate(projection.scenario.gates, 1):
        smallest, noise = gate.smallest_effect.distribution.mean(), gate.noise.distribution.mean()
        described.append(
            {
                "name": gate.name or f"gate {number}",
                "price_usd": gate.price.distribution.mean(),
                "hours": gate.time.distribution.mean() / 3600.0,
                "smallest_effect": smallest,
                "noise": noise,
                "false_alarm": power(0.0, smallest, noise),
                "power_at_smallest_effect": power(smallest, smallest, noise),
                "power_at_twice_smallest_effect": power(2.0 * smallest, smallest, noise),
            }
        )
    return described


def over_time(projection: Projection) -> pd.DataFrame:
    """Return for each look the hours, and the mean spend and transferable results had the run stopped then.

    Columns: hours, spend_usd, results. What the gates cost at the end is left out: that would be spent at any time.
    """
    frame, spent_usd = projection.replications, projection.spend_by_time_usd.cumsum(axis=1)
    assert projection.scenario.research is not None
    if projection.scenario.research.gates_start == "at the end":
        before_gates = (frame["spend_usd"] - frame["spend_gates_usd"]).to_numpy(dtype=np.float64)
        spent_usd = np.minimum(
            spent_usd, before_gates[:, np.newaxis]
        )  # gates are the last thing that is paid
    bins = spent_usd.shape[1] // LOOKS
    spent: Floats = spent_usd.mean(axis=0)[bins - 1 :: bins]
    results = [float(frame[result_column(look)].mean()) for look in range(LOOKS)]
    hours = projection.bin_edges_hours[bins::bins]
    return pd.DataFrame({"hours": hours, "spend_usd": spent, "results": results})


def _last_day(projection: Projection) -> dict[str, float | None]:
    """Return what the last 24 hours of the run (or all of a shorter one) cost and brought: the marginal price."""
    data = over_time(projection)
    ended = float(projection.replications["wall_clock_hours"].mean())
    last = int(np.searchsorted(data["hours"], min(ended, data["hours"].iloc[-1]) - 1e-9))
    before = data[data["hours"] <= data["hours"].iloc[last] - _DAY_HOURS + 1e-9]
    spend_0, results_0 = (0.0, 0.0) if before.empty else before.iloc[-1][["spend_usd", "results"]]
    spend = float(data["spend_usd"].iloc[-1] - spend_0)
    results = float(data["results"].iloc[last] - results_0)
    price = spend / results if results > 0 else None
    upto = float(data["hours"].iloc[last])
    hours = min(upto, ended) if before.empty else upto - float(before["hours"].iloc[-1])
    return {"hours": hours, "spend_usd": spend, "results": results, "cost_per_result_usd": price}
