"""`chat.*` but for streams."""

from __future__ import annotations

from forewarm_playground.slack.delivery.types import Change
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.interactions.responses import inspect, whisper
from forewarm_playground.slack.json_shapes import message_shape
from forewarm_playground.slack.messages.agent_sessions import replied
from forewarm_playground.slack.messages.content import UPDATED_TEXT, look, read_content
from forewarm_playground.slack.messages.messages import Draft, changed, delete, edit, post
from forewarm_playground.slack.messages.streams import stream_state
from forewarm_playground.slack.models import Channel, Message
from forewarm_playground.slack.web_api.access import joined_channel, named_channel, writable_channel
from forewarm_playground.slack.web_api.registry import Call, method


@method("chat.postMessage", "chat:write", tier=None)
def post_message(call: Call) -> Json:
    """Post a message; one a second and channel, with short bursts."""
    channel = writable_channel(call)
    content = read_content(call.arguments, call.state.ids)
    if wait := call.limiter.post(channel.id, call.at):
        raise SlackError("ratelimited", retry_after=wait)
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
    author = call.state.users[call.bot.bot_user]
    message = post(call.state, channel, author, draft)
    inspect(call.state, message, content)
    replied(call.state, channel.id, message.root_ts)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "message": message_shape(call.state, message),
    }


def _own_message(call: Call, channel: Channel, refusal: str) -> Message:
    message = channel.messages.get(call.arguments.text("ts"))
    if message is None or message.subtype == "tombstone":
        raise SlackError("message_not_found")
    if message.app_id != call.state.config.app.id:
        raise SlackError(refusal)
    return message


@method("chat.update", "chat:write", tier=3)
def update(call: Call) -> Json:
    """Replace a message of the app's own; one that is still streaming cannot be."""
    channel = named_channel(call)
    message = _own_message(call, channel, "cant_update_message")
    if message.stream is not None:
        if stream_state(message.stream, call.at) == "in_progress":
            raise SlackError("streaming_state_conflict")
        message.stream = None
    content = read_content(call.arguments, call.state.ids)
    if content.text and not content.markdown and len(content.text) > UPDATED_TEXT:
        raise SlackError("msg_too_long")
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
    edit(call.state, message, text, blocks, by=call.bot.bot_user)
    inspect(call.state, message, content)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "text": message.text,
        "message": message_shape(call.state, message),
    }


@method("chat.delete", "chat:write", tier=3)
def delete_message(call: Call) -> Json:
    """Delete a message of the app's own."""
    channel = named_channel(call)
    message = _own_message(call, channel, "cant_delete_message")
    delete(call.state, message)
    return {"channel": channel.id, "ts": message.ts}


@method("chat.postEphemeral", "chat:write", tier=4)
def post_ephemeral(call: Call) -> Json:
    """Show a message to one member. No history has it."""
    channel = writable_channel(call)
    user = call.state.user(call.arguments.text("user"))
    if user.id not in channel.members:
        raise SlackError("user_not_in_channel")
    content = read_content(call.arguments, call.state.ids)
    thread_ts = call.arguments.optional("thread_ts")
    message = whisper(call.state, call.bot, channel.id, user.id, content, thread_ts)
    inspect(call.state, message, content)
    return {"message_ts": message.ts}


@method("chat.getPermalink", tier=None)
def get_permalink(call: Call) -> Json:
    """Return the address of a message in the workspace."""
    channel = named_channel(call)
    ts = call.arguments.text("message_ts")
    message = channel.messages.get(ts)
    if message is None:
        raise SlackError("message_not_found")
    domain = call.state.workspaces[channel.team].domain
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
        call.state.publish(change)
        return {}
    channel = joined_channel(call, "history") if call.arguments.has("channel") else None
    if channel is None:
        raise SlackError("cannot_find_channel")
    message = channel.messages.get(call.arguments.text("ts"))
    if message is None:
        raise SlackError("cannot_find_message")
    before = message_shape(call.state, message)
    message.attachments = [
        {**attachment, "from_url": url, "is_app_unfurl": True, "app_id": call.state.config.app.id}
        for url, attachment in unfurls.items()
    ]
    changed(call.state, message, before, channel.stamp(call.at))
    return {}
