"""Checks across keys: whether the parts of a scenario fit together, and whether its models have prices and servers."""

import datetime
from collections.abc import Iterator
from typing import Any, TypeVar

from simbudget.distributions.families import constant
from simbudget.errors import UserError
from simbudget.pricing.catalogue import has_service, model_prices
from simbudget.pricing.charge import ClassPrices
from simbudget.pricing.facts import gpu_price
from simbudget.scenario.context import Context
from simbudget.scenario.fleet import Group
from simbudget.scenario.known_models import basis_of_limit, default_limit
from simbudget.scenario.language.blocks import (
    Block,
    keys_of,
)
from simbudget.scenario.language.expectations import models_called
from simbudget.scenario.language.quantities import Kind, Quantity
from simbudget.scenario.language.reading import DEFAULT, Provenance, Reading, nearest
from simbudget.scenario.limits import NEEDS_RESEARCH, NEEDS_TASKS
from simbudget.scenario.own_steps import problem_of_function
from simbudget.scenario.pace import MOST_EVENTS, most_events
from simbudget.scenario.provider import Prices
from simbudget.scenario.research import MOST_GATES, REVIEW, Research
from simbudget.scenario.resources import BILLINGS, Gpus
from simbudget.scenario.steps import Delegate, Experiment, OwnStep, Score, Share, Think
from simbudget.scenario.top_level import ScenarioKeys

S = TypeVar("S", bound=ScenarioKeys)


def check_scenario(reading: Reading, scenario: S) -> S:
    """Note inconsistencies, and return the scenario with values filled in that depend on several parts.

    Args:
        reading: collects mistakes and the origin of values.
        scenario: the scenario as read.
    """
    scenario = _fill_in_limits(reading, _fill_in_research(reading, _fill_in_gpus(reading, scenario)))
    _check_evidence(reading, scenario)
    for group in scenario.fleet:
        _check_group(reading, scenario, group)
        _check_cycle(reading, scenario, group)
        _check_conditions(reading, group)
        _check_takes_time(reading, scenario, group)
        _check_context(reading, group.context, group)
    _check_pace(reading, scenario)
    check_models(reading, scenario)
    check_services(reading, scenario)
    check_judges(reading, scenario)
    for pool in scenario.pools:
        _check_gpus(reading, scenario, pool)
    check_served(reading, scenario)
    _check_gates(reading, scenario)
    _check_limits(reading, scenario)
    if scenario.stop.budget is not None and scenario.fixed.highest >= scenario.stop.budget:
        reading.problem_of(
            "fixed", "`fixed` alone reaches the budget", "raise `stop.budget`, or lower `fixed`"
        )
    return scenario


def _fill_in_gpus(reading: Reading, scenario: S) -> S:
    """Fill in sizes and prices of the GPU pools where they are not written."""
    return scenario.filled(pools=tuple(_filled_pool(reading, scenario, pool) for pool in scenario.pools))


def _filled_pool(reading: Reading, scenario: ScenarioKeys, gpus: Gpus) -> Gpus:
    name = pool_path(scenario, gpus)
    if not gpus.count:
        agents = sum(group.agents for group in scenario.fleet if group.kind == "agents")
        gpus = gpus.filled(count=max(1, agents))
        reading.note(f"{name}.count", f"{gpus.count} (one per agent)", "setting", None)
    if gpus.price is not None:
        return gpus
    uses_gpus = any(isinstance(step, Experiment) for group in scenario.fleet for step in group.cycle)
    served = any(getattr(model, "served_on", None) for model in scenario.models.values())
    usd_per_hour, source = 0.0, "no experiment"
    if uses_gpus or served or not gpus.bills.only_use:
        try:
            listed = gpu_price(gpus.type)
            usd_per_hour, source = listed.usd_per_hour, f"{listed.offer}, {listed.as_of}"
        except UserError as error:
            found = error.problems[0]
            reading.problem_of(f"{name}.type", found.message, found.remedy or "")
    text = f"{usd_per_hour:g} $/h ({source})"
    reading.note(f"{name}.price", text, "exact", None)
    price = Quantity(f"{name}.price", Kind.EXACT, constant(usd_per_hour), None, 0.0, 1e6, text)
    return gpus.filled(price=price)


