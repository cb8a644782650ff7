"""Turns like those of agents that were measured."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from simbudget.cli.main import commands
from simbudget.errors import UserError
from simbudget.projection.run import Options, project
from simbudget.scenario.context import TURN_PROFILES, turn_profiles
from simbudget.scenario.loading import loads_scenario
from simbudget.scenario.reference import page, schema
from simbudget.scenario.scenario import Turn, dump

REST = """
fleet: [{agents: 2, model: claude-opus-4-6}]
cycle: [{think: {turns: 20}}]
stop: {after: 2 days, cycles_per_agent: 2}
"""


def test_the_names_that_the_schema_and_the_page_list_are_those_that_ship() -> None:
    assert tuple(turn_profiles()) == TURN_PROFILES
    assert schema()["$defs"]["Turn"]["properties"]["like"]["enum"] == list(TURN_PROFILES)
    assert all(f"`{name}`" in page() for name in TURN_PROFILES)


@pytest.mark.parametrize("name", TURN_PROFILES)
def test_a_profile_stands_for_what_is_not_written_and_loads_writes_and_projects(name: str) -> None:
    loaded = loads_scenario(f"turn: {{like: {name}, tool_time: 3 s}}{REST}")
    scenario, profile = loaded.scenario, turn_profiles()[name]
    assert scenario.turn.tool_time.exact_value == 3.0
    assert scenario.turn.output_tokens.posterior == profile.quantities["output_tokens"].posterior
    sources = {row.name: row.source for row in loaded.provenance}
    evidence = profile.quantities["output_tokens"].evidence
    assert (
        f"like {name} (n={evidence.observations:,} from {evidence.runs:,} session"
        in sources["turn.output_tokens"]
    )
    assert not sources["turn.tool_time"].startswith("like")
    text = dump(scenario)
    assert "calibration" not in text
    assert loads_scenario(text).scenario == scenario
    assert project(scenario, Options(replications=20)).summary.model_calls.p10 == 80


def test_a_turn_is_made_in_code_as_in_a_file() -> None:
    assert Turn(like="codex") == loads_scenario(f"turn: {{like: codex}}{REST}").scenario.turn
    assert Turn(like="codex") != Turn(like="opencode")


def test_a_group_s_profile_takes_the_place_of_the_scenario_s_turn() -> None:
    text = f"turn: {{tool_time: 3 s}}{REST}".replace("{agents: 2,", "{agents: 2, turn: {like: codex},")
    (group,) = loads_scenario(text).scenario.fleet
    assert group.turn.tool_time.posterior == turn_profiles()["codex"].quantities["tool_time"].posterior


def test_a_group_that_writes_a_key_keeps_the_rest_of_the_scenario_s_profile() -> None:
    text = f"turn: {{like: codex}}{REST}".replace("{agents: 2,", "{agents: 2, turn: {tool_time: 3 s},")
    scenario = loads_scenario(text).scenario
    (group,) = scenario.fleet
    assert group.turn.output_tokens == scenario.turn.output_tokens
    assert group.turn.tool_time.exact_value == 3.0
    assert loads_scenario(dump(scenario)).scenario == scenario


def test_what_joins_a_context_in_a_simulated_turn_is_what_the_profile_says() -> None:
    """The mean input of a session's second call, less the first prompt, is that of output and first tool result."""
    scenario = loads_scenario(
        "turn: {like: codex, thinking_tokens: 0}\ncontext: {first_prompt_tokens: 1000, cache: off}"
        "\nfleet: [{agents: 1, model: claude-opus-4-6}]\ncycle: [{think: {turns: 2}}]"
        "\nstop: {after: 900 days, cycles_per_agent: 1}"
    ).scenario
    sent = project(scenario, Options(replications=4000)).replications["tokens_uncached_input"].to_numpy(float)
    joined = np.log(np.maximum(sent - 2000, 1.0))
    rng = np.random.default_rng(5)
    scores, levels = rng.standard_normal((4, 160, 400))[:2], rng.standard_normal((2, 160, 400))
    quantities = turn_profiles()["codex"].quantities
    output = quantities["output_tokens"].posterior.sample(scores[0], levels[0])
    result = quantities["tool_result_tokens"].posterior.sample(scores[1], levels[1])
    times = quantities["opening.times"].posterior.draws[0, 0]
    expected = np.log(np.maximum(np.rint(output) + np.rint(times * result), 1.0)).ravel()
    error = np.hypot(joined.std() / np.sqrt(len(joined)), expected.std() / np.sqrt(160))
    assert abs(joined.mean() - expected.mean()) < 4 * error


def test_a_name_that_is_none_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean `claude-code`"):
        loads_scenario(f"turn: {{like: claude}}{REST}")


def test_check_names_the_profile(tmp_path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(f"turn: {{like: claude-code}}{REST}", encoding="utf-8")
    done = CliRunner().invoke(commands, ["check", str(path), "--json"], catch_exceptions=False)
    sources = {row["name"]: row["source"] for row in json.loads(done.stdout)["values"]}
    assert sources["turn.tool_time"].startswith("like claude-code (n=19,173 from 268 sessions of 5 projects")
