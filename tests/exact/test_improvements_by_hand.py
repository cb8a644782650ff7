"""Improvements as results, and the clock with reviews and gates in it, equal a calculation by hand in both engines."""

import pytest

from simbudget.engine import compiled, reference
from simbudget.engine.lowering import lower
from simbudget.projection.run import Options, project
from tests.running import one_agent, scenario

ENGINES = pytest.mark.parametrize(
    "simulate", [reference.simulate, compiled.simulate], ids=["reference", "compiled"]
)

# Qualities of the four submissions: 0.2, 0.6, 0.8, 0.9; each leads, and they add 0.2, 0.4, 0.2 and 0.1.
SEARCH = (
    "explores: 0%, refines: 100%, gain: 0.5, first_quality: 0.2, hacks: 0%, transfers: CORE, real_share: REAL, "
    "finalists: FINALISTS, unit: improvement"
)
TEXT = one_agent(
    "[score: {}]",
    f"scorer: {{time: 1 min}}\nstop: {{after: 1 day, cycles_per_agent: 4}}\nresearch: {{{SEARCH}}}\n"
    "gates: [{keeps: 100%, smallest_effect: 0.15, price: 10 $/try}]",
)


def text(core: str, real: str, finalists: int) -> str:
    return TEXT.replace("CORE", core).replace("REAL", real).replace("FINALISTS", f"{finalists}")


@ENGINES
@pytest.mark.parametrize(
    ("core", "real", "finalists", "true", "untried", "spend"),
    [
        ("0%", "100%", 9, 2, 0, 40),  # 0.4 and 0.2 hold; 0.1 is too small; the first version has no core
        ("100%", "100%", 9, 3, 0, 40),
        ("100%", "0%", 9, 1, 0, 40),
        ("100%", "100%", 2, 1, 2, 20),  # the two best scores: 0.8, which added 0.2, and 0.9, which added 0.1
    ],
)
def test_each_submission_that_led_counts_by_what_it_added(  # noqa: PLR0913, PLR0917
    simulate: object, core: str, real: str, finalists: int, true: int, untried: int, spend: float
) -> None:
    assert callable(simulate)
    totals = simulate(lower(scenario(text(core, real, finalists)))).totals
    assert totals["kept"] == 4
    assert totals["methods"] == 1
    assert totals["transferable_true"] == totals["transferable_found"] == true
    assert totals["transferable_expected"] == true  # nothing is left to chance
    assert totals["transferable_untried"] == untried
    assert totals["finalists"] == min(finalists, 4)
    assert totals["spend_gates_usd"] == pytest.approx(spend)


@ENGINES
def test_as_one_method_the_same_search_is_one_result(simulate: object) -> None:
    assert callable(simulate)
    totals = simulate(
        lower(scenario(text("0%", "100%", 9).replace("unit: improvement", "unit: method")))
    ).totals
    assert totals["transferable_true"] == 1
    assert totals["spend_gates_usd"] == pytest.approx(10)
    assert totals["kept"] == 4


def test_improvements_that_too_few_finalists_leave_untried_are_noted_with_what_to_write() -> None:
    capped = project(scenario(text("100%", "100%", 2)), Options(1, 4))
    assert any("`research: {finalists: 4}`" in note for note in capped.notes)
    assert capped.as_json()["research"]["kept"]["mean"] == 4
    enough = project(scenario(text("100%", "100%", 4)), Options(1, 4))
    assert not any("finalists" in note for note in enough.notes)


@ENGINES
def test_the_wall_clock_runs_until_the_last_review_and_gate_have_ended(simulate: object) -> None:
    assert callable(simulate)
    more = (
        "scorer: {time: 1 min}\nstop: {after: 1 day, cycles_per_agent: 2}\n"
        "review: {of: all, time: 1 h, hours: always}\n"
        "research: {explores: 100%, hacks: 0%, blames: 0%}\n"
        "gates: [{keeps: 100%, time: 3 h}, {keeps: 100%, time: 2 h}]"
    )
    totals = simulate(lower(scenario(one_agent("[score: {}]", more)))).totals
    assert totals["run_hours"] * 60 == pytest.approx(2)
    # Scores after 1 and 2 minutes; one reviewer is done after 61 and 121; then 3 and 2 hours of gates.
    assert totals["wall_clock_hours"] * 60 == pytest.approx(121 + 180 + 120)
    without = simulate(
        lower(scenario(one_agent("[score: {}]", more.split("\nreview", maxsplit=1)[0])))
    ).totals
    assert without["wall_clock_hours"] == without["run_hours"]
