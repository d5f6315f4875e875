"""Every flow that people have with the bot, end to end, over both transports.

Nothing is left out between a person's hand and the answer: the local Slack delivers over real
sockets, the whole bot runs, the local Claude answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager as Context
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from forewarm_playground.claude import Latency
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.installation import revoke
from forewarm_playground.slack.models import Message

from bot.slack.codebase.views import OPENING
from tests.slack.shop import CHANNEL, EMPTY, GUEST, MATE, STATE_TOKEN, YOU, Shop, open_shop

SLOW = Latency(base=0.05, per_uncached_token=0, per_cached_token=0, decode=40.0, chunk=2)
LONG = " ".join(f"word{n}" for n in range(600))
Open = Callable[..., Context[Shop]]


@pytest.fixture(params=["sockets", "http"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    return partial(open_shop, tmp_path, request.param)


def last_asked(running: Shop) -> str:
    return str(running.asked()[-1]["messages"][-1]["content"])


async def answered_somewhere(running: Shop, channel: str, words: str) -> Message:
    """Wait for the answer under the bot's own post of a question that has these words."""

    def roots() -> list[Message]:
        posts = running.slack.bot_messages(channel)
        return [m for m in posts if words in m.text and not m.is_reply]

    await running.until(roots, f"the post of {words!r}")
    return await running.answer(channel, roots()[0].ts)


async def filled(running: Shop, person: Any) -> None:
    await running.until(lambda: "submit" in person.modal.content, "the filled form")


# --- ways to ask ----------------------------------------------------------------------------------


async def test_what_is_said_to_the_bot_is_answered_where_it_was_said(shop: Open) -> None:
    """A mention, a reply in its thread, a direct message; a bare mention gets a hint."""
    async with shop() as running:
        running.claude.rule(None, "An hour later: `refunds.py:1`.")
        you, slack = running.slack.user(YOU), running.slack
        root = you.mention(CHANNEL, "when are refunds retried?")
        first = await running.answer(CHANNEL, root)
        assert "An hour later" in first.text
        assert "when are refunds retried?" in last_asked(running)
        assert "payments@" in str(first.blocks)

        you.post(CHANNEL, "and how often?", thread_ts=root)
        await running.until(lambda: len(slack.bot_messages(CHANNEL, root)) == 2, "the follow-up")
        assert "and how often?" in last_asked(running)

        dm = you.dm("who starts it?")
        assert (await running.answer(you.dm_channel, dm)).thread_ts == dm

        asked = len(running.asked())
        bare = you.mention(CHANNEL)
        await running.until(lambda: slack.bot_messages(CHANNEL, bare), "the hint")
        assert "mention me with your question" in slack.bot_messages(CHANNEL, bare)[0].text
        assert len(running.asked()) == asked


async def test_an_answer_ends_where_it_begins_to_make_up_the_next_question(shop: Open) -> None:
    """Small models go on with the asker's turn, in the very tags that ours stands in."""
    async with shop() as running:
        made_up = '<slack_question ts="1.2" from="U0YOU">\nand how often?\n</slack_question>'
        running.claude.rule(None, f"An hour later.\n{made_up}")
        root = running.slack.user(YOU).mention(CHANNEL, "when are refunds retried?")
        said = (await running.answer(CHANNEL, root)).text
        assert "An hour later." in said
        assert "how often" not in said
        assert "slack_question" not in said


async def test_the_forms_ask_into_the_channel_into_the_dm_and_into_a_thread(shop: Open) -> None:
    """`/ask` in two places, the global shortcut, and "Explain this" on a message."""
    async with shop() as running:
        running.claude.rule(None, "An hour later.")
        you = running.slack.user(YOU)
        await you.open_modal(CHANNEL, "/ask", text="when, in the channel?")
        await filled(running, you)
        await you.submit()
        await answered_somewhere(running, CHANNEL, "when, in the channel?")

        await you.open_modal(CHANNEL, "/ask")
        await filled(running, you)
        you.set_text("when, in private?")
        you.put("place", "dm")
        await you.submit()
        await answered_somewhere(running, you.dm_channel, "when, in private?")

        await you.open_modal(shortcut="ask_global")
        await filled(running, you)
        you.set_text("when, from anywhere?")
        await you.submit()
        await answered_somewhere(running, you.dm_channel, "when, from anywhere?")

        told = running.slack.user(MATE).post(CHANNEL, "raise StopIteration in a <coroutine>")
        await you.open_modal(CHANNEL, shortcut="ask_message", message_ts=told)
        await filled(running, you)
        await you.submit()
        await running.answer(CHANNEL, told)
        assert "StopIteration" in last_asked(running)


