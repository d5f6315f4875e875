"""Rate limits refuse the call too many, say when the next is free, and mean it."""

from __future__ import annotations

from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.web_api.rate_limits import Bucket, Window
from hypothesis import given
from hypothesis import strategies as st

Gaps = st.lists(st.floats(min_value=0, max_value=30), min_size=1, max_size=80)


@given(Gaps, st.integers(min_value=1, max_value=10))
def test_no_minute_holds_more_calls_than_allowed(gaps: list[float], most: int) -> None:
    """The promise of a tier, for any spacing of the calls."""
    window, at, taken = Window(most), 0.0, []
    for gap in gaps:
        at += gap
        if not window.take(at):
            taken.append(at)
    for start in taken:
        assert sum(start <= call < start + 59.999 for call in taken) <= most


@given(Gaps)
def test_a_call_after_the_told_wait_is_taken(gaps: list[float]) -> None:
    """An app that waits as long as `Retry-After` says must not be refused again."""
    window, bucket, at = Window(2), Bucket(1.0, 2), 0.0
    for gap in gaps:
        at += gap
        for limit in (window, bucket):
            wait = limit.take(at)
            if wait:
                assert limit.take(at + wait + 1e-6) == 0.0
                at += wait + 1e-6


def test_a_refused_call_is_http_429_with_whole_seconds(clock: object) -> None:
    """Clients sleep `Retry-After`, an integer, and then try again.

    Source: docs/platform/slack.md#rate-limits.
    """
    at = 1_795_424_400.0
    slack = LocalSlack({"limits": {"per_minute": {"users.info": 2}}}, now=lambda: at)
    replies = [slack.call("users.info", user="U0ASKER") for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert replies[2].body == {"ok": False, "error": "ratelimited"}
    assert replies[2].headers["Retry-After"] == "60"
    at += 60
    assert slack.call("users.info", user="U0ASKER").status == 200


def test_methods_and_workspaces_are_counted_apart() -> None:
    """The limit is per method and workspace (docs/platform/slack.md#rate-limits)."""
    config = {
        "limits": {"per_minute": {"auth.test": 1, "users.info": 1}},
        "workspaces": [
            {"id": "T1", "bot_token": "a", "bot_user": "UB1", "bot_id": "B1"},
            {"id": "T2", "bot_token": "b", "bot_user": "UB2", "bot_id": "B2"},
        ],
        "users": [],
        "channels": [],
    }
    slack = LocalSlack(config)
    assert slack.call("auth.test", "a").status == 200
    assert slack.call("auth.test", "b").status == 200
    assert slack.call("users.info", "a", user="UB1").status == 200
    assert slack.call("auth.test", "a").status == 429


def test_a_channel_takes_a_short_burst_then_one_message_a_second() -> None:
    """Posting faster is what a channel refuses, not another channel."""
    at = 1_795_424_400.0
    config = {
        "limits": {"post_burst": 3},
        "channels": [{"id": "C1", "members": ["bot"]}, {"id": "C2", "members": ["bot"]}],
    }
    slack = LocalSlack(config, now=lambda: at)

    def post(channel: str) -> int:
        return slack.call("chat.postMessage", channel=channel, text="t").status

    assert [post("C1") for _ in range(4)] == [200, 200, 200, 429]
    assert post("C2") == 200
    at += 1
    assert [post("C1"), post("C1")] == [200, 429]


def test_streams_have_their_own_word_for_it() -> None:
    """Their documented error is `rate_limited` (docs/platform/slack.md#rate-limits)."""
    slack = LocalSlack({"limits": {"per_minute": {"chat.startStream": 1}}})
    for _ in range(2):
        reply = slack.call(
            "chat.startStream",
            channel="C0GENERAL",
            recipient_user_id="U0ASKER",
            recipient_team_id="T0LOCAL",
        )
    assert (reply.status, reply.error) == (429, "rate_limited")


def test_limits_can_be_switched_off() -> None:
    """A load test of something else should not trip over them."""
    slack = LocalSlack({"limits": {"rates": False}})
    assert {slack.call("users.list").status for _ in range(200)} == {200}


def test_an_app_outside_the_marketplace_reads_threads_once_a_minute() -> None:
    """The limit that hosted bots must live with (docs/platform/slack.md#history-limit)."""
    slack = LocalSlack({"app": {"commercial": True}})
    root = slack.user("U0ASKER").post("C0GENERAL", "root")
    for _ in range(30):
        slack.user("U0PEER").post("C0GENERAL", "reply", root)
    first = slack.call("conversations.replies", channel="C0GENERAL", ts=root)
    assert len(first.body["messages"]) == 15
    assert slack.call("conversations.replies", channel="C0GENERAL", ts=root).status == 429
    assert slack.call("conversations.history", channel="C0GENERAL").status == 200
