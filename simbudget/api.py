"""The Python interface: everything the command line does, as functions of `import simbudget`.

    import simbudget
    plan = simbudget.load("scenario.yaml")
    projection = plan.project(replications=200)
    projection.summary.spend_usd.p50, projection.replications, projection.figure("spend_over_time")
    simbudget.compare(plan, plan.with_(agents=4))

A scenario can be given as a path, as the name of a bundled one (`aar-weak-to-strong`), as a value returned by `load`,
or as a `Scenario` made in code. Every function returns a `Result` (`simbudget.results`), the same value that the
corresponding command prints.
"""

import datetime
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simbudget.bundled import scenario_path
from simbudget.deciding.alternatives import Alternative, Sample, alternatives, as_it_stands, with_each
from simbudget.deciding.changes import Change, Source, parse_changes
from simbudget.deciding.choices import one_at_a_time, one_change_each
from simbudget.deciding.compare import Comparison
from simbudget.deciding.compare import compare as compare_alternatives
from simbudget.deciding.pilots import PilotPlan, Pilots
from simbudget.deciding.plan import BestPlan, ask
from simbudget.deciding.plan import plan as search_plan
from simbudget.deciding.plan_pilot import plan_pilot as plan_pilots
from simbudget.deciding.plan_pilot import usual_pilots
from simbudget.deciding.sensitivity import DEFAULT_REPLICATIONS, Sensitivity
from simbudget.deciding.sensitivity import sensitivity as sensitivity_of
from simbudget.errors import check_range, visible
from simbudget.projection.projection import Projection
from simbudget.projection.run import Options
from simbudget.projection.run import project as project_scenario
from simbudget.projection.trace import Trace
from simbudget.projection.trace import trace as trace_scenario
from simbudget.scenario.loading import LoadedScenario, Understood, code_notes
from simbudget.scenario.scenario import Scenario
from simbudget.scenario.scenario import dump as dump_scenario

if TYPE_CHECKING:
    import pandas as pd

    from simbudget.calibration.scenarios.learnt import Learnt
    from simbudget.calibration.scenarios.new_scenario import NewScenario
    from simbudget.forecast.outlook import Outlook
    from simbudget.forecast.scored import Scored
    from simbudget.ledger.found import Found
    from simbudget.ledger.imported import ImportedLedger
    from simbudget.ledger.usage import By, UsageReport
    from simbudget.pilot.review.result import PilotReview
    from simbudget.published.evidence import PublishedEvidence

Progress = Callable[[int, int], None]
"""A callback that receives the number of steps done and the total number of steps."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A scenario read from text: its source, the origin of each value, and the analyses that it supports."""

    source: Source
    changes: tuple[Change, ...] = ()
    loaded: LoadedScenario = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "loaded", self.source.load())

    def __eq__(self, other: object) -> bool:
        """Return whether the other, loaded or made in code, is the same scenario."""
        return self.scenario == (other.scenario if isinstance(other, Loaded) else other)

    def __hash__(self) -> int:
        return hash(self.scenario)

    def __repr__(self) -> str:
        changed = f", {' '.join(map(str, self.changes))}" if self.changes else ""
        return f"<Scenario: {self.scenario.name} ({self.source.path}{changed})>"

    @property
    def scenario(self) -> Scenario:
        """Return the scenario itself."""
        return self.loaded.scenario

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the remarks made when the scenario was read."""
        return self.loaded.notes

    @property
    def values(self) -> "pd.DataFrame":
        """Return every value with its kind and origin, as printed by `simbudget check`."""
        import pandas as pd  # noqa: PLC0415

        return pd.DataFrame([vars(row) for row in self.loaded.provenance])

    def with_(self, **values: Any) -> "Loaded":
        """Return the scenario with some values replaced: `agents=4`, or `**{"stop.after": "3 days"}`.

        Raises:
            UserError: a key does not exist in the scenario, or its value is not allowed there.
        """
        changes = tuple(Change(key, str(value)) for key, value in values.items())
        self.source.load(*changes)  # raises an error that names the wrong change
        return Loaded(self.source.changed(*changes), (*self.changes, *changes))

    def project(self, replications: int | None = None, **options: Any) -> Projection:
        """Project the scenario; see `simbudget.project`."""
        return project(self, replications, **options)

    def sensitivity(self, replications: int = DEFAULT_REPLICATIONS, **options: Any) -> Sensitivity:
        """Rank what drives the scenario's outcomes; see `simbudget.sensitivity`."""
        return sensitivity(self, replications=replications, **options)

    def plan(self, vary: Sequence[str], **options: Any) -> BestPlan:
        """Search for the best plan; see `simbudget.plan`."""
        return plan(self, vary, **options)

    @property
    def name(self) -> str:
        """Return its name as an alternative of `compare`: the changes made to it, or its file's name."""
        return " ".join(map(str, self.changes)) or Path(self.source.path).stem


