"""The life of a context: synced, packed, pushed to, restarted, shared, cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.context.codebase import Codebase
from bot.context.config.load import parse_context
from bot.context.errors import RefMissingError
from bot.context.git.clone import Sources
from bot.context.pack import Pack
from bot.context.pack_builder import Experience
from bot.context.pack_store import DirectoryState, MemoryState, PackState
from bot.context.sizing import Speed

if TYPE_CHECKING:
    from tests.context.conftest import Bench, Repo

SOURCE = b"".join(b"def function_%d() -> int: return %d\n" % (n, n) for n in range(120))


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Room:
    """One context over the repositories, with a clock that stands still."""

    def __init__(self, home: Path, repos: list[Repo], **settings: Any) -> None:
        self.home = home
        self.repos = repos
        self.settings = {"budget_tokens": 400_000, **settings}
        self.clock = Clock()

    def codebase(
        self, state: PackState | None = None, home: Path | None = None, **options: Any
    ) -> Codebase:
        data = {
            "channels": ["C1"],
            "repositories": [{"url": str(repo.path), "ref": "main"} for repo in self.repos],
            **self.settings,
        }
        return Codebase(
            parse_context("room", data, file="room"),
            home or self.home,
            now=self.clock,
            state=state,
            sources=Sources(local=(self.repos[0].path.parent,)),
            **options,
        )


Rooms = Callable[..., Room]


@pytest.fixture
def rooms(tmp_path: Path) -> Rooms:
    def make(*repos: Repo, **settings: Any) -> Room:
        return Room(tmp_path / "home", list(repos), **settings)

    return make


async def _synced(codebase: Codebase) -> Pack:
    await codebase.sync()
    return await codebase.pack()


async def test_a_push_appends_one_block_and_keeps_what_stands(repo: Repo, rooms: Rooms) -> None:
    """The cache lives as long as the blocks before the end stay byte for byte."""
    repo.commit({"a.py": SOURCE, "b.py": SOURCE})
    codebase = rooms(repo).codebase()
    first = await _synced(codebase)
    repo.commit({"a.py": SOURCE.replace(b"return 7\n", b"return 77\n")})
    assert await codebase.sync()
    second = await codebase.pack()
    assert second.blocks[: len(first.blocks)] == first.blocks
    assert [block.kind for block in second.blocks] == ["base", "overlay"]
    assert second.repositories[0].commit == repo.head
    assert second.repositories[0].base_commit == first.repositories[0].commit
    assert not await codebase.sync()
    assert (await codebase.pack()).fingerprint == second.fingerprint


async def test_base_and_overlays_read_to_the_head(bench: Bench, repo: Repo, rooms: Rooms) -> None:
    """The law of the room, through clone, state and all."""
    repo.commit({"a.py": SOURCE, "b.py": SOURCE})
    codebase = rooms(repo).codebase()
    for number in range(25):
        text = SOURCE.replace(b"return 7\n", b"return 7%d\n" % number)
        repo.commit({"a.py": text, f"new/{number}.py": b"x = %d\n" % number})
        if number % 5 == 4:
            repo.commit({f"new/{number - 1}.py": None})
        pack = await _synced(codebase)
        reader = bench.reader()
        for block in pack.blocks:
            reader.read(block.text.encode())
        assert reader.files == bench.shown(repo, bench.look(repo))


async def test_after_a_restart_the_prefix_is_the_same(
    repo: Repo, rooms: Rooms, tmp_path: Path
) -> None:
    """A deploy must not cost every context a write."""
    repo.commit({"a.py": SOURCE, "b.py": SOURCE})
    room = rooms(repo)
    codebase = room.codebase(DirectoryState(tmp_path / "state"))
    await _synced(codebase)
    for number in range(3):
        repo.commit({"a.py": SOURCE + b"x = %d\n" % number})
        last = await _synced(codebase)
    again = await _synced(room.codebase(DirectoryState(tmp_path / "state")))
    assert again.blocks == last.blocks
    assert again.fingerprint == last.fingerprint
    repo.commit({"a.py": SOURCE + b"y = 1\n"})
    assert (await _synced(room.codebase(DirectoryState(tmp_path / "state")))).blocks[
        : len(last.blocks)
    ] == last.blocks


async def test_replicas_that_share_a_state_send_the_same_bytes(
    repo: Repo, rooms: Rooms, tmp_path: Path
) -> None:
    """Two machines with two clones, pushed to between their syncs, must not split the cache."""
    repo.commit({"a.py": SOURCE})
    room, state = rooms(repo), MemoryState()
    one = room.codebase(state, tmp_path / "one")
    other = room.codebase(state, tmp_path / "other")
    await asyncio.gather(_synced(one), _synced(other))
    repo.commit({"a.py": SOURCE + b"x = 1\n"})
    await _synced(one)
    repo.commit({"a.py": SOURCE + b"x = 2\n"})
    await asyncio.gather(_synced(one), _synced(other))
    packs = [await _synced(one), await _synced(other)]
    assert packs[0].fingerprint == packs[1].fingerprint


async def test_a_replica_that_lags_behind_does_not_turn_the_prefix_back(
    repo: Repo, rooms: Rooms, tmp_path: Path
) -> None:
    """One replica's older head must not be told as a push, only to be taken back by the other."""
    repo.commit({"a.py": SOURCE})
    room, state = rooms(repo), MemoryState()
    ahead = room.codebase(state, tmp_path / "one")
    behind = room.codebase(state, tmp_path / "other")
    await _synced(ahead)
    await _synced(behind)
    repo.commit({"a.py": SOURCE + b"x = 1\n"})
    latest = await _synced(ahead)
    assert (await behind.pack()).fingerprint == latest.fingerprint
    assert (await ahead.pack()).fingerprint == latest.fingerprint
    repo.commit({"a.py": SOURCE + b"x = 2\n"})
    await _synced(ahead)
    late = await _synced(room.codebase(state, tmp_path / "third"))
    assert late.fingerprint == (await ahead.pack()).fingerprint
    assert late.repositories[0].commit == repo.head


