"""Response URLs: five posts in thirty minutes, to one or to all."""

from __future__ import annotations

from typing import Any

import pytest
from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.interactions.responses import respond

PLAIN = {"type": "plain_text", "text": "t"}
BUTTON = {"type": "actions", "elements": [{"type": "button", "action_id": "a", "text": PLAIN}]}


@pytest.fixture
def address(slack: LocalSlack) -> str:
    """The address of a command's answer."""
    slack.user("U0ASKER").slash("C0GENERAL", "/ask")
    url: str = slack.outbox[-1].payload["response_url"]
    return url.split("/response/")[1]


def pressed(slack: LocalSlack, ts: str) -> str:
    slack.user("U0ASKER").click("C0GENERAL", ts, "a")
    url: str = slack.outbox[-1].payload["response_url"]
    return url.split("/response/")[1]


def test_it_takes_five_posts(slack: LocalSlack, address: str) -> None:
    """The sixth is refused."""
    for _ in range(5):
        respond(slack.state, address, {"text": "t"})
    with pytest.raises(SlackError, match="used_url"):
        respond(slack.state, address, {"text": "t"})
    assert len(slack.state.ephemerals) == 5


def test_it_lasts_thirty_minutes(slack: LocalSlack, clock: Any, address: str) -> None:
    """Then it is dead for every caller."""
    clock.pass_(1800)
    respond(slack.state, address, {"text": "t"})
    clock.pass_(1)
    with pytest.raises(SlackError, match="expired_url"):
        respond(slack.state, address, {"text": "t"})
    with pytest.raises(SlackError, match="invalid_url"):
        respond(slack.state, "T0/0/x", {"text": "t"})


def test_it_speaks_to_one_unless_told_otherwise(slack: LocalSlack, address: str) -> None:
    """`ephemeral` is the default; `in_channel` posts, into a thread if it names one."""
    respond(slack.state, address, {"text": "psst"})
    assert slack.state.ephemerals[-1].seen_by == "U0ASKER"
    root = slack.user("U0ASKER").post("C0GENERAL", "root")
    answer = {"text": "all", "response_type": "in_channel", "thread_ts": root}
    respond(slack.state, address, answer)
    assert [m.text for m in slack.messages("C0GENERAL", root)] == ["root", "all"]


def test_it_replaces_and_deletes_the_message_it_came_from(slack: LocalSlack) -> None:
    """A message of the channel and an ephemeral one alike."""
    ts = slack.call("chat.postMessage", channel="C0GENERAL", text="one", blocks=[BUTTON]).body["ts"]
    address = pressed(slack, ts)
    respond(slack.state, address, {"text": "two", "replace_original": True})
    (message,) = slack.bot_messages("C0GENERAL")
    assert (message.text, message.blocks) == ("two", [])
    respond(slack.state, address, {"delete_original": True})
    assert slack.bot_messages("C0GENERAL") == []


def test_an_ephemeral_message_can_be_replaced_and_deleted(slack: LocalSlack) -> None:
    """The only way to change what one person was shown."""
    content: dict[str, Any] = {
        "channel": "C0GENERAL",
        "user": "U0ASKER",
        "text": "one",
        "blocks": [BUTTON],
    }
    ts = slack.call("chat.postEphemeral", **content).body["message_ts"]
    address = pressed(slack, ts)
    assert slack.outbox[-1].payload["container"]["is_ephemeral"] is True
    respond(slack.state, address, {"text": "two", "replace_original": True})
    assert [m.text for m in slack.state.ephemerals] == ["two"]
    respond(slack.state, address, {"delete_original": True})
    assert not slack.state.ephemerals


def test_its_links_are_judged_like_any_post(slack: LocalSlack, address: str) -> None:
    """In the channel a link is fetched unless unfurling is off."""
    link = {"text": "https://example.test", "response_type": "in_channel"}
    respond(slack.state, address, {**link, "unfurl_links": False, "unfurl_media": False})
    slack.assert_quiet()
    respond(slack.state, address, link)
    assert [unfurl.url for unfurl in slack.unfurls] == ["https://example.test"]


def test_an_empty_answer_is_refused(slack: LocalSlack, address: str) -> None:
    """As `no_text`."""
    with pytest.raises(SlackError, match="no_text"):
        respond(slack.state, address, {})
