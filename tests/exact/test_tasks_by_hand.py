"""Tasks and limits without chance equal a calculation by hand, to the last cent and second.

A turn takes 10 s: 4 s of model, 6 s of tool. The first call of a context costs $0.065 (10,000 tokens written, 100 put
out), the second $0.014375 (10,000 read, 1,100 written, 100 put out), the third $0.014925.
"""

import pytest

from simbudget.projection.run import Options, project
from tests.running import CENT, one_agent, run, scenario

FIRST, SECOND, THIRD = 0.065, 0.014375, 0.014925


def tasks(terms: str, cycle: str = "[think: {turns: 1}]", more: str = "", agents: int = 1) -> str:
    text = one_agent(cycle, f"tasks: {{{terms}}}\n{more}\nstop: {{after: 1 days}}")
    return text.replace("agents: 1", f"agents: {agents}")


def test_every_attempt_at_every_task_is_made_until_one_solves_it() -> None:
    totals = run(tasks("count: 3, attempts: 2, solved: 0%")).totals
    assert (totals["tasks_attempts"], totals["tasks_solved"], totals["tasks_unsolved"]) == (6, 0, 3)
    assert totals["cycles"] == 6
    assert totals["wall_clock_hours"] * 3600 == pytest.approx(60)
    assert totals["spend_usd"] == pytest.approx(6 * FIRST, abs=CENT)
    assert totals["spend_per_task_usd"] == pytest.approx(2 * FIRST, abs=CENT)
    assert totals["spend_per_attempt_usd"] == pytest.approx(FIRST, abs=CENT)
    totals = run(tasks("count: 3, attempts: 2, solved: 100%")).totals
    assert (totals["tasks_attempts"], totals["tasks_solved"], totals["tasks_unsolved"]) == (3, 3, 0)


def test_all_attempts_may_be_made_side_by_side_and_who_finds_none_left_ends_at_once() -> None:
    totals = run(tasks("count: 2, attempts: 2, solved: 100%, until: all attempts", agents=5)).totals
    assert (totals["tasks_attempts"], totals["tasks_solved"], totals["cycles"]) == (4, 2, 4)
    assert totals["agent_hours"] * 3600 == pytest.approx(4 * 10)
    assert totals["wall_clock_hours"] * 3600 == pytest.approx(10)


def test_who_waits_is_asked_anew_in_the_order_of_numbers_and_leaves_when_nothing_can_become_free() -> None:
    # Agent 0 has the lowest number, so the task is its again after 20 s and after 40 s. From then on no attempt is
    # left, and the two that have waited until then end.
    outcome = run(tasks("count: 1, attempts: 3, solved: 0%", "[think: {turns: 2}]", agents=3))
    totals, ledger = outcome.totals, outcome.ledger
    assert ledger is not None
    assert set(ledger.loc[ledger["kind"] == "call", "agent"]) == {0}
    assert totals["agent_hours"] * 3600 == pytest.approx(60 + 40 + 40)
    assert totals["share_waiting_other"] == pytest.approx(80 / 140)
    waits = ledger[ledger["kind"] == "wait"]
    assert waits["duration_s"].tolist() == pytest.approx([20, 20, 20, 20])


def test_a_lower_number_that_waits_comes_before_the_agent_whose_attempt_has_ended() -> None:
    text = tasks("count: 1, attempts: 2, solved: 0%", "[think: {turns: 2}]").replace(
        "fleet: [{agents: 1}]",
        "fleet: [{group: late, agents: 1, start: {first: 5 s}}, {group: early, agents: 1}]",
    )
    outcome = run(text)
    ledger = outcome.ledger
    assert ledger is not None
    calls = ledger[ledger["kind"] == "call"]
    assert calls["agent"].tolist() == [1, 1, 0, 0]
    assert outcome.totals["agent_hours"] * 3600 == pytest.approx(35 + 20)


