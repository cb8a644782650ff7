"""Usage as those who send the bill export it: Anthropic's console and usage API, OpenAI's, OpenRouter's, Cursor's.

A row is a day's (or an hour's) usage of one model, for one key; Cursor's and OpenRouter's are single calls.
"""

from typing import Any, Final

from simbudget.ledger.readers.counts import MOST_IN_A_SESSION, place_of, service_of
from simbudget.ledger.readers.files import LogFile
from simbudget.ledger.readers.format import Format
from simbudget.ledger.readers.gathering import Gathering, RunInMaking
from simbudget.ledger.readers.reported import add_total, first_of, run_of, tokens, usage_within
from simbudget.ledger.readers.rows import each, table_rows
from simbudget.ledger.readers.thread import LoggedUsage, Thread
from simbudget.ledger.readers.values import (
    NOT_KNOWN,
    JsonObject,
    amount,
    duration_s,
    is_known,
    listing,
    mapping,
    moment,
    number,
    text,
)
from simbudget.pricing.models import qualified

_DAY_S: Final = 86400.0


def _repeats(gathering: Gathering, run: RunInMaking, row: JsonObject) -> bool:
    """Return whether a row stands in a file that was read before: exports of overlapping months have it twice."""
    is_new = gathering.is_new(("export", run.source, str(sorted(row.items(), key=str))))
    run.repeated += not is_new
    return not is_new


def _add_cost(run: RunInMaking, cost_usd: float) -> None:
    """Add a cost that is reported apart from what was used."""
    if is_known(cost_usd):
        run.reported_cost_usd = cost_usd + (run.reported_cost_usd if is_known(run.reported_cost_usd) else 0.0)


def _rows(file: LogFile, gathering: Gathering, run: RunInMaking, take: Any) -> None:
    """Give each row of a table to a function, once; two alike within one table are two."""
    seen: list[JsonObject] = []

    def once(number: int, row: JsonObject) -> None:
        key = ("export", run.source, str(sorted(row.items(), key=str)))
        if gathering.row(key) is not None:
            run.repeated += 1
            return
        seen.append(row)
        take(row)

    each(table_rows(file, gathering), file, gathering, once)
    for row in seen:
        _repeats(gathering, run, row)


def _buckets(file: LogFile) -> list[JsonObject]:
    """Return the buckets of a usage API's page, or of several pages in a list."""
    document = file.document
    pages = document if isinstance(document, list) else [document]
    listed = [listing(mapping(page).get("data")) or [page] for page in pages]
    return [mapping(bucket) for buckets in listed for bucket in buckets if "results" in mapping(bucket)]


def _from_pages(file: LogFile, gathering: Gathering, run: RunInMaking, take: Any) -> None:
    """Give each result of a page to a function, with its bucket's times."""

    def bucket(_: int, about: JsonObject) -> None:
        for result in map(mapping, listing(about.get("results"))):
            row = {**{name: value for name, value in about.items() if name != "results"}, **result}
            if not _repeats(gathering, run, row):
                take(row)

    each(enumerate(_buckets(file)), file, gathering, bucket)


# Anthropic


def _recognises_anthropic(file: LogFile) -> bool:
    if "usage_input_tokens_no_cache" in file.header:
        return True
    if not file.is_document or b'"results"' not in file.head or b'"starting_at"' not in file.head:
        return False
    return any(
        "uncached_input_tokens" in mapping(result) or {"amount", "currency"} <= mapping(result).keys()
        for about in _buckets(file)
        for result in listing(about["results"])
    )


def _read_anthropic(file: LogFile, gathering: Gathering) -> None:
    run = run_of(gathering, file, ANTHROPIC.name, "")
    if file.header:
        _rows(file, gathering, run, lambda row: _anthropic_row(Thread(gathering, run), row))
    else:
        _from_pages(file, gathering, run, lambda row: _anthropic_result(Thread(gathering, run), row))


