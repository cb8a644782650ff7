"""What several files, processes or tools tell of one session is counted once, in whatever order it is read.

Every right value is reckoned here from the counts that the lines are made of, at list prices in $/Mtok.
"""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from simbudget.ledger.found import summarise
from simbudget.ledger.readers import read_logs

Counts = tuple[int, int, int, int]
"""Uncached input, cache writes, cache reads, output."""
OPUS, HAIKU = "claude-opus-4-8", "claude-haiku-4-5-20251001"
ALL, FIRST, SECOND = (150, 0, 150_000, 1500), (100, 0, 100_000, 1000), (50, 0, 50_000, 500)
OTHER = (30, 0, 30_000, 300)


def cost_usd(counts: Counts) -> float:
    uncached, write, read, output = counts
    return (uncached * 5 + write * 6.25 + read * 0.5 + output * 25) / 1e6


def result(name: str, part: Counts, so_far: Counts | None, api_ms: int = 1000) -> dict[str, Any]:
    """Return a result of session `s`: what its part used, and its process so far."""
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    models = {}
    if so_far:
        by_class = dict(zip(("inputTokens", "cacheCreationInputTokens"), so_far[:2], strict=True))
        by_class |= dict(zip(("cacheReadInputTokens", "outputTokens"), so_far[2:], strict=True))
        models = {OPUS: {**by_class, "costUSD": cost_usd(so_far)}}
    return {
        "type": "result",
        "uuid": name,
        "session_id": "s",
        "is_error": False,
        "num_turns": 1,
        "total_cost_usd": cost_usd(so_far) if so_far else 0,
        "duration_ms": 1000,
        "duration_api_ms": api_ms,
        "usage": dict(zip(names, part, strict=True)),
        "modelUsage": models,
    }


def lines(*told: dict[str, Any]) -> str:
    return "".join(json.dumps(line) + "\n" for line in told)


def figures(folder: Path, **texts: str) -> dict[str, Any]:
    """Return the summary of a folder with files of these names and texts."""
    for name, text in texts.items():
        (folder / f"{name}.jsonl").write_text(text)
    return summarise(read_logs([folder]))


NOTHING = result("zero", (0, 0, 0, 0), None, api_ms=0)
ONE, TWO = result("1", FIRST, FIRST), result("2", SECOND, ALL, api_ms=1500)
ELSE = result("3", OTHER, OTHER)


@pytest.mark.parametrize(
    ("texts", "output", "usd"),
    [
        ({"a": lines(ONE, NOTHING, TWO)}, 1500, cost_usd(ALL)),
        ({"a": lines(ONE, ELSE, TWO)}, 1800, cost_usd(ALL) + cost_usd(OTHER)),
        ({"a": lines(ONE), "b": lines(ONE, TWO)}, 1500, cost_usd(ALL)),
        ({"a": lines(ONE), "b": lines(TWO)}, 1500, cost_usd(ALL)),
        ({"a": lines(TWO), "b": lines(ONE)}, 1500, cost_usd(ALL)),
        ({"a": lines(ONE), "b": lines(ELSE)}, 1300, cost_usd(FIRST) + cost_usd(OTHER)),
        ({"a": lines(ELSE), "b": lines(ONE)}, 1300, cost_usd(FIRST) + cost_usd(OTHER)),
    ],
    ids=(
        "an error without a token in between",
        "two processes that print in turn",
        "results kept apart and again",
        "a process in two files",
        "its second part sorts first",
        "two processes in two files",
        "the larger sorts last",
    ),
)
def test_a_process_is_put_together_from_wherever_its_results_are(
    tmp_path: Path, texts: dict[str, str], output: int, usd: float
) -> None:
    found = figures(tmp_path, **texts)
    assert found["runs"] == 1
    assert found["tokens"]["output"] == output
    assert found["cost"]["reported_usd"] == pytest.approx(usd)
    assert found["cost"]["by_list_usd"] == pytest.approx(usd)


