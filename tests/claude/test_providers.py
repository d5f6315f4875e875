"""The bot's client at each provider, against the local Claude over real sockets."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from forewarm_playground.claude import INSTANT, Config, LocalClaude
from forewarm_playground.claude.providers.accounts import Accounts
from forewarm_playground.claude.providers.profiles import Profile

from bot.claude.client import ClaudeClient
from bot.claude.errors import ClaudeError
from bot.claude.events import Label
from bot.claude.model_check import check_model
from bot.claude.models import settle
from bot.claude.prefix import Prefix, build_prefix
from bot.claude.prices import price_of, use_prices
from bot.claude.providers.cache_facts import CacheFacts, FactsOfOneRun
from bot.claude.providers.table import claude_name, full_name, providers, sent_id
from bot.claude.request import question_request
from bot.claude.stream import Ended, Text
from bot.claude.usage import Ttl
from bot.context.pack import Block, Pack
from tests.clouds import point_at, private_key

__all__ = ["point_at", "private_key"]
from tests.claude.records import Records

MODEL = "claude-sonnet-5-5"
CLOUDS = [name for name, row in providers().items() if row.is_cloud]
EVERY = ["anthropic", *CLOUDS, "compatible"]
SIGNED = ["aws", "bedrock", "bedrock-mantle"]
ASKED = [{"role": "user", "content": "Where is it?"}]
Point = Callable[..., None]


@dataclass
class Scene:
    claude: LocalClaude
    client: ClaudeClient
    journal: Records
    provider: str

    @property
    def model(self) -> str:
        return self.client.full_name(MODEL)

    async def prefix(self, tokens: int = 8_000, model: str = "") -> Prefix:
        capabilities = await self.client.capabilities(model or self.model)
        block = Block("base", "r", self.claude.text(tokens, MODEL), tokens)
        return build_prefix(Pack((block,), (), (), 1), [], settle(capabilities, max_tokens=500))

    async def ask(self, prefix: Prefix, ttl: Ttl = "5m") -> tuple[str, Ended]:
        request = question_request(prefix, ttl, ASKED)
        async with aclosing(self.client.stream(request, label=Label("question"))) as events:
            heard = [event async for event in events]
        assert isinstance(heard[-1], Ended)
        return "".join(event.text for event in heard if isinstance(event, Text)), heard[-1]


@pytest.fixture
def at(point_at: Point) -> Callable[..., Any]:
    """Return what opens a client at a provider of a local Claude."""

    @asynccontextmanager
    async def open_scene(
        provider: str,
        facts: FactsOfOneRun | None = None,
        profile: Profile | None = None,
        accounts: Accounts | None = None,
        **changed: str,
    ) -> AsyncIterator[Scene]:
        held: Any = {} if profile is None else {_place(provider): profile}
        claude = LocalClaude(
            Config(latency=INSTANT, providers=held, accounts=accounts or Accounts())
        )
        async with claude.serve() as url:
            point_at(url, accounts, **changed)
            journal = Records()
            client = ClaudeClient.connect(
                api_key="key",
                base_url=url,
                provider=provider,
                environment=os.environ,
                journal=journal,
                facts=facts,
            )
            async with client:
                yield Scene(claude, client, journal, provider)

    return open_scene


def _place(provider: str) -> str:
    return "anthropic" if provider == "compatible" else provider


@pytest.mark.parametrize("provider", EVERY)
async def test_a_provider_is_warmed_read_asked_and_paid(provider: str, at: Any) -> None:
    """The promise of each row: warm-up, verified hit, streamed answer, and the money for all."""
    async with at(provider) as here:
        await here.client.ask_for_access(here.model)
        before = len(here.claude.requests)
        prefix = await here.prefix()
        warmed = await here.client.warm(prefix, "1h")
        assert warmed.complete
        assert warmed.usage.write_1h == warmed.tokens > 8_000
        here.claude.script("It is in “pay.py” 🙂. " * 30)
        text, ended = await here.ask(prefix, "1h")
        assert text == "It is in “pay.py” 🙂. " * 30
        assert ended.usage.cache_read == warmed.tokens
        assert ended.stop_reason == "end_turn"
        sent = here.claude.requests[before:]
        assert {one.provider for one in sent} == {_place(provider)}
        assert sent[-2].warm
        assert max(len(one.markers) for one in sent) <= providers()[provider].markers
        assert [one.usd for one in here.journal.ended[-2:]] == pytest.approx(
            [one.usd for one in sent[-2:]]
        )
        assert {one.model for one in here.journal.ended} == {full_name(provider, MODEL)}


@pytest.mark.parametrize("provider", EVERY)
async def test_errors_of_a_provider_keep_their_kind(provider: str, at: Any) -> None:
    """A limit, an overload and a failing stream are answered the same way wherever Claude runs."""
    async with at(provider) as here:
        prefix = await here.prefix()
        for fault, kind in (("rate_limited", "rate_limited"), ("overloaded", "overloaded")):
            here.claude.fault(fault)
            with pytest.raises(ClaudeError) as raised:
                await here.ask(prefix)
            assert raised.value.kind == kind
        here.claude.fault("stream_error")
        with pytest.raises(ClaudeError) as raised:
            await here.ask(prefix)
        assert raised.value.kind == "overloaded"


NO_MODEL = {
    "aws": "Claude Platform on AWS has no model `claude-nope` here: correct `model` or `model_id`"
    " in the context's file, or AWS_REGION.",
    "bedrock": "Amazon Bedrock has no model `anthropic.claude-nope` here: correct `model` or"
    " `model_id` in the context's file, or AWS_REGION.",
    "bedrock-mantle": "Amazon Bedrock (Messages API) has no model `anthropic.claude-nope` here:"
    " correct `model` or `model_id` in the context's file, or AWS_REGION.",
    "vertex": "Google Vertex AI has no model `claude-nope` here: correct `model` or `model_id` in"
    " the context's file, or CLOUD_ML_REGION.",
    "google-cloud": "Claude on Google Cloud has no model `claude-nope` here: correct `model` or"
    " `model_id` in the context's file, or ANTHROPIC_GOOGLE_CLOUD_LOCATION.",
    "foundry": "Microsoft Foundry has no model `claude-nope` here: correct `model` or `model_id` in"
    " the context's file, or ANTHROPIC_FOUNDRY_RESOURCE.",
}


@pytest.mark.parametrize("provider", CLOUDS)
async def test_a_model_that_the_provider_does_not_have(provider: str, at: Any) -> None:
    """The sentence names the id that was sent, and both settings that can be wrong."""
    async with at(provider) as here:
        model = here.client.full_name("claude-nope")
        lists = here.client.provider(model).models
        asked = here.client.capabilities if lists else here.client.ask_for_access
        with pytest.raises(ClaudeError) as raised:
            await asked(model)
        assert raised.value.kind == "unknown_model"
        assert raised.value.user_message == NO_MODEL[provider]


@pytest.mark.parametrize("provider", CLOUDS)
async def test_credentials_that_have_expired(provider: str, at: Any) -> None:
    """A session token or a key that was good yesterday: the sentence names what to renew."""
    expired = frozenset({"old-session", "local-key", "bot@local-project.iam.gserviceaccount.com"})
    accounts = Accounts(expired=expired)
    async with at(provider, accounts=accounts, AWS_SESSION_TOKEN="old-session") as here:
        with pytest.raises(ClaudeError) as raised:
            await here.client.ask_for_access(here.model)
        row = providers()[provider]
        assert raised.value.kind == "authentication"
        assert row.credentials in raised.value.user_message
        assert row.title in raised.value.user_message
        if provider != "foundry":
            assert "have expired" in raised.value.user_message


WRONG = {
    "AWS_SECRET_ACCESS_KEY": "another-secret",
    "ANTHROPIC_FOUNDRY_API_KEY": "another-key",
}


@pytest.mark.parametrize("provider", [*SIGNED, "foundry"])
async def test_credentials_that_are_wrong(provider: str, at: Any) -> None:
    """AWS answers a wrong secret with 403, which elsewhere means that access is not granted."""
    async with at(provider, **WRONG) as here:
        with pytest.raises(ClaudeError) as raised:
            await here.client.ask_for_access(here.model)
        row = providers()[provider]
        assert raised.value.kind == "authentication"
        assert raised.value.user_message == (
            f"{row.title} did not accept the credentials, so nothing can be answered: correct"
            f" {row.credentials}."
        )


@pytest.mark.parametrize("provider", [*SIGNED, "vertex", "google-cloud"])
async def test_a_clock_that_is_off_by_an_hour(provider: str, at: Any) -> None:
    """The provider calls it an expired signature; the operator has to hear of the clock."""
    async with at(provider, accounts=Accounts(clock_ahead=3600.0)) as here:
        with pytest.raises(ClaudeError) as raised:
            await here.client.ask_for_access(here.model)
        off = "some" if provider in ("vertex", "google-cloud") else "about 60"
        assert raised.value.user_message == (
            f"The clock of this machine is {off} minutes wrong, so {providers()[provider].title}"
            " refuses its signatures: set the clock, for example by NTP (`timedatectl set-ntp"
            " true`)."
        )


@pytest.mark.parametrize("provider", SIGNED)
async def test_a_region_that_is_not_the_providers(provider: str, at: Any) -> None:
    """An address of one region and a signature for another."""
    async with at(provider, AWS_REGION="eu-nowhere-9") as here:
        with pytest.raises(ClaudeError) as raised:
            await here.client.ask_for_access(here.model)
        assert "correct AWS_REGION" in raised.value.user_message


@pytest.mark.parametrize("provider", SIGNED)
async def test_a_region_that_does_not_exist(
    provider: str, monkeypatch: pytest.MonkeyPatch, point_at: Point
) -> None:
    """Its host has no address: the sentence names the host and the variable."""
    point_at("http://127.0.0.1:9", AWS_REGION="eu-nowhere-9")
    for name in list(os.environ):
        if name.endswith("_BASE_URL"):
            monkeypatch.delenv(name)
    async with ClaudeClient.connect(provider=provider, environment=os.environ) as client:
        with pytest.raises(ClaudeError) as raised:
            await client.ask_for_access(MODEL)
    assert raised.value.kind == "connection"
    assert "eu-nowhere-9" in raised.value.user_message
    assert "correct AWS_REGION" in raised.value.user_message


async def test_a_provider_that_is_not_set_up() -> None:
    """Nothing is sent before the variables are there. All that are missing are named at once."""
    async with ClaudeClient.connect(provider="aws", environment={}) as client:
        with pytest.raises(ClaudeError) as raised:
            await client.capabilities(MODEL)
    assert raised.value.user_message == (
        "Claude Platform on AWS cannot be used yet: set AWS_REGION and ANTHROPIC_AWS_WORKSPACE_ID."
    )


async def test_packages_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence is the command that installs them."""
    monkeypatch.setattr("bot.claude.providers.connect.find_spec", lambda name: None)
    async with ClaudeClient.connect(provider="bedrock", environment={}) as client:
        with pytest.raises(ClaudeError) as raised:
            await client.ask_for_access(MODEL)
    assert raised.value.user_message == (
        "Amazon Bedrock needs packages that are not installed: run"
        " `pip install 'forewarm-bot[bedrock]'`."
    )


