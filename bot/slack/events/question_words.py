"""Word lists that tell a question about code from talk between people.

The lists are in `question_words.toml`, which says what each of them means.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.resources import files

Pattern = re.Pattern[str]
_NEVER = r"(?!)"


@dataclass(frozen=True, slots=True)
class Language:
    """One language's words; a list that the file leaves out never matches."""

    name: str
    known_by: Pattern
    opening: Pattern
    request: Pattern
    capable: Pattern
    personal: Pattern
    reaction: Pattern
    follow_up: Pattern
    thanks: Pattern

    @property
    def by_script(self) -> bool:
        """Whether the script alone names the language."""
        return self.known_by.pattern.startswith("[")


@dataclass(frozen=True, slots=True)
class Shared:
    """Words that are looked for in every language."""

    technical: Pattern
    pointing: Pattern
    interrogative: Pattern
    strong_interrogative: Pattern
    reviewing: Pattern
    shipping: Pattern
    favour: Pattern
    statement: Pattern
    about_the_answer: Pattern
    leading: Pattern
    conjunction: Pattern
    no_name: Pattern
    plan: Pattern
    report: Pattern


def _pattern(text: str) -> Pattern:
    return re.compile(text, re.VERBOSE | re.IGNORECASE)


def _language(name: str, words: Mapping[str, str]) -> Language:
    lists = [field.name for field in fields(Language) if field.name != "name"]
    return Language(name, *(_pattern(words.get(one, _NEVER)) for one in lists))


def _load() -> tuple[tuple[Language, ...], Shared]:
    text = files("bot.slack.events").joinpath("question_words.toml").read_text("utf-8")
    words = tomllib.loads(text)
    shared = Shared(*(_pattern(words["shared"][field.name]) for field in fields(Shared)))
    return tuple(_language(*entry) for entry in words["languages"].items()), shared


LANGUAGES, SHARED = _load()
ENGLISH = LANGUAGES[0]
