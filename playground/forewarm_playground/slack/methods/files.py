"""`files.*`: reading what people shared, and Slack's three-step upload."""

from __future__ import annotations

from forewarm_playground.slack.access import reachable, writable_channel
from forewarm_playground.slack.arguments import Arguments, invalid, missing
from forewarm_playground.slack.posting import Draft, post
from forewarm_playground.slack.records import File
from forewarm_playground.slack.refusal import Refusal
from forewarm_playground.slack.shapes import file_shape
from forewarm_playground.slack.web_api import Call, method
from forewarm_playground.slack.wire import Json


def _file(call: Call) -> File:
    file = call.world.files.get(call.arguments.text("file"))
    if file is None:
        raise Refusal("file_not_found")
    channels = (call.world.channels[channel] for channel in file.channels)
    if file.user != call.bot.bot_user and not any(
        reachable(call.world, channel, call.bot) for channel in channels
    ):
        raise Refusal("file_not_found")
    return file


@method("files.info", "files:read", tier=4)
def info(call: Call) -> Json:
    """Return a file; a snippet with its text."""
    file = _file(call)
    body: Json = {"file": file_shape(call.world, file), "comments": []}
    if file.mode == "snippet":
        body["content"] = file.content.decode("utf-8", "replace")
    return body


@method("files.getUploadURLExternal", "files:write", tier=4)
def get_upload_url(call: Call) -> Json:
    """Return where to send the bytes of a new file."""
    length = call.arguments.integer("length", 0)
    if length <= 0:
        raise missing("length")
    file = File(
        id=call.world.ids.next("F"),
        team=call.bot.team,
        user=call.bot.bot_user,
        name=call.arguments.text("filename"),
        title=call.arguments.text("filename"),
        content=b"",
        created=int(call.at),
        mode="snippet" if call.arguments.has("snippet_type") else "hosted",
        filetype=call.arguments.optional("snippet_type") or "binary",
    )
    call.world.files[file.id] = file
    return {"upload_url": f"{call.world.base_url}/upload/{file.id}", "file_id": file.id}


@method("files.completeUploadExternal", "files:write", tier=4)
def complete_upload(call: Call) -> Json:
    """Share uploaded files in a channel."""
    listed = call.arguments.objects("files", "invalid_arguments")
    if not listed:
        raise missing("files")
    files = [_uploaded(call, entry) for entry in listed]
    if call.arguments.has("channel_id"):
        values = {"channel": call.arguments.text("channel_id")}
        place = Call(call.world, Arguments(values), call.limiter, call.at, call.token, call.caller)
        draft = Draft(
            text=call.arguments.optional("initial_comment") or "",
            thread_ts=call.arguments.optional("thread_ts"),
            subtype="file_share",
            files=files,
        )
        post(call.world, writable_channel(place), call.world.users[call.bot.bot_user], draft)
    return {"files": [file_shape(call.world, file) for file in files]}


def _uploaded(call: Call, entry: Json) -> File:
    file = call.world.files.get(str(entry.get("id")))
    if file is None or file.user != call.bot.bot_user:
        raise Refusal("file_not_found")
    if not file.content:
        raise invalid("the file was not uploaded")
    file.title = str(entry.get("title") or file.title)
    return file
