"""Read everything that a message of Slack says. Pure.

A message is more than its `text`: what it forwards, its blocks, its attachments with their fields,
its files. Questions, messages of a thread, shortcuts and edits are all read here. Field names are
those of docs/platform/slack.md. Every field may be absent or of another type: other apps write
these messages, and no form of them may raise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.answer.question import File, Quoted, file_of
from bot.answer.thread import markup

MAX_DEPTH = 64
MAX_NODES = 5_000
MAX_CHARACTERS = 60_000
"""Bounds of one message: how deep it nests, how many parts and characters of it are read."""

_NO_PREVIEW = "[no preview available]"
# Fields that stand first in a block of an unknown type, whatever their order.
_FIRST_FIELDS = ("title", "label", "header", "subtitle", "text", "body")
# Fields whose strings are for programs.
_NO_TEXT = re.compile(
    r"type|style|colou?r|mode|size|width|height|align\w*|emoji|icon|confirm|placeholder|url|uri"
    r"|id|ids|ts|\w+_(?:id|ids|url|uri|ts|type|token|hash|style|size|icon)"
)
# Blocks that only lead to something outside of the message.
_UNREADABLE = {"call": "a call", "file": "a remote file", "video": "a video", "image": "an image"}

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that a message says.

    `text` is the author's own words, decoded. `quoted` are words of others that the message shows.
    `unread` names parts that could not be read, such as "an image".
    """

    text: str
    quoted: tuple[Quoted, ...] = ()
    files: tuple[File, ...] = ()
    unread: tuple[str, ...] = ()

    def as_text(self) -> str:
        """Return the words alone, those of others marked as quotations."""
        parts = [self.text]
        for one in self.quoted:
            author = f"{one.by or one.user or 'a message'}:\n"
            parts.append("\n".join(f"> {line}" for line in (author + one.text).splitlines()))
        parts += [f"[a file: {file.name}]" for file in self.files]
        return "\n".join(part for part in parts if part)

    def __bool__(self) -> bool:
        return bool(self.text or self.quoted or self.files or self.unread)


def read_content(message: Node, own: str | None = None) -> Content:
    """Return what a message says. A mention of the user `own` is left out.

    In a message by software, blocks and attachments are its own words. In a person's message,
    attachments are quoted: forwarded messages and previews of links.
    """
    reader = _Reader(own)
    text = reader.decoded(message.get("text"))
    kinds = [block.get("type") for block in _nodes(message.get("blocks"))]
    blocks = [reader.block(block) for block in _nodes(message.get("blocks"))]
    # The same emoji stand in the text by name and in the blocks with their character.
    text = markup.to_plain_text(str(message.get("text") or ""), own, reader.emoji) if text else ""
    if text and not _by_software(message):
        # Slack made a person's text from the rich text.
        blocks = [b for b, n in zip(blocks, kinds, strict=True) if n != "rich_text"]
    words = _merged([text, *blocks])
    quoted: list[Quoted] = []
    for attachment in _nodes(message.get("attachments")):
        if _is_message(attachment) or not _by_software(message):
            quoted.append(reader.quotation(attachment))
        else:
            words = _merged([words, reader.attachment(attachment)])
    return Content(
        text=words,
        quoted=tuple(one for one in quoted if one.text or one.files),
        files=_files(message),
        unread=tuple(dict.fromkeys(reader.unread)),
    )


def _by_software(message: Node) -> bool:
    return bool(message.get("bot_id")) or message.get("subtype") == "bot_message"


def _is_message(attachment: Node) -> bool:
    """Tell whether an attachment is a message that was forwarded or linked."""
    return bool(
        attachment.get("is_share")
        or attachment.get("is_msg_unfurl")
        or attachment.get("is_reply_unfurl")
        or attachment.get("message_blocks")
    )


def _files(message: Node) -> tuple[File, ...]:
    return tuple(file_of(file) for file in _nodes(message.get("files")))


def _nodes(value: object) -> Iterator[Node]:
    """Yield the objects of a list; anything else in it is no part of a message."""
    return (node for node in _items(value) if isinstance(node, Mapping))


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _merged(parts: Sequence[str]) -> str:
    """Join parts, without those that an earlier part says already.

    Most apps send their blocks' text as `text` too, whole or in part.
    """
    kept: list[str] = []
    known: list[str] = []
    for part in parts:
        words = _normalize_words(part)
        if not part or any(words in other for other in known):
            continue
        for at in range(len(kept) - 1, -1, -1):
            if known[at] in words:
                del kept[at], known[at]
        kept.append(part)
        known.append(words)
    return "\n".join(kept)


def _normalize_words(text: str) -> str:
    return " " + " ".join(re.findall(r"\w+", text.casefold())) + " "


