"""Addresses of repositories: their parts, their names, and the pages that show them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from bot.context.errors import UrlError
from bot.context.git.web_pages import AZURE_SSH, page_template

Scheme = Literal["https", "ssh", "local"]

_SCP = re.compile(r"(?:(?P<user>[\w.-]+)@)?(?P<host>[\w.-]+):(?P<path>[^/\\].*|/.+)")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)
_USER = re.compile(r"[a-z0-9_][a-z0-9_.+-]*", re.IGNORECASE | re.ASCII)
"""No percent sign: git decodes an address before it looks for the host, so the user name
`git%40evil.example%2F` would make it connect to evil.example."""
_CREDENTIALS = re.compile(r"//[^/@]*@")
DEFAULT_PORTS = {"https": 443, "ssh": 22}
_SSH_DOORS = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
}
"""Hosts that serve ssh on port 443, and the hosts whose repositories they serve."""
_ANY_CASE = re.compile(
    r"(?:^|\.)(?:github|gitlab|bitbucket|gitea|forgejo|codeberg|visualstudio|azure|ghe)(?:\.|$)"
)
"""Names of hosts that do not tell upper from lower case in a path."""


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
        """The last part of the path: the name that people use for the repository."""
        return self.path.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git") or "repository"

    @property
    def server(self) -> str:
        """The host whose repositories this address reaches, with a port that is not the usual one.

        Two ports of one host may be two servers.
        """
        if self.host in _SSH_DOORS:
            return _SSH_DOORS[self.host]
        usual = self.port is None or self.port == DEFAULT_PORTS.get(self.scheme)
        return self.host if usual else f"{self.host}:{self.port}"

    @property
    def identity(self) -> str:
        """The same for every way to write the address of one repository."""
        if self.scheme == "local":
            return self.path
        path = self.path.lower() if _ANY_CASE.search(self.host) else self.path
        return f"{self.server}/{path}"

    @property
    def remote(self) -> str:
        """The address for git. It holds no credentials."""
        if self.scheme == "local":
            return f"file://{quote(self.path)}"
        user = f"{self.user}@" if self.user and self.scheme == "ssh" else ""
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{user}{self.host}{port}/{quote(self.path)}"

    @property
    def web(self) -> str | None:
        """The template of permalinks if the host's pages are known, else None."""
        if self.scheme == "local":
            return None
        host = _SSH_DOORS.get(self.host, self.host)
        # The port of ssh says nothing about the port of the pages.
        port = self.port if self.scheme == "https" and self.port != 443 else None
        return page_template(host, port, self.path)

    @property
    def token_variable(self) -> str:
        """The environment variable that holds the token for this host and port, and for no other.

        A dot is written as one underscore, a dash as two: `git-acme.com` and `git.acme.com` are the
        hosts of two owners.
        """
        name = self.host.upper().replace("-", "__").replace(".", "_")
        port = "" if self.port in (None, 443) else f"_{self.port}"
        return f"FOREWARM_GIT_TOKEN_{name}{port}"


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
    # Azure DevOps gives `My%20Project` in its clone dialogue.
    path = unquote(parts.path).strip("/").removesuffix(".git")
    return _checked(
        RepositoryUrl(scheme, (parts.hostname or "").lower(), path, parts.username, port), shown
    )


_PAGE = re.compile(r"(?P<repository>[^/]+/.+?)/-/.+")
_PAGE_OF_TWO = re.compile(r"(?P<repository>[^/]+/[^/]+)/.+")
_TWO_PARTS = {"github.com", "bitbucket.org"}
"""Hosts on which the path of a repository has exactly two parts: owner and name."""


_BARE = re.compile(
    r"(?P<user>[\w.-]+@)?(?P<rest>(?:[a-z0-9-]+\.)+[a-z]{2,}/[^/].*)", re.ASCII | re.I
)
"""An address that begins with the name of a host, as people read it aloud."""


def _repository_of_page(url: RepositoryUrl) -> str | None:
    """Return the repository's path if the address is that of a page about it."""
    pattern = _PAGE_OF_TWO if url.host in _TWO_PARTS else _PAGE
    page = pattern.fullmatch(url.path)
    return page["repository"] if page else None


def _checked(url: RepositoryUrl, shown: str) -> RepositoryUrl:
    if url.scheme == "https" and (repository := _repository_of_page(url)):
        better = f"https://{url.server}/{repository}"
        raise UrlError(shown, f"it is the address of a page, not of a repository; write {better}")
    if not _HOST.fullmatch(url.host):
        raise UrlError(shown, "it names no valid host")
    if url.user and not _USER.fullmatch(url.user):
        raise UrlError(shown, "it names no valid user")
    path = url.path
    # Some servers take a backslash for a slash.
    parts = path.replace("\\", "/").split("/")
    if not path or ".." in parts or "%" in path or not path.isprintable():
        raise UrlError(shown, "it names no valid path")
    return url


def _file_path(url: str, shown: str) -> str:
    host, slash, path = url.removeprefix("file://").partition("/")
    path = unquote(slash + path)
    if host not in {"", "localhost"} or not path or "\0" in path:
        raise UrlError(shown, "a file:// address needs three slashes and the path of a folder")
    return path


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
        return RepositoryUrl("local", "", str(Path(_file_path(url, shown)).resolve()))
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
        host, path = scp["host"].lower(), scp["path"].strip("/").removesuffix(".git")
        if host in AZURE_SSH:
            path = unquote(path)  # Its clone dialogue gives `My%20Project` here too.
        return _checked(RepositoryUrl("ssh", host, path, scp["user"]), shown)
    path_on_disk = Path(url).expanduser()
    if (bare := _BARE.fullmatch(url)) and not (
        relative_to is not None and (relative_to / path_on_disk).exists()
    ):
        scheme_and_user = f"ssh://{bare['user']}" if bare["user"] else "https://"
        raise UrlError(shown, f"it has no scheme; write {scheme_and_user}{bare['rest']}")
    if not path_on_disk.is_absolute():
        if relative_to is None:
            raise UrlError(shown, "a local path must be absolute here")
        path_on_disk = relative_to / path_on_disk
    return RepositoryUrl("local", "", str(path_on_disk.resolve()))
