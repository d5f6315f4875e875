"""Addresses of a repository's own pages are citations, on every host and in every way to show."""

from __future__ import annotations

import pytest

from bot.context.git.urls import parse_url
from bot.context.pack import RepositoryState
from bot.delivery.citations.filter import CitationFilter
from bot.delivery.citations.links import Hosts, permalink
from bot.delivery.citations.path_index import PathIndex, source_of

TEXT = "".join(f"line {n}\n" for n in range(1, 30))
PATHS = ["src/auth.py", "a b/x.py"]
GITHUB = "https://github.com/acme/shop"
AZURE = "https://dev.azure.com/acme/proj/_git/shop"


def shown(url: str, text: str) -> tuple[str, str, list[str]]:
    """Return the right page, what a text becomes, and the verdicts."""
    state = RepositoryState("shop", url, "main", "a" * 40, 0, "a" * 40, parse_url(url).web)
    index = PathIndex([state], {"shop": PATHS})
    sources = {("shop", path): source_of(path, TEXT) for path in PATHS}
    became = set()
    for size in (1, 7, 999):
        check = CitationFilter(Hosts([state]), index, sources)
        out = []
        for at in range(0, len(text), size):
            check.feed(text[at : at + size], 0.0)
            out.append(check.settled(0.0))
        out.append(check.settled(0.0, final=True))
        became.add(("".join(out), tuple(one.verdict for one in check.checked)))
    ((whole, verdicts),) = became
    page = permalink(state, "src/auth.py", 5, 6)
    assert page is not None
    return page, whole, list(verdicts)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (GITHUB, f"{GITHUB}/blob/main/src/auth.py#L5-L6"),
        (GITHUB, f"{GITHUB}/blame/main/src/auth.py#L5-L6"),
        (GITHUB, f"{GITHUB}/tree/v1.2/src/auth.py#L5-L6"),
        (GITHUB, f"{GITHUB}/blob/feature/new-login/src/auth.py#L5-L6"),
        (GITHUB, f"{GITHUB}/blob/main/src/auth.py#L5C1-L6C20"),
        (GITHUB, "http://www.github.com/Acme/Shop/blob/main/src/auth.py#L5-L6"),
        (GITHUB, "github.com/acme/shop/blob/main/src/auth.py#L5-L6"),
        ("https://gitlab.com/a/b/c", "https://gitlab.com/a/b/c/-/blame/main/src/auth.py#L5-6"),
        ("https://gitlab.com/a/b/c", "https://gitlab.com/a/b/c/blob/main/src/auth.py#L5-6"),
        ("https://codeberg.org/a/b", "https://codeberg.org/a/b/src/branch/main/src/auth.py#L5-L6"),
        ("https://bitbucket.org/a/b", "https://bitbucket.org/a/b/src/main/src/auth.py#lines-5:6"),
        (AZURE, f"{AZURE}?path=/src/auth.py&version=GBmain&line=5&lineEnd=6&_a=contents"),
        (AZURE, f"{AZURE}?path=%2Fsrc%2Fauth.py&line=5&lineEnd=6"),
        (
            "https://bitbucket.acme.com/scm/pay/shop.git",
            "https://bitbucket.acme.com/projects/pay/repos/shop/browse/src/auth.py?at=main#5-6",
        ),
    ],
)
def test_own_pages_lead_to_the_checked_lines(url: str, address: str) -> None:
    page, became, verdicts = shown(url, f"See {address} and [it]({address}).")
    assert became.count(f"({page})") == 2
    assert verdicts == ["good", "good"]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (GITHUB, f"{GITHUB}/blob/main/src/auth.py#L900"),
        (GITHUB, f"{GITHUB}/blob/main/src/gone.py#L5"),
        ("https://gitlab.com/a/b/c", "https://gitlab.com/a/b/c/-/blame/main/src/auth.py#L900"),
        (AZURE, f"{AZURE}?path=/src/auth.py&line=900"),
    ],
)
def test_own_pages_with_lines_that_are_not_there_lose_their_link(url: str, address: str) -> None:
    """They were counted as wrong, and led there all the same."""
    _, became, verdicts = shown(url, f"See {address} and more.")
    assert became == f"See `{address}` and more."
    assert verdicts == ["wrong"]


@pytest.mark.parametrize("rest", ["/pull/7", "/commit/abcdef1", "/tree/main/src", "/issues/7#x-5"])
def test_other_pages_of_the_repository_stay(rest: str) -> None:
    _, became, verdicts = shown(GITHUB, f"See {GITHUB}{rest} and more.")
    assert f"]({GITHUB}{rest})" in became
    assert verdicts == []
