"""Repositories that benchmarks and tests make."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

_IDENTITY = ("-c", "user.name=T", "-c", "user.email=t@example.com")


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder. Raises `subprocess.CalledProcessError` if it fails."""
    subprocess.run(["git", *_IDENTITY, *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, files: Mapping[str, str], message: str = "change") -> None:
    """Write files and commit them; the folder becomes a repository if it is none."""
    if not (folder / ".git").exists():
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "init", "-q", "-b", "main")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
