"""The signals before a question: opening the app, moving about, drafting a link."""

from __future__ import annotations

from typing import Any

import pytest
from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.errors import SlackError

HOME = {"type": "home", "blocks": [{"type": "divider"}]}


def test_opening_the_direct_message_is_told_on_every_visit(slack: LocalSlack, events: Any) -> None:
    """With the tab and what the person looks at (docs/platform/slack.md#app-home-opened)."""
    asker = slack.user("U0ASKER")
    asker.look_at("C0GENERAL")
    channel = asker.open_dm()
    asker.open_dm()
    first, second = events("app_home_opened")
    assert (first["tab"], first["user"], first["channel"]) == ("messages", "U0ASKER", channel)
    entity = {"type": "slack#/types/channel_id", "value": "C0GENERAL", "team_id": "T0LOCAL"}
    assert first["context"] == {"entities": [entity]}
    assert second["event_ts"] >= first["event_ts"]


def test_context_is_empty_when_nothing_is_known(slack: LocalSlack, events: Any) -> None:
    """`context` may be `{}` (docs/platform/slack.md#app-context-changed)."""
    slack.user("U0ASKER").open_dm()
    (event,) = events()
    assert event["context"] == {}


def test_the_home_tab_comes_with_its_view(slack: LocalSlack, events: Any) -> None:
    """`view` is present for tab home once one was published."""
    asker = slack.user("U0ASKER")
    asker.open_home()
    slack.call("views.publish", user_id="U0ASKER", view=HOME)
    asker.open_home()
    first, second = events("app_home_opened")
    assert "view" not in first
    assert second["view"]["type"] == "home"


def test_moving_about_is_told_while_the_panel_is_open(slack: LocalSlack, events: Any) -> None:
    """Each navigation once; the person stands in the authorizations only."""
    asker = slack.user("U0ASKER")
    asker.look_at("C0QUIET")
    asker.open_dm()
    events()
    asker.look_at("C0GENERAL")
    asker.look_at("C0GENERAL")
    (delivery,) = slack.outbox
    event = delivery.payload["event"]
    assert event["type"] == "app_context_changed"
    assert event["context"]["entities"][0]["value"] == "C0GENERAL"
    assert not {"user", "channel", "event_ts"} & set(event)
    assert delivery.payload["authorizations"][0]["user_id"] == "U0ASKER"
    assert delivery.payload["authorizations"][0]["is_bot"] is False
    events()
    asker.close_app()
    asker.look_at(None)
    assert events() == []


def test_a_message_in_view_is_the_second_entity(slack: LocalSlack, events: Any) -> None:
    """Entities come in order of relevance as configured: channel, then message."""
    asker = slack.user("U0ASKER")
    ts = asker.post("C0GENERAL", "x")
    asker.look_at("C0GENERAL", ts)
    asker.open_dm()
    (event,) = events("app_home_opened")
    kinds = [entity["type"] for entity in event["context"]["entities"]]
    assert kinds == ["slack#/types/channel_id", "slack#/types/message_context"]
    assert event["context"]["entities"][1]["value"] == {"channel_id": "C0GENERAL", "message_ts": ts}


def test_a_direct_message_carries_what_the_person_looks_at(slack: LocalSlack, events: Any) -> None:
    """`app_context` on `message.im`: how a question without a repository finds one."""
    asker = slack.user("U0ASKER")
    asker.look_at("C0GENERAL")
    asker.dm("how?")
    (event,) = events("message")
    assert event["app_context"]["entities"][0]["value"] == "C0GENERAL"
    assert asker.post("C0GENERAL", "x")
    (event,) = events("message")
    assert "app_context" not in event


def test_a_user_cannot_look_at_a_channel_they_are_not_in(slack: LocalSlack) -> None:
    """A person's context is made of what they can open."""
    with pytest.raises(SlackError, match="not_in_channel"):
        slack.user("U0GUEST").look_at("C0SECRET")


def test_an_older_app_is_told_of_assistant_threads(events: Any) -> None:
    """`assistant_view` apps hear other events for the same acts.

    Source: docs/platform/slack.md#assistant-threads.
    """
    slack = LocalSlack({"app": {"agent": "assistant_view"}})
    asker = slack.user("U0ASKER")
    asker.look_at("C0GENERAL")
    ts = asker.start_assistant_thread()
    asker.look_at(None)
    names = [delivery.name for delivery in slack.outbox]
    assert names == ["message", "assistant_thread_started", "assistant_thread_context_changed"]
    root, started, changed = (delivery.payload["event"] for delivery in slack.outbox)
    assert root["subtype"] == "assistant_app_thread"
    assert started["assistant_thread"]["thread_ts"] == ts
    assert started["assistant_thread"]["context"]["channel_id"] == "C0GENERAL"
    assert changed["assistant_thread"]["context"] == {"force_search": False}


def test_a_closed_messages_tab_takes_nothing(events: Any) -> None:
    """Neither the person's visit nor the bot's message."""
    slack = LocalSlack({"app": {"messages_tab": False, "home_tab": False}})
    asker = slack.user("U0ASKER")
    for visit in (asker.open_dm, asker.open_home):
        with pytest.raises(SlackError, match="tab_disabled"):
            visit()
    assert slack.call("chat.postMessage", channel="U0ASKER", text="t").error == (
        "messages_tab_disabled"
    )
    assert slack.call("views.publish", user_id="U0ASKER", view=HOME).error == "not_enabled"


def test_another_organisations_user_has_no_direct_message_with_the_app(slack: LocalSlack) -> None:
    """The app is not installed where they are."""
    with pytest.raises(SlackError, match="app_not_installed"):
        slack.user("U0FOREIGN").open_dm()


def test_a_link_in_the_composer_is_told_before_it_is_sent(slack: LocalSlack, events: Any) -> None:
    """The channel is literally COMPOSER; once per link; then again when it is posted."""
    asker = slack.user("U0ASKER")
    for text in ("see ", "see https://github.com/o/r", "see https://github.com/o/r now"):
        asker.type_draft("C0QUIET", text)
    (event,) = events()
    assert (event["channel"], event["source"]) == ("COMPOSER", "composer")
    assert event["message_ts"] == event["unfurl_id"]
    assert event["message_ts"].startswith("U0ASKER-")
    assert event["is_bot_user_member"] is False
    assert event["links"] == [{"domain": "github.com", "url": "https://github.com/o/r"}]
    asker.type_draft("C0QUIET", "https://github.com/o/r https://github.com/o/s")
    (event,) = events()
    assert [link["url"] for link in event["links"]] == ["https://github.com/o/s"]
    asker.post("C0QUIET", "https://github.com/o/r")
    (event,) = events()
    assert event["source"] == "conversations_history"
    asker.type_draft("C0QUIET", "https://github.com/o/r")
    assert len(events()) == 1


def test_a_preview_is_answered_into_the_composer(slack: LocalSlack, events: Any) -> None:
    """`chat.unfurl` takes the `unfurl_id` of a draft."""
    seen: list[Any] = []
    slack.feed.listen(seen.append)
    slack.installation.scopes += ("links:write",)
    slack.user("U0ASKER").type_draft("C0GENERAL", "https://github.com/o/r")
    (event,) = events()
    unfurls = {"https://github.com/o/r": {"text": "a repository"}}
    reply = slack.call(
        "chat.unfurl", source="composer", unfurl_id=event["unfurl_id"], unfurls=unfurls
    )
    assert reply.body["ok"]
    assert (seen[-1].kind, seen[-1].user) == ("composer_unfurl", "U0ASKER")
