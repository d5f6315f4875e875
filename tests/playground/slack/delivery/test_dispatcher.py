"""Delivery with faults on command: doubled, late, out of order, lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from forewarm_playground import virtual_time
from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.delivery.transports import Attempt
from forewarm_playground.slack.delivery.types import Delivery, Outcome
from forewarm_playground.slack.faults import FaultError
from forewarm_playground.slack.log import DeliveryEntry


class Recorder:
    """A transport that acknowledges everything and remembers when it came."""

    name = "recorder"
    timeout_reason = "timeout"

    def __init__(self) -> None:
        self.came: list[tuple[float, str, int]] = []
        self.outcome = Outcome("acked")

    async def send(self, delivery: Delivery, entry: DeliveryEntry) -> Attempt:
        text = str(delivery.payload.get("event", {}).get("text", delivery.name))
        self.came.append((asyncio.get_running_loop().time(), text, entry.attempt))
        return Attempt(self.outcome)

    async def close(self) -> None:
        return None

    def texts(self) -> list[str]:
        return [text for _, text, _ in self.came]


@pytest.fixture
async def recorded(world_config: dict[str, Any]) -> tuple[LocalSlack, Recorder]:
    slack = LocalSlack({**world_config, "limits": {"rates": False}}, now=virtual_time.now)
    slack.dispatcher.transport = recorder = Recorder()
    return slack, recorder


async def say(slack: LocalSlack, *texts: str) -> None:
    for text in texts:
        slack.user("U0ASKER").post("C0GENERAL", text)
    await slack.idle(1000)


async def test_events_go_out_in_the_order_in_which_things_happened(
    recorded: tuple[LocalSlack, Recorder],
) -> None:
    """Slack promises no order, but disorder has to be asked for, or no test could be repeated."""
    slack, recorder = recorded
    await say(slack, *map(str, range(50)))
    assert recorder.texts() == [str(n) for n in range(50)]


async def test_a_duplicate_has_the_same_event_id(
    recorded: tuple[LocalSlack, Recorder],
) -> None:
    """Apps drop it by the id."""
    slack, recorder = recorded
    slack.fail_delivery("message", "duplicate", copies=2)
    await say(slack, "one", "two")
    assert sorted(recorder.texts()) == ["one", "one", "one", "two"]
    ids = {entry.event_id for entry in slack.log.deliveries}
    assert len(ids) == 2


async def test_a_delayed_event_comes_late(recorded: tuple[LocalSlack, Recorder]) -> None:
    """By so many seconds, while others pass."""
    slack, recorder = recorded
    slack.fail_delivery("message", "delay", seconds=90)
    await say(slack, "one", "two")
    assert recorder.texts() == ["two", "one"]
    assert recorder.came[1][0] - recorder.came[0][0] == pytest.approx(90)


async def test_a_reordered_event_lets_the_next_go_first(
    recorded: tuple[LocalSlack, Recorder],
) -> None:
    """However long that takes."""
    slack, recorder = recorded
    slack.fail_delivery("message", "reorder", times=2)
    await say(slack, "one", "two")
    assert recorder.came == []
    await say(slack, "three", "four")
    assert recorder.texts() == ["three", "one", "two", "four"]


async def test_a_lost_event_never_comes(recorded: tuple[LocalSlack, Recorder]) -> None:
    """And is not sent again."""
    slack, recorder = recorded
    slack.fail_delivery("message", "lose")
    await say(slack, "one", "two")
    assert recorder.texts() == ["two"]


async def test_a_lost_acknowledgement_brings_the_event_again(
    recorded: tuple[LocalSlack, Recorder],
) -> None:
    """The app took it, Slack does not know: the commonest duplicate."""
    slack, recorder = recorded
    slack.fail_delivery("message", "lose_ack")
    await say(slack, "one")
    assert [(text, attempt) for _, text, attempt in recorder.came] == [("one", 0), ("one", 1)]
    assert [entry.outcome for entry in slack.log.deliveries] == ["timeout", "acked"]
    assert slack.log.deliveries[1].reason == "timeout"


async def test_a_fault_strikes_what_it_names_as_often_as_it_says(
    recorded: tuple[LocalSlack, Recorder],
) -> None:
    """By type, by members of the event, after so many."""
    slack, recorder = recorded
    fault = slack.fail_delivery("message", "lose", times=1, skip=1, match={"channel": "C0GENERAL"})
    slack.user("U0ASKER").post("C0SECRET", "elsewhere")
    await say(slack, "one", "two", "three")
    assert recorder.texts() == ["elsewhere", "one", "three"]
    assert repr(fault) == "<Fault [lose on message: 1 struck, 0 left]>"
    slack.fail_delivery("*", "lose", times=None)
    await say(slack, "four", "five")
    assert recorder.texts() == ["elsewhere", "one", "three"]
    slack.faults.clear()
    await say(slack, "six")
    assert recorder.texts()[-1] == "six"


def test_an_unknown_fault_is_refused(slack: LocalSlack) -> None:
    """A typo must not turn a test of failure into one of success."""
    with pytest.raises(FaultError, match="use one of"):
        slack.fail_delivery("message", "vanish")
    with pytest.raises(FaultError, match="use one of"):
        slack.fail_call("chat.postMessage", "duplicate")


async def test_a_doubled_command_is_answered_once(
    recorded: tuple[LocalSlack, Recorder],
) -> None:
    """The copy's answer goes nowhere: a person sees one."""
    slack, recorder = recorded
    recorder.outcome = Outcome("acked", text="answer")
    slack.fail_delivery("/ask", "duplicate")
    slack.user("U0ASKER").slash("C0GENERAL", "/ask")
    await slack.idle()
    assert recorder.texts() == ["/ask", "/ask"]
    assert [m.text for m in slack.state.ephemerals] == ["answer"]


async def test_delivery_takes_as_long_as_configured(world_config: dict[str, Any]) -> None:
    """The event reaches the app after `delivery.latency` seconds."""
    slack = LocalSlack({**world_config, "delivery": {"latency": 2.0}}, now=virtual_time.now)
    slack.dispatcher.transport = recorder = Recorder()
    await say(slack, "one")
    assert recorder.came[0][0] == pytest.approx(2.0)
