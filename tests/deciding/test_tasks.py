"""Deciding about tasks: the price of a solved one, how many attempts to allow, and what is said where there are none.

A worker's attempt takes a minute at $60 an hour, $1, and solves its task with a known probability: with k attempts
1 - (1 - p)^k of the tasks are solved, and a solved task costs 1 ÷ p dollars however many attempts there are.
"""

from pathlib import Path

import pytest

from simbudget.deciding.alternatives import Sample, alternatives
from simbudget.deciding.changes import Source, parse_changes
from simbudget.deciding.compare import compare
from simbudget.deciding.plan import ask, plan
from simbudget.errors import UserError
from simbudget.numbers import usd
from simbudget.projection.run import Options, project
from simbudget.scenario.loading import loads_scenario

WORKERS = """\
fleet: [{kind: people, agents: 4, staff: {price: 60 $/h}}]
cycle: [think: {time: 1 min}]
tasks: {count: 40, attempts: 1, solved: 50%}
stop: {after: 10 days}
"""
SAMPLE = Sample(replications=60, workers=1)


def source(text: str = WORKERS) -> Source:
    return Source(text, "workers.yaml", Path())


def test_the_cheapest_number_of_attempts_that_solves_enough_tasks_is_found() -> None:
    question = ask(["attempts=1:5"], least_cost_for="tasks.solved >= 33")  # 30 of 40 with two, 35 with three
    found = plan(source(), question, SAMPLE)
    assert found.chosen.name == "attempts=3"
    assert found.projection.summary.tasks is not None
    assert found.projection.summary.tasks.solved.mean == pytest.approx(35.0, abs=1.0)


def test_attempts_do_not_change_the_price_of_a_solved_task_and_its_probability_does(tmp_path: Path) -> None:
    file = tmp_path / "workers.yaml"
    file.write_text(WORKERS)
    more = (
        compare(alternatives([Source.of(file)], [parse_changes("attempts=1,3")]), SAMPLE)
        .against[0]
        .solved_price_usd
    )
    assert more is not None
    assert more.estimate is not None
    assert more.low is not None
    assert more.high is not None
    assert abs(more.estimate) < 4 * (more.high - more.low) / (2 * 1.96)  # |z| < 4
    dearer = compare(alternatives([Source.of(file)], [parse_changes("tasks.solved=50%,25%")]), SAMPLE)
    price = dearer.against[0].solved_price_usd
    assert price is not None
    assert price.estimate == pytest.approx(4.0 - 2.0, abs=0.3)
    assert "A solved task costs $" in dearer.answer()
    assert dearer.as_json()["against_first"][0]["cost_per_solved_usd"]["estimate"] == price.estimate
    assert any("price per solved task" in map(str, row) for table in dearer.tables() for row in table.rows)


def test_the_pictures_say_what_the_figures_say() -> None:
    projection = project(loads_scenario(WORKERS).scenario, Options(1, 40, workers=1))
    pictures = projection.figures()
    _, tenths = pictures["spend_by_task"].drawn
    tasks = projection.summary.tasks
    assert tasks is not None
    # Each tenth holds four tasks; people's pay is no attempt's own.
    assert tenths["mean"].sum() * 4 == pytest.approx(projection.statistics.value("attempts_usd"))
    _, money = pictures["solved_over_money"].drawn
    solved = money[money["reached"] == 1.0]
    assert (solved["p50_usd"].diff().dropna() >= 0).all()
    assert money.loc[money["solved"] == 40, "reached"].item() < 1.0


def test_limits_speak_of_tasks() -> None:
    limits = "limits: [tasks.solved mean >= 15, tasks.cost_per_solved mean <= $2.5, tasks.unsolved <= 1]\n"
    summary = project(loads_scenario(WORKERS + limits).scenario, Options(1, 40, workers=1)).summary
    assert [limit.holds for limit in summary.limits] == [True, True, False]


@pytest.mark.parametrize("limit", ["tasks.solved >= 3", "tasks.cost_per_solved <= $3"])
def test_a_limit_on_tasks_where_there_are_none_is_a_mistake(limit: str) -> None:
    text = WORKERS.replace("tasks: {count: 40, attempts: 1, solved: 50%}\n", f"limits: ['{limit}']\n")
    with pytest.raises(UserError, match=r"needs tasks, and the scenario has none"):
        loads_scenario(text)


def test_planning_for_solved_tasks_where_there_are_none_is_refused() -> None:
    text = WORKERS.replace("tasks: {count: 40, attempts: 1, solved: 50%}\n", "")
    for question in (
        ask(["agents=1:3"], goal="tasks solved"),
        ask(["agents=1:3"], least_cost_for="tasks solved >= 3"),
    ):
        with pytest.raises(UserError, match="there are no tasks in this scenario"):
            plan(source(text), question, SAMPLE)


MODELS = """\
fleet: [{agents: 4, model: claude-sonnet-4-5}]
cycle: [think: {turns: 2}]
tasks: {count: 40, attempts: 1, solved: 50%}
stop: {after: 10 days}
"""


def test_a_cheaper_model_is_not_said_to_be_better_without_saying_what_that_rests_on(tmp_path: Path) -> None:
    file, other = tmp_path / "workers.yaml", tmp_path / "others.yaml"
    file.write_text(MODELS)
    other.write_text(MODELS.replace("sonnet", "haiku").replace("50%", "40%"))
    assumed = "claude-haiku-4-5 and claude-sonnet-4-5 are taken to solve tasks equally often"
    same = compare(
        alternatives([Source.of(file)], [parse_changes("model=claude-sonnet-4-5,claude-haiku-4-5")]), SAMPLE
    )
    assert any(note.startswith(assumed) for note in same.notes)
    question = ask(["model=claude-sonnet-4-5,claude-haiku-4-5"], least_cost_for="tasks.solved >= 10")
    chosen = plan(source(MODELS), question, SAMPLE)
    assert any(note.startswith(assumed) for note in chosen.notes)
    assert chosen.as_json()["notes"] == list(chosen.notes)
    for each in (
        compare(
            alternatives([Source.of(file), Source.of(other)], []), SAMPLE
        ),  # each says how often it solves a task
        compare(alternatives([Source.of(file)], [parse_changes("attempts=1,2")]), SAMPLE),  # one model
    ):
        assert not any("equally often" in note for note in each.notes)


def test_the_answer_gives_a_solved_task_by_its_median_as_it_gives_spend() -> None:
    told = project(loads_scenario(WORKERS.replace("50%", "{unknown: 5% to 80%}")).scenario, Options(1, 80))
    assert told.summary.tasks is not None
    price = told.summary.tasks.cost_per_solved_usd
    assert price.p50 is not None
    assert price.estimate is not None
    assert (
        price.p50 < price.estimate or price.p50 > price.estimate
    )  # they differ, so that the next line says which
    assert f"{usd(price.p50)} per solved task (80 %: {usd(price.p10)} to" in told.answer()
