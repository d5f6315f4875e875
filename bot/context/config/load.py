"""From a folder of TOML files to contexts: one clear sentence for each thing that is wrong."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bot.context.config.schema import (
    AccessConfig,
    ContextConfig,
    LimitsConfig,
    RepositoryConfig,
    WarmConfig,
)
from bot.context.errors import ContextError, ContextErrors, UrlError
from bot.context.git.urls import parse_url
from bot.nearest import nearest

__all__ = [
    "AccessConfig",
    "ContextConfig",
    "LimitsConfig",
    "LoadedContexts",
    "RepositoryConfig",
    "WarmConfig",
    "load_context",
    "load_contexts",
    "parse_context",
]

_TABLES: dict[str, type[BaseModel]] = {
    "repositories": RepositoryConfig,
    "access": AccessConfig,
    "limits": LimitsConfig,
    "warm": WarmConfig,
}
_CURLY_QUOTES = re.compile("[\u2018\u2019\u201c\u201d\u201e]")
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True)
class LoadedContexts:
    """The contexts that are good, by name, and what is wrong with the others."""

    contexts: tuple[ContextConfig, ...]
    problems: tuple[ContextError, ...]

    def __repr__(self) -> str:
        names = ", ".join(context.name for context in self.contexts)
        return f"<LoadedContexts {names or 'none'}; {len(self.problems)} problems>"


def load_contexts(folder: Path) -> LoadedContexts:
    """Read every `*.toml` of the folder, in the order of their names.

    A file that is wrong is left out and its problems are listed; the others are loaded.
    """
    if (unusable := _unusable_folder(folder)) is not None:
        return LoadedContexts((), (ContextError(str(folder.absolute()), unusable),))
    contexts: list[ContextConfig] = []
    problems: list[ContextError] = []
    owners: dict[str, str] = {}
    for file in sorted(folder.glob("*.toml")):
        try:
            context = load_context(file)
        except ContextErrors as errors:
            problems.extend(errors.problems)
            continue
        taken = _taken_channel(context, file, owners)
        if taken is not None:
            problems.append(taken)
            continue
        owners.update(dict.fromkeys(context.channels, file.name))
        contexts.append(context)
    return LoadedContexts(tuple(contexts), tuple(problems))


def _unusable_folder(folder: Path) -> str | None:
    """Return why no files can be read from a folder, None if they can."""
    try:
        is_folder, exists = folder.is_dir(), folder.exists()
    except PermissionError:
        is_folder = exists = True
    if not exists:
        return (
            "this folder does not exist, so there is no context to read; create it with one TOML"
            " file for each context, or set FOREWARM_CONTEXTS to the folder of your context files"
        )
    if not is_folder:
        return (
            "this is a file, so no context can be read; set FOREWARM_CONTEXTS to the folder that"
            f" holds it ({folder.absolute().parent})"
        )
    if not os.access(folder, os.R_OK | os.X_OK):
        # A search in such a folder finds nothing, and raises nothing.
        return (
            "the bot's user may not read this folder, so there is no context to read; give that"
            " user the right to read it and to enter the folders above it"
        )
    return None


def load_context(file: Path) -> ContextConfig:
    """Read one context file. Relative local paths are taken from the file's folder.

    Raises:
        ContextErrors: it cannot be read, is not TOML or breaks a rule.
    """
    if file.exists() and not file.is_file() and not file.is_dir():
        # Reading a pipe would wait for its writer.
        problem = "this is no regular file, so it cannot be read as a context; move it away"
        raise ContextErrors((ContextError(file.name, problem),))
    try:
        # Editors on Windows begin a file with a byte-order mark.
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ContextErrors((ContextError(file.name, _unreadable(file, error)),)) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ContextErrors((_not_toml(file.name, text, error),)) from None
    return parse_context(file.stem, data, file=file.name, text=text, relative_to=file.parent)


def _unreadable(file: Path, error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "the file is not in UTF-8, so it cannot be read; save it as UTF-8 in your editor"
    if file.is_dir():
        return "this is a folder, so it cannot be read as a context; rename it or move it away"
    if isinstance(error, PermissionError):
        return "the bot's user may not read this file; give that user the right to read it"
    why = (error.strerror or type(error).__name__).lower()
    return f"the file cannot be read ({why}); replace it by a file that the bot's user can read"


def _not_toml(file: str, text: str, error: tomllib.TOMLDecodeError) -> ContextError:
    """Return the problem of a text that is not TOML."""
    message = str(error)
    if at := _AT_LINE.search(message):
        number = int(at[1])
        said = _AT_LINE.sub("", message).strip().lower()
        problem = f"it is not valid TOML ({said}); correct that line"
        if said == "cannot overwrite a value":
            problem = "this key is set a second time; delete one of the two lines"
        elif (begin := _last_statement("\n".join(text.split("\n")[:number]))) < number:
            problem = (
                f"the value that begins here cannot be read at line {number}; close its bracket or"
                " its quote, or correct that line"
            )
            number = begin
        elif _CURLY_QUOTES.search(text.split("\n")[number - 1]):
            problem = 'it is not valid TOML, because its quotes are curly; write straight ones (")'
        return ContextError(file, problem, line=number)
    # Found at the end of the file, but made where the last statement begins.
    problem = (
        "a bracket or a quote is opened here and closed nowhere, so the file is not valid TOML;"
        " close it"
    )
    return ContextError(file, problem, line=_last_statement(text))


def _last_statement(text: str) -> int:
    """Return the line at which the statement begins that the end of the text cuts off."""
    lines = text.split("\n")
    for count in range(len(lines) - 1, 0, -1):
        try:
            tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
        rest = lines[count:]
        blank = next((n for n, line in enumerate(rest) if line.strip()), 0)
        return count + blank + 1
    return next((n for n, line in enumerate(lines, 1) if line.strip()), 1)


def parse_context(
    name: str,
    data: Mapping[str, Any],
    *,
    file: str,
    text: str = "",
    relative_to: Path | None = None,
) -> ContextConfig:
    """Check data as a context called `name`. `file` names the source in messages.

    Raises:
        ContextErrors: it breaks one rule or more, each told in a sentence.
    """
    if "name" in data:
        problem = "unknown key 'name': the file's name is the context's name; delete the key"
        line = _line_of(text, ("name",))
        raise ContextErrors((ContextError(file, problem, line=line, key="name"),))
    try:
        resolved = _with_absolute_paths(data, relative_to)
        return ContextConfig.model_validate({**resolved, "name": name})
    except UrlError as error:
        line = _line_of(text, ("repositories", "url"))
        failed = ContextError(file, error.user_message, line=line, key="repositories.url")
        raise ContextErrors((failed,)) from None
    except ValidationError as error:
        details = _without_echoes(error.errors(include_url=False))
        problems = tuple(_explain(detail, file, text) for detail in details)
        raise ContextErrors(problems) from None


def _with_absolute_paths(data: Mapping[str, Any], relative_to: Path | None) -> dict[str, Any]:
    repositories = data.get("repositories")
    if not isinstance(repositories, list):
        return dict(data)
    resolved = [
        _absolute(repository, relative_to) if isinstance(repository, Mapping) else repository
        for repository in repositories
    ]
    return {**data, "repositories": resolved}


def _absolute(repository: Mapping[str, Any], relative_to: Path | None) -> Mapping[str, Any]:
    url = repository.get("url")
    if not isinstance(url, str):
        return repository
    url = url.strip()
    parsed = parse_url(url, relative_to=relative_to)
    found = {**repository, "url": parsed.path if parsed.scheme == "local" else url}
    if isinstance(key := repository.get("ssh_key"), str) and relative_to is not None:
        found["ssh_key"] = os.path.normpath(relative_to / Path(key).expanduser())
    return found


def _without_echoes(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Drop "too short" if it only says that an entry of the list was wrong."""
    inner = {detail["loc"][0] for detail in details if len(detail["loc"]) > 1}
    return [d for d in details if not (d["type"] == "too_short" and d["loc"][0] in inner)]


