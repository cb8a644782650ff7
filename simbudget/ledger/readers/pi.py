"""Pi coding agent sessions (JSONL): each message with its usage and its cost.

A message's own time is when its request was sent; its line's is when it was complete. Tools of an autoresearch
extension (`run_experiment`) are experiments. A compaction's own call is not logged.
"""

from typing import Final

from simbudget.ledger.readers.copies import is_first_telling
from simbudget.ledger.readers.counts import service_of
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.thread import NO_USAGE, LoggedUsage, Thread
from simbudget.ledger.readers.values import JsonObject, folder_name, listing, mapping, moment, text
from simbudget.pricing.models import qualified

_FAILED: Final = {"error", "aborted"}


def _recognises(file: LogFile) -> bool:
    return any(
        (line.get("type") == "message" and "parentId" in line and "role" in mapping(line.get("message")))
        or (line.get("type") == "session" and "version" in line and "id" in line)
        for line in file.objects
    )


def _follows(file: LogFile) -> float | None:
    """Return when a fork began, which begins with its parent's entries."""
    first = next((line for line in file.objects if line.get("type") == "session"), {})
    return moment(first.get("timestamp")) if text(first.get("parentSession")) else None


def _read(file: LogFile, gathering: Gathering) -> None:
    thread: Thread | None = None
    for _, line in file.json_lines(lambda number, why: gathering.cannot_read(file.path, number, why)):
        if thread is None or line.get("type") == "session":
            thread = _begin(file, gathering, line)
        entry_id = text(line.get("id"))
        at_s = moment(line.get("timestamp"))
        if _is_copy(gathering, thread.run, entry_id, line, at_s):
            thread.run.repeated += 1
            continue
        if line.get("type") == "message":
            _message(thread, mapping(line.get("message")), at_s)
        elif line.get("type") == "compaction":
            usage = NO_USAGE._replace(context=thread.run.count(line.get("tokensBefore")))
            thread.compacts(thread.last_s, at_s, usage)
        thread.sees(at_s)
    if thread is not None:
        thread.breaks_off()


def _is_copy(gathering: Gathering, run: RunInMaking, entry_id: str, line: JsonObject, at_s: float) -> bool:
    """Return whether an entry was read before: in this session, or in the one that it was forked from."""
    if not entry_id:
        return False
    message = mapping(line.get("message"))
    usage = mapping(message.get("usage"))  # tells a call from others of its moment, whatever its id in a fork
    content = "" if usage else entry_id, message.get("role"), message.get("model"), usage
    moments = at_s, moment(message.get("timestamp"))
    is_new = gathering.is_new(("pi", run.name, entry_id))
    return not (is_first_telling(gathering, FORMAT.name, moments, *content) and is_new)


def _begin(file: LogFile, gathering: Gathering, line: JsonObject) -> Thread:
    name = (text(line.get("id")) if line.get("type") == "session" else "") or file.path.name
    project = folder_name(line.get("cwd"))
    return Thread(gathering, gathering.run(f"pi {name}", FORMAT.name, file.path, name, project))


def _message(thread: Thread, message: JsonObject, at_s: float) -> None:
    role, sent_s = message.get("role"), moment(message.get("timestamp"))
    if role == "user":
        thread.waits_for_person(at_s)
    elif role == "toolResult":
        outcome = "failed" if message.get("isError") is True else "ok"
        kind = "experiment" if message.get("toolName") == "run_experiment" else "tool"
        thread.tool_ends(text(message.get("toolCallId")), at_s, kind=kind, outcome=outcome)
    elif role == "assistant":
        _call(thread, message, sent_s, at_s)


def _call(thread: Thread, message: JsonObject, sent_s: float, at_s: float) -> None:
    usage, cost_usd = _usage(mapping(message.get("usage")), thread.run)
    model = qualified(text(message.get("provider")), text(message.get("model")))
    status = text(message.get("stopReason"))
    if status in _FAILED and not any(usage[:4]):
        thread.ready_s = sent_s
        thread.fails(at_s, status, model)
        return
    thread.call(usage, model, sent_s, at_s, reported_cost_usd=cost_usd, status=status)
    for block in map(mapping, listing(message.get("content"))):
        if block.get("type") == "toolCall":
            thread.asks_tool(text(block.get("id")), text(block.get("name")), at_s)


def _usage(usage: JsonObject, run: RunInMaking) -> tuple[LoggedUsage, float]:
    uncached, write, read, output = (
        run.count(usage.get(name)) for name in ("input", "cacheWrite", "cacheRead", "output")
    )
    service = service_of(usage.get("serviceTier"), usage.get("service_tier"), usage.get("speed"))
    return LoggedUsage(uncached, write, read, output, service=service), run.dollars(
        mapping(usage.get("cost")).get("total")
    )


FORMAT: Final = Format("pi", "Pi session", _recognises, _read, _follows)
