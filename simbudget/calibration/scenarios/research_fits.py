"""Fits of a scenario's `research` block to campaigns of experiments: success rate and gains of refinements.

The prior is the scenario's. Campaigns are simulated in its worlds (`histories`) and weighted by their similarity to the
logged campaigns in results kept and in the share of the distance to a perfect score that they close (`yields`).
Quantities that the logs do not narrow stay unchanged, and are named. All learnt quantities are draws from the same
worlds, so they are joint.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from simbudget.arrays import Floats, Integers
from simbudget.calibration.campaigns.beginnings import thirds
from simbudget.calibration.campaigns.campaigns import Campaign, evidence_of
from simbudget.calibration.campaigns.histories import Histories, play_histories
from simbudget.calibration.campaigns.yields import Bank, Seen
from simbudget.calibration.observed.trials import run_key
from simbudget.calibration.posteriors.shapes import LOGNORMAL, Shape
from simbudget.calibration.scenarios.earlier import in_force
from simbudget.calibration.scenarios.editing import with_value, without_calibration
from simbudget.calibration.scenarios.fit import Fit, fit_of_fact, fit_of_varying
from simbudget.calibration.scenarios.fits import WORLDS
from simbudget.calibration.scenarios.wording import written_fact
from simbudget.distributions.base import CONSTANT
from simbudget.distributions.posteriors import Posterior
from simbudget.engine.lowering import lower
from simbudget.engine.program import Program
from simbudget.ledger.imported import ImportedLedger
from simbudget.scenario.calibration_file import ByRun, LearntFrom
from simbudget.scenario.language.quantities import Kind
from simbudget.scenario.loading import LoadedScenario, loads_scenario
from simbudget.units import Dimension

RESEARCH: Final = "research"
"""What campaigns are counted into."""
_HISTORIES: Final = 6000
_MOST_EXPERIMENTS: Final = 1000
_SEED: Final = 20_260_303
_STAYS: Final = 0.1
"""Share of the prior mixed into the posterior, since the next campaign may be of another kind."""
_NARROWED: Final = 0.85
"""A quantity counts as learnt if its standard deviation falls below this fraction of the prior's."""
_FEW_WORLDS: Final = 20.0
_PERFECT: Final = 1.0
_OPEN: Final = 1e-3
"""Lower bound of the distance to a perfect score."""
_WIDER: Final = 2.0
_LITTLE_GAIN: Final = 0.002
_NOISE: Final = "0.0005 to 0.03"
"""Prior of the scorer's noise if the scenario does not specify it."""
_FACTS: Final = {
    "research.explores": Dimension.FRACTION,
    "research.refines": Dimension.FRACTION,
    "scorer.noise": Dimension.NUMBER,
}
_GAIN: Final = "research.gain"


@dataclass(frozen=True)
class ResearchFit:
    """Fits of a `research` block to campaigns."""

    fits: tuple[Fit, ...]
    left: tuple[str, ...]
    """Descriptions of what was not learnt."""
    counted: ByRun = field(default_factory=dict)
    """The campaigns that the scenario's research rests on, these and those of earlier calibrations: kept, of tried."""


def fit_new_campaigns(
    before: LoadedScenario,
    text: str,
    ledger: ImportedLedger,
    campaigns: Sequence[Campaign],
    keep: Collection[str] = (),
) -> ResearchFit:
    """Return what campaigns say that the scenario's research does not rest on already: each counts once.

    The scenario's own prior is the prior here, and an earlier calibration has narrowed it.

    Args:
        before: the scenario as it was read.
        text: its file.
        ledger: logs, by whose entries campaigns are recognised.
        campaigns: those in the logs.
        keep: names of quantities that stay as they are.
    """
    rests = before.calibration is not None and not {*_FACTS, _GAIN}.isdisjoint(in_force(before))
    known = before.calibration.counted.get(RESEARCH, {}) if rests and before.calibration else {}
    keys = [run_key(ledger.entries[ledger.entries["run"] == campaign.run]) for campaign in campaigns]
    new = [campaign for campaign, key in zip(campaigns, keys, strict=True) if key not in known]
    fitted = fit_research(before, text, new, WORLDS, keep)
    told = {key: (int(c.kept.sum()), len(c)) for c, key in zip(campaigns, keys, strict=True) if c.kept.any()}
    again = len(known.keys() & told.keys())
    said = (f"research: it rests on {again} of these campaigns already",) if again else ()
    return replace(fitted, left=(*said, *fitted.left), counted={**known, **(told if fitted.fits else {})})


def fit_research(
    before: LoadedScenario, text: str, campaigns: Sequence[Campaign], worlds: int, keep: Collection[str] = ()
) -> ResearchFit:
    """Return what campaigns say of a scenario's research.

    Args:
        before: the scenario.
        text: its file.
        campaigns: of the logs.
        worlds: how many joint draws.
        keep: names of quantities that are to stay as they are.
    """
    campaigns = [_scored(campaign) for campaign in campaigns if campaign.kept.any()]
    if not campaigns:
        return ResearchFit((), ())
    if before.scenario.research is None or not any(
        step.kind == "score" for group in before.scenario.fleet for step in group.cycle
    ):
        words = f"research: {len(campaigns)} campaigns show what was kept, but the scenario scores nothing"
        return ResearchFit((), (words,))
    prior = without_calibration(_widened(before, text, keep))
    program = lower(loads_scenario(prior, "to fit", calibration=before.calibration).scenario)
    length = min(max(map(len, campaigns)), _MOST_EXPERIMENTS)
    histories = _in_parts_of_the_distance(play_histories(program, _HISTORIES, length, _SEED))
    bank = Bank.of(histories).taught([_seen(campaign) for campaign in campaigns], rounds=1, stays=_STAYS)
    drawn = bank.drawn(worlds, np.random.default_rng(_SEED))
    evidence = evidence_of(campaigns, sum(map(len, campaigns)), "by simulation")
    fits = tuple(_fits(program, histories, drawn, evidence, keep))
    return ResearchFit(fits, tuple(_left(program, fits, bank, keep)))


