"""Logs of real runs say in the ledger what they say when counted again by other means."""

import gzip
import json
import shutil
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from simbudget.ledger.found import summarise
from simbudget.ledger.imported import ImportedLedger
from tests.readers.sessions import REAL, read

CLASSES = {
    "inputTokens": "uncached_input_tokens",
    "cacheCreationTokens": "cache_write_tokens",
    "cacheReadTokens": "cache_read_tokens",
}
SESSIONS = sorted((REAL / "entireio-cli").glob("*.gz"))


@pytest.fixture(scope="module")
def sessions() -> ImportedLedger:
    return read(*SESSIONS)


def calls(ledger: ImportedLedger) -> pd.DataFrame:
    return ledger.entries[(ledger.entries["kind"] == "call") & (ledger.entries["outcome"] == "ok")]


def by_model(ledger: ImportedLedger) -> pd.DataFrame:
    by_name = calls(ledger)["model"].astype(object)
    return calls(ledger).groupby(by_name.tolist()).sum(numeric_only=True)


def ccusage() -> list[dict[str, object]]:
    months = json.loads((REAL / "entireio-cli" / "ccusage-17.2.1.json").read_text())["monthly"]
    return [model for month in months for model in month["modelBreakdowns"]]


@pytest.mark.parametrize("theirs", CLASSES)
def test_input_tokens_per_model_equal_those_of_ccusage_to_the_token(
    sessions: ImportedLedger, theirs: str
) -> None:
    said: Counter[str] = Counter()
    for model in ccusage():
        said[str(model["modelName"])] += int(str(model[theirs]))
    assert said == Counter(by_model(sessions)[CLASSES[theirs]].astype(int).to_dict())


OF_A_MILLION = {
    "claude-opus-4-5-20251101": (5, 6.25, 0.5, 25),
    "claude-sonnet-4-5-20250929": (3, 3.75, 0.3, 15),
    "claude-haiku-4-5-20251001": (1, 1.25, 0.1, 5),
}
"""Dollars for a million tokens of input, 5-minute writes, cache reads, output; ccusage lacks Opus 4.6."""


@pytest.mark.parametrize("name", OF_A_MILLION)
def test_costs_of_ccusage_are_ours_with_5_minute_writes_and_its_placeholders(
    sessions: ImportedLedger, name: str
) -> None:
    theirs = [model for model in ccusage() if model["modelName"] == name]
    prompt = [by_model(sessions).loc[name, column] for column in CLASSES.values()]
    counts = [*prompt, sum(int(str(model["outputTokens"])) for model in theirs)]
    cost_usd = sum(count * price for count, price in zip(counts, OF_A_MILLION[name], strict=True)) / 1e6
    assert cost_usd == pytest.approx(sum(float(str(model["cost"])) for model in theirs), abs=1e-8)


def test_counting_every_line_would_not_equal_ccusage() -> None:
    counted = Counter(lines_of(SESSIONS, once=False))
    assert counted["cacheReadTokens"] > sum(int(str(each["cacheReadTokens"])) for each in ccusage())


def lines_of(paths: list[Path], *, once: bool) -> Counter[str]:
    """Return the tokens of sessions' lines, counted by hand: each message once, or each line."""
    seen: dict[object, Counter[str]] = {}
    for path in paths:
        for number, raw in enumerate(gzip.decompress(path.read_bytes()).splitlines()):
            line = json.loads(raw)
            usage = line.get("message", {}).get("usage") if line["type"] == "assistant" else None
            if usage:
                key = (line["message"]["id"], line["requestId"]) if once else (path, number)
                seen[key] = Counter(
                    inputTokens=usage["input_tokens"], cacheReadTokens=usage["cache_read_input_tokens"]
                )
    return sum(seen.values(), Counter())


def test_each_message_is_counted_once(sessions: ImportedLedger) -> None:
    counted = lines_of(SESSIONS, once=True)
    assert counted["cacheReadTokens"] == calls(sessions)["cache_read_tokens"].sum()
    assert counted["inputTokens"] == calls(sessions)["uncached_input_tokens"].sum()


def test_placeholders_are_not_known_and_not_small(sessions: ImportedLedger) -> None:
    output = calls(sessions)["output_tokens"]
    assert 0 < output.isna().sum() < len(output)
    assert output.dropna().median() > 50
    assert calls(sessions).loc[output.isna(), "cost_usd"].isna().all()


def test_one_hour_writes_are_told_apart(sessions: ImportedLedger) -> None:
    opus = calls(sessions)[calls(sessions)["model"] == "claude-opus-4-6"]
    assert (opus["cache_write_1h_tokens"] == opus["cache_write_tokens"]).all()
    prices = opus[["uncached_input_tokens", "cache_write_tokens", "cache_read_tokens"]].astype(float)
    by_hand = (prices * [5.0, 10.0, 0.5]).sum(axis="columns") / 1e6
    assert opus["list_cost_usd"].sum() == pytest.approx(by_hand.sum(), abs=1e-9)


