"""Commands for a person as JSON: the verbs of `Person`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.interactions.interaction import Interaction
from forewarm_playground.slack.people import composer
from forewarm_playground.slack.person import Person
from forewarm_playground.slack.web_api.arguments import Arguments

if TYPE_CHECKING:
    from forewarm_playground.slack.local import LocalSlack

Act = Callable[[Person, Arguments], Awaitable[Json]]

ACTS: dict[str, Act] = {}


def _act(run: Act) -> Act:
    ACTS[run.__name__.removeprefix("_")] = run
    return run


async def perform(slack: LocalSlack, user: str, order: Json) -> Json:
    """Carry out one order, `{"do": verb, …}`, as a user, and return its result.

    Refuses with `unknown_act`, or as the act itself does.
    """
    run = ACTS.get(str(order.get("do")))
    if run is None:
        raise SlackError("unknown_act", f"use one of: {', '.join(sorted(ACTS))}")
    return await run(slack.user(user), Arguments(order))


def _text(person: Person, order: Arguments, name: str = "text") -> str:
    """Return a text: as Slack stores it if `stored` says so, else as a person types it."""
    text = order.optional(name) or ""
    return text if order.flag("stored") else composer.encode(person.state, text)


async def _told(person: Person, order: Arguments, interaction: Interaction | None) -> Json:
    """Return what became of an interaction, waiting for the app's answer if `wait` says so."""
    if interaction is None:
        return {"interaction": None}
    if order.flag("wait"):
        await person.done(interaction)
    return interaction_shape(interaction)


def interaction_shape(interaction: Interaction) -> Json:
    """Return an interaction as JSON; `outcome` is null until the app has answered."""
    outcome = interaction.outcome
    return {
        "interaction": interaction.kind,
        "outcome": None if outcome is None else outcome.kind,
        "reason": "" if outcome is None else outcome.reason,
        "options": interaction.options,
        "errors": interaction.errors,
    }


@_act
async def _post(person: Person, order: Arguments) -> Json:
    ts = person.post(
        order.text("channel"),
        _text(person, order),
        order.optional("thread_ts"),
        broadcast=order.flag("broadcast"),
        snippets=order.object("snippets"),
        webhook=order.flag("webhook"),
    )
    return {"ts": ts}


@_act
async def _mention(person: Person, order: Arguments) -> Json:
    thread_ts = order.optional("thread_ts")
    return {"ts": person.mention(order.text("channel"), _text(person, order), thread_ts)}


@_act
async def _draft(person: Person, order: Arguments) -> Json:
    text = order.optional("text") or ""
    person.type_draft(order.text("channel"), text, order.optional("thread_ts"))
    return {}


@_act
async def _edit(person: Person, order: Arguments) -> Json:
    person.edit(order.text("channel"), order.text("ts"), _text(person, order))
    return {}


@_act
async def _delete(person: Person, order: Arguments) -> Json:
    person.delete(order.text("channel"), order.text("ts"))
    return {}


@_act
async def _react(person: Person, order: Arguments) -> Json:
    person.react(order.text("channel"), order.text("ts"), order.text("name"))
    return {}


@_act
async def _unreact(person: Person, order: Arguments) -> Json:
    person.unreact(order.text("channel"), order.text("ts"), order.text("name"))
    return {}


@_act
async def _open_dm(person: Person, order: Arguments) -> Json:
    return {"channel": person.open_dm()}


@_act
async def _open_home(person: Person, order: Arguments) -> Json:
    return {"channel": person.open_home()}


@_act
async def _close_app(person: Person, order: Arguments) -> Json:
    person.close_app()
    return {}


@_act
async def _look_at(person: Person, order: Arguments) -> Json:
    person.look_at(order.optional("channel"), order.optional("message_ts"))
    return {}


@_act
async def _start_assistant_thread(person: Person, order: Arguments) -> Json:
    return {"ts": person.start_assistant_thread()}


@_act
async def _join(person: Person, order: Arguments) -> Json:
    person.join(order.text("channel"))
    return {}


@_act
async def _leave(person: Person, order: Arguments) -> Json:
    person.leave(order.text("channel"))
    return {}


@_act
async def _invite(person: Person, order: Arguments) -> Json:
    person.invite(order.text("channel"), order.optional("user"))
    return {}


@_act
async def _remove(person: Person, order: Arguments) -> Json:
    person.remove(order.text("channel"), order.optional("user"))
    return {}


@_act
async def _archive(person: Person, order: Arguments) -> Json:
    person.archive(order.text("channel"))
    return {}


@_act
async def _command(person: Person, order: Arguments) -> Json:
    text = order.optional("text") or ""
    asked = person.slash(order.text("channel"), order.text("command"), text)
    return await _told(person, order, asked)


@_act
async def _shortcut(person: Person, order: Arguments) -> Json:
    return await _told(person, order, person.shortcut(order.text("callback_id")))


@_act
async def _message_shortcut(person: Person, order: Arguments) -> Json:
    asked = person.message_shortcut(
        order.text("channel"), order.text("ts"), order.text("callback_id")
    )
    return await _told(person, order, asked)


@_act
async def _click(person: Person, order: Arguments) -> Json:
    asked = person.click(
        order.text("channel"), order.text("ts"), order.text("action_id"), order.any("value")
    )
    return await _told(person, order, asked)


@_act
async def _choose(person: Person, order: Arguments) -> Json:
    home = order.flag("home")
    asked = person.put(order.text("action_id"), order.any("value"), home=home)
    return await _told(person, order, asked)


@_act
async def _set_text(person: Person, order: Arguments) -> Json:
    told = person.set_text(
        order.optional("text") or "", order.optional("action_id"), home=order.flag("home")
    )
    return {"told": len(told)}


@_act
async def _type(person: Person, order: Arguments) -> Json:
    per_key = float(order.any("per_key") or 0.15)
    told = await person.type(order.text("text"), order.optional("action_id"), per_key=per_key)
    return {"told": len(told)}


@_act
async def _press_enter(person: Person, order: Arguments) -> Json:
    return await _told(person, order, person.press_enter(order.optional("action_id")))


@_act
async def _options(person: Person, order: Arguments) -> Json:
    query = order.optional("query") or ""
    return {"options": await person.options(order.text("action_id"), query)}


@_act
async def _submit(person: Person, order: Arguments) -> Json:
    return interaction_shape(await person.submit())


@_act
async def _close_modal(person: Person, order: Arguments) -> Json:
    return await _told(person, order, person.close_modal(all_of_them=order.flag("all")))


@_act
async def _stop(person: Person, order: Arguments) -> Json:
    return {"stopped": person.stop(order.text("channel"), order.text("thread_ts"))}


@_act
async def _rename_session(person: Person, order: Arguments) -> Json:
    person.rename_session(order.text("channel"), order.text("thread_ts"), order.text("title"))
    return {}


@_act
async def _prompt(person: Person, order: Arguments) -> Json:
    """Click a suggested prompt: it is sent as the person's own message.

    Source: docs/platform/slack.md#signals-before-a-question.
    """
    channel = order.optional("channel") or person.dm_channel
    offered: Any = person.state.prompts.get((channel, order.optional("thread_ts") or ""))
    prompts = offered["prompts"] if offered else []
    place = order.integer("index", 0)
    if not 0 <= place < len(prompts):
        raise SlackError("no_such_prompt")
    text = composer.encode(person.state, prompts[place]["message"])
    return {"ts": person.post(channel, text, order.optional("thread_ts"))}
