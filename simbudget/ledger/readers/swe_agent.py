"""Trajectories of SWE-agent (`.traj`) and mini-swe-agent (`.traj.json`), one JSON document each.

SWE-agent tells a run's tokens only in all, its input with what was cached in it, and how long each action took.
mini-swe-agent keeps each answer as the API gave it, with its usage, its cost and when it came: an answer of the chat
interface within a message, one of OpenAI's responses interface as a message of its own, without a role.
"""

from typing import Any, Final

from simbudget.ledger.entry import CALLS
from simbudget.ledger.readers.files import LogFile, loads
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.thread import LoggedUsage, Thread
from simbudget.ledger.readers.values import (
    NOT_KNOWN,
    JsonObject,
    duration_s,
    is_known,
    listing,
    mapping,
    moment,
    text,
)

_MOST_IN_A_RUN: Final = 10**12


def _recognises(file: LogFile) -> bool:
    if not file.is_document or not any(
        word in file.head for word in (b'"trajectory', b'"info"', b'"history"')
    ):
        return False
    document = mapping(file.document)
    if text(document.get("trajectory_format")).startswith("mini-swe-agent"):
        return True
    return "model_stats" in mapping(document.get("info")) and (
        "trajectory" in document or "messages" in document
    )


def _read(file: LogFile, gathering: Gathering) -> None:
    document = mapping(file.document)
    info = mapping(document.get("info"))
    stats = mapping(info.get("model_stats"))
    stem = file.path.name.removesuffix(".gz").removesuffix(".json").removesuffix(".traj")
    name = text(document.get("instance_id")) or stem
    messages, steps = listing(document.get("messages")), listing(document.get("trajectory"))
    fingerprint = str(hash(str((messages or steps)[-3:])))
    run = gathering.run(f"swe {name} {fingerprint}", FORMAT.name, file.path, name)
    run.task = name
    if not gathering.is_new(("swe", name, fingerprint)):
        run.repeated += 1
        return
    run.reported_cost_usd = run.dollars(stats.get("instance_cost", stats.get("total_cost")))
    run.reported_turns = run.count(stats.get("api_calls"))
    model = text(mapping(mapping(info.get("config")).get("model")).get("model_name"))
    status = text(info.get("exit_status"))
    thread = Thread(gathering, run)
    if not _answers(thread, messages, model):
        _in_all(thread, stats, _configured_model(document) or model, status)
    for step in map(mapping, steps):
        thread.turn += 1
        action = text(step.get("action")).split(maxsplit=1)
        thread.add(
            "tool", NOT_KNOWN, duration_s(step.get("execution_time")), name=action[0] if action else ""
        )


def _configured_model(document: JsonObject) -> str:
    """Return the model that SWE-agent's replay configuration names, which may be kept as JSON within JSON."""
    kept = document.get("replay_config")
    configuration = loads(kept.encode()) if isinstance(kept, str) else kept
    return text(mapping(mapping(mapping(configuration).get("agent")).get("model")).get("name"))


def _in_all(thread: Thread, stats: JsonObject, model: str, status: str) -> None:
    """Add the figures that are logged only for the run as a whole."""
    run = thread.run
    sent = run.count(stats.get("tokens_sent", stats.get("input_tokens")), _MOST_IN_A_RUN)
    output = run.count(stats.get("tokens_received", stats.get("output_tokens")), _MOST_IN_A_RUN)
    thread.add(
        CALLS,
        NOT_KNOWN,
        NOT_KNOWN,
        model=model,
        component="tokens",
        cost_usd=NOT_KNOWN,
        reported_cost_usd=run.reported_cost_usd,
        calls=run.reported_turns,
        status=status,
        **LoggedUsage(output=output, context=sent).columns(),
    )
    run.missing["tokens of single calls, and how many were cached"] += 1


def _answers(thread: Thread, messages: list[Any], model: str) -> bool:
    """Add each answer that the API's usage is known of, and return whether there was any."""
    found = False
    for message in map(mapping, messages):
        extra = mapping(message.get("extra"))
        response = mapping(extra.get("response")) or (message if "output" in message else {})
        usage = mapping(response.get("usage"))
        at_s = _came_s(message, extra)
        if usage:
            began_s = thread.ready_s if is_known(thread.ready_s) else moment(response.get("created_at"))
            thread.call(
                _usage(usage, thread.run),
                text(response.get("model")) or model,
                began_s,
                at_s,
                reported_cost_usd=thread.run.dollars(extra.get("cost")),
            )
            found = True
        elif _is_observation(message) and thread.turn >= 0:
            lasted_s = thread.lasted_s(thread.last_s, at_s)
            outcome = "failed" if extra.get("returncode") not in (None, 0) else "ok"
            thread.add("tool", thread.last_s, lasted_s, name="bash", outcome=outcome)
        thread.sees(at_s)
        thread.ready_s = at_s
    return found


def _came_s(message: JsonObject, extra: JsonObject) -> float:
    """Return when a message came; an answer of the responses interface may say itself when it was complete."""
    said = (
        extra.get("timestamp"),
        *(message.get(name) for name in ("timestamp", "completed_at", "created_at")),
    )
    return moment(next((value for value in said if value is not None), None))


def _is_observation(message: JsonObject) -> bool:
    """Return whether a message is what an action showed."""
    return message.get("role") in ("user", "tool") or message.get("type") == "function_call_output"


def _usage(usage: JsonObject, run: RunInMaking) -> LoggedUsage:
    """Return the usage of an answer as LiteLLM gives it: the prompt with its cached part."""
    prompt = run.count(usage.get("prompt_tokens", usage.get("input_tokens")))
    output = run.count(usage.get("completion_tokens", usage.get("output_tokens")))
    details = mapping(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    read = run.count(usage.get("cache_read_input_tokens", details.get("cached_tokens"))) or 0
    write = run.count(usage.get("cache_creation_input_tokens", details.get("cache_creation_tokens"))) or 0
    thought = mapping(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    thinking = run.count(thought.get("reasoning_tokens"))
    if prompt is None or prompt < read + write:
        return LoggedUsage(None, write, read, output, thinking=thinking, context=prompt)
    return LoggedUsage(prompt - read - write, write, read, output, thinking=thinking)


FORMAT: Final = Format("swe-agent", "SWE-agent or mini-swe-agent trajectory", _recognises, _read)
