"""The usage of a call as reported by the Messages API, and its columns in a ledger."""

from collections.abc import Mapping
from typing import Any

from simbudget.pricing.charge import COUNTS, Usage


def usage_of(reported: Mapping[str, Any]) -> Usage:
    """Parse the `usage` of an answer; cache writes without a breakdown count as the more expensive one-hour writes."""
    written = reported.get("cache_creation_input_tokens") or 0
    breakdown = _within(reported, "cache_creation")
    write_5m = _count(breakdown, "ephemeral_5m_input_tokens")
    details = _within(reported, "output_tokens_details")
    searches = _within(reported, "server_tool_use")
    return Usage(
        uncached_input=reported["input_tokens"],
        cache_write_5m=write_5m,
        cache_write_1h=max(written - write_5m, _count(breakdown, "ephemeral_1h_input_tokens")),
        cache_read=reported.get("cache_read_input_tokens") or 0,
        output=reported["output_tokens"],
        thinking=_count(details, "thinking_tokens") if "thinking_tokens" in details else None,
        web_searches=_count(searches, "web_search_requests"),
    )


def _within(reported: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a mapping within a usage; an empty one if there is none."""
    value = reported.get(name)
    return value if isinstance(value, Mapping) else {}


def _count(counts: Mapping[str, Any], name: str) -> int:
    """Return a count; 0 if it is missing, or not one."""
    value = counts.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def entry_columns(usage: Usage) -> dict[str, Any]:
    """Return a call's usage as columns of a ledger entry."""
    counts = {f"{name}_tokens": getattr(usage, name) for name in COUNTS}
    return counts | {"web_searches": usage.web_searches}
