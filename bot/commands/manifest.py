"""`forewarm manifest`: the Slack app manifest for this installation."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from bot.errors import ForewarmError


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

    if url is not None and not url.startswith("https://"):
        raise ForewarmError(
            "Slack calls only https addresses, so --url must start with https://; leave it out"
            " for Socket Mode."
        )
    if oauth is not None and not oauth.startswith("https://"):
        raise ForewarmError(
            "Slack redirects browsers to https addresses only, so --oauth must start with"
            " https://; leave it out for one workspace."
        )
    features = Features(name=name, url=url, oauth_url=oauth, hosts=tuple(host or ("github.com",)))
    if why:
        for title, asked in (("Scopes", scopes(features)), ("Events", events(features))):
            typer.echo(f"{title}:")
            for ask in asked:
                typer.echo(f"  {ask.name:<24} {ask.why}")
        return
    typer.echo(json.dumps(build(features), indent=2))
