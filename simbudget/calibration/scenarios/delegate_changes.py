"""Changes to a scenario's steps with models of their own by what logs say of sub-agents, helpers and such steps."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from simbudget.calibration.observed.delegation import STEP, SUB_AGENT, is_same_model
from simbudget.calibration.scenarios.changes import Change, change_of
from simbudget.calibration.scenarios.delegate_fits import RoleFits
from simbudget.calibration.scenarios.fit import fit_as_text
from simbudget.calibration.scenarios.places import steps_of_kind
from simbudget.calibration.scenarios.session_fits import evidence_of_sessions
from simbudget.scenario.language.document import flow_text, node_of
from simbudget.scenario.loading import LoadedScenario
from simbudget.scenario.scenario import Delegate, Think

_ALWAYS = "100%"
"""Before text of an `if` that is not written."""


def delegate_changes(
    before: LoadedScenario, roles: Sequence[RoleFits], keep: Collection[str], left: list[str]
) -> Iterator[Change]:
    """Yield the changes to `delegate` steps, and to `think` steps with a model of their own.

    Each takes what was delegated to its model; the only `delegate` step of a scenario takes the largest part.

    Args:
        before: the scenario as it was read.
        roles: what was learnt, the most frequent first.
        keep: names of quantities that stay as they are.
        left: descriptions of what stays unchanged are added to it.
    """
    of_kind: dict[str, Mapping[str, Think | Delegate]] = {
        STEP: {name: step for name, step in steps_of_kind(before.scenario, Think) if step.model},
        SUB_AGENT: dict(steps_of_kind(before.scenario, Delegate)),
    }
    taken: set[str] = set()
    for role in roles:
        steps = of_kind[STEP if role.role.kind == STEP else SUB_AGENT]
        name = _step_of(role, steps, taken)
        if name is None:
            left.append(_without_step(role, has_steps=bool(steps)))
            continue
        taken.add(name)
        yield from _changes(before, name, steps[name], role, keep, left)


def _step_of(role: RoleFits, steps: Mapping[str, Think | Delegate], taken: Collection[str]) -> str | None:
    """Return the name of the step that a role belongs to; None if there is none."""
    open_steps = {name: step for name, step in steps.items() if name not in taken}
    for name, step in open_steps.items():
        if step.model and is_same_model(step.model, role.role.model):
            return name
    return next(iter(open_steps), None) if len(steps) == 1 and role.role.kind != STEP else None


def _without_step(role: RoleFits, has_steps: bool) -> str:
    kind = "think" if role.role.kind == STEP else "delegate"
    step = flow_text(node_of({kind: role.step()}, ""))
    why = f"no `{kind}` step for this model" if has_steps or kind == "think" else f"no `{kind}` step"
    return f"{role.words}: the scenario has {why}; add `- {step[1:-1]}` to its cycle"


def _changes(
    before: LoadedScenario,
    name: str,
    step: Think | Delegate,
    role: RoleFits,
    keep: Collection[str],
    left: list[str],
) -> Iterator[Change]:
    texts = {row.name: row.text for row in before.provenance}
    for fit in role.fits:
        own = f"{name}.{fit.name}"
        if own in keep:
            left.append(f"{own}: logs speak of it ({fit.evidence}), the scenario keeps it")
        elif fit.name == "if" and isinstance(step.if_, str):
            left.append(f"{own}: {fit.written} of cycles delegate in the logs; the scenario has `{step.if_}`")
        else:
            old = texts.get(own, _inherited(texts, name, fit.name))
            if old != fit.written:
                yield change_of(own, old, fit)
    model = f"{name}.model"
    if step.model is None and model not in keep:
        calls = evidence_of_sessions(role.role.contexts, role.role.calls)
        own = _group_model(before, name)
        if not is_same_model(own, role.role.model):
            yield change_of(model, own, fit_as_text(model, role.role.model, calls))
    elif step.model is not None and not is_same_model(step.model, role.role.model):
        left.append(f"{name}.model: the logs' sub-agents are {role.role.model}, the scenario's {step.model}")


def _group_model(before: LoadedScenario, step: str) -> str:
    """Return the model that a step has from its group: the first where several share the cycle."""
    fleet = before.scenario.fleet
    own = [group for group in fleet if step.startswith(f"fleet[{group.group}].")]
    return (own or [group for group in fleet if group.model] or fleet)[0].model or ""


def _inherited(texts: dict[str, str], step: str, key: str) -> str:
    """Return the text that a key of a step has from its group, or by default."""
    group = step.partition(".cycle.")[0] if ".cycle." in step else ""
    return texts.get(f"{group}.{key}", texts.get(key, _ALWAYS if key == "if" else "standard"))
