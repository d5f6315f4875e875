"""Clones: fetched from real remotes, bounded, safe among processes, tokens to git alone."""

from __future__ import annotations

import asyncio
import base64
import http.server
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.context.errors import (
    AuthenticationError,
    BusyError,
    EmptyRepositoryError,
    GitFailedError,
    GitTimeoutError,
    RefMissingError,
    RepositoryError,
    TooLargeError,
    UnreachableError,
    UrlError,
)
from bot.context.git.clone import Bounds, Clone, Secrets, Sources
from bot.context.git.credentials import Credential, Credentials
from bot.context.git.explain import explain, local_problem
from bot.context.git.repository import GitRepository
from bot.context.git.urls import parse_url
from tests.slack import githost

if TYPE_CHECKING:
    from tests.context.conftest import Bench, Repo

TOKEN = "tok" + "en-" + "made-up-for-this-test"


def _secrets(environ: dict[str, str]) -> Secrets:
    return Secrets(Credentials.from_environment(environ))


def _clone(repo: Repo, home: Path, ref: str = "main", **options: Any) -> Clone:
    sources = Sources(local=(repo.path.parent,))
    return Clone("repo", parse_url(str(repo.path)), ref, home, sources=sources, **options)


async def test_a_fetch_follows_the_branch(repo: Repo, tmp_path: Path) -> None:
    """The clone's head is the branch's, fetch after fetch."""
    clone = _clone(repo, tmp_path / "home")
    assert clone.head() is None
    for number in range(3):
        commit = repo.commit({"a.txt": b"%d" % number})
        assert await clone.fetch() == commit == clone.head()


async def test_a_tag_a_commit_and_the_default_branch_can_be_followed(
    bench: Bench, repo: Repo, tmp_path: Path
) -> None:
    """A context may be pinned to a release."""
    first = repo.commit({"a.txt": b"1"})
    bench.git(repo.path, "tag", "-a", "v1", "-m", "one", first)
    bench.git(repo.path, "config", "uploadpack.allowAnySHA1InWant", "true")
    second = repo.commit({"a.txt": b"2"})
    home = tmp_path / "home"
    assert await _clone(repo, home, "v1").fetch() == first
    assert await _clone(repo, home, first).fetch() == first
    assert await _clone(repo, home, "HEAD").fetch() == second


async def test_a_branch_is_followed_though_a_tag_has_its_name(
    bench: Bench, repo: Repo, tmp_path: Path
) -> None:
    """git prefers the tag: then the context would show one commit for ever."""
    first = repo.commit({"a.txt": b"1"})
    bench.git(repo.path, "tag", "main", first)
    clone = _clone(repo, tmp_path / "home")
    for number in range(2, 4):
        commit = repo.commit({"a.txt": b"%d" % number})
        assert await clone.fetch() == commit
    assert await clone.ambiguous()
    assert await _clone(repo, tmp_path / "home", "refs/tags/main").fetch() == first
    assert not await _clone(repo, tmp_path / "home", "refs/tags/main").ambiguous()


async def test_a_branch_that_comes_after_its_tag_is_followed(
    bench: Bench, repo: Repo, tmp_path: Path
) -> None:
    """The tag was found first, and the branch counts from the day on which it exists."""
    first = repo.commit({"a.txt": b"1"})
    bench.git(repo.path, "tag", "v2", first)
    clone = _clone(repo, tmp_path / "home", "v2")
    assert await clone.fetch() == first
    second = repo.commit({"a.txt": b"2"})
    bench.git(repo.path, "branch", "v2", second)
    assert await clone.fetch() == second


async def test_a_repository_with_sha_256_is_followed(bench: Bench, tmp_path: Path) -> None:
    """Its ids are longer, and a clone has to be made for them."""
    path = tmp_path / "new.git"
    path.mkdir()
    bench.git(path, "init", "-q", "--bare", "--initial-branch=main", "--object-format=sha256")
    blob = bench.git(path, "hash-object", "-w", "--stdin", stdin=b"x = 1\n").decode().strip()
    tree = bench.git(path, "mktree", stdin=f"100644 blob {blob}\ta.py\n".encode()).decode().strip()
    commit = bench.git(path, "commit-tree", "-m", "x", tree).decode().strip()
    bench.git(path, "update-ref", "refs/heads/main", commit)
    source = Sources(local=(tmp_path,))
    clone = Clone("new", parse_url(str(path)), "main", tmp_path / "home", sources=source)
    assert await clone.fetch() == commit
    assert len(commit) == 64
    assert list(clone.repository().tree(commit)) == ["a.py"]
    assert await clone.fetch() == commit
    # No clone stands yet, and the context names a commit: its length tells the kind of clone.
    pinned = Clone("new", parse_url(str(path)), commit, tmp_path / "other", sources=source)
    assert await pinned.fetch() == commit


