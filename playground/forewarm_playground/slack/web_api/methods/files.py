"""`files.*`: reading what people shared, and Slack's three-step upload."""

from __future__ import annotations

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.json_shapes import file_shape
from forewarm_playground.slack.messages.messages import Draft, post
from forewarm_playground.slack.models import File
from forewarm_playground.slack.web_api.access import reachable, writable_channel
from forewarm_playground.slack.web_api.arguments import Arguments, invalid, missing
from forewarm_playground.slack.web_api.registry import Call, method


def _file(call: Call) -> File:
    file = call.state.files.get(call.arguments.text("file"))
    if file is None:
        raise SlackError("file_not_found")
    channels = (call.state.channels[channel] for channel in file.channels)
    if file.user != call.bot.bot_user and not any(
        reachable(call.state, channel, call.bot) for channel in channels
    ):
        raise SlackError("file_not_found")
    return file


@method("files.info", "files:read", tier=4)
def info(call: Call) -> Json:
    """Return a file; a snippet with its text."""
    file = _file(call)
    body: Json = {"file": file_shape(call.state, file), "comments": []}
    if file.mode == "snippet":
        body["content"] = file.content.decode("utf-8", "replace")
    return body


@method("files.getUploadURLExternal", "files:write", tier=4)
def get_upload_url(call: Call) -> Json:
    """Return the address that takes the bytes of a new file."""
    length = call.arguments.integer("length", 0)
    if length <= 0:
        raise missing("length")
    file = File(
        id=call.state.ids.next("F"),
        team=call.bot.team,
        user=call.bot.bot_user,
        name=call.arguments.text("filename"),
        title=call.arguments.text("filename"),
        content=b"",
        created=int(call.at),
        mode="snippet" if call.arguments.has("snippet_type") else "hosted",
        filetype=call.arguments.optional("snippet_type") or "binary",
    )
    call.state.files[file.id] = file
    return {"upload_url": f"{call.state.base_url}/upload/{file.id}", "file_id": file.id}


@method("files.completeUploadExternal", "files:write", tier=4)
def complete_upload(call: Call) -> Json:
    """Share uploaded files in a channel."""
    listed = call.arguments.objects("files", "invalid_arguments")
    if not listed:
        raise missing("files")
    files = [_uploaded(call, entry) for entry in listed]
    if call.arguments.has("channel_id"):
        values = {"channel": call.arguments.text("channel_id")}
        place = Call(call.state, Arguments(values), call.limiter, call.at, call.token, call.caller)
        draft = Draft(
            text=call.arguments.optional("initial_comment") or "",
            thread_ts=call.arguments.optional("thread_ts"),
            subtype="file_share",
            files=files,
        )
        post(call.state, writable_channel(place), call.state.users[call.bot.bot_user], draft)
    return {"files": [file_shape(call.state, file) for file in files]}


def _uploaded(call: Call, entry: Json) -> File:
    file = call.state.files.get(str(entry.get("id")))
    if file is None or file.user != call.bot.bot_user:
        raise SlackError("file_not_found")
    if not file.content:
        raise invalid("the file was not uploaded")
    file.title = str(entry.get("title") or file.title)
    return file
