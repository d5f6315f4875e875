"""Every single message of an answer is safe: three Markdown parsers find no link but the allowed.

The repository, the thread and so the model's words are hostile. The payloads are torn into pieces
at five speeds, come whole, and go through the filter and the engine, whose messages are judged.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING

import cmarkgfm
import mistune
import pytest
from markdown_it import MarkdownIt

from bot.context.pack import RepositoryState
from bot.delivery.citations.filter import CitationFilter
from bot.delivery.citations.links import Hosts
from bot.delivery.citations.path_index import FileKey, PathIndex, Source
from bot.delivery.engine.commands import Mode
from bot.delivery.engine.engine import StreamEngine
from bot.delivery.engine.sizing import Limits
from bot.delivery.markdown.escape import Visible

if TYPE_CHECKING:
    from tests.delivery.markdown.conftest import Author

FUZZED = 20_000 if "FOREWARM_SOAK" in os.environ else 300
"""Random texts that are tried; `make soak` tries 20,000."""
SPLIT = 1_000 if "FOREWARM_SOAK" in os.environ else 12
WEB = "https://github.com/acme/app/blob/{sha}/{path}#L{start}-L{end}"
STATE = RepositoryState("app", "https://github.com/acme/app", "main", "a" * 40, 0, "b" * 40, WEB)
CODE = "import os\n\ndef login(user):\n    token = make_token(user)\n    return token\n"
PATHS = ["src/auth.py", "app/[slug]/page.tsx", "src/odd (1).py", "README.md"]
INDEX = PathIndex([STATE], {"app": PATHS})
SOURCES: dict[FileKey, Source] = {("app", path): Source(CODE, CODE) for path in PATHS}
HOSTS = Hosts([STATE])
ALLOWED = re.compile(
    r"https://github\.com/acme/app(?:[/?#]|\Z)|https://[\w-]+\.slack\.com/archives/"
)
COMMON = MarkdownIt("commonmark").enable(["table", "strikethrough"])
MISTUNE = mistune.create_markdown(plugins=["url", "table", "strikethrough", "task_lists"])
PARSERS: dict[str, Callable[[str], str]] = {
    "cmark-gfm": cmarkgfm.github_flavored_markdown_to_html,
    "mistune": lambda text: str(MISTUNE(text)),
    "markdown-it": COMMON.render,
}
_HREF = re.compile(r'<(?:a\b[^>]*?\bhref|img\b[^>]*?\bsrc)="([^"]*)"')
_CODE = re.compile(r"<(code|pre|a)\b.*?</\1>", re.DOTALL)
_BARE = re.compile(r"(?:https?://|www\.)[^\s<>]+")


def live(message: str) -> Iterator[tuple[str, str]]:
    """Yield every link that leads to no allowed place, and every address that stands in prose."""
    for name, parse in PARSERS.items():
        html = parse(message)
        for address in _HREF.findall(html):
            if not ALLOWED.match(address):
                yield name, address
        if name == "markdown-it":
            bare = _BARE.findall(_CODE.sub("", html))
            yield from (("bare", found) for found in bare if not ALLOWED.match(found))


def messages(
    pieces: Sequence[str], gap: float, *, limits: Limits | None = None, mode: Mode = "stream"
) -> list[str]:
    """Return the messages of an answer as Slack would get them, escaped."""
    check, engine = CitationFilter(HOSTS, INDEX, SOURCES), StreamEngine(limits=limits, mode=mode)
    visible, now, count = Visible(), 0.0, 0
    for number in range(len(pieces) + 200):
        if number < len(pieces):
            check.feed(visible.feed(pieces[number]), now)
            now += gap
            engine.feed(check.settled(now, final=number + 1 == len(pieces)))
        else:
            engine.finish()
            now += 30.0
        while offers := engine.offers(now):
            creates = engine.begin(offers[0], now).kind in ("start", "post")
            count += 1
            engine.succeeded(now, f"{count}.0" if creates else None)
        if engine.over:
            break
    assert engine.over
    return [message.content(suffix=message.suffix) for message in engine.messages]


def torn(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


CORES = [
    "[Sign in again](https://evil.example/login)",
    "[x](<https://evil.example>)",
    "[x](https://evil.example 'title')",
    "![pixel](https://evil.example/p.png?d=secret)",
    "[![a](https://evil.example/a.png)](https://evil.example)",
    "<https://evil.example/a>",
    "https://evil.example/a?b=c",
    "HTTPS://EVIL.EXAMPLE",
    "www.evil.example/x",
    "ftp://evil.example/x",
    "//evil.example/x",
    "mailto:a@evil.example",
    "me@evil.example",
    "xmpp:me@evil.example",
    "[x]: https://evil.example\n\n[x]",
    "[x]: //evil.example\n\n[x][]",
    "[x][y]\n\n[y]: <//evil.example>",
    "&#104;ttps://evil.example",
    "https&colon;//evil.example",
    "[x](https&#58;//evil.example)",
    "[x](java&Tab;script:alert(1))",
    "[x](javascript:alert(1))",
    "[x](data:text/html;base64,xxxx)",
    "[x](//evil.example)",
    "\\https://evil.example",
    "https:\\//evil.example",
    "[`src/auth.py:3`](https://github.com/attacker/app/blob/main/src/auth.py#L3)",
    "[src/auth.py:3](https://github.com/acme/app2/blob/main/src/auth.py)",
    "[a](https://github.com/acme/app/../../attacker/app)",
    "[a](https://github.com/acme/app/%2e%2e/%2e%2e/attacker/x)",
    "[a](https://github.com:8443/acme/app)",
    "[a](http://github.com/acme/app)",
    "[a](https://github.com@evil.example/acme/app)",
    "[a](https://github.com\\@evil.example/acme/app)",
    "[a](https://github.com.evil.example/acme/app)",
    "[a](https://gi\u0442hub.com/acme/app)",
    "https://slack.com/oauth/v2/authorize?client_id=1.2&scope=admin",
    "https://acme.slack.com/oauth/authorize?client_id=1",
    "https://join.slack.com/t/evil/shared_invite/zt-1",
    "https://acme.slack.com/archives/../oauth",
    "https://acme.slack.com.evil.example/archives/C1",
    "[https://evil.example](https://github.com/acme/app/issues)",
    "`[x](https://evil.example)` and ``[y](https://evil.example) ` ``",
    "`unclosed [x](https://evil.example)\nnext [y](https://evil.example)",
    "```\n[x](https://evil.example)\n",
    "> ```\n> [x](https://evil.example)\n[y](https://evil.example)",
    "    [x](https://evil.example)\n[y](https://evil.example)",
    "| a | b |\n|---|---|\n| `x|[y](https://evil.example)` | z |",
    "`a|[x](https://evil.example)`\n|---|---|\n| b | c |",
    "~~a `~~https://evil.example` b",
    "\u202e[moc.elpmaxe](https://evil.example)\u202c",
    "h\u200bttps://evil.example ht\u00adtps://evil.example",
    "https:/\u2060/evil.example [x]\u200b(https://evil.example)",
    "<a href='https://evil.example'>x</a><img src=//evil.example>",
    "<!channel> <!here> <@U1> <#C1> <!subteam^S1> <https://evil.example|x>",
    "*[x](https://evil.example)*__[y](https://evil.example)__",
    "- [x](https://evil.example)\n  1. [ ] [y](https://evil.example)",
    "# [x](https://evil.example)\n===\n[y](https://evil.example)\n---",
    "[a\nb](https://evil.example) [a](\nhttps://evil.example)",
    "[[[[x]]]](https://evil.example) [[x](https://evil.example)](https://evil.example)",
]
FRAMES = ["{}", "Look: {} there.", "- item\n\n  {}\n\nend", "> {}\n\n`code` {}", "値{}値"]
PAYLOADS = [frame.replace("{}", core) for core, frame in product(CORES, FRAMES)]
"""Three hundred payloads."""
SPEEDS = [(1, 0.004), (1, 0.25), (4, 0.02), (7, 0.08), (24, 0.2)]
"""Characters in a piece, and seconds between two pieces."""


def test_there_are_three_hundred_payloads() -> None:
    """A number that the documents name must not shrink unnoticed."""
    assert len(set(PAYLOADS)) == 300


@pytest.mark.parametrize("speed", [None, *SPEEDS])
def test_no_payload_makes_a_live_link_or_a_ping(speed: tuple[int, float] | None) -> None:
    """Whole and torn at five speeds."""
    found = []
    for payload in PAYLOADS:
        pieces = torn(payload, speed[0]) if speed else [payload]
        for message in messages(pieces, speed[1] if speed else 0.0):
            found += [(payload, *one) for one in live(message)]
            assert "<" not in message
    assert found == []


@pytest.mark.parametrize(("size", "gap"), [(4, 0.001), (4, 0.016), (100_000, 0.0)])
@pytest.mark.parametrize("ticks", ["`", "``", ""])
def test_no_link_comes_alive_where_a_long_line_of_code_rolls_over(
    size: int, gap: float, ticks: str
) -> None:
    """The next message began in the middle of a span, and all ticks behind it changed sides."""
    span = "[Sign in again](https://evil.example/login)"
    text = " ".join(f"{ticks}{span}{ticks}" for _ in range(600))
    text += f"\n\n`{' '.join([span] * 500)}`\n\n" + "x " * 3_000 + f"`{span * 400}`"
    parts = messages(torn(text, size), gap)
    assert len(parts) > 5
    assert [one for part in parts for one in live(part)] == []


@pytest.mark.parametrize("size", [1, 60])
def test_no_link_comes_alive_where_any_block_is_split(author: type[Author], size: int) -> None:
    """Code holds links as they are, so it must be code in the next message, too."""
    found = []
    for seed in range(SPLIT):
        text = author(seed).write(6, 12).text
        limits = Limits(full=400, soft=300) if seed % 2 else Limits(full=700, soft=500)
        mode: Mode = ("stream", "edit", "once")[seed % 3]
        for message in messages(torn(text, size), 0.02, limits=limits, mode=mode):
            found += [(seed, *one) for one in live(message)]
    assert found == []


@pytest.mark.parametrize("lead", ["", "> ", "- "])
def test_a_fence_with_a_long_name_stays_a_fence_in_the_next_message(lead: str) -> None:
    """A name of 5,000 characters was not repeated, and with it the fence was gone."""
    link = f"{lead and '  '}[x](https://evil.example/login)\n"
    text = f"{lead}```{'n' * 5_000}\n" + (link if lead != "> " else f"> {link}") * 400
    parts = messages([text], 0.0)
    assert len(parts) > 1
    assert [one for part in parts for one in live(part)] == []


def test_links_to_the_repository_and_to_messages_stay() -> None:
    """The filter must not be safe by taking everything."""
    kept = [
        "[an issue](https://github.com/acme/app/issues/4)",
        "[a talk](https://acme.slack.com/archives/C1/p1)",
        f"[`src/auth.py:3`](https://github.com/acme/app/blob/{'a' * 40}/src/auth.py#L3-L3)",
    ]
    for text in kept:
        assert messages([text], 0.0) == [text]
    assert messages(["https://github.com/acme/app/pull/7"], 0.0) == [
        "[https://github.com/acme/app/pull/7](https://github.com/acme/app/pull/7)"
    ]


ATOMS = [
    *("`", "``", "```", "```py\n", "```\n", "~~~\n", "\t```", "[", "]", "(", ")", "](", "!", "!["),
    *("](https://evil.com/?q=1)", "[x](https://evil.com)", "![a](https://evil.com/p.png)"),
    *("https://evil.com/", "http://evil.com", "www.evil.com/x", "https://", "://", "evil.com"),
    *("\\", "\\`", "\n", "\n\n", "  ", "    ", "- ", "1. ", "> ", "# ", "\t", '"', "'", "*", "_"),
    *("| a | b |\n|---|---|\n", "|---|---|\n", "src/auth.py", ":3", "-5", "#login", "a&b", "&"),
    *("`src/auth.py:3-5`", "[l](src/auth.py#L3)", "https://github.com/o/r?x=(1)", "&lt;", "|"),
    *("[l](https://github.com/acme/app/blob/main/src/auth.py#L3-L4)", "&#104;ttps://evil.com"),
    *("<https://evil.com>", "<!channel>", "[1]: https://evil.com\n", "[1]: <//evil.com>\n", "[1]"),
    *("[x](javascript:alert(1))", "[x](//evil.com)", "[x](<https://evil.com>)", " word ", "[x]"),
    *("\n> ", "\n    ", "\n- ", "\n\n    ", "~~", "**", "@", "a@evil.com", "mailto:a@evil.com"),
    *("[x](https://github.com/acme/app/../../evil/x)", "https://github.com/acme/app/issues/1"),
    *("[src/auth.py:3](https://github.com/acme/app/issues)", "`[x](https://evil.com)`"),
    *("[https://evil.com](https://github.com/acme/app/x)", "`a|https://evil.com`", "\r", "\x0c"),
    *(
        "    [x](https://evil.com)\n",
        "`` a ` https://evil.com ``",
        "1. a\n\n        https://evil.com\n",
    ),
    *("> ```\n> [x](https://evil.com)\n> ```\n", "[x](https://github.com\\@evil.com)"),
]


def test_random_texts_have_no_live_link_in_any_message() -> None:
    """Parts of links, code and blocks in any order, torn anywhere, under small limits."""
    begin = random.getrandbits(40) if "FOREWARM_SOAK" in os.environ else 0
    found = []
    for seed in range(begin, begin + FUZZED):
        chance = random.Random(seed)
        text = "".join(chance.choices(ATOMS, k=chance.randint(1, 24)))
        size, gap = chance.choice([(10_000, 0.0), *SPEEDS])
        limits = chance.choice([Limits(), Limits(full=400, soft=300), Limits(full=1500, soft=1100)])
        mode: Mode = chance.choice(("stream", "edit", "once"))
        for message in messages(torn(text, size), gap, limits=limits, mode=mode):
            found += [(seed, *one) for one in live(message)]
    assert found == []
