"""The client interface: one person's screen, live."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from forewarm_playground.slack import LocalSlack

Json = dict[str, Any]
TO = {"recipient_user_id": "U0ASKER", "recipient_team_id": "T0LOCAL"}


class Page:
    """A page that shows Slack to one person."""

    def __init__(self, slack: LocalSlack, session: aiohttp.ClientSession, user: str) -> None:
        self.base = f"{slack.url}/_client/{user}"
        self.session = session
        self.ws: aiohttp.ClientWebSocketResponse | None = None
        self.count = 0

    async def open(self) -> Json:
        self.ws = await self.session.ws_connect(f"{self.base}/live")
        return await self.next()

    async def next(self, kind: str | None = None, seconds: float = 5) -> Json:
        assert self.ws is not None
        while True:
            frame: Json = await self.ws.receive_json(timeout=seconds)
            if kind in (None, frame["type"]):
                return frame

    async def do(self, verb: str, **members: Any) -> Json:
        assert self.ws is not None
        self.count += 1
        await self.ws.send_json({"id": self.count, "do": verb, **members})
        while True:
            frame = await self.next()
            if frame.get("id") == self.count:
                return frame

    async def quiet(self) -> bool:
        assert self.ws is not None
        try:
            await self.ws.receive(timeout=5)
        except TimeoutError:
            return True
        return False

    async def get(self, path: str, **params: str) -> Json:
        async with self.session.get(f"{self.base}/{path}", params=params) as response:
            body: Json = await response.json()
        return body


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


@pytest.fixture
async def asker(served: LocalSlack, session: aiohttp.ClientSession) -> Page:
    page = Page(served, session, "U0ASKER")
    await page.open()
    return page


@pytest.fixture
async def peer(served: LocalSlack, session: aiohttp.ClientSession) -> Page:
    page = Page(served, session, "U0PEER")
    await page.open()
    return page


async def test_a_page_begins_with_everything(
    served: LocalSlack, session: aiohttp.ClientSession
) -> None:
    """The snapshot over HTTP and as the first frame are the same."""
    page = Page(served, session, "U0ASKER")
    first = await page.open()
    assert first.pop("type") == "snapshot"
    assert first == await page.get("state")
    assert first["me"]["id"] == "U0ASKER"
    assert first["app"]["bot_user"] == "U0BOT"
    assert first["app"]["commands"] == ["/ask"]
    names = {channel["name"]: channel for channel in first["channels"]}
    assert "hidden" not in names
    assert names["quiet"]["bot_is_member"] is False
    assert names["shared"]["shared"] is True
    async with session.get(f"{served.url}/_client/users") as response:
        people = [user["id"] for user in (await response.json())["users"]]
    assert people == ["U0ASKER", "U0PEER", "U0GUEST", "U0SINGLE", "U0FOREIGN"]


async def test_only_members_of_the_channel_see_a_message(
    asker: Page, peer: Page, served: LocalSlack
) -> None:
    """As its poster typed it."""
    done = await asker.do("post", channel="C0GENERAL", text="hi @peer")
    assert done["type"] == "done"
    frame = await peer.next("message")
    assert frame["message"]["ts"] == done["result"]["ts"]
    assert frame["message"]["text"] == "hi <@U0PEER>"
    await asker.do("post", channel="C0SECRET", text="psst")
    assert await peer.quiet()


async def test_a_stream_grows_on_one_screen_only(
    asker: Page, peer: Page, served: LocalSlack
) -> None:
    """The other sees an empty bubble, then the whole."""
    root = (await asker.do("post", channel="C0GENERAL", text="@forewarm how?"))["result"]["ts"]
    where = {"channel": "C0GENERAL", "thread_ts": root}
    ts = served.call("chat.startStream", **where, **TO).body["ts"]
    await peer.next("message")

    async def both() -> list[tuple[str, bool, bool]]:
        seen = []
        for page in (asker, peer):
            while True:
                message = (await page.next("message"))["message"]
                if message["ts"] == ts:
                    break
            seen.append((message["text"], message["live"], message["hidden"]))
        return seen

    assert await both() == [("", True, False), ("", True, True)]
    stream = {"channel": "C0GENERAL", "ts": ts}
    served.call("chat.appendStream", **stream, markdown_text="live")
    assert await both() == [("live", True, False), ("", True, True)]
    served.call("chat.stopStream", **stream)
    assert await both() == [("live", False, False), ("live", False, False)]


async def test_a_slow_page_gets_the_newest_only(asker: Page, served: LocalSlack) -> None:
    """Changes at one place replace each other while they wait."""
    root = served.user("U0ASKER").mention("C0GENERAL", "how?")
    where = {"channel": "C0GENERAL", "thread_ts": root}
    ts = served.call("chat.startStream", **where, **TO).body["ts"]
    for number in range(100):
        served.call("chat.appendStream", channel="C0GENERAL", ts=ts, markdown_text=f"{number} ")
    frames: list[Json] = []
    while not frames or not frames[-1]["message"]["text"].endswith("99 "):
        frame = await asker.next("message")
        if frame["message"]["ts"] == ts:
            frames.append(frame)
    assert len(frames) < 5


async def test_a_broken_stream_and_a_faded_status_are_shown(
    asker: Page, served: LocalSlack
) -> None:
    """Time alone changes the screen: no call comes when a stream breaks."""
    root = served.user("U0ASKER").mention("C0GENERAL", "how?")
    where = {"channel_id": "C0GENERAL", "thread_ts": root}
    served.call("assistant.threads.setStatus", **where, status="is thinking")
    assert (await asker.next("status"))["text"] == "is thinking"
    faded = await asker.next("status", 130)
    assert (faded["text"], faded["thread_ts"]) == ("", root)
    served.call("chat.startStream", channel="C0GENERAL", thread_ts=root, **TO)
    assert (await asker.next("message"))["message"]["live"] is True
    broken = (await asker.next("message", 310))["message"]
    assert (broken["live"], broken["broken"]) == (False, True)


async def test_the_stop_button_is_shown_and_pressed(asker: Page, served: LocalSlack) -> None:
    """`can_stop` comes and goes with the session."""
    root = served.user("U0ASKER").mention("C0GENERAL", "how?")
    ts = served.call("chat.startStream", channel="C0GENERAL", thread_ts=root, **TO).body["ts"]
    session = await asker.next("session")
    assert (session["status"], session["can_stop"]) == ("processing", True)
    done = await asker.do("stop", channel="C0GENERAL", thread_ts=root)
    assert done["result"] == {"stopped": [ts]}
    history = await asker.get("messages", channel="C0GENERAL", thread_ts=root)
    assert history["messages"][-1]["stopped_by_user"] is True
    assert (await asker.do("stop", channel="C0GENERAL", thread_ts=root))[
        "error"
    ] == "no_stop_button"


async def test_modals_are_shown_filled_and_closed(asker: Page, served: LocalSlack) -> None:
    """The whole stack at each change, with what is filled in and the app's errors."""
    await asker.do("shortcut", callback_id="ask_global")
    trigger = next(iter(served.state.triggers))
    plain = {"type": "plain_text", "text": "t"}
    element = {"type": "plain_text_input", "action_id": "q"}
    block = {"type": "input", "block_id": "b", "label": plain, "element": element}
    view = {"type": "modal", "title": plain, "submit": plain, "blocks": [block]}
    served.call("views.open", trigger_id=trigger, view=view)
    shown = await asker.next("modals")
    while not shown["modals"]:
        shown = await asker.next("modals")
    assert shown["modals"][0]["errors"] == {}
    await asker.do("set_text", text="how?")
    state = await asker.get("state")
    assert state["modals"][0]["state"]["values"]["b"]["q"]["value"] == "how?"
    await asker.do("close_modal")
    assert (await asker.get("state"))["modals"] == []


