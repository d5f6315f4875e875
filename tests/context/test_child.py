"""Work on a stranger's repository runs in a child with limits, and costs the parent nothing."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.context.child import ChildSession, Limits, in_children, in_threads
from bot.context.errors import GitFailedError, LimitError, TooLargeError
from bot.context.files.blob_cache import FactsCache
from bot.context.files.select import Rules
from bot.context.pack_builder import Assembler, Source
from bot.context.pack_store import MemoryState
from bot.context.packer import Packer

if TYPE_CHECKING:
    from tests.context.conftest import Bench, Repo

QUICK = Limits(memory_bytes=400_000_000, processor_seconds=5, seconds=60.0)


@pytest.fixture
async def session() -> AsyncIterator[ChildSession]:
    made = ChildSession("x", QUICK)
    yield made
    await made.close()


async def test_a_call_returns_what_the_function_returns(session: ChildSession) -> None:
    """One child serves several calls."""
    assert await session.run(sum, [1, 2, 3]) == 6
    first = await session.run(os.getpid)
    assert first == await session.run(os.getpid) != os.getpid()


async def test_a_large_result_arrives_whole(session: ChildSession) -> None:
    """It is taken apart by another reader, so that the event loop goes on."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.ensure_future(tick())
    result: list[int] = await session.run(list, range(2_000_000))
    ticking.cancel()
    assert result == list(range(2_000_000))
    assert ticks > 5


def _raise() -> None:
    raise GitFailedError("x", "reading", "no reason")


def _raise_too_large() -> None:
    raise TooLargeError("x", "files", "7", "have fewer")


def _burn() -> None:
    while True:
        pass


def _eat() -> int:
    return len([bytes(10_000_000) for _ in range(1_000)])


def _sleep() -> None:
    time.sleep(600)


def _print() -> str:
    print("between the frames")  # noqa: T201
    sys.stdout.flush()
    os.write(1, b"and below")
    return "whole"


def _large() -> bytes:
    return bytes(5_000_000)


async def _never(length: int) -> bytes:
    await asyncio.Event().wait()
    return bytes(length)


def _environment() -> dict[str, str]:
    return dict(os.environ)


async def test_an_error_keeps_its_kind_and_its_facts(session: ChildSession) -> None:
    """The sentence that a person reads is the one that was raised."""
    with pytest.raises(GitFailedError) as caught:
        await session.run(_raise)
    assert caught.value.detail == "no reason"
    assert "git failed while reading x" in caught.value.user_message
    with pytest.raises(TooLargeError):
        await session.run(_raise_too_large)
    assert await session.run(sum, [1]) == 1


async def test_a_bug_is_a_bug(session: ChildSession) -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        await session.run(divmod, 1, 0)


async def test_memory_is_limited(session: ChildSession) -> None:
    """Ten gigabytes are asked for, four hundred megabytes allowed."""
    with pytest.raises(LimitError) as caught:
        await session.run(_eat)
    assert "400 MB of memory" in caught.value.user_message


async def test_processor_time_is_limited() -> None:
    session = ChildSession("x", Limits(processor_seconds=1, seconds=120.0))
    with pytest.raises(LimitError) as caught:
        await session.run(_burn)
    await session.close()
    assert "1 seconds of processor time" in caught.value.user_message


async def test_wall_time_is_limited_and_nothing_is_left() -> None:
    session = ChildSession("x", Limits(seconds=3.0))
    with pytest.raises(LimitError):
        await session.run(_sleep)
    await session.close()
    assert session._process is not None
    assert session._process.returncode is not None


async def test_output_is_limited() -> None:
    session = ChildSession("x", Limits(output_bytes=1_000_000))
    with pytest.raises(LimitError):
        await session.run(_large)
    await session.close()


async def test_a_result_that_was_not_read_does_not_hold_the_end() -> None:
    """More arrived than the reader takes, so it has stopped reading: the end must not wait."""
    session = ChildSession("x", Limits())
    asking = asyncio.ensure_future(session.run(_large))
    while session._process is None:
        await asyncio.sleep(0.01)
    reader: Any = session._process.stdout
    reader.readexactly = _never
    while not reader._paused:
        await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.wait_for(session.close(), 60)


async def test_what_is_printed_does_not_break_the_frames(session: ChildSession) -> None:
    assert await session.run(_print) == "whole"


async def test_the_child_has_no_token(
    session: ChildSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads what strangers wrote."""
    monkeypatch.setenv("FOREWARM_GIT_TOKEN_GITHUB_COM", "s3cret")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "s3cret")
    assert "s3cret" not in (await session.run(_environment)).values()


async def test_a_pack_is_the_same_in_a_child(bench: Bench, repo: Repo, tmp_path: Path) -> None:
    """Push after push, with and without a child, the same bytes are sent."""
    heads = [
        repo.commit({f"src/f{n}.py": b"def f():\n    return %d\n" % n for n in range(40)}),
        repo.commit({"src/f1.py": b"def f():\n    return 100\n", "b.png": b"\0"}),
        repo.commit({"src/f2.py": None, ".gitattributes": b"*.c binary\n"}),
    ]
    made: list[list[str]] = []
    for name, sessions in (("thread", in_threads), ("child", in_children(QUICK))):
        cache = FactsCache(tmp_path / f"{name}.json")
        source = Source(Rules("repo"), repo.repository(), cache)
        state = MemoryState()
        packer = Packer("x", "s", [source], None, "claude-sonnet-5-5", state, sessions=sessions)
        texts = []
        for head in heads:
            assembly = await packer.update_to([head])
            texts += [block.text for block in assembly.blocks]
        made.append(texts)
    assert made[0] == made[1]
    assert len(made[0]) > len(heads)


async def test_a_bomb_of_a_few_hundred_bytes_is_refused(bench: Bench, repo: Repo) -> None:
    """Ten trees in each of ten levels name ten thousand millions of files."""
    blob = bench.git(repo.path, "hash-object", "-w", "--stdin", stdin=b"x").decode().strip()
    entries = "".join(f"100644 blob {blob}\tf{n}\n" for n in range(10))
    for _ in range(10):
        tree = bench.git(repo.path, "mktree", stdin=entries.encode()).decode().strip()
        entries = "".join(f"040000 tree {tree}\td{n}\n" for n in range(10))
    commit = bench.git(repo.path, "commit-tree", "-m", "x", tree).decode().strip()
    source = Source(Rules("repo"), repo.repository(), FactsCache(None))
    assembler = Assembler([source], 10_000)
    session = ChildSession("repo", QUICK)
    with pytest.raises(TooLargeError) as caught:
        await session.run(assembler.surveys, [commit], [None])
    assert "200,000 files" in caught.value.user_message
    assert await session.run(sum, [1]) == 1
    await session.close()
