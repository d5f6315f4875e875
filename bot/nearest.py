"""The known word that a mistyped one most likely means."""

from __future__ import annotations

from collections.abc import Collection

LETTERS_PER_SLIP = 4
"""One slip is allowed for each so many letters of a word, and always one."""
SHORTEST_BEGINNING = 4
"""So many letters may stand for the only known word that begins with them."""


def nearest(word: str, known: Collection[str]) -> str | None:
    """Return the known word with the fewest slips, or None if all are too far off.

    A slip is a letter that is missing, added, wrong, or exchanged with its neighbour. Of several
    the one with the same letters wins: `modle` means `model`, not `mode`.
    """
    allowed = max(1, len(word) // LETTERS_PER_SLIP)
    lowered = word.lower()
    ranked = [
        (_slips(lowered, one.lower()), sorted(lowered) != sorted(one.lower()), one)
        for one in known
        if abs(len(one) - len(word)) <= allowed
    ]
    slips, _, best = min(ranked, default=(allowed + 1, True, ""))
    if slips <= allowed:
        return best
    begun = [one for one in known if len(word) >= SHORTEST_BEGINNING and one.startswith(lowered)]
    return begun[0] if len(begun) == 1 else None


def _slips(a: str, b: str) -> int:
    """Return the Damerau-Levenshtein distance (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        above, before_above = row, before
        row = [i]
        for j, other in enumerate(b, 1):
            least = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                least = min(least, before_above[j - 2] + 1)
            row.append(least)
        before = above
    return row[-1]
