"""The two wheels: their files, and the playground alone without the packages of the bot."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import aiohttp
import pytest

ROOT = Path(__file__).parents[2]
BOT_ALONE = ("typer", "rich", "structlog", "slack_sdk", "slack_bolt", "anthropic", "sqlalchemy")
REFUSE = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {("bot", "benchmarks", *BOT_ALONE)!r}:
            raise ModuleNotFoundError(name + " is not installed with the playground", name=name)
sys.meta_path.insert(0, Refuse())
"""


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both wheels, built from the tracked files as a release builds them, once for all workers."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    place = shared / "wheels"
    with (shared / "wheels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _build(place)
    return {wheel.name.partition("-")[0]: wheel for wheel in place.glob("*.whl")}


def _build(place: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (place / "clone" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, place / "clone" / name)
    for project in (place / "clone", place / "clone" / "playground"):
        built = subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", str(place), str(project)],
            capture_output=True,
            text=True,
            check=False,
        )
        if built.returncode and "setuptools" in built.stderr:
            pytest.skip(f"setuptools, which builds the wheels, is not to be had: {built.stderr}")
        assert built.returncode == 0, built.stderr


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as opened:
        return opened.namelist()


def folders(wheel: Path) -> set[str]:
    found = {name.partition("/")[0] for name in names(wheel)}
    return {name for name in found if not name.endswith(".dist-info")}


def test_each_wheel_holds_its_own_package_and_nothing_else(wheels: dict[str, Path]) -> None:
    assert set(wheels) == {"forewarm_bot", "forewarm_playground"}
    assert folders(wheels["forewarm_bot"]) == {"bot"}
    assert folders(wheels["forewarm_playground"]) == {"forewarm_playground"}


@pytest.mark.parametrize(
    ("wheel", "folder"),
    [("forewarm_bot", ROOT), ("forewarm_playground", ROOT / "playground")],
    ids=["bot", "playground"],
)
def test_a_wheel_holds_every_file_of_its_package(
    wheels: dict[str, Path], wheel: str, folder: Path
) -> None:
    """A page without its style sheet, or a table of models left out, fails only when installed."""
    package = "bot" if wheel == "forewarm_bot" else wheel
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", package],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    missing = {name for name in tracked if (folder / name).is_file()} - set(names(wheels[wheel]))
    assert {name for name in missing if not name.endswith(".md")} == set()


def environment(place: Path, *wheels: Path) -> Path:
    """Make an environment with the wheels, which sees the packages of this one, not its sources.

    Returns its Python. A `.pth` file adds a folder without the `.pth` files in it, by which this
    repository is installed.
    """
    venv.create(place, with_pip=False, symlinks=True)
    site = next(place.glob("lib/python*/site-packages"))
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as opened:
            opened.extractall(site)
    ours = next(Path(sys.prefix).glob("lib/python*/site-packages"))
    (site / "shared.pth").write_text(f"{ours}\n")
    return place / "bin" / "python"


@pytest.fixture(scope="session")
def alone(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the playground's wheel alone."""
    python = environment(tmp_path_factory.mktemp("alone"), wheels["forewarm_playground"])
    site = next(python.parents[1].glob("lib/python*/site-packages"))
    (site / "sitecustomize.py").write_text(REFUSE)
    return python


@pytest.fixture(scope="session")
def both(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with both wheels, as `forewarm-bot[demo]` installs them."""
    return environment(tmp_path_factory.mktemp("both"), *wheels.values())


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository outside of any clone of this one."""
    place = tmp_path / "shop"
    place.mkdir()
    (place / "refunds.py").write_text("LIMIT = 5\n\n\ndef retry(order):\n    return LIMIT\n")
    for line in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "refunds"],
    ):
        subprocess.run(["git", *line], cwd=place, check=True)
    return place


def run(python: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(python), "-P", "-m", "forewarm_playground", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=python.parent,
        env={"PATH": os.environ["PATH"]},
    )


@contextmanager
def started(python: Path, module: str, *arguments: str, **more: str) -> Iterator[IO[str]]:
    """Run a command while the context is open; yield its output. It must end in order."""
    process = subprocess.Popen(
        [str(python), "-P", "-m", module, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=python.parent,
        env={"PATH": os.environ["PATH"], **more},
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.terminate()
        process.communicate(timeout=240)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("command", "keys"), [("local-slack", {"url", "api_url"}), ("local-claude", {"url"})]
)
def test_the_playground_runs_alone(alone: Path, command: str, keys: set[str]) -> None:
    """Its users test other bots: none of Forewarm's packages may be needed."""
    process = run(alone, command, "--port", "0", "--json")
    assert process.stdout is not None
    shown = process.stdout.readline()
    process.terminate()
    _, complaints = process.communicate(timeout=240)
    assert (process.returncode, complaints) == (0, "")
    assert json.loads(shown).keys() == keys


@pytest.mark.parametrize("command", ["local-slack", "local-claude"])
@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--config", "nowhere.toml"), "nowhere.toml"),
        (("--host", "192.0.2.1", "--port", "0"), "Cannot listen on 192.0.2.1:0"),
    ],
)
def test_an_error_is_one_sentence(
    alone: Path, command: str, arguments: tuple[str, ...], part: str
) -> None:
    process = run(alone, command, *arguments)
    _, complaints = process.communicate(timeout=240)
    assert process.returncode == 1
    assert complaints.startswith("forewarm-playground: ")
    assert part in complaints
    assert len(complaints.strip().splitlines()) == 1


async def test_the_demo_from_both_wheels_answers(both: Path, repository: Path) -> None:
    """Outside of any clone. The local Claude answers, since the weights are no part of a wheel."""
    with started(both, "bot", "local-claude", "--port", "0", "--json") as claude:
        address = json.loads(claude.readline())["url"]
        surroundings = {"ANTHROPIC_API_KEY": "sk-ant-local", "ANTHROPIC_BASE_URL": address}
        options = ("--repository", str(repository), "--home", str(repository.parent / "demo"))
        with started(both, "bot", "demo", "--port", "0", *options, **surroundings) as demo:
            opened = re.search(r"http://\S+?/", demo.readline())
            assert opened is not None
            async with aiohttp.ClientSession(opened[0]) as page:
                assert "<title>Forewarm" in await (await page.get("/")).text()
                await ask(page)


async def ask(page: aiohttp.ClientSession) -> None:
    """Ask a question and wait until the answer's stream has ended."""
    order = {"do": "mention", "channel": "C0CODEBASE", "text": "Where is the limit?"}
    posted = await page.post("/_control/act", json={"user": "U0YOU", **order})
    thread = (await posted.json())["ts"]
    wanted = {"method": "chat.stopStream", "count": 1, "timeout": 60}
    assert (await page.post("/_control/wait", json=wanted)).status == 200
    found = {"channel": "C0CODEBASE", "thread_ts": thread}
    shown = await (await page.get("/_control/transcript", params=found)).json()
    assert [message for message in shown["messages"] if message.get("bot_id")]


@pytest.mark.parametrize("command", ["demo", "local-slack", "local-claude"])
def test_without_the_extra_the_bot_names_the_line_that_installs_it(command: str) -> None:
    """`forewarm` and `playground` belong to other projects on PyPI."""
    code = REFUSE.replace("('bot', 'benchmarks',", "('forewarm_playground',").replace(
        repr(BOT_ALONE)[1:-1], ""
    )
    code += f"from bot.cli import main; main([{command!r}])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 1
    message = done.stderr.strip()
    assert len(message.splitlines()) == 1
    assert 'pip install "forewarm-bot[demo]"' in message
    assert "pip install forewarm" not in message
