"""Addresses of repositories: which may be fetched, what they are called, where they are shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit

from bot.context.errors import UrlError

Scheme = Literal["https", "ssh", "local"]

_SCP = re.compile(r"(?:(?P<user>[\w.-]+)@)?(?P<host>[\w.-]+):(?P<path>[^/\\].*|/.+)")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)
_CREDENTIALS = re.compile(r"//[^/@]*@")

GITHUB = "https://{host}/{path}/blob/{{sha}}/{{path}}#L{{start}}-L{{end}}"
GITLAB = "https://{host}/{path}/-/blob/{{sha}}/{{path}}#L{{start}}-{{end}}"
BITBUCKET = "https://{host}/{path}/src/{{sha}}/{{path}}#lines-{{start}}:{{end}}"


@dataclass(frozen=True, slots=True)
class RepositoryUrl:
    """A parsed address. `path` has no leading slash and no `.git`, but for local ones."""

    scheme: Scheme
    host: str
    path: str
    user: str | None = None
    port: int | None = None

    @property
    def name(self) -> str:
        """The last part of the path: what people call the repository."""
        return self.path.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git") or "repository"

    @property
    def identity(self) -> str:
        """The same for every way to write the address of one repository."""
        if self.scheme == "local":
            return self.path
        port = "" if self.port is None or self.scheme == "ssh" else f":{self.port}"
        return f"{self.host}{port}/{self.path}".lower()

    @property
    def remote(self) -> str:
        """What git is given. Holds no credentials."""
        if self.scheme == "local":
            return f"file://{quote(self.path)}"
        user = f"{self.user}@" if self.user and self.scheme == "ssh" else ""
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{user}{self.host}{port}/{quote(self.path)}"

    @property
    def web(self) -> str | None:
        """The template of permalinks where the host's is known, else None."""
        if self.scheme == "local":
            return None
        names = set(self.host.lower().split("."))
        for word, template in (("github", GITHUB), ("gitlab", GITLAB), ("bitbucket", BITBUCKET)):
            if word in names:
                return template.format(host=self.host, path=quote(self.path).replace("%7E", "~"))
        return None

    @property
    def token_variable(self) -> str:
        """The environment variable that holds the host's token."""
        return "FOREWARM_GIT_TOKEN_" + re.sub(r"[^A-Za-z0-9]", "_", self.host).upper()


def without_credentials(url: str) -> str:
    """Return the address as it may be shown."""
    return _CREDENTIALS.sub("//", url)


def _remote(url: str, scheme: Scheme) -> RepositoryUrl:
    shown = without_credentials(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UrlError(shown, "it is not a valid address") from None
    if scheme == "https" and (parts.username or parts.password):
        raise UrlError(
            shown,
            "it holds credentials; take them out and put the token in the environment variable "
            + RepositoryUrl("https", parts.hostname or "HOST", "").token_variable,
        )
    if parts.password:
        raise UrlError(shown, "it holds a password; use a key that the ssh agent knows")
    if parts.query or parts.fragment:
        raise UrlError(shown, "it has a query or a fragment")
    path = parts.path.strip("/").removesuffix(".git")
    return _checked(
        RepositoryUrl(scheme, (parts.hostname or "").lower(), path, parts.username, port), shown
    )


def _checked(url: RepositoryUrl, shown: str) -> RepositoryUrl:
    if not _HOST.fullmatch(url.host) or (url.user or "").startswith("-"):
        raise UrlError(shown, "it names no valid host")
    if not url.path or ".." in url.path.split("/") or "%" in url.path:
        raise UrlError(shown, "it names no valid path")
    return url


def parse_url(url: str, *, relative_to: Path | None = None) -> RepositoryUrl:
    """Parse an `https` or `ssh` address, git's `user@host:path`, or a local path.

    A relative local path is taken from `relative_to`, and refused without it.

    Raises:
        UrlError: another scheme, credentials inside, control characters, no host or path.
    """
    shown = without_credentials(url)
    if not url.strip() or any(ord(char) < 32 or ord(char) == 127 for char in url):
        raise UrlError(shown, "it is empty or holds control characters")
    if url.startswith("-"):
        raise UrlError(shown, "it begins with a dash")
    if url.startswith("file://"):
        url = urlsplit(url).path
    scheme, found, _ = url.partition("://")
    if found:
        if scheme.lower() == "https":
            return _remote(url, "https")
        if scheme.lower() == "ssh":
            return _remote(url, "ssh")
        raise UrlError(shown, f"{scheme}:// is not allowed; use https:// or ssh://")
    if "::" in url:
        raise UrlError(shown, "remote helpers are not allowed; use https:// or ssh://")
    if not url.startswith(("/", ".", "~")) and (scp := _SCP.fullmatch(url)):
        path = scp["path"].strip("/").removesuffix(".git")
        return _checked(RepositoryUrl("ssh", scp["host"].lower(), path, scp["user"]), shown)
    path_on_disk = Path(url).expanduser()
    if not path_on_disk.is_absolute():
        if relative_to is None:
            raise UrlError(shown, "a local path must be absolute here")
        path_on_disk = relative_to / path_on_disk
    return RepositoryUrl("local", "", str(path_on_disk.resolve()))
