"""The prefix cache: writes, lives and look-ups of entries.

Pure: every method takes the time, in Unix seconds, as an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from forewarm_playground.claude.cache.breakpoints import Breakpoint
from forewarm_playground.claude.cache.render import Prompt, Tier, Ttl

WINDOW = 20
"""Positions that one breakpoint looks back over, its own included."""

SECONDS: dict[Ttl, int] = {"5m": 300, "1h": 3600}


@dataclass(frozen=True, slots=True)
class Scope:
    """Scope of an entry: organisation, workspace, model, speed. No other scope reads it."""

    organization: str
    workspace: str
    model: str
    speed: str = "standard"


@dataclass(slots=True)
class Entry:
    """One written prefix of `tokens` tokens. It can be read from `visible_at` to `expires_at`."""

    scope: Scope
    digest: bytes
    tier: Tier
    tokens: int
    ttl: Ttl
    written_by: str
    visible_at: float
    expires_at: float
    reads: int = 0

    def live(self, at: float) -> bool:
        return self.visible_at <= at <= self.expires_at

    def refresh(self, start: float) -> None:
        """Let the life begin anew at the start of a request that used the entry."""
        self.expires_at = max(self.expires_at, start + SECONDS[self.ttl])


@dataclass(frozen=True, slots=True)
class Hit:
    """The entry that a breakpoint's look-back found, at the block with this index."""

    index: int
    tokens: int
    entry: Entry
    checked: int


class PrefixCache:
    """All entries of a server, of every scope."""

    def __init__(self) -> None:
        self._entries: dict[tuple[Scope, bytes], Entry] = {}
        self._sweep_at = 0

    def __repr__(self) -> str:
        return f"<PrefixCache [{len(self._entries)} entries]>"

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries.values()))

    def find(self, scope: Scope, digest: bytes, at: float) -> Entry | None:
        """Return the live entry of exactly this prefix."""
        entry = self._entries.get((scope, digest))
        return entry if entry is not None and entry.live(at) else None

    def live(self, at: float) -> list[Entry]:
        """Return what can be read at this time."""
        return [entry for entry in self if entry.live(at)]

    def write(self, entry: Entry, at: float) -> None:
        """Add an entry. If two requests wrote the same prefix, the longer life stays."""
        key = (entry.scope, entry.digest)
        other = self._entries.get(key)
        if other is not None and other.live(at):
            entry = _merged(other, entry)
        self._entries[key] = entry
        self._sweep(at)

    def evict(self, which: Callable[[Entry], bool]) -> int:
        """Delete the entries for which `which` holds; return how many they were."""
        doomed = [key for key, entry in self._entries.items() if which(entry)]
        for key in doomed:
            del self._entries[key]
        return len(doomed)

    def _sweep(self, at: float) -> None:
        self._sweep_at += 1
        if self._sweep_at >= 1_000:
            self._sweep_at = 0
            self.evict(lambda entry: entry.expires_at < at)


def _merged(one: Entry, two: Entry) -> Entry:
    longer = max(one, two, key=lambda entry: (entry.expires_at, entry.visible_at))
    longer.visible_at = min(one.visible_at, two.visible_at)
    return longer


def look_up(
    prompt: Prompt,
    points: Sequence[Breakpoint],
    find: Callable[[bytes], Entry | None],
) -> Hit | None:
    """Find the longest earlier write: from the last breakpoint to the first, 20 positions each."""
    for point in reversed(points):
        hit = _look_back(prompt, point.index, find)
        if hit is not None:
            return hit
    return None


def _look_back(prompt: Prompt, start: int, find: Callable[[bytes], Entry | None]) -> Hit | None:
    for checked, index in enumerate(_candidates(prompt, start), 1):
        block = prompt.blocks[index]
        entry = find(block.digest)
        if entry is not None:
            return Hit(index, block.through, entry, checked)
        if checked == WINDOW:
            break
    return None


def _candidates(prompt: Prompt, start: int) -> Iterator[int]:
    """The block itself, then the last block of each earlier position."""
    position = prompt.blocks[start].position + 1
    for index in range(start, -1, -1):
        block = prompt.blocks[index]
        if block.kind != "settings" and block.position < position:
            position = block.position
            yield index
