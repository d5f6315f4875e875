"""Where the bot listens, what it tells strangers, and what its container may take."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from bot.settings import Settings
from bot.slack.ask import modal
from tests.app.conftest import Begin
from tests.running import default_settings

ROOT = Path(__file__).parents[2]
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what is tested
SOCKETS = {"slack_app_token": SecretStr("xapp-1")}


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (SOCKETS, "127.0.0.1"),
        ({**SOCKETS, "github_webhook_secret": SecretStr("s")}, EVERYWHERE),
        ({**SOCKETS, "gitlab_webhook_token": SecretStr("s")}, EVERYWHERE),
        ({**SOCKETS, "bitbucket_webhook_secret": SecretStr("s")}, EVERYWHERE),
        ({**SOCKETS, "gitea_webhook_secret": SecretStr("s")}, EVERYWHERE),
        ({**SOCKETS, "azure_webhook_password": SecretStr("s")}, EVERYWHERE),
        ({**SOCKETS, "host": EVERYWHERE}, EVERYWHERE),
        ({**SOCKETS, "host": "10.0.0.5"}, "10.0.0.5"),
        ({"slack_signing_secret": SecretStr("s")}, EVERYWHERE),
        ({"slack_signing_secret": SecretStr("s"), "host": "127.0.0.1"}, "127.0.0.1"),
    ],
)
def test_the_address_to_listen_on(given: dict[str, Any], address: str) -> None:
    settings = Settings.model_construct(**{**default_settings(), **given})
    assert settings.listen_host == address


@pytest.mark.parametrize(
    ("header", "is_told"),
    [
        ({}, False),
        ({"Authorization": "Bearer wrong"}, False),
        ({"Authorization": "Bearer "}, False),
        ({"Authorization": "state-token"}, False),
        ({"Authorization": "Basic state-token"}, False),
        ({"Authorization": "Bearer state-tokené"}, False),
        ({"Authorization": "Bearer state-token"}, True),
    ],
)
async def test_readiness_names_nothing_to_strangers(
    product: Begin, header: dict[str, str], is_told: bool
) -> None:
    async with product() as running:
        running.bot._stopping = True
        url = f"http://127.0.0.1:{running.bot.web.port}/readyz"
        try:
            async with aiohttp.ClientSession() as session, session.get(url, headers=header) as got:
                assert got.status == 503
                told = await got.json()
        finally:
            running.bot._stopping = False
        assert told == (
            {"ok": False, "missing": ["time: it is stopping"]} if is_told else {"ok": False}
        )


def test_every_service_of_compose_has_limits_and_no_public_port() -> None:
    text = (ROOT / "compose.yaml").read_text()
    shared, services = text.split("\nservices:\n")
    blocks = re.split(r"^  (?=[a-z0-9-]+:$)", services.split("\nvolumes:\n")[0], flags=re.MULTILINE)
    for block in filter(None, map(str.strip, blocks)):
        whole = block + (shared if "<<: *bot" in block else "")
        for limit in ("mem_limit", "cpus", "pids_limit"):
            assert f"{limit}:" in whole, f"{block[:20]!r} has no {limit}"
    ports = re.findall(r"ports: \[\"(.*)\"\]", text)
    assert len(ports) == 2
    assert all(port.startswith("${PUBLISH_ON:-127.0.0.1}:") for port in ports)


def test_every_test_that_the_threat_model_names_is_there() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    named = set(re.findall(r"`((?:tests|benchmarks|bot|docs)/[\w./-]+)`", text))
    assert len(named) > 15
    for path in named:
        assert (ROOT / path).exists(), path


def test_the_form_of_explain_this_says_who_can_read_the_answer() -> None:
    in_thread = modal.ask(
        modal.Origin(channel="C0WEB", thread="1.1"), [("a", "a")], "a", channel_name="web"
    )
    assert "all people in #web can read it" in str(in_thread)
    private = modal.ask(
        modal.Origin(channel="C0WEB", thread="1.1"), [("a", "a")], "a", channel_name=None
    )
    assert "all people in this conversation can read it" in str(private)
    elsewhere = modal.ask(modal.Origin(channel="C0WEB"), [("a", "a")], "a", channel_name="web")
    assert "can read it" not in str(elsewhere)