async def test_changed_settings_void_what_was_kept(repo: Repo, rooms: Rooms) -> None:
    """A file that was excluded this morning must not stand in an old base."""
    repo.commit({"a.py": SOURCE, "b.py": SOURCE})
    state = MemoryState()
    await _synced(rooms(repo).codebase(state))
    narrowed = rooms(
        repo, repositories=[{"url": str(repo.path), "ref": "main", "exclude": ["b.py"]}]
    )
    pack = await _synced(narrowed.codebase(state))
    assert pack.files == 1
    assert "b.py" not in pack.blocks[0].text


async def test_damaged_state_is_built_anew(repo: Repo, rooms: Rooms, tmp_path: Path) -> None:
    """A disk that forgot half of it must cost a write, not an outage."""
    repo.commit({"a.py": SOURCE})
    room, folder = rooms(repo), tmp_path / "state"
    pack = await _synced(room.codebase(DirectoryState(folder)))
    for file in folder.iterdir():
        if "manifest" not in file.name:
            file.write_bytes(b"garbage")
    again = await _synced(room.codebase(DirectoryState(folder)))
    assert again.fingerprint == pack.fingerprint


async def test_a_cold_cache_renews_the_base(repo: Repo, rooms: Rooms) -> None:
    """When everything is written anew anyway, it is written without its history."""
    repo.commit({"a.py": SOURCE})
    codebase = rooms(repo).codebase()
    await _synced(codebase)
    repo.commit({"a.py": SOURCE + b"x = 1\n"})
    await codebase.sync()
    pack = await codebase.pack(cold=True)
    assert [block.kind for block in pack.blocks] == ["base"]
    assert pack.repositories[0].base_commit == repo.head
    assert codebase.decision is not None
    assert "cold" in codebase.decision.reason


