"""Decide what an attached file is, and make of its bytes what Claude can read. Pure.

Slack's type of a file decides nothing: it calls TypeScript a video and a log "binary". A name may
rule a file out, its bytes decide.
"""

from __future__ import annotations

import base64
import codecs
import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image as Pillow

from bot.answer.question import File

Guess = Literal["text", "image", "other"]

MAX_TEXTS = 10
MAX_IMAGES = 5
MAX_TEXT_BYTES = 1_000_000
"""A longer text is read up to here."""
MAX_IMAGE_BYTES = 20_000_000
"""Slack's own screenshots are below 10 MB."""
MAX_PIXELS = 25_000_000
"""A larger picture is not decoded: it would take more than 100 MB of memory."""
MAX_SIDE = 1_568
MAX_SENT_PIXELS = 1_150_000
MAX_SENT_BYTES = 3_700_000
"""Beyond these Claude scales a picture itself or refuses it, 5 MB in base64
(docs/platform/claude.md#images)."""
_CONTROLS_PER_THOUSAND = 10
_JPEG_QUALITY = 85

NOT_READABLE = "neither text nor a picture"
TOO_LARGE = "too large"
BROKEN_IMAGE = "not a picture that I can open"
NO_IMAGES = "this model takes no pictures"
TOO_MANY = "more files than I read at once"

