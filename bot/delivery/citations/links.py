"""The links that an answer may hold: pages of the context's repositories, and Slack's messages.

Pure. A host alone allows nothing: everyone can have a repository on a public host, and Slack's own
hosts have pages that grant access to an app. An address is rebuilt from its checked parts, so that
nothing in it can end the link early or lead elsewhere than it says.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

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
_MOST_DIGITS = 7
_ANCHOR = re.compile(
    r"#(?:L|lines-)?(?P<start>\d{1,7})(?:C\d{1,5})?(?:[-:]L?(?P<end>\d{1,7})(?:C\d{1,5})?)?\Z"
)
_WAYS = (
    ("/\\-/blob/", "(?:/-)?/(?:blob|blame|tree|raw|edit)/"),
    ("/blob/", "/(?:blob|blame|tree|raw|edit)/"),
    ("/src/commit/", "/(?:src|blame|raw|_edit)/(?:commit|branch|tag)/"),
    ("/src/", "/(?:src|annotate|raw)/"),
)
"""A host's pages of a file, and the other ways in which it shows one. Escaped as patterns."""


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
class _Page:
    """How the pages of one repository are addressed: by a path, and by fields of a query."""

    repository: str
    path: re.Pattern[str]
    query: tuple[tuple[str, str], ...]

    def read(self, url: str) -> Mapping[str, str] | None:
        """Return the fields of an address without its anchor, decoded; None if it is no page."""
        address, _, query = url.partition("?")
        found = self.path.match(address)
        if found is None:
            return None
        given = parse_qs(query)
        asked = {field: given[name][0] for name, field in self.query if name in given}
        fields = {**{name: unquote(text) for name, text in found.groupdict().items()}, **asked}
        fields["path"] = fields.get("path", "").lstrip("/")
        return fields if fields["path"] else None


@dataclass(frozen=True, slots=True)
class Pages:
    """Reads addresses of a repository's pages back into paths and lines."""

    pages: tuple[_Page, ...]

    @classmethod
    def of(cls, states: Sequence[RepositoryState]) -> Pages:
        return cls(tuple(_page(s.name, s.web) for s in states if s.web is not None))

    def read(self, url: str) -> tuple[str, str, int, int] | None:
        """Return repository, path and lines that an address shows at any commit, or None."""
        page, anchor = url, _ANCHOR.search(url)
        if anchor is not None:
            page = url[: anchor.start()]
        for one in self.pages:
            fields = one.read(page)
            if fields is None:
                continue
            lines = anchor.groupdict() if anchor is not None else fields
            start, end = lines.get("start"), lines.get("end")
            if start is not None and start.isdecimal() and len(start) <= _MOST_DIGITS:
                last = end if end is not None and end.isdecimal() else start
                return one.repository, fields["path"], int(start), int(last[:_MOST_DIGITS])
        return None

    def path(self, url: str) -> str | None:
        """Return the path of the file whose page an address is, None if it is no such page."""
        page = url.split("#", 1)[0]
        found = (one.read(page) for one in self.pages)
        return next((fields["path"] for fields in found if fields is not None), None)


def _page(repository: str, web: str) -> _Page:
    """Read a template of pages. An address may show the file in another way, or at a branch."""
    address, _, query = web.split("#", 1)[0].partition("?")
    pattern = re.escape(address)
    for shown, others in _WAYS:
        if shown in pattern:
            pattern = pattern.replace(shown, others, 1)
            break
    pattern = re.sub(r"\Ahttps?://(?:www\\\.)?", r"(?:https?://)?(?:www\\.)?", pattern)
    pattern = _FIELD.sub(lambda found: _FIELDS[found[1]], pattern)
    named = (part.partition("=") for part in query.split("&") if "{" in part)
    fields = tuple((name, text.strip("/").strip("{}")) for name, _, text in named)
    return _Page(repository, re.compile(pattern + r"\Z", re.IGNORECASE), fields)
