"""Which context a question or a signal means. Pure but for what it remembers.

A channel means its own context. Elsewhere: the active channel's, if the person may ask there;
else the one last used in this conversation; else the person's only one; else nobody knows, and
the person is asked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from bot.context.config.load import ContextConfig

REMEMBERED = 20_000


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
    """What each person looked at and asked last; bounded, forgotten oldest first."""

    def __init__(self) -> None:
        self._viewed: OrderedDict[str, str] = OrderedDict()
        self._last: OrderedDict[str, str] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Habits of {len(self._last)} conversations>"

    def looks_at(self, workspace: str, user: str, channel: str) -> None:
        _remember(self._viewed, f"{workspace}:{user}", channel)

    def viewed(self, workspace: str, user: str) -> str | None:
        return self._viewed.get(f"{workspace}:{user}")

    def asked(self, workspace: str, user: str, context: str) -> None:
        _remember(self._last, f"{workspace}:{user}", context)

    def last(self, workspace: str, user: str) -> str | None:
        return self._last.get(f"{workspace}:{user}")


def _remember(memory: OrderedDict[str, str], key: str, value: str) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
