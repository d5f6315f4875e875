"""Faults on command: which request is hit, and by what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from forewarm_playground.claude import errors
from forewarm_playground.claude.cache.prefix_cache import Entry
from forewarm_playground.claude.errors import ApiError, ConfigurationError
from forewarm_playground.claude.responses.matching import Match, RequestInfo

Kind = Literal[
    "rate_limited",  # 429; with `retry_after` seconds, or without the header
    "spend_limited",  # 429 of the spend cap, never with the header
    "overloaded",  # 529
    "internal",  # 500
    "timeout",  # 504
    "error",  # any `status`, `type`, `message`
    "refuse",  # the port is closed for `seconds`; the request's own connection is dropped
    "drop_request",  # connection closed, nothing took effect
    "drop_reply",  # connection closed before the first byte, after everything took effect
    "cut",  # connection closed after `after` events, or in the middle of a body
    "no_stop",  # the stream ends in good order, but without message_stop
    "bad_event",  # after `after` events comes one that is no JSON
    "stall",  # nothing for `seconds` (None: for ever) after `after` events
    "slow",  # the response begins `seconds` later
    "stream_error",  # after `after` events comes `event: error` of `type`, and the end
    "refusal",  # stop_reason refusal of `category`, after `after` tokens
    "evict",  # entries are evicted before the look-up: all, or only those of `tier`
    "lag",  # what the request writes can be read `seconds` later
]

_FIRST_WORDS = 4
"""message_start, content_block_start, ping and the first delta."""

_STREAMS_ONLY = frozenset({"no_stop", "stream_error"})
_PASSING = frozenset({"slow", "evict", "lag", "refusal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. It skips `skip` requests that match, then hits `times` of them."""

    kind: Kind
    match: Match = field(default_factory=Match)
    skip: int = 0
    times: int = 1
    after: int | None = None
    seconds: float | None = None
    retry_after: float | None = None
    status: int = 500
    type: str = "overloaded_error"
    message: str = "Overloaded"
    category: str | None = "general_harms"
    tier: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Fault:
        """Read a fault from JSON; raise `ConfigurationError` on what it cannot hold."""
        unknown = sorted(set(value) - {one.name for one in fields(cls)})
        if unknown:
            raise ConfigurationError("fault", f"unknown key {unknown[0]!r}")
        if value.get("kind") not in get_args(Kind):
            raise ConfigurationError("fault", f"unknown kind {value.get('kind')!r}")
        return cls(**{**value, "match": Match.of(value.get("match"))})

    @property
    def passes(self) -> bool:
        """Whether the request still gets a regular answer, so that other faults may join."""
        return self.kind in _PASSING

    @property
    def after_events(self) -> int:
        """How many events go out before the fault: by default up to the first words."""
        return _FIRST_WORDS if self.after is None else self.after

    def evicts(self, entry: Entry) -> bool:
        """Whether an eviction takes this entry."""
        return self.tier is None or self.tier == entry.tier

    def error(self) -> ApiError | None:
        """Return the error reply of this fault, or None if it is of another kind."""
        made: dict[str, Callable[[], ApiError]] = {
            "rate_limited": lambda: errors.rate_limited(
                "This request would exceed your organization's rate limit", self.retry_after
            ),
            "spend_limited": errors.spend_limited,
            "overloaded": errors.overloaded,
            "internal": errors.internal,
            "timeout": errors.timed_out,
            "error": lambda: ApiError(self.status, self.type, self.message),
        }
        if self.kind not in made:
            return None
        error = made[self.kind]()
        error.headers.update(self.headers)
        return error


class Faults:
    """The faults that wait for their requests."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def __repr__(self) -> str:
        return f"<Faults [{', '.join(fault.kind for fault in self._waiting)}]>"

    def __iter__(self) -> Iterator[Fault]:
        return iter(tuple(self._waiting))

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, fault: Fault) -> None:
        """Queue a fault behind those that wait already."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Forget all faults."""
        self._waiting.clear()

    def take(self, asked: RequestInfo) -> list[Fault]:
        """Return the faults that hit this request: any that pass, and at most one that does not."""
        hit: list[Fault] = []
        kept: list[Fault] = []
        for fault in self._waiting:
            ended = any(not one.passes for one in hit)
            if not _picks(fault, asked) or (ended and not fault.passes):
                kept.append(fault)
            elif fault.skip:
                kept.append(replace(fault, skip=fault.skip - 1))
            else:
                hit.append(fault)
                if fault.times > 1:
                    kept.append(replace(fault, times=fault.times - 1))
        self._waiting = kept
        return hit


def _picks(fault: Fault, asked: RequestInfo) -> bool:
    if fault.match.path is None and asked.path != "/v1/messages":
        return False
    if fault.kind in _STREAMS_ONLY and not asked.stream:
        return False
    return bool(fault.match.find(asked))
