"""What scenarios mean: the forms of quantities, their kinds, defaults, names, and where each came from."""

import csv
import datetime
import math
from pathlib import Path

import pytest

from simbudget.scenario.language.quantities import Kind, Quantity
from simbudget.scenario.loading import LoadedScenario, load_scenario, loads_scenario

EXAMPLE = Path(__file__).parents[1] / "data" / "aar-weak-to-strong.yaml"
BASE = "fleet: [{agents: 2}]\ncycle: [{think: {turns: 10}}]\n"
TEMPLATES = Path(__file__).parents[2] / "simbudget" / "scenario" / "templates"


def loaded(text: str) -> LoadedScenario:
    return loads_scenario(BASE + text)


def quantity(written: str, folder: Path | None = None) -> Quantity:
    text = f"{BASE}turn:\n  output_tokens: {written}\n"
    return loads_scenario(text, folder=folder).scenario.fleet[0].turn.output_tokens


def p10_p50_p90(of: Quantity) -> tuple[float, ...]:
    return tuple(of.distribution.quantile(p) for p in (0.1, 0.5, 0.9))


def test_a_range_is_the_middle_80_percent_of_a_lognormal() -> None:
    assert p10_p50_p90(quantity("20 to 60")) == pytest.approx((20, math.sqrt(20 * 60), 60))


def test_a_range_from_zero_is_the_middle_80_percent_of_a_normal() -> None:
    assert p10_p50_p90(quantity("0 to 60")) == pytest.approx((0, 30, 60))


@pytest.mark.parametrize(
    ("written", "kind", "family"),
    [
        ("9", Kind.EXACT, "constant"),
        ("5 to 5", Kind.EXACT, "constant"),
        ("2k", Kind.EXACT, "constant"),
        ("20 to 60", Kind.VARIES, "lognormal"),
        ("{unknown: 20 to 60}", Kind.UNKNOWN, "lognormal"),
        ("{varies: 20 to 60}", Kind.VARIES, "lognormal"),
        ("{varies: 20}", Kind.EXACT, "constant"),
        ("{typical: 30 to 45, varies: 2x}", Kind.BOTH, "lognormal"),
        ("{typical: 30, varies: 2x}", Kind.VARIES, "lognormal"),
        ("{distribution: lognormal, p10: 20, p90: 60}", Kind.VARIES, "lognormal"),
        ("{distribution: normal, p10: 20, p90: 60}", Kind.VARIES, "normal"),
        ("{distribution: uniform, low: 20, high: 60}", Kind.VARIES, "uniform"),
        ("{distribution: triangular, low: 20, mode: 30, high: 60}", Kind.VARIES, "triangular"),
        ("{distribution: beta, mean: 0.3, weight: 10}", Kind.VARIES, "beta"),
        ("{distribution: beta, mean: 0.3, p10: 0.1}", Kind.VARIES, "beta"),
        ("{distribution: gamma, mean: 30, cv: 0.5}", Kind.VARIES, "gamma"),
        ("{distribution: discrete, values: [1, 5, 9], weights: [1, 2, 1]}", Kind.VARIES, "discrete"),
        ("{unknown: {distribution: uniform, low: 20, high: 60}}", Kind.UNKNOWN, "uniform"),
    ],
)
def test_every_form_of_a_quantity_has_its_kind_and_family(written: str, kind: Kind, family: str) -> None:
    read = quantity(written)
    assert (read.kind, read.distribution.family) == (kind, family)


def test_typical_and_varies_give_the_median_and_p90_over_median() -> None:
    both = quantity("{typical: 30 to 45, varies: 2x}")
    assert (both.spread, p10_p50_p90(both)[::2]) == (2.0, pytest.approx((30, 45)))
    assert p10_p50_p90(quantity("{typical: 30, varies: 2x}"))[1:] == pytest.approx((30, 60))


def test_weights_of_a_discrete_distribution_are_probabilities() -> None:
    read = quantity("{distribution: discrete, values: [9, 1, 5], weights: [1, 1, 2]}")
    assert read.distribution.mean() == pytest.approx((9 + 1 + 2 * 5) / 4)


