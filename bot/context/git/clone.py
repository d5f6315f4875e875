"""Bare clones on disk: fetched in bounded time and size, safe among processes, never checked out.

A clone holds objects and refs of ours for each followed ref; no remote is stored, so no address is.
Objects are never pruned: what a base was built from stays readable when history is rewritten.

A context whose address no operator named has refs of its own. It sees the commits that the host
gives to anybody, and none that another context fetched with a token.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bot.context.atomic_write import write_atomically
from bot.context.errors import (
    AuthenticationError,
    BusyError,
    EmptyRepositoryError,
    GitFailedError,
    GitMissingError,
    GitTimeoutError,
    HostKeyError,
    RefMissingError,
    RepositoryError,
    TooLargeError,
    UrlError,
)
from bot.context.git import network
from bot.context.git.credentials import Credential, Credentials
from bot.context.git.explain import ALGORITHM, explain, local_problem
from bot.context.git.repository import MOST_MEMORY, GitRepository, branch_names
from bot.context.git.safety import SAFE_OPTIONS, hardened_environment
from bot.context.git.ssh import host_key_problem, key_refusal, ssh_command
from bot.context.git.urls import RepositoryUrl
from bot.context.limits import limit_started
from bot.context.private import UMASK, make_private_folder

T = TypeVar("T")

_NETWORK_OPTIONS = (
    # A redirect would lead to a host that was not checked.
    "-c",
    "http.followRedirects=false",
    "-c",
    "http.lowSpeedLimit=1000",
    "-c",
    "http.lowSpeedTime=60",
    "-c",
    "fetch.unpackLimit=1",
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
)
_NO_TICKETS = ("-c", "http.emptyAuth=false")
"""Keeps curl from showing the Kerberos tickets of the bot's user."""
_PROTOCOL = {"https": "https", "ssh": "ssh", "local": "file"}
_LOOK_EVERY = 0.5
_SERVE_ANY_OWNERS = "--upload-pack=git -c 'safe.directory=*' upload-pack"
"""For folders that belong to another user, as mounted ones do: git hands no option on to the side
that serves. It runs nothing that the folder's own settings name."""
_WAIT_EVERY = 0.1
_MANY_PACKS = 30
_NOT_NAMED = (
    "tokens and keys are used only for addresses that a context file or an operator named: let an"
    " operator attach it"
)
_LONG_COMMIT = re.compile(r"[0-9a-f]{64}")
_KEPT = 65_536
_MOST_PRINTED = 4_000_000
_MOST_REFS = 20_000


