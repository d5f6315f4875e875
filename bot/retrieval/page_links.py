"""Read the addresses of pages that show a file of a repository. Pure.

Hosts differ in how they write the path, the ref and the lines. A path is taken as the address gives
it: a branch whose name has a slash leaves a part of its name before the path, and the caller looks
for the longest end of the path that is a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote, unquote_plus

# Every quantifier is bounded or cannot overlap its neighbour: the text is not to be trusted.
ADDRESS = re.compile(r"https?://[^\s<>|\"'`\\^]{3,1000}")
_SPLIT = re.compile(r"https?://(?P<host>[^/?#]{1,255})(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?")
_BLOB = re.compile(
    r"/(?:-/)?(?:blob|blame|raw|edit|plain|src/commit|src/branch|src/tag|src)/"
    r"(?P<ref>[\w.%~-]{1,200})/(?P<path>.+)"
)
_SOURCEGRAPH = re.compile(
    r"\A/(?:r/)?(?P<project>[\w-]+\.[\w.-]+/[^@]{1,300}?)(?:@(?P<ref>[^/@]{1,200}))?/-/blob/(?P<path>.+)"
)
"""It names the host of the repository in the path, and a ref before the marker or none."""
_SOURCEHUT = re.compile(r"/tree/(?P<ref>[^/]{1,200})/item/(?P<path>.+)")
_GITILES = re.compile(r"/\+/(?:refs/(?:heads|tags)/)?(?P<ref>[^/]{1,200})/(?P<path>.+)")
_RAW_HOST = re.compile(
    r"(?P<project>/[^/]+/[^/]+)/(?:refs/(?:heads|tags)/)?(?P<ref>[^/]{1,200})/(?P<path>.+)"
)
_BROWSE = re.compile(r"/(?:browse|tree)/(?P<path>.+?)(?P<lines>\$\d{1,7}(?:-\d{1,7})?)?\Z")
"""Bitbucket Server, Phabricator and cgit name the ref in the query or not at all."""
_LINES = re.compile(
    r"(?:L|l|n|lines-|\$)?(?P<first>\d{1,7})(?:C\d{1,5}|:\d{1,5}(?=-))?"
    r"(?:[-:]L?(?P<last>\d{1,7})(?:[C:]\d{1,5})?)?\Z"
)
_REF_PREFIX = re.compile(r"refs/(?:heads|tags)/|GB|GT|GC")
_RAW_HOSTS = frozenset({"raw.githubusercontent.com"})
_TAIL = ".,;:!?*_~"


class Page(NamedTuple):
    """A file as an address names it. `first` and `last` are None if it names no lines.

    `project` is the name of its repository, without the owner's.
    """

    path: str
    ref: str | None
    first: int | None
    last: int | None
    project: str


@dataclass(frozen=True, slots=True)
class _Address:
    host: str
    path: str
    query: dict[str, str]
    fragment: str
    plain_query: str
    """The query if it is not made of keys and values, as Sourcegraph's `?L12-15`."""


def without_tail(address: str) -> str:
    """Return an address without the marks of the sentence around it."""
    while address:
        last = address[-1]
        pair = {")": "(", "]": "[", "}": "{"}.get(last)
        if last in _TAIL or (pair is not None and address.count(pair) < address.count(last)):
            address = address[:-1]
        else:
            break
    return address


def read_page(address: str) -> Page | None:
    """Return the file that an address shows, None if the address is not one of a file."""
    found = _parsed(address)
    if found is None:
        return None
    # Azure DevOps and gitweb name the file in the query.
    path = found.query.get("path") if "/_git/" in found.path else found.query.get("f")
    if path:
        project = found.query.get("p") or found.path
        return _page(found, path, found.query.get("version") or found.query.get("hb"), project)
    patterns = (_SOURCEGRAPH, _SOURCEHUT, _GITILES, _BLOB)
    for pattern in (_RAW_HOST,) if found.host in _RAW_HOSTS else patterns:
        if match := pattern.search(found.path):
            ref = found.query.get("at") or match["ref"]
            return _page(found, match["path"], ref, _project_of(found.path, match))
    if match := _BROWSE.search(found.path):
        ref = found.query.get("at") or found.query.get("id") or found.query.get("h")
        project = found.path[: match.start()]
        return _page(found, match["path"], ref, project, match["lines"] or "")
    return None


def _parsed(address: str) -> _Address | None:
    address, _, fragment = address.partition("#")
    match = _SPLIT.fullmatch(address)
    if match is None:
        return None
    query = match["query"] or ""
    pairs = (pair.partition("=") for pair in re.split("[&;]", query)[:30])
    values = {key: unquote_plus(value) for key, equals, value in pairs if equals}
    host = match["host"].rpartition("@")[2].lower()
    return _Address(host, unquote(match["path"]), values, fragment, "" if values else query)


def _project_of(path: str, match: re.Match[str]) -> str:
    """Return the part of an address's path that ends with the name of the repository."""
    if "project" in match.re.groupindex:
        return match["project"]
    return path[: match.start()]


def _page(found: _Address, path: str, ref: str | None, project: str, lines: str = "") -> Page:
    path = unquote(path).strip("/").rstrip(_TAIL)
    project = project.strip("/").rpartition("/")[2].removesuffix(".git")
    ref = _REF_PREFIX.sub("", unquote(ref), count=1) if ref else None
    if found.query.get("line", "").isdigit():
        first = int(found.query["line"][:7])
        last = found.query.get("lineEnd", "")[:7]
        return Page(path, ref, first, max(first, int(last)) if last.isdigit() else first, project)
    match = _LINES.match(found.fragment or lines or found.plain_query)
    if match is None:
        return Page(path, ref, None, None, project)
    first = int(match["first"])
    return Page(path, ref, first, max(first, int(match["last"] or first)), project)
