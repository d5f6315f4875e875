"""A hidden screen: holds words back until the draft is submitted, then passes them on live."""

from __future__ import annotations

from bot.answer.loop import Screen
from bot.delivery.slack_api import Task


class Relay:
    """Keeps what is said until `attach`; from then on it is a mere passage to that screen."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._tasks: dict[str, Task] = {}
        self._screen: Screen | None = None

    def __repr__(self) -> str:
        held = sum(map(len, self._text))
        return f"<Relay {'attached' if self._screen else f'holding {held} characters'}>"

    async def attach(self, screen: Screen) -> None:
        """Show what was held back, all at once, then everything as it comes."""
        text, tasks = "".join(self._text), list(self._tasks.values())
        self._text, self._tasks, self._screen = [], {}, screen
        if text:
            await screen.feed(text)
        for task in tasks:
            if task.status == "in_progress":
                await screen.task(task)

    async def feed(self, text: str) -> None:
        if self._screen is None:
            self._text.append(text)
        else:
            await self._screen.feed(text)

    async def task(self, task: Task) -> None:
        if self._screen is None:
            self._tasks[task.id] = task
        else:
            await self._screen.task(task)

    async def rewind(self, text: str) -> None:
        if self._screen is None:
            self._text = [text] if text else []
        else:
            await self._screen.rewind(text)

    async def say(self, status: str) -> None:
        if self._screen is not None:
            await self._screen.say(status)
