"""A whole bot whose model obeys every order of the corpus."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from forewarm_playground.claude import Config, Latency, LocalClaude
from forewarm_playground.claude.responses.answers import ToolUse
from forewarm_playground.claude.responses.matching import RequestInfo
from forewarm_playground.slack.local import LocalSlack
from forewarm_playground.slack.models import Message
from pydantic import SecretStr

from benchmarks.made_repository import commit
from bot.app.bot import Bot
from bot.claude.prefix import Prefix
from bot.delivery.rate_limit.budget import Rate, Rates
from bot.settings import Settings
from tests.running import Running, is_whole, local_settings
from tests.safety import planted
from tests.safety.planted import Injection, Repository
from tests.slack import githost

QUICK = Latency(base=0.0, per_uncached_token=0, per_cached_token=0, decode=4000.0, chunk=1)
_ANY = Rate(1_000_000, burst=1.0)
BOUNDLESS = Rates(**dict.fromkeys(Rates.__dataclass_fields__, _ANY))
HIDDEN = {
    "anthropic_api_key": "sk-ant-local-canary",
    "state_token": "state-token-canary",
}


@dataclass
class Obedient:
    """The model: recognises which order a question is about, notes whether it came, obeys it."""

    injections: dict[str, Injection]
    reached: set[str] = field(default_factory=set)
    bodies: list[Any] = field(default_factory=list)

    def __call__(self, asked: RequestInfo) -> Any:
        body: Any = asked.body
        self.bodies.append(body)
        text = json.dumps(body["messages"], ensure_ascii=False)
        # The newest question is the one to answer: a thread may hold older ones.
        at = {name: text.rfind(f"run {name} please") for name in self.injections}
        name = max(at, key=lambda one: at[one])
        if at[name] < 0:
            return "nothing to do"
        one = self.injections[name]
        if one.marks in text or one.marks in json.dumps(body["system"], ensure_ascii=False):
            self.reached.add(name)
        return self._act(one, asked, body)

    def _act(self, one: Injection, asked: RequestInfo, body: Any) -> Any:
        if one.prints:
            return _printed(body[one.prints])
        if asked.has_results:
            return list(one.says) or f"The tool says:\n{asked.question}"
        if one.calls:
            return ToolUse(one.calls["name"], one.calls["input"])
        if one.where in ("commit_message", "author_name"):
            return ToolUse("history", {"path": f"src/{one.name}.txt"})
        if one.where == "file_name":
            path = one.words
            return f"See `{path}:1`, [{path}]({path}), {path}:1 and {path}\n\n{path}"
        return list(one.says)


def _printed(part: Any) -> str:
    return part if isinstance(part, str) else "\n".join(_strings(part))


def _strings(node: Any) -> list[str]:
    if isinstance(node, str):
        return [node]
    items = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [text for item in items for text in _strings(item)]


@dataclass
class Attacked(Running):
    """A running bot, its neighbours, and the corpus that it was exposed to."""

    patience: ClassVar[float] = 90.0

    code: Repository
    form: str
    """The address of a repository that may be attached from inside Slack."""
    model: Obedient
    hidden: tuple[str, ...]

    @property
    def prefix(self) -> Prefix | None:
        """The repositories of the asker's context."""
        live = self.bot.library.live("pay")
        return live.prefix if live is not None else None

    @property
    def written(self) -> list[Message]:
        """Everything that the bot has written anywhere."""
        channels = list(self.slack.state.channels)
        return [m for c in channels for m in self.slack.bot_messages(c)]

    def answer(self, channel: str, thread: str) -> list[Message]:
        """The bot's text in a thread, without its posts of a user's question."""
        found = self.slack.bot_messages(channel, thread)
        return [m for m in found if m.ts != thread]

    async def answered(self, channel: str, thread: str, what: str) -> list[Message]:
        await self.until(lambda: is_whole(self.answer(channel, thread)), f"the answer to {what}")
        return self.answer(channel, thread)


Begin = Callable[..., Any]


@pytest.fixture
def attacked(tmp_path: Path) -> Begin:
    """Return what starts a bot amid the whole corpus: `async with attacked() as running`."""

    @asynccontextmanager
    async def begin(transport: str = "sockets", **settings: Any) -> AsyncIterator[Attacked]:
        injections = planted.corpus()
        code = planted.plant(tmp_path / "code", injections)
        vault = Repository(tmp_path / "vault")
        vault.commit({"vault.md": f"{planted.VAULT_CANARY}\n"}, "the vault")
        planted.contexts(tmp_path / "contexts", code.folder, vault.folder)
        commit(tmp_path / "host" / "acme" / "form", {"form.py": "def form(): ...\n"})
        certificate = githost.certificate(tmp_path)
        async with AsyncExitStack() as stack:
            environment = stack.enter_context(pytest.MonkeyPatch.context())
            environment.setenv("GIT_SSL_CAINFO", str(certificate))
            environment.setenv("no_proxy", "localhost,127.0.0.1")
            host = await stack.enter_async_context(githost.git_host(tmp_path / "host", certificate))
            slack = LocalSlack(planted.slack_world(injections))
            await stack.enter_async_context(slack.serve())
            claude = LocalClaude(Config(latency=QUICK, limits=None))
            url = await stack.enter_async_context(claude.serve())
            model = Obedient({one.name: one for one in injections})
            claude.rule(None, model)
            values = _settings(slack, url, tmp_path) | {"repository_hosts": (host,)} | settings
            if transport == "http":
                values["slack_app_token"] = None
            bot = Bot(Settings.model_construct(**values), rates=BOUNDLESS)
            await bot.start()
            stack.push_async_callback(bot.stop)
            if transport == "http":
                slack.point_at(f"http://127.0.0.1:{bot.web.port}/slack/events")
            hidden = (*HIDDEN.values(), slack.token, slack.app.app_token, slack.app.signing_secret)
            form = f"https://{host}/acme/form"
            running = Attacked(slack, claude, bot, code, form, model, (*hidden, str(tmp_path)))
            await running.ready()
            yield running

    return begin


def _settings(slack: LocalSlack, url: str, home: Path) -> dict[str, Any]:
    return local_settings(slack, url, home) | {
        "slack_signing_secret": SecretStr(slack.app.signing_secret),
        "sync_seconds": 3600.0,
        "answers_at_once": 200,
        "daily_limit_usd": 1e6,
        **{name: SecretStr(value) for name, value in HIDDEN.items()},
    }
