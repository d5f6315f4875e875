"""Commands, shortcuts, buttons and modals: the payloads, and what becomes of the answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.delivery.types import Delivery, Outcome
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.interactions.interaction import Interaction

Json = dict[str, Any]

PLAIN = {"type": "plain_text", "text": "t"}
TEXT_INPUT = {
    "type": "input",
    "block_id": "question",
    "dispatch_action": True,
    "label": PLAIN,
    "element": {
        "type": "plain_text_input",
        "action_id": "q",
        "dispatch_action_config": {"trigger_actions_on": ["on_character_entered"]},
    },
}
SELECT = {
    "type": "input",
    "block_id": "repo",
    "optional": True,
    "label": PLAIN,
    "element": {"type": "external_select", "action_id": "r", "min_query_length": 2},
}
MODAL: Json = {
    "type": "modal",
    "callback_id": "ask",
    "title": PLAIN,
    "submit": PLAIN,
    "notify_on_close": True,
    "private_metadata": "kept",
    "blocks": [TEXT_INPUT, SELECT],
}
FEEDBACK = {
    "type": "context_actions",
    "elements": [
        {
            "type": "feedback_buttons",
            "action_id": "fb",
            "positive_button": {"text": PLAIN, "value": "good 1"},
            "negative_button": {"text": PLAIN, "value": "bad 1"},
        }
    ],
}
BUTTONS = {
    "type": "actions",
    "elements": [
        {"type": "button", "action_id": "again", "text": PLAIN, "value": "v"},
        {
            "type": "static_select",
            "action_id": "pick",
            "options": [{"text": PLAIN, "value": "a"}, {"text": PLAIN, "value": "b"}],
        },
    ],
}


@pytest.fixture
def last(slack: LocalSlack) -> Callable[[], Delivery]:
    """Take the newest delivery out."""

    def take() -> Delivery:
        delivery = slack.outbox[-1]
        slack.dispatcher.outbox.clear()
        return delivery

    return take


def answer(delivery: Delivery, reply: Json | None = None, text: str = "") -> None:
    """Let the app acknowledge a delivery."""
    assert delivery.ended is not None
    delivery.ended(Outcome("acked", reply=reply, text=text))


@pytest.fixture
def modal(slack: LocalSlack, last: Callable[[], Delivery]) -> Json:
    """A modal that the asker has open, as `views.open` returned it."""
    slack.user("U0ASKER").slash("C0GENERAL", "/ask")
    trigger = last().payload["trigger_id"]
    body = slack.call("views.open", trigger_id=trigger, view=MODAL).body
    assert body["ok"], body
    view: Json = body["view"]
    return view


def test_a_command_comes_as_fields(slack: LocalSlack, last: Any) -> None:
    """Without `thread_ts`: commands cannot be used in threads.

    Source: docs/platform/slack.md#interaction-payloads.
    """
    slack.user("U0ASKER").slash("C0GENERAL", "/ask", "how?")
    delivery = last()
    assert (delivery.kind, delivery.accepts_reply) == ("slash_commands", True)
    payload = delivery.payload
    assert payload["command"] == "/ask"
    assert payload["text"] == "how?"
    assert payload["channel_name"] == "general"
    assert payload["user_name"] == "asker"
    assert payload["is_enterprise_install"] == "false"
    assert payload["response_url"].startswith("http")
    assert "thread_ts" not in payload
    with pytest.raises(SlackError, match="unknown_command"):
        slack.user("U0ASKER").slash("C0GENERAL", "/other")


@pytest.mark.parametrize(
    ("reply", "text", "ephemeral", "posted"),
    [
        (None, "plain", ["plain"], []),
        ({"text": "only you"}, "", ["only you"], []),
        ({"text": "all", "response_type": "in_channel"}, "", [], ["all"]),
        (None, "", [], []),
    ],
)
def test_a_commands_answer_is_shown(
    slack: LocalSlack,
    last: Any,
    reply: Json | None,
    text: str,
    ephemeral: list[str],
    posted: list[str],
) -> None:
    """To its user alone, unless it says `in_channel`."""
    asked = slack.user("U0ASKER").slash("C0GENERAL", "/ask")
    answer(last(), reply, text)
    assert asked.outcome is not None
    assert [m.text for m in slack.state.ephemerals] == ephemeral
    assert [m.text for m in slack.bot_messages("C0GENERAL")] == posted


@pytest.mark.parametrize(
    ("reason", "word"), [("http_timeout", "operation_timeout"), ("http_error", "dispatch_failed")]
)
def test_a_command_that_failed_is_told_to_its_user(
    slack: LocalSlack, last: Any, reason: str, word: str
) -> None:
    """People see it at once; the app sees nothing at all."""
    slack.user("U0ASKER").slash("C0GENERAL", "/ask")
    last().ended(Outcome("failed", reason=reason))
    assert word in slack.state.notices[-1].text


def test_shortcuts_carry_what_they_are_about(slack: LocalSlack, last: Any) -> None:
    """A global one nothing, a message one the message and a response URL."""
    asker = slack.user("U0ASKER")
    asker.shortcut("ask_global")
    payload = last().payload
    assert (payload["type"], payload["callback_id"]) == ("shortcut", "ask_global")
    assert payload["user"]["id"] == "U0ASKER"
    assert "response_url" not in payload
    ts = slack.user("U0PEER").post("C0GENERAL", "explain me")
    asker.message_shortcut("C0GENERAL", ts, "ask_message")
    payload = last().payload
    assert (payload["type"], payload["message_ts"]) == ("message_action", ts)
    assert payload["message"]["text"] == "explain me"
    assert payload["channel"] == {"id": "C0GENERAL", "name": "general"}
    assert payload["response_url"]
    for wrong in ("ask_global", "nothing"):
        with pytest.raises(SlackError, match="unknown_shortcut"):
            asker.message_shortcut("C0GENERAL", ts, wrong)


def test_a_trigger_opens_one_modal_within_three_seconds(
    slack: LocalSlack, last: Any, clock: Any
) -> None:
    """Single use, short life: open a skeleton first, fill it in later."""
    asker = slack.user("U0ASKER")
    asker.shortcut("ask_global")
    trigger = last().payload["trigger_id"]
    assert slack.call("views.open", trigger_id=trigger, view=MODAL).body["ok"]
    again = slack.call("views.open", trigger_id=trigger, view=MODAL)
    assert again.error == "exchanged_trigger_id"
    asker.shortcut("ask_global")
    clock.pass_(3.1)
    late = slack.call("views.open", trigger_id=last().payload["trigger_id"], view=MODAL)
    assert late.error == "expired_trigger_id"
    assert slack.call("views.open", trigger_id="1.2.x", view=MODAL).error == "invalid_trigger_id"


def test_a_new_modal_takes_the_place_of_the_old(slack: LocalSlack, last: Any, modal: Json) -> None:
    """Opening is not pushing: what was open is gone."""
    asker = slack.user("U0ASKER")
    asker.shortcut("ask_global")
    trigger = last().payload["trigger_id"]
    body = slack.call("views.open", trigger_id=trigger, view=MODAL).body
    assert slack.state.modals["U0ASKER"] == [body["view"]["id"]]
    gone = slack.call("views.update", view_id=modal["id"], view=MODAL)
    assert gone.error == "not_found"


def test_a_bad_view_does_not_use_the_trigger_up(slack: LocalSlack, last: Any) -> None:
    """The view is checked first, so that a corrected one can be opened."""
    slack.user("U0ASKER").shortcut("ask_global")
    trigger = last().payload["trigger_id"]
    bad = {**MODAL, "title": {"type": "plain_text", "text": "x" * 25}}
    assert slack.call("views.open", trigger_id=trigger, view=bad).error == "invalid_arguments"
    assert slack.call("views.open", trigger_id=trigger, view=MODAL).body["ok"]


def test_every_key_is_told_with_the_whole_text(slack: LocalSlack, last: Any, modal: Json) -> None:
    """`on_character_entered` fires when a character is typed or removed.

    Source: docs/platform/slack.md#characters-entered.
    """
    asker = slack.user("U0ASKER")
    for text in ("h", "ho", "h", ""):
        asker.set_text(text)
        payload = last().payload
        assert payload["type"] == "block_actions"
        assert payload["container"] == {"type": "view", "view_id": modal["id"]}
        (action,) = payload["actions"]
        assert (action["action_id"], action["block_id"]) == ("q", "question")
        assert action["value"] == (text or None)
        state = payload["view"]["state"]["values"]
        assert state["question"]["q"] == {"type": "plain_text_input", "value": text or None}


def test_an_input_that_did_not_ask_is_silent(slack: LocalSlack, last: Any) -> None:
    """Without `dispatch_action` the app hears of the text only at submission."""
    asker = slack.user("U0ASKER")
    asker.shortcut("ask_global")
    silent = {**TEXT_INPUT, "dispatch_action": False}
    view = {**MODAL, "blocks": [silent]}
    slack.call("views.open", trigger_id=last().payload["trigger_id"], view=view)
    assert asker.set_text("how?") == []
    assert asker.press_enter() is None
    assert slack.outbox == []


async def test_typing_is_debounced_as_configured(world_config: Json) -> None:
    """Whether Slack's client coalesces keys is not established: apps must cope with both."""
    from forewarm_playground import virtual_time

    slack = LocalSlack(
        {**world_config, "limits": {"rates": False, "typing_debounce": 0.5}}, now=virtual_time.now
    )
    asker = slack.user("U0ASKER")
    asker.shortcut("ask_global")
    trigger = slack.outbox[-1].payload["trigger_id"]
    slack.call("views.open", trigger_id=trigger, view=MODAL)
    slack.dispatcher.outbox.clear()
    await asker.type("how", per_key=0.1)
    assert slack.outbox == []
    await asker.pause(0.5)
    await asker.type("?", per_key=0.6)
    values = [delivery.payload["actions"][0]["value"] for delivery in slack.outbox]
    assert values == ["how", "how?"]


