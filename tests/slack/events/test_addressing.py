"""Which messages are questions to the bot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.answer.question import File
from bot.slack.events.addressing import ThreadKnowledge, address
from bot.slack.events.parse import Message

HELLO = Message(
    workspace="T1",
    enterprise=None,
    channel="C1",
    channel_type="channel",
    ts="1790000000.000100",
    thread=None,
    user="U1",
    bot=None,
    text="How does login work?",
    mentions_me=False,
    mentions_others=False,
    parent_user=None,
    user_team=None,
    shared=False,
    at=1790000000.0001,
)
REPLY = replace(HELLO, thread="1789999999.000100")
STRANGER = ThreadKnowledge(bot_is_in=False)
KNOWN = ThreadKnowledge(bot_is_in=True, askers=frozenset({"U1"}))


def test_a_mention_with_words_asks_and_one_without_only_announces() -> None:
    mention = replace(HELLO, mentions_me=True)
    assert address(mention, STRANGER, answers_unmentioned=False) == "mention"
    bare = replace(mention, text="")
    assert address(bare, STRANGER, answers_unmentioned=False) == "bare_mention"


def test_an_unmentioned_message_is_left_alone_unless_the_context_answers_questions() -> None:
    """Mentions only is the default: a bot must not interrupt."""
    assert address(HELLO, STRANGER, answers_unmentioned=False) == "overheard"
    assert address(HELLO, STRANGER, answers_unmentioned=True) == "channel"
    statement = replace(HELLO, text="I have deployed it.")
    assert address(statement, STRANGER, answers_unmentioned=True) == "overheard"


def test_a_reply_where_the_bot_is_not_in_the_thread_is_overheard() -> None:
    assert address(REPLY, STRANGER, answers_unmentioned=True) == "overheard"


def test_a_follow_up_by_an_asker_is_a_question_without_a_question_mark() -> None:
    follow_up = replace(REPLY, text="now for the client side")
    assert address(follow_up, KNOWN, answers_unmentioned=False) == "thread"


@pytest.mark.parametrize("text", ["thanks!", "Great, thank you.", ":+1:", "ok", "LGTM, thx"])
def test_thanks_are_not_answered(text: str) -> None:
    """An answer to "thanks" costs money and patience."""
    assert address(replace(REPLY, text=text), KNOWN, answers_unmentioned=False) == (
        "overheard_thread"
    )


def test_people_who_talk_to_each_other_below_an_answer_are_left_alone() -> None:
    to_a_colleague = replace(REPLY, mentions_others=True, text="@U2 what do you think?")
    assert address(to_a_colleague, KNOWN, answers_unmentioned=False) == "overheard_thread"
    remark = replace(REPLY, user="U2", text="I would not have guessed.")
    assert address(remark, KNOWN, answers_unmentioned=False) == "overheard_thread"
    small_talk = replace(REPLY, user="U2", text="are you coming to lunch?")
    assert address(small_talk, KNOWN, answers_unmentioned=False) == "overheard_thread"
    question = replace(REPLY, user="U2", text="and on Windows?")
    assert address(question, KNOWN, answers_unmentioned=False) == "thread"


def test_a_bots_reply_in_a_thread_is_never_a_question() -> None:
    """Two bots that answer each other do not stop."""
    other_bot = replace(REPLY, bot="B2", text="Could you elaborate?")
    assert address(other_bot, KNOWN, answers_unmentioned=False) == "overheard_thread"


def test_everything_said_in_a_direct_message_is_a_question() -> None:
    direct = replace(HELLO, channel="D1", channel_type="im", text="login flow")
    assert address(direct, STRANGER, answers_unmentioned=False) == "dm"


@pytest.mark.parametrize("text", ["danke", "merci !", "ありがとう", "Lunch first.", "Back now."])
def test_an_asker_who_asks_nothing_is_left_alone(text: str) -> None:
    """An answer to thanks in any language costs a request."""
    reply = replace(REPLY, text=text)
    assert address(reply, KNOWN, answers_unmentioned=False) == "overheard_thread"


def test_a_file_alone_asks_where_its_author_has_asked() -> None:
    trace = File(id="F1", name="trace.txt", kind="text/plain")
    alone = replace(REPLY, text="", files=(trace,))
    assert address(alone, KNOWN, answers_unmentioned=False) == "thread"
    other = replace(alone, user="U2")
    assert address(other, KNOWN, answers_unmentioned=False) == "overheard_thread"
    mention = replace(HELLO, text="", files=(trace,), mentions_me=True)
    assert address(mention, STRANGER, answers_unmentioned=False) == "mention"


def test_another_bots_post_is_a_question_only_if_the_context_lists_the_bot() -> None:
    """An alert below which a refusal is posted each time makes a channel unreadable."""
    post = replace(HELLO, user="B2", bot="B2", text="Which commit broke the build?")
    assert address(post, STRANGER, answers_unmentioned=True) == "overheard"
    listed = frozenset({"B2"})
    assert address(post, STRANGER, answers_unmentioned=True, listed_bots=listed) == "channel"
    alert = replace(post, text="Build 7 failed. Details: https://ci.example.com/job?id=7")
    assert address(alert, STRANGER, answers_unmentioned=True, listed_bots=listed) == "overheard"


@pytest.mark.parametrize(
    "text",
    [
        "thanks!",
        "danke dir",
        "merci beaucoup",
        "ありがとう",
        "谢谢",
        ":+1:",
        "ok, got it",
        "gracias",
    ],
)
def test_thanks_below_an_answer_in_a_direct_message_need_no_answer(text: str) -> None:
    direct = replace(HELLO, channel="D1", channel_type="im", text=text)
    reply = replace(direct, thread="1789999999.000100")
    assert address(reply, STRANGER, answers_unmentioned=False) == "overheard_thread"
    assert address(direct, STRANGER, answers_unmentioned=False) == "dm"


@pytest.mark.parametrize(
    "text",
    [
        "thanks, and the retry path?",
        "ok now explain the queue",
        "perfect, but line 14 fails with KeyError",
        "thanks. show me the test for `retry` too",
        "`step_7`",
        "login flow",
        "danke, und wo ist der Test",
        "great, what calls it",
    ],
)
def test_thanks_with_a_question_are_answered(text: str) -> None:
    reply = replace(HELLO, channel="D1", channel_type="im", text=text, thread="1789999999.000100")
    assert address(reply, STRANGER, answers_unmentioned=False) == "dm"
