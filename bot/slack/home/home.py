"""The Home tab and the suggested prompts of the agent pane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from slack_sdk.web.async_client import AsyncWebClient

from bot.context.config.load import ContextConfig
from bot.slack.home.views import BadAnswer, ContextShown, OperatorShown, charts_message, home_view
from bot.slack.manifest import Ask
from bot.slack.people.access import Place, decide
from bot.slack.people.directory import People
from bot.slack.router import Router
from bot.slack.web_api import best_effort


class Standing(Protocol):
    """Says how contexts stand and what they cost, from the journal's folds."""

    def summarize(self, context: ContextConfig) -> ContextShown: ...

    def operator(self, contexts: Sequence[ContextConfig]) -> OperatorShown: ...

    async def bad_answers(self, contexts: Sequence[ContextConfig]) -> Sequence[BadAnswer]: ...


class Home:
    """Publishes the tab, and the prompts that a person finds in the bot's DM."""

    def __init__(
        self,
        client: AsyncWebClient,
        desk: Router,
        people: People,
        standing: Standing,
        operators: Sequence[str],
        missing: Sequence[Ask] = (),
    ) -> None:
        """`missing` are the scopes that the installation lacks, which operators are told of."""
        self._client = client
        self._desk = desk
        self._people = people
        self._standing = standing
        self._operators = operators
        self._missing = [(ask.name, ask.why) for ask in missing]

    async def publish(self, workspace: str, user: str) -> None:
        """Publish the tab for one person: what they may ask, and for operators what it costs."""
        askable = await self._desk.askable(user)
        shown = [self._standing.summarize(context) for context in askable]
        seen = await self._costs_seen_by(user, askable)
        operator = self._standing.operator(seen) if seen else None
        bad = await self._standing.bad_answers(seen) if seen else ()
        for charts in (True, False):
            view = home_view(shown, operator, charts=charts, missing=self._missing, bad=bad)
            published = self._client.views_publish(user_id=user, view=view)
            if await best_effort("home", published) is not None or operator is None:
                return

    async def send_charts(self, user: str) -> None:
        """Send an operator the figures as charts, which Slack draws in messages."""
        seen = await self._costs_seen_by(user, await self._desk.askable(user))
        if not seen:
            return
        text, charts = charts_message(self._standing.operator(seen).days)
        sent = self._client.chat_postMessage(
            channel=user, text=text, blocks=charts, unfurl_links=False, unfurl_media=False
        )
        if await best_effort("charts", sent) is None:
            again = self._client.chat_postMessage(
                channel=user, text=text, unfurl_links=False, unfurl_media=False
            )
            await best_effort("charts", again)

    async def _costs_seen_by(
        self, user: str, contexts: Sequence[ContextConfig]
    ) -> list[ContextConfig]:
        """Return the contexts whose money a person may see."""
        person = await self._people.person(user, ())
        if user in self._operators and person.kind == "member":
            return list(contexts)
        return [c for c in contexts if decide("see_cost", person, Place("dm"), c.access) is None]

    async def suggest(self, workspace: str, user: str, channel: str) -> None:
        """Offer prompts made from the context that the person most likely means."""
        choice = await self._desk.choice(workspace, user)
        if choice.context is None:
            return
        offered = {
            "channel_id": channel,
            "title": f"Ask about {choice.context.name}",
            "prompts": list(prompts(choice.context)),
        }
        # agent_view apps must leave thread_ts out, or silently nothing happens (§2.5).
        method = "assistant.threads.setSuggestedPrompts"
        await best_effort("prompts", self._client.api_call(method, json=offered))


def prompts(context: ContextConfig) -> Sequence[Mapping[str, str]]:
    """Return up to four prompts: the context's own, else some that name what it holds."""
    if context.prompts:
        return [{"title": text[:60], "message": text} for text in context.prompts]
    names = ", ".join(repository.name for repository in context.repositories[:3])
    return (
        {"title": "Find my way", "message": f"How is {names} organised, and where do I start?"},
        {"title": "Entry points", "message": f"What are the entry points of {names}?"},
        {"title": "How it is tested", "message": f"How is {names} tested?"},
    )