AnyScenario = Loaded | Scenario | str | Path


def load(path: str | Path) -> Loaded:
    """Read a scenario from a file, or the bundled one of that name.

    Raises:
        UserError: the scenario is invalid; lists every problem.
    """
    return Loaded(Source.of(scenario_path(path)))


def loads(text: str, name: str = "scenario.yaml") -> Loaded:
    """Read a scenario from text.

    Args:
        text: YAML.
        name: file name to use in messages.

    Raises:
        UserError: the scenario is invalid; lists every problem.
    """
    return Loaded(Source(text, name, Path()))


def dump(
    scenario: AnyScenario | Scenario, comments: Mapping[tuple[str | int, ...], str] | None = None
) -> str:
    """Write a scenario as YAML that loads to an equal one, including what a calibration learnt.

    Args:
        scenario: what is written.
        comments: comments by the path of the value that each follows, such as `("fleet", 0, "agents")`.
    """
    value = scenario if isinstance(scenario, Scenario) else _loaded(scenario).scenario
    return dump_scenario(value, comments)


def project(
    scenario: AnyScenario | Scenario,
    replications: int | None = None,
    *,
    progress: Progress | None = None,
    **options: Any,
) -> Projection:
    """Project a scenario's spend, duration and results.

    Args:
        scenario: the scenario to project.
        replications: maximum number of simulated runs; by default 100.
        progress: called with the numbers of replications done and to do.
        options: `seed`, `worlds`, `workers`, `precision`, `engine`, `on`; see `projection.schedule.Options`.

    Raises:
        UserError: an argument is invalid, or the scenario cannot be simulated.
    """
    loaded = _loaded(scenario)
    chosen = Options(replications=replications, **options)
    return project_scenario(loaded.scenario, chosen, progress, loaded.notes)


def trace(scenario: AnyScenario, seed: int = 1, replication: int = 0) -> Trace:
    """Simulate one replication of a projection and record every event; `.ledger` is a data frame.

    Args:
        scenario: the scenario to simulate.
        seed: random seed.
        replication: number of the replication, as in a projection with this seed.

    Raises:
        UserError: the scenario cannot be simulated.
    """
    check_range("replication", replication, 0)
    return trace_scenario(_loaded(scenario).scenario, seed, replication)


def compare(
    *scenarios: AnyScenario,
    vary: Sequence[str] = (),
    replications: int = 400,
    progress: Progress | None = None,
    **options: Any,
) -> Comparison:
    """Compare scenarios in the same worlds with common random numbers.

    Args:
        scenarios: two or more, or one together with `vary`.
        vary: values to replace, such as `"agents=4,9"`; every combination is an alternative. A single combination
            for a single scenario is compared with the scenario as it stands.
        replications: number of replications of each alternative.
        progress: called with the numbers of replications done and to do.
        options: `seed`, `workers`, `on`.

    Raises:
        UserError: there is only one alternative, or a scenario cannot be simulated.
    """
    loaded = [_loaded(scenario) for scenario in scenarios]
    choices = [parse_changes(setting) for setting in vary]
    named = [each.name for each in loaded]
    compared = alternatives([each.source for each in loaded], choices, named)
    return compare_alternatives(compared, Sample(replications, **options), progress)


