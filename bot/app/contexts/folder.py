"""The folder of context files, followed while the bot runs.

The folder is looked at every few seconds: names, sizes and times of change. If one differs, all
files are read again. A file that cannot be used keeps the last good version of its context in
force, and its problem is told in the log, in the metrics and to operators in Slack.
"""

from __future__ import annotations

from pathlib import Path

from bot.context.config.load import LoadedContexts, load_contexts

Stamp = tuple[tuple[str, int, int], ...]


class ContextFiles:
    """Tells when the files have changed, and what is wrong with them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp: Stamp | None = None
        self.problems: tuple[str, ...] = ()

    def read(self) -> LoadedContexts:
        """Read all files now. Blocks briefly."""
        self._stamp = self._look()
        loaded = load_contexts(self._folder)
        self.problems = tuple(problem.user_message for problem in loaded.problems)
        return loaded

    def read_if_changed(self) -> LoadedContexts | None:
        """Read all files if one was changed, added or removed since the last time. Blocks."""
        return None if self._look() == self._stamp else self.read()

    def _look(self) -> Stamp:
        try:
            files = sorted(self._folder.glob("*.toml"))
            found = [(file.name, file.stat()) for file in files]
        except OSError:
            # A file was removed between the two calls: the next look sees the rest.
            return ()
        return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in found)
