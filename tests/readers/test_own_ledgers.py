"""What simbudget writes it reads again as it was: Parquet, CSV, traces, and a pilot's store."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simbudget.ledger.entry import Entry
from simbudget.ledger.found import summarise
from simbudget.ledger.frame import DTYPES
from simbudget.ledger.imported import ImportedLedger
from simbudget.ledger.store import LedgerStore
from simbudget.ledger.stored import write_ledger
from tests.readers.sessions import REAL, SESSION, read, write


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> ImportedLedger:
    damaged = write(tmp_path_factory.mktemp("damaged") / "a", SESSION, end="\n{cut")
    return read(
        *sorted(path for path in REAL.rglob("*") if path.suffix in (".gz", ".tsv", ".jsonl")), damaged
    )


def plain(entries: pd.DataFrame) -> pd.DataFrame:
    """Return entries with words instead of categories, whose numbers do not matter."""
    return entries.astype({name: "object" for name, dtype in DTYPES.items() if dtype == "category"})


@pytest.mark.parametrize("name", ["ledger.parquet", "ledger.csv"])
def test_a_ledger_that_is_written_is_read_as_it_was(
    everything: ImportedLedger, tmp_path: Path, name: str
) -> None:
    write_ledger(everything, tmp_path / name)
    again = read(tmp_path / name)
    pd.testing.assert_frame_equal(plain(again.entries), plain(everything.entries), atol=1e-5)
    about = ["reported_cost_usd", "duration_s", "repeated", "project", "name", "source", "metric", "better"]
    pd.testing.assert_frame_equal(again.runs[about], everything.runs[about], check_categorical=False)
    pd.testing.assert_series_equal(again.runs["began_at"], everything.runs["began_at"])
    assert again.runs["not_known"].tolist() == everything.runs["not_known"].tolist()
    assert again.runs["oddities"].tolist() == everything.runs["oddities"].tolist()


def test_what_could_not_be_read_stays_with_a_ledger(everything: ImportedLedger, tmp_path: Path) -> None:
    write_ledger(everything, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet").unread == everything.unread != ()


def test_money_is_the_same_after_being_written(everything: ImportedLedger, tmp_path: Path) -> None:
    write_ledger(everything, tmp_path / "a.parquet")
    before, after = summarise(everything), summarise(read(tmp_path / "a.parquet"))
    assert after["cost"] == pytest.approx(before["cost"], abs=1e-9)
    assert after["tokens"] == before["tokens"]


SQL = {"int64": "INTEGER", "Int64": "INTEGER", "boolean": "INTEGER", "float64": "REAL", "category": "TEXT"}
CALL = Entry(
    0, 0, 0, 0, 0, "call", 0.0, 4.0, 0.0, "claude-opus-4-6", 1000, 0, 10000, 200, None, "tokens", 0.015,
    source="pilot",
)  # fmt: skip


def store(path: Path, *entries: Entry) -> Path:
    """Write a store as a pilot does."""
    with sqlite3.connect(path) as database:
        columns = ", ".join(f"{name} {SQL[DTYPES[name]]}" for name in Entry._fields)
        database.execute(f"CREATE TABLE entries (id INTEGER PRIMARY KEY, {columns}, request_id TEXT)")
        database.execute("CREATE TABLE runs (run INTEGER, name TEXT, source TEXT, began_at TEXT, model TEXT)")
        database.execute(
            "CREATE TABLE attempts (run, agent, request_id, status, what, started_s, duration_s)"
        )
        database.execute("INSERT INTO runs VALUES (0, 'mini', 'pilot', '2026-06-01T10:00:00+00:00', '')")
        names, marks = ", ".join(Entry._fields), ", ".join("?" * len(Entry._fields))
        rows = [[None if value != value else value for value in entry] for entry in entries]  # noqa: PLR0124
        database.executemany(f"INSERT INTO entries ({names}) VALUES ({marks})", rows)
        database.execute("INSERT INTO attempts VALUES (0, 0, 'r', 529, 'overloaded', 5.0, 1.0)")
    database.close()
    return path


def test_a_pilots_store_is_a_log(tmp_path: Path) -> None:
    unknown = CALL._replace(
        turn=1,
        started_s=10.0,
        outcome="open",
        cost_usd=0.4,
        uncached_input_tokens=None,
        cache_write_tokens=None,
        cache_read_tokens=None,
        output_tokens=None,
    )
    experiment = Entry(
        0, 1, 0, -1, -1, "experiment", 1.0, 600.0, 5.0, gpus=1, component="gpu", kept=True, score=0.4
    )
    ledger = read(store(tmp_path / "pilot", CALL, unknown, experiment))
    entries = ledger.entries
    assert entries["outcome"].tolist() == ["ok", "ok", "failed", "open"]
    assert entries["cost_usd"].sum() == pytest.approx(0.415)
    assert entries["output_tokens"].isna().tolist() == [False, False, True, True]
    assert entries["kept"].fillna(False).sum() == 1 and ledger.runs["agents"].tolist() == [2]
    assert "still open" in ledger.runs["not_known"][0]
    assert str(ledger.runs["began_at"][0]) == "2026-06-01 10:00:00+00:00"
    comparison = summarise(ledger)["cost_comparisons"][0]
    assert comparison["explanation"].startswith("computed by simbudget itself")


def test_a_store_that_is_cut_off_is_reported(tmp_path: Path) -> None:
    path = store(tmp_path / "pilot", *[CALL._replace(turn=turn) for turn in range(2000)])
    os.truncate(path, path.stat().st_size // 2)
    other = write(tmp_path / "a", SESSION)
    ledger = read(path, other)
    assert len(ledger.entries[ledger.entries["source"] == "claude-code"]) == 5
    assert ledger.unread


def test_of_a_pilots_folder_its_ledger_alone_is_read_and_not_what_its_agents_work_with(
    tmp_path: Path,
) -> None:
    pilot = tmp_path / "pilot"
    sandbox = pilot / "agents" / "agent-0" / "sandbox"
    sandbox.mkdir(parents=True)
    store(pilot / "ledger.sqlite", CALL)
    (pilot / "site.sqlite").write_bytes(b"SQLite format 3\0")
    write(sandbox / "log.jsonl", SESSION)
    (sandbox / "run.py").write_text("print(1)")
    ledger = read(tmp_path)
    assert set(ledger.entries["source"]) == {"pilot"}
    assert ledger.unread == ()
    (pilot / "site.sqlite").unlink()  # a folder like any other
    assert set(read(tmp_path).entries["source"]) == {"pilot", "claude-code"}


def test_values_that_cannot_be_are_not_known_in_a_ledger_of_ones_own_either(
    everything: ImportedLedger, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    write_ledger(everything, path)
    rows = pd.read_csv(path)
    paid = rows.index[rows["component"] == "tokens"][:5]
    for name, at, value in (
        ("cost_usd", paid[0], -13.87),
        ("cost_usd", paid[1], float("inf")),
        ("reported_cost_usd", paid[2], 1e300),
        ("output_tokens", paid[3], -5),
        ("output_tokens", paid[4], 1e300),
    ):
        rows[name] = rows[name].astype("float64")
        rows.loc[at, name] = value
    rows.to_csv(path, index=False)
    again = read(path)
    entries = again.entries
    assert entries["cost_usd"].iloc[paid].isna().sum() >= 2
    assert entries["cost_usd"].min() >= 0 and np.isfinite(entries["cost_usd"].dropna()).all()
    assert entries["reported_cost_usd"].max() < 1e9
    assert not (entries["output_tokens"] < 0).any()
    noted = [text.partition("impossible values (")[2].partition(" ")[0] for text in again.runs["oddities"]]
    assert sum(int(many or 0) for many in noted) == 5
    assert summarise(again)["cost"]["entries_without_cost"] >= 2


def test_a_store_of_an_earlier_version_is_opened_and_gets_the_columns_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with LedgerStore(path) as opened:
        opened.add(CALL)
    with closing(sqlite3.connect(path)) as old:
        for name in ("service", "inference_geo", "web_searches"):
            old.execute(f"ALTER TABLE entries DROP COLUMN {name}")
        old.commit()
    assert read(path).entries["service"].tolist() == [""]
    with LedgerStore(path) as opened:
        assert opened.entries()[0].output_tokens == CALL.output_tokens
        opened.add(CALL._replace(service="batch", web_searches=2))
        assert opened.entries()[1].service == "batch"
