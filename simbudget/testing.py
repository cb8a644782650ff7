"""Hypothesis strategies for scenarios: random ones over the whole language, small enough to run in a moment.

    from hypothesis import given
    from simbudget.testing import scenarios

    @given(scenarios())
    def test_my_step_never_loses_money(scenario): ...

Needs `pip install 'simbudget[testing]'`.
"""

from typing import Any

import yaml
from hypothesis import strategies as st

from simbudget.ledger.entry import COMPONENTS
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.resources import BILLINGS
from simbudget.scenario.scenario import Scenario


def numbers(low: int, high: int, unit: str = "") -> st.SearchStrategy[str]:
    """Return exact amounts, and ranges in several forms, between two numbers.

    Args:
        low: lowest number.
        high: highest number.
        unit: text behind each number, such as ` min`.
    """
    ends = st.tuples(st.integers(low, high), st.integers(low, high)).map(sorted)
    exact = st.integers(low, high).map(lambda value: f"{value}{unit}")
    ranges = ends.map(lambda pair: f"{pair[0]}{unit} to {pair[1]}{unit}")
    both = ends.filter(lambda pair: pair[0] > 0).map(
        lambda pair: {"typical": f"{pair[0]}{unit} to {pair[1]}{unit}", "varies": "2x"}
    )
    return st.one_of(exact, ranges, both)


def exact(low: int, high: int, unit: str = "") -> st.SearchStrategy[str]:
    """Return exact amounts between two numbers.

    Args:
        low: lowest number.
        high: highest number.
        unit: text behind each number.
    """
    return st.integers(low, high).map(lambda value: f"{value}{unit}")


def _maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def _beyond_one_job() -> dict[str, st.SearchStrategy[Any]]:
    """Return what an experiment may say of its jobs and tries."""
    return {
        "at_once": st.sampled_from(["1", "2", "4", "1 to 3"]),
        "wait_for": st.sampled_from(["all", 1, 2]),
        "attempts": st.sampled_from([1, 2, 5]),
        "on_failure": st.sampled_from(["go on", "end cycle"]),
    }


