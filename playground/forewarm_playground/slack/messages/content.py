"""Content of a call: text, blocks, attachments or markdown, checked as Slack checks them."""

from __future__ import annotations

from dataclasses import dataclass, field

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Ids, Json
from forewarm_playground.slack.messages import blocks as kit
from forewarm_playground.slack.messages import richtext
from forewarm_playground.slack.web_api.arguments import Arguments

POSTED_TEXT = 40_000
UPDATED_TEXT = 4_000
MARKDOWN_TEXT = 12_000
ATTACHMENTS = 100


@dataclass(slots=True)
class Content:
    """The checked content of a message; a None means that the call did not speak of it."""

    text: str | None = None
    blocks: list[Json] | None = None
    attachments: list[Json] | None = None
    markdown: bool = False
    metadata: Json | None = None
    unfurls: bool = True
    link_names: bool = False
    raw: list[str] = field(default_factory=list)
    """The texts as the app sent them, before Slack stored them."""


def read_content(arguments: Arguments, ids: Ids) -> Content:
    """Return the content of a call.

    Refuses with `markdown_text_conflict`, `msg_too_long`, `invalid_blocks_format`,
    `invalid_blocks`, `msg_blocks_too_long`, `too_many_attachments`, `no_text` and their kin.
    """
    markdown = arguments.optional("markdown_text")
    text = arguments.optional("text")
    blocks = arguments.objects("blocks", "invalid_blocks_format")
    attachments = arguments.objects("attachments", "invalid_attachments")
    if markdown is not None and (text or blocks):
        raise SlackError("markdown_text_conflict")
    if markdown is not None and len(markdown) > MARKDOWN_TEXT:
        raise SlackError("msg_too_long")
    if not (markdown or text or blocks or attachments):
        raise SlackError("no_text")
    if attachments is not None and len(attachments) > ATTACHMENTS:
        raise SlackError("too_many_attachments")
    content = Content(
        attachments=attachments,
        metadata=_metadata(arguments),
        unfurls=_unfurls(arguments),
        link_names=_links_names(arguments),
        raw=[piece for piece in (text, markdown) if piece],
    )
    if blocks:
        kit.check_message_blocks(blocks)
        blocks = kit.with_ids(blocks, ids)
    if text is not None:
        links = arguments.optional("parse") != "none"
        content.text = richtext.stored(text[:POSTED_TEXT], links=links)
    content.blocks = blocks
    if markdown is not None:
        content.markdown, content.text = True, markdown
        content.blocks = [{"type": "markdown", "block_id": ids.next(""), "text": markdown}]
    return content


def _unfurls(arguments: Arguments) -> bool:
    """Whether Slack may fetch a link: unless the call switches off both kinds."""
    return arguments.flag("unfurl_links", default=True) or arguments.flag(
        "unfurl_media", default=True
    )


def _links_names(arguments: Arguments) -> bool:
    return arguments.flag("link_names") or arguments.optional("parse") == "full"


def _metadata(arguments: Arguments) -> Json | None:
    metadata = arguments.object("metadata")
    if metadata is None:
        return None
    if not isinstance(metadata.get("event_type"), str) or not isinstance(
        metadata.get("event_payload"), dict
    ):
        raise SlackError("invalid_metadata_format")
    return metadata


def look(arguments: Arguments) -> tuple[str | None, Json | None]:
    """Return the name and icon that a call puts on its message (`chat:write.customize`)."""
    emoji, url = arguments.optional("icon_emoji"), arguments.optional("icon_url")
    icons: Json | None = {"emoji": emoji} if emoji else {"image_48": url} if url else None
    return arguments.optional("username"), icons