def sensitivity(
    scenario: AnyScenario,
    *,
    worth_usd: float | None = None,
    against: Sequence[str] = (),
    choices: bool = False,
    replications: int = DEFAULT_REPLICATIONS,
    progress: Progress | None = None,
    **options: Any,
) -> Sensitivity:
    """Rank the unknowns and choices that drive a scenario's cost and results, and value information about them.

    Args:
        scenario: the plan.
        worth_usd: value of a transferable result; by default what one costs.
        against: alternative plans to decide between, such as `"agents=4,9"`.
        choices: also vary one choice at a time.
        replications: number of replications of each plan.
        progress: called with the numbers of replications done and to do.
        options: `seed`, `workers`, `on`.
    """
    source, sample = _loaded(scenario).source, Sample(replications, **options)
    plans = [as_it_stands(source), *with_each(source, [parse_changes(setting) for setting in against])]
    found = sensitivity_of(plans, sample, worth_usd, progress)
    if not choices:
        return found
    changed = one_at_a_time((plans[0], found.projection), one_change_each(source), sample, progress)
    return replace(found, choices=changed)


def plan(
    scenario: AnyScenario,
    vary: Sequence[str],
    *,
    budget_usd: float | None = None,
    goal: str | None = None,
    least_cost_for: str | None = None,
    evaluations: int = 60,
    replications: int = 200,
    progress: Progress | None = None,
    **options: Any,
) -> BestPlan:
    """Search for the best plan.

    Args:
        scenario: the scenario to vary.
        vary: the search space, such as `"agents=1:32"` or `"model=a,b"`.
        budget_usd: 90 % of runs have to cost at most this.
        goal: the figure to maximise, such as `"P(any transferable)"`; either this or `least_cost_for`.
        least_cost_for: a requirement to meet at least cost, such as `"experiments >= 500"`.
        evaluations: maximum number of plans tried.
        replications: number of replications of each plan.
        progress: called with the numbers of plans tried and to try.
        options: `seed`, `workers`, `on`.
    """
    question = ask(vary, budget_usd, goal, least_cost_for, evaluations)
    return search_plan(_loaded(scenario).source, question, Sample(replications, **options), progress)


def plan_pilot(
    scenario: AnyScenario,
    *,
    hours: Sequence[float] = (),
    agents: Sequence[int] = (),
    worth_usd: float | None = None,
    against: Sequence[str] = (),
    rehearsals: int = 8,
    replications: int = 600,
    progress: Progress | None = None,
    **options: Any,
) -> PilotPlan:
    """Find the short real run that would narrow the projection most per dollar.

    Args:
        scenario: the planned run.
        hours: pilot lengths to consider; by default 1, 3 and 10, at most half of the run.
        agents: pilot sizes to consider; by default a third of the agents, and all.
        worth_usd: value of a transferable result; by default what one costs.
        against: alternative plans to decide between, such as `"agents=4"`.
        rehearsals: number of worlds in which pilots are rehearsed and calibrated on.
        replications: number of replications of the run.
        progress: called with the numbers of steps done and to do.
        options: `seed`, `workers`, `on`.
    """
    source = _loaded(scenario).source
    first = as_it_stands(source)
    usual = usual_pilots(first.scenario)
    looked_at = Pilots(tuple(agents) or usual.sizes, tuple(hours) or usual.hours, rehearsals)
    plans = [first, *with_each(source, [parse_changes(setting) for setting in against])]
    return plan_pilots(source, looked_at, Sample(replications, **options), plans, worth_usd, progress)


