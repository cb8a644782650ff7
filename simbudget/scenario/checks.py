"""Checks of what no single key can tell: whether the parts of a scenario go together."""

from simbudget.distributions.families import constant
from simbudget.errors import UserError
from simbudget.prices.gpus import gpu_price
from simbudget.prices.models import ClassPrices, model_prices
from simbudget.scenario.fields import read_block
from simbudget.scenario.limits import NEEDS_RESEARCH
from simbudget.scenario.model import Context, Experiment, Group, OwnStep, Scenario, Score, Share, Think
from simbudget.scenario.narrowing import narrowed
from simbudget.scenario.own_steps import problem_of_function
from simbudget.scenario.quantities import Kind, Quantity
from simbudget.scenario.reading import Provenance, Reading
from simbudget.scenario.research import MOST_GATES, Research


def check_scenario(reading: Reading, scenario: Scenario) -> Scenario:
    """Note what does not go together, and return the scenario with what depends on several parts filled in."""
    scenario = _fill_in_research(reading, _fill_in_gpus(reading, scenario))
    for group in scenario.fleet:
        _check_group(reading, scenario, group)
        _check_cycle(reading, scenario, group)
        _check_takes_time(reading, scenario, group)
        _check_context(reading, group.context, group)
    _check_models(reading, scenario)
    _check_gpus(reading, scenario)
    _check_gates(reading, scenario)
    _check_limits(reading, scenario)
    if scenario.stop.budget is not None and scenario.fixed.highest >= scenario.stop.budget:
        _problem(
            reading, "fixed", "`fixed` alone reaches the budget", "raise `stop.budget`, or lower `fixed`"
        )
    return scenario


def _problem(reading: Reading, name: str, message: str, remedy: str) -> None:
    """Note a mistake at a value's place, unless another was found there already."""
    place = reading.place_of(name)
    if all(problem.place != place for problem in reading.problems):
        reading.problem(message, place, remedy)


def _fill_in_gpus(reading: Reading, scenario: Scenario) -> Scenario:
    """Return the scenario with the pool's size and price, where they are not written."""
    gpus = scenario.gpus
    if not gpus.count:
        agents = sum(group.agents for group in scenario.fleet if group.kind == "agents")
        gpus = gpus.model_copy(update={"count": max(1, agents)})
        reading.note("gpus.count", f"{gpus.count} (one an agent)", "setting", None)
    if gpus.price is None:
        uses_gpus = any(isinstance(step, Experiment) for group in scenario.fleet for step in group.cycle)
        usd_per_hour, source = 0.0, "no experiment"
        if uses_gpus or gpus.billing in ("reserved", "per agent"):
            try:
                listed = gpu_price(gpus.type)
                usd_per_hour, source = listed.usd_per_hour, f"{listed.offer}, {listed.as_of}"
            except UserError as error:
                found = error.problems[0]
                _problem(reading, "gpus.type", found.message, found.remedy or "")
        text = f"{usd_per_hour:g} $/h ({source})"
        price = Quantity("gpus.price", Kind.EXACT, constant(usd_per_hour), None, 0.0, 1e6, text)
        reading.note("gpus.price", text, "exact", None)
        gpus = gpus.model_copy(update={"price": price})
    return scenario.model_copy(update={"gpus": gpus})


def _fill_in_research(reading: Reading, scenario: Scenario) -> Scenario:
    """Return the scenario with the default `research` where something needs it, narrowed by the evidence."""
    stop = scenario.stop
    needed = (
        scenario.review,
        scenario.gates,
        scenario.evidence,
        stop.target_score,
        stop.no_improvement_for,
    )
    research, evidence = scenario.research, scenario.evidence
    if research is None and any(value is not None and value != () for value in needed):
        research = read_block(reading, Research, None, "research")
    if research is not None and evidence is not None:
        research = narrowed(reading, research, scenario, evidence)
    return scenario.model_copy(update={"research": research})


