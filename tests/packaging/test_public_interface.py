"""Everything that the command line does can be done from Python, and messages speak each interface's language."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import simbudget
from simbudget.cli.main import _COMMANDS
from simbudget.errors import UserError
from simbudget.results import Result

API = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:3] for line in API.splitlines() if line.startswith("| `")]


def test_the_page_names_a_function_for_every_command_except_the_pilot() -> None:
    named = {name for commands, _ in ROWS for name in re.findall(r"`([a-z-]+)`", commands)}
    assert set(_COMMANDS) - named == {"pilot"}


def test_every_function_that_the_page_names_is_public() -> None:
    for _, functions in ROWS:
        for name in re.findall(r"simbudget\.(\w+)", functions):
            assert name in dir(simbudget)


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(lambda _: simbudget.check("aar-weak-to-strong"), id="check"),
        pytest.param(lambda _: simbudget.list_prices("opus"), id="list_prices"),
        pytest.param(lambda _: simbudget.list_gpu_prices(), id="list_gpu_prices"),
        pytest.param(lambda _: simbudget.evidence("transfers"), id="evidence"),
        pytest.param(lambda folder: simbudget.init(folder / "new", template="aar"), id="init"),
    ],
)
def test_a_result_without_a_simulation_shows_itself_too(result, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    found = result(tmp_path)
    assert isinstance(found, Result)
    assert len(repr(found)) < 400
    assert found._repr_html_().startswith("<p><strong>")
    assert found.write(tmp_path / "out")


def test_a_scenario_is_written_where_none_is_and_from_a_template_that_exists(tmp_path: Path) -> None:
    made = simbudget.init(tmp_path / "new", template="benchmark")
    assert simbudget.load(made.path).scenario.tasks is not None
    with pytest.raises(UserError, match="a scenario already exists"):
        simbudget.init(tmp_path / "new")
    with pytest.raises(UserError, match="there is no template 'huge'"):
        simbudget.init(tmp_path / "other", template="huge")


PYTHON_STEP = """
fleet: [{group: a, agents: 1}]
cycle: [{python: {file: ../steps.py, function: act}}]
stop: {after: 1 h}
"""


def test_python_says_how_a_scenario_is_trusted_and_the_command_line_names_its_option(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(
        "def act(agent):\n    yield from agent.line.turn()\n", encoding="utf-8"
    )
    folder = tmp_path / "plans"
    folder.mkdir()
    (folder / "scenario.yaml").write_text(PYTHON_STEP, encoding="utf-8")
    with pytest.raises(UserError, match=r"simbudget\.trust\(leaves_folder=True\)"):
        simbudget.load(folder / "scenario.yaml")
    command = [sys.executable, "-m", "simbudget", "check", str(folder / "scenario.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--allow-outside" in done.stderr and "trust" not in done.stderr


def test_a_scenario_made_in_code_has_the_remarks_of_one_that_is_read() -> None:
    late = simbudget.Scenario(
        fleet=[simbudget.Group(group="a", agents=3, start={"then_every": "10 h"})],
        cycle=[simbudget.Experiment(time="30 min")],
        gpus=simbudget.Gpus(count=3, price="3 $/h"),
        stop={"after": "2 h"},
    )
    (note,) = simbudget.project(late, 1, engine="reference").notes
    assert note == "group a: 2 of 3 agents would start after the end"
