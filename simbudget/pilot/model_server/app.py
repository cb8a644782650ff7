"""The HTTP interface: paths, headers and errors of the Messages API."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from simbudget.pilot.model_server.answers import error_body, events
from simbudget.pilot.model_server.provider import Answer, BusyError, Provider
from simbudget.pilot.model_server.requests import CountRequest, MessageRequest, RequestError, read_request
from simbudget.pilot.model_server.tokens import prompt_tokens

_LARGEST_BYTES: Final = 32 * 1024 * 1024
"""The Messages API's limit on a request's size."""


def make_app(provider: Provider) -> FastAPI:
    """Return the ASGI application of a provider."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.post("/v1/messages")
    async def messages(http: Request) -> Response:
        request_id = f"req_{uuid.uuid4().hex[:24]}"
        try:
            request = read_request(await _body(http, provider), MessageRequest)
            name = http.headers.get("idempotency-key")
            answer = await provider.answer(request, name, _retries(http))
        except RequestError as error:
            return _error(error, provider, request_id)
        headers = {**provider.headers(request.model), "request-id": request_id}
        if request.stream:
            return StreamingResponse(_stream(answer), media_type="text/event-stream", headers=headers)
        await asyncio.sleep(answer.first_token_s + answer.writing_s)
        return JSONResponse(answer.message, headers=headers)

    @app.post("/v1/messages/count_tokens")
    async def count_tokens(http: Request) -> Response:
        request_id = f"req_{uuid.uuid4().hex[:24]}"
        try:
            request = read_request(await _body(http, provider), CountRequest)
        except RequestError as error:
            return _error(error, provider, request_id)
        return JSONResponse({"input_tokens": prompt_tokens(request)}, headers={"request-id": request_id})

    @app.post("/simbudget/requests/{name}/settle")
    async def settle(name: str) -> Response:
        """Report whether a request was billed; a request that never arrived is closed and cannot be billed."""
        message = provider.journal.settle(name, provider.clock.now_s())
        said = {"id": message.get("id"), "usage": message.get("usage")}
        return JSONResponse({"billed": bool(message), **said})

    @app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "DELETE"])
    async def elsewhere(path: str) -> Response:
        error = RequestError(f"Not found: /{path}", 404, "not_found_error")
        return _error(error, provider, f"req_{uuid.uuid4().hex[:24]}")

    return app


def _retries(http: Request) -> int:
    said = http.headers.get("x-stainless-retry-count", "0")
    return int(said) if said.isdigit() else 0


async def _body(http: Request, provider: Provider) -> bytes:
    """Return the body of a request with valid headers.

    Raises:
        RequestError: a header is missing or wrong, or the body is too large.
    """
    bearer = http.headers.get("authorization", "").removeprefix("Bearer ")
    key = http.headers.get("x-api-key") or bearer  # SDK versions differ in which one they send
    if not key:
        raise RequestError("x-api-key header is required", 401, "authentication_error")
    keys = provider.settings.keys
    if keys and key not in keys:
        raise RequestError("API key is invalid.", 401, "authentication_error")
    if not http.headers.get("anthropic-version"):
        raise RequestError("anthropic-version: header is required")
    declared = http.headers.get("content-length", "0")
    body = b"" if declared.isdigit() and int(declared) > _LARGEST_BYTES else await http.body()
    if len(body) > _LARGEST_BYTES or (not body and declared != "0"):
        raise RequestError("Request exceeds the maximum size", 413, "request_too_large")
    return body


def _error(error: RequestError, provider: Provider, request_id: str) -> Response:
    headers = {**provider.headers(), "request-id": request_id}
    if isinstance(error, BusyError) and error.retry_after_s is not None:
        headers["retry-after"] = str(max(1, round(error.retry_after_s)))
        headers["retry-after-ms"] = str(max(1, round(error.retry_after_s * 1000)))
    return JSONResponse(error_body(error.kind, str(error), request_id), error.status, headers)


async def _stream(answer: Answer) -> AsyncIterator[str]:
    """Yield the events of an answer at its output speed."""
    await asyncio.sleep(answer.first_token_s)
    all_events = list(events(answer.message))
    pause_s = answer.writing_s / len(all_events)
    owed_s = 0.0
    for index, (name, data) in enumerate(all_events):
        yield _event(name, data)
        if index == 0:
            yield _event("ping", {"type": "ping"})
        owed_s += pause_s
        if owed_s >= 0.01:  # shorter sleeps overshoot by more than they last
            await asyncio.sleep(owed_s)
            owed_s = 0.0


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
