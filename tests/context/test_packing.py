"""`forewarm pack`: what it prints, what it writes, and that the bytes are the same everywhere."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import bot
from bot.commands.packing import Request, entry, main, run
from bot.errors import ForewarmError

if TYPE_CHECKING:
    from tests.context.conftest import Bench, Repo

SOURCE = b"".join(b"def function_%d() -> int: return %d\n" % (n, n) for n in range(120))
FILES: dict[str | bytes, bytes | str | None] = {
    "README.md": b"# Title\n\nWords.\n",
    "src/app/core.py": SOURCE,
    "src/app/z\xc3\xa4.py": SOURCE,
    "src/Ob.py": b'password = "hunter2horse"\n',
    "tests/test_core.py": SOURCE,
    "logo.png": b"\0",
    "uv.lock": b"x",
}


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FOREWARM_CONTEXTS", str(tmp_path / "contexts"))


def _json(capsys: pytest.CaptureFixture[str], request: Request) -> dict[str, Any]:
    run(request)
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_the_report_tells_tokens_omissions_fingerprint_and_time(
    repo: Repo, capsys: pytest.CaptureFixture[str]
) -> None:
    """A user who sets a context up sees its cost and the files that it leaves out."""
    repo.commit(FILES)
    main([str(repo.path)])
    out = capsys.readouterr().out
    for word in ("5 files", "src/", "app/", "1 binary: logo.png", "1 lock file: uv.lock"):
        assert word in out
    assert "1 value masked: password: src/Ob.py" in out
    assert "fingerprint " in out
    assert out.rstrip().endswith(" s")


def test_json_holds_every_figure(
    repo: Repo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripts read this: names and meanings stay."""
    repo.commit(FILES)
    out = tmp_path / "out.txt"
    document = _json(capsys, Request(str(repo.path), output=out, as_json=True))
    text = out.read_bytes()
    assert document["bytes"] == len(text)
    assert document["files"] == 5
    assert document["tokens"] == sum(block["tokens"] for block in document["blocks"]) > 0
    assert document["seconds"] > 0
    assert 0 < document["overhead"] < 0.2
    (block,) = document["blocks"]
    assert block["kind"] == "base"
    assert block["fingerprint"] == hashlib.sha256(text).hexdigest()
    assert document["fingerprint"] == hashlib.sha256(block["fingerprint"].encode()).hexdigest()
    omitted = {entry["path"]: entry["reason"] for entry in document["omitted"]}
    assert omitted["logo.png"] == "binary"