def test_results_kept_without_their_messages_still_get_them_from_the_stream(tmp_path: Path) -> None:
    used = {"input_tokens": 100, "cache_read_input_tokens": 100_000, "output_tokens": 1000}
    message = {"id": "m", "model": OPUS, "stop_reason": "end_turn", "usage": used}
    line = {
        "type": "assistant",
        "session_id": "s",
        "timestamp": "2026-11-09T10:00:00Z",
        "message": message,
    }
    for one, other in (("a", "b"), ("d", "c")):
        found = figures(tmp_path, **{one: lines(ONE), other: lines(line, ONE)})
        assert (found["calls"], found["tokens"]["output"]) == (1, 1000)
        assert found["cost"]["ledger_usd"] == pytest.approx(cost_usd(FIRST))


def test_a_result_whose_model_is_not_named_is_of_the_model_that_its_usage_fits(tmp_path: Path) -> None:
    own = (10, 40_000, 0, 1000)
    told = result("1", own, own)
    told["usage"]["cache_creation"] = {"ephemeral_1h_input_tokens": 40_000, "ephemeral_5m_input_tokens": 0}
    helper = {"inputTokens": 9, "cacheCreationInputTokens": 90_000, "outputTokens": 2000, "costUSD": 0.1245}
    told["modelUsage"][HAIKU] = helper
    found = figures(tmp_path, a=lines(told))
    listed = (10 * 5 + 40_000 * 10 + 1000 * 25 + 9 * 1 + 90_000 * 1.25 + 2000 * 5) / 1e6
    assert found["tokens"]["cache_write_1h"] == 40_000
    assert found["cost"]["by_list_usd"] == pytest.approx(listed)


def test_one_array_of_messages_is_read_as_the_stream_is(tmp_path: Path) -> None:
    begin = {"type": "system", "subtype": "init", "session_id": "s", "model": OPUS}
    (tmp_path / "a.json").write_text(json.dumps([begin, ONE], indent=1))
    assert summarise(read_logs([tmp_path]))["cost"]["reported_usd"] == pytest.approx(cost_usd(FIRST))


def test_what_codex_exec_printed_of_a_thread_is_told_by_its_rollout(tmp_path: Path) -> None:
    used = {"input_tokens": 30_000, "cached_input_tokens": 5000, "output_tokens": 300}
    printed = lines(
        {"type": "thread.started", "thread_id": "t"},
        {"type": "turn.started"},
        {"type": "item.completed", "item": {"id": "i", "type": "command_execution", "exit_code": 0}},
        {"type": "turn.completed", "usage": used},
    )
    at = "2026-11-09T10:00:00.000Z"
    info = {"total_token_usage": used, "last_token_usage": used}
    rollout = lines(
        {"timestamp": at, "type": "session_meta", "payload": {"id": "t"}},
        {"timestamp": at, "type": "turn_context", "payload": {"model": "gpt-5.5"}},
        {"timestamp": at, "type": "event_msg", "payload": {"type": "token_count", "info": info}},
    )
    for one, other in (("a", "b"), ("d", "c")):
        found = figures(tmp_path, **{one: printed, other: rollout})
        assert (found["runs"], found["calls"], found["tokens"]["uncached_input"]) == (1, 1, 25_000)


def test_results_of_gemini_kept_apart_are_those_of_its_streams(tmp_path: Path) -> None:
    stats: dict[str, Any] = {"total_tokens": 1300, "input_tokens": 1000, "output_tokens": 100, "cached": 400}
    stats = {**stats, "duration_ms": 9000, "models": {"gemini-3-flash-preview": stats}}
    begin = {"type": "init", "timestamp": "2026-11-09T09:00:00Z", "session_id": "g", "model": "auto"}
    end = {"type": "result", "timestamp": "2026-11-09T09:00:09Z", "status": "success", "stats": stats}
    for one, other in (("a", "b"), ("d", "c")):
        found = figures(tmp_path, **{one: lines(end), other: lines(begin, end)})
        assert (found["runs"], found["tokens"]["uncached_input"]) == (1, 600)
        assert found["tokens"]["output"] == 300  # what the total has beyond input and output was thought


