"""What a log cost, in figures that were reckoned by hand: `tests/data/costs/right.csv` says how each comes about."""

import csv
import json
import math
import random
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simbudget.ledger.found import summarise
from simbudget.ledger.readers import read_logs

FOLDER = Path(__file__).parents[1] / "data" / "costs"
PLACES = {
    "cost_usd": ("cost", "ledger_usd"),
    "list_usd": ("cost", "by_list_usd"),
    "reported_usd": ("cost", "reported_usd"),
    "calls": ("calls",),
    "uncached": ("tokens", "uncached_input"),
    "cache_write": ("tokens", "cache_write"),
    "cache_write_1h": ("tokens", "cache_write_1h"),
    "cache_read": ("tokens", "cache_read"),
    "output": ("tokens", "output"),
    "model_hours": ("hours", "model"),
}

RIGHT: dict[str, dict[str, float]] = defaultdict(dict)
for row in csv.DictReader((FOLDER / "right.csv").read_text(encoding="utf-8").splitlines()):
    RIGHT[row["file"]][row["figure"]] = float(row["right"])


def figures(*paths: Path) -> dict[str, Any]:
    return summarise(read_logs(paths))


def figure(found: dict[str, Any], name: str) -> float:
    value: Any = found
    for key in PLACES[name]:
        value = value[key]
    return float(value)


@pytest.mark.parametrize("name", sorted(RIGHT))
def test_a_logs_figures_are_those_that_were_reckoned_by_hand(name: str) -> None:
    found = figures(FOLDER / name)
    for what, right in RIGHT[name].items():
        assert math.isclose(figure(found, what), right, rel_tol=1e-6, abs_tol=5e-7), what


@pytest.mark.parametrize("seed", range(3))
def test_logs_cost_the_same_together_in_whatever_order_they_are_read(tmp_path: Path, seed: int) -> None:
    # Several of them have messages of the same ids that are not the same in content: these are not copies.
    # Forks have their parents in common, and two of the cases are the same session in two states.
    shared = {"codex-fork-alone", "codex-subagent-by-spawn-only", "results-running-total.jsonl"}
    names = sorted(RIGHT.keys() - shared)
    random.Random(seed).shuffle(names)
    for place, name in enumerate(names):
        source, target = FOLDER / name, tmp_path / f"{place:02}-{name}"
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    together = figures(tmp_path)
    for what in ("uncached", "cache_read", "output", "calls", "cost_usd"):
        alone = sum(figure(figures(FOLDER / name), what) for name in names)
        assert figure(together, what) == pytest.approx(alone, abs=1e-9), what


def changed(tmp_path: Path, name: str, change: Callable[[str], str]) -> dict[str, Any]:
    """Return the figures of a case whose text is changed."""
    path = tmp_path / name
    path.write_text(change((FOLDER / name).read_text(encoding="utf-8")), encoding="utf-8")
    return figures(path)


@pytest.mark.parametrize(
    ("name", "mark", "plain", "cost_usd"),
    [
        ("fast-mode.jsonl", '"speed": "fast"', '"speed": "standard"', 1.2),
        ("batch-tier.jsonl", '"service_tier": "batch"', '"service_tier": "standard"', 1.2),
        ("inference-in-the-us.jsonl", '"inference_geo": "us"', '"inference_geo": "global"', 1.2),
        ("cloud-region-profile-name.jsonl", "eu.anthropic", "global.anthropic", 1.2),
        ("web-searches.jsonl", '"web_search_requests": 35', '"web_search_requests": 0', 1.2),
        ("codex-priority.jsonl", '"priority"', '"default"', 0.54),
        ("span-flex.jsonl", '"flex"', '"default"', 0.58),
        ("price-by-time-of-day.jsonl", "T03:15", "T04:15", 2 * 0.4884),
        ("advisor-model.jsonl", '"advisor_message"', '"message"', 0.047008),
        ("compaction-step-inside-a-call.jsonl", '"type": "compaction"', '"type": "message"', 0.155),
    ],
)
def test_without_its_mark_a_log_costs_what_any_other_does(
    tmp_path: Path, name: str, mark: str, plain: str, cost_usd: float
) -> None:
    assert figure(
        changed(tmp_path, name, lambda text: text.replace(mark, plain)), "cost_usd"
    ) == pytest.approx(cost_usd)


