"""What a record's token counts contain: the one place that makes classes that exclude each other of them.

Providers count differently. Anthropic's `input_tokens` leave out what was read from the cache or written to it;
OpenAI's `prompt_tokens` and Google's `promptTokenCount` contain it. Thinking is part of the output at both, but not of
Google's `candidatesTokenCount`. Names say whose counts they are; where a record has a total, the total decides.
"""

from typing import Final, NamedTuple

from simbudget.ledger.readers.gathering import RunInMaking
from simbudget.ledger.readers.thread import LoggedUsage
from simbudget.ledger.readers.values import JsonObject, mapping, text
from simbudget.pricing.charge import SERVICES
from simbudget.pricing.models import maker_of

MOST_IN_A_SESSION: Final = 10**12
"""No session has more tokens than this; a count above it is damage."""

_PROMPT: Final = (
    "prompt_tokens",
    "promptTokens",
    "promptTokenCount",
    "prompt_token_count",
    "input_tokens",
    "inputTokens",
    "in_tokens",
    "tokens_in",
    "total_input_tokens",
    "total_prompt_tokens",
)
_OUTPUT: Final = (
    "completion_tokens",
    "completionTokens",
    "candidatesTokenCount",
    "candidates_token_count",
    "output_tokens",
    "outputTokens",
    "out_tokens",
    "tokens_out",
    "total_output_tokens",
    "total_completion_tokens",
)
_READ: Final = (
    "cache_read_input_tokens",
    "cacheReadInputTokens",
    "cache_read_tokens",
    "cacheReadTokens",
    "cached_input_tokens",
    "cachedInputTokens",
    "cached_tokens",
    "cachedTokens",
    "cachedContentTokenCount",
    "cached_content_token_count",
    "prompt_cache_hit_tokens",
)
_WRITE: Final = (
    "cache_creation_input_tokens",
    "cacheCreationInputTokens",
    "cache_write_tokens",
    "cache_creation_tokens",
    "cache_write_input_tokens",
    "cacheWriteInputTokens",
    "cacheWriteTokens",
)
_THINKING: Final = (
    "reasoning_tokens",
    "reasoningTokens",
    "reasoning_output_tokens",
    "thinking_tokens",
    "thoughtsTokenCount",
    "thoughts_token_count",
)
_TOTAL: Final = ("total_tokens", "totalTokens", "totalTokenCount", "total_token_count")

_DETAILS: Final = (
    "response",
    "usage",
    "usage_metadata",
    "usageMetadata",
    "prompt_tokens_details",
    "input_tokens_details",
    "input_token_details",
    "completion_tokens_details",
    "output_tokens_details",
    "output_token_details",
)
"""Objects within a record that hold counts too."""

_CONTAIN: Final = {
    "prompt_tokens",
    "promptTokenCount",
    "prompt_token_count",
    "total_prompt_tokens",
    "promptTokens",
    "cached_tokens",
    "cachedTokens",
    "cached_input_tokens",
    "cachedInputTokens",
    "cachedContentTokenCount",
    "cached_content_token_count",
    "prompt_cache_hit_tokens",
}
"""Names of counts by providers whose prompt contains what was cached: OpenAI, DeepSeek, Google."""
_APART: Final = {
    "cache_read_input_tokens",
    "cacheReadInputTokens",
    "cache_creation_input_tokens",
    "cacheCreationInputTokens",
    "cacheWriteInputTokens",
}
"""Names that Anthropic alone uses, whose classes exclude each other. They outweigh the names of `_CONTAIN`."""
_MAKERS_THAT_CONTAIN: Final = {"openai", "google", "deepseek", "x-ai"}
"""Providers whose interfaces report a prompt with what was cached in it, whatever a log calls its own fields."""
_THOUGHTS_APART: Final = {"candidatesTokenCount", "candidates_token_count"}


class _Found(NamedTuple):
    name: str
    value: int | None


