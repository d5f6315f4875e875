"""Addresses: which are allowed, and that two ways to write one are known as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.context.errors import UrlError
from bot.context.git.clone import Sources
from bot.context.git.urls import parse_url

PAYMENTS = parse_url("https://github.com/acme/payments").identity


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/Acme/Payments",
        "https://github.com/acme/payments.git",
        "https://github.com/acme/payments/",
        "ssh://git@github.com/acme/payments.git",
        "ssh://git@github.com:22/acme/payments.git",
        "git@github.com:acme/payments.git",
    ],
)
def test_every_way_to_write_an_address_is_one_identity(url: str) -> None:
    """A webhook names the repository in its way, a context in another."""
    assert parse_url(url).identity == PAYMENTS
    assert parse_url(url).name.lower() == "payments"


def test_different_repositories_stay_different() -> None:
    """A push to one must not wake another."""
    for other in ("https://gitlab.com/acme/payments", "https://github.com/acme/payments2"):
        assert parse_url(other).identity != PAYMENTS


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://github.com/a/b",
        "git://github.com/a/b",
        "ext::sh -c id",
        "https://token@github.com/a/b",
        "https://user:secret@github.com/a/b",
        "ssh://user:secret@github.com/a/b",
        "--upload-pack=id",
        "https://github.com/a/b?x=1",
        "https://github.com/../b",
        "https:///a/b",
        "https://github.com/",
        "https://github.com/a\n/b",
        "ssh://-oProxyCommand=id/a/b",
        "https://git hub.com/a",
        "relative/path",
        "https://github.com:port/a",
    ],
)
def test_what_git_must_not_be_given_is_refused(url: str) -> None:
    """git runs helpers, reads options and stores URLs: nothing of that may come from outside."""
    with pytest.raises(UrlError) as caught:
        parse_url(url)
    assert "secret" not in caught.value.user_message
    assert "token@" not in caught.value.user_message


def test_what_git_is_given_holds_no_credentials() -> None:
    """git keeps and prints the URLs that it is given."""
    assert parse_url("https://github.com/a/b.git").remote == "https://github.com/a/b"
    assert parse_url("git@github.com:a/b").remote == "ssh://git@github.com/a/b"


@pytest.mark.parametrize(
    ("url", "start"),
    [
        ("git@gitlab.example.org:g/sub/p.git", "https://gitlab.example.org/g/sub/p/-/blob/"),
        ("https://github.example.com/o/r", "https://github.example.com/o/r/blob/"),
        ("https://bitbucket.org/o/r", "https://bitbucket.org/o/r/src/"),
    ],
)
def test_known_hosts_have_permalinks(url: str, start: str) -> None:
    """A citation that can be clicked is worth more than one that cannot."""
    web = parse_url(url).web
    assert web is not None
    assert web.format(sha="f00", path="a b", start=1, end=2).startswith(start + "f00/")


def test_an_unknown_host_and_a_local_path_have_none() -> None:
    """A guessed link that leads nowhere is worse than none."""
    assert parse_url("https://git.example.org/o/r").web is None
    assert parse_url("/srv/r").web is None


def test_local_paths_only_inside_the_allowed_folders(tmp_path: Path) -> None:
    """Whoever may name a repository must not read the machine by it, nor through a link."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    (inside / "repo").mkdir(parents=True)
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    sources = Sources(local=(inside,))
    sources.check(parse_url(str(inside / "repo")))
    for path in (outside, inside / ".." / "out", inside / "link"):
        with pytest.raises(UrlError):
            sources.check(parse_url(str(path)))
    with pytest.raises(UrlError):
        Sources().check(parse_url(str(inside / "repo")))


def test_hosts_are_limited_where_they_are_listed() -> None:
    """An address typed into Slack must not make the bot reach into the internal network."""
    sources = Sources(hosts=frozenset({"github.com"}))
    sources.check(parse_url("git@github.com:a/b"))
    with pytest.raises(UrlError):
        sources.check(parse_url("https://169.254.169.254/latest/meta-data"))


@pytest.mark.parametrize(
    ("host", "variable"),
    [("github.com", "GITHUB_COM"), ("git.my-corp.io", "GIT_MY_CORP_IO")],
)
def test_a_host_names_its_variable(host: str, variable: str) -> None:
    """The error that asks for a token must name the variable that is read."""
    assert parse_url(f"https://{host}/a/b").token_variable == f"FOREWARM_GIT_TOKEN_{variable}"