async def test_a_head_that_names_no_branch_is_explained(
    bench: Bench, repo: Repo, tmp_path: Path
) -> None:
    """The default branch was renamed, and its old name is gone."""
    repo.commit({"a.txt": b"1"})
    bench.git(repo.path, "branch", "release/2", "main")
    bench.git(repo.path, "symbolic-ref", "HEAD", "refs/heads/master")
    with pytest.raises(RefMissingError) as caught:
        await _clone(repo, tmp_path / "home", "HEAD").fetch()
    assert "main, release/2" in caught.value.user_message
    with pytest.raises(RefMissingError) as caught:
        GitRepository(repo.path, "x").resolve("HEAD")
    assert "main, release/2" in caught.value.user_message


async def test_a_repository_of_tags_alone_is_not_called_empty(
    bench: Bench, repo: Repo, tmp_path: Path
) -> None:
    commit = repo.commit({"a.txt": b"1"})
    bench.git(repo.path, "tag", "v1", commit)
    bench.git(repo.path, "update-ref", "-d", "refs/heads/main")
    with pytest.raises(RefMissingError, match="name a branch, tag or commit that exists"):
        await _clone(repo, tmp_path / "home", "HEAD").fetch()
    assert await _clone(repo, tmp_path / "home", "v1").fetch() == commit


async def test_a_part_of_a_commits_name_is_no_ref(repo: Repo, tmp_path: Path) -> None:
    """Only a whole name can be fetched."""
    commit = repo.commit({"a.txt": b"1"})
    with pytest.raises(RefMissingError, match="or to all 40 digits of a commit"):
        await _clone(repo, tmp_path / "home", commit[:10]).fetch()


async def test_a_missing_branch_names_those_that_exist(repo: Repo, tmp_path: Path) -> None:
    """A name that could be more than a name in a message is left out."""
    repo.commit({"a.txt": b"1"})
    repo.branch, repo.head = "<!channel>", ""
    repo.commit({"a.txt": b"1"})
    with pytest.raises(RefMissingError) as caught:
        await _clone(repo, tmp_path / "home", "mian").fetch()
    assert "(main)" in caught.value.user_message


async def test_rewritten_history_is_followed_and_the_old_commit_kept(
    repo: Repo, tmp_path: Path
) -> None:
    """A frozen base must stay readable after a force-push."""
    clone = _clone(repo, tmp_path / "home")
    first = repo.commit({"a.txt": b"1"})
    second = repo.commit({"a.txt": b"2"})
    assert await clone.fetch() == second
    repo.reset(first)
    third = repo.commit({"a.txt": b"3"})
    assert await clone.fetch() == third
    assert clone.repository().has(second)


async def test_no_remote_is_stored_and_no_hook_or_template_comes_along(
    repo: Repo, tmp_path: Path
) -> None:
    """Nothing in a clone may name an address or be run."""
    repo.commit({"a.txt": b"1"})
    clone = _clone(repo, tmp_path / "home")
    await clone.fetch()
    assert str(repo.path) not in (clone.git_dir / "config").read_text()
    assert not (clone.git_dir / "hooks").exists()
    assert not (clone.git_dir / "FETCH_HEAD").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
async def test_a_folder_of_another_user_is_fetched_and_nothing_it_names_is_run(
    bench: Bench, repo: Repo, tmp_path: Path
) -> None:
    """A mounted folder seldom belongs to the bot's user."""
    commit = repo.commit({"a.txt": b"1"})
    ran, hook = tmp_path / "ran", tmp_path / "hook"
    hook.write_text(f'#!/bin/sh\ntouch {ran}\nexec "$@"\n')
    hook.chmod(0o755)
    bench.git(repo.path, "config", "uploadpack.packObjectsHook", str(hook))
    for path in (repo.path, *repo.path.rglob("*")):
        os.chown(path, 12_345, 12_345)
    assert await _clone(repo, tmp_path / "home").fetch() == commit
    assert not ran.exists()


