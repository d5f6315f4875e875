"""What fits a budget. Pure; sizes in tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.context.files.select import File

if TYPE_CHECKING:
    from bot.context.render.rank import Ranked

RESERVE = 0.10
"""The share of a budget that a base leaves to the updates that follow it."""
MAP_SHARE = 0.08
"""The share of a base that the map may take where not everything fits."""
LARGEST_SOURCE = 0.60
LARGEST_OTHER = 0.30
"""No single file takes more of the room than this, unless the context names it: one long changelog
must not stand where a package could."""


def base_room(budget: int, spread: float) -> int:
    """Return the tokens, as estimated, that bases may take of a budget that is never exceeded."""
    return int(budget * (1 - RESERVE) / (1 + spread))


@dataclass(frozen=True, slots=True)
class Choice:
    """What is shown in full, and why each other file is not."""

    files: dict[str, File]
    omitted: dict[str, str]


def choose(ranked: Sequence[Ranked], cost: Callable[[File], int], room: int) -> Choice:
    """Take files in order as long as they fit; one that does not is passed over, not the end.

    `cost` is a file's tokens, its marker included; `room` is for files alone.
    """
    files: dict[str, File] = {}
    omitted: dict[str, str] = {}
    left = room
    for place, entry in enumerate(ranked, 1):
        tokens = cost(entry.file)
        if tokens <= left and tokens <= room * _largest(entry):
            files[entry.file.path] = entry.file
            left -= tokens
        else:
            omitted[entry.file.path] = f"over the budget (rank {place}: {entry.why})"
    return Choice(files, omitted)


def _largest(entry: Ranked) -> float:
    if entry.group == "named by the context":
        return 1.0
    return LARGEST_SOURCE if entry.file.kind == "code" else LARGEST_OTHER


def split(wants: Mapping[str, int], room: int) -> dict[str, int]:
    """Share room: who wants less than an even share leaves the rest to the others."""
    shares: dict[str, int] = {}
    left = room
    waiting = sorted(wants, key=lambda name: (wants[name], name))
    for position, name in enumerate(waiting):
        even = left // (len(waiting) - position)
        shares[name] = min(wants[name], even)
        left -= shares[name]
    return shares