def _fill_in_limits(reading: Reading, scenario: S) -> S:
    """Return the scenario with the limits of its groups' contexts, where nobody wrote them; say what these rest on."""
    if "limit_tokens" in scenario.context.written or scenario.context.limit_tokens.posterior is not None:
        return scenario
    kept = [
        row
        for row in reading.provenance
        if not row.name.endswith("context.limit_tokens") or not row.is_default
    ]
    reading.provenance[:] = kept
    fleet = tuple(
        group if "limit_tokens" in group.context.written else _with_limit(reading, scenario, group)
        for group in scenario.fleet
    )
    return scenario.filled(fleet=fleet)


def _with_limit(reading: Reading, scenario: ScenarioKeys, group: Group) -> Group:
    """Return a group with the limits of its context; those of steps with a model of their own follow when needed."""
    if group.kind == "people":
        return group
    name, on = f"fleet[{group.group}].context.limit_tokens", scenario.prices.on
    limit = default_limit(name, group.model, on)
    _note_limit(reading, limit, group.model, on)
    for step, path in steps_of(reading, group):
        model = getattr(step, "model", None)
        if model and (step.context is None or "limit_tokens" not in step.context.written):
            _note_limit(reading, default_limit(f"{path}.context.limit_tokens", model, on), model, on)
    return group.filled(context=group.context.filled(limit_tokens=limit))


def _note_limit(reading: Reading, limit: Quantity, model: str | None, on: datetime.date) -> None:
    source = f"{DEFAULT}: {basis_of_limit(model, on)}"
    reading.provenance.append(Provenance(limit.name, f"{limit.exact_value:,.0f}", "exact", source))


def _fill_in_research(reading: Reading, scenario: S) -> S:
    """Fill in the default `research` if something needs it."""
    stop = scenario.stop
    needed = (
        scenario.review,
        scenario.gates,
        scenario.evidence,
        stop.target_score,
        stop.no_improvement_for,
        next((step for group in scenario.fleet for step in group.cycle if step.if_ == "improved"), None),
    )
    if scenario.research is None and any(value is not None and value != () for value in needed):
        return scenario.filled(research=Research.read(reading, None, "research", None))
    return scenario


def _check_evidence(reading: Reading, scenario: ScenarioKeys) -> None:
    """Note evidence on quantities that are not unknown, which it could not narrow."""
    evidence, research = scenario.evidence, scenario.research
    if evidence is None or research is None:
        return
    spoken_of = [key for key in evidence.counts if key != REVIEW]
    for key, of in [(key, key) for key in spoken_of] + [("scores", "refines")] * (len(evidence.scores) > 1):
        quantity = getattr(research, of)
        if quantity.kind is not Kind.UNKNOWN:
            message = f"`{quantity.name}` is {quantity.kind}, so evidence cannot narrow it"
            remedy = f"write it as a range, or `{{unknown: ...}}`, and not as `{quantity.text}`"
            reading.problem(message, reading.place_of(f"evidence.{key}"), remedy)


def _check_gates(reading: Reading, scenario: ScenarioKeys) -> None:
    if len(scenario.gates) > MOST_GATES:
        message = f"there are {len(scenario.gates):,} gates; at most {MOST_GATES} are allowed"
        reading.problem_of("gates", message, "remove some")
    reserve, budget = scenario.stop.reserve, scenario.stop.budget
    if reserve is not None and (budget is None or reserve >= budget):
        message = "`reserve` is the part of the budget kept for gates, and has to be below the budget"
        reading.problem_of("stop.reserve", message, "set a higher `budget`, or remove it")


def _check_group(reading: Reading, scenario: ScenarioKeys, group: Group) -> None:
    name = f"fleet[{group.group}]"
    if group.kind == "people":
        for key in ("model", "crashes", "service", "stop"):
            if getattr(group, key) is not None:
                reading.problem_of(f"{name}.{key}", f"people have no `{key}`", "remove it")
        if group.staff is None:
            remedy = "write for example `staff: {price: 95 $/h, hours: Mon-Fri 9-17}`"
            reading.problem_of(name, "people need `staff`, which says what they are paid", remedy)
    elif group.staff is not None:
        reading.problem_of(f"{name}.staff", "`staff` is for people", "write `kind: people`, or remove it")
    if group.start.first.exact_value >= scenario.stop.after.exact_value:
        reading.problem_of(f"{name}.start", "the group starts after the end of the run", "see `stop.after`")


