"""What a task is: the plug-in that a pilot's agents work on.

A task says what an agent gets to see (files that are copied into its sandbox), how an experiment is run there
(a command that reads `experiment.json` and leaves an answer), what an answer is worth (a scorer, which alone
holds the labels and lives in the service's process), and by which gates a method is judged away from the
benchmark. One run of an experiment goes

    files = task.public_files()                            # once, into the sandbox's directory
    files |= task.experiment_files(experiment)             # before each run
    completed = await sandbox.run(task.command(experiment), timeout_s)
    answer = task.read_answer(completed.stdout, bytes of task.answer_file or None)
    scored = await client.submit(Submission(answer=answer, …))

To add a task, subclass `Task` and name it `module:Class` where a task's name is asked for (`loading.py`).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Hyperparameters: TypeAlias = Mapping[str, float | int | str]
"""A method's settings, by their knobs' names."""

Answer: TypeAlias = Mapping[str, Any]
"""What is sent to the scorer: JSON; its shape is the task's (`{domain: [class of each test item]}`, a metric)."""


class NoAnswerError(Exception):
    """An experiment ended without an answer that could be sent to the scorer; says why."""


class MalformedAnswerError(Exception):
    """An answer is not of the shape that the scorer asks for; says what it is and what it should be."""


@dataclass(frozen=True)
class Knob:
    """A hyperparameter: its range, its default, and whether it is whole or better searched on a log scale."""

    name: str
    low: float
    high: float
    default: float
    whole: bool = False
    logarithmic: bool = False


@dataclass(frozen=True)
class Method:
    """A known way to do the task: what it is called, what it does in a sentence, its direction and its knobs."""

    name: str
    what: str
    direction: str
    knobs: tuple[Knob, ...] = ()

    def defaults(self) -> dict[str, float | int | str]:
        """Return the hyperparameters that the method has when none are given."""
        return {knob.name: int(knob.default) if knob.whole else knob.default for knob in self.knobs}


@dataclass(frozen=True)
class Experiment:
    """One run: a method by its name, or by code of the agent's own, with its hyperparameters and its seed."""

    method: str
    hyperparameters: Hyperparameters = field(default_factory=dict)
    seed: int = 0
    code: str | None = None
    """Python source with a function of the task's shape; overrides the method of that name."""


@dataclass(frozen=True)
class Score:
    """What an answer is worth: the number that counts, and its parts, both unrounded; only the service sees it so."""

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)


class Scorer(ABC):
    """Holds the labels. Built in the service's process only."""

    @abstractmethod
    def score(self, answer: Answer) -> Score:
        """Return what an answer is worth; raises MalformedAnswerError, and has no state that an answer changes."""

    @abstractmethod
    def majority_share(self, answer: Answer) -> Mapping[str, float]:
        """Return, by part of the answer, how far it agrees with what needs no teacher (1: altogether).

        For weak-to-strong domains with several candidate answers to a question, that is the most common answer;
        an empty mapping where the task knows no such thing.
        """


@dataclass(frozen=True)
class Trial:
    """One run that a gate asks for, in a fresh sandbox of its own: files to put there, and the command."""

    files: Mapping[str, bytes]
    command: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class GateResult:
    """What a gate found. `effect` is in the task's scores; `p_value` is one-sided, of no effect at all.

    `power` is the probability that an effect of `smallest_effect` would have passed.
    """

    gate: str
    passed: bool
    effect: float
    effect_standard_error: float
    p_value: float
    power: float
    smallest_effect: float
    trials: int


class Gate(ABC):
    """A test of a method away from the benchmark. Its data never enter an agent's sandbox."""

    name: str
    what: str

    @abstractmethod
    def trials(self, candidate: Experiment) -> Sequence[Trial]:
        """Return the runs to make: the candidate's, and those of what it is compared with."""

    @abstractmethod
    def judge(self, answers: Sequence[Answer | None]) -> GateResult:
        """Return the verdict on the trials' answers, in their order; None is a trial without an answer."""


class Task(ABC):
    """A task; every attribute and method is what the docstring of this module says it is for."""

    name: str
    what: str
    """What an agent is told: the aim, the files, how an experiment is run, how it is scored."""
    score_name: str = "score"
    answer_file: str = "answer.json"
    """The file, in the sandbox's directory, that an experiment leaves; not every task needs one."""
    methods: tuple[Method, ...] = ()
    hacks: tuple[Method, ...] = ()
    """Ways to game the evaluation, as real code; the researcher program plays them, no agent is told of them."""
    baselines: Mapping[str, float] = {}
    """Mean scores of methods with their default hyperparameters, measured (docs/pilot-task.md says how)."""

    @abstractmethod
    def public_files(self) -> Mapping[str, bytes]:
        """Return what an agent sees, by path relative to its sandbox's directory. No label is among it."""

    @abstractmethod
    def experiment_files(self, experiment: Experiment) -> Mapping[str, bytes]:
        """Return the files that state one experiment."""

    @abstractmethod
    def command(self, experiment: Experiment) -> tuple[str, ...]:
        """Return the argv that runs the experiment in the sandbox's directory; `python` is the pilot's own."""

    @abstractmethod
    def source(self, experiment: Experiment) -> str:
        """Return the code that made an answer, as it goes to the code store and to review."""

    def known_sources(self) -> tuple[str, ...]:
        """Return sources that are known to be fine; what they do stands out in nobody's code."""
        return tuple(self.source(Experiment(method.name)) for method in self.methods)

    @abstractmethod
    def read_answer(self, stdout: str, answer: bytes | None) -> Answer:
        """Return what an experiment that ended found; raises NoAnswerError."""

    @abstractmethod
    def scorer(self) -> Scorer:
        """Return the scorer, labels included. Call it in the service's process only."""

    def gates(self) -> tuple[Gate, ...]:
        """Return the gates, in the order in which a method has to pass them."""
        return ()
