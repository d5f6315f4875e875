"""The promises of docs/privacy.md about deletion, on the whole bot over real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from forewarm_playground.slack.installation import revoke
from sqlalchemy import select

from bot.answer.thread.redact import without_message
from bot.app.bot import RETENTION
from bot.context.codebase import limits_of
from bot.store.erase import REMOVALS
from bot.store.retention import Retention
from bot.store.sql.tables import metadata
from tests.app.conftest import CHANNEL, Begin, Product
from tests.loglines import log_lines
from tests.running import Running
from tests.security.test_listeners import deliver, faults

MARKER = "HUNTER2-the-words"


async def everything(running: Running) -> str:
    """Return every row of the store, and the bytes of its files, as one text."""
    await running.bot.journal.flush()
    found: list[str] = []
    for table in metadata.sorted_tables:

        def work(connection: Any, table: Any = table) -> list[Any]:
            return list(connection.execute(select(table)))

        rows = await running.bot.store._database.read("look", work)
        found += [f"{table.name}: {row!r}" for row in rows]
    return "\n".join(found)


async def forgotten(running: Product, words: str) -> None:
    """Wait until no row holds the words, or fail with the rows that do."""
    deadline = asyncio.get_running_loop().time() + 10
    while words in (left := await everything(running)):
        rows = [row[:3000] for row in left.splitlines() if words in row]
        assert asyncio.get_running_loop().time() < deadline, "\n".join(rows)
        await asyncio.sleep(0.05)


def on_disk(running: Product) -> str:
    """Return the bytes of the database's files, the write-ahead log included."""
    home = running.bot.settings.home
    return "\n".join(p.read_bytes().decode("latin-1") for p in home.glob("forewarm.db*"))


async def ask(running: Product, text: str = f"why {MARKER}?", thread: str | None = None) -> str:
    ts = running.slack.user("U0ASKER").mention(CHANNEL, text, thread)
    await running.answered(CHANNEL, thread or ts)
    await running.until(lambda: not running.bot.inbox.questions, "the end")
    return ts


async def test_uninstalling_deletes_everything_and_ends_the_work(product: Begin) -> None:
    with log_lines() as lines:
        async with product() as running:
            await ask(running)
            await running.bot.store.contexts.save("T0LOCAL", "slack-c0bare", {}, "U0ASKER")
            clones = running.bot.settings.home / "repositories" / "clones"
            assert any(clones.iterdir())
            children = running.bot.clones.readers
            (context,) = running.bot.library.all()
            reader = children.of(context.name, limits_of(context.limits))
            await asyncio.to_thread(reader.run, os.getpid)
            assert repr(children) == "<Readers: 1 processes>"
            revoke(running.slack.state, running.slack.installation)
            await running.until(lambda: running.bot.removal.removed, "the removal")
            await running.bot.edge.desk.tasks.drain(10)
            await running.until(lambda: not list(clones.glob("*.git")), "the clones' end")
            assert repr(children) == "<Readers: 0 processes>"
            left = await everything(running)
            assert "U0ASKER" not in left
            assert MARKER not in left
            assert CHANNEL not in left
            # Sums of money stay, and the announcement for other replicas, for a minute.
            kinds = {line.split(":", 1)[0] for line in left.splitlines()}
            assert kinds <= {"spending", "reservations", "state", "journal", "events", "leases"}
            assert "'pack'" not in left
            assert "def step_" not in left
            assert MARKER not in on_disk(running)
            assert "U0ASKER" not in on_disk(running)
            assert any("installation" in one for one in await running.bot.missing())
            asked = len(running.asked)
            deliver(
                running,
                {
                    "type": "app_mention",
                    "channel": CHANNEL,
                    "user": "U0ASKER",
                    "text": "<@U0BOT> still there?",
                    "ts": "1900000000.000100",
                },
            )
            await running.slack.until(lambda: running.slack.dispatcher.idle, "the delivery")
            assert len(running.asked) == asked
        assert faults(lines) == []


