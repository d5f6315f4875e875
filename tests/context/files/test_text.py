"""The shown text: encodings, line ends, long lines and notebooks. Lines are git's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bot.context.files.text import (
    LONGEST_LINE,
    count_lines,
    cut,
    is_unicode_16_or_32,
    needs_cuts,
    normalize,
    render_text,
)
from bot.context.secrets.mask import Span


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-8"])
@pytest.mark.parametrize("text", ["a\nb\n", "größer\r\nžluťoučký\r\n", "x", "日本語\n", "Ċ\nਊ\n"])
def test_a_byte_order_mark_tells_the_encoding(encoding: str, text: str) -> None:
    """SQL, PowerShell and C# files of Windows tools are often in UTF-16."""
    raw = ("\ufeff" + text).encode(encoding)
    assert normalize(raw).decode() == text.replace("\r\n", "\n")
    assert is_unicode_16_or_32(raw) is (encoding != "utf-8")


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe\x00", b"\xff\xfea\0\0\0b\0", b"\xfe\xff\xd8\x00", b"\0\0\0\x01", b"a\0b\0"]
)
def test_bytes_that_only_begin_like_a_mark_are_no_text(raw: bytes) -> None:
    """A program's bytes may begin with anything."""
    assert not is_unicode_16_or_32(raw)


@pytest.mark.parametrize(
    "raw",
    [b"a\nb", b"a\r\nb\r\n", b"a\rb\rc", b"\x0c\x0b\x1c\n\xc2\x85\n\xe2\x80\xa8\n", b"", b"\n\n"],
)
def test_lines_are_counted_as_git_counts_them(tmp_path: Path, raw: bytes) -> None:
    """A permalink leads to git's line."""
    (tmp_path / "f").write_bytes(raw)
    command = ["git", "grep", "--no-index", "-c", "-a", "-e", "", "--", "f"]
    out = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).stdout
    expected = int(out.rpartition(b":")[2] or 0)
    assert count_lines(normalize(raw)) == expected


def test_a_long_line_is_shortened_and_the_rest_kept() -> None:
    """A data URI must not cost the file that it stands in."""
    line = b"data:image/png;base64," + b"A" * 24_000
    raw = b"\n".join([b"first", line, b"last"]) + b"\n"
    assert needs_cuts(raw)
    lines = cut(raw).split(b"\n")
    assert (lines[0], lines[2], lines[3]) == (b"first", b"last", b"")
    assert len(lines[1]) < 2_100
    assert lines[1].endswith("[… 22,022 more bytes of this line]".encode())


@pytest.mark.parametrize("length", [10, LONGEST_LINE])
def test_a_line_of_usual_length_is_whole(length: int) -> None:
    assert not needs_cuts(b"x" * length + b"\n" + b"y\n" * 5_000)


def test_old_line_ends_make_no_long_line() -> None:
    """A text of the old Macintosh is one line for git, and is shown whole."""
    raw = b"\r".join(b"line %d" % n for n in range(3_000))
    assert not needs_cuts(raw)
    assert b"line 2999" in render_text(raw, ())


@pytest.mark.parametrize("at", [1_990, 1_995, 2_000])
def test_a_cut_never_halves_a_mask(at: int) -> None:
    """A label in two halves would not tell that a value is masked."""
    raw = b"x" * at + b"S" * 40 + b"y" * 9_000
    text = render_text(raw, [Span(at, at + 40, "secret")], shorten=True)
    assert b"S" not in text
    assert text.count(b"[masked") == text.count(b"[masked: password]")


def test_a_cut_never_halves_a_character() -> None:
    raw = "ä".encode() * 6_000
    assert "\ufffd" not in cut(b"x" + raw).decode()


def _notebook(outputs: list[object], source: list[str]) -> bytes:
    cell = {"cell_type": "code", "outputs": outputs, "source": source}
    return json.dumps({"cells": [cell], "nbformat": 4}, indent=1).encode()


def test_a_notebook_keeps_its_sources() -> None:
    """A plot is noise, the code beside it is what people ask about."""
    stream = {"name": "stdout", "output_type": "stream", "text": [f"row {n}\n" for n in range(500)]}
    plot = {"data": {"image/png": "iVBOR" + "A" * 60_000}, "output_type": "display_data"}
    source = [f"step_{n}()\n" for n in range(100)]
    raw = _notebook([stream, plot], source)
    text = cut(raw, notebook=True)
    assert text.count(b"\n") == raw.count(b"\n")
    assert all(f"step_{n}()".encode() in text for n in range(100))
    assert b"row 19" in text
    assert b"row 400" not in text
    assert "[… 480 more lines of this output]".encode() in text
    assert len(text) < 8_000
    at = [line.strip() for line in raw.split(b"\n")].index(b'"step_7()\\n",')
    assert text.split(b"\n")[at].strip() == b'"step_7()\\n",'


@pytest.mark.parametrize(
    "raw", [b"{", b'{"outputs": [', b'   "outputs": [\n' * 2_000, b"not json\n" * 900, b""]
)
def test_a_broken_notebook_is_survived(raw: bytes) -> None:
    """Half a merge conflict is a file too."""
    assert cut(raw, notebook=True).count(b"\n") == raw.count(b"\n")
