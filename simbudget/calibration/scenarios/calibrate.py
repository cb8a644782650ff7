"""Calibration of a scenario: replacing assumed quantities by those learnt from logs, and reporting both."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from simbudget.calibration.campaigns.campaigns import campaigns_of
from simbudget.calibration.observed.delegation import STEP
from simbudget.calibration.observed.sessions import sessions_of
from simbudget.calibration.scenarios.changes import Change, change_of
from simbudget.calibration.scenarios.checks import Check, noted
from simbudget.calibration.scenarios.delegate_changes import delegate_changes
from simbudget.calibration.scenarios.delegate_fits import fit_roles
from simbudget.calibration.scenarios.downtime import fit_downtime
from simbudget.calibration.scenarios.earlier import carried
from simbudget.calibration.scenarios.editing import with_value, without_calibration
from simbudget.calibration.scenarios.evidence_counts import NAMES, count_evidence
from simbudget.calibration.scenarios.fit import Fit
from simbudget.calibration.scenarios.fits import WORLDS, fit_ledger
from simbudget.calibration.scenarios.places import path_of, places_of, shares, steps_of_kind
from simbudget.calibration.scenarios.research_fits import RESEARCH, fit_new_campaigns
from simbudget.calibration.scenarios.session_fits import ALL_THAT_JOINED, KEEPS
from simbudget.calibration.scenarios.task_fits import fit_tasks
from simbudget.calibration.scenarios.trial_fits import fit_trials
from simbudget.calibration.scenarios.wording import written_varying
from simbudget.distributions.posteriors import Posterior
from simbudget.errors import Problem, UserError
from simbudget.ledger.imported import ImportedLedger
from simbudget.pricing.catalogue import has_service
from simbudget.scenario.calibration_file import Calibration
from simbudget.scenario.language.blocks import keys_of
from simbudget.scenario.loading import LoadedScenario, loads_scenario
from simbudget.scenario.provider import OTHERS, ModelSpeed
from simbudget.scenario.scenario import Think
from simbudget.units import Dimension

_PROGRAMS: Final = {
    "pilot": "the program that stands for the model in a pilot without a key",
    "simulated": "a simulation",
}
"""Sources of entries whose calls were not answered by a model, with what answered them."""
TURNS: Final = "cycle.think.turns"
_DEFAULT_SPEEDS: Final = {
    key: str(getattr(keys_of(ModelSpeed)[key], "default", "")) for key in ("first_token", "output_speed")
}
_OUTPUT, _THINKING = "turn.output_tokens", "turn.thinking_tokens"


@dataclass(frozen=True)
class Absent:
    """A part of a scenario that the logs do not cover, so that it stays as assumed."""

    who: str
    """`GPUs`, `reviewers`."""
    component: str | None
    """Its component of spend; None for what is paid as tokens."""
    remedy: str


@dataclass(frozen=True)
class Calibrated:
    """A calibrated scenario."""

    text: str
    """The scenario file with the learnt values."""
    calibration: Calibration
    before: LoadedScenario
    after: LoadedScenario
    changes: tuple[Change, ...]
    left: tuple[str, ...]
    """Descriptions of quantities that the logs cover but that were left unchanged, with reasons."""
    absent: tuple[Absent, ...] = ()
    """Parts of the scenario that the logs lack."""
    notes: tuple[str, ...] = ()
    """Cautions about the logs, and what they show beyond the scenario's quantities."""
    fits: tuple[Fit, ...] = ()
    """All fits to the ledger's sessions, jobs and scorer, including quantities that the scenario lacks."""


def calibrate(
    before: LoadedScenario,
    text: str,
    ledger: ImportedLedger,
    file_name: str,
    keep: Collection[str] = (),
) -> Calibrated:
    """Return a scenario calibrated on a ledger.

    Args:
        before: the scenario as it was read.
        text: its file.
        ledger: logs of real runs.
        file_name: what the file of joint draws will be called, as the scenario refers to it.
        keep: names of quantities that are to stay as they are.

    Raises:
        UserError: the logs say nothing of this scenario, or `keep` has an unknown name.
    """
    _require_known(before, keep)
    changes: list[Change] = []
    left: list[str] = []
    campaigns = campaigns_of(ledger, timed=False)
    research = fit_new_campaigns(before, text, ledger, campaigns, keep)
    counts = count_evidence(before, text, ledger, keep)
    left.extend((*research.left, *counts.left))
    of_tasks = fit_tasks(ledger, before.scenario.tasks, WORLDS)
    left.extend(of_tasks.left)
    agents = {group.model for group in before.scenario.fleet if group.model}
    of_ledger = fit_ledger(ledger, tuple(before.scenario.models), WORLDS, agents=agents)
    for fit in (
        *of_ledger,
        *fit_downtime(ledger, campaigns, WORLDS),
        *fit_trials(ledger, before.scenario, WORLDS),
        *of_tasks.fits,
        *research.fits,
    ):
        changes.extend(_changes(before, fit, keep, left))
    roles = fit_roles(sessions_of(ledger), WORLDS, agents)
    changes.extend(delegate_changes(before, roles, keep, left))
    for fit in counts.fits:
        changes.append(Change(fit.name, counts.before[fit.name], fit.written, fit.evidence, "counts", fit))
    if not changes:
        raise UserError(
            Problem("the logs say nothing of this scenario's quantities", remedy="; ".join(left) or None)
        )
    left.extend(_moved_output(before, changes))
    left.extend(_thinking_within_output(before, changes, keep))
    quantities = {
        change.name: replace(
            change.fit.quantity, name=change.name, written=change.after, posterior=_posterior(change)
        )
        for change in changes
        if change.fit.quantity is not None
    }
    counted = {**counts.counted, RESEARCH: research.counted}
    quantities = carried(before, {change.name for change in changes}, WORLDS) | quantities
    calibration = Calibration(quantities, counted=counted)
    new = _edited(before, text, changes, file_name)
    after = loads_scenario(without_calibration(new), "calibrated", None, calibration)
    return Calibrated(
        new,
        calibration,
        before,
        after,
        tuple(changes),
        tuple(left),
        _absent(before, ledger, has_sub_agents=any(one.role.kind != STEP for one in roles)),
        (*_of_programs(ledger), *of_tasks.notes),
        tuple(of_ledger),
    )


