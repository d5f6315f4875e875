"""`python -m benchmarks playground`: a year of a team on the emulators' cores, in one process.

People talk, announce questions by what they do before asking, and ask; a small app warms at the
announcements, asks the local Claude and streams its answer into the local Slack. No socket is
opened and nothing waits: one schedule is the clock of both. The rules that hold over any length of
time are checked while it runs, so a figure is only shown for a run that was right.
"""

from __future__ import annotations

import random
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from heapq import heappop, heappush
from typing import Annotated, Any

import typer
from forewarm_playground.claude import Core
from forewarm_playground.claude.core import Call
from forewarm_playground.claude.exchange import Exchange
from forewarm_playground.claude.request_factory import body, sized, user
from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.delivery.types import Delivery
from forewarm_playground.slack.ids import Json

from bot.errors import ForewarmError

EPOCH = 1_795_424_400.0
HOUR, DAY = 3_600.0, 86_400.0
CHANNEL, TEAM = "C0GENERAL", "T0LOCAL"
PREFIX_TOKENS = 150_000
WHOLE = {(PREFIX_TOKENS, 0), (0, PREFIX_TOKENS)}
"""Tokens read and written by a request: the prefix comes out of the cache, or goes into it."""
LINK = "https://github.com/acme/app/blob/main/retry.py"
CHATTER = "The deploy is through, thanks everybody."
HESITATION = 30.0
"""At most so many seconds lie between the announcement of a question and the question."""
PARTS = 4
"""In how many appends an answer comes."""


class WentWrong(ForewarmError):
    """The emulators broke a law in the course of a long run; `law` says which."""

    def __init__(self, law: str, detail: object) -> None:
        super().__init__(
            f"The long run went wrong ({law}: {detail}): the emulators have a bug, report it."
        )
        self.law = law


@dataclass(frozen=True, slots=True)
class LongRun:
    """Result of a run: virtual hours, uses of each side, money in USD.

    `seconds` are real ones; `cpu_seconds` are those of this process alone.
    """

    hours: float
    seconds: float
    cpu_seconds: float
    questions: int
    messages: int
    events: int
    slack_calls: int
    claude_requests: int
    warm_questions: int
    usd: float
    peak_megabytes: float

    @property
    def document(self) -> dict[str, Any]:
        """The run as JSON, with its speed."""
        figures = {
            name: round(value, 3) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }
        return {**figures, "hours_a_second": round(self.hours / self.seconds)}


