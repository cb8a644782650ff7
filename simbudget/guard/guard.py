"""The guard itself: a middleware of the SDK's client, and the ledger that it writes.

The SDK calls a middleware once for each attempt, retries included, so each attempt has a reservation of its own:

- the answer came: the reservation becomes what its usage costs (a stream: when it has been read to its end);
- the provider refused (4xx, 5xx): nothing was billed, and the reservation is released;
- no connection was made: the same;
- anything else (a time-out, a broken connection, a cancelled task, a kill -9): it may have been billed, so the
  reservation stays, at its worst case, until somebody finds out.
"""

import datetime
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeVar

from anthropic import APIRequest, AsyncCallNext, CallNext, Middleware

from simbudget.errors import Problem, UserError
from simbudget.guard.bounds import PromptBounds, check_is_bounded
from simbudget.guard.pricing import Rates, Usage, list_rates, usage_of
from simbudget.ledger.entry import Entry
from simbudget.ledger.store import Intent, LedgerStore, RunRow, Spend

REQUEST_ID: Final = "Idempotency-Key"
"""The header under which the provider gets the name of an attempt; the ledger keeps it as `request_id`."""

_MESSAGES: Final = "/v1/messages"
_FREE: Final = frozenset({"/v1/messages/count_tokens"})
_NEVER_SENT: Final = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
"""Errors of the HTTP library, by name since the SDK has changed libraries, before which nothing was sent."""
_TOO_MANY: Final = 429


class UnguardedCallError(Exception):
    """A call that the guard cannot bound, such as a batch, and that is therefore not made."""


class Wrappable(Protocol):
    """A client of the SDK, sync or async."""

    def with_middleware(self, *middleware: Any) -> Self:
        """Return a client whose attempts go through a middleware."""


Client = TypeVar("Client", bound=Wrappable)

_LABELS: ContextVar[Mapping[str, Any]] = ContextVar("labels", default={})  # noqa: B039  never changed in place


