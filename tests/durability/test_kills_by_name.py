"""Kills in the moment that matters: a service has accepted, and its reply never arrives.

All bots' questions of one test are brought to such moments at once, each in a channel of its own,
and die together: a lease has to run out only once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cluster import CHANNELS, Cluster, cluster
from benchmarks.oracle import judge

if TYPE_CHECKING:
    from benchmarks.fork_server import ForkServer
    from benchmarks.oracle import Exam
    from tests.durability.conftest import Asker

SLACK = {"delivery": {"retry_scale": 0.05}}
STREAMED = ("chat.startStream", "chat.appendStream", "chat.stopStream")
WHOLE = ("chat.postMessage", "chat.update")
Reached = Callable[[], Awaitable[object]]


async def begun(around: Cluster) -> None:
    (replica,) = around.replicas
    await around.start(replica)
    await around.ready(replica)


async def killed_and_reborn(around: Cluster) -> None:
    (replica,) = around.replicas
    await around.kill(replica)
    around.slack.faults.clear()
    await around.start(replica)


def held_calls(around: Cluster, asking: Asker) -> dict[str, tuple[Exam, Reached]]:
    """Ask one question for each method; its call is accepted and its reply held.

    In the channels of the last two methods an answer cannot stream.
    """
    moments: dict[str, tuple[Exam, Reached]] = {}
    for channel, method in zip(CHANNELS, STREAMED + WHOLE, strict=False):
        here = {"channel": channel}
        if method in WHOLE:
            around.slack.fail_call(
                "chat.startStream", "error", times=None, match=here, code="user_not_found"
            )
        held = around.slack.fail_call(method, "hold_after", match=here)
        moments[method] = (asking.ask(400, channel=channel), held.reached)
    return moments


def held_model(around: Cluster, asking: Asker, channel: str) -> tuple[Exam, Reached]:
    """Ask a question whose request the model accepts without ever saying a word."""
    exam = asking.ask(channel=channel)
    begins = f"exam {exam.number}: "
    around.claude.fault("stall", match=begins, after=0, seconds=None)

    async def reached() -> None:
        while not any(begins in str(r.body) for r in around.claude.requests):
            await asyncio.sleep(0.02)

    return exam, reached


def unacknowledged(around: Cluster, asking: Asker, channel: str) -> tuple[Exam, Reached]:
    """Ask a question that is recorded, and whose acknowledgement never reaches Slack."""
    here = {"channel": channel}
    for name in ("app_mention", "message"):
        around.slack.fail_delivery(name, "lose_ack", match=here)
    exam = asking.ask(200, channel=channel)

    async def reached() -> None:
        while not any(one.id.endswith(exam.ts) for one in await around.unfinished()):
            await asyncio.sleep(0.02)

    return exam, reached


async def test_a_kill_between_acceptance_and_reply_leaves_one_answer_each(
    tmp_path: Path, asker: type[Asker], server: str | None, fork_server: ForkServer
) -> None:
    """The words that Slack took were not noted: the next replica finds them in the thread."""
    async with cluster(tmp_path, server=server, fork_server=fork_server, slack=SLACK) as around:
        await begun(around)
        asking = asker(around)
        moments = held_calls(around, asking)
        moments["model"] = held_model(around, asking, CHANNELS[5])
        moments["acknowledgement"] = unacknowledged(around, asking, CHANNELS[6])
        async with asyncio.timeout(30):
            await asyncio.gather(*(reached() for _, reached in moments.values()))
        await killed_and_reborn(around)
        for exam, _ in moments.values():
            await asking.finished(exam)
        assert {name: asking.verdict(exam) for name, (exam, _) in moments.items()} == dict.fromkeys(
            moments, "answered"
        )


async def test_a_thread_that_cannot_be_read_is_asked_for_again_before_anything_is_said(
    tmp_path: Path, asker: type[Asker], fork_server: ForkServer
) -> None:
    """An answer that is given without having looked stands beside the one that was not noted."""
    async with cluster(tmp_path, fork_server=fork_server, slack=SLACK) as around:
        (replica,) = around.replicas
        await begun(around)
        asking = asker(around)
        held = around.slack.fail_call("chat.startStream", "hold_after")
        exam = asking.ask(100)
        await asyncio.wait_for(held.reached(), 30)
        await around.kill(replica)
        around.slack.faults.clear()
        around.slack.fail_call("conversations.replies", "http_error", times=2)
        await around.start(replica)
        await asking.finished(exam)
        assert len(replica.logged("orphans_not_looked_for")) == 2
        assert len(around.slack.bot_messages(exam.channel, exam.thread)) == 1


async def test_a_kill_after_the_database_committed_and_before_its_reply(
    tmp_path: Path, asker: type[Asker], postgres_server: str, fork_server: ForkServer
) -> None:
    """The bot dies not knowing whether its write was done; the next replica sees that it was."""
    async with cluster(
        tmp_path, server=postgres_server, fork_server=fork_server, slack=SLACK
    ) as around:
        await begun(around)
        assert around.wire is not None
        asking = asker(around)
        around.wire.hold_after(b"messages")
        exam = asking.ask(200)
        await asyncio.wait_for(around.wire.held.wait(), 30)
        await asyncio.sleep(0.1)
        around.wire.cut()
        (replica,) = around.replicas
        await around.kill(replica)
        around.wire.release()
        await around.start(replica)
        await asking.finished(exam)


async def test_a_kill_after_slack_accepted_the_message_that_shows_a_modals_question(
    tmp_path: Path, asker: type[Asker], server: str | None, fork_server: ForkServer
) -> None:
    """A question from a modal is posted first: once, and answered in the thread of that post."""
    async with cluster(tmp_path, server=server, fork_server=fork_server, slack=SLACK) as around:
        await begun(around)
        channel = CHANNELS[0]
        held = around.slack.fail_call("chat.postMessage", "hold_after", match={"channel": channel})
        exam = await asker(around).ask_in_modal(channel)
        await asyncio.wait_for(held.reached(), 30)
        await killed_and_reborn(around)
        async with asyncio.timeout(60):
            while not await around.rows("SELECT 1 FROM questions WHERE finished_at IS NOT NULL"):
                await asyncio.sleep(0.1)
        (post,) = (m for m in around.slack.bot_messages(channel) if not m.is_reply)
        answer = around.slack.bot_messages(channel, post.ts)[1:]
        assert judge(exam, answer) == "answered"
