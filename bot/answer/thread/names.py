"""Write users and channels with their names beside their ids. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.answer.question import Question, Quoted
from bot.answer.thread.message import ThreadMessage

Kind = Literal["member", "guest", "external", "bot"]
MAX_LOOK_UPS = 40
"""Names that are looked up for one question: each may cost a call to Slack."""
_LONGEST_NAME = 80

_ID = re.compile(r"(?<![\w(@#])([@#])([UWCG][A-Z0-9]{1,20})\b(?! \()")
# What `mention` and `channel` write, and what `with_names` makes of it.
_NAMED = re.compile(r"([@#])[^\n@#()]{1,100} \(([UWCG][A-Z0-9]{1,20})\)")
_UNSAFE = re.compile(r"[\s()@#<>\"]+")


@dataclass(frozen=True, slots=True)
class Described:
    """Slack's answer about an id. `kind` is None for a channel."""

    name: str
    kind: Kind | None = None


def wanted_ids(question: Question, thread: Sequence[ThreadMessage]) -> tuple[str, ...]:
    """Return the ids whose names an answer needs, the most important first."""
    ids = [question.user, *_mentioned(question.text), *_of_quotes(question.quoted)]
    for message in reversed(thread):
        if message.speaker not in ("own", "bot"):
            ids.append(message.by)
        ids += [*_mentioned(message.text), *_of_quotes(message.quoted)]
    return tuple(dict.fromkeys(one for one in ids if one[:1] in set("UWCG")))[:MAX_LOOK_UPS]


def _mentioned(text: str) -> Iterable[str]:
    return (match[2] for match in _ID.finditer(text))


def _of_quotes(quoted: Sequence[Quoted]) -> Iterable[str]:
    for quote in quoted:
        if quote.user is not None:
            yield quote.user
        yield from _mentioned(quote.text)


def with_names(text: str, described: Mapping[str, Described]) -> str:
    """Return a text in which ids that are known carry their names: `@name (U1)`."""

    def named(match: re.Match[str]) -> str:
        sign, id = match.groups()
        return f"{sign}{title(id, described)}"

    return _ID.sub(named, text)


def without_names(text: str) -> str:
    """Return a text in which mentions are ids alone, so that texts compare under any names."""
    return _NAMED.sub(r"\1\2", text)


def title(id: str, described: Mapping[str, Described], given: str | None = None) -> str:
    """Return `name (id)`, or the id if no name is known. `given` is a name that Slack sent."""
    found = described.get(id)
    name = _safe(found.name if found is not None else given or "")
    return f"{name} ({id})" if name and name != id else id


def _safe(name: str) -> str:
    """Return a name without the characters that end a name; people choose their names."""
    return _UNSAFE.sub(" ", name).strip()[:_LONGEST_NAME].strip()
