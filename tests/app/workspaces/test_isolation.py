"""No workspace learns of another: not its code, its contexts, its caps nor its figures.

An oracle knows which words belong to which workspace. It looks at everything that a person of a
workspace can be shown, and at every prompt that is sent because of one.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest
from forewarm_playground.slack.errors import SlackError

from bot.app import operator_alerts
from bot.cli import main
from bot.telemetry.figures.money import day_of
from tests.app.workspaces.conftest import (
    CHANNEL,
    EAST,
    GRID,
    MARKER,
    ONE,
    PERSON,
    TWO,
    WEST,
    Estate,
    Found,
    write_context,
)
from tests.samples import samples

# slack_sdk itself still builds the header with what aiohttp will drop in its next major version.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
TEAMS = (ONE, TWO, EAST, WEST)
STEPS = 10


def foreign_words(team: str) -> list[str]:
    """Return the words that nothing in a workspace may hold: those of all the others."""
    others = [other for other in TEAMS if other != team]
    words = [MARKER[other] for other in others] + [CHANNEL[other] for other in others]
    return [*words, *(other.lower() for other in others)]


class Oracle:
    """Judges what each workspace was shown, and the prompts that its people have caused."""

    def __init__(self, running: Estate) -> None:
        self.running = running
        self.seen = len(running.asked)
        self.told: list[str] = []

    async def judge(self, team: str, step: str) -> None:
        """Wait until nothing is under way, then look at what a step of a workspace has caused."""
        bot = self.running.bot
        self.told.append(f"{step} in {team}")
        await self.running.until(
            lambda: (
                self.running.slack.dispatcher.idle
                and not any(len(w.edge.desk.tasks) for w in bot.workspaces.values())
            ),
            f"the end of {step}",
        )
        new, self.seen = self.running.asked[self.seen :], len(self.running.asked)
        for request in new:
            if request.body.get("max_tokens") != 0:
                self._find(team, json.dumps(request.body), "a prompt")
        state = self.running.slack.state
        for channel in state.channels.values():
            if channel.team == team:
                words = [(m.text, m.blocks) for m in channel.messages.values()]
                self._find(team, json.dumps(words), "a message")
        for view in state.views.values():
            if view.team == team:
                self._find(team, json.dumps(view.content), "a view")

    def _find(self, team: str, shown: str, what: str) -> None:
        for word in foreign_words(team):
            assert word not in shown, f"{team} was shown {word} in {what}: {self.told}"


@pytest.mark.parametrize("seed", range(samples(1, 12)))
async def test_no_step_shows_another_workspace(estate: Found, seed: int) -> None:
    chance = random.Random(seed)
    async with estate(operators=(f"{ONE}:{PERSON[ONE]}", f"{WEST}:{PERSON[WEST]}")) as running:
        for place in (ONE, TWO, GRID):
            await running.browser.install(place)
        await running.open(*TEAMS)
        oracle = Oracle(running)
        for number in range(STEPS):
            team = chance.choice(TEAMS)
            person, other = running.slack.user(PERSON[team]), chance.choice(TEAMS)
            steps: dict[str, Any] = {
                "mention": lambda p=person, t=team, n=number: p.mention(CHANNEL[t], f"how, {n}?"),
                "dm": lambda p=person, n=number: p.dm(f"how does it work, {n}?"),
                "home": person.open_home,
                "ask": lambda p=person, t=team: p.slash(CHANNEL[t], "/ask", "what is it?"),
                "codebase": lambda p=person, t=team: p.slash(CHANNEL[t], "/codebase", ""),
                "look": lambda p=person, o=other: p.look_at(CHANNEL[o]),
            }
            name = chance.choice(sorted(steps))
            try:
                steps[name]()
            except SlackError as refused:
                oracle.told.append(str(refused))
            await oracle.judge(team, name)


async def test_a_spent_cap_is_felt_in_its_own_workspace_alone(
    estate: Found, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    operators = tuple(f"{team}:{PERSON[team]}" for team in (ONE, TWO))
    async with estate(workspace_daily_limit_usd=0.1, operators=operators) as running:
        for place in (ONE, TWO):
            await running.browser.install(place)
        await running.open(ONE, TWO)
        asker, bot = running.slack.user(PERSON[ONE]), running.bot
        refused = ""
        for number in range(12):
            ts = asker.mention(CHANNEL[ONE], f"how, {number}?")
            await running.until(lambda ts=ts: running.slack.bot_messages(CHANNEL[ONE], ts), "words")
            await running.until(lambda: not bot.inbox.questions, "the end")
            refused = running.slack.bot_messages(CHANNEL[ONE], ts)[-1].text
            if "budget" in refused:
                break
        assert "budget" in refused
        await running.ask(TWO)
        spent = await bot.store.ledger.spent(day_of(bot.now()))
        assert 0 < sum(spent[f"workspace/{ONE}"]) <= 0.1
        [caps] = [one.caps[0] for one in bot._audiences() if one.workspace == ONE]
        monkeypatch.setattr(operator_alerts, "CAP_SHARE", caps.spent / caps.cap)
        await bot.alerts.look()
        told = [
            channel.team
            for channel in running.slack.state.channels.values()
            for message in channel.messages.values()
            if "today's limit for this workspace" in message.text
        ]
        assert told == [ONE]
        operator = bot.workspaces[TWO].edge.home._standing.operator(
            bot.workspaces[TWO].library.all()
        )
        assert [money.name for money in operator.money] == [TWO.lower()]
        assert operator.days[-1].answers == pytest.approx(
            bot.live.caps.spent(operator.days[-1].day, context=TWO.lower(), on="answers")
        )
        await bot.journal.flush()
        home = bot.settings.home
    monkeypatch.setenv("FOREWARM_HOME", str(home))
    with pytest.raises(SystemExit) as ended:
        # It runs a loop of its own.
        await asyncio.to_thread(main, ["report", "--workspace", TWO, "--json"])
    printed = capsys.readouterr()
    assert ended.value.code == 0, printed.err
    # The bot's log stands before it.
    shown = json.loads(printed.out[printed.out.index("{\n") :])
    assert list(shown["contexts"]) == [TWO.lower()]
    assert shown["total"]["questions"] == 1


async def test_equal_repositories_share_neither_cache_nor_clone(estate: Found) -> None:
    """The waits of one workspace must not tell that another one asks about the same code."""
    async with estate() as running:
        shared = running.folder / f"code-{ONE.lower()}"
        context = running.folder / "contexts" / f"{TWO.lower()}.toml"
        own = running.folder / f"code-{TWO.lower()}"
        text = context.read_text().replace(str(own), str(shared)).replace(TWO.lower(), "same")
        context.write_text(text.replace(CHANNEL[TWO].lower(), CHANNEL[TWO]))
        for place in (ONE, TWO):
            await running.browser.install(place)
        await running.open(ONE, TWO)
        first, second = running.bot.library.lives()
        assert first.prefix is not None
        assert second.prefix is not None
        assert first.prefix.fingerprint != second.prefix.fingerprint
        folders = running.bot.settings.home / "repositories"
        assert {path.name for path in folders.iterdir()} == {ONE, TWO}


async def test_a_trusted_address_is_trusted_for_its_own_workspace(estate: Found) -> None:
    """An operator who names a private repository lends the git token to one workspace."""
    async with estate() as running:
        clones = running.bot.clones
        write_context(running.folder, ONE)
        for place in (ONE, TWO):
            await running.browser.install(place)
        await running.open(ONE, TWO)
        (context,) = running.bot.workspaces[ONE].library.all()
        address = context.repositories[0].address
        assert clones.trusts(address, context.name, ONE)
        assert not clones.trusts(address, context.name, TWO)


async def test_a_file_without_a_workspace_is_left_out(estate: Found) -> None:
    async with estate() as running:
        (running.folder / "contexts" / "nowhere.toml").write_text(
            f'channels = ["C0NOWHERE"]\n[[repositories]]\nurl = "{running.folder}"\n'
        )
        await running.browser.install(ONE)
        await running.open(ONE)
        await running.until(
            lambda: any("workspace" in one for one in running.bot.context_files.problems),
            "the problem",
        )
        assert running.bot.library.named("nowhere") is None
