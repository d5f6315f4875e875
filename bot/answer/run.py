"""One question on its way to its answer: queue, preparation, rounds, ending, memory."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from bot.answer.dependencies import Dependencies
from bot.answer.events import FirstWords, Outcome, QuestionEnded
from bot.answer.feedback import Mark
from bot.answer.interfaces import Current, Excerpts, NotOurs, SavedAnswer, Takeover
from bot.answer.latency import Moments, slack_wait, split
from bot.answer.loop import Asked, Loop, Progress
from bot.answer.mishaps import suppressed_store_failures
from bot.answer.places import write_places
from bot.answer.prepare import Prepared, prepare, prepare_saved
from bot.answer.question import Question, target_of, together
from bot.answer.receipt import stop_block, wrote_again_block
from bot.answer.receipts import Finished, blocks_for
from bot.answer.result import Ending, EndingKind
from bot.answer.screen import AnswerScreen
from bot.answer.speculative.drafts import SpeculativeAnswer
from bot.answer.status import LATER, READING, StatusLine
from bot.answer.thread.prompt import Conversation, Limits
from bot.claude.errors import ClaudeError
from bot.context.config.load import ContextConfig
from bot.delivery.delivery import Delivered, Delivery
from bot.delivery.slack_api import JsonObject, Painted, SlackCallError
from bot.errors import ForewarmError

log = structlog.get_logger(__name__)

WARM_SHARE = 0.8
LOST = "the cached code was evicted early"
"""The part of a prefix's tokens that must be read to call it warm; their number is an estimate."""
PAINT_SECONDS = 1.5
ABANDON_SECONDS = 5.0
RECHECK_SECONDS = 5.0
"""After a longer wait for a place or for a warm-up, access is looked at again: the person may have
left meanwhile."""
SMALLEST_MESSAGE = 100


