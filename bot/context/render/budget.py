"""The choice of files that fit a budget. Pure; sizes in tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.context.files.select import File

if TYPE_CHECKING:
    from bot.context.render.groups import Group
    from bot.context.render.rank import Ranked

RESERVE = 0.10
"""The share of a budget that a base leaves to the updates that follow it."""
LARGEST_SHARE: dict[Group, float] = {
    "named by the context": 1.0,
    "entry point": 0.15,
    "source": 0.15,
    "changelog": 0.03,
}
"""The most that one file may take of the room, by group, while other files wait."""
LARGEST_OTHER = 0.04
LARGEST_USED = 0.40
"""The same for a file that answers have used. Of 237 questions, with half of each repository's as
history of the rest, shares from 0.35 to 0.50 cover the most."""
_ALWAYS_FITS = 6_000
_ALWAYS_FITS_SHARE = 0.10
"""Up to so many tokens, and such a share of the room, a file that is no changelog may be taken: the
README of a small repository is more than four hundredths of a small budget."""
LARGEST_ALONE: dict[Group, float] = {"changelog": 0.03, "named by the context": 1.0}
"""The same for the room that is left when every file has been looked at once."""
LARGEST_LEFT = 0.60


def base_room(budget: int, spread: float, reserve: float = RESERVE) -> int:
    """Return the tokens, as estimated, that bases may take of a budget that is never exceeded.

    `spread` is the error of the estimate, as a share. `reserve` is the share for updates: none if
    none will follow.
    """
    return int(budget * (1 - reserve) / (1 + spread))


@dataclass(frozen=True, slots=True)
class Choice:
    """The files that are shown in full, and the reason for each other file."""

    files: dict[str, File]
    omitted: dict[str, str]


def choose(ranked: Sequence[Ranked], cost: Callable[[File], int], room: int) -> Choice:
    """Take files in order as long as they fit; one that does not is passed over, not the end.

    The first pass keeps every file to its share, so that one long text does not stand in place of
    a package. The second pass gives the room that is left to the files that the shares kept out.
    `cost` is a file's tokens, its marker included; `room` is for files alone.
    """
    files: dict[str, File] = {}
    left = room
    for shares, others in ((LARGEST_SHARE, LARGEST_OTHER), (LARGEST_ALONE, LARGEST_LEFT)):
        for entry in ranked:
            if entry.file.path in files:
                continue
            tokens = cost(entry.file)
            most = room * shares.get(entry.group, others)
            if entry.group != "changelog":
                most = max(most, min(_ALWAYS_FITS, room * _ALWAYS_FITS_SHARE))
            if entry.used:
                most = max(most, room * LARGEST_USED)
            if tokens <= left and tokens <= most:
                files[entry.file.path] = entry.file
                left -= tokens
    omitted = {
        entry.file.path: f"over the budget (rank {place}: {entry.why})"
        for place, entry in enumerate(ranked, 1)
        if entry.file.path not in files
    }
    return Choice(files, omitted)


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
