"""`forewarm feedback`: what people said of answers, and bad answers as questions for `eval`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.clock import system_now

if TYPE_CHECKING:
    from bot.settings import Settings

COLUMNS = ("at", "context", "value", "user", "comment", "question", "link")


def feedback(
    since: Annotated[str, typer.Option(help="A span, 7d, or a day, 2026-11-01.")] = "30d",
    bad: Annotated[bool, typer.Option("--bad", help="Bad answers only.")] = False,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    questions: Annotated[
        Path | None,
        typer.Option(
            "--eval",
            help="Append bad answers' questions to this file, for `forewarm eval`.",
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Show opinions on answers with their comments, newest last."""
    from bot.commands.stored_records import show_rows, since_time
    from bot.settings import read_settings

    settings, now = read_settings(), system_now()
    begin = since_time(since, now)
    rows = asyncio.run(_read(settings, begin))
    if bad or questions is not None:
        rows = [row for row in rows if row["value"] == "down"]
    if questions is not None:
        added = _append(questions, rows)
        typer.echo(
            f"{added} questions were added to {questions}: write into `files` the files that each"
            " answer needs, then run `forewarm eval`."
        )
        return
    shown = [{key: row[key] for key in COLUMNS} for row in rows]
    show_rows(shown, COLUMNS, as_json=as_document, as_csv=as_csv)


async def _read(settings: Settings, since: float) -> list[dict[str, Any]]:
    from bot.app.opinions import judged_since
    from bot.commands.stored_records import open_store

    async with open_store(settings) as store:
        return [
            {
                "at": one.opinion.at,
                "context": one.opinion.context,
                "value": one.opinion.value,
                "user": one.opinion.user,
                "comment": one.opinion.comment,
                "question": one.opinion.question,
                "text": one.text,
                "link": one.link,
            }
            for one in await judged_since(store, since)
        ]


def _append(file: Path, rows: list[dict[str, Any]]) -> int:
    """Append questions that the file does not hold yet, without their evidence."""
    from bot.errors import ForewarmError, plain_reason

    try:
        present = file.read_text("utf-8") if file.exists() else ""
        known = {json.loads(line).get("id") for line in present.splitlines() if line.strip()}
        new = [row for row in rows if row["text"] and row["question"] not in known]
        unique = list({row["question"]: row for row in new}.values())
        lines = [
            json.dumps({"id": row["question"], "question": row["text"], "files": []})
            for row in unique
        ]
        with file.open("a", encoding="utf-8") as out:
            if present and not present.endswith("\n"):
                out.write("\n")
            out.writelines(f"{line}\n" for line in lines)
    except (OSError, ValueError, AttributeError) as error:
        raise ForewarmError(
            f"{file} cannot be extended ({plain_reason(error)}): name a new file or one of JSON"
            " lines."
        ) from None
    return len(lines)
