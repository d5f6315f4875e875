"""One workspace's budgets, shared among its running answers. Pure; time comes in as seconds.

The first words of every answer go out at once. After that an answer that has been silent for its
fair share comes first, the longest silence before the others. The calls that are left over go to
answers that have just begun. An answer whose share would be too thin is not streamed but posted
and edited, or posted once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from heapq import heappop, heappush

from bot.delivery.engine.commands import Kind, Mode
from bot.delivery.rate_limit.budget import Budget, Rates

STREAM_INTERVAL = 16.0
"""Seconds between two appends that still make a stream worth having."""
EDIT_INTERVAL = 16.0
"""The same for edits."""
FIRST_GAPS = (0.2, 0.35, 0.5)
"""Seconds after the first calls of an answer until its next, if the budget allows it."""
GAP = 0.7
"""Seconds between two calls of one answer, if the budget allows it.

Source: docs/platform/slack.md#rate-limits.
"""
ROLLS = 3
"""Starts that are left to answers which need a second message."""
LATE = 1.2
"""Fair shares of silence after which an answer's next words press as much as another's last."""
ENDS = 0.7
"""The share of edited answers whose last edit is kept in reserve."""
LOOK_AGAIN = 0.1
"""Seconds after which a call is looked at again that was held back for the sake of others."""
_SPREAD: tuple[Kind, ...] = ("append", "update")
_KINDS: tuple[Kind, ...] = ("stop", "start", "post", "update", "append", "delete", "read")


class Slot:
    """One running answer: what it wants to call, when it was last heard, what it was granted."""

    __slots__ = (
        "before",
        "calls",
        "channel",
        "grant",
        "last",
        "mode",
        "notice",
        "turn",
        "urgent",
        "user",
        "wants",
        "way",
    )

    def __init__(self, channel: str, now: float, *, user: str = "", notice: bool = False) -> None:
        self.channel = channel
        self.user = user
        self.notice = notice
        self.way: Mode | None = None
        self.mode: Mode = "once"
        self.wants: tuple[Kind, ...] = ()
        self.grant: Kind | None = None
        self.urgent = False
        self.last = now
        self.calls = 0
        self.turn = 0
        self.before: tuple[float, int, Mode | None] = (now, 0, None)

    @property
    def gap(self) -> float:
        """Seconds that its next call keeps from its last."""
        if self.calls == 0 or self.urgent:
            return 0.0
        return FIRST_GAPS[self.calls - 1] if self.calls <= len(FIRST_GAPS) else GAP


class Queue:
    """The slots that want one kind of call: `ready` now, or resting until their gap is over.

    A slot's `turn` changes with every wish, which makes its older entries void.
    """

    def __init__(self) -> None:
        self.ready: dict[Slot, None] = {}
        self._resting: list[tuple[float, int, int, Slot]] = []
        self._entries = 0

    def add(self, slot: Slot, may_at: float, now: float) -> None:
        if may_at <= now:
            self.ready[slot] = None
            return
        self._entries += 1
        heappush(self._resting, (may_at, self._entries, slot.turn, slot))

    def rouse(self, now: float) -> float | None:
        """Make ready whose gap is over; return when the next one's is."""
        while self._resting:
            may_at, _, turn, slot = self._resting[0]
            if turn == slot.turn and may_at > now:
                return may_at
            heappop(self._resting)
            if turn == slot.turn:
                self.ready[slot] = None
        return None