def test_the_run_ends_when_no_task_is_open_though_agents_have_not_started() -> None:
    text = tasks("count: 1, solved: 100%").replace(
        "fleet: [{agents: 1}]", "fleet: [{agents: 1}, {group: late, agents: 2, start: {first: 1 h}}]"
    )
    totals = run(text).totals
    assert totals["run_hours"] * 3600 == pytest.approx(10)
    assert totals["agent_hours"] * 3600 == pytest.approx(10)


@pytest.mark.parametrize(
    ("limit", "calls"),
    [
        ("turns: 2", 2),
        ("turns: 3", 3),
        ("tokens: 21300", 2),  # 10,100 and 11,200
        ("tokens: 21301", 3),
        ("spend: $0.079375", 2),
        ("spend: $0.0794", 3),
        ("time: 20 s", 2),
        ("time: 21 s", 3),
        ("time: 1 h, turns: 1", 1),
    ],
)
def test_an_attempt_at_its_limit_begins_nothing_more_and_does_not_solve_its_task(
    limit: str, calls: int
) -> None:
    totals = run(
        tasks(f"count: 1, attempts: 2, solved: 100%, limit: {{{limit}}}", "[think: {turns: 3}]")
    ).totals
    is_whole = calls == 3
    assert totals["tasks_solved"] == is_whole
    assert totals["tasks_attempts"] == totals["cycles"] == (1 if is_whole else 2)
    assert totals["model_calls"] == (3 if is_whole else 2 * calls)
    spent = [FIRST, FIRST + SECOND, FIRST + SECOND + THIRD][calls - 1]
    assert totals["spend_usd"] == pytest.approx(spent * (1 if is_whole else 2), abs=CENT)
    assert totals["wall_clock_hours"] * 3600 == pytest.approx(calls * 10 * (1 if is_whole else 2))


@pytest.mark.parametrize(
    ("billing", "limit", "is_whole"),
    [
        ("on demand", "$1.066", False),  # $1 of job, $0.065 of call and 614 s of sandbox at $0.36/h: $1.1264
        ("spot", "$1.066", False),
        ("on demand", "$1.1265", True),
        ("reserved", "$1.066", True),  # no agent's own
        ("reserved", "$0.126", False),  # reached at 610 s: the call, and $0.061 of sandbox
    ],
)
def test_an_attempt_spends_what_is_its_own(billing: str, limit: str, is_whole: bool) -> None:
    # A job of 10 min at $6/h, a call that begins at 600 s, tools until 610 s, then a submission for $0.5.
    more = f"gpus: {{count: 1, price: 6 $/h, billing: {billing}}}\nscorer: {{time: 1 s, price: 0.5 $/call}}"
    terms = f"count: 1, solved: 100%, limit: {{spend: {limit}}}"
    cycle = "[experiment: {time: 10 min}, think: {turns: 1}, score]"
    text = tasks(terms, cycle, more).replace("agents: 1", "agents: 1, sandbox: {price: 0.36 $/h}")
    totals = run(text).totals
    assert totals["tasks_solved"] == is_whole
    assert totals["scorer_calls"] == is_whole
    if is_whole:
        on_attempt = FIRST + 0.5 + 611 * 0.0001 + (1.0 if billing != "reserved" else 0.0)
        assert totals["attempts_usd"] == pytest.approx(on_attempt, abs=CENT)


def test_waiting_counts_towards_the_time_of_an_attempt() -> None:
    # Both jobs need the one GPU for 10 min; the second has waited as long when it gets it, and then may not begin.
    more = "gpus: {count: 1, price: 6 $/h}"
    cycle = "[experiment: {time: 10 min}]"
    totals = run(tasks("count: 2, solved: 100%, limit: {time: 10 min}", cycle, more, agents=2)).totals
    assert (totals["tasks_solved"], totals["experiments"]) == (1, 1)
    totals = run(tasks("count: 2, solved: 100%, limit: {time: 601 s}", cycle, more, agents=2)).totals
    assert (totals["tasks_solved"], totals["experiments"]) == (2, 2)


