"""Answers of the app to commands, submissions, menus and response URLs, and their effects."""

from __future__ import annotations

from forewarm_playground.slack.delivery.types import Change, Outcome
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.interactions.modals import (
    close_stack,
    close_top,
    push_on,
    read_view,
    update_view,
)
from forewarm_playground.slack.messages import blocks as kit
from forewarm_playground.slack.messages.content import Content, read_content
from forewarm_playground.slack.messages.messages import Draft, delete, edit, post
from forewarm_playground.slack.models import Installation, Message, ResponseUrl, View
from forewarm_playground.slack.state import State
from forewarm_playground.slack.web_api.arguments import Arguments


def show_reply(
    state: State, installation: Installation, channel: str, user: str, outcome: Outcome
) -> None:
    """Show what a slash command was answered with, to its user unless it says `in_channel`."""
    answer: Json = outcome.reply or ({"text": outcome.text} if outcome.text else {})
    if not answer.get("text") and not answer.get("blocks"):
        return
    try:
        _show(state, installation, channel, user, answer)
    except SlackError as refusal:
        state.notify(user, f"The app's answer could not be shown ({refusal.code}).", channel)


def _show(
    state: State,
    installation: Installation,
    channel: str,
    user: str,
    answer: Json,
    thread_ts: str | None = None,
) -> Message:
    content = read_content(Arguments(answer), state.ids)
    bot = state.users[installation.bot_user]
    if answer.get("response_type") == "in_channel":
        draft = Draft(
            text=content.text or "",
            thread_ts=thread_ts,
            subtype=None,
            blocks=content.blocks or [],
            attachments=content.attachments or [],
            markdown=content.markdown,
            unfurls=content.unfurls,
        )
        message = post(state, state.channels[channel], bot, draft)
    else:
        message = whisper(state, installation, channel, user, content, thread_ts)
    inspect(state, message, content)
    return message


def whisper(
    state: State,
    installation: Installation,
    channel: str,
    user: str,
    content: Content,
    thread_ts: str | None = None,
) -> Message:
    """Show content to one user alone. No history has it, and no link in it is fetched."""
    bot = state.users[installation.bot_user]
    message = Message(
        channel=channel,
        ts=state.channels[channel].stamp(state.now()),
        user=bot.id,
        team=bot.team,
        text=content.text or "",
        thread_ts=thread_ts,
        blocks=content.blocks or [],
        attachments=content.attachments or [],
        bot_id=bot.bot_id,
        app_id=bot.app_id,
        markdown=content.markdown,
        seen_by=user,
    )
    state.ephemerals.append(message)
    state.publish(Change("ephemeral", channel, message.ts, user))
    return message


def inspect(state: State, message: Message, content: Content) -> None:
    """Let the detector read what the app wrote."""
    state.detector.read(
        message.channel,
        message.ts,
        "\n".join(content.raw),
        [*message.blocks, *message.attachments],
        unfurls=message.unfurls,
        link_names=content.link_names,
    )


def respond(state: State, ident: str, answer: Json) -> None:
    """Carry out a post to a response URL (docs/platform/slack.md#views-and-response-urls).

    Refuses with `invalid_url`, `expired_url` or `used_url`.
    """
    right = state.response_urls.get(ident)
    if right is None:
        raise SlackError("invalid_url")
    if state.now() - right.made_at > state.config.limits.response_seconds:
        raise SlackError("expired_url")
    if right.posts >= state.config.limits.response_posts:
        raise SlackError("used_url")
    right.posts += 1
    installation = state.installations[right.team]
    if answer.get("delete_original"):
        _delete_original(state, right)
    elif answer.get("replace_original") and right.message_ts:
        _replace_original(state, right, answer)
    else:
        thread_ts = answer.get("thread_ts") or right.thread_ts
        _show(state, installation, right.channel, right.user, answer, thread_ts)


def _original(state: State, right: ResponseUrl) -> Message:
    for message in state.ephemerals:
        if message.ts == right.message_ts and message.channel == right.channel:
            return message
    return state.message(right.channel, right.message_ts or "")


def _delete_original(state: State, right: ResponseUrl) -> None:
    message = _original(state, right)
    if message.seen_by is None:
        delete(state, message)
        return
    state.ephemerals.remove(message)
    state.publish(Change("ephemeral_deleted", message.channel, message.ts, message.seen_by))


def _replace_original(state: State, right: ResponseUrl, answer: Json) -> None:
    message = _original(state, right)
    content = read_content(Arguments(answer), state.ids)
    blocks = content.blocks if content.blocks is not None else []
    if message.seen_by is not None:
        message.text, message.blocks = content.text or "", blocks
        state.publish(Change("ephemeral", message.channel, message.ts, message.seen_by))
    else:
        edit(state, message, content.text or "", blocks, by=message.user)
    inspect(state, message, content)


def answer_suggestion(state: State, user: str, outcome: Outcome) -> list[Json]:
    """Return the options that the app offers, groups flattened; bad ones are told to the user."""
    reply = outcome.reply or {}
    options: list[Json] = list(reply.get("options") or [])
    for group in reply.get("option_groups") or []:
        options += group.get("options") or []
    try:
        kit.check_options(options)
    except kit.BlockError as error:
        state.notify(user, f"The app's options could not be shown ({error}).")
        return []
    return options


def answer_submission(
    state: State, installation: Installation, view: View, outcome: Outcome
) -> dict[str, str]:
    """Do what the app's answer to a submission says; return the errors it shows by block."""
    reply = outcome.reply or {}
    action = reply.get("response_action")
    state.view_errors.pop(view.id, None)
    try:
        return _follow(state, installation, view, str(action) if action else "", reply)
    except SlackError as refusal:
        state.notify(view.user, f"The app's answer could not be shown ({refusal.code}).")
        return {}


def _follow(
    state: State, installation: Installation, view: View, action: str, reply: Json
) -> dict[str, str]:
    if action == "errors":
        errors = {str(k): str(v) for k, v in (reply.get("errors") or {}).items()}
        state.view_errors[view.id] = errors
        state.publish(Change("view", user=view.user))
        return errors
    if action == "update":
        update_view(state, view, reply["view"], None)
    elif action == "push":
        push_on(state, installation, view.user, read_view(state, reply.get("view"), "modal"))
    elif action == "clear":
        close_stack(state, view.user)
    elif view.id in state.modals.get(view.user, []):
        close_top(state, view.user)
    return {}
