"""The steps of `forewarm check`. Each finding says how to fix it.

Nothing is changed in Slack. Nothing is spent, but for the one probe of a provider whose cache is
documented nowhere. Repositories are fetched and packed as at a start.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal

import aiohttp
from slack_sdk.errors import SlackApiError

from bot.app.cache_facts import StoredFacts
from bot.app.channel_check import unusable_channels, unusable_operators
from bot.app.contexts.clones import Clones, github_app
from bot.app.contexts.folder import ContextFiles
from bot.app.contexts.prefixes import Prefixes
from bot.app.home_folder import prepare_home
from bot.app.web import listen_problem
from bot.claude.client import ClaudeClient
from bot.claude.error_mapping import no_key
from bot.claude.errors import ClaudeError
from bot.claude.models import retirement
from bot.claude.prefix import Prefix
from bot.claude.prices import is_priced, price_list_of, unknown_priced_models, use_prices
from bot.claude.providers.cache_facts import FactStore
from bot.claude.providers.table import is_claude
from bot.clock import Now
from bot.context.codebase import Codebase
from bot.context.config.globs import matcher
from bot.context.config.load import ContextConfig, LoadedContexts
from bot.context.pack import Pack
from bot.errors import ForewarmError
from bot.settings import (
    Settings,
    SettingsError,
    model_key_problem,
    provider_environment,
    require_slack,
    unknown_variables,
    without_oauth,
)
from bot.slack.client import SlackClients, connect
from bot.slack.identity import Identity, SlackUnreachable, identify, slack_word
from bot.slack.manifest import INSTALL_PATH, Features, scopes
from bot.store.sql.url import default_url
from bot.store.store import Store
from bot.tasks import Tasks

Verdict = Literal["good", "note", "bad"]
APPS_PAGE = "https://api.slack.com/apps"
KEYS_PAGE = "https://platform.claude.com/settings/keys"
DEFAULT_MODEL = "claude-sonnet-5-5"
PRICES_OLD_DAYS = 180
RETIRES_SOON_DAYS = 60
OVER_BUDGET = "over the budget"
API_PATHS = ("/v1/messages", "/v1")
UNUSED = "No question is answered from it until then."
_SIGNING_SECRET = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. If the verdict is not good, `text` says how to fix it."""

    part: str
    verdict: Verdict
    text: str