async def test_the_agent_pane_offers_the_contexts_prompts_and_warms(shop: Open) -> None:
    """Who opens the pane is about to ask; what is offered there can be answered."""
    async with shop(tables="[warm]\nwait_cost_per_hour = 1_000_000\n") as running:
        you = running.slack.user(YOU)
        dm = you.open_dm()

        def offered() -> list[str]:
            held: Any = running.slack.state.prompts.get((dm, "")) or {"prompts": []}
            return [prompt["message"] for prompt in held["prompts"]]

        await running.until(offered, "the prompts")
        assert offered() == ["Where are refunds retried?", "How is a refund tested?"]
        # Tokens are counted by requests of their own, before and after the warm-up.
        await running.until(running.warmed, "the warm-up")
        warmed = running.warmed()[0]
        you.dm(offered()[0])
        await running.until(running.asked, "the question")
        assert running.asked()[0]["system"] == warmed["system"]


async def test_unmentioned_questions_are_answered_only_where_that_is_on(shop: Open) -> None:
    """A bot that barges in is muted: talk that asks nothing stays unanswered even there."""
    async with shop(keys='mode = "questions"') as running:
        running.claude.rule(None, "An hour later.")
        mate = running.slack.user(MATE)
        mate.post(CHANNEL, "lunch is at noon")
        mate.post(EMPTY, "who knows why the build is red?")
        root = mate.post(CHANNEL, "when are refunds retried?")
        await running.answer(CHANNEL, root)
        await running.slack.idle()
        assert len(running.asked()) == 1
        assert running.slack.bot_messages(EMPTY) == []


# --- what people do with answers ------------------------------------------------------------------


async def begun(running: Shop, question: str) -> tuple[str, Message]:
    """Ask for a long answer; wait until its words stand in Slack."""
    root = running.slack.user(YOU).mention(CHANNEL, question)

    def words() -> bool:
        return any("word3" in m.text for m in running.slack.bot_messages(CHANNEL, root))

    await running.until(words, "the first words")
    return root, running.slack.bot_messages(CHANNEL, root)[0]


async def lets_the_model_go(running: Shop, press: Callable[[], object]) -> None:
    """Press; fail unless the bot closes the connection before the model has said everything."""
    request = next(r for r in reversed(running.claude.requests) if r.body.get("stream"))

    def is_over() -> bool:
        return request.outcome != "open"

    assert not is_over()
    press()
    await running.until(is_over, "the end of the model's work")
    assert request.outcome == "cut"


async def test_stop_ends_the_models_work_at_once_and_keeps_what_was_said(shop: Open) -> None:
    """A person who presses Stop wants neither the rest nor its bill."""
    async with shop(latency=SLOW) as running:
        running.claude.rule(None, LONG)
        root, message = await begun(running, "tell me everything")
        await lets_the_model_go(running, lambda: running.slack.user(YOU).stop(CHANNEL, root))
        await running.answer(CHANNEL, root)
        assert "Stopped at your request" in message.text
        assert "word3" in message.text
        assert "word599" not in message.text
        assert len(running.slack.bot_messages(CHANNEL, root)) == 1


