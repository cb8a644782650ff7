"""The agents' side of the service: an async client with retries that count once.

Each changing call takes an idempotency key. The client sends it again after a broken connection, so that a
service that is killed and started again has counted it once, whatever happened.
"""

from types import TracebackType

from simbudget.pilot.service.messages import NewPost, Posts, Refusal, Scored, Standing, Submission


class RefusedError(Exception):
    """The service refused a request, and changed nothing; says why, and when to ask again."""

    def __init__(self, status: int, refusal: Refusal) -> None:
        super().__init__(f"{status} {refusal.reason}: {refusal.what}")
        self.status = status
        self.refusal = refusal


class ServiceGoneError(Exception):
    """The service did not answer within the patience of the client."""


class SiteClient:
    """One agent's connection to the service. Use as `async with SiteClient(url, agent, token) as site:`."""

    def __init__(self, url: str, agent: int, token: str, patience_s: float = 60.0) -> None:
        self.url = url
        self.agent = agent

    async def __aenter__(self) -> "SiteClient":
        """Return the client, connected when it is first used."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""

    async def submit(self, submission: Submission, key: str) -> Scored:
        """Send an answer to the scorer. Raises RefusedError, ServiceGoneError."""
        raise NotImplementedError

    async def post(self, post: NewPost, key: str) -> int:
        """Share a finding; returns its number, counted from 1. Raises RefusedError, ServiceGoneError."""
        raise NotImplementedError

    async def posts(self, since: int = 0, at_most: int = 50, of_others: bool = True) -> Posts:
        """Return the posts after number `since`, oldest first. Raises RefusedError, ServiceGoneError."""
        raise NotImplementedError

    async def store(self, source: str) -> str:
        """Put a source into the code store; returns its name, the same for the same source."""
        raise NotImplementedError

    async def fetch(self, code: str) -> str:
        """Return a source by its name. Raises RefusedError, ServiceGoneError."""
        raise NotImplementedError

    async def standing(self) -> Standing:
        """Return what the scorer knows of this agent. Raises RefusedError, ServiceGoneError."""
        raise NotImplementedError
