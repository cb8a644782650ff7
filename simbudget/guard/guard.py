"""The guard itself: reservations in a ledger, and how they are settled. Calls arrive through `sdk.py` and `proxy.py`.

Each attempt at a call, including retries, has its own reservation:

- an answer arrived: the reservation is replaced by the cost of its usage (for a stream, after its last event);
- the provider refused it without billing (429, 529, 400 and the like): the reservation is released;
- no connection was made: likewise;
- anything else (500 to 504, 524, a timeout, a broken connection, a cancelled task, a kill -9): a gateway may have
  given up on work that was done and billed, so the reservation stays, at its worst case, until that is resolved.
"""

import datetime
import math
import re
import sqlite3
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from simbudget.errors import Problem, UserError
from simbudget.guard.answers import Api, Meter, Reported
from simbudget.guard.bounds import PromptBounds, UnboundedCostError, require_priced_by_tokens, shown
from simbudget.guard.usage import entry_columns
from simbudget.ledger.entry import Entry
from simbudget.ledger.store import Intent, LedgerStore, Limit, RunRow, Spend
from simbudget.pricing import catalogue
from simbudget.pricing.charge import Rates, Usage, charge, worst_case_usd

_NEVER_SENT: Final = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
"""Errors of the HTTP library before which nothing was sent; by name, as the SDK has changed libraries."""
_OVERLOADED: Final = 529
"""The provider's own status for an overload: nothing was run, and nothing is billed."""
_NOT_BILLED: Final = frozenset((*range(400, 408), *range(409, 418), 421, 422, 426, 428, 429, 431, 451))
"""Statuses with which a server turns a request away before it does anything (RFC 9110). Any other may come from a
gateway that has lost track of one: 408, 424, or the 444, 460 and 499 of some."""
_FILTERED: Final = re.compile(rb"content[ _]filter", re.IGNORECASE)
"""In the body of a 400: the provider has read the prompt, or has even written an answer, and may bill that."""
_STOPPED: Final = "guard stopped"
"""The key under which the ledger's store records why calls are stopped."""
_ROUNDING_USD: Final = 1e-9
"""A cost and its bound are sums of floats; a billionth of a dollar is below any price."""


class StoppedError(UnboundedCostError):
    """A call has exceeded its worst case, so bounds cannot be relied on, and no further calls are made."""


@dataclass(frozen=True)
class Cap:
    """Maximum spend in US dollars, in tokens, or both: in total, or per agent, task or day."""

    per: Literal["run", "agent", "task", "day"] = "run"
    usd: float | None = None
    tokens: int | None = None

    def __post_init__(self) -> None:
        if self.per not in ("run", "agent", "task", "day"):
            raise UserError(Problem(f"a cap per {self.per!r}", remedy="give it per run, agent, task or day"))
        if self.usd is None and self.tokens is None:
            raise UserError(
                Problem("a cap without an amount", remedy="give `usd`, US dollars, or `tokens`, or both")
            )
        for name, value in (("dollars", self.usd), ("tokens", self.tokens)):
            if value is not None and not _is_an_amount(value):
                remedy = "give a number above 0, such as 5 or 0.5"
                raise UserError(Problem(f"a cap of {value!r} {name}", remedy=remedy))

    def limit(self, agent: int, task: str, day: str) -> Limit:
        """Return the ledger limit of this cap for a call by an agent, for a task, on a day."""
        where: dict[str, str | int] = {}
        name = "the cap"
        if self.per == "agent":
            where, name = {"agent": agent}, f"agent {agent}'s cap"
        elif self.per == "task":
            where, name = {"task": task}, f"the cap of task {task!r}"
        elif self.per == "day":
            where, name = {"day": day}, f"the cap of {day}"
        return Limit(self.usd, self.tokens, where, name)


