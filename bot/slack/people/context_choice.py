"""Choose the context that a question or a signal means outside of any context's channel.

The first that applies: the context of the channel that the person views, if the person may ask
there; the context asked last; the only one that the person may ask. Otherwise the person is asked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bot.context.config.load import ContextConfig

REMEMBERED = 20_000
VIEWED, LAST_ASKED = "viewed_channel", "last_context"
"""The kinds under which the memory of all replicas keeps what people do."""


class Memory(Protocol):
    """A small durable memory by kind and key, which all replicas share."""

    async def get(self, kind: str, key: str) -> dict[str, Any] | None: ...

    async def put(self, kind: str, key: str, value: dict[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """The context meant, or the ones among which the person must choose (none: they have none)."""

    context: ContextConfig | None
    among: tuple[ContextConfig, ...] = ()


def choose(
    allowed: Sequence[ContextConfig], *, viewed: ContextConfig | None, last: str | None
) -> Choice:
    """Choose among the contexts that the person may ask."""
    if viewed is not None and viewed in allowed:
        return Choice(viewed)
    for context in allowed:
        if context.name == last:
            return Choice(context)
    if len(allowed) == 1:
        return Choice(allowed[0])
    return Choice(None, tuple(allowed))


class Habits:
    """The channel that each person viewed last, and the context that each asked last.

    Bounded: the oldest are forgotten first. With a `memory`, all replicas know the same.
    """

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory
        self._viewed: OrderedDict[str, str] = OrderedDict()
        self._last: OrderedDict[str, str] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Habits of {len(self._last)} conversations>"

    def forget(self, channel: str | None = None, user: str | None = None) -> None:
        """Forget a channel or a person; without either, everything."""
        for memory in (self._viewed, self._last):
            for key, value in tuple(memory.items()):
                is_meant = value == channel if channel else key.endswith(f":{user}")
                if is_meant or not (channel or user):
                    del memory[key]

    async def note_view(self, workspace: str, user: str, channel: str) -> None:
        await self._put(VIEWED, self._viewed, f"{workspace}:{user}", channel)

    async def viewed(self, workspace: str, user: str) -> str | None:
        return await self._get(VIEWED, self._viewed, f"{workspace}:{user}")

    async def note_asked(self, workspace: str, user: str, context: str) -> None:
        await self._put(LAST_ASKED, self._last, f"{workspace}:{user}", context)

    async def last(self, workspace: str, user: str) -> str | None:
        return await self._get(LAST_ASKED, self._last, f"{workspace}:{user}")

    async def _put(self, kind: str, local: OrderedDict[str, str], key: str, value: str) -> None:
        if self._memory is None:
            _remember(local, key, value)
        elif await self._get(kind, local, key) != value:
            await self._memory.put(kind, key, {"value": value})

    async def _get(self, kind: str, local: OrderedDict[str, str], key: str) -> str | None:
        if self._memory is None:
            return local.get(key)
        kept = await self._memory.get(kind, key)
        value = kept.get("value") if kept else None
        return value if isinstance(value, str) else None


def _remember(memory: OrderedDict[str, str], key: str, value: str) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
