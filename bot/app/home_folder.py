"""The folder for the database file, clones and caches: made, and known to be writable."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from bot.context.private import make_private_folder
from bot.errors import ForewarmError
from bot.settings import Settings
from bot.store.sql.url import default_url, locate

log = structlog.get_logger(__name__)

REPOSITORIES = "repositories"
INDEXES = "index"
"""The folders of clones and of indexes below the home folder, each with one for each workspace
if the app is installed with OAuth."""


SECONDS_FOR_AN_END = 30.0
"""Seconds in which an earlier process may end: a restart often begins before the end."""


class DatabaseInUse(ForewarmError):
    """Another bot uses the database file, which serves one process."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"Another bot uses the database file {file}, and a file serves one process: stop that"
            " bot, or give this one a FOREWARM_HOME of its own, or both one PostgreSQL in"
            " DATABASE_URL."
        )


class HomeUnusable(ForewarmError):
    """FOREWARM_HOME cannot be made or written to."""

    def __init__(self, home: Path, why: str) -> None:
        super().__init__(
            f"The folder {home} cannot be used ({why}), so nothing can be stored: set FOREWARM_HOME"
            " to a folder that this process may write to."
        )
        self.home = home


class FolderOfAnother(ForewarmError):
    """A folder below FOREWARM_HOME belongs to another user."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"The bot's user may not write to the folder {folder}, so repositories cannot be kept:"
            " give all of FOREWARM_HOME to that user with `chown -R`, or remove this folder, which"
            " is filled again."
        )


def prepare_home(home: Path) -> None:
    """Create the folder, and try a write in it and in those below. Raises `HomeUnusable`."""
    try:
        make_private_folder(home)
        with tempfile.TemporaryFile(dir=home):
            pass
    except (FileExistsError, NotADirectoryError):
        why = "it is a file" if home.exists() else "a part of its path is a file"
        raise HomeUnusable(home, why) from None
    except OSError as error:
        raise HomeUnusable(home, (error.strerror or type(error).__name__).lower()) from None
    # A command that was run once as another user, such as root, left folders of that user.
    kept = [home / name for name in (REPOSITORIES, INDEXES)]
    for folder in (*kept, *(below for one in kept for below in one.glob("*/"))):
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise FolderOfAnother(folder)


@contextmanager
def held_by_this_process(
    settings: Settings, patience: float = SECONDS_FOR_AN_END
) -> Iterator[None]:
    """Hold the database file against a second bot. PostgreSQL serves several.

    A process that ends, however it ends, lets go. Blocks for at most `patience` seconds.

    Raises:
        DatabaseInUse: another process still holds it.
        HomeUnusable: the folder cannot be used.
    """
    file = locate(settings.database_url or default_url(settings.home)).path
    if file is None:
        yield
        return
    prepare_home(settings.home)
    lock = file.with_name(f"{file.name}.lock")
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield  # The store says why its folder cannot be used.
        return
    try:
        _wait_for(handle, file, patience)
        yield
    finally:
        os.close(handle)


def refuse_if_in_use(url: str) -> None:
    """Raise `ForewarmError` if a bot holds the database file of this address."""
    file = locate(url).path
    lock = file.with_name(f"{file.name}.lock") if file is not None else None
    if lock is None or not lock.exists():
        return
    with suppress(PermissionError), lock.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ForewarmError(
                f"A bot uses the database file {file}, and what it writes from now on would be"
                " missing in the copy: stop the bot first."
            ) from None


def _wait_for(handle: int, file: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    told = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise DatabaseInUse(file) from None
        except OSError as error:
            # Some network file systems have no locks.
            log.warning("database_not_locked", file=str(file), error=error.strerror)
            return
        else:
            return
        if not told:
            log.warning("database_in_use", file=str(file), waits_seconds=patience)
            told = True
        time.sleep(0.05)