async def test_all_bases_come_before_all_overlays(bench: Bench, rooms: Rooms) -> None:
    """An overlay between two bases would throw the second base away at each push."""
    one, two = bench.repo("one"), bench.repo("two")
    one.commit({"a.py": SOURCE})
    two.commit({"b.py": SOURCE})
    codebase = rooms(one, two).codebase()
    first = await _synced(codebase)
    for number in range(2):
        one.commit({"a.py": SOURCE + b"x = %d\n" % number})
        await _synced(codebase)
        two.commit({"b.py": SOURCE + b"x = %d\n" % number})
        pack = await _synced(codebase)
    kinds = [(block.kind, block.repository) for block in pack.blocks]
    assert kinds == [
        ("base", "one"),
        ("base", "two"),
        ("overlay", "one"),
        ("overlay", "two"),
        ("overlay", "one"),
        ("overlay", "two"),
    ]
    assert pack.blocks[:2] == first.blocks


async def test_without_the_remote_the_last_good_commit_answers(repo: Repo, rooms: Rooms) -> None:
    """A host that is down must not silence the bot; it says how old its knowledge is."""
    repo.commit({"a.py": SOURCE})
    room = rooms(repo)
    pack = await _synced(room.codebase())
    assert pack.repositories[0].stale_since is None
    moved = repo.path.with_name("away.git")
    repo.path.rename(moved)
    room.clock.now = 5_000.0
    again = room.codebase()
    stale = await _synced(again)
    assert stale.fingerprint == pack.fingerprint
    assert stale.repositories[0].stale_since == 1_000.0
    assert "no git repository" in (stale.repositories[0].stale_reason or "")
    moved.rename(repo.path)
    await again.sync()
    assert (await again.pack()).repositories[0].stale_since is None


async def test_a_deleted_branch_keeps_answering(bench: Bench, repo: Repo, rooms: Rooms) -> None:
    """A branch may be renamed at any time."""
    repo.commit({"a.py": SOURCE})
    codebase = rooms(repo).codebase()
    pack = await _synced(codebase)
    bench.git(repo.path, "update-ref", "-d", "refs/heads/main")
    assert not await codebase.sync()
    stale = await codebase.pack()
    assert stale.fingerprint == pack.fingerprint
    assert "main" in (stale.repositories[0].stale_reason or "")


async def test_rewritten_history_leads_to_the_new_head(
    bench: Bench, repo: Repo, rooms: Rooms
) -> None:
    """A force-push is a push like any other."""
    first = repo.commit({"a.py": SOURCE})
    codebase = rooms(repo).codebase()
    repo.commit({"a.py": SOURCE + b"x = 1\n", "b.py": SOURCE})
    await _synced(codebase)
    repo.reset(first)
    repo.commit({"a.py": SOURCE + b"z = 1\n"})
    pack = await _synced(codebase)
    reader = bench.reader()
    for block in pack.blocks:
        reader.read(block.text.encode())
    assert reader.files == bench.shown(repo, bench.look(repo))


async def test_nothing_to_answer_from_is_an_error(repo: Repo, rooms: Rooms) -> None:
    """A first sync that fails has no last good commit."""
    repo.commit({"a.py": SOURCE})
    missing = rooms(repo, repositories=[{"url": str(repo.path), "ref": "nope"}])
    with pytest.raises(RefMissingError):
        await missing.codebase().sync()


async def test_a_budget_is_kept_through_pushes(repo: Repo, rooms: Rooms) -> None:
    """The budget holds for what is sent, not only for the first base."""
    repo.commit({f"src/m{n}.py": SOURCE for n in range(12)})
    codebase = rooms(repo, budget_tokens=6_000).codebase()
    for number in range(25):
        text = SOURCE.replace(b"return", b"return %d +" % number)
        repo.commit({f"src/m{number % 12}.py": text, f"src/n{number}.py": SOURCE[:900]})
        pack = await _synced(codebase)
        assert pack.tokens <= 6_000
        assert 0 < pack.files < 13 + number
    assert any("over the budget" in omission.reason for omission in pack.omitted)