def test_a_total_decides_what_a_count_contains_against_the_names(tmp_path: Path) -> None:
    def with_total(total: int) -> Callable[[str], str]:
        return lambda text: text.replace(
            '"completion_tokens"', f'"total_tokens": {total}, "completion_tokens"'
        )

    name = "usage-prompt-contains-cached.jsonl"
    contained, apart = (changed(tmp_path, name, with_total(total)) for total in (93_000, 143_000))
    assert figure(contained, "uncached") == 40_000
    assert figure(apart, "uncached") == 90_000
    assert any("by their total, so it is counted once" in note for note in contained["oddities"])


def _results(first: dict[str, Any], *more: dict[str, Any]) -> str:
    return "".join(
        json.dumps({**RESULT, **each, "uuid": f"u{n}"}) + "\n" for n, each in enumerate((first, *more))
    )


RESULT: dict[str, Any] = {"type": "result", "session_id": "s", "is_error": False, "num_turns": 1}


def _totals(cost_usd: float, api_s: float, own: tuple[int, int], so_far: tuple[int, int]) -> dict[str, Any]:
    """Return a result: what its part used, and what its process did so far (output and cache reads)."""
    return {
        "total_cost_usd": cost_usd,
        "duration_api_ms": api_s * 1000,
        "duration_ms": api_s * 1000,
        "usage": {"input_tokens": 0, "output_tokens": own[0], "cache_read_input_tokens": own[1]},
        "modelUsage": {
            "claude-opus-4-8": {
                "inputTokens": 0,
                "outputTokens": so_far[0],
                "cacheReadInputTokens": so_far[1],
                "costUSD": cost_usd,
            }
        },
    }


def test_a_second_process_that_used_more_than_the_first_is_not_taken_for_a_running_total(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(
        _results(
            _totals(0.25, 10, (10_000, 0), (10_000, 0)),
            _totals(0.30, 20, (12_000, 0), (12_000, 0)),  # grew by 2,000, and its own part used 12,000
        )
    )
    assert figure(figures(path), "output") == 22_000
    assert figure(figures(path), "reported_usd") == pytest.approx(0.55)
    path.write_text(
        _results(_totals(0.25, 10, (10_000, 0), (10_000, 0)), _totals(0.30, 20, (2_000, 0), (12_000, 0)))
    )
    assert figure(figures(path), "output") == 12_000
    assert figure(figures(path), "reported_usd") == pytest.approx(0.30)


def test_messages_with_exact_counts_are_calls_and_the_result_adds_what_they_leave_out(tmp_path: Path) -> None:
    def message(number: int) -> dict[str, Any]:
        usage = {"input_tokens": 10, "output_tokens": 100, "cache_read_input_tokens": 1000 * number}
        told = {"id": f"m{number}", "model": "claude-opus-4-8", "stop_reason": "tool_use", "usage": usage}
        at = f"2026-11-09T10:0{number}:00Z"
        return {"type": "assistant", "session_id": "s", "timestamp": at, "message": told}

    models = {
        "claude-opus-4-8": {
            "inputTokens": 30,
            "outputTokens": 300,
            "cacheReadInputTokens": 6000,
            "costUSD": 0.01065,
        },
        "claude-haiku-4-5-20251001": {"inputTokens": 2000, "outputTokens": 0, "costUSD": 0.002},
    }
    result = {**RESULT, "num_turns": 3, "total_cost_usd": 0.01265, "modelUsage": models, "usage": {}}
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [*map(message, (1, 2, 3)), result]))
    ledger = read_logs([path])
    calls = ledger.entries[ledger.entries["kind"] == "call"]
    assert calls["context_tokens"].tolist() == [1010, 2010, 3010]
    assert calls["started_s"].notna().any()
    found = summarise(ledger)
    assert figure(found, "calls") == 3
    assert found["tokens"]["uncached_input"] == 2030
    assert figure(found, "reported_usd") == 0.01265
    assert figure(found, "cost_usd") == pytest.approx(0.01265)


