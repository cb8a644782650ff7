"""What many formats have in common: values by any of several names, prompts that contain what was cached, totals.

A *total* is what a log reports of several calls together: a session's, a day's, a turn's. It is one entry of
kind `calls`.
"""

from typing import Any, NamedTuple

from simbudget.ledger.entry import CALLS
from simbudget.ledger.readers.counts import MOST_IN_A_SESSION
from simbudget.ledger.readers.files import LogFile, loads
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.rows import each
from simbudget.ledger.readers.thread import LoggedUsage, Thread
from simbudget.ledger.readers.values import NOT_KNOWN, JsonObject, listing, mapping, text


def first_of(values: JsonObject, *names: str) -> Any:
    """Return the first value that is there, under any of several names; None if none is."""
    return next((values[name] for name in names if values.get(name) not in (None, "")), None)


def unpacked(value: Any) -> JsonObject:
    """Return an object, also one that stands as text within JSON or a table."""
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        return mapping(loads(value.encode()))
    return mapping(value)


def tokens(run: RunInMaking, values: JsonObject, *names: str) -> int | None:
    """Return a count of tokens under any of several names; None if it is not known."""
    return run.count(first_of(values, *names), MOST_IN_A_SESSION)


def usage_within(
    run: RunInMaking, prompt: int | None, read: int | None, write: int | None, output: int | None, **more: Any
) -> LoggedUsage:
    """Return the usage of a call whose prompt's count contains what was read from the cache and written to it."""
    if prompt is None or read is None or write is None:
        return LoggedUsage(None, write, read, output, context=prompt, **more)
    if read + write > prompt:
        run.odd["more cached tokens than the prompt that contains them"] += 1
        return LoggedUsage(None, write, read, output, context=prompt, **more)
    return LoggedUsage(prompt - read - write, write, read, output, **more)


class CountNames(NamedTuple):
    """The names under which a tool logs the counts of a call whose prompt contains its cached tokens."""

    prompt: str
    read: str
    write: str
    output: str
    thinking: str


def usage_named(
    run: RunInMaking, record: JsonObject, names: CountNames, *, read_if_missing: int | None = 0
) -> LoggedUsage:
    """Return the usage of a call, or of a session, from counts logged under these names.

    Args:
        run: the run, in which odd counts are noted.
        record: the record with the counts.
        names: their names.
        read_if_missing: tokens read from the cache if the record does not say; None: not known.
    """
    prompt, read, write, output, thinking = (run.count(record.get(name), MOST_IN_A_SESSION) for name in names)
    if read is None:
        read = read_if_missing
    return usage_within(run, prompt, read, write or 0, output, thinking=thinking)


def add_total(thread: Thread, usage: LoggedUsage, model: str, **columns: Any) -> int:
    """Add what several calls used together, and return the entry's row.

    Args:
        thread: of which agent.
        usage: of all the calls.
        model: empty if the log does not say.
        columns: of the entry, by their names; `started_s`, `duration_s` and `calls` are not known if not given.
    """
    started_s = columns.pop("started_s", NOT_KNOWN)
    lasted_s = columns.pop("duration_s", NOT_KNOWN)
    known = {"component": "tokens", "cost_usd": NOT_KNOWN, "model": model, **usage.columns(), **columns}
    return thread.add(CALLS, started_s, lasted_s, **known)


def records(file: LogFile, gathering: Gathering, take: Any, *within: str) -> None:
    """Give each record of a file to a function: a line each, or the elements of one document's list.

    Args:
        file: what is read.
        gathering: where lines that cannot be read are noted.
        take: called with a record's number and the record.
        within: names under which a document that is an object may have the list; else the document is the record.
    """
    if not file.is_document:
        each(
            file.json_lines(lambda number, why: gathering.cannot_read(file.path, number, why)),
            file,
            gathering,
            take,
        )
        return
    document = file.document
    if document is None:
        gathering.cannot_read(file.path, 0, "not a whole JSON document")
        return
    listed = document if isinstance(document, list) else listing(first_of(mapping(document), *within))
    found = listed or [document]
    each(((place, mapping(record)) for place, record in enumerate(found, 1)), file, gathering, take)


def sample(file: LogFile, *within: str) -> list[JsonObject]:
    """Return records from the beginning of a file, to recognise it by; as `records` yields them."""
    if not file.is_document:
        return file.objects[:50]
    document = file.document
    listed = document if isinstance(document, list) else listing(first_of(mapping(document), *within))
    return [mapping(record) for record in (listed or [document])[:50]]


def run_of(gathering: Gathering, file: LogFile, source: str, name: Any, project: str = "") -> RunInMaking:
    """Return the run of an id that a log gives; without one, the file is the run."""
    known = text(name)
    return gathering.run(
        f"{source} {known or file.path}", source, file.path, known or file.path.name, project
    )
