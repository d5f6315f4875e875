"""The journal's rows: in one order that every replica sees, each once."""

from __future__ import annotations

import asyncio

from bot.store.store import Store
from bot.telemetry.interfaces import Line


def lines(*numbers: int, kind: str = "A", at: float = 1.0) -> list[Line]:
    return [Line(number, at, kind, f'{{"n":{number}}}') for number in numbers]


async def test_a_batch_written_again_is_stored_once(store: Store) -> None:
    """A batch is repeated when its reply was lost; money would count twice."""
    await store.journal.append("s", lines(1, 2))
    await store.journal.append("s", lines(1, 2, 3))
    assert [e.number for e in await store.journal.read()] == [1, 2, 3]


async def test_a_reader_that_tails_misses_nothing_that_others_write_meanwhile(
    store: Store, other: Store
) -> None:
    """Sequence numbers must become visible in their order, or a tailing reader skips some."""
    seen: list[tuple[str, int]] = []
    done = False

    async def tail() -> None:
        after = 0
        while True:
            last = done
            page = await other.journal.read(after, limit=7)
            seen.extend((e.source, e.number) for e in page)
            after = page[-1].seq if page else after
            if last and not page:
                return

    async def write(source: str) -> None:
        for number in range(0, 40, 4):
            await store.journal.append(source, lines(*range(number, number + 4)))

    tailing = asyncio.create_task(tail())
    await asyncio.gather(*(write(f"s{i}") for i in range(4)))
    done = True
    await tailing
    assert sorted(seen) == [(f"s{i}", n) for i in range(4) for n in range(40)]
    assert all([n for s, n in seen if s == f"s{i}"] == list(range(40)) for i in range(4)), (
        "each source's records come in its own order"
    )


async def test_reading_can_leave_out_sources_kinds_and_what_is_older(store: Store) -> None:
    """A report reads five kinds of a month, not every signal of a year."""
    await store.journal.append("a", lines(1, kind="A", at=1.0))
    await store.journal.append("b", lines(1, kind="B", at=2.0))
    await store.journal.append("a", lines(2, kind="B", at=3.0))

    async def read(**wanted: object) -> list[int]:
        return [e.seq for e in await store.journal.read(**wanted)]  # type: ignore[arg-type]

    everything = await read()
    assert await read(kinds=["B"]) == everything[1:]
    assert await read(since=2.0) == everything[1:]
    assert await read(not_from="a") == everything[1:2]
    assert await read(upto=everything[1]) == everything[:2]
    assert await read(after=everything[0], limit=1) == everything[1:2]
    assert await store.journal.last() == everything[-1]


async def test_replay_goes_through_all_pages_up_to_its_beginning(store: Store) -> None:
    """A record written during a replay belongs to the next replay."""
    await store.journal.append("s", lines(*range(1, 4501)))
    seen: list[int] = []
    async for page in store.journal.replay():
        if not seen:
            await store.journal.append("s", lines(4501))
        seen += [e.number for e in page]
    assert seen == list(range(1, 4501))
