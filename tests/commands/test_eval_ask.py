"""`forewarm eval --ask`: through a model, here the local Claude, as the bot would ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from forewarm_playground.claude import INSTANT, Answer, Config, LocalClaude, Refusal, ToolUse

from bot.claude.client import ClaudeClient
from bot.commands.evaluation.ask import ask, markdown, summary
from bot.commands.evaluation.evaluate import Plan, Subject
from bot.context.files.select import Rules
from bot.context.git.repository import GitRepository
from bot.context.sizing import Speed
from bot.retrieval.coverage import EvidenceRow, NeededFile
from tests.context.conftest import bench as bench
from tests.context.conftest import repo as repo

if TYPE_CHECKING:
    from tests.context.conftest import Repo

FILLER = "".join(f"def step_{n}(value):\n    return value + {n}\n\n\n" for n in range(400))
RETRY = "def retry_refund(order):\n    return order\n"
PLAN = Plan([10_000], [0], "claude-sonnet-5-5", Speed(), 2.0)


@pytest.fixture
def subject(repo: Repo, tmp_path: Path) -> Subject:
    files: dict[str | bytes, str | bytes | None] = {f"src/m{n}.py": FILLER for n in range(9)}
    repo.commit({**files, "src/zz_refund.py": RETRY + FILLER, "src/zz_other.py": FILLER})
    repository = GitRepository.discover(repo.path, "shop")
    web = "https://github.com/acme/shop/blob/{sha}/{path}#L{start}-L{end}"
    return Subject(repository, Rules("shop"), None, tmp_path / "index.db", "HEAD", web)


@pytest.fixture
def claude() -> LocalClaude:
    return LocalClaude(Config(latency=INSTANT))


def row(id: str, *needed: NeededFile) -> EvidenceRow:
    return EvidenceRow(id, "How is a refund retried?", None, needed)


@asynccontextmanager
async def client(claude: LocalClaude) -> AsyncIterator[ClaudeClient]:
    async with (
        claude.serve() as url,
        ClaudeClient.connect(api_key="sk-ant-local", base_url=url) as connected,
    ):
        yield connected


async def test_a_model_that_asks_for_the_needed_files_takes_two_rounds(
    subject: Subject, claude: LocalClaude
) -> None:
    """Both look-ups stand in one reply, so they cost one round more and not two."""
    claude.script(
        [
            ToolUse("read", {"path": "src/zz_refund.py", "end": 9}),
            ToolUse("read", {"path": "src/zz_other.py", "end": 9}),
        ],
        "A refund is retried in `src/zz_refund.py:1-2`, with `src/zz_other.py:1`.",
    )
    needed = NeededFile("src/zz_refund.py", ((1, 2),)), NeededFile("src/zz_other.py")
    async with client(claude) as connected:
        found = await ask(connected, subject, [row("a", *needed)], PLAN, most_usd=10.0)
    (one,) = found.rows
    assert (one.rounds, one.look_ups, one.ending) == (2, 2, "complete")
    assert one.needed == {"src/zz_refund.py": True, "src/zz_other.py": True}
    assert one.lines_cited
    assert one.verdicts == {"good": 2}
    assert one.wait is not None
    assert found.usd > found.warm_usd > 0
    sums = summary([found])
    assert (sums["questions_with_all_files_cited"], sums["rounds"]) == (1, 2.0)
    judged = markdown([found])
    assert "> How is a refund retried?" in judged
    assert "`src/zz_refund.py:1-2` (cited)" in judged
    assert "https://github.com/acme/shop/blob/" in judged
    assert "Judgement: [ ] right" in judged


async def test_citations_are_held_against_the_evidence(
    subject: Subject, claude: LocalClaude
) -> None:
    claude.script(
        "See `src/zz_refund.py:900-901` and `src/zz_gone.py:3`.", Answer(refusal=Refusal())
    )
    needed = NeededFile("src/zz_refund.py", ((1, 2),))
    rows = [row("far", needed), row("declined", needed)]
    async with client(claude) as connected:
        found = await ask(connected, subject, rows, PLAN, most_usd=10.0)
    far, declined = found.rows
    assert far.needed == {"src/zz_refund.py": True}
    assert not far.lines_cited
    assert declined.ending == "refused"
    assert declined.needed == {"src/zz_refund.py": False}
    assert "declined to go on" in declined.shown
    assert summary([found])["needed_files_cited"] == 0.5


async def test_no_question_is_asked_once_the_money_is_spent(
    subject: Subject, claude: LocalClaude
) -> None:
    claude.script("One.", "Two.")
    rows = [row("a"), row("b")]
    async with client(claude) as connected:
        found = await ask(connected, subject, rows, PLAN, most_usd=1e-9)
    assert found.rows == ()
    assert summary([found])["questions"] == 0
