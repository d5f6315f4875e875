"""Slack's requests over HTTP: whether Slack signed the bytes, and for which workspace. Pure.

Order of the checks: size, age, signature, encoding, workspace and app. Only then is the body
handed to Bolt. https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

MOST_BYTES = 1024**2
"""Slack's largest bodies are views and events with blocks, below 300 KB."""
MOST_FIELDS = 50
"""A slash command has about 15 form fields; an interaction has one."""
SKEW_SECONDS = 300.0

SIGNATURE_ADVICE = {
    "wrong_signature": "requests were not signed with SLACK_SIGNING_SECRET, so they are not"
    " answered: copy the signing secret from Basic Information of the app in Slack",
    "too_old": "requests are older or newer than five minutes by this machine's clock, so they are"
    " not answered: set the clock, for example by NTP",
    "unsigned": "requests came without Slack's signature, so they are not answered: they are not"
    " from Slack, or a proxy removes their headers",
    "malformed": "signed requests have another form than Slack's, so they are acknowledged and"
    " not answered: a newer version of Forewarm may read them",
    "not_for_us": "requests name another workspace or app, so they are not answered: check which"
    " app has this bot's address as its request URL",
}
"""The words for operators about refused requests."""

_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


def signature_fault(secret: str, body: bytes, headers: Mapping[str, str], now: float) -> str | None:
    """Return why a request is not from Slack, in one of four words, or None if it is."""
    stamp = headers.get("X-Slack-Request-Timestamp", "")
    given = headers.get("X-Slack-Signature", "")
    if not _TIMESTAMP.fullmatch(stamp) or not _SIGNATURE.fullmatch(given):
        return "unsigned"
    if abs(now - int(stamp)) > SKEW_SECONDS:
        return "too_old"
    basis = b"v0:" + stamp.encode() + b":" + body
    right = "v0=" + hmac.new(secret.encode(), basis, hashlib.sha256).hexdigest()
    return None if hmac.compare_digest(right, given) else "wrong_signature"


def decode(body: bytes) -> str | None:
    """Return a signed body's text, or None if it is not UTF-8. The sender's charset is ignored."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return None


def read_payload(text: str, content_type: str) -> dict[str, Any] | None:
    """Return what a signed body says, or None if it is no JSON object and no form.

    Events are JSON, commands are forms, interactions are JSON in a form's `payload`. A name that
    comes twice counts with its last value, everywhere.
    """
    try:
        if content_type.partition(";")[0].strip().lower() == "application/json" or text[:1] == "{":
            found = json.loads(text)
        else:
            fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
            found = json.loads(fields["payload"]) if "payload" in fields else fields
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def names_us(body: Mapping[str, Any], workspace: str, app_id: str, enterprise: str = "") -> bool:
    """Tell whether a payload names our workspace and our app.

    One signing secret belongs to one app, which may be installed in many workspaces. A body that
    names no workspace at all (`url_verification`, `ssl_check`) is let through: it carries no
    event. An empty `app_id` is not compared. `enterprise` is set if the app is installed for a
    whole Enterprise Grid organisation: then any workspace of that organisation is ours.
    """
    named = {team for team in _teams(body) if team}
    if named and workspace not in named and (not enterprise or enterprise not in _grids(body)):
        return False
    given = body.get("api_app_id")
    return not app_id or not given or given == app_id


def _teams(body: Mapping[str, Any]) -> Iterator[str]:
    # In a channel shared with another organisation `team_id` and `team` may be the other's. The
    # authorizations always name the installation that the event is delivered for.
    for key in ("team_id", "context_team_id"):
        yield _text(body.get(key))
    for key in ("team", "user", "view"):
        inner = body.get(key)
        if isinstance(inner, dict):
            yield _text(inner.get("id")) if key == "team" else _text(inner.get("team_id"))
            yield _text(inner.get("app_installed_team_id"))
    authorizations = body.get("authorizations")
    for one in authorizations if isinstance(authorizations, list) else ():
        if isinstance(one, dict):
            yield _text(one.get("team_id"))


def _grids(body: Mapping[str, Any]) -> Iterator[str]:
    for key in ("enterprise_id", "context_enterprise_id"):
        yield _text(body.get(key))
    inner = body.get("enterprise")
    if isinstance(inner, dict):
        yield _text(inner.get("id"))
    authorizations = body.get("authorizations")
    for one in authorizations if isinstance(authorizations, list) else ():
        if isinstance(one, dict):
            yield _text(one.get("enterprise_id"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
