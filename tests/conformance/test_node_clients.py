"""Slack's Node clients work on the local Slack unchanged: web-api, socket-mode, Bolt."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from forewarm_playground.slack import LocalSlack

Run = Callable[..., AbstractAsyncContextManager[Any]]


async def test_the_web_client_and_its_streamer(slack: LocalSlack, run: Run) -> None:
    """It encodes forms with JSON inside, streams with chunks, pages, and waits when limited."""
    root = slack.user("U0ASKER").mention("C0GENERAL", "how?")
    slack.fail_call("users.info", "ratelimited", retry_after=1)
    async with run("web-api.mjs", "C0GENERAL", root, "U0ASKER", "T0LOCAL") as script:
        said: dict[str, Any] = {}
        for line in await script.rest():
            said |= line
    assert said["auth"] == "U0BOT"
    assert "chat:write" in said["scopes"]
    assert said["streamed"] == "**hello world**"
    assert said["state"] == "completed"
    assert said["pages"] == [["<@U0BOT> how?", "changed"], ["<@U0BOT> how?", "**hello world**"]]
    assert said["code"] is True
    assert said["error"] == "channel_not_found"
    assert said["waited"] >= 1000
    _, changed, streamed = slack.messages("C0GENERAL", root)
    assert changed.blocks[0]["text"]["text"] == "*bold*"
    assert [b["type"] for b in streamed.blocks] == ["markdown", "task_card", "markdown", "divider"]
    assert slack.messages("C0GENERAL")[0].reactions == {"eyes": ["U0BOT"]}
    assert slack.user("U0ASKER").home.content["type"] == "home"
    slack.assert_quiet()


async def test_the_socket_client(slack: LocalSlack, run: Run) -> None:
    """Events, answers in acknowledgements, redelivery with its count, reconnecting."""
    asker = slack.user("U0ASKER")
    async with run("socket-mode.mjs") as script:
        await script.next("connected")
        asker.post("C0GENERAL", "hi")
        assert (await script.next("heard"))["heard"] == "hi"
        asked = await asker.done(asker.slash("C0GENERAL", "/ask", "yes"))
        assert asked.outcome is not None
        assert asked.outcome.reply == {"text": "you said yes"}
        await asker.done(asker.shortcut("ask_global"))
        assert (await script.next("interaction"))["interaction"] == "shortcut"
        asker.post("C0GENERAL", "lose me")
        lost = await script.next("lost")
        again = await script.next("heard")
        assert again["event_id"] == lost["lost"]
        assert (again["retry_num"], again["retry_reason"]) == (1, "timeout")
        for reason in ("refresh_requested", "warning", "cut"):
            await slack.drop_sockets(reason)
            await script.next("connected")
        asker.post("C0GENERAL", "still there")
        assert (await script.next("heard"))["heard"] == "still there"


@pytest.mark.parametrize("transport", ["socket", "http"])
async def test_bolt(slack: LocalSlack, run: Run, transport: str) -> None:
    """The same listeners over both transports: mention, direct message, modal, options."""
    asker = slack.user("U0ASKER")
    async with run("bolt.mjs", transport=transport) as script:
        ready = await script.next("ready")
        if transport == "http":
            slack.point_at(f"http://127.0.0.1:{ready['port']}/slack/events")
            assert await slack.http.verify("challenge")
        root = asker.mention("C0GENERAL", "how?")
        await slack.until(lambda: _answers(slack, root) == ["you asked: how?"], "the answer")
        asker.open_dm()
        assert (await script.next("opened"))["opened"] == "messages"
        asker.dm("hello")
        assert (await script.next("message"))["message"]
        await asker.open_modal("C0GENERAL", "/ask")
        await asker.type("how", per_key=0.02)
        typed = [(await script.next("typed"))["typed"] for _ in range(3)]
        assert sorted(typed) == ["h", "ho", "how"]
        assert [o["value"] for o in await asker.options("repo", "pay")] == ["payments"]
        asker.put("repo", "payments")
        assert (await asker.submit()).errors == {"b": "too short"}
        asker.set_text("how?")
        assert (await asker.submit()).errors == {}
        assert slack.state.modals["U0ASKER"] == []


def _answers(slack: LocalSlack, root: str) -> list[str]:
    return [
        message.text
        for message in slack.bot_messages("C0GENERAL", root)
        if message.stream is not None and message.stream.state == "completed"
    ]
