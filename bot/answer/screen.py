"""Show an answer: by the running delivery, or by the next one if it must begin again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bot.answer.status import StatusLine
from bot.delivery.delivery import Delivered, Delivery
from bot.delivery.slack_api import JsonObject, Painted, Task

Open = Callable[[Sequence[str]], Delivery]


class AnswerScreen:
    """A `Screen` over deliveries; the first one takes the place of what is `standing`.

    `painted` is done with the first words of the first delivery that showed any. `words_created`
    tells whether they made the message themselves, so that its time stamp is theirs.
    `on_stopped` is called when nothing more can be shown, with whether the user wanted that.
    `lead` stands before the first words. It waits for them, so that the time to the first words is
    the model's.
    """

    def __init__(
        self,
        open: Open,
        status: StatusLine,
        standing: Sequence[str],
        on_stopped: Callable[[bool], None],
        lead: str = "",
    ) -> None:
        self._open = open
        self._on_stopped = on_stopped
        self._status = status
        self._words_created = not standing
        self._fed = False
        self._lead = self._unsaid_lead = lead
        self._watcher: asyncio.Task[None] | None = None
        self.painted: asyncio.Future[Painted] = asyncio.get_running_loop().create_future()
        self.delivery = self._begin(standing)

    @property
    def will_paint(self) -> bool:
        """Whether words are on their way to the screen before the answer ends."""
        return self._fed and not self.painted.done() and self.delivery.mode != "once"

    @property
    def words_created(self) -> bool:
        return self._words_created

    @property
    def said_lead(self) -> str:
        """The lead if it is on screen."""
        return "" if self._unsaid_lead else self._lead

    async def feed(self, text: str) -> None:
        self._fed = True
        lead, self._unsaid_lead = self._unsaid_lead, ""
        if lead:
            await self.delivery.feed(lead, counted=False)
        await self.delivery.feed(text)

    async def feed_instead(self, text: str) -> None:
        """Show a text that replaces the lead and the model's words."""
        self._lead = self._unsaid_lead = ""
        await self.feed(text)

    async def task(self, task: Task) -> None:
        if not self._fed:
            self._words_created = self._words_created and self.delivery.mode != "stream"
            if self.delivery.mode != "stream":
                # Only a stream shows tasks; elsewhere the status line is all there is.
                self._status.show(_status_of(task))
        await self.delivery.task(task)

    async def rewind(self, text: str) -> None:
        """Begin anew with `text`, in place of what stands."""
        standing = await self.delivery.abandon()
        self._end_watch()
        self.delivery = self._begin(standing)
        self._unsaid_lead = self._lead
        if text:
            await self.feed(text)

    async def say(self, status: str) -> None:
        if not self._fed:
            self._status.show(status)

    async def settle(self) -> tuple[int, int, int]:
        return await self.delivery.settle()

    async def finish(self, blocks: Sequence[JsonObject], last_line: str) -> Delivered:
        return await self.delivery.finish(blocks, last_line or None)

    async def abandon(self) -> Sequence[str]:
        return await self.delivery.abandon()

    def close(self) -> None:
        self._end_watch()
        self.painted.cancel()

    def _begin(self, standing: Sequence[str]) -> Delivery:
        delivery = self._open(standing)
        delivery.first_painted.add_done_callback(self._first)
        self._watcher = asyncio.ensure_future(self._watch(delivery))
        return delivery

    def _first(self, future: asyncio.Future[Painted]) -> None:
        if not future.cancelled() and future.exception() is None and not self.painted.done():
            self.painted.set_result(future.result())

    async def _watch(self, delivery: Delivery) -> None:
        await delivery.stopped.wait()
        self._on_stopped(delivery.stopped_by_user)

    def _end_watch(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()


def _status_of(task: Task) -> str:
    """Return a task in words: the look-up, then its result and the places that it has shown."""
    doing = f"is {task.title[:1].lower()}{task.title[1:]}"
    if not task.output:
        return f"{doing}…"
    labels = ", ".join(label for _, label in task.sources)
    return f"{doing}: {task.output}" + (f" ({labels})" if labels else "")
