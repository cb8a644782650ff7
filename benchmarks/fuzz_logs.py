"""Damaged logs of every format, and what `simbudget import` makes of them: never a traceback, never silence.

Files of every format that the tests have are damaged in one of a dozen ways, by a seed: values of another type,
missing keys, numbers that cannot be, broken bytes, NULs, cut ends, depth without end, huge lines, damaged gzip streams.
They are read together with a good neighbour. Then the neighbour has to be read whole, and the damaged file has to be
named: by a run that it gave, or among what could not be read. `--files 20000` is what the project is held to.
"""

import argparse
import gzip
import json
import random
import resource
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from simbudget.errors import UserError
from simbudget.ledger.found import summarise
from simbudget.ledger.readers import stream_logs

DATA: Final = Path(__file__).parents[1] / "tests" / "data"
GOOD: Final = DATA / "formats" / "cost-trace.jsonl"
GOOD_TOKENS: Final = 83_000
_LARGEST: Final = 60_000
"""Bytes of a file that are damaged; the beginning of a log has all kinds of its lines."""

_TOGETHER: Final = 25
"""Files that are read at once; fewer than there are bases, so that none of them is damaged twice in one reading."""

Value = Any
ODD: Final[tuple[Value, ...]] = (
    None,
    True,
    -1,
    0,
    1e300,
    -1e300,
    10**30,
    float("nan"),
    float("inf"),
    "",
    "x" * 5000,
    "NaN",
    "1e999",
    "\0",
    "\ud800".encode("utf-8", "replace").decode(),
    [],
    {},
    [[]],
    {"type": {}},
    [{"a": [1]}],
    "2026-13-45T99:99:99Z",
    "9999-12-31T23:59:59Z",
)


@dataclass(frozen=True)
class Outcome:
    """What became of one damaged file."""

    way: str
    base: str
    fault: str
    """Empty if all was as it has to be."""


@cache
def bases() -> list[Path]:
    """Return one file of each kind that the tests have."""
    found = [path for path in sorted(DATA.rglob("*")) if path.is_file() and path.name != "expected.csv"]
    return [
        path for path in found if {"formats", "logs"} & set(path.parts) and path.suffix not in (".md", ".txt")
    ]


@cache
def plain(path: Path) -> bytes:
    """Return the beginning of a file, unzipped."""
    content = path.read_bytes()
    content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    if len(content) <= _LARGEST or content[:1] not in b"{[":
        return content[:_LARGEST]
    cut = content.rfind(b"\n", 0, _LARGEST)
    return content[: cut + 1] if cut > 0 else content


