"""The interface of tasks, the plug-ins that a pilot's agents work on.

A task defines the files that an agent sees (copied into its sandbox), how an experiment is run there (a command that
reads `experiment.json` and leaves an answer), what an answer is worth (a scorer, which alone holds the labels and
runs in the service's process), and the gates that test a method away from the benchmark. One experiment is run as
follows:

    files = task.public_files()                            # once, into the sandbox's directory
    files |= task.experiment_files(experiment)             # before each run
    completed = await sandbox.run(task.command(experiment), timeout_s)
    answer = task.read_answer(completed.stdout, bytes of task.answer_file or None)
    scored = await client.submit(Submission(answer=answer, …))

To add a task, subclass `Task` and give its name as `module:Class` (`loading.py`).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Hyperparameters: TypeAlias = Mapping[str, float | int | str]
"""A method's settings by name."""

Answer: TypeAlias = Mapping[str, Any]
"""Sent to the scorer as JSON; the shape depends on the task (`{domain: [class of each test item]}`, a metric)."""


class NoAnswerError(Exception):
    """An experiment ended without a usable answer; the message says why."""


class MalformedAnswerError(Exception):
    """An answer has the wrong shape; the message says what it is and what it should be."""


@dataclass(frozen=True)
class Knob:
    """A hyperparameter: its range, its default, whether it is an integer, and whether its scale is logarithmic."""

    name: str
    low: float
    high: float
    default: float
    whole: bool = False
    logarithmic: bool = False


@dataclass(frozen=True)
class Method:
    """A known method: its name, a sentence on what it does, its direction and its hyperparameters."""

    name: str
    what: str
    direction: str
    knobs: tuple[Knob, ...] = ()

    def defaults(self) -> dict[str, float | int | str]:
        """Return the default hyperparameters."""
        return {knob.name: int(knob.default) if knob.whole else knob.default for knob in self.knobs}


@dataclass(frozen=True)
class Experiment:
    """One run: a method by name or with the agent's own code, its hyperparameters and its seed."""

    method: str
    hyperparameters: Hyperparameters = field(default_factory=dict)
    seed: int = 0
    code: str | None = None
    """Python source with a function of the shape that the task asks for; overrides the method of that name."""
    task: int | None = None
    """Which task of a list it is for, from 0; None without a list."""


@dataclass(frozen=True)
class Score:
    """The worth of an answer: the score and its parts, both unrounded; only the service sees these values."""

    value: float
    parts: Mapping[str, float] = field(default_factory=dict)


class Scorer(ABC):
    """Holds the labels. Only ever created in the service's process."""

    @abstractmethod
    def score(self, answer: Answer) -> Score:
        """Return the score of an answer; stateless.

        Raises:
            MalformedAnswerError: the answer has the wrong shape.
        """

    @abstractmethod
    def majority_share(self, answer: Answer) -> Mapping[str, float]:
        """Return, by part of the answer, its share of agreement with what can be said without a teacher, 0 to 1.

        For weak-to-strong domains with several candidate answers per question, that is the most common answer. Parts
        to which this does not apply are left out.
        """


@dataclass(frozen=True)
class Trial:
    """One run that a gate asks for, in a fresh sandbox: its files and its command."""

    files: Mapping[str, bytes]
    command: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class GateResult:
    """The result of a gate.

    `effect` is in units of the task's score, `p_value` is one-sided under no effect, and `power` is the probability
    that a true effect of `smallest_effect` would have passed.
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
        """Return the runs to make: the candidate's and those of the control."""

    @abstractmethod
    def judge(self, answers: Sequence[Answer | None]) -> GateResult:
        """Return the verdict on the trials' answers, in order; None for a trial without an answer."""


class Task(ABC):
    """A task; the docstring of this module explains its parts."""

    name: str
    what: str
    """The instructions for agents: the aim, the files, how experiments are run, and how they are scored."""
    score_name: str = "score"
    answer_file: str = "answer.json"
    """File that an experiment leaves in the sandbox's directory; not every task needs one."""
    is_list: bool = False
    """Whether it is a list of tasks, whose experiments differ by `Experiment.task`."""
    solved_from: float | None = None
    """Score from which an attempt solves a task of the list; None if that is not known."""
    methods: tuple[Method, ...] = ()
    hacks: tuple[Method, ...] = ()
    """Ways to game the evaluation, as real code; the researcher program uses them, and agents do not see them."""
    baselines: Mapping[str, float] = {}
    """Measured mean scores of methods with default hyperparameters (docs/pilot-task.md describes how)."""

    @abstractmethod
    def public_files(self) -> Mapping[str, bytes]:
        """Return the files that an agent sees, by path relative to its sandbox; they contain no labels."""

    @abstractmethod
    def experiment_files(self, experiment: Experiment) -> Mapping[str, bytes]:
        """Return the files that specify one experiment."""

    @abstractmethod
    def command(self, experiment: Experiment) -> tuple[str, ...]:
        """Return the command of an experiment, run in the sandbox's directory; `python` is the pilot's Python."""

    @abstractmethod
    def source(self, experiment: Experiment) -> str:
        """Return the source that made an answer, for the code store and for review."""

    def known_sources(self) -> tuple[str, ...]:
        """Return trusted sources, whose constructs review does not flag in other code."""
        return tuple(self.source(Experiment(method.name)) for method in self.methods)

    @abstractmethod
    def read_answer(self, stdout: str, answer: bytes | None) -> Answer:
        """Return the answer of an experiment that has ended.

        Raises:
            NoAnswerError: there is none.
        """

    @abstractmethod
    def scorer(self) -> Scorer:
        """Return the scorer with its labels. Call it only in the service's process."""

    def gates(self) -> tuple[Gate, ...]:
        """Return the gates in the order in which a method has to pass them."""
        return ()