def _check_cycle(reading: Reading, scenario: ScenarioKeys, group: Group) -> None:
    for step, path in steps_of(reading, group):
        if isinstance(step, Think):
            _check_think(reading, step, group, path)
        elif isinstance(step, OwnStep):
            wrong = problem_of_function(step.file, step.function)
            if wrong:
                message, _, remedy = wrong.partition("; ")
                reading.problem_of(f"{path}.function", message, remedy)
        elif isinstance(step, Experiment):
            _check_experiment(reading, scenario, group, step, path)
        elif isinstance(step, Delegate) and group.kind == "people":
            reading.problem_of(path, "people do not delegate to sub-agents", "remove the step")
        elif isinstance(step, Delegate) and step.context is not None and "lasts" in step.context.written:
            message = "a sub-agent's context lasts as long as the sub-agent"
            reading.problem_of(f"{path}.context.lasts", message, "remove `lasts`")


def _check_experiment(
    reading: Reading, scenario: ScenarioKeys, group: Group, step: Experiment, path: str
) -> None:
    pool = scenario.pool(step.on)
    if pool is None:
        note_missing_pool(reading, scenario, str(step.on), f"{path}.on")
    elif step.gpus.text and step.gpus.highest > (free := pool.count - held_gpus(scenario, pool)):
        held = f", of which served models hold {pool.count - free:,}" if free < pool.count else ""
        message = f"the experiment needs {step.gpus.highest:,.3g} GPUs of a pool of {pool.count:,}{held}"
        reading.problem_of(f"{path}.gpus", message, "raise `gpus.count`, or ask for fewer")
    if step.polls is not None and group.kind == "people":
        reading.problem_of(f"{path}.polls", "people do not poll", "remove `polls`")


def _check_conditions(reading: Reading, group: Group) -> None:
    """Note conditional steps whose condition no earlier step of the cycle can determine."""
    seen: set[str] = set()
    needs = {"succeeded": "experiment", "failed": "experiment", "improved": "score"}
    for step, path in steps_of(reading, group):
        condition = getattr(step, "if_", None)
        needed = needs.get(condition) if isinstance(condition, str) else None
        if needed and needed not in seen:
            message = f"`if: {condition}` needs an earlier step `{needed}` in the cycle"
            remedy = f"put it after a step `{needed}`, or remove `if`"
            reading.problem_of(f"{path}.if", message, remedy)
        seen.add(step.kind)


def _check_takes_time(reading: Reading, scenario: ScenarioKeys, group: Group) -> None:
    """Note a cycle that certainly takes no time, and would repeat for ever in the first instant."""
    api = scenario.api
    is_limited = any((api.requests_per_min, api.input_tokens_per_min, api.output_tokens_per_min))
    takes_time = scenario.stop.cycles_per_agent is not None
    for step in group.cycle:
        if isinstance(step, Score):
            quota = scenario.scorer.quota_per_agent_per_day
            times = (scenario.scorer.time, scenario.scorer.cool_down)
            is_judged = (
                scenario.scorer.model is not None
            )  # by calls, of which the engines see whether they take time
            takes_time |= is_judged or quota is not None or not all(time.surely_zero for time in times)
        elif step.if_ is not None or isinstance(step, OwnStep | Delegate) or scenario.tasks is not None:
            takes_time = True  # undecidable here; the engines end a run that makes no progress
        elif isinstance(step, Experiment) or group.kind == "people":
            time = getattr(step, "time", None)
            takes_time |= time is None or not time.surely_zero
        elif group.model is not None:
            output = scenario.forum.post_tokens if isinstance(step, Share) else group.turn.output_tokens
            call = [scenario.models[group.model].first_token, output]
            if isinstance(step, Think) and (step.model or step.turn):
                takes_time = True
            if isinstance(step, Think):
                call += [group.turn.thinking_tokens, group.turn.tool_time]
            takes_time |= is_limited or not all(time.surely_zero for time in call)
    if group.cycle and not takes_time:
        own = f"fleet[{group.group}].cycle"
        message = f"a cycle of group `{group.group}` takes no time, so the run would never end"
        remedy = "give a step some time, or write `stop: {cycles_per_agent: ...}`"
        reading.problem_of(own if own in reading.places else "cycle", message, remedy)


def _check_pace(reading: Reading, scenario: ScenarioKeys) -> None:
    """Note a scenario with too many events to be simulated."""
    events = 0.0 if reading.problems else most_events(scenario)
    if events > MOST_EVENTS:
        most = f"{MOST_EVENTS:.0e} can be simulated"
        message = f"a run would have some {events:.0e} calls, jobs and submissions; up to {most}"
        remedy = "give turns and steps realistic durations, or write fewer agents or a shorter `stop.after`"
        name = next(
            (name for name in ("turn.tool_time", "cycle", "fleet") if name in reading.places), "fleet"
        )
        reading.problem_of(name, message, remedy)