def _places(value: Value, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from _places(part, (*path, key))


def _changed(value: Value, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Value:
    """Return a JSON value in which something was done at a place."""
    if not path:
        return None
    at = value
    for key in path[:-1]:
        at = at[key]
    change(at, path[-1])
    return value


def _documents(content: bytes) -> tuple[list[Value], bool]:
    """Return the JSON values of a file, and whether they are lines."""
    try:
        return [json.loads(content)], False
    except ValueError:
        pass
    found = []
    for line in content.split(b"\n"):
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found, True


def _in_json(content: bytes, chance: random.Random, change: Callable[[Any, Any], None]) -> bytes:
    values, are_lines = _documents(content)
    if not values:
        return _bytes(content, chance)
    for _ in range(chance.choice((1, 1, 2, 5))):
        place = chance.randrange(len(values))
        paths = list(_places(values[place]))
        if len(paths) > 1:
            values[place] = _changed(values[place], chance.choice(paths[1:]), change)
    return b"\n".join(json.dumps(value).encode() for value in values) + (b"\n" if are_lines else b"")


def _odd_values(content: bytes, chance: random.Random) -> bytes:
    def change(at: Any, key: Any) -> None:
        at[key] = deepcopy(chance.choice(ODD))

    return _in_json(content, chance, change)


def _missing_keys(content: bytes, chance: random.Random) -> bytes:
    def change(at: Any, key: Any) -> None:
        del at[key]

    return _in_json(content, chance, change)


def _same_key_everywhere(content: bytes, chance: random.Random) -> bytes:
    """Give one key another type on all lines, as a new version of a tool would."""
    values, are_lines = _documents(content)
    names = [path[-1] for value in values for path in _places(value) if path and isinstance(path[-1], str)]
    if not names:
        return _bytes(content, chance)
    name, odd = chance.choice(names), chance.choice(ODD)

    def replaced(value: Value) -> Value:
        if isinstance(value, dict):
            return {key: odd if key == name else replaced(part) for key, part in value.items()}
        return [replaced(part) for part in value] if isinstance(value, list) else value

    return b"\n".join(json.dumps(replaced(value)).encode() for value in values) + (
        b"\n" if are_lines else b""
    )


def _bytes(content: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(content or b"x")
    for _ in range(chance.randint(1, 20)):
        at = chance.randrange(len(damaged))
        damaged[at : at + chance.randint(0, 8)] = chance.randbytes(chance.randint(0, 8))
    return bytes(damaged)


def _nuls(content: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + b"\0" * chance.choice((1, 10, 5000)) + content[at:]


def _cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _deep(content: bytes, chance: random.Random) -> bytes:
    opening = chance.choice((b'{"a":', b"[", b'[{"type":'))
    lines = content.split(b"\n")
    lines.insert(chance.randrange(len(lines) + 1), opening * 20_000)
    return b"\n".join(lines)


def _huge_line(content: bytes, chance: random.Random) -> bytes:
    lines = content.split(b"\n")
    filler = chance.choice((b"x", b'{"a":1},', b",", b"\t", b'"', b"9"))
    lines.insert(chance.randrange(len(lines) + 1), filler * (300_000 // len(filler)))
    return b"\n".join(lines)


def _gzip_cut(content: bytes, chance: random.Random) -> bytes:
    packed = gzip.compress(content, mtime=0)
    return packed[: chance.randrange(len(packed) + 1)] if chance.random() < 0.5 else _bytes(packed, chance)


def _newlines(content: bytes, chance: random.Random) -> bytes:
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    begin = content if chance.random() < 0.5 else b""
    return bomb.compress(begin + b"\n" * chance.choice((1000, 3_000_000))) + bomb.flush()


def _mixed_up(content: bytes, chance: random.Random) -> bytes:
    lines = content.split(b"\n")
    chance.shuffle(lines)
    return b"\n".join(lines + lines[: chance.randint(0, 3)])


def _columns(content: bytes, chance: random.Random) -> bytes:
    """Shift fields of tables, and put odd ones in."""
    lines = content.split(b"\n")
    at = chance.randrange(len(lines))
    mark = b"\t" if b"\t" in lines[0] else b","
    fields = lines[at].split(mark)
    odd = chance.choice((b"", b"NaN", b"-1", b"1e300", b'"', b"inf", b"\xff\xfe", b"2026-99-99", b"x" * 3000))
    fields[chance.randrange(len(fields))] = odd
    if chance.random() < 0.3:
        fields = fields[: chance.randrange(len(fields) + 1)]
    lines[at] = mark.join(fields)
    return b"\n".join(lines)


def _of_another(content: bytes, chance: random.Random) -> bytes:
    other = plain(chance.choice(bases()))
    lines, more = content.split(b"\n"), other.split(b"\n")
    return b"\n".join([*lines[: len(lines) // 2], *more[: chance.randint(1, 5)], *lines[len(lines) // 2 :]])


WAYS: Final = {
    "values of another type": _odd_values,
    "missing keys": _missing_keys,
    "a key of another type throughout": _same_key_everywhere,
    "broken bytes": _bytes,
    "NULs": _nuls,
    "cut short": _cut,
    "depth without end": _deep,
    "huge lines": _huge_line,
    "damaged gzip": _gzip_cut,
    "gzip of newlines": _newlines,
    "lines out of order": _mixed_up,
    "damaged fields": _columns,
    "lines of another format": _of_another,
}


def damaged(number: int, seed: int) -> tuple[str, Path, bytes]:
    """Return the way, the file that was damaged, and its content, of one of the damaged files of a seed."""
    chance = random.Random(f"{seed} {number}")
    known = bases()
    base, way = known[number % len(known)], chance.choice(list(WAYS))
    return way, base, WAYS[way](plain(base), chance)


def outcome(number: int, seed: int, folder: Path) -> Outcome:
    """Read one damaged file beside a good neighbour, and return what was wrong with that."""
    way, base, content = damaged(number, seed)
    bad = folder / f"bad-{number}"
    bad.write_bytes(content)
    try:
        named, has_good = _read([bad])
    except UserError as error:
        return Outcome(way, base.name, f"the good neighbour was not read: {error}")
    except Exception as error:  # whatever it is, it is what is looked for
        return Outcome(way, base.name, f"{type(error).__name__}: {error}")
    finally:
        bad.unlink()
    if str(bad) not in named and content != plain(GOOD):
        return Outcome(way, base.name, "not named")
    if base != GOOD and not has_good:
        return Outcome(way, base.name, "the good neighbour is missing")
    return Outcome(way, base.name, "")


def _read(bad: list[Path]) -> tuple[set[str], bool]:
    """Read damaged files and the good one, and return which files were named, and whether the good one is there."""
    ledger = stream_logs([*bad, GOOD])
    json.dumps(summarise(ledger), allow_nan=False)
    named = {*ledger.runs["path"], *(each.path for each in ledger.unread)}
    return named, str(GOOD) in set(ledger.runs["path"])


def outcomes(numbers: range, seed: int, folder: Path) -> Iterator[Outcome]:
    """Yield what became of damaged files of different bases, read together: a good one has many bad neighbours.

    Where anything is wrong with that each is read alone, which says with which.
    """
    spoilt = {folder / f"bad-{number}": damaged(number, seed) for number in numbers}
    for path, (_, _, content) in spoilt.items():
        path.write_bytes(content)
    try:
        named, has_good = _read(list(spoilt))
        is_right = has_good and all(str(path) in named for path in spoilt)
    except Exception:  # which of them it is shows when each is read alone
        is_right = False
    for path in spoilt:
        path.unlink()
    if is_right:
        yield from (Outcome(way, base.name, "") for way, base, _ in spoilt.values())
    else:
        yield from (outcome(number, seed, folder) for number in numbers)


def main() -> None:
    """Damage files, read them, and print what went wrong; exits with 1 if anything did."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    began, ways, faults = time.perf_counter(), Counter[str](), []
    with tempfile.TemporaryDirectory() as folder:
        last = arguments.first + arguments.files
        for first in range(arguments.first, last, _TOGETHER):
            numbers = range(first, min(first + _TOGETHER, last))
            for number, found in zip(numbers, outcomes(numbers, arguments.seed, Path(folder)), strict=True):
                ways[found.way] += 1
                if found.fault:
                    faults.append((number, found))
                    print(f"{number}: {found.way}, {found.base}: {found.fault}", file=sys.stderr)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took_s = time.perf_counter() - began
    lines = [
        "| damage | files |",
        "| --- | --- |",
        *(f"| {way} | {many:,} |" for way, many in sorted(ways.items())),
    ]
    lines += [
        "",
        f"{arguments.files:,} files, seed {arguments.seed}: {len(faults)} faults; peak memory {peak_mb:,.0f} MB.",
    ]
    print("\n".join(lines), f"{took_s:.0f} s.")
    if arguments.write:
        table = "\n".join(lines)
        Path(__file__).with_suffix(".md").write_text(
            f"# Damaged logs\n\n{(__doc__ or '').strip()}\n\n{table}\n"
        )
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