def test_a_chain_of_forks_is_counted_once_in_every_order(tmp_path: Path) -> None:
    def count(at: str, total: Counts, last: Counts) -> dict[str, Any]:
        names = ("input_tokens", "cached_input_tokens", "output_tokens")
        info = {
            kind: {name: counts[place] for name, place in zip(names, (0, 2, 3), strict=True)}
            for kind, counts in (("total_token_usage", total), ("last_token_usage", last))
        }
        payload = {"type": "token_count", "info": info}
        return {"timestamp": f"2026-11-09T{at}.000Z", "type": "event_msg", "payload": payload}

    def session(name: str, at: str, of: str = "") -> list[dict[str, Any]]:
        when = f"2026-11-09T{at}.000Z"
        about = {"id": name, "forked_from_id": of} if of else {"id": name}
        model = {"timestamp": when, "type": "turn_context", "payload": {"model": "gpt-5.5"}}
        return [{"timestamp": when, "type": "session_meta", "payload": about}, model]

    used = [(10_000, 0, 0, 100), (30_000, 0, 5000, 300), (60_000, 0, 20_000, 600), (100_000, 0, 50_000, 1000)]
    last = [(10_000, 0, 0, 100), (20_000, 0, 5000, 200), (30_000, 0, 15_000, 300), (40_000, 0, 30_000, 400)]
    first = [*session("one", "09:00:00"), *(count(f"09:0{n + 1}:00", used[n], last[n]) for n in (0, 1))]
    second = [*session("two", "10:00:00", "one"), *(count("10:00:00", used[n], last[n]) for n in (0, 1))]
    second.append(count("10:05:00", used[2], last[2]))
    third = [*session("three", "11:00:00", "two"), *(count("11:00:00", used[n], last[n]) for n in (0, 1, 2))]
    third.append(count("11:07:00", used[3], last[3]))
    for names in permutations("abc"):
        texts = [lines(*told) for told in (first, second, third)]
        found = figures(tmp_path, **dict(zip(names, texts, strict=True)))
        assert (found["calls"], found["tokens"]["output"]) == (4, 1000)
        assert found["tokens"]["cache_read"] == found["tokens"]["uncached_input"] == 50_000


@pytest.mark.parametrize(
    ("usage", "uncached"),
    [
        ({"prompt_tokens": 50_000, "completion_tokens": 1000, "cached_tokens": 40_000}, 10_000),
        ({"inputTokens": 50_000, "outputTokens": 1000, "cacheReadInputTokens": 40_000}, 50_000),
    ],
)
def test_another_providers_counts_in_claude_codes_lines_are_read(
    tmp_path: Path, usage: dict[str, int], uncached: int
) -> None:
    message = {"id": "m", "model": "a-model", "stop_reason": "end_turn", "usage": usage}
    line = {"type": "assistant", "sessionId": "s", "uuid": "u", "timestamp": "2026-11-09T10:00:00Z"}
    tokens = figures(tmp_path, a=lines({**line, "message": message}))["tokens"]
    assert (tokens["uncached_input"], tokens["cache_read"], tokens["output"]) == (uncached, 40_000, 1000)


def test_what_several_tools_printed_into_one_file_is_all_read(tmp_path: Path) -> None:
    codex = lines(
        {"type": "thread.started", "thread_id": "t"},
        {"type": "turn.completed", "usage": {"input_tokens": 30_000, "output_tokens": 300}},
    )
    stats: dict[str, Any] = {"total_tokens": 1100, "input_tokens": 1000, "output_tokens": 100, "cached": 400}
    begin = {"type": "init", "timestamp": "2026-11-09T09:00:00Z", "session_id": "g", "model": "gemini-3-pro"}
    gemini = lines(begin, {"type": "result", "timestamp": "2026-11-09T09:00:09Z", "stats": stats})
    for texts in permutations((codex, gemini, lines(ONE))):
        found = figures(tmp_path, a="YOLO mode is enabled.\n" + "".join(texts))
        assert found["runs"] == 3
        assert [each["count"] for each in found["unread"]] == [1]
        assert found["tokens"]["output"] == 300 + 100 + FIRST[3]
        assert found["tokens"]["cache_read"] == 400 + FIRST[2]
