"""OpenTelemetry spans of calls and tools, by the names that instrumentations in use give to their attributes.

GenAI semantic conventions (https://github.com/open-telemetry/semantic-conventions-genai), older names of theirs as
OpenLLMetry, Pydantic AI, Strands and Sentry write them, OpenInference (`llm.token_count…`), and Claude Code's own
(`claude_code.llm_request`). Input tokens include what was read from and written to the cache; only Claude Code
counts them apart. Spans of agents repeat what the calls in them used, and are passed over.
"""

from typing import Final

from simbudget.ledger.readers.counts import place_of, service_of
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.thread import PERSON, LoggedUsage, Thread
from simbudget.ledger.readers.values import JsonObject, mapping, moment, text
from simbudget.pricing.models import qualified

_CALLS: Final = {"chat", "text_completion", "generate_content", "completion", "LLM"}
_TOOLS: Final = {"execute_tool", "TOOL", "tool"}
_INPUT: Final = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
_OUTPUT: Final = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
)
_READ: Final = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cache_read_tokens",
    "gen_ai.usage.input_tokens.cached",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cache_read_input_tokens",
    "gen_ai.usage.details.cached_tokens",
    "llm.token_count.prompt_details.cache_read",
)
_WRITE: Final = (
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_write_input_tokens",
    "gen_ai.usage.cache_write_tokens",
    "gen_ai.usage.input_tokens.cache_write",
    "gen_ai.usage.details.cache_write_tokens",
    "gen_ai.usage.details.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
)
_THINKING: Final = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.details.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
)
_PROVIDERS: Final = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
_SERVICES: Final = (
    "openai.response.service_tier",
    "gen_ai.openai.response.service_tier",
    "gen_ai.response.service_tier",
    "gen_ai.usage.service_tier",
    "anthropic.usage.service_tier",
    "service_tier",
    "speed",
)
"""Where the service that a call was made by is reported; what was asked for does not count, since it may be refused."""
_SEARCHES: Final = ("gen_ai.usage.web_search_requests", "gen_ai.usage.server_tool_use.web_search_requests")
_MODELS: Final = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "model")
_TOOL_NAMES: Final = ("gen_ai.tool.name", "tool_name", "tool.name", "traceloop.entity.name")
_AGENTS: Final = ("gen_ai.agent.id", "gen_ai.agent.name", "agent_id")
_SESSIONS: Final = ("gen_ai.conversation.id", "session.id")
_REQUESTS: Final = ("request_id", "anthropic.request.id")
"""What a client's and the API's own span of one request have in common."""
_TOOL_USES: Final = ("tool_use_id", "gen_ai.tool.call.id")
_OWN: Final = "claude_code."
"""The beginning of the names of Claude Code's own spans."""
_OWN_KINDS: Final = {"llm_request": "call", "tool": "tool", "tool.blocked_on_user": "wait"}


class Telemetry:
    """The reading of one file of spans and events."""

    def __init__(self, file: LogFile, gathering: Gathering) -> None:
        self.gathering = gathering
        self.blocked_s: dict[str, float] = {}
        """How long a person was waited for within a span that has not come yet, by its id."""
        self._file = file
        self._threads: dict[tuple[str, str], Thread] = {}
        self._names: set[str] = set()

    def run(self, name: str) -> RunInMaking:
        """Return the run of a session or trace."""
        return self.gathering.run(f"otlp {name}", "otlp", self._file.path, name)

    def thread(self, name: str, agent: str) -> Thread:
        """Return the thread of an agent of a run; who comes first is the main one."""
        known = self._threads.get((name, agent))
        if known is None:
            key = agent if name in self._names else ""
            self._names.add(name)
            known = self._threads[name, agent] = Thread(self.gathering, self.run(name), key)
        return known


def add_span(telemetry: Telemetry, span: JsonObject, attributes: JsonObject) -> None:
    """Add the call, tool use or wait of a span, once."""
    kind = _kind(text(span.get("name")), attributes)
    if not kind:
        return
    trace, span_id = (text(span.get(f"{what}Id", span.get(f"{what}_id"))) for what in ("trace", "span"))
    name = first_text(attributes, _SESSIONS) or trace
    run = telemetry.run(name)
    logged = first_text(attributes, _REQUESTS if kind == "call" else _TOOL_USES)
    content = str(sorted(attributes.items(), key=str))  # a span that is exported twice is the same in all
    keys: list[tuple[str, ...]] = [("otlp", trace, span_id, content)] if span_id else []
    keys += [("otlp", kind, logged)] if logged and kind != "wait" else []
    if not all(telemetry.gathering.is_new(key) for key in keys):
        run.repeated += 1
        return
    thread = telemetry.thread(name, first_text(attributes, _AGENTS))
    began_s, ended_s = (
        moment(span.get(f"{what}TimeUnixNano", span.get(f"{what}_time_unix_nano")))
        for what in ("start", "end")
    )
    if kind == "call":
        _call(thread, span, attributes, began_s, ended_s)
        return
    lasted_s = thread.lasted_s(began_s, ended_s)
    if kind == "wait":
        parent = text(span.get("parentSpanId", span.get("parent_span_id")))
        telemetry.blocked_s[parent] = lasted_s
        thread.add("wait", began_s, lasted_s, name=PERSON)
        return
    blocked_s = telemetry.blocked_s.pop(span_id, 0.0)
    if blocked_s <= lasted_s:
        began_s, lasted_s = began_s + blocked_s, lasted_s - blocked_s
    outcome = "failed" if _error(span, attributes) else "ok"
    thread.add("tool", began_s, lasted_s, name=first_text(attributes, _TOOL_NAMES), outcome=outcome)


