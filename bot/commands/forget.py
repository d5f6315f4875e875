"""`forewarm forget`: erase what is kept of a person or a channel, also while the bot runs."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.clock import system_now
from bot.errors import ForewarmError

if TYPE_CHECKING:
    from bot.app.data_removal import Removal
    from bot.settings import Settings

_USER = re.compile(r"[UW][A-Z0-9]{1,30}", re.ASCII)
_CHANNEL = re.compile(r"[CDG][A-Z0-9]{1,30}", re.ASCII)


def forget(
    user: Annotated[str | None, typer.Option(help="The id of a person, U0123ABC.")] = None,
    channel: Annotated[str | None, typer.Option(help="The id of a channel, C0123ABC.")] = None,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Erase a person's questions and words, or all that was asked in a channel.

    A running bot erases its own memory within seconds. Messages in Slack stay: delete them there.
    """
    import json

    from bot.settings import read_settings

    _check(user, channel)
    erased = asyncio.run(_forget(read_settings(), user, channel))
    if as_document:
        typer.echo(json.dumps({"user": user, "channel": channel, "erased": erased}, indent=2))
        return
    rows = ", ".join(f"{count} {name}" for name, count in sorted(erased.items()) if count)
    typer.echo(f"Erased: {rows or 'nothing was kept'}.")


def _check(user: str | None, channel: str | None) -> None:
    if not user and not channel:
        raise ForewarmError(
            "There is nothing to forget: name a person by --user U0123ABC or a channel by"
            " --channel C0123ABC."
        )
    if user and not _USER.fullmatch(user):
        raise ForewarmError(
            "--user is not the id of a person: copy the member ID (U0…) from the profile in Slack."
        )
    if channel and not _CHANNEL.fullmatch(channel):
        raise ForewarmError(
            "--channel is not the id of a channel: copy the channel ID (C0…) from the channel's"
            " details in Slack."
        )


async def _forget(settings: Settings, user: str | None, channel: str | None) -> dict[str, int]:
    """Erase and announce it to running bots; return how many rows went, by table."""
    from bot.app.data_removal import Removal, announce
    from bot.commands.stored_records import open_store

    gone: Counter[str] = Counter()
    removals: list[Removal] = []
    async with open_store(settings) as store:
        if user:
            gone.update(await store.erase.user("", user))
            removals.append(Removal("user", system_now(), user=user))
        if channel:
            for workspace in await store.erase.workspaces_of(channel):
                gone.update(await store.erase.channel(workspace, channel))
                removals.append(_channel_until_now(workspace, channel))
        for removal in removals:
            await announce(store, removal)
    return _by_name(gone)


def _channel_until_now(workspace: str, channel: str) -> Removal:
    """Return what to announce of a channel that was erased. Questions that are asked later stay."""
    from bot.app.data_removal import Removal

    now = system_now()
    return Removal("channel", now, workspace=workspace, channel=channel, until=f"{now:.6f}")


def _by_name(gone: Counter[str]) -> dict[str, Any]:
    names = ("questions", "messages", "turns", "feedback", "contexts", "events", "state")
    return {name: gone[name] for name in names}