class FairScheduler:
    """The budgets of one workspace and the answers that live on them.

    `has_streams` is False once a server has said that it knows no streams.
    """

    def __init__(self, rates: Rates, now: float) -> None:
        self.has_streams = True
        self._rates = rates
        self._budgets: dict[Kind, Budget] = {
            kind: Budget(getattr(rates, kind), now) for kind in _KINDS
        }
        self._queues: dict[Kind, Queue] = {kind: Queue() for kind in _KINDS}
        self._channels: dict[str, Budget] = {}
        self._ways: Counter[Mode | None] = Counter()
        self._users: Counter[str] = Counter()
        self.slots: dict[Slot, None] = {}

    def join(self, channel: str, now: float, *, user: str = "", notice: bool = False) -> Slot:
        slot = Slot(channel, now, user=user, notice=notice)
        self.slots[slot] = None
        self._users[user] += 1
        self._ways[slot.way] += 1
        return slot

    def leave(self, slot: Slot, now: float) -> None:
        self.settle(slot, (), now)
        self._ways[slot.way] -= 1
        self._users[slot.user] -= 1
        self._users += Counter()
        del self.slots[slot]

    def mode(self, slot: Slot, now: float) -> Mode:
        """Say how the next message of this answer is best shown."""
        slot.mode = self._best_mode(slot, now)
        return slot.mode

    def _best_mode(self, slot: Slot, now: float) -> Mode:
        # An answer that streams must be able to go on in a new message.
        kept = 0 if slot.way == "stream" else min(ROLLS, self._sharing("append", slot))
        starts = self._budgets["start"].level(now) >= 1.0 + kept
        if starts and self.has_streams and self.interval("append", slot) <= STREAM_INTERVAL:
            return "stream"
        posts_soon = self._post_at(slot.channel, now) <= now + GAP
        if posts_soon and self.interval("update", slot) <= EDIT_INTERVAL:
            return "edit"
        return "once"

    def interval(self, kind: Kind, slot: Slot | None = None) -> float:
        """Return the fair seconds between two calls of one answer; `slot` counts as one of them."""
        sharing = self._sharing(kind, slot) + (slot is not None)
        return sharing / self._budgets[kind].per_second

    def _sharing(self, kind: Kind, but: Slot | None) -> int:
        way: Mode = "stream" if kind == "append" else "edit"
        return self._ways[way] - (but is not None and but.way == way)

    def settle(
        self, slot: Slot, wants: Sequence[Kind], now: float, *, urgent: bool = False
    ) -> Kind | None:
        """Take up what the slot was granted, if it still wants it; note what it wants else."""
        grant, slot.grant = slot.grant, None
        taken = grant if grant in wants else None
        if grant is not None and taken is None:
            self._give_back(slot, grant, now)
        self._withdraw(slot)
        if taken is None:
            self._queue(slot, tuple(wants), now, urgent=urgent)
        return taken

    def _queue(self, slot: Slot, wants: tuple[Kind, ...], now: float, *, urgent: bool) -> None:
        slot.wants, slot.urgent = wants, urgent
        for kind in wants:
            may_at = slot.last + slot.gap if kind in _SPREAD else now
            self._queues[kind].add(slot, may_at, now)

    def _withdraw(self, slot: Slot) -> None:
        for kind in slot.wants:
            self._queues[kind].ready.pop(slot, None)
        slot.wants = ()
        slot.turn += 1

    def _give_back(self, slot: Slot, grant: Kind, now: float) -> None:
        self._budgets[grant].give_back(now)
        if grant == "post":
            self._channel(slot.channel, now).give_back(now)
        slot.last, slot.calls, way = slot.before
        self._set_way(slot, way)

    def _set_way(self, slot: Slot, way: Mode | None) -> None:
        self._ways[slot.way] -= 1
        self._ways[way] += 1
        slot.way = way

    def refuse(self, slot: Slot, kind: Kind, retry_after: float, now: float) -> None:
        """Slack has answered a call with 429."""
        self._budgets[kind].refuse(now, retry_after)
        if kind == "post":
            self._channel(slot.channel, now).refuse(now, retry_after)

    def grant(self, now: float) -> list[Slot]:
        """Grant what the budgets allow now; return the slots that were granted a call."""
        granted: list[Slot] = []
        for kind, queue in self._queues.items():
            queue.rouse(now)
            while queue.ready and (slot := self._choose(kind, now)) is not None:
                self._grant(slot, kind, now)
                granted.append(slot)
        return granted

    def wake(self, now: float) -> float | None:
        """Return when `grant` may have something to give again."""
        times = []
        for kind, queue in self._queues.items():
            rested = queue.rouse(now)
            if rested is not None:
                times.append(max(rested, self._budgets[kind].ready_at(now)))
            if queue.ready:
                soonest = min(self._ready_at(kind, channel, now) for channel in _channels(queue))
                times.append(soonest if soonest > now else now + LOOK_AGAIN)
        return min(times) if times else None

    def _grant(self, slot: Slot, kind: Kind, now: float) -> None:
        self._withdraw(slot)
        slot.before = (slot.last, slot.calls, slot.way)
        slot.grant = kind
        self._budgets[kind].take(now)
        if kind == "post":
            self._channel(slot.channel, now).take(now)
        if kind in ("start", "post", "append", "update"):
            slot.last = now
            slot.calls += 1
        if kind == "start":
            self._set_way(slot, "stream")
        elif kind == "post":
            # A message that is posted whole needs no edits, and has no share in them.
            self._set_way(slot, "edit" if slot.mode == "edit" else "once")

    def _choose(self, kind: Kind, now: float) -> Slot | None:
        if self._budgets[kind].level(now) < 1.0 - 1e-9:
            return None
        waiting = [
            slot
            for slot in self._queues[kind].ready
            if (kind != "post" or self._post_at(slot.channel, now) <= now)
            and not self._better_soon(kind, slot, now)
            and not (slot.notice and not self._can_take_notice(slot, now))
        ]
        if not waiting:
            return None
        if kind not in _SPREAD:
            return min(waiting, key=self._precedence)
        return self._choose_fairly(kind, waiting, now)

    def _precedence(self, slot: Slot) -> tuple[bool, bool, int, float]:
        """Order what comes first: answers, first and last words, users with few answers."""
        # A user who asks much waits for the own answers, not for those of others.
        return (slot.notice, not slot.urgent, self._users[slot.user] if slot.user else 0, slot.last)

    def _can_take_notice(self, slot: Slot, now: float) -> bool:
        """Return whether a post is left for an answer that may begin now."""
        channel = self._channel(slot.channel, now).level(now)
        return min(channel, self._budgets["post"].level(now)) >= 2.0 - 1e-9

    def _choose_fairly(self, kind: Kind, waiting: Sequence[Slot], now: float) -> Slot | None:
        interval = self.interval(kind)
        pressing = [slot for slot in waiting if slot.urgent or slot.last <= now - LATE * interval]
        if pressing:
            return min(pressing, key=lambda slot: slot.last)
        longest = min(waiting, key=lambda slot: slot.last)
        if now - longest.last >= interval:
            return longest
        if kind == "update" and not self._leaves_ends(now):
            return None
        youngest = min(waiting, key=lambda slot: (slot.calls, slot.last))
        return youngest if self._can_spare(kind, youngest, now) else None

    def _leaves_ends(self, now: float) -> bool:
        """Whether most answers that are edited could still get their last edit at once."""
        budget = self._budgets["update"]
        ends = ENDS * self._sharing("update", None)
        return budget.level(now) - 1.0 >= min(ends, budget.burst - 1.0)

    def _better_soon(self, kind: Kind, slot: Slot, now: float) -> bool:
        """Whether a call that the slot prefers is about to come free."""
        better = slot.wants[: slot.wants.index(kind)]
        return any(self._ready_at(other, slot.channel, now) <= now + 1.0 for other in better)

    def _can_spare(self, kind: Kind, slot: Slot, now: float) -> bool:
        """Return whether every other answer still gets its call in time after this one."""
        budget, interval = self._budgets[kind], self.interval(kind)
        way = "stream" if kind == "append" else "edit"
        due = sorted(
            other.last + interval for other in self.slots if other.way == way and other is not slot
        )
        level = budget.level(now) - 1.0
        return all(
            level + budget.per_second * max(at - now, 0.0) >= count
            for count, at in enumerate(due, start=1)
        )

    def _ready_at(self, kind: Kind, channel: str, now: float) -> float:
        if kind == "post":
            return self._post_at(channel, now)
        return self._budgets[kind].ready_at(now)

    def _post_at(self, channel: str, now: float) -> float:
        own = self._channel(channel, now).ready_at(now)
        return max(own, self._budgets["post"].ready_at(now))

    def _channel(self, channel: str, now: float) -> Budget:
        if channel not in self._channels:
            self._channels[channel] = Budget(self._rates.post_channel, now)
        return self._channels[channel]


def _channels(queue: Queue) -> set[str]:
    return {slot.channel for slot in queue.ready}
