"""Opens the code of a context: clones under the home folder, packing state in the store."""

from __future__ import annotations

import math
import os
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import structlog

from bot.app.contexts.file_uses import FileUses
from bot.app.contexts.model_speed import ModelSpeeds, guessed_speed
from bot.app.home_folder import INDEXES, REPOSITORIES
from bot.claude.client import ClaudeClient
from bot.claude.models import Capabilities
from bot.claude.prices import rates_of
from bot.clock import Now
from bot.context.child import in_children
from bot.context.codebase import Codebase, cache_path, limits_of
from bot.context.config.load import ContextConfig
from bot.context.errors import UrlError
from bot.context.git.clone import Clone
from bot.context.git.clone import Sources as AllowedSources
from bot.context.git.credentials import Credentials
from bot.context.git.github_app import GitHubApp
from bot.context.git.urls import RepositoryUrl, parse_url
from bot.context.pack_builder import Experience
from bot.context.reader import Readers
from bot.context.sizing import SizePolicy
from bot.errors import ForewarmError
from bot.settings import Settings
from bot.store.store import Store
from bot.tasks import Tasks

log = structlog.get_logger(__name__)

PUBLIC_HOSTS = frozenset(("github.com", "gitlab.com"))
WRITE_SHARE = 0.25
"""The part of a day's money for warmth that one cold write may take."""
PREFIX_SHARE = 0.7
"""The part of a model's window that a prefix may take."""
KIND = "pack"


class StoredPacks:
    """`bot.context.pack_store.PackState` over the store: replicas send the same bytes.

    The keys of a workspace's packs begin with its id, so that they are erased with it.
    """

    def __init__(self, store: Store, workspace: str = "") -> None:
        self._state = store.state
        self._prefix = f"{workspace}:" if workspace else ""

    async def load(self, key: str) -> bytes | None:
        return await self._state.get(KIND, self._prefix + key)

    async def save(self, key: str, data: bytes) -> None:
        await self._state.put(KIND, self._prefix + key, data)

    async def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        """Store `new` if what is stored is still `old`; tell whether it is what stands now."""
        key = self._prefix + key
        found = await self._state.look(KIND, key)
        if (found.value if found else None) != old:
            return False
        if await self._state.swap(KIND, key, new, found.version if found else None):
            return True
        # The reply of a committed try may have been lost: then our own value stands there.
        return await self._state.get(KIND, key) == new

    async def delete(self, key: str) -> None:
        await self._state.remove(KIND, self._prefix + key)


class Clones:
    """Makes the code base of each context."""

    def __init__(
        self, settings: Settings, store: Store, claude: ClaudeClient, now: Now, tasks: Tasks
    ) -> None:
        self._settings = settings
        self._store = store
        self._claude = claude
        self._now = now
        self._credentials = git_credentials(settings, now)
        self._trusted: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self.uses = FileUses(store.state, now)
        self.speeds = ModelSpeeds(store.state, tasks)
        self.readers = Readers()

    def trust(self, urls: Iterable[str], context: str, workspace: str = "") -> None:
        """Note all the addresses that a context file or an operator named for a context."""
        self._trusted[workspace, context] = set(urls)

    def trusts(self, url: RepositoryUrl, context: str, workspace: str = "") -> bool:
        """Tell whether an operator stands behind this very address, host and port included.

        For this context alone: people who may ask another one may not ask this one.
        """
        return any(url == _parsed(one) for one in self._trusted[workspace, context])

    def _may_be_private(self, url: RepositoryUrl) -> bool:
        """The default hosts are public. An operator who lists another one knows its network."""
        host = host_and_port(url)
        listed = {one.lower().partition("/")[0] for one in self._settings.repository_hosts}
        return host in listed and host not in PUBLIC_HOSTS

    def open(self, config: ContextConfig, *, by_operator: bool = False) -> Codebase:
        """Return the code of a context. `by_operator`: an operator names its addresses now."""

        def trusts(url: RepositoryUrl) -> bool:
            return by_operator or self.trusts(url, config.name, config.workspace)

        return Codebase(
            config,
            _folder(self._settings.home, config),
            now=self._now,
            count=self._claude.counter(config.full_model).count,
            state=StoredPacks(self._store, config.workspace),
            credentials=self._credentials,
            sources=AllowedSources(
                local=self._settings.local_repositories,
                trusts=trusts,
                may_be_private=lambda url: trusts(url) or self._may_be_private(url),
            ),
            sessions=in_children(limits_of(config.limits)),
            reader=self.readers.of(config.name, limits_of(config.limits)),
            experience=partial(self._experience, config),
            policy=size_policy(
                config,
                self._claude.full_name(config.full_model),
                self._claude.known_capabilities(config.full_model),
            ),
        )

    async def _experience(self, config: ContextConfig) -> Experience:
        """Return what earlier answers have taught; the guesses if the store is away."""
        model = self._claude.full_name(config.full_model)
        try:
            uses = await self.uses.weights(config.name)
            return Experience(uses, await self.speeds.speed(model))
        except ForewarmError as error:
            log.warning("experience_not_read", context=config.name, why=str(error))
            return Experience({}, guessed_speed(model))


def github_app(settings: Settings, now: Now) -> GitHubApp | None:
    """Return the GitHub App of the settings, if there is one."""
    text, file = settings.github_app_private_key, settings.github_app_private_key_file
    if settings.github_app_id is None:
        return None

    def read_key() -> str:
        if text is not None:
            return text.get_secret_value().replace("\\n", "\n")
        assert file is not None  # checked when the settings were read
        return file.read_text("utf-8")

    return GitHubApp(settings.github_app_id, read_key, settings.github_app_host, now)


def git_credentials(settings: Settings, now: Now) -> Credentials:
    """Return the credentials of git hosts: those of the settings and of the environment."""
    return Credentials.from_environment(
        os.environ,
        issuer=github_app(settings, now),
        helper=settings.credential_helper,
        known_hosts=settings.ssh_known_hosts,
    )


def size_policy(config: ContextConfig, model: str, capabilities: Capabilities) -> SizePolicy:
    """Return what `budget_tokens = "auto"` goes by: speed, prices, the day's money, the window.

    `model` is the full name. One cold write takes at most a part of what a day's warmth may cost.
    """
    daily = config.warm.daily_limit_usd
    return SizePolicy(
        guessed_speed(model),
        rates_of(model),
        config.max_wait,
        daily * WRITE_SHARE if daily else math.inf,
        int(capabilities.max_input_tokens * PREFIX_SHARE),
    )


def paths_of(config: ContextConfig, home: Path) -> list[Path]:
    """Return the files and folders that a context's repositories have in the home folder."""
    folder, paths = _folder(home, config), list[Path]()
    for repository in config.repositories:
        clone = Clone(repository.name, repository.address, repository.ref, folder)
        lock = clone.git_dir.with_suffix(".lock")
        paths += [clone.git_dir, lock, cache_path(folder, clone)]
        paths += (home / INDEXES / config.workspace).glob(f"{clone.git_dir.stem}.*")
    return paths


def _folder(home: Path, config: ContextConfig) -> Path:
    """Return the folder of a context's clones. A workspace never reads those of another one."""
    return home / REPOSITORIES / config.workspace


def host_and_port(url: RepositoryUrl) -> str:
    """Return the server of an address as operators list it. A port that is given is part of it."""
    return url.host if url.port is None else f"{url.host}:{url.port}"


def _parsed(url: str) -> RepositoryUrl | None:
    try:
        return parse_url(url)
    except UrlError:
        return None