class InstallationCheck:
    """Checks an installation, step by step. A failed step does not stop the next."""

    def __init__(self, settings: Settings, now: Now) -> None:
        self._settings = settings
        self._now = now
        self._stores = False
        # The sentences that would be repeated for each context.
        self._claude_failed: set[str] = set()
        self._server_known = True
        self._bot_token = settings.slack_bot_token

    async def run(self) -> AsyncIterator[Finding]:
        """Yield findings as they are made, in the order in which an operator would fix them."""
        for finding in self._environment():
            yield finding
        yield await self._port()
        # As a start reads them: with OAuth each has to name its workspace.
        with_oauth = self._settings.slack_client_id is not None
        loaded = ContextFiles(self._settings.contexts, with_oauth=with_oauth).read()
        async for finding in self._slack(loaded):
            yield finding
        async for finding in self._store():
            yield finding
        async for finding in self._claude(loaded):
            yield finding
        async for finding in self._git_hosts():
            yield finding
        async for finding in self._contexts(loaded):
            yield finding
        for finding in self._money(loaded):
            yield finding

    def _environment(self) -> Iterator[Finding]:
        settings = self._settings
        try:
            require_slack(settings)
        except SettingsError as error:
            for problem in error.problems:
                yield Finding("settings", "bad", problem)
            token = settings.slack_bot_token
            if token is not None and not token.get_secret_value().startswith("xoxb-"):
                # Slack would accept another kind of token for a few calls and name no bot.
                self._bot_token = None
        else:
            mode = "Socket Mode" if settings.socket_mode else "signed HTTP"
            yield Finding("settings", "good", f"Slack reaches the bot over {mode}.")
        if settings.socket_mode:
            yield Finding(
                "settings",
                "note",
                "Socket Mode adds about two seconds to every question; production should use HTTP.",
            )
        elif settings.slack_signing_secret is not None:
            yield _signing_secret(settings.slack_signing_secret.get_secret_value())
        yield from self._unused()
        if misplaced := model_key_problem(settings):
            yield Finding("settings", "bad", misplaced)
        if not self._has_model_server():
            yield Finding(
                "settings",
                "bad",
                "ANTHROPIC_API_KEY is not set, so no question can be answered: make a key at"
                f" {KEYS_PAGE} and set it.",
            )
        if settings.state_token is None:
            yield Finding(
                "settings",
                "note",
                "FOREWARM_STATE_TOKEN is not set, so /state and /metrics are off: set it to a long"
                " random text to switch them on.",
            )

    def _unused(self) -> Iterator[Finding]:
        """Name the variables that are set and have no effect."""
        for name, close in unknown_variables().items():
            yield Finding(
                "settings",
                "bad" if close else "note",
                f"{name} is no setting, so it has no effect"
                + (f": did you mean {close}?" if close else ": docs/settings.md lists them all."),
            )
        if unused := without_oauth(self._settings):
            yield Finding(
                "settings",
                "note",
                f"{' and '.join(unused)} {'has' if len(unused) == 1 else 'have'} no effect, because"
                " SLACK_CLIENT_ID is not set: set it to install the app with OAuth.",
            )

    async def _port(self) -> Finding:
        settings = self._settings
        host = settings.listen_host
        problem = await listen_problem(host, settings.port)
        if problem is None:
            return Finding("port", "good", f"{host}:{settings.port} can be listened on.")
        if await _is_forewarm(settings.port):
            return Finding(
                "port",
                "note",
                f"A bot answers on port {settings.port} already: stop it before"
                " another is started there.",
            )
        return Finding("port", "bad", problem.user_message)

    # --- Slack ----------------------------------------------------------------------------------

    async def _installations(self, client_id: str) -> AsyncIterator[Finding]:
        """Try the token of every workspace and organisation that installed the app with OAuth."""
        settings = self._settings
        page = settings.public_url.rstrip("/") + INSTALL_PATH
        url = settings.database_url or default_url(settings.home)
        try:
            store = await Store.open(url, now=self._now, set_up=False)
        except ForewarmError:
            rows = []
        else:
            rows = await store.installations(client_id).all()
            await store.close()
        if not rows:
            yield Finding("Slack", "note", f"No workspace has installed the app: open {page}.")
        for row in rows:
            name = row.team_name or row.enterprise_name or row.team_id or row.enterprise_id
            clients = connect(row.bot_token, settings.slack_api_url)
            try:
                await clients.reads.auth_test()
            except SlackApiError as error:
                word = slack_word(error)
                yield Finding(
                    "Slack",
                    "bad",
                    f"Slack refuses the token of {name} ({word}): install the app again at {page}.",
                )
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                what = type(error).__name__
                yield Finding("Slack", "bad", f"Slack cannot be reached ({what}): check the proxy.")
            else:
                yield Finding("Slack", "good", f"The bot is {row.bot_user_id} in {name}.")
            finally:
                await clients.close()

    async def _slack(self, loaded: LoadedContexts) -> AsyncIterator[Finding]:
        if self._settings.slack_client_id is not None:
            async for finding in self._installations(self._settings.slack_client_id):
                yield finding
            return
        token = self._bot_token
        if token is None:
            return
        clients = connect(token.get_secret_value(), self._settings.slack_api_url)
        try:
            me = await identify(clients)
        except ForewarmError as error:
            yield Finding("Slack", "bad", error.user_message)
        else:
            name = me.workspace_name or me.workspace
            yield Finding("Slack", "good", f"The bot is {me.user} in {name}.")
            for finding in self._scopes(me):
                yield finding
            app_token = self._settings.slack_app_token
            if app_token is not None and app_token.get_secret_value().startswith("xapp-"):
                yield await self._sockets(clients)
            async for finding in self._channels(clients, loaded):
                yield finding
        finally:
            await clients.close()

    async def _channels(
        self, clients: SlackClients, loaded: LoadedContexts
    ) -> AsyncIterator[Finding]:
        heard = 0
        for context in loaded.contexts:
            problems = await unusable_channels(clients.reads, context)
            heard += len(context.channels) - len(problems)
            for problem in problems:
                yield Finding("channels", "bad", problem)
        operators = dict.fromkeys(self._settings.operators, "FOREWARM_OPERATORS")
        for context in loaded.contexts:
            place = f"`operators` in {context.name}.toml"
            operators |= dict.fromkeys(context.access.operators, place)
        for problem in await unusable_operators(clients.reads, operators):
            yield Finding("operators", "bad", problem)
        if heard:
            yield Finding("channels", "good", f"The bot is in {_count(heard, 'channel')}.")

    def _scopes(self, me: Identity) -> Iterator[Finding]:
        missing = [ask for ask in scopes(Features()) if ask.name not in me.scopes]
        for optional in (False, True):
            lacking = [ask for ask in missing if ask.optional == optional]
            if not lacking:
                continue
            named = ", ".join(ask.name for ask in lacking)
            what = f"scope {named} is" if len(lacking) == 1 else f"scopes {named} are"
            lost = "; ".join(ask.why for ask in lacking[:2])
            rest = "" if len(lacking) <= 2 else "; and more, see `forewarm manifest --why`"
            yield Finding(
                "scopes",
                "note" if optional else "bad",
                f"The {what} missing ({lost}{rest}): paste the output of `forewarm manifest` into"
                f" your app's manifest at {APPS_PAGE} and install it again.",
            )
        if not missing:
            yield Finding("scopes", "good", f"All {len(scopes(Features()))} scopes are granted.")

    async def _sockets(self, clients: SlackClients) -> Finding:
        token = self._settings.slack_app_token
        assert token is not None
        try:
            await clients.reads.apps_connections_open(app_token=token.get_secret_value())
        except SlackApiError as error:
            return Finding(
                "sockets",
                "bad",
                f"SLACK_APP_TOKEN was refused ({slack_word(error)}): make one with the"
                " scope connections:write and switch Socket Mode on.",
            )
        except (aiohttp.ClientError, TimeoutError, OSError):
            return Finding("sockets", "bad", SlackUnreachable(clients.reads.base_url).user_message)
        return Finding("sockets", "good", "A Socket Mode connection can be opened.")

    # --- the rest -------------------------------------------------------------------------------

    async def _store(self) -> AsyncIterator[Finding]:
        settings = self._settings
        try:
            prepare_home(settings.home)
        except ForewarmError as error:
            yield Finding("home", "bad", error.user_message)
            return
        try:
            store = await Store.open(
                settings.database_url or default_url(settings.home), now=self._now
            )
            seconds = await store.ping()
            await store.close()
        except ForewarmError as error:
            yield Finding("database", "bad", error.user_message)
        else:
            self._stores = True
            kind = "shared by replicas" if store.shared else "one file, for one process"
            yield Finding("database", "good", f"{kind}; a look takes {1000 * seconds:.0f} ms.")

    def _has_model_server(self) -> bool:
        settings = self._settings
        if settings.provider not in (None, "anthropic"):
            return True
        return bool(settings.anthropic_api_key or settings.anthropic_base_url)

    def _connect(self, facts: FactStore | None = None) -> ClaudeClient:
        key = self._settings.anthropic_api_key
        return ClaudeClient.connect(
            api_key=key.get_secret_value() if key else None,
            base_url=self._settings.anthropic_base_url,
            provider=self._settings.provider,
            environment=provider_environment(),
            facts=facts,
        )

    async def _claude(self, loaded: LoadedContexts) -> AsyncIterator[Finding]:
        """Ask each provider that a context uses, or the installation's if there is no context."""
        async with self._connect() as client:
            models = {
                client.provider(one.full_model).name: one.full_model for one in loaded.contexts
            }
            for model in models.values() or (DEFAULT_MODEL,):
                if client.provider(model).is_cloud or self._has_model_server():
                    yield await self._provider(client, model)
                else:
                    self._claude_failed.add(no_key().user_message)

    async def _provider(self, client: ClaudeClient, model: str) -> Finding:
        provider = client.provider(model)
        address = self._settings.anthropic_base_url or "https://api.anthropic.com"
        path = next((one for one in API_PATHS if address.rstrip("/").endswith(one)), None)
        if path is not None:
            self._server_known = False
            return Finding(
                "Claude",
                "bad",
                f"ANTHROPIC_BASE_URL is {address}, and `{path}` is added anyway, so no question can"
                f" be answered: set it to {address.rstrip('/').removesuffix(path)}.",
            )
        if provider.name == "compatible" and self._settings.anthropic_base_url is None:
            self._server_known = False
            return Finding(
                "Claude",
                "bad",
                "The provider is compatible, but ANTHROPIC_BASE_URL is not set, so no server is"
                " known: set it to the address of the server.",
            )
        try:
            await client.ask_for_access(model)
        except ClaudeError as error:
            self._claude_failed.add(error.user_message)
            told = error.user_message if provider.is_cloud else _unusable(error, address)
            return Finding("Claude", "bad", told)
        if provider.is_cloud:
            return Finding(
                "Claude", "good", f"{provider.title} answers and accepts the credentials."
            )
        return Finding("Claude", "good", f"{address} answers and accepts the key.")

    async def _git_hosts(self) -> AsyncIterator[Finding]:
        """Ask GitHub for the App. The other ways in are tried by the contexts that use them."""
        app = github_app(self._settings, self._now)
        if app is not None:
            try:
                name = await app.check()
            except ForewarmError as error:
                yield Finding("GitHub App", "bad", error.user_message)
            else:
                text = f"{app.host} knows the App {name!r}, and it may read code."
                yield Finding("GitHub App", "good", text)
        if hosts := self._settings.webhook_secrets:
            routes = ", ".join(f"/webhooks/{host}" for host in hosts)
            at = f"{self._settings.listen_host}:{self._settings.port}"
            yield Finding("webhooks", "good", f"Pushes are taken at {at}: {routes}.")

    async def _contexts(self, loaded: LoadedContexts) -> AsyncIterator[Finding]:
        for problem in loaded.problems:
            yield Finding("contexts", "bad", f"{_ended(problem.user_message)} {UNUSED}")
        if not loaded.contexts and not loaded.problems:
            yield Finding(
                "contexts",
                "bad",
                f"The folder {self._settings.contexts} holds no file that ends in .toml, so there"
                " is no context to answer from: write one, or attach a repository with /codebase"
                " in Slack.",
            )
        if not loaded.contexts:
            return
        settings = self._settings
        if not self._stores:
            yield Finding(
                "contexts", "note", "Not built, since no database is there to store the result."
            )
            return
        store = await Store.open(settings.database_url or default_url(settings.home), now=self._now)
        client = self._connect(StoredFacts(store.state))
        try:
            sources = Clones(settings, store, client, self._now, Tasks())
            for context in loaded.contexts:
                named = (repository.url for repository in context.repositories)
                sources.trust(named, context.name, context.workspace)
                for finding in await self._context(context, sources, client):
                    yield finding
        finally:
            await client.close()
            await store.close()

    async def _context(
        self, context: ContextConfig, sources: Clones, client: ClaudeClient
    ) -> list[Finding]:
        part = f"context {context.name}"
        try:
            source = sources.open(context)
            await source.sync()
            # With an older clone the bot goes on, so nothing was raised.
            if stale := source.stale():
                return [Finding(part, "bad", one.reason) for one in stale.values()]
            pack = await source.pack()
            problems = await asyncio.to_thread(_unmatched, context, source)
            ambiguous = await source.ambiguous_refs()
            prefix = await Prefixes(client).build(context, pack, "")
            if not client.provider(prefix.model).models:
                await client.ask_for_access(prefix.model)
            warmth = await self._warmth(context, prefix, client)
        except ClaudeError as error:
            if not self._server_known or error.user_message in self._claude_failed:
                return [Finding(part, "note", "Its model was not looked at: see Claude above.")]
            return [Finding(part, "bad", error.user_message)]
        except ForewarmError as error:
            return [Finding(part, "bad", error.user_message)]
        found = [Finding(part, verdict, text) for verdict, text in problems]
        found += warmth
        if ambiguous:
            found.append(
                Finding(
                    part,
                    "note",
                    f"{', '.join(ambiguous)}: `ref` names a branch and a tag, and the branch is"
                    " followed. Write `refs/tags/...` or `refs/heads/...` to say which one is"
                    " meant.",
                )
            )
        window = (await client.capabilities(prefix.model)).max_input_tokens
        if prefix.tokens + prefix.settings.max_tokens > window:
            found.append(
                Finding(
                    part,
                    "bad",
                    f"The code takes {prefix.tokens:,} tokens and an answer up to"
                    f" {prefix.settings.max_tokens:,}, but {context.model} reads at most"
                    f" {window:,}, so every question would be refused: lower `budget_tokens` in"
                    f" {context.name}.toml, or narrow it with `include`.",
                )
            )
        if not any(one.verdict == "bad" for one in found):
            found += _without_use(context, pack)
        if not any(one.verdict == "bad" for one in found):
            found.append(Finding(part, "good", _built(context, pack, prefix)))
        return found

    async def _warmth(
        self, context: ContextConfig, prefix: Prefix, client: ClaudeClient
    ) -> list[Finding]:
        """Say if warmth does not exist at the provider, or only for 5 minutes.

        A cache that is documented nowhere is probed once, for a cent or two. The result is kept.
        """
        part, model = f"context {context.name}", prefix.model
        if await client.recall_cache_facts(model) is None:
            await client.probe_cache_facts(prefix.settings)
        facts = client.cache_facts(model)
        if not facts.caches:
            return [Finding(part, "note", client.ignored_sentence(model))]
        if "1h" not in facts.lives:
            return [
                Finding(
                    part,
                    "note",
                    f"Cache entries of {model} live 5 minutes at most here, so no hour of warmth is"
                    " paid for: change `provider` or `model` if gaps between questions are longer.",
                )
            ]
        return []

    def _money(self, loaded: LoadedContexts) -> Iterator[Finding]:
        settings = self._settings
        yield Finding(
            "money",
            "good",
            f"At most ${settings.daily_limit_usd:g} a day in all, of which at most"
            f" ${settings.warm_daily_limit_usd:g} for warm-ups.",
        )
        if settings.daily_limit_usd == 0:
            yield Finding(
                "money",
                "note",
                "FOREWARM_DAILY_LIMIT_USD is 0, so no question is answered: raise it.",
            )
        elif settings.warm_daily_limit_usd > settings.daily_limit_usd:
            yield Finding(
                "money",
                "note",
                "FOREWARM_WARM_DAILY_LIMIT_USD is above FOREWARM_DAILY_LIMIT_USD, so warm-ups could"
                " use up the money for answers: lower the first.",
            )
        try:
            use_prices(settings.prices, settings.worldwide)
        except ForewarmError as error:
            yield Finding("prices", "bad", error.user_message)
            return
        today = datetime.fromtimestamp(self._now(), UTC).date()
        models = sorted({c.full_model for c in loaded.contexts if is_claude(c.full_model)})
        for name, close in unknown_priced_models(models).items():
            yield Finding(
                "prices",
                "note",
                f"FOREWARM_PRICES holds a price of {name}, which no context uses, so it counts for"
                f" no request: did you mean {close}?",
            )
        for model in models:
            yield from _priced_and_alive(model, today)
        age = (today - price_list_of()).days
        if models and age > PRICES_OLD_DAYS:
            yield Finding(
                "prices",
                "note",
                f"The price list is of {price_list_of()}, {age} days ago, and caps go by it:"
                " upgrade Forewarm, or set FOREWARM_PRICES to a file with today's prices.",
            )


