"""Whether forecasts of remaining runs could be better: with other learners on more features, or other pool weights."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.remaining_run import KINDS, QUANTITIES, RESAMPLES, Cut
from simbudget.calibration.observed.caches import cache_life
from simbudget.calibration.observed.totals import truths
from simbudget.forecast.regression import features_of, least, pooled
from simbudget.forecast.remaining_run import WEIGHTS, Horizon, remaining_session, simulated_run
from simbudget.forecast.scores import log_crps
from simbudget.numbers import percent
from simbudget.scenario.context import CACHE_LIFE_S

Floats = npt.NDArray[np.float64]

WEIGHED: Final = tuple(np.linspace(0.0, 1.0, 11))
LEARNT: Final = (
    ("claude-code", "cost_usd"),
    ("claude-code", "active_time_s"),
    ("opencode", "input_tokens"),
    ("opencode", "cost_usd"),
    ("usage-lines", "cost_usd"),
)
FEWEST: Final = 40
"""Projects of fewer sessions say nothing of weights."""


def learners_table(cuts: Sequence[Cut], began_at: pd.Series, draws: int) -> str:
    """Return how well other learners predict what remains, as Markdown: a column for each quantity and agent."""
    columns, rows = [], {}
    for kind, quantity in LEARNT:
        found, sessions = _learnt(
            [cut for cut in cuts if cut.session.source == kind], quantity, began_at, draws
        )
        columns.append(f"{KINDS[kind]}, {QUANTITIES[quantity]} ({sessions})")
        for name, errors in found.items():
            rows.setdefault(name, []).append(errors)
    lines = [f"| learner | {' | '.join(columns)} |", f"| --- | {' | '.join('---:' for _ in columns)} |"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    return "\n".join(lines) + "\n"


def _learnt(
    cuts: Sequence[Cut], quantity: str, began_at: pd.Series, draws: int
) -> tuple[dict[str, str], int]:
    """Return the errors of each learner, in words, and the number of sessions."""
    features, forecast, truth = [], [], []
    for cut in cuts:
        sample = remaining_session(cut.begun, cut.library, Horizon(calls=cut.left), draws, 1).get(quantity)
        true = truths(cut.session, cut.first).get(quantity, 0.0)
        if sample is None or true <= 0.0:
            continue
        forecast.append(np.log(np.median(sample)))
        truth.append(np.log(true))
        features.append([forecast[-1], *_features(cut, began_at)])
    missed = np.array(truth) - np.array(forecast)
    found = {"the forecast itself": np.zeros(len(missed))} | _predicted(np.nan_to_num(features), missed)
    rng = np.random.default_rng(1)
    drawn = rng.integers(len(missed), size=(RESAMPLES, len(missed)))
    errors = {}
    for name, correction in found.items():
        error = np.abs(np.expm1(correction - missed))
        low, high = np.quantile(np.median(error[drawn], axis=1), (0.05, 0.95))
        mean = np.abs(correction - missed).mean()
        errors[name] = f"{percent(float(np.median(error)))} ({100 * low:.0f}–{100 * high:.0f}), {mean:.3f}"
    return errors, len(missed)


def _predicted(features: Floats, missed: Floats) -> dict[str, Floats]:
    """Return by learner what it predicts the forecast to miss, each session by a learner that did not see it."""
    from sklearn.ensemble import (  # noqa: PLC0415  slow to import
        ExtraTreesRegressor,
        HistGradientBoostingRegressor,
        RandomForestRegressor,
    )
    from sklearn.linear_model import RidgeCV  # noqa: PLC0415
    from sklearn.model_selection import KFold, cross_val_predict  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    learners = {
        "ridge": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 20))),
        "gradient boosting": HistGradientBoostingRegressor(
            loss="absolute_error", max_iter=60, learning_rate=0.05, max_leaf_nodes=6, min_samples_leaf=15
        ),
        "random forest": RandomForestRegressor(500, min_samples_leaf=8, random_state=0),
        "extremely randomised trees": ExtraTreesRegressor(500, min_samples_leaf=5, random_state=0),
    }
    folds = KFold(10, shuffle=True, random_state=0)
    return {name: cross_val_predict(one, features, missed, cv=folds) for name, one in learners.items()}


def _features(cut: Cut, began_at: pd.Series) -> list[float]:
    begun, past = cut.begun, cut.library.like(cut.begun)
    life_s = CACHE_LIFE_S[cache_life(past.sessions, begun)]
    apart_s = np.diff(begun.started_s)
    at = began_at[begun.run] + pd.Timedelta(seconds=float(np.nan_to_num(begun.started_s[-1])))
    waits_s = begun.person_s[:-1]
    return [
        np.log(cut.left),
        np.log(cut.first),
        np.log(begun.context[-1]),
        np.log(begun.context[0]),
        np.log1p(np.nan_to_num(begun.growth).mean()),
        float((apart_s > life_s).sum()),
        float((apart_s > life_s).mean()),
        float((apart_s > 60.0).mean()),
        np.log1p(apart_s.max()),
        np.log1p(apart_s.mean()),
        np.log1p(waits_s.sum()),
        float((waits_s > 0).sum()),
        float((waits_s > 0).mean()),
        0.0 if pd.isna(at) else float(at.hour),
        0.0 if pd.isna(at) else float(at.dayofweek),
        np.log1p(begun.started_s[-1] - begun.started_s[0]),
        np.log(truths(begun, 0).get("cost_usd", 1.0) / cut.first),
        np.log1p(np.nansum(begun.write) / cut.first),
        np.log1p(np.nan_to_num(begun.duration_s).mean()),
        np.log1p(np.nan_to_num(begun.output).mean()),
        life_s,
        float("opus" in begun.model),
    ]


def weights_table(cuts: Sequence[Cut], draws: int) -> str:
    """Return the CRPS by project and quantity for different weights of the regression, as Markdown."""
    found: dict[str, dict[str, list[Floats]]] = {}
    for cut in cuts:
        for quantity, of_quantity in _weighed(cut, draws).items():
            found.setdefault(quantity, {}).setdefault(cut.session.project, []).append(of_quantity)
    lines = [
        "| quantity | project | sessions | shipped | equal | from other projects | from its own past | best |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for quantity, projects in found.items():
        large = {name: np.array(rows) for name, rows in projects.items() if len(rows) >= FEWEST}
        lines += [_row(quantity, name, large) for name in large]
    return "\n".join(lines) + "\n"


def _weighed(cut: Cut, draws: int) -> dict[str, Floats]:
    """Return by quantity the [weights] CRPS of the pool of simulator and regression."""
    begun, left = cut.begun, np.full(draws, float(cut.left))
    simulated = simulated_run(begun, cut.library, np.full(draws, cut.left), 1)
    scores = {}
    for quantity, regression in cut.library.like(begun).regressions.items():
        truth = truths(cut.session, cut.first).get(quantity, 0.0)
        if quantity not in simulated or truth <= 0.0:
            continue
        odds = np.log(left / len(begun))
        logs = regression.draws(features_of(begun, quantity, left), odds, np.random.default_rng(1))
        regressed = np.maximum(np.exp(np.minimum(logs, 25.0)) - least(quantity), 0.0) * left
        scores[quantity] = np.array(
            [log_crps(pooled(simulated[quantity], regressed, weight), truth) for weight in WEIGHED]
        )
    return scores


def _row(quantity: str, project: str, projects: Mapping[str, Floats]) -> str:
    mine = projects[project]
    means = mine.mean(axis=0)
    others = [of.mean(axis=0) / of.mean(axis=0).min() for name, of in projects.items() if name != project]
    elsewhere = f"{means[np.mean(others, axis=0).argmin()]:.3f}" if others else "–"
    fold = np.arange(len(mine)) % 10
    own = np.mean([mine[k, mine[fold != fold[k]].mean(axis=0).argmin()] for k in range(len(mine))])
    shipped, equal = (float(np.interp(w, WEIGHED, means)) for w in (WEIGHTS[quantity], 0.5))
    cells = (quantity, project, len(mine), f"{shipped:.3f}", f"{equal:.3f}", elsewhere, f"{own:.3f}")
    return f"| {' | '.join(map(str, cells))} | {means.min():.3f} (at {WEIGHED[means.argmin()]:.1f}) |"
