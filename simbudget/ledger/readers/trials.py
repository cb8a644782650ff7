"""Trials of benchmarks of terminal agents: Terminal-Bench's results and Harbor's, one file a trial or all in one.

A trial is a run: what it used in all, how long the agent and its test took, and whether it passed. Terminal-Bench's
input tokens contain what was cached, and do not say how much; nor does it name the model, unless a record's runner did.
"""

from typing import Final

from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering
from simbudget.ledger.readers.reported import add_total, first_of, records, sample, tokens, usage_within
from simbudget.ledger.readers.thread import LoggedUsage, Thread
from simbudget.ledger.readers.values import NOT_KNOWN, JsonObject, amount, is_known, mapping, moment, text

_LIST: Final = "results"


def _is_trial(record: JsonObject) -> bool:
    is_terminal_bench = "is_resolved" in record and "trial_name" in record
    return is_terminal_bench or ("trial_name" in record and "agent_result" in record)


def _recognises(file: LogFile) -> bool:
    return b'"trial_name"' in file.head and any(map(_is_trial, sample(file, _LIST)))


def _read(file: LogFile, gathering: Gathering) -> None:
    def take(number: int, record: JsonObject) -> None:
        if not _is_trial(record):
            gathering.cannot_read(file.path, number, "not a trial")
            return
        name, task = text(record["trial_name"]), text(first_of(record, "task_id", "task_name"))
        group = text(first_of(record, "submission", "job_id", "run_id"))
        logged = (record.get(key_) for key_ in ("id", "path", "trial_started_at", "started_at"))
        key = " ".join(map(str, ("trial", group, name, *logged)))
        is_new = gathering.is_new(("trial", key))
        run = gathering.run(key, FORMAT.name, file.path, f"{group} {name}".strip(), task)
        run.task = task
        if not is_new:
            run.repeated += 1
            return
        run.metric, run.better = "reward", "higher"
        _trial(Thread(gathering, run), record)

    records(file, gathering, take, _LIST)


def _trial(thread: Thread, record: JsonObject) -> None:
    run, result = thread.run, mapping(record.get("agent_result"))
    began_s, ended_s = _span(record, "agent")
    if not is_known(began_s):
        began_s, ended_s = _span(record, "trial")
    run.duration_s = thread.lasted_s(began_s, ended_s)
    logged = result or record
    prompt = tokens(run, logged, "n_input_tokens", "total_input_tokens")
    output = tokens(run, logged, "n_output_tokens", "total_output_tokens")
    read = tokens(run, logged, "n_cache_tokens")
    usage = (
        LoggedUsage(output=output, context=prompt)
        if read is None
        else usage_within(run, prompt, read, 0, output)
    )
    model = text(mapping(mapping(record.get("agent_info")).get("model_info")).get("name")) or text(
        record.get("model")
    )
    failure = text(record.get("failure_mode")) or text(
        mapping(record.get("exception_info")).get("exception_type")
    )
    status = "" if failure in ("unset", "none") else failure
    if prompt is not None or output is not None or result.get("cost_usd") is not None:
        reported = run.dollars(result.get("cost_usd"))
        add_total(thread, usage, model, started_s=began_s, reported_cost_usd=reported, status=status)
    else:
        run.missing["tokens"] += 1
    tested_s, until_s = _span(record, "test")
    if not is_known(tested_s):
        tested_s, until_s = _span(record, "verifier")
    score = _score(record)
    thread.add("score", tested_s, thread.lasted_s(tested_s, until_s), score=score, status=status)


def _span(record: JsonObject, what: str) -> tuple[float, float]:
    """Return when a part of a trial began and ended."""
    about = mapping(record.get({"agent": "agent_execution", "trial": ""}.get(what, what)))
    if what == "trial" and "started_at" in record:
        about = record
    began = first_of(record, f"{what}_started_at") or about.get("started_at")
    return moment(began), moment(first_of(record, f"{what}_ended_at") or about.get("finished_at"))


def _score(record: JsonObject) -> float:
    if isinstance(record.get("is_resolved"), bool):
        return float(record["is_resolved"])
    rewards = mapping(mapping(record.get("verifier_result")).get("rewards"))
    return amount(rewards.get("reward")) if rewards else NOT_KNOWN


FORMAT: Final = Format("trials", "Terminal-Bench or Harbor trial", _recognises, _read)
