r"""A task that runs the user's own program, such as an autoresearch-style `train.py`, and reads a metric it prints.

It is described in a YAML file:

    name: nanochat-d4
    what: Lower val_bpb by changing train.py. A run may take five minutes.
    files: [train.py, data]            # copied into each sandbox; relative to this file
    run: [python, train.py]
    metric: '^val_bpb:\s*([0-9.]+)'    # a regular expression; the last match's first group is the metric
    direction: minimise                # or maximise
    baseline: 1.02                     # the metric of the unchanged program; the score is the improvement over it
    knobs: {lr: {low: 1e-4, high: 1e-2, default: 1e-3, logarithmic: true}}
    edits: train.py                    # the file that an experiment's own code replaces
    gates: [{name: other data, run: [python, train.py, --data, held-out], files: [held-out], smallest_effect: 0.01}]

The program receives hyperparameters as `experiment.json` and in its command: in `run`, `{lr}` is replaced by the
value, and `{seed}` by the seed. For a scenario with `tasks`, `{task}` is replaced by the number of the task, from 0,
and `solved_from` says from which score an attempt solves it:

    run: [python, solve.py, --instance, "{task}"]
    solved_from: 1                     # of the score: the improvement over the baseline

The metric is whatever the program prints: a program that lies is not caught by the
scorer, only by review and the gates.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from simbudget.pilot.tasks.task import (
    Answer,
    Experiment,
    Gate,
    GateResult,
    Knob,
    MalformedAnswerError,
    Method,
    NoAnswerError,
    Score,
    Scorer,
    Task,
    Trial,
)
from simbudget.pilot.tasks.verdicts import paired


class _Described(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KnobDescription(_Described):
    """A hyperparameter of the program."""

    low: float
    high: float
    default: float
    whole: bool = False
    logarithmic: bool = False


class GateDescription(_Described):
    """A run away from the benchmark: the same metric, from another command, with files that agents do not see."""

    name: str
    run: tuple[str, ...] = Field(min_length=1)
    files: tuple[str, ...] = ()
    smallest_effect: float = Field(gt=0)
    seeds: int = Field(default=3, ge=2)


class CommandDescription(_Described):
    """The description of a task that runs a command."""

    name: str
    what: str
    run: tuple[str, ...] = Field(min_length=1)
    metric: str
    direction: Literal["minimise", "maximise"]
    baseline: float = 0.0
    files: tuple[str, ...] = ()
    edits: str | None = None
    solved_from: float | None = Field(default=None, allow_inf_nan=False)
    knobs: dict[str, KnobDescription] = Field(default_factory=dict)
    gates: tuple[GateDescription, ...] = ()

    @field_validator("metric")
    @classmethod
    def _has_a_group(cls, metric: str) -> str:
        try:
            groups = re.compile(metric).groups
        except re.error as error:
            raise ValueError(f"{metric!r} is not a regular expression: {error}") from error
        if groups == 0:
            raise ValueError(f"{metric!r} has no group; put the number in parentheses")
        return metric


class CommandTask(Task):
    """A task made from the description of a command; the score is the improvement over the baseline."""

    answer_file = "answer.json"

    def __init__(self, description: CommandDescription, folder: Path) -> None:
        self.description = description
        self.name = description.name
        self.what = description.what
        self.is_list = any("{task}" in part for part in description.run)
        self.solved_from = description.solved_from
        self._folder = folder
        knobs = tuple(Knob(name, **knob.model_dump()) for name, knob in description.knobs.items())
        self.methods = (Method("program", "The program with hyperparameters.", "baseline", knobs),)
        self.baselines = {"program": 0.0}

    def public_files(self) -> Mapping[str, bytes]:
        """Return the described files, and everything in described folders."""
        return self.read(self.description.files)

    def read(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return the content of files, by their names relative to the description."""
        found: dict[str, bytes] = {}
        for name in names:
            path = self._folder / name
            inside = [one for one in sorted(path.rglob("*")) if one.is_file()] if path.is_dir() else [path]
            found |= {one.relative_to(self._folder).as_posix(): one.read_bytes() for one in inside}
        return found

    def experiment_files(self, experiment: Experiment) -> Mapping[str, bytes]:
        """Return `experiment.json`, and the edited program if the experiment has one."""
        stated = {"hyperparameters": dict(experiment.hyperparameters), "seed": experiment.seed}
        stated |= {} if experiment.task is None else {"task": experiment.task}
        files = {"experiment.json": json.dumps(stated).encode()}
        if experiment.code is not None and self.description.edits is not None:
            files[self.description.edits] = experiment.code.encode()
        return files

    def command(self, experiment: Experiment) -> tuple[str, ...]:
        """Return the described command, with the hyperparameters filled in."""
        return filled(self.description.run, self._values(experiment))

    def _values(self, experiment: Experiment) -> dict[str, object]:
        """Return the values of `{words}` in a command."""
        task = {} if experiment.task is None else {"task": experiment.task}
        return {**self.methods[0].defaults(), **experiment.hyperparameters, "seed": experiment.seed, **task}

    def source(self, experiment: Experiment) -> str:
        """Return the edited program, or the one that came with the task."""
        if experiment.code is not None:
            return experiment.code
        edits = self.description.edits
        return (
            self.read([edits])[edits].decode("utf-8", "replace")
            if edits
            else " ".join(self.command(experiment))
        )

    def read_answer(self, stdout: str, answer: bytes | None) -> Answer:
        """Return the last metric that was printed.

        Raises:
            NoAnswerError: there is none, or it is not a number.
        """
        found = re.findall(self.description.metric, stdout, re.MULTILINE)
        if not found:
            raise NoAnswerError(f"the output has no line that matches {self.description.metric}")
        text = found[-1] if isinstance(found[-1], str) else found[-1][0]
        try:
            return {"metric": float(text)}
        except ValueError as error:
            raise NoAnswerError(f"the metric {text!r} is not a number") from error

    def scorer(self) -> Scorer:
        """Return the scorer."""
        return MetricScorer(self.description)

    def gates(self) -> tuple[Gate, ...]:
        """Return the described gates."""
        return tuple(CommandGate(self, gate) for gate in self.description.gates)

    def improvement(self, metric: float) -> float:
        """Return by how much a metric is better than the baseline."""
        return improvement(self.description, metric)


