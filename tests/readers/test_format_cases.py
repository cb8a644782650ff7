"""Small files of each format, whose right values were reckoned by hand from the providers' rules and the price list."""

import csv
import datetime
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from simbudget.ledger.found import summarise
from simbudget.ledger.readers import Assumed, read_logs

CASES = Path(__file__).parents[1] / "data" / "formats"
PLACES = {
    "cost_usd": "cost.ledger_usd",
    "list_usd": "cost.by_list_usd",
    "reported_usd": "cost.reported_usd",
    "calls": "calls",
    "runs": "runs",
    "uncached": "tokens.uncached_input",
    "cache_write": "tokens.cache_write",
    "cache_read": "tokens.cache_read",
    "output": "tokens.output",
    "thinking": "tokens.thinking",
    "experiments": "experiments",
    "failed_experiments": "failed_experiments",
    "kept": "kept_experiments",
    "model_hours": "hours.model",
    "experiment_hours": "hours.experiment",
}
"""Where a figure stands in the summary of an import."""


def expected() -> dict[str, dict[str, str]]:
    with (CASES / "expected.csv").open() as sheet:
        rows = sorted(csv.DictReader(sheet), key=lambda row: row["file"])
    by_file = itertools.groupby(rows, key=lambda row: row["file"])
    return {name: {row["figure"]: row["right"] for row in group} for name, group in by_file}


EXPECTED = expected()


def figure(figures: Mapping[str, Any], name: str) -> float:
    value: Any = figures
    for part in PLACES[name].split("."):
        value = value[part]
    return float(value)


@pytest.mark.parametrize("name", EXPECTED)
def test_figures_are_those_reckoned_by_hand(name: str) -> None:
    ledger = read_logs([CASES / name])
    figures = summarise(ledger)
    for key, right in EXPECTED[name].items():
        if key == "recognised":
            assert figures["runs"] >= 1
        elif key == "score_min":
            assert ledger.entries["score"].min() == pytest.approx(float(right))
        else:
            assert figure(figures, key) == pytest.approx(float(right), rel=1e-6, abs=1e-9), key


def test_all_of_them_in_one_folder_add_up(tmp_path: Path) -> None:
    together = summarise(read_logs([CASES]))
    for key in ("uncached", "cache_read", "output"):
        alone = sum(figure(summarise(read_logs([CASES / name])), key) for name in EXPECTED)
        assert figure(together, key) == alone


def test_the_order_of_files_changes_nothing() -> None:
    paths = [CASES / name for name in EXPECTED]
    forwards, backwards = (summarise(read_logs(order)) for order in (paths, paths[::-1]))
    for key in ("tokens", "calls", "experiments", "runs"):
        assert forwards[key] == backwards[key]


def test_no_file_is_taken_for_two_formats_that_both_find_something_in_it() -> None:
    sources = {name: set(read_logs([CASES / name]).runs["source"]) for name in EXPECTED}
    assert all(len(found) == 1 for found in sources.values())


def test_a_model_and_a_day_that_a_log_does_not_name_can_be_given() -> None:
    path = CASES / "codex-exec.jsonl"
    silent = read_logs([path])
    paid = silent.entries["component"] == "tokens"
    assert silent.entries["cost_usd"][paid].isna().all() and "`model`" in silent.runs["not_known"][0]
    told = read_logs([path], assumed=Assumed("gpt-5.4", datetime.date(2026, 11, 1)))
    # 60,000 at $2.50, 200,000 at $0.25 and 4,200 at $15 a million
    assert told.entries["cost_usd"].sum() == pytest.approx(0.15 + 0.05 + 0.063)
    assert str(told.runs["began_at"][0].date()) == "2026-11-01"


def test_a_model_that_a_log_names_is_not_replaced() -> None:
    ledger = read_logs([CASES / "openai-responses.jsonl"], assumed=Assumed("claude-opus-4-6"))
    assert set(ledger.entries["model"]) == {"gpt-5.5"}
