"""The provider's rate limits: the engine's token buckets, and the headers that describe them."""

import datetime
import math
from typing import Final

import numpy as np

from simbudget.engine.laws.draws import NANOSECOND
from simbudget.engine.laws.provider import all_pay_from_ns, level_at, pays_from_ns, take

_NAMES: Final = ("requests", "input-tokens", "output-tokens")
"""Names of the buckets in headers, in the order of `laws.provider`."""


class Limiter:
    """The limits of one organisation on requests, input and output tokens per minute; None for no limit."""

    def __init__(
        self, requests: float | None, input_tokens: float | None, output_tokens: float | None
    ) -> None:
        limits = np.array(
            [limit or 0.0 for limit in (requests, input_tokens, output_tokens)]
        )  # 0 is no limit
        self._buckets = np.column_stack([limits, limits, np.zeros(len(limits))])

    def wait_s(self, input_tokens: int, output_tokens: int, now_s: float) -> tuple[float, str]:
        """Return the waiting time of a request, in seconds of the run, and the limit that it waits for longest."""
        now_ns = _nanoseconds(now_s)
        starts_ns, last = all_pay_from_ns(self._buckets, input_tokens, output_tokens, now_ns)
        return (starts_ns - now_ns) / NANOSECOND, _NAMES[last]

    def take(self, input_tokens: int, output_tokens: int, now_s: float) -> None:
        """Deduct a request from the buckets."""
        take(self._buckets, input_tokens, output_tokens, _nanoseconds(now_s))

    def headers(self, now_s: float, time_scale: float) -> dict[str, str]:
        """Return the headers in which the provider reports its limits.

        Args:
            now_s: seconds of the run.
            time_scale: seconds of the run per second of real time; resets are in real time.
        """
        said: dict[str, str] = {}
        now_ns = _nanoseconds(now_s)
        for bucket, limit in zip(self._buckets, _NAMES, strict=True):
            per_minute = float(bucket[0])
            if per_minute == 0.0:
                continue
            full_in_s = (pays_from_ns(bucket, per_minute, now_ns) - now_ns) / NANOSECOND / time_scale
            reset = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=full_in_s)
            name = f"anthropic-ratelimit-{limit}"
            said[f"{name}-limit"] = f"{per_minute:.0f}"
            # Whole ones: who is refused with 0.6 of a request left has none.
            said[f"{name}-remaining"] = f"{math.floor(max(0.0, level_at(bucket, now_ns)))}"
            said[f"{name}-reset"] = reset.isoformat(timespec="seconds").replace("+00:00", "Z")
        return said


def _nanoseconds(now_s: float) -> int:
    return round(now_s * NANOSECOND)
