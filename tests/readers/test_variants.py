"""Variants of formats that tools in use write: each agrees with what the log says of itself."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from simbudget.ledger.imported import ImportedLedger
from simbudget.ledger.readers import Assumed, read_logs
from tests.readers.sessions import REAL, read

PROMPT = ["uncached_input_tokens", "cache_write_tokens", "cache_read_tokens"]
MS = 1_780_000_000_000
"""A moment, in thousandths of seconds since 1970."""
INSPECT = Path(__file__).parents[1] / "data" / "inspect"


def written(path: Path, *lines: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def of_kind(ledger: ImportedLedger, kind: str) -> pd.DataFrame:
    assert not ledger.unread
    return ledger.entries[ledger.entries["kind"] == kind].reset_index(drop=True)


def attributes(**values: object) -> list[dict[str, Any]]:
    """Return OTLP attributes; `__` stands for a dot."""
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    shown = {key.replace("__", "."): value for key, value in values.items()}
    return [
        {"key": key, "value": {kinds[type(value)]: str(value) if type(value) is int else value}}
        for key, value in shown.items()
    ]


def span(name: str, began: int, lasts: int, parent: str = "", **values: object) -> dict[str, Any]:
    times = {"startTimeUnixNano": f"{MS + began}000000", "endTimeUnixNano": f"{MS + began + lasts}000000"}
    return {
        "traceId": "t",
        "spanId": f"{name} {began}",
        "parentSpanId": parent,
        "name": name,
        "attributes": attributes(**values),
        **times,
    }


def spans(*told: dict[str, Any]) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(told)}]}]}


OWN: dict[str, object] = {
    "session__id": "s",
    "span__type": "llm_request",
    "model": "claude-opus-5",
    "gen_ai__system": "anthropic",
    "gen_ai__request__model": "claude-opus-5",
    "input_tokens": 2,
    "output_tokens": 1200,
    "cache_read_tokens": 84562,
    "cache_creation_tokens": 7096,
    "request_id": "r1",
    "success": True,
    "stop_reason": "tool_use",
}
"""A request of Claude Code 2.1.266 as its own telemetry tells it; counts exclude each other."""
REQUEST = span("claude_code.llm_request", 0, 5000, **OWN)


def test_claude_codes_own_spans_count_what_was_cached_apart(tmp_path: Path) -> None:
    blocked = span("claude_code.tool.blocked_on_user", 5000, 3000, "claude_code.tool 5000", session__id="s")
    tool = span("claude_code.tool", 5000, 4000, session__id="s", tool_name="Bash", tool_use_id="u1")
    ledger = read(written(tmp_path / "a", spans(REQUEST, blocked, tool)))
    call = of_kind(ledger, "call").iloc[0]
    assert [int(call[name]) for name in PROMPT] == [2, 7096, 84562] and call["output_tokens"] == 1200
    assert (call["duration_s"], call["status"]) == (5, "tool_use")
    assert of_kind(ledger, "wait")["duration_s"].tolist() == [3]
    assert of_kind(ledger, "tool")[["started_s", "duration_s"]].to_numpy().tolist() == [[8, 1]]
    assert ledger.runs["name"].tolist() == ["s"]


def event(name: str, second: int, **values: object) -> dict[str, Any]:
    told = {"event__name": name, "session__id": "s", **values}
    return {
        "timeUnixNano": f"{MS + second * 1000}000000",
        "body": {"stringValue": f"claude_code.{name}"},
        "attributes": attributes(**told),
    }


def logged(*events: dict[str, Any]) -> dict[str, Any]:
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(events)}]}]}


def test_claude_codes_log_events_are_calls_with_costs_and_tools(tmp_path: Path) -> None:
    counts = {name: OWN[name] for name in OWN if name.endswith("_tokens")}
    told = {"model": "claude-opus-5", "cost_usd": 0.12, "duration_ms": 5000, "request_id": "r1", **counts}
    request, failed = (
        event("api_request", 5, **told),
        event("api_error", 7, duration_ms=1000, status_code="529"),
    )
    tool = event("tool_result", 9, tool_name="Bash", duration_ms=2000, success="false", tool_use_id="u1")
    path = written(tmp_path / "a", logged(request, failed, tool, event("user_prompt", 0)))
    ledger = read(path)
    calls = of_kind(ledger, "call")
    assert calls["outcome"].tolist() == ["ok", "failed"] and calls["status"].tolist() == ["", "529"]
    assert calls["reported_cost_usd"][0] == 0.12 and calls["duration_s"].tolist() == [5, 1]
    assert of_kind(ledger, "tool")[["duration_s", "outcome"]].to_numpy().tolist() == [[2, "failed"]]
    both = read(path, written(tmp_path / "b", spans(REQUEST)))
    assert (both.entries["kind"] == "call").sum() == 2 and both.runs["repeated"].tolist() == [1]


CONVENTIONS: dict[str, tuple[dict[str, object], list[int]]] = {
    "pydantic ai": (
        {
            "gen_ai__operation__name": "chat",
            "gen_ai__request__model": "gpt-4o",
            "gen_ai__usage__input_tokens": 100,
            "gen_ai__usage__output_tokens": 200,
            "gen_ai__usage__details__cache_write_tokens": 10,
            "gen_ai__usage__details__cache_read_tokens": 20,
            "gen_ai__usage__details__reasoning_tokens": 30,
        },
        [70, 10, 20, 200, 30],
    ),
    "openinference": (
        {
            "openinference__span__kind": "LLM",
            "llm__model_name": "gpt-4o",
            "llm__token_count__prompt": 100,
            "llm__token_count__completion": 200,
            "llm__token_count__prompt_details__cache_read": 20,
            "llm__token_count__prompt_details__cache_write": 10,
            "llm__token_count__completion_details__reasoning": 30,
        },
        [70, 10, 20, 200, 30],
    ),
    "openllmetry": (
        {
            "llm__request__type": "chat",
            "gen_ai__response__model": "gpt-4o",
            "gen_ai__usage__prompt_tokens": 100,
            "gen_ai__usage__completion_tokens": 200,
            "gen_ai__usage__cache_read_input_tokens": 20,
            "gen_ai__usage__cache_creation_input_tokens": 10,
            "gen_ai__usage__reasoning_tokens": 30,
        },
        [70, 10, 20, 200, 30],
    ),
}


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_each_conventions_names_are_known(tmp_path: Path, convention: str) -> None:
    named, counts = CONVENTIONS[convention]
    call = of_kind(read(written(tmp_path / "a", spans(span("x", 0, 1000, **named)))), "call").iloc[0]
    assert [int(call[name]) for name in (*PROMPT, "output_tokens", "thinking_tokens")] == counts
    assert call["model"] == "gpt-4o"


def test_an_agents_span_does_not_count_its_calls_again(tmp_path: Path) -> None:
    told = {"gen_ai__usage__input_tokens": 100, "gen_ai__usage__output_tokens": 200}
    call = span("chat", 0, 1000, gen_ai__operation__name="chat", gen_ai__request__model="m", **told)
    older = span("agent run", 0, 2000, model_name="m", gen_ai__agent__name="a", **told)
    newer = span("a", 0, 2000, gen_ai__operation__name="invoke_agent", gen_ai__request__model="m", **told)
    assert len(read(written(tmp_path / "a", spans(older, newer, call))).entries) == 1


def test_a_real_trajectory_of_swe_agent_agrees_with_its_own_statistics() -> None:
    path = next((REAL / "swe-agent").glob("*.traj"))
    document = json.loads(path.read_text())
    stats = document["info"]["model_stats"]
    ledger = read(path)
    (calls,) = of_kind(ledger, "calls").to_dict("records")
    assert (calls["calls"], calls["context_tokens"], calls["output_tokens"]) == (
        stats["api_calls"],
        stats["tokens_sent"],
        stats["tokens_received"],
    )
    assert calls["cost_usd"] == stats["instance_cost"] and calls["model"] == "gpt-4o"
    assert of_kind(ledger, "tool")["duration_s"].tolist() == [
        step["execution_time"] for step in document["trajectory"]
    ]


def test_a_configuration_that_is_kept_as_text_names_the_model_too(tmp_path: Path) -> None:
    document = json.loads(next((REAL / "swe-agent").glob("*.traj")).read_text())
    document["replay_config"] = json.dumps(document["replay_config"])
    assert set(of_kind(read(written(tmp_path / "a.traj", document)), "calls")["model"]) == {"gpt-4o"}


@pytest.mark.parametrize("name", ["tiny.eval", "tiny.json"])
def test_an_inspect_log_adds_up_to_its_own_usage(name: str) -> None:
    log = pytest.importorskip("inspect_ai.log").read_eval_log(str(INSPECT / name), header_only=True)
    (usage,) = log.stats.model_usage.values()
    ledger = read(INSPECT / name)
    calls = of_kind(ledger, "call")
    own = [usage.input_tokens, usage.input_tokens_cache_write, usage.input_tokens_cache_read]
    assert calls[PROMPT].sum().tolist() == own
    assert calls["output_tokens"].sum() == usage.output_tokens
    assert calls["thinking_tokens"].sum() == usage.reasoning_tokens
    assert len(ledger.runs) == 2 and of_kind(ledger, "score")["score"].tolist() == [1, 1]
    assert ledger.runs["task"].nunique() == 2
    assert of_kind(ledger, "tool")["name"].tolist() == ["add", "add"]


def codex(second: int, kind: str, **payload: object) -> dict[str, object]:
    return {"timestamp": f"2026-10-07T21:00:{second:02}.000Z", "type": kind, "payload": payload}


def totals(prompt: int, cached: int, written_: int, output: int) -> dict[str, int]:
    return {
        "input_tokens": prompt,
        "cached_input_tokens": cached,
        "cache_write_input_tokens": written_,
        "output_tokens": output,
        "reasoning_output_tokens": 0,
        "total_tokens": prompt + output,
    }


def counted(second: int, prompt: int, cached: int, written_: int, output: int) -> dict[str, object]:
    info = {"total_token_usage": totals(prompt, cached, written_, output), "last_token_usage": {}}
    return codex(second, "event_msg", type="token_count", info=info)


def recorded(second: int, prompt: int, cached: int, written_: int, output: int) -> dict[str, object]:
    return codex(second, "token_usage_record", thread_token_usage=totals(prompt, cached, written_, output))


def test_what_codex_writes_to_the_cache_is_part_of_its_input(tmp_path: Path) -> None:
    begin = codex(0, "session_meta", id="c1", source="cli")
    model = codex(1, "turn_context", collaboration_mode={"settings": {"model": "gpt-6.1-sol"}})
    lines = (
        begin,
        model,
        recorded(5, 100, 40, 10, 10),
        counted(5, 100, 40, 10, 10),
        counted(9, 300, 120, 30, 30),
    )
    calls = of_kind(read(written(tmp_path / "a", *lines)), "call")
    assert calls[PROMPT].to_numpy().tolist() == [[50, 10, 40], [100, 20, 80]]
    assert calls["output_tokens"].tolist() == [10, 20] and set(calls["model"]) == {"gpt-6.1-sol"}


def test_a_forked_codex_session_does_not_count_its_parents_calls_again(tmp_path: Path) -> None:
    parent = (codex(0, "session_meta", id="c1"), counted(5, 100, 40, 0, 10), counted(9, 300, 120, 0, 30))
    fork = codex(20, "session_meta", id="c2", forked_from_id="c1")
    inherited = (counted(20, 100, 40, 0, 10), counted(20, 300, 120, 0, 30))
    paths = (
        written(tmp_path / "1", *parent),
        written(tmp_path / "2", fork, *inherited, counted(30, 700, 500, 0, 50)),
    )
    ledger = read(*paths)
    assert of_kind(ledger, "call")["output_tokens"].tolist() == [10, 20, 20]
    assert ledger.runs["repeated"].tolist() == [0, 2]


def opencode_message(number: int, **more: object) -> dict[str, Any]:
    created = MS + number * 60_000
    return {
        "id": f"msg_{number}",
        "sessionID": "ses_1",
        "role": "assistant",
        "modelID": "claude-opus-4-6",
        "providerID": "anthropic",
        "cost": 0.05,
        "tokens": {"input": 10, "output": 20, "reasoning": 0, "cache": {"read": 3000, "write": 400}},
        "time": {"created": created, "completed": created + 9000},
        **more,
    }


def opencode_tool(number: int) -> dict[str, Any]:
    began = MS + number * 60_000 + 5000
    state = {"status": "completed", "time": {"start": began, "end": began + 3000}}
    return {
        "id": f"prt_{number}",
        "messageID": f"msg_{number}",
        "sessionID": "ses_1",
        "type": "tool",
        "tool": "bash",
        "state": state,
    }


ASKED = {
    "id": "msg_0",
    "sessionID": "ses_1",
    "role": "user",
    "time": {"created": MS},
}


def opencode_folder(root: Path) -> Path:
    for message in (ASKED, opencode_message(1), opencode_message(2)):
        written(root / "message" / "ses_1" / f"{message['id']}.json", message)
    written(root / "part" / "msg_1" / "prt_1.json", opencode_tool(1))
    about = {"id": "ses_1", "projectID": "p", "directory": "/home/me/work", "time": {"created": MS}}
    written(root / "session" / "p" / "ses_1.json", about)
    return root


def opencode_database(path: Path) -> Path:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE session (id, project_id, parent_id, directory)")
        database.execute("INSERT INTO session VALUES ('ses_1', 'p', NULL, '/home/me/work')")
        database.execute("CREATE TABLE message (id, session_id, time_created, data)")
        for number, message in enumerate((ASKED, opencode_message(1), opencode_message(2))):
            stored = {name: value for name, value in message.items() if name not in ("id", "sessionID")}
            row = (message["id"], "ses_1", MS + number * 60_000, json.dumps(stored))
            database.execute("INSERT INTO message VALUES (?, ?, ?, ?)", row)
        database.execute("CREATE TABLE part (id, message_id, session_id, time_created, data)")
        row = ("prt_1", "msg_1", "ses_1", MS, json.dumps(opencode_tool(1)))
        database.execute("INSERT INTO part VALUES (?, ?, ?, ?, ?)", row)
    database.close()
    return path


def test_opencodes_folder_and_its_database_tell_the_same(tmp_path: Path) -> None:
    folder, database = opencode_folder(tmp_path / "storage"), opencode_database(tmp_path / "opencode.db")
    of_folder, of_database, of_both = read(folder), read(database), read(folder, database)
    for ledger in (of_folder, of_database, of_both):
        calls = of_kind(ledger, "call")
        assert calls[PROMPT].to_numpy().tolist() == [[10, 400, 3000]] * 2
        assert calls["duration_s"].tolist() == [5, 9] and calls["cost_usd"].sum() == 0.1
        assert of_kind(ledger, "tool")["duration_s"].tolist() == [3]
        assert ledger.runs["project"].tolist() == ["work"]
    assert of_both.runs["repeated"].tolist() == [3]


def test_a_damaged_database_of_opencode_is_reported(tmp_path: Path) -> None:
    path = opencode_database(tmp_path / "opencode.db")
    whole = path.read_bytes()
    good = shutil.copy(
        opencode_folder(tmp_path / "s") / "message" / "ses_1" / "msg_1.json", tmp_path / "x.json"
    )
    for end in range(4096, len(whole), 1024):
        path.write_bytes(whole[:end])
        ledger = read_logs([Path(good), path])
        assert all(str(each.path) == str(path) for each in ledger.unread)


CONTAINED = {"uncached": 30_000, "cache_read": 50_000, "output": 3000}
APART = {"uncached": 10, "cache_write": 1000, "cache_read": 50_000, "output": 300}
NAMED: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "camel case": ({"promptTokens": 80_000, "cachedTokens": 50_000, "completionTokens": 3000}, CONTAINED),
    "the AI SDK": ({"inputTokens": 80_000, "cachedInputTokens": 50_000, "outputTokens": 3000}, CONTAINED),
    "an answer within": (
        {
            "response": {
                "usage": {"prompt_tokens": 80_000, "cached_tokens": 50_000, "completion_tokens": 3000}
            }
        },
        CONTAINED,
    ),
    "Google, whose thoughts come on top": (
        {
            "usage_metadata": {
                "prompt_token_count": 80_000,
                "cached_content_token_count": 50_000,
                "candidates_token_count": 1000,
                "thoughts_token_count": 2000,
            }
        },
        CONTAINED,
    ),
    "Bedrock": (
        {
            "usage": {
                "inputTokens": 10,
                "cacheReadInputTokens": 50_000,
                "cacheWriteInputTokens": 1000,
                "outputTokens": 300,
            }
        },
        APART,
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_usage_lines_may_use_the_names_of_any_interface(name: str, tmp_path: Path) -> None:
    logged, counts = NAMED[name]
    call = of_kind(read(written(tmp_path / "a", {"ts": MS, "model": "m", **logged})), "call").iloc[0]
    assert {key: int(call[f"{key.replace('uncached', 'uncached_input')}_tokens"]) for key in counts} == counts


def test_cline_on_the_command_line_keeps_the_metrics_of_each_answer(tmp_path: Path) -> None:
    metrics = {"inputTokens": 6937, "cacheReadTokens": 6000, "cacheWriteTokens": 0, "outputTokens": 213}
    answer = {
        "id": "a",
        "role": "assistant",
        "ts": MS,
        "modelInfo": {"id": "claude-opus-4-8", "provider": "anthropic"},
        "metrics": {**metrics, "cost": 0.0125},
    }
    session = {"version": 1, "sessionId": "s", "messages": [{"role": "user", "ts": MS}, answer]}
    call = of_kind(read(written(tmp_path / "s.messages.json", session)), "call").iloc[0]
    assert [int(call[name]) for name in (*PROMPT, "output_tokens")] == [937, 0, 6000, 213]
    assert (call["reported_cost_usd"], call["model"]) == (0.0125, "claude-opus-4-8")


def test_copilots_totals_by_class_exclude_each_other(tmp_path: Path) -> None:
    counts = {"input": 10, "cache_read": 20, "cache_write": 5, "output": 7}
    details = {name: {"tokenCount": value} for name, value in counts.items()}
    metrics = {
        "gpt-5.5": {"requests": {"count": 1}, "tokenDetails": details, "usage": {"reasoningTokens": 2}}
    }
    line = {"type": "session.shutdown", "timestamp": MS, "data": {"modelMetrics": metrics}}
    total = of_kind(read(written(tmp_path / "events.jsonl", line)), "calls").iloc[0]
    assert [int(total[name]) for name in (*PROMPT, "output_tokens", "thinking_tokens")] == [10, 5, 20, 7, 2]


def test_langchains_generations_carry_the_usage_that_a_run_lacks(tmp_path: Path) -> None:
    used = {"input_tokens": 80_000, "output_tokens": 3000, "input_token_details": {"cache_read": 50_000}}
    generation = {"message": {"kwargs": {"usage_metadata": used}}}
    line = {
        "id": "r",
        "trace_id": "t",
        "run_type": "llm",
        "start_time": MS,
        "outputs": {"generations": [[generation]]},
    }
    call = of_kind(read(written(tmp_path / "a", line)), "call").iloc[0]
    assert [int(call[name]) for name in (*PROMPT, "output_tokens")] == [30_000, 0, 50_000, 3000]


def test_anthropics_cost_report_is_in_cents(tmp_path: Path) -> None:
    bucket = {
        "starting_at": "2026-11-01T00:00:00Z",
        "ending_at": "2026-11-02T00:00:00Z",
        "results": [{"currency": "USD", "amount": "123.45"}, {"currency": "USD", "amount": "100"}],
    }
    ledger = read(written(tmp_path / "a", {"data": [bucket], "has_more": False}))
    assert ledger.runs["reported_cost_usd"].tolist() == [pytest.approx(2.2345)]


def test_a_copy_in_a_fork_of_pi_is_known_whatever_its_id(tmp_path: Path) -> None:
    def answer(name: str, second: int) -> dict[str, Any]:
        usage = {"input": 10, "output": 5, "cacheRead": 0, "cacheWrite": 0, "cost": {"total": 0.1}}
        said = {
            "role": "assistant",
            "model": "claude-opus-4-8",
            "timestamp": MS + 1000 * second,
            "usage": usage,
        }
        return {
            "type": "message",
            "id": name,
            "parentId": None,
            "timestamp": MS + 1000 * second + 500,
            "message": said,
        }

    parent = [{"type": "session", "version": 3, "id": "p", "timestamp": MS}, answer("1", 5), answer("2", 9)]
    fork = [
        {"type": "session", "version": 3, "id": "f", "timestamp": MS + 20_000, "parentSession": "p.jsonl"},
        *(answer("x", 5), answer("y", 9), answer("z", 30)),
    ]
    paths = [written(tmp_path / "f.jsonl", *fork), written(tmp_path / "p.jsonl", *parent)]
    assert read(*paths).entries["cost_usd"].sum() == pytest.approx(0.3)


def test_a_router_is_no_model(tmp_path: Path) -> None:
    stats = {"total_tokens": 30, "input_tokens": 20, "output_tokens": 10, "cached": 0}
    lines = [
        {"type": "init", "timestamp": MS, "session_id": "s", "model": "auto-gemini-3"},
        {"type": "result", "timestamp": MS, "status": "success", "stats": stats},
    ]
    path = written(tmp_path / "a", *lines)
    assert "the model, which `model` names" in read(path).runs["not_known"][0]
    named = read_logs([path], assumed=Assumed(model="gemini-3-flash-preview"))
    assert named.runs["not_known"][0] == "" and named.entries["cost_usd"].notna().all()
