"""What a log says more than once, in parts or as totals so far, is counted once; each value was reckoned by hand."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from simbudget.ledger.found import summarise
from simbudget.ledger.readers import read_logs

Line = dict[str, Any]
Counts = tuple[int, int, int, int]
"""Uncached input, cache writes, cache reads and output."""


def at(second: int) -> str:
    return f"2026-11-15T10:{second // 60:02}:{second % 60:02}.000Z"


def written(folder: Path, files: dict[str, Sequence[Line]]) -> list[Path]:
    for name, lines in files.items():
        (folder / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return [folder / name for name in files]


def counted(paths: Sequence[Path]) -> tuple[Counts, int, float]:
    """Return tokens, calls and cost, after checking that they are the same in any order of the files."""
    found = []
    for order in (paths, paths[::-1]):
        figures = summarise(read_logs(order))
        tokens = figures["tokens"]
        classes = tokens["uncached_input"], tokens["cache_write"], tokens["cache_read"], tokens["output"]
        found.append((classes, figures["calls"], round(figures["cost"]["ledger_usd"], 9)))
    assert found[0] == found[1]
    return found[0]


# Copilot CLI


def begins() -> Line:
    return {"type": "session.start", "id": "s", "timestamp": at(0), "data": {"sessionId": "s"}}


def says(second: int, output: int) -> Line:
    return {
        "type": "assistant.message",
        "id": f"m{second}",
        "timestamp": at(second),
        "data": {"model": "claude-sonnet-5", "outputTokens": output},
    }


def shuts_down(second: int, prompt: int, output: int, read: int, write: int, requests: int) -> Line:
    usage = {
        "inputTokens": prompt,
        "outputTokens": output,
        "cacheReadTokens": read,
        "cacheWriteTokens": write,
    }
    metrics = {"claude-sonnet-5": {"requests": {"count": requests}, "usage": usage}}
    return {
        "type": "session.shutdown",
        "id": f"d{second}",
        "timestamp": at(second),
        "data": {"totalApiDurationMs": 100 * second, "modelMetrics": metrics},
    }


COPILOT: dict[str, tuple[list[Line], Counts, int]] = {
    "totals that go on over three processes": (
        [
            *(begins(), says(5, 17), shuts_down(10, 24672, 17, 0, 24670, 1)),
            *(says(15, 132), shuts_down(20, 74463, 149, 49489, 24968, 3)),
            *(says(25, 94), shuts_down(30, 124783, 243, 99569, 25204, 5)),
        ],
        (124783 - 99569 - 25204, 25204, 99569, 243),
        5,
    ),
    "totals that begin at zero in each process, and are larger in the second": (
        [
            *(begins(), says(5, 17), shuts_down(10, 24672, 17, 0, 24670, 1)),
            *(says(15, 500), shuts_down(20, 60000, 500, 50000, 5000, 3)),
        ],
        (2 + 5000, 24670 + 5000, 50000, 517),
        4,
    ),
    "totals that begin at zero once and then go on": (
        [
            *(begins(), says(5, 10), shuts_down(10, 10000, 10, 0, 5000, 1)),
            *(says(15, 5), shuts_down(20, 2000, 5, 0, 1000, 1)),
            *(says(25, 3), shuts_down(30, 5000, 8, 2000, 1500, 2)),
        ],
        (5000 + 1500, 5000 + 1500, 2000, 18),
        3,
    ),
}


@pytest.mark.parametrize("name", COPILOT)
def test_totals_of_copilot_are_added_only_where_they_begin_at_zero(name: str, tmp_path: Path) -> None:
    lines, tokens, calls = COPILOT[name]
    assert counted(written(tmp_path, {"events.jsonl": lines}))[:2] == (tokens, calls)


# Codex rollouts


def meta(session: str, second: int = 0, **more: Any) -> Line:
    return {"type": "session_meta", "timestamp": at(second), "payload": {"id": session, **more}}


MODEL: Line = {"type": "turn_context", "timestamp": at(1), "payload": {"model": "gpt-5.5"}}


def used(prompt: int, cached: int, output: int) -> Line:
    return {"input_tokens": prompt, "cached_input_tokens": cached, "output_tokens": output}


def count(second: int, total: Line | None, last: Line | None = None, **more: Any) -> Line:
    info = {"total_token_usage": total, "last_token_usage": last}
    payload = {
        "type": "token_count",
        "info": {name: value for name, value in info.items() if value},
        **more,
    }
    return {"type": "event_msg", "timestamp": at(second), "payload": payload}


def record(
    second: int, response: str, usage: Line, total: Line | None, thread: str = "a", **more: Any
) -> Line:
    payload = {"response_id": response, "thread_id": thread, "usage": usage, "thread_token_usage": total}
    return {"type": "token_usage_record", "timestamp": at(second), "payload": {**payload, **more}}


FIRST, SECOND, BOTH = used(100_000, 0, 1000), used(120_000, 100_000, 500), used(220_000, 100_000, 1500)
OF_BOTH: Counts = (120_000, 0, 100_000, 1500)
COMPACTION = used(100_500, 100_000, 2000)


def forked(*seconds: int) -> list[Line]:
    """Return a fork that replays three calls at these seconds, and then makes one of its own."""
    replayed = [count(second, total(call), total(call, 1)) for call, second in enumerate(seconds, 1)]
    return [meta("b", 200, forked_from_id="a"), MODEL, *replayed, count(240, total(4), total(4, 1))]


def total(calls: int, of_them: int = 0) -> Line:
    """Return what calls used in all, or the last of them."""
    cached = 40_000 if of_them and calls > 1 else 0 if of_them else 40_000 * (calls - 1)
    return used(50_000 * (of_them or calls), cached, 100 * (of_them or calls))


PARENT = [meta("a"), MODEL, *(count(20 * call, total(call), total(call, 1)) for call in (1, 2, 3))]

CODEX: dict[str, tuple[dict[str, list[Line]], Counts, int]] = {
    "records of responses beside counts of the session": (
        {
            "a": [
                *(meta("a"), MODEL, record(5, "r1", FIRST, FIRST), count(5, FIRST, FIRST)),
                *(count(10, BOTH, SECOND), record(10, "r2", SECOND, BOTH)),
            ]
        },
        OF_BOTH,
        2,
    ),
    "records without totals": (
        {"a": [meta("a"), MODEL, record(5, "r1", FIRST, None), record(10, "r2", SECOND, None)]},
        OF_BOTH,
        2,
    ),
    "counts without totals, the second noted twice": (
        {"a": [meta("a"), MODEL, count(5, None, FIRST), *2 * [count(10, None, SECOND)]]},
        OF_BOTH,
        2,
    ),
    "a compaction that only its record has, after which the session's total falls": (
        {
            "a": [
                *(meta("a"), MODEL, record(5, "r1", FIRST, FIRST), count(5, FIRST, FIRST)),
                record(8, "c", COMPACTION, used(200_500, 100_000, 3000)),
                {"type": "compacted", "timestamp": at(8), "payload": {"compaction_response_id": "c"}},
                record(12, "r2", used(30_000, 0, 700), used(230_500, 100_000, 3700)),
                count(12, used(90_000, 0, 1700), used(30_000, 0, 700)),
            ]
        },
        (130_500, 0, 100_000, 3700),
        3,
    ),
    "a total that falls without beginning again": (
        {
            "a": [
                *(meta("a"), MODEL, count(5, FIRST, FIRST), count(10, BOTH, SECOND)),
                count(15, used(150_000, 50_000, 1200), used(10_000, 0, 5)),
            ]
        },
        (130_000, 0, 100_000, 1505),
        3,
    ),
    "a fork whose history has its own times, without its parent": (
        {"b": forked(20, 40, 60)},
        (10_000, 0, 40_000, 100),
        1,
    ),
    "a fork whose history was written in one go, without its parent": (
        {"b": forked(200, 200, 200)},
        (10_000, 0, 40_000, 100),
        1,
    ),
    "a fork whose history took seconds to write, and its parent": (
        {"b": forked(201, 205, 209), "a": PARENT},
        (50_000 + 3 * 10_000, 0, 120_000, 400),
        4,
    ),
    "a fork's records of its parent's responses, without the parent": (
        {
            "b": [
                *(meta("b", 200, forked_from_id="a"), MODEL, record(10, "r1", FIRST, FIRST)),
                record(240, "r2", SECOND, BOTH, "b"),
            ]
        },
        (20_000, 0, 100_000, 500),
        1,
    ),
    "a fork's records of its parent's responses, and the parent": (
        {
            "b": [
                *(meta("b", 200, forked_from_id="a"), MODEL, record(203, "r1", FIRST, FIRST)),
                record(240, "r2", SECOND, BOTH, "b"),
            ],
            "a": [meta("a"), MODEL, record(10, "r1", FIRST, FIRST)],
        },
        OF_BOTH,
        2,
    ),
}


@pytest.mark.parametrize("name", CODEX)
def test_codex_calls_are_counted_once_however_often_they_are_noted(name: str, tmp_path: Path) -> None:
    files, tokens, calls = CODEX[name]
    assert counted(written(tmp_path, files))[:2] == (tokens, calls)


@pytest.mark.parametrize(
    "lines",
    [
        [MODEL, count(5, FIRST, FIRST, service_tier="priority")],
        [MODEL, record(5, "r1", FIRST, FIRST, service_tier="priority")],
        [
            {
                "type": "event_msg",
                "timestamp": at(1),
                "payload": {
                    "type": "thread_settings_applied",
                    "thread_settings": {"model": "gpt-5.5", "service_tier": "priority"},
                },
            },
            count(5, FIRST, FIRST),
        ],
    ],
    ids=["on a count", "on a record", "among settings"],
)
def test_the_service_of_a_codex_call_is_read_wherever_it_stands(lines: list[Line], tmp_path: Path) -> None:
    path = written(tmp_path, {"a": [meta("a"), *lines]})
    assert counted(path)[2] == pytest.approx(2.5 * (100_000 * 5 + 1000 * 30) / 1e6)  # 2.5 times the standard


def test_a_codex_count_that_leaves_out_what_was_cached_is_a_call_whose_input_is_not_told_apart(
    tmp_path: Path,
) -> None:
    lines = [meta("a"), MODEL, count(5, {"input_tokens": 1000, "output_tokens": 100})]
    call = read_logs(written(tmp_path, {"a": lines})).entries.iloc[0]
    assert (call["context_tokens"], call["output_tokens"]) == (1000, 100)
    assert call[["uncached_input_tokens", "cache_read_tokens"]].isna().all()


# Streams


def starts(message: str, uncached: int, written_: int, read: int) -> Line:
    usage = {
        "input_tokens": uncached,
        "cache_creation_input_tokens": written_,
        "cache_read_input_tokens": read,
    }
    said = {
        "id": message,
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-4-8",
        "stop_reason": None,
        "usage": {**usage, "output_tokens": 1},
    }
    return {"type": "message_start", "message": said}


def stops(output: int, **more: Any) -> Line:
    usage = {"output_tokens": output, **more}
    return {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}


def chunk(answer: str, prompt: int = 0, cached: int = 0, output: int = 0) -> Line:
    details = {"cached_tokens": cached}
    usage = {"prompt_tokens": prompt, "completion_tokens": output, "prompt_tokens_details": details}
    return {
        "id": answer,
        "object": "chat.completion.chunk",
        "created": 1_789_000_000,
        "model": "gpt-5.5",
        "usage": usage if prompt else None,
    }


def responds(event: str, *items: Line, usage: Line | None = None) -> Line:
    answer = {"id": "r", "object": "response", "created_at": 1_789_000_000, "model": "gpt-5.5"}
    return {"type": f"response.{event}", "response": {**answer, "output": items, "usage": usage}}


OPENAIS = {"input_tokens": 80_000, "input_tokens_details": {"cached_tokens": 50_000}, "output_tokens": 3000}
STREAMS: dict[str, tuple[list[Line], Counts, int, float]] = {
    "messages of Anthropic's": (
        [
            *(starts("m1", 1000, 0, 5000), {"type": "ping"}, stops(700), {"type": "message_stop"}),
            *(starts("m2", 10, 0, 0), stops(300, server_tool_use={"web_search_requests": 2})),
        ],
        (1010, 0, 5000, 1000),
        2,
        (1010 * 5 + 5000 * 0.5 + 1000 * 25) / 1e6 + 0.02,
    ),
    "chunks of OpenAI's, with counts at the end or all along": (
        [
            *(chunk("c1"), chunk("c1"), chunk("c1", 80_000, 50_000, 3000)),
            *(chunk("c2", 1000, 0, 1), chunk("c2", 1000, 0, 50), chunk("c2", 1000, 0, 120)),
        ],
        (31_000, 0, 50_000, 3120),
        2,
        (31_000 * 5 + 50_000 * 0.5 + 3120 * 30) / 1e6,
    ),
    "a response of OpenAI's with two searches": (
        [
            *(responds("created"), responds("in_progress"), {"type": "response.output_text.delta"}),
            responds(
                "completed",
                {"type": "web_search_call", "action": {"type": "search"}},
                {"type": "web_search_call", "action": {"type": "open_page"}},
                {"type": "web_search_call"},
                usage=OPENAIS,
            ),
        ],
        (30_000, 0, 50_000, 3000),
        1,
        (30_000 * 5 + 50_000 * 0.5 + 3000 * 30) / 1e6 + 0.02,
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_an_answer_kept_as_events_is_one_call_with_its_last_counts(name: str, tmp_path: Path) -> None:
    lines, tokens, calls, cost_usd = STREAMS[name]
    paths = written(tmp_path, {"a": lines})
    assert counted(paths) == (tokens, calls, pytest.approx(cost_usd))
    assert not read_logs(paths).unread


def test_the_output_of_a_stream_that_broke_off_is_not_known(tmp_path: Path) -> None:
    ledger = read_logs(written(tmp_path, {"a": [starts("m1", 10, 0, 0), stops(5), starts("m2", 20, 0, 0)]}))
    assert ledger.entries["output_tokens"].isna().tolist() == [False, True]
    assert "streams broke off" in ledger.runs["not_known"][0]


# Results of `claude -p`

SESSION = {"session_id": "s"}


def event(of_stream: Line) -> Line:
    return {"type": "stream_event", "event": of_stream, "parent_tool_use_id": None, **SESSION}


def message(of_stream: Line) -> Line:
    return {"type": "assistant", "message": of_stream["message"], "parent_tool_use_id": None, **SESSION}


def answered(second: int) -> Line:
    return {"type": "user", "message": {"role": "user", "content": []}, "timestamp": at(second), **SESSION}


def result(model: str, uncached: int, read: int, output: int, cost_usd: float) -> Line:
    usage = {"input_tokens": uncached, "cache_read_input_tokens": read, "output_tokens": output}
    of_model = {"inputTokens": uncached, "cacheReadInputTokens": read, "outputTokens": output}
    return {
        "type": "result",
        "num_turns": 2,
        "total_cost_usd": cost_usd,
        "usage": usage,
        "modelUsage": {model: {**of_model, "costUSD": cost_usd}},
        "uuid": "u",
        **SESSION,
    }


ANSWERS = starts("m1", 5, 0, 50_000), starts("m2", 5, 0, 50_000)
COST_USD = (10 * 5 + 100_000 * 0.5 + 2000 * 25) / 1e6
PARTIAL = [
    {"type": "system", "subtype": "init", "model": "claude-opus-4-8", **SESSION},
    *(event(ANSWERS[0]), message(ANSWERS[0]), event(stops(1500)), answered(60)),
    *(event(ANSWERS[1]), message(ANSWERS[1]), event(stops(500)), answered(90)),
]


@pytest.mark.parametrize("is_whole", [True, False])
def test_messages_whose_streams_were_printed_have_exact_counts(is_whole: bool, tmp_path: Path) -> None:
    last = [result("claude-opus-4-8", 10, 100_000, 2000, COST_USD)] if is_whole else []
    paths = written(tmp_path, {"a": [*PARTIAL, *last]})
    assert counted(paths) == ((10, 0, 100_000, 2000), 2, pytest.approx(COST_USD))


@pytest.mark.parametrize("indented", [result("claude-opus-4-8", 10, 0, 2, 0.5), PARTIAL])
def test_a_result_and_an_array_are_read_on_many_lines_too(indented: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(indented, indent=2))
    assert counted([path])[1] == 2


def test_a_result_without_a_time_has_that_of_what_was_printed_before_it(tmp_path: Path) -> None:
    long = {**result("claude-sonnet-4-6", 300_000, 0, 1000, 9.9), "num_turns": 1}
    before = {**answered(60), "timestamp": "2026-03-01T10:00:00Z"}
    paths = written(tmp_path, {"a": [before, long], "b": [long]})
    for order in (paths, paths[::-1]):
        ledger = read_logs(order)
        assert ledger.runs["ended_at"][0].isoformat() == "2026-03-01T10:00:00+00:00"
        # more than 200,000 tokens cost more on that day
        assert ledger.entries["list_cost_usd"].sum() == pytest.approx((300_000 * 6 + 1000 * 22.5) / 1e6)
    assert "the date" in read_logs(paths[1:]).runs["not_known"][0]


# Gemini CLI


@pytest.mark.parametrize("helper", [0, 700])
def test_what_gemini_printed_adds_to_its_chat_only_what_the_chat_leaves_out(
    helper: int, tmp_path: Path
) -> None:
    model, small = "gemini-3-flash-preview", "gemini-3.1-flash-lite"
    tokens = {"input": 25_000, "output": 1000, "cached": 20_000, "thoughts": 4000, "tool": 0, "total": 30_000}
    call = {"id": "a", "type": "gemini", "timestamp": at(8), "model": model, "tokens": tokens}
    chat = [{"sessionId": "s", "projectHash": "h", "startTime": at(0)}, call]
    of_model = {"total_tokens": 30_000, "input_tokens": 25_000, "output_tokens": 1000, "cached": 20_000}
    of_helper = {"total_tokens": helper, "input_tokens": helper, "output_tokens": 0, "cached": 0}
    models = {model: of_model, **({small: of_helper} if helper else {})}
    printed = [
        {"type": "init", "timestamp": at(5), "session_id": "s", "model": "auto"},
        {"type": "tool_use", "timestamp": at(6), "tool_id": "t", "tool_name": "shell"},
        {"type": "tool_result", "timestamp": at(7), "tool_id": "t", "status": "success"},
        {"type": "result", "timestamp": at(9), "status": "success", "stats": {**of_model, "models": models}},
    ]
    tokens_, calls, _ = counted(written(tmp_path, {"printed": printed, "chat": chat}))
    assert (tokens_, calls) == ((5000 + helper, 0, 20_000, 5000), 1)


def test_an_answer_of_gemini_that_was_saved_twice_counts_once(tmp_path: Path) -> None:
    tokens = {
        "prompt": 25_000,
        "candidates": 1000,
        "total": 30_000,
        "cached": 20_000,
        "thoughts": 4000,
        "tool": 0,
    }
    answer = {"session_id": "s", "stats": {"models": {"gemini-3-flash-preview": {"tokens": tokens}}}}
    assert counted(written(tmp_path, {"a": [answer], "b": [answer]}))[0] == (5000, 0, 20_000, 5000)


def test_what_opencode_printed_of_a_session_is_told_by_its_export(tmp_path: Path) -> None:
    tokens = {"input": 100, "output": 200, "reasoning": 0, "cache": {"read": 1000, "write": 10}}
    began = 1_794_736_800_000
    step = {"id": "p", "sessionID": "ses_1", "type": "step-finish", "cost": 0.5, "tokens": tokens}
    printed = {"type": "step_finish", "timestamp": began + 9000, "sessionID": "ses_1", "part": step}
    about = {"role": "assistant", "modelID": "claude-opus-4-8", "cost": 0.5, "tokens": tokens}
    times = {"time": {"created": began, "completed": began + 9000}}
    export = {"info": {"id": "ses_1"}, "messages": [{"info": {**about, **times}, "parts": []}]}
    paths = written(tmp_path, {"a": [printed], "b": [export]})
    assert counted(paths) == ((100, 10, 1000, 200), 1, 0.5)
    assert counted(paths[:1]) == ((100, 10, 1000, 200), 1, 0.5)