@st.composite
def _with_conditions(draw: st.DrawFn, cycle: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a cycle some of whose steps are done on a condition that something before them can fulfil."""
    seen: set[str] = set()
    for step in cycle:
        kind, block = next(iter(step.items()))
        words = ["succeeded", "failed"] if "experiment" in seen else []
        words += ["improved"] if "score" in seen else []
        block |= draw(_maybe(**{"if": st.sampled_from([*words, "30%", "20% to 80%"])}))
        seen.add(kind)
    return cycle


def steps(people: bool, gpus: int, beyond: tuple[str, ...] = ()) -> st.SearchStrategy[dict[str, Any]]:
    """Return steps of a cycle that fit a pool of the given number of GPUs, or the pools named in `beyond`."""
    polls = st.fixed_dictionaries({"every": numbers(60, 600, " s")})
    think = {"time": numbers(1, 300, " min")} if people else {"turns": numbers(1, 8)}
    experiment = st.fixed_dictionaries(
        {"time": numbers(1, 120, " min"), "gpus": exact(1, gpus)},
        optional={"fails": st.sampled_from(["0%", "30%"])}
        | ({} if people else {"polls": polls})
        | (_beyond_one_job() | {"on": st.sampled_from(beyond)} if beyond else {}),
    )
    score = _maybe(each=st.sampled_from(["yes", "no"])) if beyond else st.builds(dict)
    return st.one_of(
        st.fixed_dictionaries({"think": st.fixed_dictionaries(think)}),
        st.fixed_dictionaries({"experiment": experiment}),
        st.fixed_dictionaries({"score": score}),
        st.fixed_dictionaries({"share": st.builds(dict)}),
    )


@st.composite
def groups(draw: st.DrawFn, name: str, gpus: int, beyond: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a group of agents, or of people."""
    people = draw(st.integers(0, 4)) == 0
    start = {"first": draw(exact(0, 60, " min")), "then_every": draw(exact(0, 30, " min"))}
    group: dict[str, Any] = {"group": name, "agents": draw(st.integers(1, 3)), "start": start}
    think = {"think": {"time": "1 h"} if people else {"turns": 2}}
    group["cycle"] = [think, *draw(st.lists(steps(people, gpus, beyond), max_size=4))]
    if beyond:
        group["cycle"] = draw(_with_conditions(group["cycle"]))
    if people:
        hours = draw(st.sampled_from(["always", "Mon-Fri 9-17", "Mon-Sun 0-24"]))
        return group | {"kind": "people", "staff": {"price": "90 $/h", "hours": hours}}
    group["sandbox"] = {"price": "0.1 $/h"}
    if draw(st.booleans()):
        group["crashes"] = {"every": "5 h", "restart": draw(numbers(1, 60, " min"))}
    group["context"] = {
        "first_prompt_tokens": draw(exact(0, 20_000)),
        "limit_tokens": draw(st.sampled_from(["30000", "45000", "30000 to 60000"])),
        "compacted_to_tokens": draw(exact(0, 5_000)),
        "lasts": draw(st.sampled_from(["think", "cycle", "life"])),
        "cache": draw(st.sampled_from(["off", "5 min", "1 h"])),
        "cache_misses": draw(st.sampled_from(["0%", "20%", "5% to 40%"])),
    }
    group["turn"] = {
        "output_tokens": draw(numbers(0, 2_000)),
        "thinking_tokens": draw(numbers(0, 500)),
        "tool_result_tokens": draw(numbers(0, 5_000)),
        "tool_time": draw(numbers(0, 120, " s")),
    }
    if draw(st.integers(0, 3)) == 0:
        group["stop"] = draw(_maybe(after=exact(1, 20, " h"), **uses()))
    if draw(st.booleans()):
        under_way = st.sampled_from(["20000", "5000 to 25000"])
        group["start"] |= {"context_tokens": draw(under_way), "context_turns": draw(exact(0, 3))}
    if draw(st.booleans()):
        group["turn"]["opening"] = {"times": draw(numbers(0, 9)), "turns": draw(numbers(1, 5))}
    return group


def uses() -> dict[str, st.SearchStrategy[Any]]:
    """Return what an agent or an attempt may use, by key."""
    return {
        "spend": st.sampled_from(["$0.5", "$3", "$1 to $9"]),
        "tokens": st.sampled_from(["0", "40000", "100k to 2M"]),
        "turns": numbers(1, 40),
    }


@st.composite
def tasks(draw: st.DrawFn) -> dict[str, Any]:
    """Return blocks of `tasks`."""
    terms = {"count": draw(exact(1, 12)), "attempts": draw(exact(1, 4)), "solved": draw(shares())}
    limit = _maybe(time=numbers(1, 4, " h"), **uses())
    return terms | draw(
        _maybe(
            difficulty=st.sampled_from(["0", "1.5", "0.5 to 2"]),
            until=st.sampled_from(["solved", "all attempts"]),
            limit=limit,
        )
    )


def shares(high: int = 100) -> st.SearchStrategy[str]:
    """Return probabilities, exact and unknown."""
    ends = st.tuples(st.integers(1, high), st.integers(1, high)).map(sorted)
    return st.one_of(
        st.integers(0, high).map(lambda value: f"{value}%"),
        ends.map(lambda pair: f"{pair[0]}% to {pair[1]}%"),
    )


def quality() -> st.SearchStrategy[Any]:
    """Return what first qualities may be: with ties, and with negative ones."""
    return st.sampled_from(["0.3", "0 to 0.5", {"distribution": "normal", "p10": "-0.2", "p90": "0.6"}])


def research() -> st.SearchStrategy[dict[str, Any]]:
    """Return blocks of `research`."""
    return _maybe(
        explores=shares(),
        follows=shares(),
        ideas=numbers(1, 20),
        known_methods=exact(1, 4),
        first_quality=quality(),
        refines=shares(),
        gain=st.sampled_from(["0.1", "0.05 to 0.5"]),
        transfers=shares(),
        real_share=shares(),
        hacks=shares(60),
        hack_score=st.sampled_from(["0.9", "0.5 to 1.0"]),
        caught=shares(),
        blames=shares(40),
        unit=st.sampled_from(["method", "improvement"]),
        finalists=exact(1, 5),
        gates_start=st.sampled_from(["at the end", "as finalists appear"]),
    )


def gates() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return gates, none or a few."""
    gate = st.fixed_dictionaries(
        {"keeps": shares()},
        optional={
            "smallest_effect": st.sampled_from(["0", "0.1", "0.05 to 0.2"]),
            "noise": st.sampled_from(["0", "0.05", "0.01 to 0.1"]),
            "price": st.sampled_from(["0 $/try", "3 $/try"]),
            "time": numbers(0, 50, " h"),
            "tries": st.sampled_from(["all", "passed"]),
        },
    )
    return st.lists(gate, max_size=2)


def review() -> st.SearchStrategy[dict[str, Any]]:
    """Return blocks of `review`."""
    return st.fixed_dictionaries(
        {"of": st.sampled_from(["all", "best", "40%"])},
        optional={
            "people": exact(1, 3),
            "hours": st.sampled_from(["always", "Mon-Fri 9-17", "Sat 12-13"]),
            "time": numbers(0, 300, " min"),
            "price": st.sampled_from(["60 $/h", "10 $/h to 90 $/h"]),
        },
    )


def _others(pool: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return in what a pool differs from another one."""
    return _maybe(
        speed=st.sampled_from(["2", "0.5 to 3"]),
        price=st.sampled_from(["1 $/h", "2 $/h to 9 $/h"]),
        **({} if pool["billing"] == "spot" else {"billing": st.sampled_from(["on demand", "reserved"])}),
    )


@st.composite
def documents(draw: st.DrawFn, beyond: bool = False) -> dict[str, Any]:
    """Return a scenario as the mapping that its YAML holds; `beyond` a single pool, job and condition."""
    gpus = draw(st.integers(1, 3))
    billing = draw(st.sampled_from(list(BILLINGS)))
    pool: dict[str, Any] = {"count": gpus, "price": "3 $/h", "billing": billing}
    if billing == "spot":
        pool |= {"preempted": {"every": "2 h"}} | draw(_maybe(checkpoint_every=exact(5, 30, " min")))
    names = ["one", "two", "three"][: draw(st.integers(1, 3))]
    pools = ("a", "b", "c")[: draw(st.integers(1, 3))] if beyond else ()
    fleet = [draw(groups(name, gpus, pools)) for name in names]
    for of_fleet in fleet:
        of_fleet.update(draw(_maybe(directions=exact(1, 3))))
    more: dict[str, Any] = {}
    scored = draw(st.booleans())
    if scored:
        more = draw(_maybe(research=research(), gates=gates(), review=review()))
        fleet[0]["cycle"] += [{"score": {}}, *draw(st.sampled_from([[], [{"share": {}}]]))]
    if BILLINGS[billing].agents and all(group.get("kind") == "people" for group in fleet):
        pool["billing"] = "on demand"
    every: Any = pool
    if beyond:
        every = [pool | {"name": name} | draw(_others(pool)) for name in pools]
    if draw(st.integers(0, 2)) == 0:
        more["tasks"] = draw(tasks())
    prices: dict[str, Any] = {"on": "2026-03-01"}
    if draw(st.integers(0, 3)) == 0:
        prices["discount"] = draw(
            _maybe(**{name: st.sampled_from(["15%", "0% to 50%"]) for name in COMPONENTS})
        )
    return {
        "fleet": fleet,
        "prices": prices,
        "api": draw(
            _maybe(
                requests_per_min=exact(1, 30),
                input_tokens_per_min=exact(5_000, 100_000),
                output_tokens_per_min=exact(1_000, 20_000),
                error_rate=st.sampled_from(["0%", "20%"]),
            )
        ),
        "gpus": every,
        "scorer": draw(
            _maybe(
                servers=exact(1, 2),
                time=numbers(1, 600, " s"),
                cool_down=exact(0, 3600, " s"),
                quota_per_agent_per_day=exact(1, 5),
                price=st.just("0.5 $/call"),
                noise=st.sampled_from(["0", "0.1", "0.02 to 0.2"]),
            )
        ),
        "forum": {"post_tokens": draw(numbers(1, 1_000)), "reads_at_most": draw(st.integers(0, 5))},
        "fixed": "$1",
        "stop": {"after": draw(exact(1, 30, " h"))}
        | draw(_maybe(budget=exact(2, 60), cycles_per_agent=exact(1, 6), begins=st.just("Fri 15:00")))
        | draw(_maybe(budget_counts=st.sampled_from(["when begun", "when billed"])))
        | draw(
            _maybe(target_score=st.just("0.7"), no_improvement_for=exact(1, 6, " h"))
            if scored
            else st.just({})
        ),
        **more,
    }


SMALL_MODEL = "claude-haiku-4-5"


def _services() -> st.SearchStrategy[Any]:
    return st.sampled_from(["standard", "batch", {"batch": {"returns_in": "1 min to 20 min"}}])


def _contexts() -> st.SearchStrategy[dict[str, Any]]:
    """Return what a context may say of its prefix, of thinking, and of what is done when it is full."""
    return _maybe(
        shared_prefix_tokens=st.sampled_from(["3000", "1000 to 9000"]),
        keeps_thinking=st.sampled_from(["yes", "no"]),
        when_full=st.sampled_from(["compact", "restart", "drop oldest to 40%"]),
        carried_tokens=numbers(0, 3_000),
    )


def _own_calls(models: list[str]) -> dict[str, st.SearchStrategy[Any]]:
    """Return what a step may say of the calls that it makes."""
    context = _contexts().flatmap(
        lambda written: _maybe(
            first_prompt_tokens=exact(0, 9_000),
            lasts=st.sampled_from(["think", "cycle", "life"]),
            cache=st.sampled_from(["off", "5 min", "1 h"]),
        ).map(lambda more: written | more)
    )
    return {
        "model": st.sampled_from(models),
        "turn": _maybe(
            output_tokens=numbers(0, 900), thinking_tokens=numbers(0, 300), tool_time=numbers(0, 90, " s")
        ),
        "context": context,
        "service": _services(),
    }


@st.composite
def _delegations(draw: st.DrawFn, models: list[str]) -> dict[str, Any]:
    step: dict[str, Any] = {"agents": draw(numbers(0, 4)), "turns": draw(numbers(1, 5))}
    step |= draw(_maybe(returns_tokens=numbers(0, 900), **_own_calls(models)))
    step.get("context", {}).pop("lasts", None)
    return {"delegate": step}


def _plans() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"price": st.just("100 $/month"), "then": st.sampled_from(["wait", "pay"])},
        optional={
            "seats": exact(1, 2),
            "window": st.fixed_dictionaries(
                {"every": exact(1, 3, " h"), "allows": st.sampled_from(["$0.5", "$1 to $3"])}
            ),
            "week": st.fixed_dictionaries({"allows": st.sampled_from(["$2", "$20"])}),
        },
    )


