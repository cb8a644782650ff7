"""Requests of the Messages API, validated as the provider does: strict types, no unknown keys, its error messages.

The types are a subset of the SDK's, limited to what an agent with custom tools sends; within the subset, validation
matches the SDK's types. `check_rules` covers what types cannot express, such as that every tool call needs a result.
"""

from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class RequestError(Exception):
    """A request that the provider answers with an error; `kind` is the provider's name for it."""

    def __init__(self, message: str, status: int = 400, kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status, self.kind = status, kind


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CacheControl(_Strict):
    """A marker: the prompt up to and including the marked block is to be cached."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = "5m"


class _Markable(_Strict):
    cache_control: CacheControl | None = None


class TextBlock(_Markable):
    """Text."""

    type: Literal["text"]
    text: str
    citations: None = None


class ToolUseBlock(_Markable):
    """A tool call by the model."""

    type: Literal["tool_use"]
    id: str = Field(pattern="^[a-zA-Z0-9_-]+$")
    name: str = Field(min_length=1, max_length=200)
    input: dict[str, Any]
    caller: dict[str, Any] | None = None


class ToolResultBlock(_Markable):
    """The result of a tool call."""

    type: Literal["tool_result"]
    tool_use_id: str = Field(pattern="^[a-zA-Z0-9_-]+$")
    content: str | list[TextBlock] = ""
    is_error: bool = False


class ThinkingBlock(_Strict):
    """Thinking from an earlier answer, sent back unchanged."""

    type: Literal["thinking"]
    thinking: str
    signature: str


Block = Annotated[
    TextBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock,
    Field(discriminator="type"),
]


class MessageParam(_Strict):
    """One message of the conversation."""

    role: Literal["user", "assistant"]
    content: str | list[Block]


class Tool(_Markable):
    """A tool that the client runs."""

    name: str = Field(pattern="^[a-zA-Z0-9_-]{1,128}$")
    input_schema: dict[str, Any]
    description: str = ""
    type: Literal["custom"] | None = None


class ToolChoice(_Strict):
    """Which tool the model has to use."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool = False


class Thinking(_Strict):
    """Whether the model thinks before it answers."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: int | None = Field(default=None, ge=1024)
    display: Literal["summarized", "omitted"] | None = None


class Metadata(_Strict):
    """Metadata, which identify the user."""

    user_id: str | None = None


class CountRequest(_Strict):
    """The fields that message requests and token counts share."""

    model: str = Field(min_length=1)
    messages: list[MessageParam] = Field(min_length=1, max_length=100_000)
    system: str | list[TextBlock] = ""
    tools: list[Tool] = Field(default_factory=list)
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    cache_control: CacheControl | None = None


class MessageRequest(CountRequest):
    """A request for a message."""

    max_tokens: int = Field(ge=1)
    stream: bool = False
    metadata: Metadata | None = None
    stop_sequences: list[str] = Field(default_factory=list)
    temperature: float | None = Field(default=None, ge=0, le=1)
    top_k: int | None = None
    top_p: float | None = None
    service_tier: Literal["auto", "standard_only"] | None = None

    @property
    def user(self) -> str:
        """Return the user's id, or an empty string."""
        return (self.metadata.user_id if self.metadata else None) or ""


T = TypeVar("T", bound=CountRequest)


def read_request(body: bytes, kind: type[T]) -> T:
    """Parse and validate a request.

    Raises:
        RequestError: the request is invalid; the message is in the provider's words.
    """
    try:
        request = kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise RequestError(
                "The request body is not valid JSON: " + first["msg"].partition(": ")[2]
            ) from None
        where = ".".join(str(part) for part in first["loc"])
        raise RequestError(f"{where}: {first['msg']}" if where else first["msg"]) from None
    check_rules(request)
    return request


_MOST_MARKERS = 4  # the provider's limit


def check_rules(request: CountRequest) -> None:
    """Check what types cannot express.

    Raises:
        RequestError: a rule is violated.
    """
    if request.messages[0].role != "user":
        raise RequestError('messages: first message must use the "user" role')
    for index, message in enumerate(request.messages):
        _check_message(index, message, index == len(request.messages) - 1)
    _check_tools(request)
    _check_pairs(request.messages)
    markers = [block.cache_control for block in _markable(request) if block.cache_control]
    if len(markers) + (request.cache_control is not None) > _MOST_MARKERS:
        raise RequestError(
            f"A maximum of {_MOST_MARKERS} blocks with cache_control may be provided. Found {len(markers)}."
        )
    lives = [marker.ttl for marker in markers]
    if any(earlier == "5m" and later == "1h" for earlier, later in pairwise(lives)):
        raise RequestError(
            "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"
        )


def _check_message(index: int, message: MessageParam, is_last: bool) -> None:
    if isinstance(message.content, str):
        if not message.content and not (is_last and message.role == "assistant"):
            raise RequestError(f"messages.{index}: all messages must have non-empty content")
        return
    if not message.content:
        raise RequestError(f"messages.{index}: all messages must have non-empty content")
    allowed = ("text", "tool_result") if message.role == "user" else ("text", "tool_use", "thinking")
    for number, block in enumerate(message.content):
        if block.type not in allowed:
            raise RequestError(
                f"messages.{index}: `{block.type}` blocks can not be in `{message.role}` messages"
            )
        if isinstance(block, TextBlock) and not block.text:
            raise RequestError(f"messages.{index}.content.{number}: text content blocks must be non-empty")


def _check_tools(request: CountRequest) -> None:
    names = [tool.name for tool in request.tools]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise RequestError("tools: Tool names must be unique.")
        if request.tools[index].input_schema.get("type") != "object":
            raise RequestError(f"tools.{index}.custom.input_schema.type: Input should be 'object'")
    choice = request.tool_choice
    if choice is None:
        return
    if not names:
        raise RequestError("tool_choice may only be specified while providing tools")
    if choice.type == "tool" and choice.name not in names:
        raise RequestError(f"Tool '{choice.name}' not found in provided tools")


def _check_pairs(messages: list[MessageParam]) -> None:
    """Raise RequestError unless each tool call has its result in the next message and vice versa."""
    asked: list[str] = []
    for index, message in enumerate(messages):
        blocks = message.content if isinstance(message.content, list) else []
        given = [block.tool_use_id for block in blocks if isinstance(block, ToolResultBlock)]
        missing = [use for use in asked if use not in given]
        if missing:
            raise RequestError(
                f"messages.{index - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the "
                "next message."
            )
        unasked = [result for result in given if result not in asked]
        if unasked:
            raise RequestError(
                f"messages.{index}.content: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{', '.join(unasked)}. Each `tool_result` block must have a corresponding `tool_use` block in the "
                "previous message."
            )
        asked = [block.id for block in blocks if isinstance(block, ToolUseBlock)]
    if asked:
        raise RequestError(
            f"messages.{len(messages) - 1}: `tool_use` ids were found without `tool_result` blocks immediately "
            f"after: {', '.join(asked)}."
        )


def _markable(request: CountRequest) -> list[Tool | TextBlock | ToolUseBlock | ToolResultBlock]:
    """Return everything that can carry a cache marker, in the order in which the cache sees it."""
    found: list[Tool | TextBlock | ToolUseBlock | ToolResultBlock] = list(request.tools)
    if isinstance(request.system, list):
        found += request.system
    for message in request.messages:
        if isinstance(message.content, list):
            found += [block for block in message.content if not isinstance(block, ThinkingBlock)]
    return found
