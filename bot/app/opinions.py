"""People's opinions on answers, with the questions that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.answer.feedback import Opinion
from bot.delivery.slack_api import JsonObject
from bot.store.store import Store


@dataclass(frozen=True, slots=True)
class Judged:
    """An opinion. `text` is the question's text and `link` its message; None if they are purged."""

    opinion: Opinion
    text: str | None
    link: str | None


async def judged_since(store: Store, since: float) -> Sequence[Judged]:
    """Return the opinions given since a Unix time, oldest first."""
    found = []
    for opinion in await store.feedback.since(since):
        past = await store.history.past(opinion.question)
        question = None if past is None else past.question
        text = str(question["text"]) if question and "text" in question else None
        found.append(Judged(opinion, text, None if question is None else _link(question)))
    return found


def _link(question: JsonObject) -> str | None:
    """Return the address of a question's message. A form leaves none."""
    ts, channel = question.get("ts"), question.get("channel")
    if not ts or question.get("surface") in ("modal", "shortcut"):
        return None
    return f"https://slack.com/archives/{channel}/p{str(ts).replace('.', '')}"
