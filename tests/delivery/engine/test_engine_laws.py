"""The engine's laws, under random texts and random misfortune.

`FOREWARM_SCHEDULES=10000` sets how many schedules are tried; by default as many as a quick check
of the whole room allows.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.delivery.engine.commands import Mode
from bot.delivery.engine.sizing import Limits
from bot.delivery.markdown.escape import escape

if TYPE_CHECKING:
    from tests.delivery.conftest import Run, Schedule

SCHEDULES = int(os.environ.get("FOREWARM_SCHEDULES", "120"))
MANY = settings(
    max_examples=SCHEDULES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize="FOREWARM_SCHEDULES" not in os.environ,
    database=None,
)
COMMON = MarkdownIt("commonmark").enable("table")

WORDS = [
    *("alpha", "beta<T>", "`code`", "&amp;", "gämma", "delta", "[x](https://a/b)", "日本語"),
    *("👩\u200d💻", "<!channel>", "&lt;", "a&b", "**", "snake_case", "verify", "the", "token"),
]
FAULTS = ["rate_limited", "server", "other", "lost_before", "lost_after", "lost_late"]
FAULTS += ["dies", "blocks", "refused", "too_long"]
SMALL = Limits(full=1_500, soft=1_100)
"""Limits under which short texts need many messages."""


class Writer:
    """Writes Markdown as models do, from a seed: a whole text is too much to shrink anyhow."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self, most: int) -> str:
        text = "".join(self.block() for _ in range(self.random.randint(1, most)))
        if self.random.random() < 0.3:
            return text[: self.random.randint(1, len(text))]
        return text

    def words(self, least: int, most: int) -> str:
        return " ".join(self.random.choices(WORDS, k=self.random.randint(least, most)))

    def block(self, indent: int = 0, depth: int = 0) -> str:
        lead = " " * indent
        kind = self.random.choice(["prose", "prose", "fence", "table", "list", "list", "top"])
        if kind == "fence":
            return self.fence(lead)
        if kind == "table":
            rows = [f"| {self.words(1, 3)} | x |" for _ in range(self.random.randint(1, 30))]
            lines = ["| a | b |", "|---|:-:|", *rows]
            return "".join(f"{lead}{line}\n" for line in lines) + "\n"
        if kind == "list" and depth < 3:
            return self.items(indent, depth)
        if kind == "top" and not indent:
            long = " word" * self.random.choice([0, 0, 40, 600])
            return self.random.choice(["## ", ""]) + self.words(1, 5) + long + "\n\n"
        count = self.random.choice([1, 1, 3])
        return "".join(f"{lead}{self.words(1, 40)}\n" for _ in range(count)) + "\n"

    def fence(self, lead: str) -> str:
        marker = self.random.choice(["```", "````", "~~~"])
        info = self.random.choice(["", "py", "ts title"])
        count = self.random.choice([0, 3, 12, 60])
        lines = [f"{lead}  {self.words(0, 9)}".rstrip() for _ in range(count)]
        return "\n".join([lead + marker + info, *lines, lead + marker]) + "\n\n"

    def items(self, indent: int, depth: int) -> str:
        ordered, first = self.random.random() < 0.5, self.random.randint(1, 12)
        out = ""
        for number in range(first, first + self.random.randint(1, 7)):
            marker = f"{number}." if ordered else "-"
            content = indent + len(marker) + 1
            out += " " * indent + f"{marker} {self.words(1, 30)}\n"
            if self.random.random() < 0.2:
                out += " " * content + self.words(1, 9) + "\n"
            if self.random.random() < 0.4:
                out += "\n" + self.block(content, depth + 1)
        return out + "\n"


def texts(most: int = 14) -> st.SearchStrategy[str]:
    return st.integers(0, 2**32).map(lambda seed: Writer(seed).text(most))


