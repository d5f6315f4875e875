"""Answers of the local Claude: from a script, by a rule, or the question's echo.

An answer is written down as text and tool calls; `plan` makes of it what one request gets: cut at
`max_tokens` or a stop sequence, with the thinking that the request's settings allow.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from forewarm_playground.claude.cache import tokens
from forewarm_playground.claude.errors import ConfigurationError
from forewarm_playground.claude.models import Model
from forewarm_playground.claude.responses.matching import Match, RequestInfo
from forewarm_playground.claude.validation.citations import Cite, locate
from forewarm_playground.claude.validation.rules import effort_of, thinking_of
from forewarm_playground.claude.validation.signatures import sign

StopReason = Literal[
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
]
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    """A block of text, with what it quotes from the request's sources."""

    text: str
    cites: tuple[Cite, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call. Its id is made up if none is given."""

    name: str
    input: Json = field(default_factory=dict)
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Thought:
    """Thinking before the answer: its text, how long it takes (seconds) and how much (tokens)."""

    text: str = ""
    seconds: float | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal by the safety classifiers, after `after` tokens of the answer (0 is not billed)."""

    category: str | None = "general_harms"
    explanation: str = "This request was declined."
    after: int = 0


Part = Text | ToolUse


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `tokens` overrides the measured number of output tokens."""

    parts: tuple[Part, ...] = ()
    thought: Thought | None = None
    refusal: Refusal | None = None
    stop_reason: StopReason | None = None
    tokens: int | None = None

    @classmethod
    def of(cls, value: Reply) -> Answer:
        """Read an answer from its short forms: a text, a part, a list of parts, a JSON object."""
        match value:
            case Answer():
                return value
            case str():
                return cls((Text(value),))
            case Text() | ToolUse():
                return cls((value,))
            case Mapping():
                return _from_json(value)
            case _:
                return cls(tuple(_part(one) for one in value))


Reply = Answer | str | Part | Json | Sequence[str | Part | Json]
"""Anything that `Answer.of` reads."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Answers requests that `match`: with a fixed reply, or with what a function makes of one.

    In a reply that is a text, `\\1` and `\\g<name>` stand for groups of the match's pattern.
    """

    match: Match
    reply: Reply | Callable[[RequestInfo], Reply]

    def answer(self, asked: RequestInfo) -> Answer | None:
        found = self.match.find(asked)
        if found is None:
            return None
        if callable(self.reply):
            return Answer.of(self.reply(asked))
        if isinstance(self.reply, str) and isinstance(found, re.Match):
            return Answer.of(found.expand(self.reply))
        return Answer.of(self.reply)


class Answers:
    """Source of answers: first the script in its order, then the rules, then the echo."""

    def __init__(self) -> None:
        self.script: deque[Reply | Callable[[RequestInfo], Reply]] = deque()
        self.rules: list[Rule] = []

    def __repr__(self) -> str:
        return f"<Answers [{len(self.script)} scripted, {len(self.rules)} rules]>"

    def choose(self, asked: RequestInfo) -> Answer:
        """Return the answer to a request; a scripted one is used up."""
        if self.script:
            reply = self.script.popleft()
            return Answer.of(reply(asked) if callable(reply) else reply)
        for rule in self.rules:
            answer = rule.answer(asked)
            if answer is not None:
                return answer
        return Answer.of(asked.question or "…")


# Plan of one response


@dataclass(frozen=True, slots=True)
class SentBlock:
    """A block of the answer as it is sent: its JSON, complete, and its tokens."""

    block: dict[str, Any]
    tokens: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer to one request, thinking first. Times in seconds, sizes in tokens."""

    said: tuple[SentBlock, ...]
    stop_reason: StopReason
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None
    output: int = 0
    thinking_tokens: int = 0
    thinking_seconds: float = 0.0
    free: bool = False


WARMED = Plan((), "max_tokens")
"""The reply to a request with `max_tokens: 0`."""


@dataclass(slots=True)
class _Budget:
    left: int
    spent: int = 0

    def take(self, asked: int) -> int:
        taken = min(asked, self.left)
        self.left -= taken
        self.spent += taken
        return taken


def plan(
    answer: Answer,
    body: Json,
    model: Model,
    room: int,
    thinking_seconds: Mapping[str, float],
    new_id: Callable[[str], str],
) -> Plan:
    """Make of an answer what this request gets; `room` tokens are left in the context window."""
    limit = min(body["max_tokens"], room)
    if answer.refusal is not None:
        limit = min(limit, answer.refusal.after)
    budget = _Budget(limit)
    thought, seconds = _think(answer, body, model, thinking_seconds, budget)
    said, stop, sequence = _say(answer, body, model, budget, new_id)
    details = None
    if stop == "max_tokens" and room < body["max_tokens"]:
        stop = "model_context_window_exceeded"
    if answer.refusal is not None:
        stop, sequence, details = "refusal", None, _details(answer.refusal)
    spent = budget.spent if answer.tokens is None else min(answer.tokens, body["max_tokens"])
    return Plan(
        said=(*thought, *said),
        stop_reason=answer.stop_reason or stop,
        stop_sequence=sequence,
        stop_details=details,
        output=max(1, spent) if answer.refusal is None else spent,
        thinking_tokens=sum(one.tokens for one in thought),
        thinking_seconds=seconds,
        free=answer.refusal is not None and spent == 0,
    )


def _think(
    answer: Answer,
    body: Json,
    model: Model,
    seconds_by_effort: Mapping[str, float],
    budget: _Budget,
) -> tuple[tuple[SentBlock, ...], float]:
    kind = thinking_of(body, model)
    effort = effort_of(body, model)
    if not budget.left:
        return (), 0.0
    thought = answer.thought or Thought(seconds=seconds_by_effort.get(effort, 0.0))
    if kind == "disabled" or (kind == "between_tools" and not _within_tools(body)):
        return (), 0.0
    if thought.seconds in (None, 0.0) and not thought.text and not thought.tokens:
        return (), 0.0
    size = thought.tokens or max(1, tokens.of_text(thought.text, model.chars_per_token))
    taken = budget.take(size)
    block = _thinking_block(thought, body, model, size)
    return (SentBlock(block, taken),), thought.seconds or 0.0


def _within_tools(body: Json) -> bool:
    content = body["messages"][-1]["content"]
    return not isinstance(content, str) and any(one["type"] == "tool_result" for one in content)


def _thinking_block(thought: Thought, body: Json, model: Model, size: int) -> dict[str, Any]:
    display = (body.get("thinking") or {}).get("display")
    omitted = display == "omitted" or (display is None and "enabled" not in model.thinking)
    text = "" if omitted else thought.text
    return {"type": "thinking", "thinking": text, "signature": sign(model.id, text, size)}


def _say(
    answer: Answer, body: Json, model: Model, budget: _Budget, new_id: Callable[[str], str]
) -> tuple[tuple[SentBlock, ...], StopReason, str | None]:
    said: list[SentBlock] = []
    for part in answer.parts:
        if isinstance(part, ToolUse):
            block, whole = _call(part, body, new_id), True
            size = tokens.of_json(block, model.chars_per_token)
            if size > budget.left:
                budget.take(size)
                return tuple(said), "max_tokens", None
            said.append(SentBlock(block, budget.take(size)))
            continue
        text, sequence = _until_stop(part.text, body.get("stop_sequences") or ())
        size = tokens.of_text(text, model.chars_per_token)
        taken = budget.take(size)
        whole = taken == size
        shown = text if whole else text[: math.floor(taken * model.chars_per_token)]
        if shown:
            said.append(SentBlock(_text_block(shown, part.cites, body), taken))
        if not whole:
            return tuple(said), "max_tokens", None
        if sequence is not None:
            return tuple(said), "stop_sequence", sequence
    called = any(isinstance(part, ToolUse) for part in answer.parts)
    return tuple(said), "tool_use" if called else "end_turn", None


def _call(part: ToolUse, body: Json, new_id: Callable[[str], str]) -> dict[str, Any]:
    declared = [tool.get("name") for tool in body.get("tools") or ()]
    if part.name not in declared:
        raise ConfigurationError("script", f"tool {part.name!r} is not declared by the request")
    return {
        "type": "tool_use",
        "id": part.id or new_id("toolu"),
        "name": part.name,
        "input": dict(part.input),
        "caller": {"type": "direct"},
    }


def _until_stop(text: str, sequences: Iterable[str]) -> tuple[str, str | None]:
    places = [(text.find(one), one) for one in sequences if one and one in text]
    if not places:
        return text, None
    place, sequence = min(places)
    return text[:place], sequence


def _text_block(text: str, cites: Sequence[Cite], body: Json) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": text}
    found = [locate(body, cite) for cite in cites]
    if None in found:
        missing = cites[found.index(None)]
        raise ConfigurationError("script", f"nothing citable holds {missing.quote!r}")
    block["citations"] = found or None
    return block


def _details(refusal: Refusal) -> dict[str, Any]:
    return {
        "type": "refusal",
        "category": refusal.category,
        "explanation": refusal.explanation,
    }


_KEYS = frozenset({"text", "cites", "content", "thinking", "refusal", "stop_reason", "tokens"})


def _from_json(value: Json) -> Answer:
    unknown = sorted(set(value) - _KEYS)
    if unknown:
        raise ConfigurationError("answer", f"unknown key {unknown[0]!r}")
    try:
        parts = tuple(_part(one) for one in value.get("content", ()))
        if "text" in value:
            parts = (Text(value["text"], _cites(value)), *parts)
        thought, refusal = value.get("thinking"), value.get("refusal")
        return Answer(
            parts,
            Thought(**thought) if thought else None,
            Refusal(**refusal) if refusal else None,
            value.get("stop_reason"),
            value.get("tokens"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError("answer", str(error)) from error


def _part(value: Json | str | Part) -> Part:
    if isinstance(value, str):
        return Text(value)
    if isinstance(value, Text | ToolUse):
        return value
    if value["type"] == "tool_use":
        return ToolUse(value["name"], value.get("input", {}), value.get("id"))
    return Text(value["text"], _cites(value))


def _cites(value: Json) -> tuple[Cite, ...]:
    return tuple(Cite(**cite) for cite in value.get("cites", ()))