class Schedule:
    """A schedule of acts; its clock shows the time of the latest."""

    def __init__(self) -> None:
        self.at = EPOCH
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0

    def __repr__(self) -> str:
        return f"<Schedule [at {self.at - EPOCH:.0f} s | {len(self._due)} due]>"

    def now(self) -> float:
        return self.at

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Let something happen `seconds` from now, after all that was to happen at that time."""
        self._count += 1
        heappush(self._due, (self.at + seconds, self._count, act))

    def step(self) -> bool:
        """Do what is due next; False when there is nothing."""
        if not self._due:
            return False
        self.at, _, act = heappop(self._due)
        act()
        return True


class App:
    """The smallest app that warms: everything it knows comes from Slack's deliveries."""

    def __init__(self, schedule: Schedule, slack: LocalSlack, claude: Core) -> None:
        self._schedule, self._slack, self._claude = schedule, slack, claude
        self._system = [sized(PREFIX_TOKENS, ttl="1h")]
        self._warm_from = EPOCH
        self._seen: set[str] = set()
        self.events = self.heard = self.calls = self.answered = self.warm = 0

    def __repr__(self) -> str:
        return f"<App [{self.events} events | {self.answered} answers]>"

    def deliver(self, delivery: Delivery) -> None:
        """Take a delivery; it is looked at in a turn of its own, as over any wire."""
        self.events += 1
        ident = delivery.payload["event_id"]
        if ident in self._seen:
            raise WentWrong("every event is delivered once", ident)
        self._seen.add(ident)
        event = delivery.payload["event"]
        self._schedule.after(0.0, lambda: self._hear(event))

    def _hear(self, event: Json) -> None:
        said = _is_said(event)
        self.heard += said
        if _announces(event):
            self._warm_up()
        elif event["type"] == "app_mention" or (said and event["channel_type"] == "im"):
            self._answer(event)

    def _warm_up(self) -> None:
        exchange = self._open("Reply with nothing.", max_tokens=0)
        self._warm_from = self._schedule.at + exchange.prefill
        self._schedule.after(exchange.prefill, lambda: self._end_warm_up(exchange))

    def _end_warm_up(self, exchange: Exchange) -> None:
        exchange.begin(self._schedule.at)
        exchange.finish(self._schedule.at)

    def _answer(self, event: Json) -> None:
        place = {"channel_id": event["channel"], "thread_ts": event["ts"]}
        self._call("assistant.threads.setStatus", **place, status="is thinking")
        join = max(self._warm_from - self._schedule.at, 0.0)
        self._schedule.after(join, lambda: self._ask(event))

    def _ask(self, event: Json) -> None:
        exchange = self._open(event["text"])
        self.warm += exchange.usage.read == PREFIX_TOKENS
        self._schedule.after(exchange.prefill, lambda: self._begin(event, exchange))

    def _begin(self, event: Json, exchange: Exchange) -> None:
        exchange.begin(self._schedule.at)
        stream = self._call(
            "chat.startStream",
            channel=event["channel"],
            thread_ts=event["ts"],
            recipient_user_id=event["user"],
            recipient_team_id=TEAM,
        )
        text = exchange.plan.said[0].block["text"]
        size = -(-len(text) // PARTS)
        parts = [text[start : start + size] for start in range(0, len(text), size)]
        for number, part in enumerate(parts, start=1):
            passed = exchange.seconds * number / len(parts)
            self._schedule.after(passed, self._appending(stream, part))
        self._schedule.after(exchange.seconds, lambda: self._end(stream, text, exchange))

    def _appending(self, stream: Json, part: str) -> Callable[[], Json]:
        where = {"channel": stream["channel"], "ts": stream["ts"]}
        return lambda: self._call("chat.appendStream", **where, markdown_text=part)

    def _end(self, stream: Json, text: str, exchange: Exchange) -> None:
        exchange.finish(self._schedule.at)
        self._call("chat.stopStream", channel=stream["channel"], ts=stream["ts"])
        shown = self._slack.state.message(stream["channel"], stream["ts"]).text
        if shown != text:
            raise WentWrong("what Claude said stands in Slack", shown)
        self.answered += 1

    def _open(self, question: str, max_tokens: int = 200) -> Exchange:
        asked = body(user(question), system=self._system, max_tokens=max_tokens)
        return self._claude.open(Call(body=asked), self._schedule.at)

    def _call(self, method: str, **arguments: Any) -> Json:
        self.calls += 1
        reply = self._slack.call(method, **arguments)
        if reply.error:
            raise WentWrong("Slack takes every call", f"{method}: {reply.error}")
        return reply.body


def _announces(event: Json) -> bool:
    """Tell whether a user is about to ask: an opened direct message, a link being written."""
    kind: str = event["type"]
    if kind == "app_home_opened":
        tab: str = event["tab"]
        return tab == "messages"
    return kind == "link_shared" and event["source"] == "composer"


def _is_said(event: Json) -> bool:
    """Tell whether an event is a message that a person has just posted."""
    return event["type"] == "message" and not event.get("bot_id") and "subtype" not in event


class People:
    """Two people who talk and ask at random times, half of the questions in direct messages."""

    def __init__(self, schedule: Schedule, slack: LocalSlack, until: float, seed: int) -> None:
        self._schedule, self._until = schedule, until
        self._chance = random.Random(seed)  # noqa: S311  chance, not secrecy
        self._asker, self._peer = slack.user("U0ASKER"), slack.user("U0PEER")
        self.questions = self.messages = 0

    def __repr__(self) -> str:
        return f"<People [{self.questions} questions | {self.messages} messages]>"

    def live(self, questions: float, messages: float) -> None:
        """Begin: so many questions and so many other messages a day, as Poisson processes."""
        self._recur(questions / DAY, self._announce)
        self._recur(messages / DAY, self._talk)

    def _recur(self, rate: float, act: Callable[[], None]) -> None:
        wait = self._chance.expovariate(rate)
        if self._schedule.at + wait > self._until:
            return

        def happen() -> None:
            act()
            self._recur(rate, act)

        self._schedule.after(wait, happen)

    def _talk(self) -> None:
        self.messages += 1
        self._peer.post(CHANNEL, CHATTER)

    def _announce(self) -> None:
        self.questions += 1
        text = f"question {self.questions}: how does {LINK} retry?"
        hesitation = self._chance.uniform(1.0, HESITATION)
        if self._chance.random() < 0.5:
            self._asker.open_dm()
            self._schedule.after(hesitation, lambda: self._ask_directly(text))
        else:
            self._asker.type_draft(CHANNEL, text)
            self._schedule.after(hesitation, lambda: self._asker.mention(CHANNEL, text))

    def _ask_directly(self, text: str) -> None:
        self._asker.dm(text)
        self._asker.close_app()


def long_run(
    hours: float,
    questions: float = 30.0,
    messages: float = 300.0,
    *,
    seed: int = 1,
    passed: Callable[[float], object] = lambda gone: None,
) -> LongRun:
    """Run `hours` virtual hours at `questions` and `messages` a day and say what happened.

    `passed` is told the virtual hours gone, now and then.

    Raises:
        WentWrong: a question without its answer, an event lost or doubled, usage or money that
            does not add up, a ping.
    """
    started, worked = time.perf_counter(), time.process_time()
    schedule = Schedule()
    slack, claude = LocalSlack(now=schedule.now), Core()
    app = App(schedule, slack, claude)
    slack.state.deliver = app.deliver
    people = People(schedule, slack, EPOCH + hours * HOUR, seed)
    people.live(questions, messages)
    told = EPOCH
    while schedule.step():
        if schedule.at - told >= 10 * HOUR:
            told = schedule.at
            passed((told - EPOCH) / HOUR)
    _check(app, people, slack, claude)
    return LongRun(
        hours=hours,
        seconds=time.perf_counter() - started,
        cpu_seconds=time.process_time() - worked,
        questions=people.questions,
        messages=people.messages,
        events=app.events,
        slack_calls=app.calls,
        claude_requests=len(claude.requests),
        warm_questions=app.warm,
        usd=claude.ledger.usd,
        peak_megabytes=_peak_megabytes(),
    )


def _check(app: App, people: People, slack: LocalSlack, claude: Core) -> None:
    if app.answered != people.questions:
        raise WentWrong("every question is answered once", f"{app.answered}/{people.questions}")
    said = people.questions + people.messages
    if app.heard != said:
        raise WentWrong("every message is told once", f"{app.heard}/{said}")
    for record in claude.requests:
        used = record.usage
        if used is None or (used.read, used.write_1h) not in WHOLE:
            raise WentWrong("usage adds up", used)
    total = sum(record.usd for record in claude.requests)
    if abs(total - claude.ledger.usd) > 1e-6:
        raise WentWrong("the ledger is the sum of the log", total - claude.ledger.usd)
    slack.assert_quiet()


def _peak_megabytes() -> float:
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def playground(
    hours: Annotated[float, typer.Option(min=1.0, help="Virtual hours to run.")] = 10_000.0,
    questions: Annotated[float, typer.Option(min=0.1, help="Questions a day.")] = 30.0,
    messages: Annotated[float, typer.Option(min=0.1, help="Other messages a day.")] = 300.0,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run the cores of the local Slack and the local Claude through a year of a team's days."""
    import json

    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        step = progress.add_task("virtual hours", total=hours)
        run = long_run(
            hours, questions, messages, passed=lambda gone: progress.update(step, completed=gone)
        )
    if as_document:
        typer.echo(json.dumps(run.document, indent=2))
    else:
        Console().print(_sentence(run))


def _sentence(run: LongRun) -> str:
    return (
        f"{run.hours:,.0f} virtual hours in {run.seconds:.1f} s ({run.cpu_seconds:.1f} s of CPU): "
        f"{run.questions:,} questions "
        f"({run.warm_questions / max(run.questions, 1):.1%} warm), {run.messages:,} messages, "
        f"{run.events:,} events, {run.slack_calls:,} calls to Slack, "
        f"{run.claude_requests:,} requests to Claude (${run.usd:,.0f} at list prices), "
        f"{run.peak_megabytes:,.0f} MB"
    )
