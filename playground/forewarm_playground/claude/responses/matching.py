"""Which requests a rule or a fault is meant for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from forewarm_playground.claude.errors import ConfigurationError

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request as rules and faults see it. `number` counts the requests of a server from 1."""

    body: Json
    workspace: str
    number: int
    path: str = "/v1/messages"
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def model(self) -> str:
        return str(self.body.get("model"))

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def warm(self) -> bool:
        """Whether it asks for no output: a warm-up."""
        return self.body.get("max_tokens") == 0

    @property
    def question(self) -> str:
        """The text of the last user message, or of the results of its tool calls."""
        messages = self.body.get("messages")
        said = [
            one for one in messages or () if isinstance(one, dict) and one.get("role") == "user"
        ]
        return _text(said[-1].get("content")) if said else ""

    @property
    def has_results(self) -> bool:
        """Whether the last message holds results of tool calls."""
        messages = self.body.get("messages") or [{}]
        content = messages[-1].get("content") if isinstance(messages[-1], dict) else None
        return isinstance(content, list) and any(
            isinstance(one, dict) and one.get("type") == "tool_result" for one in content
        )


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    blocks = [one for one in content or () if isinstance(one, dict)]
    texts = [_text(one.get("content")) for one in blocks if one.get("type") == "tool_result"]
    texts += [str(one.get("text", "")) for one in blocks if one.get("type") == "text"]
    return "\n".join(texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Picks requests; every condition that is given must hold, and no condition picks all.

    `pattern` is searched in the last user text; `when` is any predicate (in the same process only).
    """

    pattern: str | None = None
    model: str | None = None
    stream: bool | None = None
    warm: bool | None = None
    has_results: bool | None = None
    workspace: str | None = None
    path: str | None = None
    number: int | None = None
    when: Callable[[RequestInfo], bool] | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise ConfigurationError("match", f"pattern: {error}") from None

    @classmethod
    def of(cls, value: Match | str | Json | Callable[[RequestInfo], bool] | None) -> Match:
        """Read a match from its short forms: a pattern, a JSON object, a predicate, or nothing."""
        if value is None or isinstance(value, Match):
            return value or cls()
        if isinstance(value, str):
            return cls(pattern=value)
        if callable(value):
            return cls(when=value)
        unknown = sorted(set(value) - {one.name for one in fields(cls)} | set(value) & {"when"})
        if unknown:
            raise ConfigurationError("match", f"unknown key {unknown[0]!r}")
        return cls(**value)

    def find(self, asked: RequestInfo) -> re.Match[str] | bool | None:
        """Return None if the request is not picked; else the pattern's match, or True."""
        facts = ("model", "stream", "warm", "has_results", "workspace", "path", "number")
        for name in facts:
            wanted = getattr(self, name)
            if wanted is not None and wanted != getattr(asked, name):
                return None
        if self.when is not None and not self.when(asked):
            return None
        return re.search(self.pattern, asked.question) if self.pattern is not None else True
