"""Addresses: which are allowed, and that two ways to write one are known as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.context.errors import UrlError
from bot.context.git.clone import Clone, Sources
from bot.context.git.credentials import Credentials
from bot.context.git.urls import parse_url
from bot.context.git.web_pages import for_file

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
        "ssh://%2DoProxyCommand=id@github.com/a/b",
        "ssh://git%40evil.example%2F@github.com/a/b",
        "ssh://evil.example%2f@github.com/a/b",
        "ssh://git%3Aword@github.com/a/b",
        "ssh://git%0a@github.com/a/b",
        "ssh://git;id@github.com/a/b",
        "ssh://git\u017f@github.com/a/b",
        "git\u017f@github.com:a/b",
        "ssh://git@kernel\u017f.org/a/b",
        "https://git.example.com/a/..\\b",
        "ssh://git@git.example.com/a\\..\\b",
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


PAGES = {
    "https://bitbucket.acme.com/scm/PROJ/repo.git": (
        "https://bitbucket.acme.com/projects/PROJ/repos/repo/browse/a.py?at=f00#1-2"
    ),
    "https://bitbucket.acme.com/git/scm/~ann/repo.git": (
        "https://bitbucket.acme.com/git/users/ann/repos/repo/browse/a.py?at=f00#1-2"
    ),
    "ssh://git@bitbucket.acme.com:7999/PROJ/repo.git": (
        "https://bitbucket.acme.com/projects/PROJ/repos/repo/browse/a.py?at=f00#1-2"
    ),
    "https://gitlab.acme.com:8443/team/x": (
        "https://gitlab.acme.com:8443/team/x/-/blob/f00/a.py#L1-2"
    ),
    "https://gitlab.acme.com:443/team/x": "https://gitlab.acme.com/team/x/-/blob/f00/a.py#L1-2",
    "ssh://git@gitlab.acme.com:2222/team/x": "https://gitlab.acme.com/team/x/-/blob/f00/a.py#L1-2",
    "ssh://git@ssh.github.com:443/acme/pay.git": (
        "https://github.com/acme/pay/blob/f00/a.py#L1-L2"
    ),
    "git@altssh.gitlab.com:o/r": "https://gitlab.com/o/r/-/blob/f00/a.py#L1-2",
    "ssh://git@altssh.bitbucket.org:443/o/r": "https://bitbucket.org/o/r/src/f00/a.py#lines-1:2",
    "git@github.com-work:acme/x.git": None,
    "git@github-work:acme/x.git": None,
    "git@github:acme/x.git": None,
    "https://gist.github.com/abc": None,
    "https://bitbucket.acme.com/deep/er/path/repo": None,
    "https://acme.ghe.com/o/r": "https://acme.ghe.com/o/r/blob/f00/a.py#L1-L2",
    "https://codeberg.org/o/r": "https://codeberg.org/o/r/src/commit/f00/a.py#L1-L2",
    "https://gitea.acme.io:3000/o/r": "https://gitea.acme.io:3000/o/r/src/commit/f00/a.py#L1-L2",
    "https://git.sr.ht/~ann/r": "https://git.sr.ht/~ann/r/tree/f00/item/a.py#L1-2",
    "https://android.googlesource.com/platform/x": (
        "https://android.googlesource.com/platform/x/+/f00/a.py#1"
    ),
    "https://gerrit.acme.com/x": None,
    "https://dev.azure.com/org/My%20Project/_git/repo": (
        "https://dev.azure.com/org/My%20Project/_git/repo?path=/a.py&version=GCf00&line=1&lineEnd=2"
        "&lineStartColumn=1&lineEndColumn=1000&lineStyle=plain&_a=contents"
    ),
    "git@ssh.dev.azure.com:v3/org/My%20Project/repo": (
        "https://dev.azure.com/org/My%20Project/_git/repo?path=/a.py&version=GCf00&line=1&lineEnd=2"
        "&lineStartColumn=1&lineEndColumn=1000&lineStyle=plain&_a=contents"
    ),
    "git@ssh.dev.azure.com:v3/org/project/repo": (
        "https://dev.azure.com/org/project/_git/repo?path=/a.py&version=GCf00&line=1&lineEnd=2"
        "&lineStartColumn=1&lineEndColumn=1000&lineStyle=plain&_a=contents"
    ),
    "https://github.10.0.0.1/o/r": None,
}


@pytest.mark.parametrize(("url", "page"), PAGES.items())
def test_a_permalink_leads_to_the_hosts_own_page(url: str, page: str | None) -> None:
    """Each host has its own form, and some names are no hosts at all."""
    web = parse_url(url).web
    shown = None if web is None else web.format(sha="f00", path="a.py", start=1, end=2)
    assert shown == page


@pytest.mark.parametrize(
    ("url", "path", "query"),
    [
        ("https://github.com/o/r", "README.md", "?plain=1#L1-L2"),
        ("https://github.com/o/r", "docs/a.RST", "?plain=1#L1-L2"),
        ("https://github.com/o/r", "a.md.py", ".py#L1-L2"),
        ("https://gitlab.com/o/r", "docs/x.markdown", "?plain=1#L1-2"),
        (
            "https://bitbucket.acme.com/scm/o/r",
            "README.md",
            "README.md?at=f&useDefaultHandler=true#1-2",
        ),
        ("https://codeberg.org/o/r", "README.md", "?display=source#L1-L2"),
        ("https://bitbucket.org/o/r", "README.md", "README.md#lines-1:2"),
    ],
)
def test_a_page_of_prose_is_asked_for_its_lines(url: str, path: str, query: str) -> None:
    """A rendered page has no lines to lead to."""
    web = parse_url(url).web
    assert web is not None
    assert for_file(web, path).format(sha="f", path=path, start=1, end=2).endswith(query)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ssh://git@host.io:2222/a/b", "ssh://git@host.io:2223/a/b"),
        ("ssh://git@host.io:2222/a/b", "ssh://git@host.io/a/b"),
        ("https://host.io/A/repo", "https://host.io/a/repo"),
        ("https://host.io:8443/a/b", "https://host.io/a/b"),
        ("git@host.io:a/b", "git@host.io.evil:a/b"),
        ("https://git.acme.com/a/b", "https://git-acme.com/a/b"),
    ],
)
def test_two_servers_never_share_a_clone(tmp_path: Path, one: str, other: str) -> None:
    """One port may serve one team, the next port another."""
    clones = [Clone("x", parse_url(url), "main", tmp_path) for url in (one, other)]
    assert clones[0].git_dir != clones[1].git_dir


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ssh://git@ssh.github.com:443/acme/payments", "https://github.com/acme/payments"),
        ("https://host.io:443/a/b", "ssh://git@host.io:22/a/b"),
        ("https://GitLab.acme.com/A/b", "https://gitlab.acme.com/a/B"),
        ("https://dev.azure.com/o/My%20P/_git/r", "https://dev.azure.com/o/My P/_git/r"),
    ],
)
def test_one_repository_has_one_clone(one: str, other: str) -> None:
    assert parse_url(one).identity == parse_url(other).identity


def test_a_file_address_is_decoded(tmp_path: Path) -> None:
    """A folder with a blank is written with %20 there."""
    folder = tmp_path / "my repo"
    url = parse_url(folder.as_uri())
    assert (url.scheme, url.path) == ("local", str(folder.resolve()))
    for bad in ("file://host/x", "file:///x%00y", "file://"):
        with pytest.raises(UrlError):
            parse_url(bad)


@pytest.mark.parametrize("path", ["%2e%2e/x", "a%0ab", "a%00b", "a%252fb", "%2e%2e%2fx"])
def test_an_encoded_path_hides_nothing(path: str) -> None:
    """Decoding comes before every check."""
    with pytest.raises(UrlError):
        parse_url(f"https://github.com/{path}")


@pytest.mark.parametrize(
    "url",
    [
        "https://git-acme.com/a/b",
        "https://git.acme-com.io/a/b",
        "https://git.acme.com:8443/a/b",
        "ssh://git@git.acme.com/a/b",
        "https://git.acme.com.evil.io/a/b",
    ],
)
async def test_a_token_is_offered_to_its_own_host_alone(url: str) -> None:
    """The owner of a host of a similar name must not be sent the token."""
    credentials = Credentials.from_environment({"FOREWARM_GIT_TOKEN_GIT_ACME_COM": "s3cret"})
    own, other = parse_url("https://git.acme.com/a/b"), parse_url(url)
    assert (await credentials.find(own, "", "b")).environment(own)
    found = await credentials.find(other, "", "b")
    assert found.environment(other) == {}
    assert "s3cret" not in " ".join(found.options(other))


def test_an_unknown_host_and_a_local_path_have_none() -> None:
    """A guessed link that leads nowhere is worse than none."""
    assert parse_url("https://git.example.org/o/r").web is None
    assert parse_url("/srv/r").web is None


def test_local_paths_only_inside_the_allowed_folders(tmp_path: Path) -> None:
    """A user who may name a repository must not read the machine by it, nor through a link."""
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
    [
        ("github.com", "GITHUB_COM"),
        ("git.my-corp.io", "GIT_MY__CORP_IO"),
        ("git.acme.com:8443", "GIT_ACME_COM_8443"),
    ],
)
def test_a_host_names_its_variable(host: str, variable: str) -> None:
    """The error that asks for a token must name the variable that is read."""
    assert parse_url(f"https://{host}/a/b").token_variable == f"FOREWARM_GIT_TOKEN_{variable}"


@pytest.mark.parametrize(
    ("url", "better"),
    [
        ("github.com/acme/payments", "https://github.com/acme/payments"),
        ("git.acme.co.uk/team/payments.git", "https://git.acme.co.uk/team/payments.git"),
        ("git@github.com/acme/payments", "ssh://git@github.com/acme/payments"),
    ],
)
def test_an_address_without_a_scheme_is_not_taken_for_a_path(
    tmp_path: Path, url: str, better: str
) -> None:
    for folder in (None, tmp_path):
        with pytest.raises(UrlError) as caught:
            parse_url(url, relative_to=folder)
        assert f"it has no scheme; write {better}" in caught.value.user_message


def test_a_folder_may_be_called_as_a_host(tmp_path: Path) -> None:
    (tmp_path / "github.com" / "acme").mkdir(parents=True)
    assert parse_url("github.com/acme", relative_to=tmp_path).path == str(
        tmp_path / "github.com" / "acme"
    )
    assert parse_url("repos/acme", relative_to=tmp_path).scheme == "local"
