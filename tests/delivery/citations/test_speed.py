"""A right citation is never shown in part: at any speed, in any pieces, beside any text."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest
from forewarm_playground import virtual_time

from bot.context.pack import Change, Match, RepositoryState, Snapshot
from bot.delivery.citations.filter import CheckedText, Checker, CitationFilter
from bot.delivery.citations.links import Hosts
from bot.delivery.citations.path_index import FileKey, LargeFile, PathIndex, Source, source_of
from bot.delivery.delivery import Delivery
from bot.delivery.rate_limit.limiter import RateLimiter
from bot.delivery.slack_api import Target

if TYPE_CHECKING:
    from tests.delivery.conftest import Workspace

WEB = "https://github.com/acme/app/blob/{sha}/{path}#L{start}-L{end}"
STATE = RepositoryState("app", "https://github.com/acme/app", "main", "a" * 40, 0, "a" * 40, WEB)
SPEEDS = (30, 50, 80, 100, 200)
TEXT = "def charge(card):\n    return card\n" + "".join(f"value_{n} = {n}\n" for n in range(3, 60))
LINK = re.compile(r"\]\(https://github\.com/acme/app/blob/")
TARGET = Target("T1", "C1", "1789999999.000001", "U1", "T1")


def thirty(seed: int) -> list[str]:
    """Return thirty right citations of different kinds with paths of 10 to 60 characters."""
    draw = random.Random(seed)
    folders = ("src", "app/(auth)", "My App", "services/payments", "pkg/api/v1", "it's", "a#b")
    cited = []
    for number in range(30):
        path = f"{draw.choice(folders)}/{'module_' * draw.randint(0, 6)}m{number}.py"
        path = ("long/" * 9)[: max(0, 60 - len(path))] + path if number % 5 == 0 else path
        where = draw.choice([":3", ":2-3", ":4,9", "#charge", "#L5-L7", ":12"])
        cited.append(path + where)
    return cited


def answer(seed: int, cited: Sequence[str]) -> str:
    """Return an answer that holds the citations: in backticks, as links, in sentences and lists."""
    draw = random.Random(seed + 1)
    forms = (
        "It is in `{}`.",
        "- `{}`: the card\n",
        "see (`{}`), then",
        "**`{}`**",
        "[here](<{}>) and",
    )
    return " ".join(draw.choice(forms).format(one) for one in cited)


def index_of(cited: Sequence[str]) -> PathIndex:
    return PathIndex([STATE], {"app": [re.split(r":\d|#L|#c", one)[0] for one in cited]})


def pieces(text: str, size: int, seed: int) -> Iterator[str]:
    """Yield a text in tokens of 1 to 7 characters, `size` tokens at a time."""
    draw, at = random.Random(seed), 0
    while at < len(text):
        end = at + sum(draw.randint(1, 7) for _ in range(size))
        yield text[at:end]
        at = end


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("size", [1, 2, 4, 8, 1000])
def test_thirty_right_citations_are_thirty_links(speed: int, size: int) -> None:
    """The files come 20 ms after they are asked for; the clock is the model's own."""
    for seed in range(3):
        cited = thirty(seed)
        index = index_of(cited)
        check = CitationFilter(Hosts([STATE]), index)
        now, shown = 0.0, ""
        due: list[tuple[float, FileKey]] = []
        for piece in pieces(answer(seed, cited), size, seed):
            check.feed(piece, now)
            then = now + size / speed
            while now < then:
                shown += check.settled(now)
                due += [(now + 0.02, key) for key in check.files_to_read()]
                now = min([then, *(at for at, _ in due if at > now), *_limit(check, now)])
                for _, key in [one for one in due if one[0] <= now]:
                    check.supply(key, source_of(key[1], TEXT))
                due = [one for one in due if one[0] > now]
        check.end()
        for _ in range(100):
            shown += check.settled(now)
            for _, key in [*due, *((now, key) for key in check.files_to_read())]:
                check.supply(key, source_of(key[1], TEXT))
            due = []
        shown += check.settled(now, final=True)
        assert check.counts == (30, 0, 0)
        assert len(LINK.findall(shown)) == 30


def _limit(check: CitationFilter, now: float) -> list[float]:
    return [check.due] if check.due is not None and check.due > now else []


class Files(Snapshot):
    """A snapshot in which every file has one text."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths

    def repositories(self) -> Sequence[RepositoryState]:
        return [STATE]

    def paths(self, repository: str) -> Sequence[str]:
        return self._paths

    def read(self, repository: str, path: str) -> str | None:
        return TEXT

    def read_base(self, repository: str, path: str) -> str | None:
        return TEXT

    def search(
        self, pattern: str, *, regex: bool, repository: str | None, under: str | None, limit: int
    ) -> Sequence[Match]:
        return []

    def at(self, repository: str, ref: str) -> Files:
        return self

    def history(self, repository: str, path: str, limit: int) -> Sequence[Change]:
        return []


class AfterPush(Checker):
    """The first reading looks through the whole commit, which takes seconds."""

    _first = True

    async def source(self, key: FileKey) -> Source | LargeFile:
        if self._first:
            await asyncio.sleep(3.0)
            self._first = False
        return await super().source(key)


@pytest.mark.parametrize(("speed", "size"), [(30, 1), (50, 4), (80, 8), (200, 4), (100, 1000)])
@pytest.mark.parametrize("checker", [Checker, AfterPush])
def test_what_stands_in_slack_has_every_link(
    speed: int, size: int, checker: type[Checker], make_workspace: type[Workspace]
) -> None:
    """The whole way: filter, engine, calls; the first citation after a push keeps its link too."""
    cited = thirty(7)
    paths = [re.split(r":\d|#L|#c", one)[0] for one in cited]

    async def main() -> None:
        workspace = make_workspace()
        loop = asyncio.get_running_loop()
        check = CheckedText(checker(Files(paths)))
        delivery = Delivery(workspace.calls(TARGET), TARGET, RateLimiter(), loop.time, check)
        for piece in pieces(answer(7, cited), size, 7):
            await delivery.feed(piece)
            await asyncio.sleep(size / speed)
        assert await delivery.settle() == (30, 0, 0)
        end = await delivery.finish([], None)
        assert (end.cited, end.struck) == (30, 0)
        shown = "".join(one.text for one in workspace.thread(TARGET).standing())
        assert len(LINK.findall(shown)) == 30

    virtual_time.run(main())
