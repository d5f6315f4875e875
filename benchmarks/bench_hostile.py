"""`python -m benchmarks hostile`: a running bot is given repositories that are made to hurt it."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from forewarm_playground.claude.responses.answers import ToolUse

    from benchmarks.cluster import Cluster, Replica

MOST_MEGABYTES = 200.0
"""Growth of the bot's own process, at its highest, that is allowed."""
MOST_PAUSE = 0.1
"""Seconds that `/healthz` may take, without those in which the bot waited for a processor."""
MOST_LOST = 1.0
"""Seconds by which the longest answer to another person may be longer than without the code."""
QUIET_SECONDS = 8.0
"""Time for which other people's answers are measured before each repository."""
BUILD_SECONDS = 1_800.0
ANSWER_SECONDS = 180.0
HOSTILE_CHANNEL, OTHER_CHANNEL = "C0SHIP", "C0PAY"
_MOST_CITED = 30
_SLOW_PATTERNS = (
    "(a+)+$",
    "(a|aa)+x$",
    "(.*)*(.*)*(.*)*x",
    "((a{1,250}){1,250}){1,250}",
    "(?R)*(?1)?(a)",
    "(((((((((a*)*)*)*)*)*)*)*)*)*b",
    "[[:alpha:]]{1,60000}$",
    "\\1(a)\\1\\1",
)
_LOOKED = "Looked."
_ASKED = re.compile(r"please look (\d+)")
_AT_ONCE = 6
"""Look-ups that the bot carries out for one answer."""


