"""`forewarm schema`: the JSON schema of context files, the settings, and the providers' table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo

HEADER = (
    "# Settings\n\n"
    "Every setting is an environment variable. Variables of other names are not read. Lists are"
    " separated by commas. An empty variable counts as not set. A path may begin with `~`, the home"
    " folder of the bot's user.\n\n"
    "This page is made from the code: `forewarm schema --settings`.\n"
)


def schema(
    settings: Annotated[
        bool, typer.Option("--settings", help="Print the reference of the settings instead.")
    ] = False,
    providers: Annotated[
        bool, typer.Option("--providers", help="Print the capability table of providers instead.")
    ] = False,
) -> None:
    """Print the JSON schema of context files, for editors that complete and check them."""
    if providers:
        typer.echo(providers_table(), nl=False)
    elif settings:
        typer.echo(settings_page(), nl=False)
    else:
        typer.echo(json.dumps(context_schema(), indent=2))


def context_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of one context file."""
    from bot.context.config.schema import ContextConfig

    described = ContextConfig.model_json_schema()
    described["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    described["title"] = "A Forewarm context"
    # The name of the file is the name of the context.
    described["properties"].pop("name", None)
    described["required"] = [one for one in described.get("required", ()) if one != "name"]
    return described


def settings_page() -> str:
    """Return `docs/settings.md`."""
    from bot.settings import Settings

    parts = [HEADER]
    for name, field in Settings.model_fields.items():
        variable = (field.alias or name).upper()
        facts = " · ".join(_facts(field))
        parts.append(f"## {variable}\n\n{field.description}\n\n{facts}\n")
    return "\n".join(parts)


def providers_table() -> str:
    """Return the table of `docs/providers.md`."""
    from bot.claude.providers.table import providers

    rows = [_PROVIDER_HEAD, "|---" * _PROVIDER_HEAD.count(" | ") + "|---|"]
    for row in providers().values():
        answers = (
            f"`{row.name}`",
            row.title[0].upper() + row.title[1:],
            ", ".join(row.lives) if row.lives else "probed",
            str(row.markers),
            "the model's" if row.least is None else f"{row.least:,} tokens",
            "probed" if row.zero is None else _yes(row.zero),
            _yes(row.counts),
            _yes(row.models),
            _yes(row.diagnostics),
            "list" if row.regional == 1.0 else f"list, times {row.regional:g} in one region",
        )
        rows.append("| " + " | ".join(answers) + " |")
    return "\n".join(rows) + "\n"


_PROVIDER_HEAD = (
    "| name | provider | lives of entries | markers | smallest prefix | `max_tokens: 0` | counts"
    " tokens | lists models | diagnostics | prices |"
)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _facts(field: FieldInfo) -> Iterator[str]:
    yield f"Type: {_type(field)}"
    yield f"Default: {_default(field.default)}"
    if field.examples:
        yield f"Example: `{field.examples[0]}`"


def _type(field: FieldInfo) -> str:
    shown = str(field.annotation)
    if "SecretStr" in shown:
        return "secret"
    for word, meaning in (("tuple", "list"), ("bool", "true or false"), ("Path", "path")):
        if word in shown:
            return meaning
    for word, meaning in (("int", "whole number"), ("float", "number")):
        if word in shown:
            return meaning
    return "text"


def _default(value: object) -> str:
    if value is None or value == () or value == "":
        return "none"
    if isinstance(value, SecretStr):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{', '.join(map(str, value))}`"
    return f"`{value.as_posix() if isinstance(value, Path) else value}`"
