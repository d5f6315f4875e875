"""The Web API over real sockets: encodings, headers, faults, files, OAuth."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from forewarm_playground.slack import LocalSlack


class Http:
    """A bare HTTP client with the bot's token."""

    def __init__(self, slack: LocalSlack, session: aiohttp.ClientSession) -> None:
        self.slack = slack
        self.session = session

    async def call(self, method: str, verb: str = "POST", **how: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.slack.token}", **how.pop("headers", {})}
        url = f"{self.slack.api_url}{method}"
        async with self.session.request(verb, url, headers=headers, **how) as response:
            body: dict[str, Any] = await response.json()
        return body


@pytest.fixture
async def http(served: LocalSlack) -> AsyncIterator[Http]:
    async with aiohttp.ClientSession() as session:
        yield Http(served, session)


@pytest.mark.parametrize(
    ("verb", "how"),
    [
        ("GET", {"params": {"channel": "C0GENERAL", "limit": "1"}}),
        ("POST", {"params": {"channel": "C0GENERAL", "limit": "1"}}),
        ("POST", {"data": {"channel": "C0GENERAL", "limit": "1"}}),
        ("POST", {"json": {"channel": "C0GENERAL", "limit": 1}}),
        ("POST", {"json": {"limit": 1}, "params": {"channel": "C0GENERAL"}}),
        ("POST", {"data": {"channel": "C0GENERAL"}, "params": {"limit": "1"}}),
    ],
)
async def test_arguments_come_by_query_form_or_json(
    http: Http, verb: str, how: dict[str, Any]
) -> None:
    """Clients mix all three (docs/platform/slack.md#web-api)."""
    for text in ("one", "two"):
        http.slack.user("U0ASKER").post("C0GENERAL", text)
    body = await http.call("conversations.history", verb, **how)
    assert [message["text"] for message in body["messages"]] == ["two"]


async def test_forms_carry_json_inside(http: Http) -> None:
    """The Node client encodes nested values as text."""
    blocks = json.dumps([{"type": "divider"}])
    form = {"channel": "C0GENERAL", "text": "t", "blocks": blocks, "unfurl_links": "false"}
    body = await http.call("chat.postMessage", data=form)
    assert body["message"]["blocks"][0]["type"] == "divider"
    multipart = aiohttp.FormData(form, default_to_multipart=True)
    assert (await http.call("chat.postMessage", data=multipart))["ok"]