def _kind(name: str, attributes: JsonObject) -> str:
    """Return whether a span is a call, a tool, a wait for a person, or nothing of these."""
    if name.startswith(_OWN):
        return _OWN_KINDS.get(name.removeprefix(_OWN), "")
    operation = first_text(
        attributes, ("gen_ai.operation.name", "openinference.span.kind", "llm.request.type")
    )
    if operation in _CALLS:
        return "call"
    if operation in _TOOLS or text(attributes.get("traceloop.span.kind")) == "tool":
        return "tool"
    if operation:
        return ""
    if any(model in attributes for model in _MODELS[:2]) and any(count in attributes for count in _INPUT):
        return "call"
    return "tool" if "gen_ai.tool.name" in attributes else ""


def _call(thread: Thread, span: JsonObject, attributes: JsonObject, began_s: float, ended_s: float) -> None:
    error, model = _error(span, attributes), _model(attributes)
    is_own = text(span.get("name")).startswith(_OWN)
    if error and not any(name in attributes for name in (*_OUTPUT, "output_tokens")):
        thread.ready_s = began_s
        thread.fails(ended_s, error, model)
        return
    usage = own_usage(attributes, thread.run) if is_own else _usage(attributes, thread.run)
    usage = with_service(usage, attributes)
    status = text(attributes.get("stop_reason"))
    thread.call(usage, model, began_s, ended_s, status=status)


def _model(attributes: JsonObject) -> str:
    """Return the model of a call, with its provider where the list has the model under that."""
    return qualified(first_text(attributes, _PROVIDERS), first_text(attributes, _MODELS))


def with_service(usage: LoggedUsage, attributes: JsonObject) -> LoggedUsage:
    """Return the usage with the service, the place and the searches that attributes name."""
    searches = next((value for name in _SEARCHES if type(value := attributes.get(name)) is int), 0)
    return usage._replace(
        service=service_of(*(attributes.get(name) for name in _SERVICES)),
        inference_geo=place_of(attributes.get("inference_geo", attributes.get("gen_ai.usage.inference_geo"))),
        web_searches=searches if searches > 0 else None,
    )


def _error(span: JsonObject, attributes: JsonObject) -> str:
    """Return how a span failed; nothing if it did not."""
    failed = text(mapping(span.get("status")).get("code")) in ("2", "STATUS_CODE_ERROR")
    failed = failed or attributes.get("success") in (False, "false")
    return first_text(attributes, ("error.type", "error")) or ("error" if failed else "")


def first_text(attributes: JsonObject, names: tuple[str, ...]) -> str:
    """Return the first of the attributes that is a text."""
    return next((found for name in names if (found := text(attributes.get(name)))), "")


def own_usage(attributes: JsonObject, run: RunInMaking) -> LoggedUsage:
    """Return the usage of a call by Claude Code's own names, whose classes exclude each other."""
    uncached, write, read, output = (
        run.count(attributes.get(name))
        for name in ("input_tokens", "cache_creation_tokens", "cache_read_tokens", "output_tokens")
    )
    return LoggedUsage(uncached, write, read, output)


def _usage(attributes: JsonObject, run: RunInMaking) -> LoggedUsage:
    prompt, output, read, write, thinking = (
        run.count(next((attributes[name] for name in names if name in attributes), None))
        for names in (_INPUT, _OUTPUT, _READ, _WRITE, _THINKING)
    )
    if prompt is None or read is None:
        return LoggedUsage(None, write, read, output, thinking=thinking, context=prompt)
    write = write or 0
    if read + write > prompt:
        run.odd["more cached tokens than input tokens, so these were taken as apart"] += 1
        return LoggedUsage(prompt, write, read, output, thinking=thinking)
    return LoggedUsage(prompt - read - write, write, read, output, thinking=thinking)