def _unusable(error: ClaudeError, address: str) -> str:
    """Return why no question can be answered by the server at `address`, and what to do."""
    if error.kind in ("connection", "timeout"):
        return (
            f"Nothing answers at {address}, so no question can be answered: check the network, the"
            " proxy (HTTPS_PROXY) and ANTHROPIC_BASE_URL."
        )
    if error.kind == "unknown_model":
        return (
            f"{address} answers, but has no Claude API below it, so no question can be answered:"
            " correct ANTHROPIC_BASE_URL, which ends before `/v1`."
        )
    if error.kind == "authentication":
        return (
            "Claude did not accept the API key, so no question can be answered: make a key at"
            f" {KEYS_PAGE} and set ANTHROPIC_API_KEY to it."
        )
    return error.user_message


def _priced_and_alive(model: str, today: date) -> Iterator[Finding]:
    if not is_priced(model):
        yield Finding(
            "prices",
            "note",
            f"The price of {model} is not known, so caps count the dearest of its family: set"
            " FOREWARM_PRICES to a file with its price, or upgrade Forewarm.",
        )
    retires = retirement(model)
    if retires is not None and (retires - today).days <= RETIRES_SOON_DAYS:
        ended = retires < today
        yield Finding(
            "models",
            "bad" if ended else "note",
            f"The model {model} {'was' if ended else 'will be'} retired on {retires}, and then"
            " every question to it fails: choose a newer `model` in the context's file.",
        )