def _is_an_amount(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 < value < math.inf


_NUMBERS: Final = frozenset(("agent", "cycle", "session", "turn", "task_number", "attempt"))
_TEXTS: Final = frozenset(("task", "kind", "name", "source"))
_MAY_LABEL: Final = _NUMBERS | _TEXTS | {"asked_s", "when_settled"}
"""Anything else, such as `run`, would take a call out of its caps."""
_MOST_NUMBER: Final = 2**31
"""Above any agent, turn or attempt, and below what a column of the ledger holds."""
_LABELS: ContextVar[Mapping[str, Any]] = ContextVar("labels", default={})  # noqa: B039  never changed in place

Client = TypeVar("Client")


class BudgetGuard:
    """Keeps the spend of a run within its caps, for any number of threads and processes."""

    def __init__(
        self,
        path: Path,
        cap_usd: float | None = None,
        rates: Mapping[str, Rates] | None = None,
        run: int = 0,
        clock: Callable[[], float] | None = None,
        caps: Sequence[Cap] = (),
    ) -> None:
        """Open the ledger, creating it if necessary.

        Args:
            path: file of the ledger, shared by all processes that share the caps.
            cap_usd: maximum spend of the run in US dollars.
            rates: prices of models that are missing from today's price list, or differ from it.
            run: run of the ledger that the calls belong to.
            clock: returns the seconds since the run began; by default since its row was written.
            caps: further caps: in tokens, or per agent, task or day. All of them apply.

        Raises:
            UserError: there is no cap, a cap is invalid, or the file cannot be opened or is not a ledger.
        """
        self.caps = (*([] if cap_usd is None else [Cap(usd=cap_usd)]), *caps)
        if not self.caps:
            raise UserError(Problem("a guard without a cap", remedy="give `cap_usd`, or `caps`"))
        self.cap_usd, self.run = cap_usd, run
        self.store = LedgerStore(path)
        now = datetime.datetime.now(datetime.UTC)
        row = RunRow(run, self.store.path.stem, "guard", now.isoformat(), cap_usd=cap_usd)
        self.store.begin_run(row)
        self._began_at: float | None = None
        self.clock = clock or self._since_began
        self._own_rates, self._rates = dict(rates or {}), dict[tuple[str, datetime.date], Rates]()
        self.bounds = PromptBounds()
        self._asked_s: dict[str, float] = {}

    def wrap(self, client: Client) -> Client:
        """Return a client of the `anthropic` SDK, sync or async, whose every attempt is guarded.

        A client that is wrapped repeatedly, by this guard or another one of the same run, counts once. Clients derived
        from it are guarded, too. Its calls raise what `reserve` raises, and `UnguardedCallError` for anything other
        than messages, such as a batch.

        Args:
            client: a client of the SDK; one for a cloud needs a guard with `rates`.
        """
        from simbudget.guard.sdk import wrapped  # noqa: PLC0415  importing the SDK takes a second

        return wrapped(self, client)

    def spend(self) -> Spend:
        """Return the spend of the run, and the worst case of calls in flight."""
        return self.store.spend(self.run)

    @contextmanager
    def labels(self, **columns: Any) -> Iterator[None]:
        """Set columns of the entries of calls made inside the block: `agent`, `task`, `cycle`, `session`, `turn`, ...

        A new thread does not inherit them: set them inside it, or start it with a copy of the context, as
        `asyncio.to_thread` does. `asked_s` is the time at which a call was first requested, from which its queueing
        time counts (default: now). `when_settled` is called with the time at which a call's answer arrived, as in its
        entry.

        Raises:
            UserError: there is no such label, or it is not of its type: a whole number, or a text.
        """
        unknown = sorted(set(columns) - _MAY_LABEL)
        if unknown:
            remedy = f"use {', '.join(sorted(_MAY_LABEL))}"
            raise UserError(Problem(f"a guarded call has no label {unknown[0]!r}", remedy=remedy))
        for name in sorted(_NUMBERS & columns.keys()):
            value, least = columns[name], 0 if name == "agent" else -1
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value < _MOST_NUMBER:
                remedy = f"give a whole number from {least} to {_MOST_NUMBER - 1:,}"
                raise UserError(Problem(f"the label `{name}` is {shown(value)}", remedy=remedy))
        for name in sorted(_TEXTS & columns.keys()):
            if not isinstance(columns[name], str):
                raise UserError(
                    Problem(f"the label `{name}` is {shown(columns[name])}", remedy="give a text")
                )
        token = _LABELS.set({**_LABELS.get(), **columns})
        try:
            yield
        finally:
            _LABELS.reset(token)

    # One attempt.

    def reserve(self, api: Api, body: Mapping[str, Any], call: str = "") -> "Reservation":
        """Reserve the worst case of an attempt.

        Args:
            api: the API that the request is for.
            body: the request.
            call: name of the call that this is an attempt at, the same for its retries.

        Raises:
            CapReachedError: it could exceed a cap.
            UnboundedCostError: its maximum cost is unknown.
            StoppedError: an earlier call has exceeded its worst case.
            UserError: its model is not on the price list, or the ledger cannot be written.
        """
        stopped = self.store.recall(_STOPPED)
        if stopped:
            raise StoppedError(
                f"{stopped}, so worst cases cannot be relied on, and no further calls are made; investigate, then call "
                "`guard.resume()`"
            )
        parts = api.parts(body)
        output_tokens = api.output_tokens(body)
        model = str(body.get("model"))
        if not self.has_own_rates(model):
            require_priced_by_tokens(model)
        rates = self.rates(model)
        prompt_tokens = self.bounds.at_most(parts)
        # Without a place in the request, the account's default applies, which may cost more.
        is_bound = body.get("inference_geo") != "global"
        worst_usd = worst_case_usd(rates, prompt_tokens, output_tokens, is_bound)
        now_s = self.clock()
        labels = dict(_LABELS.get())
        task = str(labels.pop("task", ""))
        first_s = labels.pop("asked_s", now_s)
        when_settled = labels.pop("when_settled", None)
        asked_s = self._asked_s.setdefault(call, first_s) if call else first_s
        entry = Entry(
            **{
                **{"run": self.run, "agent": 0, "cycle": -1, "session": -1, "turn": -1, "kind": "call"},
                **{"started_s": now_s, "duration_s": 0.0, "queued_s": now_s - asked_s, "source": "guard"},
                **labels,
                **{"model": model, "component": "tokens"},
            }
        )
        day = datetime.datetime.now(datetime.UTC).date().isoformat()
        intent = Intent(entry, uuid.uuid4().hex, worst_usd, prompt_tokens + output_tokens, task, day)
        limits = [cap.limit(entry.agent, task, day) for cap in self.caps]
        key = self._open(intent, limits)
        return Reservation(self, key, intent, api, body, parts, output_tokens, rates, call, when_settled)

    def _open(self, intent: Intent, limits: Sequence[Limit]) -> int:
        """Write a reservation.

        Raises:
            CapReachedError: it could exceed a cap.
            UserError: the ledger cannot be written, so no call is made.
        """
        try:
            return self.store.open(intent, limits=limits)
        except sqlite3.Error as error:
            message = f"the ledger {self.store.path} cannot be written, so no call is made: {error}"
            raise UserError(Problem(message, remedy="make room on the disk, or give another file")) from None

    def has_own_rates(self, model: str) -> bool:
        """Return whether the prices of a model were given to the guard."""
        return model in self._own_rates

    def rates(self, model: str) -> Rates:
        """Return the prices of a model.

        Raises:
            UserError: the price list does not have it.
        """
        if model in self._own_rates:
            return self._own_rates[model]
        today = datetime.datetime.now(
            datetime.UTC
        ).date()  # of each call, as prices change while a program runs
        if (model, today) not in self._rates:
            self._rates[model, today] = catalogue.rates(model, today)
        return self._rates[model, today]

    def stop(self, why: str) -> None:
        """Stop further calls, in all processes."""
        self.store.remember(_STOPPED, why)

    def resume(self) -> None:
        """Allow calls again, in all processes, after one has exceeded its worst case."""
        self.store.remember(_STOPPED, None)

    def forget_call(self, call: str) -> None:
        """Forget when a call was first requested, as it has been answered."""
        self._asked_s.pop(call, None)

    def _since_began(self) -> float:
        if self._began_at is None:
            began_at = next(row.began_at for row in self.store.runs() if row.run == self.run)
            self._began_at = datetime.datetime.fromisoformat(began_at).timestamp()
        return time.time() - self._began_at


class Reservation:
    """The reservation of one attempt, until its outcome is known."""

    def __init__(  # noqa: PLR0913, PLR0917  an attempt has this many properties
        self,
        guard: BudgetGuard,
        key: int,
        intent: Intent,
        api: Api,
        body: Mapping[str, Any],
        parts: list[tuple[Any, int]],
        output_tokens: int,
        rates: Rates,
        call: str,
        when_settled: Callable[[float], None] | None,
    ) -> None:
        self.name, self.key, self.api = intent.request_id, key, api
        self._guard, self._intent, self._rates = guard, intent, rates
        self._parts, self._output_tokens, self._call = parts, output_tokens, call
        self._when_settled = when_settled
        self._place = body.get("inference_geo")
        self._began_s = intent.entry.started_s

    def meter(self, streams: bool) -> Meter:
        """Return the meter to feed the answer's bytes to, which settles the reservation when it knows the usage."""
        return Meter(self.api, streams, self.settle)

    def settle(self, reported: Reported) -> None:
        """Settle it with the usage reported by the provider; stops the guard if that exceeds the worst case."""
        usage = reported.usage
        cost_usd = charge(usage, self._rates, reported.place or self._place or "").total_usd
        ended_s = self._guard.clock()
        columns = {"duration_s": self._lasted_s(), "cost_usd": cost_usd, "name": reported.name}
        with self._if_written():
            self._guard.store.settle(self.key, **columns, **entry_columns(usage))
        self._guard.bounds.learn(self._parts, int(usage.prompt))
        self._guard.forget_call(self._call)
        if self._when_settled is not None:
            self._when_settled(ended_s)
        surprise = reported.surprise or self._passed(usage, cost_usd)
        if surprise:
            with self._if_written():
                self._note(None, "beyond its worst case", 0.0)
                self._guard.stop(f"call {reported.name or self.name}: {surprise}")

    def _lasted_s(self) -> float:
        """Return the time since the attempt began; 0 if the machine's clock was set back meanwhile."""
        return max(0.0, self._guard.clock() - self._began_s)

    @contextmanager
    def _if_written(self) -> Iterator[None]:
        """Let an answer through whose ledger cannot be written: its reservation then stays at its worst case."""
        try:
            yield
        except sqlite3.Error as error:
            warnings.warn(
                f"simbudget guard: the ledger {self._guard.store.path} cannot be written ({error}); the call stays at "
                "its worst case",
                RuntimeWarning,
                stacklevel=2,
            )

    def _passed(self, usage: Usage, cost_usd: float) -> str:
        """Describe by how much an answer exceeded its worst case; empty if it did not."""
        if usage.output > self._output_tokens:
            return f"{usage.output:,} output tokens were returned where {self._output_tokens:,} were allowed"
        if cost_usd > self._intent.worst_usd + _ROUNDING_USD:
            return f"it cost ${cost_usd:.4f}, more than its worst case of ${self._intent.worst_usd:.4f}"
        return ""

    def refused(self, status: int, body: bytes) -> None:
        """Handle an error status of the provider: release the reservation if nothing is billed for it.

        A failed attempt becomes an entry of the ledger. An attempt that was only turned away, as too frequent or
        invalid, does not; its time counts as waiting time of the call.
        """
        duration_s = self._lasted_s()
        with self._if_written():
            self._note(status, "refused", duration_s)
            if status == _OVERLOADED:
                nothing = entry_columns(Usage())
                self._guard.store.settle(
                    self.key, outcome="failed", duration_s=duration_s, cost_usd=0.0, component="", **nothing
                )
            elif status in _NOT_BILLED and not _FILTERED.search(body):
                self._guard.store.discard(self.key)

    def broke(self, error: BaseException) -> None:
        """Release it if nothing was sent; otherwise it stays, as what was sent may have been billed."""
        with self._if_written():
            self._note(None, type(error).__name__, self._lasted_s())
            if _never_sent(error):
                self._guard.store.discard(self.key)

    def _note(self, status: int | None, what: str, duration_s: float) -> None:
        self._guard.store.note_attempt(
            {
                **{"run": self._guard.run, "agent": self._intent.entry.agent, "request_id": self.name},
                **{"status": status, "what": what, "started_s": self._began_s, "duration_s": duration_s},
            }
        )


def _never_sent(error: BaseException | None) -> bool:
    while error is not None:
        if type(error).__name__ in _NEVER_SENT:
            return True
        error = error.__cause__
    return False
