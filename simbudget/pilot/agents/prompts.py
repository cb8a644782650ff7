"""The agents' prompts and tools."""

from typing import Any, Final

from simbudget.pilot.conversation import record_line
from simbudget.pilot.task_list import TaskAttempt
from simbudget.pilot.tasks.task import Method, Task

_RULES: Final = """\
You are one of {agents} automated researchers who work on the same task, each in a sandbox of its own, for a limited
time. You work in cycles: think, run an experiment, have its answer scored, share what you found. Change one thing
at a time, keep what works, and say what did not. Experiments take a slot of a shared pool; scores are noisy, and seeds
differ. Files of the sandbox are read with read_file. A known method is run by its name; one of your own brings its
code along.
Results, notes and findings have records: lines of JSON about one idea each."""

_DIRECTION: Final = "Begin with this direction, and leave it when something else is better: {direction}."


def method_record(method: Method) -> dict[str, Any]:
    """Return a method as a record."""
    knobs = [
        {
            "name": knob.name,
            "low": knob.low,
            "high": knob.high,
            "default": knob.default,
            "whole": knob.whole,
            "logarithmic": knob.logarithmic,
        }
        for knob in method.knobs
    ]
    return {"method": method.name, "what": method.what, "direction": method.direction, "knobs": knobs}


def system_prompt(task: Task, agents: int, direction: str, files: list[str]) -> str:
    """Return the system prompt of an agent's contexts, without their individual first line.

    Args:
        task: the task that it works on.
        agents: number of agents of the pilot.
        direction: where it starts to search; empty for no preference.
        files: names of the task's files that it may read.
    """
    parts = [_RULES.format(agents=agents), f"The task: {task.what}"]
    if task.methods:
        parts += ["Known methods:", *(record_line(method_record(method)) for method in task.methods)]
    if direction:
        parts += [_DIRECTION.format(direction=direction), record_line({"your_direction": direction})]
    parts.append(record_line({"files": files}))
    return "\n".join(parts)


def task_line(attempt: TaskAttempt) -> str:
    """Return the line that tells an agent which task of the list it works on."""
    return f"You work on task {attempt.task}; this is attempt {attempt.attempt + 1} at it."


def at_once(jobs: int) -> str:
    """Return the sentence of the prompt about several parallel jobs; empty for a single one."""
    if jobs == 1:
        return ""
    return (
        f" {jobs} runs go side by side: call it up to {jobs} times in one answer; runs that you do not specify repeat "
        "yours with other seeds."
    )


def filled(prompt: str, tokens: int) -> str:
    """Pad a prompt with background text to about this many tokens; longer prompts are unchanged."""
    missing = 4 * tokens - len(prompt.encode())
    if missing <= len(_BACKGROUND):
        return prompt
    text = _BACKGROUND * (missing // len(_BACKGROUND) + 1)
    return f"{prompt}\nBackground.\n{text[:missing]}"


_BACKGROUND: Final = """\
Weak-to-strong generalisation asks whether a strong model can be trained on the labels of a weaker one and come out
better than its teacher. The measure is the performance gap recovered: the student's gain over its teacher as a share
of what a student trained on the truth would gain. Plain training recovers a part of the gap, since a strong student
does not repeat errors that look like noise to it; it repeats those that are systematic. Known remedies weigh confident
labels more, let the student overrule its teacher, train several students, or use the structure of the inputs without
labels.
"""


def _tool(
    name: str, description: str, properties: dict[str, Any], required: tuple[str, ...] = ()
) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"name": name, "description": description, "input_schema": schema}


def tools(task: Task) -> list[dict[str, Any]]:
    """Return an agent's tools, in the form of the Messages API."""
    names = ", ".join(method.name for method in task.methods)
    return [
        _tool("list_files", "List the files of the sandbox.", {}),
        _tool(
            "read_file",
            "Read a text file of the sandbox.",
            {"path": {"type": "string"}},
            ("path",),
        ),
        _tool(
            "write_note",
            "Write something into your notebook, which outlives this conversation.",
            {"text": {"type": "string"}},
            ("text",),
        ),
        _tool("read_forum", "Read what the others have posted since you last looked.", {}),
        _tool(
            "read_code",
            "Read the code behind a finding, by its name in the code store.",
            {"code": {"type": "string"}},
            ("code",),
        ),
        _tool(
            "run_experiment",
            f"Run an experiment. Known methods: {names}. Ends the step.",
            {
                "method": {
                    "type": "string",
                    "description": "A known method, or a name of your own with code.",
                },
                "hyperparameters": {"type": "object"},
                "seed": {"type": "integer"},
                "code": {"type": "string", "description": "Python source of a method of your own."},
            },
            ("method",),
        ),
        _tool(
            "submit",
            f"Have the answer of an experiment scored ({task.score_name}); the latest one if none is named.",
            {"experiment": {"type": "integer"}},
        ),
        _tool(
            "post",
            "Tell the others what you found; your latest idea, its score and its code go with it.",
            {"text": {"type": "string"}},
            ("text",),
        ),
        _tool("next_step", "End this step.", {}),
    ]
