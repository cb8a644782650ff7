"""A local model server in a process of its own, for tests."""

import datetime
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simbudget.guard.usage import usage_of
from simbudget.pilot.model_server.journal import Journal
from simbudget.pricing.catalogue import rates
from simbudget.pricing.charge import charge

MODEL = "claude-opus-4-6"
FAST = f"""
simbudget: 1
fleet: [{{agents: 2, model: {MODEL}}}]
cycle: [{{think: {{turns: 3}}}}, {{experiment: {{gpus: 1, time: 1 min}}}}, {{score: {{}}}}, {{share: {{}}}}]
turn: {{output_tokens: 60, tool_result_tokens: 100, tool_time: 1 s}}
models: {{{MODEL}: {{first_token: 1 s, output_speed: 60 tokens/s}}}}
prices: {{on: 2026-06-01}}
gpus: {{count: 2, price: 2 $/h, billing: on demand}}
stop: {{after: 1 day}}
"""
"""At a time scale of 60 a call takes a thirtieth of a second."""


@dataclass(frozen=True)
class RunningProvider:
    """A model server that answers."""

    url: str
    journal: Path
    process: "subprocess.Popen[str]"

    def billed(self) -> dict[str, float]:
        """Return what the server billed, by request, in US dollars."""
        books = Journal(self.journal)
        try:
            return {name: charge(usage_of(usage), RATES).total_usd for name, usage in books.usages().items()}
        finally:
            books.close()


RATES = rates(MODEL, datetime.date(2026, 6, 1))


@contextmanager
def providing(folder: Path, scenario: str = FAST, **settings: Any) -> Iterator[RunningProvider]:
    """Run a model server for a while."""
    file, journal = folder / "scenario.yaml", folder / "provider.sqlite"
    file.write_text(scenario)
    stated = {"scenario": str(file), "journal": str(journal), "began_unix_s": time.time(), "time_scale": 60.0}
    path = folder / "model_server.json"
    path.write_text(json.dumps({**stated, **settings}))
    command = [sys.executable, "-m", "simbudget.pilot.model_server", str(path)]
    with (
        (folder / "model_server.log").open("w") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdin is not None
        url = process.stdout.readline().split()[1]
        yield RunningProvider(url, journal, process)
        process.stdin.close()
