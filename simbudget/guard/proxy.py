"""A local proxy that speaks the Messages API and OpenAI's APIs, which caps the spend of a program in any language.

It forwards requests, with the program's own key, to the provider that the program would have called. Only a call that
could exceed a cap, or whose cost has no known bound, is answered by the proxy itself. Streams are forwarded as they
arrive. Nothing is written except the ledger, which contains neither keys nor texts.

The proxy listens on loopback, under a path that nobody can guess, so that other users of the machine can neither use
up the cap nor read the traffic.
"""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from simbudget.errors import UserError
from simbudget.guard.answers import CHAT, MESSAGES, RESPONSES, Api, Meter
from simbudget.guard.bounds import UnboundedCostError
from simbudget.guard.guard import BudgetGuard, Reservation
from simbudget.ledger.store import CapReachedError

ANTHROPIC: Final = "https://api.anthropic.com"
OPENAI: Final = "https://api.openai.com/v1"
AGENT_HEADER: Final = "x-simbudget-agent"
TASK_HEADER: Final = "x-simbudget-task"

_APIS: Final = (MESSAGES, CHAT, RESPONSES)
_FREE: Final = ("/v1/messages/count_tokens",)
_NOT_PASSED_ON: Final = frozenset(
    (
        "host",
        "content-length",
        "connection",
        "accept-encoding",
        "transfer-encoding",
        "keep-alive",
        "te",
        "upgrade",
    )
) | {AGENT_HEADER, TASK_HEADER}
_NOT_PASSED_BACK: Final = frozenset(("content-length", "connection", "transfer-encoding", "content-encoding"))
_LARGEST_BYTES: Final = 32 * 1024 * 1024
"""The provider's own limit on a request."""
_PAYMENT_REQUIRED: Final = 402
"""Status of a call that a cap does not allow: SDKs do not retry it, as they would a 429."""
_PAUSE_S: Final = 0.1
"""Time between two attempts to reserve a call that waits for budget."""
_TIMEOUT: Final = httpx2.Timeout(600.0, connect=10.0)
"""The timeout of the providers' SDKs."""


@dataclass
class Proxy:
    """The proxy's settings and counters."""

    guard: BudgetGuard
    anthropic_url: str = ANTHROPIC
    openai_url: str = OPENAI
    output_tokens: int | None = None
    """Output limit for requests that set none; None to refuse them, as their output has no bound."""
    patience_s: float = 120.0
    """How long a call waits that may fit once calls in flight have ended."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    refused: int = 0
    """Number of calls refused by the guard."""

    def environment(self, url: str) -> dict[str, str]:
        """Return the environment variables that make a program's SDKs call the proxy at a URL."""
        here = f"{url}/{self.token}"
        return {"ANTHROPIC_BASE_URL": f"{here}/anthropic", "OPENAI_BASE_URL": f"{here}/openai"}

    def app(self) -> Starlette:
        """Return the proxy as an ASGI application."""
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        path = f"/{self.token}/{{provider:str}}/{{rest:path}}"
        return Starlette(routes=[Route(path, self._serve, methods=methods)])

    async def _serve(self, request: Request) -> Response:
        provider, rest = request.path_params["provider"], "/" + request.path_params["rest"]
        if provider not in ("anthropic", "openai"):
            return _error("anthropic", 404, "not_found_error", f"there is no {provider[:40]!r} here")
        base = self.anthropic_url if provider == "anthropic" else self.openai_url
        url = base.rstrip("/") + rest + (f"?{request.url.query}" if request.url.query else "")
        if request.method == "GET" or (provider == "anthropic" and rest in _FREE):
            return await _passed_on(request, url, await request.body(), None)
        api = _api_of(provider, rest)
        if api is None or request.method != "POST":
            self.refused += 1
            message = f"{request.method} {rest[:80]} is not guarded, so simbudget guard does not forward it"
            return _error(provider, 403, "permission_error", message)
        try:
            body = await _body(request)
        except ValueError as error:
            return _error(provider, 400, "invalid_request_error", str(error))
        return await self._guarded(request, url, provider, api, body)

    async def _guarded(
        self, request: Request, url: str, provider: str, api: Api, body: dict[str, Any]
    ) -> Response:
        self._fill_in(api, body)
        hides_usage = api is CHAT and body.get("stream") is True and _ask_for_usage(body)
        try:
            with self.guard.labels(**_labels(request.headers)):
                reservation = await self._reserved(api, body)
        except CapReachedError as error:
            self.refused += 1
            return _error(provider, _PAYMENT_REQUIRED, "billing_error", str(error))
        except (UnboundedCostError, UserError) as error:
            self.refused += 1
            return _error(provider, 400, "invalid_request_error", f"simbudget guard: {error}")
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")
        return await _passed_on(request, url, content, reservation, hides_usage)

    async def _reserved(self, api: Api, body: Mapping[str, Any]) -> Reservation:
        """Reserve a call's worst case, waiting for budget if necessary. Raises as `BudgetGuard.reserve` does."""
        give_up = time.monotonic() + self.patience_s
        while True:
            try:
                return await asyncio.to_thread(self.guard.reserve, api, body)
            except CapReachedError as error:
                if not error.may_pass or time.monotonic() > give_up:
                    raise
            await asyncio.sleep(_PAUSE_S)

    def _fill_in(self, api: Api, body: dict[str, Any]) -> None:
        """Set the default output limit of a request that has none."""
        names = {MESSAGES: ("max_tokens",), RESPONSES: ("max_output_tokens",)}
        known = names.get(api, ("max_completion_tokens", "max_tokens"))
        if self.output_tokens is not None and all(body.get(name) is None for name in known):
            body[known[0]] = self.output_tokens


