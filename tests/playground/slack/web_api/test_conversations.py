"""Reading channels: only what a bot may read, in Slack's order, a page at a time."""

from __future__ import annotations

from typing import Any

import pytest
from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.errors import SlackError


def call(slack: LocalSlack, method: str, **arguments: Any) -> dict[str, Any]:
    body = slack.call(f"conversations.{method}", **arguments).body
    assert body["ok"], body
    return body


def texts(body: dict[str, Any]) -> list[str]:
    return [message["text"] for message in body["messages"]]


def test_history_is_newest_first_without_replies(slack: LocalSlack) -> None:
    """Thread replies are not in a channel's history, broadcast ones are."""
    asker = slack.user("U0ASKER")
    root = asker.post("C0GENERAL", "one")
    asker.post("C0GENERAL", "reply", root)
    asker.post("C0GENERAL", "loud reply", root, broadcast=True)
    asker.post("C0GENERAL", "two")
    body = call(slack, "history", channel="C0GENERAL")
    assert texts(body) == ["two", "loud reply", "one"]
    assert body["has_more"] is False
    assert body["messages"][1]["subtype"] == "thread_broadcast"


def test_a_root_counts_its_replies(slack: LocalSlack) -> None:
    """Apps decide by these numbers whether there is a thread to read."""
    root = slack.user("U0ASKER").post("C0GENERAL", "root")
    slack.user("U0PEER").post("C0GENERAL", "a", root)
    slack.user("U0ASKER").post("C0GENERAL", "b", root)
    last = slack.user("U0PEER").post("C0GENERAL", "c", root)
    (message,) = call(slack, "history", channel="C0GENERAL")["messages"]
    assert message["thread_ts"] == root
    assert message["reply_count"] == 3
    assert message["reply_users_count"] == 2
    assert message["reply_users"] == ["U0PEER", "U0ASKER"]
    assert message["latest_reply"] == last


def test_replies_begin_with_the_root_for_any_named_message(slack: LocalSlack) -> None:
    """`ts` may be any message of the thread (docs/platform/slack.md#web-api)."""
    root = slack.user("U0ASKER").post("C0GENERAL", "root")
    slack.user("U0PEER").post("C0GENERAL", "a", root)
    reply = slack.user("U0ASKER").post("C0GENERAL", "b", root)
    for ts in (root, reply):
        body = call(slack, "replies", channel="C0GENERAL", ts=ts)
        assert texts(body) == ["root", "a", "b"]
    assert body["messages"][1]["parent_user_id"] == "U0ASKER"
    missing = slack.call("conversations.replies", channel="C0GENERAL", ts="1.000001")
    assert missing.error == "thread_not_found"


def test_metadata_comes_if_it_is_asked_for(slack: LocalSlack) -> None:
    """How a bot finds its own orphans; `include_all_metadata` is off by default."""
    metadata = {"event_type": "answer", "event_payload": {"question": "1"}}
    posted = slack.call("chat.postMessage", channel="C0GENERAL", text="t", metadata=metadata)
    assert posted.body["message"]["metadata"] == metadata
    (plain,) = call(slack, "history", channel="C0GENERAL")["messages"]
    assert "metadata" not in plain
    asked = call(slack, "history", channel="C0GENERAL", include_all_metadata=True)
    assert asked["messages"][0]["metadata"] == metadata


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_join_to_the_whole(slack: LocalSlack, limit: int) -> None:
    """No message lost, none twice, at any page size; every page of a thread repeats the root."""
    asker = slack.user("U0ASKER")
    root = asker.post("C0GENERAL", "root")
    for number in range(9):
        asker.post("C0GENERAL", f"reply {number}", root)
        asker.post("C0GENERAL", f"top {number}")
    read, cursor = [], ""
    while True:
        body = call(slack, "history", channel="C0GENERAL", limit=limit, cursor=cursor)
        read += texts(body)
        cursor = body.get("response_metadata", {}).get("next_cursor", "")
        if not body["has_more"]:
            break
    assert read == [f"top {n}" for n in reversed(range(9))] + ["root"]
    read, cursor = [], ""
    while limit > 1:
        body = call(slack, "replies", channel="C0GENERAL", ts=root, limit=limit, cursor=cursor)
        assert texts(body)[0] == "root"
        read += texts(body)[1:]
        cursor = body.get("response_metadata", {}).get("next_cursor", "")
        if not body["has_more"]:
            assert read == [f"reply {n}" for n in range(9)]
            break


def test_a_range_of_history_is_open_unless_inclusive(slack: LocalSlack, clock: Any) -> None:
    """`oldest` and `latest` exclude themselves by default."""
    stamps = []
    for number in range(4):
        clock.pass_(10)
        stamps.append(slack.user("U0ASKER").post("C0GENERAL", str(number)))
    ends = {"channel": "C0GENERAL", "oldest": stamps[0], "latest": stamps[3]}
    assert texts(call(slack, "history", **ends)) == ["2", "1"]
    assert texts(call(slack, "history", **ends, inclusive=1)) == ["3", "2", "1", "0"]
    one = {"channel": "C0GENERAL", "latest": stamps[2], "limit": 1, "inclusive": "true"}
    assert texts(call(slack, "history", **one)) == ["2"]


@pytest.mark.parametrize(
    ("channel", "method", "error"),
    [
        ("C0QUIET", "history", "not_in_channel"),
        ("C0HIDDEN", "history", "channel_not_found"),
        ("C0HIDDEN", "info", "channel_not_found"),
        ("C0HIDDEN", "members", "channel_not_found"),
        ("C0NOWHERE", "info", "channel_not_found"),
        ("C0QUIET", "info", ""),
        ("C0QUIET", "members", ""),
    ],
)
def test_a_bot_reads_what_it_is_in_and_knows_what_is_public(
    slack: LocalSlack, channel: str, method: str, error: str
) -> None:
    """A private channel without the bot does not exist for it."""
    assert slack.call(f"conversations.{method}", channel=channel).error == error