async def test_an_answer_is_judged_and_had_again_by_users_who_may_ask(shop: Open) -> None:
    """The new answer takes the old one's place; a thumb down asks why."""
    async with shop() as running:
        running.claude.script("A wrong one.", "A better one.")
        you, mate, slack = running.slack.user(YOU), running.slack.user(MATE), running.slack
        root = you.mention(CHANNEL, "when?")
        first = await running.answer(CHANNEL, root)
        await you.done(you.click(CHANNEL, first.ts, "forewarm_feedback", "down"))
        await running.until(lambda: slack.state.modals.get(YOU), "the comment box")
        you.set_text("wrong file")
        await you.submit()
        kept = await running.opinion()
        assert (kept.user, kept.value, kept.comment) == (YOU, "down", "wrong file")
        live = running.bot.library.live("payments")
        assert live is not None
        assert live.prefix is not None
        assert kept.fingerprint == live.prefix.fingerprint

        guest = slack.user(GUEST)
        await guest.done(guest.click(CHANNEL, first.ts, "forewarm_again"))
        await mate.done(mate.click(CHANNEL, first.ts, "forewarm_again"))
        await running.until(lambda: "A better one." in first.text, "the new answer")
        (standing,) = slack.bot_messages(CHANNEL, root)
        assert "wrong" not in standing.text
        assert len(running.asked()) == 2


async def test_a_question_edited_within_a_minute_is_answered_anew_in_its_place(shop: Open) -> None:
    """A typing error must not cost a second thread, or leave two answers that disagree."""
    async with shop() as running:
        running.claude.script("About refunds.", "About returns.")
        you, slack = running.slack.user(YOU), running.slack
        root = you.mention(CHANNEL, "how do refunds work?")
        first = await running.answer(CHANNEL, root)
        you.edit(CHANNEL, root, f"<@{slack.bot_user}> how do returns work?")
        await running.until(lambda: "About returns." in first.text, "the answer to the edit")
        await running.until(
            lambda: "how do returns work?" in last_asked(running), "the record of the request"
        )
        assert "how do refunds work?" not in last_asked(running)
        assert [m.ts for m in slack.bot_messages(CHANNEL, root)] == [first.ts]


async def test_a_deleted_question_ends_its_answer(shop: Open) -> None:
    """No user waits for it any more, so the rest must not be paid for."""
    async with shop(latency=SLOW) as running:
        running.claude.rule(None, LONG)
        root, message = await begun(running, "tell me everything")
        await lets_the_model_go(running, lambda: running.slack.user(YOU).delete(CHANNEL, root))
        await running.until(lambda: "deleted" in message.text, "the last line")
        assert "word599" not in message.text


# --- contexts from inside Slack -------------------------------------------------------------------


async def open_codebase(running: Shop, user: str, channel: str, text: str = "") -> Any:
    person = running.slack.user(user)
    await person.open_modal(channel, "/codebase", text=text)
    await running.until(lambda: OPENING not in str(person.modal.content), "what is there")
    return person


async def previewed(running: Shop, person: Any) -> str:
    """Submit the form in front; return what its preview says."""
    await person.submit()

    def ready() -> bool:
        return "Save" in str(person.modal.content) or "Nothing was changed" in str(
            person.modal.content
        )

    await running.until(ready, "the preview")
    return str(person.modal.content)


async def saved(running: Shop, person: Any) -> None:
    """Save the preview in front, and close everything once that is said."""
    await person.submit()
    await running.until(lambda: "Saved." in str(person.modal.content), "the saving")
    person.close_modal(all_of_them=True)


