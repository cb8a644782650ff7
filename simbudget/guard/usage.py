"""The usage of a call as reported by the Messages API, and its columns in a ledger."""

from collections.abc import Mapping
from typing import Any

from simbudget.pricing.charge import Usage


def usage_of(reported: Mapping[str, Any]) -> Usage:
    """Parse the `usage` of an answer; cache writes without a breakdown count as the more expensive one-hour writes."""
    written = reported.get("cache_creation_input_tokens") or 0
    breakdown = reported.get("cache_creation") or {}
    write_5m = breakdown.get("ephemeral_5m_input_tokens") or 0
    details = reported.get("output_tokens_details") or {}
    searches = reported.get("server_tool_use") or {}
    return Usage(
        uncached_input=reported["input_tokens"],
        cache_write_5m=write_5m,
        cache_write_1h=max(written - write_5m, breakdown.get("ephemeral_1h_input_tokens") or 0),
        cache_read=reported.get("cache_read_input_tokens") or 0,
        output=reported["output_tokens"],
        thinking=details.get("thinking_tokens"),
        web_searches=searches.get("web_search_requests") or 0,
    )


def entry_columns(usage: Usage) -> dict[str, Any]:
    """Return a call's usage as columns of a ledger entry."""
    return {
        "uncached_input_tokens": usage.uncached_input,
        "cache_write_tokens": usage.cache_write,
        "cache_write_1h_tokens": usage.cache_write_1h,
        "cache_read_tokens": usage.cache_read,
        "output_tokens": usage.output,
        "thinking_tokens": usage.thinking,
        "web_searches": usage.web_searches,
    }