def _built(context: ContextConfig, pack: Pack, prefix: Prefix) -> str:
    at = ", ".join(f"{r.name}@{r.commit[:7]}" for r in pack.repositories)
    thinking = prefix.settings.thinking or "model's default"
    return (
        f"{at}: {_count(pack.files, 'file')}, {prefix.tokens:,} tokens, {len(pack.omitted):,} left"
        f" out; {prefix.model}, thinking {thinking}; {_count(len(context.channels), 'channel')}."
        + (f" Size: {pack.size}" if pack.size else "")
    )


def _without_use(context: ContextConfig, pack: Pack) -> list[Finding]:
    """Say if a context shows no code, or if no person can ask about it."""
    part, found = f"context {context.name}", []
    if not pack.files and not any(one.reason.startswith(OVER_BUDGET) for one in pack.omitted):
        found.append(
            Finding(
                part,
                "bad",
                f"No file of its repositories is shown to the model ({len(pack.omitted):,} left"
                f" out), so every answer would be made up: correct `include` and `exclude` in"
                f" {context.name}.toml, or name another repository or `ref`.",
            )
        )
    if not context.channels:
        found.append(
            Finding(
                part,
                "note",
                "It lists no channel, and only members of its channels may ask, so no question is"
                f" answered from it: add one to `channels` in {context.name}.toml.",
            )
        )
    return found