def test_a_select_asks_the_app_for_options(slack: LocalSlack, last: Any, modal: Json) -> None:
    """From `min_query_length` characters on; the choice is among what was offered."""
    from forewarm_playground.slack.interactions import forms

    asker = slack.user("U0ASKER")
    view = asker.modal
    assert forms.suggest(slack.state, "U0ASKER", "r", "p", view=view) is None
    asked = forms.suggest(slack.state, "U0ASKER", "r", "pa", view=view)
    assert asked is not None
    delivery = last()
    assert (delivery.payload["type"], delivery.payload["value"]) == ("block_suggestion", "pa")
    assert delivery.accepts_reply
    option = {"text": PLAIN, "value": "payments"}
    answer(delivery, {"options": [option]})
    assert asked.options == [option]
    asker.put("r", "payments")
    assert asker.modal.values["repo"]["r"]["selected_option"] == option
    with pytest.raises(SlackError, match="no_such_option"):
        asker.put("r", "other")


def test_a_form_is_submitted_with_its_state(slack: LocalSlack, last: Any, modal: Json) -> None:
    """An empty acknowledgement closes it."""
    from forewarm_playground.slack.interactions import forms

    asker = slack.user("U0ASKER")
    with pytest.raises(SlackError, match="incomplete") as caught:
        forms.submit(slack.state, "U0ASKER")
    assert caught.value.details == {"blocks": ["question"]}
    asker.set_text("how?")
    sent = forms.submit(slack.state, "U0ASKER")
    delivery = last()
    view = delivery.payload["view"]
    assert delivery.payload["type"] == "view_submission"
    assert delivery.payload["response_urls"] == []
    assert (view["callback_id"], view["private_metadata"]) == ("ask", "kept")
    assert view["state"]["values"]["question"]["q"]["value"] == "how?"
    answer(delivery)
    assert sent.outcome == Outcome("acked")
    with pytest.raises(SlackError, match="no_modal"):
        _ = asker.modal