def usage_of_record(record: JsonObject, run: RunInMaking) -> LoggedUsage:
    """Return the usage that a record's counts tell, by whatever names; classes exclude each other.

    What was found about counts that contain each other is noted as odd, once for each run.
    """
    flat = _flat(record)
    prompt, output, read, write, thinking, total = (
        _first(flat, names, run) for names in (_PROMPT, _OUTPUT, _READ, _WRITE, _THINKING, _TOTAL)
    )
    put_out = output.value
    if output.name in _THOUGHTS_APART and put_out is not None and thinking.value:
        put_out += thinking.value
    cached, written = read.value, write.value
    if cached is not None and written is None:
        written = 0
    for_an_hour = run.count(
        mapping(flat.get("cache_creation")).get("ephemeral_1h_input_tokens"), MOST_IN_A_SESSION
    )
    searches = mapping(flat.get("server_tool_use")).get(
        "web_search_requests", flat.get("web_search_requests")
    )
    usage = LoggedUsage(
        prompt.value,
        written,
        cached,
        put_out,
        for_an_hour,
        thinking.value,
        web_searches=run.count(searches) or None,
        service=service_of(flat.get("speed"), flat.get("service_tier"), flat.get("service")),
        inference_geo=place_of(flat.get("inference_geo")),
    )
    if prompt.value is None or not (cached or written):
        return usage
    inside = (cached or 0) + (written or 0)
    contains = _by_total(prompt.value, inside, put_out, total.value)
    why = "their total"
    if contains is None:
        names = {prompt.name, read.name if read.value is not None else "", write.name if write.value else ""}
        contains = bool(names & _CONTAIN) and not names & _APART
        why = "the names of their fields"
        if not names & (_CONTAIN | _APART) and maker_of(text(record.get("model"))) in _MAKERS_THAT_CONTAIN:
            contains, why = True, "their model's provider"
    if contains and inside > prompt.value:
        run.odd["more cached tokens than input tokens, so these were taken as apart"] += 1
        contains = False
    if not contains:
        return usage
    run.note_odd(f"input counts contain what was cached, by {why}, so it is counted once")
    return usage._replace(uncached=prompt.value - inside)


def has_counts(record: JsonObject) -> tuple[bool, bool]:
    """Return whether a record has a count of input, and one of output."""
    flat = _flat(record)
    return any(name in flat for name in _PROMPT), any(name in flat for name in _OUTPUT)


def _by_total(prompt: int, inside: int, output: int | None, total: int | None) -> bool | None:
    """Return whether a prompt's count contains what was cached, if a record's total decides that."""
    if total is None or output is None:
        return None
    if total == prompt + output:
        return True
    return False if total == prompt + inside + output else None


def _flat(record: JsonObject) -> JsonObject:
    """Return a record with the counts of the objects in it, which outweigh no count of its own."""
    flat = dict(record)
    for name in _DETAILS:
        for key, value in mapping(flat.get(name)).items():
            flat.setdefault(key, value)
    return flat


def _first(flat: JsonObject, names: tuple[str, ...], run: RunInMaking) -> _Found:
    """Return the first of the counts that a record has, and its name."""
    name = next((name for name in names if flat.get(name) is not None), "")
    return _Found(name, run.count(flat.get(name), MOST_IN_A_SESSION) if name else None)


class Step(NamedTuple):
    """One inference of a call: most calls are one, and report it as their usage."""

    kind: str
    """`compaction`: the provider summarised the context on the way; `advisor`: a second model was asked."""
    model: str
    """Empty: the call's own."""
    usage: LoggedUsage


_ANTHROPICS: Final = {"input_tokens", "output_tokens"}
"""Counts of which every usage in Anthropic's words has one."""


