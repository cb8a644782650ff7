"""What `opencode run --format json` prints (JSONL): steps with their tokens and cost, and tools with exact times.

A step is a call. The lines name no model. Whether reasoning is part of the output differs; the total says which. A
session whose export or store was read too keeps that, which tells more; so this output is read after them.
"""

from typing import Final

from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering
from simbudget.ledger.readers.opencode import SOURCE, usage_of
from simbudget.ledger.readers.reported import first_of
from simbudget.ledger.readers.rows import each, json_rows
from simbudget.ledger.readers.thread import Thread
from simbudget.ledger.readers.values import NOT_KNOWN, JsonObject, mapping, moment, text

_KINDS: Final = {"step_start", "step_finish", "tool_use", "text", "reasoning"}


def _recognises(file: LogFile) -> bool:
    return any(line.get("type") in _KINDS and isinstance(line.get("part"), dict) for line in file.objects)


def _read(file: LogFile, gathering: Gathering) -> None:
    began_s: dict[str, float] = {}

    def take(number: int, line: JsonObject) -> None:
        part, at_s = mapping(line.get("part")), moment(line.get("timestamp"))
        session = text(first_of(line, "sessionID") or part.get("sessionID"))
        key = f"{SOURCE} {session or file.path}"
        run = gathering.run(key, FORMAT.name, file.path, session or file.path.name)
        if run.source != FORMAT.name:
            run.repeated += line.get("type") == "step_finish"
            return
        identity = text(part.get("id"))
        if identity and not gathering.is_new(("opencode part", identity, text(line.get("type")))):
            run.repeated += line.get("type") == "step_finish"
            return
        thread = Thread(gathering, run)
        if line.get("type") == "step_start":
            began_s[session] = at_s
        elif line.get("type") == "step_finish":
            _step(thread, part, began_s.pop(session, NOT_KNOWN), at_s)
        elif line.get("type") == "tool_use":
            state = mapping(part.get("state"))
            times = mapping(state.get("time"))
            started_s, ended_s = moment(times.get("start")), moment(times.get("end"))
            outcome = "ok" if state.get("status") == "completed" else "failed"
            lasted_s = thread.lasted_s(started_s, ended_s)
            thread.add("tool", started_s, lasted_s, name=text(part.get("tool")), outcome=outcome)
        elif line.get("type") == "error":
            thread.fails(at_s, "error")

    each(json_rows(file, gathering), file, gathering, take)


def _step(thread: Thread, part: JsonObject, began_s: float, ended_s: float) -> None:
    model = text(first_of(part, "modelID", "model"))
    cost_usd = thread.run.dollars(part.get("cost"))
    # Tools run before a step ends, so how long the model took is not known.
    thread.call(
        usage_of(part, thread.run),
        model,
        began_s,
        NOT_KNOWN,
        reported_cost_usd=cost_usd,
        status=text(part.get("reason")),
    )
    thread.sees(ended_s)


FORMAT: Final = Format(
    "opencode-run", "opencode run --format json output", _recognises, _read, lambda _: NOT_KNOWN
)
