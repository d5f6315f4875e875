"""Background work: kept from the garbage collector, logged if it fails, and waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import nullcontext
from typing import Any

import structlog

from bot.errors import ForewarmError
from bot.log_context import about_question

log = structlog.get_logger(__name__)


class Tasks:
    """A set of running tasks."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Coroutine[Any, Any, None], question: str | None = None) -> None:
        """Run work; an error that it raises is logged.

        `question` is the id of the question that it is done for. Every log line of it carries it.
        """
        task = asyncio.ensure_future(_logged(work, question))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        # If it is cancelled before its first step, the coroutine was never awaited.
        task.add_done_callback(lambda _: work.close())

    async def drain(self, seconds: float | None = None) -> None:
        """Wait for the running tasks, at most `seconds`; then cancel those that are left.

        A task that calls it does not wait for itself: the removal of the app ends all other work.
        """
        loop = asyncio.get_running_loop()
        deadline = None if seconds is None else loop.time() + seconds
        # A running task may start more.
        while (running := self._others()) and (deadline is None or loop.time() < deadline):
            left = None if deadline is None else deadline - loop.time()
            await asyncio.wait(running, timeout=left)
        running = self._others()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _others(self) -> set[asyncio.Task[None]]:
        here = asyncio.current_task()
        return {task for task in self._running if task is not here}


async def _logged(work: Coroutine[Any, Any, None], question: str | None) -> None:
    with about_question(question) if question is not None else nullcontext():
        try:
            await work
        except ForewarmError as error:
            log.warning("task_failed", why=error.user_message)
        except Exception:
            log.exception("task_failed")
