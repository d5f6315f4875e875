"""Every listener: one event, one domain call.

Only the first matching listener of a request runs, and what none matches is not acknowledged
(docs/platform/slack.md#bolt-behaviour), so the catch-all is registered last.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext
from slack_bolt.error import BoltUnhandledRequestError

from bot.answer.receipt import AGAIN_ACTION, FEEDBACK_ACTION, STOP_ACTION
from bot.answer.thread import markup
from bot.answer.thread.content import read_content
from bot.slack.answer_buttons import COMMENT_CALLBACK, AnswerButtons
from bot.slack.ask import context_picker, modal
from bot.slack.ask.ask import AskForm
from bot.slack.events.intake import Intake
from bot.slack.events.parse import read_edit, read_signal, workspace_of
from bot.slack.home.home import Home
from bot.slack.home.views import CHARTS, REFRESH
from bot.slack.interfaces import ThreadListener
from bot.slack.lifecycle import Forgetting, Lifecycle
from bot.slack.router import Router
from bot.stored import UnreadableValue

log = structlog.get_logger(__name__)

Body = dict[str, Any]
Next = Callable[[], Awaitable[Any]]
TAKEN = "forewarm_taken"
SUBTYPES = [
    "message_changed",
    "message_deleted",
    "file_share",
    "thread_broadcast",
    "bot_message",
]


def register_intake(
    app: AsyncApp, intake: Intake, threads: ThreadListener, forgetting: Forgetting
) -> None:
    """Record questions before they are acknowledged; keep the threads up to date.

    Once the app was removed from the workspace, everything is acknowledged and nothing is done.
    """

    async def record_first(body: Body, context: AsyncBoltContext, next: Next) -> Any:
        if forgetting.removed:
            return BoltResponse(status=200)
        if body.get("type") == "event_callback":
            context[TAKEN] = await intake.take(body, str(context.bot_user_id))
            event = body.get("event") or {}
            # Slack tells of a mention twice, and the question may be answered after the first.
            if event.get("type") in ("message", "app_mention"):
                await threads.take_event(workspace_of(body), event)
        return await next()

    app.middleware(record_first)


def register_messages(app: AsyncApp, desk: Router) -> None:
    async def heard(body: Body, context: AsyncBoltContext) -> None:
        taken = context.get(TAKEN)
        if taken is not None:
            await desk.handle_message(taken)
            return
        change = read_edit(body, str(context.bot_user_id))
        if change is not None:
            # Bolt waits for no listener when it ends. The router's tasks are waited for.
            desk.tasks.start(desk.changed(change))

    app.event("app_mention")(heard)
    app.event("message")(heard)
    # `message` with a subtype is matched by a constraint of its own.
    app.event({"type": "message", "subtype": SUBTYPES})(heard)


def register_signals(app: AsyncApp, desk: Router, home: Home, lifecycle: Lifecycle) -> None:
    async def signalled(body: Body, context: AsyncBoltContext) -> None:
        signal = read_signal(body, str(context.bot_user_id))
        if signal is not None:
            await desk.signalled(signal)

    for event in ("app_context_changed", "link_shared", "reaction_added"):
        app.event(event)(signalled)

    @app.event("app_home_opened")
    async def opened(body: Body, event: Mapping[str, Any], context: AsyncBoltContext) -> None:
        if event.get("tab") == "home":
            await home.publish(workspace_of(body), str(event["user"]))
            return
        await signalled(body, context)
        await home.suggest(workspace_of(body), str(event["user"]), str(event["channel"]))

    @app.action(REFRESH)
    async def refresh(ack: AsyncAck, body: Body) -> None:
        await ack()
        await home.publish(workspace_of(body), body["user"]["id"])

    @app.action(CHARTS)
    async def charts(ack: AsyncAck, body: Body) -> None:
        await ack()
        await home.send_charts(body["user"]["id"])

    # Bolt does not wait for its listeners at the end, and an eraser must not meet a closed store:
    # the router's tasks are waited for.
    @app.event("member_joined_channel")
    async def joined(body: Body, context: AsyncBoltContext) -> None:
        desk.tasks.start(lifecycle.joined(body, str(context.bot_user_id)))

    @app.event("member_left_channel")
    async def left(body: Body, context: AsyncBoltContext) -> None:
        desk.tasks.start(lifecycle.left(body, str(context.bot_user_id)))

    async def archived(body: Body) -> None:
        desk.tasks.start(lifecycle.archived(body))

    for event in ("channel_archive", "group_archive"):
        app.event(event)(archived)

    @app.event("app_uninstalled")
    async def uninstalled(body: Body) -> None:
        desk.tasks.start(lifecycle.uninstalled(body))

    @app.event("tokens_revoked")
    async def revoked(body: Body) -> None:
        # Bolt authorizes nothing here, so its context does not know our user.
        desk.tasks.start(lifecycle.tokens_revoked(body))


def register_asking(app: AsyncApp, asking: AskForm) -> None:
    @app.command("/ask")
    async def command(ack: AsyncAck, body: Body) -> None:
        await ack()
        origin = modal.Origin(channel=body.get("channel_id"))
        await asking.open(
            workspace_of(body),
            body["user_id"],
            body["trigger_id"],
            origin,
            # With should_escape, Slack encodes a command's text as it does a message's.
            markup.to_plain_text(str(body.get("text") or "")),
        )

    @app.shortcut("ask_global")
    async def anywhere(ack: AsyncAck, body: Body) -> None:
        await ack()
        user = body["user"]["id"]
        await asking.open(workspace_of(body), user, body["trigger_id"], modal.Origin())

    @app.shortcut("ask_message")
    async def on_message(ack: AsyncAck, body: Body, context: AsyncBoltContext) -> None:
        await ack()
        message = body.get("message") or {}
        content = read_content(message, str(context.bot_user_id))
        origin = modal.Origin(
            channel=body["channel"]["id"],
            thread=str(message.get("thread_ts") or body.get("message_ts") or message.get("ts")),
            quote=content.as_text(),
            author=str(message.get("user") or message.get("bot_id") or "") or None,
        )
        draft = "Explain this."
        await asking.open(workspace_of(body), body["user"]["id"], body["trigger_id"], origin, draft)

    @app.action(re.compile(f"^({modal.QUESTION_ACTION}|{modal.CONTEXT_ACTION})$"))
    async def typed(ack: AsyncAck, body: Body, action: Mapping[str, Any]) -> None:
        await ack()
        if not body.get("view"):
            return
        order = str(action.get("action_ts") or "")
        await asking.typed(workspace_of(body), body["user"]["id"], body.get("view") or {}, order)

    @app.view(modal.CALLBACK)
    async def submitted(ack: AsyncAck, body: Body, view: Mapping[str, Any]) -> None:
        if not modal.entered(view).question.strip():
            await ack(
                response_action="errors",
                errors={modal.QUESTION_BLOCK: "Please write your question first."},
            )
            return
        enterprise = (body.get("enterprise") or {}).get("id")
        # Recorded before it is acknowledged: what is closed on the screen must not be lost.
        asked = await asking.submitted(workspace_of(body), enterprise, body["user"]["id"], view)
        await ack()
        if asked is not None:
            asking.begin(asked)

    @app.view_closed(modal.CALLBACK)
    async def closed(ack: AsyncAck, body: Body, view: Mapping[str, Any]) -> None:
        await ack()
        await asking.closed(workspace_of(body), body["user"]["id"], view)


def register_answers(app: AsyncApp, desk: Router) -> None:
    @app.action(context_picker.ACTION)
    async def chose(ack: AsyncAck, body: Body, action: Mapping[str, Any]) -> None:
        await ack()
        choice = context_picker.chosen(action)
        if choice is not None:
            await desk.chosen(*choice, user=body["user"]["id"])

    @app.event("agent_session_stopped")
    async def stopped(body: Body, event: Mapping[str, Any]) -> None:
        await desk.stopped(
            workspace_of(body),
            str(event["channel"]),
            str(event.get("thread_ts") or ""),
            str(event.get("user") or ""),
        )


def register_judging(app: AsyncApp, judging: AnswerButtons) -> None:
    @app.action(FEEDBACK_ACTION)
    async def judged(ack: AsyncAck, body: Body, action: Mapping[str, Any]) -> None:
        await ack()
        await judging.judged(body, action)

    @app.view(COMMENT_CALLBACK)
    async def commented(ack: AsyncAck, body: Body, view: Mapping[str, Any]) -> None:
        await ack()
        await judging.commented(body, view)

    @app.action(AGAIN_ACTION)
    async def again(ack: AsyncAck, body: Body, action: Mapping[str, Any]) -> None:
        await ack()
        await judging.answer_again(body, action)

    @app.action(STOP_ACTION)
    async def stop(ack: AsyncAck, body: Body, action: Mapping[str, Any]) -> None:
        await ack()
        await judging.stop(body, action)


def register_rest(app: AsyncApp) -> None:
    """Acknowledge everything without a listener, or Slack sends it again; log failures."""

    async def ignored(ack: AsyncAck) -> None:
        await ack()

    @app.error
    async def failed(
        error: Exception, body: Body, response: BoltResponse | None
    ) -> BoltResponse | None:
        # An acknowledged request has its response, and Bolt takes no other one.
        taken = None if response is None else BoltResponse(status=200)
        # A payload of a type that Bolt does not know, such as `app_rate_limited`.
        if isinstance(error, BoltUnhandledRequestError):
            log.info("payload_ignored", kind=str(body.get("type"))[:40])
            return taken
        if isinstance(error, UnreadableValue):
            # The metadata of a view that another version opened.
            log.warning("view_unreadable", why=error.problem)
            return taken
        log.error("listener_failed", exc_info=error)
        return None

    everything = re.compile(".*")
    app.event(everything)(ignored)
    app.action(everything)(ignored)
    app.options(everything)(ignored)
    app.shortcut(everything)(ignored)
    app.command(everything)(ignored)
    app.view(everything)(ignored)
    app.view_closed(everything)(ignored)
