"""Contexts set inside Slack: kept in the store, merged with the files, built by the library."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from bot.app.contexts.clones import host_and_port
from bot.app.contexts.registry import ContextRegistry
from bot.claude.prices import price_of
from bot.context.config.load import ContextConfig, LoadedContexts, parse_context
from bot.context.git.urls import RepositoryUrl
from bot.errors import ForewarmError
from bot.settings import Settings
from bot.slack.codebase import edits
from bot.slack.codebase.command import Draft, StoredContext
from bot.slack.codebase.views import Preview, RepositoryShown, Summary
from bot.store.store import Store

log = structlog.get_logger(__name__)

DRAFTS = "codebase draft"
TRUSTED = "trusted_repository"
"""Kinds under which the store keeps previews, and addresses that an operator named."""
FROM = "Slack"
FOLLOW_SECONDS = 5.0
WARM_HOURS = 8
REFRESHES_AN_HOUR = 12


class NotAllowed(ForewarmError):
    """A repository may not be attached from Slack. `host` may end in a port."""

    def __init__(self, host: str, hosts: Sequence[str]) -> None:
        super().__init__(
            f"Repositories of {host or 'this machine'} cannot be attached here: an operator must"
            f" add the host to FOREWARM_REPOSITORY_HOSTS (now {', '.join(hosts) or 'none'})."
        )
        self.host = host


@dataclass(frozen=True, slots=True)
class _Known:
    """The part of a context that was set in Slack, and the version of its record."""

    workspace: str
    body: Mapping[str, Any]
    version: int


class SlackContexts:
    """`bot.slack.codebase.command.ContextEditor`: files win key by key; changes are audited."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        library: ContextRegistry,
        workspace: str,
        detached: Callable[[str], None] = lambda name: None,
        trust: Callable[[Iterable[str], str, str], None] = lambda urls, context, owner: None,
        *,
        owner: str = "",
    ) -> None:
        """`detached` is called with each context that is taken away; `trust` with the addresses
        that a context file or an operator named, the context, and `owner`. That is the workspace
        again if the app is installed with OAuth: then contexts, trust and operators are this
        workspace's."""
        self._owner = owner
        self._settings = settings
        self._detached = detached
        self._trust = trust
        self._store = store
        self._library = library
        self._workspace = workspace
        self._files: dict[str, Mapping[str, Any]] = {}
        self._slack: dict[str, _Known] = {}
        self._named: dict[str, set[str]] = {}

    @property
    def hosts(self) -> tuple[str, ...]:
        return self._settings.repository_hosts

    @property
    def creators_attach(self) -> bool:
        return self._settings.creators_attach

    @property
    def operators(self) -> tuple[str, ...]:
        return operators_of(self._settings.operators, self._owner)

    async def load(self, contexts: Sequence[ContextConfig]) -> None:
        """Begin with the files' contexts and what the store holds; build nothing yet."""
        self._files = _dumped(contexts)
        self._slack = await self._stored()
        self._trust_named(self._files.keys() | self._slack.keys())
        for config in contexts:
            self._library.put(config)
        for name in self._slack:
            self._use(name)

    def follow_files(self, loaded: LoadedContexts) -> Sequence[str]:
        """Take over what was changed in the files; return the names that are to be built.

        A context whose file has a problem now keeps its last good version.
        """
        broken = {Path(problem.file).stem for problem in loaded.problems}
        if any(not problem.file.endswith(".toml") for problem in loaded.problems):
            # The folder itself cannot be read, so nothing in it was removed.
            return []
        before = self._files
        fresh = _dumped(loaded.contexts)
        kept = {name: before[name] for name in broken & before.keys()}
        self._files = {**fresh, **kept}
        self._trust_named(before.keys() | self._files.keys())
        for name in before.keys() - self._files.keys():
            if name not in self._slack or not self._use(name):
                self._library.drop(name)
                self._detached(name)
        changed = [
            config for config in loaded.contexts if fresh[config.name] != before.get(config.name)
        ]
        for config in changed:
            if config.name not in self._slack or not self._use(config.name):
                self._library.put(config)
        return [config.name for config in changed]

    def _trust_named(self, contexts: Iterable[str]) -> None:
        """Say which addresses files and operators name for contexts now."""
        for name in contexts:
            in_file = {one["url"] for one in self._files.get(name, {}).get("repositories", ())}
            self._trust(in_file | self._named.get(name, set()), name, self._owner)

    async def keep_following(self) -> None:
        """Take over and build what was changed at another replica, until cancelled."""
        while True:
            await asyncio.sleep(FOLLOW_SECONDS)
            try:
                if changed := await self.follow():
                    await self._library.refresh(changed)
            except ForewarmError as error:
                log.warning("contexts_not_followed", why=str(error))

    async def follow(self) -> Sequence[str]:
        """Take over what other replicas have changed; return the names that are to be built."""
        before, self._slack = self._slack, await self._stored()
        self._trust_named(before.keys() | self._slack.keys())
        for name in before.keys() - self._slack.keys():
            # No file gives it a repository, unless its channel was erased.
            self._library.drop(name)
            if name in self._files:
                self._library.put(self._merged(name, {}))
        changed = [name for name, known in self._slack.items() if known != before.get(name)]
        return [name for name in changed if self._use(name)]

    async def _stored(self) -> dict[str, _Known]:
        named = (await self._store.state.all(TRUSTED)).keys()
        found = {
            kept.name: _Known(kept.workspace, kept.body, kept.version)
            for kept in await self._store.contexts.all()
            if kept.workspace == self._workspace
        }
        self._named = {}
        for name, known in found.items():
            urls = [str(one.get("url") or "") for one in known.body.get("repositories") or ()]
            # Version 0.1.0 kept which addresses an operator named, but not for which context.
            keys = ((url, {self._trust_key(url, name), self._trust_key(url)}) for url in urls)
            self._named[name] = {url for url, ways in keys if not ways.isdisjoint(named)}
        return found

    def _use(self, name: str) -> bool:
        try:
            config = self._merged(name, self._slack[name].body)
            # The list of hosts may have changed since the context was stored.
            self._check_hosts(config)
            self._library.put(config)
        except ForewarmError as error:
            log.error("slack_context_left_out", context=name, why=error.user_message)
            return False
        return True

    # --- what /codebase asks --------------------------------------------------------------------

    async def read_context(self, workspace: str, channel: str) -> StoredContext:
        """Return the context set in Slack for a channel; an empty one if there is none."""
        context = self._library.for_channel(channel)
        place = f"{self._owner}-{channel}" if self._owner else channel
        name = context.name if context is not None else f"slack-{place.lower()}"
        known = self._slack.get(name)
        return StoredContext(name, known.body if known else {}, known.version if known else None)

    def decided(self, name: str) -> Collection[str]:
        """Return the keys that a file decides."""
        return edits.origins(self._files.get(name, {}), {}).keys()

    def summary(self, name: str, body: Mapping[str, Any]) -> Summary:
        """Return what a channel answers from, with the origin of each setting."""
        live = self._library.live(name)
        if live is None:
            return Summary(name=name)
        told = edits.origins(self._files.get(name, {}), body)
        commits = {r.name: r.commit for r in live.pack.repositories} if live.pack else {}
        origin = told.get("repositories", "file")
        return Summary(
            name=name,
            repositories=[
                RepositoryShown(
                    name=r.name, url=r.url, ref=r.ref, commit=commits.get(r.name), origin=origin
                )
                for r in live.config.repositories
            ],
            facts=_facts(live.config, told),
            tokens=live.prefix.tokens if live.prefix else None,
            files=live.pack.files if live.pack else None,
            omitted=len(live.pack.omitted) if live.pack else None,
            problem=live.problem,
        )

    async def preview(
        self, held: StoredContext, body: Mapping[str, Any], *, by_operator: bool = False
    ) -> Preview:
        """Build what a change would come to, beside what is in use.

        For an operator, tokens are used for the addresses that it names.
        """
        before = held.body
        if not self._repositories(held.name, body):
            return Preview(tokens=0, files=0, warm_day_usd=0.0, changed=["the codebase is removed"])
        config = self._merged(held.name, body)
        self._check_hosts(config)
        current = await self._library.try_out(config, by_operator=by_operator)
        return Preview(
            tokens=current.prefix.tokens,
            files=current.pack.files,
            warm_day_usd=warm_day_usd(current.prefix.model, current.prefix.tokens),
            omitted=[(o.path, o.reason) for o in current.pack.omitted],
            changed=edits.changed_keys(before, body),
        )

    async def keep_draft(self, key: str, draft: Draft) -> None:
        held = draft.held
        value = {
            "name": held.name,
            "before": dict(held.body),
            "version": held.version,
            "body": dict(draft.body),
        }
        await self._store.state.put(DRAFTS, key, json.dumps(value).encode())

    async def draft(self, key: str) -> Draft | None:
        kept = await self._store.state.get(DRAFTS, key)
        if kept is None:
            return None
        value = json.loads(kept)
        held = StoredContext(value["name"], value["before"], value["version"])
        return Draft(held, value["body"])

    async def save(
        self, workspace: str, user: str, draft: Draft, *, by_operator: bool = False
    ) -> bool:
        """Save, audit and use a change; return False if the context was changed meanwhile.

        An operator's name behind an address lets tokens be used for it.
        """
        held, body = draft.held, draft.body
        if not self._repositories(held.name, body):
            return await self._detach(workspace, user, held)
        config = self._merged(held.name, body)
        self._check_hosts(config)
        saved = await self._store.contexts.save(
            workspace, held.name, body, user, expected=held.version
        )
        if not saved:
            return False
        if by_operator:
            await self._note_trust(held.name, [one.url for one in config.repositories])
        await self._audit(
            workspace, user, "changed", held.name, edits.changed_keys(held.body, body)
        )
        self._slack[held.name] = _Known(workspace, body, (held.version or 0) + 1)
        self._library.put(config)
        await self._library.refresh([held.name])
        return True

    async def _note_trust(self, context: str, urls: Sequence[str]) -> None:
        for url in urls:
            await self._store.state.put(TRUSTED, self._trust_key(url, context), url.encode())
        self._named.setdefault(context, set()).update(urls)
        self._trust_named([context])

    def _trust_key(self, url: str, context: str = "") -> str:
        """Return the key under which it is kept that an operator named an address."""
        named = f"{context}\0{url}" if context else url
        key = hashlib.sha256(named.encode()).hexdigest()
        return f"{self._owner}:{key}" if self._owner else key

    async def _detach(self, workspace: str, user: str, held: StoredContext) -> bool:
        if held.version is None:
            return held.name not in self._slack
        if not await self._store.contexts.remove(workspace, held.name, expected=held.version):
            return False
        await self._audit(workspace, user, "detached", held.name, ["repositories"])
        self._slack.pop(held.name, None)
        for url in self._named.pop(held.name, ()):
            # To attach it again, an operator must name it again.
            await self._store.state.remove(TRUSTED, self._trust_key(url, held.name))
        self._trust_named([held.name])
        self._library.drop(held.name)
        self._detached(held.name)
        return True

    def _repositories(self, name: str, body: Mapping[str, Any]) -> Sequence[Any]:
        """Return the repositories that files and Slack together name."""
        return edits.merged(self._files.get(name, {}), body).get("repositories") or ()

    async def _audit(
        self, workspace: str, user: str, act: str, name: str, keys: Sequence[str]
    ) -> None:
        await self._store.audit.write(workspace, user, act, name, {"keys": list(keys)})

    def _merged(self, name: str, body: Mapping[str, Any]) -> ContextConfig:
        """Return the context as files and Slack say together. Raises `ForewarmError`."""
        merged = edits.merged(self._files.get(name, {}), body)
        if self._owner:
            merged = {**merged, "workspace": self._owner}
        return parse_context(name, merged, file=FROM)

    def _check_hosts(self, config: ContextConfig) -> None:
        """A file may name what it likes; from Slack only the listed hosts may be attached."""
        named = {r["url"] for r in self._files.get(config.name, {}).get("repositories", ())}
        for repository in config.repositories:
            if repository.url not in named and not self._allowed(repository.address):
                raise NotAllowed(host_and_port(repository.address), self.hosts)

    def _allowed(self, address: RepositoryUrl) -> bool:
        if not address.host:
            return False
        # An entry is a host, or a host with an organisation: github.com/acme. A port that is not
        # the usual one is another server, so it must be in the entry.
        place = f"{host_and_port(address)}/{address.path}".lower()
        return any(
            place == one.lower() or place.startswith(one.lower().rstrip("/") + "/")
            for one in self.hosts
        )


