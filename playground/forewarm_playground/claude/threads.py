"""Message threads: the server keeps a conversation, and a request sends only the new messages.

Source: https://platform.claude.com/docs/en/build-with-claude/message-threads (beta).

A request with `thread: {"type": "create"}` sends everything. Its response can be continued once, by
`{"type": "continue", "previous_message_id": id}`. A turn goes through these states:

    open       the response is complete and may be continued
    in flight  a request continues it now; it is open again if that request gets no response
    continued  that request got its whole response, which is the next open turn

A turn is forgotten `LIFE` seconds after its request.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from forewarm_playground.claude.errors import ApiError, invalid

Json = Mapping[str, Any]
BETA = "message-threads-2026-08-12"
LIFE = 300.0
"""Seconds after its last request for which a thread can be continued."""
MOST_TURNS = 1024
KEPT_FIELDS = ("model", "system", "tools")
"""Fields that must stay the same, and may be left out of a continuing request."""


@dataclass(slots=True)
class _Turn:
    owner: str
    fields: dict[str, Any]
    messages: list[Json]
    until: float
    state: Literal["open", "in flight", "continued"] = "open"


class ThreadTurn:
    """One request of a thread. Report how it ended: `finish` or `release`."""

    def __init__(
        self, threads: Threads, owner: str, body: Json, before: _Turn | None, at: float
    ) -> None:
        self.body = body
        self._threads = threads
        self._owner = owner
        self._before = before
        self._at = at

    def finish(self, message_id: str, content: Sequence[Json]) -> None:
        """Keep the conversation under the response's id."""
        if self._before is not None:
            self._before.state = "continued"
        reply = {"role": "assistant", "content": list(content)}
        fields = {key: self.body[key] for key in KEPT_FIELDS if self.body.get(key) is not None}
        messages = [*self.body["messages"], reply]
        self._threads.keep(message_id, _Turn(self._owner, fields, messages, self._at + LIFE))

    def release(self) -> None:
        """Let the previous response be continued by another request."""
        if self._before is not None:
            self._before.state = "open"


class Threads:
    """All threads of one server."""

    def __init__(self) -> None:
        self._turns: OrderedDict[str, _Turn] = OrderedDict()

    def __len__(self) -> int:
        return len(self._turns)

    def keep(self, message_id: str, turn: _Turn) -> None:
        self._turns[message_id] = turn
        while len(self._turns) > MOST_TURNS:
            self._turns.popitem(last=False)

    def open(self, body: Json, owner: str, at: float, *, allowed: bool) -> ThreadTurn | None:
        """Return the turn of a request, with the whole conversation; None without a thread.

        `owner` keeps the threads of organisations and workspaces apart. `allowed` is False for an
        organisation that may not use threads. Raises `ApiError`.
        """
        thread = body.get("thread")
        if thread is None:
            return None
        _check_supported(body, allowed)
        rest = {key: value for key, value in body.items() if key != "thread"}
        if thread["type"] == "create":
            return ThreadTurn(self, owner, rest, None, at)
        before = self._previous(thread["previous_message_id"], owner, at)
        changed = [
            key
            for key in KEPT_FIELDS
            if rest.get(key) is not None and rest[key] != before.fields.get(key)
        ]
        if changed:
            names = ", ".join(changed)
            raise _refused("fingerprint_mismatch", f"differs from the thread's value: {names}")
        before.state = "in flight"
        whole = {**before.fields, **rest, "messages": [*before.messages, *rest["messages"]]}
        return ThreadTurn(self, owner, whole, before, at)

    def _previous(self, message_id: str, owner: str, at: float) -> _Turn:
        if not message_id.startswith("msg_"):
            raise invalid(
                "thread.previous_message_id: must be the id from a prior /v1/messages response"
                " (starts with msg_)"
            )
        turn = self._turns.get(message_id)
        if turn is None or turn.owner != owner or at >= turn.until:
            raise _refused("not_found", f"no usable thread state for {message_id}", 404)
        if turn.state == "in flight":
            raise _refused("continue_in_flight", f"{message_id} is being continued")
        if turn.state == "continued":
            raise _refused("already_continued", f"{message_id} has been continued")
        return turn


def _check_supported(body: Json, allowed: bool) -> None:
    unsupported = [] if allowed else ["hipaa"]
    if body.get("cache_control") is not None:
        unsupported.append("cache_control")
    if unsupported:
        raise _refused(
            "unsupported_request",
            f"threads are not supported with: {', '.join(unsupported)}",
            unsupported=unsupported,
        )


def _refused(code: str, problem: str, status: int = 400, **details: Any) -> ApiError:
    kind = "not_found_error" if status == 404 else "invalid_request_error"
    return ApiError(
        status, kind, f"thread: {problem}", details={"error_code": f"thread_{code}", **details}
    )
