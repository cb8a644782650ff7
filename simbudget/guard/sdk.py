"""The guard around a client of the `anthropic` SDK: a middleware that is called for each attempt, including retries.

It stays the innermost one, next to the network, and in every client derived from a guarded one: another middleware
that retries, replaces the request or calls elsewhere has each of its attempts reserved.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from functools import cache
from typing import Any, Final, Protocol, Self, TypeVar, cast

import httpx2
from anthropic import APIRequest, AsyncCallNext, CallNext, Middleware, NotGiven, not_given

from simbudget.errors import Problem, UserError
from simbudget.guard.answers import MESSAGES, Api, Meter
from simbudget.guard.bounds import UnguardedCallError
from simbudget.ledger.store import LedgerStore

REQUEST_ID: Final = "Idempotency-Key"
"""Header with the name of an attempt, which the ledger stores as `request_id`."""

_FREE: Final = frozenset({"/v1/messages/count_tokens"})

_OF_A_PLATFORM: Final = "anthropic.lib."
"""Modules of the SDK's clients for clouds, whose prices depend on a region and are not those of the list."""


class Reservation(Protocol):
    """What the middleware needs of the reservation of an attempt."""

    name: str

    def meter(self, streams: bool) -> Meter:
        """Return the meter to feed the answer's bytes to."""

    def refused(self, status: int, body: bytes) -> None:
        """Handle an error status of the provider, and what it says."""

    def broke(self, error: BaseException) -> None:
        """Handle an attempt without an answer."""


class Guard(Protocol):
    """What the middleware needs of a guard."""

    store: LedgerStore
    run: int

    def reserve(self, api: Api, body: Mapping[str, Any], call: str = "") -> Reservation:
        """Reserve the worst case of an attempt."""

    def has_own_rates(self, model: str) -> bool:
        """Return whether the guard was given the prices of a model."""


class _Wrappable(Protocol):
    def with_middleware(self, *middleware: Any) -> Self:
        """Return a client whose attempts go through a middleware."""


Client = TypeVar("Client")


def wrapped(guard: Guard, client: Client) -> Client:
    """Return a client whose attempts, and those of every client derived from it, are guarded."""
    clouds = (kind.__name__ for kind in type(client).__mro__ if kind.__module__.startswith(_OF_A_PLATFORM))
    platform = next(clouds, "")
    guarded: Any = cast(_Wrappable, client).with_middleware(_Guarded(guard, platform))
    if not isinstance(guarded, _Keeping):
        guarded.__class__ = _keeping(guarded.__class__)
    return cast(Client, guarded)


class _Keeping:
    """A client that hands its guards on to the clients derived from it, as their innermost middleware."""


@cache
def _keeping(kind: Any) -> type[Any]:
    """Return the class of a client that keeps its guards."""

    def copy(self: Any, *, middleware: Any = not_given, **changes: Any) -> Any:
        own = self.middleware
        given = own if isinstance(middleware, NotGiven) else tuple(middleware or ())
        others = [one for one in given if not isinstance(one, _Guarded)]
        guards = dict.fromkeys(one for one in (*own, *given) if isinstance(one, _Guarded))
        return kind.copy(self, middleware=[*others, *guards], **changes)

    also = {"copy": copy, "with_options": copy, "__module__": kind.__module__}
    return type(kind.__name__, (kind, _Keeping), also)


class _Reserved(APIRequest):
    """A request for whose attempt some ledgers have a reservation, on its way from one guard to the next."""

    ledgers: frozenset[tuple[str, int]] = frozenset()
    """Their files and runs."""