def test_the_streamed_base_is_the_base_that_a_bot_would_send(
    bench: Bench, repo: Repo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command shows what runs, not something like it."""
    repo.commit(FILES)
    streamed, kept = tmp_path / "streamed", tmp_path / "kept"
    run(Request(str(repo.path), output=streamed))
    run(Request(str(repo.path), output=kept, state=tmp_path / "state"))
    assert streamed.read_bytes() == kept.read_bytes() == bench.base(repo, bench.look(repo))


def test_state_carries_base_and_overlays_between_calls(
    repo: Repo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Packing successive commits shows exactly what a running bot would send."""
    first = repo.commit(FILES)
    second = repo.commit({"src/app/core.py": SOURCE + b"x = 1\n"})
    state, out = tmp_path / "state", tmp_path / "out.txt"
    target = str(repo.path)
    before = _json(capsys, Request(target, at=first, state=state, output=out, as_json=True))
    base = out.read_bytes()
    after = _json(capsys, Request(target, at=second, state=state, output=out, as_json=True))
    assert out.read_bytes().startswith(base)
    assert len(out.read_bytes()) < len(base) + 500
    assert [block["kind"] for block in after["blocks"]] == ["base", "overlay"]
    assert after["blocks"][0] == before["blocks"][0]
    again = _json(capsys, Request(target, at=second, state=state, as_json=True))
    assert again["fingerprint"] == after["fingerprint"]
    run(Request(target, at=second, state=state))
    assert "keep: these commits are packed already" in capsys.readouterr().out


def test_a_budget_is_kept_and_each_omission_explained(
    repo: Repo, capsys: pytest.CaptureFixture[str]
) -> None:
    """The choice is by usefulness, and says so file by file."""
    repo.commit({**FILES, **{f"src/m{n}.py": SOURCE for n in range(10)}})
    document = _json(capsys, Request(str(repo.path), budget=4_000, as_json=True))
    assert document["tokens"] <= 4_000
    reasons = [entry["reason"] for entry in document["omitted"]]
    assert any(reason.startswith("over the budget (rank ") for reason in reasons)


def test_a_context_is_packed_by_name(
    repo: Repo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The name of a context is the name of its file."""
    repo.commit(FILES)
    folder = tmp_path / "contexts"
    folder.mkdir()
    (folder / "pay.toml").write_text(
        f'[[repositories]]\nurl = "{repo.path}"\nref = "main"\ninclude = ["src/**"]\n'
    )
    for target in ("pay", str(folder / "pay.toml")):
        document = _json(capsys, Request(target, as_json=True))
        assert document["files"] == 3
    capped = _json(capsys, Request("pay", budget=1_500, as_json=True))
    assert capped["tokens"] <= 1_500


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "neither a context nor a path"),
        (["PATH", "--at", "nope"], "has no branch, tag or commit 'nope'"),
        (["FOLDER"], "not a git repository"),
    ],
)
def test_bad_arguments_are_one_sentence(
    repo: Repo, tmp_path: Path, arguments: list[str], words: str
) -> None:
    """The change to make, and nothing else."""
    repo.commit(FILES)
    (tmp_path / "folder").mkdir()
    places = {"PATH": str(repo.path), "FOLDER": str(tmp_path / "folder")}
    with pytest.raises(ForewarmError) as caught:
        main([places.get(argument, argument) for argument in arguments])
    assert words in caught.value.user_message


def test_an_error_of_the_process_is_one_line_and_a_status(
    repo: Repo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script goes by the status, a person by the line; neither wants a traceback."""
    repo.commit(FILES)
    assert entry([str(repo.path), "-o", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().err == ""
    assert entry([str(tmp_path / "nowhere")]) == 1
    assert capsys.readouterr().err.startswith("forewarm: There is neither a context nor a path")


def _elsewhere(repo: Repo, home: Path, out: Path, python: str, **environ: str) -> bytes:
    """Pack in another process: another locale, time zone, hash seed, home, maybe Python."""
    root = str(Path(bot.__file__).parents[1])
    site = next(path for path in sys.path if path.endswith("site-packages"))
    code = "import sys; from bot.commands.packing import main; main(sys.argv[1:])"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "FOREWARM_HOME": str(home),
        "PYTHONPATH": os.pathsep.join([root, site]),
        **environ,
    }
    command = [python, "-W", "ignore", "-c", code, str(repo.path), "-o", str(out)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return out.read_bytes()


def test_the_bytes_are_the_same_in_every_place(repo: Repo, tmp_path: Path) -> None:
    """Replicas on different machines must share one cache entry."""
    repo.commit(FILES)
    out = tmp_path / "out"
    places = [
        {"LC_ALL": "C", "PYTHONHASHSEED": "0", "TZ": "UTC"},
        {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        {"LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "9", "PYTHONUTF8": "0", "TZ": "EST5EDT"},
    ]
    packed = {
        _elsewhere(repo, tmp_path / f"home{n}", out, sys.executable, **environ)
        for n, environ in enumerate(places)
    }
    assert len(packed) == 1


def _other_pythons() -> list[str]:
    """Return interpreters of other minor versions, from the PATH or from pyenv."""
    found: list[str] = []
    for minor in range(11, 16):
        name = f"python3.{minor}"
        kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"3.{minor}.*/bin/{name}"))
        for python in filter(None, [shutil.which(name), *map(str, kept)]):
            tried = subprocess.run([python, "-c", "import zlib"], capture_output=True, check=False)
            if minor != sys.version_info.minor and tried.returncode == 0:
                found.append(python)
                break
    return found


def test_the_bytes_are_the_same_in_every_python(repo: Repo, tmp_path: Path) -> None:
    """An upgrade of the interpreter must not cost every context a write."""
    pythons = _other_pythons()
    if not pythons:
        pytest.skip("no other Python (3.11 or newer) is on the PATH")
    repo.commit(FILES)
    out = tmp_path / "out"
    ours = _elsewhere(repo, tmp_path / "home", out, sys.executable)
    for python in pythons:
        home = tmp_path / f"home-{Path(python).name}"
        assert _elsewhere(repo, home, out, python) == ours


def test_the_plain_case_loads_neither_typer_nor_pydantic_nor_asyncio(repo: Repo) -> None:
    """The command is timed as a whole process: what it does not need, it does not load."""
    repo.commit(FILES)
    run(Request(str(repo.path), output=Path(os.devnull)))
    code = (
        "import sys; from bot.commands.packing import main; main(sys.argv[1:]); "
        "heavy = ('typer', 'pydantic', 'asyncio', 'rich', 'kingfisher_sdk', 'tree_sitter'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(repo.path), "-o", os.devnull],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().endswith("[]")
