"""`/codebase`: shows and changes what a channel answers from. Nothing changes before Save.

The content of a form becomes a draft, the draft a preview, and only a preview can be saved. Drafts
live in the store under a name of their own, since a view carries no more than 3,000 characters.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from slack_sdk.web.async_client import AsyncWebClient

from bot.context.config.load import ContextConfig
from bot.context.git.urls import parse_url
from bot.errors import ForewarmError
from bot.slack.codebase import blocks as pieces
from bot.slack.codebase import edits
from bot.slack.codebase import views as views
from bot.slack.codebase.settings_form import read_settings, settings_form
from bot.slack.codebase.views import Preview, Summary
from bot.slack.interfaces import Contexts
from bot.slack.people.access import Denied, Place, decide
from bot.slack.people.directory import People
from bot.slack.texts import HELP_WORDS
from bot.slack.web_api import best_effort

SETTLE_SECONDS = 0.4


@dataclass(frozen=True, slots=True)
class StoredContext:
    """The part of a context that was set in Slack. `version` is None if it is not stored yet."""

    name: str
    body: Mapping[str, Any]
    version: int | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A change that was previewed and not yet saved."""

    held: StoredContext
    body: Mapping[str, Any]


class ContextEditor(Protocol):
    """Contexts set inside Slack: kept in the store, merged with the files, built by the library."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts whose repositories may be attached."""

    @property
    def operators(self) -> tuple[str, ...]: ...

    @property
    def creators_attach(self) -> bool:
        """Whether a channel's creator may attach a codebase to it."""
        ...

    async def read_context(self, workspace: str, channel: str) -> StoredContext: ...

    def decided(self, name: str) -> Collection[str]:
        """Return the keys of a context that a file decides; those of tables are `table.key`."""

    def summary(self, name: str, body: Mapping[str, Any]) -> Summary: ...

    async def preview(
        self, held: StoredContext, body: Mapping[str, Any], *, by_operator: bool = False
    ) -> Preview:
        """Build the context without using it. Raises a `ForewarmError` if it fails."""

    async def keep_draft(self, key: str, draft: Draft) -> None: ...

    async def draft(self, key: str) -> Draft | None: ...

    async def save(
        self, workspace: str, user: str, draft: Draft, *, by_operator: bool = False
    ) -> bool:
        """Save and use it; return False if it has been changed since."""


@dataclass(frozen=True, slots=True)
class _Rules:
    """Access rules of a channel without a context: they allow nothing."""

    guests: bool = False
    external: bool = False
    bots: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()


