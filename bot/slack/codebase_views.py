"""The views of `/codebase`: what a channel answers from, and the forms that change it. Pure.

Names, globs and addresses come from files and from people, so everything shown is plain text or
escaped mrkdwn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bot.slack.edits import Origin, RepositoryEdit, SettingsEdit
from bot.slack.escape import escape_mrkdwn

View = dict[str, Any]
SHOW, REPOSITORY, SETTINGS, SAVE = (
    "codebase_show",
    "codebase_repository",
    "codebase_settings",
    "codebase_save",
)
ADD, CHANGE, DETACH, OPEN_SETTINGS = (
    "codebase_add",
    "codebase_change",
    "codebase_detach",
    "codebase_open_settings",
)
OPENING = "Looking up what this channel answers from…"
OMITTED_SHOWN = 12
SECTION_LIMIT = 2900


@dataclass(frozen=True, slots=True)
class Place:
    """Which channel a view is about; travels in the view's metadata."""

    workspace: str
    channel: str
    name: str
    replaces: str | None = None
    draft: str | None = None

    def encode(self) -> str:
        return json.dumps(asdict(self))


def place_of(view: Mapping[str, Any]) -> Place:
    """Return what a view is about. Raises ValueError, TypeError for metadata that is not ours."""
    return Place(**json.loads(view.get("private_metadata") or "{}"))


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
    """What a channel answers from. `facts` are (what, value, origin) in order; money in USD."""

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
    """What a change would come to: tokens, USD of a day kept warm, files left out with reasons."""

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
        blocks.append(_section(f":warning: {escape_mrkdwn(summary.problem)}"))
    if summary.may_change:
        buttons = [_button("Attach a repository", ADD, "add", "primary")]
        if summary.repositories:
            buttons.append(_button("Change settings", OPEN_SETTINGS, "settings"))
        blocks.append({"type": "actions", "block_id": "codebase", "elements": buttons})
    elif summary.refusal:
        blocks.append(_note(summary.refusal))
    return _modal(place, SHOW, "Codebase", blocks)


def _repositories(summary: Summary) -> list[View]:
    if not summary.repositories:
        return [_section("This channel has no codebase yet.")]
    return [_repository(one, summary.may_change) for one in summary.repositories]