def _anthropic_row(thread: Thread, row: JsonObject) -> None:
    run = thread.run
    five, hour = (tokens(run, row, f"usage_input_tokens_cache_write_{time}") for time in ("5m", "1h"))
    usage = LoggedUsage(
        tokens(run, row, "usage_input_tokens_no_cache"),
        None if five is None or hour is None else five + hour,
        tokens(run, row, "usage_input_tokens_cache_read"),
        tokens(run, row, "usage_output_tokens"),
        write_1h=hour,
        web_searches=tokens(run, row, "web_search_count") or None,
        service=service_of(row.get("speed"), row.get("usage_type")),
        inference_geo=place_of(row.get("inference_geo")),
    )
    at_s = moment(first_of(row, "usage_date_utc", "usage_date", "date"))
    _add_day(thread, usage, text(first_of(row, "model_version", "model")), at_s, _DAY_S, row)


def _anthropic_result(thread: Thread, row: JsonObject) -> None:
    run, writes = thread.run, mapping(row.get("cache_creation"))
    if "amount" in row:  # a cost report's, in cents
        _add_cost(run, run.dollars(number(row["amount"]) / 100))
        return
    if text(row.get("context_window")).startswith("200k"):
        run.note_missing(
            "which prompts of up to a million tokens cost more, on days with long-context prices"
        )
    five, hour = (tokens(run, writes, f"ephemeral_{time}_input_tokens") for time in ("5m", "1h"))
    usage = LoggedUsage(
        tokens(run, row, "uncached_input_tokens"),
        (five or 0) + (hour or 0),
        tokens(run, row, "cache_read_input_tokens"),
        tokens(run, row, "output_tokens"),
        write_1h=hour,
        web_searches=tokens(run, mapping(row.get("server_tool_use")), "web_search_requests") or None,
        service=service_of(row.get("speed"), row.get("service_tier")),
        inference_geo=place_of(row.get("inference_geo")),
    )
    at_s, until_s = moment(row.get("starting_at")), moment(row.get("ending_at"))
    _add_day(thread, usage, text(row.get("model")), at_s, until_s - at_s, row)


def _add_day(
    thread: Thread, usage: LoggedUsage, model: str, at_s: float, lasts_s: float, row: JsonObject
) -> None:
    """Add what was used in a day or an hour. It lasted no time that anybody measured."""
    calls = thread.run.count(
        first_of(row, "num_model_requests", "requests", "request_count"), MOST_IN_A_SESSION
    )
    cost = first_of(row, "usage", "cost", "cost_usd")
    reported = thread.run.dollars(cost) if not isinstance(cost, dict) else NOT_KNOWN
    add_total(thread, usage, model, started_s=at_s, calls=calls, reported_cost_usd=reported)
    if is_known(at_s + lasts_s):
        thread.sees(at_s + lasts_s)


ANTHROPIC: Final = Format("anthropic-usage", "Anthropic usage export", _recognises_anthropic, _read_anthropic)


# OpenAI


def _recognises_openai(file: LogFile) -> bool:
    if {"num_model_requests", "input_tokens"} <= set(file.header):
        return True
    if not file.is_document or b'"results"' not in file.head:
        return False
    return any(
        str(mapping(result).get("object")).startswith("organization.")
        for about in _buckets(file)
        for result in listing(about["results"])
    )


def _read_openai(file: LogFile, gathering: Gathering) -> None:
    run = run_of(gathering, file, OPENAI.name, "")
    take = _rows if file.header else _from_pages
    take(file, gathering, run, lambda row: _openai_result(Thread(gathering, run), row))


def _openai_result(thread: Thread, row: JsonObject) -> None:
    run, at_s = thread.run, moment(first_of(row, "start_time", "start_time_iso"))
    if "costs" in text(row.get("object")):
        _add_cost(run, run.dollars(mapping(row.get("amount")).get("value")))
        return
    service = "batch" if text(row.get("batch")).lower() in ("true", "1") or row.get("batch") is True else ""
    usage = usage_within(
        run,
        tokens(run, row, "input_tokens"),
        tokens(run, row, "input_cached_tokens") or 0,
        0,
        tokens(run, row, "output_tokens"),
        service=service or service_of(row.get("service_tier")),
    )
    until_s = moment(first_of(row, "end_time", "end_time_iso"))
    _add_day(thread, usage, text(row.get("model")), at_s, until_s - at_s, row)


