"""Code reaches Slack byte for byte, and the pieces in which a text comes make no difference."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt

from bot.context.pack import RepositoryState
from bot.delivery.citations.filter import CitationFilter
from bot.delivery.citations.links import Hosts
from bot.delivery.citations.path_index import PathIndex
from bot.delivery.engine.engine import StreamEngine
from bot.delivery.engine.sizing import Limits

if TYPE_CHECKING:
    from tests.delivery.markdown.conftest import Author

CUTS = 10_000 if "FOREWARM_SOAK" in os.environ else 400
"""Random cuts that are tried over all texts; `make soak` tries 10,000."""
TEXTS = 200
WEB = "https://github.com/acme/app/blob/{sha}/{path}#L{start}-L{end}"
STATE = RepositoryState("app", "https://github.com/acme/app", "main", "a" * 40, 0, "b" * 40, WEB)
INDEX = PathIndex([STATE], {"app": ["src/auth.py"]})
HOSTS = Hosts([STATE])
COMMON = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(*pieces: str) -> str:
    """Return what a text becomes that comes in these pieces."""
    check, out = CitationFilter(HOSTS, INDEX, {}), []
    for piece in pieces:
        check.feed(piece, 0.0)
        out.append(check.settled(0.0))
    return "".join([*out, check.settled(0.0, final=True)])


def torn(text: str, places: list[int]) -> list[str]:
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@pytest.mark.parametrize(
    "text",
    [
        "Run `git push https://git.example.org/team/web.git main`.",
        "Set `DATABASE_URL=postgresql://app:pw@db.internal:5432/app`, then restart.",
        "`curl -fsSL https://get.example.com | sh -s -- --yes`",
        "Use ``echo `date` > https://x.example`` here.",
        "`routes[method](request)` calls `table[a|b](c)`.",
        "`docker run -e URL=http://localhost:8080/v1 img`",
        "`ssh://git@host:22/x.git` and `s3://bucket/key`",
        "`www.example.com` is no link, `me@example.com` neither.",
        "`&#x68;ttps://x.example` and `&lt;a&gt;`",
        "参见`curl https://例え.example/路径`。",
        "> ```sh\n> curl https://api.example.com/v1\n> ```",
        "> > ```\n> > [x](https://evil.example)\n> > ```",
        "- step\n\n  ```py\n  handlers[0](x)\n  ```",
        "Run:\n\n    wget http://files.example/a.tgz\n    make -C a[0](b)",
        "~~~sh\ncurl https://api.example.com\n~~~",
        "~~~~\n```\nhttps://x.example\n```\n~~~~",
        "| a | b |\n|---|---|\n| `curl https://x.example/a` | y |",
        "| a |\n|---|\n| `a \\| curl https://x.example` |",
        "1. Go\n\n       indented https://x.example in an item",
        "```\nform\x0cfeed \u2028 separators https://x.example\n```",
    ],
)
def test_code_is_not_changed(text: str) -> None:
    """A command that is copied from an answer must run."""
    assert shown(text) == text
    assert shown(*text) == text
    for cut in range(1, len(text)):
        assert shown(text[:cut], text[cut:]) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see <https://docs.example.net/a> now", "see `https://docs.example.net/a` now"),
        ("詳細はhttps://d.example/aを参照。", "詳細は`https://d.example/a`を参照。"),
        ("参见 https://d.example/a。然后", "参见 `https://d.example/a`。然后"),
        ("|a|https://d.example/a|", "|a|`https://d.example/a`|"),
        ("URL=https://d.example/a now", "URL=`https://d.example/a` now"),
        ("“https://d.example/a”", "“`https://d.example/a`”"),
        ("щюhttps://d.example/aюц", "щю`https://d.example/a`юц"),
        ("(www.d.example/x), ok", "(`www.d.example/x`), ok"),
        ("write to bob@d.example.", "write to bob@`d.example`."),
        ("odd://d.example/a is", "odd:`//d.example/a` is"),
        ("xhttps://d.example", "xhttps:`//d.example`"),
        ("**https://d.example/a**", "**`https://d.example/a`**"),
        ("actions/checkout@v4 and @scope/pkg", "actions/checkout@v4 and @scope/pkg"),
        ("call handlers[0](x) here", "call handlers[0] (x) here"),
    ],
)
def test_an_address_ends_where_it_ends_in_every_script(text: str, expected: str) -> None:
    """Words beside an address stay words, in any script, at every cut."""
    assert shown(text) == expected
    for cut in range(1, len(text)):
        assert shown(text[:cut], text[cut:]) == expected, cut


@pytest.mark.parametrize("scheme", ["git+ssh", "mongodb+srv", "git+https"])
def test_a_scheme_is_whole_although_a_path_could_begin_within_it(scheme: str) -> None:
    """`git+s` may be the beginning of a path with a blank, and was let go up to the `s`."""
    index = PathIndex([STATE], {"app": ["src/odd (1).py", "https notes/a.md"]})
    text = f"see {scheme}://d.example/a now"
    for cut in range(1, len(text)):
        check = CitationFilter(HOSTS, index, {})
        check.feed(text[:cut], 0.0)
        left = check.settled(0.0)
        check.feed(text[cut:], 0.0)
        whole = left + check.settled(0.0, final=True)
        assert whole == f"see `{scheme}://d.example/a` now", cut


def test_the_pieces_make_no_difference_and_code_stays(author: type[Author]) -> None:
    """Two hundred texts of all block types, in twelve scripts, torn at random."""
    chance = random.Random(1)
    for seed in range(TEXTS):
        written = author(seed).write()
        whole = shown(written.text)
        for span in written.spans:
            assert span in whole, (seed, span)
        lines = set(whole.split("\n"))
        assert [line for line in written.lines if line not in lines] == [], seed
        for _ in range(max(1, CUTS // TEXTS)):
            count = chance.choice((1, 3, 10, 60, len(written.text) - 1))
            places = sorted(chance.randint(0, len(written.text)) for _ in range(count))
            assert shown(*torn(written.text, places)) == whole, seed


def messages(text: str, limits: Limits, size: int) -> list[str]:
    """Return the messages in which an engine shows a text that comes in pieces of `size`."""
    engine, now, count = StreamEngine(limits=limits), 0.0, 0
    check = CitationFilter(HOSTS, INDEX, {})
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    for number in range(len(pieces) + 200):
        if number < len(pieces):
            check.feed(pieces[number], now)
            engine.feed(check.settled(now, final=number + 1 == len(pieces)))
        else:
            engine.finish()
        while offers := engine.offers(now):
            engine.begin(offers[0], now)
            count += 1
            engine.succeeded(
                now, f"{count}.0" if offers[0].call.kind in ("start", "post") else None
            )
        now += 0.02 if number < len(pieces) else 30.0
    assert engine.over
    return [message.prefix + message.body + message.suffix for message in engine.messages]


def code_of(text: str) -> list[str]:
    found: list[str] = []

    def collect(tokens: Any) -> None:
        for token in tokens:
            if token.type in ("code_inline", "fence", "code_block"):
                found.append(token.content)
            collect(token.children or ())

    collect(COMMON.parse(text))
    return found


@pytest.mark.parametrize("size", [3, 50, 100_000])
def test_code_stays_code_in_every_message_of_a_split_answer(
    author: type[Author], size: int
) -> None:
    """A parser finds in each message only code that the model wrote as code."""
    limits = Limits(full=700, soft=500)
    for seed in range(40):
        written = author(seed).write(6, 12)
        parts = messages(written.text, limits, size)
        assert len(parts) > 1
        for part in parts:
            for code in code_of(part):
                for line in code.split("\n"):
                    assert not line.strip() or line.strip() in written.text, (seed, line)
