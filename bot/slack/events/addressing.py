"""Decide whom a message is meant for. Pure.

A bot that answers messages between people is muted, so a message that is not clearly meant for it
is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.slack.events.parse import Message
from bot.slack.events.question_detection import is_question, is_thanks

Address = Literal[
    "mention",  # names the bot and says something
    "bare_mention",  # names the bot and says nothing
    "dm",
    "thread",  # a reply in a thread the bot is in, meant for it
    "channel",  # an unmentioned question in a context that answers those
    "overheard_thread",  # a reply there that is not meant for it: a sign of activity
    "overheard",
]


@dataclass(frozen=True, slots=True)
class ThreadKnowledge:
    """The facts about a message's thread: whether the bot is in it, and who asked it there.

    `askers` are users who asked on purpose, by a mention for example. A reply that was only judged
    to be a question makes its author no asker: the judgement may be wrong.
    """

    bot_is_in: bool
    askers: frozenset[str] = frozenset()


def address(
    message: Message,
    thread: ThreadKnowledge,
    *,
    answers_unmentioned: bool,
    listed_bots: frozenset[str] = frozenset(),
) -> Address:
    """Return whom a message is meant for.

    `answers_unmentioned` says that the channel's context answers questions without a mention, and
    `listed_bots` names the bots that may ask them.
    """
    if message.channel_type == "im":
        return _in_direct_message(message)
    if message.mentions_me:
        return "mention" if message.has_content else "bare_mention"
    if message.thread is not None:
        return _in_thread(message, thread)
    if not answers_unmentioned or not _may_ask(message, listed_bots):
        return "overheard"
    return "channel" if is_question(message.text, by_asker=False) else "overheard"


def _in_direct_message(message: Message) -> Address:
    """Everything is meant for the bot, but thanks below an answer need none."""
    if not message.has_content:
        return "bare_mention"
    says_more = message.files or message.quoted or message.unread
    if message.thread is not None and not says_more and is_thanks(message.text):
        return "overheard_thread"
    return "dm"


def _may_ask(message: Message, listed_bots: frozenset[str]) -> bool:
    if message.mentions_others:
        return False
    return message.bot is None or bool({message.bot, message.user} & listed_bots)


def _in_thread(message: Message, thread: ThreadKnowledge) -> Address:
    if not thread.bot_is_in:
        return "overheard"
    # A bot's reply is never a question: two bots that answer each other do not stop.
    if message.mentions_others or message.bot is not None:
        return "overheard_thread"
    by_asker = message.user in thread.askers
    if not message.text:
        return "thread" if by_asker and message.has_content else "overheard_thread"
    return "thread" if is_question(message.text, by_asker=by_asker) else "overheard_thread"