def _scored(campaign: Campaign) -> Campaign:
    """Return a campaign's scored experiments; failed ones submit nothing."""
    return campaign.part(~campaign.failed | campaign.kept)


def _widened(before: LoadedScenario, text: str, keep: Collection[str]) -> str:
    """Return the scenario with something to learn where it leaves nothing unknown: of gains, and of unsaid noise."""
    research = before.scenario.research
    assert research is not None
    gain = research.gain
    if gain.kind in (Kind.VARIES, Kind.UNKNOWN) and _GAIN not in keep:
        low, high = (gain.distribution.quantile(p) for p in (0.1, 0.9))
        low, high = max(low / _WIDER, _LITTLE_GAIN), max(high, 2 * _LITTLE_GAIN)
        text = with_value(text, _GAIN.split("."), f"{{typical: {low:.4g} to {high:.4g}, varies: 2x}}")
    sources = {row.name: row.source for row in before.provenance}
    if sources.get("scorer.noise") == "default" and "scorer.noise" not in keep:
        text = with_value(text, ["scorer", "noise"], _NOISE)
    return text


def _in_parts_of_the_distance(histories: Histories) -> Histories:
    """Return histories whose gains are parts of the distance from the first score to a perfect one."""
    distance = np.maximum(_PERFECT - histories.first, _OPEN)[:, None]
    best = (histories.best / distance).astype(np.float32)
    return Histories(histories.kept, best, histories.first, histories.worlds)


def _seen(campaign: Campaign) -> Seen:
    """Return what was kept of a campaign, and which part of the distance to a perfect score it closed."""
    ends = np.unique([end for end in (*thirds(len(campaign)), len(campaign)) if end > 0])
    kept = campaign.kept.cumsum()[ends - 1].astype(np.float64)
    return Seen(ends, kept, closed(campaign)[ends - 1], is_share_of_last=False)


def closed(campaign: Campaign) -> Floats:
    """Return [experiments] which part of the distance to a perfect score the best so far has closed.

    A perfect score is 1 for scores within 0 and 1 of which more is better, 0 for what has to be low, and endless for
    all else that has to be high. NaN where gains are not known.
    """
    start, gain = campaign.baseline, campaign.gain
    if campaign.better == "lower" and start > 0:
        return np.asarray(gain / start)
    if campaign.better == "higher" and start + np.nanmax(gain, initial=0.0) <= _PERFECT and start > -_PERFECT:
        return np.asarray(gain / max(_PERFECT - start, _OPEN))
    if campaign.better == "higher" and start > 0:
        return np.asarray(gain / (start + gain))
    return np.full(len(gain), np.nan)


def _fits(
    program: Program,
    histories: Histories,
    drawn: Integers,
    evidence: LearntFrom,
    keep: Collection[str],
) -> Iterator[Fit]:
    """Yield the fit of each quantity that the weighted worlds narrow."""
    for name, dimension in _FACTS.items():
        values = histories.worlds[:, _row(program, name), 1]
        if name not in keep and _is_narrowed(values, drawn):
            yield fit_of_fact(name, values[drawn], written_fact(values[drawn], dimension), evidence)
    rows = histories.worlds[:, program.research.gain]
    if _GAIN not in keep and (rows[:, 0] != CONSTANT).all() and _is_narrowed(np.exp(rows[:, 1]), drawn):
        posterior = Posterior(np.column_stack([rows[drawn][:, 1:3], np.zeros(len(drawn))]))
        yield fit_of_varying(_GAIN, Dimension.NUMBER, (posterior, Shape(LOGNORMAL, None, {})), evidence)


def _row(program: Program, name: str) -> int:
    return int(getattr(program.research, name.rpartition(".")[2]))


def _is_narrowed(values: Floats, drawn: Integers) -> bool:
    """Return whether the drawn worlds agree on a positive quantity better than the prior does."""
    logs = np.log(np.maximum(values, 1e-9))
    return bool(0 < logs[drawn].std() < _NARROWED * logs.std())


def _left(program: Program, fits: Sequence[Fit], bank: Bank, keep: Collection[str]) -> Iterator[str]:
    learnt = {fit.name for fit in fits}
    for name in (*_FACTS, _GAIN):
        if name not in learnt and name not in keep:
            yield f"{name}: what the logs keep does not narrow it"
    yield (
        "research.first_quality, transfers, real_share, hacks: campaigns' results do not identify them; "
        "a campaign begins with a baseline, and nothing in it is tried away from its benchmark"
    )
    if 1.0 / float((bank.weights**2).sum()) < _FEW_WORLDS:
        yield "research: few worlds of what was assumed keep results as the logs do; widen `refines` and `gain`"
