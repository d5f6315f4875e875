"""Which files are read, as text or as a picture, and what the asker is told of them."""

from __future__ import annotations

import base64
import io
import random
from typing import Any

import pytest
from PIL import Image

from bot.answer.question import File, file_of
from bot.answer.thread.files import (
    BROKEN_IMAGE,
    MAX_SENT_PIXELS,
    MAX_SIDE,
    NOT_READABLE,
    TOO_LARGE,
    ReadFile,
    describe_files,
    guess,
    preview_of,
    read_picture,
    read_text,
)


def file(name: str, kind: str = "application/octet-stream", **more: object) -> File:
    return file_of({"id": f"F-{name}", "name": name, "mimetype": kind, "mode": "hosted", **more})


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("config.json", "application/json"),
        ("query.sql", "application/octet-stream"),
        ("app.ts", "video/mp2t"),
        ("deploy.yaml", "text/yaml"),
        ("run.sh", "application/x-sh"),
        ("a.xml", "application/xml"),
        ("a.toml", "application/octet-stream"),
        ("core.log", "application/octet-stream"),
        ("Dockerfile", "binary"),
        ("trace", ""),
        ("notebook.ipynb", "application/x-ipynb+json"),
        ("diff.patch", "text/x-diff"),
        ("mod.rs", "application/rls-services+xml"),
    ],
)
def test_what_may_be_text_is_worth_reading(name: str, kind: str) -> None:
    """Slack's type decides nothing: it calls TypeScript a video."""
    assert guess(file(name, kind)) == "text"


@pytest.mark.parametrize("name", ["a.zip", "report.PDF", "demo.mp4", "lib.so", "x.xlsx", "a.tar"])
def test_names_that_mean_bytes_are_not_fetched(name: str) -> None:
    assert guess(file(name)) == "other"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.png", "image/png"), ("Screenshot", "image/jpeg"), ("x.WEBP", ""), ("a.gif", "image/gif")],
)
def test_screenshots_are_pictures(name: str, kind: str) -> None:
    assert guess(file(name, kind)) == "image"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"hello\n", "hello\n"),
        (b"", ""),
        ("größe 大小".encode(), "größe 大小"),
        ("größe".encode("utf-8-sig"), "größe"),
        ("größe".encode("utf-16"), "größe"),
        (b"\xfe\xff\x00h\x00i", "hi"),
        ("größe".encode("latin-1"), "größe"),
        (b"\x1b[31mred\x1b[0m\n", "\x1b[31mred\x1b[0m\n"),
        (b"page\x0cbreak", "page\x0cbreak"),
    ],
)
def test_text_is_decoded_by_its_bytes(data: bytes, text: str) -> None:
    assert read_text(data) == ReadFile(text=text)


@pytest.mark.parametrize(
    "data",
    [b"\x7fELF\x02\x01\x01\x00", b"PK\x03\x04\x00\x00", bytes(range(256)), b"\x01\x02\x03" * 50],
)
def test_bytes_are_no_text(data: bytes) -> None:
    assert read_text(data) == ReadFile(problem=NOT_READABLE)


def test_a_text_that_was_cut_in_a_character_is_still_text() -> None:
    data = ("x" * 9 + "大").encode()[:-1]
    read = read_text(data, whole=False)
    assert (read.text, read.whole) == ("x" * 9, False)


def picture(width: int, height: int, form: str = "PNG", mode: str = "RGB", **more: object) -> bytes:
    data = io.BytesIO()
    Image.new(mode, (width, height), more.pop("color", "navy")).save(data, form, **more)  # type: ignore[arg-type]
    return data.getvalue()


def shown(read: ReadFile) -> Image.Image:
    assert read.picture is not None, read
    opened = Image.open(io.BytesIO(base64.b64decode(read.picture.data)))
    assert opened.size == (read.picture.width, read.picture.height)
    assert Image.MIME[opened.format or ""] == read.picture.media_type
    return opened


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_small_picture_is_sent_as_it_is(form: str) -> None:
    data = picture(300, 200, form)
    read = read_picture(data)
    assert shown(read).format == form
    assert read.picture is not None
    assert base64.b64decode(read.picture.data) == data


