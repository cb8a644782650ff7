"""What the provider lets through a minute: token buckets, and what it says of them in its headers."""

import datetime
from dataclasses import dataclass
from typing import Final

_MINUTE_S: Final = 60.0


@dataclass
class Bucket:
    """A token bucket, full at first, refilled continuously; larger than it means: when it is full, and in debt."""

    name: str
    """As headers call it: `requests`, `input-tokens`, `output-tokens`."""
    per_minute: float | None
    """None: no limit."""
    level: float = 0.0
    at_s: float = 0.0

    def __post_init__(self) -> None:
        """Fill it."""
        self.level = self.per_minute or 0.0

    def missing_s(self, amount: float, now_s: float) -> float:
        """Return how long one has to wait until it can pay for `amount`."""
        if self.per_minute is None:
            return 0.0
        self._refill(now_s)
        missing = min(amount, self.per_minute) - self.level
        return max(0.0, missing) * _MINUTE_S / self.per_minute

    def take(self, amount: float, now_s: float) -> None:
        """Take `amount` out."""
        self._refill(now_s)
        self.level -= amount

    def _refill(self, now_s: float) -> None:
        if self.per_minute is not None and now_s > self.at_s:
            refilled = self.level + self.per_minute * (now_s - self.at_s) / _MINUTE_S
            self.level, self.at_s = min(self.per_minute, refilled), now_s


class Limiter:
    """The limits of one organisation: requests, input tokens and output tokens a minute."""

    def __init__(
        self, requests: float | None, input_tokens: float | None, output_tokens: float | None
    ) -> None:
        self._buckets = (
            Bucket("requests", requests),
            Bucket("input-tokens", input_tokens),
            Bucket("output-tokens", output_tokens),
        )

    def wait_s(self, input_tokens: float, output_tokens: float, now_s: float) -> tuple[float, str]:
        """Return how long a request has to wait, in seconds of the run, and which limit it waits for longest."""
        amounts = (1.0, input_tokens, output_tokens)
        waits = [
            (bucket.missing_s(amount, now_s), bucket.name)
            for bucket, amount in zip(self._buckets, amounts, strict=True)
        ]
        return max(waits, key=lambda wait: wait[0])

    def take(self, input_tokens: float, output_tokens: float, now_s: float) -> None:
        """Let a request through."""
        for bucket, amount in zip(self._buckets, (1.0, input_tokens, output_tokens), strict=True):
            bucket.take(amount, now_s)

    def headers(self, now_s: float, time_scale: float) -> dict[str, str]:
        """Return what the provider says of its limits with each answer."""
        said: dict[str, str] = {}
        for bucket in self._buckets:
            if bucket.per_minute is None:
                continue
            full_in_s = bucket.missing_s(bucket.per_minute, now_s) / time_scale
            reset = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=full_in_s)
            name = f"anthropic-ratelimit-{bucket.name}"
            said[f"{name}-limit"] = f"{bucket.per_minute:.0f}"
            said[f"{name}-remaining"] = f"{max(0.0, bucket.level):.0f}"
            said[f"{name}-reset"] = reset.isoformat(timespec="seconds").replace("+00:00", "Z")
        return said