class BudgetGuard:
    """Keeps the spend of a run, by any number of processes, at or below a cap."""

    def __init__(
        self,
        path: Path,
        cap_usd: float,
        rates: Mapping[str, Rates] | None = None,
        run: int = 0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Open the ledger, made if it is not there.

        Args:
            path: the ledger's file, shared by all processes that share the cap.
            cap_usd: what the run may spend at most, in US dollars.
            rates: prices of models that are not, or not so, on the price list of today.
            run: the run of the ledger that the calls belong to.
            clock: gives the seconds since the run began; by default since its row was written.

        Raises:
            UserError: the cap is no amount of money, or the file is no ledger.
        """
        if not 0 < cap_usd < float("inf"):
            raise UserError(Problem(f"a cap of {cap_usd:g} dollars", remedy="give an amount above 0"))
        self.cap_usd, self.run = cap_usd, run
        self.store = LedgerStore(path)
        now = datetime.datetime.now(datetime.UTC)
        self.store.begin_run(RunRow(run, path.stem, "guard", now.isoformat(), cap_usd=cap_usd))
        self.clock = clock or self._since_began
        self._rates = dict(rates or {})
        self._bounds = PromptBounds()
        self._asked_s: dict[str, float] = {}

    def wrap(self, client: Client) -> Client:
        """Return the client with the guard before each of its attempts; sync and async clients alike."""
        return client.with_middleware(_Guarded(self))

    def spend(self) -> Spend:
        """Return what the run has spent, and the worst case of what is under way."""
        return self.store.spend(self.run)

    @contextmanager
    def labels(self, **columns: Any) -> Iterator[None]:
        """Give the entries of calls within these columns: `agent`, `cycle`, `session`, `turn`, `kind`, ...

        `asked_s` is when a call was first asked for, if not just now: its time in the queue counts from then.
        """
        token = _LABELS.set({**_LABELS.get(), **columns})
        try:
            yield
        finally:
            _LABELS.reset(token)

    # One attempt.

    def reserve(self, request: APIRequest) -> "Reservation | None":
        """Reserve the worst case of an attempt; None for one that costs nothing.

        Raises:
            CapReachedError: it could pass the cap.
            UnboundedCostError: what it costs at most is not known.
            UnguardedCallError: it is of a kind that the guard does not know.
            UserError: its model is not on the price list.
        """
        url, body = request.url.partition("?")[0], request.json
        if request.method.lower() == "get" or url in _FREE:
            return None
        if url != _MESSAGES or not isinstance(body, Mapping):
            raise UnguardedCallError(
                f"{request.method} {request.url} is not guarded, so it is not made; use messages.create or "
                "messages.stream, or a client without the guard"
            )
        check_is_bounded(body)
        model = str(body.get("model"))
        rates = self.rates(model)
        worst_usd = rates.worst_usd(
            self._bounds.at_most(body), body["max_tokens"], body.get("inference_geo") is not None
        )
        now_s = self.clock()
        labels = dict(_LABELS.get())
        first_s = labels.pop("asked_s", now_s)
        asked_s = self._asked_s.setdefault(str(request.options.idempotency_key), first_s)
        entry = Entry(
            **{
                **{"run": self.run, "agent": 0, "cycle": -1, "session": -1, "turn": -1, "kind": "call"},
                **{"started_s": now_s, "duration_s": 0.0, "queued_s": now_s - asked_s, "source": "guard"},
                **labels,
                **{"model": model, "component": "tokens"},
            }
        )
        name = uuid.uuid4().hex
        key = self.store.open(Intent(entry, name, worst_usd), self.cap_usd)
        return Reservation(self, key, name, request, rates)

    def rates(self, model: str) -> Rates:
        """Return what a model costs. Raises UserError: the price list does not have it."""
        if model not in self._rates:
            self._rates[model] = list_rates(model, datetime.datetime.now(datetime.UTC).date())
        return self._rates[model]

    def settled(self, reservation: "Reservation", usage: Usage) -> None:
        """Take up what an attempt turned out to use."""
        self._bounds.learn(reservation.body, usage.prompt_tokens)
        self._asked_s.pop(str(reservation.request.options.idempotency_key), None)

    def _since_began(self) -> float:
        began_at = next(row.began_at for row in self.store.runs() if row.run == self.run)
        return time.time() - datetime.datetime.fromisoformat(began_at).timestamp()


class Reservation:
    """The reservation of one attempt, until it is known what became of it."""

    def __init__(self, guard: BudgetGuard, key: int, name: str, request: APIRequest, rates: Rates) -> None:
        self.name, self.request, self.key = name, request, key
        self._guard, self._rates = guard, rates
        self._began_s = guard.clock()
        self.body: Mapping[str, Any] = request.json  # type: ignore[assignment]  # a mapping: `reserve` looked

    def named_request(self, stream_cls: type[Any] | None = None) -> APIRequest:
        """Return the request with the reservation's name as a header, and with a stream that reports to it."""
        options = self.request.options.model_copy()
        options.headers = {**self.request.headers, REQUEST_ID: self.name}
        return APIRequest(
            options=options,
            cast_to=self.request.cast_to,
            stream=self.request.stream,
            stream_cls=stream_cls or self.request.stream_cls,
            retries_taken=self.request.retries_taken,
        )

    def settle(self, reported: Mapping[str, Any], message_id: str) -> None:
        """Close it with what the provider says was used."""
        usage = usage_of(reported)
        cost_usd = self._rates.cost_usd(usage, self.body.get("inference_geo"))
        self._guard.store.settle(
            self.key,
            duration_s=self._guard.clock() - self._began_s,
            cost_usd=cost_usd,
            name=message_id,
            **usage.columns(),
        )
        self._guard.settled(self, usage)

    def refused(self, status: int) -> None:
        """Release it: the provider answered with an error, and billed nothing.

        An attempt that failed is an entry of the ledger; one that was only turned away, for coming too often
        or for being wrong, is not, and its time shows as the time that the call was waited for.
        """
        duration_s = self._guard.clock() - self._began_s
        self._note(status, "refused", duration_s)
        if status < 500:
            self._guard.store.discard(self.key)
            return
        nothing = Usage(0, 0, 0, 0, 0).columns()
        self._guard.store.settle(
            self.key, outcome="failed", duration_s=duration_s, cost_usd=0.0, component="", **nothing
        )

    def broke(self, error: BaseException) -> None:
        """Release it if nothing was sent; else it stays, since what was sent may have been billed."""
        self._note(None, type(error).__name__, self._guard.clock() - self._began_s)
        if _never_sent(error):
            self._guard.store.discard(self.key)

    def _note(self, status: int | None, what: str, duration_s: float) -> None:
        agent = _LABELS.get().get("agent", 0)
        self._guard.store.note_attempt(
            {
                **{"run": self._guard.run, "agent": agent, "request_id": self.name, "status": status},
                **{"what": what, "started_s": self._began_s, "duration_s": duration_s},
            }
        )


def _never_sent(error: BaseException | None) -> bool:
    while error is not None:
        if type(error).__name__ in _NEVER_SENT:
            return True
        error = error.__cause__
    return False


class _StreamUsage:
    """Adds up the usage that the events of a stream report."""

    def __init__(self, reservation: Reservation) -> None:
        self._reservation = reservation
        self._reported: dict[str, Any] = {}
        self._message_id = ""

    def take(self, event: Any) -> None:
        """Take one event; at the last one the reservation is settled."""
        kind = getattr(event, "type", "")
        if kind == "message_start":
            self._message_id = event.message.id
            self._reported.update(event.message.usage.model_dump(exclude_none=True))
        elif kind == "message_delta":
            self._reported.update(event.usage.model_dump(exclude_none=True))
        elif kind == "message_stop":
            self._reservation.settle(self._reported, self._message_id)


def _observed(stream_cls: type[Any], reservation: Reservation) -> type[Any]:
    """Return the class of a stream that reports its usage to a reservation as it is read."""
    usage = _StreamUsage(reservation)

    class Observed(stream_cls):  # type: ignore[misc]  # the SDK's own class, sync or async
        def __stream__(self) -> Iterator[Any] | AsyncIterator[Any]:
            events = super().__stream__()
            return _each_async(events, usage) if hasattr(events, "__anext__") else _each(events, usage)

    return Observed


def _each(events: Iterator[Any], usage: _StreamUsage) -> Iterator[Any]:
    for event in events:
        usage.take(event)
        yield event


async def _each_async(events: AsyncIterator[Any], usage: _StreamUsage) -> AsyncIterator[Any]:
    async for event in events:
        usage.take(event)
        yield event


class _Guarded(Middleware):
    """The guard as the SDK calls it."""

    def __init__(self, guard: BudgetGuard) -> None:
        self._guard = guard

    def handle(self, request: APIRequest, call_next: CallNext) -> Any:
        reservation = self._guard.reserve(request)
        if reservation is None:
            return call_next(request)
        try:
            response = call_next(self._prepared(reservation))
            if response.status_code >= 400:
                reservation.refused(response.status_code)
            elif not request.stream:
                message = response.parse()
                reservation.settle(message.usage.model_dump(exclude_none=True), message.id)
        except BaseException as error:
            reservation.broke(error)
            raise
        return response

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> Any:
        reservation = self._guard.reserve(request)
        if reservation is None:
            return await call_next(request)
        try:
            response = await call_next(self._prepared(reservation))
            if response.status_code >= 400:
                reservation.refused(response.status_code)
            elif not request.stream:
                message = await response.parse()
                reservation.settle(message.usage.model_dump(exclude_none=True), message.id)
        except BaseException as error:
            reservation.broke(error)
            raise
        return response

    def _prepared(self, reservation: Reservation) -> APIRequest:
        request = reservation.request
        if request.stream and request.stream_cls is not None:
            return reservation.named_request(_observed(request.stream_cls, reservation))
        return reservation.named_request()
