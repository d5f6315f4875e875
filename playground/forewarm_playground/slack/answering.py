"""What becomes of an app's answers: to commands, submissions, menus and response URLs."""

from __future__ import annotations

from forewarm_playground.slack import blocks as kit
from forewarm_playground.slack.arguments import Arguments
from forewarm_playground.slack.content import Content, read_content
from forewarm_playground.slack.delivery import Change, Outcome
from forewarm_playground.slack.modals import close_stack, close_top, push_on, read_view, update_view
from forewarm_playground.slack.posting import Draft, delete, edit, post
from forewarm_playground.slack.records import Installation, Message, ResponseUrl, View
from forewarm_playground.slack.refusal import Refusal
from forewarm_playground.slack.wire import Json
from forewarm_playground.slack.world import World


def show_reply(
    world: World, installation: Installation, channel: str, user: str, outcome: Outcome
) -> None:
    """Show what a slash command was answered with, to its user unless it says `in_channel`."""
    answer: Json = outcome.reply or ({"text": outcome.text} if outcome.text else {})
    if not answer.get("text") and not answer.get("blocks"):
        return
    try:
        _show(world, installation, channel, user, answer)
    except Refusal as refusal:
        world.notify(user, f"The app's answer could not be shown ({refusal.code}).", channel)


def _show(
    world: World,
    installation: Installation,
    channel: str,
    user: str,
    answer: Json,
    thread_ts: str | None = None,
) -> Message:
    content = read_content(Arguments(answer), world.ids)
    bot = world.users[installation.bot_user]
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
        message = post(world, world.channels[channel], bot, draft)
    else:
        message = whisper(world, installation, channel, user, content, thread_ts)
    inspect(world, message, content)
    return message


def whisper(
    world: World,
    installation: Installation,
    channel: str,
    user: str,
    content: Content,
    thread_ts: str | None = None,
) -> Message:
    """Show content to one user alone; it is in nobody's history, and no link in it is fetched."""
    bot = world.users[installation.bot_user]
    message = Message(
        channel=channel,
        ts=world.channels[channel].stamp(world.now()),
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
    world.ephemerals.append(message)
    world.publish(Change("ephemeral", channel, message.ts, user))
    return message


def inspect(world: World, message: Message, content: Content) -> None:
    """Let the detector read what the app wrote."""
    world.detector.read(
        message.channel,
        message.ts,
        "\n".join(content.raw),
        [*message.blocks, *message.attachments],
        unfurls=message.unfurls,
        link_names=content.link_names,
    )


def respond(world: World, ident: str, answer: Json) -> None:
    """Carry out a post to a response URL (docs/platform/slack.md#views-and-response-urls).

    Refuses with `invalid_url`, `expired_url` or `used_url`.
    """
    right = world.response_urls.get(ident)
    if right is None:
        raise Refusal("invalid_url")
    if world.now() - right.made_at > world.config.limits.response_seconds:
        raise Refusal("expired_url")
    if right.posts >= world.config.limits.response_posts:
        raise Refusal("used_url")
    right.posts += 1
    installation = world.installations[right.team]
    if answer.get("delete_original"):
        _delete_original(world, right)
    elif answer.get("replace_original") and right.message_ts:
        _replace_original(world, right, answer)
    else:
        thread_ts = answer.get("thread_ts") or right.thread_ts
        _show(world, installation, right.channel, right.user, answer, thread_ts)


def _original(world: World, right: ResponseUrl) -> Message:
    for message in world.ephemerals:
        if message.ts == right.message_ts and message.channel == right.channel:
            return message
    return world.message(right.channel, right.message_ts or "")


def _delete_original(world: World, right: ResponseUrl) -> None:
    message = _original(world, right)
    if message.seen_by is None:
        delete(world, message)
        return
    world.ephemerals.remove(message)
    world.publish(Change("ephemeral_deleted", message.channel, message.ts, message.seen_by))


def _replace_original(world: World, right: ResponseUrl, answer: Json) -> None:
    message = _original(world, right)
    content = read_content(Arguments(answer), world.ids)
    blocks = content.blocks if content.blocks is not None else []
    if message.seen_by is not None:
        message.text, message.blocks = content.text or "", blocks
        world.publish(Change("ephemeral", message.channel, message.ts, message.seen_by))
    else:
        edit(world, message, content.text or "", blocks, by=message.user)
    inspect(world, message, content)


def answer_suggestion(world: World, user: str, outcome: Outcome) -> list[Json]:
    """Return the options that the app offers, groups flattened; bad ones are told to the user."""
    reply = outcome.reply or {}
    options: list[Json] = list(reply.get("options") or [])
    for group in reply.get("option_groups") or []:
        options += group.get("options") or []
    try:
        kit.check_options(options)
    except kit.BlockError as error:
        world.notify(user, f"The app's options could not be shown ({error}).")
        return []
    return options


def answer_submission(
    world: World, installation: Installation, view: View, outcome: Outcome
) -> dict[str, str]:
    """Do what the app's answer to a submission says; return the errors it shows by block."""
    reply = outcome.reply or {}
    action = reply.get("response_action")
    world.view_errors.pop(view.id, None)
    try:
        return _follow(world, installation, view, str(action) if action else "", reply)
    except Refusal as refusal:
        world.notify(view.user, f"The app's answer could not be shown ({refusal.code}).")
        return {}


def _follow(
    world: World, installation: Installation, view: View, action: str, reply: Json
) -> dict[str, str]:
    if action == "errors":
        errors = {str(k): str(v) for k, v in (reply.get("errors") or {}).items()}
        world.view_errors[view.id] = errors
        world.publish(Change("view", user=view.user))
        return errors
    if action == "update":
        update_view(world, view, reply["view"], None)
    elif action == "push":
        push_on(world, installation, view.user, read_view(world, reply.get("view"), "modal"))
    elif action == "clear":
        close_stack(world, view.user)
    elif view.id in world.modals.get(view.user, []):
        close_top(world, view.user)
    return {}
