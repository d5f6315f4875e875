"""Contexts set inside Slack, over a real store, real git and a whole bot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.made_repository import commit
from bot.app.contexts.slack_contexts import NotAllowed, SlackContexts, warm_day_usd
from bot.context.git.urls import parse_url
from bot.slack.codebase import edits
from bot.slack.codebase.command import Draft, StoredContext
from bot.slack.home.views import home_view
from tests.app.conftest import BARE, CHANNEL

if TYPE_CHECKING:
    from tests.app.conftest import Begin, Product

TEAM, WHO, OTHER = "T0LOCAL", "U0ASKER", "U0PEER"


async def change(admin: SlackContexts, held: StoredContext, user: str = WHO, **body: Any) -> bool:
    return await admin.save(TEAM, user, Draft(held, {**held.body, **body}))


async def audited(running: Product) -> list[tuple[str, str, str, Any]]:
    lines = await running.bot.store.audit.last(workspace=TEAM)
    return [(d.actor, d.action, d.subject, d.detail) for d in lines if d.action != "refused"]


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://github.com/acme/pay", True),
        ("https://GitHub.com/Acme/pay", True),
        ("https://github.com/acme-evil/pay", False),
        ("https://github.com.evil.example/acme/pay", False),
        ("https://gitlab.com/acme/pay", False),
        ("https://git.example.com/any/thing", True),
        ("/etc", False),
    ],
)
async def test_only_listed_hosts_and_organisations_are_attached(
    product: Begin, url: str, allowed: bool
) -> None:
    """Anybody who may configure a channel could else make the bot fetch from anywhere."""
    hosts = ("github.com/acme", "git.example.com")
    async with product(repository_hosts=hosts) as running:
        admin = running.bot.slack_contexts
        edit = edits.RepositoryEdit(url=url, ref="HEAD")
        config = admin._merged("slack-x", edits.with_repository({}, edit, "x"))
        if allowed:
            admin._check_hosts(config)
        else:
            with pytest.raises(NotAllowed, match="FOREWARM_REPOSITORY_HOSTS"):
                admin._check_hosts(config)
            held = await admin.read_context(TEAM, BARE)
            with pytest.raises(NotAllowed):
                await change(admin, held, repositories=[{"url": url, "name": "x"}])
            assert await running.bot.store.contexts.all() == []


async def test_a_file_wins_key_by_key_and_the_view_says_which(product: Begin) -> None:
    """An operator's file is the law; what it does not speak of may be set in Slack."""
    async with product(after="[limits]\nuser_per_hour = 7\n") as running:
        admin = running.bot.slack_contexts
        held = await admin.read_context(TEAM, CHANNEL)
        limits = {"user_per_hour": 99, "answers_daily_usd": 3.0}
        said = {"model": "claude-opus-5-5", "instructions": "Be brief.", "limits": limits}
        assert await admin.save(TEAM, WHO, Draft(held, said))
        config = running.bot.library.for_channel(CHANNEL)
        assert config is not None
        assert (config.model, config.instructions) == ("claude-sonnet-5-5", "Be brief.")
        assert (config.limits.user_per_hour, config.limits.answers_daily_usd) == (7, 3.0)
        after = await admin.read_context(TEAM, CHANNEL)
        told = {what: origin for what, _, origin in admin.summary("pay", after.body).facts}
        assert (told["Model"], told["Instructions"]) == ("file", "Slack")


async def test_settings_of_a_files_context_can_be_changed_without_losing_its_code(
    product: Begin,
) -> None:
    """Slack's settings name no repository there: that must not count as detaching it."""
    async with product() as running:
        admin = running.bot.slack_contexts
        held = await admin.read_context(TEAM, CHANNEL)
        preview = await admin.preview(held, {"instructions": "Be brief."})
        assert preview.tokens > 1_000
        assert await change(admin, held, instructions="Be brief.")
        live = running.bot.library.live("pay")
        assert live is not None
        assert live.prefix is not None


async def test_of_two_editors_the_second_is_told_and_nothing_is_overwritten(
    product: Begin,
) -> None:
    """Both opened the form on the same state: the later save would undo the earlier unseen."""
    async with product() as running:
        admin = running.bot.slack_contexts
        first, second = (
            await admin.read_context(TEAM, CHANNEL),
            await admin.read_context(TEAM, CHANNEL),
        )
        assert await change(admin, first, WHO, instructions="first")
        assert not await change(admin, second, OTHER, instructions="second")
        held = await admin.read_context(TEAM, CHANNEL)
        assert held.body["instructions"] == "first"
        assert await change(admin, held, OTHER, instructions="third")
        assert [(who, what) for who, what, *_ in await audited(running)] == [
            (OTHER, "changed"),
            (WHO, "changed"),
        ]


