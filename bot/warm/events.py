"""Journal records of warmth: signals, decisions and misses. Their names are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.claude.usage import Ttl
from bot.warm.signals import SignalKind

Action = Literal["nothing", "warm", "refresh", "lapse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalReceived:
    """A signal reached the bot. `context` and `prefix` are None if it concerns none."""

    at: float
    kind: SignalKind
    workspace: str
    channel: str | None
    thread: str | None
    user: str | None
    repository: str | None
    context: str | None
    prefix: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmthDecided:
    """A decision of the governor, with its reason in words and numbers. Money in USD."""

    at: float
    prefix: str
    fingerprint: str
    action: Action
    ttl: Ttl
    reason: str
    cost_usd: float
    gain_usd: float
    next_look_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmthMissed:
    """A request read fewer tokens than were believed cached. `reason` says why, in words."""

    at: float
    prefix: str
    fingerprint: str
    context: str
    reason: str
