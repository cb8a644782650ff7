"""A provider that does what a test tells it: it answers, fails, lies about its usage, or hangs up, and keeps count."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic

MODEL = "claude-opus-4-6"
"""$5, and $25, a million tokens of input and output."""

Answer = tuple[int, Mapping[str, Any] | None]
"""A status and, if it is 200, the usage that is reported; no usage: the connection is cut in the middle."""


class FakeProvider:
    """What the provider did: its requests in the order in which they came."""

    def __init__(self, answer: Callable[[int, Mapping[str, Any]], Answer]) -> None:
        self.answer = answer
        self.requests: list[Mapping[str, Any]] = []
        self.paths: list[str] = []
        self.numbers = itertools.count()
        self.lock = threading.Lock()
        self.url = ""

    def client(self, **more: Any) -> anthropic.Anthropic:
        """Return a client of it that tries once."""
        return anthropic.Anthropic(api_key="none", base_url=self.url, max_retries=0, **more)

    def async_client(self) -> anthropic.AsyncAnthropic:
        """Return an async one."""
        return anthropic.AsyncAnthropic(api_key="none", base_url=self.url, max_retries=0)


def used(input_tokens: int = 10, output_tokens: int = 20, **more: Any) -> Answer:
    """Return an answer that reports a usage."""
    return 200, {"input_tokens": input_tokens, "output_tokens": output_tokens, **more}


def always(answer: Answer) -> Callable[[int, Mapping[str, Any]], Answer]:
    """Return what gives every request the same answer."""
    return lambda _, __: answer


@contextmanager
def faking(answer: Callable[[int, Mapping[str, Any]], Answer]) -> Iterator[FakeProvider]:
    """Run a provider on a real socket for a while."""
    provider = FakeProvider(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with provider.lock:
                provider.requests.append(body)
                provider.paths.append(self.path)
                number = next(provider.numbers)
            status, usage = provider.answer(number, body)
            _send(self, self.path, status, usage, bool(body.get("stream")), number)

    class Server(ThreadingHTTPServer):
        request_queue_size = 256

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing of callers that hang up."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    provider.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()


def _send(
    handler: BaseHTTPRequestHandler,
    path: str,
    status: int,
    usage: Mapping[str, Any] | None,
    streams: bool,
    number: int,
) -> None:
    if status != 200:
        body = json.dumps({"type": "error", "error": {"type": "api_error", "message": "no"}}).encode()
        _whole(handler, status, "application/json", body)
        return
    speaks = _openai if path.endswith(("/completions", "/responses")) else _messages
    chunks = speaks(path, usage or {"input_tokens": 1, "output_tokens": 1}, streams, number)
    data = b"".join(chunks)
    kind = "text/event-stream" if streams else "application/json"
    if usage is None:  # a promise of more than comes
        handler.send_response(200)
        handler.send_header("content-type", kind)
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 3])
        handler.wfile.flush()
        handler.close_connection = True
        handler.connection.close()
        return
    _whole(handler, 200, kind, data)


def _whole(handler: BaseHTTPRequestHandler, status: int, kind: str, body: bytes) -> None:
    handler.send_response(status)
    handler.send_header("content-type", kind)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _event(data: Mapping[str, Any]) -> bytes:
    named = f"event: {data['type']}\n" if "type" in data else ""
    return f"{named}data: {json.dumps(data)}\n\n".encode()


def _messages(path: str, usage: Mapping[str, Any], streams: bool, number: int) -> list[bytes]:
    message = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": "fine"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
    }
    if not streams:
        return [json.dumps(message).encode()]
    begun = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        _event({"type": "message_start", "message": begun}),
        _event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        _event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "fine"}}),
        _event({"type": "content_block_stop", "index": 0}),
        _event({"type": "message_delta", "delta": delta, "usage": {"output_tokens": usage["output_tokens"]}}),
        _event({"type": "message_stop"}),
    ]


def _openai(path: str, usage: Mapping[str, Any], streams: bool, number: int) -> list[bytes]:
    if path.endswith("/responses"):
        response = {"id": f"resp_{number}", "object": "response", "output": [], "usage": usage}
        if not streams:
            return [json.dumps(response).encode()]
        return [
            _event({"type": "response.created", "response": {"id": response["id"], "usage": None}}),
            _event({"type": "response.output_text.delta", "delta": "fine"}),
            _event({"type": "response.completed", "response": response}),
        ]
    counted = {"prompt_tokens": usage["input_tokens"], "completion_tokens": usage["output_tokens"]}
    chosen = {"index": 0, "message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}
    answer = {"id": f"chatcmpl_{number}", "object": "chat.completion", "choices": [chosen], "usage": counted}
    if not streams:
        return [json.dumps(answer).encode()]
    delta = {"index": 0, "delta": {"content": "fine"}, "finish_reason": None}
    return [
        _event({"id": answer["id"], "choices": [delta], "usage": None}),
        _event({"id": answer["id"], "choices": [], "usage": counted}),
        b"data: [DONE]\n\n",
    ]
