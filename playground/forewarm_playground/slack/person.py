"""A person in a local Slack, with the verbs of what people do there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.interactions import controls, forms
from forewarm_playground.slack.interactions.interaction import Interaction
from forewarm_playground.slack.interactions.modals import TEXT_INPUTS, inputs
from forewarm_playground.slack.messages import agent_sessions
from forewarm_playground.slack.models import Message, View
from forewarm_playground.slack.people import composer, membership, navigation
from forewarm_playground.slack.state import State
from forewarm_playground.slack.timers import Timer, sleep

if TYPE_CHECKING:
    from forewarm_playground.slack.local import LocalSlack


class Person:
    """Acts as one user. An action that Slack's client refuses raises `SlackError`.

    Text is written as Slack stores it: a mention is `<@U…>`, `&`, `<` and `>` stray are escaped.
    """

    def __init__(self, slack: LocalSlack, user: str) -> None:
        self._slack = slack
        self._state = slack.state
        self._debounced: dict[tuple[str, str], Timer] = {}
        self.id = user

    def __repr__(self) -> str:
        return f"<Person {self.id} [{self._state.users[self.id].kind}]>"

    @property
    def state(self) -> State:
        """The state that the person acts on."""
        return self._state

    # Speaking

    def post(
        self,
        channel: str,
        text: str,
        thread_ts: str | None = None,
        *,
        broadcast: bool = False,
        snippets: Mapping[str, str] | None = None,
        webhook: bool = False,
        files: Mapping[str, bytes] | None = None,
        attachments: Sequence[Json] = (),
        blocks: Sequence[Json] = (),
    ) -> str:
        """Post a message and return its time stamp.

        `snippets` and `files` are shared files, name to content; `webhook` is how old integrations
        post. `attachments` are what a forwarded message or an app adds, `blocks` an app's blocks.
        """
        message = composer.say(
            self._state,
            self.id,
            channel,
            text,
            thread_ts=thread_ts,
            broadcast=broadcast,
            snippets=snippets,
            webhook=webhook,
            files=files,
            attachments=attachments,
            blocks=blocks,
        )
        return message.ts

    def mention(
        self, channel: str, text: str = "", thread_ts: str | None = None, **shared: Any
    ) -> str:
        """Post a message that mentions the bot first."""
        bot = self._state.installed_for(self._state.channel(channel))
        name = bot.bot_user if bot else self._slack.bot_user
        return self.post(channel, f"<@{name}> {text}".strip(), thread_ts, **shared)

    def dm(self, text: str, thread_ts: str | None = None, **shared: Any) -> str:
        """Send the bot a direct message; `shared` is what `post` takes."""
        return self.post(self._state.home_of(self.id).id, text, thread_ts, **shared)

    @property
    def dm_channel(self) -> str:
        """The id of the person's direct message with the bot."""
        return self._state.home_of(self.id).id

    def type_draft(self, channel: str, text: str, thread_ts: str | None = None) -> None:
        """Let a text stand in the composer, unsent; the app hears of known links in it."""
        composer.compose(self._state, self.id, channel, text, thread_ts)

    def edit(self, channel: str, ts: str, text: str) -> None:
        """Edit a message of one's own."""
        composer.rewrite(self._state, self.id, channel, ts, text)

    def delete(self, channel: str, ts: str) -> None:
        """Delete a message of one's own."""
        composer.retract(self._state, self.id, channel, ts)

    def react(self, channel: str, ts: str, name: str) -> None:
        """React to a message."""
        composer.add_reaction(self._state, self.id, channel, ts, name)

    def unreact(self, channel: str, ts: str, name: str) -> None:
        """Take a reaction back."""
        composer.take_reaction(self._state, self.id, channel, ts, name)

    # Moving about

    def open_dm(self) -> str:
        """Open the bot's direct message and return its channel."""
        return navigation.open_app(self._state, self.id, "messages").id

    def open_home(self) -> str:
        """Open the app's Home tab and return the direct message's channel."""
        return navigation.open_app(self._state, self.id, "home").id

    def close_app(self) -> None:
        """Leave the app's panel."""
        navigation.close_app(self._state, self.id)

    def look_at(self, channel: str | None, message_ts: str | None = None) -> None:
        """Switch to a channel, or to none."""
        navigation.look_at(self._state, self.id, channel, message_ts)

    def start_assistant_thread(self) -> str:
        """Open a thread of an `assistant_view` app and return its root's time stamp."""
        return navigation.start_assistant_thread(self._state, self.id).ts

    def join(self, channel: str) -> None:
        """Join a channel."""
        membership.join(self._state, self._state.channel(channel), self.id)

    def leave(self, channel: str) -> None:
        """Leave a channel."""
        membership.leave(self._state, self._state.channel(channel), self.id)

    def invite(self, channel: str, user: str | None = None) -> None:
        """Invite a user, by default the bot."""
        place = composer.joined(self._state, self.id, channel)
        bot = self._state.installed_for(place)
        wanted = user or (bot.bot_user if bot else self._slack.bot_user)
        membership.join(self._state, place, wanted, inviter=self.id)

    def remove(self, channel: str, user: str | None = None) -> None:
        """Remove a user, by default the bot."""
        place = composer.joined(self._state, self.id, channel)
        bot = self._state.bot_in(place)
        wanted = user or (bot.bot_user if bot else self._slack.bot_user)
        membership.leave(self._state, place, wanted)

    def archive(self, channel: str) -> None:
        """Archive a channel."""
        membership.archive(self._state, self._state.channel(channel), self.id)

    # Commands, shortcuts, buttons

    def slash(self, channel: str, command: str, text: str = "") -> Interaction:
        """Send a slash command."""
        return controls.slash(self._state, self.id, channel, command, text)

    def shortcut(self, callback_id: str) -> Interaction:
        """Choose a global shortcut."""
        return controls.global_shortcut(self._state, self.id, callback_id)

    def message_shortcut(self, channel: str, ts: str, callback_id: str) -> Interaction:
        """Choose a message shortcut."""
        return controls.message_shortcut(self._state, self.id, channel, ts, callback_id)

    def click(self, channel: str, ts: str, action_id: str, value: Any = None) -> Interaction:
        """Use an element under a message; of feedback buttons `"down"` is the negative one."""
        return controls.click(self._state, self.id, channel, ts, action_id, value)

    def stop(self, channel: str, thread_ts: str) -> list[str]:
        """Press Stop in a thread; return the streams that it ended."""
        return agent_sessions.stop_session(self._state, channel, thread_ts, self.id)

    def rename_session(self, channel: str, thread_ts: str, title: str) -> None:
        """Give an agent's session another title."""
        agent_sessions.rename_session(self._state, channel, thread_ts, title, self.id)

    async def done(self, interaction: Interaction, timeout: float = 10.0) -> Interaction:
        """Wait until the app has answered an interaction, or Slack gave up on it."""
        what = f"the answer to a {interaction.kind}"
        await self._slack.until(lambda: interaction.outcome is not None, what, timeout)
        return interaction

    # Modals

    @property
    def modal(self) -> View:
        """The modal in front, or a refusal with `no_modal`."""
        return forms.top_view(self._state, self.id)

    @property
    def home(self) -> View:
        """The Home tab, or a refusal with `no_home`."""
        return forms.home_view(self._state, self.id)

    async def open_modal(
        self,
        channel: str | None = None,
        command: str | None = None,
        *,
        text: str = "",
        shortcut: str | None = None,
        message_ts: str | None = None,
        timeout: float = 10.0,
    ) -> View:
        """Ask for a modal with a command, or with a global or message shortcut, and wait for it."""
        if shortcut is not None and message_ts is not None and channel is not None:
            asked = self.message_shortcut(channel, message_ts, shortcut)
        elif shortcut is not None:
            asked = self.shortcut(shortcut)
        elif channel is not None:
            asked = self.slash(channel, command or self._slack.app.commands[0], text)
        else:
            raise SlackError("invalid_arguments", "name a channel for a command, or a shortcut")
        trigger = self._state.triggers[asked.trigger_id]
        await self._slack.until(lambda: trigger.opened is not None, "the modal", timeout)
        return self._state.views[trigger.opened or ""]

    def put(self, action_id: str, value: Any, *, home: bool = False) -> Interaction:
        """Choose something in the modal in front (or the Home tab), or press its button."""
        view = self.home if home else self.modal
        return forms.act_in_view(self._state, self.id, view, action_id, value)

    def set_text(
        self, text: str, action_id: str | None = None, *, home: bool = False
    ) -> list[Interaction]:
        """Let a text input of the modal (or the Home tab) hold `text`, as after one key.

        The app is told if it asked for `on_character_entered`: at once, or when nothing was typed
        for the configured debounce.
        """
        view = self.home if home else self.modal
        action = action_id or _only_text_input(view)
        forms.put_text(self._state, view, action, text)
        if not forms.dispatches(view, action, "on_character_entered"):
            return []
        debounce = self._state.config.limits.typing_debounce
        if debounce <= 0:
            return [forms.tell_typing(self._state, self.id, view, action)]
        self._debounce(view, action, debounce)
        return []

    def _debounce(self, view: View, action: str, seconds: float) -> None:
        key = (view.id, action)
        if key in self._debounced:
            self._debounced.pop(key).cancel()

        def fire() -> None:
            self._debounced.pop(key, None)
            if view.id in self._state.views:
                forms.tell_typing(self._state, self.id, view, action)

        self._debounced[key] = self._slack.timers.call_later(seconds, fire)

    async def type(
        self, text: str, action_id: str | None = None, *, per_key: float = 0.15
    ) -> list[Interaction]:
        """Type into a text input of the modal, a key every `per_key` seconds."""
        action = action_id or _only_text_input(self.modal)
        held = _text_in(self.modal, action)
        told: list[Interaction] = []
        for key in text:
            held += key
            told += self.set_text(held, action)
            await sleep(self._slack.timers, per_key)
        return told

    def press_enter(self, action_id: str | None = None) -> Interaction | None:
        """Press Enter in a text input; None unless the app asked to hear of it."""
        view = self.modal
        action = action_id or _only_text_input(view)
        if not forms.dispatches(view, action, "on_enter_pressed"):
            return None
        return forms.tell_typing(self._state, self.id, view, action)

    async def options(self, action_id: str, query: str) -> list[Json]:
        """Type into an external select of the modal and return what the app offers."""
        asked = forms.suggest(self._state, self.id, action_id, query, view=self.modal)
        return [] if asked is None else (await self.done(asked)).options

    async def submit(self) -> Interaction:
        """Submit the modal in front and wait for the app's answer."""
        return await self.done(forms.submit(self._state, self.id))

    def close_modal(self, *, all_of_them: bool = False) -> Interaction | None:
        """Close the modal in front, or all of them."""
        return forms.close(self._state, self.id, all_of_them=all_of_them)

    # Seeing

    def sees(self, message: Message) -> str:
        """Return the text that the person has on screen for a message."""
        from forewarm_playground.slack.people.client_view import shown_text

        return shown_text(self._state, message, self.id)

    async def pause(self, seconds: float) -> None:
        """Do nothing for a while."""
        await sleep(self._slack.timers, seconds)
        await asyncio.sleep(0)


def _only_text_input(view: View) -> str:
    found = [str(e["action_id"]) for _, e in inputs(view.content) if e["type"] in TEXT_INPUTS]
    if not found:
        raise SlackError("no_text_input")
    return found[0]


def _text_in(view: View, action_id: str) -> str:
    for actions in view.values.values():
        if action_id in actions:
            return str(actions[action_id].get("value") or "")
    return ""