def with_checks(calibrated: Calibrated, checks: Sequence[Check]) -> Calibrated:
    """Return a calibrated scenario with the results of its checks."""
    return replace(calibrated, calibration=replace(calibrated.calibration, checks=noted(checks)))


def _of_programs(ledger: ImportedLedger) -> Iterator[str]:
    """Yield cautions about calls not answered by a model: those of a pilot without a key, and simulated ones."""
    calls = ledger.entries[ledger.entries["component"] == "tokens"]
    for source, who in _PROGRAMS.items():
        many = int((calls["source"] == source).sum())
        if many:
            yield (
                f"{many:,} of {len(calls):,} model calls were answered by {who}, for play money: "
                "the scenario has learnt from that program, and not from a model"
            )


def _require_known(before: LoadedScenario, keep: Collection[str]) -> None:
    names = {row.name for row in before.provenance} | set(NAMES)
    unknown = [name for name in keep if name not in names]
    if unknown:
        raise UserError(
            *(
                Problem(
                    f"keep {name}: the scenario has no such quantity", remedy="`simbudget check` lists them"
                )
                for name in unknown
            )
        )


def _changes(before: LoadedScenario, fit: Fit, keep: Collection[str], left: list[str]) -> list[Change]:
    """Return the changes from a fit, and note the quantities left unchanged."""
    names = [
        name
        for name in _speeds_of_others(before, fit.name) or places_of(before, fit.name)
        if name not in keep
    ]
    if not names:
        left.append(f"{fit.name}: logs speak of it ({fit.evidence}), the scenario has it not, or keeps it")
        return []
    if fit.name == "service" and (without := _without_service(before, fit.written)):
        left.append(f"service: {fit.evidence.remark} are `{fit.written}`, which has no prices for {without}")
        return []
    kinds = {name.split("[")[0] for name in names}
    if fit.name.startswith("cycle.experiment") and len(names) > len(kinds):
        left.append(f"{fit.name}: the cycle has several experiments, and logs do not distinguish them")
        return []
    texts = {f"models[{OTHERS}].{key}": text for key, text in _DEFAULT_SPEEDS.items()}
    texts |= {row.name: row.text for row in before.provenance}
    if fit.name != TURNS:
        return [change_of(name, texts.get(name, "standard"), fit) for name in names]
    apart = {
        f"{name}.turns" for name, step in steps_of_kind(before.scenario, Think) if step.model or step.context
    }
    shared = [name for name in names if name not in apart]  # other steps have contexts of their own
    return list(_turns(before, fit, shared, texts, left)) if shared else []


def _without_service(before: LoadedScenario, service: str) -> str:
    """Return the agents' models that have no prices for a service."""
    prices = before.scenario.prices
    models = {group.model for group in before.scenario.fleet if group.kind == "agents" and group.model}
    lacking = {
        model
        for model in models
        if not (
            service in prices.models[model].services
            if model in prices.models
            else has_service(model, prices.on, service)
        )
    }
    return ", ".join(sorted(lacking))


def _speeds_of_others(before: LoadedScenario, name: str) -> list[str]:
    """Return the names of a speed shared by models; none for other quantities.

    A model whose own speed is written keeps a line of its own, lest what was assumed of it outlive what was learnt.
    """
    block, _, key = name.rpartition(".")
    if block != f"models[{OTHERS}]":
        return []
    written = [
        f"models[{model}].{key}"
        for model, speed in before.scenario.models.items()
        if key in speed.written and speed.served_on is None
    ]
    return [name, *written]