def read_logs(*logs: str | Path, columns: str | None = None) -> "ImportedLedger":
    """Read logs of real runs into one ledger.

    Args:
        logs: files, or folders to search for them; the format is recognised from a file's content.
        columns: column mapping for other tables: `"started=ts,input=in"`.
    """
    from simbudget.ledger.readers import column_map  # noqa: PLC0415
    from simbudget.ledger.readers import read_logs as read  # noqa: PLC0415

    return read([Path(log) for log in logs], column_map(columns))


def import_logs(
    *logs: str | Path,
    output: str | Path | None = None,
    columns: str | None = None,
    model: str = "",
    on: datetime.date | None = None,
) -> "Found":
    """Read logs of real runs and summarise them; `.ledger` holds the entries.

    Args:
        logs: files, or folders to search for them; by default the places where tools keep their logs.
        output: file to write the ledger to, `.parquet` or `.csv`.
        columns: column mapping for other tables: `"started=ts,input=in"`.
        model: model of calls that name none.
        on: date of runs whose logs have none, which determines prices.

    Raises:
        UserError: a path does not exist, or the output has another suffix.
    """
    from simbudget.ledger.found import find  # noqa: PLC0415
    from simbudget.ledger.readers import Assumed, column_map  # noqa: PLC0415
    from simbudget.ledger.stored import check_name, write_ledger  # noqa: PLC0415

    if output is not None:
        check_name(Path(output))
    found = find([Path(log) for log in logs], column_map(columns), assumed=Assumed(model, on))
    if output is not None:
        write_ledger(found.ledger, Path(output))
    return found


def usage(
    *logs: str | Path,
    by: "By" = "day",
    since: datetime.date | None = None,
    until: datetime.date | None = None,
    model: str = "",
    on: datetime.date | None = None,
) -> "UsageReport":
    """Summarise past tokens and cost, from logs of any known format.

    Args:
        logs: files, or folders to search for them; by default the places where tools keep their logs.
        by: group by `day`, `week`, `month`, `project`, `model`, `session`, `agent` or `task`.
        since: first day (UTC) to include.
        until: last day (UTC) to include.
        model: model of calls that name none.
        on: date of runs whose logs have none, which determines prices.
    """
    from simbudget.ledger.readers import Assumed  # noqa: PLC0415
    from simbudget.ledger.usage import usage as usage_of  # noqa: PLC0415

    return usage_of(logs, by, since=since, until=until, assumed=Assumed(model, on))


def calibrate(
    scenario: AnyScenario,
    *logs: str | Path,
    output: str | Path,
    keep: Sequence[str] = (),
    columns: str | None = None,
    check: bool = True,
    seed: int = 1,
    workers: int | None = None,
    on: str | None = None,
) -> "Learnt":
    """Learn a scenario's quantities from logs, and write the calibrated scenario to `output`.

    Args:
        scenario: the scenario with assumed quantities.
        logs: logs of real runs.
        output: file for the calibrated scenario; its joint draws are written beside it.
        keep: names of quantities to leave unchanged.
        columns: column mapping for other tables: `"started=ts,input=in"`.
        check: simulate the same runs again to find what the model cannot reproduce.
        seed: seed of the simulations shown.
        workers: CPU cores to use; by default all.
        on: a Dask cluster instead.

    Raises:
        UserError: the logs show no quantity of the scenario, or the output cannot be written.
    """
    from simbudget.calibration.scenarios.calibrate import calibrate as learn  # noqa: PLC0415
    from simbudget.calibration.scenarios.calibrate import with_checks  # noqa: PLC0415
    from simbudget.calibration.scenarios.checks import check_calibration  # noqa: PLC0415
    from simbudget.calibration.scenarios.learnt import learnt  # noqa: PLC0415
    from simbudget.calibration.scenarios.writing import (  # noqa: PLC0415
        calibration_name,
        require_writable,
        write_calibrated,
    )

    loaded, output = _loaded(scenario), Path(output)
    require_writable(Path(loaded.source.path), loaded.source.text, output)
    ledger = read_logs(*logs, columns=columns)
    found = learn(loaded.loaded, loaded.source.text, ledger, calibration_name(output), keep)
    checks = check_calibration(ledger, seed, found.fits) if check else []
    write_calibrated(with_checks(found, checks), output)
    return learnt(found, checks, Options(seed, workers=workers, on=on))