def test_an_empirical_distribution_is_the_column_beside_the_scenario(tmp_path: Path) -> None:
    with (tmp_path / "jobs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("name", "tokens"), ("a", 3), ("b", 5), ("c", ""), ("d", 10)])
    read = quantity("{distribution: empirical, file: jobs.csv, column: tokens}", tmp_path)
    assert (read.kind, read.distribution.mean()) == (Kind.VARIES, pytest.approx(6.0))


FACTS = {
    "gpus.price": "gpus: {price: 2 to 4 $/h}",
    "api.error_rate": "api: {error_rate: 1% to 3%}",
    "scorer.noise": "scorer: {noise: 0.02 to 0.05}",
    "scorer.price": "scorer: {price: 0.1 to 0.2 $/call}",
    "research.transfers": "research: {transfers: 1% to 20%}",
    "research.hacks": "research: {hacks: 1% to 3%}",
}
VARYING = {
    "research.first_quality": "research: {first_quality: 0 to 0.4}",
    "research.gain": "research: {gain: 0.1 to 0.4}",
    "turn.tool_time": "turn: {tool_time: 2 s to 90 s}",
    "scorer.time": "scorer: {time: 20 s to 3 min}",
    "forum.post_tokens": "forum: {post_tokens: 100 to 200}",
    "api.gives_up_for": "api: {gives_up_for: 1 min to 5 min}",
}


@pytest.mark.parametrize("name", [*FACTS, *VARYING])
def test_a_bare_range_is_unknown_for_facts_and_varies_elsewhere(name: str) -> None:
    kinds = {row.name: row.kind for row in loaded({**FACTS, **VARYING}[name]).provenance}
    assert kinds[name] == ("unknown" if name in FACTS else "varies")


def test_yaml_1_1_makes_no_truth_values_or_times_of_words() -> None:
    scenario = loaded("prices: {on: 2026-03-01}\nstop: {begins: Tue 9:30}\nname: no\n").scenario
    assert scenario.prices.on == datetime.date(2026, 3, 1)
    assert (scenario.stop.begins_s, scenario.name) == (86400 + 9.5 * 3600, "no")


def test_a_date_tells_the_day_of_the_week() -> None:
    stop = loaded("stop: {begins: 2026-03-04 9:00}").scenario.stop
    assert (stop.begins_on, stop.begins_s) == (datetime.date(2026, 3, 4), 2 * 86400 + 9 * 3600)


def test_anchors_and_merge_keys_work() -> None:
    text = "turn: &t {output_tokens: 7}\nfleet: [{agents: 1, turn: {<<: *t, thinking_tokens: 3}}]\ncycle: [score]\n"
    turn = loads_scenario(text).scenario.fleet[0].turn
    assert (turn.output_tokens.exact_value, turn.thinking_tokens.exact_value) == (7, 3)


def test_a_group_overrides_key_by_key_and_what_it_shares_keeps_its_name() -> None:
    text = (
        "turn: {output_tokens: 7}\ncycle: [think: {turns: 3}, think: {turns: 4}]\n"
        "fleet: [{group: a, agents: 1}, {group: b, agents: 1, turn: {tool_time: 9 s}, cycle: [think: {turns: 5}]}]\n"
    )
    a, b = loads_scenario(text).scenario.fleet
    assert [step.turns.name for step in a.cycle] == ["cycle.think[0].turns", "cycle.think[1].turns"]
    assert b.cycle[0].turns.name == "fleet[b].cycle.think[0].turns"
    assert a.turn.output_tokens is b.turn.output_tokens
    assert b.turn.tool_time.name == "fleet[b].turn.tool_time"


def test_every_value_has_its_line_or_is_a_default() -> None:
    lines = EXAMPLE.read_text().splitlines()
    rows = load_scenario(EXAMPLE).provenance
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        file, _, line = row.source.rpartition(":")
        if row.name.endswith(".caching"):
            assert row.source.startswith("https://")
        elif file and not row.is_default:
            key = row.name.rpartition(".")[2].split("[")[0]
            assert file == EXAMPLE.name
            assert key in lines[int(line) - 1] or row.text in lines[int(line) - 1]
        else:
            assert row.is_default or row.source.startswith("genai-prices")


def test_the_example_means_what_it_says() -> None:
    scenario = load_scenario(EXAMPLE).scenario
    group = scenario.fleet[0]
    assert (group.group, group.agents, group.model, group.directions) == (
        "researchers",
        9,
        "claude-opus-4-6",
        9,
    )
    assert [step.kind for step in group.cycle] == ["think", "experiment", "think", "score", "share"]
    assert (group.context.limit_tokens.exact_value, group.context.lasts, group.context.cache) == (
        9e5,
        "cycle",
        "5 min",
    )
    assert (scenario.gpus.count, scenario.gpus.type, scenario.gpus.billing) == (9, "H200", "per agent")
    assert scenario.gpus.price.exact_value == 3.59
    assert (scenario.api.requests_per_min, scenario.api.input_tokens_per_min) == (4000, 2e6)
    assert (scenario.stop.after.exact_value, scenario.stop.budget) == (5 * 86400, 20_000)
    limit = scenario.limits[0]
    assert (limit.figure, limit.statistic, limit.at_most, limit.value) == ("spend", "p90", True, 20_000)
    assert scenario.scorer.noise.kind is Kind.UNKNOWN
    assert group.crashes is not None
    assert (group.crashes.every.kind, group.crashes.restart.kind) == (Kind.UNKNOWN, Kind.VARIES)


def test_what_needs_scores_gets_the_default_research() -> None:
    text = "fleet: [{agents: 1}]\ncycle: [think: {turns: 3}, score]\n"
    assert loads_scenario(text).scenario.research is None
    assert loads_scenario(text).notes == ()
    for more in ("gates: [{keeps: 50%}]", "review: {people: 1}", "stop: {target_score: 0.9}"):
        filled = loads_scenario(text + more)
        assert filled.scenario.research is not None
        assert any(row.name == "research.transfers" and row.is_default for row in filled.provenance)


def test_research_without_a_score_step_is_named() -> None:
    notes = loads_scenario("fleet: [{agents: 1}]\ncycle: [think: {turns: 3}]\nresearch: {}").notes
    assert any("`score` step" in note for note in notes)


def test_agents_that_would_start_after_the_end_are_named() -> None:
    text = "fleet: [{agents: 3, start: {then_every: 20 h}}]\ncycle: [score]\n"
    assert any("1 of 3 agents" in note for note in loads_scenario(text).notes)


@pytest.mark.parametrize(("written", "figure", "statistic", "value"), [
    ("wall_clock p50 <= 5 days", "wall_clock", "p50", 432_000.0),
    ("spend <= $20,000", "spend", "p90", 20_000.0),
    ("experiments >= 80", "experiments", "p10", 80.0),
    ("gpu_hours mean <= 800 h", "gpu_hours", "mean", 800.0),
    ("cost_per_agent_hour <= 22 $/h", "cost_per_agent_hour", "p90", 22.0),
    ("probability_within_budget >= 90%", "probability_within_budget", "mean", 0.9),
])  # fmt: skip
def test_a_limit_is_a_figure_a_statistic_and_a_value(
    written: str, figure: str, statistic: str, value: float
) -> None:
    limit = loaded(f"stop: {{budget: 100}}\nlimits:\n  - {written}\n").scenario.limits[0]
    assert (limit.figure, limit.statistic, limit.value) == (figure, statistic, value)


@pytest.mark.parametrize("template", ["minimal", "autoresearch", "aar", "benchmark"])
def test_every_template_is_a_scenario(template: str) -> None:
    assert load_scenario(TEMPLATES / f"{template}.yaml").scenario.fleet


def test_the_aar_template_means_what_the_example_does() -> None:
    assert load_scenario(TEMPLATES / "aar.yaml").scenario == load_scenario(EXAMPLE).scenario


def test_the_open_model_by_api_is_the_edit_that_its_scenario_describes() -> None:
    path = Path(__file__).parents[2] / "scenarios" / "open-model-on-own-gpus.yaml"
    text = path.read_text()
    by_api = "openrouter/z-ai/glm-4.5-air"
    assert f"write `{by_api}` for `glm` under `fleet` and `models`" in text
    left_out = ("served_on:", "replicas:", "gpus_each:", "throughput:", "at_most:", "- {name: serving,")
    kept = [line for line in text.splitlines() if not line.strip().startswith(left_out)]
    edited = (
        "\n".join(kept).replace("model: glm\n", f"model: {by_api}\n").replace("  glm:\n", f"  {by_api}:\n")
    )
    own, api = loads_scenario(text).scenario, loads_scenario(edited).scenario
    assert [pool.name for pool in own.pools] == ["training", "serving"]
    assert [pool.name for pool in api.pools] == ["training"]
    assert own.models["glm"].served_on == "serving"
    assert api.models[by_api].served_on is None
