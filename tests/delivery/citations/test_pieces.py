"""The pieces in which a text comes make no difference to its citations."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.context.pack import RepositoryState
from bot.delivery.citations.filter import CitationFilter
from bot.delivery.citations.links import Hosts
from bot.delivery.citations.path_index import FileKey, PathIndex, Source, source_of

WEB = "https://github.com/acme/app/blob/{sha}/{path}#L{start}-L{end}"
STATE = RepositoryState("app", "https://github.com/acme/app", "main", "a" * 40, 0, "a" * 40, WEB)
PATHS = [
    *("Makefile", "bin/run", "src/db.py", "app/(auth)/[id]/route.ts", "My App/main.swift"),
    *("it's/odd.py", 'quo"te.py', "a#b/c.md", "C#/Program.cs", "x:y/z.py", "docs/caf\u00e9.md"),
    *("\u6587\u66f8/\u8aad.md", "we <b>/a&b.html", "50%/rate.py", "a,b;c.py", "-dash/--x.sh"),
]
UNKNOWN = ["gone.md", "src/gone.py", "_gone/x.md"]
LINES = [":3", "#L2-L4", ":2,5", "#name", ":99", ":2-3, 900", "#nope", ":4:2"]
FORMS = [
    *("`{}`", "{}", "[x]({})", "[x](<{}>)", "(`{}`)", "**{}**", "see {}, then", "`{}` and"),
    *("[`{}`](https://e.example/a)", "\u300c{}\u300d", "| {} |", "{}.", '"{}"', "- {}\n"),
    *("\n```\ndef name(x):\n```\n`{}`\n", "`name` (`{}`)", "`a b` {}", "![{}](x.png)"),
    *("__{}__", "`{} `", "` {}`", "<code>{}</code>", "x={}", "${}", "{} (line 4)", "`{}`, `{}`"),
]
INDEX = PathIndex([STATE], {"app": PATHS})
TEXT = "def name(x):\n    pass\n" + "".join(f"line {n}\n" for n in range(3, 30))
SOURCES: dict[FileKey, Source] = {("app", path): source_of(path, TEXT) for path in PATHS}


def checked(
    pieces: Sequence[str], sources: Mapping[FileKey, Source]
) -> tuple[str, tuple[int, int, int], list[tuple[str, str]]]:
    """Return the text that is shown, the counts, and each citation with its verdict."""
    check, now, shown = CitationFilter(Hosts([STATE]), INDEX, sources), 0.0, ""
    for piece in pieces:
        check.feed(piece, now)
        shown += check.settled(now)
        for key in check.files_to_read():
            check.supply(key, SOURCES[key])
        now += 0.02
    check.end()
    shown += check.settled(now)
    while wanted := check.files_to_read():
        for key in wanted:
            check.supply(key, SOURCES[key])
        shown += check.settled(now)
    shown += check.settled(now, final=True)
    return shown, check.counts, [(one.text, one.verdict) for one in check.checked]


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 5), read=st.booleans())
def test_any_cuts_give_the_same_links(seed: int, size: int, read: bool) -> None:
    """Paths of any characters, in any place of a sentence, their files read before or after."""
    draw = random.Random(seed)
    named = [*PATHS, *UNKNOWN]
    cited = (draw.choice(named) + draw.choice([*LINES, ""]) for _ in range(size))
    text = " ".join(draw.choice(FORMS).format(one, one) for one in cited)
    cuts = sorted(draw.sample(range(1, len(text)), min(len(text) - 1, draw.randint(1, 12))))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert checked(pieces, SOURCES if read else {}) == checked([text], SOURCES)