@pytest.mark.parametrize(
    ("text", "error"), [("{", "invalid_json"), ("[1]", "json_not_object"), ("", "no_text")]
)
async def test_bad_json_is_refused(http: Http, text: str, error: str) -> None:
    """With HTTP 200, as every error."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    params = {"channel": "C0GENERAL"}
    body = await http.call("chat.postMessage", data=text, headers=headers, params=params)
    assert body["error"] == error


async def test_a_token_may_stand_among_the_arguments_but_for_sockets(http: Http) -> None:
    """`apps.connections.open` takes the header only (docs/platform/slack.md#socket-mode)."""
    url = f"{http.slack.api_url}auth.test"
    async with http.session.post(url, data={"token": http.slack.token}) as response:
        assert (await response.json())["ok"]
        assert response.headers["x-oauth-scopes"]
        assert response.content_type == "application/json"
    url = f"{http.slack.api_url}apps.connections.open"
    async with http.session.post(url, data={"token": http.slack.app.app_token}) as response:
        assert (await response.json())["error"] == "not_authed"


async def test_an_unknown_method_answers_like_any_error(http: Http) -> None:
    """HTTP 200 and a code; also for nonsense in the path."""
    for name in ("no.such", "a/b", ""):
        assert (await http.call(name))["error"] == "unknown_method"


async def test_a_call_that_breaks_before_its_effect_did_nothing(http: Http) -> None:
    """The client cannot tell it from the next case."""
    http.slack.fail_call("chat.postMessage", "drop_before")
    with pytest.raises(aiohttp.ClientConnectionError):
        await http.call("chat.postMessage", data={"channel": "C0GENERAL", "text": "t"})
    assert http.slack.bot_messages("C0GENERAL") == []


async def test_a_call_that_breaks_after_its_effect_did_it(http: Http) -> None:
    """The message stands there though its author never heard so."""
    http.slack.fail_call("chat.postMessage", "drop_after")
    with pytest.raises(aiohttp.ClientConnectionError):
        await http.call("chat.postMessage", data={"channel": "C0GENERAL", "text": "t"})
    assert [m.text for m in http.slack.bot_messages("C0GENERAL")] == ["t"]
    (entry,) = http.slack.log.of("chat.postMessage")
    assert (entry.dropped, entry.fault, entry.ended_at) == (True, "drop_after", None)
    assert entry.effect_at is not None


@pytest.mark.parametrize(
    ("kind", "how", "status", "error"),
    [
        ("ratelimited", {"retry_after": 7}, 429, "ratelimited"),
        ("error", {"code": "fatal_error"}, 200, "fatal_error"),
        ("http_error", {"status": 503}, 503, ""),
    ],
)
async def test_a_call_can_be_refused_on_command(
    http: Http, kind: str, how: dict[str, Any], status: int, error: str
) -> None:
    """Once, and the next one passes."""
    http.slack.fail_call("auth.*", kind, **how)
    url = f"{http.slack.api_url}auth.test"
    headers = {"Authorization": f"Bearer {http.slack.token}"}
    async with http.session.post(url, headers=headers) as response:
        assert response.status == status
        if error:
            assert (await response.json())["error"] == error
        if kind == "ratelimited":
            assert response.headers["Retry-After"] == "7"
    assert (await http.call("auth.test"))["ok"]


@pytest.mark.parametrize(("kind", "effect"), [("slow", 5.0), ("slow_after", 0.0)])
async def test_a_slow_reply_is_slow_before_or_after_its_effect(
    http: Http, kind: str, effect: float
) -> None:
    """Two different things to a client that gives up waiting."""
    http.slack.fail_call("auth.test", kind, seconds=5)
    start = asyncio.get_running_loop().time()
    assert (await http.call("auth.test"))["ok"]
    assert asyncio.get_running_loop().time() - start == pytest.approx(5)
    (entry,) = http.slack.log.of("auth.test")
    assert entry.effect_at is not None
    assert entry.effect_at - entry.arrived_at == pytest.approx(effect)


async def test_a_call_can_be_held_at_the_worst_moment(http: Http) -> None:
    """Where a test kills its process: after the effect, before the reply."""
    fault = http.slack.fail_call("chat.postMessage", "hold_after")
    form = {"channel": "C0GENERAL", "text": "t"}
    call = asyncio.create_task(http.call("chat.postMessage", data=form))
    await fault.reached()
    await http.slack.until(lambda: bool(http.slack.bot_messages("C0GENERAL")))
    assert not call.done()
    fault.release()
    assert (await call)["ok"]


async def test_a_fault_is_for_the_arguments_that_it_names(http: Http) -> None:
    """One stream of several can be hit."""
    http.slack.fail_call("chat.postMessage", "error", match={"channel": "C0SECRET"})
    form = {"channel": "C0GENERAL", "text": "t"}
    assert (await http.call("chat.postMessage", data=form))["ok"]
    refused = await http.call("chat.postMessage", data={**form, "channel": "C0SECRET"})
    assert refused["error"] == "internal_error"


async def test_a_response_url_answers_in_plain_words(http: Http) -> None:
    """`ok`, and 404 when it is used up (docs/platform/slack.md#views-and-response-urls)."""
    http.slack.user("U0ASKER").slash("C0GENERAL", "/ask")
    await http.slack.until(lambda: bool(http.slack.log.deliveries))
    url = http.slack.log.deliveries[0].payload["response_url"]
    for _ in range(5):
        async with http.session.post(url, json={"text": "t"}) as response:
            assert (response.status, await response.text()) == (200, "ok")
    async with http.session.post(url, json={"text": "t"}) as response:
        assert response.status == 404
        assert (await response.json())["error"] == "used_url"


async def test_a_response_url_can_break_like_a_call(http: Http) -> None:
    """After its effect: the app posts again, and two answers stand there."""
    http.slack.user("U0ASKER").slash("C0GENERAL", "/ask")
    await http.slack.until(lambda: bool(http.slack.log.deliveries))
    url = http.slack.log.deliveries[0].payload["response_url"]
    http.slack.fail_call("response_url", "drop_after")
    with pytest.raises(aiohttp.ClientConnectionError):
        await http.session.post(url, json={"text": "t"})
    async with http.session.post(url, json={"text": "t"}) as response:
        assert response.status == 200
    assert len(http.slack.state.ephemerals) == 2
    (broken, taken) = http.slack.log.of("response_url")
    assert (broken.dropped, taken.ok) == (True, True)


async def test_a_file_is_behind_the_token(http: Http) -> None:
    """Without it Slack sends people to the sign-in page."""
    http.slack.user("U0ASKER").post("C0GENERAL", "look", snippets={"a.py": "print(1)"})
    url = http.slack.messages("C0GENERAL")[0].files[0]["url_private"]
    headers = {"Authorization": f"Bearer {http.slack.token}"}
    async with http.session.get(url, headers=headers) as response:
        assert await response.text() == "print(1)"
    async with http.session.get(url, allow_redirects=False) as response:
        assert response.status == 302


async def test_a_file_is_uploaded_in_three_steps(http: Http) -> None:
    """Address, bytes, share."""
    http.slack.installation.scopes += ("files:write",)
    params = {"filename": "a.txt", "length": "2"}
    made = await http.call("files.getUploadURLExternal", "GET", params=params)
    async with http.session.post(made["upload_url"], data=b"hi") as response:
        assert response.status == 200
    files = json.dumps([{"id": made["file_id"], "title": "A"}])
    form = {"files": files, "channel_id": "C0GENERAL", "initial_comment": "here"}
    body = await http.call("files.completeUploadExternal", data=form)
    assert body["files"][0]["title"] == "A"
    (message,) = http.slack.bot_messages("C0GENERAL")
    assert (message.text, message.files[0]["size"]) == ("here", 2)


async def test_the_app_is_installed_over_oauth(http: Http) -> None:
    """Page, code, token; a code is good for one exchange."""
    app = http.slack.app
    query = {
        "client_id": app.client_id,
        "scope": "chat:write,commands",
        "state": "s&1",
        "redirect_uri": "http://127.0.0.1:1/back",
    }
    url = f"{http.slack.url}/oauth/v2/authorize"
    async with http.session.get(url, params=query) as response:
        page = await response.text()
        assert "chat:write" in page
        assert "T0OTHER" in page
    form = {**query, "team": "T0OTHER", "allow": "1"}
    async with http.session.post(url, data=form, allow_redirects=False) as response:
        assert response.status == 302
        place = response.headers["Location"]
    assert place.startswith("http://127.0.0.1:1/back?code=")
    assert place.endswith("&state=s%261")
    code = place.split("code=")[1].split("&")[0]
    exchange = {
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "code": code,
        "redirect_uri": "http://127.0.0.1:1/back",
    }
    bad = {**exchange, "client_secret": "wrong"}
    assert (await http.call("oauth.v2.access", data=bad))["error"] == "bad_client_secret"
    body = await http.call("oauth.v2.access", data=exchange)
    assert body["team"] == {"id": "T0OTHER", "name": "Other"}
    assert body["scope"] == "chat:write,commands"
    assert body["authed_user"]["id"] == "U0FOREIGN"
    assert (await http.call("oauth.v2.access", data=exchange))["error"] == "invalid_code"
    assert http.slack.call("auth.test", body["access_token"]).body["team_id"] == "T0OTHER"


async def test_a_refused_installation_says_so(http: Http) -> None:
    """The browser goes back with `access_denied`."""
    url = f"{http.slack.url}/oauth/v2/authorize"
    form = {"redirect_uri": "http://127.0.0.1:1/back", "state": "s", "allow": ""}
    async with http.session.post(url, data=form, allow_redirects=False) as response:
        assert response.headers["Location"].endswith("?error=access_denied&state=s")
    async with http.session.get(url, params={"client_id": "other"}) as response:
        assert response.status == 400


def test_an_uninstalled_app_is_told_and_locked_out(slack: LocalSlack) -> None:
    """`tokens_revoked`, `app_uninstalled`, and a dead token; a new installation has a new one."""
    token = slack.token
    assert slack.call("auth.revoke", test=1).body["revoked"] is False
    assert slack.call("auth.revoke").body["revoked"] is True
    assert [d.name for d in slack.outbox] == ["tokens_revoked", "app_uninstalled"]
    assert slack.call("auth.test", token).error == "account_inactive"
    slack.user("U0ASKER").post("C0GENERAL", "hi")
    assert len(slack.outbox) == 2
    again = slack.state.install("T0LOCAL", ("chat:write",))
    assert again.token != token
    assert slack.call("auth.test", again.token).body["ok"]
