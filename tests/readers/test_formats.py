"""Formats of which no log may be copied here: what they say, written by hand, stands in the ledger."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from simbudget.errors import UserError
from simbudget.ledger.imported import ImportedLedger
from simbudget.ledger.readers import column_map, read_logs
from tests.readers.sessions import read

PROMPT = ["uncached_input_tokens", "cache_write_tokens", "cache_read_tokens"]
MS = 1_780_000_000_000
"""A moment, in thousandths of seconds since 1970."""


def written(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def only(ledger: ImportedLedger, source: str, kind: str) -> pd.Series:
    """Return the one entry of a kind, of a ledger of one format."""
    assert set(ledger.entries["source"]) == {source} and not ledger.unread
    found = ledger.entries[ledger.entries["kind"] == kind]
    assert len(found) == 1
    return found.iloc[0]


def prompt(entry: pd.Series) -> list[int]:
    return [int(entry[name]) for name in PROMPT]


def result(**more: object) -> dict[str, object]:
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 1000,
        "cache_read_input_tokens": 20000,
        "output_tokens": 500,
        "cache_creation": {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 0},
    }
    by_model = {
        "claude-opus-4-6": {
            "inputTokens": 10,
            "outputTokens": 500,
            "cacheReadInputTokens": 20000,
            "cacheCreationInputTokens": 1000,
            "costUSD": 0.03255,
        }
    }
    told: dict[str, object] = {
        "type": "result",
        "subtype": "success",
        "uuid": "u1",
        "session_id": "s1",
        "duration_ms": 60000,
        "duration_api_ms": 40000,
        "num_turns": 7,
        "total_cost_usd": 0.03255,
        "usage": usage,
        "modelUsage": by_model,
    }
    return told | more


def test_an_agent_sdk_result_is_all_calls_of_its_session(tmp_path: Path) -> None:
    ledger = read(
        written(tmp_path / "a", {"type": "system", "subtype": "init", "session_id": "s1"}, result())
    )
    entry, run = only(ledger, "claude-results", "calls"), ledger.runs.iloc[0]
    assert (entry["calls"], entry["duration_s"], run["duration_s"]) == (7, 40, 60)
    assert prompt(entry) == [10, 1000, 20000] and entry["cache_write_1h_tokens"] == 1000
    assert entry["cost_usd"] == pytest.approx(entry["list_cost_usd"]) == pytest.approx(0.03255)


def test_a_result_that_comes_again_is_counted_once(tmp_path: Path) -> None:
    ledger = read(written(tmp_path / "a", result()), written(tmp_path / "b", result()))
    assert len(ledger.entries) == 1 and ledger.runs["repeated"].tolist() == [1]


def opencode(**tokens: object) -> dict[str, object]:
    info = {
        "role": "assistant",
        "modelID": "gpt-5",
        "cost": 0.25,
        "tokens": tokens,
        "time": {"created": MS, "completed": MS + 9000},
    }
    tool = {
        "type": "tool",
        "tool": "bash",
        "state": {"status": "completed", "time": {"start": MS + 4000, "end": MS + 9000}},
    }
    return {
        "info": {"id": "s", "directory": "/home/someone/project"},
        "messages": [{"info": info, "parts": [tool]}],
    }


@pytest.mark.parametrize(("total", "output"), [(1150, 50), (1180, 80)])
def test_opencode_reasoning_is_added_to_the_output_where_the_total_says_so(
    tmp_path: Path, total: int, output: int
) -> None:
    cache = {"read": 900, "write": 0}
    document = opencode(input=200, output=50, reasoning=30, total=total, cache=cache)
    call = only(read(written(tmp_path / "a", document)), "opencode", "call")
    assert call["output_tokens"] == output and call["thinking_tokens"] == 30
    assert prompt(call) == [200, 0, 900] and call["reported_cost_usd"] == 0.25
    assert call["duration_s"] == 4


def test_swe_agent_tells_tokens_in_all_and_not_what_was_cached(tmp_path: Path) -> None:
    stats = {"instance_cost": 1.5, "tokens_sent": 90000, "tokens_received": 4000, "api_calls": 12}
    steps = [{"action": "ls -l", "execution_time": 0.5}, {"action": "python t.py", "execution_time": 2.0}]
    ledger = read(written(tmp_path / "a", {"trajectory": steps, "info": {"model_stats": stats}}))
    calls = only(ledger, "swe-agent", "calls")
    assert (calls["calls"], calls["context_tokens"], calls["output_tokens"]) == (12, 90000, 4000)
    assert calls[PROMPT].isna().all() and calls["cost_usd"] == 1.5
    tools = ledger.entries[ledger.entries["kind"] == "tool"]
    assert tools["duration_s"].sum() == 2.5 and set(tools["name"]) == {"ls", "python"}


def mini_swe(number: int) -> list[dict[str, object]]:
    usage = {"prompt_tokens": 1000, "completion_tokens": 90, "prompt_tokens_details": {"cached_tokens": 800}}
    began = MS / 1000 + number * 10
    answer = {"response": {"usage": usage, "model": "gpt-5"}, "cost": 0.01, "timestamp": began + 6}
    return [
        {"role": "user", "content": "", "extra": {"timestamp": began}},
        {"role": "assistant", "content": "", "extra": answer},
    ]


def test_mini_swe_agent_tells_each_call(tmp_path: Path) -> None:
    info = {"model_stats": {"instance_cost": 0.02, "api_calls": 2}, "exit_status": "Submitted"}
    messages = [*mini_swe(0), *mini_swe(1)]
    document = {"info": info, "messages": messages, "trajectory_format": "mini-swe-agent-1"}
    entries = read(written(tmp_path / "a", document)).entries
    calls = entries[entries["kind"] == "call"]
    assert calls["duration_s"].tolist() == [6, 6] and calls["reported_cost_usd"].sum() == 0.02
    assert calls[PROMPT].sum().tolist() == [400, 0, 1600]


def test_mini_swe_agents_answers_of_the_responses_interface_are_calls_and_their_outputs_tools(
    tmp_path: Path,
) -> None:
    began = MS // 1000
    usage = {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 800},
        "output_tokens": 90,
        "output_tokens_details": {"reasoning_tokens": 30},
    }
    times = {"created_at": began, "completed_at": began + 6}
    answer = {"object": "response", "model": "gpt-5", "usage": usage, "output": [], **times}
    shown = {
        "type": "function_call_output",
        "output": "",
        "extra": {"timestamp": began + 9, "returncode": 0},
    }
    info = {"model_stats": {"instance_cost": 0.02, "api_calls": 1}}
    document = {"info": info, "messages": [answer, shown], "trajectory_format": "mini-swe-agent-1.1"}
    ledger = read(written(tmp_path / "a", document))
    call = only(ledger, "swe-agent", "call")
    assert prompt(call) == [200, 0, 800] and call["thinking_tokens"] == 30 and call["duration_s"] == 6
    assert only(ledger, "swe-agent", "tool")["duration_s"] == 3


def span(name: str, began: int, lasts: int, **attributes: object) -> dict[str, Any]:
    def value(each: object) -> dict[str, object]:
        return {"intValue": str(each)} if isinstance(each, int) else {"stringValue": each}

    listed = [{"key": key.replace("__", "."), "value": value(each)} for key, each in attributes.items()]
    times = {"startTimeUnixNano": f"{MS + began}000000", "endTimeUnixNano": f"{MS + began + lasts}000000"}
    return {"traceId": "t", "spanId": name, "name": name, "attributes": listed, **times}


def test_spans_input_tokens_include_what_was_cached(tmp_path: Path) -> None:
    call = span(
        "a",
        0,
        5000,
        gen_ai__operation__name="chat",
        gen_ai__request__model="claude-opus-4-6",
        gen_ai__usage__input_tokens=1000,
        gen_ai__usage__cache_read__input_tokens=700,
        gen_ai__usage__cache_creation__input_tokens=200,
        gen_ai__usage__output_tokens=50,
    )
    tool = span("b", 5000, 2000, gen_ai__operation__name="execute_tool", gen_ai__tool__name="bash")
    other = span("c", 0, 9000, http__method="GET")
    spans = {"resourceSpans": [{"scopeSpans": [{"spans": [call, tool, other]}]}]}
    ledger = read(written(tmp_path / "a", spans), written(tmp_path / "b", spans))
    entry = only(ledger, "otlp", "call")
    assert prompt(entry) == [100, 200, 700] and entry["duration_s"] == 5
    assert only(ledger, "otlp", "tool")["duration_s"] == 2
    assert ledger.runs["repeated"].tolist() == [2]


def test_spans_of_other_instrumentations_name_what_was_cached_otherwise(tmp_path: Path) -> None:
    counts = {
        "cache_read_tokens": 700,
        "cache_write_tokens": 200,
        "reasoning_tokens": 20,
        "output_tokens": 50,
    }
    named = {f"gen_ai__usage__{name}": count for name, count in counts.items()}
    call = span("a", 0, 5000, gen_ai__operation__name="chat", gen_ai__usage__input_tokens=1000, **named)
    spans = {"resourceSpans": [{"scopeSpans": [{"spans": [call]}]}]}
    entry = only(read(written(tmp_path / "a", spans)), "otlp", "call")
    assert prompt(entry) == [100, 200, 700] and entry["thinking_tokens"] == 20


def test_spans_without_a_count_of_what_was_cached_do_not_know_what_was_uncached(tmp_path: Path) -> None:
    call = span("a", 0, 5000, gen_ai__operation__name="chat", gen_ai__usage__input_tokens=1000)
    spans = {"resourceSpans": [{"scopeSpans": [{"spans": [call]}]}]}
    entry = only(read(written(tmp_path / "a", spans)), "otlp", "call")
    assert pd.isna(entry["uncached_input_tokens"]) and entry["context_tokens"] == 1000


def managed(kind: str, second: int, **raw: object) -> dict[str, object]:
    time = f"2026-08-16T09:36:{second:02}.000000Z"
    return {"kind": kind, "time": time, "raw": {"id": f"{kind}{second}", "type": f"span.{kind}", **raw}}


def test_managed_agents_requests_have_exact_times(tmp_path: Path) -> None:
    usage = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 200,
        "cache_read_input_tokens": 900,
        "output_tokens": 70,
    }
    ended = managed("model_request_end", 9, model_request_start_id="model_request_start2", model_usage=usage)
    ledger = read(written(tmp_path / "a", managed("model_request_start", 2), ended))
    call = only(ledger, "managed-agents", "call")
    assert call["duration_s"] == 7 and prompt(call) == [3, 200, 900]
    assert pd.isna(call["cost_usd"])  # the events do not name the model


def test_usage_lines_without_a_count_of_what_was_cached_have_no_cost_by_the_list(tmp_path: Path) -> None:
    line = {"id": "task", "model": "claude-opus-4-6", "ts": "2026-06-01T10:00:00Z", "cost_usd": 0.5}
    more = {"in_tokens": 100, "out_tokens": 20, "elapsed_ms": 4000}
    call = only(read(written(tmp_path / "a", line | more)), "usage-lines", "call")
    assert (call["duration_s"], call["reported_cost_usd"], call["cost_usd"]) == (4, 0.5, 0.5)
    assert pd.isna(call["cache_read_tokens"])


def test_the_seeds_usage_statistics_are_tools_and_scorings(tmp_path: Path) -> None:
    def used(second: int) -> dict[str, object]:
        return {"timestamp": f"2026-06-01T10:00:{second:02}", "duration_ms": 5000, "success": True}

    tools = {
        "mcp__server-api-tools__evaluate_predictions": {"count": 150, "calls": [used(10), used(20)]},
        "mcp__server-api-tools__share_finding": {"count": 1, "calls": [used(30) | {"success": False}]},
    }
    stats = {"session_id": "s", "session_start": "2026-06-01T10:00:00", "skills": {}, "mcp_tools": tools}
    ledger = read(written(tmp_path / "usage_stats.json", stats))
    scores = ledger.entries[ledger.entries["kind"] == "score"]
    assert scores["duration_s"].tolist() == [5, 5]
    assert only(ledger, "seed", "tool")["outcome"] == "failed"
    assert "148 earlier uses" in ledger.runs["not_known"][0]


def seed_database(path: Path) -> Path:
    columns = "id, idea_uid, run_id, status, pgr, queue_time, start_time, end_time"
    times = [f"2026-06-01 10:{minute}:00.000000" for minute in ("00", "10", "40")]
    with sqlite3.connect(path) as database:
        database.execute(f"CREATE TABLE experiments ({columns})")
        rows = [(1, "i1", "r1", "completed", 0.5, *times), (2, "i2", "r2", "failed", None, *times)]
        database.executemany(f"INSERT INTO experiments VALUES ({'?, ' * 7}?)", rows)
        database.execute("CREATE TABLE findings (idea_uid, idea_name, finding_type, pgr, created_at)")
        finding = ("i1", "n", "result", 0.5, "2026-06-01 10:41:00")
        database.execute("INSERT INTO findings VALUES (?, ?, ?, ?, ?)", finding)
    database.close()
    return path


def test_the_seeds_database_has_experiments_with_their_queues(tmp_path: Path) -> None:
    ledger = read(seed_database(tmp_path / "experiments.db"))
    experiments = ledger.entries[ledger.entries["kind"] == "experiment"]
    assert experiments["queued_s"].tolist() == [600, 600]
    assert experiments["duration_s"].tolist() == [1800, 1800]
    assert experiments["outcome"].tolist() == ["ok", "failed"]
    assert only(ledger, "seed", "post")["score"] == 0.5


def test_the_seeds_findings_are_posts(tmp_path: Path) -> None:
    finding = {
        "finding_type": "result",
        "idea_uid": "i",
        "metrics": {"pgr": 0.7},
        "timestamp": "2026-06-01T10:00:00",
    }
    assert only(read(written(tmp_path / "f", [finding])), "seed", "post")["score"] == 0.7


def test_any_table_is_read_with_its_columns_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "when,who,in,cached,out,ms,usd\n2026-06-01T10:00:00Z,a,100,900,50,2500,0.5\n2026-06-01T10:01:00Z,b,100,,50,500,\n"
    )
    columns = "started=when,agent=who,input=in,cache_read=cached,output=out,duration_ms=ms,cost=usd"
    columns += ",model=claude-opus-4-6"
    entries = read_logs([path], column_map(columns)).entries
    assert entries["duration_s"].tolist() == [2.5, 0.5] and entries["started_s"].tolist() == [0, 60]
    assert entries["cost_usd"][0] == 0.5 and pd.isna(entries["cost_usd"][1])
    assert entries["agent"].nunique() == 2 and set(entries["model"]) == {"claude-opus-4-6"}
    assert entries["cache_read_tokens"].isna().tolist() == [False, True]


def test_an_inspect_log_without_its_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simbudget.ledger.readers.inspect_logs.find_spec", lambda _: None)
    path = written(tmp_path / "a", {"version": 2, "eval": {"eval_id": "e", "task_id": "t"}})
    with pytest.raises(UserError, match=r"needs the package inspect_ai: pip install 'simbudget\[inspect\]'"):
        read(path)
