"""The driver: carries out the governor's decisions. It decides nothing itself.

Signals and questions come in, warm-ups go out, at most one in flight per prefix. Each prefix has
one timer in the event loop for its next look. A question that meets a warm-up waits for it. Of many
questions on a cold prefix one writes the entry, and the others wait for it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import structlog

from bot.claude.errors import ClaudeError
from bot.claude.events import Journal, Label, Purpose, RequestEnded
from bot.claude.usage import Ttl
from bot.clock import Now, system_now
from bot.warm.events import SignalReceived, WarmthDecided, WarmthMissed
from bot.warm.governor import IN_FLIGHT, Governor
from bot.warm.interfaces import Saved, Target, Warmer, WriteLock
from bot.warm.join import JoinTicket
from bot.warm.prefix_state import STILL_COLD, STILL_WARM
from bot.warm.signals import Signal
from bot.warm.types import Decision, Result
from bot.warm.write_lock import LocalWriteLock

PREFILLS_WAITED = 1.5
SECONDS_WAITED = 2.0
"""A question waits for another's write for so many measured prefills and seconds, at most."""
SINGLE_SLOT_WAIT = 3600.0
"""Seconds that a question waits at most for the one slot of a server that is writing its prefix."""
SAVE_EVERY = 60.0
"""Seconds between two saves of the state."""
SENDS_THE_PREFIX = ("warm", "refresh", "question", "round", "draft")
"""Purposes of requests that read or write a prefix's entry."""

UNCHANGED = frozenset({IN_FLIGHT, STILL_COLD, STILL_WARM})
"""Reasons that say nothing new after an earlier decision."""
_NUMBERS = re.compile(r"[\d.,%$]+")

_log = structlog.get_logger(__name__)


