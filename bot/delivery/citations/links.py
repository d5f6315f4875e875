"""Which links an answer may hold: permalinks into the context's repositories, and allowed hosts.

Pure. An address is rebuilt from its checked parts, so that nothing in it can end the link early or
lead elsewhere than it says.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from bot.context.pack import RepositoryState

MOST_CHARACTERS = 2_000
"""Longest address that becomes a link."""

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?)"
    r"(?P<port>:\d{1,5})?(?P<rest>[/?#][\x21-\x7e]*)?\Z"
)
_UNSAFE = re.compile(r"[^A-Za-z0-9\-._~:/?#@$&*+,;=%]")
_FIELD = re.compile(r"\\\{(sha|path|start|end)\\\}")
_FIELDS = {
    "sha": r"[^/?#\s]+",
    "path": r"(?P<path>[^?#\s]+?)",
    "start": r"(?P<start>\d{1,7})",
    "end": r"(?P<end>\d{1,7})",
}
_ANCHOR = re.compile(r"#(?:L|lines-)?(?P<start>\d{1,7})(?:[-:](?:L)?(?P<end>\d{1,7}))?\Z")


def _escaped(text: str) -> str:
    return _UNSAFE.sub(lambda found: quote(found[0], safe=""), text)


def permalink(state: RepositoryState, path: str, start: int, end: int) -> str | None:
    """Return the page of these lines at the head commit; None where no page shows them."""
    if state.web is None:
        return None
    values = {
        "{sha}": quote(state.commit, safe=""),
        "{path}": quote(path, safe="/"),
        "{start}": str(start),
        "{end}": str(end),
    }
    address = re.sub(r"\{(?:sha|path|start|end)\}", lambda found: values[found[0]], state.web)
    return safe_address(address)


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


class Hosts:
    """The hosts that a link may lead to: those of the repositories, Slack, and any given ones."""

    def __init__(self, states: Sequence[RepositoryState], more: Collection[str] = ()) -> None:
        addresses = [address for state in states for address in (state.web, state.url) if address]
        own = {
            urlsplit(address.replace("{", "").replace("}", "")).hostname for address in addresses
        }
        self._hosts = {host.lower() for host in own if host} | {host.lower() for host in more}
        self._hosts.add("slack.com")

    def __repr__(self) -> str:
        return f"<Hosts {', '.join(sorted(self._hosts))}>"

    def allow(self, url: str) -> str | None:
        """Return the address made safe if its host is allowed, else None."""
        address = safe_address(url)
        if address is None:
            return None
        host = urlsplit(address).hostname or ""
        return address if host in self._hosts or host.endswith(".slack.com") else None


@dataclass(frozen=True, slots=True)
class Pages:
    """Reads addresses of a repository's pages back into paths and lines."""

    patterns: tuple[tuple[str, re.Pattern[str]], ...]

    @classmethod
    def of(cls, states: Sequence[RepositoryState]) -> Pages:
        return cls(tuple((s.name, _pattern(s.web)) for s in states if s.web is not None))

    def read(self, url: str) -> tuple[str, str, int, int] | None:
        """Return repository, path and lines that an address shows at whatever commit, or None."""
        page, anchor = url, _ANCHOR.search(url)
        if anchor is not None:
            page = url[: anchor.start()]
        for name, pattern in self.patterns:
            found = pattern.match(page)
            if found is not None and anchor is not None:
                start = int(anchor["start"])
                return name, unquote(found["path"]), start, int(anchor["end"] or start)
        return None


def _pattern(web: str) -> re.Pattern[str]:
    """Return what matches the template's pages, without their anchor."""
    page = re.escape(web.split("#", 1)[0])
    return re.compile(_FIELD.sub(lambda found: _FIELDS[found[1]], page) + r"\Z")
