"""Version 0.1.0 and this one side by side on one database, and one after the other, there and back.

The earlier version is taken out of this repository's history and run as it was, but for its look
for secrets: that needs a package which this version may not install.
"""

from __future__ import annotations

import asyncio
import io
import signal
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from forewarm_playground.claude import Latency

from benchmarks.cluster import CHANNELS, EVENTS_PATH, PEOPLE, TOKEN, Cluster, Replica, cluster
from benchmarks.fork_server import ForkServer, start_fork_server
from benchmarks.oracle import said
from tests.durability.conftest import until

if TYPE_CHECKING:
    from benchmarks.oracle import Exam
    from tests.durability.conftest import Asker

ROOT = Path(__file__).parents[2]
EARLIER = "7fcf8cd976d133dfca5baa2764bced6cf7e62464"
"""The commit of version 0.1.0."""

SLOW = Latency(base=0.05, per_uncached_token=0.00001, per_cached_token=0.000001, decode=150.0)
STOP_SECONDS = 25.0
NO_SECRETS = '''
class Detectors:
    """Finds nothing."""

    def formats(self, line): return iter(())
    def assignments(self, line): return iter(())
    def keyword(self, line, kind): return iter(())
    def entropy(self, line): return iter(())
'''
TROUBLE = (
    "a fold failed",
    "background_task_died",
    "journal_record_unreadable",
    "question_unreadable",
    "remote_action_unreadable",
    "Traceback",
)
"""The log's words if one version cannot read a record of the other."""


@pytest.fixture(scope="session")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The earlier version's code."""
    asked = subprocess.run(
        ["git", "archive", EARLIER, "bot"], cwd=ROOT, capture_output=True, check=False
    )
    if asked.returncode:
        pytest.skip(
            f"the history of this clone does not reach version 0.1.0 (commit {EARLIER[:7]})"
        )
    folder = tmp_path_factory.mktemp("v0.1.0")
    with tarfile.open(fileobj=io.BytesIO(asked.stdout)) as archive:
        archive.extractall(folder, filter="data")
    (folder / "bot" / "context" / "detectors.py").write_text(NO_SECRETS)
    imports = "import bot.app.bot, bot.commands.serve, bot.context.secrets, bot.store.migrate"
    tried = subprocess.run(
        [sys.executable, "-c", imports], cwd=folder, capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"version 0.1.0 does not run here: {tried.stderr.splitlines()[-1]}")
    return folder


@pytest.fixture(scope="session")
def earlier_fork_server(earlier: Path) -> Iterator[ForkServer]:
    """A fork server for bots of the earlier version."""
    with start_fork_server("bot.commands.nursery", earlier) as opened:
        yield opened


class BothVersions(ForkServer):
    """Starts a bot as the earlier version if its log is among `old`, else as this one."""

    def __init__(self, old: ForkServer, new: ForkServer) -> None:
        super().__init__(new._process)
        self.old: set[Path] = set()
        self._both = (new, old)
        self._of: dict[int, ForkServer] = {}

    async def start(
        self, environment: Mapping[str, str], log: Path, arguments: Sequence[str] = ()
    ) -> int:
        version = self._both[log in self.old]
        pid = await version.start(environment, log, arguments)
        self._of[pid] = version
        return pid

    async def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        await self._of[pid].kill(pid, number)

    async def exit_code(self, pid: int) -> int | None:
        return await self._of[pid].exit_code(pid)


@pytest.fixture
def versions(earlier_fork_server: ForkServer, fork_server: ForkServer) -> BothVersions:
    return BothVersions(earlier_fork_server, fork_server)


@asynccontextmanager
async def old_and_new(
    folder: Path, server: str, versions: BothVersions, **more: Any
) -> AsyncIterator[tuple[Cluster, Replica, Replica]]:
    """One bot of each version on one database."""
    async with cluster(folder, replicas=2, server=server, fork_server=versions, **more) as around:
        old, new = around.replicas
        versions.old.add(old.log)
        for replica in around.replicas:
            await around.start(replica)
            await around.ready(replica)
        yield around, old, new
        assert trouble(around) == []


def trouble(around: Cluster) -> list[str]:
    return [
        line
        for replica in around.replicas
        for line in replica.log.read_text("utf-8", "replace").splitlines()
        if any(sign in line for sign in TROUBLE)
    ]


def has_begun(around: Cluster, exam: Exam) -> bool:
    messages = around.slack.bot_messages(exam.channel, exam.thread)
    return f"w{exam.number}x2" in "".join(said(message) for message in messages)


def tell(around: Cluster, replica: Replica) -> None:
    """Let Slack speak to one bot alone from now on."""
    around.slack.point_at(replica.url + EVENTS_PATH)