class Codebase:
    """The command and its views."""

    def __init__(
        self, client: AsyncWebClient, people: People, contexts: Contexts, editor: ContextEditor
    ) -> None:
        self._client = client
        self._people = people
        self._contexts = contexts
        self._editor = editor

    def __repr__(self) -> str:
        return f"<Codebase over {self._editor!r}>"

    async def command(
        self, workspace: str, channel: str, user: str, trigger: str, text: str
    ) -> None:
        """Open the summary. `attach URL [ref]` opens the form with the address filled in, `help`
        the explanation.
        """
        first = views.opening_view(pieces.Place(workspace, channel, ""))
        opening = self._client.views_open(trigger_id=trigger, view=first)
        opened = await best_effort("codebase", opening)
        if opened is None:
            return
        view = await self._first_view(workspace, channel, user, text.split())
        shown = str(opened["view"]["id"])
        await best_effort("codebase", self._client.views_update(view_id=shown, view=view))

    async def _first_view(
        self, workspace: str, channel: str, user: str, words: Sequence[str]
    ) -> pieces.View:
        held = await self._editor.read_context(workspace, channel)
        place = pieces.Place(workspace, channel, held.name)
        if words and words[0].lower() in HELP_WORDS:
            return views.help_view(place)
        denied = await self._denied(user, channel)
        if len(words) > 1 and words[0] == "attach" and denied is None:
            ref = words[2] if len(words) > 2 else "HEAD"
            edit = edits.RepositoryEdit(url=words[1], ref=ref)
            return views.repository_form(place, edit, self._editor.hosts)
        return self._summary(place, held, denied)

    def _summary(
        self, place: pieces.Place, held: StoredContext, denied: Denied | None
    ) -> pieces.View:
        summary = self._editor.summary(held.name, held.body)
        shown = replace(
            summary, may_change=denied is None, refusal=denied.message if denied else None
        )
        return views.summary_view(place, shown)

    async def open_form(self, user: str, trigger: str, view: Mapping[str, Any], what: str) -> None:
        """A button of the summary: open the form it leads to."""
        place = pieces.place_of(view)
        first = views.opening_view(place)
        pushed = await best_effort(
            "codebase", self._client.views_push(trigger_id=trigger, view=first)
        )
        if pushed is None:
            return
        shown = str(pushed["view"]["id"])
        denied = await self._denied(user, place.channel)
        held = await self._editor.read_context(place.workspace, place.channel)
        verb, _, name = what.partition(":")
        if denied is not None:
            form = views.done_view(place, denied.message)
        elif verb == "detach":
            body = edits.without_repository(held.body, name)
            await self._preview(user, shown, place, held, body)
            return
        else:
            form = self._form(place, held, verb, name)
        await best_effort("codebase", self._client.views_update(view_id=shown, view=form))

    def _form(self, place: pieces.Place, held: StoredContext, verb: str, name: str) -> pieces.View:
        if verb == "settings":
            shown, fixed = self._settings(held.name), self._editor.decided(held.name)
            return settings_form(place, shown, DEFAULTS, fixed)
        if verb == "change":
            edit = _repository_of(held.body, name)
            return views.repository_form(replace(place, replaces=name), edit, self._editor.hosts)
        return views.repository_form(place, None, self._editor.hosts)

    async def submit_repository(self, user: str, view: Mapping[str, Any], shown: str) -> None:
        """The form of a repository was sent: preview what it would come to."""
        place = pieces.place_of(view)
        if await self._denied(user, place.channel) is not None:
            return
        held = await self._editor.read_context(place.workspace, place.channel)
        edit = views.read_repository(view, place.replaces)
        body = edits.with_channel(
            edits.with_repository(held.body, edit, _name_of(edit.url)), place.channel
        )
        await self._preview(user, shown, place, held, body)

    async def submit_settings(self, user: str, view: Mapping[str, Any], shown: str) -> None:
        """The form of the settings was sent: preview what it would come to."""
        place = pieces.place_of(view)
        if await self._denied(user, place.channel) is not None:
            return
        held = await self._editor.read_context(place.workspace, place.channel)
        body = edits.with_settings(
            held.body,
            read_settings(view),
            self._settings(held.name),
            DEFAULTS,
            self._editor.decided(held.name),
        )
        if body == held.body:
            await self._say(shown, place, "Nothing was changed: everything stands as it stood.")
        else:
            await self._preview(user, shown, place, held, body)

    def _settings(self, name: str) -> edits.SettingsEdit:
        """Return the settings in force, from files or from Slack."""
        context = self._contexts.named(name)
        return DEFAULTS if context is None else settings_of(context)

    async def _preview(
        self,
        user: str,
        view_id: str,
        place: pieces.Place,
        held: StoredContext,
        body: Mapping[str, Any],
    ) -> None:
        # The view that says "working" travels in the acknowledgement, which leaves on its own
        # connection: an update that overtook it would be painted over by it.
        await asyncio.sleep(SETTLE_SECONDS)
        by_operator = await self._denied(user, place.channel, as_operator=True) is None
        try:
            preview = await self._editor.preview(held, body, by_operator=by_operator)
        except ForewarmError as error:
            view = views.problem_view(place, error.user_message)
            await best_effort("codebase", self._client.views_update(view_id=view_id, view=view))
            return
        key = uuid.uuid4().hex
        await self._editor.keep_draft(key, Draft(held, body))
        view = views.preview_view(replace(place, draft=key), preview)
        await best_effort("codebase", self._client.views_update(view_id=view_id, view=view))

    async def save(self, user: str, view: Mapping[str, Any], shown: str) -> None:
        """Save what was previewed; say in the view `shown` what has come of it."""
        place = pieces.place_of(view)
        try:
            said = await self._saved(user, place)
        except ForewarmError as error:
            said = error.user_message
        await self._say(shown, place, said)

    async def _say(self, view_id: str, place: pieces.Place, said: str) -> None:
        view = views.done_view(place, said)
        await asyncio.sleep(SETTLE_SECONDS)
        await best_effort("codebase", self._client.views_update(view_id=view_id, view=view))

    async def _saved(self, user: str, place: pieces.Place) -> str:
        """Save a preview; return what to say about it."""
        if (denied := await self._denied(user, place.channel)) is not None:
            return denied.message
        draft = await self._editor.draft(place.draft or "")
        if draft is None:
            return "This preview is too old; open /codebase again."
        by_operator = await self._denied(user, place.channel, as_operator=True) is None
        if not await self._editor.save(place.workspace, user, draft, by_operator=by_operator):
            return "This channel's codebase was changed meanwhile; open /codebase again."
        return "Saved."

    async def _denied(self, user: str, channel: str, *, as_operator: bool = False) -> Denied | None:
        """Return why a person may not change a channel's codebase (`as_operator`: as more than
        the channel's creator), or None."""
        context: ContextConfig | None = self._contexts.for_channel(channel)
        operators = (*(context.access.operators if context else ()), *self._editor.operators)
        person = await self._people.person(user, ())
        facts = await self._people.channel(channel)
        creator = None if as_operator else self._creator(channel, context, facts.creator)
        place = Place("own", facts.shared, creator, known=facts.known)
        return decide("configure", person, place, _Rules(operators=operators))

    def _creator(
        self, channel: str, context: ContextConfig | None, creator: str | None
    ) -> str | None:
        """Return the channel's creator if that person may change its codebase.

        A context of a file, or one that serves other channels too, is not the creator's own: who
        may see it is not theirs to say.
        """
        if not self._editor.creators_attach:
            return None
        is_own = context is None or (
            set(context.channels) == {channel} and not self._editor.decided(context.name)
        )
        return creator if is_own else None


def settings_of(context: ContextConfig) -> edits.SettingsEdit:
    """Return the settings of a context as the form shows them."""
    limits, access = context.limits, context.access
    return edits.SettingsEdit(
        model=context.model,
        instructions=context.instructions,
        budget_tokens=None if context.budget_tokens == "auto" else context.budget_tokens,
        mode=context.mode,
        answers_daily_usd=limits.answers_daily_usd,
        warm_daily_usd=context.warm.daily_limit_usd,
        user_per_hour=limits.user_per_hour,
        guests=access.guests,
        external=access.external,
        answer_drafts=context.answer_drafts,
    )


DEFAULTS = settings_of(ContextConfig.model_construct(name="", repositories=()))
"""The settings in force if neither a file nor Slack sets them."""


def _repository_of(body: Mapping[str, Any], name: str) -> edits.RepositoryEdit | None:
    for one in body.get("repositories") or ():
        if one.get("name") == name:
            return edits.RepositoryEdit(
                url=str(one.get("url") or ""),
                ref=str(one.get("ref") or "HEAD"),
                include=tuple(one.get("include") or ()),
                exclude=tuple(one.get("exclude") or ()),
            )
    return None


def _name_of(url: str) -> str:
    return parse_url(url).name
