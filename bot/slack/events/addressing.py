"""Is this message a question to the bot? Pure, cheap, and shy: a bot that barges in is muted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from bot.slack.events.parse import Message

Address = Literal[
    "mention",  # the bot is named, with words
    "bare_mention",  # the bot is named and nothing else
    "dm",
    "thread",  # a reply in a thread the bot is in, meant for it
    "channel",  # an unmentioned question where the context answers those
    "overheard_thread",  # a reply there, not meant for it: a sign of life
    "overheard",
]

_ASKING = re.compile(
    r"\?|^(?:who|what|when|where|why|which|how|is|are|does|do|did|can|could|should|would|will|"
    r"explain|show|find|list|tell|describe|summari[sz]e|compare|walk)\b",
    re.IGNORECASE,
)
_THANKING = re.compile(
    r"(?:ok(?:ay)?|thanks?|thank you|thx|ty|great|cool|nice|perfect|awesome|got it|lgtm|\+1|"
    r":[\w+-]+:|[\s.,!])+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ThreadKnowledge:
    """What is known of the thread a message stands in: is the bot in it, who has asked it there."""

    bot_is_in: bool
    askers: frozenset[str] = frozenset()


def looks_like_question(text: str) -> bool:
    """Tell whether a text asks: a question mark anywhere, or an asking word first."""
    return bool(_ASKING.search(text.strip()))


def address(message: Message, thread: ThreadKnowledge, *, answers_unmentioned: bool) -> Address:
    """Decide whom a message is meant for.

    In a thread the bot is in, a reply is meant for it when its author has asked there before or
    it reads as a question, and nobody else is mentioned: two people talking to each other below
    an answer are left alone.
    """
    if message.channel_type == "im":
        return "dm" if message.text or message.files else "bare_mention"
    if message.mentions_me:
        return "mention" if message.text else "bare_mention"
    if message.thread is not None:
        return _in_thread(message, thread)
    if answers_unmentioned and not message.mentions_others and looks_like_question(message.text):
        return "channel"
    return "overheard"


def _in_thread(message: Message, thread: ThreadKnowledge) -> Address:
    if not thread.bot_is_in:
        return "overheard"
    if message.mentions_others or message.bot or not message.text:
        return "overheard_thread"
    if _THANKING.fullmatch(message.text):
        return "overheard_thread"
    if message.user in thread.askers or looks_like_question(message.text):
        return "thread"
    return "overheard_thread"