class Driver:
    """Keeps prefixes warm. Use from one event loop; `start` before, `stop` after.

    `write_lock` and `saved` reach beyond this process if there are several. `single_slot` is for a
    server that works on one request at a time: a question then cancels another prefix's warm-up,
    and none starts while a question is running.
    """

    def __init__(
        self,
        warmer: Warmer,
        journal: Journal,
        *,
        governor: Governor | None = None,
        write_lock: WriteLock | None = None,
        saved: Saved | None = None,
        now: Now = system_now,
        single_slot: bool = False,
    ) -> None:
        self.governor = governor or Governor()
        self._warmer = warmer
        self._journal = journal
        self._write_lock: WriteLock = write_lock or LocalWriteLock()
        self._saved = saved
        self._now = now
        self._single_slot = single_slot
        self._targets: dict[str, Target] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._warm_ups: dict[str, asyncio.Task[None]] = {}
        self._deferred: set[str] = set()
        self._questions = 0
        self._is_stopping = False
        self._message_ids: dict[str, str] = {}
        self._reasons: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # --- life -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Load what was learned and what is alive."""
        if self._saved is not None:
            state = await self._saved.load()
            if state is not None:
                self.restore(state)
            self._start_task(self._save_regularly(self._saved))

    async def stop(self) -> None:
        """Cancel what is running, and save what was learned."""
        self._is_stopping = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        running = [*self._warm_ups.values(), *self._tasks]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._saved is not None:
            await self._saved.save(self.snapshot())

    def snapshot(self) -> dict[str, Any]:
        """Return everything that is to survive a restart as JSON."""
        return {"governor": self.governor.snapshot(), "messages": dict(self._message_ids)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what `snapshot` returned. Timers start when `update` names the prefixes."""
        self.governor.restore(state["governor"])
        self._message_ids.update(state["messages"])

    # --- what comes in --------------------------------------------------------------------------

    def signal(self, signal: Signal, target: Target | None) -> Decision | None:
        """Take in a signal and the prefix that it concerns. Return the decision about the prefix.

        The target is None, and nothing is decided, if nothing may be warmed for the signal.
        """
        self._journal.write(_signal_record(signal, target))
        if target is None:
            return None
        self._targets[target.prefix.key] = target
        decision = self.governor.handle_signal(target.facts, signal)
        self._carry_out(decision, signal.user)
        return decision

    def update(self, target: Target) -> Decision:
        """Take in a prefix as it is now: when it was built, and after a push."""
        self._targets[target.prefix.key] = target
        decision = self.governor.update_prefix(target.facts, self._now())
        self._carry_out(decision)
        return decision

    async def join(
        self, target: Target, *, channel: str | None, thread: str | None, user: str
    ) -> JoinTicket:
        """Take in a question that is about to be sent, and wait for a write in flight.

        Of many questions on one cold prefix one leads: it writes, and the others wait until its
        response begins. The caller must report to the ticket how its request went.
        """
        key, began = target.prefix.key, asyncio.get_running_loop().time()
        self._targets[key] = target
        self._make_way(key)
        try:
            cold = self.governor.cold_reason(target.facts, self._now())
            decision = self.governor.handle_question(
                target.facts, channel, thread, user, self._now()
            )
            leads = await self._wait_or_lead(target, self._longest_wait(key))
        except BaseException:
            # A question that was cancelled while it waited gets no ticket that could report.
            self._questions -= 1
            raise
        waited = asyncio.get_running_loop().time() - began
        return self._ticket(target, decision.ttl, leads, waited, cold)

    def observe(self, record: RequestEnded) -> None:
        """Learn from this process's requests that have no ticket: rounds and drafts.

        Warm-ups, and questions that joined, report by themselves.
        """
        if record.purpose in ("round", "draft"):
            self._apply_record(record)

    def learn(self, record: object) -> None:
        """Learn from another replica's request: its entry lives here too, its money counts here."""
        if not isinstance(record, RequestEnded):
            return
        if record.purpose in ("warm", "refresh"):
            self.governor.spending.turn_day(record.at)
            self.governor.spending.add(record.context, record.usd)
        if record.purpose == "question":
            self.governor.record_question_elsewhere(record.prefix, record.started_at)
        if record.purpose in SENDS_THE_PREFIX:
            self._apply_record(record)

    def _apply_record(self, record: RequestEnded) -> None:
        if record.error is not None:
            return
        result = Result(usage=record.usage, started_at=record.started_at, seconds=record.seconds)
        self._carry_out(self.governor.apply_reply(record.prefix, record.ttl, result, record.at))

    # --- carrying out ---------------------------------------------------------------------------

    def _carry_out(self, decision: Decision | None, user: str | None = None) -> None:
        """Begin the warm-up that a decision asks for, or set the timer for the next look."""
        if decision is None:
            return
        self._record(decision)
        key = decision.prefix
        if not decision.spends or key not in self._targets:
            self._set_timer(key, decision.next_look_at)
        elif self._single_slot and self._questions:
            # The question would wait for the warm-up's whole prefill.
            self._deferred.add(key)
        else:
            self._begin_warm_up(self._targets[key], decision, user)

    def _record(self, decision: Decision) -> None:
        """Write decisions to the journal if their action or reason is new, and log misses.

        Numbers of a reason change with each look, so they do not count as a new reason.
        """
        target = self._targets.get(decision.prefix)
        if decision.notice:
            _log.warning("warmth_cap_reached", prefix=decision.prefix, reason=decision.reason)
        if target is None:
            return
        if decision.missed is not None:
            self._journal.write(_miss_record(decision, decision.missed, target))
            _log.warning("cache_read_missed", prefix=decision.prefix, reason=decision.missed)
        why = decision.action + ": " + _NUMBERS.sub("", decision.reason)
        known = self._reasons.get(decision.prefix)
        # A question may have warmed what was to stay cold, or was let go.
        was_cold = known is not None and known.startswith(("nothing: ", "lapse: "))
        is_new = known != why and (
            known is None
            or decision.reason not in UNCHANGED
            or (decision.reason == STILL_WARM and was_cold)
        )
        if is_new:
            self._reasons[decision.prefix] = why
        if decision.action != "nothing" or decision.notice or is_new:
            self._journal.write(_decision_record(decision, target))

    def _begin_warm_up(self, target: Target, decision: Decision, user: str | None) -> None:
        request = self.governor.begin_warm_up(decision, user)
        self._set_timer(decision.prefix, None)
        task = asyncio.create_task(self._warm_up(target, decision, request))
        self._warm_ups[decision.prefix] = task

    async def _warm_up(self, target: Target, decision: Decision, request: str) -> None:
        """Send one warm-up, and report its result to the governor."""
        key, name = decision.prefix, _lock_name(target)
        result = Result(started_at=self._now(), seconds=0.0, error="cancelled")
        try:
            longest = self._longest_wait(key)
            if await self._write_lock.acquire(name, longest):
                try:
                    result = await self._send(target, decision)
                finally:
                    # Also if this task is cancelled: others wait for the lock.
                    await asyncio.shield(self._write_lock.release(name))
            else:
                # Another replica writes it. A request after that will be a read, which tells
                # what is alive.
                await self._write_lock.wait(name, longest)
        finally:
            del self._warm_ups[key]
            if result.lives is not None:
                self._targets[key] = replace(self._targets[key], lives=result.lives)
            following = self.governor.end_warm_up(request, result, self._now())
            if not self._is_stopping:
                self._carry_out(following)

    async def _send(self, target: Target, decision: Decision) -> Result:
        started_at, key = self._now(), decision.prefix
        purpose: Purpose = "refresh" if decision.action == "refresh" else "warm"
        label = Label(purpose=purpose, context=target.context, expected=decision.expected)
        previous = self._message_ids.get(key)
        try:
            warmed = await self._warmer.warm(
                target.prefix, decision.ttl, label=label, previous=previous
            )
        except ClaudeError as error:
            return Result(
                started_at=started_at,
                seconds=0.0,
                error=error.kind,
                retry_after=error.retry_after,
            )
        self._keep_message_id(key, warmed.message_id)
        return Result(
            usage=warmed.usage,
            usd=warmed.usd,
            started_at=warmed.started_at,
            seconds=warmed.seconds,
            kept=warmed.complete,
            missed=warmed.missed,
            lives=warmed.lives,
        )

    # --- questions ------------------------------------------------------------------------------

    def _make_way(self, key: str) -> None:
        """Count a question. On a server with one slot, cancel what would only delay it."""
        self._questions += 1
        if self._single_slot:
            for other, task in list(self._warm_ups.items()):
                if other != key:
                    self._deferred.add(other)
                    task.cancel()

    async def _wait_or_lead(self, target: Target, longest: float) -> bool:
        """Return True if this question is to write; False if the entry exists or time is up."""
        loop, name = asyncio.get_running_loop(), _lock_name(target)
        deadline = loop.time() + longest
        # A loop, because the write that was waited for may have failed: then one of those who
        # waited leads, and the others wait for it.
        while True:
            is_warming = target.prefix.key in self._warm_ups
            if not target.lives:
                # Nothing is written that a second question could read.
                return False
            if not is_warming and self.governor.is_warm(target.facts, self._now()):
                return False
            if not is_warming and await self._write_lock.acquire(name, longest):
                return True
            left = deadline - loop.time()
            if left <= 0 or not await self._wait_for_write(target, left):
                return False

    async def _wait_for_write(self, target: Target, seconds: float) -> bool:
        """Wait for the write in flight. Return False if it has not ended in time."""
        task = self._warm_ups.get(target.prefix.key)
        if task is None:
            return await self._write_lock.wait(_lock_name(target), seconds)
        done, _ = await asyncio.wait({task}, timeout=seconds)
        return bool(done)

    def _ticket(
        self, target: Target, ttl: Ttl, leads: bool, waited: float, cold: str
    ) -> JoinTicket:
        key, at = target.prefix.key, self._now()
        expected = self.governor.expected_tokens(target.facts, at)
        self.governor.record_request(key, ttl, at)

        def report(result: Result, message_id: str | None) -> None:
            self._keep_message_id(key, message_id)
            self._questions -= 1
            if leads:
                self._start_task(self._write_lock.release(_lock_name(target)))
            self._carry_out(self.governor.apply_reply(key, ttl, result, self._now()))
            if not self._questions:
                self._resume_deferred()

        return JoinTicket(
            waited=waited,
            warmed=expected >= target.prefix.tokens,
            ttl=ttl,
            expected=expected,
            previous=self._message_ids.get(key),
            leads=leads,
            cold=cold,
            started_at=at,
            report=report,
        )

    def _resume_deferred(self) -> None:
        """Look again at the prefixes that had to make way for questions."""
        deferred, self._deferred = self._deferred, set()
        for key in deferred:
            self._look(key)

    # --- time -----------------------------------------------------------------------------------

    def _set_timer(self, key: str, at: float | None) -> None:
        """Set the prefix's one timer, or remove it."""
        old = self._timers.pop(key, None)
        if old is not None:
            old.cancel()
        if at is not None and not self._is_stopping:
            loop = asyncio.get_running_loop()
            self._timers[key] = loop.call_later(max(0.0, at - self._now()), self._look, key)

    def _look(self, key: str) -> None:
        self._timers.pop(key, None)
        self._carry_out(self.governor.look(key, self._now()))

    def _longest_wait(self, key: str) -> float:
        """Return the seconds that a request waits for a write of this prefix, at most."""
        if self._single_slot:
            # Sent earlier, it would wait in the server's queue instead.
            return SINGLE_SLOT_WAIT
        return PREFILLS_WAITED * self.governor.prefill_seconds(key) + SECONDS_WAITED

    # --- helpers --------------------------------------------------------------------------------

    def _keep_message_id(self, key: str, message_id: str | None) -> None:
        """Keep the id of the prefix's latest message: the next request is compared with it."""
        if message_id is not None:
            self._message_ids[key] = message_id

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        # The loop holds only a weak reference to a task.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _save_regularly(self, saved: Saved) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY)
            await saved.save(self.snapshot())


def _lock_name(target: Target) -> str:
    return f"warm/{target.prefix.key}/{target.prefix.fingerprint}"


def _signal_record(signal: Signal, target: Target | None) -> SignalReceived:
    return SignalReceived(
        at=signal.at,
        kind=signal.kind,
        workspace=signal.workspace,
        channel=signal.channel,
        thread=signal.thread,
        user=signal.user,
        repository=signal.repository,
        context=target.context if target else None,
        prefix=target.prefix.key if target else None,
    )


def _decision_record(decision: Decision, target: Target) -> WarmthDecided:
    return WarmthDecided(
        at=decision.at,
        prefix=decision.prefix,
        fingerprint=target.prefix.fingerprint,
        action=decision.action,
        ttl=decision.ttl,
        reason=decision.reason,
        cost_usd=decision.cost_usd,
        gain_usd=decision.gain_usd,
        next_look_at=decision.next_look_at,
    )


def _miss_record(decision: Decision, why: str, target: Target) -> WarmthMissed:
    return WarmthMissed(
        at=decision.at,
        prefix=decision.prefix,
        fingerprint=target.prefix.fingerprint,
        context=target.context,
        reason=why,
    )
