"""The shell over the engine: what it sends when, what it reports, how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

import pytest
from forewarm_playground import virtual_time

from bot.context.pack import Change, Match, RepositoryState, Snapshot
from bot.delivery.citations.filter import PAUSE, CheckedText, Checker, Checkers
from bot.delivery.citations.path_index import FileKey, LargeFile, Source
from bot.delivery.delivery import Deliveries, Delivery
from bot.delivery.engine.commands import Append, Start, Stop, Update
from bot.delivery.rate_limit.limiter import RateLimiter
from bot.delivery.slack_api import Target, Task

if TYPE_CHECKING:
    from tests.delivery.conftest import Workspace

TARGET = Target("T1", "C1", "1789999999.000001", "U1", "T1")
RECEIPT = [{"type": "context", "elements": []}]
WEB = "https://github.com/acme/app/blob/{sha}/{path}#L{start}-L{end}"
STATE = RepositoryState("app", "https://github.com/acme/app", "main", "a" * 40, 0, "a" * 40, WEB)


class Files(Snapshot):
    """A snapshot of one file; reading it takes real threads."""

    def repositories(self) -> Sequence[RepositoryState]:
        return [STATE]

    def paths(self, repository: str) -> Sequence[str]:
        return ["src/auth.py"]

    def read(self, repository: str, path: str) -> str | None:
        return "one\ntwo\nthree\n"

    def read_base(self, repository: str, path: str) -> str | None:
        return self.read(repository, path)

    def search(
        self, pattern: str, *, regex: bool, repository: str | None, under: str | None, limit: int
    ) -> Sequence[Match]:
        return []

    def at(self, repository: str, ref: str) -> Files:
        return self

    def history(self, repository: str, path: str, limit: int) -> Sequence[Change]:
        return []


def deliver(workspace: Workspace, **more: Any) -> Delivery:
    loop = asyncio.get_running_loop()
    return Delivery(workspace.calls(TARGET), TARGET, RateLimiter(), loop.time, **more)


def run(main: Coroutine[Any, Any, None]) -> None:
    virtual_time.run(main)


def test_the_first_word_is_under_way_before_the_next_is_there(
    make_workspace: type[Workspace],
) -> None:
    """Feeding returns at once, and the first call leaves within the same turn of the loop."""

    async def main() -> None:
        workspace = make_workspace()
        delivery = deliver(workspace)
        begun = asyncio.get_running_loop().time()
        await delivery.feed("The")
        painted = await delivery.first_painted
        assert painted.at - begun == pytest.approx(workspace.latency)
        assert workspace.log[0][2] == Start("The")
        await delivery.finish(RECEIPT, None)

    run(main())


def test_what_stands_is_what_was_fed_and_the_end_tells_so(make_workspace: type[Workspace]) -> None:
    """The receipt's numbers and the journal's come from here."""

    async def main() -> None:
        workspace = make_workspace()
        noted: list[str] = []

        async def note(ts: str) -> None:
            noted.append(ts)

        delivery = deliver(workspace, noted=note)
        for number in range(200):
            await delivery.feed(f"word{number} ")
            await asyncio.sleep(0.02)
        end = await delivery.finish(RECEIPT, "_Cut short._")
        (shown,) = workspace.thread(TARGET).standing()
        assert shown.text.startswith("word0 word1 ")
        assert shown.text.endswith("word199 \n\n_Cut short._")
        assert shown.blocks == RECEIPT
        assert (end.messages, end.first_ts, end.mode) == ((shown.ts,), shown.ts, "stream")
        assert (end.characters, end.failure) == (sum(len(f"word{n} ") for n in range(200)), None)
        assert noted == [shown.ts]

    run(main())


def test_a_citation_becomes_a_link_though_its_file_is_read_meanwhile(
    make_workspace: type[Workspace],
) -> None:
    """The loop never reads a file itself; the last citation's file is waited for at the end."""

    async def main() -> None:
        workspace = make_workspace()
        delivery = deliver(workspace, check=CheckedText(Checker(Files())))
        await delivery.feed("It is in `src/auth.py:2`")
        assert await delivery.settle() == (1, 0, 0)
        end = await delivery.finish(RECEIPT, None)
        shown = "".join(one.text for one in workspace.thread(TARGET).standing())
        page = f"https://github.com/acme/app/blob/{'a' * 40}/src/auth.py#L2-L2"
        assert shown == f"It is in [`src/auth.py:2`]({page})"
        assert (end.cited, end.corrected, end.struck) == (1, 0, 0)

    run(main())


