"""Cache diagnostics: the first difference between a request and the previous one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from forewarm_playground.claude.cache.render import as_text, bare_blocks

RETENTION = 3_600.0
"""Seconds that a fingerprint is kept. Not published; an hour is assumed."""

Json = Mapping[str, Any]
Part = tuple[str, int]
"""Hash and size in bytes of a part of a request."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A request's structure: its parts with their sizes in bytes."""

    model: tuple[str, str]
    system: tuple[Part, ...]
    tools: tuple[Part, ...]
    messages: tuple[Part, ...]
    other: str


def fingerprint(body: Json, model: str, betas: Collection[str] = ()) -> Fingerprint:
    """Take the fingerprint of a request, cache markers left out."""
    other = {
        key: body.get(key) for key in ("thinking", "tool_choice", "output_config", "inference_geo")
    }
    return Fingerprint(
        model=(model, body.get("speed") or "standard"),
        system=tuple(_part(one) for one in bare_blocks(body.get("system") or ())),
        tools=tuple(_part(one) for one in bare_blocks(body.get("tools") or ())),
        messages=tuple(
            _part([one["role"], bare_blocks(one["content"])]) for one in body["messages"]
        ),
        other=_part([other, sorted(betas)])[0],
    )


def _part(value: Any) -> Part:
    raw = as_text(value).encode("utf-8", "surrogatepass")
    return blake2b(raw, digest_size=8).hexdigest(), len(raw)


def compare(previous: Fingerprint, current: Fingerprint) -> dict[str, Any] | None:
    """Return the earliest divergence as a `cache_miss_reason`, or None if there is none."""
    if previous.model != current.model:
        return _reason("model_changed", *current.tools, *current.system, *current.messages)
    if previous.system != current.system:
        changed = _after(previous.system, current.system)
        return _reason("system_changed", *changed, *current.messages)
    if previous.tools != current.tools:
        changed = _after(previous.tools, current.tools)
        return _reason("tools_changed", *changed, *current.system, *current.messages)
    if current.messages[: len(previous.messages)] != previous.messages:
        return _reason("messages_changed", *_after(previous.messages, current.messages))
    if previous.other != current.other:
        return {"type": "unavailable"}
    return None


def _after(previous: tuple[Part, ...], current: tuple[Part, ...]) -> tuple[Part, ...]:
    pairs = zip(previous, current, strict=False)
    same = next((i for i, (one, two) in enumerate(pairs) if one != two), None)
    return current[min(len(previous), len(current)) if same is None else same :]


def _reason(kind: str, *parts: Part) -> dict[str, Any]:
    return {"type": kind, "cache_missed_input_tokens": sum(size for _, size in parts) // 4}


class Fingerprints:
    """The fingerprints of recent requests that asked for diagnostics, by workspace."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], tuple[float, Fingerprint]] = {}

    def keep(self, workspace: str, message_id: str, taken: Fingerprint, at: float) -> None:
        """Keep the fingerprint of a message for an hour."""
        self._kept = {key: one for key, one in self._kept.items() if one[0] + RETENTION >= at}
        self._kept[workspace, message_id] = (at, taken)

    def diagnose(
        self, workspace: str, previous_id: str | None, current: Fingerprint, at: float
    ) -> dict[str, Any] | None:
        """Return the response's `diagnostics` object."""
        if previous_id is None:
            return None
        kept = self._kept.get((workspace, previous_id))
        if kept is None or kept[0] + RETENTION < at:
            return {"cache_miss_reason": {"type": "previous_message_not_found"}}
        reason = compare(kept[1], current)
        return {"cache_miss_reason": reason} if reason else None
