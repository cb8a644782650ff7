"""Claude Code's log events in OpenTelemetry (OTLP JSON): each request with usage and cost, each tool with its time.

An event is logged when the request or tool has ended. One that a span has already reported, under the same request or
tool id, is not counted again.
"""

from simbudget.ledger.readers.otlp_spans import Telemetry, first_text, own_usage, with_service
from simbudget.ledger.readers.values import JsonObject, duration_s, mapping, moment, text

_OWN = "claude_code."
_MS = 1e-3
_KINDS = {"api_request": "call", "api_error": "failed", "tool_result": "tool"}


def add_event(telemetry: Telemetry, record: JsonObject, attributes: JsonObject) -> None:
    """Add the request or tool use of a log record, once."""
    body = mapping(record.get("body"))
    name = text(attributes.get("event.name")) or text(body.get("stringValue", body.get("string_value")))
    kind = _KINDS.get(name.removeprefix(_OWN), "")
    session = text(attributes.get("session.id"))
    if not kind or not session:
        return
    run = telemetry.run(session)
    logged = text(attributes.get("tool_use_id" if kind == "tool" else "request_id"))
    if logged and not telemetry.gathering.is_new(("otlp", kind, logged)):
        run.repeated += 1
        return
    thread = telemetry.thread(session, text(attributes.get("agent_id")))
    at = first_text(record, ("timeUnixNano", "time_unix_nano", "observedTimeUnixNano"))
    ended_s = moment(at or attributes.get("event.timestamp"))
    lasted_s = duration_s(attributes.get("duration_ms"), _MS)
    began_s, model = ended_s - lasted_s, text(attributes.get("model"))
    if kind == "call":
        cost_usd = run.dollars(attributes.get("cost_usd"))
        usage = with_service(own_usage(attributes, run), attributes)
        thread.call(usage, model, began_s, ended_s, reported_cost_usd=cost_usd)
    elif kind == "failed":
        thread.ready_s = began_s
        thread.fails(ended_s, text(attributes.get("status_code")) or "api_error", model)
    else:
        outcome = "failed" if attributes.get("success") in (False, "false") else "ok"
        name = text(attributes.get("tool_name"))
        thread.add("tool", began_s, lasted_s, name=name, outcome=outcome)
