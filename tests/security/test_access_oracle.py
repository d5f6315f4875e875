"""Random lives of two channels: no prompt holds code that its cause may not see.

The oracle knows who is where. After each step it looks at the requests that reached Claude since,
and compares the code in them with the rights of those who asked for the answer.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from forewarm_playground.slack.errors import SlackError
from sqlalchemy import Connection, select, update

from benchmarks.made_repository import commit
from bot.store.sql.tables import questions
from tests.app.conftest import CHANNEL, Begin, Product
from tests.running import Running
from tests.samples import samples

VAULT, JOINT, WEB = "C0VAULT", "C0JOINT", CHANNEL
PLACES = (WEB, VAULT, JOINT)
MARKERS = {VAULT: "vault-marker-7f31", WEB: "def step_"}
INSIDER = "U0IN"
SOMETIMES = ("U0LEAVER", "U0BACK")
GUEST, OUTSIDER = "U0GUEST", "U0OUT"
STRANGERS = ("U0ABROAD", "U0GRID")
"""People of another workspace, and of another Grid organisation that Slack calls no strangers."""
TEAM = (INSIDER, *SOMETIMES, GUEST, OUTSIDER)
PEOPLE = (*TEAM, *STRANGERS)
STEPS = 14
_AUTHOR = re.compile(r"<slack_question [^>]*\((U\w+)\)")
SLACK: dict[str, Any] = {
    "workspaces": (
        {"id": "T0LOCAL"},
        {"id": "T0ABROAD", "installed": False},
        {"id": "T0GRID", "installed": False, "enterprise_id": "E0THEIRS"},
    ),
    "users": (
        {"id": "U0ABROAD", "name": "abroad", "workspace": "T0ABROAD", "admin": True},
        {"id": "U0GRID", "name": "grid", "workspace": "T0GRID", "admin": True, "stranger": False},
        {"id": INSIDER, "name": "in"},
        {"id": "U0LEAVER", "name": "leaver"},
        {"id": "U0BACK", "name": "back"},
        {"id": OUTSIDER, "name": "out"},
        {"id": GUEST, "name": "guest", "kind": "guest"},
    ),
    "channels": (
        {"id": WEB, "name": "web", "members": (*TEAM, "bot")},
        {
            "id": JOINT,
            "name": "joint",
            "members": (INSIDER, *STRANGERS, "bot"),
            "shared_with": ("T0ABROAD", "T0GRID"),
        },
        {
            "id": VAULT,
            "name": "vault",
            "kind": "private",
            "members": (INSIDER, *SOMETIMES, GUEST, "bot"),
        },
    ),
}
VAULT_CONTEXT = """
channels = ["C0VAULT", "C0JOINT"]
model = "claude-sonnet-5-5"
answer_drafts = true
warm = {{ wait_cost_per_hour = 1000000 }}
limits = {{ user_per_hour = 100000, channel_per_hour = 100000 }}
[[repositories]]
url = "{url}"
name = "vault"
"""


@dataclass
class Life:
    """One running bot and the threads that a sequence has made so far."""

    running: Product
    random: random.Random
    roots: list[tuple[str, str]] = field(default_factory=list)
    own: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    seen: int = 0
    told: list[str] = field(default_factory=list)

    def person(self, user: str) -> Any:
        return self.running.slack.user(user)

    def members(self, channel: str) -> Any:
        return self.running.slack.state.channel(channel).members

    # --- the oracle -----------------------------------------------------------------------------

    def may_see(self, user: str, channel: str) -> bool:
        """Tell whether a person is one of the team and in the channel of the code right now."""
        if user in (GUEST, *STRANGERS):
            return False
        return user in self.members(channel) or (channel == VAULT and user in self.members(JOINT))

    async def check(self, user: str, step: str) -> None:
        """Wait until nothing is under way, then judge what was sent because of `user`."""
        bot = self.running.bot
        await self.running.until(
            lambda: (
                self.running.slack.dispatcher.idle
                and not len(bot.edge.desk.tasks)
                and not bot.answerer.running
                and not _runs_listeners()
            ),
            f"the end of {step}",
        )
        new, self.seen = self.running.asked[self.seen :], len(self.running.asked)
        for request in new:
            if request.body.get("max_tokens") == 0:
                continue  # A warm-up has no reader.
            sent = json.dumps(request.body)
            for channel, marker in MARKERS.items():
                cause = self.cause(request, user, step)
                allowed = marker not in sent or self.may_see(cause, channel)
                assert allowed, f"{cause} got code of {channel} by {step}: {self.told}"

    def cause(self, request: Any, user: str, step: str) -> str:
        """Return who asked for the answer: the person who pressed "Answer again", or the author."""
        authors = _AUTHOR.findall(json.dumps(request.body["messages"][-1]))
        assert authors
        return user if step.startswith("again") else str(authors[-1])

    # --- the steps ------------------------------------------------------------------------------

    async def step(self) -> None:
        acts = (self.ask, self.ask, self.dm, self.reply, self.edit, self.again)
        more = (self.share, self.draft, self.leave, self.join, self.attach)
        last = (self.home, self.judge, self.crash)
        act = self.random.choice((*acts, *more, *last))
        may_move = act in (self.leave, self.join)
        user = self.random.choice(SOMETIMES if may_move else PEOPLE)
        name = f"{act.__name__} by {user}"
        self.told.append(name)
        try:
            await act(user)
        except SlackError as refused:
            self.told[-1] += f" ({refused})"
        await self.check(user, name)

    def _channel(self, user: str) -> str:
        return self.random.choice([c for c in PLACES if user in self.members(c)])

    async def ask(self, user: str) -> None:
        channel = self._channel(user)
        ts = self.person(user).mention(channel, f"how does it work, {len(self.told)}?")
        self._note(user, channel, ts, root=True)

    async def dm(self, user: str) -> None:
        person = self.person(user)
        ts = person.dm(f"what about the vault, {len(self.told)}?")
        self._note(user, person.dm_channel, ts, root=True)
        await self._choose(user, person.dm_channel, ts)

    async def _choose(self, user: str, channel: str, ts: str) -> None:
        """Choose a context where the bot offers several."""
        await self.running.slack.until(lambda: self.running.slack.dispatcher.idle, "the delivery")
        await self.running.bot.edge.desk.tasks.drain(10)
        for message in self.running.slack.bot_messages(channel, ts):
            if "choose_context" in str(message.blocks):
                options = _options(message.blocks)
                wanted = self.random.choice(options)
                await self.person(user).done(
                    self.person(user).click(channel, message.ts, "choose_context", wanted)
                )

    async def reply(self, user: str) -> None:
        if self.roots:
            channel, root = self.random.choice(self.roots)
            if channel in PLACES and user in self.members(channel):
                text = "and what did your look-up return?"
                self._note(user, channel, self.person(user).mention(channel, text, root))

    async def edit(self, user: str) -> None:
        if asked := self.own.get(user):
            channel, ts = self.random.choice(asked)
            self.person(user).edit(channel, ts, f"repeat all the code, {len(self.told)}")

    async def again(self, user: str) -> None:
        if not self.roots:
            return
        channel, root = self.random.choice(self.roots)
        for message in self.running.slack.bot_messages(channel, root):
            if "forewarm_again" in str(message.blocks):
                clicked = self.person(user).click(channel, message.ts, "forewarm_again")
                await self.person(user).done(clicked)
                return

    async def share(self, user: str) -> None:
        """Explain a message about each context that the form offers, public or private."""
        channel = self._channel(user)
        messages = self.running.slack.messages(channel)
        if not messages:
            return
        person = self.person(user)
        message = self.random.choice(messages)
        view = await person.open_modal(channel, shortcut="ask_message", message_ts=message.ts)
        await self.running.slack.until(
            lambda: "submit" in person.modal.content or "private_metadata" not in view.content,
            "the form",
        )
        if options := _options(person.modal.content.get("blocks") or ()):
            person.put("context", self.random.choice(options))
        await person.submit()
        self.roots.append((channel, message.thread_ts or message.ts))

    async def draft(self, user: str) -> None:
        """Type a question that is never sent: an answer to it may begin all the same."""
        person = self.person(user)
        await person.open_modal(self._channel(user), "/ask")
        await self.running.slack.until(
            lambda: "Looking up" not in str(person.modal.content), "the form"
        )
        if options := _options(person.modal.content.get("blocks") or ()):
            person.put("context", self.random.choice(options))
            await person.type(f"what is in it, {len(self.told)}", per_key=0.01)
            await person.pause(1.0)
        person.close_modal()

    async def leave(self, user: str) -> None:
        if user in self.members(VAULT):
            self.person(user).leave(VAULT)

    async def join(self, user: str) -> None:
        if user not in self.members(VAULT):
            self.person(INSIDER).invite(VAULT, user)

    async def attach(self, user: str) -> None:
        vault = str(self.running.repository.parent / "vault")
        asked = self.person(user).slash(self._channel(user), "/codebase", f"attach {vault}")
        await self.person(user).done(asked)
        assert [c.name for c in self.running.bot.library.all()] == ["pay", "vault"]

    async def home(self, user: str) -> None:
        """Open the Home tab: it names only codebases that the person may ask about."""
        person, slack = self.person(user), self.running.slack
        person.open_home()
        await self.running.until(
            lambda: slack.dispatcher.idle and not _runs_listeners(), "the Home tab"
        )
        shown = json.dumps(person.home.content)
        assert "vault" not in shown or self.may_see(user, VAULT), f"Home of {user}: {self.told}"

    async def judge(self, user: str) -> None:
        """Give feedback on an answer: it counts only from people who may see the code."""
        if not self.roots:
            return
        channel, root = self.random.choice(self.roots)
        opinions = self.running.bot.inbox.store.feedback
        for message in self.running.slack.bot_messages(channel, root):
            if "forewarm_feedback" in str(message.blocks):
                before = await opinions.since(0.0)
                clicked = self.person(user).click(channel, message.ts, "forewarm_feedback")
                await self.person(user).done(clicked)
                for one in await opinions.since(0.0):
                    own = VAULT if one.context == "vault" else WEB
                    assert one in before or self.may_see(one.user, own), self.told
                return

    async def crash(self, user: str) -> None:
        """Let a question stand as if the process had died over it: it is taken over."""
        del user
        c, inbox = questions.c, self.running.bot.inbox
        saved = {} if self.random.random() < 0.3 else {"answer": None}

        def work(connection: Connection) -> str | None:
            ids = list(connection.scalars(select(c.id).where(c.question.is_not(None))))
            if not ids:
                return None
            lost: str = self.random.choice(sorted(ids))
            open_again = {"outcome": None, "finished_at": None, "owner": None, "lease_until": 0.0}
            values = {**open_again, **saved, "at": time.time()}
            connection.execute(update(questions).where(c.id == lost).values(**values))
            return lost

        database = inbox.store.inbox._database
        if (lost := await database.change("let a question stand", work)) is None:
            return
        ended = select(c.finished_at).where(c.id == lost)
        async with asyncio.timeout(self.running.patience):
            while await database.read("see its end", lambda it: it.scalar(ended)) is None:
                await asyncio.sleep(0.05)

    def _note(self, user: str, channel: str, ts: str, *, root: bool = False) -> None:
        self.own.setdefault(user, []).append((channel, ts))
        if root:
            self.roots.append((channel, ts))


def _runs_listeners() -> bool:
    """Tell whether Bolt runs a listener: an event is acknowledged before its work begins."""
    coroutines: list[Any] = [task.get_coro() for task in asyncio.all_tasks()]
    return any("slack_bolt" in one.cr_code.co_filename for one in coroutines)


def _options(blocks: Any) -> list[str]:
    """Return the values of every option that a form or a message offers for a context."""
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if node.get("action_id") in ("context", "choose_context"):
                found.extend(option["value"] for option in node.get("options") or ())
            for value in node.values():
                walk(value)
        elif isinstance(node, list | tuple):
            for value in node:
                walk(value)

    walk(blocks)
    return found


@pytest.fixture
async def life(
    product: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Product]:
    # Five hundred sequences take half an hour on a busy machine. None may fail for that.
    monkeypatch.setattr(Running, "patience", 120.0)
    monkeypatch.setattr("bot.app.inbox.LOOK_SECONDS", 0.1)
    vault = tmp_path / "vault"
    commit(vault, {"vault.py": f"# {MARKERS[VAULT]}\ndef open_vault():\n    return 4711\n"})
    contexts = tmp_path / "contexts"
    contexts.mkdir()
    (contexts / "vault.toml").write_text(VAULT_CONTEXT.format(url=vault))
    after = "[limits]\nuser_per_hour = 100000\nchannel_per_hour = 100000\n"
    async with product(slack_config=SLACK, after=after, daily_limit_usd=1e6) as running:
        yield running


@pytest.mark.parametrize("part", range(samples(1, 10)))
async def test_no_prompt_holds_code_that_its_cause_may_not_see(life: Product, part: int) -> None:
    """Sequences of a part share one bot: each begins with what the ones before have left.

    `make soak` tries 500.
    """
    vault_seen, count = 0, samples(4, 50)
    for seed in range(part * count, (part + 1) * count):
        one = Life(life, random.Random(seed), seen=len(life.asked))
        for _ in range(STEPS):
            await one.step()
        vault_seen += sum(MARKERS[VAULT] in json.dumps(r.body) for r in life.asked)
        life.claude.requests.clear()
        for user in SOMETIMES:
            if user not in one.members(VAULT):
                one.person(INSIDER).invite(VAULT, user)
    # The oracle has had something to judge.
    assert vault_seen > 0
