"""The last request on each prefix, with which a cache miss is compared."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from bot.claude.prefix import Prefix

KEPT = 1000


@dataclass(frozen=True, slots=True)
class Sent:
    """One reply's message id and the fingerprints of the prefix that it was sent with."""

    message_id: str | None
    fingerprint: str
    base_fingerprint: str


class LastRequests:
    """The last request per prefix key, for the keys used most recently."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._sent: OrderedDict[str, Sent] = OrderedDict()

    def note(self, prefix: Prefix, message_id: str | None) -> None:
        """Remember that a reply has come on this prefix."""
        self._sent[prefix.key] = Sent(message_id, prefix.fingerprint, prefix.base_fingerprint)
        self._sent.move_to_end(prefix.key)
        while len(self._sent) > self._kept:
            self._sent.popitem(last=False)

    def message_id(self, prefix: Prefix) -> str | None:
        """Return the message to diagnose the next request on this prefix against."""
        sent = self._sent.get(prefix.key)
        return sent.message_id if sent else None

    def changed(self, prefix: Prefix) -> str | None:
        """Name what differs from the last request under this key: its base or its overlay.

        Model, settings, tools, preamble and salt are part of the key: they cannot differ.
        """
        sent = self._sent.get(prefix.key)
        if sent is None or sent.fingerprint == prefix.fingerprint:
            return None
        return "base" if sent.base_fingerprint != prefix.base_fingerprint else "overlay"

    def __repr__(self) -> str:
        return f"<LastRequests of {len(self._sent)} prefixes>"
