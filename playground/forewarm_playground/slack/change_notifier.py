"""Notifies listeners of changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from forewarm_playground.slack.delivery.types import Change

Listener = Callable[[Change], None]


class ChangeNotifier:
    """Passes changes to listeners and wakes those that wait for anything at all to move."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._waiting: list[asyncio.Future[None]] = []

    def __repr__(self) -> str:
        return f"<ChangeNotifier [{len(self._listeners)} listeners | {len(self._waiting)} waiting]>"

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every change until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, change: Change) -> None:
        """Pass a change on."""
        for listener in self._listeners:
            listener(change)
        self.stir()

    def stir(self) -> None:
        """Wake those that wait."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def stirred(self) -> None:
        """Wait until anything moves."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def close(self) -> None:
        """Wake every listener. No more changes will come."""
        self.stir()
