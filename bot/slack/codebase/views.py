"""The views of `/codebase`: what a channel answers from, and the forms that change it. Pure.

Names, globs and addresses come from files and from people, so everything shown is plain text or
escaped mrkdwn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.slack.codebase.blocks import (
    Place,
    View,
    button,
    modal,
    note,
    plain,
    section,
    text_input,
    value_of,
)
from bot.slack.codebase.edits import Origin, RepositoryEdit
from bot.slack.escape import escape_mrkdwn

SHOW, REPOSITORY, SAVE = "codebase_show", "codebase_repository", "codebase_save"
ADD, CHANGE, OPEN_SETTINGS = "codebase_add", "codebase_change", "codebase_open_settings"
OPENING = "Looking up what this channel answers from…"
OMITTED_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryShown:
    """A repository as the summary shows it."""

    name: str
    url: str
    ref: str
    commit: str | None
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The codebase of a channel. `facts` are (name, value, origin) in order; money in USD."""

    name: str
    repositories: Sequence[RepositoryShown] = ()
    facts: Sequence[tuple[str, str, Origin | None]] = ()
    tokens: int | None = None
    files: int | None = None
    omitted: int | None = None
    problem: str | None = None
    may_change: bool = False
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Effect of a change: tokens, USD of a day kept warm, files left out with reasons."""

    tokens: int
    files: int
    warm_day_usd: float
    omitted: Sequence[tuple[str, str]] = ()
    changed: Sequence[str] = field(default=())


# --- showing ------------------------------------------------------------------------------------


def summary_view(place: Place, summary: Summary) -> View:
    """Return what the channel answers from, with buttons for those who may change it."""
    blocks: list[View] = [*_repositories(summary), *_facts(summary)]
    if summary.problem:
        blocks.append(section(f":warning: {escape_mrkdwn(summary.problem)}"))
    if summary.may_change:
        buttons = [button("Attach a repository", ADD, "add", "primary")]
        if summary.repositories:
            buttons.append(button("Change settings", OPEN_SETTINGS, "settings"))
        blocks.append({"type": "actions", "block_id": "codebase", "elements": buttons})
    elif summary.refusal:
        blocks.append(note(summary.refusal))
    return modal(place, SHOW, "Codebase", blocks)


def _repositories(summary: Summary) -> list[View]:
    if not summary.repositories:
        return [section("This channel has no codebase yet.")]
    return [_repository(one, summary.may_change) for one in summary.repositories]


def _repository(one: RepositoryShown, may_change: bool) -> View:
    commit = f" at `{one.commit[:7]}`" if one.commit else ", not fetched yet"
    text = (
        f"*{escape_mrkdwn(one.name)}*{commit}\n{escape_mrkdwn(one.url)},"
        f" {escape_mrkdwn(one.ref)} _(set in {'a file' if one.origin == 'file' else 'Slack'})_"
    )
    block = section(text)
    if may_change and one.origin == "Slack":
        block["accessory"] = {
            "type": "overflow",
            "action_id": CHANGE,
            "options": [
                {"text": plain("Change…"), "value": f"change:{one.name}"[:150]},
                {"text": plain("Detach…"), "value": f"detach:{one.name}"[:150]},
            ],
        }
    return block


def _facts(summary: Summary) -> list[View]:
    lines = [
        f"*{what}*: {escape_mrkdwn(value)}" + (f" _({origin})_" if origin else "")
        for what, value, origin in summary.facts
    ]
    if summary.tokens is not None:
        lines.insert(
            0,
            f"*Size*: {summary.tokens:,} tokens from {_files(summary.files or 0)};"
            f" {summary.omitted or 0:,} left out or masked",
        )
    return [section("\n".join(lines))] if lines else []


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def help_view(place: Place) -> View:
    """Return how the command is used."""
    lines = (
        "`/codebase` shows what this channel answers from, and what was left out.",
        "`/codebase attach https://github.com/your/repository` attaches a repository; a branch, a"
        " tag or a commit may follow the address. Operators and workspace admins may do so.",
        "A change is previewed with its size and its cost, and nothing changes before you save.",
        "To ask about the code, mention me with a question or use `/ask`.",
    )
    return modal(place, SHOW, "Codebase", [section("\n".join(f"• {line}" for line in lines))])


# --- forms --------------------------------------------------------------------------------------


def repository_form(place: Place, edit: RepositoryEdit | None, hosts: Sequence[str]) -> View:
    """Return the form of one repository; `hosts` are those that may be attached."""
    url, ref = (edit.url, edit.ref) if edit else ("", "HEAD")
    allowed = ", ".join(hosts)
    blocks = [
        text_input(
            "url", "Address", url, hint=f"https or ssh; hosts that may be attached: {allowed}"
        ),
        text_input("ref", "Branch, tag or commit", ref),
        text_input("include", "Only these files", _lines(edit.include if edit else ()), **GLOBS),
        text_input("exclude", "But not these", _lines(edit.exclude if edit else ()), **GLOBS),
    ]
    return modal(place, REPOSITORY, "Repository", blocks, submit="Preview")


GLOBS: dict[str, Any] = {"multiline": True, "optional": True, "hint": "One glob on each line."}


def working_view(place: Place) -> View:
    """Return the view that stands while a preview is built."""
    return modal(place, SHOW, "Preview", [note("Fetching and counting; this can take a while…")])


def opening_view(place: Place) -> View:
    """Return the view that opens at once: a trigger lives three seconds, look-ups may not."""
    return modal(place, SHOW, "Codebase", [note(OPENING)])


def saving_view(place: Place) -> View:
    """Return the view that stands while a change is saved."""
    return modal(place, SHOW, "Codebase", [note("Saving…")])


def preview_view(place: Place, preview: Preview) -> View:
    """Return what a change would come to, to be saved or left."""
    lines = [
        f"*{preview.tokens:,} tokens* from {_files(preview.files)}",
        f"One day kept warm costs about *${preview.warm_day_usd:.2f}*",
        "Changes: " + (", ".join(map(escape_mrkdwn, preview.changed)) or "none"),
    ]
    blocks = [section("\n".join(lines))]
    if preview.omitted:
        shown = [
            f"`{escape_mrkdwn(path.replace('`', chr(39)))}`: {escape_mrkdwn(reason)}"
            for path, reason in preview.omitted[:OMITTED_SHOWN]
        ]
        more = len(preview.omitted) - len(shown)
        tail = [f"and {more:,} more"] if more > 0 else []
        blocks.append(section("\n".join(["*Left out or masked*", *shown, *tail])))
    return modal(place, SAVE, "Preview", blocks, submit="Save")


def problem_view(place: Place, problem: str) -> View:
    """Return why a preview could not be built; nothing was changed."""
    text = f":warning: {escape_mrkdwn(problem)}\nNothing was changed."
    return modal(place, SHOW, "Preview", [section(text)])


def done_view(place: Place, said: str) -> View:
    """Return the one sentence that a change ends with."""
    return modal(place, SHOW, "Codebase", [note(said)])


# --- reading the forms --------------------------------------------------------------------------


def read_repository(view: Mapping[str, Any], replaces: str | None) -> RepositoryEdit:
    """Return what the repository form holds."""
    return RepositoryEdit(
        url=value_of(view, "url"),
        ref=value_of(view, "ref") or "HEAD",
        include=_split(value_of(view, "include")),
        exclude=_split(value_of(view, "exclude")),
        replaces=replaces,
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _lines(globs: Sequence[str]) -> str:
    return "\n".join(globs)