def test_packages_of_clouds_are_imported_by_the_clouds_that_are_used() -> None:
    """boto3 alone takes most of a second. Two seconds of this test are the import of the SDK."""
    code = (
        "import sys\n"
        "from bot.claude.client import ClaudeClient\n"
        "variables = {'AWS_REGION': 'us-east-1', 'CLOUD_ML_REGION': 'global'}\n"
        "client = ClaudeClient.connect(api_key='k', environment=variables)\n"
        "for name in ('bedrock:claude-sonnet-5-5', 'vertex:claude-sonnet-5-5'):\n"
        "    client.known_capabilities(name), client.cache_facts(name)\n"
        "print('USED', sorted({'boto3', 'botocore', 'google'} & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "USED []" in run.stdout


# --- caches that differ ---------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["bedrock", "vertex", "compatible"])
async def test_a_provider_without_hours_is_never_asked_for_one_again(
    provider: str, at: Any
) -> None:
    """The first refusal costs nothing; the question behind it is answered all the same."""
    facts = FactsOfOneRun()
    async with at(provider, facts, Profile(lives=("5m",))) as here:
        prefix = await here.prefix()
        here.claude.script("Here.")
        text, ended = await here.ask(prefix, "1h")
        assert text == "Here."
        assert ended.usage.write_1h == 0
        warmed = await here.client.warm(prefix, "1h")
        assert warmed.ttl == "5m"
        assert warmed.lives == ("5m",)
    async with at(provider, facts, Profile(lives=("5m",))) as here:
        if provider != "compatible":  # its address is another one now
            await here.client.recall_cache_facts(here.model)
            await here.client.warm(await here.prefix(), "1h")
            assert all(one.status == 200 for one in here.claude.requests)


async def test_a_provider_that_refuses_no_output_is_asked_for_one_token(at: Any) -> None:
    """The first warm-up finds out an undocumented fact, and it is remembered."""
    facts, profile = FactsOfOneRun(), Profile(zero=False, automatic=False, least=4_096)
    async with at("bedrock", facts, profile) as here:
        warmed = await here.client.warm(await here.prefix())
        assert warmed.complete
        assert [one.status for one in here.claude.requests] == [400, 200]
        assert here.client.cache_facts(here.model) == CacheFacts(("5m", "1h"), False)
    async with at("bedrock", facts, profile) as here:
        await here.client.warm(await here.prefix())
        assert [one.status for one in here.claude.requests] == [200]


@pytest.mark.parametrize("reports", [True, False])
async def test_a_server_that_ignores_markers_is_paid_for_no_warmth(reports: bool, at: Any) -> None:
    """Two small requests find it out. No warm-up of a whole prefix is sent, then or later."""
    facts = FactsOfOneRun()
    async with at("compatible", facts, Profile(caches=False, reports=reports)) as here:
        prefix = await here.prefix(tokens=100_000)
        for _ in range(3):
            warmed = await here.client.warm(prefix, "1h")
            assert not warmed.complete
            assert warmed.lives == ()
        assert len(here.claude.requests) == 2
        assert here.claude.ledger.usd < 0.02
        assert sum(one.usd for one in here.journal.ended) == pytest.approx(here.claude.ledger.usd)
        assert here.client.ignored_sentence(here.model).startswith(
            f"A compatible server ignores `cache_control` for {MODEL}, so no warm-up is paid for"
        )


async def test_a_compatible_server_that_caches_is_found_out_once(at: Any) -> None:
    """A probe of a cent or two, then warm-ups as at Anthropic."""
    async with at("compatible", FactsOfOneRun()) as here:
        prefix = await here.prefix()
        first = await here.client.warm(prefix, "1h")
        assert first.complete
        assert first.usage.write_1h
        await here.client.warm(await here.prefix(tokens=9_000), "1h")
        assert len(here.claude.requests) == 4
        assert here.client.cache_facts(here.model) == CacheFacts(("5m", "1h"), True)


@pytest.mark.parametrize("provider", EVERY)
async def test_check_model_obeys_the_table(provider: str, at: Any) -> None:
    """`check-model` works on each row, and names the provider and its lives."""
    async with at(provider, FactsOfOneRun()) as here:
        found = await check_model(here.client, MODEL, "salt")
        assert found.works
        assert found.problems == ()
        assert found.facts.lives == ("5m", "1h")
        assert found.as_json()["provider"] == provider


async def test_check_model_says_that_markers_are_ignored(at: Any) -> None:
    """Ollama takes `cache_control` and ignores it: a check of it must say so."""
    profile = Profile(caches=False, reports=False)
    async with at("compatible", FactsOfOneRun(), profile) as here:
        found = await check_model(here.client, MODEL, "salt")
        assert not found.works
        assert "ignores `cache_control`" in found.problems[0]


# --- names and prices -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("full", "sent", "name"),
    [
        ("bedrock:claude-sonnet-5-5", "anthropic.claude-sonnet-5-5", "claude-sonnet-5-5"),
        (
            "bedrock:us.anthropic.claude-opus-4-6-v1",
            "us.anthropic.claude-opus-4-6-v1",
            "claude-opus-4-6",
        ),
        ("vertex:claude-haiku-4-5-20251001", "claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("foundry:ours=claude-opus-5-5", "ours", "claude-opus-5-5"),
        ("aws:claude-opus-5", "claude-opus-5", "claude-opus-5"),
        ("qwen3:4b", "qwen3:4b", "qwen3:4b"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001", "claude-haiku-4-5"),
    ],
)
def test_names(full: str, sent: str, name: str) -> None:
    """One text carries the provider, the id that is sent, and the model that is priced."""
    assert sent_id(full) == sent
    assert claude_name(full) == name


def test_prices_of_regions() -> None:
    """Caps must count the premium of an endpoint in one region, and not where there is none."""
    listed = price_of("claude-sonnet-5-5").input
    assert price_of("bedrock:claude-sonnet-5-5").input == pytest.approx(1.1 * listed)
    assert price_of("bedrock:global.anthropic.claude-sonnet-5-5").input == listed
    assert price_of("vertex:claude-sonnet-5-5").input == pytest.approx(1.1 * listed)
    assert price_of("foundry:claude-sonnet-5-5").input == listed
    assert price_of("foundry:ours=claude-sonnet-5-5").input == listed
    # A deployment whose model is not told must not be taken for free.
    assert price_of("foundry:ours").input >= listed
    use_prices(None, ("vertex",))
    assert price_of("vertex:claude-sonnet-5-5").input == listed
    use_prices(None)
