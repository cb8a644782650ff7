"""Checks of models: prices, services, judges, and GPUs that serve them."""

import datetime

from simbudget.errors import UserError
from simbudget.pricing.catalogue import has_service, model_prices
from simbudget.pricing.charge import ClassPrices
from simbudget.scenario.paths import steps_of
from simbudget.scenario.provider import Prices
from simbudget.scenario.reading import Provenance, Reading, nearest
from simbudget.scenario.resources import Gpus
from simbudget.scenario.steps import Delegate, Think
from simbudget.scenario.top_level import ScenarioKeys


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
    """Return the path of the key by which each model is first called."""
    places: dict[str, str] = {}
    for group in scenario.fleet:
        if group.model:
            places.setdefault(group.model, f"fleet[{group.group}].model")
    for group in scenario.fleet:
        for step, path in steps_of(reading, group):
            model = getattr(step, "model", None)
            if model and group.kind == "agents":
                places.setdefault(model, f"{path}.model")
    if scenario.scorer.model:
        places.setdefault(scenario.scorer.model, "scorer.model")
    if scenario.review is not None and scenario.review.by:
        places.setdefault(scenario.review.by, "review.by")
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
    """Return how many GPUs of a pool are held by models that are served on it."""
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
