"""`simbudget import` as a user calls it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

from tests.readers.sessions import REAL, SESSION, read, write

ENTIRE = str(REAL / "entireio-cli")


def simbudget(
    *arguments: str, home: Path | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    moved = {"CLAUDE_CONFIG_DIR", "CODEX_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in moved}
    environment |= {"COLUMNS": "100"} | ({"HOME": str(home)} if home else {})
    command = [sys.executable, "-m", "simbudget", "import", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=folder, timeout=600, check=False
    )


def test_the_answer_comes_first_and_its_parts_follow() -> None:
    done = simbudget(ENTIRE)
    assert done.returncode == 0 and done.stdout.startswith("Found 5 runs, 111 model calls, at least $7.38")
    for part in ("Tokens", "Cost: as reported, and by the price list", "Hours", "claude-sonnet-4-5"):
        assert part in done.stdout


def test_json_has_what_the_tables_have() -> None:
    figures = json.loads(simbudget(ENTIRE, "--json").stdout)
    assert (figures["runs"], figures["calls"], figures["compactions"]) == (5, 111, 1)
    assert figures["tokens"]["cache_read"] == 9_088_644
    assert figures["tokens_not_known_of_calls"]["output"] > 50
    assert {"cost", "hours", "gaps", "unread", "not_known", "cost_comparisons"} <= set(figures)


def test_a_ledger_is_written_and_read_again(tmp_path: Path) -> None:
    out = tmp_path / "ledger.parquet"
    assert f"Wrote {out}" in simbudget(ENTIRE, "-o", str(out)).stdout.replace("\n", "")
    assert len(pd.read_parquet(out)) == len(read(Path(ENTIRE)).entries)
    again = json.loads(simbudget(str(out), "--json").stdout)
    assert again["tokens"] == json.loads(simbudget(ENTIRE, "--json").stdout)["tokens"]


def test_without_a_log_the_usual_places_are_searched(tmp_path: Path) -> None:
    folder = tmp_path / ".claude" / "projects" / "work"
    folder.mkdir(parents=True)
    write(folder / "session.jsonl", SESSION)
    done = simbudget(home=tmp_path)
    assert done.returncode == 0 and "Found 1 run, 3 model calls" in done.stdout
    assert "Claude Code" in done.stdout and "Codex" in done.stdout


def test_nothing_in_the_usual_places_is_one_clear_line(tmp_path: Path) -> None:
    done = simbudget(home=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "give files or folders with logs" in done.stderr


def test_lines_that_cannot_be_read_are_told_with_place_and_reason(tmp_path: Path) -> None:
    write(tmp_path / "cut.jsonl", SESSION, end='\n{"type": "assis')
    done = simbudget(
        "cut.jsonl", folder=tmp_path
    )  # a short name, so that its line of the table does not wrap
    assert done.returncode == 0 and "1 lines or files could not be read" in done.stdout
    assert "cut.jsonl" in done.stdout and "the file ends within this line" in done.stdout


def test_mistakes_are_one_clear_line(tmp_path: Path) -> None:
    binary = tmp_path / "it"
    binary.write_bytes(bytes(range(256)))
    for arguments in ([str(binary)], ["nowhere"], [ENTIRE, "-o", "a.xlsx"], [ENTIRE, "--columns", "when"]):
        done = simbudget(*arguments)
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert done.stderr.startswith("error:")


def test_a_column_that_a_table_does_not_have_is_a_mistake_unless_it_is_a_value(tmp_path: Path) -> None:
    table = tmp_path / "calls.csv"
    table.write_text("when,in,out\n2026-10-01T10:00:00Z,1000,200\n")
    done = simbudget(str(table), "--columns", "started=wen,input=in")
    assert done.returncode == 2
    assert "calls.csv has no such column; write one of when" in done.stderr
    right = ("--columns", "started=when,input=in,output=out,model=claude-haiku-4-5,calls=1")
    done = simbudget(str(table), *right, "-o", str(tmp_path / "out.csv"))
    assert done.returncode == 0, done.stderr
    assert pd.read_csv(tmp_path / "out.csv")["model"].unique().tolist() == ["claude-haiku-4-5"]
