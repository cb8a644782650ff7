"""Campaigns of experiments: the rest of each, from its beginning, by a scenario calibrated on that and on others.

Agents pause and experiment in turn; how long either takes is learnt from the campaign's beginning and from how
other campaigns went on from theirs. What is kept thins out: the n-th experiment is kept with a chance in proportion
to n^-a, as records are with a = 1 (Arnold, Balakrishnan and Nagaraja, Records, 1998, chapter 2).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from simbudget.calibration.forecasts import BOOTSTRAP, STRAIGHT_LINE, Forecast
from simbudget.calibration.pooling import log_of, rest_of_run
from simbudget.calibration.rates import drifting_rate
from simbudget.calibration.thinning import kept_later, thinning_exponents
from simbudget.ledger.imported import ImportedLedger
from simbudget.projection.run import Options, project
from simbudget.scenario.calibration_file import CalibratedQuantity, Calibration, Evidence
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.model import Scenario

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_FEWEST: Final = 20
_FEWEST_KNOWN: Final = 5
_FLOOR_S: Final = 1.0
_NO_TRY: Final = "baseline"
"""The status of what was there before the campaign began."""


@dataclass(frozen=True, eq=False)
class Campaign:
    """The experiments of one campaign, in the order of their starts."""

    name: str
    source: str
    project: str
    agent: npt.NDArray[np.int64]
    started_s: Floats
    duration_s: Floats
    failed: Flags
    kept: Flags

    def __len__(self) -> int:
        """Return the number of experiments."""
        return len(self.started_s)

    @property
    def ends_s(self) -> float:
        """Return when the last experiment ended, as far as is known."""
        return float((self.started_s + np.nan_to_num(self.duration_s)).max())

    def part(self, which: Flags) -> "Campaign":
        """Return the campaign of some of its experiments."""
        return replace(
            self,
            agent=self.agent[which],
            started_s=self.started_s[which],
            duration_s=self.duration_s[which],
            failed=self.failed[which],
            kept=self.kept[which],
        )

    def pauses_s(self) -> Floats:
        """Return what lay between the end of each agent's experiment and the start of its next, at least 0."""
        pauses = []
        for agent in np.unique(self.agent):
            mine = self.agent == agent
            ends = self.started_s[mine] + np.nan_to_num(self.duration_s[mine])
            pauses.append(np.maximum(self.started_s[mine][1:] - ends[:-1], 0.0))
        return np.concatenate(pauses) if pauses else np.zeros(0)

    @property
    def knows_durations(self) -> bool:
        """Return whether most durations are known."""
        return bool(np.isfinite(self.duration_s).mean() > 0.8)


def campaigns_of(ledger: ImportedLedger) -> list[Campaign]:
    """Return the campaigns of a ledger that have a clock and enough experiments."""
    about = ledger.runs.set_index("run")
    jobs = ledger.entries[ledger.entries["kind"] == "experiment"]
    found = []
    known = jobs[np.isfinite(jobs["started_s"]) & (jobs["status"] != _NO_TRY)]
    for run, rows in known.sort_values("started_s", kind="stable").groupby("run", sort=True):
        if len(rows) >= _FEWEST and rows["started_s"].iloc[-1] > rows["started_s"].iloc[0]:
            found.append(_campaign(about.loc[run], rows))
    return found


def _campaign(about: pd.Series, rows: pd.DataFrame) -> Campaign:
    return Campaign(
        name=str(about["name"]),
        source=str(about["source"]),
        project=f"{about['project']}/{about['name']}",
        agent=rows["agent"].to_numpy(np.int64),
        started_s=rows["started_s"].to_numpy(np.float64),
        duration_s=rows["duration_s"].to_numpy(np.float64),
        failed=rows["outcome"].astype(str).eq("failed").to_numpy(),
        kept=rows["kept"].fillna(False).to_numpy(np.bool_),
    )


def campaign_forecasts(
    ledger: ImportedLedger, cut: float, replications: int, seed: int
) -> Iterator[Forecast]:
    """Yield the forecasts of campaigns' rests."""
    campaigns = campaigns_of(ledger)
    for number, campaign in enumerate(campaigns):
        others = [other for k, other in enumerate(campaigns) if k != number]
        until_s = campaign.started_s[0] + cut * (campaign.ends_s - campaign.started_s[0])
        known = campaign.started_s < until_s
        if known.sum() >= _FEWEST_KNOWN and (~known).any():
            rng = np.random.default_rng([seed, number])
            yield from _rest(campaign, known, others, (cut, replications, seed), rng)


