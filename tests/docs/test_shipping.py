"""Files that install and release the product: the unit of systemd, the workflow, the Procfile."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIT = (ROOT / "deploy" / "systemd" / "forewarm.service").read_text("utf-8")
WORKFLOW = (ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8")
LONGEST_STOP = 25
"""Seconds after SIGTERM at which the bot has ended at the latest."""


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine, so the unit was not verified")
    unit = tmp_path / "forewarm.service"
    # The program that a unit starts must exist.
    unit.write_text(UNIT.replace("/opt/forewarm/bin/forewarm", sys.executable))
    done = subprocess.run([program, "verify", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_lets_the_bot_end_by_itself() -> None:
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert int(seconds) > LONGEST_STOP


def test_the_workflow_finds_the_lock_of_the_build_tools() -> None:
    """The workflow reads it from the Dockerfile, as it stands there."""
    [command] = re.findall(r"(sed -n .* Dockerfile) > build.lock", WORKFLOW)
    found = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True)  # noqa: S602
    assert re.fullmatch(r"setuptools==\S+ --hash=sha256:[0-9a-f]{64}\n", found.stdout)


def test_the_workflow_names_no_host() -> None:
    assert re.findall(r"https?://|\b[\w-]+\.(?:io|org|com|dev)\b", WORKFLOW) == []


def test_both_distributions_have_one_version() -> None:
    files = (ROOT / "pyproject.toml", ROOT / "playground" / "pyproject.toml")
    assert (
        len({tomllib.loads(file.read_text("utf-8"))["project"]["version"] for file in files}) == 1
    )


def test_the_procfile_starts_the_bot() -> None:
    [(name, command)] = re.findall(r"^(\w+): (.+)$", (ROOT / "Procfile").read_text("utf-8"))
    assert name == "web"
    python, *rest = command.split()
    assert python == "python"
    shown = subprocess.run(
        [sys.executable, *rest, "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "serve" in shown.stdout
    assert (ROOT / "requirements.txt").read_text("utf-8").endswith("-r requirements-serve.lock\n")


def _pinned(name: str) -> dict[str, str]:
    """Return the versions of a lock file by package; each must have a hash."""
    text = (ROOT / name).read_text("utf-8")
    entries = re.findall(
        r"^(\S+)==([^\s;]+)[^\n]*\\\n((?:\s+--hash=\S+(?: \\)?\n)+)", text, re.MULTILINE
    )
    assert len(entries) == len(re.findall(r"^\S+==", text, re.MULTILINE))
    return {package: version for package, version, _ in entries}


def test_the_image_takes_the_packages_of_the_clouds_from_a_lock() -> None:
    """They come on top of those of the bot, in the versions that the tests run with."""
    serve, clouds = _pinned("requirements-serve.lock"), _pinned("requirements-clouds.lock")
    tested = _pinned("requirements.lock")
    assert {"boto3", "google-auth"} <= set(clouds)
    assert not set(serve) & set(clouds)
    assert clouds.items() <= tested.items()
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    [given] = re.findall(r"--build-arg EXTRAS=(\S+)", dockerfile)
    shown = subprocess.run(
        ["sh", "-c", "echo ${EXTRAS:+-r requirements-$EXTRAS.lock}"],
        env={"EXTRAS": given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "${EXTRAS:+-r requirements-$EXTRAS.lock}" in dockerfile
    assert shown.stdout == "-r requirements-clouds.lock\n"
    assert "requirements-clouds.lock" in (ROOT / ".dockerignore").read_text("utf-8")
