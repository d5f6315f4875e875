"""Log of every call of the app and every delivery to it, with times."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from forewarm_playground.slack.ids import Json


@dataclass(slots=True)
class CallEntry:
    """One Web API call. Times are Unix seconds on the emulator's clock; no token is kept.

    `ended_at` is None until the reply has gone out; `effect_at` is when the call took effect;
    `fault` names what went wrong on command; `dropped` that no reply was sent.
    """

    method: str
    arguments: Json
    team: str
    arrived_at: float
    effect_at: float | None = None
    ended_at: float | None = None
    status: int = 0
    error: str = ""
    body: Json = field(default_factory=dict)
    fault: str = ""
    dropped: bool = False

    @property
    def ok(self) -> bool:
        return self.status == 200 and not self.error

    def __repr__(self) -> str:
        return f"<CallEntry [{self.method}: {self.error or 'ok'} at {self.arrived_at:.3f}]>"


@dataclass(slots=True)
class DeliveryEntry:
    """One attempt to deliver a payload; `latency` is the seconds until it was acknowledged."""

    kind: str
    name: str
    transport: str
    attempt: int
    reason: str
    sent_at: float
    event_id: str = ""
    envelope_id: str = ""
    ended_at: float | None = None
    outcome: str = ""
    payload: Json = field(default_factory=dict)
    reply: Any = None

    @property
    def latency(self) -> float | None:
        if self.outcome != "acked" or self.ended_at is None:
            return None
        return self.ended_at - self.sent_at

    def __repr__(self) -> str:
        state = self.outcome or "under way"
        return f"<DeliveryEntry [{self.name} over {self.transport} #{self.attempt}: {state}]>"


class Log:
    """The newest entries of both kinds, oldest first."""

    def __init__(self, entries: int) -> None:
        self.calls: deque[CallEntry] = deque(maxlen=entries)
        self.deliveries: deque[DeliveryEntry] = deque(maxlen=entries)

    def __repr__(self) -> str:
        return f"<Log [{len(self.calls)} calls | {len(self.deliveries)} deliveries]>"

    def of(self, method: str) -> list[CallEntry]:
        """Return the calls of one method."""
        return [entry for entry in self.calls if entry.method == method]

    def acks(self, name: str | None = None) -> list[float]:
        """Return the ack latencies in seconds, of one event or all."""
        return [
            entry.latency
            for entry in self.deliveries
            if entry.latency is not None and name in (None, entry.name)
        ]

    def clear(self) -> None:
        """Forget all entries."""
        self.calls.clear()
        self.deliveries.clear()


def entry_shape(entry: CallEntry | DeliveryEntry) -> Json:
    """Return an entry as JSON."""
    shape = asdict(entry)
    if isinstance(entry, DeliveryEntry):
        shape["latency"] = entry.latency
    return shape