@dataclass(slots=True)
class _Reader:
    """Reads the parts of one message within its bounds.

    `emoji` collects the characters of named emoji, `unread` what could not be read.
    """

    own: str | None
    emoji: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    nodes: int = 0
    characters: int = 0

    # --- attachments ----------------------------------------------------------------------------

    def quotation(self, attachment: Node) -> Quoted:
        """Return an attachment as words of another author."""
        user = attachment.get("author_id")
        return Quoted(
            kind="forwarded" if _is_message(attachment) else "attachment",
            by=_first(attachment, "author_name", "author_subname", "service_name"),
            user=str(user) if user else None,
            text=self.attachment(attachment, author=False),
            files=_files(attachment),
        )

    def attachment(self, attachment: Node, *, author: bool = True) -> str:
        """Return what an attachment says: its frame, its text, its fields, its blocks."""
        parts = [self.decoded(attachment.get("pretext"))]
        if author:
            parts.append(self.decoded(attachment.get("author_name")))
        parts.append(self._title(attachment))
        parts.append(self.decoded(attachment.get("text")))
        parts.extend(self.block(block) for block in _nodes(attachment.get("blocks")))
        for shown in _nodes(attachment.get("message_blocks")):
            inner = shown.get("message")
            if isinstance(inner, Mapping):
                parts.extend(self.block(block) for block in _nodes(inner.get("blocks")))
        parts.extend(self._field(one) for one in _nodes(attachment.get("fields")))
        parts.extend(self.attachment(one) for one in self._inner(attachment))
        parts.append(self.decoded(attachment.get("footer")))
        text = _merged(parts)
        fallback = self.decoded(attachment.get("fallback"))
        if attachment.get("image_url"):
            self.unread.append("an image")
        if text or fallback != _NO_PREVIEW:
            return text or fallback
        if not _files(attachment):
            self.unread.append("a message without a preview")
        return ""

    def _inner(self, attachment: Node) -> Iterator[Node]:
        """Yield the attachments of a forwarded message, one level deep."""
        if _is_message(attachment):
            for inner in _nodes(attachment.get("attachments")):
                yield {k: v for k, v in inner.items() if k != "attachments"}

    def _title(self, attachment: Node) -> str:
        title = self.decoded(attachment.get("title"))
        url = attachment.get("title_link")
        return markup.link(url, title) if isinstance(url, str) and url and title else title

    def _field(self, one: Node) -> str:
        title, value = self.decoded(one.get("title")), self.decoded(one.get("value"))
        return f"{title}: {value}" if title and value else title or value

    # --- blocks ---------------------------------------------------------------------------------

    def block(self, block: Node, depth: int = 0) -> str:
        """Return a block's text; what has none is noted as unread."""
        kind = str(block.get("type") or "")
        read: Callable[[Node, int], str] = {
            "header": self._text_block,
            "markdown": self._text_block,
            "section": self._section,
            "context": self._list_of_blocks,
            "actions": self._list_of_blocks,
            "rich_text": self._rich_text,
            "table": self._table,
            "divider": lambda *_: "",
        }.get(kind, self._unknown)
        if not self._enter(depth):
            return ""
        text = read(block, depth)
        if not text and kind not in ("divider", "rich_text", "section", "context", "actions"):
            self.unread.append(_UNREADABLE.get(kind, f"a block of type {kind[:40]!r}"))
        elif kind in _UNREADABLE:
            self.unread.append(_UNREADABLE[kind])
        return text

    def _enter(self, depth: int) -> bool:
        self.nodes += 1
        if depth <= MAX_DEPTH and self.nodes <= MAX_NODES and self.characters <= MAX_CHARACTERS:
            return True
        self.unread.append("the rest of a very large message")
        return False

    def decoded(self, value: object) -> str:
        """Return an encoded text, given as a string or as a text object."""
        if isinstance(value, Mapping):
            raw = value.get("text")
            text = raw if isinstance(raw, str) else ""
            return self._count(markup.unescape(text)) if _is_plain(value) else self.decoded(text)
        if not isinstance(value, str):
            return ""
        return self._count(markup.to_plain_text(value, self.own, self.emoji))

    def _count(self, text: str) -> str:
        self.characters += len(text)
        return text[:MAX_CHARACTERS]

    def _text_block(self, block: Node, depth: int) -> str:
        return self.decoded(block.get("text"))

    def _section(self, block: Node, depth: int) -> str:
        parts = [self.decoded(block.get("text"))]
        parts += [self.decoded(one) for one in _nodes(block.get("fields"))]
        accessory = block.get("accessory")
        if isinstance(accessory, Mapping) and accessory.get("type") == "image":
            self.unread.append("an image")
        return "\n".join(part for part in parts if part)

    def _list_of_blocks(self, block: Node, depth: int) -> str:
        """Texts and images of a context, labels of buttons."""
        parts = []
        for element in _nodes(block.get("elements")):
            if element.get("type") == "image":
                parts.append(str(element.get("alt_text") or ""))
            else:
                text = element.get("text")
                parts.append(self.decoded(text if isinstance(text, Mapping) else element))
        return "\n".join(part for part in parts if part)

    def _table(self, block: Node, depth: int) -> str:
        lines = []
        for row in _items(block.get("rows")):
            cells = [self._cell(cell, depth + 1) for cell in _nodes(row)]
            if cells and self._enter(depth):
                lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines)

    def _cell(self, cell: Node, depth: int) -> str:
        if cell.get("type") == "rich_text":
            text = self._rich_text(cell, depth)
        else:
            text = self._count(str(cell.get("text") or ""))
        return " ".join(text.split())

    def _unknown(self, block: Node, depth: int) -> str:
        """Return the text that a block of an unknown type holds."""
        parts: list[str] = []
        self._strings(block, parts, depth + 1)
        return "\n".join(parts)

    def _strings(self, value: object, parts: list[str], depth: int) -> None:
        if value is None or not self._enter(depth):
            return
        if isinstance(value, str):
            text = self.decoded(value)
            parts += [text] if text else []
        elif isinstance(value, Mapping):
            for name in sorted(value, key=_field_order):
                self._field_strings(str(name), value[name], parts, depth)
        elif isinstance(value, Sequence):
            for one in value:
                self._strings(one, parts, depth + 1)

    def _field_strings(self, name: str, value: object, parts: list[str], depth: int) -> None:
        if _NO_TEXT.fullmatch(name):
            return
        if isinstance(value, Mapping) and value.get("type") == "rich_text":
            parts.append(self._rich_text(value, depth + 1))
            return
        self._strings(value, parts, depth + 1)

    # --- rich text ------------------------------------------------------------------------------

    def _rich_text(self, block: Node, depth: int) -> str:
        parts = [self._rich_part(part, depth + 1) for part in _nodes(block.get("elements"))]
        return "\n".join(part for part in parts if part.strip()).strip()

    def _rich_part(self, part: Node, depth: int) -> str:
        if not self._enter(depth):
            return ""
        kind = part.get("type")
        if kind == "rich_text_list":
            return self._list(part, depth)
        text = "".join(self._inline(one, depth + 1) for one in _nodes(part.get("elements")))
        if kind == "rich_text_preformatted":
            return f"```\n{text}\n```"
        if kind == "rich_text_quote":
            return "\n".join(f"> {line}" for line in text.splitlines())
        return text

    def _list(self, part: Node, depth: int) -> str:
        items = [self._rich_part(item, depth + 1) for item in _nodes(part.get("elements"))]
        indent = "  " * min(_number(part.get("indent")), 8)
        first = _number(part.get("offset")) + 1
        marks = [
            f"{first + at}." if part.get("style") == "ordered" else "-" for at in range(len(items))
        ]
        return "\n".join(f"{indent}{mark} {item}" for mark, item in zip(marks, items, strict=True))

    def _inline(self, element: Node, depth: int) -> str:
        """Return an element of rich text. Its strings are not encoded."""
        if not self._enter(depth):
            return ""
        kind, style = element.get("type"), element.get("style")
        text = self._inline_text(str(kind), element, depth)
        is_code = isinstance(style, Mapping) and style.get("code")
        return self._count(f"`{text}`" if is_code and text else text)

    def _inline_text(self, kind: str, element: Node, depth: int) -> str:
        text = str(element.get("text") or "")
        match kind:
            case "text":
                return text
            case "link":
                return markup.link(str(element.get("url") or ""), text)
            case "user":
                user = str(element.get("user_id") or "")
                return "" if user == self.own else markup.mention(user)
            case "channel":
                return markup.channel(str(element.get("channel_id") or ""))
            case "usergroup":
                return f"@{element.get('usergroup_id')}"
            case "broadcast":
                return f"@{element.get('range')}"
            case "emoji":
                return self._named_emoji(element)
            case "date":
                return str(element.get("fallback") or markup.date(element.get("timestamp")))
            case "color":
                return str(element.get("value") or "")
            case _:
                nested = "".join(
                    self._inline(one, depth + 1) for one in _nodes(element.get("elements"))
                )
                return text or nested

    def _named_emoji(self, element: Node) -> str:
        name, codes = str(element.get("name") or ""), element.get("unicode")
        try:
            # The code points of one emoji, in hexadecimal, joined by hyphens.
            character = "".join(chr(int(code, 16)) for code in str(codes).split("-"))
        except (ValueError, OverflowError):
            return f":{name}:"
        self.emoji[name] = character
        return character


def _field_order(name: object) -> int:
    """Return the place of a block's field; those that are not known keep their order."""
    return _FIRST_FIELDS.index(name) if name in _FIRST_FIELDS else len(_FIRST_FIELDS)


def _is_plain(text: Node) -> bool:
    return text.get("type") == "plain_text"


def _number(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _first(node: Node, *names: str) -> str | None:
    """Return the first of these fields that holds text."""
    for name in names:
        value = node.get(name)
        if isinstance(value, str) and value.strip():
            return markup.unescape(value.strip())
    return None
