"""Messages between agents and the service: JSON over HTTP."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Key = str
"""An idempotency key: a repeated key from the same agent returns the first reply and counts once."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


_Word = Annotated[str, Field(max_length=200)]
Hyperparameters = Mapping[_Word, float | Annotated[int, Field(ge=-(2**63), lt=2**63)] | _Word]
"""Names and values are limited to 200 characters, so that a post is at most some 40 kB."""


class Submission(_Message):
    """An answer to be scored, and how it was made."""

    method: str = Field(min_length=1, max_length=100)
    seed: int = Field(default=0, ge=0, lt=2**63)
    hyperparameters: Hyperparameters = Field(default_factory=dict, max_length=50)
    code: str = Field(min_length=64, max_length=64, pattern="^[0-9a-f]{64}$")
    """Name in the code store of the source that made the answer."""
    answer: Mapping[str, Any]


class Scored(_Message):
    """The scorer's reply, with scores rounded as configured."""

    submission: int
    """Counted from 1 over the whole fleet."""
    score: float
    parts: Mapping[str, float]
    queued_s: float
    scoring_s: float
    left_in_quota: int | None
    """Submissions that the agent has left in this period; None without a quota."""
    next_allowed_s: float
    """Seconds until the next submission is allowed."""


class NewPost(_Message):
    """A finding for the forum."""

    text: str = Field(min_length=1, max_length=20_000)
    method: str = Field(default="", max_length=100)
    hyperparameters: Hyperparameters = Field(default_factory=dict, max_length=50)
    score: float | None = None
    code: str | None = Field(default=None, max_length=64)
    submission: int | None = Field(default=None, ge=1, lt=2**63)


class Post(NewPost):
    """A finding on the forum."""

    number: int
    agent: int
    posted_at_s: float
    """Seconds since the epoch."""


class Posts(_Message):
    """Posts, oldest first, and whether there are more."""

    posts: tuple[Post, ...]
    more: bool


class NewSource(_Message):
    """A source for the code store."""

    source: str = Field(min_length=1, max_length=200_000)


class Stored(_Message):
    """Name of a source in the code store: its SHA-256."""

    code: str


class Source(_Message):
    """A source in the code store."""

    code: str
    source: str


class Standing(_Message):
    """The scorer's record of an agent."""

    agent: int
    submissions: int
    left_in_quota: int | None
    next_allowed_s: float
    best_score: float | None


Reason = Literal[
    "no such agent",
    "wrong token",
    "malformed",
    "too large",
    "no such code",
    "cool-down",
    "quota used up",
    "key used for something else",
]


class Refusal(_Message):
    """Why a request was refused; it changed nothing."""

    reason: Reason
    what: str
    """A description of what was found and what is allowed."""
    retry_after_s: float | None = None
    """Seconds until the same request may be granted; None if never."""
