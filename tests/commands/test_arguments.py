"""Arguments that a command cannot use: each ends in one sentence, before money or time is spent."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from benchmarks.made_repository import commit
from bot.cli import _foreign, main
from bot.commands.outputs import require_writable
from bot.commands.packing import entry
from bot.commands.stored_records import since_time
from bot.errors import ForewarmError
from bot.telemetry.figures.report import SinceAhead, since_day


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line on stderr with which the command ends."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("forewarm: ")
    return line


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--url", "ftp://bot.example.com"), "--url must be an address such as https://"),
        (("--url", "https://"), "--url must be an address such as https://"),
        (("--url", "https://a.example.com/slack/events"), "write https://a.example.com."),
        (("--oauth", "https://a.example.com/slack/install/"), "write https://a.example.com."),
        (("--host", "https://github.com"), "--host 'https://github.com' is no host"),
        (("--host", "github.com/acme"), "is no host"),
        (("--name", "x" * 36), "--name has 36 characters, and Slack takes 35"),
    ],
)
def test_a_manifest_that_slack_refuses_is_not_printed(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    assert told in said(capsys, "manifest", *arguments)


@pytest.mark.parametrize("channel", ["general", "#general", "c0pay", "U0ASKER", "C0"])
def test_a_live_probe_wants_the_id_of_a_channel(
    capsys: pytest.CaptureFixture[str], channel: str
) -> None:
    """It would ask Claude first, which costs money."""
    assert "--live takes the id of a channel" in said(capsys, "check", "--live", channel)


def test_a_check_prints_json_for_settings_that_cannot_be_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "abc")
    with pytest.raises(SystemExit) as ended:
        main(["check", "--json"])
    out = capsys.readouterr()
    assert ended.value.code == 1
    assert out.err == ""
    assert '"verdict": "bad"' in out.out
    assert "PORT cannot be used" in out.out


@pytest.mark.parametrize("given", ["2031-01-01", "2026-12-01"])
def test_a_day_ahead_has_no_figures(given: str) -> None:
    now = 1_796_058_076.0  # 2026-11-30
    with pytest.raises(SinceAhead, match="lies ahead"):
        since_day(given, now)
    with pytest.raises(ForewarmError, match="lies ahead"):
        since_time(given, now)
    assert since_day("2026-11-30", now) == "2026-11-30"
    assert since_time("2026-11-30", now) < now


def test_a_pack_that_cannot_be_written_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = tmp_path / "none" / "pack.txt"
    commit(tmp_path / "code", {"pay.py": "x = 1\n"})
    monkeypatch.setattr("bot.commands.packing.limit", lambda: None)
    assert entry([str(tmp_path / "code"), "-o", str(missing)]) == 1
    line = capsys.readouterr().err.strip()
    assert line == (
        f"forewarm: {missing} cannot be used (no such file or directory): name another file or"
        " folder, or correct its rights."
    )


def test_a_database_that_a_bot_uses_is_not_copied(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The copy would lack what the bot writes from then on."""
    source = tmp_path / "forewarm.db"
    source.write_text("")
    with (tmp_path / "forewarm.db.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        line = said(capsys, "db", "copy", "--from", str(source), "--to", str(tmp_path / "new.db"))
    assert f"A bot uses the database file {source}" in line
    assert not (tmp_path / "new.db").exists()


@pytest.mark.parametrize("option", ["--log", "--plot"])
def test_a_result_that_cannot_be_written_is_told_before_the_work(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str
) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_text('{"t": 1, "user": "a", "thread": "x", "chars": 10, "asks": true}\n')
    target = tmp_path / "none" / "result"
    line = said(capsys, "simulate", str(trace), option, str(target))
    assert line == (
        f"forewarm: {target} cannot be written (there is no folder {target.parent}): give another"
        f" {option}."
    )


@pytest.mark.parametrize("option", ["--rows", "--plot", "--answers"])
def test_an_evaluation_looks_at_its_files_first(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str
) -> None:
    """With --ask it would have paid for all answers before it lost them."""
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"id": "a", "question": "where?", "files": [{"path": "a.py"}]}\n')
    commit(tmp_path / "code", {"a.py": "x = 1\n"})
    sizes = ("--budget", "54000", "--excerpts", "8000", "--ask")
    target = str(tmp_path / "none" / "result")
    about = ("--repository", str(tmp_path / "code"))
    line = said(capsys, "eval", str(questions), *about, *sizes, option, target)
    assert f"{target} cannot be written" in line
    assert f"give another {option}." in line


def test_files_that_can_be_written_are_no_problem(tmp_path: Path) -> None:
    present = tmp_path / "present"
    present.write_text("")
    require_writable(rows=present, plot=tmp_path / "new", answers=None)
    with pytest.raises(ForewarmError, match="it is a folder"):
        require_writable(plot=tmp_path)


def test_a_demo_says_which_folder_it_cannot_make(capsys: pytest.CaptureFixture[str]) -> None:
    missing = OSError(errno.ENOENT, "No such file or directory", "/proc/x")
    assert _foreign(missing) == (
        "/proc/x cannot be used (no such file or directory): name another file or folder, or"
        " correct its rights."
    )
    assert _foreign(OSError(errno.EBADF, "Bad file descriptor")) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--live", "C0GENERAL", "--listen", "-5"),
        ("check", "--live", "C0GENERAL", "--life", "nan"),
        ("demo", "--port", "99999"),
        ("simulate", "x", "--prefill-seconds", "nan"),
        ("simulate", "x", "--wait-cost", "-1"),
        ("eval", "x", "--max-wait", "nan"),
        ("eval", "x", "--max-wait", "0"),
    ],
)
def test_a_number_out_of_its_range_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "Invalid value for" in capsys.readouterr().err