def hostile(
    only: Annotated[list[str] | None, typer.Argument(help="Repositories; all by default.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Keeps the repositories here.")] = None,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Give a running bot one hostile repository after the other, and ask about each.

    Prints the growth of the bot's own memory at its highest, the longest time in which `/healthz`
    answered, the part of it that is not a wait for a processor which others used, the same of
    a process beside it that does nothing, the longest answer to another person, the same before the
    bot had the repository, and the bot's sentence if it refused. Exits with 1 if the bot's memory
    grew by more than 200 MB, if `/healthz` took more than 100 ms of the bot's own and twice the
    time of the process beside it, if another person's answer took a second longer
    than before, if the bot did not answer about the code, or if a program of the repository ran.
    """
    from benchmarks.hostile_repositories import REPOSITORIES

    chosen = only or list(REPOSITORIES)
    results: list[Result] = []

    def tell(result: Result) -> None:
        results.append(result)
        if not as_document:
            typer.echo(result.line)

    asyncio.run(_run(chosen, folder, tell))
    if as_document:
        typer.echo(json.dumps([asdict(result) for result in results], indent=2))
    if not all(result.is_good for result in results):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class Result:
    """One repository. Times in seconds.

    `pause` is the longest answer of `/healthz`, `own_pause` the longest part of one that is the
    bot's own (see `_own_part`), `machine_pause` the longest answer of an idle process.
    `others` is the longest answer to another person, `quiet` the longest that was measured without
    a hostile repository. Both are without the waits for the local Slack and the local Claude, which
    have this machine's processors as well; `waited` is the longest with them.
    """

    name: str
    megabytes: float
    pause: float
    own_pause: float
    machine_pause: float
    others: float
    quiet: float
    waited: float
    built: float
    looked: float | None
    refusal: str
    ran: bool

    @property
    def is_good(self) -> bool:
        paused = self.own_pause > MOST_PAUSE and self.pause > 2 * self.machine_pause
        lost = self.others - self.quiet > MOST_LOST
        answered = bool(self.refusal) or self.looked is not None
        small = self.megabytes <= MOST_MEGABYTES
        return small and answered and not (paused or lost or self.ran)

    @property
    def line(self) -> str:
        looked = "not answered" if self.looked is None else f"answered in {self.looked:.1f} s"
        return (
            f"{'good' if self.is_good else 'BAD '} {self.name:32} +{self.megabytes:5.0f} MB,"
            f" pause {self.own_pause * 1000:4.0f} ms (with waits {self.pause * 1000:.0f},"
            f" machine {self.machine_pause * 1000:.0f}),"
            f" others {self.others:.1f} s (quiet {self.quiet:.1f}, with services"
            f" {self.waited:.1f}),"
            f" built in {self.built:.1f} s, {looked}"
            f"{'. ' + self.refusal if self.refusal else ''}{' A PROGRAM RAN' if self.ran else ''}"
        )


async def _run(names: Sequence[str], kept: Path | None, tell: Any) -> None:
    from forewarm_playground.claude.responses.answers import Rule
    from forewarm_playground.claude.responses.matching import Match

    from benchmarks.cluster import cluster

    folder = Path(tempfile.mkdtemp(prefix="forewarm-hostile-"))
    repositories = kept or folder / "repositories"
    allowed = f"{folder},{repositories}"
    _write_friendly_context(folder)
    try:
        settings = {"FOREWARM_LOCAL_REPOSITORIES": allowed, "FOREWARM_SYNC_SECONDS": "10"}
        async with cluster(folder, environment=settings) as around:
            run = _Run(around, folder, repositories)
            around.claude.core.answers.rules.insert(
                0, Rule(Match.of(lambda asked: "please look" in str(asked.body)), run.reply)
            )
            await around.start(run.bot)
            await around.ready(run.bot)
            for name in names:
                tell(await run.one(name))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_friendly_context(folder: Path) -> None:
    """Write the repository and the context of the people who must not notice."""
    from benchmarks.hostile_repositories import Writer

    code = Writer(folder / "code")
    code.begin()
    code.files((b"pay%d.py" % n, b"def pay():\n    return %d\n" % n) for n in range(50))
    _write_context(folder, "friendly", code.path, OTHER_CHANNEL)


def _write_context(folder: Path, name: str, repository: Path, channel: str) -> Path:
    path = folder / "contexts" / f"{name}.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f'channels = ["{channel}"]\nmodel = "claude-sonnet-5-5"\nbudget_tokens = 100000\n\n'
        f'[[repositories]]\nurl = "{repository}"\nname = "code"\n\n'
        "[limits]\nanswers_daily_usd = 100000\n"
        "user_per_hour = 1000000\nchannel_per_hour = 1000000\n"
    )
    return path


class _Run:
    """The bot, and what is done to it."""

    def __init__(self, around: Cluster, folder: Path, repositories: Path) -> None:
        self._c = around
        self._folder = folder
        self._repositories = repositories
        self._paths: list[str] = []
        self._asked = 0
        self._quiet = 0.0
        self._name = ""
        self.bot: Replica = around.replicas[0]

    def reply(self, asked: Any) -> Any:
        """Look up a share of everything, then cite."""
        from forewarm_playground.claude.responses.answers import Answer

        if asked.warm:
            return Answer.of("")
        if asked.has_results:
            return Answer.of("\n\n".join([*self._citations(), _LOOKED]))
        share = int(_ASKED.findall(str(asked.body))[-1])
        return Answer.of(self._look_ups()[share * _AT_ONCE : (share + 1) * _AT_ONCE])

    def _citations(self) -> list[str]:
        """Cite lines and names; quote blocks whose lines may stand anywhere."""
        lines = [f"`{path}:{n + 1}` and `{path}#f`" for n, path in enumerate(self._paths)]
        quotes = [
            f"```\n{quote}\n```\n`{path}:5`"
            for path in self._paths[:8]
            for quote in ("f()\nf()\n...\nend", "ab\n" * 50 + "...\nab\n...\nzz")
        ]
        return [*lines, *quotes]

    def _look_ups(self) -> list[ToolUse]:
        from forewarm_playground.claude.responses.answers import ToolUse

        from benchmarks.hostile_repositories import LOOK_UPS

        return [
            *(ToolUse(tool, dict(wanted)) for tool, wanted in LOOK_UPS.get(self._name, ())),
            *(ToolUse("search", {"pattern": one, "regex": True}) for one in _SLOW_PATTERNS),
            *(ToolUse("search", {"pattern": one}) for one in ("pay", "def f", "a")),
            ToolUse("search", {"pattern": "pay", "ref": "main~1"}),
            ToolUse("list", {}),
            ToolUse("history", {"path": "."}),
            ToolUse("history", {"path": "src"}),
            ToolUse("read", {"name": "f"}),
            *(ToolUse("read", {"path": path, "name": "f"}) for path in self._paths[-16:]),
            *(ToolUse("read", {"path": path}) for path in self._paths[:4]),
        ]

    async def one(self, name: str) -> Result:
        """Give the bot one repository, ask about it, and take it away again."""
        from benchmarks.hostile_repositories import PUSHES, build

        self._name = name
        path = self._repositories / f"{name}.git"
        if name in PUSHES and path.exists():
            # A run that was cut short has left its branch at an earlier commit.
            await asyncio.to_thread(shutil.rmtree, path)
        if not path.exists():
            await asyncio.to_thread(build, name, path)
        self._paths = await asyncio.to_thread(_some_paths, path)
        seen = self._answers_to_others()
        await self._ask_others_for(QUIET_SECONDS)
        self._quiet = max(self._quiet, self._longest_to_others(seen))
        seen = self._answers_to_others()
        pid = self._pid()
        before = _megabytes(pid, "VmRSS")
        _reset_peak(pid)
        others = asyncio.ensure_future(self._ask_others())
        began = time.monotonic()
        with _watched(self.bot.port, pid) as watched:
            if name in PUSHES:
                await self._push(name, path)
            else:
                await self._pack(name, path)
            built, refusal = time.monotonic() - began, self._refusal(name)
            looked = None if refusal else await self._look()
            (self._folder / "contexts" / f"{name}.toml").unlink()
            await self._log_says("context_files_read")
        others.cancel()
        slowest = (await asyncio.gather(others, return_exceptions=True))[0]
        pauses = watched()
        return Result(
            name,
            _megabytes(pid, "VmHWM") - before,
            pauses[0],
            pauses[1],
            pauses[2],
            self._longest_to_others(seen),
            self._quiet,
            slowest if isinstance(slowest, float) else ANSWER_SECONDS,
            built,
            looked,
            refusal,
            any(self._repositories.glob("*-ran")) or any(self._folder.rglob("ran")),
        )

    async def _pack(self, name: str, path: Path) -> None:
        _write_context(self._folder, name, path, HOSTILE_CHANNEL)
        await self._until_settled(name)

    async def _push(self, name: str, path: Path) -> None:
        """Let the bot pack an earlier commit, then the last ones, one by one."""
        from benchmarks.hostile_repositories import PUSHES, git

        def at(back: int) -> None:
            git(path, "update-ref", "refs/heads/main", f"{last}~{back}")

        last, pushes = git(path, "rev-parse", "main").decode().strip(), PUSHES[name]
        at(pushes)
        await self._pack(name, path)
        for number in range(1, pushes + 1):
            at(pushes - number)
            await self._until_settled(name, number + 1)

    def _pid(self) -> int:
        assert self.bot.pid is not None
        return self.bot.pid

    def _events(self, event: str) -> list[dict[str, Any]]:
        return self.bot.logged(event)

    def _refusal(self, name: str) -> str:
        found = [line for line in self._events("context_not_refreshed") if line["context"] == name]
        return str(found[-1]["why"]) if found else ""

    async def _until_settled(self, name: str, builds: int = 1) -> None:
        """Wait until the bot has built the context so often, or has said why it cannot."""
        query = f"SELECT body FROM journal WHERE kind = 'PrefixBuilt' AND body LIKE '%\"{name}\"%'"  # noqa: S608
        async with asyncio.timeout(BUILD_SECONDS):
            while not self._refusal(name) and len(await self._c.rows(query)) < builds:  # noqa: ASYNC110
                await asyncio.sleep(0.2)

    async def _log_says(self, event: str) -> None:
        count = len(self._events(event))
        async with asyncio.timeout(60):
            while len(self._events(event)) == count:  # noqa: ASYNC110 - a file has no notification
                await asyncio.sleep(0.2)

    async def _look(self) -> float | None:
        """Ask about the hostile code, two at once; return the longest wait, in seconds."""
        shares = range(-(-len(self._look_ups()) // _AT_ONCE))
        turn = asyncio.Semaphore(2)

        async def look(share: int) -> float | None:
            async with turn:
                return await self._look_once(share)

        waits = await asyncio.gather(*map(look, shares))
        return None if None in waits else max(wait or 0.0 for wait in waits)

    async def _look_once(self, share: int) -> float | None:
        began = time.monotonic()
        ts = self._c.slack.user("U0P1").mention(HOSTILE_CHANNEL, f"please look {share}")
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while _LOOKED not in self._text(HOSTILE_CHANNEL, ts):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            return None
        return time.monotonic() - began

    def _text(self, channel: str, ts: str) -> str:
        found = self._c.slack.bot_messages(channel, ts)
        return "".join(f"{one.text}{one.blocks}" for one in found)

    def _answers_to_others(self) -> int:
        ended = self._events("question_ended")
        return sum(line["context"] == "friendly" for line in ended)

    def _longest_to_others(self, seen: int) -> float:
        """Return the longest answer since so many, without the waits for Slack and Claude."""
        ended = [one for one in self._events("question_ended") if one["context"] == "friendly"]
        waits = [one["wait_seconds"] for one in ended[seen:]]
        own = (one["total"] - one["delivery"] - one["prefill"] for one in waits)
        return max(own, default=0.0)

    async def _ask_others_for(self, seconds: float) -> float:
        others = asyncio.ensure_future(self._ask_others())
        await asyncio.sleep(seconds)
        others.cancel()
        return await others

    async def _ask_others(self) -> float:
        """Ask the friendly context every second; return the longest wait for an answer."""
        longest, person = 0.0, self._c.slack.user("U0P2")
        try:
            while True:
                self._asked += 1
                began = time.monotonic()
                ts = person.mention(OTHER_CHANNEL, f"exam {self._asked}: 5 words")
                while f"w{self._asked}x5" not in self._text(OTHER_CHANNEL, ts):
                    await asyncio.sleep(0.02)
                    longest = max(longest, time.monotonic() - began)
                await asyncio.sleep(1.0)
        except asyncio.CancelledError:
            return longest


def _some_paths(path: Path) -> list[str]:
    """Return the first plain paths of a repository."""
    command = ["git", f"--git-dir={path}", "ls-tree", "-r", "--name-only", "main"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        found: list[str] = []
        for raw in process.stdout:
            name = raw.decode("utf-8", "replace").rstrip("\n")
            if len(name) < 200 and name.isprintable() and '"' not in name:
                found.append(name)
            if len(found) >= _MOST_CITED:
                break
        process.kill()
    return found


def _megabytes(pid: int, field: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1_000
    return 0.0


def _reset_peak(pid: int) -> None:
    """Let the kernel measure the highest memory from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@contextmanager
def _watched(port: int, pid: int) -> Iterator[Any]:
    """Ask `/healthz` of process `pid`, and a server that does nothing, from two other processes.

    Calling the yielded function afterwards returns, in seconds, the longest time, the longest
    without the waits for a processor, and the longest of the server that does nothing.
    """
    context = multiprocessing.get_context("spawn")
    end, results = context.Event(), context.SimpleQueue()
    idle = context.SimpleQueue()
    beside = context.Process(target=_serve_idle, args=(idle,), daemon=True)
    beside.start()
    asked = ((port, pid), (idle.get(), None))
    asking = [context.Process(target=_ask_health, args=(*one, end, results)) for one in asked]
    for process in asking:
        process.start()
    longest: dict[int, list[float]] = {}
    try:
        yield lambda: (*longest[port], longest[asked[1][0]][0])
    finally:
        end.set()
        for _ in asking:
            at, *seconds = results.get()
            longest[at] = seconds
        for process in asking:
            process.join()
        beside.terminate()


def _serve_idle(ports: Any) -> None:
    """Serve what the bot's `/healthz` serves, and nothing else."""
    from bot.app.web import WebServer, health_routes

    async def ready() -> list[str]:
        return []

    async def run() -> None:
        server = WebServer("127.0.0.1", 0, time.time)
        server.application.add_routes(health_routes(ready))
        await server.start()
        ports.put(server.port)
        await asyncio.Event().wait()

    asyncio.run(run())


def _ask_health(port: int, pid: int | None, end: Any, results: Any) -> None:
    import http.client

    longest = own = 0.0
    while not end.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        before = _threads(pid)
        began = time.perf_counter()
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except OSError:
            pass
        took = time.perf_counter() - began
        longest = max(longest, took)
        if pid is not None and took > own:
            own = max(own, _own_part(took, before, _threads(pid), pid))
        connection.close()
        time.sleep(0.01)
    results.put((port, longest, own))


_Threads = dict[str, tuple[float, float]]
"""Seconds for which each thread had a processor, and for which it was ready and had none."""


def _own_part(took: float, before: _Threads, after: _Threads, pid: int) -> float:
    """Return the most of a pause that can be the bot's own.

    A thread that keeps the event loop from running computes, so its processor time bounds that, and
    so does the time in which the loop's thread was not ready to run. A thread that sleeps with the
    interpreter's lock takes time in which nothing computes or waits for a processor.
    """
    since = {
        at: tuple(
            now - then for now, then in zip(after[at], before.get(at, (0.0, 0.0)), strict=True)
        )
        for at in after
    }
    asking = since.pop("self")
    ran = sum(one[0] for one in since.values())
    waited = sum(one[1] for one in since.values()) + asking[1]
    loop_waited = since[str(pid)][1] if str(pid) in since else 0.0
    return max(min(ran, took - loop_waited - asking[1]), took - ran - waited)


def _threads(pid: int | None) -> _Threads:
    """Return the times of the threads of a process, and of this process as `self`."""
    found: _Threads = {}
    if pid is None:
        return found
    for path in (*Path(f"/proc/{pid}/task").glob("*/schedstat"), Path("/proc/self/schedstat")):
        try:
            ran, waited, _ = path.read_text().split()
            found[path.parent.name] = (int(ran) / 1e9, int(waited) / 1e9)
        except (OSError, ValueError):
            continue
    return found