def watch(
    scenario: AnyScenario, *logs: str | Path, elapsed_hours: float | None = None, **how: Any
) -> "Outlook":
    """Forecast the outcome of a run in progress from its logs so far.

    Args:
        scenario: the plan of the run.
        logs: logs of the run.
        elapsed_hours: hours since the run began; by default the end of its last entry.
        how: `runs`, `seed`, `sure`, `worth_usd`, `workers`, `on`.
    """
    from simbudget.forecast.following import Look  # noqa: PLC0415
    from simbudget.forecast.watch import Watching  # noqa: PLC0415

    elapsed_s = None if elapsed_hours is None else elapsed_hours * 3600.0
    return Look(_loaded(scenario).loaded, [Path(log) for log in logs], elapsed_s, Watching(**how)).now()


def backtest(
    *logs: str | Path, cut: float = 0.2, by: str = "calls", columns: str | None = None, **options: Any
) -> "Scored":
    """Measure how accurate forecasts would have been on runs whose outcome is known.

    Args:
        logs: logs of finished runs.
        cut: share of each run, or of the runs, that is taken as known, 0 to 1.
        by: what is known of the remaining run or what is forecast: `calls`, `time`, `unknown` (runs are cut after 5,
            10, 20, 40, 80 and 160 calls), `runs` or `days`.
        columns: column mapping for other tables: `"started=ts,input=in"`.
        options: `replications`, `seed`.
    """
    from simbudget.forecast.backtest import Plan  # noqa: PLC0415
    from simbudget.forecast.scored import scored  # noqa: PLC0415
    from simbudget.forecast.track_record import past_cases  # noqa: PLC0415

    return scored(read_logs(*logs, columns=columns), Plan(cut, by, past=past_cases(by), **options))


def write_report(
    scenario: AnyScenario,
    output: str | Path,
    replications: int = 400,
    *,
    progress: Progress | None = None,
    **options: Any,
) -> Projection:
    """Project a scenario, write the projection as one HTML file to share, and return it.

    Args:
        scenario: the scenario to project.
        output: file to write.
        replications: number of simulated runs.
        progress: called with the numbers of replications done and to do.
        options: `seed`, `workers`, `on`.

    Raises:
        UserError: the scenario cannot be simulated, or the file cannot be written.
    """
    from simbudget.engine.lowering.evidence import understood  # noqa: PLC0415  only needed for a report
    from simbudget.ledger.whole_files import check_place, written_whole  # noqa: PLC0415
    from simbudget.report.html.page import Subject, report_page  # noqa: PLC0415

    output = Path(output)
    if not output.exists():
        check_place(output)
    loaded = _loaded(scenario)
    read, name = loaded.loaded, Path(loaded.source.path).name
    sample = Sample(replications, **options)
    projection = project(loaded, replications, progress=progress, **options)
    command = f"simbudget report {shlex.quote(name)} -o {shlex.quote(output.name)} {sample}"
    rows = understood(read.provenance, read.scenario)
    page = report_page(Subject(projection, rows, loaded.source.text, name, command, read.calibration))
    with written_whole(output) as fresh:
        fresh.write_text(page, encoding="utf-8")
    return projection


