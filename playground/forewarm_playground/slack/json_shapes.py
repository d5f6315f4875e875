"""The JSON objects of Slack's types, as the Web API and the events carry them."""

from __future__ import annotations

from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.messages.streams import stream_state
from forewarm_playground.slack.models import Channel, File, Message, User, View
from forewarm_playground.slack.state import State

TOMBSTONE_TEXT = "This message was deleted."


def bot_profile(state: State, user: User) -> Json:
    """Return the `bot_profile` of a bot's message."""
    return {
        "id": user.bot_id,
        "app_id": user.app_id,
        "name": user.real_name,
        "icons": {"image_48": f"{state.base_url}/icons/{user.bot_id}.png"},
        "deleted": user.deleted,
        "updated": 0,
        "team_id": user.team,
    }


def message_shape(state: State, message: Message) -> Json:
    """Return a message as history and the events show it to the app."""
    shape: Json = {"type": "message", "ts": message.ts, "text": message.text, "team": message.team}
    if message.subtype != "bot_message":
        shape["user"] = message.user
    if message.client_msg_id:
        shape["client_msg_id"] = message.client_msg_id
    if message.subtype:
        shape["subtype"] = message.subtype
    if message.blocks:
        shape["blocks"] = message.blocks
    for key in ("attachments", "files", "metadata", "edited", "app_id"):
        if value := getattr(message, key):
            shape[key] = value
    if message.bot_id:
        _bot_fields(state, message, shape)
    _thread_fields(state, message, shape)
    if message.reactions:
        shape["reactions"] = [
            {"name": name, "users": list(users), "count": len(users)}
            for name, users in message.reactions.items()
        ]
    if message.stream is not None:
        shape["streaming_state"] = stream_state(message.stream, state.now())
    return shape


def _bot_fields(state: State, message: Message, shape: Json) -> None:
    shape["bot_id"] = message.bot_id
    if user := state.users.get(message.user):
        shape["bot_profile"] = bot_profile(state, user)
    if message.subtype == "bot_message":
        shape["username"] = message.username
        if message.icons:
            shape["icons"] = message.icons


def _thread_fields(state: State, message: Message, shape: Json) -> None:
    if message.thread_ts is not None:
        shape["thread_ts"] = message.thread_ts
        if message.is_reply:
            root = state.channels[message.channel].messages.get(message.thread_ts)
            if root is not None:
                shape["parent_user_id"] = root.user
    if message.replies:
        shape["thread_ts"] = message.ts
        shape |= {
            "reply_count": len(message.replies),
            "reply_users_count": len(message.repliers),
            "latest_reply": message.replies[-1],
            "reply_users": message.repliers[:5],
            "is_locked": False,
            "subscribed": False,
        }


def channel_shape(state: State, channel: Channel, bot_user: str) -> Json:
    """Return a conversation as `conversations.info` shows it to a bot."""
    shape: Json = {
        "id": channel.id,
        "created": channel.created,
        "is_channel": channel.kind == "public",
        "is_group": channel.kind == "private",
        "is_im": channel.kind == "im",
        "is_mpim": channel.kind == "mpim",
        "is_private": channel.kind != "public",
        "is_archived": channel.archived,
        "is_general": False,
        "is_shared": channel.is_shared,
        "is_ext_shared": channel.is_shared,
        "is_org_shared": False,
        "is_pending_ext_shared": channel.pending_shared,
        "pending_shared": [],
        "context_team_id": channel.team,
        "updated": channel.created * 1000,
        "unlinked": 0,
    }
    if channel.kind == "im":
        others = [member for member in channel.members if member != bot_user]
        return {**shape, "user": others[0] if others else bot_user, "is_open": True}
    teams = [channel.team, *channel.shared_with]
    return {
        **shape,
        "name": channel.name,
        "name_normalized": channel.name,
        "creator": next(iter(channel.members), ""),
        "is_member": bot_user in channel.members,
        "shared_team_ids": teams,
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
        "purpose": {"value": channel.purpose, "creator": "", "last_set": 0},
        "previous_names": [],
    }