class Slow(Checker):
    """Takes its time to read a file: a git that starts late, a disk that is asleep."""

    async def source(self, key: FileKey) -> Source | LargeFile:
        await asyncio.sleep(0.4)
        return await super().source(key)


@pytest.mark.parametrize("ends_at_once", [False, True])
def test_a_slow_file_keeps_its_link_and_no_words_for_long(
    ends_at_once: bool, make_workspace: type[Workspace]
) -> None:
    """Text on screen is not altered any more, so a link that comes late is lost."""

    async def main() -> None:
        workspace = make_workspace()
        delivery = deliver(workspace, check=CheckedText(Slow(Files())))
        await delivery.feed("Look here: ")
        await delivery.first_painted
        await delivery.feed("it is in `src/auth.py:2`, as you can see. ")
        if not ends_at_once:
            await asyncio.sleep(1.0)
            (shown,) = workspace.thread(TARGET).standing()
            assert "as you can see" in shown.text
        await delivery.feed("That is all.")
        assert await delivery.settle() == (1, 0, 0)
        await delivery.finish(RECEIPT, None)
        text = "".join(one.text for one in workspace.thread(TARGET).standing())
        assert f"it is in [`src/auth.py:2`](https://github.com/acme/app/blob/{'a' * 40}/" in text
        assert text.endswith("as you can see. That is all.")

    run(main())


class Unreadable(Checker):
    async def source(self, key: FileKey) -> Source | LargeFile:
        raise OSError(5, "Input/output error")


def test_a_file_that_cannot_be_read_holds_nothing_up(make_workspace: type[Workspace]) -> None:
    """Its citations are plain text at once, however many there are."""

    async def main() -> None:
        workspace = make_workspace()
        delivery = deliver(workspace, check=CheckedText(Unreadable(Files())))
        await delivery.feed("Look here: ")
        await delivery.first_painted
        begun = asyncio.get_running_loop().time()
        await delivery.feed("`src/auth.py:2`, `src/auth.py:3`, and `src/auth.py:1` too.")
        assert await delivery.settle() == (0, 0, 3)
        assert asyncio.get_running_loop().time() == begun
        await delivery.finish(RECEIPT, None)

    run(main())


def test_a_held_tail_leaves_when_its_time_is_up(make_workspace: type[Workspace]) -> None:
    """A model that pauses within a path keeps the words before it back only so long."""

    async def main() -> None:
        workspace = make_workspace()
        delivery = deliver(workspace, check=CheckedText(Checker(Files())))
        begun = asyncio.get_running_loop().time()
        await delivery.feed("`src/auth.py:")
        painted = await delivery.first_painted
        assert painted.at - begun <= PAUSE + workspace.latency + 0.001
        await delivery.finish(RECEIPT, None)

    run(main())


def test_a_stop_in_slack_ends_the_model_call(
    make_workspace: type[Workspace],
) -> None:
    """The model call ends when `stopped` is set; what was said stays, with its receipt."""

    async def main() -> None:
        workspace = make_workspace()
        workspace.faults.extend(["fine", "user_stop"])
        delivery = deliver(workspace)
        await delivery.feed("Hello ")
        await delivery.first_painted
        await delivery.feed("world")
        await delivery.stopped.wait()
        assert delivery.stopped_by_user
        end = await delivery.finish(RECEIPT, "_Stopped._")
        (shown,) = workspace.thread(TARGET).standing()
        assert end.stopped
        assert shown.text.startswith("Hello ")
        assert shown.text.endswith("_Stopped._")
        assert shown.blocks == RECEIPT

    run(main())