async def test_a_codebase_is_attached_changed_and_detached_from_inside_slack(shop: Open) -> None:
    """Each change is previewed, saved, used by the next question, and written to the audit log."""
    async with shop() as running:
        running.claude.rule(None, "It shows things.")
        you = await open_codebase(running, YOU, EMPTY, f"attach {running.front}")
        said = await previewed(running, you)
        assert "tokens* from 2 files" in said
        assert "One day kept warm costs about" in said
        assert running.bot.library.for_channel(EMPTY) is None
        await saved(running, you)
        root = you.mention(EMPTY, "what does it show?")
        assert "front@" in str((await running.answer(EMPTY, root)).blocks)

        await open_codebase(running, YOU, EMPTY)
        await you.done(you.put("codebase_change", "change:front"))
        await running.until(lambda: "exclude" in str(you.modal.content), "the form")
        you.set_text("README.md", "exclude")
        said = await previewed(running, you)
        assert "tokens* from 1 file\\n" in said
        await saved(running, you)

        await open_codebase(running, YOU, EMPTY)
        await you.done(you.put("codebase_open_settings", None))
        await running.until(lambda: "instructions" in str(you.modal.content), "the form")
        you.set_text("Be brief.", "instructions")
        you.set_text("5", "user_per_hour")
        await you.done(you.put("switches", ["guests"]))
        await previewed(running, you)
        await saved(running, you)
        config = running.bot.library.for_channel(EMPTY)
        assert config is not None
        assert (config.instructions, config.limits.user_per_hour) == ("Be brief.", 5)
        assert config.access.guests
        assert tuple(config.repositories[0].exclude) == ("README.md",)

        await open_codebase(running, YOU, EMPTY)
        await you.done(you.put("codebase_change", "detach:front"))
        await running.until(lambda: "Save" in str(you.modal.content), "the preview")
        await saved(running, you)
        assert running.bot.library.for_channel(EMPTY) is None
        deeds = [(deed.actor, deed.action) for deed in await running.bot.store.audit.last()]
        assert sorted(deeds) == [(YOU, "changed")] * 3 + [(YOU, "detached")]


async def open_settings(running: Shop, channel: str) -> Any:
    you = await open_codebase(running, YOU, channel)
    await you.done(you.put("codebase_open_settings", None))
    await running.until(lambda: "warm_daily_usd" in str(you.modal.content), "the form")
    return you


async def test_the_settings_form_shows_what_counts_and_untouched_changes_nothing(
    shop: Open,
) -> None:
    """A value of a file or a default is not Slack's: saving it would freeze it there."""
    async with shop(tables="[limits]\nuser_per_hour = 7\n") as running:
        you = await open_settings(running, CHANNEL)
        told, *inputs = you.modal.content["blocks"]
        assert "*Questions of one person an hour*: 7" in told["text"]["text"]
        shown = {block["block_id"]: block["element"] for block in inputs}
        assert shown.keys().isdisjoint({"model", "user_per_hour"})
        assert shown["budget_tokens"]["placeholder"]["text"] == "chosen by size"
        assert "Nothing was changed" in await previewed(running, you)
        assert await running.bot.store.contexts.all() == []
        you.close_modal(all_of_them=True)

        await open_settings(running, CHANNEL)
        you.set_text("3", "warm_daily_usd")
        assert "Changes: warm.daily_limit_usd" in await previewed(running, you)
        await saved(running, you)
        (kept,) = await running.bot.store.contexts.all()
        assert kept.body == {"warm": {"daily_limit_usd": 3.0}}

        await open_settings(running, CHANNEL)
        you.set_text("", "warm_daily_usd")
        await previewed(running, you)
        await saved(running, you)
        config = running.bot.library.for_channel(CHANNEL)
        assert config is not None
        assert (config.warm.daily_limit_usd, config.limits.user_per_hour) == (5.0, 7)


async def test_what_may_not_be_attached_or_by_whom_is_said_and_changes_nothing(shop: Open) -> None:
    """Else anybody could make the bot fetch from anywhere, or answer from anything."""
    async with shop() as running:
        you = await open_codebase(running, YOU, EMPTY, "attach https://evil.example/acme/x")
        assert "Nothing was changed" in await previewed(running, you)
        mate = await open_codebase(running, MATE, EMPTY, f"attach {running.front}")
        assert "submit" not in mate.modal.content
        assert "Only a workspace admin or a listed operator" in str(mate.modal.content)
        assert running.bot.library.for_channel(EMPTY) is None


# --- the Home tab ---------------------------------------------------------------------------------