@pytest.mark.parametrize(
    ("width", "height"), [(3_000, 2_000), (1_568, 1_568), (200, 5_000), (9_000, 10), (1, 4_000)]
)
def test_a_large_picture_is_scaled_to_claudes_limits(width: int, height: int) -> None:
    scaled = shown(read_picture(picture(width, height)))
    assert max(scaled.size) <= MAX_SIDE
    assert scaled.width * scaled.height <= MAX_SENT_PIXELS
    assert min(scaled.size) >= 1


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "I;16", "CMYK"])
def test_pictures_of_all_colour_modes_are_scaled(mode: str) -> None:
    form = "TIFF" if mode == "CMYK" else "PNG"
    data = io.BytesIO()
    Image.new(mode, (2_000, 2_000)).save(data, form)
    read = read_picture(data.getvalue())
    if form == "TIFF":
        assert read == ReadFile(problem=BROKEN_IMAGE)
    else:
        assert max(shown(read).size) <= MAX_SIDE


def test_an_animation_shows_its_first_picture() -> None:
    data = io.BytesIO()
    frames = [Image.new("RGB", (50, 50), color) for color in ("red", "blue")]
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:])
    first = shown(read_picture(data.getvalue())).convert("RGB").getpixel((5, 5))
    assert isinstance(first, tuple)
    assert first[0] > 200
    assert first[2] < 60


def test_a_picture_that_unpacks_to_much_is_not_decoded() -> None:
    """A bomb: 400 megapixels in a file of some kilobytes."""
    bomb = picture(20_000, 20_000, mode="1", color=0)
    assert len(bomb) < 200_000
    assert read_picture(bomb) == ReadFile(problem=TOO_LARGE)


def test_broken_pictures_are_named_as_such() -> None:
    rng = random.Random(3)
    good = picture(64, 64)
    for _ in range(200):
        data = bytearray(good[: rng.randrange(1, len(good))])
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        read = read_picture(bytes(data))
        assert read.problem in (BROKEN_IMAGE, TOO_LARGE) or read.picture is not None
    assert read_picture(b"not a picture") == ReadFile(problem=BROKEN_IMAGE)
    assert read_picture(b"<svg onload='x'/>") == ReadFile(problem=BROKEN_IMAGE)


@pytest.mark.parametrize(
    ("more", "text", "whole"),
    [
        (
            {"mode": "email", "subject": "Disk", "plain_text": "db1 is full", "preview": "<html>"},
            "Subject: Disk\n\ndb1 is full",
            True,
        ),
        ({"filetype": "email", "preview_plain_text": "db1 is"}, "db1 is", False),
        (
            {"transcription": {"preview": {"content": "why does it retry", "has_more": False}}},
            "(transcript by Slack)\nwhy does it retry",
            True,
        ),
        (
            {"transcription": {"preview": {"content": "why does", "has_more": True}}},
            "(transcript by Slack)\nwhy does",
            False,
        ),
    ],
)
def test_emails_and_recordings_are_their_words(
    more: dict[str, Any], text: str, whole: bool
) -> None:
    """Slack sends the words along; the bytes are a page or a sound."""
    file = file_of({"id": "F1", "name": "x.m4a", "url_private": "https://files.slack.com/x"} | more)
    read = preview_of(file, "problem")
    assert (read.text, read.whole, file.url) == (text, whole, None)


@pytest.mark.parametrize(
    "transcription", [None, "x", {}, {"preview": {"content": " "}}, {"preview": 1}]
)
def test_a_recording_without_words_is_not_read(transcription: object) -> None:
    file = file_of({"id": "F1", "name": "x.m4a", "transcription": transcription})
    assert not preview_of(file).is_read


def test_the_asker_is_told_what_was_read_and_what_not() -> None:
    a, b, c, d = file("a.log"), file("b.log"), file("dump.bin"), file("shot.png", "image/png")
    assert describe_files([], {}) is None
    read = {
        a.id: ReadFile(text="x"),
        b.id: ReadFile(text="y"),
        c.id: ReadFile(problem="too large"),
    }
    assert describe_files([a, b, c], read) == "2 files read, 1 not: too large (dump.bin)."
    assert describe_files([a], read) == "1 file read."
    assert describe_files([c], read) == "0 files read, 1 not: too large (dump.bin)."
    pictured = {d.id: read_picture(picture(9, 9))}
    assert describe_files([d], pictured) == "1 picture read."
    assert describe_files([a, d], {**read, **pictured}) == "1 file and 1 picture read."
    part = {a.id: ReadFile(text="x", whole=False)}
    assert describe_files([a], part) == "1 file read (of a.log only a part)."


def test_the_asker_is_told_of_a_preview_that_is_all_there_is() -> None:
    preview = file("a.log", "text/plain", preview="line 1", preview_is_truncated=True)
    assert describe_files([preview], {}) == "1 file read (of a.log only a part)."