def _check_think(reading: Reading, step: Think, group: Group, path: str) -> None:
    people = group.kind == "people"
    needed, other = ("time", "turns") if people else ("turns", "time")
    if getattr(step, other) is not None:
        message = f"`think` of {group.kind} takes `{needed}`, not `{other}`"
        reading.problem_of(f"{path}.{other}", message, _think_advice(people))
    elif getattr(step, needed) is None:
        message = f"`think` of {group.kind} needs `{needed}` (group `{group.group}`)"
        reading.problem_of(path, message, _think_advice(people))
    for key in ("model", "turn", "context", "returns_tokens", "service"):
        if people and getattr(step, key) is not None:
            reading.problem_of(f"{path}.{key}", f"people have no `{key}`", "remove it")
    if step.returns_tokens is not None and step.model is None and step.context is None:
        message = "`returns_tokens` is for a step with a context of its own"
        reading.problem_of(f"{path}.returns_tokens", message, "also write `model` or `context`, or remove it")


def _think_advice(people: bool) -> str:
    return (
        "write for example `think: {time: 2 h}`" if people else "write for example `think: {turns: 20 to 60}`"
    )


def _check_context(reading: Reading, context: Context, group: Group) -> None:
    """Note contexts, of groups and of steps, that are still over their limit after compaction or restart."""
    if group.kind != "agents":
        return
    own = f"fleet[{group.group}].context"
    _check_room(reading, context, own if own in reading.places else "context")
    counted: dict[str, int] = {}
    for step in group.cycle:
        counted[step.kind] = counted.get(step.kind, -1) + 1
        if isinstance(step, Think | Delegate) and step.context is not None:
            path = f"{cycle_path(reading, group)}.{step.kind}[{counted[step.kind]}].context"
            _check_room(reading, step.context.over(context), path)


def _check_room(reading: Reading, context: Context, name: str) -> None:
    how = context.when_full.how
    kept = {"compact": context.compacted_to_tokens, "restart": context.carried_tokens}.get(how)
    left = context.first_prompt_tokens.highest + (kept.highest if kept is not None else 0.0)
    if kept is None or left < context.limit_tokens.lowest:
        return
    what = "compacted" if how == "compact" else "restarted"
    message = f"a {what} context ({left:,.0f} tokens with its first prompt) is already over the limit"
    key = next((key for key in keys_of(Context) if f"{name}.{key}" in reading.places), "limit_tokens")
    reading.problem_of(f"{name}.{key}", message, "raise `limit_tokens`, or lower the other two")


def _check_gpus(reading: Reading, scenario: ScenarioKeys, gpus: Gpus) -> None:
    name = pool_path(scenario, gpus)
    for billing, kind in BILLINGS.items():
        for key in set(kind.keys).difference(gpus.bills.keys):
            if getattr(gpus, key) is not None:
                message = f"`{key}` is for `billing: {billing}`, but this is `{gpus.billing}`"
                reading.problem_of(f"{name}.{key}", message, "remove it, or change the billing")
    if gpus.bills.agents and all(group.kind == "people" for group in scenario.fleet):
        reading.problem_of(
            f"{name}.billing", f"there are no agents to bill `{gpus.billing}`", "write `on demand`"
        )


def _check_limits(reading: Reading, scenario: ScenarioKeys) -> None:
    for index, limit in enumerate(scenario.limits):
        name = f"limits[{index}]"
        if limit.figure in ("probability_within_budget", "overrun") and scenario.stop.budget is None:
            reading.problem_of(name, f"`{limit.figure}` needs a budget", "write `stop: {budget: ...}`")
        if limit.figure in NEEDS_RESEARCH and not scenario.gates:
            message = f"`{limit.figure}` needs gates, which determine what holds outside the benchmark"
            reading.problem_of(name, message, "write `gates`, or remove the limit")
        if limit.figure in NEEDS_TASKS and scenario.tasks is None:
            message = f"`{limit.figure}` needs tasks, and the scenario has none"
            reading.problem_of(name, message, "write `tasks`, or remove the limit")