async def test_a_shallow_clone_holds_as_many_commits_as_asked(repo: Repo, tmp_path: Path) -> None:
    """A large history need not be fetched to answer about the head."""
    for number in range(5):
        repo.commit({"a.txt": b"%d" % number})
    clone = _clone(repo, tmp_path / "home", depth=2)
    await clone.fetch()
    assert clone.repository().is_shallow()
    assert len(clone.repository().touched(clone.head() or "", 10)) == 2


async def test_a_shallow_upstream_can_be_followed(bench: Bench, repo: Repo, tmp_path: Path) -> None:
    """Mirrors are often shallow."""
    for number in range(3):
        head = repo.commit({"a.txt": b"%d" % number})
    shallow = tmp_path / "shallow.git"
    bench.git(tmp_path, "clone", "-q", "--bare", "--depth=1", f"file://{repo.path}", str(shallow))
    clone = Clone(
        "s", parse_url(str(shallow)), "main", tmp_path / "home", sources=Sources(local=(tmp_path,))
    )
    assert await clone.fetch() == head
    head = repo.commit({"a.txt": b"new"})
    bench.git(shallow, "fetch", "-q", "--depth=1", f"file://{repo.path}", "+main:main")
    assert await clone.fetch() == head


async def test_a_clone_is_completed_when_depth_is_dropped(repo: Repo, tmp_path: Path) -> None:
    """The history of a file and the lines of an old link need the commits that were left out."""
    for number in range(5):
        repo.commit({"a.txt": b"%d" % number})
    home = tmp_path / "home"
    await _clone(repo, home, depth=1).fetch()
    whole = _clone(repo, home)
    await whole.fetch()
    assert len(whole.repository().touched(whole.head() or "", 10)) == 5
    # Another context that shares the clone must not cut it again.
    repo.commit({"a.txt": b"new"})
    await _clone(repo, home, depth=1).fetch()
    assert len(whole.repository().touched(whole.head() or "", 10)) == 6


async def test_two_tasks_and_two_processes_share_one_clone(repo: Repo, tmp_path: Path) -> None:
    """Replicas on one machine fetch the same clone at once; both must end with the head."""
    commit = repo.commit({f"f{n}.txt": b"%d" % n for n in range(50)})
    home = tmp_path / "home"
    code = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from bot.context.git.clone import Clone, Sources\n"
        "from bot.context.git.urls import parse_url\n"
        "path, home = sys.argv[1:]\n"
        "clone = Clone('repo', parse_url(path), 'main', Path(home), "
        "sources=Sources(local=(Path(path).parent,)))\n"
        "print(asyncio.run(clone.fetch()))\n"
    )
    command = [sys.executable, "-c", code, str(repo.path), str(home)]
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    ours = await asyncio.gather(*(_clone(repo, home).fetch() for _ in range(3)))
    theirs = [(await asyncio.to_thread(other.communicate))[0].strip() for other in others]
    assert {*ours, *theirs} == {commit}