@st.composite
def schedules(draw: st.DrawFn, length: int, cls: type[Schedule], more: list[str]) -> Schedule:
    size = draw(st.sampled_from((7, 40, 300, 3_000)))
    count = min(length // size + 1, 400)
    gaps = st.sampled_from((0.0, 0.02, 0.5, 2.0, 12.0, 70.0))
    step = st.tuples(st.integers(1, size), gaps)
    faults = draw(st.lists(st.sampled_from(FAULTS + more), max_size=40))
    calm = draw(st.integers(0, 12))
    spread: list[Any] = []
    for fault in faults:
        spread += [*["fine"] * draw(st.integers(0, calm)), fault]
    halt = draw(st.none() | st.integers(0, count)) if draw(st.integers(0, 3)) == 0 else None
    return cls(
        steps=tuple(draw(st.lists(step, min_size=1, max_size=count))),
        faults=tuple(spread),
        mode=draw(st.sampled_from(("stream", "stream", "edit", "once"))),
        replaces=tuple(draw(st.lists(st.booleans(), max_size=2))),
        stop_at=halt,
        tasks=tuple(
            draw(st.lists(st.tuples(st.integers(0, 20), st.just("in_progress")), max_size=3))
        ),
        last_line=draw(st.sampled_from((None, "_The end._"))),
        rich=draw(st.booleans()),
        silent_state=draw(st.integers(0, 4)) == 0,
        second_best=tuple(draw(st.lists(st.integers(0, 40), max_size=6))),
        live=draw(st.booleans()),
        latency=draw(st.sampled_from((0.01, 0.3, 4.0))),
    )


def check_laws(run: Run) -> None:
    """The laws at the end of any answer that Slack has let end."""
    engine, thread = run.engine, run.thread
    if engine.failure is not None:
        # Given up, after minutes without a single success: what stands is the beginning.
        assert run.unanswered > 12
        assert run.text.startswith(run.joined)
        return
    if engine.halted:
        assert run.text.startswith(run.joined)
    else:
        assert run.joined.rstrip() == run.text.rstrip()
    # A task that was shown before any word cannot be told from others' where Slack says no more.
    standing = [one for one in thread.standing() if one.text or not thread.silent_state]
    assert [one.ts for one in standing] == sorted(m.ts or "" for m in run.messages)
    by_ts = {one.ts: one for one in standing}
    for message in run.messages:
        shown = by_ts[message.ts or ""]
        assert shown.text.rstrip() == message.content(suffix=message.suffix).rstrip()
        assert shown.stream != "in_progress"
        assert len(shown.text.encode()) <= thread.CAP
        assert_marks(message.prefix, message.suffix, run.schedule.last_line)
        assert_no_entity_split(shown.text, shown.seams)
    if not thread.blocks_refused:
        assert sum(one.blocks == list(run.BLOCKS) for one in standing) <= 1
        assert not any(one.blocks == list(run.LIVE) for one in standing)
    if standing and not thread.blocks_refused:
        assert by_ts[run.messages[-1].ts or ""].blocks == list(run.BLOCKS)


PREFIX = re.compile(
    r"(?: *(?:[-*+]|\d+[.)]) +…(?:\n\n?| ))*"  # list items
    r"(?: *(?:`{3,}|~{3,})[^\n]*\n|[^\n]*\|[^\n]*\n *[|:\- ]+\n)? *"  # a fence, a table's head
    r"(?:`+ ?|…)?\Z"  # a code span, or a line that would begin a block
)
SUFFIX = re.compile(r"(?:\n? *(?:`{3,}|~{3,})?| ?`+)\Z")


def assert_marks(prefix: str, suffix: str, last_line: str | None) -> None:
    """The engine adds nothing but reopened structure, and the last line it was given."""
    assert PREFIX.match(prefix), prefix
    bare = suffix.removesuffix(f"\n\n{last_line}") if last_line else suffix
    assert SUFFIX.match(bare) or bare == last_line, suffix


def assert_no_entity_split(text: str, seams: list[int]) -> None:
    for found in re.finditer(r"&[#A-Za-z0-9]{1,31};", text):
        assert not any(found.start() < seam < found.end() for seam in seams)


@MANY
@given(data=st.data())
def test_the_text_stands_exactly_once_after_any_failure(
    data: st.DataObject, drive: Callable[..., Run], make_schedule: type[Schedule]
) -> None:
    """Text that is lost or doubled is the worst that an answer can suffer."""
    text = data.draw(texts())
    run = drive(text, data.draw(schedules(len(text), make_schedule, [])), SMALL)
    check_laws(run)


@MANY
@given(data=st.data())
def test_a_user_who_stops_gets_one_final_state(
    data: st.DataObject, drive: Callable[..., Run], make_schedule: type[Schedule]
) -> None:
    """After Stop in Slack nothing more may appear, and the receipt must still find its place."""
    text = data.draw(texts())
    run = drive(text, data.draw(schedules(len(text), make_schedule, ["user_stop"] * 6)), SMALL)
    check_laws(run)


@MANY
@given(data=st.data())
def test_a_message_that_a_user_deletes_ends_the_answer(
    data: st.DataObject, drive: Callable[..., Run], make_schedule: type[Schedule]
) -> None:
    """A user who deletes the answer does not want it posted again."""
    text = data.draw(texts())
    run = drive(text, data.draw(schedules(len(text), make_schedule, ["deleted"] * 4)), SMALL)
    assert run.engine.over
    assert run.text.startswith(run.joined) or run.engine.failure is None
    if run.engine.failure is not None:
        assert run.engine.failure == "gone"


@MANY
@given(data=st.data())
def test_nothing_that_is_sent_can_ping_or_link_by_tag(
    data: st.DataObject, drive: Callable[..., Run], make_schedule: type[Schedule]
) -> None:
    """`<!channel>` from a model must never reach a channel alive, in any call's text."""
    text = data.draw(texts())
    run = drive(text, data.draw(schedules(len(text), make_schedule, [])), SMALL)
    for call in run.thread.sent:
        sent = getattr(call, "text", "")
        assert "<" not in sent
        assert ">" not in sent
        assert all("<" not in chunk["title"] for chunk in getattr(call, "chunks", None) or ())


def line_kinds(text: str) -> list[tuple[str, int] | None]:
    """Tell of every line what a CommonMark parser takes it for, and how many items it is in."""
    lines = escape(text).split("\n")
    depth, kind = [0] * len(lines), ["text"] * len(lines)
    names = {"fence": "fence", "table_open": "table", "heading_open": "heading"}
    for token in COMMON.parse(escape(text)):
        for number in range(*token.map) if token.map else ():
            depth[number] += token.type == "list_item_open"
            kind[number] = names.get(token.type, kind[number])
    blank = [not line.strip() and kind[number] != "fence" for number, line in enumerate(lines)]
    return [
        None if blank[number] else (kind[number], depth[number]) for number in range(len(lines))
    ]


def torn_lines(run: Run) -> list[tuple[object, ...]]:
    """Return the lines that a message shows as something else than the whole text does."""
    whole, begin = line_kinds(run.text), 0
    torn: list[tuple[object, ...]] = []
    for message in run.messages:
        mine = line_kinds(message.prefix + message.body + message.suffix)
        first, lead = run.text.count("\n", 0, begin), message.prefix.count("\n")
        begin += len(message.body)
        lines = message.body.split("\n")
        for number in range(len(lines) - 1):
            cut_before = (
                number == 0
                and begin > len(message.body)
                and run.text[begin - len(message.body) - 1] != "\n"
            )
            if not cut_before and whole[first + number] != mine[lead + number]:
                torn.append((first + number, whole[first + number], mine[lead + number]))
    return torn


@settings(MANY, max_examples=max(SCHEDULES // 2, 60))
@given(data=st.data())
def test_fences_lists_and_tables_are_whole_in_every_message(
    data: st.DataObject, drive: Callable[..., Run], make_schedule: type[Schedule]
) -> None:
    """Judged by a parser of its own: every line is, in its message, what it is in the text."""
    text = data.draw(texts(25))
    size = data.draw(st.sampled_from((40, 300, 3_000)))
    pace = data.draw(st.sampled_from((0.004, 0.05, 0.3)))
    steps = tuple((size, min(pace * size, 60.0)) for _ in range(len(text) // size + 1))
    mode: Mode = data.draw(st.sampled_from(("stream", "edit", "once")))
    run = drive(text, make_schedule(steps=steps, mode=mode), SMALL)
    check_laws(run)
    event(f"{min(len(run.messages), 9)} messages")
    assert torn_lines(run) == []
