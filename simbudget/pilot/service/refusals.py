"""Refusals: the one form in which the service rejects a request, and the limit on a body's size."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from simbudget.pilot.service.messages import Refusal

_TOO_LARGE = 413

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Message, _Receive, _Send], Awaitable[None]]


class RefusedRequest(HTTPException):
    """A request was refused and changed nothing."""

    def __init__(self, status: int, refusal: Refusal) -> None:
        super().__init__(status, refusal.what)
        self.refusal = refusal


def refusal_response(status: int, refusal: Refusal) -> JSONResponse:
    """Return the response of a refusal, with a `retry-after` header if it has one."""
    headers = {} if refusal.retry_after_s is None else {"retry-after": f"{refusal.retry_after_s:.3f}"}
    return JSONResponse(refusal.model_dump(), status, headers)


class SizeLimit:
    """ASGI middleware that refuses bodies above a size, regardless of their length header."""

    def __init__(self, app: _App, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Pass the request on, counting the bytes received."""
        seen = 0

        async def counted() -> _Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_body_bytes:
                what = f"the body is larger than {self._max_body_bytes:,} bytes"
                raise RefusedRequest(_TOO_LARGE, Refusal(reason="too large", what=what))
            return message

        await self._app(scope, counted if scope["type"] == "http" else receive, send)
