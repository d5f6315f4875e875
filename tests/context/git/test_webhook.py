"""Push webhooks: only signed ones count, and they name what moved."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from bot.context.errors import WebhookError
from bot.context.git.webhook import (
    LARGEST_BODY,
    parse_github,
    parse_gitlab,
    verify_github,
    verify_gitlab,
)

GITHUB: dict[str, Any] = {
    "ref": "refs/heads/main",
    "after": "f" * 40,
    "repository": {
        "clone_url": "https://github.com/acme/payments.git",
        "git_url": "git://github.com/acme/payments.git",
        "ssh_url": "git@github.com:acme/payments.git",
    },
}
GITLAB: dict[str, Any] = {
    "ref": "refs/heads/main",
    "after": "f" * 40,
    "project": {"git_http_url": "https://gitlab.com/acme/payments.git"},
}


def _signed(secret: str, body: bytes) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"x-hub-signature-256": f"sha256={digest}", "X-GitHub-Event": "push"}


def test_githubs_own_example_of_a_signature_is_accepted() -> None:
    """The example of GitHub's documentation of validating webhook deliveries."""
    signature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"X-Hub-Signature-256": f"sha256={signature}"}
    verify_github("It's a Secret to Everybody", b"Hello, World!", headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": "sha1=" + "0" * 40},
        {"X-Hub-Signature-256": "sha256=\udce9"},
    ],
)
def test_an_unsigned_push_is_dropped(headers: dict[str, str]) -> None:
    """Anybody can post to a public port; only the host may make the bot fetch and spend."""
    with pytest.raises(WebhookError):
        verify_github("secret", b"{}", headers)


def test_a_changed_body_breaks_the_signature() -> None:
    """The signature covers the bytes, not their meaning."""
    body = json.dumps(GITHUB).encode()
    headers = _signed("secret", body)
    verify_github("secret", body, headers)
    with pytest.raises(WebhookError):
        verify_github("secret", body + b" ", headers)


def test_no_secret_means_no_webhook() -> None:
    """An empty secret would sign for everybody."""
    with pytest.raises(WebhookError):
        verify_github("", b"{}", _signed("", b"{}"))
    with pytest.raises(WebhookError):
        verify_gitlab("", b"{}", {"X-Gitlab-Token": ""})


def test_gitlabs_token_is_compared_whole() -> None:
    """GitLab signs nothing: the token is all there is."""
    verify_gitlab("token", b"{}", {"x-gitlab-token": "token"})
    for wrong in ("", "toke", "token ", "TOKEN"):
        with pytest.raises(WebhookError):
            verify_gitlab("token", b"{}", {"X-Gitlab-Token": wrong})


def test_an_enormous_body_is_dropped_before_it_is_hashed() -> None:
    """A stranger must not make us work."""
    with pytest.raises(WebhookError):
        verify_github("secret", b"x" * (LARGEST_BODY + 1), {})


def test_a_push_concerns_the_followed_branch_of_that_repository_only() -> None:
    """A push elsewhere must not cost a fetch, and one here must not be missed."""
    push = parse_github(json.dumps(GITHUB).encode(), {"x-github-event": "push"})
    assert push is not None
    assert push.after == "f" * 40
    assert push.concerns("git@github.com:Acme/Payments", "main")
    assert push.concerns("https://github.com/acme/payments", "HEAD")
    assert not push.concerns("https://github.com/acme/payments", "release")
    assert not push.concerns("https://github.com/acme/other", "main")


def test_gitlab_pushes_are_read_too() -> None:
    """GitLab names things in its own way."""
    body = json.dumps(GITLAB).encode()
    push = parse_gitlab(body, {"X-Gitlab-Event": "Push Hook"})
    assert push is not None
    assert push.concerns("git@gitlab.com:acme/payments.git", "main")
    assert parse_gitlab(body, {"X-Gitlab-Event": "Issue Hook"}) is None


def _system_hook(**fields: object) -> bytes:
    return json.dumps({**GITLAB, **fields}).encode()


@pytest.mark.parametrize(
    ("fields", "refs"),
    [
        ({"event_name": "push"}, {"main"}),
        ({"event_name": "tag_push", "ref": "refs/tags/v1"}, {"v1"}),
        (
            {
                "event_name": "repository_update",
                "changes": [
                    {"ref": "refs/heads/main", "after": "f" * 40},
                    {"ref": "refs/heads/next", "after": "e" * 40},
                ],
            },
            {"main", "next"},
        ),
        ({"event_name": "repository_update", "changes": []}, set()),
        ({"event_name": "project_create"}, set()),
        ({"event_name": 3}, set()),
        ({}, set()),
    ],
)
def test_the_system_hook_of_an_administrator_is_read(
    fields: dict[str, object], refs: set[str]
) -> None:
    """One hook for all projects is how a whole server is connected."""
    push = parse_gitlab(_system_hook(**fields), {"X-Gitlab-Event": "System Hook"})
    url = "https://gitlab.com/acme/payments"
    for ref in ("main", "next", "v1"):
        assert (push is not None and push.concerns(url, ref)) == (ref in refs)


def test_a_deleted_branch_has_no_commit() -> None:
    """Hosts send zeros: that is no commit to fetch."""
    body = json.dumps({**GITHUB, "after": "0" * 40}).encode()
    push = parse_github(body, {"X-GitHub-Event": "push"})
    assert push is not None
    assert push.after is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'{"ref": 3}', b'{"ref": "x"}', b"[" * 100_000]
)
def test_what_is_no_push_is_dropped_with_a_sentence(body: bytes) -> None:
    """A signed but senseless body is somebody's mistake, not a crash."""
    with pytest.raises(WebhookError):
        parse_github(body, {"X-GitHub-Event": "push"})


def test_a_ping_is_nothing() -> None:
    """GitHub pings a new webhook; that is no push."""
    assert parse_github(b'{"zen": "x"}', {"X-GitHub-Event": "ping"}) is None