async def test_a_held_lock_is_waited_for_no_longer_than_allowed(repo: Repo, tmp_path: Path) -> None:
    """A process that hangs must not hang the others."""
    import fcntl

    repo.commit({"a.txt": b"1"})
    clone = _clone(repo, tmp_path / "home", bounds=Bounds(wait_seconds=0.2))
    clone.git_dir.parent.mkdir(parents=True)
    with clone.git_dir.with_suffix(".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BusyError):
            await clone.fetch()


async def test_what_a_killed_git_left_is_cleared(repo: Repo, tmp_path: Path) -> None:
    """A lock file of a dead process must not stop every fetch that follows."""
    repo.commit({"a.txt": b"1"})
    clone = _clone(repo, tmp_path / "home")
    await clone.fetch()
    (ref,) = (clone.git_dir / "refs" / "forewarm").glob("*")
    ref.with_name(f"{ref.name}.lock").touch()
    (clone.git_dir / "objects" / "pack" / "tmp_pack_dead").write_bytes(b"x")
    commit = repo.commit({"a.txt": b"2"})
    assert await clone.fetch() == commit
    assert not list(clone.git_dir.glob("objects/pack/tmp_*"))


async def test_a_fetch_that_takes_too_long_is_stopped_with_all_its_children(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A remote that says nothing must not hold the bot, nor leave processes behind."""
    repo.commit({"a.txt": b"1"})
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "ssh").write_text("#!/bin/sh\nexec sleep 600\n")
    (fake / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    url = parse_url("git@example.org:a/b.git")
    clone = Clone("b", url, "main", tmp_path / "home", bounds=Bounds(seconds=1.0))
    with pytest.raises(GitTimeoutError):
        await clone.fetch()
    for _ in range(50):
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
        if f"{clone.git_dir}" not in listed.stdout:
            break
        await asyncio.sleep(0.1)
    else:
        pytest.fail("git still runs")


async def test_a_repository_that_is_too_large_is_refused(repo: Repo, tmp_path: Path) -> None:
    """A disk that is filled by one context stops all of them."""
    repo.commit({f"{n}.bin": os.urandom(400_000) for n in range(20)})
    clone = _clone(repo, tmp_path / "home", bounds=Bounds(bytes=100_000))
    with pytest.raises(TooLargeError):
        await clone.fetch()


@pytest.mark.parametrize(
    ("ref", "error"), [("nope", RefMissingError), ("HEAD", EmptyRepositoryError)]
)
async def test_a_missing_ref_and_an_empty_repository_are_told_apart(
    repo: Repo, tmp_path: Path, ref: str, error: type[RepositoryError]
) -> None:
    """One is a typo, the other needs a first push."""
    if error is RefMissingError:
        repo.commit({"a.txt": b"1"})
    with pytest.raises(error):
        await _clone(repo, tmp_path / "home", ref).fetch()


async def test_local_paths_need_permission(repo: Repo, tmp_path: Path) -> None:
    """Only folders that the operator named may be read."""
    repo.commit({"a.txt": b"1"})
    clone = Clone("repo", parse_url(str(repo.path)), "main", tmp_path / "home")
    with pytest.raises(UrlError):
        await clone.fetch()


@pytest.mark.parametrize(
    ("stderr", "error"),
    [
        ("fatal: Authentication failed for 'https://x/'", AuthenticationError),
        ("remote: Repository not found.\nfatal: repository not found", AuthenticationError),
        ("fatal: could not read Username for 'https://x'", AuthenticationError),
        ("git@x: Permission denied (publickey).", AuthenticationError),
        ("fatal: unable to access: Could not resolve host: x", UnreachableError),
        ("error: RPC failed; curl 92\nfatal: early EOF", UnreachableError),
        ("fatal: couldn't find remote ref main", RefMissingError),
        ("fatal: repository 'https://x.org/a/b/' not found", AuthenticationError),
        ("fatal: something new", GitFailedError),
        ("", GitFailedError),
    ],
)
def test_what_git_says_becomes_what_to_do(stderr: str, error: type[RepositoryError]) -> None:
    """An operator should not have to know git's words."""
    made = explain("r", parse_url("https://x.org/a/b"), "main", "fetching", stderr, "")
    assert isinstance(made, error)
    assert made.user_message.endswith(".")


@pytest.mark.parametrize(
    ("stderr", "why", "fix"),
    [
        (
            "ssh: Could not resolve hostname x.org: Name or service not known",
            "this machine finds no address for the name x.org",
            "correct the host in `url`, or the name service (DNS)",
        ),
        (
            "fatal: unable to access 'https://x.org/a/b/': Failed to connect to x.org port 443"
            " after 2 ms: Connection refused",
            "no server listens at x.org",
            "correct the host and the port in `url` or the proxy (HTTPS_PROXY)",
        ),
        (
            "fatal: unable to access 'https://x.org/a/b/': Failed to connect to proxy.x port 3128"
            " after 1 ms: Couldn't connect to server",
            "the proxy proxy.x:3128 on the way to x.org does not answer",
            "name x.org in NO_PROXY",
        ),
        (
            "fatal: unable to access 'https://x.org/a/b/': CONNECT tunnel failed, response 407",
            "the proxy on the way to x.org does not let it through (CONNECT tunnel failed,"
            " response 407)",
            "correct HTTPS_PROXY",
        ),
        (
            "fatal: unable to access 'https://x.org/a/b/': The requested URL returned error: 503",
            "x.org answers with its error 503",
            "it is tried again by itself",
        ),
        (
            "fatal: unable to access 'https://x.org/a/b/': SSL certificate problem: expired",
            "does not trust the connection to x.org (SSL certificate problem: expired)",
            "GIT_SSL_CAINFO",
        ),
    ],
)
def test_a_host_out_of_reach_is_told_by_what_failed_on_the_way(
    stderr: str, why: str, fix: str
) -> None:
    """`Check the network` sends an operator to the wrong machine."""
    made = explain("r", parse_url("https://x.org/a/b"), "main", "fetching", stderr, "")
    assert isinstance(made, UnreachableError)
    assert made.user_message.startswith("The repository r cannot be fetched, because ")
    assert why in made.user_message
    assert fix in made.user_message


ACCESS = "fatal: unable to access 'https://x.org/a/b/': "


@pytest.mark.parametrize(
    "said",
    [
        "SSL certificate problem: self-signed certificate",
        "server certificate verification failed. CAfile: none CRLfile: none",
        "SSL: no alternative certificate subject name matches target host name 'x.org'",
        "gnutls_handshake() failed: The TLS connection was non-properly terminated.",
        "GnuTLS, handshake failed: A TLS fatal alert has been received.",
        "GnuTLS recv error (-110): The TLS connection was non-properly terminated.",
        "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to x.org:443",
        "error:0A00010B:SSL routines::wrong version number",
        "TLS connect error: error:0A000410:SSL routines::ssl/tls alert handshake failure",
        "Problem with the SSL CA cert (path? access rights?)",
    ],
)
def test_a_broken_handshake_is_a_host_out_of_reach(said: str) -> None:
    """A proxy that breaks TLS open is the commonest reason inside a company."""
    url = parse_url("https://x.org/a/b")
    assert isinstance(explain("r", url, "main", "fetching", ACCESS + said, ""), UnreachableError)


@pytest.mark.parametrize(
    "stderr",
    [
        "fatal: unable to access 'https://tls.x.org/ssl/tls-lib/': something new",
        "remote: tls-lib has moved to ssl/tls\nfatal: something new",
        "fatal: protocol error in 'ssl'",
    ],
)
def test_a_name_is_no_broken_handshake(stderr: str) -> None:
    """To look for a broken network because a repository is called `tls-lib` costs an afternoon."""
    made = explain("tls-lib", parse_url("https://tls.x.org/ssl/tls-lib"), "main", "at", stderr, "")
    assert isinstance(made, GitFailedError)


# --- a private repository over real HTTPS ---------------------------------------------------------


class _Backend(http.server.BaseHTTPRequestHandler):
    """`git http-backend` behind basic authentication."""

    root: Path
    seen: list[str]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        given = self.headers.get("Authorization", "")
        type(self).seen.append(given)
        expected = "Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
        if given != expected:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=self.rfile.read(length),
            capture_output=True,
            env=environment,
            check=True,
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        self.send_response(200)
        for line in head.decode().split("\r\n"):
            name, _, value = line.partition(": ")
            if name.lower() != "status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _serve


@pytest.fixture
def private_host(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, list[str]]]:
    """Serve the repository over HTTPS to holders of the token; yield its URL and what was sent."""
    certificate = githost.certificate(tmp_path)
    seen: list[str] = []
    handler = type("Handler", (_Backend,), {"root": repo.path.parent, "seen": seen})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, certificate.with_name("key.pem"))
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    monkeypatch.setenv("no_proxy", "localhost")
    yield f"https://localhost:{server.server_port}/{repo.path.name}", seen
    server.shutdown()
    thread.join()
    server.server_close()