@dataclass(frozen=True, slots=True)
class Sources:
    """The addresses that may be fetched: hosts (None: any) and folders of local repositories."""

    hosts: frozenset[str] | None = None
    local: tuple[Path, ...] = ()
    trusts: Callable[[RepositoryUrl], bool] = lambda url: True
    """Whether a context file or an operator named the address: only then a secret is used."""
    may_be_private: Callable[[RepositoryUrl], bool] = lambda url: True
    """Whether the host may lie in a private network: it was named, or is on an operator's list."""

    def check(self, url: RepositoryUrl) -> None:
        """Raise `UrlError` for an address that is not allowed here."""
        if url.scheme == "local":
            here = Path(url.path).resolve()
            if not any(here.is_relative_to(folder.resolve()) for folder in self.local):
                raise UrlError(
                    url.path,
                    "a repository on this machine must lie in a folder that"
                    " FOREWARM_LOCAL_REPOSITORIES names, and this one does not; set that variable"
                    f" to {here.parent}, or write the repository's https:// address",
                )
        elif self.hosts is not None and url.host not in self.hosts:
            raise UrlError(
                url.remote,
                f"the host {url.host} is not allowed here; allowed are "
                + (", ".join(sorted(self.hosts)) or "none"),
            )


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets that a context names for one repository, and those that the operator set."""

    credentials: Credentials = field(default_factory=Credentials)
    token: str = ""
    """The name of the repository's own token (`Credentials.find`)."""
    ssh_key: Path | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that a fetch may take: seconds, bytes on disk, seconds of waiting for another."""

    seconds: float = 900.0
    bytes: int = 3_000_000_000
    wait_seconds: float = 300.0


class Clone:
    """One repository's bare clone, following one ref."""

    def __init__(
        self,
        name: str,
        url: RepositoryUrl,
        ref: str,
        home: Path,
        *,
        secrets: Secrets | None = None,
        sources: Sources | None = None,
        depth: int | None = None,
        bounds: Bounds | None = None,
        resolve: network.Resolve = network.resolve,
    ) -> None:
        self.name = name
        self.url = url
        self.ref = ref
        identity = hashlib.sha256(url.identity.encode("utf-8", "surrogateescape")).hexdigest()
        slug = re.sub(r"[^A-Za-z0-9._-]", "-", url.name)[:60]
        self.git_dir = home / "clones" / f"{slug}-{identity[:12]}.git"
        self._sources = sources or Sources()
        self._secrets = secrets or Secrets()
        self._credential = Credential("")
        self._resolve = resolve
        self._pins: Sequence[str] = ()
        self._depth = depth
        self._bounds = bounds or Bounds()
        self._found = ""

    def repository(self) -> GitRepository:
        return GitRepository(self.git_dir, self.name)

    @property
    def _is_named(self) -> bool:
        """Whether a context file or an operator named the address."""
        return self._sources.trusts(self.url)

    @property
    def _local_ref(self) -> str:
        kind = "" if self._is_named else "open-"
        return f"refs/forewarm/{kind}{hashlib.sha256(self.ref.encode()).hexdigest()[:16]}"

    def head(self) -> str | None:
        """Return the commit of the last good fetch, or None before the first. Blocks briefly."""
        if not (self.git_dir / "HEAD").exists():
            return None
        try:
            return self.repository().resolve(self._local_ref)
        except (EmptyRepositoryError, RefMissingError):
            return None

    def fetched_at(self) -> float | None:
        """Return when the last good fetch was noted, in Unix seconds. Blocks briefly."""
        try:
            return float(self._note().read_text())
        except (OSError, ValueError):
            return None

    def note_fetched(self, at: float) -> None:
        """Remember a good fetch, also for the time after a restart."""
        with contextlib.suppress(OSError):
            write_atomically(self._note(), str(at).encode(), durable=False)

    def _note(self) -> Path:
        name = self._local_ref.rpartition("/")[2]
        return self.git_dir / f"forewarm-fetched-{name}"

    async def fetch(self) -> str:
        """Bring the clone up to date and return the commit that the ref names now.

        Raises:
            RepositoryError: it could not be; the clone still holds what it held.
            UrlError: the address is not allowed here.
        """
        self._sources.check(self.url)
        async with self._locked():
            before = await asyncio.to_thread(self.head)
            await self._prepare()
            await self._connected(self._fetch)
            await self._refuse_too_large(before)
            await self._tidy()
        head = await asyncio.to_thread(self.head)
        if head is None:
            raise RefMissingError(self.name, self.ref)
        return head

    # --- the steps -------------------------------------------------------------------------------

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[None]:
        """Hold the clone against other processes and tasks; waiting is bounded."""
        make_private_folder(self.git_dir.parent)
        handle = os.open(self.git_dir.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            loop = asyncio.get_running_loop()
            deadline = loop.time() + self._bounds.wait_seconds
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if loop.time() >= deadline:
                        raise BusyError(self.name, self._bounds.wait_seconds) from None
                    await asyncio.sleep(_WAIT_EVERY)
            yield
        finally:
            os.close(handle)

    async def _prepare(self, algorithm: str | None = None) -> None:
        """Create the clone, or clear away the remains of a killed git. The lock is held."""
        if algorithm is None:
            algorithm = "sha256" if _LONG_COMMIT.fullmatch(self.ref) else "sha1"
        if not (self.git_dir / "HEAD").exists():
            shutil.rmtree(self.git_dir, ignore_errors=True)
            await self._git(
                "creating",
                [
                    "init",
                    "--quiet",
                    "--bare",
                    "--template=",
                    f"--object-format={algorithm}",
                    str(self.git_dir),
                ],
            )
            return
        for stale in (*self.git_dir.glob("*.lock"), *self.git_dir.glob("refs/**/*.lock")):
            stale.unlink(missing_ok=True)
        self._drop_partial_packs()

    def _drop_partial_packs(self) -> None:
        for partial in self.git_dir.glob("objects/pack/tmp_*"):
            partial.unlink(missing_ok=True)

    async def _connected(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do work that asks the remote; if it refuses a token that may have expired, once more."""
        self._pins = await self._addresses()
        self._credential = await self._find_credential()
        try:
            return await work()
        except AuthenticationError:
            if not self._credential.renewable:
                raise
            await self._secrets.credentials.renew(self.url, self._credential)
            self._credential = await self._find_credential()
            return await work()

    async def _find_credential(self) -> Credential:
        if not self._is_named:
            return Credential(_NOT_NAMED)
        secrets = self._secrets
        return await secrets.credentials.find(self.url, secrets.token, self.name)

    async def _addresses(self) -> Sequence[str]:
        """Return the addresses that git must use; none if git may resolve the name itself."""
        if self.url.scheme == "local" or self._sources.may_be_private(self.url):
            return ()
        if network.is_proxied(self.url, os.environ):
            return ()
        try:
            return await asyncio.to_thread(network.pinned, self.url, self._resolve)
        except OSError:
            # git must not ask again: the second answer would not be checked.
            said = f"fatal: Could not resolve host: {self.url.host}"
            raise explain(self.name, self.url, self.ref, "fetching", said, "") from None

    async def _fetch(self) -> None:
        """Fetch the ref: the branch of this name, else the tag, else the ref that git takes it for.

        git itself prefers a tag to a branch of the same name. Then a context that follows `release`
        would stay at the tag `release` for ever.
        """
        names = _ref_names(self.ref)
        if self._found in names:
            names = (self._found, *(name for name in names if name != self._found))
            # A branch that is made later comes before the tag that was found.
            names = tuple(sorted(names, key=lambda name: not name.startswith("refs/heads/")))
        for at, name in enumerate(names):
            try:
                await self._fetch_ref(name)
            except RefMissingError:
                if at == len(names) - 1:
                    raise await self._missing() from None
            except EmptyRepositoryError:
                raise await self._missing() from None
            else:
                self._found = name
                return

    async def _missing(self) -> RepositoryError:
        """Return the error for a ref that the remote lacks. It names the branches that exist."""
        try:
            refs = await self._remote_refs()
        except RepositoryError:
            refs = []
        if self.ref == "HEAD" and not refs:
            return EmptyRepositoryError(self.name)
        return RefMissingError(self.name, self.ref, branch_names(refs))

    async def _remote_refs(self) -> list[str]:
        """Return the names of the remote's refs, at most `_MOST_REFS`."""
        arguments = [*self._network_options(), "ls-remote", "--quiet"]
        out = await self._git("listing the branches of", [*arguments, "--", self.url.remote])
        lines = out.decode("utf-8", "replace").split("\n")[:_MOST_REFS]
        return [line.partition("\t")[2] for line in lines if "\t" in line]

    async def ambiguous(self) -> bool:
        """Tell if the remote has a branch and a tag of this name. The branch is followed.

        Raises:
            RepositoryError: the remote cannot be asked.
        """
        if len(_ref_names(self.ref)) == 1:
            return False
        self._sources.check(self.url)
        refs = set(await self._connected(self._remote_refs))
        return {f"refs/heads/{self.ref}", f"refs/tags/{self.ref}"} <= refs

    async def _fetch_ref(self, name: str) -> None:
        try:
            await self._fetch_once(name)
        except GitFailedError as error:
            # The algorithm shows only when the remote answers. A clone that holds nothing yet can
            # be made anew.
            found = ALGORITHM.search(error.detail)
            if found is None or await asyncio.to_thread(self.head) is not None:
                raise
            await asyncio.to_thread(shutil.rmtree, self.git_dir, True)
            await self._prepare(found["server"])
            await self._fetch_once(name)

    def _network_options(self) -> list[str]:
        protocol = _PROTOCOL[self.url.scheme]
        return [
            *_NETWORK_OPTIONS,
            *(() if self._is_named else _NO_TICKETS),
            "-c",
            f"protocol.{protocol}.allow=always",
            *self._credential.options(self.url),
            *network.curl_option(self.url, self._pins),
        ]

    async def _fetch_once(self, name: str) -> None:
        serving = [_SERVE_ANY_OWNERS] if self.url.scheme == "local" else []
        arguments = [
            *self._network_options(),
            f"--git-dir={self.git_dir}",
            "fetch",
            "--quiet",
            "--force",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--update-shallow",
            *serving,
            *self._depth_option(),
            "--",
            self.url.remote,
            f"+{name}:{self._local_ref}",
        ]
        await self._git("fetching", arguments, watch=True)

    def _depth_option(self) -> list[str]:
        """Return the option for the depth. Of a complete clone the history is not cut again.

        Two contexts may share the clone, and one may have dropped its `depth` since.
        """
        is_shallow = (self.git_dir / "shallow").exists()
        if self._depth is None:
            return ["--unshallow"] if is_shallow else []
        is_complete = not is_shallow and any(self.git_dir.glob("objects/pack/*.pack"))
        return [] if is_complete else [f"--depth={self._depth}"]

    async def _refuse_too_large(self, before: str | None) -> None:
        """Look once more when all has come: a fast fetch ends before the first look."""
        if await asyncio.to_thread(self._size) <= self._bounds.bytes:
            return
        if before is None:
            await asyncio.to_thread(shutil.rmtree, self.git_dir, True)
        raise self._too_large()

    def _too_large(self) -> TooLargeError:
        bound = f"{self._bounds.bytes / 1_000_000:,.1f}"
        return TooLargeError(self.name, "MB of history", bound, "fetch fewer commits with `depth`")

    async def _tidy(self) -> None:
        """Roll small packs up now and then; a failure only costs speed."""
        packs = sum(1 for _ in self.git_dir.glob("objects/pack/*.pack"))
        if packs > _MANY_PACKS:
            arguments = [f"--git-dir={self.git_dir}", "repack", "-q", "-d", "--geometric=2"]
            with contextlib.suppress(RepositoryError):
                await self._git("tidying", arguments)

    async def _git(self, doing: str, arguments: Sequence[str], *, watch: bool = False) -> bytes:
        """Run git and return the first of what it prints."""
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                *SAFE_OPTIONS,
                *arguments,
                env=self._environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                umask=UMASK,
            )
        except FileNotFoundError:
            raise GitMissingError(self.name) from None
        limit_started(process.pid, MOST_MEMORY)
        assert process.stderr is not None
        assert process.stdout is not None
        reading = asyncio.ensure_future(_last(process.stderr))
        printed = asyncio.ensure_future(_first(process.stdout))
        try:
            await self._watch(reading, doing, watch)
        finally:
            if not reading.done():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            # Its end closes the pipes, even if git's children had held them.
            stderr = await reading
            out = await printed
            await process.wait()
            self._drop_partial_packs()
        if process.returncode:
            raise self._explained(doing, stderr)
        return out

    async def _watch(self, reading: asyncio.Future[bytes], doing: str, watch: bool) -> None:
        """Wait for git's end, but no longer than allowed and not while the disk fills."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._bounds.seconds
        while not (await asyncio.wait({reading}, timeout=_LOOK_EVERY))[0]:
            if loop.time() >= deadline:
                raise GitTimeoutError(self.name, doing, self._bounds.seconds)
            if watch and await asyncio.to_thread(self._size) > self._bounds.bytes:
                raise self._too_large()

    def _size(self) -> int:
        total = 0
        for file in self.git_dir.glob("objects/pack/*"):
            with contextlib.suppress(OSError):
                total += file.stat().st_size
        return total

    def _environment(self) -> dict[str, str]:
        return {
            **hardened_environment(),
            # curl reads the user's .netrc there, whatever git is told.
            **({"HOME": os.devnull} if self.url.scheme == "https" else {}),
            "GIT_SSH_COMMAND": self._ssh_command(),
            "GIT_ALLOW_PROTOCOL": _PROTOCOL[self.url.scheme],
            **self._credential.environment(self.url),
        }

    def _ssh_command(self) -> str:
        return ssh_command(
            self.url,
            self._pins,
            key=self._secrets.ssh_key if self._is_named else None,
            known_hosts=self._secrets.credentials.known_hosts,
            own_keys=self._is_named,
        )

    def _explained(self, doing: str, stderr: bytes) -> RepositoryError:
        if self.url.scheme == "local" and (problem := local_problem(Path(self.url.path))):
            return RepositoryError(self.name, f"{problem}.")
        text = self._credential.redacted(stderr.decode("utf-8", "replace"))
        if self.url.scheme != "ssh":
            return explain(self.name, self.url, self.ref, doing, text, self._credential.refusal)
        if "host key verification failed" in text.lower():
            why, fix = host_key_problem(self.url, self._secrets.credentials.known_hosts, text)
            return HostKeyError(self.name, self.url.host, why, fix)
        refusal = key_refusal(self._secrets.ssh_key, text) if self._is_named else _NOT_NAMED
        return explain(self.name, self.url, self.ref, doing, text, refusal)


async def _last(stream: asyncio.StreamReader) -> bytes:
    """Read to the end and keep the last bytes: a remote may send any number of them."""
    kept = b""
    while piece := await stream.read(_KEPT):
        kept = (kept + piece)[-_KEPT:]
    return kept


async def _first(stream: asyncio.StreamReader) -> bytes:
    """Read to the end and keep the first bytes."""
    kept = bytearray()
    while piece := await stream.read(_KEPT):
        kept += piece[: _MOST_PRINTED - len(kept)]
    return bytes(kept)


_FULL_NAME = re.compile(r"HEAD|refs/.+|[0-9a-f]{40}|[0-9a-f]{64}")


def _ref_names(ref: str) -> tuple[str, ...]:
    """Return the names that `ref` may stand for, in the order in which they are tried."""
    if _FULL_NAME.fullmatch(ref):
        return (ref,)
    return (f"refs/heads/{ref}", f"refs/tags/{ref}", ref)