def test_the_answer_to_a_submission_decides_what_stands_open(
    slack: LocalSlack, last: Any, modal: Json
) -> None:
    """errors, update, push, clear (docs/platform/slack.md#views-and-response-urls)."""
    from forewarm_playground.slack.interactions import forms

    asker = slack.user("U0ASKER")
    asker.set_text("how?")

    def submit(reply: Json) -> Interaction:
        sent = forms.submit(slack.state, "U0ASKER")
        answer(last(), reply)
        return sent

    refused = submit({"response_action": "errors", "errors": {"question": "too short"}})
    assert refused.errors == {"question": "too short"}
    assert asker.modal.id == modal["id"]
    assert slack.state.view_errors[modal["id"]] == {"question": "too short"}
    submit({"response_action": "update", "view": {**MODAL, "callback_id": "second"}})
    assert (asker.modal.id, asker.modal.content["callback_id"]) == (modal["id"], "second")
    assert asker.modal.values["question"]["q"]["value"] == "how?"
    submit({"response_action": "push", "view": {**MODAL, "blocks": [{"type": "divider"}]}})
    assert asker.modal.previous == asker.modal.root == modal["id"]
    submit({"response_action": "clear"})
    with pytest.raises(SlackError, match="no_modal"):
        _ = asker.modal


def test_an_update_keeps_what_was_typed_and_minds_the_hash(slack: LocalSlack, modal: Json) -> None:
    """Same block and action keep their value; a stale hash is refused."""
    asker = slack.user("U0ASKER")
    asker.set_text("how?")
    changed = {**MODAL, "blocks": [TEXT_INPUT, {"type": "divider"}]}
    body = slack.call("views.update", view_id=modal["id"], hash=modal["hash"], view=changed).body
    assert body["view"]["state"]["values"]["question"]["q"]["value"] == "how?"
    stale = slack.call("views.update", view_id=modal["id"], hash=modal["hash"], view=changed)
    assert stale.error == "hash_conflict"
    assert slack.call("views.update", view_id="V0", view=changed).error == "not_found"


