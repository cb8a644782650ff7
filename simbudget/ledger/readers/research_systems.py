"""Files of research systems: the journals of AIDE, MLE-bench and AI-Scientist-v2, and AI-Scientist's token tracker.

A journal's node is an experiment: a program that was written and run once. The tracker has totals by model; its prompt
contains what was cached, and its completion what was thought.
"""

import math
from typing import Any, Final

from simbudget.ledger.readers.experiments import Experiment, add_experiment
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.reported import add_total, first_of, run_of, tokens, usage_within
from simbudget.ledger.readers.rows import each
from simbudget.ledger.readers.thread import Thread
from simbudget.ledger.readers.values import JsonObject, duration_s, listing, mapping, moment, number, text


def _nodes(file: LogFile) -> list[JsonObject]:
    document = file.document
    found = listing(document) or listing(mapping(document).get("nodes"))
    return [mapping(node) for node in found]


def _recognises_journal(file: LogFile) -> bool:
    if not file.is_document or b'"is_buggy"' not in file.head:
        return False
    return any("is_buggy" in node and ("exec_time" in node or "step" in node) for node in _nodes(file))


def _read_journal(file: LogFile, gathering: Gathering) -> None:
    nodes = _nodes(file)
    above = mapping(mapping(file.document).get("node2parent"))
    run = run_of(gathering, file, JOURNAL.name, "")
    directions = [mapping(node.get("metric")).get("maximize") for node in nodes]
    is_more = next((each_ for each_ in directions if isinstance(each_, bool)), None)
    run.metric, run.better = "metric", {True: "higher", False: "lower", None: ""}[is_more]
    run.project = file.path.resolve().parent.name

    def take(place: int, node: JsonObject) -> None:
        if not gathering.is_new(
            ("journal", text(node.get("id")), text(node.get("step")), str(node.get("ctime")))
        ):
            run.repeated += 1
            return
        add_experiment(gathering, run, _experiment(node, above, place))

    each(enumerate(nodes), file, gathering, take)


def _experiment(node: JsonObject, above: JsonObject, place: int) -> Experiment:
    name = text(node.get("id")) or str(place)
    parent = node.get("parent")
    ran_s = duration_s(node.get("exec_time"))
    is_bad = node.get("is_buggy") is True
    return Experiment(
        name=name,
        status="failed" if is_bad else "ok",
        score=math.nan if is_bad else _score(node.get("metric")),
        parent=text(above.get(name)) or text(parent if not isinstance(parent, dict) else parent.get("id")),
        started_s=moment(node.get("ctime")),
        duration_s=ran_s,
    )


def _score(metric: Any) -> float:
    """Return a metric's value; AI-Scientist-v2 has several, each by data set: the first of them."""
    value = mapping(metric).get("value", metric)
    for named in map(mapping, listing(mapping(value).get("metric_names"))):
        for logged in map(mapping, listing(named.get("data"))):
            return number(first_of(logged, "final_value", "best_value"))
    return number(value)


JOURNAL: Final = Format("aide-journal", "journal of AIDE or MLE-bench", _recognises_journal, _read_journal)


def _recognises_tracker(file: LogFile) -> bool:
    if not file.is_document or b'"completion"' not in file.head:
        return False
    document = mapping(file.document)
    return bool(document) and all(_is_total(about) for about in document.values())


def _is_total(about: Any) -> bool:
    logged = mapping(mapping(about).get("tokens"))
    return "prompt" in logged and "completion" in logged


def _read_tracker(file: LogFile, gathering: Gathering) -> None:
    run = run_of(gathering, file, TRACKER.name, "")
    for model, about in mapping(file.document).items():
        _total(Thread(gathering, run), text(model), mapping(about), run)


def _total(thread: Thread, model: str, about: JsonObject, run: RunInMaking) -> None:
    logged = mapping(about.get("tokens"))
    usage = usage_within(
        run,
        tokens(run, logged, "prompt"),
        tokens(run, logged, "cached") or 0,
        0,
        tokens(run, logged, "completion"),
        thinking=tokens(run, logged, "reasoning"),
    )
    add_total(
        thread, usage, model, reported_cost_usd=run.dollars(first_of(about, "cost (USD)", "cost_usd", "cost"))
    )


TRACKER: Final = Format("ai-scientist", "AI-Scientist token tracker", _recognises_tracker, _read_tracker)