def test_a_stop_by_button_shows_no_further_message(make_workspace: type[Workspace]) -> None:
    """The text so far is kept, and the answer has its end."""

    async def main() -> None:
        workspace = make_workspace()
        delivery = deliver(workspace)
        await delivery.feed("Hello ")
        await delivery.first_painted
        await delivery.stop()
        await delivery.feed("never said")
        await delivery.finish(RECEIPT, "_Stopped._")
        (shown,) = workspace.thread(TARGET).standing()
        assert shown.text == "Hello \n\n_Stopped._"
        assert shown.stream == "completed"

    run(main())


def test_who_abandons_an_answer_learns_what_stands(make_workspace: type[Workspace]) -> None:
    """The next attempt replaces it in place, even while its first call is still under way."""

    async def main() -> None:
        workspace = make_workspace()
        delivery = deliver(workspace)
        await delivery.feed("Hello ")
        await asyncio.sleep(workspace.latency / 4)
        standing = await delivery.abandon()
        (shown,) = workspace.thread(TARGET).standing()
        assert list(standing) == [shown.ts]
        anew = deliver(workspace, replaces=standing)
        await anew.feed("Another answer")
        await anew.finish(RECEIPT, None)
        (shown,) = workspace.thread(TARGET).standing()
        assert (shown.ts, shown.text) == (standing[0], "Another answer")
        assert shown.stream == "completed"

    run(main())


def test_an_abandoned_answer_whose_start_is_in_doubt_is_looked_for(
    make_workspace: type[Workspace],
) -> None:
    """An unknown message would stay beside the next attempt for ever."""

    async def main() -> None:
        workspace = make_workspace()
        workspace.faults.append("lost_after")
        delivery = deliver(workspace)
        await delivery.feed("Hello ")
        await asyncio.sleep(workspace.latency / 4)
        standing = await delivery.abandon()
        assert [one.ts for one in workspace.thread(TARGET).standing()] == list(standing)

    run(main())


def test_a_rate_limit_is_waited_out_and_remembered(make_workspace: type[Workspace]) -> None:
    """The pacer hears of a 429, and the text comes after it, once."""

    async def main() -> None:
        workspace = make_workspace()
        workspace.faults.extend(["fine", "rate_limited"])
        delivery = deliver(workspace)
        await delivery.feed("Hello ")
        await delivery.first_painted
        await delivery.feed("big new world")
        await asyncio.sleep(5.0)
        await delivery.finish(RECEIPT, None)
        (shown,) = workspace.thread(TARGET).standing()
        assert shown.text == "Hello big new world"
        appends = [at for at, _, call in workspace.log if isinstance(call, Append)]
        assert appends[1] - appends[0] >= 2.0

    run(main())


def test_tasks_go_out_with_the_stream_and_first_words_right_behind(
    make_workspace: type[Workspace],
) -> None:
    """A task is no paint; words that follow it wait for nothing."""

    async def main() -> None:
        workspace = make_workspace()
        delivery = deliver(workspace)
        await delivery.task(Task("t1", "search", "in_progress"))
        await asyncio.sleep(0.3)
        assert not delivery.first_painted.done()
        begun = asyncio.get_running_loop().time()
        await delivery.task(Task("t1", "search", "complete"))
        await delivery.feed("Found it")
        painted = await delivery.first_painted
        assert painted.at - begun <= 2 * workspace.latency + 0.01
        await delivery.finish(RECEIPT, None)
        (shown,) = workspace.thread(TARGET).standing()
        assert shown.tasks == {"t1": "complete"}

    run(main())


def test_an_answer_without_words_paints_nothing(make_workspace: type[Workspace]) -> None:
    """A caller that waits for the first words must not wait for ever."""

    async def main() -> None:
        workspace = make_workspace()
        delivery = deliver(workspace)
        end = await delivery.finish(RECEIPT, "_I can't help with that._")
        assert delivery.first_painted.cancelled()
        assert end.first_ts is None
        (shown,) = workspace.thread(TARGET).standing()
        assert shown.text == "_I can't help with that._"

    run(main())