async def test_audit_lines_name_who_and_which_keys_but_no_values(product: Begin) -> None:
    """Instructions may be confidential; the log is read by others."""
    async with product() as running:
        held = await running.bot.slack_contexts.read_context(TEAM, CHANNEL)
        assert await change(running.bot.slack_contexts, held, instructions="the secret plan")
        assert await audited(running) == [(WHO, "changed", "pay", {"keys": ["instructions"]})]


async def test_what_was_set_in_slack_survives_a_restart(product: Begin) -> None:
    """A saved value is in no file but the store's."""
    async with product() as running:
        held = await running.bot.slack_contexts.read_context(TEAM, CHANNEL)
        assert await change(running.bot.slack_contexts, held, instructions="kept")
    async with product() as again:
        config = again.bot.library.for_channel(CHANNEL)
        assert config is not None
        assert config.instructions == "kept"
        assert (await again.bot.slack_contexts.read_context(TEAM, CHANNEL)).version == 1


async def test_a_channel_attaches_and_detaches_code_of_its_own(
    product: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Detaching on an outdated view must not remove another user's new repository."""
    async with product() as running:
        admin = running.bot.slack_contexts
        commit(running.repository.parent / "other", {"a.py": "x = 1\n" * 200})
        url = str(running.repository.parent / "other")
        # Local paths are never attached from Slack: the store stands in for an earlier setting.
        outdated = await admin.read_context(TEAM, BARE)
        body = {"repositories": [{"url": url, "name": "other"}], "channels": [BARE]}
        with pytest.raises(NotAllowed):
            await admin.save(TEAM, WHO, Draft(outdated, body))
        monkeypatch.setattr(SlackContexts, "_check_hosts", lambda *_: None)
        name = outdated.name
        assert await running.bot.store.contexts.save(TEAM, name, body, WHO, expected=None)
        await admin.load([])
        assert running.bot.library.for_channel(BARE) is not None
        held = StoredContext(name, body, 1)
        assert not await admin.save(TEAM, WHO, Draft(outdated, {"repositories": []}))
        assert await admin.save(TEAM, WHO, Draft(held, {**body, "repositories": []}))
        assert running.bot.library.for_channel(BARE) is None
        assert await running.bot.store.contexts.all() == []
        assert (await audited(running))[0][1] == "detached"
        await running.bot.journal.flush()
        (dropped,) = await running.bot.store.journal.read(kinds=["ContextDropped"])
        assert json.loads(dropped.body)["context"] == name


async def test_a_stored_context_is_left_out_once_its_host_is_off_the_list(product: Begin) -> None:
    """An operator who takes a host off the list means the contexts of yesterday, too."""
    body = {
        "repositories": [{"url": "https://git.example.com/acme/x", "name": "x"}],
        "channels": [BARE],
    }
    async with product(repository_hosts=("git.example.com",)) as running:
        held = await running.bot.slack_contexts.read_context(TEAM, BARE)
        assert await running.bot.store.contexts.save(TEAM, held.name, body, WHO, expected=None)
        await running.bot.slack_contexts.load([])
        assert running.bot.library.for_channel(BARE) is not None
    async with product(repository_hosts=("github.com",)) as running:
        assert running.bot.library.for_channel(BARE) is None


async def test_context_files_are_followed_and_a_broken_edit_keeps_the_last_good_version(
    product: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator edits a file on a running bot, and makes a mistake."""
    monkeypatch.setattr("bot.app.bot.FILES_SECONDS", 0.05)
    async with product() as running:
        bot = running.bot
        file = bot.settings.contexts / "pay.toml"
        good = file.read_text()

        def mode() -> str | None:
            config = bot.library.for_channel(CHANNEL)
            return None if config is None else config.mode

        file.write_text('mode = "questions"\n' + good)
        await running.until(lambda: mode() == "questions", "the new mode")
        file.write_text('modle = "questions"\n' + good)
        await running.until(lambda: bot.context_files.problems, "the problem")
        assert mode() == "questions"
        assert "unknown key 'modle'" in bot.context_files.problems[0]
        assert b"forewarm_context_files_broken 1.0" in bot.metrics.text(bot.now())
        shown = bot.edge.home._standing.operator([])
        assert "unknown key" in str(home_view([], shown))
        other = good.replace(CHANNEL, "C0NEW").replace('name = "pay"', 'name = "pay2"')
        (bot.settings.contexts / "other.toml").write_text(other)
        await running.until(lambda: bot.library.for_channel("C0NEW"), "the new context")
        file.write_text(good)
        await running.until(lambda: mode() == "mentions", "the mended file")
        assert bot.context_files.problems == ()
        (bot.settings.contexts / "other.toml").unlink()
        await running.until(lambda: bot.library.for_channel("C0NEW") is None, "the removal")
        assert mode() == "mentions"


async def test_a_token_is_used_for_addresses_that_files_or_operators_named(product: Begin) -> None:
    """At exactly that host and port: another port is another server."""
    async with product(repository_hosts=("git.example.com",)) as running:
        admin, clones = running.bot.slack_contexts, running.bot.clones
        url = "https://git.example.com/acme/x"
        body = {"repositories": [{"url": url, "name": "x"}], "channels": [BARE]}
        held = await admin.read_context(TEAM, BARE)
        assert await admin.save(TEAM, WHO, Draft(held, body))
        assert not clones.trusts(parse_url(url), held.name)
        held = await admin.read_context(TEAM, BARE)
        assert await admin.save(TEAM, WHO, Draft(held, body), by_operator=True)
        assert clones.trusts(parse_url(url), held.name)
        assert clones.trusts(parse_url(url + ".git"), held.name)
        assert not clones.trusts(parse_url(url), "slack-c0other")
        for other in (
            f"{url}2",
            "https://git.example.com:8443/acme/x",
            "ssh://git.example.com/acme/x",
        ):
            assert not clones.trusts(parse_url(other), held.name)


async def test_a_detached_address_is_trusted_no_more(product: Begin) -> None:
    """Else the channel's creator could attach it again, with the operator's token."""
    async with product(repository_hosts=("git.example.com",)) as running:
        admin, clones = running.bot.slack_contexts, running.bot.clones
        url = "https://git.example.com/acme/x"
        body = {"repositories": [{"url": url, "name": "x"}], "channels": [BARE]}
        held = await admin.read_context(TEAM, BARE)
        assert await admin.save(TEAM, WHO, Draft(held, body), by_operator=True)
        assert clones.trusts(parse_url(url), held.name)
        await admin.load([])
        assert clones.trusts(parse_url(url), held.name)
        held = await admin.read_context(TEAM, BARE)
        assert await admin.save(TEAM, WHO, Draft(held, {**body, "repositories": []}))
        assert not clones.trusts(parse_url(url), held.name)
        held = await admin.read_context(TEAM, BARE)
        assert await admin.save(TEAM, OTHER, Draft(held, body))
        await admin.load([])
        assert not clones.trusts(parse_url(url), held.name)


async def test_what_another_replica_changes_is_followed_and_what_it_removes_is_dropped(
    product: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each replica answers from the same contexts, also after another one took the change."""
    monkeypatch.setattr(SlackContexts, "_check_hosts", lambda *_: None)
    async with product() as running:
        admin, contexts = running.bot.slack_contexts, running.bot.store.contexts
        commit(running.repository.parent / "other", {"a.py": "x = 1\n" * 200})
        url = str(running.repository.parent / "other")
        body = {"repositories": [{"url": url, "name": "other"}], "channels": [BARE]}
        assert await contexts.save(TEAM, "bare", body, OTHER, expected=None)
        assert await admin.follow() == ["bare"]
        assert await admin.follow() == []
        assert running.bot.library.for_channel(BARE) is not None
        held = await admin.read_context(TEAM, BARE)
        assert await contexts.remove(TEAM, "bare", expected=1)
        assert not await admin.save(TEAM, WHO, Draft(held, {**body, "repositories": []}))
        assert await admin.follow() == []
        assert running.bot.library.for_channel(BARE) is None


def test_a_warm_day_is_one_write_and_a_read_every_five_minutes() -> None:
    """The preview's price is what people decide by: Sonnet writes at 1.25 and reads at 0.1."""
    million = warm_day_usd("claude-sonnet-5-5", 100_000) * 10
    from bot.claude.prices import price_of

    price = price_of("claude-sonnet-5-5", 100_000)
    assert million == pytest.approx(price.write_5m + 96 * price.read)
