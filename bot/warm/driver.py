"""The driver: carries the governor's decisions out. It decides nothing itself.

Signals and questions come in; warm-ups go out, one in flight per prefix; looks are timed by the
event loop. A question that meets a warm-up waits for it, and of many on a cold prefix one writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from bot.claude.errors import ClaudeError
from bot.claude.events import Label, Purpose, RequestEnded
from bot.claude.usage import Ttl
from bot.clock import Now, system_now
from bot.warm.events import SignalReceived, WarmthDecided, WarmthMissed
from bot.warm.governor import Governor
from bot.warm.interfaces import Journal, Resolve, Saved, Target, Warmer, Writings
from bot.warm.join import JoinTicket
from bot.warm.signals import Signal
from bot.warm.types import Decision, Result
from bot.warm.write_lock import LocalWritings

PATIENCE = 1.5
SLACK = 2.0
"""A join waits for this many times the measured prefill, and so many seconds more, at most."""
SAVE_EVERY = 60.0
SENDS_THE_PREFIX = ("warm", "refresh", "question", "round", "draft")

_log = structlog.get_logger(__name__)


class Driver:
    """Keeps prefixes warm. Use from one event loop; `start` before, `stop` after.

    `resolve` names what a signal is about. `writings` and `saved` reach beyond this process where
    there are several. `single_slot` is for a server that works on one request at a time: a
    question then cancels another prefix's warm-up, and none starts while a question is running.
    """

    def __init__(
        self,
        warmer: Warmer,
        resolve: Resolve,
        journal: Journal,
        *,
        governor: Governor | None = None,
        writings: Writings | None = None,
        saved: Saved | None = None,
        now: Now = system_now,
        single_slot: bool = False,
    ) -> None:
        self.governor = governor or Governor()
        self._warmer = warmer
        self._resolve = resolve
        self._journal = journal
        self._writings: Writings = writings or LocalWritings()
        self._saved = saved
        self._now = now
        self._single_slot = single_slot
        self._targets: dict[str, Target] = {}
        self._looks: dict[str, asyncio.TimerHandle] = {}
        self._warming: dict[str, asyncio.Task[None]] = {}
        self._deferred: set[str] = set()
        self._asking = 0
        self._stopping = False
        self._messages: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # --- life -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Recall what was learned and what is alive."""
        if self._saved is not None:
            state = await self._saved.load()
            if state is not None:
                self.restore(state)
            self._spawn(self._keep_saving(self._saved))

    async def stop(self) -> None:
        """Cancel what is running and keep what was learned."""
        self._stopping = True
        for look in self._looks.values():
            look.cancel()
        self._looks.clear()
        running = [*self._warming.values(), *self._tasks]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._saved is not None:
            await self._saved.save(self.snapshot())

    def snapshot(self) -> dict[str, Any]:
        """Return everything that is to survive a restart, as JSON."""
        return {"governor": self.governor.snapshot(), "messages": dict(self._messages)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what `snapshot` returned; looks begin when `update` names the prefixes."""
        self.governor.restore(state["governor"])
        self._messages.update(state["messages"])

    # --- what comes in --------------------------------------------------------------------------

    async def signal(self, signal: Signal) -> Decision | None:
        """Take a signal; return what was decided, or None where it is about nothing known."""
        target = self._resolve(signal)
        self._journal.write(_received(signal, target))
        if target is None:
            return None
        self._targets[target.prefix.key] = target
        decision = self.governor.signal(target.facts, signal)
        self._follow(decision, signal.user)
        return decision

    async def update(self, target: Target) -> Decision:
        """Take a prefix as it stands now: when it was built, and when its repository has moved."""
        self._targets[target.prefix.key] = target
        decision = self.governor.attend(target.facts, self._now())
        self._follow(decision)
        return decision

    async def join(
        self, target: Target, *, channel: str | None, thread: str | None, user: str
    ) -> JoinTicket:
        """Take a question about to be sent; wait for a writing in flight, within its deadline.

        Of many questions on one cold prefix one leads, and the others wait until its response
        begins. Whoever leads must tell its passage what became of the request.
        """
        key, began = target.prefix.key, asyncio.get_running_loop().time()
        self._targets[key] = target
        self._make_way(key)
        try:
            decision = self.governor.question(target.facts, channel, thread, user, self._now())
            leads = await self._wait_or_lead(target, self._patience(key))
        except BaseException:
            self._asking -= 1
            raise
        waited = asyncio.get_running_loop().time() - began
        return self._passage(target, decision.ttl, leads, waited)

    def observe(self, record: object) -> None:
        """Learn from this process's requests that nobody joined for: rounds and drafts.

        Records of its own warm-ups and of questions that were joined here change nothing.
        """
        if not isinstance(record, RequestEnded) or record.purpose in ("warm", "refresh"):
            return
        if record.error is None and record.purpose in ("round", "draft"):
            result = Result(
                usage=record.usage, started_at=record.started_at, seconds=record.seconds
            )
            self._follow(self.governor.replied(record.prefix, record.ttl, result, record.at))

    def learn(self, record: object) -> None:
        """Learn from what another replica did: its entries live here too, its money is ours."""
        if not isinstance(record, RequestEnded):
            return
        if record.purpose in ("warm", "refresh"):
            self.governor.spending.turn(record.at)
            self.governor.spending.count(record.context, record.usd)
        if record.error is None and record.purpose in SENDS_THE_PREFIX:
            result = Result(
                usage=record.usage, started_at=record.started_at, seconds=record.seconds
            )
            self._follow(self.governor.replied(record.prefix, record.ttl, result, record.at))

    # --- carrying out ---------------------------------------------------------------------------

    def _follow(self, decision: Decision | None, user: str | None = None) -> None:
        """Begin the warm-up that a decision asks for, or set the time of the next look."""
        if decision is None:
            return
        self._tell(decision)
        key = decision.prefix
        if not decision.spends or key not in self._targets:
            self._look_at(key, decision.next_look_at)
        elif self._single_slot and self._asking:
            self._deferred.add(key)
        else:
            self._begin(self._targets[key], decision, user)

    def _tell(self, decision: Decision) -> None:
        """Write down what matters: what is done, what was missed, what nobody has money for."""
        target = self._targets.get(decision.prefix)
        if decision.notice:
            _log.warning("no_money_for_warmth", prefix=decision.prefix, reason=decision.reason)
        if target is None:
            return
        if decision.missed is not None:
            self._journal.write(_missed(decision, decision.missed, target))
            _log.warning("warmed_but_missed", prefix=decision.prefix, reason=decision.missed)
        if decision.action != "nothing" or decision.notice:
            self._journal.write(_decided(decision, target))

    def _begin(self, target: Target, decision: Decision, user: str | None) -> None:
        request = self.governor.begin(decision, user)
        self._look_at(decision.prefix, None)
        task = asyncio.create_task(self._warm(target, decision, request))
        self._warming[decision.prefix] = task

    async def _warm(self, target: Target, decision: Decision, request: str) -> None:
        """Send one warm-up and tell the governor what became of it."""
        key, name = decision.prefix, _name(target)
        result = Result(started_at=self._now(), seconds=0.0, error="cancelled")
        try:
            patience = self._patience(key)
            if await self._writings.begin(name, patience):
                try:
                    result = await self._send(target, decision)
                finally:
                    await asyncio.shield(self._writings.finish(name))
            else:
                # Another replica writes it: then ours will be a read, which tells what is alive.
                await self._writings.wait(name, patience)
        finally:
            del self._warming[key]
            after = self.governor.end(request, result, self._now())
            if not self._stopping:
                self._follow(after)

    async def _send(self, target: Target, decision: Decision) -> Result:
        started_at, key = self._now(), decision.prefix
        purpose: Purpose = "refresh" if decision.action == "refresh" else "warm"
        label = Label(purpose=purpose, context=target.context, expected=decision.expected)
        previous = self._messages.get(key)
        try:
            done = await self._warmer.warm(
                target.prefix, decision.ttl, label=label, previous=previous
            )
        except ClaudeError as error:
            return Result(
                started_at=started_at,
                seconds=0.0,
                error=error.kind,
                retry_after=error.retry_after,
            )
        self._remember(key, done.message_id)
        return Result(
            usage=done.usage,
            usd=done.usd,
            started_at=done.started_at,
            seconds=done.seconds,
            kept=done.complete,
            missed=done.missed,
        )

    # --- questions ------------------------------------------------------------------------------

    def _make_way(self, key: str) -> None:
        """On a server with one slot, cancel what a question would have to wait for in vain."""
        self._asking += 1
        if self._single_slot:
            for other, task in list(self._warming.items()):
                if other != key:
                    self._deferred.add(other)
                    task.cancel()

    async def _wait_or_lead(self, target: Target, patience: float) -> bool:
        """Return True when this question is to write; else the entry is there, or time is up."""
        loop, name = asyncio.get_running_loop(), _name(target)
        deadline = loop.time() + patience
        while True:
            warming = target.prefix.key in self._warming
            if not warming and self.governor.is_warm(target.facts, self._now()):
                return False
            if not warming and await self._writings.begin(name, patience):
                return True
            left = deadline - loop.time()
            if left <= 0 or not await self._wait(target, left):
                return False

    async def _wait(self, target: Target, seconds: float) -> bool:
        """Wait for the writing in flight; False where it has not ended in time."""
        task = self._warming.get(target.prefix.key)
        if task is None:
            return await self._writings.wait(_name(target), seconds)
        done, _ = await asyncio.wait({task}, timeout=seconds)
        return bool(done)

    def _passage(self, target: Target, ttl: Ttl, leads: bool, waited: float) -> JoinTicket:
        key, at = target.prefix.key, self._now()
        expected = self.governor.expected(target.facts, at)
        self.governor.sent(key, ttl, at)

        def tell(result: Result, message_id: str | None) -> None:
            self._remember(key, message_id)
            self._asking -= 1
            if leads:
                self._spawn(self._writings.finish(_name(target)))
            self._follow(self.governor.replied(key, ttl, result, self._now()))
            if not self._asking:
                self._resume()

        return JoinTicket(
            waited=waited,
            warmed=expected >= target.prefix.tokens,
            ttl=ttl,
            expected=expected,
            previous=self._messages.get(key),
            leads=leads,
            started_at=at,
            tell=tell,
        )

    def _resume(self) -> None:
        """Look again at what had to make way for questions."""
        deferred, self._deferred = self._deferred, set()
        for key in deferred:
            self._look(key)

    # --- time -----------------------------------------------------------------------------------

    def _look_at(self, key: str, at: float | None) -> None:
        """Set the prefix's one timer, or take it away."""
        old = self._looks.pop(key, None)
        if old is not None:
            old.cancel()
        if at is not None and not self._stopping:
            loop = asyncio.get_running_loop()
            self._looks[key] = loop.call_later(max(0.0, at - self._now()), self._look, key)

    def _look(self, key: str) -> None:
        self._looks.pop(key, None)
        self._follow(self.governor.look(key, self._now()))

    def _patience(self, key: str) -> float:
        """Return the seconds that anybody waits for this prefix to be written, at most."""
        return PATIENCE * self.governor.prefill(key) + SLACK

    # --- keeping --------------------------------------------------------------------------------

    def _remember(self, key: str, message_id: str | None) -> None:
        if message_id is not None:
            self._messages[key] = message_id

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep_saving(self, saved: Saved) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY)
            await saved.save(self.snapshot())

    def __repr__(self) -> str:
        return (
            f"<Driver {len(self._warming)} in flight, {len(self._looks)} looks: {self.governor!r}>"
        )


def _name(target: Target) -> str:
    return f"warm/{target.prefix.key}/{target.prefix.fingerprint}"


def _received(signal: Signal, target: Target | None) -> SignalReceived:
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


def _decided(decision: Decision, target: Target) -> WarmthDecided:
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


def _missed(decision: Decision, why: str, target: Target) -> WarmthMissed:
    return WarmthMissed(
        at=decision.at,
        prefix=decision.prefix,
        fingerprint=target.prefix.fingerprint,
        context=target.context,
        reason=why,
    )
