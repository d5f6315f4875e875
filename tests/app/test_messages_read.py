"""The whole bot on messages as people and other apps write them: what reaches Claude of each."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING, Any

from PIL import Image

from bot.slack.manifest import Features, scopes
from tests.app.conftest import SLACK

if TYPE_CHECKING:
    from tests.app.conftest import Begin, Product

CHANNEL = "C0PAY"
ROBOT = {"id": "U0ALERT", "name": "alerts", "kind": "bot"}
WITH_ROBOT = {
    "users": (*SLACK["users"], ROBOT),
    "channels": (
        {"id": CHANNEL, "name": "pay", "members": ("U0ASKER", "U0PEER", "U0ALERT", "bot")},
    ),
}
OWN_SCOPES = tuple(ask.name for ask in scopes(Features()))
FORWARDED = {
    "is_share": True,
    "author_name": "Teammate",
    "author_id": "U0PEER",
    "text": "TypeError: schedule() missing RETRY_AFTER",
    "fallback": "Teammate: TypeError",
}


def app(*granted: str) -> dict[str, Any]:
    return {"app": {"commands": ("/ask", "/codebase"), "scopes": granted}}


def sent(running: Product) -> str:
    """Return what the last request holds behind the prefix."""
    messages = running.asked[-1].body["messages"]
    return json.dumps(messages, ensure_ascii=False)


async def asked(running: Product, text: str = "why?", **shared: Any) -> str:
    """Ask with a mention; return what Claude was sent once the answer is whole."""
    ts = running.slack.user("U0ASKER").mention(CHANNEL, text, **shared)
    await running.answered(CHANNEL, ts)
    return sent(running)


async def test_a_forwarded_message_reaches_claude_as_a_quotation(product: Begin) -> None:
    async with product() as running:
        body = await asked(running, attachments=[FORWARDED])
        assert "TypeError: schedule() missing RETRY_AFTER" in body
        assert 'slack_quote kind=\\"forwarded\\" from=\\"peer (U0PEER)\\"' in body


async def test_a_message_that_only_forwards_is_a_question_in_a_dm(product: Begin) -> None:
    async with product() as running:
        person = running.slack.user("U0ASKER")
        ts = person.dm("", attachments=[FORWARDED])
        await running.answered(person.dm_channel, ts)
        assert "missing RETRY_AFTER" in sent(running)


async def test_an_alert_reaches_claude_with_its_blocks_fields_and_attachments(
    product: Begin,
) -> None:
    async with product(slack_config=WITH_ROBOT) as running:
        header = {"type": "header", "text": {"type": "plain_text", "text": "PAY-911"}}
        attachment = {"title": "raised", "fields": [{"title": "env", "value": "prod-7"}]}
        root = running.slack.user("U0ALERT").post(
            CHANNEL, "New alert", blocks=[header], attachments=[attachment]
        )
        running.slack.user("U0ASKER").mention(CHANNEL, "what is this?", root)
        await running.answered(CHANNEL, root)
        body = sent(running)
        assert "New alert\\nPAY-911\\nraised\\nenv: prod-7" in body


async def test_people_have_names_beside_their_ids(product: Begin) -> None:
    async with product() as running:
        root = running.slack.user("U0PEER").post(CHANNEL, "it is five")
        running.slack.user("U0ASKER").mention(CHANNEL, "who is right, <@U0PEER> or I?", root)
        await running.answered(CHANNEL, root)
        body = sent(running)
        assert 'from=\\"peer (U0PEER)\\"' in body
        assert 'from=\\"asker (U0ASKER)\\"' in body
        assert "who is right, @peer (U0PEER) or I?" in body


async def test_a_long_snippet_is_read_to_its_end_under_our_own_manifest(product: Begin) -> None:
    """The last line of a log is the error."""
    log = "".join(f"line {n}: all is well\n" for n in range(121)) + "line 121: KeyError 'tries'\n"
    async with product(slack_config=app(*OWN_SCOPES)) as running:
        body = await asked(running, snippets={"error.log": log})
        assert "line 121: KeyError 'tries'" in body
        assert "the rest was not read" not in body
        shown = str(running.slack.bot_messages(CHANNEL)[-1].blocks)
        assert "1 file read." in shown


async def test_files_of_any_type_are_read_if_they_are_text(product: Begin) -> None:
    files = {
        "app.ts": b"export const retries = 3;\n",
        "config.json": b'{"retries": 4}\n',
        "deploy.yaml": b"retries: 5\n",
        "core.dump": bytes(range(256)) * 10,
        "bundle.zip": b"PK\x03\x04rest",
    }
    async with product(slack_config=app(*OWN_SCOPES)) as running:
        body = await asked(running, files=files)
        for part in ("export const retries = 3;", "retries: 5", '{\\\\\\"retries\\\\\\": 4}'):
            assert part.replace('\\\\\\"', '\\"') in body or part in body
        shown = str(running.slack.bot_messages(CHANNEL)[-1].blocks)
        assert "3 files read, 2 not: neither text nor a picture (core.dump, bundle.zip)." in shown


async def test_a_screenshot_is_shown_to_the_model_and_replayed(product: Begin) -> None:
    data = io.BytesIO()
    Image.new("RGB", (2_400, 1_300), "navy").save(data, "PNG")
    async with product(slack_config=app(*OWN_SCOPES)) as running:
        asker = running.slack.user("U0ASKER")
        ts = asker.mention(CHANNEL, "what is wrong here?", files={"shot.png": data.getvalue()})
        await running.answered(CHANNEL, ts)
        first = running.asked[-1].body["messages"][0]["content"]
        [image] = [block for block in first if block["type"] == "image"]
        assert image["source"]["media_type"] in ("image/png", "image/jpeg")
        shown = str(running.slack.bot_messages(CHANNEL, ts)[-1].blocks)
        assert "1 picture read." in shown
        before = len(running.asked)
        asker.mention(CHANNEL, "and now?", ts)
        await running.until(lambda: len(running.asked) > before, "the follow-up")
        replayed = running.asked[-1].body["messages"][0]["content"]
        assert next(b for b in replayed if b["type"] == "image")["source"] == image["source"]
        await running.until(lambda: len(running.slack.bot_messages(CHANNEL, ts)) == 2, "an answer")


async def test_without_the_permission_the_asker_is_told(product: Begin) -> None:
    """An installation from before `files:read` goes on working."""
    older = tuple(scope for scope in OWN_SCOPES if scope != "files:read")
    log = "".join(f"line {n}\n" for n in range(100))
    async with product(slack_config=app(*older)) as running:
        body = await asked(running, snippets={"a.log": log}, files={"b.sql": b"select 1"})
        assert "line 4" in body
        assert "line 99" not in body
        shown = str(running.slack.bot_messages(CHANNEL)[-1].blocks)
        assert "of a.log only a part" in shown
        assert "1 not: my Slack app lacks the permission files:read (b.sql)" in shown


async def test_a_mention_that_is_only_a_file_is_a_question(product: Begin) -> None:
    async with product(slack_config=app(*OWN_SCOPES)) as running:
        body = await asked(running, "", snippets={"trace.txt": "boom in step_7\n"})
        assert "boom in step_7" in body
        root = running.slack.bot_messages(CHANNEL)[-1].thread_ts
        before = len(running.asked)
        running.slack.user("U0ASKER").post(
            CHANNEL, "", root, snippets={"second.txt": "and in step_8\n"}
        )
        await running.until(lambda: len(running.asked) > before, "the answer to the file")
        assert "and in step_8" in sent(running)
        await running.until(lambda: len(running.slack.bot_messages(CHANNEL, root)) == 2, "it")


async def test_names_that_slack_made_links_of_are_names(product: Begin) -> None:
    async with product() as running:
        text = "what does <http://README.md|README.md> say about <http://setup.py|setup.py>?"
        assert "what does README.md say about setup.py?" in await asked(running, text)


async def test_bad_input_is_acknowledged_and_loses_nothing(product: Begin) -> None:
    node: dict[str, Any] = {"type": "text", "text": "deep"}
    for _ in range(50):
        node = {"type": "rich_text_section", "elements": [node]}
    blocks = [{"type": "hologram", "text": "seen"}, {"type": "rich_text", "elements": [node]}]
    async with product(slack_config=WITH_ROBOT) as running:
        root = running.slack.user("U0ALERT").post(CHANNEL, "alert", blocks=blocks)
        running.slack.user("U0ASKER").mention(CHANNEL, "what?", root)
        await running.answered(CHANNEL, root)
        body = sent(running)
        assert "alert\\nseen\\ndeep" in body


async def test_a_deleted_message_leaves_the_replay_and_the_store(product: Begin) -> None:
    async with product() as running:
        asker, peer = running.slack.user("U0ASKER"), running.slack.user("U0PEER")
        root = asker.post(CHANNEL, "it fails")
        oops = peer.post(CHANNEL, "the token is HUNTER2, oops", root)
        asker.mention(CHANNEL, "why?", root)
        await running.answered(CHANNEL, root)
        assert "HUNTER2" in sent(running)
        store = running.bot.store
        team = running.bot.me.workspace
        peer.delete(CHANNEL, oops)

        async def kept() -> str:
            return str(await store.turns.load(team, CHANNEL, root))

        async with asyncio.timeout(running.patience):
            while "HUNTER2" in await kept():
                await asyncio.sleep(0.02)
        before = len(running.asked)
        asker.mention(CHANNEL, "and now?", root)
        await running.until(lambda: len(running.asked) > before, "the second question")
        assert "HUNTER2" not in sent(running)
        assert "(deleted)" in sent(running)
        await running.until(lambda: len(running.slack.bot_messages(CHANNEL, root)) == 2, "it")
