"""Payloads of Slack with wrong parts: every field absent, or of another type.

`SAMPLES` holds one payload of each kind that the bot listens to. `mutations` yields what remains
of a payload when one of its fields is taken away or replaced.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

TEAM, APP, USER, CHANNEL = "T0LOCAL", "A0LOCAL", "U0ASKER", "C0PAY"
TS = "1790000000.000100"
WRONG: Sequence[Any] = (
    None,
    5,
    True,
    "",
    "x",
    [],
    {},
    ["x"],
    {"x": 1},
    [None],
    1e308,
    "\ud800",
    -1,
)
"""What a field is replaced by."""

_RICH_TEXT = {
    "type": "rich_text",
    "elements": [
        {
            "type": "rich_text_section",
            "elements": [{"type": "text", "text": "why?", "style": {"code": True}}],
        }
    ],
}
_MESSAGE: dict[str, Any] = {
    "type": "message",
    "channel": CHANNEL,
    "channel_type": "channel",
    "user": USER,
    "text": "<@U0BOT> what is this?",
    "ts": TS,
    "thread_ts": TS,
    "parent_user_id": USER,
    "user_team": TEAM,
    "app_context": {"entities": [{"type": "channel", "value": CHANNEL}]},
    "blocks": [_RICH_TEXT, {"type": "section", "fields": [{"type": "mrkdwn", "text": "x"}]}],
    "attachments": [
        {
            "is_share": True,
            "author_id": "U0PEER",
            "author_name": "Peer",
            "text": "forwarded",
            "fields": [{"title": "a", "value": "b"}],
            "message_blocks": [{"message": {"blocks": [_RICH_TEXT]}}],
            "files": [{"id": "F1"}],
        }
    ],
    "files": [
        {
            "id": "F0",
            "name": "a.txt",
            "mimetype": "text/plain",
            "size": 3,
            "preview": "abc",
            "lines_more": 0,
            "url_private": "https://files.slack.com/a",
        }
    ],
}
_BOT_MESSAGE = {"subtype": "bot_message", "bot_id": "B0X", "user": None, "username": "robot"}
_CHANGED = {
    "type": "message",
    "subtype": "message_changed",
    "channel": CHANNEL,
    "ts": TS,
    "message": {"type": "message", "user": USER, "text": "new", "ts": TS, "thread_ts": TS},
    "previous_message": {"type": "message", "user": USER, "text": "old", "ts": TS},
}
_DELETED = {
    "type": "message",
    "subtype": "message_deleted",
    "channel": CHANNEL,
    "ts": TS,
    "deleted_ts": TS,
    "previous_message": {"type": "message", "user": USER, "text": "old", "ts": TS},
}
_CONTEXT = {"entities": [{"type": "slack#/types/channel_id", "value": CHANNEL}]}
EVENTS: Mapping[str, dict[str, Any]] = {
    "app_context_changed": {"type": "app_context_changed", "context": _CONTEXT},
    "link_shared": {
        "type": "link_shared",
        "channel": CHANNEL,
        "user": USER,
        "source": "conversations_history",
        "message_ts": TS,
        "links": [{"url": "https://git.example.com/pay", "domain": "git.example.com"}],
    },
    "reaction_added": {
        "type": "reaction_added",
        "user": "U0PEER",
        "reaction": "eyes",
        "item": {"type": "message", "channel": CHANNEL, "ts": TS},
    },
    "agent_session_stopped": {
        "type": "agent_session_stopped",
        "channel": CHANNEL,
        "thread_ts": TS,
        "user": USER,
    },
    "home": {"type": "app_home_opened", "user": USER, "channel": "D0ASKER", "tab": "home"},
    "messages": {
        "type": "app_home_opened",
        "user": USER,
        "channel": "D0ASKER",
        "tab": "messages",
        "context": _CONTEXT,
    },
    "joined": {"type": "member_joined_channel", "user": "U0N", "channel": CHANNEL, "inviter": USER},
    "left": {"type": "member_left_channel", "user": "U0N", "channel": CHANNEL},
    "archived": {"type": "channel_archive", "channel": "C0NONE", "user": USER},
    "message": _MESSAGE,
    "robot": {**_MESSAGE, **_BOT_MESSAGE},
    "mention": {**_MESSAGE, "type": "app_mention"},
    "direct": {**_MESSAGE, "channel": "D0ASKER", "channel_type": "im"},
    "changed": _CHANGED,
    "tombstone": {**_CHANGED, "message": {"subtype": "tombstone", "ts": TS}},
    "deleted": _DELETED,
    "revoked": {"type": "tokens_revoked", "tokens": {"oauth": ["U0PEER"], "bot": []}},
}


def envelope(event: Mapping[str, Any], number: int = 0) -> dict[str, Any]:
    """Return the body in which Slack sends an event."""
    return {
        "type": "event_callback",
        "team_id": TEAM,
        "context_team_id": TEAM,
        "context_enterprise_id": None,
        "enterprise_id": None,
        "api_app_id": APP,
        "event_id": f"Ev{number:08}",
        "event_time": 1790000000,
        "is_ext_shared_channel": False,
        "event_context": "4-x",
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": "U0BOT",
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "event": dict(event),
    }


_FROM = {
    "user": {"id": USER, "name": "asker", "team_id": TEAM},
    "team": {"id": TEAM, "domain": "local"},
    "enterprise": None,
    "is_enterprise_install": False,
    "api_app_id": APP,
    "trigger_id": "1.2.x",
}
_STATE = {
    "values": {
        "question": {"draft": {"type": "plain_text_input", "value": "what is step_7?"}},
        "context": {"context": {"type": "static_select", "selected_option": {"value": "pay"}}},
        "place": {"place": {"type": "static_select", "selected_option": {"value": "dm"}}},
        "comment": {"comment": {"type": "plain_text_input", "value": "wrong"}},
        "url": {"url": {"type": "plain_text_input", "value": "https://github.com/a/b"}},
    }
}
_METADATA = {
    "ask": {"channel": CHANNEL},
    "forewarm_comment": {"question": "Q", "context": "pay", "fingerprint": "f"},
    "codebase": {"workspace": TEAM, "channel": CHANNEL, "name": "pay"},
}


def _view(callback: str) -> dict[str, Any]:
    return {
        "id": "V0",
        "team_id": TEAM,
        "app_installed_team_id": TEAM,
        "type": "modal",
        "callback_id": callback,
        "private_metadata": json.dumps(_METADATA.get(callback, _METADATA["codebase"])),
        "state": _STATE,
        "hash": "1.x",
        "blocks": [],
    }


def _action(id: str, value: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": "block_actions",
        **_FROM,
        "channel": {"id": CHANNEL, "name": "pay"},
        "message": {"type": "message", "ts": TS, "text": "x", "blocks": []},
        "container": {"type": "message", "message_ts": TS, "channel_id": CHANNEL},
        "actions": [
            {
                "type": "button",
                "action_id": id,
                "block_id": "choose:Q",
                "value": value,
                "selected_option": {"value": value},
                "action_ts": TS,
            }
        ],
        **more,
    }


def _views(kind: str, callback: str) -> dict[str, Any]:
    return {"type": kind, **_FROM, "view": _view(callback)}


INTERACTIONS: Mapping[str, dict[str, Any]] = {
    "stop": _action("forewarm_stop", "Q"),
    "again": _action("forewarm_again", "Q"),
    "feedback": _action("forewarm_feedback", "down\nQ\npay\nf"),
    "choose": _action("choose_context", "pay"),
    "refresh": _action("forewarm_refresh", None, channel=None, message=None),
    "charts": _action("forewarm_charts", None),
    "typed": _action("draft", "x", view=_view("ask")),
    "picked": _action("context", "pay", view=_view("ask")),
    "codebase add": _action("codebase_add", "add", view=_view("codebase")),
    "codebase change": _action("codebase_change", "change:pay", view=_view("codebase")),
    "codebase settings": _action("codebase_open_settings", "settings", view=_view("codebase")),
    "unknown action": _action("no_such_action", "x"),
    "submit": _views("view_submission", "ask"),
    "submit comment": _views("view_submission", "forewarm_comment"),
    "submit repository": _views("view_submission", "codebase_repository"),
    "submit settings": _views("view_submission", "codebase_settings"),
    "submit save": _views("view_submission", "codebase_save"),
    "submit unknown": _views("view_submission", "no_such_view"),
    "closed": _views("view_closed", "ask"),
    "global": {"type": "shortcut", **_FROM, "callback_id": "ask_global", "action_ts": TS},
    "shortcut": {
        "type": "message_action",
        **_FROM,
        "callback_id": "ask_message",
        "message_ts": TS,
        "response_url": "https://hooks.slack.com/x",
        "channel": {"id": CHANNEL, "name": "pay"},
        "message": {**_MESSAGE, "type": "message"},
    },
    "suggestion": {
        "type": "block_suggestion",
        **_FROM,
        "action_id": "x",
        "block_id": "b",
        "value": "x",
        "view": _view("ask"),
    },
}
COMMANDS: Mapping[str, dict[str, str]] = {
    name: {
        "command": f"/{name}",
        "text": "attach https://github.com/a/b" if name == "codebase" else "what?",
        "team_id": TEAM,
        "team_domain": "local",
        "api_app_id": APP,
        "channel_id": CHANNEL,
        "user_id": USER,
        "trigger_id": "1.2.x",
        "response_url": "https://hooks.slack.com/x",
        "is_enterprise_install": "false",
    }
    for name in ("ask", "codebase", "unknown")
}


def mutations(body: Any, wrong: Sequence[Any] = WRONG) -> Iterator[tuple[str, Any]]:
    """Yield what one change makes of a body, with the name of the change."""
    for path in list(_paths(body)):
        yield f"{_name(path)} absent", _changed(body, path, None, absent=True)
        for value in wrong:
            yield f"{_name(path)} = {value!r}", _changed(body, path, value)


def _paths(node: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items: Any = node.items() if isinstance(node, dict) else ()
    if isinstance(node, list):
        items = enumerate(node)
    for key, value in items:
        yield (*before, key)
        yield from _paths(value, (*before, key))


def _name(path: Sequence[Any]) -> str:
    return ".".join(map(str, path))


def _changed(body: Any, path: Sequence[Any], value: Any, *, absent: bool = False) -> Any:
    changed = copy.deepcopy(body)
    node = changed
    for key in path[:-1]:
        node = node[key]
    if absent:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return changed


def in_form(payload: Any) -> bytes:
    """Return an interaction as Slack sends it."""
    return urlencode({"payload": json.dumps(payload)}).encode()


def command_form(fields: Mapping[str, Any]) -> bytes:
    """Return a slash command as Slack sends it."""
    named = {k: v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()}
    return urlencode(named, errors="surrogatepass").encode()
