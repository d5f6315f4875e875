"""The folder for the database file, clones and caches: made, and known to be writable."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bot.context.private import make_private_folder
from bot.errors import ForewarmError

REPOSITORIES = "repositories"
INDEXES = "index"
"""The folders of clones and of indexes below the home folder, each with one for each workspace
if the app is installed with OAuth."""


class HomeUnusable(ForewarmError):
    """FOREWARM_HOME cannot be made or written to."""

    def __init__(self, home: Path, why: str) -> None:
        super().__init__(
            f"The folder {home} cannot be used ({why}), so nothing can be stored: set FOREWARM_HOME"
            " to a folder that this process may write to."
        )
        self.home = home


def prepare_home(home: Path) -> None:
    """Create the folder and try a write in it. Raises `HomeUnusable`."""
    try:
        make_private_folder(home)
        with tempfile.TemporaryFile(dir=home):
            pass
    except (FileExistsError, NotADirectoryError):
        why = "it is a file" if home.exists() else "a part of its path is a file"
        raise HomeUnusable(home, why) from None
    except OSError as error:
        raise HomeUnusable(home, (error.strerror or type(error).__name__).lower()) from None