def report_markdown(
    scenario: AnyScenario,
    base: AnyScenario | None = None,
    replications: int = 400,
    *,
    progress: Progress | None = None,
    **options: Any,
) -> str:
    """Return a projection as Markdown for a pull request.

    Args:
        scenario: the scenario to project.
        base: an earlier version of it; the Markdown then reports the change.
        replications: number of simulated runs.
        progress: called with the numbers of replications done and to do.
        options: `seed`, `workers`, `on`.

    Raises:
        UserError: a scenario cannot be simulated.
    """
    from simbudget.engine.lowering.evidence import understood  # noqa: PLC0415  only needed for a report
    from simbudget.report.markdown import change_markdown, projection_markdown  # noqa: PLC0415

    loaded = _loaded(scenario)
    rows = understood(loaded.loaded.provenance, loaded.scenario)
    command = f"simbudget report {shlex.quote(Path(loaded.source.path).name)} --markdown"
    sample = Sample(replications, **options)
    if base is None:
        projection = project(loaded, replications, progress=progress, **options)
        return visible(projection_markdown(projection, rows, f"{command} {sample}"))
    before = _loaded(base)
    pair = [
        Alternative("before", before.scenario),
        Alternative("now", loaded.scenario, notes=loaded.notes),
    ]
    comparison = compare_alternatives(pair, sample, progress)
    command = f"{command} --base {shlex.quote(Path(before.source.path).name)} {sample}"
    rows_before = understood(before.loaded.provenance, before.scenario)
    return visible(change_markdown(comparison, rows_before, rows, command))


def check(scenario: AnyScenario) -> Understood:
    """Return how a scenario was understood: every value, its kind and its origin.

    Raises:
        UserError: the scenario is invalid; lists every problem.
    """
    loaded = _loaded(scenario)
    notes = (*loaded.notes, *code_notes(loaded.scenario))
    return Understood(loaded.source.path, loaded.scenario.name, tuple(loaded.loaded.provenance), notes)


def schema() -> dict[str, Any]:
    """Return the scenario language as a JSON Schema, with which editors check and complete scenarios."""
    from simbudget.scenario.reference import schema as of_language  # noqa: PLC0415  not needed otherwise

    return of_language()


def init(
    folder: str | Path, *logs: str | Path, template: str | None = None, model: str = ""
) -> "NewScenario":
    """Write a commented scenario and its schema to a folder.

    Args:
        folder: the folder, which may not hold a scenario yet.
        logs: logs to derive the scenario from; without any, it is a template.
        template: `aar`, `autoresearch`, `benchmark` or, by default, `minimal`.
        model: model of calls whose logs name none.

    Raises:
        UserError: the folder holds a scenario or logs, or the arguments do not go together.
    """
    from simbudget.calibration.scenarios.new_scenario import new_scenario  # noqa: PLC0415

    return new_scenario(Path(folder), template, [Path(log) for log in logs], model)


def evidence(key: str | None = None, *, claims: bool = False) -> "PublishedEvidence":
    """Return the published evidence on how often results hold, and the defaults based on it.

    Args:
        key: a key of `research`, such as `transfers`, or `keeps`; by default all.
        claims: whether to show the claims one by one.

    Raises:
        UserError: there is no such key.
    """
    from simbudget.published.evidence import published_evidence  # noqa: PLC0415

    return published_evidence(key, claims)


def review(
    folder: str | Path,
    *,
    accept: Sequence[int] = (),
    reject: Sequence[int] = (),
    note: str = "",
    shows_decided: bool = False,
) -> "PilotReview":
    """Record decisions on a pilot's submissions, and return the state of the review; `.case(n)` shows one in full.

    Args:
        folder: the pilot's folder.
        accept: numbers of submissions to accept.
        reject: numbers of submissions to reject.
        note: reason, kept with each decision.
        shows_decided: whether to list submissions that have been decided on, too.

    Raises:
        UserError: there is no such pilot or submission.
    """
    from simbudget.pilot.review.result import review_pilot  # noqa: PLC0415  an optional package

    return review_pilot(Path(folder), accept, reject, note, shows_decided)


def _loaded(scenario: AnyScenario) -> Loaded:
    if isinstance(scenario, Scenario):
        return loads(dump(scenario), f"{scenario.name}.yaml")
    return scenario if isinstance(scenario, Loaded) else load(scenario)
