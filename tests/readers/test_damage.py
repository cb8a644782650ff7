"""Damage is counted and said, never a crash, never a guess: what makes no sense is not known."""

import gzip
import json
import math
import os
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simbudget.errors import UserError
from simbudget.ledger.entry import Entry
from simbudget.ledger.found import summarise
from simbudget.ledger.readers import read_logs
from simbudget.ledger.readers.files import MOST_VALUES, LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering
from simbudget.ledger.readers.reading import read_all
from tests.readers.sessions import REAL, SESSION, answers, asks, read, results, write

FORMATS = Path(__file__).parents[1] / "data" / "formats"
COUNTS = ["uncached_input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens"]
REAL_FILES = sorted(path for path in REAL.rglob("*") if path.suffix in (".gz", ".tsv", ".jsonl"))


def calls(path: Path) -> pd.DataFrame:
    entries = read(path).entries
    return entries[entries["kind"] == "call"]


def test_a_session_is_read_as_it_was_written(tmp_path: Path) -> None:
    ledger = read(write(tmp_path / "a", SESSION))
    entries = ledger.entries
    assert entries["kind"].tolist() == ["call", "tool", "call", "tool", "call"]
    assert entries["duration_s"].tolist() == [5, 7, 8, 1, 9]
    assert entries["started_s"].tolist() == [0, 5, 12, 20, 21]
    assert entries["output_tokens"].sum() == 1200 and not ledger.unread