def _explain(detail: ErrorDetails, file: str, text: str) -> ContextError:
    location = tuple(detail["loc"])
    keys = tuple(part for part in location if isinstance(part, str))
    key = ".".join(keys) or None
    line = _line_of(text, keys, nth=next((p for p in location if isinstance(p, int)), 0))
    return ContextError(file, _sentence(detail, keys), line=line, key=key)


def _sentence(detail: ErrorDetails, keys: tuple[str, ...]) -> str:
    key = ".".join(keys)
    if detail["type"] == "extra_forbidden":
        return f"unknown key {keys[-1]!r}{_suggestion(keys)}"
    if detail["type"] == "missing":
        return f"the key {key!r} is missing; add it{_below(keys)}"
    if keys == ("name",):
        return (
            "the file's name is the context's name, and it may hold up to 80 letters from A to Z,"
            " digits, dots, dashes and underscores, of which the first is a letter or a digit;"
            " rename the file"
        )
    message = _in_plain_words(detail)
    given = detail.get("input")
    shown = f" (it is {given!r})" if isinstance(given, str | int | float | bool) else ""
    if isinstance(given, str) and (repr(given) in message or keys[-1:] == ("token",)):
        shown = ""  # It is said already, or may be a token.
    return f"the key {key!r} is wrong: {message}{shown}" if key else message


