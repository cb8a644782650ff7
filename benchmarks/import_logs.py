"""How long `simbudget import` takes to make a ledger of a gigabyte of one format's lines, and its memory at the peak.

The lines are a real session's, repeated with ids and times of their own, so that nothing is left out as repeated.
The file is made in a temporary folder and deleted. Processor seconds are of the one process; the clock's seconds
depend on what else the machine does.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SESSIONS = Path("tests/data/logs/entireio-cli")
PER_RUN = 400
"""Copies of the session after which a new session begins."""
PADDING = "x" * 1500
"""Stands for the text of messages, which the session at hand lacks."""


def copies(lines: list[dict[str, Any]]) -> Iterator[bytes]:
    """Yield the session's lines without end, each copy with ids of its own."""
    number = 0
    while True:
        for line in lines:
            yield renamed(line, number)
        number += 1


def renamed(line: dict[str, Any], number: int) -> bytes:
    """Return a line as it stands in copy `number`."""
    text = json.dumps({**line, "padding": PADDING}, separators=(",", ":"))
    for key in ("uuid", "requestId", "parentUuid"):
        if line.get(key):
            text = text.replace(line[key], f"{line[key]}-{number}")
    for prefix in ("toolu_", "msg_"):
        text = text.replace(f'"{prefix}', f'"{prefix}{number}-')
    session = line.get("sessionId")
    return (text.replace(session, f"{session}-{number // PER_RUN}") if session else text).encode() + b"\n"


def make(path: Path, size: int) -> int:
    """Write a log of `size` bytes, and return how many lines it has."""
    with gzip.open(next(SESSIONS.glob("13da966e*"))) as stream:
        lines = [json.loads(line) for line in stream]
    written = count = 0
    with path.open("wb") as out:
        for line in copies(lines):
            written += out.write(line)
            count += 1
            if written >= size:
                return count
    return count


def measure(path: Path) -> tuple[float, float, float, int]:
    """Return the seconds, the processor's seconds, the peak memory in MB and the calls of one import."""
    out = path.with_suffix(".parquet")
    command = (sys.executable, "-m", "simbudget", "import", str(path), "-o", str(out), "--json")
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the import of {path} failed")
    peak_mb = used.ru_maxrss / 1024
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, peak_mb, json.loads(told)["calls"]


def main() -> None:
    """Measure, smallest first, and print a table; with --write also into import_logs.md."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--megabytes", type=int, nargs="+", default=[10, 250, 500, 1000, 2000])
    arguments = parser.parse_args()
    lines = [
        "| MB of lines | lines | calls | seconds | processor seconds | peak memory, MB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for megabytes in sorted(arguments.megabytes):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "session.jsonl"
            count = make(path, megabytes * 10**6)
            took_s, processor_s, peak_mb, calls = measure(path)
        lines.append(
            f"| {megabytes:,} | {count:,} | {calls:,} | {took_s:.0f} | {processor_s:.1f} | {peak_mb:,.0f} |"
        )
    table = "\n".join(lines)
    print(table)
    if arguments.write:
        Path(__file__).with_suffix(".md").write_text(
            f"# Reading logs\n\n{(__doc__ or '').strip()}\n\n{table}\n"
        )


if __name__ == "__main__":
    main()
