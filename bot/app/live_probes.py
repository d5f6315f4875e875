"""`forewarm check --live`: what only a real workspace and a real key can tell, part by part."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp

from bot.claude.client import ClaudeClient
from bot.claude.models import settle
from bot.claude.probe_finding import ProbeFinding
from bot.claude.probes import SETTLE_SECONDS, ClaudeProbes
from bot.clock import Now
from bot.context.config.load import load_contexts
from bot.errors import ForewarmError
from bot.settings import Settings, provider_environment
from bot.slack.client import SlackClients, connect
from bot.slack.identity import identify
from bot.slack.probes.interactive import Watch
from bot.slack.probes.run import GAP_SECONDS, LIFE_SECONDS, STEP_SECONDS, SlackProbes

DEFAULT_MODEL = "claude-sonnet-5-5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long the probes take, in seconds. `listen` 0 leaves out what needs a person.

    `heard` ends the listening before its time.
    """

    listen: float = 60.0
    life: float = LIFE_SECONDS
    step: float = STEP_SECONDS
    gap: float = GAP_SECONDS
    settle: float = SETTLE_SECONDS
    heard: asyncio.Event | None = None


class LiveProbes:
    """Probes Slack in one channel and Claude with each model that the contexts use."""

    def __init__(
        self, settings: Settings, channel: str, now: Now, pace: Pace | None = None
    ) -> None:
        self._settings = settings
        self._channel = channel
        self._now = now
        self._pace = pace or Pace()

    async def run(self) -> AsyncIterator[ProbeFinding]:
        """Yield the findings. A failed part does not stop the next."""
        parts = (("claude", self._claude), ("slack", self._slack))
        for name, part in parts:
            try:
                async for found in part():
                    yield found
            except ForewarmError as error:
                yield ProbeFinding(name, "failed", error.user_message)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                text = f"The network failed ({type(error).__name__}): check it and try again."
                yield ProbeFinding(name, "failed", text)
        for item, why in UNPROBED.items():
            yield ProbeFinding(item, "unprobed", why)

    async def _claude(self) -> AsyncIterator[ProbeFinding]:
        settings = self._settings
        key = settings.anthropic_api_key
        client = ClaudeClient.connect(
            api_key=key.get_secret_value() if key else None,
            base_url=settings.anthropic_base_url,
            provider=settings.provider,
            environment=provider_environment(),
        )
        contexts = load_contexts(settings.contexts).contexts
        chosen = {(c.full_model, c.thinking, c.effort) for c in contexts}
        try:
            for model, thinking, effort in sorted(chosen or {(DEFAULT_MODEL, "least", "low")}):
                capabilities = await client.capabilities(model)
                accepted = settle(capabilities, thinking=thinking, effort=effort)
                probes = ClaudeProbes(client.sdk(model), accepted, settle=self._pace.settle)
                async for found in probes.run():
                    yield found
        finally:
            await client.close()

    async def _slack(self) -> AsyncIterator[ProbeFinding]:
        token = self._settings.slack_bot_token
        if token is None:
            yield ProbeFinding(
                "slack", "failed", "SLACK_BOT_TOKEN is not set: set it and try again."
            )
            return
        clients = connect(token.get_secret_value(), self._settings.slack_api_url)
        try:
            me = await identify(clients)
            pace = self._pace
            probes = SlackProbes(
                clients,
                me.workspace,
                self._channel,
                self._now,
                life=pace.life,
                step=pace.step,
                gap=pace.gap,
            )
            try:
                async for found in probes.run():
                    yield found
            finally:
                left = await asyncio.shield(probes.clean())
            verdict = f"{left} messages could not be deleted." if left else "Everything is deleted."
            yield ProbeFinding(
                "slack.cleaning up", "failed" if left else "found", verdict, {"left": left}
            )
            async for found in self._watched(clients):
                yield found
        finally:
            await clients.close()

    async def _watched(self, clients: SlackClients) -> AsyncIterator[ProbeFinding]:
        token, seconds = self._settings.slack_app_token, self._pace.listen
        if token is None or not seconds:
            why = "It needs SLACK_APP_TOKEN (Socket Mode)." if token is None else "Use --listen 60."
            yield ProbeFinding("slack.what needs a person", "unprobed", why)
            return
        watch = Watch(clients, token.get_secret_value(), self._channel, self._now)
        for found in await watch.run(seconds, self._pace.heard):
            yield found


UNPROBED = {
    "slack.end of assistant_view": "Only Slack can say when.",
    "slack.statement on ordering": "Only Slack can say it.",
    "slack.dates of the history limit for existing installs": "Only Slack can say them.",
    "slack.markdown dialect of each client": "It has to be looked at in each client.",
    "claude.most document blocks and longest title": "This bot sends no document blocks.",
    "claude.how long fingerprints are kept": "It takes longer than a check may.",
    "claude.price of mythos-5-2": "Only the price list says it.",
}
"""Open questions about the platforms that cannot be probed from here, and why."""
