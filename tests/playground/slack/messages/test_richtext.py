"""Text as typed, as stored, and as rich text."""

from __future__ import annotations

import pytest
from forewarm_playground.slack.messages import richtext
from hypothesis import example, given
from hypothesis import strategies as st


@given(st.text(alphabet="a&;ltgmp<>"))
@example("&lt;")
@example("&amp;gt;")
def test_escaping_is_undone_by_unescaping(text: str) -> None:
    """Typed text comes back to the screen unchanged."""
    assert richtext.unescape(richtext.escape(text)) == text


@given(st.text(alphabet="ab<>&;lt!@U0 ht:/p.s|", max_size=60))
def test_storing_what_is_stored_changes_nothing(text: str) -> None:
    """An app that posts back what it read must not see it escaped twice."""
    once = richtext.stored(text)
    assert richtext.stored(once) == once


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("a & b < c", "a &amp; b &lt; c"),
        ("<@U0BOT> hi", "<@U0BOT> hi"),
        ("see https://a.test/x?y=1&z=2.", "see <https://a.test/x?y=1&amp;z=2>."),
        ("<https://a.test|a>", "<https://a.test|a>"),
        ("&lt;b&gt;", "&lt;b&gt;"),
        ("<!here> <b>", "<!here> &lt;b&gt;"),
    ],
)
def test_text_is_stored_as_slack_stores_it(text: str, stored: str) -> None:
    """Apps match on stored text: tokens survive, stray characters are escaped, URLs bracketed."""
    assert richtext.stored(text) == stored


def test_a_typed_name_becomes_a_mention_and_nothing_else_does() -> None:
    """A person cannot type a token; their client makes it from a name it knows."""
    known = {"peer": "U0PEER"}
    typed = richtext.typed("@peer @nobody <!channel> a@peer.test", known.get)
    assert typed == "<@U0PEER> @nobody &lt;!channel&gt; a@peer.test"


def test_links_are_found_once_and_in_order() -> None:
    """`link_shared` lists each link once."""
    text = "<https://b.test/?a=1&amp;b=2> https://a.test, https://a.test"
    assert richtext.urls(text) == ["https://b.test/?a=1&b=2", "https://a.test"]


def test_rich_text_parts_text_mentions_and_links() -> None:
    """Clients send rich text with every message; an app may read either."""
    block = richtext.rich_text("hi <@U1> see <https://a.test|a> <!here> &lt;b", "x")[0]
    kinds = [e["type"] for e in block["elements"][0]["elements"]]
    assert kinds == ["text", "user", "text", "link", "text", "broadcast", "text"]
    assert block["elements"][0]["elements"][-1]["text"] == " <b"
