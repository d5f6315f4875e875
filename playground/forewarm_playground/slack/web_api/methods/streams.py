"""`chat.startStream`, `chat.appendStream`, `chat.stopStream`."""

from __future__ import annotations

from forewarm_playground.slack.delivery.types import Change
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.json_shapes import message_shape
from forewarm_playground.slack.messages import blocks as kit
from forewarm_playground.slack.messages.agent_sessions import begin_session, end_turn, replied
from forewarm_playground.slack.messages.content import look
from forewarm_playground.slack.messages.messages import Draft, changed, post
from forewarm_playground.slack.messages.streams import (
    add_chunks,
    check_writable,
    read_chunks,
    stream_blocks,
    stream_text,
)
from forewarm_playground.slack.models import Channel, Message, Stream
from forewarm_playground.slack.web_api.access import named_channel, writable_channel
from forewarm_playground.slack.web_api.registry import Call, method

DISPLAY_MODES = ("timeline", "plan", "dense")
SESSION_STATUSES = ("processing", "active", "suspended", "closed")


@method("chat.startStream", "chat:write", tier=2)
def start_stream(call: Call) -> Json:
    """Open a message whose text follows; in a channel it must name who sees it grow."""
    channel = writable_channel(call)
    recipient = _recipient(call, channel)
    thread_ts = call.arguments.optional("thread_ts")
    if thread_ts is None and channel.kind in ("im", "mpim"):
        raise SlackError("invalid_arguments", "[ERROR] missing required field: thread_ts")
    display = call.arguments.optional("task_display_mode") or "timeline"
    if display not in DISPLAY_MODES:
        raise SlackError("invalid_arguments", "[ERROR] task_display_mode is not known")
    username, icons = look(call.arguments)
    if username or icons:
        call.require("chat:write.customize")
    stream = Stream(
        recipient=recipient,
        started_at=call.at,
        expires_at=call.at + call.state.config.limits.stream_seconds,
        display=display,
    )
    _add(call, stream)
    draft = Draft(
        text=stream_text(stream),
        thread_ts=thread_ts,
        blocks=stream_blocks(stream),
        stream=stream,
        markdown=True,
        username=username,
        icons=icons,
    )
    message = post(call.state, channel, call.state.users[call.bot.bot_user], draft)
    replied(call.state, channel.id, message.root_ts)
    begin_session(call.state, channel.id, message.root_ts, recipient)
    _inspect(call, message)
    return {"channel": channel.id, "ts": message.ts}


def _recipient(call: Call, channel: Channel) -> str | None:
    user = call.arguments.optional("recipient_user_id")
    team = call.arguments.optional("recipient_team_id")
    if channel.kind in ("public", "private"):
        if not team:
            raise SlackError("missing_recipient_team_id")
        if not user:
            raise SlackError("missing_recipient_user_id")
    if user is None:
        return next((m for m in channel.members if m != call.bot.bot_user), None)
    if user not in call.state.users:
        raise SlackError("user_not_found")
    return user


def _add(call: Call, stream: Stream) -> list[Json]:
    chunks = read_chunks(
        call.arguments.optional("markdown_text"),
        call.arguments.objects("chunks", "invalid_chunks"),
    )
    for chunk in chunks:
        if chunk["type"] == "blocks":
            kit.check_message_blocks(chunk["blocks"])
            chunk["blocks"] = kit.with_ids(chunk["blocks"], call.state.ids)
    add_chunks(stream, chunks, call.state.config.limits.stream_bytes)
    return chunks


def _streaming(call: Call) -> tuple[Message, Stream]:
    channel = named_channel(call)
    if call.bot.bot_user not in channel.members:
        raise SlackError("not_in_channel")
    message = channel.messages.get(call.arguments.text("ts"))
    if message is None:
        raise SlackError("message_not_found")
    if message.app_id != call.state.config.app.id:
        raise SlackError("message_not_owned_by_app")
    return message, check_writable(message.stream, call.at)


def _inspect(call: Call, message: Message) -> None:
    call.state.detector.read(
        message.channel, message.ts, message.text, message.blocks, unfurls=False
    )


@method("chat.appendStream", "chat:write", tier=4)
def append_stream(call: Call) -> Json:
    """Add text to an open stream."""
    message, stream = _streaming(call)
    if not _add(call, stream):
        raise SlackError("no_text")
    message.text, message.blocks = stream_text(stream), stream_blocks(stream)
    call.state.publish(Change("stream", message.channel, message.ts))
    _inspect(call, message)
    return {"channel": message.channel, "ts": message.ts}


@method("chat.stopStream", "chat:write", tier=2)
def stop_stream(call: Call) -> Json:
    """Close a stream. All members see the whole message, with the blocks under its text."""
    message, stream = _streaming(call)
    status = call.arguments.optional("session_status") or "active"
    if status not in SESSION_STATUSES:
        raise SlackError("invalid_arguments", "[ERROR] session_status is not known")
    blocks = call.arguments.objects("blocks", "invalid_blocks_format") or []
    kit.check_message_blocks(blocks)
    before = message_shape(call.state, message)
    _add(call, stream)
    message.text = stream_text(stream)
    message.blocks = [*stream_blocks(stream), *kit.with_ids(blocks, call.state.ids)]
    message.metadata = call.arguments.object("metadata") or message.metadata
    stream.state = "completed"
    channel = call.state.channels[message.channel]
    changed(call.state, message, before, channel.stamp(call.at))
    end_turn(call.state, message.channel, message.root_ts, status)
    _inspect(call, message)
    return {
        "channel": message.channel,
        "ts": message.ts,
        "message": message_shape(call.state, message),
    }
