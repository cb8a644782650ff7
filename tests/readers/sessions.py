"""Claude Code sessions written by hand, and reading what a test wrote."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from simbudget.ledger.imported import ImportedLedger
from simbudget.ledger.readers import read_logs

REAL = Path(__file__).parents[1] / "data" / "logs"
"""Logs of real runs."""

Line = dict[str, Any]


def at(second: float) -> str:
    """Return a moment, so many seconds after an arbitrary one."""
    return f"2026-06-01T10:{int(second) // 60:02}:{int(second) % 60:02}.{int(second * 1000) % 1000:03}Z"


def asks(second: float, **more: Any) -> Line:
    """Return the line of a person's prompt."""
    return _line("user", second, {"message": {"role": "user", "content": ""}, **more})


def answers(second: float, message: str, tools: Iterable[str] = (), **more: Any) -> Line:
    """Return the line of a message; `usage` and `stop_reason` may be given."""
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 2000,
        "cache_read_input_tokens": 30000,
        "output_tokens": 400,
        **more.pop("usage", {}),
    }
    content = [{"type": "tool_use", "id": tool, "name": "Bash"} for tool in tools]
    said = {
        "id": message,
        "model": more.pop("model", "claude-opus-4-6"),
        "usage": usage,
        "stop_reason": more.pop("stop_reason", "end_turn"),
        "content": content,
    }
    return _line("assistant", second, {"requestId": f"req-{message}", "message": said, **more})


def results(second: float, tool: str, **more: Any) -> Line:
    """Return the line of a tool's result."""
    block = {"type": "tool_result", "tool_use_id": tool}
    return _line("user", second, {"message": {"role": "user", "content": [block]}, **more})


def _line(kind: str, second: float, rest: Line) -> Line:
    named = {"sessionId": "session-1", "uuid": f"{kind}-{second}-{json.dumps(rest, sort_keys=True)}"}
    return {"type": kind, "timestamp": at(second), "isSidechain": False, **named, **rest}


SESSION = (
    asks(0),
    answers(5, "a", tools=["t1"]),
    results(12, "t1"),
    answers(20, "b", tools=["t2"]),
    results(21, "t2"),
    answers(30, "c"),
)
"""Three calls of 5, 8 and 9 seconds, and two tools of 7 and 1."""


def write(path: Path, lines: Iterable[Line], end: str = "\n") -> Path:
    """Write lines as JSON."""
    path.write_text("\n".join(json.dumps(line) for line in lines) + end)
    return path


def read(*paths: Path) -> ImportedLedger:
    """Return the ledger of files."""
    return read_logs(paths)
