"""The documentation of the local Slack says what there is, no more and no less."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from forewarm_playground.slack import LocalSlack, SlackConfig
from forewarm_playground.slack.config import DeliveryConfig, LimitsConfig
from forewarm_playground.slack.faults import API_FAULTS, DELIVERY_FAULTS
from forewarm_playground.slack.person_commands import ACTS
from forewarm_playground.slack.server import application

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def page() -> str:
    texts = [path.read_text("utf-8") for path in sorted(DOCS.glob("playground*.md"))]
    return next(
        text for text in texts if "forewarm local-slack" in text and "/_control/act" in text
    )


def test_the_configuration_shown_is_one(page: str) -> None:
    """The documented file gives a Slack, and every limit is among its keys."""
    table = tomllib.loads(page.split("```toml\n")[1].split("```")[0])
    del table["app"]["manifest"]
    config = SlackConfig.parse(table)
    assert config.app.events == ("app_mention", "message.channels")
    assert set(table["limits"]) >= set(LimitsConfig.model_fields) - {
        "processing_seconds",
        "log_entries",
    }
    assert set(table["delivery"]) >= set(DeliveryConfig.model_fields) - {"debug_socket_life"}


@pytest.mark.parametrize("word", [*ACTS, *API_FAULTS, *DELIVERY_FAULTS])
def test_every_verb_and_fault_is_explained(page: str, word: str) -> None:
    """Every verb is documented."""
    assert f"`{word}`" in page


def test_every_address_is_listed(page: str) -> None:
    """And every listed one exists."""
    routes = application(LocalSlack()).router.resources()
    served = {r.canonical for r in routes if r.canonical.startswith(("/_control", "/_client"))}
    shown = {path.rstrip("?") for path in re.findall(r"(/_(?:control|client)/[a-z{}/]*)", page)}
    listed = {path.replace("{id}", "{ident}") for path in shown}
    listed |= (
        {"/_control/faults/{ident}/release"} if "/_control/faults/{id}/release" in page else set()
    )
    assert served <= listed | {"/_control/channels"}
