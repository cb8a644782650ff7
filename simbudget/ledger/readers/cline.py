"""Tasks of Cline and of Roo Code, its fork (`ui_messages.json`): what each request used stands as JSON within JSON.

Counts exclude each other, but for requests that Roo made by OpenAI's protocol, whose input contains what was cached.
The model is on newer messages, or in `task_metadata.json` beside them. Sessions of Cline's command line
(`SESSION.messages.json`) have the metrics of each answer, whose input contains what was cached.
"""

from typing import Final

from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.reported import (
    CountNames,
    add_total,
    run_of,
    unpacked,
    usage_named,
    usage_within,
)
from simbudget.ledger.readers.rows import each
from simbudget.ledger.readers.thread import LoggedUsage, Thread
from simbudget.ledger.readers.values import NOT_KNOWN, JsonObject, listing, mapping, moment, text
from simbudget.pricing.models import qualified

_SAID: Final = b'"api_req_started"'
_TOOLS: Final = {"tool", "command", "use_mcp_server", "browser_action_launch"}
_METRICS: Final = CountNames(
    "inputTokens", "cacheReadTokens", "cacheWriteTokens", "outputTokens", "reasoningTokens"
)
_SUMS: Final = {"deleted_api_reqs", "subagent_usage"}
"""What says together what requests used whose own messages are gone, or are elsewhere."""


def _recognises(file: LogFile) -> bool:
    if not file.is_document:
        return False
    return _SAID in file.head or _is_beside(file) or bool(_answers(file))


def _is_beside(file: LogFile) -> bool:
    """Return whether a file is another one of a task's: its messages to the model, or what it says of its files."""
    is_one = b'"files_in_context"' in file.head or (b'"role"' in file.head and file.head.lstrip()[:1] == b"[")
    return is_one and (file.path.parent / "ui_messages.json").is_file()


def _read(file: LogFile, gathering: Gathering) -> None:
    answers = _answers(file)
    if answers:
        _read_session(file, gathering, answers)
        return
    messages = [mapping(message) for message in listing(file.document)]
    if not any(message.get("say") == "api_req_started" for message in messages):
        if file.document is not None and _is_beside(file):
            gathering.tells_with_others()
        return
    run = run_of(
        gathering, file, FORMAT.name, file.path.parent.name if file.path.name == "ui_messages.json" else ""
    )
    thread, model = Thread(gathering, run), _model_beside(file)

    def take(place: int, message: JsonObject) -> None:
        said = message.get("say") or message.get("ask")
        at_s = moment(message.get("ts"))
        if not gathering.is_new(("cline", run.name, str(place), str(at_s), str(said))):
            run.repeated += said == "api_req_started"
        elif said == "api_req_started" or said in _SUMS:
            named = text(mapping(message.get("modelInfo")).get("modelId"))
            _request(thread, message, at_s, named or model, is_sum=said in _SUMS)
        elif said in _TOOLS:
            thread.add(
                "tool", at_s, NOT_KNOWN, name=text(unpacked(message.get("text")).get("tool")) or text(said)
            )

    each(enumerate(messages), file, gathering, take)


def _answers(file: LogFile) -> list[JsonObject]:
    """Return the answers with metrics of a session of the command line; none if the file is no such session."""
    if b'"messages"' not in file.head or b'"sessionId"' not in file.head:
        return []
    messages = map(mapping, listing(mapping(file.document).get("messages")))
    return [
        message
        for message in messages
        if message.get("role") == "assistant" and "inputTokens" in mapping(message.get("metrics"))
    ]


def _read_session(file: LogFile, gathering: Gathering, answers: list[JsonObject]) -> None:
    run = run_of(gathering, file, FORMAT.name, file.document.get("sessionId"))
    thread = Thread(gathering, run)

    def take(place: int, answer: JsonObject) -> None:
        at_s, metrics = moment(answer.get("ts")), mapping(answer.get("metrics"))
        identity = text(answer.get("id")) or str(place)
        if not gathering.is_new(("cline answer", run.name, identity, str(at_s))):
            run.repeated += 1
            return
        about = mapping(answer.get("modelInfo"))
        model = qualified(text(about.get("provider")), text(about.get("id")))
        cost_usd = run.dollars(metrics.get("cost"))
        thread.call(usage_named(run, metrics, _METRICS), model, NOT_KNOWN, at_s, reported_cost_usd=cost_usd)
        for block in map(mapping, listing(answer.get("content"))):
            if block.get("type") == "tool_use":
                thread.add("tool", at_s, NOT_KNOWN, name=text(block.get("name")))

    each(enumerate(answers), file, gathering, take)


def _request(thread: Thread, message: JsonObject, at_s: float, model: str, *, is_sum: bool) -> None:
    logged, run = unpacked(message.get("text")), thread.run
    if not any(name in logged for name in ("tokensIn", "tokensOut", "cost")):
        if "cancelReason" in logged or "streamingFailedMessage" in logged:
            thread.ready_s = at_s
            thread.fails(at_s, text(logged.get("cancelReason")) or "failed", model)
        else:
            run.missing["usage of calls"] += 1
        return
    usage, cost_usd = _usage(logged, run), run.dollars(logged.get("cost"))
    if is_sum:
        add_total(thread, usage, model, started_s=at_s, reported_cost_usd=cost_usd)
        return
    thread.call(usage, model, at_s, NOT_KNOWN, reported_cost_usd=cost_usd)
    thread.sees(at_s)


def _usage(logged: JsonObject, run: RunInMaking) -> LoggedUsage:
    into, output, write, read = (
        run.count(logged.get(name)) for name in ("tokensIn", "tokensOut", "cacheWrites", "cacheReads")
    )
    if logged.get("apiProtocol") == "openai":
        return usage_within(run, into, read or 0, write or 0, output)
    return LoggedUsage(into, write or 0, read or 0, output)


def _model_beside(file: LogFile) -> str:
    """Return the model that a task used last, by the file beside it."""
    path = file.path.parent / "task_metadata.json"
    if not path.is_file():
        return ""
    used = [mapping(each_) for each_ in listing(mapping(LogFile(path).document).get("model_usage"))]
    return text(used[-1].get("model_id")) if used else ""


FORMAT: Final = Format("cline", "Cline or Roo task", _recognises, _read)