@pytest.mark.parametrize(
    "event",
    [
        {"type": "tokens_revoked", "tokens": {"oauth": ["U0PEER"], "bot": []}},
        {"type": "tokens_revoked", "tokens": {"oauth": ["U0PEER"]}},
        {"type": "tokens_revoked", "tokens": {"bot": ["U0OTHERBOT"]}},
        {"type": "tokens_revoked", "tokens": {}},
        {"type": "tokens_revoked"},
        {"type": "tokens_revoked", "tokens": None},
        {"type": "tokens_revoked", "tokens": ["U0BOT"]},
        {"type": "tokens_revoked", "tokens": {"oauth": ["U0BOT"], "bot": []}},
        {"type": "channel_archive", "channel": "C0BARE", "user": "U0ASKER"},
        {"type": "member_left_channel", "channel": CHANNEL, "user": "U0PEER"},
    ],
)
async def test_what_is_not_about_us_deletes_nothing(product: Begin, event: dict[str, Any]) -> None:
    async with product() as running:
        ts = await ask(running)
        deliver(running, event)
        await running.slack.until(lambda: running.slack.dispatcher.idle, "the delivery")
        await running.bot.edge.desk.tasks.drain(5)
        assert not running.bot.removal.removed
        assert MARKER in await everything(running)
        await ask(running, "and why else?", ts)


async def test_our_own_token_revoked_ends_the_work(product: Begin) -> None:
    async with product() as running:
        await ask(running)
        bot = running.bot.me.user
        deliver(running, {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [bot]}})
        await running.until(lambda: running.bot.removal.removed, "the removal")
        await running.until(lambda: not running.bot.library.all(), "the contexts' end")
        await running.slack.until(lambda: running.slack.dispatcher.idle, "the delivery")


async def test_another_workspaces_uninstallation_is_not_ours(product: Begin) -> None:
    async with product() as running:
        await ask(running)
        body = {"team_id": "T0OTHER", "event": {"type": "app_uninstalled"}}
        await running.bot.edge.lifecycle.uninstalled(body)
        assert not running.bot.removal.removed


@pytest.mark.parametrize("how", ["archive", "leave"])
async def test_a_channel_that_is_left_is_forgotten(product: Begin, how: str) -> None:
    async with product() as running:
        await ask(running)
        person = running.slack.user("U0ASKER")
        person.archive(CHANNEL) if how == "archive" else person.remove(CHANNEL)
        await forgotten(running, MARKER)
        await running.slack.until(lambda: running.slack.dispatcher.idle, "the delivery")
        await running.bot.edge.desk.tasks.drain(5)
        left = await everything(running)
        assert f"T0LOCAL-{CHANNEL}-" not in left
        assert MARKER not in on_disk(running)


async def test_a_deleted_message_leaves_the_replay_and_the_store(product: Begin) -> None:
    async with product() as running:
        peer = running.slack.user("U0PEER")
        root = peer.post(CHANNEL, "a thread")
        secret = peer.post(CHANNEL, f"the token is {MARKER}, oops", root)
        await ask(running, "what is this?", root)
        assert MARKER in json.dumps(running.asked[-1].body["messages"])
        peer.delete(CHANNEL, secret)

        await forgotten(running, MARKER)
        await running.until(lambda: MARKER not in on_disk(running), "the empty write-ahead log")
        before = len(running.asked)
        running.slack.user("U0ASKER").mention(CHANNEL, "and now?", root)
        await running.until(lambda: len(running.asked) > before, "the next request")
        replayed = json.dumps(running.asked[-1].body["messages"])
        assert MARKER not in replayed
        assert "(deleted)" in replayed
        await running.until(lambda: not running.bot.inbox.questions, "the end")


async def test_a_deleted_question_is_not_answered_again(product: Begin) -> None:
    """The root of an answered thread leaves a tombstone, which is told as a change."""
    async with product() as running:
        ts = await ask(running)
        running.slack.user("U0ASKER").delete(CHANNEL, ts)
        await forgotten(running, MARKER)
        asked = len(running.asked)
        await running.bot.answerer.answer_again(f"T0LOCAL-{CHANNEL}-{ts}", "U0ASKER")
        assert len(running.asked) == asked