def _check_gates(reading: Reading, scenario: Scenario) -> None:
    if len(scenario.gates) > MOST_GATES:
        message = f"there are {len(scenario.gates):,} gates; at most {MOST_GATES} are allowed"
        _problem(reading, "gates", message, "leave some out")
    reserve, budget = scenario.stop.reserve, scenario.stop.budget
    if reserve is not None and (budget is None or reserve >= budget):
        message = "`reserve` is the part of the budget that is kept for gates, and has to be below it"
        _problem(reading, "stop.reserve", message, "write a `budget` above it, or take it out")


def _check_group(reading: Reading, scenario: Scenario, group: Group) -> None:
    name = f"fleet[{group.group}]"
    if group.kind == "people":
        for key in ("model", "crashes"):
            if getattr(group, key) is not None:
                _problem(reading, f"{name}.{key}", f"people have no `{key}`", "take it out")
        if group.staff is None:
            remedy = "write such as `staff: {price: 95 $/h, hours: Mon-Fri 9-17}`"
            _problem(reading, name, "people need `staff`: what they are paid", remedy)
    elif group.staff is not None:
        _problem(reading, f"{name}.staff", "`staff` is for people", "write `kind: people`, or take it out")
    if group.start.first.exact_value >= scenario.stop.after.exact_value:
        _problem(reading, f"{name}.start", "the group starts after the end of the run", "see `stop.after`")


def _check_cycle(reading: Reading, scenario: Scenario, group: Group) -> None:
    name = f"fleet[{group.group}].cycle"
    if name not in reading.places:
        name = "cycle"
    counted: dict[str, int] = {}
    for step in group.cycle:
        counted[step.kind] = counted.get(step.kind, -1) + 1
        path = f"{name}.{step.kind}[{counted[step.kind]}]"
        if isinstance(step, Think):
            _check_think(reading, step, group, path)
        elif isinstance(step, OwnStep):
            wrong = problem_of_function(step.file, step.function)
            if wrong:
                message, _, remedy = wrong.partition("; ")
                _problem(reading, f"{path}.function", message, remedy)
        elif isinstance(step, Experiment):
            count = scenario.gpus.count
            if step.gpus.text and step.gpus.highest > count:
                wanted = f"{step.gpus.highest:,.3g}"
                message = f"the experiment asks for {wanted} GPUs of a pool of {count:,}"
                _problem(reading, f"{path}.gpus", message, "raise `gpus.count`, or ask for fewer")
            if step.polls is not None and group.kind == "people":
                _problem(reading, f"{path}.polls", "people do not poll", "take `polls` out")


def _check_takes_time(reading: Reading, scenario: Scenario, group: Group) -> None:
    """Note a cycle that surely takes no time, and so would be run for ever in the first instant."""
    api = scenario.api
    is_limited = any((api.requests_per_min, api.input_tokens_per_min, api.output_tokens_per_min))
    takes_time = scenario.stop.cycles_per_agent is not None
    for step in group.cycle:
        if isinstance(step, Score):
            quota = scenario.scorer.quota_per_agent_per_day
            times = (scenario.scorer.time, scenario.scorer.cool_down)
            takes_time |= quota is not None or not all(time.surely_zero for time in times)
        elif isinstance(step, OwnStep):
            takes_time = True  # who knows
        elif isinstance(step, Experiment) or group.kind == "people":
            time = getattr(step, "time", None)
            takes_time |= time is None or not time.surely_zero
        elif group.model is not None:
            output = scenario.forum.post_tokens if isinstance(step, Share) else group.turn.output_tokens
            call = [scenario.models[group.model].first_token, output]
            if isinstance(step, Think):
                call += [group.turn.thinking_tokens, group.turn.tool_time]
            takes_time |= is_limited or not all(time.surely_zero for time in call)
    if group.cycle and not takes_time:
        own = f"fleet[{group.group}].cycle"
        message = f"a cycle of group `{group.group}` takes no time, so the run would never end"
        remedy = "give a step some time, or write `stop: {cycles_per_agent: ...}`"
        _problem(reading, own if own in reading.places else "cycle", message, remedy)