def _turns(
    before: LoadedScenario, fit: Fit, names: Sequence[str], texts: dict[str, str], left: list[str]
) -> list[Change]:
    """Return the turns of think steps: a session's turns, divided between the steps that share a context."""
    lasts = {group.context.lasts for group in before.scenario.fleet}
    if lasts == {"life"}:
        left.append(f"{fit.name}: contexts last an agent's life, so a session's turns are not a step's")
        return []
    assert fit.quantity is not None
    parts = [1.0] * len(names) if lasts == {"think"} else list(shares(before.scenario, names))
    changes = []
    for name, part in zip(names, parts, strict=True):
        remark = "" if part == 1.0 else f"{part:.0%} of a session's turns, as assumed"
        evidence = replace(fit.evidence, remark=remark or fit.evidence.remark)
        posterior = _shifted(fit.quantity.posterior, part)
        quantity = replace(fit.quantity, posterior=posterior, evidence=evidence)
        written = written_varying(posterior, Dimension.NUMBER)
        own = replace(fit, quantity=quantity, observed=fit.observed * part)
        changes.append(Change(name, texts[name], written, evidence, fit.quantity.family, own))
    return changes


def _shifted(posterior: Posterior, factor: float) -> Posterior:
    draws = posterior.draws.copy()
    draws[:, 0] += np.log(factor)
    return Posterior(draws, posterior.shape, posterior.is_fact)


def _absent(before: LoadedScenario, ledger: ImportedLedger, has_sub_agents: bool) -> tuple[Absent, ...]:
    """Return the parts of the scenario that the logs lack, with advice."""
    scenario = before.scenario
    logged = set(ledger.entries["kind"].astype(str).unique())
    steps = {step.kind for group in scenario.fleet for step in group.cycle}
    has_scorer = "score" in steps and not logged & {"score", "submission"}
    found = {
        Absent(
            "GPUs",
            "gpu",
            "calibrate on logs with experiments, or remove the experiment step if there are none",
        ): ("experiment" in steps and "experiment" not in logged),
        Absent(
            "scorer", "scorer", "calibrate on logs with submissions, or write `scorer` as it is"
        ): has_scorer,
        Absent("reviewers", "review", "calibrate on logs with reviews, or write `review` as it is"): (
            scenario.review is not None and "review" not in logged
        ),
        Absent("people", "staff", "write what they are paid, and their hours, in `staff`"): (
            any(group.kind == "people" for group in scenario.fleet) and "staff" not in logged
        ),
        Absent("gates", "gates", "write what a trial costs in `gates`"): (
            bool(scenario.gates) and "gate" not in logged
        ),
        Absent("forum", None, "calibrate on logs with posts, or write `forum` as it is"): (
            "share" in steps and "post" not in logged
        ),
        Absent("sub-agents", None, "write what they do in `delegate`"): (
            "delegate" in steps and not has_sub_agents
        ),
    }
    return tuple(absent for absent, is_absent in found.items() if is_absent)


def _posterior(change: Change) -> Posterior:
    assert change.fit.quantity is not None
    return change.fit.quantity.posterior


def _moved_output(before: LoadedScenario, changes: list[Change]) -> list[str]:
    """Return notes and changes if tool results include all growth of the context.

    Outputs that were assumed then join nothing: they become thinking, lest they be counted twice.
    """
    learnt = {change.name for change in changes}
    whole = [
        c
        for c in changes
        if c.name == "turn.tool_result_tokens"
        and c.evidence.remark.startswith(ALL_THAT_JOINED)
        and _OUTPUT not in learnt
    ]
    texts = {row.name: row.text for row in before.provenance}
    if not whole or _OUTPUT not in texts or texts[_THINKING] != "0":
        return []
    nothing = replace(whole[0].fit, quantity=None)
    evidence = whole[0].evidence
    for name, text in ((_OUTPUT, "0"), (_THINKING, texts[_OUTPUT]), (KEEPS, "no")):
        changes.append(Change(name, texts[name], text, evidence, "as assumed", nothing))
    return [
        "turn.output_tokens: the logs' output counts are placeholders; the assumed output is billed as thinking, "
        "since what it adds to contexts is in turn.tool_result_tokens already"
    ]


def _thinking_within_output(
    before: LoadedScenario, changes: list[Change], keep: Collection[str]
) -> list[str]:
    """Return notes and changes if logs have outputs without separate thinking, so that it is counted only once."""
    outputs = [c for c in changes if c.name.endswith(_OUTPUT) and c.fit.quantity is not None]
    learnt = {change.name for change in changes}
    texts = {row.name: row.text for row in before.provenance}
    said = []
    for output in outputs:
        name = output.name.removesuffix(_OUTPUT) + _THINKING
        if name in learnt or name in keep or texts.get(name, "0") == "0":
            continue
        nothing = replace(output.fit, quantity=None)
        changes.append(Change(name, texts[name], "0", output.evidence, "within output", nothing))
        said.append(f"{name}: the logs do not separate it from other output, so it is part of {output.name}")
    return said


def _edited(before: LoadedScenario, text: str, changes: Sequence[Change], file_name: str) -> str:
    """Return the scenario text with the changes."""
    new = text
    for change in changes:
        for has_list in (True, False):
            try:
                new = with_value(new, path_of(before.scenario, change.name, has_list), change.after)
                break
            except KeyError:
                continue
    return with_value(new, ["calibration"], file_name)