def _api_of(provider: str, rest: str) -> Api | None:
    if provider == "anthropic":
        return MESSAGES if rest == MESSAGES.path else None
    return next((api for api in (CHAT, RESPONSES) if rest == api.path), None)


async def _body(request: Request) -> dict[str, Any]:
    """Read a request's body.

    Raises:
        ValueError: it is too large, or not a JSON object.
    """
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > _LARGEST_BYTES:
            raise ValueError(f"a request of more than {_LARGEST_BYTES:,} bytes")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError("the request is not JSON") from None
    if not isinstance(body, dict):
        raise ValueError("the request is not a JSON object")
    return body


def _labels(headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the agent and the task named in a request's headers."""
    labels: dict[str, Any] = {}
    agent = headers.get(AGENT_HEADER, "")
    if agent.isdecimal() and len(agent) < 10:
        labels["agent"] = int(agent)
    if headers.get(TASK_HEADER):
        labels["task"] = headers[TASK_HEADER][:200]
    return labels


def _ask_for_usage(body: dict[str, Any]) -> bool:
    """Make a chat completion stream report its usage; return whether the program had not asked for that."""
    options = body.get("stream_options")
    options = dict(options) if isinstance(options, Mapping) else {}
    if options.get("include_usage") is True:
        return False
    body["stream_options"] = {**options, "include_usage": True}
    return True


async def _passed_on(
    request: Request,
    url: str,
    content: bytes,
    reservation: Reservation | None,
    hides_usage: bool = False,
) -> Response:
    """Forward a request, and return the provider's answer as it arrives."""
    headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _NOT_PASSED_ON]
    client = httpx2.AsyncClient(timeout=_TIMEOUT, follow_redirects=False)
    headers.append(("accept-encoding", "identity"))
    try:
        sent = client.build_request(request.method, url, headers=headers, content=content)
        answer = await client.send(sent, stream=True)
        if reservation is not None and not answer.is_success:
            reservation.refused(answer.status_code, await answer.aread())
    except BaseException as error:
        await client.aclose()
        if reservation is not None:
            reservation.broke(error)
        if not isinstance(error, httpx2.TransportError):
            raise
        message = f"simbudget guard: the provider cannot be reached: {error}"
        return _error(request.path_params["provider"], 502, "api_error", message)
    meter = None
    if reservation is not None and answer.is_success:
        meter = reservation.meter("event-stream" in answer.headers.get("content-type", ""))
    back = [(n, v) for n, v in answer.headers.items() if n.lower() not in _NOT_PASSED_BACK]
    response = StreamingResponse(_chunks(client, answer, meter, hides_usage), answer.status_code)
    response.raw_headers = [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in back]
    return response


async def _chunks(
    client: httpx2.AsyncClient, answer: httpx2.Response, meter: Meter | None, hides_usage: bool
) -> AsyncIterator[bytes]:
    """Yield an answer as it arrives, watched by a meter. If it is cut short, so is the connection."""
    events = _WithoutUsage() if hides_usage else None
    try:
        async for chunk in answer.aiter_bytes():  # decoded, in case a gateway compresses all the same
            if meter is not None:
                meter.feed(chunk)
            shown = chunk if events is None else events.take(chunk)
            if shown:
                yield shown
        if meter is not None:
            meter.end()
        if events is not None:
            yield events.rest()
    finally:
        await answer.aclose()
        await client.aclose()


class _WithoutUsage:
    """A chat completion stream without the usage chunk that only the guard requested."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, chunk: bytes) -> bytes:
        """Return the complete events so far that the program should see."""
        *events, self._rest = (self._rest + chunk).split(b"\n\n")
        return b"".join(event + b"\n\n" for event in events if not _is_usage_only(event))

    def rest(self) -> bytes:
        """Return what followed the last complete event."""
        return self._rest


def _is_usage_only(event: bytes) -> bool:
    if not event.startswith(b"data:") or b'"usage"' not in event:
        return False
    try:
        data = json.loads(event[5:])
    except ValueError:
        return False
    return isinstance(data, dict) and data.get("choices") == [] and bool(data.get("usage"))


def _error(provider: str, status: int, kind: str, message: str) -> JSONResponse:
    """Return an error in the format of a provider."""
    error = {"type": kind, "message": message}
    if provider == "openai":
        return JSONResponse({"error": {**error, "code": kind, "param": None}}, status)
    return JSONResponse({"type": "error", "error": error}, status)