@st.composite
def with_calls(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """Return a scenario whose agents call models in all the ways that the language knows."""
    models = ["claude-opus-4-6", SMALL_MODEL]
    agents = [group for group in document["fleet"] if group.get("kind") != "people"]
    for group in agents:
        group["context"] |= draw(_contexts())
        group.update(draw(_maybe(service=_services())))
        for step in group["cycle"]:
            if "think" in step and draw(st.booleans()):
                step["think"] |= draw(_maybe(**_own_calls(models)))
                if {"model", "context"} & step["think"].keys():
                    step["think"] |= draw(_maybe(returns_tokens=numbers(0, 900)))
        if draw(st.booleans()):
            place = draw(st.integers(0, len(group["cycle"])))
            group["cycle"].insert(place, draw(_delegations(models)))
    called = {step.get("model") for group in agents for each in group["cycle"] for step in each.values()}
    if any("score" in step for group in document["fleet"] for step in group["cycle"]):
        document["scorer"] |= draw(_judges(models))
        called.add(document["scorer"].get("model"))
        if draw(st.booleans()):
            document["review"] = draw(_reviewers(models))
            called.add(document["review"]["by"])
        if "model" in document["scorer"] or "by" in document.get("review", {}):
            document["fleet"][0]["cycle"].insert(
                1, {"score": {}}
            )  # early, so that something is judged in short runs
    if agents and draw(st.integers(0, 2)) == 0:
        served = draw(st.sampled_from(sorted({models[0], *called} - {None})))
        _serve(document, served, draw(_servers()))
        called.discard(served)
    limits = _maybe(requests_per_min=exact(1, 30), output_tokens_per_min=exact(1_000, 20_000))
    if SMALL_MODEL in called:
        document["api"] |= draw(_maybe(models=st.fixed_dictionaries({SMALL_MODEL: limits})))
    document["api"] |= draw(_maybe(plan=_plans()))
    return document


def _model_calls() -> dict[str, st.SearchStrategy[Any]]:
    """Return what is said of calls that score or review a submission."""
    return {"input_tokens": numbers(0, 9_000), "output_tokens": numbers(0, 900)}


def _judges(models: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Return what a scorer may say of its judge, or nothing."""
    judge = st.fixed_dictionaries(
        {"model": st.sampled_from(models), **_model_calls()},
        optional={"calls": st.sampled_from(["1", "3", "1 to 4"]), "service": _services()},
    )
    return st.one_of(st.just({}), judge)


def _reviewers(models: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Return blocks of `review` by a model."""
    return st.fixed_dictionaries(
        {"by": st.sampled_from(models), "of": st.sampled_from(["all", "best", "40%"]), **_model_calls()},
        optional={"people": exact(1, 3)},
    )


def _servers() -> st.SearchStrategy[dict[str, Any]]:
    """Return on what a model is served, without the name of the pool."""
    return st.fixed_dictionaries(
        {"throughput": st.sampled_from(["40 tokens/s", "20 tokens/s to 300 tokens/s"])},
        optional={
            "replicas": st.integers(1, 2),
            "gpus_each": st.integers(1, 3),
            "at_most": st.sampled_from(["30 tokens/s", "10 tokens/s to 90 tokens/s"]),
        },
    )


def _serve(document: dict[str, Any], model: str, speed: dict[str, Any]) -> None:
    """Let a model be served on the last pool, which has that many more GPUs; own servers have no services."""
    pool = document["gpus"][-1] if isinstance(document["gpus"], list) else document["gpus"]
    pool.setdefault("name", "own")
    pool["count"] += speed.get("replicas", 1) * speed.get("gpus_each", 1)
    document["models"] = {model: {"served_on": pool["name"], **speed}}
    blocks = [document["scorer"], *document["fleet"]]
    for block in blocks + [
        step for group in document["fleet"] for each in group["cycle"] for step in each.values()
    ]:
        block.pop("service", None)


def load(document: dict[str, Any]) -> Scenario | None:
    """Return the scenario of a document; None where a group would start after the end."""
    from simbudget.errors import UserError  # noqa: PLC0415

    try:
        return loads_scenario(yaml.safe_dump(document, sort_keys=False)).scenario
    except UserError as error:
        if all("starts after the end" in problem.message for problem in error.problems):
            return None
        raise


def scenarios(beyond: bool = False, calls: bool = False) -> st.SearchStrategy[Scenario]:
    """Return scenarios over the whole language.

    `beyond` with what the reference engine alone simulates, `calls` with several models, sub-agents, and so on.

    Args:
        beyond: whether several pools, jobs at once and conditions occur.
        calls: whether agents call models in all the ways that the language knows.
    """
    made = documents(beyond).flatmap(with_calls) if calls else documents(beyond)
    return made.map(load).filter(lambda loaded: loaded is not None)  # type: ignore[return-value]


def _in_step(amount: Any, key: str = "") -> Any:
    """Return a time in whole half hours, so that much happens at the same instant; other amounts as they are."""
    if isinstance(amount, dict):
        if "typical" in amount:
            return _in_step(amount["typical"], key)
        return {name: _in_step(part, "limit" if key == "limit" else name) for name, part in amount.items()}
    if isinstance(amount, list):
        return [_in_step(part) for part in amount]
    if isinstance(amount, str) and amount.endswith((" s", " min")) and key != "cache":
        at_least = 1 if key in ("every", "checkpoint_every", "limit") else 0
        return f"{30 * max(at_least, int(amount.split()[0]) % 3)} min"
    return amount


def _tied(document: dict[str, Any]) -> Scenario | None:
    instant = {"first_token": "0 s", "output_speed": "1000000 tokens/s"}
    agents = any(group.get("kind") != "people" for group in document["fleet"])
    models = {"claude-opus-4-6": instant} if agents else {}
    if SMALL_MODEL in yaml.safe_dump(document):
        models[SMALL_MODEL] = instant
    for model, speed in document.get("models", {}).items():
        of_servers = {key: speed[key] for key in ("served_on", "replicas", "gpus_each") if key in speed}
        models[model] = {"first_token": "0 s", "throughput": "1000000 tokens/s"} | of_servers
    judged = "output_tokens" in document["scorer"]
    if judged:
        document["scorer"]["output_tokens"] = 0
    if "by" in document.get("review", {}):
        document["review"]["output_tokens"] = 0
    calls = {"output_tokens": 0, "tool_result_tokens": 500, "tool_time": "1 min"}
    for group in document["fleet"]:
        if "turn" in group:
            group["turn"] = calls
    return load(_in_step(document) | {"stop": document["stop"]} | ({"models": models} if models else {}))


def tied_scenarios(beyond: bool = False, calls: bool = False) -> st.SearchStrategy[Scenario]:
    """Return scenarios in which nearly everything happens on the half hour; the arguments as of `scenarios`."""
    made = documents(beyond).flatmap(with_calls) if calls else documents(beyond)
    return made.map(_tied).filter(lambda loaded: loaded is not None)  # type: ignore[return-value]