def user_shape(state: State, user: User, team: str, *, email: bool) -> Json:
    """Return a user as `users.info` shows them to an app installed in `team`."""
    profile: Json = {
        "real_name": user.real_name,
        "real_name_normalized": user.real_name,
        "display_name": user.name,
        "display_name_normalized": user.name,
        "avatar_hash": "0",
        "team": user.team,
        **{f"image_{n}": f"{state.base_url}/icons/{user.id}.png" for n in (24, 32, 48, 72, 192)},
    }
    if email and user.email:
        profile["email"] = user.email
    if user.bot_id:
        profile |= {"bot_id": user.bot_id, "api_app_id": user.app_id}
    shape: Json = {
        "id": user.id,
        "team_id": user.team,
        "name": user.name,
        "real_name": user.real_name,
        "deleted": user.deleted,
        "tz": user.tz,
        "tz_label": user.tz,
        "tz_offset": 0,
        "profile": profile,
        "is_admin": user.admin,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": user.is_guest,
        "is_ultra_restricted": user.kind == "single_channel_guest",
        "is_bot": user.is_bot,
        "is_app_user": False,
        "updated": 0,
    }
    enterprise = _enterprise(state, user.team)
    if enterprise is not None:
        shape["enterprise_user"] = _enterprise_user(state, user, enterprise)
    if user.team != team:
        # Users of another workspace of the same Grid organisation are no strangers.
        same = enterprise is not None and enterprise == _enterprise(state, team)
        shape["is_stranger"] = not (user.is_bot or same)
    if user.stranger is not None:
        shape["is_stranger"] = user.stranger
    return shape


def _enterprise(state: State, team: str) -> str | None:
    workspace = state.workspaces.get(team)
    return workspace.enterprise_id if workspace is not None else None


def _enterprise_user(state: State, user: User, enterprise: str) -> Json:
    """Return the part of a user that only Enterprise Grid has.

    Source: https://docs.slack.dev/reference/objects/user-object
    """
    return {
        "id": user.id,
        "enterprise_id": enterprise,
        "enterprise_name": state.workspaces[user.team].enterprise_name,
        "is_admin": user.admin,
        "is_owner": False,
        "is_primary_owner": False,
        "teams": [user.team],
    }


def view_shape(state: State, view: View) -> Json:
    """Return a view with its state, as `views.*` and the interactions carry it."""
    content = view.content
    installation = state.installations[view.team]
    shape: Json = {
        "id": view.id,
        "team_id": view.team,
        "type": content["type"],
        "blocks": view.blocks,
        "private_metadata": content.get("private_metadata", ""),
        "callback_id": content.get("callback_id", ""),
        "state": {"values": view.values},
        "hash": view.hash,
        "title": content.get("title"),
        "clear_on_close": content.get("clear_on_close", False),
        "notify_on_close": content.get("notify_on_close", False),
        "close": content.get("close"),
        "submit": content.get("submit"),
        "previous_view_id": view.previous,
        "root_view_id": view.root,
        "app_id": state.config.app.id,
        "external_id": view.external_id,
        "app_installed_team_id": view.team,
        "bot_id": installation.bot_id,
    }
    return shape


PREVIEW_LINES = 5
PREVIEW_CHARACTERS = 400
"""Slack sends the first lines of a snippet along."""


def file_shape(state: State, file: File) -> Json:
    """Return a file as messages and `files.info` carry it."""
    url = f"{state.base_url}/files/{file.team}-{file.id}/{file.name}"
    shape: Json = {
        "id": file.id,
        "created": file.created,
        "timestamp": file.created,
        "name": file.name,
        "title": file.title,
        "mimetype": file.mimetype,
        "filetype": file.filetype,
        "pretty_type": file.filetype.title(),
        "user": file.user,
        "user_team": file.team,
        "editable": file.mode == "snippet",
        "size": len(file.content),
        "mode": file.mode,
        "is_external": False,
        "is_public": True,
        "url_private": url,
        "url_private_download": url,
        "permalink": url,
    }
    if file.mode == "snippet":
        shape |= _preview(file.content.decode("utf-8", "replace"))
    return shape


def _preview(text: str) -> Json:
    """Return a snippet's beginning and what Slack says of the rest of it."""
    lines = text.splitlines(keepends=True)
    shown = "".join(lines[:PREVIEW_LINES])[:PREVIEW_CHARACTERS]
    return {
        "preview": shown,
        "preview_is_truncated": shown != text,
        "lines": len(lines),
        "lines_more": max(0, len(lines) - len(shown.splitlines())),
    }
