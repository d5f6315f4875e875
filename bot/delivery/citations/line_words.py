"""The words in which lines are said, in all languages together.

The lists are in `line_words.toml`, which says what each of them means.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class LineWords:
    """The words of all languages, in lower case, the longest first."""

    line: tuple[str, ...]
    lines: tuple[str, ...]
    at: tuple[str, ...]
    about: tuple[str, ...]
    to: tuple[str, ...]
    and_: tuple[str, ...]
    of: tuple[str, ...]
    ordinal: tuple[str, ...]
    counter: tuple[str, ...]


def _load() -> LineWords:
    text = files("bot.delivery.citations").joinpath("line_words.toml").read_text("utf-8")
    languages = tomllib.loads(text).values()
    return LineWords(
        *(
            tuple(sorted({word for one in languages for word in one.get(name, ())}, key=_order))
            for name in (field.name.rstrip("_") for field in fields(LineWords))
        )
    )


def _order(word: str) -> tuple[int, str]:
    return -len(word), word


LINE_WORDS = _load()
