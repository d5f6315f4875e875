"""`assistant.threads.*` and `agents.sessions.*`."""

from __future__ import annotations

from forewarm_playground.slack.delivery.types import Change
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.messages.agent_sessions import (
    is_agent,
    put_session,
    rename_session,
    session_status,
    set_status,
)
from forewarm_playground.slack.models import Channel
from forewarm_playground.slack.web_api.access import named_channel
from forewarm_playground.slack.web_api.arguments import missing
from forewarm_playground.slack.web_api.methods.streams import SESSION_STATUSES
from forewarm_playground.slack.web_api.registry import Call, method

LOADING_MESSAGES = 10
PROMPTS = 4
TITLE = 200


def _channel(call: Call) -> Channel:
    channel = named_channel(call, "channel_id")
    if call.bot.bot_user not in channel.members:
        raise SlackError("channel_not_found")
    return channel


def _thread(call: Call, channel: Channel) -> str:
    thread_ts = call.arguments.text("thread_ts")
    message = channel.messages.get(thread_ts)
    if message is None:
        raise SlackError("invalid_thread_ts")
    return message.root_ts


@method("assistant.threads.setStatus", "chat:write", "assistant:write", tier=None)
def threads_set_status(call: Call) -> Json:
    """Show what the app is doing under a thread, in channels too."""
    channel = _channel(call)
    thread_ts = _thread(call, channel)
    if not call.arguments.has("status"):
        raise missing("status")
    loading = call.arguments.words("loading_messages")
    if len(loading) > LOADING_MESSAGES:
        raise SlackError("invalid_arguments", "[ERROR] no more than 10 items allowed")
    text = call.arguments.optional("status") or ""
    set_status(call.state, channel.id, thread_ts, text, tuple(loading))
    return {}


@method("assistant.threads.setTitle", "assistant:write", tier=4)
def threads_set_title(call: Call) -> Json:
    """Name a thread of the app's direct message."""
    channel = _channel(call)
    thread_ts = _thread(call, channel)
    call.state.titles[channel.id, thread_ts] = call.arguments.text("title")
    call.state.publish(Change("title", channel.id, thread_ts))
    return {}


@method("assistant.threads.setSuggestedPrompts", "assistant:write", tier=4)
def threads_set_prompts(call: Call) -> Json:
    """Offer up to four prompts; with `thread_ts` an `agent_view` app silently offers none."""
    channel = _channel(call)
    prompts = call.arguments.objects("prompts", "invalid_arguments")
    if not prompts:
        raise missing("prompts")
    if len(prompts) > PROMPTS or not all(p.get("title") and p.get("message") for p in prompts):
        raise SlackError("invalid_arguments", "[ERROR] prompts: at most 4, each title and message")
    thread_ts = call.arguments.optional("thread_ts") or ""
    if is_agent(call.state) and thread_ts:
        return {}
    title = call.arguments.optional("title") or ""
    call.state.prompts[channel.id, thread_ts] = {"title": title, "prompts": prompts}
    call.state.publish(Change("prompts", channel.id, thread_ts))
    return {}


def _session_thread(call: Call) -> tuple[Channel, str]:
    if not is_agent(call.state):
        raise SlackError("not_allowed")
    channel = _channel(call)
    return channel, _thread(call, channel)


@method("agents.sessions.setStatus", "chat:write", tier=3)
def sessions_set_status(call: Call) -> Json:
    """Set what a session does; processing stays until the app says otherwise, or for an hour."""
    channel, thread_ts = _session_thread(call)
    status = call.arguments.text("status")
    if status not in SESSION_STATUSES:
        raise SlackError("invalid_arguments", "[ERROR] status is not known")
    title = call.arguments.optional("title")
    if title is not None and len(title) > TITLE:
        raise SlackError("invalid_arguments", "[ERROR] title must be less than 201 characters")
    initiator = call.arguments.optional("initiator_user_id")
    if initiator is not None:
        call.state.user(initiator)
    session = put_session(
        call.state, channel.id, thread_ts, status, title=title, initiator=initiator
    )
    shown = session_status(call.state, session)
    body: Json = {"status": shown, "agent_status": shown, "title": session.title}
    if "agent_session_stopped" not in call.state.config.app.events:
        warning = "missing_agent_session_stopped_event_subscription"
        body |= {"warning": warning, "response_metadata": {"warnings": [warning]}}
    return body


@method("agents.sessions.rename", "chat:write", tier=3)
def sessions_rename(call: Call) -> Json:
    """Give a session another title."""
    channel, thread_ts = _session_thread(call)
    title = call.arguments.text("title")
    if len(title) > TITLE:
        raise SlackError("invalid_arguments", "[ERROR] title must be less than 201 characters")
    rename_session(call.state, channel.id, thread_ts, title, call.bot.bot_user)
    return {"title": title}
