"""Slack's encoding of text, undone once."""

from __future__ import annotations

import random
import time

import pytest

from bot.answer.thread.markup import link, to_plain_text, unescape


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("<@UBOT> how?", "how?"),
        ("<@UBOT>: how?", "how?"),
        ("<@UBOT|fw>, how?", "how?"),
        ("ask <@U2> or <@U3|ann>", "ask @U2 or @ann (U3)"),
        ("<@UBOT2> how?", "@UBOT2 how?"),
        ("see <#C1|general> and <#C2>, <#C3|>", "see #general (C1) and #C2, #C3"),
        ("<!here> <!channel> <!everyone>", "@here @channel @everyone"),
        ("<!subteam^S1|@devs> <!subteam^S2>", "@devs @S2"),
        ("<!date^1^{date}|today>", "today"),
        ("<!date^1790000000^{date}>", "2026-09-21 14:13 UTC"),
        ("<!date^1790000000^{date}^https://a.example|then>", "then"),
        ("<!date^soon^{date}>", "soon"),
        ("<https://a.example/x?a=1&amp;b=2|docs>", "docs (https://a.example/x?a=1&b=2)"),
        ("List&lt;int&gt; &amp;&amp; a &amp;lt; b", "List<int> && a &lt; b"),
        ("&amp;amp;lt;", "&amp;lt;"),
        ("a < b and c > d", "a < b and c > d"),
        ("if (a &lt; b) { <@U2> }", "if (a < b) { @U2 }"),
    ],
)
def test_slacks_tokens_are_read_as_people_see_them(raw: str, read: str) -> None:
    """The model answers what was written, not how Slack stores it."""
    assert to_plain_text(raw, "UBOT") == read


@pytest.mark.parametrize(
    ("raw", "typed"),
    [
        ("what does <http://README.md|README.md> say", "what does README.md say"),
        ("run <http://setup.py|setup.py>", "run setup.py"),
        (
            "clone <mailto:git@github.com|git@github.com>:acme/app.git",
            "clone git@github.com:acme/app.git",
        ),
        ("in <http://main.rs|main.rs>:12", "in main.rs:12"),
        ("<http://deploy.sh|deploy.sh> and <http://a.pl|A.pl>", "deploy.sh and A.pl"),
        ("<https://a.example|a.example>", "a.example"),
        ("<https://a.example/|a.example>", "a.example"),
        ("<https://a.example/x|https://a.example/x>", "https://a.example/x"),
        ("<http://a.example/x?b=1&amp;c=2|a.example/x?b=1&amp;c=2>", "a.example/x?b=1&c=2"),
        ("<https://a.example/%C3%A9t%C3%A9|a.example/été>", "a.example/été"),
        ("<https://a.example>", "https://a.example"),
        ("<tel:+4930123|+4930123>", "+4930123"),
        ("<mailto:a@b.example>", "a@b.example"),
        ("<https://github.com/acme/app|app>", "app (https://github.com/acme/app)"),
        ("<https://evil.example|good.example>", "good.example (https://evil.example)"),
        ("<mailto:a@b.example|write us>", "write us (mailto:a@b.example)"),
    ],
)
def test_a_link_that_slack_made_of_a_name_is_the_name(raw: str, typed: str) -> None:
    """`.md`, `.py`, `.rs` and `.sh` are top level domains."""
    assert to_plain_text(raw) == typed


def test_emoji_are_the_characters_that_slack_tells_of() -> None:
    known = {"tada": "\U0001f389"}
    assert (
        to_plain_text(":tada: and :shipit: at 12:30:45", None, known)
        == "\U0001f389 and :shipit: at 12:30:45"
    )


def test_an_entity_is_decoded_once_wherever_it_stands() -> None:
    """Property: encoding as Slack does and decoding gives the same text."""
    rng = random.Random(5)
    for _ in range(3_000):
        typed = "".join(rng.choices("<>&;ltgamp#@! |é\U0001f389\n", k=rng.randrange(30)))
        encoded = typed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        assert unescape(encoded) == typed
        assert to_plain_text(encoded) == typed.strip()


@pytest.mark.parametrize(
    "piece", ["<", "<@", "<!date^", "<a:b|", ":a", "&amp;", "<@UBOT", "<http://"]
)
def test_no_text_takes_long(piece: str) -> None:
    text = piece * (40_000 // len(piece))
    began = time.thread_time()
    to_plain_text(text, "UBOT", {"a": "b"})
    assert time.thread_time() - began < 0.3


def test_a_link_shows_its_address_if_the_label_hides_it() -> None:
    assert link("https://a.example/secret", "here") == "here (https://a.example/secret)"
