"""Pushes: a signed webhook makes the bot fetch at once, and the cache is not thrown away."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING

import aiohttp
from pydantic import SecretStr

from tests.app.conftest import commit

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