async def test_counts_correct_the_estimate_and_the_budget_holds_by_the_servers_count(
    repo: Repo, rooms: Rooms
) -> None:
    """With any tokenizer, the server's own figure must stay under the budget."""
    repo.commit({f"src/m{n}.py": SOURCE + b"# %d\n" % n for n in range(12)})
    calls: list[int] = []

    def counter(bytes_a_token: float) -> Callable[[str], Any]:
        async def count(text: str) -> int | None:
            calls.append(len(text))
            return round(len(text.encode()) / bytes_a_token)

        return count

    for ratio in (1.7, 2.6, 4.4):
        calls.clear()
        count = counter(ratio)
        codebase = rooms(repo, budget_tokens=8_000).codebase(count=count)
        pack = await _synced(codebase)
        assert len(calls) <= 20
        actual = await count("".join(block.text for block in pack.blocks))
        assert actual is not None
        assert abs(pack.tokens - actual) <= 0.02 * actual
        assert 8_000 * 0.6 < actual <= 8_000


async def test_the_budget_holds_through_pushes_by_the_servers_count(
    repo: Repo, rooms: Rooms
) -> None:
    """An update makes more tokens a byte than the files that the estimate was set right by."""
    repo.commit({f"src/m{n}.py": SOURCE + b"# %d\n" % n for n in range(12)})

    async def count(text: str) -> int | None:
        signs = sum(line[:1] in {"+", "-"} for line in text.split("\n"))
        return len(text) // 3 + 12 * signs

    codebase = rooms(repo, budget_tokens=8_000).codebase(count=count)
    await _synced(codebase)
    acts: set[str] = set()
    for number in range(60):
        changed = b"".join(b"x%d = %d\n" % (line, number) for line in range(40))
        repo.commit({f"src/m{number % 3}.py": SOURCE + changed, f"src/n{number}.py": changed})
        pack = await _synced(codebase)
        assert codebase.decision is not None
        acts.add(codebase.decision.act)
        actual = [await count(block.text) for block in pack.blocks]
        assert [block.tokens for block in pack.blocks] == actual
        assert pack.tokens <= 8_000
    assert {"append", "rebuild"} <= acts


