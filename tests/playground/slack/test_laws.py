"""Laws for any actions of people and the bot: the events add up to the messages."""

from __future__ import annotations

from typing import Any

from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.ids import ts_to_us
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

CHANNEL = "C0GENERAL"
TO = {"recipient_user_id": "U0ASKER", "recipient_team_id": "T0LOCAL"}
PEOPLE = st.sampled_from(["U0ASKER", "U0PEER"])
TEXTS = st.sampled_from(["hello", "<@U0BOT> how?", "https://github.com/o/r", "a & b < c"])


class Reader:
    """An app that knows a channel by its events alone."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.ids: set[str] = set()
        self.mentions: set[str] = set()
        self.count = 0

    def hear(self, payload: dict[str, Any]) -> None:
        assert payload["event_id"] not in self.ids
        self.ids.add(payload["event_id"])
        self.count += 1
        event = payload["event"]
        if event["type"] == "app_mention":
            self.mentions.add(event["ts"])
        if event["type"] != "message":
            return
        if event.get("subtype") == "message_changed":
            assert self.texts[event["message"]["ts"]] is not None
            self.texts[event["message"]["ts"]] = event["message"]["text"]
        elif event.get("subtype") == "message_deleted":
            del self.texts[event["deleted_ts"]]
        else:
            self.texts[event["ts"]] = event["text"]


class Channel(RuleBasedStateMachine):
    """People and the bot act at random in one channel; time passes."""

    roots = Bundle("roots")
    streams = Bundle("streams")

    def __init__(self) -> None:
        super().__init__()
        self.at = 1_795_424_400.0
        self.slack = LocalSlack({"limits": {"rates": False}}, now=lambda: self.at)
        self.reader = Reader()
        self.slack.state.deliver = lambda delivery: self.reader.hear(delivery.payload)
        self.mentioned: set[str] = set()

    def _said(self, ts: str, text: str) -> str:
        if "<@U0BOT>" in text:
            self.mentioned.add(ts)
        return ts

    @rule(seconds=st.floats(min_value=0, max_value=200))
    def pass_time(self, seconds: float) -> None:
        self.at += seconds

    @rule(target=roots, person=PEOPLE, text=TEXTS)
    def post(self, person: str, text: str) -> str:
        return self._said(self.slack.user(person).post(CHANNEL, text), text)

    @rule(root=roots, person=PEOPLE, text=TEXTS, broadcast=st.booleans())
    def reply(self, root: str, person: str, text: str, broadcast: bool) -> None:
        if root in self.slack.state.channels[CHANNEL].messages:
            ts = self.slack.user(person).post(CHANNEL, text, root, broadcast=broadcast)
            self._said(ts, text)

    @rule(root=roots, text=TEXTS)
    def edit(self, root: str, text: str) -> None:
        message = self.slack.state.channels[CHANNEL].messages.get(root)
        if message is not None and message.subtype is None:
            self.slack.user(message.user).edit(CHANNEL, root, text)

    @rule(root=consumes(roots))
    def delete(self, root: str) -> None:
        message = self.slack.state.channels[CHANNEL].messages[root]
        self.slack.user(message.user).delete(CHANNEL, root)

    @rule(root=roots, person=PEOPLE)
    def react(self, root: str, person: str) -> None:
        message = self.slack.state.channels[CHANNEL].messages.get(root)
        if message is not None and person not in message.reactions.get("eyes", []):
            self.slack.user(person).react(CHANNEL, root, "eyes")

    @rule(root=roots, text=TEXTS)
    def answer(self, root: str, text: str) -> None:
        self.slack.call("chat.postMessage", channel=CHANNEL, thread_ts=root, text=text)

    @rule(target=streams, root=roots)
    def start(self, root: str) -> Any:
        body = self.slack.call("chat.startStream", channel=CHANNEL, thread_ts=root, **TO).body
        return body["ts"] if body["ok"] else multiple()

    @rule(stream=streams, text=TEXTS)
    def append(self, stream: str, text: str) -> None:
        where = {"channel": CHANNEL, "ts": stream}
        self.slack.call("chat.appendStream", **where, markdown_text=text)

    @rule(stream=streams)
    def stop(self, stream: str) -> None:
        self.slack.call("chat.stopStream", channel=CHANNEL, ts=stream)

    @rule(stream=streams, text=TEXTS)
    def repair(self, stream: str, text: str) -> None:
        self.slack.call("chat.update", channel=CHANNEL, ts=stream, markdown_text=text)

    @invariant()
    def events_add_up_to_the_channel(self) -> None:
        """Streams under way or broken are told at their start and their end only."""
        held = self.slack.state.channels[CHANNEL].messages
        assert set(self.reader.texts) == set(held)
        for ts, text in self.reader.texts.items():
            stream = held[ts].stream
            if stream is None or stream.state == "completed":
                assert text == held[ts].text

    @invariant()
    def every_mention_is_told(self) -> None:
        assert self.reader.mentions == self.mentioned

    @invariant()
    def stamps_rise_and_threads_are_whole(self) -> None:
        channel = self.slack.state.channels[CHANNEL]
        stamps = [ts_to_us(ts) for ts in channel.messages]
        assert stamps == sorted(set(stamps))
        for message in channel.messages.values():
            replies = [
                m.ts for m in channel.messages.values() if m.thread_ts == message.ts and m.is_reply
            ]
            assert message.replies == replies

    @invariant()
    def the_timeline_is_the_top_level(self) -> None:
        channel = self.slack.state.channels[CHANNEL]
        shown = channel.between(None, None, inclusive=True)
        assert shown == [m.ts for m in channel.messages.values() if not m.is_reply or m.broadcast]

    @invariant()
    def history_is_the_channel_backwards(self) -> None:
        body = self.slack.call("conversations.history", channel=CHANNEL, limit=999).body
        shown = [message["ts"] for message in body["messages"]]
        channel = self.slack.state.channels[CHANNEL]
        assert shown == channel.between(None, None, inclusive=True)[::-1]


TestChannel = Channel.TestCase
TestChannel.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_a_long_run_keeps_only_what_people_can_still_see() -> None:
    """Ten virtual days: nothing piles up but messages, and every event is told once."""
    at = 1_795_424_400.0
    slack = LocalSlack({"delivery": {"retry_seconds": ()}}, now=lambda: at)
    reader = Reader()
    slack.state.deliver = lambda delivery: (
        reader.hear(delivery.payload) if delivery.kind == "events_api" else None
    )
    asker, peer = slack.user("U0ASKER"), slack.user("U0PEER")
    for number in range(3000):
        at += 288
        if number % 10:
            peer.post(CHANNEL, "chatter")
            continue
        root = asker.mention(CHANNEL, "how?")
        asker.slash(CHANNEL, "/ask")
        where = {"channel_id": CHANNEL, "thread_ts": root}
        slack.call("assistant.threads.setStatus", **where, status="is thinking")
        start = slack.call("chat.startStream", channel=CHANNEL, thread_ts=root, **TO).body
        stream = {"channel": CHANNEL, "ts": start["ts"]}
        for _ in range(3):
            at += 1
            assert slack.call("chat.appendStream", **stream, markdown_text="word ").body["ok"]
        assert slack.call("chat.stopStream", **stream).body["ok"]
    assert reader.count == 2700 + 300 * 4
    assert len(slack.state.triggers) < 20
    assert len(slack.state.response_urls) < 20
    assert slack.state.statuses == {}
    assert {m.text for m in slack.bot_messages(CHANNEL)} == {"word word word "}