class AnswerRun:
    """Carries one question to its one answer.

    `messages` are those in Slack that the answer stands in, oldest first, `said_at` when its
    first words were on screen. `denied` is why Claude is not asked: the answer lists places only.
    """

    def __init__(
        self,
        parts: Dependencies,
        question: Question,
        context: ContextConfig,
        takeover: Takeover | None = None,
        recipient: str | None = None,
        begun: SpeculativeAnswer | None = None,
        denied: str | None = None,
    ) -> None:
        self.question = question
        self.context = context
        self._parts = parts
        self._takeover = takeover or Takeover()
        self._begun = begun
        self._denied = denied
        self._viewer = recipient or question.user
        self._began_at = parts.now()
        self._target = target_of(question, recipient)
        after = 0.0 if question.in_thread else LATER
        self._status = StatusLine(parts.calls, self._target, after)
        self._cut: asyncio.Future[EndingKind] = asyncio.get_running_loop().create_future()
        self._prepared: Prepared | None = None
        self._talk: Conversation | None = None
        self._screen: AnswerScreen | None = None
        self._progress = Progress()
        self._wait: float | None = None
        self._cold = ""
        self._quiet: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._quiet.set_result(None)
        self.messages: list[str] = list(self._takeover.standing)
        self.said_at: float | None = None
        self.outcome: Outcome | None = None
        self.ended = asyncio.Event()
        self.later: Question | None = None
        self.offers_later = False
        self._closing = False

    @property
    def prefix_fingerprint(self) -> str | None:
        """That of the prefix the answer is given on, once it is known."""
        return self._prepared.current.prefix.fingerprint if self._prepared is not None else None

    def cut(self, kind: EndingKind) -> None:
        """End the answer now. The first reason counts."""
        if not self._cut.done():
            self._cut.set_result(kind)

    @property
    def may_join(self) -> bool:
        """Whether another message can still be answered together with this question."""
        shown = bool(self._progress.text) or bool(self.messages)
        return not shown and not self._cut.done() and not self._closing

    def hold(self, question: Question) -> bool:
        """Keep a later question of the asker: the answer ends with a button for it.

        False if the end of the answer is already on its way.
        """
        if self._closing or self._cut.done():
            return False
        if self.later is not None:
            question = together(self.later, question)
        self.later = question
        return True

    async def run(self) -> None:
        """Answer. Raises nothing but cancellation: what goes wrong is told in the thread."""
        self._status.show(READING)
        # In a thread the status leaves before anything else is asked of Slack.
        await asyncio.sleep(0)
        try:
            if self._takeover.saved is not None:
                await self._complete(self._takeover.saved)
            elif self._denied is not None:
                await self._deny(self._denied)
            else:
                await self._end(await self._race(self._generate()))
        except asyncio.CancelledError:
            # This process is stopping. Its messages are noted, and the next holder replaces them.
            await self._abandon()
            raise
        except NotOurs:
            log.info("question_taken_by_other", question=self.question.id)
            await self._abandon()
        except ForewarmError as error:
            log.warning("answer_failed", question=self.question.id, why=type(error).__name__)
            await self._fail(Ending("failed", error))
        except Exception:
            log.exception("answer_crashed", question=self.question.id)
            await self._fail(Ending("failed"))
        finally:
            if self._screen is not None:
                self._screen.close()
            await self._quiet
            await self._status.close(replied=bool(self.messages))

    async def _race(self, work: Coroutine[Any, Any, Ending]) -> Ending:
        """Return the work's ending, or the reason for which it was cut short."""
        task = asyncio.ensure_future(work)
        first: set[asyncio.Future[Any]] = {task, self._cut}
        try:
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            return await task if task.done() else Ending(self._cut.result())
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    # --- generating -----------------------------------------------------------------------------

    async def _generate(self) -> Ending:
        async with self._parts.queue.place(self._queued, self.question.user):
            if not await self._is_permitted():
                if self._begun is not None:
                    self._begun.running.cancel()
                return Ending("forbidden")
            if self._begun is not None:
                ending = await self._hand_over(self._begun)
                if ending.is_remembered or self._progress.text:
                    return ending
            self._status.show(READING)
            prepared = await prepare(self._parts, self.question, self.context)
            try:
                if not await self._is_permitted():
                    return Ending("forbidden")
                self._prepared = prepared
                return await self._fitted(prepared)
            finally:
                # Told already unless the answer was cut short before its request was made.
                prepared.ticket.report_failure("cancelled")

    async def _is_permitted(self) -> bool:
        """Tell whether the person may still see the code, if access was decided a while ago."""
        now = self._parts.now()
        if 0 <= now - self._began_at < RECHECK_SECONDS:
            return True
        self._began_at = now
        return await self._parts.gate.permits(self._viewer, self.question, self.context)

    async def _fitted(self, prepared: Prepared) -> Ending:
        """Attempt with ever less of the thread if the model says that the prompt is too long."""
        limits = prepared.limits(self._parts.limits)
        talk = prepared.conversation(self.question, self.context, limits)
        while True:
            ending = await self._attempt(prepared, talk)
            if not self._was_too_long(ending):
                return ending
            if prepared.excerpts.text:
                # Excerpts are a guess, the thread is what people said.
                prepared = self._prepared = replace(prepared, excerpts=Excerpts())
                talk = prepared.conversation(self.question, self.context, limits)
                continue
            shorter = self._shorter(prepared, limits, talk)
            if shorter is None:
                return ending
            limits, talk = shorter

    def _shorter(
        self, prepared: Prepared, limits: Limits, talk: Conversation
    ) -> tuple[Limits, Conversation] | None:
        """Return a conversation with less of the thread; None if nothing more can be left out.

        A prompt that was too long is never sent again unchanged.
        """
        while limits.message >= SMALLEST_MESSAGE:
            limits = limits.halved()
            less = prepared.conversation(self.question, self.context, limits)
            if less.messages != talk.messages:
                return limits, less
        return None

    async def _hand_over(self, begun: SpeculativeAnswer) -> Ending:
        """Show the answer that was begun on the draft: what is there at once, then the rest."""
        self._prepared, self._talk = begun.prepared, begun.talk
        self._progress = begun.loop.progress
        await begun.relay.attach(self._open_screen())
        arrival = asyncio.ensure_future(self._arrived(begun))
        try:
            return await begun.running
        finally:
            arrival.cancel()
            await asyncio.gather(arrival, return_exceptions=True)

    async def _arrived(self, begun: SpeculativeAnswer) -> None:
        """Let warmth know of the question, which makes no request of its own."""
        prefix = begun.prepared.current.prefix
        ticket = await self._parts.warmth.join(prefix, self.question, self.context)
        progress = begun.loop.progress
        if progress.started_at is None or progress.requested_at is None:
            ticket.report_failure("cancelled")
            return
        seconds = progress.started_at - progress.requested_at
        ticket.report_start(progress.usage, seconds=seconds)

    async def _attempt(self, prepared: Prepared, talk: Conversation) -> Ending:
        self._talk = talk
        asked = Asked(
            id=self.question.id,
            context=self.context.name,
            prefix=prepared.current.prefix,
            ticket=prepared.ticket,
            messages=self._talk.messages,
            snapshot=prepared.current.snapshot,
            is_permitted=partial(
                self._parts.gate.permits, self._viewer, self.question, self.context
            ),
            code=prepared.code,
        )
        loop = Loop(
            self._parts.model,
            asked,
            self._open_screen(),
            executor=self._parts.executor,
            now=self._parts.now,
            allowance=prepared.allowance(self._parts.allowance),
        )
        self._progress = loop.progress
        return await loop.run()

    def _was_too_long(self, ending: Ending) -> bool:
        error = ending.error
        too_long = isinstance(error, ClaudeError) and error.kind == "too_long"
        return too_long and not self._progress.text

    def _queued(self, position: int) -> None:
        before = "1 answer is" if position == 1 else f"{position} answers are"
        self._status.show(f"is waiting for its turn: {before} before this one…")

    # --- showing --------------------------------------------------------------------------------

    def _open_screen(self) -> AnswerScreen:
        if self._screen is None:
            lead = self._prepared.places if self._prepared is not None else ""
            self._screen = AnswerScreen(
                self._begin, self._status, self.messages, self._stopped, lead
            )
            self._screen.painted.add_done_callback(self._first_words)
        return self._screen

    def _begin(self, standing: Sequence[str]) -> Delivery:
        snapshot = self._prepared.current.snapshot if self._prepared is not None else None
        return self._parts.deliver(
            self._target,
            snapshot,
            tuple(standing),
            self._noted,
            (stop_block(self.question.id),),
            self.context.link_hosts,
        )

    def _stopped(self, by_user: bool) -> None:
        self.cut("stopped" if by_user else "failed")

    async def _noted(self, ts: str) -> None:
        if ts not in self.messages:
            self.messages.append(ts)
            try:
                with suppressed_store_failures(self.question.id):
                    await self._parts.inbox.note_message(self.question.id, ts)
            except NotOurs:
                # The present holder of the question replaces the messages; this process stops.
                self.cut("superseded")
            asked = self.question
            place = asked.workspace, asked.channel, asked.root
            await self._parts.threads.note_own(*place, ts)

    def _first_words(self, painted: asyncio.Future[Painted]) -> None:
        if painted.cancelled():
            return
        first = painted.result()
        self.said_at = first.at
        self._quiet = asyncio.ensure_future(self._status.close(replied=True))
        # Places that were found are no words of the model, so they end no perceived wait.
        if self._prepared is not None and self._progress.started_at is not None:
            record = self._first_words_record(first, self._prepared.current)
            self._wait = record.wait.total
            self._parts.journal.write(record)

    def _first_words_record(self, first: Painted, current: Current) -> FirstWords:
        made = self._screen is not None and self._screen.words_created and self.question.is_stamped
        warm, cold = self._is_warm(current), self._prepared.ticket.cold if self._prepared else ""
        if not (warm or cold) and self._progress.usage.written:
            cold = LOST
        self._cold = "" if warm else cold
        return FirstWords(
            at=first.at,
            question=self.question.id,
            context=self.context.name,
            wait=split(self._moments(first.at)),
            warm=warm,
            cold=self._cold,
            slack_wait=slack_wait(self.question.ts, first.ts) if made else None,
        )

    def _is_warm(self, current: Current) -> bool:
        read = self._progress.usage.cache_read
        return read > 0 and read >= WARM_SHARE * current.prefix.tokens

    def _moments(self, painted_at: float) -> Moments:
        return Moments(
            asked_at=self.question.asked_at,
            received_at=self.question.received_at,
            prepared_at=self._prepared.at if self._prepared is not None else None,
            requested_at=self._progress.requested_at,
            started_at=self._progress.started_at,
            first_text_at=self._progress.first_text_at,
            painted_at=painted_at,
        )

    # --- ending ---------------------------------------------------------------------------------

    async def _end(self, ending: Ending) -> None:
        """Finish what is on screen with its receipt and its honest last line; remember the turn."""
        said = bool(self._progress.text.strip())
        self.outcome = ending.outcome(said)
        if ending.kind == "superseded":
            await self._abandon()
        elif ending.kind in ("deleted", "joined") and not said and not self.messages:
            await self._abandon()
            await self._close(self.outcome, None)
        else:
            stage = self._open_screen()
            if not said and ending.is_unavailable:
                await self._show_places(stage)
            citations = await stage.settle()
            if not said:
                # A list of places is linked by the same check, but no answer cites them.
                citations = (0, 0, 0)
            await self._wait_for_paint(stage)
            answer = await self._answer(ending, self.outcome, citations)
            await self._keep(answer)
            delivered = await stage.finish(answer.blocks, answer.last_line)
            self.offers_later = self.later is not None and delivered.failure is None
            await self._close(self.outcome, delivered)
            await self._record_uses(delivered)

    async def _record_uses(self, delivered: Delivered) -> None:
        """Count the files that a finished answer cites and has read."""
        used = delivered.used | self._progress.read_files
        if self.outcome == "answered" and self._parts.uses is not None and used:
            with suppressed_store_failures(self.question.id):
                await self._parts.uses.record(self.context.name, used)

    async def _deny(self, why: str) -> None:
        """Say why Claude is not asked, below the places that match the question."""
        with suppress(ForewarmError):
            # The snapshot checks and links the places.
            self._prepared = await prepare_saved(self._parts, self.context)
        await self._end(Ending("denied", ForewarmError(why)))

    async def _show_places(self, stage: AnswerScreen) -> None:
        """Show the places that match the question: Claude cannot answer it now."""
        if self._parts.excerpts is not None:
            found = await self._parts.excerpts.places(self.context.name, self.question.text)
            text = write_places(found, self.question.text)
            if text:
                await stage.feed_instead(text)

    async def _wait_for_paint(self, stage: AnswerScreen) -> None:
        """A short answer may be whole before its first words are on screen: the receipt waits."""
        if stage.will_paint:
            await asyncio.wait({stage.painted}, timeout=PAINT_SECONDS)

    async def _answer(
        self, ending: Ending, outcome: Outcome, citations: tuple[int, int, int]
    ) -> SavedAnswer:
        remembered = self._talk is not None and ending.is_remembered
        turn = self._progress.turn(self._talk.asked) if self._talk and remembered else ()
        finished = Finished(
            mark=Mark(self.question.id, self.context.name, self.prefix_fingerprint or ""),
            prepared=self._prepared,
            talk=self._talk,
            progress=self._progress,
            citations=citations,
            wait=self._wait,
            cold=self._cold,
        )
        blocks = await blocks_for(self._parts, finished)
        self._closing = True
        if self.later is not None:
            blocks = (wrote_again_block(self.later.id), *blocks)
        lead = self._screen.said_lead if self._screen is not None else ""
        return SavedAnswer(
            text=lead + self._progress.text,
            last_line=ending.last_line,
            blocks=blocks,
            messages=turn,
            outcome=outcome,
        )

    async def _keep(self, answer: SavedAnswer) -> None:
        with suppressed_store_failures(self.question.id):
            await self._parts.inbox.save_answer(self.question.id, answer)
        with suppressed_store_failures(self.question.id):
            await self._remember(answer.messages)

    async def _remember(self, turn: Sequence[JsonObject]) -> None:
        if turn:
            question = self.question
            await self._parts.turns.append(
                question.workspace,
                question.channel,
                question.root,
                question.id,
                turn,
                self.context.name,
            )

    async def _complete(self, saved: SavedAnswer) -> None:
        """Show a whole answer that was stored before its holder died."""
        with suppress(ForewarmError):
            self._prepared = await prepare_saved(self._parts, self.context)
        stage = self._open_screen()
        self._progress = Progress(settled=saved.text)
        if saved.text:
            await stage.feed(saved.text)
        with suppressed_store_failures(self.question.id):
            await self._remember(saved.messages)
        delivered = await stage.finish(saved.blocks, saved.last_line)
        self.outcome = saved.outcome
        await self._close(saved.outcome, delivered)

    async def _fail(self, ending: Ending) -> None:
        """Say in the thread that it failed; if Slack has failed, only record it."""
        self.outcome = ending.outcome(bool(self._progress.text))
        delivered: Delivered | None = None
        try:
            stage = self._open_screen()
            told_by_slack = isinstance(ending.error, SlackCallError)
            if ending.is_unavailable and not self._progress.text and not told_by_slack:
                await self._show_places(stage)
            delivered = await stage.finish((), ending.last_line)
        except ForewarmError as error:
            log.warning("failure_not_shown", question=self.question.id, why=str(error))
        with suppress(NotOurs):
            await self._close(self.outcome, delivered)

    async def _abandon(self) -> None:
        if self._screen is not None:
            with suppress(ForewarmError, TimeoutError):
                async with asyncio.timeout(ABANDON_SECONDS):
                    self.messages = list(await self._screen.abandon())

    async def _close(self, outcome: Outcome, delivered: Delivered | None) -> None:
        if delivered is not None:
            self.messages = list(delivered.messages)
            if delivered.failure is not None:
                log.warning("answer_not_shown", question=self.question.id, why=delivered.failure)
                outcome = self.outcome = "failed"
        with suppressed_store_failures(self.question.id):
            await self._parts.inbox.finish(self.question.id, outcome)
        cites = delivered if self._progress.text.strip() else None
        self._parts.journal.write(
            QuestionEnded(
                at=self._parts.now(),
                question=self.question.id,
                context=self.context.name,
                outcome=outcome,
                cited=cites.cited if cites else 0,
                corrected=cites.corrected if cites else 0,
                struck=cites.struck if cites else 0,
                rounds=self._progress.replies,
                look_ups=self._progress.look_ups,
                excerpts=self._prepared.excerpts.count if self._prepared else 0,
                characters=len(self._progress.text),
            )
        )
