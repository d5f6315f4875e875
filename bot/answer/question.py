"""A question as it reached the bot, from any surface of Slack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bot.delivery.slack_api import Target

Surface = Literal["mention", "thread", "dm", "modal", "shortcut", "channel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file on a message. `size` is in bytes, `kind` a MIME type or Slack's name of the type.

    `preview` is the start of a text that Slack sent along, `whole` says that it is all of it.
    Reading `url` needs the bot's token. `snippet` says that Slack calls the file a text. A `stub`
    comes from another organisation, without its facts: Slack gives them if it is asked.
    """

    id: str
    name: str
    kind: str
    size: int = 0
    snippet: bool = False
    preview: str | None = None
    whole: bool = False
    url: str | None = None
    stub: bool = False


def file_of(slack: Mapping[str, Any]) -> File:
    """Return Slack's file object as a `File`. Missing fields are empty, never an error."""
    size, mimetype = slack.get("size"), str(slack.get("mimetype") or "")
    url = slack.get("url_private_download") or slack.get("url_private")
    words = _words_of(slack)
    preview, whole = words or (slack.get("preview"), not _is_cut(slack))
    return File(
        id=str(slack.get("id") or ""),
        name=str(slack.get("name") or slack.get("title") or "a file"),
        kind=mimetype or str(slack.get("filetype") or "unknown"),
        size=size if isinstance(size, int) else 0,
        snippet=slack.get("mode") == "snippet" or mimetype.startswith("text/") or words is not None,
        preview=preview if isinstance(preview, str) else None,
        whole=isinstance(preview, str) and whole,
        # The bytes behind words that Slack sends along are a recording or a page.
        url=url if isinstance(url, str) and words is None else None,
        stub=slack.get("file_access") == "check_file_info",
    )


def _words_of(slack: Mapping[str, Any]) -> tuple[str, bool] | None:
    """Return the words of an e-mail or of a recording, and whether they are all of them."""
    if slack.get("mode") == "email" or slack.get("filetype") == "email":
        text = slack.get("plain_text") or slack.get("preview_plain_text")
        if isinstance(text, str) and text.strip():
            subject = str(slack.get("subject") or slack.get("title") or "")
            head = f"Subject: {subject}\n\n" if subject else ""
            return head + text, bool(slack.get("plain_text"))
    transcription = slack.get("transcription")
    preview = transcription.get("preview") if isinstance(transcription, Mapping) else None
    if isinstance(preview, Mapping):
        content = preview.get("content")
        if isinstance(content, str) and content.strip():
            return f"(transcript by Slack)\n{content}", not preview.get("has_more")
    return None


def _is_cut(slack: Mapping[str, Any]) -> bool:
    """Tell whether a file's preview is not all of it: Slack may send one of the two marks alone."""
    return bool(slack.get("preview_is_truncated") or slack.get("lines_more"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """Words in a message that are not its author's.

    `kind` is "forwarded" for another message, "attachment" for a preview of a link, "shortcut" for
    the message that a shortcut was opened on. `by` is the name that Slack gives for their author,
    `user` the id.
    """

    kind: str
    text: str
    by: str | None = None
    user: str | None = None
    files: tuple[File, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with its asker, its place, and its times by two clocks.

    `ts` is the message's Slack time stamp, a string; for a modal it is the id of the submission
    and `asked_at` is None: a modal has no Slack stamp. `thread` is the thread the answer goes to
    (the question's own ts if it opens one), or None for a channel's top level. `asked_at` and
    `received_at` are Unix seconds. `context` is set if the asker chose one.
    """

    id: str
    workspace: str
    channel: str
    ts: str
    thread: str | None
    user: str
    text: str
    surface: Surface
    received_at: float
    asked_at: float | None
    in_thread: bool = False
    context: str | None = None
    enterprise: str | None = None
    user_team: str | None = None
    files: tuple[File, ...] = field(default=())
    quoted: tuple[Quoted, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def is_stamped(self) -> bool:
        """Whether `ts` is Slack's time stamp of a message, as against a modal's submission."""
        return self.surface not in ("modal", "shortcut")

    def was_asked_until(self, until: str) -> bool:
        """Whether this was asked at or before a time stamp of Slack; True if that is empty."""
        if not until:
            return True
        return self.ts <= until if self.is_stamped else self.received_at <= float(until)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to answer, as when the message was deleted in Slack."""
        return not (self.text or self.files or self.quoted or self.unread)

    @property
    def root(self) -> str:
        """The thread that question and answer belong to."""
        return self.thread or self.ts


def target_of(question: Question, recipient: str | None = None) -> Target:
    """Return the place of a question's answer; a `recipient` sees it grow instead of the asker."""
    return Target(
        workspace=question.workspace,
        channel=question.channel,
        thread=question.root if question.is_stamped else question.thread,
        recipient_user=recipient or question.user,
        recipient_team=(None if recipient else question.user_team) or question.workspace,
    )


def together(first: Question, second: Question) -> Question:
    """Return the second of two questions of one asker with the words of both."""
    return replace(
        second,
        text=f"{first.text}\n\n{second.text}".strip(),
        files=(*first.files, *second.files),
        quoted=(*first.quoted, *second.quoted),
        unread=(*first.unread, *second.unread),
    )
