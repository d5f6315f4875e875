"""Folders and files that only the user who runs the bot can read: they hold private code."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

UMASK = 0o077
"""For processes that write into the home folder, such as git."""


def make_private_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing, each readable by its owner alone."""
    if folder.is_dir():
        return
    make_private_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def make_tree_private(folder: Path) -> None:
    """Take all rights from other users, below `folder` too: earlier versions gave some.

    A file that belongs to another user is left as it is. Blocks.
    """
    make_private_folder(folder)
    _restrict(folder)
    for here, folders, files in os.walk(folder):
        for name in (*folders, *files):
            _restrict(Path(here, name))


def _restrict(path: Path) -> None:
    with suppress(OSError):
        mode = path.lstat().st_mode & 0o777
        if mode & UMASK and not path.is_symlink():
            path.chmod(mode & ~UMASK)