def _unmatched(context: ContextConfig, source: Codebase) -> list[tuple[Verdict, str]]:
    """Return what is to be said of globs that match no tracked file. Reads trees: blocks."""
    found: list[tuple[Verdict, str]] = []
    heads = {one.rules.name: (one, commit) for one, commit in source.heads()}
    for config in context.repositories:
        if config.name not in heads or not (config.include or config.exclude or config.first):
            continue
        repository, commit = heads[config.name]
        paths = list(repository.repository.tree(commit))
        for key, patterns in (("include", config.include), ("exclude", config.exclude)):
            found += _idle(context, config.name, key, patterns, paths)
        scope = [path for path in paths if repository.rules.scope()(path)]
        found += _idle(context, config.name, "first", config.first, scope)
    return found


def _idle(
    context: ContextConfig, repository: str, key: str, patterns: Sequence[str], paths: Sequence[str]
) -> Iterator[tuple[Verdict, str]]:
    for pattern in patterns:
        matches = matcher((pattern,))
        if not any(matches(path) for path in paths):
            yield (
                "bad" if key == "include" else "note",
                f"The pattern {pattern!r} in `{key}` matches no file of the repository"
                f" {repository}, so it has no effect: correct it in {context.name}.toml (paths"
                " begin at the top of the repository), or remove it.",
            )


def _signing_secret(secret: str) -> Finding:
    if _SIGNING_SECRET.fullmatch(secret) is None:
        return Finding(
            "settings",
            "bad",
            "SLACK_SIGNING_SECRET is no signing secret, since it is not 32 characters of 0-9 and"
            " a-f, so every request of Slack would be refused: copy it from Basic Information of"
            " your app.",
        )
    return Finding(
        "settings",
        "note",
        "SLACK_SIGNING_SECRET has the right form, but only a request of Slack can show whether it"
        " is this app's: with a wrong one the log says slack_requests_refused with"
        " wrong_signature, and nothing is answered.",
    )


async def _is_forewarm(port: int) -> bool:
    """Tell whether a bot answers on this port of this machine."""
    timeout = aiohttp.ClientTimeout(total=2)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"http://127.0.0.1:{port}/healthz") as answer,
        ):
            return (await answer.read())[:100].strip() == b'{"ok": true}'
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _ended(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."