def test_a_poll_at_a_limit_only_ends_the_polling() -> None:
    # Polls begin after 60 s and 120 s; the third would pass the limit of turns' tokens, and the job goes on.
    more = "gpus: {count: 1, price: 6 $/h}"
    cycle = "[experiment: {time: 10 min, polls: {every: 60 s, output_tokens: 0, result_tokens: 0}}, think: {turns: 1}]"
    outcome = run(tasks("count: 1, solved: 100%, limit: {tokens: 20000}", cycle, more))
    assert outcome.totals["experiments"] == 1
    assert outcome.totals["model_calls"] == 2
    assert outcome.totals["tasks_solved"] == 0
    assert outcome.totals["wall_clock_hours"] * 3600 == pytest.approx(600)


def test_an_agent_at_the_budget_does_not_take_a_task() -> None:
    text = tasks("count: 1, attempts: 5, solved: 0%").replace("after: 1 days", "after: 1 days, budget: $0.1")
    totals = run(text).totals
    assert (totals["tasks_attempts"], totals["cycles"]) == (2, 2)


def test_the_horizon_breaks_an_attempt_off_which_is_used_up() -> None:
    text = tasks("count: 1, attempts: 5, solved: 100%", "[think: {turns: 3}]").replace("1 days", "15 s")
    totals = run(text).totals
    assert (totals["tasks_attempts"], totals["tasks_solved"], totals["cycles"]) == (1, 0, 0)
    assert totals["attempts_usd"] == pytest.approx(FIRST + SECOND, abs=CENT)


def test_a_life_long_context_goes_on_from_task_to_task() -> None:
    context = "{first_prompt_tokens: 10000, limit_tokens: 900000, compacted_to_tokens: 5000, lasts: life}"
    text = one_agent("[think: {turns: 1}]", "tasks: {count: 3, solved: 0%}\nstop: {after: 1 days}", context)
    assert run(text).totals["spend_usd"] == pytest.approx(FIRST + SECOND + THIRD, abs=CENT)


@pytest.mark.parametrize(
    ("stop", "calls", "cycles", "life_s"),
    [
        ("turns: 3", 3, 1, 30),
        ("turns: 4", 4, 2, 40),
        ("after: 25 s", 3, 1, 25),
        ("spend: $0.08", 3, 1, 30),  # two calls cost $0.079375
        ("spend: $0.079375", 2, 1, 20),
        ("tokens: 21300", 2, 1, 20),
        ("tokens: 0", 0, 0, 0),
    ],
)
def test_an_agent_ends_at_its_own_limits_counted_from_its_start(
    stop: str, calls: int, cycles: int, life_s: int
) -> None:
    text = one_agent("[think: {turns: 2}]", "stop: {after: 1 days}").replace(
        "agents: 1", f"agents: 2, start: {{first: 100 s, then_every: 7 s}}, stop: {{{stop}}}"
    )
    totals = run(text).totals
    assert (totals["model_calls"], totals["cycles"]) == (2 * calls, 2 * cycles)
    assert totals["agent_hours"] * 3600 == pytest.approx(2 * life_s)
    assert totals["run_hours"] * 3600 == pytest.approx(107 + life_s)


def test_an_agent_whose_limit_ends_it_gives_its_task_back() -> None:
    # Agent 0 may make one turn; its attempt is broken off at 10 s. Agent 1 has waited, and makes the second attempt.
    text = tasks("count: 1, attempts: 2, solved: 100%", "[think: {turns: 2}]").replace(
        "fleet: [{agents: 1}]", "fleet: [{agents: 1, stop: {turns: 1}}, {group: other, agents: 1}]"
    )
    totals = run(text).totals
    assert (totals["tasks_attempts"], totals["tasks_solved"], totals["cycles"]) == (2, 1, 1)
    assert totals["run_hours"] * 3600 == pytest.approx(10 + 20)