def anthropic_steps(
    usage: JsonObject, run: RunInMaking, model: str = "", *, knows_output: bool = True
) -> tuple[LoggedUsage, list[Step]]:
    """Return what an answer's `usage` reports, and the steps of the call that it leaves out.

    The counts at the top are those of the steps of type `message`. Others stand in `iterations` alone, and are billed.
    `knows_output`: whether the output's count is final, and not the placeholder of a stream's beginning.
    Tools that write Anthropic's lines about other providers' models put those providers' counts into them.
    """
    if not _ANTHROPICS & usage.keys() and any(has_counts(usage)):
        logged = usage_of_record({**usage, "model": model}, run)
        return (logged if knows_output else logged._replace(output=None)), []
    top = _anthropic(usage, run, knows_output=knows_output)
    service, place = top.service, top.inference_geo
    steps = [mapping(step) for step in usage.get("iterations") or () if isinstance(step, dict)]
    others = [step for step in steps if step.get("type", "message") != "message"]
    if not others:
        return top, []
    if _adds_up(usage, steps):  # the top counts all steps: what others used is taken out of it
        own = [_anthropic(step, run) for step in steps if step not in others]
        top = _sum(own)._replace(service=service, inference_geo=place, web_searches=top.web_searches)
    found = []
    for step in others:
        kind = "compaction" if "compact" in str(step.get("type")) else "advisor"
        counted = _anthropic(step, run)._replace(service=service, inference_geo=place)
        found.append(Step(kind, text(step.get("model")), counted))
    return top, found


def with_last_counts(usage: JsonObject, later: JsonObject) -> JsonObject:
    """Return a message's usage with the counts that a later event of its stream has; both are of all of it so far."""
    return {**usage, **{name: value for name, value in later.items() if value is not None}}


_SERVICES: Final = {
    "slow": "flex",
    "batches": "batch",
    "on_demand_priority": "priority",
    "on_demand_flex": "flex",
}
"""Other words for services."""


def service_of(*logged: object) -> str:
    """Return the service that a log names in any of several fields; empty for the standard one."""
    for word in logged:
        if word is None or word == "standard":  # what nearly every call says
            continue
        name = text(word).lower()
        name = _SERVICES.get(name, name)
        if name in SERVICES and name:
            return name
    return ""


def place_of(logged: object) -> str:
    """Return the place that a call was bound to; empty where it was not."""
    place = text(logged).lower()
    return "" if place in ("", "global", "not_available", "unknown") else place


def _anthropic(usage: JsonObject, run: RunInMaking, *, knows_output: bool = True) -> LoggedUsage:
    writes = mapping(usage.get("cache_creation"))
    searches = mapping(usage.get("server_tool_use")).get("web_search_requests")
    details = mapping(usage.get("output_tokens_details"))
    return LoggedUsage(
        uncached=run.count(usage.get("input_tokens")),
        write=_written(usage, writes, run),
        read=run.count(_or_none(usage.get("cache_read_input_tokens"))),
        output=run.count(usage.get("output_tokens")) if knows_output else None,
        write_1h=run.count(writes.get("ephemeral_1h_input_tokens")),
        thinking=run.count(details.get("thinking_tokens")),
        web_searches=run.count(searches) or None,
        service=service_of(usage.get("speed"), usage.get("service_tier")),
        inference_geo=place_of(usage.get("inference_geo")),
    )


def _written(usage: JsonObject, writes: JsonObject, run: RunInMaking) -> int | None:
    """Return what was written to the cache: where the sum is missing, what its parts add up to; null is none."""
    logged = usage.get("cache_creation_input_tokens")
    if logged is None and writes:
        return sum(run.count(value) or 0 for value in writes.values())
    return run.count(_or_none(logged))


def _or_none(logged: object) -> object:
    """Return a count of a usage that leaves out, or calls null, what there was none of."""
    return 0 if logged is None else logged


def _adds_up(usage: JsonObject, steps: list[JsonObject]) -> bool:
    """Return whether an answer's counts are those of all its steps together."""
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return all(_whole(usage.get(name)) == sum(_whole(step.get(name)) for step in steps) for name in names)


def _whole(value: object) -> int:
    return value if type(value) is int else 0


def _sum(usages: list[LoggedUsage]) -> LoggedUsage:
    """Return the counts of steps together; unknown where one is."""
    columns: list[tuple[int | None, ...]] = list(zip(*(usage[:6] for usage in usages), strict=True))
    sums = [None if None in column else sum(value or 0 for value in column) for column in columns]
    uncached, write, read, output, write_1h, thinking = sums or [0] * 6
    return LoggedUsage(uncached, write, read, output, write_1h, thinking)
