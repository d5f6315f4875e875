"""Questions whose answers are known to the word, and the verdict on what stands in Slack."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from forewarm_playground.claude.responses.matching import RequestInfo
    from forewarm_playground.slack.models import Message

Verdict = Literal["answered", "missing", "half", "twice", "open"]

ASKED = re.compile(r"exam (\d+): (\d+) words( after looking)?")
WORD = re.compile(r"w(\d+)x(\d+)\b")
LINE_WORDS, PARAGRAPH_WORDS = 8, 40


@dataclass(frozen=True, slots=True)
class Exam:
    """One question: its place in Slack, and how many words its answer has.

    `looks` says that the answer begins with a look at a file.
    """

    number: int
    words: int
    looks: bool
    channel: str
    thread: str
    ts: str
    asked_at: float

    @property
    def answer(self) -> list[int]:
        return list(range(1, self.words + 1))


def wording(number: int, words: int, looks: bool) -> str:
    """Return a question that `reply` knows the answer of."""
    return f"exam {number}: {words} words{' after looking' if looks else ''}"


def reply(asked: RequestInfo) -> Any:
    """Answer as the model: by the last question of the conversation."""
    from forewarm_playground.claude.responses.answers import Answer, ToolUse

    found = _last(asked.body.get("messages") or ())
    if found is None:
        return Answer.of("Warm.")
    number, words, looks = found
    if looks and not asked.has_results:
        return Answer.of(ToolUse("read", {"path": "pay.py"}))
    return Answer.of(text_of(number, words))


def text_of(number: int, words: int) -> str:
    """Return the answer: numbered words in lines and paragraphs."""
    said = []
    for n in range(1, words + 1):
        end = "\n\n" if n % PARAGRAPH_WORDS == 0 else "\n" if n % LINE_WORDS == 0 else " "
        said.append(f"w{number}x{n}{end if n < words else '.'}")
    return "".join(said)


def number_of(body: Mapping[str, Any]) -> int | None:
    """Return which question a request to the model is about."""
    found = _last(body.get("messages") or ())
    return found[0] if found else None


def _last(messages: Sequence[Any]) -> tuple[int, int, bool] | None:
    for message in reversed(messages):
        found = ASKED.findall(str(message.get("content"))) if message["role"] == "user" else ()
        if found:
            number, words, looks = found[-1]
            return int(number), int(words), bool(looks)
    return None


def judge(exam: Exam, messages: Iterable[Message]) -> Verdict:
    """Return what stands of an exam's answer in its thread.

    `messages` are the bot's in that thread, oldest first. "open": whole, but a stream is not
    ended.
    """
    ours = [(m, found) for m in messages if (found := _words(m, exam.number))]
    said = [word for _, found in ours for word in found]
    if not said:
        return "missing"
    if len(set(said)) < len(said):
        return "twice"
    if said != exam.answer:
        return "half"
    return "open" if any(is_open(message) for message, _ in ours) else "answered"


def unexpected_messages(messages: Iterable[Message]) -> list[str]:
    """Return the bot's messages that are no part of any answer: apologies, refusals, leftovers."""
    return [said(message) for message in messages if not WORD.search(said(message))]


def is_open(message: Message) -> bool:
    """Tell whether a message is a stream that was not ended."""
    return message.stream is not None and message.stream.state == "in_progress"


def said(message: Message) -> str:
    """Return the text that a person reads in a message."""
    from forewarm_playground.slack.messages.streams import stream_text

    if message.stream is not None:
        return stream_text(message.stream)
    spoken = [block["text"] for block in message.blocks if block.get("type") == "markdown"]
    return "".join(spoken) or message.text


def _words(message: Message, number: int) -> list[int]:
    return [int(n) for asked, n in WORD.findall(said(message)) if int(asked) == number]
