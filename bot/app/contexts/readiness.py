"""Which contexts a bot that starts waits for before it calls itself ready."""

from __future__ import annotations

import structlog

from bot.app.contexts.registry import ContextRegistry

log = structlog.get_logger(__name__)


class Readiness:
    """Ready once, a bot stays ready as far as contexts go: questions wait for one being built."""

    def __init__(self, library: ContextRegistry) -> None:
        self._library = library
        self._was_ready = False

    def waited_for(self) -> list[str]:
        """Return the names of the contexts that are waited for.

        One that cannot be built holds the others up for a few attempts only. If there are
        contexts and none can be built, the bot stays unready: it could not answer.
        """
        if self._was_ready:
            return []
        lives = list(self._library.lives())
        unbuilt = [live for live in lives if live.prefix is None]
        if not lives or len(unbuilt) < len(lives):
            unbuilt = [live for live in unbuilt if not live.ready.is_set()]
        self._was_ready = not unbuilt
        if self._was_ready:
            log.info("ready", contexts=[live.config.name for live in lives])
        return [live.config.name for live in unbuilt]