def test_a_sessions_own_log_and_its_results_are_counted_once_in_either_order(tmp_path: Path) -> None:
    usage = {"input_tokens": 10, "output_tokens": 100, "cache_read_input_tokens": 1000}
    told = {"id": "m", "model": "claude-opus-4-8", "stop_reason": "end_turn", "usage": usage}
    line = {
        "type": "assistant",
        "sessionId": "s",
        "uuid": "x",
        "timestamp": "2026-11-09T10:00:00Z",
        "message": told,
    }
    for own, results in (("a.jsonl", "b.jsonl"), ("d.jsonl", "c.jsonl")):
        (tmp_path / own).write_text(json.dumps(line) + "\n")
        (tmp_path / results).write_text(_results(_totals(0.003, 1, (100, 1000), (100, 1000))))
        found = figures(tmp_path / min(own, results), tmp_path / max(own, results))
        assert (found["calls"], found["tokens"]["output"]) == (1, 100)
        assert figure(found, "reported_usd") == 0.003


def test_a_sub_agent_that_begins_at_zero_stays_whole_though_its_parent_is_not_there(tmp_path: Path) -> None:
    lines = (FOLDER / "codex-subagent-by-spawn-only" / "sub.jsonl").read_text().splitlines()
    path = tmp_path / "sub.jsonl"
    # Its calls take as long as a model needs, so that they are its own, and no history written in one go.
    slow = [
        line.replace("11:00:00.900", "11:01:00.900").replace("11:00:02.100", "11:02:02.100") for line in lines
    ]
    path.write_text("\n".join(slow) + "\n")
    assert figures(path)["calls"] == 3
    path.write_text("\n".join(lines) + "\n")
    assert figures(path)["calls"] == 1


def test_messages_that_agree_in_all_but_their_time_are_not_copies(tmp_path: Path) -> None:
    text = (FOLDER / "pi-fork" / "b.jsonl").read_text()
    (tmp_path / "a.jsonl").write_text(text)
    other = text.replace('"pb"', '"pc"').replace("2026-11-09T09", "2026-11-09T12").replace("17942", "17943")
    (tmp_path / "b.jsonl").write_text(other)
    assert figures(tmp_path)["calls"] == 8


@pytest.mark.parametrize(
    ("model", "uncached", "said"), [("gpt-5.5", 40_000, True), ("claude-opus-4-8", 90_000, False)]
)
def test_names_that_could_be_anybodys_follow_the_rule_of_the_models_provider(
    tmp_path: Path, model: str, uncached: int, said: bool
) -> None:
    line = {"timestamp": "2026-11-09T09:00:00Z", "model": model, "input_tokens": 90_000}
    line |= {"cache_read_tokens": 50_000, "output_tokens": 3_000}
    path = tmp_path / "usage.jsonl"
    path.write_text(json.dumps(line) + "\n")
    found = figures(path)
    assert figure(found, "uncached") == uncached
    assert any("their model's provider" in note for note in found["oddities"]) == said


def test_a_service_without_a_price_is_named_and_priced_as_the_standard_one(tmp_path: Path) -> None:
    found = changed(tmp_path, "batch-tier.jsonl", lambda text: text.replace('"batch"', '"priority"'))
    assert figure(found, "cost_usd") == pytest.approx(1.2)
    assert "the price of the service `priority`" in found["cost_comparisons"][0]["cannot_know"]
    assert found["apart"]["services"] == [
        {"service": "priority", "inference_geo": "", "entries": 1, "cost_usd": pytest.approx(1.2)}
    ]


def test_results_without_a_sessions_name_are_of_one_session(tmp_path: Path) -> None:
    named, nameless = "results-running-total.jsonl", '"session_id": ""'
    found = changed(tmp_path, named, lambda text: text.replace('"session_id": "s1"', nameless))
    assert figure(found, "reported_usd") == pytest.approx(0.5765)
    assert figure(found, "calls") == 16


def test_one_entry_explains_nothing(tmp_path: Path) -> None:
    (row,) = (
        each
        for each in figures(FOLDER / "result-one-hour-writes.jsonl")["cost_comparisons"]
        if each["model"] == "claude-opus-4-8"
    )
    assert row["compared"] == 1
    assert row["explanation"].endswith("in its only entry, which does not show why")