def _repository(one: RepositoryShown, may_change: bool) -> View:
    commit = f" at `{one.commit[:7]}`" if one.commit else ", not fetched yet"
    text = (
        f"*{escape_mrkdwn(one.name)}*{commit}\n{escape_mrkdwn(one.url)},"
        f" {escape_mrkdwn(one.ref)} _(set in {'a file' if one.origin == 'file' else 'Slack'})_"
    )
    block = _section(text)
    if may_change and one.origin == "Slack":
        block["accessory"] = {
            "type": "overflow",
            "action_id": CHANGE,
            "options": [
                {"text": _plain("Change…"), "value": f"change:{one.name}"[:150]},
                {"text": _plain("Detach…"), "value": f"detach:{one.name}"[:150]},
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
    return [_section("\n".join(lines))] if lines else []


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


# --- forms --------------------------------------------------------------------------------------


def repository_form(place: Place, edit: RepositoryEdit | None, hosts: Sequence[str]) -> View:
    """Return the form of one repository; `hosts` are those that may be attached."""
    url, ref = (edit.url, edit.ref) if edit else ("", "HEAD")
    allowed = ", ".join(hosts)
    blocks = [
        _input("url", "Address", url, hint=f"https or ssh; hosts that may be attached: {allowed}"),
        _input("ref", "Branch, tag or commit", ref),
        _input("include", "Only these files", _lines(edit.include if edit else ()), **GLOBS),
        _input("exclude", "But not these", _lines(edit.exclude if edit else ()), **GLOBS),
    ]
    return _modal(place, REPOSITORY, "Repository", blocks, submit="Preview")


GLOBS: dict[str, Any] = {"multiline": True, "optional": True, "hint": "One glob on each line."}


def settings_form(place: Place, edit: SettingsEdit) -> View:
    """Return the form of everything but the repositories."""
    blocks = [
        _input("model", "Model", edit.model or "", optional=True),
        _input(
            "instructions",
            "Instructions for this channel",
            edit.instructions,
            multiline=True,
            optional=True,
        ),
        _number("budget_tokens", "Budget of the codebase, tokens", edit.budget_tokens),
        _number("answers_daily_usd", "Answers a day, USD", edit.answers_daily_usd, decimal=True),
        _number("warm_daily_usd", "Warmth a day, USD", edit.warm_daily_usd, decimal=True),
        _number("user_per_hour", "Questions of one person an hour", edit.user_per_hour),
        _mode(edit.mode or "mentions"),
        _switches(edit),
    ]
    return _modal(place, SETTINGS, "Settings", blocks, submit="Preview")


def working_view(place: Place) -> View:
    """Return the view that stands while a preview is built."""
    return _modal(place, SHOW, "Preview", [_note("Fetching and counting; this can take a while…")])


def opening_view(place: Place) -> View:
    """Return the view that opens at once: a trigger lives three seconds, look-ups may not."""
    return _modal(place, SHOW, "Codebase", [_note(OPENING)])


def saving_view(place: Place) -> View:
    """Return the view that stands while a change is saved."""
    return _modal(place, SHOW, "Codebase", [_note("Saving…")])


def preview_view(place: Place, preview: Preview) -> View:
    """Return what a change would come to, to be saved or left."""
    lines = [
        f"*{preview.tokens:,} tokens* from {_files(preview.files)}",
        f"One day kept warm costs about *${preview.warm_day_usd:.2f}*",
        "Changes: " + (", ".join(map(escape_mrkdwn, preview.changed)) or "none"),
    ]
    blocks = [_section("\n".join(lines))]
    if preview.omitted:
        shown = [
            f"`{escape_mrkdwn(path.replace('`', chr(39)))}`: {escape_mrkdwn(reason)}"
            for path, reason in preview.omitted[:OMITTED_SHOWN]
        ]
        more = len(preview.omitted) - len(shown)
        tail = [f"and {more:,} more"] if more > 0 else []
        blocks.append(_section("\n".join(["*Left out or masked*", *shown, *tail])))
    return _modal(place, SAVE, "Preview", blocks, submit="Save")


def problem_view(place: Place, problem: str) -> View:
    """Return why a preview could not be built; nothing was changed."""
    text = f":warning: {escape_mrkdwn(problem)}\nNothing was changed."
    return _modal(place, SHOW, "Preview", [_section(text)])


def done_view(place: Place, said: str) -> View:
    """Return the one sentence that a change ends with."""
    return _modal(place, SHOW, "Codebase", [_note(said)])


# --- reading the forms --------------------------------------------------------------------------


def read_repository(view: Mapping[str, Any], replaces: str | None) -> RepositoryEdit:
    """Return what the repository form holds."""
    return RepositoryEdit(
        url=_value(view, "url"),
        ref=_value(view, "ref") or "HEAD",
        include=_split(_value(view, "include")),
        exclude=_split(_value(view, "exclude")),
        replaces=replaces,
    )


def read_settings(view: Mapping[str, Any]) -> SettingsEdit:
    """Return what the settings form holds."""
    switched = {
        option.get("value") for option in _element(view, "switches").get("selected_options") or ()
    }
    mode = (_element(view, "mode").get("selected_option") or {}).get("value")
    return SettingsEdit(
        model=_value(view, "model") or None,
        instructions=_value(view, "instructions"),
        budget_tokens=_whole(view, "budget_tokens"),
        mode=mode if mode != "mentions" else None,
        answers_daily_usd=_decimal(view, "answers_daily_usd"),
        warm_daily_usd=_decimal(view, "warm_daily_usd"),
        user_per_hour=_whole(view, "user_per_hour"),
        guests="guests" in switched,
        external="external" in switched,
        answer_drafts="answer_drafts" in switched,
    )


def _element(view: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    values = (view.get("state") or {}).get("values") or {}
    return (values.get(key) or {}).get(key) or {}


def _value(view: Mapping[str, Any], key: str) -> str:
    return str(_element(view, key).get("value") or "").strip()


def _split(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _whole(view: Mapping[str, Any], key: str) -> int | None:
    value = _decimal(view, key)
    return None if value is None else int(value)


def _decimal(view: Mapping[str, Any], key: str) -> float | None:
    try:
        return float(_value(view, key))
    except ValueError:
        return None


# --- pieces -------------------------------------------------------------------------------------


def _modal(
    place: Place, callback: str, title: str, blocks: Sequence[View], submit: str | None = None
) -> View:
    view: View = {
        "type": "modal",
        "callback_id": callback,
        "title": _plain(title),
        "close": _plain("Close" if submit is None else "Cancel"),
        "private_metadata": place.encode(),
        "blocks": list(blocks),
    }
    return view | ({"submit": _plain(submit)} if submit else {})


def _plain(text: str) -> View:
    return {"type": "plain_text", "text": text}


def _section(text: str) -> View:
    # Verbatim: an address that somebody gave as a name becomes no link.
    shown = {"type": "mrkdwn", "text": text[:SECTION_LIMIT], "verbatim": True}
    return {"type": "section", "text": shown}


def _note(text: str) -> View:
    return {"type": "context", "elements": [_plain(text)]}


def _button(text: str, action: str, value: str, style: str | None = None) -> View:
    button: View = {"type": "button", "text": _plain(text), "action_id": action, "value": value}
    return button | ({"style": style} if style else {})


def _input(
    key: str,
    label: str,
    value: str,
    *,
    multiline: bool = False,
    optional: bool = False,
    hint: str | None = None,
) -> View:
    element: View = {"type": "plain_text_input", "action_id": key, "multiline": multiline}
    return _labelled(
        key, label, element | ({"initial_value": value} if value else {}), optional, hint
    )


def _number(key: str, label: str, value: float | None, *, decimal: bool = False) -> View:
    element: View = {
        "type": "number_input",
        "action_id": key,
        "is_decimal_allowed": decimal,
        "min_value": "0",
    }
    initial = {} if value is None else {"initial_value": f"{value:g}" if decimal else f"{value}"}
    return _labelled(key, label, element | initial, True, None)


def _labelled(key: str, label: str, element: View, optional: bool, hint: str | None) -> View:
    block: View = {
        "type": "input",
        "block_id": key,
        "label": _plain(label),
        "element": element,
        "optional": optional,
    }
    return block | ({"hint": _plain(hint[:2000])} if hint else {})


def _mode(mode: str) -> View:
    options = [
        {"text": _plain("Answer when mentioned"), "value": "mentions"},
        {"text": _plain("Answer unmentioned questions too"), "value": "questions"},
    ]
    initial = next(o for o in options if o["value"] == mode)
    element = {
        "type": "static_select",
        "action_id": "mode",
        "options": options,
        "initial_option": initial,
    }
    return _labelled("mode", "When to answer", element, False, None)


def _switches(edit: SettingsEdit) -> View:
    texts = {
        "guests": "Guests may ask",
        "external": "People of other organisations may ask",
        "answer_drafts": "Start on the answer while the question is being typed",
    }
    options = [{"text": _plain(text), "value": value} for value, text in texts.items()]
    on = [option for option in options if getattr(edit, str(option["value"]))]
    element: View = {"type": "checkboxes", "action_id": "switches", "options": options}
    element |= {"initial_options": on} if on else {}
    return _labelled("switches", "Access and speed", element, True, None)


def _lines(globs: Sequence[str]) -> str:
    return "\n".join(globs)