def test_the_last_stop_ends_the_session_and_a_roll_does_not(
    make_workspace: type[Workspace],
) -> None:
    """Under agent_view a session stays "processing" until it is told otherwise."""

    async def main() -> None:
        workspace = make_workspace()
        delivery = deliver(workspace)
        await delivery.feed("First words. ")
        await delivery.first_painted
        for _ in range(30):
            await delivery.feed("A paragraph of some length. " * 20 + "\n\n")
            await asyncio.sleep(0.5)
        await delivery.finish(RECEIPT, None)
        stops = [call for _, _, call in workspace.log if isinstance(call, Stop)]
        assert [stop.final for stop in stops] == [False] * (len(stops) - 1) + [True]
        assert len(stops) >= 2
        assert not any(isinstance(call, Update) for _, _, call in workspace.log)

    run(main())


def test_two_hundred_answers_at_once_keep_every_byte(make_workspace: type[Workspace]) -> None:
    """The pacer is given room, so that the shell itself is what is tried."""

    async def main() -> None:
        workspace = make_workspace(limited=False)
        targets = [Target("T1", f"C{n}", f"{n}.0", "U1", "T1") for n in range(200)]
        loop, pacer = asyncio.get_running_loop(), RateLimiter()

        async def answer(target: Target) -> None:
            calls = workspace.calls(target)
            delivery = Delivery(calls, target, pacer, loop.time)
            for word in range(100):
                await delivery.feed(f"w{word} ")
                await asyncio.sleep(0.02)
            await delivery.finish(RECEIPT, None)

        await asyncio.gather(*(answer(target) for target in targets))
        whole = "".join(f"w{word} " for word in range(100)).split()
        for target in targets:
            shown = "".join(one.text for one in workspace.thread(target).standing())
            assert shown.split() == whole

    run(main())


def test_the_link_hosts_of_a_context_hold_for_its_answers_alone(
    make_workspace: type[Workspace],
) -> None:
    """The setting names hosts besides the repositories; another context has not allowed them."""

    async def main() -> None:
        files, checkers, shown = Files(), Checkers(), []
        for hosts in ((), ("wiki.acme.com",)):
            workspace = make_workspace()
            loop = asyncio.get_running_loop()
            begin = Deliveries(workspace.calls(TARGET), RateLimiter(), loop.time, checkers)

            async def noted(ts: str) -> None: ...

            delivery = begin(TARGET, files, (), noted, (), hosts)
            await delivery.feed("See [the page](https://wiki.acme.com/x).")
            await delivery.finish(RECEIPT, None)
            shown += [one.text for one in workspace.thread(TARGET).standing()]
        assert shown == [
            "See the page (`https://wiki.acme.com/x`).",
            "See [the page](https://wiki.acme.com/x).",
        ]

    run(main())


def test_a_server_without_streams_is_asked_for_one_once(make_workspace: type[Workspace]) -> None:
    """Each answer lost half a second to a call that no emulator knows."""

    async def main() -> None:
        workspace, limiter = make_workspace(), RateLimiter()
        loop = asyncio.get_running_loop()
        workspace.faults.append("no_streams")
        for number in range(3):
            target = Target("T1", "C1", f"178999999{number}.000001", "U1", "T1")
            delivery = Delivery(workspace.calls(target), target, limiter, loop.time)
            await delivery.feed(f"Answer {number}.")
            await delivery.first_painted
            delivered = await delivery.finish(RECEIPT, None)
            assert delivered.failure is None
            await asyncio.sleep(3.0)
        calls = [call for _, _, call in workspace.log]
        assert [call for call in calls if isinstance(call, Start)] == [Start("Answer 0.")]
        assert len({thread for _, thread, _ in workspace.log}) == 3

    run(main())
