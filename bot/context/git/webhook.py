"""Push webhooks of the git hosts: is it signed, and which refs have moved. Pure.

The route is mounted elsewhere. Verify before parsing: the body is a stranger's until then.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.context.errors import UrlError, WebhookError
from bot.context.git.urls import parse_url, without_credentials
from bot.context.git.web_pages import azure_addresses

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
    server_path: str = ""
    """`PROJECT/repository` on a Bitbucket Data Center, which may not tell its address."""

    def concerns(self, url: str, ref: str) -> bool:
        """Tell whether a followed repository and ref may have moved. `HEAD` follows any branch:
        the payload tells the default branch, but it may be renamed by this very push.
        """
        try:
            followed = parse_url(url)
        except UrlError:
            return False
        on_server = self.server_path.lower() == "/".join(followed.path.lower().split("/")[-2:])
        if followed.identity not in _identities(self.urls) and not on_server:
            return False
        names = {ref, f"refs/heads/{ref}", f"refs/tags/{ref}"}
        return ref == "HEAD" or not names.isdisjoint((self.ref, *self.more_refs))


@dataclass(frozen=True, slots=True)
class Hook:
    """How the webhooks of one kind of host are checked and read.

    `verify` takes the secret, the body and the headers. Both raise `WebhookError`.
    """

    verify: Callable[[str, bytes, Mapping[str, str]], None]
    parse: Callable[[bytes, Mapping[str, str]], Push | None]


def _verify_hmac(
    host: str, variable: str, header: str, prefix: str
) -> Callable[[str, bytes, Mapping[str, str]], None]:
    """Return a check of a header that holds the HMAC-SHA256 of the raw body, in hex."""

    def verify(secret: str, body: bytes, headers: Mapping[str, str]) -> None:
        _check_size(body)
        expected = prefix + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        if not secret or not _same(_header(headers, header), expected):
            raise WebhookError(
                f"A push webhook came without {host}'s signature for our secret and was dropped:"
                f" set the same secret in the webhook and in {variable}."
            )

    return verify


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


def verify_azure(password: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Check the password of the basic authentication; any user name will do.

    Raises:
        WebhookError: it is missing or wrong.
    """
    _check_size(body)
    scheme, _, encoded = _header(headers, "Authorization").partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True).decode("utf-8", "surrogateescape")
    except ValueError:
        given = ""
    right = _same(given.partition(":")[2], password)
    if not password or scheme.lower() != "basic" or not right:
        raise WebhookError(
            "A service hook came without Azure DevOps' password for us and was dropped: set the"
            " same basic authentication password in the hook and in AZURE_WEBHOOK_PASSWORD."
        )


def parse_github(body: bytes, headers: Mapping[str, str]) -> Push | None:
    """Return the push, or None for any other event (a ping, say).

    Raises:
        WebhookError: the body is not what GitHub sends.
    """
    return _github_like(body) if _header(headers, "X-GitHub-Event") == "push" else None


def parse_gitea(body: bytes, headers: Mapping[str, str]) -> Push | None:
    """Return the push of Gitea or Forgejo, or None for any other event.

    Source: https://docs.gitea.com/usage/webhooks

    Raises:
        WebhookError: the body is not what Gitea sends.
    """
    return _github_like(body) if _header(headers, "X-Gitea-Event") == "push" else None


def _github_like(body: bytes) -> Push:
    document = _document(body)
    repository = _mapping(document.get("repository"))
    names = ("clone_url", "ssh_url", "git_url", "html_url", "url")
    return _push([document], (repository.get(name) for name in names))


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
    changes: Sequence[Mapping[str, Any]] = [document]
    if event == "System Hook":
        name = document.get("event_name")
        if name == "repository_update":
            # It names the refs together, and may name none.
            listed = _mappings(document.get("changes"))
            changes = [one for one in listed if isinstance(one.get("ref"), str)]
        if name not in ("push", "tag_push", "repository_update") or not changes:
            return None
    project = _mapping(document.get("project"))
    names = ("git_http_url", "git_ssh_url", "web_url", "http_url", "ssh_url")
    return _push(changes, (project.get(name) for name in names))


