"""The model's look-ups on a real repository: what is hidden stays hidden from every call."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bot.answer.tools import look_up
from bot.clock import system_now
from bot.context.codebase import Codebase
from bot.context.config.load import ContextConfig, RepositoryConfig
from bot.context.git.clone import Sources
from bot.context.pack import Snapshot

KEY = "AKIA" + "Z7QX5M2VN4KD6RTW"
FILES = {
    "src/parse.py": "def parse(text):\n    return text.split()\n",
    "src/slow.txt": "a" * 40 + "!\n",
    "config/settings.py": f'AWS_KEY = "{KEY}"\nREGION = "eu-west-1"\n',
    "private/plan.md": "the secret plan\n",
}


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
async def snapshot(tmp_path: Path) -> Snapshot:
    folder = tmp_path / "code"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Split on blanks")
    repository = RepositoryConfig(url=str(folder), ref="main", exclude=("private/**",))
    config = ContextConfig(name="code", repositories=(repository,))
    here = Sources(local=(tmp_path,))
    codebase = Codebase(config, tmp_path / "clones", now=system_now, sources=here)
    await codebase.sync()
    await codebase.pack()
    return codebase.snapshot()


def test_files_are_found_read_listed_and_their_history_told(snapshot: Snapshot) -> None:
    """The four tools, on what is really there."""
    found = look_up(snapshot, "search", {"pattern": r"def \w+", "regex": True})
    assert found.text == "src/parse.py\n  1: def parse(text):"
    assert "2\t    return text.split()" in look_up(snapshot, "read", {"path": "src/parse.py"}).text
    assert "src/parse.py" in look_up(snapshot, "list", {"under": "src"}).text
    assert "Ann: Split on blanks" in look_up(snapshot, "history", {"path": "src"}).text


@pytest.mark.parametrize(
    ("tool", "wanted"),
    [
        ("read", {"path": "private/plan.md"}),
        ("read", {"path": "src/../private/plan.md"}),
        ("read", {"path": "/private/plan.md"}),
        ("search", {"pattern": "secret plan"}),
        ("search", {"pattern": "plan", "under": "private"}),
        ("list", {"under": "private"}),
        ("history", {"path": "private/plan.md"}),
        ("search", {"pattern": KEY}),
        ("search", {"pattern": "AKIA[A-Z]+", "regex": True}),
        ("read", {"path": "config/settings.py"}),
    ],
)
def test_what_is_excluded_or_secret_is_hidden_from_every_tool(
    snapshot: Snapshot, tool: str, wanted: dict[str, object]
) -> None:
    """A user who makes the model look must not learn more than the prefix may show."""
    looked = look_up(snapshot, tool, wanted)
    assert KEY not in looked.text
    assert "secret plan" not in looked.text.replace(str(wanted.get("pattern")), "")
    assert "Split on blanks" not in looked.text


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(", "a{1,99999}", "--help", "\\"])
def test_a_hostile_pattern_is_answered_like_any_other(snapshot: Snapshot, pattern: str) -> None:
    """It comes from a model that may have been told what to write."""
    looked = look_up(snapshot, "search", {"pattern": pattern, "regex": True})
    assert isinstance(looked.text, str)
