"""Push webhooks: only signed ones count, and they name what moved."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from benchmarks.malformed_payloads import mutations
from bot.context.errors import WebhookError
from bot.context.git.webhook import (
    HOOKS,
    LARGEST_BODY,
    parse_azure,
    parse_bitbucket,
    parse_gitea,
    parse_github,
    parse_gitlab,
    verify_azure,
    verify_gitlab,
)

verify_github = HOOKS["github"].verify

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
    """A signed but senseless body is a mistake, not a crash."""
    with pytest.raises(WebhookError):
        parse_github(body, {"X-GitHub-Event": "push"})


def test_a_ping_is_nothing() -> None:
    """GitHub pings a new webhook; that is no push."""
    assert parse_github(b'{"zen": "x"}', {"X-GitHub-Event": "ping"}) is None


# --- Bitbucket, Gitea, Azure DevOps ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "header", "prefix"),
    [("bitbucket", "X-Hub-Signature", "sha256="), ("gitea", "X-Gitea-Signature", "")],
)
def test_other_hosts_sign_their_bodies_too(host: str, header: str, prefix: str) -> None:
    verify = HOOKS[host].verify
    digest = hmac.new(b"secret", b"{}", hashlib.sha256).hexdigest()
    verify("secret", b"{}", {header: prefix + digest})
    for headers in ({}, {header: ""}, {header: prefix + "0" * 64}, {header: f"sha1={digest}"}):
        with pytest.raises(WebhookError, match=f"{host.upper()}_WEBHOOK_SECRET"):
            verify("secret", b"{}", headers)
    with pytest.raises(WebhookError):
        verify("secret", b"{} ", {header: prefix + digest})
    empty = hmac.new(b"", b"{}", hashlib.sha256).hexdigest()
    with pytest.raises(WebhookError):
        verify("", b"{}", {header: prefix + empty})


def _basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def test_azures_password_is_compared_whole() -> None:
    verify_azure("pass:word", b"{}", _basic("any:pass:word"))
    wrong: list[dict[str, str]] = [
        {},
        _basic("any:pass"),
        _basic("pass:word"),
        _basic("any:"),
        {"Authorization": "Basic é"},
        {"Authorization": "Bearer pass:word"},
    ]
    for headers in wrong:
        with pytest.raises(WebhookError, match="AZURE_WEBHOOK_PASSWORD"):
            verify_azure("pass:word", b"{}", headers)
    with pytest.raises(WebhookError):
        verify_azure("", b"{}", _basic("any:"))


CLOUD: dict[str, Any] = {
    "repository": {
        "full_name": "acme/payments",
        "links": {"html": {"href": "https://bitbucket.org/acme/payments"}},
    },
    "push": {
        "changes": [
            {"new": {"type": "branch", "name": "main", "target": {"hash": "f" * 40}}, "old": None},
            {"new": None, "old": {"type": "tag", "name": "v1"}},
        ]
    },
}


def test_a_push_to_bitbucket_cloud_is_read() -> None:
    push = parse_bitbucket(json.dumps(CLOUD).encode(), {"X-Event-Key": "repo:push"})
    assert push is not None
    assert push.after == "f" * 40
    assert push.concerns("git@bitbucket.org:acme/payments.git", "main")
    assert push.concerns("https://bitbucket.org/acme/payments", "v1")
    assert not push.concerns("https://bitbucket.org/acme/payments", "next")
    assert not push.concerns("https://bitbucket.org/acme/other", "main")
    assert parse_bitbucket(b"{}", {"X-Event-Key": "pullrequest:created"}) is None
    assert parse_bitbucket(b'{"test": true}', {"X-Event-Key": "diagnostics:ping"}) is None


@pytest.mark.parametrize("with_links", [True, False])
def test_a_push_to_a_bitbucket_data_center_is_read(with_links: bool) -> None:
    """Older versions tell the project and the name alone."""
    links = {
        "clone": [
            {"name": "http", "href": "https://bitbucket.acme.com/scm/pay/payments.git"},
            {"name": "ssh", "href": "ssh://git@bitbucket.acme.com:7999/pay/payments.git"},
        ]
    }
    repository = {"slug": "payments", "project": {"key": "PAY"}}
    body = {
        "repository": {**repository, **({"links": links} if with_links else {})},
        "changes": [{"refId": "refs/heads/main", "toHash": "f" * 40, "type": "UPDATE"}],
    }
    push = parse_bitbucket(json.dumps(body).encode(), {"X-Event-Key": "repo:refs_changed"})
    assert push is not None
    assert push.concerns("https://bitbucket.acme.com/scm/PAY/payments.git", "main")
    assert push.concerns("ssh://git@bitbucket.acme.com:7999/pay/payments.git", "HEAD")
    assert not push.concerns("https://bitbucket.acme.com/scm/pay/other.git", "main")
    assert not push.concerns("https://bitbucket.acme.com/scm/pay/payments.git", "next")


def test_a_push_to_gitea_is_read() -> None:
    url = "https://git.acme.com/acme/payments.git"
    body = json.dumps({"ref": "refs/heads/main", "repository": {"clone_url": url}}).encode()
    push = parse_gitea(body, {"X-Gitea-Event": "push", "X-Gitea-Event-Type": "push"})
    assert push is not None
    assert push.concerns("https://git.acme.com/acme/payments", "main")
    assert parse_gitea(body, {"X-Gitea-Event": "issues"}) is None


@pytest.mark.parametrize(
    "followed",
    [
        "https://dev.azure.com/acme/Big%20Shop/_git/payments",
        "git@ssh.dev.azure.com:v3/acme/Big Shop/payments",
    ],
)
@pytest.mark.parametrize(
    "told",
    [
        "https://dev.azure.com/acme/Big%20Shop/_git/payments",
        "https://acme@dev.azure.com/acme/Big%20Shop/_git/payments",
        "https://acme.visualstudio.com/Big%20Shop/_git/payments",
        "https://acme.visualstudio.com/DefaultCollection/Big%20Shop/_git/payments",
    ],
)
def test_a_push_to_azure_devops_is_read(told: str, followed: str) -> None:
    body = {
        "eventType": "git.push",
        "resource": {
            "refUpdates": [{"name": "refs/heads/main", "newObjectId": "f" * 40}],
            "repository": {"remoteUrl": told},
        },
    }
    push = parse_azure(json.dumps(body).encode(), {})
    assert push is not None
    assert push.concerns(followed, "main")
    assert not push.concerns(followed.replace("payments", "other"), "main")
    assert parse_azure(b'{"eventType": "git.pullrequest.created"}', {}) is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"push": 3}', b'{"repository": [], "changes": [3]}']
)
@pytest.mark.parametrize("event", ["repo:push", "repo:refs_changed"])
def test_what_is_no_push_of_bitbucket_is_dropped_with_a_sentence(body: bytes, event: str) -> None:
    with pytest.raises(WebhookError):
        parse_bitbucket(body, {"X-Event-Key": event})


SAMPLES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "github": (
        {"ref": "refs/heads/main", "after": "a", "repository": {"clone_url": "https://x.org/a/b"}},
        {"X-GitHub-Event": "push"},
    ),
    "gitea": (
        {"ref": "refs/heads/main", "after": "a", "repository": {"clone_url": "https://x.org/a/b"}},
        {"X-Gitea-Event": "push"},
    ),
    "gitlab": (
        {
            "event_name": "repository_update",
            "changes": [{"ref": "r", "after": "b"}],
            "project": {"git_http_url": "https://x.org/a/b.git"},
        },
        {"X-Gitlab-Event": "System Hook"},
    ),
    "bitbucket": (
        {
            "push": {
                "changes": [{"new": {"type": "branch", "name": "m", "target": {"hash": "x"}}}]
            },
            "repository": {"links": {"html": {"href": "https://x.org/a/b"}}},
        },
        {"X-Event-Key": "repo:push"},
    ),
    "azure": (
        {
            "eventType": "git.push",
            "resource": {
                "refUpdates": [{"name": "r", "newObjectId": "x"}],
                "repository": {"remoteUrl": "https://dev.azure.com/o/p/_git/r"},
            },
        },
        {},
    ),
}


@pytest.mark.parametrize("host", SAMPLES)
def test_a_push_with_wrong_parts_is_refused_or_read(host: str) -> None:
    """Its signature is good, so an exception would be an error 500."""
    body, headers = SAMPLES[host]
    assert HOOKS[host].parse(json.dumps(body).encode(), headers) is not None
    for change, wrong in mutations(body):
        try:
            push = HOOKS[host].parse(json.dumps(wrong).encode(), headers)
            if push is not None:
                push.concerns("https://x.org/a/b", "main")
        except WebhookError:
            continue
        except Exception as error:
            raise AssertionError(change) from error