def operators_of(listed: Iterable[str], owner: str) -> tuple[str, ...]:
    """Return the user ids of a workspace's operators: without OAuth (`owner` empty), all listed.

    With OAuth an entry names its workspace, as T0123ABCD:U0123ABCD does.
    """
    if not owner:
        return tuple(listed)
    return tuple(one.partition(":")[2] for one in listed if one.startswith(f"{owner}:"))


def _dumped(contexts: Iterable[ContextConfig]) -> dict[str, Mapping[str, Any]]:
    """Return the keys that each context's file sets."""
    return {
        c.name: c.model_dump(mode="json", exclude_unset=True, exclude={"name"}) for c in contexts
    }


def warm_day_usd(model: str, tokens: int) -> float:
    """Return about what a day of 8 warm hours costs: one write, then a read every 5 minutes."""
    price = price_of(model, tokens)
    refreshes = WARM_HOURS * REFRESHES_AN_HOUR
    return tokens * (price.write_5m + refreshes * price.read) / 1e6


def _budget(config: ContextConfig) -> str:
    if config.budget_tokens == "auto":
        return f"chosen for a wait of {config.max_wait:g} s"
    return f"{config.budget_tokens:,} tokens"


def _facts(
    config: ContextConfig, told: Mapping[str, edits.Origin]
) -> list[tuple[str, str, edits.Origin | None]]:
    limits, warm = config.limits, config.warm
    answers = "no limit" if limits.answers_daily_usd is None else f"${limits.answers_daily_usd:g}"
    access = [
        word
        for word, on in (("guests", config.access.guests), ("externals", config.access.external))
        if on
    ]
    return [
        ("Model", config.full_model, told.get("model")),
        ("Budget", _budget(config), told.get("budget_tokens")),
        ("Answers when", config.mode, told.get("mode")),
        ("Answers a day", answers, told.get("limits.answers_daily_usd")),
        ("Warmth a day", f"${warm.daily_limit_usd:g}", told.get("warm.daily_limit_usd")),
        ("Also for", ", ".join(access) or "members only", told.get("access.guests")),
        ("Instructions", config.instructions[:300] or "none", told.get("instructions")),
    ]