class _Guarded(Middleware):
    """The guard as a middleware of the SDK."""

    def __init__(self, guard: Guard, platform: str) -> None:
        self._guard, self._platform = guard, platform
        self._ledger = (str(guard.store.path.resolve()), guard.run)

    def handle(self, request: APIRequest, call_next: CallNext) -> Any:
        reservation = self._reserve(request)
        if reservation is None:
            return call_next(request)
        try:
            response = call_next(self._reserved(request, reservation.name))
            http: httpx2.Response = response.http_response
            if http.is_success:
                _look_on(http, reservation, request.stream)
            else:
                reservation.refused(http.status_code, http.read())
        except BaseException as error:
            reservation.broke(error)
            raise
        return response

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> Any:
        reservation = self._reserve(request)
        if reservation is None:
            return await call_next(request)
        try:
            response = await call_next(self._reserved(request, reservation.name))
            http: httpx2.Response = response.http_response
            if http.is_success:
                _look_on(http, reservation, request.stream)
            else:
                reservation.refused(http.status_code, await http.aread())
        except BaseException as error:
            reservation.broke(error)
            raise
        return response

    def _reserve(self, request: APIRequest) -> Reservation | None:
        """Reserve the worst case of an attempt; None if it costs nothing or already has a reservation.

        Raises:
            UnguardedCallError: the guard does not know this kind of request.
            CapReachedError, UnboundedCostError, UserError: as in `BudgetGuard.reserve`.
        """
        url = request.url.partition("?")[0]
        if request.method.lower() == "get" or url in _FREE:
            return None
        if isinstance(request, _Reserved) and self._ledger in request.ledgers:
            return None
        body = request.json
        if url != MESSAGES.path or not isinstance(body, Mapping) or request.options.files:
            raise UnguardedCallError(
                f"{request.method} {request.url} is not guarded, so it is not made; use messages.create or "
                "messages.stream, or a client without the guard"
            )
        body = {**body, **(request.options.extra_json or {})}
        if self._platform and not self._guard.has_own_rates(str(body.get("model"))):
            message = f"the prices of {self._platform} depend on its region, and the list has Anthropic's own"
            raise UserError(Problem(message, remedy="give the prices of the model to the guard as `rates`"))
        return self._guard.reserve(MESSAGES, body, str(request.options.idempotency_key))

    def _reserved(self, request: APIRequest, name: str) -> APIRequest:
        """Return the request with the reservation's name as a header.

        It also asks for an uncompressed answer, which the guard can read.
        """
        options = request.options.model_copy()
        options.headers = {**request.headers, REQUEST_ID: name, "Accept-Encoding": "identity"}
        reserved = _Reserved(
            options=options,
            cast_to=request.cast_to,
            stream=request.stream,
            stream_cls=request.stream_cls,
            retries_taken=request.retries_taken,
        )
        earlier = request.ledgers if isinstance(request, _Reserved) else frozenset()
        reserved.ledgers = earlier | {self._ledger}
        return reserved


def _look_on(http: httpx2.Response, reservation: Reservation, streams: bool) -> None:
    """Settle a reservation with what an answer reports: immediately if it has been read, otherwise as it is read."""
    meter = reservation.meter(streams)
    try:
        content = http.content
    except httpx2.ResponseNotRead:
        kind = _SeenAsync if isinstance(http.stream, httpx2.AsyncByteStream) else _Seen
        http.stream = kind(http.stream, meter)
    else:
        meter.feed(content)
        meter.end()


class _Seen(httpx2.SyncByteStream):
    """A body watched by a meter as it is read, whether by events, lines or bytes."""

    def __init__(self, stream: Any, meter: Meter) -> None:
        self._stream, self._meter = stream, meter

    def __getattr__(self, name: str) -> Any:
        """Return attributes that the SDK has set on the stream, such as its tracing."""
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._meter.feed(chunk)
            yield chunk
        self._meter.end()

    def close(self) -> None:
        self._stream.close()


class _SeenAsync(httpx2.AsyncByteStream):
    """The same for an async client."""

    def __init__(self, stream: Any, meter: Meter) -> None:
        self._stream, self._meter = stream, meter

    def __getattr__(self, name: str) -> Any:
        """Return attributes that the SDK has set on the stream, such as its tracing."""
        return getattr(self._stream, name)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._meter.feed(chunk)
            yield chunk
        self._meter.end()

    async def aclose(self) -> None:
        await self._stream.aclose()
