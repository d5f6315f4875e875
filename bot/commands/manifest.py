"""`forewarm manifest`: the Slack app manifest for this installation."""

from __future__ import annotations

import json
import re
from typing import Annotated
from urllib.parse import urlsplit

import typer

from bot.errors import ForewarmError

OUR_PATHS = ("/slack/events", "/slack/install", "/slack/oauth_redirect")
MOST_NAME = 35


def manifest(
    url: Annotated[
        str | None,
        typer.Option(help="The bot's public https address, for HTTP mode; none: Socket Mode."),
    ] = None,
    oauth: Annotated[
        str | None,
        typer.Option(
            help="The public https address of the pages on which workspaces and organisations"
            " install the app with OAuth; none: one workspace, by its token."
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="What the app is called in Slack.")] = "Forewarm",
    host: Annotated[
        list[str] | None,
        typer.Option(help="A host whose links warm the cache while they are typed (up to 5)."),
    ] = None,
    why: Annotated[
        bool, typer.Option("--why", help="Say of each scope and event what it is for.")
    ] = False,
) -> None:
    """Print the manifest to paste at api.slack.com/apps under "From a manifest"."""
    from bot.slack.manifest import Features, events, scopes
    from bot.slack.manifest import manifest as build

    _check_address("--url", url, "Slack calls only https addresses; leave it out for Socket Mode")
    _check_address(
        "--oauth",
        oauth,
        "Slack redirects browsers to https addresses only; leave it out for one workspace",
    )
    if strange := [one for one in host or () if not re.fullmatch(r"[A-Za-z0-9.-]+", one)]:
        raise ForewarmError(
            f"--host {strange[0]!r} is no host: write one such as github.com, without https:// and"
            " a path."
        )
    if len(name) > MOST_NAME:
        raise ForewarmError(
            f"--name has {len(name)} characters, and Slack takes {MOST_NAME} at most: shorten it."
        )
    features = Features(name=name, url=url, oauth_url=oauth, hosts=tuple(host or ("github.com",)))
    if why:
        for title, asked in (("Scopes", scopes(features)), ("Events", events(features))):
            typer.echo(f"{title}:")
            for ask in asked:
                typer.echo(f"  {ask.name:<24} {ask.why}")
        return
    typer.echo(json.dumps(build(features), indent=2))


def _check_address(option: str, address: str | None, why: str) -> None:
    """Refuse an address that is no https address, or that already ends with one of our paths."""
    if address is None:
        return
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname:
        raise ForewarmError(f"{option} must be an address such as https://bot.example.com: {why}.")
    path = next((one for one in OUR_PATHS if parts.path.rstrip("/").endswith(one)), None)
    if path is not None:
        better = address.rstrip("/").removesuffix(path)
        raise ForewarmError(f"{option} ends with {path}, which is added anyway: write {better}.")
