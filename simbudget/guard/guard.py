"""The guard itself: reservations in a ledger, and what becomes of them. How calls get here: `sdk.py`, `proxy.py`.

Each attempt at a call, retries included, has a reservation of its own:

- the answer came: the reservation becomes what its usage costs (a stream: when its last event has gone by);
- the provider refused it in a way for which it bills nothing (429, 529, 4xx): the reservation is released;
- no connection was made: the same;
- anything else (500 to 504, 524, a time-out, a broken connection, a cancelled task, a kill -9): a gateway may have
  given up on work that was done and billed, so the reservation stays, at its worst case, until somebody finds out.
"""

import datetime
import math
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from simbudget.errors import Problem, UserError
from simbudget.guard.answers import Api, Meter, Reported
from simbudget.guard.bounds import PromptBounds, UnboundedCostError
from simbudget.guard.usage import entry_columns
from simbudget.ledger.entry import Entry
from simbudget.ledger.store import Intent, LedgerStore, Limit, RunRow, Spend
from simbudget.pricing import catalogue
from simbudget.pricing.charge import Rates, Usage, charge, worst_case_usd

_NEVER_SENT: Final = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})
"""Errors of the HTTP library, by name since the SDK has changed libraries, before which nothing was sent."""
_OVERLOADED: Final = 529
"""The provider's own answer when it is overloaded: nothing was run, and nothing is billed."""
_MAY_BE_BILLED: Final = frozenset({408, 499})
"""The 4xx that a gateway gives for a request that it lost sight of, whatever became of it."""
_STOPPED: Final = "guard stopped"
"""Under this name the ledger remembers why no more calls are made."""
_ROUNDING_USD: Final = 1e-9
"""A cost is a sum of floats, and so is its bound; a billionth of a dollar is below any price."""


class UnguardedCallError(Exception):
    """A call that the guard cannot bound, such as a batch, and that is therefore not made."""


class StoppedError(UnboundedCostError):
    """A call has cost more than its worst case, so no bound can be relied on, and no more calls are made."""


@dataclass(frozen=True)
class Cap:
    """What may be spent at most, in US dollars, in tokens, or both: in all, or per agent, task or day."""

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
        """Return the limit that this cap is for a call of an agent, for a task, on a day."""
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


_LABELS: ContextVar[Mapping[str, Any]] = ContextVar("labels", default={})  # noqa: B039  never changed in place

Client = TypeVar("Client")


