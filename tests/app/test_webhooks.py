"""Pushes: a signed webhook makes the bot fetch at once, and the cache is not thrown away."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from pydantic import SecretStr

from benchmarks.made_repository import commit

if TYPE_CHECKING:
    from tests.app.conftest import Begin

SECRET = "webhook-secret"


async def test_a_signed_push_appends_an_update_and_keeps_the_base(product: Begin) -> None:
    async with product(transport="http", github_webhook_secret=SecretStr(SECRET)) as running:
        before = running.bot.library.live("pay").prefix
        commit(running.repository, {"pay.py": "def refund():\n    return 'money back'\n"})
        body = json.dumps(
            {
                "ref": "refs/heads/main",
                "after": "f" * 40,
                "repository": {"clone_url": str(running.repository)},
            }
        ).encode()
        url = f"http://127.0.0.1:{running.bot.web.port}/webhooks/github"
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        async with aiohttp.ClientSession() as session:
            forged = {"X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=" + "0" * 64}
            async with session.post(url, data=body, headers=forged) as answer:
                assert answer.status == 401
            assert running.bot.library.live("pay").prefix == before
            signed = {"X-GitHub-Event": "push", "X-Hub-Signature-256": signature}
            async with session.post(url, data=body, headers=signed) as answer:
                assert answer.status == 202
        await running.until(
            lambda: running.bot.library.live("pay").prefix != before, "the new prefix"
        )
        after = running.bot.library.live("pay").prefix
        assert after.key == before.key
        assert "money back" in "".join(block.text for block in after.system)


def _hosts(repository: str) -> dict[str, tuple[dict[str, Any], dict[str, str]]]:
    """Return what each kind of host sends for a push to main: the body, and headers."""
    change, sha = {"ref": "refs/heads/main", "after": "f" * 40}, "f" * 40
    gitlab = {**change, "project": {"git_http_url": repository}}
    like_github = {**change, "repository": {"clone_url": repository}}
    new = {"type": "branch", "name": "main", "target": {"hash": sha}}
    cloud = {
        "repository": {"links": {"html": {"href": repository}}},
        "push": {"changes": [{"new": new}]},
    }
    server = {
        "repository": {"links": {"clone": [{"href": repository, "name": "http"}]}},
        "changes": [{"refId": "refs/heads/main", "toHash": sha}],
    }
    azure = {
        "eventType": "git.push",
        "resource": {
            "refUpdates": [{"name": "refs/heads/main", "newObjectId": sha}],
            "repository": {"remoteUrl": repository},
        },
    }
    return {
        "github": (like_github, {"X-GitHub-Event": "push"}),
        "gitlab": (gitlab, {"X-Gitlab-Event": "Push Hook"}),
        "bitbucket": (cloud, {"X-Event-Key": "repo:push"}),
        "bitbucket server": (server, {"X-Event-Key": "repo:refs_changed"}),
        "gitea": (like_github, {"X-Gitea-Event": "push"}),
        "azure": (azure, {}),
    }


def _signed(host: str, secret: str, body: bytes) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "github": {"X-Hub-Signature-256": f"sha256={digest}"},
        "gitlab": {"X-Gitlab-Token": secret},
        "bitbucket": {"X-Hub-Signature": f"sha256={digest}"},
        "gitea": {"X-Gitea-Signature": digest},
        "azure": {"Authorization": aiohttp.encode_basic_auth("any", secret)},
    }[host]


@pytest.mark.parametrize("transport", ["sockets", "http"])
async def test_a_push_of_every_host_is_fetched_in_both_transports(
    product: Begin, transport: str
) -> None:
    """A web server is there in Socket Mode too. A forged push changes nothing."""
    secrets = {
        "github_webhook_secret": SecretStr(SECRET),
        "gitlab_webhook_token": SecretStr(SECRET),
        "bitbucket_webhook_secret": SecretStr(SECRET),
        "gitea_webhook_secret": SecretStr(SECRET),
        "azure_webhook_password": SecretStr(SECRET),
    }
    async with (
        product(transport=transport, **secrets) as running,
        aiohttp.ClientSession() as session,
    ):
        for kind, (document, headers) in _hosts(str(running.repository)).items():
            before = running.bot.library.live("pay").prefix
            commit(running.repository, {"pay.py": f"def pushed():\n    return {kind!r}\n"})
            host, body = kind.split()[0], json.dumps(document).encode()
            url = f"http://127.0.0.1:{running.bot.web.port}/webhooks/{host}"
            forged = {**headers, **_signed(host, "another-secret", body)}
            async with session.post(url, data=body, headers=forged) as answer:
                assert answer.status == 401, kind
            assert running.bot.library.live("pay").prefix == before
            signed = {**headers, **_signed(host, SECRET, body)}
            async with session.post(url, data=body, headers=signed) as answer:
                assert answer.status == 202, kind
            await running.until(
                lambda before=before: running.bot.library.live("pay").prefix != before,
                f"the new prefix after a push to {kind}",
            )
            blocks = running.bot.library.live("pay").prefix.system
            assert repr(kind) in "".join(block.text for block in blocks)
