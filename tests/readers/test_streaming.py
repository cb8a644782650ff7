"""Logs of any size: what does not fit into memory lies in temporary files, and the ledger is the same."""

import errno
import json
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from simbudget.errors import UserError
from simbudget.ledger.found import summarise
from simbudget.ledger.imported import ImportedLedger, StreamedLedger
from simbudget.ledger.readers import columns, read_logs, scratch, stream_logs
from simbudget.ledger.stored import write_ledger
from tests.readers.sessions import REAL, SESSION, Line, answers, asks, read, results, write

Shrink = Callable[[int, int], None]


@pytest.fixture
def shrink(monkeypatch: pytest.MonkeyPatch) -> Shrink:
    """Return what makes room in memory for so many rows, and so many things that were read before."""

    def to(rows: int, things: int) -> None:
        monkeypatch.setattr(columns, "BLOCK", rows)
        monkeypatch.setattr(scratch, "MOST_NEW", things)

    return to


def leaves(figures: object) -> list[object]:
    """Return all figures in a row; sums may differ in their last digits, by the order of adding."""
    if isinstance(figures, dict):
        return [leaf for name, value in figures.items() for leaf in (name, *leaves(value))]
    if isinstance(figures, list):
        return [leaf for value in figures for leaf in leaves(value)]
    return [pytest.approx(figures, rel=1e-12) if isinstance(figures, float) else figures]


@pytest.mark.parametrize(("rows", "things"), [(23, 5), (100, 1), (33, 10_000)])
def test_a_ledger_is_the_same_however_little_fits_into_memory(shrink: Shrink, rows: int, things: int) -> None:
    whole = read(REAL)
    shrink(rows, things)
    parts = stream_logs([REAL])
    assert len(list(parts.batches())) > 5
    again = parts.whole()
    pd.testing.assert_frame_equal(again.entries, whole.entries, check_exact=True)
    pd.testing.assert_frame_equal(again.runs, whole.runs, check_exact=True)
    assert again.unread == whole.unread
    assert leaves(summarise(parts)) == leaves(summarise(whole))


def test_a_parquet_file_in_parts_holds_what_one_in_one_part_holds(shrink: Shrink, tmp_path: Path) -> None:
    write_ledger(read(REAL), tmp_path / "whole.parquet")
    write_ledger(read(REAL), tmp_path / "whole.csv")
    shrink(50, 50)
    for name in ("parts.parquet", "parts.csv"):
        write_ledger(stream_logs([REAL]), tmp_path / name)
    for there in (pd.read_parquet, read):
        one, other = (there(tmp_path / f"{name}.parquet") for name in ("whole", "parts"))
        if isinstance(one, ImportedLedger):
            pd.testing.assert_frame_equal(one.runs.drop(columns="path"), other.runs.drop(columns="path"))
            one, other = one.entries, other.entries
        pd.testing.assert_frame_equal(one, other, check_exact=True, check_categorical=False)
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_what_a_later_file_says_of_a_message_reaches_its_entry_on_the_disk(
    shrink: Shrink, tmp_path: Path
) -> None:
    placeholder = answers(5, "a", usage={"output_tokens": 3}, stop_reason=None)
    others = [answers(10 + number, str(number)) for number in range(20)]
    final = answers(50, "a", usage={"output_tokens": 800}, sessionId="session-2")
    first = write(tmp_path / "a", [asks(0), placeholder, *others])
    shrink(4, 4)
    ledger = read(first, write(tmp_path / "b", [asks(49, sessionId="session-2"), final]))
    calls = ledger.entries[ledger.entries["kind"] == "call"]
    assert len(calls) == 21 and calls["output_tokens"].iloc[0] == 800


def test_a_gap_between_two_parts_is_a_gap(shrink: Shrink, tmp_path: Path) -> None:
    of_agent = {"isSidechain": True, "agentId": "s"}
    later = [{**asks(1, **of_agent), "timestamp": "2026-06-01T14:00:00Z"}]
    later += [{**answers(2, "b", **of_agent), "timestamp": "2026-06-01T14:00:10Z"}]
    path = write(tmp_path / "a", [asks(0), answers(5, "a"), *later])
    whole = summarise(read(path))["gaps"]
    assert whole["count"] == 1
    shrink(1, 1)
    assert summarise(stream_logs([path]))["gaps"] == whole


def test_a_temporary_file_is_written_whole_by_a_disk_that_takes_a_little_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_all = scratch.os.pwrite
    monkeypatch.setattr(scratch.os, "pwrite", lambda file, content, at: write_all(file, content[:3], at))
    file = scratch.ScratchFile()
    file.write_at(5, b"what is to be there")
    found = bytearray(19)
    file.read_into(5, found)
    assert bytes(found) == b"what is to be there"


def long_session(turns: int) -> Iterator[Line]:
    for turn in range(turns):
        tool = f"t{turn}"
        yield answers(turn % 3600, f"m{turn}", [tool])
        yield results(turn % 3600, tool)


