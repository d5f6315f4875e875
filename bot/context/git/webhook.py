"""Push webhooks of GitHub and GitLab: is it signed, and what has moved. Pure.

The route is mounted elsewhere. Verify before parsing: the body is a stranger's until then.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.context.errors import UrlError, WebhookError
from bot.context.git.urls import parse_url

_MOST_REFS = 1_000
LARGEST_BODY = 25_000_000
"""GitHub sends no more than this; larger bodies are refused before they are hashed."""


@dataclass(frozen=True, slots=True)
class Push:
    """A ref has moved. `after` is None if it was deleted. `urls` name one repository."""

    urls: tuple[str, ...]
    ref: str
    after: str | None
    more_refs: tuple[str, ...] = ()
    """Further refs that moved in the same push."""

    def concerns(self, url: str, ref: str) -> bool:
        """Tell whether a followed repository and ref may have moved. `HEAD` follows any branch:
        the payload tells the default branch, but it may be renamed by this very push.
        """
        try:
            followed = parse_url(url).identity
        except UrlError:
            return False
        if followed not in _identities(self.urls):
            return False
        names = {ref, f"refs/heads/{ref}", f"refs/tags/{ref}"}
        return ref == "HEAD" or not names.isdisjoint((self.ref, *self.more_refs))


def verify_github(secret: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Check `X-Hub-Signature-256`, the HMAC-SHA256 of the raw body.

    Raises:
        WebhookError: it is missing or wrong.
    """
    _check_size(body)
    given = _header(headers, "X-Hub-Signature-256")
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not secret or not _same(given, expected):
        raise WebhookError(
            "A push webhook came without GitHub's signature for our secret and was dropped: set "
            "the same secret in the webhook and in GITHUB_WEBHOOK_SECRET."
        )


def verify_gitlab(token: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Check `X-Gitlab-Token`, which GitLab sends as it was entered.

    Raises:
        WebhookError: it is missing or wrong.
    """
    _check_size(body)
    if not token or not _same(_header(headers, "X-Gitlab-Token"), token):
        raise WebhookError(
            "A push webhook came without GitLab's token for us and was dropped: set the same "
            "token in the webhook and in GITLAB_WEBHOOK_TOKEN."
        )


def parse_github(body: bytes, headers: Mapping[str, str]) -> Push | None:
    """Return the push, or None for any other event (a ping, say).

    Raises:
        WebhookError: the body is not what GitHub sends.
    """
    if _header(headers, "X-GitHub-Event") != "push":
        return None
    document = _document(body)
    repository = _mapping(document.get("repository"))
    names = ("clone_url", "ssh_url", "git_url", "html_url", "url")
    return _push(document, (repository.get(name) for name in names))


def parse_gitlab(body: bytes, headers: Mapping[str, str]) -> Push | None:
    """Return the push (of a branch or a tag), or None for any other event.

    An administrator's system hook sends the pushes of every project under a header of its own.
    Source: https://docs.gitlab.com/administration/system_hooks/

    Raises:
        WebhookError: the body is not what GitLab sends.
    """
    event = _header(headers, "X-Gitlab-Event")
    if event not in {"Push Hook", "Tag Push Hook", "System Hook"}:
        return None
    document = _document(body)
    if event == "System Hook":
        name = document.get("event_name")
        if name == "repository_update":
            return _repository_update(document)
        if name not in {"push", "tag_push"}:
            return None
    return _push(document, _gitlab_addresses(document))


def _repository_update(document: Mapping[str, Any]) -> Push | None:
    """Return the refs that one system hook names together. It may name none."""
    changes = [_mapping(change) for change in _list(document.get("changes"))[:_MOST_REFS]]
    named = [change for change in changes if isinstance(change.get("ref"), str)]
    if not named:
        return None
    push = _push(named[0], _gitlab_addresses(document))
    return replace(push, more_refs=tuple(change["ref"] for change in named[1:]))


def _gitlab_addresses(document: Mapping[str, Any]) -> Iterable[Any]:
    """Return the values under the keys that hold addresses of a project."""
    project = _mapping(document.get("project"))
    names = ("git_http_url", "git_ssh_url", "web_url", "http_url", "ssh_url")
    return [project.get(name) for name in names]


def _same(given: str, expected: str) -> bool:
    """Compare in constant time; a header may hold bytes that are no text."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())


def _push(document: Mapping[str, Any], urls: Iterable[Any]) -> Push:
    ref, after = document.get("ref"), document.get("after")
    known = tuple(url for url in urls if isinstance(url, str) and url)
    if not isinstance(ref, str) or not known:
        raise WebhookError("A push webhook names no branch or no repository and was dropped.")
    gone = not isinstance(after, str) or not after.strip("0")
    return Push(known, ref, None if gone else after)


def _identities(urls: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for url in urls:
        try:
            found.add(parse_url(url).identity)
        except UrlError:
            continue
    return found


def _check_size(body: bytes) -> None:
    if len(body) > LARGEST_BODY:
        raise WebhookError(f"A push webhook of {len(body):,} bytes was dropped: it is too large.")


def _header(headers: Mapping[str, str], name: str) -> str:
    """Look a header up in any case."""
    return next((value for key, value in headers.items() if key.lower() == name.lower()), "")


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise WebhookError("A push webhook is no JSON object and was dropped: choose JSON for it.")
    return document


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