async def test_prompts_home_ephemerals_and_notices_reach_their_person(
    asker: Page, peer: Page, served: LocalSlack
) -> None:
    """And no one else."""
    dm = served.user("U0ASKER").dm_channel
    prompts = [{"title": "Explain", "message": "Explain it"}]
    served.call("assistant.threads.setSuggestedPrompts", channel_id=dm, prompts=prompts)
    assert (await asker.next("prompts"))["prompts"] == prompts
    served.call("views.publish", user_id="U0ASKER", view={"type": "home", "blocks": []})
    assert (await asker.next("home"))["home"]["type"] == "home"
    served.call("chat.postEphemeral", channel="C0GENERAL", user="U0ASKER", text="psst")
    shown = (await asker.next("message"))["message"]
    assert (shown["text"], shown["ephemeral"]) == ("psst", True)
    history = await asker.get("messages", channel="C0GENERAL")
    assert [m["text"] for m in history["messages"]] == ["psst"]
    await asker.do("command", channel="C0GENERAL", command="/ask", wait=True)
    assert await peer.quiet()
    assert (await peer.get("messages", channel="C0GENERAL"))["messages"] == []


async def test_a_suggested_prompt_is_sent_as_ones_own_words(
    asker: Page, served: LocalSlack
) -> None:
    """It arrives as a plain direct message (docs/platform/slack.md#signals-before-a-question)."""
    dm = served.user("U0ASKER").dm_channel
    prompts = [{"title": "Explain", "message": "Explain <it>"}]
    served.call("assistant.threads.setSuggestedPrompts", channel_id=dm, prompts=prompts)
    await asker.do("prompt", index=0)
    assert [m.text for m in served.messages(dm)] == ["Explain &lt;it&gt;"]
    assert (await asker.do("prompt", index=3))["error"] == "no_such_prompt"