def _argument_lists() -> str:
    """Return what everybody on the machine can see of every process."""
    return subprocess.run(
        ["ps", "-eo", "args", "--width", "20000"], capture_output=True, text=True, check=True
    ).stdout


async def test_a_certificate_without_an_issuer_is_a_host_out_of_reach(
    tmp_path: Path, private_host: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the words of the git that is installed, and without a token having been sent."""
    monkeypatch.delenv("GIT_SSL_CAINFO")
    url, seen = private_host
    secrets = _secrets({"FOREWARM_GIT_TOKEN_LOCALHOST": TOKEN})
    with pytest.raises(UnreachableError, match="certificate"):
        await Clone("r", parse_url(url), "main", tmp_path / "home", secrets=secrets).fetch()
    assert seen == []


async def test_a_token_fetches_a_private_repository_and_shows_nowhere(
    repo: Repo, tmp_path: Path, private_host: tuple[str, list[str]]
) -> None:
    """The token goes to its host and is in no argument, file, error or repr."""
    url, seen = private_host
    commit = repo.commit({"a.txt": b"1"})
    address = parse_url(url.removesuffix(".git") + ".git")
    environ = {"FOREWARM_GIT_TOKEN_LOCALHOST": TOKEN}
    secrets = _secrets(environ)
    clone = Clone("repo", address, "main", tmp_path / "home", secrets=secrets)
    fetching = asyncio.create_task(clone.fetch())
    listed: list[str] = []
    while not fetching.done():
        listed.append(await asyncio.to_thread(_argument_lists))
    assert await fetching == commit
    assert listed
    assert not any(TOKEN in seen_once for seen_once in listed)
    assert base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode() in "".join(seen)
    for file in clone.git_dir.rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes()
    assert TOKEN not in f"{clone!r} {secrets!r}"


async def test_a_wrong_token_is_a_clear_error_without_the_token(
    repo: Repo, tmp_path: Path, private_host: tuple[str, list[str]]
) -> None:
    """The error names the variable, never its value; git never prompts."""
    url, _ = private_host
    repo.commit({"a.txt": b"1"})
    secrets = _secrets({"FOREWARM_GIT_TOKEN_LOCALHOST": "wrong-" + TOKEN})
    for given in (secrets, Secrets()):
        clone = Clone("repo", parse_url(url), "main", tmp_path / "home", secrets=given)
        with pytest.raises(AuthenticationError) as caught:
            await clone.fetch()
        assert "FOREWARM_GIT_TOKEN_LOCALHOST" in caught.value.user_message
        assert TOKEN not in caught.value.user_message


async def test_a_token_is_for_its_host_alone(
    repo: Repo, tmp_path: Path, private_host: tuple[str, list[str]]
) -> None:
    """Another host must not be offered it, even if it asks."""
    url, seen = private_host
    repo.commit({"a.txt": b"1"})
    secrets = _secrets({"FOREWARM_GIT_TOKEN_GITHUB_COM": TOKEN})
    clone = Clone("repo", parse_url(url), "main", tmp_path / "home", secrets=secrets)
    with pytest.raises(AuthenticationError):
        await clone.fetch()
    assert not any(seen)


def test_a_token_that_a_server_echoes_is_taken_out() -> None:
    """Some servers repeat the URL or the header in their errors."""
    credential = Credential("", "user", TOKEN)
    said = credential.redacted(f"fatal: {TOKEN} is bad, user:{TOKEN}")
    assert said == "fatal: [token] is bad, user:[token]"
    assert TOKEN not in repr(credential)


def test_a_local_repository_that_cannot_be_read_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git says of each that there is no repository."""
    bundle = tmp_path / "code.bundle"
    bundle.write_text("")
    assert "is a file, not the folder of a git repository" in (local_problem(bundle) or "")
    code = tmp_path / "code"
    (code / ".git" / "objects").mkdir(parents=True)
    assert local_problem(code) is None
    assert local_problem(tmp_path / "absent") is None
    closed = code / ".git" / "objects"
    monkeypatch.setattr("os.access", lambda path, mode: path != closed)
    assert f"may not read {closed}" in (local_problem(code) or "")


def test_a_damaged_local_repository_is_no_matter_of_the_network() -> None:
    said = "fatal: bad object HEAD\nfatal: the remote end hung up unexpectedly"
    error = explain("code", parse_url("/srv/code"), "HEAD", "fetching", said, "")
    assert "The repository at /srv/code cannot be read by git" in error.user_message
    assert "network" not in error.user_message
