"""Files that a command is to write, looked at before the work whose result they take."""

from __future__ import annotations

import os
from pathlib import Path

from bot.errors import ForewarmError


def require_writable(**files: Path | None) -> None:
    """Raise `ForewarmError` for the first file that cannot be written, by the option's name."""
    for option, file in files.items():
        problem = None if file is None else _problem(file)
        if problem is not None:
            raise ForewarmError(
                f"{file} cannot be written ({problem}): give another --{option.replace('_', '-')}."
            )


def _problem(file: Path) -> str | None:
    folder = file.absolute().parent
    if file.is_dir():
        return "it is a folder"
    if not folder.is_dir():
        return f"there is no folder {folder}"
    if not os.access(file if file.exists() else folder, os.W_OK):
        return "this user has no right to"
    return None
