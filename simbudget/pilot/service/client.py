"""The agents' side of the service: an async client that retries without counting twice.

Each call that changes something has an idempotency key. After a broken connection the client repeats the call, and a
service that was killed and restarted still counts it once.
"""

import asyncio
import time
from types import TracebackType
from typing import Any, Final

import httpx2
from pydantic import ValidationError

from simbudget.pilot.service.messages import (
    NewPost,
    NewSource,
    Posts,
    Refusal,
    Scored,
    Source,
    Standing,
    Stored,
    Submission,
)

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0
"""Pauses double between these: a restarted service is back within seconds."""
_REFUSED_FROM: Final = 400
_BROKEN_FROM: Final = 500


class RefusedError(Exception):
    """The service refused a request and changed nothing; carries the reason and when to retry."""

    def __init__(self, status: int, refusal: Refusal) -> None:
        super().__init__(f"{status} {refusal.reason}: {refusal.what}")
        self.status = status
        self.refusal = refusal


class ServiceGoneError(Exception):
    """The service did not answer within the client's patience."""


class SiteClient:
    """One agent's connection to the service. Use as `async with SiteClient(url, agent, token) as site:`."""

    def __init__(self, url: str, agent: int, token: str, patience_s: float = 60.0) -> None:
        self.agent = agent
        self._patience_s = patience_s
        self._http = httpx2.AsyncClient(
            base_url=f"{url}/agents/{agent}/",
            headers={"authorization": f"Bearer {token}"},
            timeout=httpx2.Timeout(patience_s, connect=5.0),
            trust_env=False,  # the service is on loopback, so ignore proxies named in the environment
        )

    async def __aenter__(self) -> "SiteClient":
        """Return the client, which connects on first use."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def submit(self, submission: Submission, key: str) -> Scored:
        """Submit an answer to the scorer.

        Raises:
            RefusedError: the service refused the submission.
            ServiceGoneError: the service did not answer.
        """
        return Scored.model_validate_json(await self._send("submissions", submission.model_dump_json(), key))

    async def post(self, post: NewPost, key: str) -> int:
        """Share a finding, and return its number, counted from 1.

        Raises:
            RefusedError: the service refused the post.
            ServiceGoneError: the service did not answer.
        """
        return int(await self._send("posts", post.model_dump_json(), key))

    async def posts(self, since: int = 0, at_most: int = 50, of_others: bool = True) -> Posts:
        """Return a page of the posts after number `since`, oldest first.

        Raises:
            RefusedError: the service refused the request.
            ServiceGoneError: the service did not answer.
        """
        query = {"since": since, "at_most": at_most, "of_others": of_others}
        return Posts.model_validate_json(await self._asked("GET", "posts", params=query))

    async def store(self, source: str) -> str:
        """Store a source in the code store, and return its name, which depends only on the source."""
        return Stored.model_validate_json(
            await self._send("code", NewSource(source=source).model_dump_json())
        ).code

    async def fetch(self, code: str) -> str:
        """Return a source by name.

        Raises:
            RefusedError: there is no such source.
            ServiceGoneError: the service did not answer.
        """
        return Source.model_validate_json(await self._asked("GET", f"code/{code}")).source

    async def standing(self) -> Standing:
        """Return the scorer's record of this agent.

        Raises:
            RefusedError: the service refused the request.
            ServiceGoneError: the service did not answer.
        """
        return Standing.model_validate_json(await self._asked("GET", "standing"))

    async def _send(self, path: str, body: str, key: str | None = None) -> bytes:
        """Send a message, with a key if it changes something."""
        headers = {"content-type": "application/json", **({} if key is None else {"idempotency-key": key})}
        return await self._asked("POST", path, content=body, headers=headers)

    async def _asked(self, verb: str, path: str, **request: Any) -> bytes:
        """Send a request, repeatedly while the service is away, and return the response."""
        give_up = time.monotonic() + self._patience_s
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                response = await self._http.request(verb, path, **request)
            except httpx2.TransportError as error:
                gone: Exception = error
            else:
                if response.status_code < _REFUSED_FROM:
                    return response.content
                if response.status_code < _BROKEN_FROM:
                    raise RefusedError(response.status_code, _refusal(response))
                gone = ServiceGoneError(f"{response.status_code} {response.text[:200]}")
            if time.monotonic() + pause_s > give_up:
                raise ServiceGoneError(f"no answer for {self._patience_s:g} s: {gone!r}") from gone
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _refusal(response: httpx2.Response) -> Refusal:
    """Return the refusal in a response."""
    try:
        return Refusal.model_validate_json(response.content)
    except ValidationError:
        return Refusal(reason="malformed", what=response.text[:200])
