"""Forbidden effects of the bot's text are found in every place that Slack reads."""

from __future__ import annotations

from typing import Any

import pytest
from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.local import UnwantedNotification

POST: dict[str, Any] = {"channel": "C0GENERAL", "unfurl_links": False, "unfurl_media": False}


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"text": "hello <!channel>"}, "channel"),
        ({"text": "```\n<!here>\n```"}, "here"),
        ({"text": "<!everyone|everyone>"}, "everyone"),
        ({"text": "<!subteam^S0TEAM|@team>"}, "subteam"),
        ({"text": "<@U0PEER>"}, "user"),
        ({"text": "@channel look", "link_names": True}, "channel"),
        ({"markdown_text": "look `<!channel>`"}, "channel"),
        ({"blocks": [{"type": "markdown", "text": "<!here>"}]}, "here"),
        (
            {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "<!here>"}}]},
            "here",
        ),
        (
            {
                "text": "t",
                "blocks": [
                    {
                        "type": "rich_text",
                        "elements": [
                            {
                                "type": "rich_text_section",
                                "elements": [{"type": "broadcast", "range": "channel"}],
                            }
                        ],
                    }
                ],
            },
            "channel",
        ),
    ],
)
def test_a_live_token_is_found(slack: LocalSlack, content: dict[str, Any], kind: str) -> None:
    """Model text that holds such a token would notify people; each way in is watched."""
    assert slack.call("chat.postMessage", **POST, **content).body["ok"]
    assert [ping.kind for ping in slack.pings] == [kind]
    if kind == "user":
        slack.assert_quiet()
    else:
        with pytest.raises(UnwantedNotification):
            slack.assert_quiet()


@pytest.mark.parametrize(
    "content",
    [
        {"text": "&lt;!channel&gt; and @channel"},
        {"markdown_text": "&lt;!here&gt;"},
        {
            "blocks": [
                {
                    "type": "rich_text",
                    "elements": [
                        {
                            "type": "rich_text_preformatted",
                            "elements": [{"type": "text", "text": "<!channel>"}],
                        }
                    ],
                }
            ]
        },
        {"blocks": [{"type": "section", "text": {"type": "plain_text", "text": "<!here>"}}]},
    ],
)
def test_escaped_and_literal_text_does_not_ping(slack: LocalSlack, content: dict[str, Any]) -> None:
    """A detector that cries at escaped text would be switched off."""
    assert slack.call("chat.postMessage", **POST, **content).body["ok"]
    slack.assert_quiet()
    assert not slack.pings


def test_a_token_split_over_two_chunks_of_a_stream_is_found(slack: LocalSlack) -> None:
    """Slack parses the whole message, not the pieces in which it came."""
    ts = slack.user("U0ASKER").mention("C0GENERAL", "q")
    to = {"recipient_user_id": "U0ASKER", "recipient_team_id": "T0LOCAL", "thread_ts": ts}
    started = slack.call("chat.startStream", channel="C0GENERAL", markdown_text="a <!chan", **to)
    stream = {"channel": "C0GENERAL", "ts": started.body["ts"]}
    slack.assert_quiet()
    slack.call("chat.appendStream", **stream, markdown_text="nel> b")
    slack.call("chat.appendStream", **stream, markdown_text="more")
    assert [ping.token for ping in slack.pings] == ["<!channel>"]


@pytest.mark.parametrize("flags", [{}, {"unfurl_links": False}, {"unfurl_media": "0"}])
def test_a_link_that_slack_may_fetch_is_found(slack: LocalSlack, flags: dict[str, Any]) -> None:
    """A fetched link carries data out without a click; both kinds of unfurling must be off."""
    slack.call("chat.postMessage", channel="C0GENERAL", text="see https://evil.test/?d=1", **flags)
    assert [unfurl.url for unfurl in slack.unfurls] == ["https://evil.test/?d=1"]
    with pytest.raises(UnwantedNotification):
        slack.assert_quiet()


def test_streams_and_ephemeral_messages_never_unfurl(slack: LocalSlack) -> None:
    """Slack fetches no link of these, so they must not be counted.

    Source: docs/platform/slack.md#link-previews.
    """
    link = "see https://example.test/"
    slack.call("chat.postEphemeral", channel="C0GENERAL", user="U0ASKER", text=link)
    ts = slack.user("U0ASKER").mention("C0GENERAL", "q")
    to = {"recipient_user_id": "U0ASKER", "recipient_team_id": "T0LOCAL", "thread_ts": ts}
    slack.call("chat.startStream", channel="C0GENERAL", markdown_text=link, **to)
    slack.call("chat.postMessage", **POST, text=link)
    slack.assert_quiet()


def test_what_people_write_is_not_the_bots_fault(slack: LocalSlack) -> None:
    """Only the app under test is judged."""
    slack.user("U0ASKER").post("C0GENERAL", "<!channel> https://example.test")
    slack.assert_quiet()
