"""The bot's excerpts on real repositories: indexed beside the pack, never wrong about a commit."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.answer.interfaces import WantedExcerpts
from bot.app.excerpts import ExcerptSearch
from bot.context.codebase import Codebase
from bot.context.config.schema import ContextConfig
from bot.context.git.clone import Sources
from bot.retrieval import build
from bot.retrieval.document import build_document
from tests.context.conftest import bench as bench
from tests.context.conftest import repo as repo

if TYPE_CHECKING:
    from tests.context.conftest import Repo

FILLER = "".join(f"def step_{n}(value):\n    return value + {n}\n\n\n" for n in range(400))
FILES: dict[str | bytes, str | bytes | None] = {f"src/m{n}.py": FILLER for n in range(6)}
REFUNDS = "def retry_refund(order):\n    '''Try again after an hour.'''\n    return order\n"


def codebase(repo: Repo, home: Path, **settings: Any) -> Codebase:
    config = ContextConfig.model_validate(
        {
            "name": "pay",
            "repositories": [{"url": str(repo.path), "ref": "main", "name": "pay"}],
            "budget_tokens": 8_000,
            **settings,
        }
    )
    here = Sources(local=(repo.path.parent,))
    return Codebase(config, home, now=lambda: 0.0, sources=here)


async def packed(search: ExcerptSearch, code: Codebase) -> Any:
    await code.sync()
    pack = await code.pack()
    search.packed("pay", code)
    await search._tasks.drain()
    return pack


def at_each_file(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> list[str]:
    """Let indexes be built in this process, and act at each file; return what will be built."""
    built: list[str] = []

    def noted(path: str, text: bytes) -> Any:
        built.append(path)
        act()
        return build_document(path, text)

    monkeypatch.setattr(build, "build_document", noted)
    monkeypatch.setattr(build, "_PARALLEL_BYTES", 1_000_000)
    return built


async def test_a_question_gets_excerpts_of_what_the_prefix_does_not_show(
    repo: Repo, tmp_path: Path
) -> None:
    repo.commit({**FILES, "zz/refunds.py": REFUNDS + FILLER})
    search, code = ExcerptSearch(tmp_path), codebase(repo, tmp_path / "clones")
    pack = await packed(search, code)
    found = await search.find(pack, WantedExcerpts(context="pay", question="retry refund?"), 9_000)
    assert found.count >= 1
    assert "of zz/refunds.py" in found.text
    assert "retry_refund" in found.text
    assert (tmp_path / "index").is_dir()
    await search.close()


async def test_no_excerpts_of_another_commit_than_the_prefix_has(
    repo: Repo, tmp_path: Path
) -> None:
    """Lines of one commit under the name of another would be cited wrongly."""
    repo.commit({**FILES, "zz/refunds.py": REFUNDS + FILLER})
    search, code = ExcerptSearch(tmp_path), codebase(repo, tmp_path / "clones")
    await packed(search, code)
    repo.commit({"zz/refunds.py": FILLER})
    await code.sync()
    newer = await code.pack()
    wanted = WantedExcerpts(context="pay", question="step value")
    assert (await search.find(newer, wanted, 9_000)).count == 0
    search.packed("pay", code)
    await search._tasks.drain()
    assert (await search.find(newer, wanted, 9_000)).count > 0
    await search.close()


@pytest.mark.parametrize(
    ("settings", "count"),
    [({"excerpt_tokens": 0}, 0), ({"budget_tokens": "auto"}, 0), ({"excerpt_tokens": 500}, 1)],
)
async def test_the_context_says_how_many_tokens_excerpts_take(
    repo: Repo, tmp_path: Path, settings: dict[str, Any], count: int
) -> None:
    """`auto` takes a small repository whole, and then there is nothing to add."""
    repo.commit({**FILES, "zz/refunds.py": REFUNDS + FILLER})
    search = ExcerptSearch(tmp_path)
    code = codebase(repo, tmp_path / "clones", **settings)
    pack = await packed(search, code)
    found = await search.find(pack, WantedExcerpts(context="pay", question="retry refund?"), 9_000)
    assert bool(found.count) is bool(count)
    assert ("retry_refund" in found.text) is bool(count)
    assert len(found.text) < 500 * 4
    await search.close()


async def test_an_unknown_context_has_none(tmp_path: Path, repo: Repo) -> None:
    repo.commit({"a.py": "x = 1\n"})
    search, code = ExcerptSearch(tmp_path), codebase(repo, tmp_path / "clones")
    pack = await packed(search, code)
    assert (await search.find(pack, WantedExcerpts(context="?", question="x"), 9_000)).count == 0
    await search.close()


async def test_a_stop_does_not_wait_for_an_index(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment must not be held up by work that is useless by then."""
    repo.commit(FILES)
    search, code = ExcerptSearch(tmp_path), codebase(repo, tmp_path / "clones")
    await code.sync()
    await code.pack()
    begun = threading.Event()

    def stop() -> None:
        search._stopping = True
        begun.set()

    built = at_each_file(monkeypatch, stop)
    search.packed("pay", code)
    assert await asyncio.to_thread(begun.wait, 60.0)
    await search.close()
    assert len(built) == 1


async def test_the_index_of_a_context_that_goes_is_not_built_to_its_end(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its views stayed in memory for good, and its file was written after the removal."""
    repo.commit(FILES)
    search, code = ExcerptSearch(tmp_path), codebase(repo, tmp_path / "clones")
    await code.sync()
    await code.pack()

    def drop() -> None:
        held.is_dropped = True

    built = at_each_file(monkeypatch, drop)
    search.packed("pay", code)
    held = search._contexts["pay"]
    await search._tasks.drain()
    assert len(built) == 1
    assert not held.views
    await search.close()


async def test_a_context_that_goes_leaves_no_file_open(repo: Repo, tmp_path: Path) -> None:
    """A deleted file that is open keeps its text on the disk until the process ends."""
    repo.commit(FILES)
    search, code = ExcerptSearch(tmp_path), codebase(repo, tmp_path / "clones")
    await packed(search, code)
    search.packed("other", code)
    await search._tasks.drain()
    search.drop("pay")
    await search.wait_for_ends()
    # The other context uses the same index.
    assert open_files(tmp_path)
    search.drop("other")
    await search.wait_for_ends()
    assert open_files(tmp_path) == []
    await search.close()


def open_files(folder: Path) -> list[str]:
    links = (os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.is_symlink())
    return [name for name in links if name.startswith(f"{folder}/index")]


async def test_the_view_of_a_repository_that_a_context_lost_goes(
    repo: Repo, tmp_path: Path
) -> None:
    repo.commit(FILES)
    search, code = ExcerptSearch(tmp_path), codebase(repo, tmp_path / "clones")
    await packed(search, code)
    search._contexts["pay"].views["gone"] = search._contexts["pay"].views["pay"]
    await packed(search, code)
    assert list(search._contexts["pay"].views) == ["pay"]
    await search.close()
