"""The shape of what Slack sends: which fields are text, which are objects, which must be there.

Pure. Listeners and Bolt read these fields without a second look. A payload of another shape would
end in an exception, and Slack would send it again and again. So it is told from a sound one here,
once, before anything reads it. Fields that are not named may have any form. `null` is as good as
absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Rule = Callable[[Any], Iterator[str]]
"""Yields the places in a value that are wrong, as `.name` or `[]` behind each other."""
MOST_DEPTH = 200
"""Deeper than any payload of Slack's; Python's own functions give up near a thousand."""


def _text(value: Any) -> Iterator[str]:
    if not isinstance(value, str):
        yield ""


def _number(value: Any) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield ""


def _object(value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield ""


def _either(*rules: Rule) -> Rule:
    def check(value: Any) -> Iterator[str]:
        faults = [list(rule(value)) for rule in rules]
        if all(faults):
            yield from faults[-1]

    return check


def _each(rule: Rule, least: int = 0) -> Rule:
    """Return the rule of a list whose entries follow a rule."""

    def check(value: Any) -> Iterator[str]:
        if not isinstance(value, list) or len(value) < least:
            yield ""
            return
        for one in value:
            for fault in rule(one):
                yield "[]" + fault

    return check


def _values(rule: Rule) -> Rule:
    """Return the rule of an object whose values, if they are not null, follow a rule."""

    def check(value: Any) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield ""
            return
        for one in value.values():
            if one is not None:
                yield from ("{}" + fault for fault in rule(one))

    return check


@dataclass(frozen=True)
class _Fields:
    """The rule of an object with known fields; those in `needed` must be there."""

    fields: Mapping[str, Rule]
    needed: Sequence[str] = ()

    def __call__(self, value: Any) -> Iterator[str]:
        if not isinstance(value, Mapping):
            yield ""
            return
        for name in self.needed:
            if value.get(name) in (None, ""):
                yield f".{name}"
        for name, rule in self.fields.items():
            if (one := value.get(name)) is not None:
                yield from (f".{name}{fault}" for fault in rule(one))

    def needing(self, *names: str) -> _Fields:
        return _Fields(self.fields, (*self.needed, *names))

    def with_(self, **fields: Rule) -> _Fields:
        return _Fields({**self.fields, **fields}, self.needed)


def _texts(*names: str) -> dict[str, Rule]:
    return dict.fromkeys(names, _text)


_MESSAGE = _Fields(
    {
        **_texts("type", "subtype", "ts", "thread_ts", "user", "bot_id", "text", "username"),
        **_texts("user_team", "source_team", "team", "parent_user_id"),
        "edited": _object,
    }
)
_EVENT = _MESSAGE.with_(
    **_texts("channel_type", "deleted_ts", "event_ts", "tab", "inviter", "source", "message_ts"),
    # Some events describe a user or a channel instead of naming it.
    user=_either(_object, _text),
    channel=_either(_object, _text),
    message=_MESSAGE,
    previous_message=_MESSAGE,
    item=_Fields(_texts("channel", "ts", "type")),
    links=_each(_Fields(_texts("url", "domain"))),
    context=_object,
    app_context=_object,
    assistant_thread=_object,
    tokens=_object,
).needing("type")
_NAMES_USER_AND_CHANNEL = _EVENT.with_(user=_text, channel=_text)
_EVENTS: Mapping[str, Rule] = {
    "message": _NAMES_USER_AND_CHANNEL,
    "app_mention": _NAMES_USER_AND_CHANNEL,
    "link_shared": _NAMES_USER_AND_CHANNEL,
    "reaction_added": _NAMES_USER_AND_CHANNEL,
    "app_context_changed": _NAMES_USER_AND_CHANNEL,
    "member_joined_channel": _NAMES_USER_AND_CHANNEL.needing("user", "channel"),
    "member_left_channel": _NAMES_USER_AND_CHANNEL.needing("user", "channel"),
    "channel_archive": _NAMES_USER_AND_CHANNEL.needing("channel"),
    "group_archive": _NAMES_USER_AND_CHANNEL.needing("channel"),
    "app_home_opened": _NAMES_USER_AND_CHANNEL.needing("user", "channel"),
    "agent_session_stopped": _NAMES_USER_AND_CHANNEL.needing("channel"),
}
"""Events whose listeners rely on more than every event has."""
_ENVELOPE = _Fields(
    {
        **_texts("type", "team_id", "enterprise_id", "context_team_id", "context_enterprise_id"),
        **_texts("api_app_id", "event_id", "challenge"),
        "team": _either(_text, _object),
        "authorizations": _each(
            _Fields(_texts("team_id", "user_id", "enterprise_id")),
        ),
        "event_time": _number,
        "event": _EVENT,
    }
)
_ELEMENT = _Fields(
    {
        **_texts("type", "value"),
        "selected_option": _Fields(_texts("value")),
        "selected_options": _each(_Fields(_texts("value"))),
    }
)
_VIEW = _Fields(
    {
        **_texts(
            "id", "type", "callback_id", "private_metadata", "team_id", "app_installed_team_id"
        ),
        "state": _Fields({"values": _values(_values(_ELEMENT))}),
    },
    ("id",),
)
_ACTION = _ELEMENT.with_(**_texts("action_id", "block_id", "action_ts")).needing("action_id")
_INTERACTION = _Fields(
    {
        **_texts("type", "api_app_id", "trigger_id", "callback_id", "message_ts", "response_url"),
        "user": _Fields(_texts("id", "team_id"), ("id",)),
        "team": _Fields(_texts("id", "enterprise_id"), ("id",)),
        "enterprise": _Fields(_texts("id")),
        "channel": _Fields(_texts("id", "name"), ("id",)),
        "message": _MESSAGE,
        "container": _object,
        "view": _VIEW,
        "response_urls": _each(_Fields(_texts("response_url"))),
    },
    ("user",),
)
_WITH_VIEW = _INTERACTION.with_(view=_VIEW.needing("callback_id", "type")).needing("view")
_INTERACTIONS: Mapping[str, Rule] = {
    "block_actions": _INTERACTION.with_(actions=_each(_ACTION, 1)).needing("actions", "trigger_id"),
    "view_submission": _WITH_VIEW,
    "view_closed": _WITH_VIEW,
    "shortcut": _INTERACTION.needing("callback_id", "trigger_id"),
    "message_action": _INTERACTION.needing("callback_id", "trigger_id", "channel", "message"),
    "block_suggestion": _INTERACTION.with_(action_id=_text),
}
_COMMAND = _Fields(
    _texts("command", "team_id", "enterprise_id", "api_app_id", "channel_id", "user_id", "text"),
    ("command", "user_id", "channel_id", "trigger_id"),
)


def shape_fault(body: Mapping[str, Any]) -> str | None:
    """Return the first place in which a payload has another shape than Slack's, or None.

    The place has names of fields alone, nothing of what the payload says.
    """
    if _is_too_deep(body):
        return "depth"
    if _has_surrogate(body):
        return "text"
    rule = _rule_of(body)
    fault = next(rule(body), None)
    return None if fault is None else fault.lstrip(".") or "body"


def _rule_of(body: Mapping[str, Any]) -> Rule:
    kind = body.get("type")
    if not isinstance(kind, str):
        return _COMMAND if "command" in body else _ENVELOPE
    if kind == "event_callback":
        event = body.get("event")
        name = event.get("type") if isinstance(event, Mapping) else None
        known = _EVENTS.get(name, _EVENT) if isinstance(name, str) else _EVENT
        return _ENVELOPE.with_(event=known).needing("event")
    return _INTERACTIONS.get(kind, _ENVELOPE)


def _is_too_deep(body: object) -> bool:
    level: list[object] = [body]
    for _ in range(MOST_DEPTH):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return False
    return True


def _has_surrogate(body: object) -> bool:
    """Tell whether a text holds half a character: JSON can write one, UTF-8 cannot."""
    waiting: list[object] = [body]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if not one.isascii() and any("\ud800" <= sign <= "\udfff" for sign in one):
                return True
        elif isinstance(one, Mapping):
            waiting += one.keys()
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return False


def _inside(value: object) -> Sequence[object]:
    if isinstance(value, Mapping):
        return tuple(value.values())
    return value if isinstance(value, list) else ()