def test_a_compaction_says_at_what_context(sessions: ImportedLedger) -> None:
    compactions = sessions.entries[sessions.entries["kind"] == "compaction"]
    assert (compactions["context_tokens"] > 100_000).all() and len(compactions) == 1


def test_files_in_any_order_are_the_same_calls(sessions: ImportedLedger) -> None:
    pd.testing.assert_frame_equal(
        by_model(read(*SESSIONS[::-1]))[["output_tokens"]], by_model(sessions)[["output_tokens"]]
    )


def test_a_session_in_two_files_is_counted_once(sessions: ImportedLedger, tmp_path: Path) -> None:
    copies = [Path(shutil.copy(path, tmp_path / f"copy-{path.name}")) for path in SESSIONS]
    twice = read(*SESSIONS, *copies)
    assert twice.runs["repeated"].sum() > 0
    pd.testing.assert_frame_equal(twice.entries, sessions.entries)


def codex_totals() -> dict[str, int]:
    """Return the last totals of the Codex rollout, which are those of the session."""
    path = next((REAL / "agentv-codex").iterdir())
    totals = {}
    for raw in gzip.decompress(path.read_bytes()).splitlines():
        info = json.loads(raw)["payload"].get("info")
        totals = info["total_token_usage"] if isinstance(info, dict) else totals
    return totals


def test_a_codex_session_adds_up_to_its_own_totals() -> None:
    ledger, totals = calls(read(REAL / "agentv-codex")), codex_totals()
    assert ledger["uncached_input_tokens"].sum() + ledger["cache_read_tokens"].sum() == totals["input_tokens"]
    assert ledger["cache_read_tokens"].sum() == totals["cached_input_tokens"]
    assert ledger["output_tokens"].sum() == totals["output_tokens"]
    assert ledger["thinking_tokens"].sum() == totals["reasoning_output_tokens"]


def test_a_pi_session_has_its_own_costs_to_the_cent() -> None:
    path = next((REAL / "dhruv-parameter-golf-pi").iterdir())
    messages = [json.loads(raw).get("message", {}) for raw in gzip.decompress(path.read_bytes()).splitlines()]
    reported = sum(message["usage"]["cost"]["total"] for message in messages if "usage" in message)
    figures = summarise(read(path))
    assert figures["cost"]["reported_usd"] == pytest.approx(reported, abs=1e-9)
    assert figures["cost"]["by_list_usd"] == pytest.approx(reported, abs=0.005)
    assert {row["explanation"] for row in figures["cost_comparisons"]} == {"agrees to the cent"}


@pytest.mark.parametrize(
    "table", ["auto-research-recipes/cifar_results.tsv", "hilo-parameter-golf/results.tsv"]
)
def test_every_row_of_a_campaign_is_an_experiment(table: str) -> None:
    rows = pd.read_csv(REAL / table, sep="\t", dtype=str)
    experiments = read(REAL / table).entries
    assert len(experiments) == len(rows)
    assert Counter(experiments["status"].astype(str)) == Counter(rows["status"])


def test_a_campaigns_agents_scores_and_times_are_its_tables() -> None:
    table = REAL / "auto-research-recipes" / "cifar_results.tsv"
    rows, ledger = pd.read_csv(table, sep="\t"), read(table)
    assert ledger.entries["agent"].nunique() == rows["specialist"].nunique()
    assert ledger.entries["score"].sum() == pytest.approx(rows["accuracy"].sum())
    assert ledger.entries["duration_s"].sum() >= rows["total_s"].sum()
    assert ledger.entries["kept"].sum() == (rows["status"] == "keep").sum()


@pytest.mark.parametrize("name", ["Shopify+liquid", "Neuralburn+LINAL"])
def test_autoresearch_lines_are_experiments(name: str) -> None:
    path = next((REAL / "pi-autoresearch").glob(f"{name}*"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    told = [line for line in lines if "run" in line]
    ledger = read(path)
    assert len(ledger.entries) == len(told)
    assert ledger.entries["score"].sum() == pytest.approx(sum(line["metric"] for line in told))
    assert ledger.entries["kept"].sum() == sum(line["status"] == "keep" for line in told)
    assert (ledger.runs["better"] == "lower").all()


def test_everything_is_recognised_by_content(tmp_path: Path) -> None:
    files = [path for path in REAL.rglob("*") if path.suffix in (".gz", ".tsv", ".jsonl")]
    for number, path in enumerate(files):
        shutil.copy(path, tmp_path / f"{number}.bin")
    assert summary_by_source(read(tmp_path)) == summary_by_source(read(*files))
    assert set(read(tmp_path).runs["source"]) == {
        "claude-code",
        "codex",
        "pi",
        "results-table",
        "experiment-lines",
    }


def summary_by_source(ledger: ImportedLedger) -> dict[str, dict[str, float]]:
    columns = ["source", "duration_s", "score", "output_tokens", "cache_read_tokens"]
    sums = ledger.entries[columns].groupby("source", observed=True).sum()
    return {str(source): row.round(6).to_dict() for source, row in sums.iterrows()}
