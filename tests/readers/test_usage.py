"""`usage` divides what was spent in several ways, of which each adds up to the same."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from simbudget.ledger.readers import read_logs
from simbudget.ledger.summary import summarise
from simbudget.ledger.usage import By, usage

OPUS, HAIKU = "claude-opus-4-8", "claude-haiku-4-5-20251001"


def line(session: str, number: int, model: str, output: int, **more: Any) -> str:
    """Return a call of 1,000 tokens of input, on day `number` of November."""
    used = {"input_tokens": 1000, "output_tokens": output}
    told = {"id": f"{session}{number}", "model": model, "stop_reason": "end_turn", "usage": used}
    about = {"type": "assistant", "sessionId": session, "uuid": f"{session}-{number}", "cwd": "/w/my project"}
    about |= {"timestamp": f"2026-11-{number:02}T10:00:00Z", "message": told}
    return json.dumps(about | more) + "\n"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "my logs"
    folder.mkdir()
    sub = {"isSidechain": True, "agentId": "a"}
    (folder / "a.jsonl").write_text(line("a", 2, OPUS, 100) + line("a", 3, HAIKU, 1000, **sub))
    (folder / "b.jsonl").write_text(line("b", 9, OPUS, 200))
    return folder


COST_USD = 2 * 1000 * 5e-6 + 300 * 25e-6 + 1000 * 1e-6 + 1000 * 5e-6


@pytest.mark.parametrize("by", get_args(By))
def test_however_usage_is_divided_it_adds_up_to_the_same(logs: Path, by: By) -> None:
    found = usage([logs], by)
    total = found.totals()
    assert total["cost_usd"] == pytest.approx(COST_USD)
    assert (total["calls"], total["output"]) == (3, 1300)
    summary = summarise(read_logs([logs]))
    assert total["uncached_input"] == summary["tokens"]["uncached_input"] == 3000


def test_sub_agents_and_days_have_rows_of_their_own(logs: Path) -> None:
    agents = usage([logs], "agent").groups()
    assert agents["cost_usd"].to_dict() == {
        "a": pytest.approx(0.0075),
        "a · agent 1": pytest.approx(0.006),
        "b": pytest.approx(0.01),
    }
    assert list(usage([logs], "week").groups().index) == ["2026-11-02", "2026-11-09"]
    assert list(usage([logs], "project").groups().index) == ["my project"]


def test_the_next_step_can_be_copied_whatever_the_folder_is_called(logs: Path) -> None:
    assert f"next: simbudget forecast '{logs}'" in usage([logs]).notes[-1]


def test_a_cost_of_which_nothing_is_known_is_not_said_to_be_at_least_nothing(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(line("a", 2, "no-such-model", 10))
    assert usage([tmp_path]).answer() == "No cost is known of 1,010 tokens in 1 run."
