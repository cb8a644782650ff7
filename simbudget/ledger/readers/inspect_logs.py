"""Inspect's evaluation logs (`.eval` and JSON), read through the package `inspect_ai` where it is installed.

Each sample is a run: its model events are calls, its tool events tools, its score events scorings. Inspect's
input tokens exclude what was read from the cache and written to it.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.thread import LoggedUsage, Thread
from simbudget.ledger.readers.values import NOT_KNOWN, number, text

if TYPE_CHECKING:
    import datetime

_ZIP: Final = b"PK\x03\x04"
_INSTALL: Final = "an Inspect log, which needs the package inspect_ai: pip install 'simbudget[inspect]'"


def _recognises(file: LogFile) -> bool:
    if file.head.startswith(_ZIP):
        return b"_journal/" in file.head or b"header.json" in file.head or b"samples/" in file.head
    beginning = file.head[:65536]
    return (
        file.is_document
        and b'"eval"' in beginning
        and b'"task_id"' in beginning
        and b'"eval_id"' in beginning
    )


def _read(file: LogFile, gathering: Gathering) -> None:
    if find_spec("inspect_ai") is None:
        gathering.cannot_read(file.path, 0, _INSTALL)
        return
    from inspect_ai.log import read_eval_log, read_eval_log_samples  # noqa: PLC0415  slow to import
    from pydantic import ValidationError  # noqa: PLC0415

    try:
        header = read_eval_log(str(file.path), header_only=True)
        for sample in read_eval_log_samples(str(file.path), all_samples_required=False):
            name = f"{header.eval.task} {sample.id} {sample.epoch}"
            key = f"inspect {sample.uuid or f'{header.eval.eval_id} {name}'}"
            if key in gathering.runs:
                gathering.runs[key].repeated += 1
                continue
            run = gathering.run(key, FORMAT.name, file.path, name, text(header.eval.task))
            run.task = f"{header.eval.task} {sample.id}"
            run.metric = ", ".join(sample.scores or {})
            _sample(gathering, run, sample)
    except (ValueError, ValidationError, OSError, KeyError, EOFError, RuntimeError) as error:
        gathering.cannot_read(file.path, 0, f"a damaged Inspect log: {str(error).splitlines()[0][:200]}")


def _sample(gathering: Gathering, run: RunInMaking, sample: Any) -> None:
    thread = Thread(gathering, run)
    for event in sample.events:
        began_s, ended_s = _seconds(event.timestamp), _seconds(getattr(event, "completed", None))
        if event.event == "model":
            _call(thread, event, began_s, ended_s)
        elif event.event == "tool":
            outcome = "failed" if event.error else "ok"
            thread.add(
                "tool", began_s, thread.lasted_s(began_s, ended_s), name=event.function, outcome=outcome
            )
        elif event.event == "score" and not getattr(event, "intermediate", False):
            score = _score(event.score.value)
            thread.add("score", began_s, NOT_KNOWN, score=score, status=text(event.score.value))


def _call(thread: Thread, event: Any, began_s: float, ended_s: float) -> None:
    usage, model = event.output.usage, text(event.model)
    bare = model.rpartition("/")[2]
    if event.error or usage is None:
        thread.ready_s = began_s
        thread.fails(ended_s, "error" if event.error else "no usage", bare)
        return
    count = thread.run.count
    read, write = usage.input_tokens_cache_read, usage.input_tokens_cache_write
    used = LoggedUsage(
        uncached=count(usage.input_tokens),
        write=count(write) if write is not None else 0,
        read=count(read) if read is not None else 0,
        output=count(usage.output_tokens),
        thinking=count(usage.reasoning_tokens),
    )
    cost_usd = thread.run.dollars(getattr(usage, "total_cost", None))
    row = thread.call(used, bare, began_s, ended_s, reported_cost_usd=cost_usd)
    worked_s, lasted_s = number(event.working_time), thread.lasted_s(began_s, ended_s)
    if worked_s <= lasted_s:  # the rest went by in retries and in waiting for a connection
        thread.put_off(row, began_s, worked_s, lasted_s - worked_s)


def _seconds(when: "datetime.datetime | None") -> float:
    return when.timestamp() if when is not None else NOT_KNOWN


def _score(value: Any) -> float:
    grades = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
    return grades[value] if isinstance(value, str) and value in grades else number(value)


FORMAT: Final = Format("inspect", "Inspect log", _recognises, _read)
