"""The Web API's methods, a module for each family; importing this package registers them."""

from __future__ import annotations

from forewarm_playground.slack.web_api.methods import (
    agents,
    auth,
    chat,
    conversations,
    files,
    reactions,
    streams,
    users,
    views,
)

__all__ = [
    "agents",
    "auth",
    "chat",
    "conversations",
    "files",
    "reactions",
    "streams",
    "users",
    "views",
]
