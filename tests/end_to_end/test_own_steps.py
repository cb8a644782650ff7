"""Steps that a user writes in Python beside the scenario."""

from pathlib import Path

import pytest

from simbudget.engine import reference
from simbudget.engine.lowering import lower
from simbudget.errors import UserError
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import load_scenario
from tests.running import PRICES, SPEED, TURN

SCENARIO = f"""
{SPEED}
{PRICES}
{TURN}
fleet: [{{agents: 2}}]
cycle:
  - python: {{file: steps.py, function: warm_up}}
  - think: {{turns: 1}}
stop: {{after: 1 h, cycles_per_agent: 1}}
"""

STEPS = """
def warm_up(agent):
    yield from agent.spends("tool", "tool", 60 * 10**9)
    yield from agent.line.turn()
"""


def written(folder: Path, steps: str = STEPS, scenario: str = SCENARIO) -> Path:
    (folder / "steps.py").write_text(steps)
    path = folder / "scenario.yaml"
    path.write_text(scenario)
    return path


def test_an_own_step_takes_its_time_and_makes_its_calls(tmp_path: Path) -> None:
    outcome = reference.simulate(lower(load_scenario(written(tmp_path)).scenario))
    assert outcome.totals["model_calls"] == 4
    assert outcome.totals["wall_clock_hours"] == pytest.approx((60 + 10 + 10) / 3600)


def test_a_projection_with_own_steps_falls_back_to_the_reference_engine_and_says_so(tmp_path: Path) -> None:
    scenario = load_scenario(written(tmp_path)).scenario
    projection = project(scenario, Options(replications=2, workers=1, engine="compiled"))
    assert projection.summary.engine == "reference"
    assert any(
        "steps written in Python: simulated by the reference engine" in note for note in projection.notes
    )


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            "def warm_up(agent):\n    yield from 1 / 0\n",
            "steps.py:2: the step `warm_up` failed: ZeroDivisionError",
        ),
        ("def warm_up(agent):\n    yield 3\n", "the step `warm_up` failed"),
        (
            "import nothing_such\ndef warm_up(agent): ...\n",
            "steps.py:1: the step `warm_up` failed: ModuleNotFound",
        ),
    ],
)
def test_a_step_that_fails_is_told_with_its_line(tmp_path: Path, steps: str, message: str) -> None:
    program = lower(load_scenario(written(tmp_path, steps)).scenario)
    with pytest.raises(UserError, match="failed") as error:
        reference.simulate(program)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("steps", "scenario", "message"),
    [
        (
            "def warmup(agent): ...\n",
            SCENARIO,
            "scenario.yaml:7:40: steps.py has no function `warm_up`; did you mean `warmup`?",
        ),
        ("def warm_up(:\n", SCENARIO, "steps.py:1: "),
        (STEPS, SCENARIO.replace("steps.py", "step.py"), "there is no file step.py"),
        (
            STEPS,
            SCENARIO.replace("{file: steps.py, function: warm_up}", "warm_up"),
            "write keys: `file`, `function`",
        ),
    ],
)
def test_a_mistake_in_naming_a_step_is_told_with_its_place(
    tmp_path: Path, steps: str, scenario: str, message: str
) -> None:
    with pytest.raises(UserError) as error:
        load_scenario(written(tmp_path, steps, scenario))
    assert message in str(error.value)