@pytest.mark.parametrize(("counts", "calls"), [("when begun", 1), ("when billed", 2)])
def test_a_call_counts_towards_the_budget_when_it_begins_or_when_it_is_billed(
    counts: str, calls: int
) -> None:
    # The second agent asks after 2 s, when the first call, which alone passes the budget, is under way until 4 s.
    text = one_agent(
        "[think: {turns: 5}]", f"stop: {{after: 1 days, budget: $0.06, budget_counts: {counts}}}"
    ).replace("agents: 1", "agents: 3, start: {then_every: 2 s}")
    totals = run(text).totals
    assert totals["model_calls"] == calls
    assert totals["overrun_usd"] == pytest.approx(calls * FIRST - 0.06, abs=CENT)


def test_a_call_that_was_cut_counts_as_billed_from_then_on() -> None:
    text = one_agent(
        "[think: {turns: 5}]", "stop: {after: 1 days, budget: $0.06, budget_counts: when billed}"
    ).replace(
        "fleet: [{agents: 1}]",
        "fleet: [{agents: 1, stop: {after: 3 s}}, {group: other, agents: 2, start: {first: 2 s, then_every: 2 s}}]",
    )
    totals = run(text).totals  # at 2 s the call is under way, at 4 s it has been cut
    assert totals["model_calls"] == 2


def test_discounts_lower_what_each_component_costs_and_the_budget_looks_at_them() -> None:
    text = one_agent("[think: {turns: 1}, experiment: {time: 1 h}]", "gpus: {price: 4 $/h}\nfixed: $10\n")
    text = text.replace(
        "prices: {on: 2026-06-01}", "prices: {on: 2026-06-01, discount: {tokens: 20%, gpu: 50%}}"
    )
    totals = run(f"{text}stop: {{cycles_per_agent: 1}}").totals
    assert totals["spend_tokens_usd"] == pytest.approx(0.8 * FIRST, abs=CENT)
    assert totals["spend_gpu_usd"] == pytest.approx(2.0, abs=CENT)
    assert totals["spend_fixed_usd"] == pytest.approx(10.0, abs=CENT)
    totals = run(f"{text}stop: {{after: 1 days, budget: $16}}").totals
    assert totals["experiments"] == 3  # $2.052 each: at $16.156 nothing more is begun


def test_the_clock_of_the_whole_goes_on_until_the_last_gate_and_review() -> None:
    more = (
        "scorer: {time: 1 min}\nresearch: {finalists: 1, hacks: 0%}\n"
        "gates: [{keeps: 100%, time: 5 h, price: 1 $/try}]\nstop: {cycles_per_agent: 2}\n"
    )
    totals = run(one_agent("[score]", more)).totals
    assert totals["run_hours"] * 60 == pytest.approx(2)
    assert totals["wall_clock_hours"] * 60 == pytest.approx(2 + 300)
    reviewed = f"{more}review: {{people: 1, time: 9 h, price: 60 $/h, hours: always}}\n"
    totals = run(one_agent("[score]", reviewed)).totals
    assert totals["run_hours"] * 60 == pytest.approx(2)
    # The reviews end 9 h and 18 h after the first score; the gate begins when both are known.
    assert totals["wall_clock_hours"] * 60 == pytest.approx(1 + 18 * 60 + 300)


def test_the_answer_speaks_of_tasks() -> None:
    projection = project(scenario(tasks("count: 20, attempts: 2, solved: 100%")), Options(1))
    assert projection.answer() == (
        "$1.30 for 20 tasks over 3.33 min, $0.0650 per solved task (20 are solved); the most expensive tenth of the "
        "tasks costs 10 %."
    )
    figures = projection.as_json()["tasks"]
    assert figures["count"] == 20
    assert figures["cost_per_solved_usd"]["estimate"] == pytest.approx(FIRST, abs=CENT)
    unsolved = project(scenario(tasks("count: 20, attempts: 1, solved: 0%")), Options(1))
    assert "; no task is solved;" in unsolved.answer()
    assert unsolved.as_json()["tasks"]["cost_per_solved_usd"]["estimate"] is None