async def test_a_base_that_is_renewed_alone_is_counted_alone(bench: Bench, rooms: Rooms) -> None:
    """The text before it stays as it was, its ledger too."""
    one, two = bench.repo("one"), bench.repo("two")
    one.commit({"a.py": SOURCE})
    two.commit({f"m{n}.py": SOURCE for n in range(4)})

    async def count(text: str) -> int | None:
        return len(text) // 3

    codebase = rooms(one, two).codebase(count=count)
    await _synced(codebase)
    one.commit({"new.py": SOURCE})
    await _synced(codebase)
    before = codebase.assembly.members[0].part
    assert before.fresh > before.base
    for number in range(60):
        two.commit({f"m{number % 4}.py": SOURCE.replace(b"return", b"return %d +" % number)})
        pack = await _synced(codebase)
        assert codebase.decision is not None
        if codebase.decision.act == "rebuild":
            break
    assert codebase.decision is not None
    assert (codebase.decision.act, codebase.decision.start) == ("rebuild", 1)
    assert [block.tokens for block in pack.blocks] == [len(b.text) // 3 for b in pack.blocks]
    after = codebase.assembly.members[0].part
    assert (after.base, after.overlays, after.fresh) == (
        before.base,
        before.overlays,
        before.fresh,
    )


async def test_a_server_that_cannot_count_leaves_the_estimate(repo: Repo, rooms: Rooms) -> None:
    """Not every endpoint knows count_tokens."""
    repo.commit({"a.py": SOURCE})

    async def cannot(text: str) -> int | None:
        return None

    pack = await _synced(rooms(repo).codebase(count=cannot))
    assert pack.tokens > 0


async def test_where_nothing_counts_the_first_reply_corrects_what_is_estimated_next(
    repo: Repo, rooms: Rooms, tmp_path: Path
) -> None:
    """Once, for it was estimated once; and a restart keeps what was learned."""
    repo.commit({"a.py": SOURCE})
    room, home = rooms(repo), tmp_path / "state"
    codebase = room.codebase(DirectoryState(home))
    guessed = (await _synced(codebase)).tokens
    for _ in range(3):
        codebase.learn(guessed, 2 * guessed)
    repo.commit({"b.py": SOURCE})
    await _synced(codebase)
    renewed = await room.codebase(DirectoryState(home)).pack(cold=True)
    # Two files of the same bytes, each of which takes twice what was guessed of the first.
    assert 3.6 * guessed < renewed.tokens < 4.4 * guessed


async def test_masked_and_omitted_files_are_named(repo: Repo, rooms: Rooms) -> None:
    """The receipt and the preview say what the model did not see."""
    repo.commit({"a.py": b'password = "hunter2horse"\n', "b.png": b"\0", ".env": b"X=1"})
    pack = await _synced(rooms(repo).codebase())
    reasons = {omission.path: omission.reason for omission in pack.omitted}
    assert reasons == {
        "a.py": "shown, 1 value masked: password",
        "b.png": "binary",
        ".env": "credentials",
    }


async def test_reprs_tell_the_truth(repo: Repo, rooms: Rooms) -> None:
    """A log line tells enough about the state of a context."""
    repo.commit({"a.py": SOURCE})
    codebase = rooms(repo).codebase()
    assert repr(codebase) == "<Codebase room: not packed>"
    await _synced(codebase)
    assert f"repo@{repo.head[:7]}" in repr(codebase)


async def test_files_that_answers_used_come_first_in_the_next_base(
    repo: Repo, rooms: Rooms
) -> None:
    """A base that stands is not rebuilt for it: that would cost a cold write."""
    repo.commit({f"src/m{n}.py": SOURCE for n in range(40)})
    uses: dict[str, dict[str, float]] = {}

    async def read() -> Experience:
        return Experience(uses, Speed())

    room, state = rooms(repo, budget_tokens=40_000), MemoryState()
    codebase = room.codebase(state, experience=read)
    first = await _synced(codebase)
    hidden = sorted(one.path for one in first.omitted)[-1]
    assert first.learned == ""
    uses[first.repositories[0].name] = {hidden: 1.0, "gone.py": 5.0}
    again = await _synced(codebase)
    assert again.fingerprint == first.fingerprint
    assert "0 files that they cited or read came first when the base was built" in again.learned
    assert "the next base puts 1 first" in again.learned
    anew = await _synced(room.codebase(MemoryState(), experience=read))
    assert hidden not in {one.path for one in anew.omitted}
    assert "1 file that they cited or read came first" in anew.learned


async def test_a_slower_measured_prefill_changes_the_size_of_the_next_base(
    repo: Repo, rooms: Rooms
) -> None:
    repo.commit({f"src/m{n}.py": SOURCE * 10 for n in range(60)})
    speed = Speed()

    async def read() -> Experience:
        return Experience({}, speed)

    room = rooms(repo, budget_tokens="auto")
    guessed = room.codebase(MemoryState(), experience=read)
    await _synced(guessed)
    # Three times as slow, as if 40 requests had told so.
    speed = Speed(0.5, 0.4e-3, 0.03e-3, requests=40)
    measured = room.codebase(MemoryState(), experience=read)
    pack = await _synced(measured)
    before, after = guessed.size, measured.size
    assert before is not None
    assert after is not None
    assert after.budget_tokens < before.budget_tokens
    assert after.excerpt_tokens < before.excerpt_tokens
    assert after.wait <= 2.0
    assert "from 40 requests of its own" in pack.size
    assert "requests of its own" not in before.sentence()