async def test_forget_by_the_command_line_reaches_the_running_bot(product: Begin) -> None:
    async with product() as running:
        await ask(running)
        habits = running.bot.edge.desk.habits
        await habits.note_view("T0LOCAL", "U0ASKER", CHANNEL)
        told = await asyncio.to_thread(forget, running, "--user", "U0ASKER")
        assert told["erased"]["questions"] == 1
        assert MARKER not in on_disk(running)
        await running.until(lambda: not running.bot.answerer._given, "the process's own forgetting")
        await running.until(lambda: not running.bot.threads._threads, "the threads' end")
        left = re.sub("removal.*", "", await everything(running))
        assert "U0ASKER" not in left
        assert MARKER not in left
        assert await habits.viewed("T0LOCAL", "U0ASKER") is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "--user"),
        (["--user", "asker"], "U0"),
        (["--user", "%"], "U0"),
        (["--channel", "#pay"], "C0"),
        (["--user", "U0'; DROP TABLE questions"], "U0"),
        (["--user", ""], "--user"),
    ],
)
def test_forget_explains_what_it_cannot_use(tmp_path: Path, options: list[str], says: str) -> None:
    done = run_forget(tmp_path, *options)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert says in done.stderr


def run_forget(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FOREWARM_HOME": str(home), "DATABASE_URL": ""}
    command = [sys.executable, "-m", "bot", "forget", *options]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def forget(running: Product, *options: str) -> Any:
    done = run_forget(running.bot.settings.home, *options, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_no_other_user_of_the_machine_can_read_the_home_folder(product: Begin) -> None:
    async with product() as running:
        await ask(running)
        home = running.bot.settings.home
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        for path in home.rglob("*"):
            mode = stat.S_IMODE(path.stat().st_mode)
            assert not mode & 0o077, f"{path} {mode:o}"


def test_a_home_folder_of_an_earlier_version_is_closed(tmp_path: Path) -> None:
    from bot.context.private import make_tree_private

    home = tmp_path / "home"
    (home / "repositories" / "clones").mkdir(parents=True, mode=0o755)
    pack = home / "repositories" / "clones" / "pack"
    pack.write_text("code")
    pack.chmod(0o444)
    outside = tmp_path / "outside"
    outside.write_text("x")
    outside.chmod(0o644)
    (home / "link").symlink_to(outside)
    make_tree_private(home)
    assert stat.S_IMODE(pack.stat().st_mode) == 0o400
    assert stat.S_IMODE((home / "repositories").stat().st_mode) == 0o700
    assert stat.S_IMODE(outside.stat().st_mode) == 0o644


def test_the_stated_periods_are_those_of_the_purge() -> None:
    """The table of docs/privacy.md names each setting of `Retention` with its days."""
    text = Path("docs/privacy.md").read_text()
    stated = {
        name: float(days)
        for name, days in re.findall(r"^\| `([a-z _]+)` \| ([0-9.]+) \|", text, re.MULTILINE)
    }
    fields = {name: getattr(RETENTION, name) for name in Retention.__dataclass_fields__}
    states = {f"state {kind}": days for kind, days in fields.pop("state").items()}
    settings = {**fields, **states}
    assert set(stated) == set(settings)
    for name, days in settings.items():
        assert stated[name] == pytest.approx(days, abs=0.005), name


def test_every_table_and_kind_of_state_is_named() -> None:
    text = Path("docs/privacy.md").read_text()
    for table in metadata.tables:
        assert f"`{table}`" in text, table


def test_lines_that_the_answer_repeats_go_too() -> None:
    said = '<slack_message ts="1.1" from="a (U0A)">\nthe token is HUNTER2\nok\n</slack_message>'
    answer = {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "They wrote: the token is HUNTER2", "signature": "s"},
            {"type": "thinking", "thinking": "ok", "signature": "s"},
            {"type": "text", "text": "You wrote `the token is HUNTER2`, ok."},
        ],
    }
    sent = {"role": "user", "content": [{"type": "text", "text": said}]}
    left = without_message([sent, answer], "1.1")
    assert left is not None
    assert "HUNTER2" not in str(left)
    assert [block["type"] for block in left[1]["content"]] == ["thinking", "text"]


async def test_what_a_channel_asks_after_the_command_stays(product: Begin) -> None:
    """The running bot hears of the command a moment later: new questions are none of its."""
    async with product() as running:
        await ask(running)
        await asyncio.to_thread(forget, running, "--channel", CHANNEL)
        (kept,) = (await running.bot.store.state.all(REMOVALS)).values()
        until = json.loads(kept.value)["until"]
        later = running.slack.user("U0PEER").mention(CHANNEL, "what stays?")
        assert float(until) < float(later)
        assert await running.answered(CHANNEL, later)
        await running.until(lambda: not running.bot.inbox.questions, "the end")
        await running.bot.removal.follow("heard once more", kept.value)
        assert "what stays?" in await everything(running)
        assert MARKER not in await everything(running)