def test_what_is_on_each_line_before_a_cut_is_kept_wherever_the_cut_is(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", SESSION).read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    for end in range(last + 1, len(whole) - 1, 41):
        cut = tmp_path / "cut"
        cut.write_bytes(whole[:end])
        ledger = read(cut)
        assert (ledger.entries["kind"] == "call").sum() == 2
        assert [(each.line, each.why) for each in ledger.unread] == [(6, "the file ends within this line")]


def test_a_damaged_line_in_the_middle_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    lines = [json.dumps(line) for line in SESSION]
    path = tmp_path / "a"
    path.write_text("\n".join([*lines[:3], '{"type": "assist', "[1, 2]", *lines[3:]]) + "\n")
    ledger = read(path)
    assert (ledger.entries["kind"] == "call").sum() == 3
    assert {(each.line, each.why) for each in ledger.unread} == {
        (4, "not valid JSON"),
        (5, "not a JSON object"),
    }


def test_a_clock_that_goes_back_makes_durations_that_are_not_known(tmp_path: Path) -> None:
    lines = [asks(100), answers(105, "a", ["t1"]), results(60, "t1"), answers(70, "b")]
    ledger = read(write(tmp_path / "a", lines))
    tool = ledger.entries[ledger.entries["kind"] == "tool"]
    assert tool["duration_s"].isna().all()
    assert not (ledger.entries["duration_s"] < 0).any()
    assert "the clock went back (1 times)" in ledger.runs["oddities"][0]


@pytest.mark.parametrize(
    "count", [-5, 10**12, 10**300, 1.5, "many", [], {}, True, float("nan"), float("inf")]
)
def test_a_count_that_cannot_be_is_not_known_and_noted(tmp_path: Path, count: object) -> None:
    lines = [asks(0), answers(5, "a", usage={"cache_read_input_tokens": count})]
    ledger = read(write(tmp_path / "a", lines))
    call = ledger.entries.iloc[0]
    assert pd.isna(call["cache_read_tokens"]) and call["output_tokens"] == 400
    assert pd.isna(call["cost_usd"]) and call["list_cost_usd"] > 0
    assert "impossible counts" in ledger.runs["oddities"][0]


def test_times_that_cannot_be_are_not_known(tmp_path: Path) -> None:
    for time in ("yesterday", "0001-01-01T00:00:00Z", -1, 10**40, None, {}):
        lines = [{**asks(0), "timestamp": time}, {**answers(5, "a"), "timestamp": time}]
        ledger = read(write(tmp_path / "a", lines))
        assert ledger.entries["duration_s"].isna().all() and ledger.runs["began_at"].isna().all()


def test_a_placeholder_is_not_known_until_a_line_knows_better(tmp_path: Path) -> None:
    placeholder = answers(5, "a", usage={"output_tokens": 3}, stop_reason=None)
    final = answers(9, "a", usage={"output_tokens": 800})
    assert calls(write(tmp_path / "a", [asks(0), placeholder]))["output_tokens"].isna().all()
    told = calls(write(tmp_path / "b", [asks(0), placeholder, final]))
    assert told["output_tokens"].tolist() == [800] and told["duration_s"].tolist() == [9]
    late = calls(write(tmp_path / "c", [asks(0), final, {**placeholder, "timestamp": final["timestamp"]}]))
    assert late["output_tokens"].tolist() == [800]


def test_a_session_that_was_resumed_in_another_file_under_another_id_is_counted_once(tmp_path: Path) -> None:
    resumed = [{**line, "sessionId": "session-2", "uuid": f"again-{line['uuid']}"} for line in SESSION]
    more = [asks(100, sessionId="session-2"), answers(110, "d", sessionId="session-2")]
    first, second = write(tmp_path / "a", SESSION), write(tmp_path / "b", [*resumed, *more])
    ledger = read(first, second)
    kinds = ledger.entries["kind"].astype(str).value_counts()
    assert kinds["call"] == 4 and kinds["tool"] == 2
    assert ledger.entries["output_tokens"].sum() == 1600
    assert ledger.runs["repeated"].sum() == 3


def test_sub_agents_in_files_of_their_own_belong_to_the_session(tmp_path: Path) -> None:
    of_agent = {"isSidechain": True, "agentId": "a1"}
    main = write(tmp_path / "a", SESSION)
    side = write(tmp_path / "agent-a1", [asks(6, **of_agent), answers(10, "s", **of_agent)])
    ledger = read(side, main)
    assert len(ledger.runs) == 1 and ledger.runs["agents"][0] == 2
    assert ledger.entries.groupby("agent").size().sort_values().tolist() == [1, 5]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "an empty file"),
        (bytes(range(256)) * 64, "a binary file"),
        (b"\x1f\x8b\x08\x00damaged", "damaged gzip stream"),
        (b"PAR1 and no more", "no log of a known format"),
        (b"SQLite format 3\0 and no more", "a binary file"),
        (b"Dear diary,\n", "no log of a known format"),
    ],
)
def test_a_file_that_is_no_log_is_one_clear_line(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "it"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(path)
    assert why in str(caught.value) and "\n" not in str(caught.value).strip()


def test_a_file_that_is_no_log_does_not_keep_others_from_being_read(tmp_path: Path) -> None:
    noise = tmp_path / "noise"
    noise.write_bytes(random.Random(1).randbytes(10_000))
    ledger = read(write(tmp_path / "a", SESSION), noise)
    assert len(ledger.entries) == 5
    assert [each.why for each in ledger.unread] == ["a binary file of no known format"]


def test_one_damaged_file_does_not_end_the_import_of_the_good_ones(tmp_path: Path) -> None:
    good = write(tmp_path / "good", SESSION)
    bad = write(tmp_path / "bad", [{"type": {}}, {"type": ["user"]}])
    for ledger in (read(tmp_path), read(bad, good)):
        assert len(ledger.entries) == 5
        assert [each.path for each in ledger.unread] == [str(bad)]


def test_a_reader_that_stumbles_is_reported_with_file_and_line_and_what_it_had_found_is_kept(
    tmp_path: Path,
) -> None:
    def stumbles(file: LogFile, gathering: Gathering) -> None:
        for number, _ in file.json_lines(lambda number, why: None):
            if number == 3:
                raise TypeError("unhashable type: 'dict'")
            gathering.add(
                Entry(gathering.run("a", "odd", file.path, "a").number, 0, -1, 0, 0, "call", 0, 0, 0)
            )

    path = write(tmp_path / "a", SESSION)
    ledger = read_all([path], [Format("odd", "odd log", lambda file: True, stumbles)])
    assert len(ledger.whole().entries) == 2
    (unread,) = ledger.unread
    assert (unread.path, unread.line) == (str(path), 3) and "unhashable" in unread.why


def test_a_format_that_finds_nothing_in_a_file_leaves_it_to_the_next(tmp_path: Path) -> None:
    def finds(file: LogFile, gathering: Gathering) -> None:
        gathering.add(Entry(gathering.run("a", "b", file.path, "a").number, 0, -1, 0, 0, "call", 0, 0, 0))

    formats = [
        Format("a", "first look", lambda file: True, lambda file, gathering: None),
        Format("b", "second look", lambda file: True, finds),
    ]
    ledger = read_all([write(tmp_path / "a", SESSION)], formats)
    assert len(ledger.runs) == 1 and not ledger.unread


def test_a_log_in_which_nothing_was_used_is_named_and_alone_it_is_an_error(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty", [{"type": "summary", "leafUuid": "x"}])
    with pytest.raises(UserError, match="without a call, an experiment or a cost"):
        read(empty)
    ledger = read(empty, write(tmp_path / "good", SESSION))
    assert [each.path for each in ledger.unread] == [str(empty)]


def test_files_of_no_known_format_in_a_folder_are_named(tmp_path: Path) -> None:
    write(tmp_path / "good", SESSION)
    for name in ("README.md", "notes.txt"):
        (tmp_path / name).write_text("words\n")
    assert [Path(each.path).name for each in read(tmp_path).unread] == ["README.md", "notes.txt"]


@pytest.mark.parametrize("begin", [b"", b'{"type": "summary"}\n', b'{"type": "summary"}\nx'])
def test_a_gzip_of_nothing_but_newlines_is_given_up_soon_and_named(tmp_path: Path, begin: bytes) -> None:
    good, bomb = write(tmp_path / "good", SESSION), tmp_path / "bomb.gz"
    with gzip.open(bomb, "wb") as out:
        out.write(begin)
        for _ in range(300):
            out.write(b"\n" * (1 << 20))
    ledger = read(bomb, good)
    assert len(ledger.entries) == 5
    assert {each.path for each in ledger.unread} == {str(bomb)}


def test_a_document_with_more_values_than_fit_into_memory_is_not_built(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"[" + b"[]," * (MOST_VALUES // 2 + 1) + b"0]")
    assert LogFile(path).document is None


def test_a_gzip_stream_that_ends_early_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    many = [answers(5, str(number), usage={"input_tokens": number}) for number in range(3000)]
    packed = gzip.compress(write(tmp_path / "whole", [asks(0), *many]).read_bytes())
    path = tmp_path / "cut.gz"
    path.write_bytes(packed[: len(packed) // 2])
    ledger = read(path)
    assert 100 < len(ledger.entries) < 3000
    assert any("gzip" in each.why for each in ledger.unread)


def test_a_line_of_a_hundred_megabytes_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("wb") as out:
        for line in SESSION[:3]:
            out.write(json.dumps(line).encode() + b"\n")
        for _ in range(100):
            out.write(b"x" * (1 << 20))
        out.write(b"\n")
        for line in SESSION[3:]:
            out.write(json.dumps(line).encode() + b"\n")
    ledger = read(path)
    path.unlink()
    assert (ledger.entries["kind"] == "call").sum() == 3
    assert [(each.line, each.why) for each in ledger.unread] == [(4, "longer than 64 MB")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    path = write(tmp_path / "a", SESSION)
    path.chmod(0)
    with pytest.raises(UserError, match="permission denied"):
        read(path)


def test_depth_without_end_is_not_valid_json(tmp_path: Path) -> None:
    path = write(tmp_path / "a", SESSION)
    path.write_bytes(path.read_bytes() + b'{"a":' * 50_000 + b"\n")
    assert [each.why for each in read(path).unread] == ["not valid JSON"]


def sane(path: Path) -> None:
    """Read a file and hold the ledger to what is true of every ledger."""
    try:
        ledger = read(path)
    except UserError:
        return
    entries = ledger.entries
    for name in COUNTS:
        assert not (entries[name] < 0).any()
    for name in ("duration_s", "queued_s", "cost_usd", "reported_cost_usd", "started_s"):
        values = entries[name].dropna()
        assert np.isfinite(values).all() and (name == "started_s" or (values >= 0).all())
    json.dumps(summarise(ledger), allow_nan=False)


FUZZ = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@FUZZ
@given(content=st.binary(max_size=300))
def test_bytes_without_sense_are_never_a_crash(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fuzz").write_bytes(content)
    sane(tmp_path / "fuzz")


def plain(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


@FUZZ
@given(
    which=st.sampled_from(REAL_FILES),
    places=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20),
    noise=st.lists(st.binary(min_size=1, max_size=8), min_size=20, max_size=20),
)
def test_real_logs_with_damaged_bytes_are_never_a_crash(
    tmp_path: Path, which: Path, places: list[float], noise: list[bytes]
) -> None:
    content = bytearray(plain(which)[:20_000])
    for place, bad in zip(places, noise, strict=False):
        at = int(place * len(content))
        content[at : at + len(bad)] = bad
    (tmp_path / "fuzz").write_bytes(content)
    sane(tmp_path / "fuzz")


ODD_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def replaced(value: object, target: int, odd: object) -> tuple[object, int]:
    """Return a JSON value in which its `target`-th part is another, and the count that is left."""
    if target == 0:
        return odd, -1
    target -= 1
    if isinstance(value, dict | list):
        items = list(value.items() if isinstance(value, dict) else enumerate(value))
        changed = []
        for key, part in items:
            new, target = replaced(part, target, odd) if target >= 0 else (part, target)
            changed.append((key, new))
        value = dict(changed) if isinstance(value, dict) else [part for _, part in changed]
    return value, target


@FUZZ
@given(
    which=st.sampled_from([path for path in REAL_FILES if ".jsonl" in path.name]),
    line=st.integers(0, 40),
    part=st.integers(0, 60),
    odd=ODD_VALUES,
)
def test_values_of_another_type_anywhere_are_never_a_crash(
    tmp_path: Path, which: Path, line: int, part: int, odd: object
) -> None:
    lines = plain(which).splitlines()[:60]
    at = line % len(lines)
    changed, _ = replaced(json.loads(lines[at]), part, odd)
    lines[at] = json.dumps(changed).encode()
    (tmp_path / "fuzz").write_bytes(b"\n".join(lines) + b"\n")
    sane(tmp_path / "fuzz")


@pytest.mark.parametrize("odd", [1e300, -13.87, math.inf, 1e15])
def test_costs_that_cannot_be_are_not_known_in_whatever_format_they_stand(odd: float, tmp_path: Path) -> None:
    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: odd if is_cost(key, part) else changed(part) for key, part in value.items()}
        return [changed(part) for part in value] if isinstance(value, list) else value

    def is_cost(key: str, value: Any) -> bool:
        return isinstance(value, int | float) and bool(re.search("cost|spend|usd|price", key, re.IGNORECASE))

    for path in sorted(FORMATS.glob("*.json*")):
        documents = [json.loads(line) for line in whole_or_lines(path.read_text())]
        (tmp_path / path.name).write_text("".join(json.dumps(changed(each)) + "\n" for each in documents))
    ledger = read_logs([tmp_path])
    assert len(ledger.runs) > 10
    for costs in (ledger.entries["cost_usd"], ledger.entries["reported_cost_usd"]):
        assert costs.dropna().between(0, 1000).all()
    assert ledger.runs["reported_cost_usd"].dropna().between(0, 1000).all()


def whole_or_lines(text: str) -> list[str]:
    """Return a text as one JSON document, or as the lines that each are one."""
    try:
        json.loads(text)
    except ValueError:
        return text.splitlines()
    return [text]