def test_info_tells_the_kind_and_who_shares_it(slack: LocalSlack) -> None:
    """Access rules read these flags."""
    public = call(slack, "info", channel="C0GENERAL", include_num_members="1")["channel"]
    assert (public["is_channel"], public["is_private"], public["is_member"]) == (True, False, True)
    assert public["num_members"] == 5
    assert public["is_ext_shared"] is False
    assert call(slack, "info", channel="C0SHARED")["channel"]["is_ext_shared"] is True
    assert call(slack, "info", channel="C0SECRET")["channel"]["is_private"] is True
    assert call(slack, "info", channel="C0QUIET")["channel"]["is_member"] is False
    direct = call(slack, "info", channel=slack.user("U0ASKER").dm_channel)["channel"]
    assert (direct["is_im"], direct["user"]) == (True, "U0ASKER")


def test_members_come_a_page_at_a_time(slack: LocalSlack) -> None:
    """Membership is the access rule of a direct message: all members must be found."""
    read, cursor = [], ""
    while True:
        body = call(slack, "members", channel="C0GENERAL", limit=2, cursor=cursor)
        read += body["members"]
        cursor = body["response_metadata"]["next_cursor"]
        if not cursor:
            break
    assert read == ["U0ASKER", "U0PEER", "U0GUEST", "U0OTHERBOT", "U0BOT"]
    bad = slack.call("conversations.members", channel="C0GENERAL", cursor="nonsense")
    assert bad.error == "invalid_cursor"


def test_lists_hold_what_the_bot_can_know_of(slack: LocalSlack) -> None:
    """Public ones, and private ones that it is in."""
    listed = call(slack, "list", types="public_channel,private_channel", exclude_archived=True)
    names = {channel["name"] for channel in listed["channels"]}
    assert names == {"general", "quiet", "secret", "shared"}
    assert slack.call("conversations.list", types="nonsense").error == "invalid_types"
    own = slack.call("users.conversations", types="public_channel,private_channel").body
    assert {channel["name"] for channel in own["channels"]} == {
        "general",
        "secret",
        "shared",
        "old",
    }


def test_open_finds_the_one_conversation_of_its_members(slack: LocalSlack) -> None:
    """Opening twice gives the same channel."""
    first = call(slack, "open", users="U0ASKER")
    assert first["already_open"] is False
    again = call(slack, "open", users=["U0ASKER"])
    assert again["channel"]["id"] == first["channel"]["id"] == slack.user("U0ASKER").dm_channel
    group = call(slack, "open", users="U0ASKER,U0PEER", return_im=True)["channel"]
    assert group["is_mpim"] is True
    assert slack.call("conversations.open", users="U0NOBODY").error == "user_not_found"


def test_joining_makes_a_member_and_is_told(slack: LocalSlack, events: Any) -> None:
    """The bot's own join is delivered (docs/platform/slack.md#member-joined)."""
    body = call(slack, "join", channel="C0QUIET")
    assert body["channel"]["is_member"] is True
    (event,) = events("member_joined_channel")
    assert (event["user"], event["channel"], event["channel_type"]) == ("U0BOT", "C0QUIET", "C")
    assert call(slack, "join", channel="C0QUIET")["warning"] == "already_in_channel"
    assert slack.call("conversations.join", channel="C0OLD").error == "is_archived"
    private = slack.call("conversations.join", channel="C0SECRET")
    assert private.error == "method_not_supported_for_channel_type"


def test_an_archived_channel_is_told_and_takes_nothing(slack: LocalSlack, events: Any) -> None:
    """A bot that goes on spending on an archived channel has not listened."""
    asker = slack.user("U0ASKER")
    asker.archive("C0GENERAL")
    (event,) = events("channel_archive")
    assert (event["channel"], event["user"]) == ("C0GENERAL", "U0ASKER")
    assert slack.call("chat.postMessage", channel="C0GENERAL", text="t").error == "is_archived"
    with pytest.raises(SlackError, match="already_archived"):
        asker.archive("C0GENERAL")


def test_users_are_told_apart(slack: LocalSlack) -> None:
    """Guests, strangers and bots are what access rules look for.

    Source: docs/platform/slack.md#guests-and-other-organisations.
    """

    def user(ident: str) -> dict[str, Any]:
        shape: dict[str, Any] = slack.call("users.info", user=ident).body["user"]
        return shape

    assert user("U0GUEST")["is_restricted"] is True
    assert user("U0GUEST")["is_ultra_restricted"] is False
    assert user("U0SINGLE")["is_ultra_restricted"] is True
    assert user("U0FOREIGN")["is_stranger"] is True
    assert user("U0FOREIGN")["team_id"] == "T0OTHER"
    assert user("U0OTHERBOT")["is_bot"] is True
    assert "email" not in user("U0ASKER")["profile"]
    slack.installation.scopes += ("users:read.email",)
    assert user("U0ASKER")["profile"]["email"] == "asker@local.test"
    assert slack.call("users.info", user="U0NOBODY").error == "user_not_found"


def test_a_stranger_who_shares_no_channel_is_not_visible(slack: LocalSlack) -> None:
    """Another organisation's people are known only through a shared channel."""
    slack.user("U0FOREIGN").leave("C0SHARED")
    assert slack.call("users.info", user="U0FOREIGN").error == "user_not_visible"
    members = slack.call("users.list").body["members"]
    assert "U0FOREIGN" not in {member["id"] for member in members}