async def test_what_a_page_may_not_do_is_refused_and_it_lives_on(asker: Page) -> None:
    """An error is an answer, not a broken connection."""
    assert (await asker.do("post", channel="C0HIDDEN", text="x"))["error"] == "not_in_channel"
    assert (await asker.do("nonsense"))["error"] == "unknown_act"
    assert asker.ws is not None
    await asker.ws.send_str("{")
    assert (await asker.next("refused"))["error"] == "invalid_json"
    assert (await asker.do("post", channel="C0GENERAL", text="x"))["type"] == "done"


async def test_a_page_shows_what_its_person_may_read(
    served: LocalSlack, session: aiohttp.ClientSession, asker: Page, peer: Page
) -> None:
    """Public channels to members of the workspace, private ones to those in them."""
    served.user("U0ASKER").post("C0SECRET", "psst")
    assert len((await asker.get("messages", channel="C0SECRET"))["messages"]) == 1
    assert (await peer.get("messages", channel="C0SECRET"))["error"] == "channel_not_found"
    guest = Page(served, session, "U0GUEST")
    assert (await guest.get("messages", channel="C0QUIET"))["error"] == "channel_not_found"
    assert (await peer.get("messages", channel="C0QUIET"))["messages"] == []
    bad = await peer.get("messages", channel="C0QUIET", limit="many")
    assert bad["error"] == "invalid_arguments"


async def test_a_deleted_message_leaves_the_screen(asker: Page, served: LocalSlack) -> None:
    """By channel and stamp."""
    ts = served.user("U0PEER").post("C0GENERAL", "oops")
    await asker.next("message")
    served.user("U0PEER").delete("C0GENERAL", ts)
    frame = await asker.next("message_deleted")
    assert (frame["channel"], frame["ts"]) == ("C0GENERAL", ts)


async def test_a_page_of_another_site_is_kept_out(
    served: LocalSlack, session: aiohttp.ClientSession
) -> None:
    """WebSockets know no same-origin rule of their own."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await session.ws_connect(
            f"{served.url}/_client/U0ASKER/live", headers={"Origin": "http://evil.test"}
        )
    assert caught.value.status == 403
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await session.ws_connect(f"{served.url}/_client/U0NOBODY/live")
    assert caught.value.status == 404
