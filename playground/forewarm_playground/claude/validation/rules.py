"""Which requests are valid: rules across fields.

Every check is made before anything is read from or written to the cache. If the real wording is
not published, the status and type are right and the sentence is ours. Sources:
docs/platform/claude.md#cache-markers, docs/platform/claude.md#warm-ups-without-output,
docs/platform/claude.md#citations-of-documents, docs/platform/claude.md#models and
docs/platform/claude.md#error-wording.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import takewhile
from typing import Any

from forewarm_playground.claude.cache.breakpoints import check_inner_markers
from forewarm_playground.claude.errors import invalid
from forewarm_playground.claude.models import EFFORTS, Model
from forewarm_playground.claude.providers.profiles import Profile
from forewarm_playground.claude.validation import citations
from forewarm_playground.claude.validation.signatures import check_signature

NEWEST_VERSION = "2026-10-21"
VERSIONS = (NEWEST_VERSION, "2023-06-01")
MESSAGE_LIMIT = 100_000
MID_EFFORT_BETA = "mid-conversation-output-config-2026-07-01"

Json = Mapping[str, Any]


def check_conversation(body: Json, model: Model, version: str, betas: Collection[str]) -> None:
    """Check `system`, `tools` and `messages`: all that count_tokens sees too."""
    _check_length(body)
    _check_system(body)
    _check_roles(body, model, betas)
    for path, role, block in _blocks(body):
        _check_block(path, role, block, model)
    _check_content(body)
    _check_tool_turns(body["messages"])
    _check_prefill(body, model)
    citations.check(body, version)


def check_settings(body: Json, model: Model, version: str) -> None:
    """Check thinking, effort and tool choice against the model."""
    _check_thinking(body, model)
    _check_effort(body, model)
    _check_tool_choice(body, model)
    if version == "2023-06-01":
        _check_sampling(body, model)


def check_provider(body: Json, profile: Profile) -> None:
    """Refuse the fields that a provider does not take. Markers are found at any depth."""
    if body.get("max_tokens") == 0 and not profile.zero:
        raise invalid("max_tokens: Input should be greater than or equal to 1")
    if body.get("cache_control") and not profile.automatic:
        raise invalid("cache_control: Extra inputs are not permitted")
    if body.get("diagnostics") is not None and not profile.diagnostics:
        raise invalid("diagnostics: Extra inputs are not permitted")
    if "1h" not in profile.lives and any(control.get("ttl") == "1h" for control in _markers(body)):
        raise invalid("system.0.cache_control.ttl: Input should be '5m'")


def _markers(value: Any) -> Iterator[Json]:
    if isinstance(value, Mapping):
        if isinstance(control := value.get("cache_control"), Mapping):
            yield control
        for inner in value.values():
            yield from _markers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _markers(inner)


def check_output(body: Json, model: Model) -> None:
    """Check `max_tokens`, and what may not be asked together with none."""
    asked = body["max_tokens"]
    if asked > model.max_output:
        raise invalid(
            f"max_tokens: {asked} > {model.max_output}, which is the maximum allowed number of "
            f"output tokens for {model.id}"
        )
    if asked == 0:
        _check_warming(body)
    thinking = body.get("thinking") or {}
    if thinking.get("type") == "enabled" and thinking["budget_tokens"] >= asked:
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_warming(body: Json) -> None:
    refused = {
        "stream": body.get("stream"),
        "thinking.type: 'enabled'": (body.get("thinking") or {}).get("type") == "enabled",
        "output_config.format": (body.get("output_config") or {}).get("format"),
        "a tool_choice that forces tool use": _forces_tools(body),
    }
    for name, present in refused.items():
        if present:
            raise invalid(f"max_tokens: 0 is not supported together with {name}")


# Structure


def _check_length(body: Json) -> None:
    count = len(body["messages"])
    if count == 0:
        raise invalid("messages: at least one message is required")
    if count > MESSAGE_LIMIT:
        raise invalid(f"messages: too many messages: {count} > {MESSAGE_LIMIT} maximum")


def _check_system(body: Json) -> None:
    system = body.get("system") or ()
    for place, block in enumerate(() if isinstance(system, str) else system):
        if not block["text"]:
            _refuse_empty(f"system.{place}", block)


def _check_roles(body: Json, model: Model, betas: Collection[str]) -> None:
    messages = body["messages"]
    for index, message in enumerate(messages):
        if message["role"] == "system":
            _check_system_turn(messages, index, model, betas)
        elif message.get("output_config") is not None:
            raise invalid(f"messages.{index}.output_config: Extra inputs are not permitted")
    if messages[0]["role"] == "assistant":
        raise invalid('messages: first message must use the "user" role')


def _check_system_turn(
    messages: list[Json], index: int, model: Model, betas: Collection[str]
) -> None:
    if not model.system_messages:
        raise invalid("role 'system' is not supported on this model")
    message = messages[index]
    if message.get("output_config") is not None and MID_EFFORT_BETA not in betas:
        raise invalid(f"messages.{index}.output_config: Extra inputs are not permitted")
    follows_user = index > 0 and messages[index - 1]["role"] == "user"
    ends_turn = index + 1 == len(messages) or messages[index + 1]["role"] == "assistant"
    if not (follows_user and ends_turn):
        raise invalid(
            f"messages.{index}: a 'system' message must follow a 'user' message and be the last "
            "message or be followed by an 'assistant' message"
        )
    if any(block["type"] != "text" for block in as_blocks(message["content"])):
        raise invalid(f"messages.{index}: a 'system' message may contain only text")


def _check_content(body: Json) -> None:
    messages = body["messages"]
    for index, message in enumerate(messages):
        last = index + 1 == len(messages)
        if message["content"] or message.get("output_config"):
            continue
        if not (last and message["role"] == "assistant"):
            raise invalid(
                f"messages.{index}: all messages must have non-empty content except for the "
                "optional final assistant message"
            )
    final = [block for block in as_blocks(messages[-1]["content"]) if block["type"] == "text"]
    if messages[-1]["role"] == "user" and any(not block["text"].strip() for block in final):
        raise invalid("messages: text content blocks must be non-empty")


def _check_block(path: str, role: str, block: Json, model: Model) -> None:
    kind = block["type"]
    if kind == "text" and not block["text"]:
        _refuse_empty(f"{path}.text", block)
    if kind in ("thinking", "redacted_thinking", "tool_use") and role != "assistant":
        raise invalid(f"{path}: `{kind}` blocks can only be in `assistant` messages")
    if kind in ("tool_result", "image") and role != "user":
        raise invalid(f"{path}: `{kind}` blocks can only be in `user` messages")
    if kind == "thinking":
        check_signature(block, model.id)
    check_inner_markers(block, path)


def _refuse_empty(path: str, block: Json) -> None:
    if block.get("cache_control"):
        raise invalid(f"{path}: cache_control cannot be set for empty text blocks")
    raise invalid(f"{path.split('.')[0]}: text content blocks must be non-empty")


def _check_tool_turns(messages: list[Json]) -> None:
    for index, message in enumerate(messages):
        following = messages[index + 1] if index + 1 < len(messages) else None
        previous = messages[index - 1] if index else None
        _check_calls(index, message, following)
        _check_results(index, message, previous)


def _check_calls(index: int, message: Json, following: Json | None) -> None:
    calls = _ids(message, "tool_use", "id")
    if len(set(calls)) < len(calls):
        raise invalid(f"messages.{index}: `tool_use` ids must be unique")
    answered = _answered_first(following) if following else set()
    open_calls = [call for call in calls if call not in answered]
    if open_calls:
        raise invalid(
            f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately "
            f"after: {', '.join(open_calls)}. Each `tool_use` block must have a corresponding "
            "`tool_result` block in the next message."
        )


def _answered_first(message: Json) -> set[str]:
    """Return the calls whose results stand before anything else in a message."""
    blocks = as_blocks(message["content"])
    leading = takewhile(lambda block: block["type"] == "tool_result", blocks)
    return {block["tool_use_id"] for block in leading}


def _check_results(index: int, message: Json, previous: Json | None) -> None:
    calls = set(_ids(previous, "tool_use", "id")) if previous else set()
    for place, block in enumerate(as_blocks(message["content"])):
        if block["type"] == "tool_result" and block["tool_use_id"] not in calls:
            raise invalid(
                f"messages.{index}.content.{place}: unexpected `tool_use_id` found in "
                f"`tool_result` blocks: {block['tool_use_id']}. Each `tool_result` block must have "
                "a corresponding `tool_use` block in the previous message."
            )


def _check_prefill(body: Json, model: Model) -> None:
    last = body["messages"][-1]
    if last["role"] != "assistant":
        return
    if not model.prefill:
        raise invalid(
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message."
        )
    blocks = as_blocks(last["content"])
    if blocks and blocks[-1].get("text", "x")[-1:].isspace():
        raise invalid("messages: final assistant content cannot end with trailing whitespace")


# Settings


def _check_thinking(body: Json, model: Model) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking["type"]
    if kind not in model.thinking:
        raise invalid(_thinking_refusal(kind, model))
    if kind == "enabled" and thinking["budget_tokens"] < 1_024:
        raise invalid(
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        )
    effort = effort_of(body, model)
    if kind in ("disabled", "between_tools") and _above(effort, model.quiet_effort):
        raise invalid(
            f'"thinking.type.{kind}" is not supported with effort "{effort}" for this model. '
            f'Use effort "{model.quiet_effort}" or lower.'
        )


def _thinking_refusal(kind: str, model: Model) -> str:
    if kind == "adaptive":
        return "adaptive thinking is not supported on this model"
    if kind == "enabled":
        return (
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" '
            'and "output_config.effort" to control thinking behavior.'
        )
    if kind == "disabled":
        quiet = "between_tools" in model.thinking
        advice = ' Use "thinking.type.between_tools" for the least thinking.' if quiet else ""
        return (
            '"thinking.type.disabled" is not supported for this model. '
            f"Thinking defaults to adaptive mode when not specified;{advice or ' omit it.'}"
        )
    return f'"thinking.type.{kind}" is not supported for this model.'


def effort_of(body: Json, model: Model) -> str:
    """Return the effort a request asks for, or the model's default."""
    effort: str = (body.get("output_config") or {}).get("effort") or model.effort_default
    return effort


