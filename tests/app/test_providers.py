"""The whole bot at a cloud, and what `forewarm check` says of usual mistakes there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from forewarm_playground.claude import INSTANT, Config
from forewarm_playground.claude.providers.accounts import Accounts
from forewarm_playground.claude.providers.profiles import Profile

from bot.telemetry.figures.money import day_of
from bot.warm.prefix_state import NO_WARMTH
from tests.app.conftest import CHANNEL, Begin
from tests.app.test_installation_check import GOOD, checked
from tests.clouds import point_at, private_key

__all__ = ["checked", "point_at", "private_key"]

Point = Callable[..., None]
DEAR = "[warm]\nwait_cost_per_hour = 1_000_000\n"


@pytest.mark.parametrize("provider", ["bedrock", "vertex"])
async def test_the_main_job_at_a_cloud(provider: str, product: Begin, point_at: Point) -> None:
    """A signal's warm-up is read by the question, and the caps count the provider's money."""
    async with product(
        before=f'provider = "{provider}"\n',
        after=DEAR,
        claude_config=Config(latency=INSTANT),
        served=point_at,
    ) as running:
        asker = running.slack.user("U0ASKER")
        asker.open_dm()
        await running.until(lambda: [r for r in running.asked if r.usage], "the warm-up")
        running.claude.rule(None, "It is in `pay.py`. " * 20)
        ts = asker.mention(CHANNEL, "what does step_7 return?")
        assert "It is in" in await running.answered(CHANNEL, ts)
        warm_up, question = running.asked
        assert {record.provider for record in running.asked} == {provider}
        assert warm_up.warm
        assert question.usage is not None
        live = running.bot.library.live("pay")
        assert question.usage.read >= 0.98 * live.prefix.tokens
        day = day_of(running.bot.now())
        assert running.bot.live.caps.spent(day) == pytest.approx(running.claude.ledger.usd)


async def test_no_warmth_is_paid_for_where_markers_are_ignored(product: Begin) -> None:
    """Signals cost the probe once, and nothing after that; the question is answered cold."""
    ignoring = Config(latency=INSTANT, providers={"anthropic": Profile(caches=False)})
    async with product(after=DEAR, claude_config=ignoring, provider="compatible") as running:
        asker = running.slack.user("U0ASKER")
        asker.open_dm()
        key = running.bot.library.live("pay").prefix.key
        driver = running.bot.warmth.driver
        await running.until(
            lambda: driver.governor.look(key, running.bot.now()).reason == NO_WARMTH, "the probe"
        )
        assert len(running.asked) == 2
        asker.open_dm()
        ts = asker.mention(CHANNEL, "what does step_7 return?")
        await running.answered(CHANNEL, ts)
        assert len(running.asked) == 3
        assert not any(record.usage.read for record in running.asked if record.usage)


CLOUD = 'provider = "{provider}"\n' + GOOD
EXPIRED = Accounts(expired=frozenset({"old-session"}))
CHECKS: list[tuple[str, str, dict[str, Any], dict[str, str], str]] = [
    ("sound", "bedrock", {}, {}, "Amazon Bedrock answers and accepts the credentials."),
    ("no region", "aws", {}, {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}, "set AWS_REGION."),
    (
        "another region",
        "bedrock",
        {},
        {"AWS_REGION": "eu-west-1"},
        "in one region with a signature for another: correct AWS_REGION",
    ),
    (
        "expired credentials",
        "bedrock",
        {"accounts": EXPIRED},
        {"AWS_SESSION_TOKEN": "old-session"},
        "The credentials for Amazon Bedrock have expired, so nothing can be answered: renew",
    ),
    (
        "a clock that is off",
        "bedrock",
        {"accounts": Accounts(clock_ahead=3600.0)},
        {},
        "The clock of this machine is about 60 minutes wrong",
    ),
    (
        "ignored markers",
        "compatible",
        {"providers": {"anthropic": Profile(caches=False)}},
        {},
        "ignores `cache_control` for claude-sonnet-5-5, so no warm-up is paid for",
    ),
    (
        "no hours",
        "compatible",
        {"providers": {"anthropic": Profile(lives=("5m",))}},
        {},
        "Cache entries of claude-sonnet-5-5 live 5 minutes at most here",
    ),
]


@pytest.mark.parametrize(
    ("name", "provider", "config", "variables", "text"), CHECKS, ids=[one[0] for one in CHECKS]
)
async def test_check_names_the_setting_to_change(
    name: str,
    provider: str,
    config: dict[str, Any],
    variables: dict[str, str],
    text: str,
    checked: Begin,
    point_at: Point,
) -> None:
    """One sentence for each mistake, and only one that is bad."""
    found = await checked(
        context=CLOUD.replace("{provider}", provider),
        claude=Config(latency=INSTANT, **config),
        served=lambda url: point_at(url, config.get("accounts"), **variables),
        provider="compatible",
    )
    assert [one for one in found if text in one.text], found
    bad = [one for one in found if one.verdict == "bad"]
    assert len(bad) == (0 if name in ("sound", "ignored markers", "no hours") else 1), bad


async def test_check_says_that_a_provider_lacks_the_model(checked: Begin, point_at: Point) -> None:
    """The id that was sent is named, since it is not the one in the file."""
    found = await checked(
        context=CLOUD.replace("{provider}", "vertex").replace("sonnet-5-5", "nope"),
        claude=Config(latency=INSTANT),
        served=point_at,
        provider="compatible",
    )
    assert "Google Vertex AI has no model `claude-nope` here: correct `model`" in str(found)