def pool_path(scenario: ScenarioKeys, pool: Gpus) -> str:
    """Return the path of a pool's values: `gpus` for the first, `gpus[NAME]` for others."""
    place = next(place for place, each in enumerate(scenario.pools) if each is pool)
    return f"gpus[{pool.name or place}]" if place else "gpus"


def steps_of(reading: Reading, group: Group) -> Iterator[tuple[Any, str]]:
    """Yield the steps of a group's cycle, each with the path of its values."""
    counted: dict[str, int] = {}
    for step in group.cycle:
        counted[step.kind] = counted.get(step.kind, -1) + 1
        yield step, f"{cycle_path(reading, group)}.{step.kind}[{counted[step.kind]}]"


def cycle_path(reading: Reading, group: Group) -> str:
    """Return the path of a group's cycle: the group's own where it has one, else the fleet's."""
    name = f"fleet[{group.group}].cycle"
    return name if name in reading.places else "cycle"


def is_priced(model: str, prices: Prices) -> bool:
    """Return whether a model has a price, in the scenario or on the list."""
    try:
        return model in prices.models or bool(model_prices(model, datetime.date.today()))
    except UserError:
        return False


def check_models(reading: Reading, scenario: ScenarioKeys) -> None:
    """Note models without a price, and prices or limits of models that no group uses."""
    for model, place in _callers(reading, scenario).items():
        if model in scenario.prices.models or scenario.models[model].served_on is not None:
            continue
        try:
            prices = model_prices(model, scenario.prices.on)
        except UserError as error:
            found = error.problems[0]
            reading.problem_of(place, found.message, found.remedy or "")
        else:
            text = f"{_listed(prices.base)}, in $/Mtok on {scenario.prices.on}"
            if prices.long:
                text += f"; above {prices.long.above_tokens:,} tokens {_listed(prices.long)}"
            if prices.hours:
                text += f"; other prices from {prices.hours} are not included"
            source = f"{prices.named}; {prices.source}" if prices.named else prices.source
            reading.provenance.append(Provenance(f"prices[{model}]", text, "exact", source))
    for block, models in (("prices", scenario.prices.models), ("api.models", scenario.api.models)):
        for model in models:
            if model not in scenario.models:
                names = ", ".join(scenario.models) or "none"
                remedy = f"the fleet's models: {names}"
                reading.problem_of(f"{block}[{model}]", f"no group uses model `{model}`", remedy)


def _callers(reading: Reading, scenario: ScenarioKeys) -> dict[str, str]:
    """Return the path of the key by which each model is first called: by groups, by their steps, then by others."""
    agents = [group for group in scenario.fleet if group.kind == "agents"]
    blocks: list[tuple[Block, str]] = [(group, f"fleet[{group.group}]") for group in agents]
    blocks += [found for group in agents for found in steps_of(reading, group)]
    blocks += [(scenario.scorer, "scorer"), *([(scenario.review, "review")] if scenario.review else [])]
    places: dict[str, str] = {}
    for block, name in blocks:
        for path, model in models_called(block, name):
            shared = path.partition("].")[2]  # by groups without their own `context`
            places.setdefault(
                model, shared if path not in reading.places and shared in reading.places else path
            )
    return places


def check_services(reading: Reading, scenario: ScenarioKeys) -> None:
    """Note services of models whose prices in the scenario do not cover them."""
    used = [(f"fleet[{group.group}].service", group.model, group.service) for group in scenario.fleet]
    for group in scenario.fleet:
        used += [
            (f"{path}.service", step.model or group.model, step.service or group.service)
            for step, path in steps_of(reading, group)
            if isinstance(step, Think | Delegate) and (step.model or step.service)
        ]
    used.append(("scorer.service", scenario.scorer.model, scenario.scorer.service))
    for path, model, service in used:
        if service is None or service.name == "standard" or model is None:
            continue
        if scenario.models[model].served_on is not None:
            message = f"`{model}` is served on your own GPUs, and has no service `{service.name}`"
            reading.problem_of(path, message, "remove it")
            continue
        own = scenario.prices.models.get(model)
        if own is not None and service.name not in own.services:
            message = f"the prices of `{model}` do not say what the service `{service.name}` costs"
            remedy = f"write for example `prices: {{{model}: {{services: {{{service.name}: 50%}}}}}}`"
            reading.problem_of(path, message, remedy)
        elif own is None and not has_service(model, scenario.prices.on, service.name):
            message = f"the list has no prices of `{model}` for the service `{service.name}` on {scenario.prices.on}"
            reading.problem_of(
                path, message, "write another service, or `prices` of the model with `services`"
            )