def peak_of_reading(path: Path) -> int:
    tracemalloc.start()
    try:
        summarise(stream_logs([path]))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def growth(tmp_path: Path) -> float:
    """Return how many times the memory of reading grows if a log is four times as long."""
    short = write(tmp_path / "short", long_session(1000))
    long = write(tmp_path / "long", long_session(4000))
    peak_of_reading(short)  # what is read once, such as the price list
    return peak_of_reading(long) / peak_of_reading(short)


def test_a_log_of_four_times_the_length_takes_hardly_more_memory(shrink: Shrink, tmp_path: Path) -> None:
    shrink(900, 900)
    assert growth(tmp_path) < 1.25


def test_holding_all_rows_in_memory_would_take_more(tmp_path: Path) -> None:
    assert growth(tmp_path) > 2


def interrupted(ledger: ImportedLedger) -> StreamedLedger:
    """Return a ledger whose reader presses Ctrl-C after the first entries."""

    def entries() -> Iterator[pd.DataFrame]:
        yield ledger.entries
        raise KeyboardInterrupt

    return StreamedLedger(ledger.runs, ledger.unread, entries)


@pytest.mark.parametrize("name", ["ledger.parquet", "ledger.csv"])
def test_an_interrupted_writing_leaves_what_was_there_before_and_nothing_else(
    tmp_path: Path, name: str
) -> None:
    ledger = read(write(tmp_path / "log", SESSION))
    write_ledger(ledger, tmp_path / name)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(KeyboardInterrupt):
        write_ledger(interrupted(ledger), tmp_path / name)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def run_import(*arguments: str, most_bytes: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run `simbudget import`, on a disk on which no file may be larger than so many bytes."""

    def limit() -> None:
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    command = [sys.executable, "-m", "simbudget", "import", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, preexec_fn=limit)


@pytest.mark.parametrize("name", ["ledger.parquet", "ledger.csv"])
def test_a_ledger_that_finds_no_room_is_one_clear_line_and_no_file(tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    done = run_import(str(REAL / "entireio-cli"), "-o", str(out), most_bytes=4096)
    assert done.returncode == 2 and done.stderr.startswith(
        f"error: {out}: could not be written: file too large"
    )
    assert len(done.stderr.splitlines()) == 1 and not list(tmp_path.iterdir())


def test_temporary_files_that_find_no_room_are_one_clear_line(
    shrink: Shrink, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    shrink(20, 1000)
    monkeypatch.setattr(scratch.os, "pwrite", full)
    with pytest.raises(UserError, match=r"temporary files in .*: no space left on device; .*TMPDIR"):
        read(REAL / "entireio-cli")


def test_a_place_where_nothing_can_be_written_is_told_before_anything_is_read(tmp_path: Path) -> None:
    done = run_import(str(tmp_path / "no-log-either"), "-o", str(tmp_path / "nowhere" / "a.parquet"))
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"error: {tmp_path / 'nowhere'}: there is no such folder")


def test_a_file_that_vanishes_before_its_turn_is_reported_and_the_others_are_read(tmp_path: Path) -> None:
    write(tmp_path / "a", SESSION)
    write(tmp_path / "b", [asks(0, sessionId="other"), answers(3, "z", sessionId="other")])

    def takes_away(path: Path) -> None:
        if path.name == "a":
            (tmp_path / "b").unlink()

    ledger = read_logs([tmp_path], begins=takes_away)
    assert len(ledger.entries) == 5
    assert [(Path(each.path).name, each.why) for each in ledger.unread] == [
        ("b", "no such file or directory")
    ]


def test_a_file_that_grows_while_others_are_read_is_read_as_far_as_it_is_then(tmp_path: Path) -> None:
    path = write(tmp_path / "a", SESSION)

    def goes_on(_: Path) -> None:
        with path.open("a") as log:
            log.write(f"{json.dumps(answers(40, 'd'))}\n{json.dumps(answers(50, 'e'))[:60]}")

    ledger = read_logs([path], begins=goes_on)
    assert (ledger.entries["kind"] == "call").sum() == 4
    assert [each.why for each in ledger.unread] == ["the file ends within this line"]


def test_a_document_that_is_too_large_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simbudget.ledger.readers.files.LARGEST_DOCUMENT", 1 << 20)
    stats = {"instance_cost": 1.0, "tokens_sent": 10, "tokens_received": 5, "api_calls": 1}
    document = {
        "info": {"model_stats": stats},
        "trajectory": [{"action": "ls", "observation": "x" * (1 << 20)}],
    }
    path = tmp_path / "a.traj"
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match="one JSON document of more than 1 MB"):
        read(path)


def test_a_first_line_longer_than_the_beginning_that_is_looked_at_is_no_obstacle(tmp_path: Path) -> None:
    first, *others = SESSION
    ledger = read(write(tmp_path / "a", [{**first, "padding": "x" * (1 << 20)}, *others]))
    assert len(ledger.entries) == 5 and set(ledger.entries["source"]) == {"claude-code"}