async def outcomes(replica: Replica) -> dict[str, str | None]:
    """Return the outcome of each question as one bot shows it."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{replica.url}/state") as answer,
    ):
        shown = await answer.json()
    return {id: one["outcome"] for id, one in shown["questions"].items()}


async def test_each_version_carries_on_what_the_other_has_begun(
    tmp_path: Path, asker: type[Asker], postgres_server: str, versions: BothVersions
) -> None:
    """A deploy that goes wrong is taken back: both directions happen."""
    async with old_and_new(tmp_path, postgres_server, versions, http=True, latency=SLOW) as (
        around,
        old,
        new,
    ):
        asking = asker(around)
        for dying, heir in ((old, new), (new, old)):
            tell(around, dying)
            exams = [asking.ask(300, channel=channel) for channel in CHANNELS[:3]]
            for exam in exams:
                await until(lambda exam=exam: has_begun(around, exam), "no words")  # type: ignore[misc]
            await around.kill(dying)
            tell(around, heir)
            for exam in exams:
                await asking.finished(exam)
            assert len(heir.logged("taken_over")) >= len(exams)
            await around.start(dying)
            await around.ready(dying)


async def test_each_version_shows_what_the_other_has_answered(
    tmp_path: Path, asker: type[Asker], postgres_server: str, versions: BothVersions
) -> None:
    """Journal records, turns and spending cross over while both run."""
    async with old_and_new(tmp_path, postgres_server, versions, http=True) as (around, old, new):
        asking = asker(around)
        roots: list[Exam] = []
        for replica, channel in ((old, CHANNELS[0]), (new, CHANNELS[1])):
            tell(around, replica)
            roots.append(asking.ask(40, channel=channel))
            await asking.finished(roots[-1])
        for replica, root in ((new, roots[0]), (old, roots[1])):
            tell(around, replica)
            exam = asking.ask(40, channel=root.channel, thread=root.thread)
            await asking.finished(exam)
        for replica in (old, new):
            async with asyncio.timeout(20):
                while list((await outcomes(replica)).values()) != ["answered"] * 4:
                    await asyncio.sleep(0.1)
        kinds = "SELECT kind, count(DISTINCT source) FROM journal GROUP BY kind"
        written = dict(await around.rows(kinds))
        assert {written[kind] for kind in ("QuestionEnded", "FirstWords", "RequestEnded")} == {2}
        replayed = [
            str(request.body)
            for request in around.claude.requests
            if request.path == "/v1/messages" and "exam 3:" in str(request.body)
        ]
        assert any("exam 1:" in body for body in replayed), "the old turn is sent again"


async def test_stops_reach_the_other_version(
    tmp_path: Path, asker: type[Asker], postgres_server: str, versions: BothVersions
) -> None:
    """Slack tells either of them what a person did."""
    async with old_and_new(tmp_path, postgres_server, versions, http=True, latency=SLOW) as (
        around,
        old,
        new,
    ):
        asking, person = asker(around), around.slack.user(PEOPLE[0])
        for answering, other, channels in ((old, new, CHANNELS[:3]), (new, old, CHANNELS[3:6])):
            tell(around, answering)
            stopped, edited, deleted = (asking.ask(700, channel=channel) for channel in channels)
            for exam in (stopped, edited, deleted):
                await until(lambda exam=exam: has_begun(around, exam), "no words")  # type: ignore[misc]
            tell(around, other)
            person.stop(stopped.channel, stopped.thread)
            person.edit(edited.channel, edited.ts, f"exam 7{edited.number}: 5 words")
            person.delete(deleted.channel, deleted.ts)
            again = f"w7{edited.number}x5"
            for exam, words in (
                (stopped, "Stopped at your request"),
                (edited, again),
                (deleted, "question was deleted"),
            ):
                await until(
                    lambda exam=exam, words=words: (
                        words  # type: ignore[misc]
                        in "".join(
                            said(message)
                            for message in around.slack.bot_messages(exam.channel, exam.thread)
                        )
                    ),
                    f"not seen: {words}",
                )


async def test_one_file_goes_to_the_new_version_and_back(
    tmp_path: Path, asker: type[Asker], versions: BothVersions
) -> None:
    """An upgrade of a small installation, and the way back from it."""
    async with cluster(tmp_path, fork_server=versions) as around:
        (replica,) = around.replicas
        asking = asker(around)
        root: Exam | None = None
        for old in (True, False, True):
            versions.old = {replica.log} if old else set()
            await around.start(replica)
            await around.ready(replica)
            root = asking.ask(40, thread=root.thread if root else None)
            await asking.finished(root)
            code, _ = await around.terminate(replica, STOP_SECONDS)
            assert code == 0
        assert trouble(around) == []
        assert await around.rows("SELECT count(*) FROM turns") == [(3,)]
        ended = "SELECT count(*) FROM journal WHERE kind = 'QuestionEnded'"
        assert await around.rows(ended) == [(3,)]
        last = [str(one.body) for one in around.claude.requests if "exam 3:" in str(one.body)]
        assert any("exam 1:" in body and "exam 2:" in body for body in last)
