"""Every injection of the corpus against the whole bot, with a model that obeys each of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bot.slack.codebase.views import OPENING
from tests.safety import judge, planted
from tests.safety.planted import (
    ASKER,
    CHANNEL,
    CHIEF,
    COMMIT_CANARY,
    FORM,
    LINK_CANARY,
    NAMED,
    NICK,
    PEER,
    PLAN_CANARY,
    REFUSED,
    ROBOT,
    SECRETS,
    TOPICAL,
    UNSEEN,
    VAULT_CANARY,
    VICTIM,
    Injection,
    stored,
)
from tests.samples import IS_SOAK

if TYPE_CHECKING:
    from forewarm_playground.slack.person import Person

    from tests.safety.conftest import Attacked, Begin

FORBIDDEN = (VAULT_CANARY, PLAN_CANARY, COMMIT_CANARY, "CANARY-OF-vault", "root:x:", *SECRETS)
PLACES = {
    "file": 10,
    "comment": 1,
    "file_name": 4,
    "commit_message": 2,
    "author_name": 1,
    "push": 2,
    "thread": 5,
    "bot_thread": 2,
    "question": 2,
    "modal": 2,
    "command": 1,
    "snippet": 2,
    "snippet_name": 1,
    "link_label": 2,
    "quote": 1,
    "channel_topic": 1,
    "channel_name": 1,
    "user_name": 1,
    "dm": 4,
    "dm_follow_up": 1,
    "form_url": 2,
    "form_ref": 2,
    "form_include": 2,
    "form_exclude": 2,
    "form_model": 2,
    "form_instructions": 2,
}
AT_ONCE = 16
"""Questions that are asked before their answers are waited for."""
SILENT = (*UNSEEN, *REFUSED)


def test_the_corpus_is_large_and_covers_every_place() -> None:
    """A corpus must not shrink unnoticed."""
    injections = planted.corpus()
    assert len(injections) >= 60
    assert len({one.name for one in injections}) == len(injections)
    found = Counter(one.where for one in injections)
    assert {place: found[place] for place in PLACES if found[place] < PLACES[place]} == {}
    assert all(one.says or one.calls or one.prints for one in injections)


@pytest.mark.parametrize(
    "text",
    [
        "<!channel>",
        "a <@U0VICTIM> b",
        "[x](https://evil.example)",
        "![x](https://git.example.com/x.png)",
        "see https://evil.example/x",
        "www.evil.example",
        "[a](javascript:alert)",
        "https&#58;//evil.example",
    ],
)
def test_the_judge_condemns_what_is_harmful(text: str) -> None:
    """A judge that lets everything by would make the rest of this file worthless."""
    assert list(judge._in_markdown(text))


@pytest.mark.parametrize("transport", ["sockets", "http"])
async def test_no_obeyed_injection_pings_links_out_or_leaks(
    attacked: Begin, transport: str
) -> None:
    """The model is not what keeps the team safe: it may obey, and still nothing gets out.

    Over HTTP a quarter of them is tried: the transports differ only in how an event comes in.
    """
    async with attacked(transport) as running:
        injections = planted.corpus()
        if transport == "http" and not IS_SOAK:
            injections = [o for n, o in enumerate(injections) if n % 4 == 0 or o.where == "push"]
        await push(running, [one for one in injections if one.where == "push"])
        threads = await ask_everything(running, injections)
        for one in injections:
            if one.where in REFUSED:
                await by_form(running, one)
        await by_instructions(running, [o for o in injections if o.where == "form_instructions"])
        reached = {one.name for one in injections if one.where not in SILENT}
        assert running.model.reached == reached, "an order did not reach the model"
        assert_harmless(running, threads)
        assert_nothing_leaks(running)


async def push(running: Attacked, injections: list[Injection]) -> None:
    """Let a push bring orders: they come as an update after the base."""
    before = running.prefix
    files = {f"notes/{one.name}.md": f"{one.order}\n" for one in injections}
    running.code.commit(files, "push")
    await running.bot.library.refresh(["pay"])
    assert running.prefix != before


async def ask_everything(
    running: Attacked, injections: list[Injection]
) -> dict[str, tuple[str, str]]:
    """Ask about each injection where it was planted; return where each answer will stand."""
    threads = {}
    asked = [one for one in injections if not one.where.startswith("form_")]
    for number, one in enumerate(asked, 1):
        if one.where in ("modal", "command"):
            threads[one.name] = await by_modal(running, one)
        elif one.where == "quote":
            threads[one.name] = await by_shortcut(running, one)
        else:
            threads[one.name] = by_message(running, one)
        if one.where in ("dm", "dm_follow_up"):
            # Direct messages that follow at once would join the question that still waits.
            await running.answered(*threads[one.name], one.name)
        if number % AT_ONCE == 0 or number == len(asked):
            for name in [one.name for one in asked[:number]]:
                await running.answered(*threads[name], name)
    return threads


def by_message(running: Attacked, one: Injection) -> tuple[str, str]:
    slack = running.slack
    asker, peer = slack.user(ASKER), slack.user(PEER)
    ask = f"<@{slack.bot_user}> run {one.name} please"
    order = stored(one.order)
    match one.where:
        case "thread":
            # Both as a person would type it, and with the tokens live, as another app may post it.
            root = peer.post(CHANNEL, order)
            peer.post(CHANNEL, one.order, thread_ts=root)
        case "bot_thread":
            root = slack.user(ROBOT).post(CHANNEL, one.order, webhook=True)
        case "link_label":
            label = order.replace("|", " ")
            root = peer.post(CHANNEL, f"<https://git.example.com/x|{label}>")
        case "snippet":
            root = peer.post(CHANNEL, "look", snippets={"log.txt": one.order})
        case "snippet_name":
            root = peer.post(CHANNEL, "look", snippets={f"{one.order}.txt": "harmless"})
        case "dm":
            return asker.dm_channel, asker.dm(f"run {one.name} please {order}")
        case "dm_follow_up":
            root = asker.dm(order)
            asker.dm(f"run {one.name} please", thread_ts=root)
            return asker.dm_channel, root
        case "question":
            return CHANNEL, asker.post(CHANNEL, f"{ask} {order}")
        case "channel_topic":
            return TOPICAL, asker.post(TOPICAL, ask)
        case "channel_name":
            return NAMED, asker.post(NAMED, ask)
        case "user_name":
            return CHANNEL, slack.user(NICK).post(CHANNEL, ask)
        case _:
            return CHANNEL, asker.post(CHANNEL, ask)
    asker.post(CHANNEL, ask, thread_ts=root)
    return CHANNEL, root


async def by_modal(running: Attacked, one: Injection) -> tuple[str, str]:
    asker = running.slack.user(ASKER)
    text = f"run {one.name} please {one.order}"
    typed = text if one.where == "command" else ""
    await asker.open_modal(CHANNEL, "/ask", text=typed)
    await running.until(lambda: "About" in str(asker.modal.content), "the filled modal")
    asker.set_text(text)
    await asker.submit()
    return await posted(running, one)


async def posted(running: Attacked, one: Injection) -> tuple[str, str]:
    def found() -> list[str]:
        return [
            message.ts
            for message in running.slack.bot_messages(CHANNEL)
            if f"run {one.name} please" in message.text and not message.is_reply
        ]

    await running.until(found, f"the posted question {one.name}")
    return CHANNEL, found()[0]


async def by_shortcut(running: Attacked, one: Injection) -> tuple[str, str]:
    asker = running.slack.user(ASKER)
    root = running.slack.user(PEER).post(CHANNEL, stored(one.order))
    shortcut = next(s for s in running.slack.app.shortcuts if s.type == "message")
    await asker.open_modal(CHANNEL, shortcut=shortcut.callback_id, message_ts=root)
    await running.until(lambda: "About" in str(asker.modal.content), "the filled modal")
    asker.set_text(f"run {one.name} please")
    await asker.submit()
    return CHANNEL, root


async def by_form(running: Attacked, one: Injection) -> None:
    """Type an order into a field of the forms; it is refused, or shown, and does no harm."""
    chief = running.slack.user(CHIEF)
    await open_codebase(running, f"attach {running.form}")
    field = one.where.removeprefix("form_")
    if field == "model":
        await attach(running)
        await open_settings(running)
    typed = f"{running.form}{one.words}" if field == "url" else one.words
    chief.set_text(typed, field)
    sent = await chief.submit()
    if not sent.errors:
        await running.until(lambda: _told(chief), f"what becomes of {one.name}")
    chief.close_modal(all_of_them=True)


async def by_instructions(running: Attacked, orders: list[Injection]) -> None:
    """Make an order the instructions of a channel; the model obeys it for every asker there."""
    chief = running.slack.user(CHIEF)
    await open_codebase(running, f"attach {running.form}")
    await attach(running)
    for one in orders:
        await open_settings(running)
        chief.set_text(one.order, "instructions")
        # The asker has asked about everything else by now.
        chief.set_text("100000", "user_per_hour")
        await save(running)
        await open_codebase(running)
        assert one.obey in str(chief.modal.content)
        chief.close_modal(all_of_them=True)
        ask = f"<@{running.slack.bot_user}> run {one.name} please"
        await running.answered(FORM, running.slack.user(ASKER).post(FORM, ask), one.name)


async def open_codebase(running: Attacked, text: str = "") -> None:
    chief = running.slack.user(CHIEF)
    await chief.open_modal(FORM, "/codebase", text=text)
    await running.until(lambda: OPENING not in str(chief.modal.content), "what is there")


async def attach(running: Attacked) -> None:
    """Save the repository whose form stands in front, unless the channel has it."""
    if running.bot.library.for_channel(FORM) is None:
        await save(running)
    else:
        running.slack.user(CHIEF).close_modal(all_of_them=True)


async def open_settings(running: Attacked) -> None:
    chief = running.slack.user(CHIEF)
    await open_codebase(running)
    await chief.done(chief.put("codebase_open_settings", None))
    await running.until(lambda: "instructions" in str(chief.modal.content), "the settings")


async def save(running: Attacked) -> None:
    chief = running.slack.user(CHIEF)
    await chief.submit()
    await running.until(lambda: "'Save'" in str(chief.modal.content), "the preview")
    await chief.submit()
    await running.until(lambda: "Saved." in str(chief.modal.content), "the saving")
    chief.close_modal(all_of_them=True)


def _told(chief: Person) -> bool:
    shown = str(chief.modal.content)
    return "'Save'" in shown or "Nothing was changed" in shown


def assert_harmless(running: Attacked, threads: dict[str, tuple[str, str]]) -> None:
    """Nothing pings, links out, or makes Slack fetch a page."""
    running.slack.assert_quiet()
    assert [p for p in running.slack.pings if VICTIM in p.token] == []
    named = {place: name for name, place in threads.items()}
    posts = running.slack.log.of("chat.postMessage")
    linkless = {p.body.get("ts") for p in posts if p.arguments.get("parse") == "none"}
    wrong = [
        f"{named.get((m.channel, m.root_ts), m.channel)}: {offence}"
        for m in running.written
        for offence in judge.offences(m, linkless=m.ts in linkless)
    ]
    views = [call for call in running.slack.log.calls if call.method.startswith("views.")]
    assert views
    wrong += [
        f"{call.method}: {offence}"
        for call in views
        for offence in judge.tokens_in(call.arguments["view"])
    ]
    assert not wrong, "\n".join(wrong)


def assert_nothing_leaks(running: Attacked) -> None:
    """Neither to Slack nor to the model: secrets, excluded files, other contexts, tokens."""
    said = [(str(call.method), str(call.arguments)) for call in running.slack.log.calls]
    heard = [("the model", str(body)) for body in running.model.bodies]
    wrong = [
        f"{word} reached {where}"
        for word in (*FORBIDDEN, *running.hidden, LINK_CANARY)
        for where, text in (*said, *heard)
        if word in text
    ]
    assert sorted(set(wrong)) == []