def test_modals_stack_three_high(slack: LocalSlack, last: Any, modal: Json) -> None:
    """A push needs a trigger of its own; the fourth is refused."""
    asker = slack.user("U0ASKER")
    asker.set_text("x")
    for expected in ("", "", "push_limit_reached"):
        trigger = last().payload["trigger_id"]
        assert slack.call("views.push", trigger_id=trigger, view=MODAL).error == expected
        if not expected:
            asker.set_text("x")
    asker.close_modal()
    assert len(slack.state.modals["U0ASKER"]) == 2
    asker.close_modal(all_of_them=True)
    assert slack.state.modals.get("U0ASKER", []) == []


def test_closing_is_told_if_the_app_wished(slack: LocalSlack, last: Any, modal: Json) -> None:
    """`view_closed` is the signal to stop warming.

    Source: docs/platform/slack.md#signals-before-a-question.
    """
    slack.user("U0ASKER").close_modal()
    payload = last().payload
    assert (payload["type"], payload["is_cleared"]) == ("view_closed", False)
    assert payload["view"]["id"] == modal["id"]


def test_a_view_has_limits(slack: LocalSlack, last: Any) -> None:
    """250 kB, 100 blocks, names that are not taken (docs/platform/slack.md#message-limits)."""
    asker = slack.user("U0ASKER")

    def refusal(**change: Any) -> str:
        asker.shortcut("ask_global")
        view = {**MODAL, **change}
        return slack.call("views.open", trigger_id=last().payload["trigger_id"], view=view).error

    wide = [{"type": "section", "text": {**PLAIN, "text": "x" * 2900}}] * 100
    assert refusal(blocks=wide) == "view_too_large"
    assert refusal(blocks=[{"type": "divider"}] * 101) == "invalid_arguments"
    assert refusal(private_metadata="x" * 3001) == "invalid_arguments"
    assert refusal(submit=None) == "invalid_arguments"
    assert refusal(external_id="one") == ""


def test_a_button_under_a_message_tells_where_it_was_pressed(slack: LocalSlack, last: Any) -> None:
    """Container, channel, message and a response URL.

    Source: docs/platform/slack.md#interaction-payloads.
    """
    ts = slack.call("chat.postMessage", channel="C0GENERAL", text="t", blocks=[BUTTONS]).body["ts"]
    asker = slack.user("U0ASKER")
    asker.click("C0GENERAL", ts, "again")
    payload = last().payload
    assert payload["container"] == {
        "type": "message",
        "message_ts": ts,
        "channel_id": "C0GENERAL",
        "is_ephemeral": False,
    }
    (action,) = payload["actions"]
    assert (action["type"], action["action_id"], action["value"]) == ("button", "again", "v")
    asker.click("C0GENERAL", ts, "pick", "b")
    payload = last().payload
    assert payload["actions"][0]["selected_option"]["value"] == "b"
    (values,) = payload["state"]["values"].values()
    assert values["pick"]["selected_option"]["value"] == "b"
    with pytest.raises(SlackError, match="no_such_action"):
        asker.click("C0GENERAL", ts, "other")


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (None, "good 1"),
        ("up", "good 1"),
        ("good 1", "good 1"),
        ("down", "bad 1"),
        ("bad 1", "bad 1"),
    ],
)
def test_feedback_says_which_way(
    slack: LocalSlack, last: Any, given: str | None, value: str
) -> None:
    """One element, two values (docs/platform/slack.md#message-limits)."""
    ts = slack.call("chat.postMessage", channel="C0GENERAL", text="t", blocks=[FEEDBACK]).body["ts"]
    slack.user("U0ASKER").click("C0GENERAL", ts, "fb", given)
    (action,) = last().payload["actions"]
    assert (action["type"], action["value"]) == ("feedback_buttons", value)


def test_the_home_tab_has_buttons_too(slack: LocalSlack, last: Any) -> None:
    """A repository picker on the Home tab is a signal.

    Source: docs/platform/slack.md#signals-before-a-question.
    """
    slack.call("views.publish", user_id="U0ASKER", view={"type": "home", "blocks": [BUTTONS]})
    slack.user("U0ASKER").put("pick", "a", home=True)
    payload = last().payload
    assert payload["view"]["type"] == "home"
    assert payload["actions"][0]["selected_option"]["value"] == "a"


def test_without_interactivity_nothing_can_be_pressed(clock: Any) -> None:
    """A manifest that forgot it shows at once."""
    slack = LocalSlack({"app": {"interactivity": False}}, now=clock)
    with pytest.raises(SlackError, match="interactivity_disabled"):
        slack.user("U0ASKER").shortcut("ask_global")