def improvement(description: CommandDescription, metric: float) -> float:
    """Return by how much a metric is better than the baseline; positive is better in either direction."""
    better = metric - description.baseline
    return better if description.direction == "maximise" else -better


def filled(run: Sequence[str], values: Mapping[str, object]) -> tuple[str, ...]:
    """Replace each `{name}` in a command by the value of that name; other braces are kept."""
    return tuple(re.sub(r"\{(\w+)\}", lambda word: str(values.get(word[1], word[0])), one) for one in run)


class MetricScorer(Scorer):
    """Converts a metric to an improvement over the baseline."""

    def __init__(self, description: CommandDescription) -> None:
        self._description = description

    def score(self, answer: Answer) -> Score:
        """Return the improvement.

        Raises:
            MalformedAnswerError: the answer is not a finite metric.
        """
        metric: Any = answer.get("metric")
        if set(answer) != {"metric"} or isinstance(metric, bool) or not isinstance(metric, int | float):
            raise MalformedAnswerError('the answer has to be {"metric": NUMBER}')
        if not math.isfinite(metric):
            raise MalformedAnswerError(f"the metric is {metric}; it has to be finite")
        return Score(improvement(self._description, float(metric)), {"metric": float(metric)})

    def majority_share(self, answer: Answer) -> Mapping[str, float]:
        """Return an empty mapping, as a metric has no most common answer."""
        return {}


class CommandGate(Gate):
    """A paired t-test, over seeds, of the improvement on a command that agents do not see."""

    def __init__(self, task: CommandTask, description: GateDescription) -> None:
        self._task = task
        self._gate = description
        self.name = description.name
        self.what = f"{' '.join(description.run)}, {description.seeds} seeds, against the unchanged program"

    def trials(self, candidate: Experiment) -> Sequence[Trial]:
        """Return the candidate's runs, then those of the unchanged program."""
        files = {**self._task.public_files(), **self._task.read(self._gate.files)}
        made = []
        for one in (candidate, Experiment("program", self._task.methods[0].defaults())):
            for seed in range(self._gate.seeds):
                seeded = Experiment(one.method, one.hyperparameters, seed, one.code)
                values = {**self._task.methods[0].defaults(), **one.hyperparameters, "seed": seed}
                command = filled(self._gate.run, values)
                made.append(Trial({**files, **self._task.experiment_files(seeded)}, command, f"seed {seed}"))
        return made

    def judge(self, answers: Sequence[Answer | None]) -> GateResult:
        """Return the verdict; a trial without an answer counts as no improvement."""
        gained = np.array(
            [0.0 if a is None else self._task.improvement(a["metric"]) for a in answers]
        ).reshape(2, -1)
        return paired(self.name, gained[0] - gained[1], self._gate.smallest_effect)
