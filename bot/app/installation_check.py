"""The steps of `forewarm check`. Each finding says how to fix it.

Nothing is changed and nothing is spent but one tiny warm-up per model, and only if asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Literal

import aiohttp
from slack_sdk.errors import SlackApiError

from bot.app.clones import Clones
from bot.app.prefixes import Prefixes
from bot.claude.client import ClaudeClient
from bot.clock import Now
from bot.context.config.load import ContextConfig, load_contexts
from bot.errors import ForewarmError
from bot.settings import Settings, SettingsError, require_slack
from bot.slack.client import SlackClients, connect
from bot.slack.identity import Identity, identify
from bot.slack.manifest import Features, scopes
from bot.store.sql.url import default_url
from bot.store.store import Store

Verdict = Literal["good", "note", "bad"]
APPS_PAGE = "https://api.slack.com/apps"
KEYS_PAGE = "https://platform.claude.com/settings/keys"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. If the verdict is not good, `text` says how to fix it."""

    part: str
    verdict: Verdict
    text: str


class InstallationCheck:
    """Checks an installation, step by step. A failed step does not stop the next."""

    def __init__(self, settings: Settings, now: Now) -> None:
        self._settings = settings
        self._now = now
        self._stores = False

    async def run(self) -> AsyncIterator[Finding]:
        """Yield findings as they are made, in the order in which an operator would mend them."""
        for finding in self._environment():
            yield finding
        async for finding in self._slack():
            yield finding
        async for finding in self._store():
            yield finding
        async for finding in self._contexts():
            yield finding
        for finding in self._money():
            yield finding

    def _environment(self) -> Iterator[Finding]:
        try:
            require_slack(self._settings)
        except SettingsError as error:
            for problem in error.problems:
                yield Finding("settings", "bad", problem)
        else:
            mode = "Socket Mode" if self._settings.socket_mode else "signed HTTP"
            yield Finding("settings", "good", f"Slack reaches the bot over {mode}.")
        if self._settings.socket_mode:
            yield Finding(
                "settings",
                "note",
                "Socket Mode adds about two seconds to every question; production should use HTTP.",
            )
        if self._settings.anthropic_api_key is None and self._settings.anthropic_base_url is None:
            yield Finding(
                "settings", "bad", f"ANTHROPIC_API_KEY is not set: make one at {KEYS_PAGE}."
            )
        if self._settings.state_token is None:
            yield Finding(
                "settings",
                "note",
                "FOREWARM_STATE_TOKEN is not set, so /state and /metrics are off.",
            )

    # --- Slack ----------------------------------------------------------------------------------

    async def _slack(self) -> AsyncIterator[Finding]:
        token = self._settings.slack_bot_token
        if token is None:
            return
        clients = connect(token.get_secret_value(), self._settings.slack_api_url)
        try:
            me = await identify(clients)
        except ForewarmError as error:
            yield Finding("Slack", "bad", error.user_message)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            yield Finding("Slack", "bad", _unreachable(self._settings.slack_api_url, error))
        else:
            yield Finding("Slack", "good", f"The bot is {me.user} in {me.workspace_name}.")
            for finding in self._scopes(me):
                yield finding
            if self._settings.slack_app_token is not None:
                yield await self._sockets(clients)
        finally:
            await clients.close()

    def _scopes(self, me: Identity) -> Iterator[Finding]:
        missing = [ask for ask in scopes(Features()) if ask.name not in me.scopes]
        for ask in missing:
            yield Finding(
                "scopes",
                "note" if ask.optional else "bad",
                f"The scope {ask.name} is missing ({ask.why}): paste the output of `forewarm"
                f" manifest` into your app's manifest at {APPS_PAGE} and install it again.",
            )
        if not missing:
            yield Finding("scopes", "good", f"All {len(scopes(Features()))} scopes are granted.")

    async def _sockets(self, clients: SlackClients) -> Finding:
        token = self._settings.slack_app_token
        assert token is not None
        try:
            await clients.reads.apps_connections_open(app_token=token.get_secret_value())
        except SlackApiError as error:
            return Finding(
                "sockets",
                "bad",
                f"SLACK_APP_TOKEN was refused ({error.response.get('error')}): make one with the"
                " scope connections:write and switch Socket Mode on.",
            )
        return Finding("sockets", "good", "A Socket Mode connection can be opened.")

    # --- the rest -------------------------------------------------------------------------------

    async def _store(self) -> AsyncIterator[Finding]:
        settings = self._settings
        settings.home.mkdir(parents=True, exist_ok=True)
        try:
            store = await Store.open(
                settings.database_url or default_url(settings.home), now=self._now
            )
            seconds = await store.ping()
            await store.close()
        except ForewarmError as error:
            yield Finding("database", "bad", error.user_message)
        else:
            self._stores = True
            kind = "shared by replicas" if store.shared else "one file, for one process"
            yield Finding("database", "good", f"{kind}; a look takes {1000 * seconds:.0f} ms.")

    async def _contexts(self) -> AsyncIterator[Finding]:
        loaded = load_contexts(self._settings.contexts)
        for problem in loaded.problems:
            yield Finding("contexts", "bad", _ended(problem.user_message))
        if not loaded.contexts:
            yield Finding(
                "contexts",
                "bad",
                f"There is no usable context in {self._settings.contexts}: write one, or attach a"
                " repository with /codebase in Slack.",
            )
            return
        settings = self._settings
        key = settings.anthropic_api_key
        if not self._stores:
            yield Finding("contexts", "note", "Not built, since there is no database to note it.")
            return
        store = await Store.open(settings.database_url or default_url(settings.home), now=self._now)
        client = ClaudeClient.connect(
            api_key=key.get_secret_value() if key else None, base_url=settings.anthropic_base_url
        )
        try:
            sources = Clones(settings, store, client, self._now)
            for context in loaded.contexts:
                yield await self._context(context, sources, Prefixes(client))
        finally:
            await client.close()
            await store.close()

    async def _context(
        self, context: ContextConfig, sources: Clones, prefixes: Prefixes
    ) -> Finding:
        try:
            source = sources.open(context)
            await source.sync()
            pack = await source.pack()
            prefix = await prefixes.build(context, pack, "")
            ambiguous = await source.ambiguous_refs()
        except ForewarmError as error:
            return Finding(f"context {context.name}", "bad", error.user_message)
        at = ", ".join(f"{r.name}@{r.commit[:7]}" for r in pack.repositories)
        thinking = prefix.settings.thinking or "model's default"
        if ambiguous:
            return Finding(
                f"context {context.name}",
                "note",
                f"{', '.join(ambiguous)}: `ref` names a branch and a tag, and the branch is "
                "followed. Write `refs/tags/...` or `refs/heads/...` to say which one is meant.",
            )
        return Finding(
            f"context {context.name}",
            "good",
            f"{at}: {pack.files:,} files, {prefix.tokens:,} tokens, {len(pack.omitted):,} left out;"
            f" {prefix.model}, thinking {thinking}; {len(context.channels)} channels."
            + (f" Size: {pack.size}" if pack.size else ""),
        )

    def _money(self) -> Iterator[Finding]:
        settings = self._settings
        yield Finding(
            "money",
            "good",
            f"At most ${settings.daily_limit_usd:g} a day in all, of which at most"
            f" ${settings.warm_daily_limit_usd:g} for warmth.",
        )


def _ended(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _unreachable(url: str, error: BaseException) -> str:
    return (
        f"Slack cannot be reached at {url} ({type(error).__name__}): check the network, a proxy,"
        " and SLACK_API_URL."
    )