_WORDS: Mapping[str, str] = {
    "tuple_type": 'it must be a list in brackets, such as ["a", "b"]',
    "list_type": 'it must be a list in brackets, such as ["a", "b"]',
    "string_type": "it must be a text in quotes",
    "int_type": "it must be a whole number without quotes",
    "int_parsing": "it must be a whole number without quotes",
    "int_from_float": "it must be a whole number",
    "float_type": "it must be a number without quotes",
    "float_parsing": "it must be a number without quotes",
    "bool_type": "it must be true or false, without quotes",
    "bool_parsing": "it must be true or false, without quotes",
    "finite_number": "it must be a finite number",
    "greater_than_equal": "it must be {ge} or more",
    "greater_than": "it must be more than {gt}",
    "less_than_equal": "it must be {le} or less",
    "less_than": "it must be less than {lt}",
    "literal_error": "it must be one of {expected}",
    "string_too_short": "it must not be empty",
    "string_too_long": "it must have at most {max_length} characters",
    "too_short": "it must have at least {min_length} entry",
    "too_long": "it must have at most {max_length} entries",
}
"""Sentences for pydantic's types of errors, filled from their `ctx`."""


def _in_plain_words(detail: ErrorDetails) -> str:
    """Return the problem without the names of Python's types, and without a full stop."""
    kind = detail["type"]
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        key = next((str(part) for part in reversed(detail["loc"]) if isinstance(part, str)), "")
        head = f"[[{key}]]" if key == "repositories" else f"[{key}]"
        return f"it must be a table: write {head} on a line of its own and the keys below it"
    if kind == "tuple_type" and detail["loc"][-1] == "repositories":
        return "each repository is a table: write [[repositories]], with two brackets"
    if kind in _WORDS:
        context = detail.get("ctx", {})
        bounds = {k: f"{v:g}" if isinstance(v, float) else v for k, v in context.items()}
        return _WORDS[kind].format(**bounds)
    message = detail["msg"].removeprefix("Value error, ").removesuffix(".")
    return message if message.startswith("The ") else message[:1].lower() + message[1:]


def _suggestion(keys: tuple[str, ...]) -> str:
    model = _TABLES.get(keys[0], ContextConfig) if len(keys) > 1 else ContextConfig
    known = [field for field in model.model_fields if model is not ContextConfig or field != "name"]
    if close := nearest(keys[-1], known):
        return f"; did you mean {close!r}?"
    # A key at the end of a file belongs to the last table, whatever an empty line suggests.
    top = nearest(keys[-1], set(ContextConfig.model_fields) - {"name"}) if len(keys) > 1 else None
    if top is not None:
        meant = f"if you mean {top!r}, write it so above the first line in brackets"
        return f"{_below(keys)}; {meant}"
    return f"; known here are {', '.join(known)}"


def _below(keys: tuple[str, ...]) -> str:
    if len(keys) < 2:
        return ""
    return f" below [[{keys[0]}]]" if keys[0] == "repositories" else f" below [{keys[0]}]"


def _line_of(text: str, keys: tuple[str, ...], nth: int = 0) -> int | None:
    """Find the line that sets a key: the nth table of that name, then the key in it."""
    if not keys:
        return None
    lines = text.splitlines()
    start = 0
    if len(keys) > 1 or keys[0] in _TABLES:
        heads = [
            number
            for number, line in enumerate(lines)
            if re.match(rf"\s*\[\[?\s*{re.escape(keys[0])}\s*\]\]?", line)
        ]
        if not heads:
            return None
        start = heads[min(nth, len(heads) - 1)]
        if len(keys) == 1:
            return start + 1
    for number, line in enumerate(lines[start:], start):
        if re.match(rf"\s*[\"']?{re.escape(keys[-1])}[\"']?\s*=", line):
            return number + 1
    return start + 1 if len(keys) > 1 else None


def _taken_channel(
    context: ContextConfig, file: Path, owners: Mapping[str, str]
) -> ContextError | None:
    for channel in context.channels:
        if channel in owners:
            problem = (
                f"the channel {channel} belongs to {owners[channel]} already, and a channel has "
                "one context; take it out of one of the two files"
            )
            line = _line_of(file.read_text("utf-8"), ("channels",))
            return ContextError(file.name, problem, line=line, key="channels")
    return None
