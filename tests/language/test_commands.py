"""`check` and `init` as a person runs them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "data" / "aar-weak-to-strong.yaml"


def simbudget(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "simbudget", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.parametrize("template", ["minimal", "autoresearch", "aar"])
def test_init_writes_a_commented_scenario_that_check_finds_fine(template: str, tmp_path: Path) -> None:
    wrote = simbudget("init", "--template", template, tmp_path / "plan")
    path = tmp_path / "plan" / "scenario.yaml"
    assert wrote.returncode == 0
    assert f"simbudget check {path}" in " ".join(wrote.stdout.split())
    assert path.read_text(encoding="utf-8").count("#") >= 5
    checked = simbudget("check", path)
    assert checked.returncode == 0
    assert checked.stdout.replace("\n", "").startswith(f"{path}: valid; ")


def test_init_never_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text("mine")
    refused = simbudget("init", tmp_path)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert path.read_text() == "mine"


def test_check_prints_every_value_as_json_with_its_kind_and_source() -> None:
    checked = simbudget("check", "--json", EXAMPLE)
    assert checked.returncode == 0
    values = {row["name"]: row for row in json.loads(checked.stdout)["values"]}
    turns = values["cycle.think[0].turns"]
    assert (turns["kind"], turns["text"]) == ("both", "{typical: 30 to 120, varies: 2x}")
    assert turns["source"].startswith(f"{EXAMPLE.name}:")
    assert values["turn.thinking_tokens"]["source"] == "default"


def test_check_names_every_mistake_on_a_line_of_its_own_and_ends_with_status_2(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("fleet: [{agents: 0}]\ncycle: [sleep]\nstop: {budget: $20,000}\n")
    refused = simbudget("check", path)
    assert refused.returncode == 2
    assert refused.stdout == ""
    lines = refused.stderr.splitlines()
    assert [line.split(f"{path}:")[1].split(":")[0] for line in lines] == ["1", "2", "3"]