def thinking_of(body: Json, model: Model) -> str:
    """Return the type of thinking a request asks for, or the model's default."""
    kind: str = (body.get("thinking") or {}).get("type") or model.thinking_default
    return kind


def _above(effort: str, limit: str) -> bool:
    order: tuple[str, ...] = EFFORTS
    return order.index(effort) > order.index(limit)


def _check_effort(body: Json, model: Model) -> None:
    effort = (body.get("output_config") or {}).get("effort")
    if effort is None:
        return
    if not model.efforts:
        raise invalid("output_config.effort: This model does not support the effort parameter.")
    if effort not in model.efforts:
        raise invalid(
            f"output_config.effort: '{effort}' is not supported for this model. "
            f"Supported levels: {', '.join(model.efforts)}."
        )


def _forces_tools(body: Json) -> bool:
    return (body.get("tool_choice") or {}).get("type") in ("any", "tool")


def _check_tool_choice(body: Json, model: Model) -> None:
    choice = body.get("tool_choice")
    if choice is None:
        return
    names = [tool.get("name") for tool in body.get("tools") or ()]
    if not names and choice["type"] != "none":
        raise invalid("tool_choice: `tool_choice` may only be specified while providing `tools`.")
    if choice["type"] == "tool" and choice["name"] not in names:
        raise invalid(f"tool_choice: Tool '{choice['name']}' not found in provided tools")
    if not _forces_tools(body):
        return
    if not model.forced_tool_choice:
        raise invalid(f"tool_choice.type '{choice['type']}' is not supported for this model.")
    if thinking_of(body, model) == "enabled":
        raise invalid("Thinking may not be enabled when tool_choice forces tool use.")


def _check_sampling(body: Json, model: Model) -> None:
    defaults = {"temperature": 1.0, "top_p": 1.0, "top_k": None}
    for name, default in defaults.items():
        value = body.get(name)
        if value is not None and value != default and not model.sampling:
            raise invalid(f"{name}: only the default value is supported for this model.")


# Walking


def as_blocks(content: str | Any) -> list[Json]:
    """Return content as blocks: a string is one text block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content)


def _ids(message: Json | None, kind: str, key: str) -> list[str]:
    blocks = as_blocks(message["content"]) if message else []
    return [block[key] for block in blocks if block["type"] == kind]


def _blocks(body: Json) -> Iterator[tuple[str, str, Json]]:
    for index, message in enumerate(body["messages"]):
        for place, block in enumerate(as_blocks(message["content"])):
            yield f"messages.{index}.content.{place}", message["role"], block