def parse_bitbucket(body: bytes, headers: Mapping[str, str]) -> Push | None:
    """Return the push of Bitbucket Cloud or of a Data Center, or None for any other event.

    Sources: https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/,
    https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html

    Raises:
        WebhookError: the body is not what Bitbucket sends.
    """
    event = _header(headers, "X-Event-Key")
    if event not in {"repo:push", "repo:refs_changed"}:
        return None
    document = _document(body)
    repository = _mapping(document.get("repository"))
    links = _mapping(repository.get("links"))
    urls = [_mapping(links.get("html")).get("href")]
    urls += [one.get("href") for one in _mappings(links.get("clone"))]
    if event == "repo:push":
        changes = [
            _cloud_change(one) for one in _mappings(_mapping(document.get("push")).get("changes"))
        ]
        return _push(changes, urls)
    changes = [
        {"ref": one.get("refId"), "after": one.get("toHash")}
        for one in _mappings(document.get("changes"))
    ]
    project = _mapping(repository.get("project"))
    return _push(changes, urls, f"{project.get('key')}/{repository.get('slug')}")


def _cloud_change(change: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return one change of Bitbucket Cloud with the keys that GitHub uses."""
    new = _mapping(change.get("new"))
    named = new or _mapping(change.get("old"))
    folder = "tags" if named.get("type") == "tag" else "heads"
    after = _mapping(new.get("target")).get("hash")
    return {"ref": f"refs/{folder}/{named['name']}" if named.get("name") else None, "after": after}


def parse_azure(body: bytes, headers: Mapping[str, str]) -> Push | None:
    """Return the push of Azure DevOps, or None for any other event.

    Source: https://learn.microsoft.com/azure/devops/service-hooks/events#git.push

    Raises:
        WebhookError: the body is not what Azure DevOps sends.
    """
    document = _document(body)
    if document.get("eventType") != "git.push":
        return None
    resource = _mapping(document.get("resource"))
    changes = [
        {"ref": one.get("name"), "after": one.get("newObjectId")}
        for one in _mappings(resource.get("refUpdates"))
    ]
    url = _mapping(resource.get("repository")).get("remoteUrl")
    return _push(changes, azure_addresses(without_credentials(str(url))) if url else ())


HOOKS: Mapping[str, Hook] = {
    "github": Hook(
        _verify_hmac("GitHub", "GITHUB_WEBHOOK_SECRET", "X-Hub-Signature-256", "sha256="),
        parse_github,
    ),
    "gitlab": Hook(verify_gitlab, parse_gitlab),
    "bitbucket": Hook(
        _verify_hmac("Bitbucket", "BITBUCKET_WEBHOOK_SECRET", "X-Hub-Signature", "sha256="),
        parse_bitbucket,
    ),
    "gitea": Hook(
        _verify_hmac("Gitea", "GITEA_WEBHOOK_SECRET", "X-Gitea-Signature", ""), parse_gitea
    ),
    "azure": Hook(verify_azure, parse_azure),
}
"""The kinds of hosts, by the last part of their webhook's route."""


def _same(given: str, expected: str) -> bool:
    """Compare in constant time; a header may hold bytes that are no text."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())


def _push(changes: Sequence[Mapping[str, Any]], urls: Iterable[Any], server_path: str = "") -> Push:
    """Return the push of the changes. Each has a `ref`, and `after` if it was not deleted."""
    known = tuple(url for url in urls if isinstance(url, str) and url)
    refs = [one["ref"] for one in changes if isinstance(one.get("ref"), str)]
    if not refs or not (known or server_path):
        raise WebhookError("A push webhook names no branch or no repository and was dropped.")
    after = changes[0].get("after")
    gone = not isinstance(after, str) or not after.strip("0")
    return Push(known, refs[0], None if gone else after, tuple(refs[1:]), server_path)


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


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    """Return the first objects of a list."""
    return [_mapping(one) for one in value[:_MOST_REFS]] if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
