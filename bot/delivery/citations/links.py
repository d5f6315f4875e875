"""The links that an answer may hold: pages of the context's repositories, and Slack's messages.

Pure. A host alone allows nothing: everyone can have a repository on a public host, and Slack's own
hosts have pages that grant access to an app. An address is rebuilt from its checked parts, so that
nothing in it can end the link early or lead elsewhere than it says.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, quote, unquote, urlsplit

from bot.context.git.web_pages import for_file
from bot.context.pack import RepositoryState

MOST_CHARACTERS = 800
"""Longest address that becomes a link: a link must fit whole into any message."""

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?)"
    r"(?P<port>:\d{1,5})?(?P<rest>[/?#][\x21-\x7e]*)?\Z"
)
_UNSAFE = re.compile(r"[^A-Za-z0-9\-._:/?#@$&*+,;=%]")
_FIELD = re.compile(r"\\\{(sha|path|start|end)\\\}")
_FIELDS = {
    "sha": r"[^/?#\s]+",
    "path": r"(?P<path>[^?#\s]+?)",
    "start": r"(?P<start>\d{1,7})",
    "end": r"(?P<end>\d{1,7})",
}
_PLAIN = r"(?:\?(?:plain=1|display=source))?\Z"
_ANCHOR = re.compile(r"#(?:L|lines-)?(?P<start>\d{1,7})(?:[-:](?:L)?(?P<end>\d{1,7}))?\Z")


def _escaped(text: str) -> str:
    return _UNSAFE.sub(lambda found: quote(found[0], safe=""), text)


def permalink(state: RepositoryState, path: str, start: int, end: int) -> str | None:
    """Return the page of these lines at the head commit; None if no page shows them."""
    if state.web is None:
        return None
    values = {
        "{sha}": quote(state.commit, safe=""),
        "{path}": quote(path.encode("utf-8", "surrogateescape"), safe="/"),
        "{start}": str(start),
        "{end}": str(end),
    }
    template = for_file(state.web, path)
    address = re.sub(r"\{(?:sha|path|start|end)\}", lambda found: values[found[0]], template)
    return safe_address(address)


def file_page(state: RepositoryState, path: str) -> str | None:
    """Return the page of a whole file at the head commit; None if no page shows it."""
    if state.web is None or "{start}" in state.web.split("#", 1)[0]:
        return permalink(state, path, 1, 1)
    return permalink(replace(state, web=state.web.split("#", 1)[0]), path, 1, 1)


def safe_address(url: str) -> str | None:
    """Return the address with everything encoded that Markdown could misread; None if it is odd.

    Odd are user names before the host, other schemes than http and https, and other characters
    than ASCII's visible ones.
    """
    found = _URL.match(url)
    if found is None or len(url) > MOST_CHARACTERS:
        return None
    rest = _escaped(found["rest"] or "")
    return f"{found['scheme']}://{found['host'].lower()}{found['port'] or ''}{rest}"


@dataclass(frozen=True, slots=True)
class Place:
    """Everything at or below a path of one origin. Port and scheme count."""

    scheme: str
    host: str
    port: int | None
    path: str

    @classmethod
    def of(cls, address: str) -> Place | None:
        """Return the place of a repository's address; None if it is no address of the web."""
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return None
        path = parts.path.rstrip("/").removesuffix(".git")
        return cls(parts.scheme, parts.hostname.lower(), _port(parts), path) if path else None

    def holds(self, parts: SplitResult) -> bool:
        origin = (parts.scheme, parts.hostname or "", _port(parts))
        if origin != (self.scheme, self.host, self.port):
            return False
        path = parts.path.removesuffix(".git")
        return path == self.path or path.startswith(self.path + "/")


def _port(parts: SplitResult) -> int | None:
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)


class Hosts:
    """The places that a link may lead to: the repositories, Slack's messages, given hosts."""

    def __init__(self, states: Sequence[RepositoryState], more: Collection[str] = ()) -> None:
        addresses = [_repository(state.web) if state.web else None for state in states]
        addresses += [state.url for state in states]
        places = (Place.of(address) for address in addresses if address)
        self._places = frozenset(place for place in places if place is not None)
        self._hosts = frozenset(host.lower() for host in more)

    def allow(self, url: str) -> str | None:
        """Return the address made safe if it leads to an allowed place, else None."""
        address = safe_address(url)
        if address is None:
            return None
        try:
            parts = urlsplit(address)
            allowed = not _climbs(parts.path) and self._leads_to_place(parts)
        except ValueError:
            # A port above 65,535.
            return None
        return address if allowed else None

    def _leads_to_place(self, parts: SplitResult) -> bool:
        if any(place.holds(parts) for place in self._places):
            return True
        host = parts.hostname or ""
        if parts.scheme != "https" or _port(parts) != 443:
            return False
        return host in self._hosts or (
            # Links to messages; other pages of Slack log in, install apps and grant access.
            host.endswith(".slack.com") and parts.path.startswith("/archives/")
        )


def _climbs(path: str) -> bool:
    """Return whether a browser would read a path as another one."""
    plain = unquote(unquote(path)).replace("\\", "/")
    return any(part in (".", "..") for part in plain.split("/"))


def _repository(web: str) -> str:
    """Return the part of a page template that all pages of the repository begin with."""
    lead = web.split("{", 1)[0]
    for folder in ("/blob/", "/-/blob/", "/src/", "/tree/"):
        lead = lead.removesuffix(folder)
    return lead.removesuffix("/-")


@dataclass(frozen=True, slots=True)
class Pages:
    """Reads addresses of a repository's pages back into paths and lines."""

    patterns: tuple[tuple[str, re.Pattern[str]], ...]

    @classmethod
    def of(cls, states: Sequence[RepositoryState]) -> Pages:
        return cls(tuple((s.name, _pattern(s.web)) for s in states if s.web is not None))

    def read(self, url: str) -> tuple[str, str, int, int] | None:
        """Return repository, path and lines that an address shows at any commit, or None."""
        page, anchor = url, _ANCHOR.search(url)
        if anchor is not None:
            page = url[: anchor.start()]
        for name, pattern in self.patterns:
            found = pattern.match(page)
            if found is not None and anchor is not None:
                start = int(anchor["start"])
                return name, unquote(found["path"]), start, int(anchor["end"] or start)
        return None

    def path(self, url: str) -> str | None:
        """Return the path of the file whose page an address is, None if it is no such page."""
        page = url.split("#", 1)[0]
        for _, pattern in self.patterns:
            if (found := pattern.match(page)) is not None:
                return unquote(found["path"])
        return None


def _pattern(web: str) -> re.Pattern[str]:
    """Return what matches the template's pages, without their anchor."""
    page = re.escape(web.split("#", 1)[0])
    return re.compile(_FIELD.sub(lambda found: _FIELDS[found[1]], page) + _PLAIN)
