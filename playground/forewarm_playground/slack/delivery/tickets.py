"""Tickets that open a socket, once."""

from __future__ import annotations

from forewarm_playground.slack.ids import Ids

TICKET_SECONDS = 30.0
"""How long an unused ticket is good; Slack documents none, its clients connect at once."""


class Tickets:
    """Mints tickets and takes each back once."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._open: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Tickets [{len(self._open)} unused]>"

    def mint(self, at: float) -> str:
        """Return a new ticket."""
        ticket = self._ids.uuid()
        self._open[ticket] = at
        return ticket

    def redeem(self, ticket: str, at: float) -> bool:
        """Take a ticket back; tell whether it was good."""
        made = self._open.pop(ticket, None)
        return made is not None and at - made <= TICKET_SECONDS
