"""Laws that hold for any sequence of requests, checked against a second, naive account of them.

The account below shares no code with the emulator: it compares whole prefixes, keeps every write
in a list, and looks prices up in a table of its own.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from forewarm_playground.claude import INSTANT, Answer, Call, Config, Core, Identity, Text
from forewarm_playground.claude.exchange import Exchange
from forewarm_playground.claude.request_factory import (
    assistant,
    body,
    call,
    marker,
    result,
    text,
    tool,
    user,
)
from hypothesis import given, settings
from hypothesis import strategies as st

Json = dict[str, Any]
LIVES = {"5m": 300.0, "1h": 3_600.0}
# model: (least cacheable tokens, USD per million: input, 5 min write, 1 h write, read, output)
PRICES = {
    "claude-sonnet-5-5": (512, (2.0, 2.5, 4.0, 0.1, 10.0)),
    "claude-sonnet-5": (1_024, (2.0, 2.5, 4.0, 0.2, 10.0)),
}
KEYS = {"a": Identity("org", "one"), "b": Identity("org", "two")}
WORDS = ("alpha", "beta", "gamma")


# The naive account


@dataclass
class Seen:
    """A block as the model sees it."""

    content: str
    tokens: int
    ttl: str | None
    run: str | None = None
    hidden: bool = False


@dataclass
class Write:
    scope: tuple[str, str]
    prefix: list[str]
    ttl: str
    expires: float
    begun: float | None = None


@dataclass
class Account:
    """Every write there ever was."""

    writes: list[Write] = field(default_factory=list)

    def live(self, scope: tuple[str, str], prefix: list[str], at: float) -> list[Write]:
        return [
            write
            for write in self.writes
            if write.scope == scope
            and write.prefix == prefix
            and write.begun is not None
            and write.begun <= at <= write.expires
        ]


def seen(request: Json) -> list[Seen]:
    blocks = [
        _seen("tool", one, _json_size(one) + (286 if i == 0 else 0))
        for i, one in enumerate(request.get("tools", []))
    ]
    blocks += [_seen("system", one, _size(one["text"])) for one in request.get("system", [])]
    choice = json.dumps(request.get("tool_choice", {"type": "auto"}))
    blocks.append(Seen(choice, 0, None, hidden=True))
    for number, message in enumerate(request["messages"]):
        for place, one in enumerate(message["content"]):
            size = _content_size(one) + (4 if place == 0 else 0)
            block = _seen(f"{message['role']} {number}", one, size)
            if one["type"] != "text":
                block.run = f"{number} {one['type']}"
            blocks.append(block)
    return blocks


def _seen(where: str, block: Json, size: int) -> Seen:
    bare = {key: value for key, value in block.items() if key != "cache_control"}
    control = block.get("cache_control")
    return Seen(f"{where} {json.dumps(bare)}", size, control.get("ttl", "5m") if control else None)


def _size(content: str) -> int:
    return math.ceil(len(content) / 2.5)


def _json_size(block: Json) -> int:
    bare = {key: value for key, value in block.items() if key != "cache_control"}
    return _size(json.dumps(bare, separators=(",", ":")))


def _content_size(block: Json) -> int:
    if block["type"] == "text":
        return _size(block["text"])
    if block["type"] == "tool_result":
        return _size(block["tool_use_id"]) + _size(block["content"])
    return _json_size(block)


def positions(blocks: list[Seen], start: int) -> list[int]:
    """The blocks at which a breakpoint at `start` looks: itself, then one for each position."""
    looked = [start]
    for index in range(start - 1, -1, -1):
        block, after = blocks[index], blocks[looked[-1]]
        if not block.hidden and (block.run is None or block.run != after.run):
            looked.append(index)
    return looked[:20]


@dataclass
class Expected:
    read: int
    write_5m: int
    write_1h: int
    input: int
    found: list[Write]
    staged: list[Write]


def expect(account: Account, request: Json, workspace: str, at: float) -> Expected:
    blocks = seen(request)
    contents = [block.content for block in blocks]
    through = [sum(block.tokens for block in blocks[: i + 1]) for i in range(len(blocks))]
    scope = (workspace, request["model"])
    least = PRICES[request["model"]][0]
    marked = [i for i, block in enumerate(blocks) if block.ttl and through[i] >= least]
    looked = [index for start in reversed(marked) for index in positions(blocks, start)]
    found = next(
        (i for i in looked if account.live(scope, contents[: i + 1], at)),
        None,
    )
    a = through[found] if found is not None else 0
    after = [i for i in marked if through[i] > a]
    b = max([a, *[through[i] for i in after if blocks[i].ttl == "1h"]])
    c = max([a, *[through[i] for i in after]])
    used = [found, *marked] if found is not None else []
    return Expected(
        read=a,
        write_1h=b - a,
        write_5m=c - b,
        input=through[-1] - c,
        found=[one for i in used for one in account.live(scope, contents[: i + 1], at)],
        staged=[
            Write(scope, contents[: i + 1], str(blocks[i].ttl), at + LIVES[str(blocks[i].ttl)])
            for i in after
        ],
    )


def price(model: str, exchange: Exchange) -> float:
    usage = exchange.record.usage
    assert usage is not None
    used = (usage.input, usage.write_5m, usage.write_1h, usage.read, usage.output)
    return sum(tokens * usd / 1e6 for tokens, usd in zip(used, PRICES[model][1], strict=True))


# Random requests


@st.composite
def contents(draw: st.DrawFn, most: int) -> list[Json]:
    """Text blocks whose contents repeat often, so that prefixes are shared often."""
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=most))
    sizes = st.sampled_from([40, 300, 700])
    return [text(f"{word} " * draw(sizes)) for word in words]


@st.composite
def conversations(draw: st.DrawFn) -> Json:
    """A long conversation without markers, of which requests send more or less."""
    tools = [tool(name) for name in draw(st.sampled_from([(), ("read",), ("read", "list")]))]
    messages = [user(*draw(contents(3)))]
    calls = draw(st.sampled_from([0, 1, 25])) if tools else 0
    if calls:
        messages.append(assistant(*[call(f"t{i}") for i in range(calls)]))
        messages.append(user(*[result(f"t{i}") for i in range(calls)]))
    messages += [assistant("So."), user(*draw(contents(22))), assistant("And so."), user("Why?")]
    made = body(*messages, model=draw(st.sampled_from(sorted(PRICES))))
    made |= {"tools": tools} if tools else {}
    if draw(st.booleans()):
        made["system"] = draw(contents(3))
    return made


@st.composite
def requests(draw: st.DrawFn, whole: Json) -> Json:
    """The conversation up to some turn, marked anywhere; now and then with one setting changed."""
    made: Json = json.loads(json.dumps(whole))
    turns = [i for i, one in enumerate(made["messages"]) if one["role"] == "user"]
    made["messages"] = made["messages"][: draw(st.sampled_from(turns)) + 1]
    if draw(st.integers(0, 5)) == 0 and "tools" in made:
        made["tool_choice"] = {"type": "none"}
    if draw(st.integers(0, 5)) == 0:
        made["messages"][-1]["content"].append(text("Another end."))
    mark_some(draw, made)
    return made


def mark_some(draw: st.DrawFn, made: Json) -> None:
    """Up to four markers, hours before minutes, the last block more often than others."""
    blocks = [*made.get("tools", []), *made.get("system", [])]
    blocks += [one for message in made["messages"] for one in message["content"]]
    last = len(blocks) - 1
    place = st.one_of(st.just(last), st.integers(max(0, last - 24), last), st.integers(0, last))
    places = sorted(draw(st.lists(place, max_size=4, unique=True)))
    short_from = draw(st.integers(0, len(places)))
    for order, place_of in enumerate(places):
        blocks[place_of]["cache_control"] = marker("5m" if order >= short_from else "1h")


@dataclass
class Step:
    request: Json
    key: str
    pause: float
    prefill: float
    fate: str


@st.composite
def sequences(draw: st.DrawFn) -> list[Step]:
    pool = draw(st.lists(conversations(), min_size=1, max_size=2))
    fates = ["finish", "finish", "finish", "finish", "cut", "abandon"]
    pauses = [0.0, 1.0, 30.0, 200.0, 299.0, 301.0, 3_500.0, 3_700.0]
    return [
        Step(
            draw(requests(draw(st.sampled_from(pool)))),
            draw(st.sampled_from("aaaab")),
            draw(st.sampled_from(pauses)),
            draw(st.sampled_from([0.0, 0.0, 2.0, 40.0])),
            draw(st.sampled_from(fates)),
        )
        for _ in range(draw(st.integers(3, 12)))
    ]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(sequences())
def test_usage_adds_up_and_nothing_is_read_that_was_not_written(sequence: list[Step]) -> None:
    """For any sequence, overlapping and broken off as may be: usage is that of the naive account
    (so it adds up, there is no hit without a live earlier write of the same prefix in the same
    scope, and no miss with one), and the cost is recomputed to the cent."""
    core = Core(Config(keys=KEYS, latency=INSTANT, limits=None))
    account = Account()
    at, spent = 1_000_000.0, 0.0
    begun: list[tuple[float, Step, Exchange, Expected]] = []
    for step in sequence:
        at += step.pause
        spent += carry_out(begun, at)
        wanted = expect(account, step.request, KEYS[step.key].workspace or "", at)
        core.answers.script.append(Answer((Text("word " * 20),)))
        exchange = core.open(Call(body=step.request, key=step.key), at)
        got = exchange.usage
        assert (got.read, got.write_5m, got.write_1h, got.input) == (
            wanted.read,
            wanted.write_5m,
            wanted.write_1h,
            wanted.input,
        )
        assert got.total == core.count(Call(body=counted(step.request), key=step.key), at)
        for write in wanted.found:
            write.expires = max(write.expires, at + LIVES[write.ttl])
        account.writes += wanted.staged
        begun.append((at + step.prefill, step, exchange, wanted))
        begun.sort(key=lambda one: one[0])
        spent += carry_out(begun, at)
    spent += carry_out(begun, math.inf)
    assert math.isclose(core.ledger.usd, spent, rel_tol=1e-9, abs_tol=1e-12)


def carry_out(begun: list[tuple[float, Step, Exchange, Expected]], until: float) -> float:
    """Let responses begin and end whose time has come; return what they cost."""
    spent = 0.0
    while begun and begun[0][0] <= until:
        at, step, exchange, wanted = begun.pop(0)
        if step.fate == "abandon":
            exchange.abandon(at)
            continue
        exchange.begin(at)
        for write in wanted.staged:
            write.begun = at
        if step.fate == "cut":
            exchange.cut(at, 3)
        else:
            exchange.finish(at)
        spent += price(step.request["model"], exchange)
    return spent


def counted(request: Json) -> Json:
    return {key: value for key, value in request.items() if key != "max_tokens"}