class BudgetGuard:
    """Keeps the spend of a run at or below its caps, for any number of threads and processes."""

    def __init__(
        self,
        path: Path,
        cap_usd: float | None = None,
        rates: Mapping[str, Rates] | None = None,
        run: int = 0,
        clock: Callable[[], float] | None = None,
        caps: Sequence[Cap] = (),
    ) -> None:
        """Open the ledger, made if it is not there.

        Args:
            path: the ledger's file, shared by all processes that share the caps.
            cap_usd: what the run may spend at most, in US dollars.
            rates: prices of models that are not, or not so, on the price list of today.
            run: the run of the ledger that the calls belong to.
            clock: gives the seconds since the run began; by default since its row was written.
            caps: further caps: in tokens, for each agent, task or day. All of them hold.

        Raises:
            UserError: a cap is no amount, there is none, or the file cannot be opened or is no ledger.
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
        self._rates = dict(rates or {})
        self.bounds = PromptBounds()
        self._asked_s: dict[str, float] = {}

    def wrap(self, client: Client) -> Client:
        """Return a client of the `anthropic` SDK, sync or async, with the guard before each of its attempts.

        One that is wrapped again, by this guard or by another one of the same run, counts once.
        """
        from simbudget.guard.sdk import wrapped  # noqa: PLC0415  the SDK takes a second to import

        return wrapped(self, client)

    def spend(self) -> Spend:
        """Return what the run has spent, and the worst case of what is under way."""
        return self.store.spend(self.run)

    @contextmanager
    def labels(self, **columns: Any) -> Iterator[None]:
        """Give the entries of calls within these columns: `agent`, `task`, `cycle`, `session`, `turn`, `kind`, ...

        `asked_s` is when a call was first asked for, if not just now: its time in the queue counts from then.
        `when_settled` is called with the moment at which a call's answer had come, as its entry has it.
        """
        token = _LABELS.set({**_LABELS.get(), **columns})
        try:
            yield
        finally:
            _LABELS.reset(token)

    # One attempt.

    def reserve(self, api: Api, body: Mapping[str, Any], call: str = "") -> "Reservation":
        """Reserve the worst case of an attempt.

        Args:
            api: which API the request is for.
            body: the request.
            call: the name of the call that this is an attempt at, the same for its retries.

        Raises:
            CapReachedError: it could pass a cap.
            UnboundedCostError: what it costs at most is not known.
            UserError: its model is not on the price list.
        """
        stopped = self.store.recall(_STOPPED)
        if stopped:
            raise StoppedError(
                f"{stopped}, so its worst case was none, and no more calls are made; look into it, and call "
                "`guard.resume()`"
            )
        parts = api.parts(body)
        output_tokens = api.output_tokens(body)
        model = str(body.get("model"))
        rates = self.rates(model)
        prompt_tokens = self.bounds.at_most(parts)
        worst_usd = worst_case_usd(rates, prompt_tokens, output_tokens, body.get("inference_geo") is not None)
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
        key = self.store.open(intent, limits=limits)
        return Reservation(self, key, intent, api, body, parts, output_tokens, rates, call, when_settled)

    def rates(self, model: str) -> Rates:
        """Return what a model costs. Raises UserError: the price list does not have it."""
        if model not in self._rates:
            self._rates[model] = catalogue.rates(model, datetime.datetime.now(datetime.UTC).date())
        return self._rates[model]

    def stop(self, why: str) -> None:
        """Let no more calls be made, in any process."""
        self.store.remember(_STOPPED, why)

    def resume(self) -> None:
        """Let calls be made again after one has cost more than its worst case."""
        self.store.remember(_STOPPED, None)

    def forget_call(self, call: str) -> None:
        """Take it that a call has its answer."""
        self._asked_s.pop(call, None)

    def _since_began(self) -> float:
        if self._began_at is None:
            began_at = next(row.began_at for row in self.store.runs() if row.run == self.run)
            self._began_at = datetime.datetime.fromisoformat(began_at).timestamp()
        return time.time() - self._began_at


class Reservation:
    """The reservation of one attempt, until it is known what became of it."""

    def __init__(  # noqa: PLR0913, PLR0917  all that an attempt is
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
        """Return what to feed the answer's bytes to: it settles the reservation when they say what was used."""
        return Meter(self.api, streams, self.settle)

    def settle(self, reported: Reported) -> None:
        """Close it with what the provider says was used; stops the guard if that is more than the worst case."""
        usage = reported.usage
        cost_usd = charge(usage, self._rates, self._place or "").total_usd
        ended_s = self._guard.clock()
        self._guard.store.settle(
            self.key,
            duration_s=ended_s - self._began_s,
            cost_usd=cost_usd,
            name=reported.name,
            **entry_columns(usage),
        )
        self._guard.bounds.learn(self._parts, int(usage.prompt))
        self._guard.forget_call(self._call)
        if self._when_settled is not None:
            self._when_settled(ended_s)
        surprise = reported.surprise or self._passed(usage, cost_usd)
        if surprise:
            self._note(None, "beyond its worst case", 0.0)
            self._guard.stop(f"call {reported.name or self.name}: {surprise}")

    def _passed(self, usage: Usage, cost_usd: float) -> str:
        """Return what an answer used beyond its worst case, in words."""
        if usage.output > self._output_tokens:
            return f"{usage.output:,} tokens of output came where {self._output_tokens:,} were allowed"
        if cost_usd > self._intent.worst_usd + _ROUNDING_USD:
            return f"it cost ${cost_usd:.4f} where ${self._intent.worst_usd:.4f} was the most"
        return ""

    def refused(self, status: int) -> None:
        """Take it that the provider answered with an error: release the reservation if it bills nothing for that.

        An attempt that failed is an entry of the ledger; one that was only turned away, for coming too often
        or for being wrong, is not, and its time shows as the time that the call was waited for.
        """
        duration_s = self._guard.clock() - self._began_s
        self._note(status, "refused", duration_s)
        if status == _OVERLOADED:
            nothing = entry_columns(Usage())
            self._guard.store.settle(
                self.key, outcome="failed", duration_s=duration_s, cost_usd=0.0, component="", **nothing
            )
        elif 400 <= status < 500 and status not in _MAY_BE_BILLED:
            self._guard.store.discard(self.key)

    def broke(self, error: BaseException) -> None:
        """Release it if nothing was sent; else it stays, since what was sent may have been billed."""
        self._note(None, type(error).__name__, self._guard.clock() - self._began_s)
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
