"""The two wheels: their files, and the playground alone without the packages of the bot."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

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


@pytest.fixture(scope="session")
def alone(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the playground's wheel, which sees the packages of this one."""
    place = tmp_path_factory.mktemp("alone")
    venv.create(place, with_pip=False, symlinks=True)
    python = place / "bin" / "python"
    site = next(place.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheels["forewarm_playground"]) as opened:
        opened.extractall(site)
    ours = next(Path(sys.prefix).glob("lib/python*/site-packages"))
    (site / "shared.pth").write_text(f"{ours}\n")
    (site / "sitecustomize.py").write_text(REFUSE)
    return python


def run(python: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(python), "-P", "-m", "forewarm_playground", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=python.parent,
        env={"PATH": os.environ["PATH"]},
    )


@pytest.mark.parametrize(
    ("command", "keys"), [("local-slack", {"url", "api_url"}), ("local-claude", {"url"})]
)
def test_the_playground_runs_alone(alone: Path, command: str, keys: set[str]) -> None:
    """Its users test other bots: none of Forewarm's packages may be needed."""
    process = run(alone, command, "--port", "0", "--json")
    assert process.stdout is not None
    shown = process.stdout.readline()
    process.terminate()
    _, complaints = process.communicate(timeout=30)
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
    _, complaints = process.communicate(timeout=30)
    assert process.returncode == 1
    assert complaints.startswith("forewarm-playground: ")
    assert part in complaints
    assert len(complaints.strip().splitlines()) == 1


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