async def test_the_home_tab_follows_what_happens_and_shows_money_to_operators(shop: Open) -> None:
    """For everyone what they may ask and how it stands; for operators what it costs."""
    async with shop() as running:
        running.claude.rule(None, "An hour later.")
        you, mate = running.slack.user(YOU), running.slack.user(MATE)
        await running.answer(CHANNEL, you.mention(CHANNEL, "when?"))

        def home(person: Any) -> str:
            try:
                return str(person.home.content["blocks"])
            except SlackError:
                return ""

        mate.open_home()
        await running.until(lambda: home(mate), "the tab")
        assert "payments@" in home(mate)
        assert "warm for" in home(mate)
        assert "$" not in home(mate)
        you.open_home()
        await running.until(lambda: "today $0." in home(you), "the operator's tab")
        await running.answer(CHANNEL, you.mention(CHANNEL, "and again?"))
        await you.done(you.put("forewarm_refresh", None, home=True))
        await running.until(lambda: "today 2 answers" in home(you), "the refreshed tab")
        await you.done(you.put("forewarm_charts", None, home=True))
        await running.until(lambda: running.slack.bot_messages(you.dm_channel), "the charts")
        (charts,) = running.slack.bot_messages(you.dm_channel)
        assert [block["type"] for block in charts.blocks] == ["data_visualization"] * 2


# --- joining and leaving --------------------------------------------------------------------------


async def test_an_invited_bot_says_one_thing_and_an_uninstalled_one_nothing(shop: Open) -> None:
    """It tells what it knows there, or how to attach; gone, it spends nothing any more."""
    async with shop(tables="[warm]\nwait_cost_per_hour = 1_000_000\n") as running:
        you, slack = running.slack.user(YOU), running.slack
        for channel, words in ((EMPTY, "/codebase attach"), (CHANNEL, "questions about payments")):
            you.remove(channel)
            you.invite(channel)
            await running.until(partial(slack.bot_messages, channel), "the greeting")
            (greeting,) = slack.bot_messages(channel)
            assert words in greeting.text
        await running.until(lambda: running.claude.requests, "the warm-up")
        you.archive(EMPTY)
        await slack.idle()
        await running.answer(CHANNEL, you.mention(CHANNEL, "when?"))
        asked = len(running.claude.requests)

        revoke(slack.state, slack.installation)
        await slack.idle()
        await asyncio.sleep(0.5)
        assert len(running.claude.requests) == asked


# --- access ---------------------------------------------------------------------------------------


async def test_who_may_not_ask_is_told_politely_and_the_model_never_hears_it(shop: Open) -> None:
    """Guests, other bots, people outside its channels, too many questions at once."""
    async with shop(tables="[limits]\nuser_per_hour = 1\n") as running:
        slack, you, guest = running.slack, running.slack.user(YOU), running.slack.user(GUEST)
        refused = guest.mention(CHANNEL, "when?")
        await running.until(lambda: slack.bot_messages(CHANNEL, refused), "the refusal")
        assert "guests" in slack.bot_messages(CHANNEL, refused)[0].text
        asked = guest.dm("when?")
        await running.until(lambda: slack.bot_messages(guest.dm_channel, asked), "the refusal")

        await running.answer(CHANNEL, root := you.mention(CHANNEL, "when?"))
        you.post(CHANNEL, "and why?", thread_ts=root)
        await running.until(lambda: len(slack.bot_messages(CHANNEL, root)) == 2, "the word")
        assert "within the hour" in slack.bot_messages(CHANNEL, root)[1].text
        assert len(running.asked()) == 1


async def test_a_user_who_left_the_channel_is_not_answered_in_a_direct_message(shop: Open) -> None:
    """Membership is checked again at every question, a follow-up too."""
    async with shop() as running:
        running.claude.rule(None, "An hour later.")
        mate, slack = running.slack.user(MATE), running.slack
        root = mate.dm("when?")
        await running.answer(mate.dm_channel, root)
        mate.leave(CHANNEL)
        mate.dm("and why?", thread_ts=root)
        await running.until(
            lambda: len(slack.bot_messages(mate.dm_channel, root)) == 2, "the refusal"
        )
        assert len(running.asked()) == 1


async def test_an_open_state_page_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Its stream is ended, not cut off after the seconds that open requests are given."""
    token = {"Authorization": f"Bearer {STATE_TOKEN}"}
    async with aiohttp.ClientSession(headers=token) as session:
        async with open_shop(tmp_path) as running:
            address = f"http://127.0.0.1:{running.bot.web.port}/state/stream"
            page = await session.get(address)
            assert (await page.content.readline()).startswith(b"event: snapshot")
        assert (await page.read()).endswith(b"\n\n")
