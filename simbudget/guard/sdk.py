"""The guard around a client of the `anthropic` SDK: a middleware that is called for each attempt, including retries."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol, Self, TypeVar, cast

import httpx2
from anthropic import APIRequest, AsyncCallNext, CallNext, Middleware

from simbudget.guard.answers import MESSAGES, Api, Meter
from simbudget.guard.bounds import UnguardedCallError
from simbudget.ledger.store import LedgerStore

REQUEST_ID: Final = "Idempotency-Key"
"""Header with the name of an attempt, which the ledger stores as `request_id`."""

_FREE: Final = frozenset({"/v1/messages/count_tokens"})

_RESERVED: ContextVar[frozenset[tuple[str, int]]] = ContextVar("reserved", default=frozenset())
"""Ledgers and runs that already have a reservation for the current attempt."""


class Reservation(Protocol):
    """What the middleware needs of the reservation of an attempt."""

    name: str

    def meter(self, streams: bool) -> Meter:
        """Return the meter to feed the answer's bytes to."""

    def refused(self, status: int) -> None:
        """Handle an error status of the provider."""

    def broke(self, error: BaseException) -> None:
        """Handle an attempt without an answer."""


class Guard(Protocol):
    """What the middleware needs of a guard."""

    store: LedgerStore
    run: int

    def reserve(self, api: Api, body: Mapping[str, Any], call: str = "") -> Reservation:
        """Reserve the worst case of an attempt."""


class _Wrappable(Protocol):
    def with_middleware(self, *middleware: Any) -> Self:
        """Return a client whose attempts go through a middleware."""


Client = TypeVar("Client")


def wrapped(guard: Guard, client: Client) -> Client:
    """Return a client whose attempts are guarded."""
    return cast(Client, cast(_Wrappable, client).with_middleware(_Guarded(guard)))


class _Guarded(Middleware):
    """The guard as a middleware of the SDK."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._ledger = (str(guard.store.path.resolve()), guard.run)

    def handle(self, request: APIRequest, call_next: CallNext) -> Any:
        reservation = self._reserve(request)
        if reservation is None:
            return call_next(request)
        with self._as_reserved():
            try:
                response = call_next(_named(request, reservation.name))
                _look_on(response, reservation, request.stream)
            except BaseException as error:
                reservation.broke(error)
                raise
        return response

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> Any:
        reservation = self._reserve(request)
        if reservation is None:
            return await call_next(request)
        with self._as_reserved():
            try:
                response = await call_next(_named(request, reservation.name))
                _look_on(response, reservation, request.stream)
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
        if request.method.lower() == "get" or url in _FREE or self._ledger in _RESERVED.get():
            return None
        body = request.json
        if url != MESSAGES.path or not isinstance(body, Mapping):
            raise UnguardedCallError(
                f"{request.method} {request.url} is not guarded, so it is not made; use messages.create or "
                "messages.stream, or a client without the guard"
            )
        body = {**body, **(request.options.extra_json or {})}
        return self._guard.reserve(MESSAGES, body, str(request.options.idempotency_key))

    @contextmanager
    def _as_reserved(self) -> Iterator[None]:
        token = _RESERVED.set(_RESERVED.get() | {self._ledger})
        try:
            yield
        finally:
            _RESERVED.reset(token)


def _named(request: APIRequest, name: str) -> APIRequest:
    """Return the request with the reservation's name as a header.

    It also asks for an uncompressed answer, which the guard can read.
    """
    options = request.options.model_copy()
    options.headers = {**request.headers, REQUEST_ID: name, "Accept-Encoding": "identity"}
    return APIRequest(
        options=options,
        cast_to=request.cast_to,
        stream=request.stream,
        stream_cls=request.stream_cls,
        retries_taken=request.retries_taken,
    )


def _look_on(response: Any, reservation: Reservation, streams: bool) -> None:
    """Settle a reservation with what an answer reports: immediately if it has been read, otherwise as it is read."""
    http: httpx2.Response = response.http_response
    if not 200 <= http.status_code < 300:
        reservation.refused(http.status_code)
        return
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