def _check_think(reading: Reading, step: Think, group: Group, path: str) -> None:
    people = group.kind == "people"
    needed, other = ("time", "turns") if people else ("turns", "time")
    if getattr(step, other) is not None:
        message = f"`think` of {group.kind} takes `{needed}`, not `{other}`"
        _problem(reading, f"{path}.{other}", message, _think_advice(people))
    elif getattr(step, needed) is None:
        message = f"`think` of {group.kind} needs `{needed}` (group `{group.group}`)"
        _problem(reading, path, message, _think_advice(people))


def _think_advice(people: bool) -> str:
    return "write such as `think: {time: 2 h}`" if people else "write such as `think: {turns: 20 to 60}`"


def _check_context(reading: Reading, context: Context, group: Group) -> None:
    name = f"fleet[{group.group}].context"
    if name not in reading.places:
        name = "context"
    left = context.first_prompt_tokens.highest + context.compacted_to_tokens.highest
    if left >= context.limit_tokens.lowest and group.kind == "agents":
        message = f"a compacted context ({left:,.0f} tokens with its first prompt) is already over the limit"
        key = next(
            (key for key in type(context).model_fields if f"{name}.{key}" in reading.places), "limit_tokens"
        )
        _problem(reading, f"{name}.{key}", message, "raise `limit_tokens`, or lower the other two")


def _check_models(reading: Reading, scenario: Scenario) -> None:
    """Note models that are on no price list, and price lists that no group uses."""
    used = {group.model: group for group in scenario.fleet if group.model}
    for model, group in used.items():
        if model in scenario.prices.models:
            continue
        try:
            prices = model_prices(model, scenario.prices.on)
        except UserError as error:
            found = error.problems[0]
            _problem(reading, f"fleet[{group.group}].model", found.message, found.remedy or "")
        else:
            text = f"{_listed(prices.base)}, in $/Mtok on {scenario.prices.on}"
            if prices.long:
                text += f"; above {prices.long.above_tokens:,} tokens {_listed(prices.long)}"
            reading.provenance.append(Provenance(f"prices[{model}]", text, "exact", prices.source))
    for model in scenario.prices.models:
        if model not in used:
            names = ", ".join(used) or "none"
            remedy = f"the fleet's models: {names}"
            _problem(reading, f"prices[{model}]", f"no group uses model `{model}`", remedy)


def _listed(prices: ClassPrices) -> str:
    """Return prices by class on one line."""
    return (
        f"input {prices.input:g}, write {prices.cache_write_5m:g} (1 h: {prices.cache_write_1h:g}), "
        f"read {prices.cache_read:g}, output {prices.output:g}"
    )


def _check_gpus(reading: Reading, scenario: Scenario) -> None:
    gpus = scenario.gpus
    for key in ("preempted", "checkpoint_every"):
        if getattr(gpus, key) is not None and gpus.billing != "spot":
            message = f"`{key}` is for `billing: spot`, and this is `{gpus.billing}`"
            _problem(reading, f"gpus.{key}", message, "take it out, or change the billing")
    if gpus.billing == "per agent" and all(group.kind == "people" for group in scenario.fleet):
        _problem(reading, "gpus.billing", "there are no agents to bill `per agent`", "write `on demand`")


def _check_limits(reading: Reading, scenario: Scenario) -> None:
    for index, limit in enumerate(scenario.limits):
        name = f"limits[{index}]"
        if limit.figure in ("probability_within_budget", "overrun") and scenario.stop.budget is None:
            _problem(reading, name, f"`{limit.figure}` needs a budget", "write `stop: {budget: ...}`")
        if limit.figure in NEEDS_RESEARCH and not scenario.gates:
            message = (
                f"`{limit.figure}` needs gates: without one nothing says what holds outside the benchmark"
            )
            _problem(reading, name, message, "write `gates`, or take the limit out")
