"""Logs in OpenCode's export format, made with known costs."""

import json
from pathlib import Path
from typing import Any

import numpy as np

DAY_MS = 86_400_000
BEGAN_MS = 1_780_000_000_000
LIST_USD_PER_MTOK = (3.0, 15.0)
"""Input and output of Claude Sonnet 4.5 on the price list; its cache is not used here."""


def opencode_log(
    folder: Path,
    sessions: int,
    reported: float | None = None,
    model: str = "claude-sonnet-4-5",
    seed: int = 1,
) -> Path:
    """Write sessions of 8 to 20 calls, one a day, and return their folder.

    Args:
        folder: where to write.
        sessions: how many.
        reported: the cost that each call reports, relative to list prices; by default none is reported.
        model: the model of all calls; empty if the log names none.
        seed: of the calls' tokens; part of the sessions' ids, so that other seeds give other sessions.
    """
    rng = np.random.default_rng(seed)
    for number in range(sessions):
        began_ms = BEGAN_MS + number * DAY_MS
        tokens = np.column_stack(
            [4000.0 + np.cumsum(rng.exponential(600.0, 20)), rng.exponential(300.0, 20)]
        ).astype(int)
        messages = [
            _message(f"{seed}-{number}-{call}", began_ms + call * 20_000, counts.tolist(), reported, model)
            for call, counts in enumerate(tokens[: int(rng.integers(8, 21))])
        ]
        about = {
            "id": f"session-{seed}-{number}",
            "directory": "/home/me/project",
            "time": {"created": began_ms},
        }
        path = folder / f"session-{number}.json"
        path.write_text(json.dumps({"info": about, "messages": messages}), encoding="utf-8")
    return folder


def _message(name: str, at_ms: int, counts: list[int], reported: float | None, model: str) -> dict[str, Any]:
    usd = sum(count * price for count, price in zip(counts, LIST_USD_PER_MTOK, strict=True)) / 1e6
    info = {
        "id": f"message-{name}",
        "role": "assistant",
        "time": {"created": at_ms, "completed": at_ms + 8_000},
        "tokens": {
            "input": counts[0],
            "output": counts[1],
            "reasoning": 0,
            "cache": {"read": 0, "write": 0},
        },
        "finish": "stop",
    }
    if model:
        info |= {"modelID": model, "providerID": "anthropic"}
    if reported is not None:
        info["cost"] = usd * reported
    return {"info": info, "parts": []}