def _rest(
    campaign: Campaign,
    known: Flags,
    others: Sequence[Campaign],
    how: tuple[float, int, int],
    rng: np.random.Generator,
) -> Iterator[Forecast]:
    cut, replications, seed = how
    begun, rest = campaign.part(known), campaign.part(~known)
    left_s = (1 - cut) * (campaign.ends_s - campaign.started_s[0])
    scenario = rest_scenario(begun, others, left_s, how, rng)
    simulated = project(scenario, Options(seed=seed, replications=replications, workers=1)).replications
    experiments = simulated["experiments"].to_numpy(np.float64)
    truth = {"experiments": float(len(rest))}
    samples = {"experiments": experiments}
    if campaign.knows_durations:
        truth["gpu_time_s"] = float(np.nanmean(rest.duration_s) * len(rest))
        samples["gpu_time_s"] = simulated["gpu_hours_used"].to_numpy(np.float64) * 3600.0
    if campaign.failed.any():
        truth["failures"] = float(rest.failed.sum())
        rates = drifting_rate(begun.failed, [other.failed for other in others], cut, replications, rng)
        samples["failures"] = rng.binomial(np.maximum(experiments, 0).astype(int), rates).astype(np.float64)
    if campaign.kept.any():
        truth["kept"] = float(rest.kept.sum())
        exponents = thinning_exponents(
            [other.kept for other in others if other.kept.any()], replications, rng
        )
        samples["kept"] = kept_later(begun.kept, exponents, experiments, rng)
    lines = _straight_lines(begun, cut)
    for quantity, value in truth.items():
        line = lines[quantity]
        drawn = rng.poisson(len(begun) * (1 - cut) / cut, replications) * (
            line / max(len(begun) * (1 - cut) / cut, 1)
        )
        naive = {STRAIGHT_LINE: np.array([line]), BOOTSTRAP: drawn}
        yield Forecast(
            "time",
            campaign.source,
            campaign.project,
            campaign.name,
            quantity,
            value,
            samples[quantity],
            naive,
        )


def _straight_lines(begun: Campaign, cut: float) -> dict[str, float]:
    """Return what each quantity would be if all went on as it began."""
    more = (1 - cut) / cut
    seconds = float(np.nanmean(begun.duration_s) * len(begun)) if np.isfinite(begun.duration_s).any() else 0.0
    return {
        "experiments": len(begun) * more,
        "gpu_time_s": seconds * more,
        "failures": float(begun.failed.sum()) * more,
        "kept": float(begun.kept.sum()) * more,
    }


def rest_scenario(
    begun: Campaign,
    others: Sequence[Campaign],
    left_s: float,
    how: tuple[float, int, int],
    rng: np.random.Generator,
) -> Scenario:
    """Return the scenario of the rest of a campaign, calibrated on its beginning and on other campaigns."""
    cut, worlds, _ = how
    evidence = Evidence(len(begun), 1, begun.source, "")
    learnt: dict[str, CalibratedQuantity] = {}

    def learn(name: str, written: str, mine: Floats, theirs: Sequence[Floats]) -> None:
        logs = [log_of(values, _FLOOR_S) for values in theirs if len(values) >= _FEWEST]
        posterior = rest_of_run(logs, log_of(mine, _FLOOR_S), cut, worlds, rng)
        learnt[name] = CalibratedQuantity(name, written, "", posterior, evidence)

    learn("turn.tool_time", "1 s", begun.pauses_s(), [other.pauses_s() for other in others])
    duration_s = begun.duration_s[np.isfinite(begun.duration_s)]
    if len(duration_s):
        theirs = [other.duration_s[np.isfinite(other.duration_s)] for other in others]
        learn("cycle.experiment[0].time", "1 s", duration_s, theirs)
    agents = len(np.unique(begun.agent))
    free = "{input: 0 $/Mtok, cache_write: 0 $/Mtok, cache_read: 0 $/Mtok, output: 0 $/Mtok}"
    text = f"""
fleet: [{{group: fleet, agents: {agents}, model: none}}]
cycle: [{{think: {{turns: 1}}}}, {{experiment: {{time: {"1 s" if len(duration_s) else "0 s"}}}}}]
turn: {{output_tokens: 0, tool_result_tokens: 0, tool_time: 1 s}}
context: {{first_prompt_tokens: 0}}
models: {{none: {{first_token: 0 s, output_speed: 1000000 tokens/s}}}}
prices: {{none: {free}}}
gpus: {{count: {agents}, price: 0 $/h}}
stop: {{after: {left_s:.0f} s}}
"""
    return loads_scenario(text, "rest of a campaign", calibration=Calibration(learnt)).scenario