_IMAGE_NAMES = re.compile(r"\.(png|jpe?g|gif|webp)$", re.IGNORECASE)
_IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp"})
_FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
# Names that mean nothing but bytes. A type is not asked: `.ts` is a video to Slack.
_BINARY_NAMES = re.compile(
    r"\.(7z|aac|avi|avif|bin|bmp|bz2|class|dll|dmg|docx?|dylib|eot|exe|flac|gz|heic|ico|iso|jar|m4a"
    r"|mkv|mov|mp3|mp4|o|ogg|otf|parquet|pdf|pickle|pkl|pptx?|psd|pyc|rar|so|sqlite|tar|tgz|tiff?"
    r"|ttf|war|wasm|wav|webm|woff2?|xlsx?|xz|zip|zst)$",
    re.IGNORECASE,
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as Claude takes it: base64, within its limits. `width` and `height` in pixels."""

    media_type: str
    data: str
    width: int
    height: int

    def __repr__(self) -> str:
        return f"<Picture {self.media_type}, {self.width} by {self.height}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """The content of one file: a text, a picture, or the `problem` why neither.

    `whole` is False for a text of which only the beginning is there.
    """

    text: str | None = None
    whole: bool = True
    picture: Picture | None = None
    problem: str | None = None

    @property
    def is_read(self) -> bool:
        return self.text is not None or self.picture is not None


def guess(file: File) -> Guess:
    """Return what a file may be, by its name and type: what may be text is worth reading."""
    if file.snippet:
        return "text"
    if file.kind in _IMAGE_TYPES or _IMAGE_NAMES.search(file.name):
        return "image"
    return "other" if _BINARY_NAMES.search(file.name) else "text"


def read_text(data: bytes, *, whole: bool = True) -> ReadFile:
    """Return a file's bytes as text, or say that they are none. `whole`: nothing is missing."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _texted(data.decode(encoding, "replace"), whole)
    if b"\0" in data:
        return ReadFile(problem=NOT_READABLE)
    try:
        # Only the last character may be cut through.
        text = codecs.getincrementaldecoder("utf-8")().decode(data, final=whole)
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    return _texted(text, whole)


def _texted(text: str, whole: bool) -> ReadFile:
    controls = len(_CONTROLS.findall(text)) + text.count("\ufffd")
    if controls * 1_000 > len(text) * _CONTROLS_PER_THOUSAND:
        return ReadFile(problem=NOT_READABLE)
    return ReadFile(text=text, whole=whole)


def read_picture(data: bytes) -> ReadFile:
    """Return a picture scaled to what Claude takes. Takes up to a second of processor time."""
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures; the limit below is ours.
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
            with Pillow.open(io.BytesIO(data), formats=tuple(_FORMATS)) as opened:
                return _scaled(opened, data)
    except Pillow.DecompressionBombError:
        return ReadFile(problem=TOO_LARGE)
    except Exception:
        # Pillow raises nearly anything for a broken picture.
        return ReadFile(problem=BROKEN_IMAGE)


def _scaled(opened: Pillow.Image, data: bytes) -> ReadFile:
    width, height = opened.size
    if width * height > MAX_PIXELS:
        return ReadFile(problem=TOO_LARGE)
    media_type = _FORMATS[opened.format or ""]
    fits = max(width, height) <= MAX_SIDE and width * height <= MAX_SENT_PIXELS
    if fits and len(data) <= MAX_SENT_BYTES and not getattr(opened, "is_animated", False):
        opened.load()
        return _picture(media_type, data, (width, height))
    factor = min(1.0, MAX_SIDE / max(width, height), (MAX_SENT_PIXELS / (width * height)) ** 0.5)
    size = (max(1, int(width * factor)), max(1, int(height * factor)))
    if opened.mode == "RGB":
        return _encoded(opened.resize(size, Pillow.Resampling.LANCZOS))
    # Transparent parts are white, as Slack shows them.
    flat = Pillow.new("RGB", size, "white")
    shown = opened.convert("RGBA").resize(size, Pillow.Resampling.LANCZOS)
    flat.paste(shown, mask=shown)
    return _encoded(flat)


def _encoded(flat: Pillow.Image) -> ReadFile:
    png, jpeg = io.BytesIO(), io.BytesIO()
    flat.save(jpeg, "JPEG", quality=_JPEG_QUALITY)
    # Text in a screenshot stays sharp as PNG, which is smaller than JPEG for most of them.
    flat.save(png, "PNG", optimize=False)
    if len(png.getvalue()) <= 2 * len(jpeg.getvalue()):
        return _picture("image/png", png.getvalue(), flat.size)
    return _picture("image/jpeg", jpeg.getvalue(), flat.size)


def _picture(media_type: str, data: bytes, size: tuple[int, int]) -> ReadFile:
    encoded = base64.b64encode(data).decode("ascii")
    return ReadFile(picture=Picture(media_type, encoded, *size))


def describe_files(files: Sequence[File], read: Mapping[str, ReadFile]) -> str | None:
    """Return a sentence on what was read of files, for the asker: "2 files read, 1 not: …"."""
    outcomes = [(file, read.get(file.id, _unfetched(file))) for file in files]
    if not outcomes:
        return None
    texts = sum(one.text is not None for _, one in outcomes)
    pictures = sum(one.picture is not None for _, one in outcomes)
    counted = [_count(texts, "file")] if texts or not pictures else []
    counted += [_count(pictures, "picture")] if pictures else []
    parts = [" and ".join(counted) + " read"]
    partly = [file.name for file, one in outcomes if one.text is not None and not one.whole]
    if partly:
        parts[0] += f" (of {_names(partly)} only a part)"
    problems: dict[str, list[str]] = {}
    for file, one in outcomes:
        if not one.is_read:
            problems.setdefault(one.problem or NOT_READABLE, []).append(file.name)
    missing = sum(map(len, problems.values()))
    if missing:
        reasons = "; ".join(f"{reason} ({_names(names)})" for reason, names in problems.items())
        parts.append(f"{missing} not: {reasons}")
    return ", ".join(parts) + "."


def _unfetched(file: File) -> ReadFile:
    """Return what is known of a file that was not fetched: at most Slack's preview of it."""
    if file.snippet and file.preview is not None:
        return ReadFile(text=file.preview, whole=file.whole)
    return ReadFile()


def preview_of(file: File, problem: str | None = None) -> ReadFile:
    """Return Slack's preview of a file that could not be fetched, or the problem."""
    preview = _unfetched(file)
    return preview if preview.is_read else ReadFile(problem=problem)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _names(names: Sequence[str]) -> str:
    shown = [name if len(name) <= 40 else f"{name[:39]}…" for name in names[:3]]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(shown) + more
