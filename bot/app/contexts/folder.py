"""The folder of context files, followed while the bot runs.

The folder is looked at every few seconds: names, sizes and times of change. If one differs, all
files are read again. A file that cannot be used keeps the last good version of its context in
force, and its problem is told in the log, in the metrics and to operators in Slack.
"""

from __future__ import annotations

from pathlib import Path

from bot.context.config.load import LoadedContexts, load_contexts
from bot.context.errors import ContextError

Stamp = tuple[tuple[str, int, int], ...]


class ContextFiles:
    """Tells when the files have changed, and what is wrong with them."""

    def __init__(self, folder: Path, *, with_oauth: bool = False) -> None:
        """`with_oauth`: every context must name its workspace. Otherwise there is only one."""
        self._folder = folder
        self._with_oauth = with_oauth
        self._stamp: Stamp | None = None
        self.problems: tuple[str, ...] = ()
        self.loaded = LoadedContexts((), ())

    def read(self) -> LoadedContexts:
        """Read all files now. Blocks briefly."""
        self._stamp = self._look()
        loaded = load_contexts(self._folder)
        self.loaded = _placed(loaded) if self._with_oauth else _unplaced(loaded)
        self.problems = tuple(problem.user_message for problem in self.loaded.problems)
        return self.loaded

    def read_if_changed(self) -> LoadedContexts | None:
        """Read all files if one was changed, added or removed since the last time. Blocks."""
        return None if self._look() == self._stamp else self.read()

    def _look(self) -> Stamp:
        """Return what tells the present files from changed ones."""
        try:
            files = sorted(self._folder.glob("*.toml"))
        except OSError:
            return ()
        return tuple(_stamp(file) for file in files)


def _stamp(file: Path) -> tuple[str, int, int]:
    try:
        found = file.stat()
    except OSError:
        # Removed in between, or a link that leads nowhere: the other files are followed on.
        return file.name, 0, 0
    return file.name, found.st_mtime_ns, found.st_size


def _placed(loaded: LoadedContexts) -> LoadedContexts:
    """Leave out contexts that name no workspace."""
    problem = (
        "it names no workspace, and the app is installed with OAuth; add the id of the channels'"
        ' workspace, such as `workspace = "T0123ABCD"`'
    )
    nowhere = [ContextError(f"{c.name}.toml", problem) for c in loaded.contexts if not c.workspace]
    placed = tuple(context for context in loaded.contexts if context.workspace)
    return LoadedContexts(placed, (*loaded.problems, *nowhere))


def _unplaced(loaded: LoadedContexts) -> LoadedContexts:
    """Without OAuth there is one workspace, also if a file names another."""
    contexts = tuple(
        context.model_copy(update={"workspace": ""}) if context.workspace else context
        for context in loaded.contexts
    )
    return LoadedContexts(contexts, loaded.problems)
