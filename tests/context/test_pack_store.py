"""State: whole or not at all, and replaced only by who has seen the last one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from bot.context.pack_store import DirectoryState, MemoryState, PackState


@pytest.fixture(params=["memory", "directory"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> PackState:
    return MemoryState() if request.param == "memory" else DirectoryState(tmp_path / "state")


async def test_what_is_saved_is_loaded(state: PackState) -> None:
    """The bytes that were sent must come back as they were."""
    assert await state.load("a.b-c_1") is None
    await state.save("a.b-c_1", b"\0\xff")
    assert await state.load("a.b-c_1") == b"\0\xff"
    await state.delete("a.b-c_1")
    await state.delete("a.b-c_1")
    assert await state.load("a.b-c_1") is None


async def test_a_swap_needs_the_last_value(state: PackState) -> None:
    """Of two replicas that decide at once, one must notice."""
    assert await state.swap("k", None, b"1")
    assert not await state.swap("k", None, b"2")
    assert not await state.swap("k", b"0", b"2")
    assert await state.swap("k", b"1", b"2")
    assert await state.load("k") == b"2"


async def test_one_of_many_swaps_wins(state: PackState) -> None:
    """Exactly one, however many try."""
    won = await asyncio.gather(*(state.swap("k", None, b"%d" % n) for n in range(20)))
    assert won.count(True) == 1
    assert await state.load("k") == b"%d" % won.index(True)


async def test_processes_that_swap_do_not_lose_one(tmp_path: Path) -> None:
    """Two replicas on one machine share the folder."""
    code = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from bot.context.pack_store import DirectoryState\n"
        "async def main():\n"
        "    state = DirectoryState(Path(sys.argv[1]))\n"
        "    for _ in range(40):\n"
        "        while True:\n"
        "            old = await state.load('n')\n"
        "            if await state.swap('n', old, b'%d' % (int(old or 0) + 1)): break\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    others = [subprocess.Popen(command) for _ in range(2)]
    assert [other.wait() for other in others] == [0, 0]
    assert await DirectoryState(tmp_path).load("n") == b"80"


@pytest.mark.parametrize("key", ["", "../x", "a/b", ".hidden", "a\0", "x" * 300])
async def test_a_key_cannot_leave_the_folder(tmp_path: Path, key: str) -> None:
    """A context's name becomes part of a key."""
    with pytest.raises(ValueError, match="not a key"):
        await DirectoryState(tmp_path).save(key, b"")