OPENAI: Final = Format("openai-usage", "OpenAI usage export", _recognises_openai, _read_openai)


# OpenRouter


def _recognises_openrouter(file: LogFile) -> bool:
    if {"generation_id", "tokens_prompt"} <= set(file.header):
        return True
    if not file.is_document or b'"byok_usage_inference"' not in file.head:
        return False
    return any("prompt_tokens" in mapping(day) for day in listing(mapping(file.document).get("data")))


def _read_openrouter(file: LogFile, gathering: Gathering) -> None:
    run = run_of(gathering, file, OPENROUTER.name, "")
    if file.header:
        _rows(file, gathering, run, lambda row: _openrouter_row(Thread(gathering, run), row))
        return

    def day(_: int, row: JsonObject) -> None:
        if not _repeats(gathering, run, row):
            usage = LoggedUsage(
                output=tokens(run, row, "completion_tokens"),
                thinking=tokens(run, row, "reasoning_tokens"),
                context=tokens(run, row, "prompt_tokens"),
            )
            model = qualified("openrouter", text(first_of(row, "model_permaslug", "model")))
            _add_day(Thread(gathering, run), usage, model, moment(row.get("date")), _DAY_S, row)

    each(enumerate(map(mapping, listing(mapping(file.document).get("data")))), file, gathering, day)


def _openrouter_row(thread: Thread, row: JsonObject) -> None:
    run, began_s = thread.run, moment(row.get("created_at"))
    took_s = duration_s(row.get("generation_time_ms"), 1e-3)
    usage = usage_within(
        run,
        tokens(run, row, "tokens_prompt"),
        tokens(run, row, "tokens_cached") or 0,
        0,
        tokens(run, row, "tokens_completion"),
        thinking=tokens(run, row, "tokens_reasoning"),
    )
    model = qualified("openrouter", text(row.get("model_permaslug")))
    cost_usd, status = run.dollars(row.get("cost_total")), text(row.get("finish_reason_normalized"))
    if row.get("cancelled") == "true" and not usage.output:
        thread.ready_s = began_s
        thread.fails(began_s + took_s, "cancelled", model)
        return
    thread.call(usage, model, began_s, began_s + took_s, reported_cost_usd=cost_usd, status=status)


OPENROUTER: Final = Format("openrouter", "OpenRouter activity", _recognises_openrouter, _read_openrouter)


# Cursor

_WRITTEN: Final = "Input (w/ Cache Write)"
_PLAIN: Final = "Input (w/o Cache Write)"


def _recognises_cursor(file: LogFile) -> bool:
    return {_PLAIN, "Cache Read"} <= set(file.header)


def _read_cursor(file: LogFile, gathering: Gathering) -> None:
    run = run_of(gathering, file, CURSOR.name, "")

    def take(row: JsonObject) -> None:
        plain, written, read, output = (
            tokens(run, row, name) for name in (_PLAIN, _WRITTEN, "Cache Read", "Output Tokens")
        )
        cost = text(first_of(row, "Cost", "Cost ($)", "Cost to you")).lstrip("$").replace(",", "")
        status = text(row.get("Kind"))
        at_s = moment(row.get("Date"))
        thread = Thread(gathering, run)
        if "not charged" in status.lower() and not amount(row.get("Total Tokens")) > 0:
            thread.ready_s = at_s
            thread.fails(at_s, status, text(row.get("Model")))
            return
        reported = run.dollars(cost) if cost[:1].isdigit() else NOT_KNOWN
        thread.call(
            LoggedUsage(plain, written, read, output),
            text(row.get("Model")),
            at_s,
            NOT_KNOWN,
            reported_cost_usd=reported,
            status=status,
        )

    _rows(file, gathering, run, take)


CURSOR: Final = Format("cursor", "Cursor usage export", _recognises_cursor, _read_cursor)