def check_judges(reading: Reading, scenario: ScenarioKeys) -> None:
    """Note judges without a description of their calls, and descriptions without a judge."""
    scorer, review = scenario.scorer, scenario.review
    if scorer.model is None:
        _drop_defaults(reading, "scorer", ("calls",))
    if review is not None and review.by is not None:
        _drop_defaults(reading, "review", ("hours", "time", "price"))
    for path, block, model, more in (
        ("scorer", scorer, scorer.model, ("calls", "service")),
        ("review", review, review.by if review else None, ()),
    ):
        key = "model" if path == "scorer" else "by"
        for tokens in ("input_tokens", "output_tokens"):
            if model is not None and getattr(block, tokens) is None:
                message = f"`{path}` by a model needs `{tokens}`"
                reading.problem_of(f"{path}.{key}", message, f"write `{tokens}: ...` beside `{key}`")
        for written in ("input_tokens", "output_tokens", *more):
            if block is not None and model is None and written in block.written:
                message = f"`{path}.{written}` describes a model's calls, but there is no `{key}`"
                reading.problem_of(f"{path}.{written}", message, f"write `{key}: ...`, or remove it")


def check_served(reading: Reading, scenario: ScenarioKeys) -> None:
    """Note models served on GPUs that do not exist or do not suffice, or that have two speeds."""
    held: dict[str | None, int] = {}
    for model, speed in scenario.models.items():
        path = f"models[{model}]"
        if speed.served_on is None:
            for key in ("replicas", "gpus_each", "throughput", "at_most"):
                if key in speed.written:
                    message = f"`{key}` is for a model that is served on GPUs"
                    reading.problem_of(f"{path}.{key}", message, "also write `served_on: POOL`, or remove it")
            _drop_defaults(reading, path, ("replicas", "gpus_each"))
            continue
        pool = next((pool for pool in scenario.pools if pool.name == speed.served_on), None)
        if speed.throughput is None:
            message = f"a model that is served on `{speed.served_on}` needs `throughput`"
            reading.problem_of(f"{path}.served_on", message, "write for example `throughput: 2500 tokens/s`")
        if "output_speed" in speed.written:
            message = "`output_speed` is for a model served by a provider; this one has a `throughput`"
            reading.problem_of(f"{path}.output_speed", message, "remove it; `at_most` limits a single call")
        _drop_defaults(reading, path, ("output_speed",))
        if pool is None:
            note_missing_pool(reading, scenario, speed.served_on, f"{path}.served_on")
            continue
        held[pool.name] = held.get(pool.name, 0) + speed.replicas * speed.gpus_each
        if held[pool.name] > pool.count:
            message = f"served models hold {held[pool.name]:,} GPUs of a pool of {pool.count:,}"
            reading.problem_of(f"{path}.served_on", message, "raise the pool's `count`, or lower `replicas`")


def _drop_defaults(reading: Reading, path: str, keys: tuple[str, ...]) -> None:
    """Leave defaults that nothing uses out of the table of values."""
    idle = {f"{path}.{key}" for key in keys}
    reading.provenance[:] = [row for row in reading.provenance if row.name not in idle or not row.is_default]


def held_gpus(scenario: ScenarioKeys, pool: Gpus) -> int:
    """Return how many GPUs of a pool are held by models that are served on it.

    Args:
        scenario: the scenario.
        pool: one of its pools.
    """
    return sum(
        speed.replicas * speed.gpus_each
        for speed in scenario.models.values()
        if speed.served_on is not None and speed.served_on == pool.name
    )


def note_missing_pool(reading: Reading, scenario: ScenarioKeys, name: str, path: str) -> None:
    """Note that no pool has the name written at `path`: a name is mistyped, or the pool was given none."""
    names = [pool.name for pool in scenario.pools if pool.name]
    remedy = nearest(name, names) if names else f"name the pool: write `name: {name[:60]}` in `gpus`"
    reading.problem_of(path, f"there is no pool `{name[:60]}`", remedy)


def _listed(prices: ClassPrices) -> str:
    """Return prices by class on one line."""
    return (
        f"input {prices.input:g}, write {prices.cache_write_5m:g} (1 h: {prices.cache_write_1h:g}), "
        f"read {prices.cache_read:g}, output {prices.output:g}"
    )
