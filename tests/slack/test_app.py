"""The whole Slack edge against the local Slack, over both transports: what reaches the rooms."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from forewarm_playground.slack.delivery.events import send_event
from forewarm_playground.slack.local import LocalSlack
from slack_bolt.request.async_request import AsyncBoltRequest

from bot.answer.feedback import Mark, Value
from bot.answer.interfaces import Takeover
from bot.answer.question import Question
from bot.answer.receipt import blocks
from bot.clock import system_now
from bot.context.config.load import ContextConfig
from bot.slack.app import Services, SlackSide, _bolt
from bot.slack.client import connect
from bot.slack.codebase.command import Draft, StoredContext
from bot.slack.codebase.views import Preview, Summary
from bot.slack.home.views import BadAnswer, ContextShown, DayShown, MoneyShown, OperatorShown
from bot.slack.identity import identify
from bot.slack.people.directory import People
from bot.slack.people.gate import Gate
from bot.slack.people.quotas import LocalQuotas
from bot.slack.transport import EVENTS_PATH, EventsEntry, Sockets, prime
from bot.warm.signals import Signal

PAY = ContextConfig.model_validate(
    {
        "name": "pay",
        "channels": ["C0PAY"],
        "repositories": [{"url": "https://github.com/acme/pay"}],
        "access": {"operators": ["U0ASKER"]},
    }
)
SLACK: dict[str, Any] = {
    "app": {"commands": ("/ask", "/codebase")},
    "users": (
        {"id": "U0ASKER", "name": "asker"},
        {"id": "U0PEER", "name": "peer"},
        {"id": "U0AWAY", "name": "away"},
        {"id": "U0GUEST", "name": "guest", "kind": "guest"},
    ),
    "channels": (
        {"id": "C0PAY", "name": "pay", "members": ("U0ASKER", "U0PEER", "U0GUEST", "bot")},
        {"id": "C0BARE", "name": "bare", "members": ("U0ASKER", "bot")},
    ),
}


@dataclass
class Rooms:
    """Every neighbour at once: notes what reaches it, answers questions with their own words."""

    asked: list[tuple[Question, str]] = field(default_factory=list)
    listed: list[tuple[str, str]] = field(default_factory=list)
    signals: list[tuple[Signal, str]] = field(default_factory=list)
    opinions: list[tuple[str, Mark, Value, str | None]] = field(default_factory=list)
    edits: list[tuple[str, str]] = field(default_factory=list)
    deletions: list[str] = field(default_factory=list)
    stops: list[tuple[str, str]] = field(default_factory=list)
    again_for: list[tuple[str, str]] = field(default_factory=list)
    audits: list[tuple[str, str, str, str]] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)
    recorded: dict[str, Question] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    saved: list[Mapping[str, Any]] = field(default_factory=list)
    drafts: dict[str, Draft] = field(default_factory=dict)
    typed_drafts: list[str] = field(default_factory=list)
    closed_drafts: list[str] = field(default_factory=list)
    events: set[str] = field(default_factory=set)
    money: bool = True
    hosts: tuple[str, ...] = ("github.com",)
    operators: tuple[str, ...] = ()
    creators_attach: bool = False

    @property
    def kinds(self) -> list[str]:
        return [signal.kind for signal, _ in self.signals]

    # contexts
    def all(self) -> list[ContextConfig]:
        return [PAY]

    def named(self, name: str) -> ContextConfig | None:
        return PAY if name == "pay" else None

    def for_channel(self, channel: str) -> ContextConfig | None:
        return PAY if channel in PAY.channels else None

    def for_link(self, url: str) -> ContextConfig | None:
        return PAY if "acme/pay" in url else None

    # inbox
    async def record(self, question: Question) -> bool:
        known = {(q.channel, q.ts) for q in self.recorded.values()}
        if (question.channel, question.ts) in known:
            return False
        self.recorded[question.id] = question
        return True

    async def first(self, event: str) -> bool:
        new = event not in self.events
        self.events.add(event)
        return new

    async def revise(self, question: Question) -> bool:
        self.recorded[question.id] = question
        return True

    async def askers(self, workspace: str, channel: str, thread: str) -> frozenset[str]:
        return frozenset(
            q.user
            for q in self.recorded.values()
            if (q.channel, q.thread) == (channel, thread) and q.surface != "thread"
        )

    async def load(self, question: str) -> Question | None:
        return self.recorded.get(question)

    async def finish(self, question_id: str, outcome: str) -> None:
        self.outcomes[question_id] = outcome

    # warmth, answers, opinions, purse, audit, standing, forgetting, threads
    def signal(self, signal: Signal, context: ContextConfig) -> None:
        self.signals.append((signal, context.name))

    async def answer(
        self, question: Question, context: ContextConfig, takeover: Takeover | None = None
    ) -> None:
        self.asked.append((question, context.name))

    async def list_places(
        self,
        question: Question,
        context: ContextConfig,
        why: str,
        takeover: Takeover | None = None,
    ) -> None:
        self.listed.append((question.text, why))

    def typed(self, question: Question, context: ContextConfig, order: str = "") -> None:
        self.typed_drafts.append(question.text)

    def closed(self, question: str) -> None:
        self.closed_drafts.append(question)

    async def edited(self, workspace: str, channel: str, ts: str, text: str) -> bool:
        self.edits.append((ts, text))
        return True

    async def deleted(
        self, workspace: str, channel: str, ts: str, thread: str | None = None
    ) -> None:
        self.deletions.append(ts)

    async def stop(self, workspace: str, channel: str, thread: str, user: str) -> None:
        self.stops.append((thread, user))

    async def stop_question(self, question: str, user: str) -> None:
        self.stops.append((question, user))

    async def answer_again(self, question: str, user: str) -> None:
        self.again_for.append((question, user))

    async def give(
        self, workspace: str, user: str, mark: Mark, value: Value, comment: str | None
    ) -> None:
        self.opinions.append((user, mark, value, comment))

    def answers_left(self, context: ContextConfig) -> bool:
        return self.money

    def write(self, act: str, user: str, place: str, rule: str) -> None:
        self.audits.append((act, user, place, rule))

    def summarize(self, context: ContextConfig) -> ContextShown:
        return ContextShown(name=context.name, standing="warm <!channel>", waits="")

    def operator(self, contexts: Sequence[ContextConfig]) -> OperatorShown:
        money = MoneyShown(
            name="pay", today_answers=1.5, today_warmth=0.5, month_answers=9, month_warmth=3
        )
        day = DayShown(day="2026-11-22", answers=1.5, warmth=0.5, warm_p50=1.9, cold_p50=20.0)
        return OperatorShown(
            money=[money],
            days=[day],
            warm_p50=1.9,
            warm_p95=2.4,
            cold_p50=20.0,
            cold_p95=25.0,
            hit_rate=0.9,
            used=9,
            wasted=1,
            unanswered=0,
            misses=[("expired or evicted <!here>", 2)],
        )

    async def bad_answers(self, contexts: Sequence[ContextConfig]) -> Sequence[BadAnswer]:
        return ()

    @property
    def removed(self) -> bool:
        return "everything" in self.forgotten

    async def forget_channel(self, channel: str, until: str) -> None:
        self.forgotten.append(channel)

    async def forget_everything(self) -> None:
        self.forgotten.append("everything")

    async def take_event(self, workspace: str, event: Mapping[str, Any]) -> None:
        self.heard.append(str(event.get("ts")))

    # the context editor
    def decided(self, name: str) -> frozenset[str]:
        return frozenset()

    async def read_context(self, workspace: str, channel: str) -> StoredContext:
        return StoredContext(channel.lower(), {}, None)

    def summary(self, name: str, body: Mapping[str, Any]) -> Summary:
        return Summary(name=name)

    async def preview(
        self, held: StoredContext, body: Mapping[str, Any], *, by_operator: bool = False
    ) -> Preview:
        omitted = [("secrets/<!here>.env", "it holds secrets")]
        return Preview(tokens=1234, files=5, warm_day_usd=0.5, omitted=omitted)

    async def keep_draft(self, key: str, draft: Draft) -> None:
        self.drafts[key] = draft

    async def draft(self, key: str) -> Draft | None:
        return self.drafts.get(key)

    async def save(
        self, workspace: str, user: str, draft: Draft, *, by_operator: bool = False
    ) -> bool:
        self.saved.append(draft.body)
        return True


@dataclass
class Scene:
    slack: LocalSlack
    rooms: Rooms
    edge: SlackSide

    async def until(self, condition: Any, what: str) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.01)
        assert condition(), what


@asynccontextmanager
async def running(transport: str) -> AsyncIterator[Scene]:
    slack, rooms = LocalSlack(SLACK), Rooms()
    async with slack.serve():
        clients = connect(slack.token, slack.api_url)
        secret = slack.app.signing_secret if transport == "http" else None
        me = await identify(clients)
        people = People(clients.reads, team=me.workspace, now=system_now)
        neighbours = Services(
            contexts=rooms,
            inbox=rooms,
            warmth=rooms,
            answers=rooms,
            opinions=rooms,
            people=people,
            gate=Gate(people, rooms, rooms, LocalQuotas(), system_now),
            standing=rooms,
            forgetting=rooms,
            editor=rooms,
            heard=rooms,
        )
        edge = SlackSide(clients, me, neighbours, signing_secret=secret, now=system_now)
        await prime(edge.app)
        if transport == "http":
            application = web.Application()
            EventsEntry(edge.app, me, secret or "", system_now).add_to(application.router)
            runner = web.AppRunner(application, shutdown_timeout=0)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            slack.point_at(f"http://127.0.0.1:{runner.addresses[0][1]}{EVENTS_PATH}")
            try:
                yield Scene(slack, rooms, edge)
            finally:
                await quiet(slack, edge)
                await runner.cleanup()
        else:
            sockets = Sockets(edge.app, slack.app.app_token, clients)
            await sockets.start()
            try:
                yield Scene(slack, rooms, edge)
            finally:
                await quiet(slack, edge)
                await sockets.stop()
        await clients.close()
        # A ping or an unfurl anywhere fails the test.
        slack.assert_quiet()


async def quiet(slack: LocalSlack, edge: SlackSide) -> None:
    """Let listeners that Bolt runs by itself come to their end before the session closes."""
    await edge.desk.tasks.drain(5)
    async with asyncio.timeout(5):
        while True:
            before = len(slack.log.calls)
            await asyncio.sleep(0.05)
            if len(slack.log.calls) == before and all(c.ended_at for c in slack.log.calls):
                return


@pytest.fixture(params=["sockets", "http"])
async def scene(request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    async with running(request.param) as made:
        yield made


async def test_a_mention_is_asked_once_though_slack_tells_of_it_twice(scene: Scene) -> None:
    """`app_mention` and `message` both come, in either order."""
    ts = scene.slack.user("U0ASKER").mention("C0PAY", "how does login work?")
    await scene.slack.idle()
    await scene.until(lambda: scene.rooms.asked, "the question")
    ((question, context),) = scene.rooms.asked
    assert (question.ts, question.thread, question.text) == (ts, ts, "how does login work?")
    assert (question.surface, context) == ("mention", "pay")
    assert question.asked_at == float(ts)


async def test_a_mention_belongs_to_its_thread_from_the_first_event_on(scene: Scene) -> None:
    """A thread without the question itself would be called a part of it."""
    event = {"type": "app_mention", "user": "U0ASKER", "channel": "C0PAY", "text": "why?"}
    event |= {"ts": "1790000001.000002", "thread_ts": "1790000000.000001"}
    body = {"type": "event_callback", "team_id": "T0LOCAL", "event": event, "authorizations": []}
    await scene.edge.app.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=body))
    assert scene.rooms.heard == [event["ts"]]


async def test_everything_is_acknowledged_at_the_first_delivery(scene: Scene) -> None:
    """An event without a listener is acknowledged too, or Slack sends it again."""
    person = scene.slack.user("U0ASKER")
    ts = person.mention("C0PAY", "how?")
    person.post("C0PAY", "unrelated talk")
    person.react("C0PAY", ts, "eyes")
    person.open_home()
    person.open_dm()
    await scene.slack.idle()
    deliveries = scene.slack.log.deliveries
    assert deliveries
    assert all(delivery.attempt == 0 for delivery in deliveries)
    assert all(delivery.outcome == "acked" for delivery in deliveries)


async def test_a_reply_in_the_bots_thread_is_a_follow_up(scene: Scene) -> None:
    person = scene.slack.user("U0ASKER")
    ts = person.mention("C0PAY", "how?")
    await scene.until(lambda: scene.rooms.asked, "the question")
    person.post("C0PAY", "and on the client side", thread_ts=ts)
    scene.slack.user("U0PEER").post("C0PAY", "no idea myself", thread_ts=ts)
    await scene.slack.idle()
    await scene.until(lambda: len(scene.rooms.asked) == 2, "the follow-up")
    assert scene.rooms.asked[1][0].surface == "thread"
    assert scene.rooms.asked[1][0].thread == ts
    await scene.until(lambda: "thread_message" in scene.rooms.kinds, "the sign of life")
    assert scene.rooms.kinds.count("answered") == 2


async def test_a_direct_message_means_the_persons_only_context(scene: Scene) -> None:
    scene.slack.user("U0ASKER").dm("where is retry?")
    await scene.until(lambda: scene.rooms.asked, "the question")
    ((question, context),) = scene.rooms.asked
    assert (question.surface, context) == ("dm", "pay")


async def test_a_guest_is_refused_politely_and_on_record(scene: Scene) -> None:
    ts = scene.slack.user("U0GUEST").mention("C0PAY", "how?")
    await scene.until(lambda: scene.rooms.outcomes, "the refusal")
    assert scene.rooms.asked == []
    assert scene.rooms.audits[0] == ("ask", "U0GUEST", "C0PAY", "guest")
    (reply,) = scene.slack.bot_messages("C0PAY", ts)
    assert "guests" in reply.text


async def test_a_channel_without_a_context_is_told_how_to_get_one(scene: Scene) -> None:
    ts = scene.slack.user("U0ASKER").mention("C0BARE", "how?")
    await scene.until(lambda: scene.rooms.outcomes, "the word")
    (reply,) = scene.slack.bot_messages("C0BARE", ts)
    assert "/codebase attach" in reply.text
    # Ids and files are for operators, who find them in the log.
    assert "C0BARE" not in reply.text


async def test_a_bare_mention_opens_with_a_hint_and_warms(scene: Scene) -> None:
    ts = scene.slack.user("U0ASKER").mention("C0PAY")
    await scene.until(lambda: scene.slack.bot_messages("C0PAY", ts), "the hint")
    assert [s.kind for s, _ in scene.rooms.signals] == ["bare_mention"]
    assert scene.rooms.asked == []


async def test_money_that_is_out_is_said_and_nothing_is_asked(scene: Scene) -> None:
    scene.rooms.money = False
    scene.slack.user("U0ASKER").mention("C0PAY", "how?")
    await scene.until(lambda: scene.rooms.listed, "the places")
    ((text, why),) = scene.rooms.listed
    assert text == "how?"
    assert "budget" in why
    assert scene.rooms.asked == []


async def test_the_modal_warms_when_opened_and_typed_into_and_asks_when_submitted(
    scene: Scene,
) -> None:
    person = scene.slack.user("U0ASKER")
    await person.open_modal("C0PAY", "/ask")
    await scene.until(lambda: "submit" in person.modal.content, "the full modal")
    await person.type("why?", per_key=0.0)
    await person.submit()
    await scene.until(lambda: scene.rooms.asked, "the question")
    ((question, context),) = scene.rooms.asked
    assert (question.text, question.surface, context) == ("why?", "modal", "pay")
    assert question.asked_at is None
    assert question.channel == "C0PAY"
    (root,) = scene.slack.bot_messages("C0PAY")
    assert question.thread == root.ts
    assert scene.rooms.typed_drafts[-1] == "why?"
    kinds = [s.kind for s, _ in scene.rooms.signals]
    assert kinds[0] == "modal_opened"
    assert kinds.count("modal_typing") == 4


async def test_a_commands_text_is_decoded_before_it_is_shown(scene: Scene) -> None:
    """With should_escape Slack encodes a command's text as it does a message's."""
    person = scene.slack.user("U0ASKER")
    typed = "why is List<int> && <@U0PEER> in setup.py"
    await person.open_modal("C0PAY", "/ask", text=typed)
    await scene.until(lambda: "submit" in person.modal.content, "the full modal")
    await person.submit()
    await scene.until(lambda: scene.rooms.asked, "the question")
    decoded = "why is List<int> && @peer in setup.py"
    assert scene.rooms.asked[0][0].text == decoded
    posted = scene.slack.bot_messages("C0PAY")[0].text
    assert "List&lt;int&gt; &amp;&amp; @peer in setup.py" in posted


async def test_a_closed_modal_takes_its_signal_back(scene: Scene) -> None:
    person = scene.slack.user("U0ASKER")
    await person.open_modal("C0PAY", "/ask")
    await scene.until(lambda: "submit" in person.modal.content, "the full modal")
    person.close_modal()
    await scene.until(lambda: len(scene.rooms.signals) == 2, "the cancelling signal")
    assert scene.rooms.signals[-1][0].kind == "modal_closed"


async def test_explain_this_answers_in_that_messages_thread(scene: Scene) -> None:
    person = scene.slack.user("U0ASKER")
    ts = person.post("C0PAY", "raise StopIteration in a <coroutine>")
    await person.open_modal("C0PAY", shortcut="ask_message", message_ts=ts)
    await scene.until(lambda: "submit" in person.modal.content, "the full modal")
    await person.submit()
    await scene.until(lambda: scene.rooms.asked, "the question")
    question = scene.rooms.asked[0][0]
    assert (question.thread, question.surface) == (ts, "shortcut")
    assert question.text == "Explain this."
    [quote] = question.quoted
    assert (quote.text, quote.user) == ("raise StopIteration in a <coroutine>", "U0ASKER")


async def test_a_link_in_the_composer_warms_its_repository(scene: Scene) -> None:
    person = scene.slack.user("U0ASKER")
    person.type_draft("C0BARE", "see https://github.com/acme/pay/blob/main/a.py")
    await scene.until(lambda: scene.rooms.signals, "the signal")
    signal, context = scene.rooms.signals[0]
    assert (signal.kind, context) == ("composer_link", "pay")


async def test_looking_at_a_channel_beside_the_pane_warms_its_context(scene: Scene) -> None:
    person = scene.slack.user("U0ASKER")
    person.open_dm()
    person.look_at("C0PAY")
    await scene.until(
        lambda: "context_changed" in [s.kind for s, _ in scene.rooms.signals], "the signal"
    )


async def test_looking_at_a_channel_that_one_is_not_in_buys_no_warmth(scene: Scene) -> None:
    """Slack shows public channels to all. Each look of a stranger to the code cost a warm-up."""
    entity = {"type": "slack#/types/channel_id", "value": "C0PAY"}
    event = {"type": "app_context_changed", "context": {"entities": [entity]}}
    send_event(scene.slack.state, scene.slack.installation, event, seen_by="U0AWAY")
    denied = ("warm", "U0AWAY", "C0PAY", "not_in_channel")
    await scene.until(lambda: denied in scene.rooms.audits, "the refusal")
    assert "context_changed" not in [signal.kind for signal, _ in scene.rooms.signals]


async def test_edits_and_deletions_reach_the_answers(scene: Scene) -> None:
    person = scene.slack.user("U0ASKER")
    ts = person.mention("C0PAY", "how?")
    await scene.until(lambda: scene.rooms.asked, "the question")
    person.edit("C0PAY", ts, f"<@{scene.slack.bot_user}> how exactly?")
    await scene.until(lambda: scene.rooms.edits, "the edit")
    assert scene.rooms.edits == [(ts, "how exactly?")]
    person.delete("C0PAY", ts)
    await scene.until(lambda: scene.rooms.deletions, "the deletion")


async def test_a_thumb_down_is_kept_and_asks_why(scene: Scene) -> None:
    mark = Mark("Q1", "pay", "f" * 64)
    posted = scene.slack.call(
        "chat.postMessage", channel="C0PAY", text="answer", blocks=list(blocks(None, mark))
    )
    person = scene.slack.user("U0ASKER")
    await person.done(person.click("C0PAY", posted.body["ts"], "forewarm_feedback", "down"))
    await scene.until(lambda: scene.rooms.opinions, "the opinion")
    await scene.until(lambda: scene.slack.state.views, "the comment box")
    person.set_text("wrong file")
    await person.submit()
    await scene.until(lambda: len(scene.rooms.opinions) == 2, "the comment")
    assert scene.rooms.opinions[1] == ("U0ASKER", mark, "down", "wrong file")


async def test_the_button_for_a_new_answer_names_the_question_and_the_presser(scene: Scene) -> None:
    """The answers decide about access: they know the context that the question belongs to."""
    mark = Mark("Q1", "pay", "f" * 64)
    posted = scene.slack.call(
        "chat.postMessage", channel="C0PAY", text="answer", blocks=list(blocks(None, mark))
    )
    peer = scene.slack.user("U0PEER")
    await peer.done(peer.click("C0PAY", posted.body["ts"], "forewarm_again"))
    await scene.until(lambda: scene.rooms.again_for, "the new answer")
    assert scene.rooms.again_for == [("Q1", "U0PEER")]


async def test_a_guest_judges_no_answer_of_a_context_that_guests_may_not_see(scene: Scene) -> None:
    mark = Mark("Q1", "pay", "f" * 64)
    posted = scene.slack.call(
        "chat.postMessage", channel="C0PAY", text="answer", blocks=list(blocks(None, mark))
    )
    guest = scene.slack.user("U0GUEST")
    await guest.done(guest.click("C0PAY", posted.body["ts"], "forewarm_feedback", "down"))
    await scene.until(lambda: scene.rooms.audits, "the refusal")
    assert scene.rooms.opinions == []


async def test_the_home_tab_shows_contexts_escaped(scene: Scene) -> None:
    """Its text comes from files and repositories; nothing of it may ping."""
    scene.slack.user("U0PEER").open_home()
    await scene.until(lambda: _home(scene, "U0PEER") is not None, "the tab")
    shown = str(_home(scene, "U0PEER"))
    assert "pay" in shown
    assert "<!channel>" not in shown
    assert "Money" not in shown


async def test_operators_see_money_in_the_home_tab_and_refresh_it(scene: Scene) -> None:
    person = scene.slack.user("U0ASKER")
    person.open_home()
    await scene.until(lambda: _home(scene, "U0ASKER") is not None, "the tab")
    shown = str(_home(scene, "U0ASKER"))
    assert "$1.50 answers" in shown
    assert "<!here>" not in shown
    before = len(scene.slack.log.of("views.publish"))
    await person.done(person.put("forewarm_refresh", None, home=True))
    await scene.until(lambda: len(scene.slack.log.of("views.publish")) > before, "the refresh")


async def test_where_slack_refuses_charts_a_table_stands_and_charts_come_as_a_message(
    scene: Scene,
) -> None:
    """Slack is known to draw `data_visualization` in messages; in the Home tab it may not."""
    person = scene.slack.user("U0ASKER")
    person.open_home()
    await scene.until(lambda: _home(scene, "U0ASKER") is not None, "the tab")
    shown = str(_home(scene, "U0ASKER"))
    assert "data_visualization" not in shown
    assert "2026-11-22" in shown
    await person.done(person.put("forewarm_charts", None, home=True))
    await scene.until(lambda: scene.slack.bot_messages(person.dm_channel), "the charts")
    (message,) = scene.slack.bot_messages(person.dm_channel)
    assert [block["type"] for block in message.blocks] == ["data_visualization"] * 2


def _home(scene: Scene, user: str) -> Any:
    try:
        return scene.slack.user(user).home.content
    except Exception:
        return None


async def test_being_invited_says_one_thing_and_warms(scene: Scene) -> None:
    scene.slack.user("U0ASKER").remove("C0PAY")
    await scene.until(lambda: scene.rooms.forgotten == ["C0PAY"], "the forgetting")
    scene.slack.user("U0ASKER").invite("C0PAY")
    await scene.until(lambda: scene.slack.bot_messages("C0PAY"), "the greeting")
    await scene.until(lambda: scene.rooms.signals, "the signal")
    assert [s.kind for s, _ in scene.rooms.signals] == ["bot_joined"]
    assert len(scene.slack.bot_messages("C0PAY")) == 1


async def test_a_codebase_is_attached_after_a_preview(scene: Scene) -> None:
    person = scene.slack.user("U0ASKER")
    scene.rooms.operators = ("U0ASKER",)
    await person.open_modal("C0BARE", "/codebase", text="attach https://github.com/acme/web dev")
    await scene.until(lambda: "submit" in person.modal.content, "the form")
    await person.submit()
    await scene.until(lambda: scene.rooms.drafts, "the preview")
    await scene.until(lambda: "Save" in str(person.modal.content), "the preview on screen")
    assert "1,234 tokens" in str(person.modal.content)
    assert "<!here>" not in str(person.modal.content)
    assert scene.rooms.saved == []
    await person.submit()
    await scene.until(lambda: "Saved." in str(person.modal.content), "the word that it is saved")
    (saved,) = scene.rooms.saved
    assert saved["channels"] == ["C0BARE"]
    assert saved["repositories"] == [
        {"url": "https://github.com/acme/web", "ref": "dev", "name": "web"}
    ]


async def test_a_channels_creator_attaches_only_if_a_setting_says_so(scene: Scene) -> None:
    """Any member may create a channel; the bot's token reads repositories that they may not."""
    creator = scene.slack.user("U0ASKER")
    await creator.open_modal("C0BARE", "/codebase", text="attach https://github.com/acme/web")
    await scene.until(lambda: "Only a workspace admin" in str(creator.modal.content), "the refusal")
    scene.rooms.creators_attach = True
    await creator.open_modal("C0BARE", "/codebase", text="attach https://github.com/acme/web")
    await scene.until(lambda: "submit" in creator.modal.content, "the form")


async def test_members_who_are_no_operators_attach_nothing(scene: Scene) -> None:
    person = scene.slack.user("U0PEER")
    await person.open_modal("C0PAY", "/codebase", text="attach https://github.com/acme/web")
    await scene.until(lambda: "Only a workspace admin" in str(person.modal.content), "the refusal")
    assert "submit" not in person.modal.content


async def test_help_is_answered_without_claude(scene: Scene) -> None:
    """A word for help costs nothing, and is no question."""
    ts = scene.slack.user("U0ASKER").mention("C0PAY", "Help")
    await scene.until(lambda: scene.rooms.outcomes, "the end")
    [told] = scene.slack.bot_messages("C0PAY", ts)
    assert "refunds retried" in told.text
    assert scene.rooms.asked == []


async def test_a_start_warns_of_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Bolt reads SLACK_BOT_TOKEN by itself and warned at each start that it goes unused."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-local")
    clients = connect("xoxb-local", "http://127.0.0.1:9/api/")
    try:
        app = _bolt(clients, None, None)
    finally:
        await clients.close()
    assert caplog.records == []
    assert app.logger.isEnabledFor(logging.WARNING)
