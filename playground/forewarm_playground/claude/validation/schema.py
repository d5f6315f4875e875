"""Schema of a request, field by field, and the wording of its errors.

The real API validates with pydantic and says so in its messages
(`messages.11.content.0.thinking.cache_control: Extra inputs are not permitted`), so the local one
does the same. Only the shape is judged here; `rules` judges what the fields mean together. The
request itself stays the JSON object that was sent: the order of its keys is part of the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
)

from forewarm_playground.claude.errors import ApiError, invalid

_SILENT_TAGS = frozenset({"str", "list"})


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Open(BaseModel):
    """A block of a server tool. Its content is not checked."""

    model_config = ConfigDict(extra="allow", strict=True)
    type: str


class CacheControl(Shape):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = "5m"


class Cacheable(Shape):
    cache_control: CacheControl | None = None


class CitationsConfig(Shape):
    enabled: bool = False


class Text(Cacheable):
    type: Literal["text"]
    text: str
    citations: list[dict[str, Any]] | None = None


class Thinking(Shape):
    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThinking(Shape):
    type: Literal["redacted_thinking"]
    data: str


class Base64Source(Shape):
    type: Literal["base64"]
    media_type: str
    data: str


class UrlSource(Shape):
    type: Literal["url"]
    url: str


class FileSource(Shape):
    type: Literal["file"]
    file_id: str


class TextSource(Shape):
    type: Literal["text"]
    media_type: Literal["text/plain"]
    data: str


ImageSource = Annotated[Base64Source | UrlSource | FileSource, Field(discriminator="type")]


class Image(Cacheable):
    type: Literal["image"]
    source: ImageSource
    transformations: dict[str, Any] | None = None


InnerBlock = Annotated[Text | Image, Field(discriminator="type")]


def _form(value: Any) -> str:
    return "str" if isinstance(value, str) else "list"


class ContentSource(Shape):
    type: Literal["content"]
    content: Annotated[
        Annotated[str, Tag("str")] | Annotated[list[InnerBlock], Tag("list")],
        Discriminator(_form),
    ]


DocumentSource = Annotated[
    Base64Source | UrlSource | FileSource | TextSource | ContentSource,
    Field(discriminator="type"),
]


class Document(Cacheable):
    type: Literal["document"]
    source: DocumentSource
    title: str | None = None
    context: str | None = None
    citations: CitationsConfig | None = None


class SearchResult(Cacheable):
    type: Literal["search_result"]
    source: str
    title: str
    content: Annotated[list[Text], Field(min_length=1)]
    citations: CitationsConfig | None = None


class ToolUse(Cacheable):
    type: Literal["tool_use"]
    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")]
    name: str
    input: dict[str, Any]
    caller: dict[str, Any] | None = None
    toolset_name: str | None = None


class ToolReference(Cacheable):
    type: Literal["tool_reference"]
    tool_name: str


ResultBlock = Annotated[
    Text | Image | SearchResult | Document | ToolReference, Field(discriminator="type")
]


class ToolResult(Cacheable):
    type: Literal["tool_result"]
    tool_use_id: str
    content: Annotated[
        Annotated[str, Tag("str")] | Annotated[list[ResultBlock], Tag("list")],
        Discriminator(_form),
    ] = ""
    is_error: bool = False
    toolset_name: str | None = None


class ServerBlock(Open):
    type: Literal[
        "server_tool_use",
        "web_search_tool_result",
        "web_fetch_tool_result",
        "code_execution_tool_result",
        "bash_code_execution_tool_result",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
        "container_upload",
    ]
    cache_control: CacheControl | None = None


Block = Annotated[
    Text
    | Image
    | Document
    | SearchResult
    | Thinking
    | RedactedThinking
    | ToolUse
    | ToolResult
    | ServerBlock,
    Field(discriminator="type"),
]
Content = Annotated[
    Annotated[str, Tag("str")] | Annotated[list[Block], Tag("list")], Discriminator(_form)
]


class Message(Shape):
    role: Literal["user", "assistant", "system"]
    content: Content
    output_config: dict[str, Any] | None = None


class CustomTool(Cacheable):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
    input_schema: dict[str, Any]
    type: Literal["custom"] | None = None
    description: str | None = None
    allowed_callers: list[str] | None = None
    defer_loading: bool | None = None
    eager_input_streaming: bool | None = None
    input_examples: list[dict[str, Any]] | None = None
    strict: bool | None = None


class ServerTool(Open):
    cache_control: CacheControl | None = None


def _tool_kind(value: Any) -> str:
    kind = value.get("type") if isinstance(value, Mapping) else None
    return "custom" if kind in (None, "custom") else "server"


Tool = Annotated[
    Annotated[CustomTool, Tag("custom")] | Annotated[ServerTool, Tag("server")],
    Discriminator(_tool_kind),
]


class AutoChoice(Shape):
    type: Literal["auto", "any"]
    disable_parallel_tool_use: bool = False


class ToolChoice(Shape):
    type: Literal["tool"]
    name: str
    disable_parallel_tool_use: bool = False


class NoChoice(Shape):
    type: Literal["none"]


class AdaptiveThinking(Shape):
    type: Literal["adaptive"]
    display: Literal["summarized", "omitted"] | None = None


class EnabledThinking(Shape):
    type: Literal["enabled"]
    budget_tokens: int
    display: Literal["summarized", "omitted"] | None = None


class PlainThinking(Shape):
    type: Literal["disabled", "between_tools"]


class JsonFormat(Shape):
    type: Literal["json_schema"]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]


class OutputConfig(Shape):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None


class Metadata(Shape):
    user_id: str | None = None


class Diagnostics(Shape):
    previous_message_id: str | None = None


class CreateThread(Shape):
    type: Literal["create"]


class ContinueThread(Shape):
    type: Literal["continue"]
    previous_message_id: str


class CountBody(Shape):
    """The body of `POST /v1/messages/count_tokens`."""

    model: str
    messages: list[Message]
    cache_control: CacheControl | None = None
    output_config: OutputConfig | None = None
    speed: Literal["standard", "fast"] | None = None
    system: (
        Annotated[
            Annotated[str, Tag("str")] | Annotated[list[Text], Tag("list")], Discriminator(_form)
        ]
        | None
    ) = None
    thinking: (
        Annotated[AdaptiveThinking | EnabledThinking | PlainThinking, Field(discriminator="type")]
        | None
    ) = None
    tool_choice: (
        Annotated[AutoChoice | ToolChoice | NoChoice, Field(discriminator="type")] | None
    ) = None
    tools: list[Tool] | None = None
    user_profile_id: str | None = None
    workspace_id: str | None = None


class CreateBody(CountBody):
    """The body of `POST /v1/messages` under API version 2026-10-21."""

    max_tokens: Annotated[int, Field(ge=0)]
    container: str | dict[str, Any] | None = None
    diagnostics: Diagnostics | None = None
    inference_geo: str | None = None
    metadata: Metadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    stop_sequences: list[str] | None = None
    stream: bool = False
    thread: Annotated[CreateThread | ContinueThread, Field(discriminator="type")] | None = None


class CreateBody2023(CreateBody):
    """The body under API version 2023-06-01, which still has the sampling parameters."""

    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None


_COUNT = TypeAdapter(CountBody)
_CREATE = TypeAdapter(CreateBody)
_CREATE_2023 = TypeAdapter(CreateBody2023)


def check_create(body: Any, version: str) -> None:
    """Refuse a body that is no message request of this API version."""
    _check(_CREATE_2023 if version == "2023-06-01" else _CREATE, body)


def check_count(body: Any) -> None:
    """Refuse a body that is no request to count tokens."""
    _check(_COUNT, body)


def _check(adapter: TypeAdapter[Any], body: Any) -> None:
    try:
        adapter.validate_python(body)
    except ValidationError as error:
        raise _refusal(error) from None


def _refusal(error: ValidationError) -> ApiError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"] if part not in _SILENT_TAGS)
    message = first["msg"]
    if first["type"] == "missing":
        message = "Field required"
    return invalid(f"{path}: {message}" if path else message)
