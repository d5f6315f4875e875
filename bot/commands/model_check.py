"""Trying out a model: `forewarm check` shows it for every model that a context names."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from bot.claude.model_check import ModelCheck


def model_check(
    model: Annotated[str, typer.Argument(help="The model's id, as a context names it.")],
    base_url: Annotated[
        str | None,
        typer.Option(envvar="ANTHROPIC_BASE_URL", help="The server; none: Anthropic's API."),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            envvar="FOREWARM_PROVIDER",
            help="Where Claude runs: a name of the table in docs/providers.md.",
        ),
    ] = None,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Warm a made-up prefix on the model, ask on it, and say whether warmth works there."""
    import json

    from rich.console import Console

    from bot.claude.model_check import check_model
    from bot.claude.providers.cache_facts import FactsOfOneRun
    from bot.claude.providers.table import providers
    from bot.environment_check import address_problem
    from bot.settings import require_network

    if base_url and (problem := address_problem(base_url)):
        raise typer.BadParameter(problem, param_hint="--base-url")
    require_network()
    if provider is not None and provider not in providers():
        raise typer.BadParameter(f"choose one of {', '.join(providers())}", param_hint="--provider")

    async def run() -> ModelCheck:
        from bot.claude.client import ClaudeClient
        from bot.claude.prices import use_prices
        from bot.settings import provider_environment, read_settings
        from bot.telemetry.logs import configure

        configure("ERROR")
        settings = read_settings()
        key = settings.anthropic_api_key
        use_prices(settings.prices, settings.worldwide)
        async with ClaudeClient.connect(
            api_key=key.get_secret_value() if key else None,
            base_url=base_url,
            provider=provider,
            environment=provider_environment(),
            facts=FactsOfOneRun(),
        ) as client:
            return await check_model(client, model, uuid.uuid4().hex)

    server = base_url or "Anthropic's API"
    if provider is not None and providers()[provider].is_cloud:
        server = providers()[provider].title
    with Console(stderr=True).status(f"Warming and asking {model} at {server}…"):
        found = asyncio.run(run())
    if as_document:
        typer.echo(json.dumps(found.as_json(), indent=2))
    else:
        _show(found, Console(highlight=False))
    if not found.works:
        raise typer.Exit(1)


def _show(found: ModelCheck, console: Console) -> None:
    from rich.table import Table

    settings, can = found.settings, found.capabilities
    table = Table(show_header=False, box=None)
    table.add_row("model", settings.model)
    table.add_row("provider", found.provider.title)
    table.add_row("entries live", ", ".join(found.facts.lives) or "not at all")
    if found.facts.zero is not None:
        table.add_row("max_tokens: 0", "accepted" if found.facts.zero else "refused")
    table.add_row("window", f"{can.max_input_tokens:,} tokens in, {can.max_tokens:,} out")
    table.add_row(
        "thinking sent", f"{settings.thinking or 'none'}, effort {settings.effort or '-'}"
    )
    table.add_row("warm-up", f"{found.warmed.tokens:,} tokens in {found.cold_seconds:.2f} s")
    table.add_row("question", f"read {found.read:,} of them, began in {found.warm_seconds:.2f} s")
    table.add_row("spent", f"${found.usd:.4f}")
    console.print(table)
    for problem in found.problems:
        console.print(f"- {problem}", markup=False)
    console.print("Warmth works here." if found.works else "Warmth does not work here.")
