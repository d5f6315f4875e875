"""`chat.*` but for streams."""

from __future__ import annotations

from forewarm_playground.slack.access import joined_channel, named_channel, writable_channel
from forewarm_playground.slack.agency import replied
from forewarm_playground.slack.answering import inspect, whisper
from forewarm_playground.slack.content import UPDATED_TEXT, look, read_content
from forewarm_playground.slack.delivery import Change
from forewarm_playground.slack.posting import Draft, changed, delete, edit, post
from forewarm_playground.slack.records import Channel, Message
from forewarm_playground.slack.refusal import Refusal
from forewarm_playground.slack.shapes import message_shape
from forewarm_playground.slack.streams import stream_state
from forewarm_playground.slack.web_api import Call, method
from forewarm_playground.slack.wire import Json


@method("chat.postMessage", "chat:write", tier=None)
def post_message(call: Call) -> Json:
    """Post a message; one a second and channel, with short bursts."""
    channel = writable_channel(call)
    content = read_content(call.arguments, call.world.ids)
    if wait := call.limiter.post(channel.id, call.at):
        raise Refusal("ratelimited", retry_after=wait)
    username, icons = look(call.arguments)
    customized = bool(username or icons)
    if customized:
        call.require("chat:write.customize")
    thread_ts = call.arguments.optional("thread_ts")
    draft = Draft(
        text=content.text or "",
        thread_ts=thread_ts,
        subtype="bot_message" if customized else None,
        blocks=content.blocks or [],
        attachments=content.attachments or [],
        username=username,
        icons=icons,
        metadata=content.metadata,
        markdown=content.markdown,
        unfurls=content.unfurls,
        broadcast=call.arguments.flag("reply_broadcast"),
    )
    author = call.world.users[call.bot.bot_user]
    message = post(call.world, channel, author, draft)
    inspect(call.world, message, content)
    replied(call.world, channel.id, message.root_ts)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "message": message_shape(call.world, message),
    }


def _own_message(call: Call, channel: Channel, refusal: str) -> Message:
    message = channel.messages.get(call.arguments.text("ts"))
    if message is None or message.subtype == "tombstone":
        raise Refusal("message_not_found")
    if message.app_id != call.world.config.app.id:
        raise Refusal(refusal)
    return message


@method("chat.update", "chat:write", tier=3)
def update(call: Call) -> Json:
    """Replace a message of the app's own; one that is still streaming cannot be."""
    channel = named_channel(call)
    message = _own_message(call, channel, "cant_update_message")
    if message.stream is not None:
        if stream_state(message.stream, call.at) == "in_progress":
            raise Refusal("streaming_state_conflict")
        message.stream = None
    content = read_content(call.arguments, call.world.ids)
    if content.text and not content.markdown and len(content.text) > UPDATED_TEXT:
        raise Refusal("msg_too_long")
    blocks = content.blocks
    if blocks is None:
        blocks = [] if message.markdown else message.blocks
    if content.attachments is not None:
        message.attachments = content.attachments
    message.markdown = content.markdown
    if content.metadata is not None:
        message.metadata = content.metadata
    if call.arguments.has("unfurl_links") or call.arguments.has("unfurl_media"):
        message.unfurls = content.unfurls
    text = message.text if content.text is None else content.text
    edit(call.world, message, text, blocks, by=call.bot.bot_user)
    inspect(call.world, message, content)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "text": message.text,
        "message": message_shape(call.world, message),
    }


@method("chat.delete", "chat:write", tier=3)
def delete_message(call: Call) -> Json:
    """Delete a message of the app's own."""
    channel = named_channel(call)
    message = _own_message(call, channel, "cant_delete_message")
    delete(call.world, message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.postEphemeral", "chat:write", tier=4)
def post_ephemeral(call: Call) -> Json:
    """Show a message to one member, which is in nobody's history."""
    channel = writable_channel(call)
    user = call.world.user(call.arguments.text("user"))
    if user.id not in channel.members:
        raise Refusal("user_not_in_channel")
    content = read_content(call.arguments, call.world.ids)
    thread_ts = call.arguments.optional("thread_ts")
    message = whisper(call.world, call.bot, channel.id, user.id, content, thread_ts)
    inspect(call.world, message, content)
    return {"message_ts": message.ts}


@method("chat.getPermalink", tier=None)
def get_permalink(call: Call) -> Json:
    """Return the address of a message in the workspace."""
    channel = named_channel(call)
    ts = call.arguments.text("message_ts")
    message = channel.messages.get(ts)
    if message is None:
        raise Refusal("message_not_found")
    domain = call.world.workspaces[channel.team].domain
    link = f"https://{domain}.slack.com/archives/{channel.id}/p{ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


@method("chat.unfurl", "links:write", tier=3)
def unfurl(call: Call) -> Json:
    """Put the app's own previews under a message's links, or into a composer."""
    unfurls = call.arguments.object("unfurls") or {}
    if call.arguments.optional("source") == "composer":
        user = call.arguments.text("unfurl_id").split("-", 1)[0]
        change = Change("composer_unfurl", user=user, data={"unfurls": unfurls})
        call.world.publish(change)
        return {}
    channel = joined_channel(call, "history") if call.arguments.has("channel") else None
    if channel is None:
        raise Refusal("cannot_find_channel")
    message = channel.messages.get(call.arguments.text("ts"))
    if message is None:
        raise Refusal("cannot_find_message")
    before = message_shape(call.world, message)
    message.attachments = [
        {**attachment, "from_url": url, "is_app_unfurl": True, "app_id": call.world.config.app.id}
        for url, attachment in unfurls.items()
    ]
    changed(call.world, message, before, channel.stamp(call.at))
    return {}
