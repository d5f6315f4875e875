"""Context files: what is right loads, what is wrong is told in one sentence each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.context.config.load import ContextConfig, load_contexts, parse_context
from bot.context.errors import ContextErrors

GOOD = """\
channels = ["C0PAYMENTS"]
model = "claude-sonnet-5-5"
budget_tokens = 400_000

[[repositories]]
url = "https://github.com/acme/payments"
ref = "main"
include = ["src/**", "docs/**"]
exclude = ["**/testdata/**"]

[access]
guests = false

[limits]
answers_daily_usd = 20

[warm]
wait_cost_per_hour = 100
daily_limit_usd = 5
"""


def _write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


def test_a_good_file_loads_with_the_least_as_default(tmp_path: Path) -> None:
    """The default must be the cheap and closed choice."""
    loaded = load_contexts(_write(tmp_path, payments=GOOD))
    assert not loaded.problems
    (context,) = loaded.contexts
    assert context.name == "payments"
    assert (context.thinking, context.effort, context.mode) == ("least", "low", "mentions")
    assert not context.answer_drafts
    assert not context.access.guests
    assert context.repositories[0].name == "payments"
    assert context.repositories[0].web_template == (
        "https://github.com/acme/payments/blob/{sha}/{path}#L{start}-L{end}"
    )


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("include =", "includ ="), 8, ["unknown key 'includ'", "did you mean 'include'"]),
        (('"src/**"', '"src/[**"'), 8, ["src/[**", "never closed"]),
        (("daily_limit_usd", "daily_limit"), 19, ["'daily_limit'", "'daily_limit_usd'"]),
        (("budget_tokens = 400_000", "budget_tokens = 10"), 3, ["budget_tokens", "500"]),
        (("C0PAYMENTS", "#payments"), 1, ["#payments", "starts with C"]),
        (('ref = "main"', 'ref = "-x"'), 7, ["ref", "not the name"]),
        (
            ("https://github.com", "https://u:p@github.com"),
            6,
            ["credentials", "FOREWARM_GIT_TOKEN"],
        ),
        (("https://github.com", "ftp://github.com"), 6, ["ftp", "https://"]),
        (("guests = false", "guests = maybe"), 12, ["not valid TOML"]),
        (('channels = ["C0PAYMENTS"]', 'channels = ["C0PAYMENTS"'), 1, ["begins here"]),
        (("daily_limit_usd = 5", "daily_limit_usd = ["), 19, ["opened here and closed nowhere"]),
        (('ref = "main"', 'ref = """main'), 7, ["opened here and closed nowhere"]),
        (('ref = "main"', 'url = "https://github.com/acme/x"'), 7, ["a second time"]),
        (('ref = "main"', "ref = \u201cmain\u201d"), 7, ["curly", "straight"]),
        (
            ('url = "https://github.com/acme/payments"', 'url = "https://github.com/acme/p/pulls"'),
            6,
            ["address of a page", "write https://github.com/acme/p"],
        ),
    ],
)
def test_a_mistake_is_told_with_file_line_and_what_to_do(
    tmp_path: Path, change: tuple[str, str], line: int | None, words: list[str]
) -> None:
    """A user who edits a context must find the mistake without reading code."""
    assert change[0] in GOOD
    loaded = load_contexts(_write(tmp_path, bad=GOOD.replace(*change), good=GOOD))
    assert [context.name for context in loaded.contexts] == ["good"]
    (problem,) = loaded.problems
    assert problem.file == "bad.toml"
    if line is not None:
        assert problem.line == line
    for word in ["bad.toml", *words]:
        assert word in problem.user_message
    assert "u:p" not in problem.user_message


def test_two_contexts_for_one_channel_are_refused(tmp_path: Path) -> None:
    """Which of two would answer must never depend on luck."""
    loaded = load_contexts(_write(tmp_path, a=GOOD, b=GOOD))
    assert [context.name for context in loaded.contexts] == ["a"]
    assert "C0PAYMENTS belongs to a.toml already" in loaded.problems[0].user_message


def test_a_missing_folder_is_one_problem(tmp_path: Path) -> None:
    """The bot starts without contexts and says what to create."""
    loaded = load_contexts(tmp_path / "none")
    assert not loaded.contexts
    assert "create it" in loaded.problems[0].user_message
    (tmp_path / "file").write_text("")
    assert "this is a file" in load_contexts(tmp_path / "file").problems[0].user_message


def test_a_folder_with_a_files_name_is_one_problem(tmp_path: Path) -> None:
    """The other contexts load."""
    (tmp_path / "bad.toml").mkdir()
    loaded = load_contexts(_write(tmp_path, good=GOOD))
    assert [context.name for context in loaded.contexts] == ["good"]
    assert "bad.toml: this is a folder" in loaded.problems[0].user_message


def test_a_file_that_is_no_text_is_one_problem(tmp_path: Path) -> None:
    """A stray binary file must not keep the others from loading."""
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    loaded = load_contexts(_write(tmp_path, good=GOOD))
    assert len(loaded.contexts) == len(loaded.problems) == 1


def test_a_relative_path_is_taken_from_the_file(tmp_path: Path) -> None:
    """A context that comes with its repository must work wherever both are put."""
    folder = tmp_path / "contexts"
    folder.mkdir()
    _write(folder, own='[[repositories]]\nurl = ".."\nname = "own"\n')
    (context,) = load_contexts(folder).contexts
    assert context.repositories[0].url == str(tmp_path)


def test_a_deploy_key_is_taken_from_the_files_folder(tmp_path: Path) -> None:
    text = GOOD.replace('ref = "main"', 'ref = "main"\nssh_key = "../keys/payments"')
    folder = tmp_path / "contexts"
    folder.mkdir()
    (context,) = load_contexts(_write(folder, payments=text)).contexts
    assert context.repositories[0].ssh_key == tmp_path / "keys" / "payments"


def test_a_token_in_a_context_file_is_not_shown(tmp_path: Path) -> None:
    """The key takes the name of a token, and a message goes to a log."""
    text = GOOD.replace('ref = "main"', 'ref = "main"\ntoken = "glpat-s3cret"')
    (problem,) = load_contexts(_write(tmp_path, bad=text)).problems
    assert "FOREWARM_REPOSITORY_TOKEN_" in problem.user_message
    assert "s3cret" not in problem.user_message


def test_two_repositories_need_two_names(tmp_path: Path) -> None:
    """Names stand before paths in citations; one name for two would cite the wrong one."""
    text = '[[repositories]]\nurl="https://a.org/x/same"\n[[repositories]]\nurl="https://b.org/y/same"\n'
    (problem,) = load_contexts(_write(tmp_path, two=text)).problems
    assert "two repositories are called 'same'" in problem.user_message


def test_several_mistakes_are_all_told(tmp_path: Path) -> None:
    """Mending one mistake only to be told the next wastes an afternoon."""
    text = GOOD.replace("model =", "modell =").replace("guests =", "guest =")
    problems = load_contexts(_write(tmp_path, bad=text)).problems
    assert {problem.key for problem in problems} == {"modell", "access.guest"}


def _context(**changes: Any) -> ContextConfig:
    data: dict[str, Any] = {"repositories": [{"url": "https://github.com/acme/x"}], **changes}
    return parse_context("x", data, file="x")


def test_the_pack_fingerprint_moves_with_the_bytes_only() -> None:
    """A changed limit must not throw the cache away; a changed glob must not keep old bytes."""
    first = _context()
    assert _context(instructions="other", limits={"user_per_hour": 3}) != first
    same = _context(instructions="other", limits={"user_per_hour": 3}, channels=["C1"])
    assert same.pack_fingerprint == first.pack_fingerprint
    assert _context(budget_tokens=1000).pack_fingerprint != first.pack_fingerprint
    private = {"url": "https://github.com/acme/x", "token": "X", "ssh_key": "/run/key"}
    assert _context(repositories=[private]).pack_fingerprint == first.pack_fingerprint
    narrowed = {"url": "https://github.com/acme/x", "include": ["src/**"]}
    assert _context(repositories=[narrowed]).pack_fingerprint != first.pack_fingerprint


def test_a_context_cannot_name_itself() -> None:
    """The file's name is the name; two sources of truth would drift apart."""
    with pytest.raises(ContextErrors) as caught:
        _context(name="other")
    assert "file's name" in caught.value.user_message


def test_reading_contexts_loads_no_scanner_and_no_grammar() -> None:
    """Other rooms import this at start-up: it must stay light."""
    code = (
        "import sys, bot.context.config.load; "
        "print([m for m in sys.modules if m.startswith(('tree_sitter', 'detect_secrets'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def _problem(tmp_path: Path, text: str, name: str = "payments") -> str:
    loaded = load_contexts(_write(tmp_path, **{name: text}))
    (problem,) = loaded.problems
    return problem.user_message


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    (tmp_path / "payments.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert [one.name for one in load_contexts(tmp_path).contexts] == ["payments"]


@pytest.mark.parametrize("name", ["Zahlung Dienst", "zürich", ".hidden", "[red]pay", "-a"])
def test_a_file_is_told_which_names_a_context_may_have(tmp_path: Path, name: str) -> None:
    problem = _problem(tmp_path, GOOD, name)
    assert problem.startswith(f"{name}.toml: the file's name is the context's name")
    assert "pattern" not in problem


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('link_hosts = ["https://wiki.acme.com/"]', "'https://wiki.acme.com/' is not a host"),
        ('link_hosts = ["wiki.acme.com/page"]', "is not a host"),
        ("[access]\nbots = ['deploybot']", "'deploybot' is not the id of a bot"),
        ("[limits]\nanswers_daily_usd = inf", "it must be a finite number"),
        ("[warm]\nwait_cost_per_hour = nan", "'warm.wait_cost_per_hour'"),
    ],
)
def test_a_value_without_an_effect_is_told(tmp_path: Path, line: str, told: str) -> None:
    head, tail = ("", line) if line.startswith("[") else (line, "")
    text = f'{head}\n[[repositories]]\nurl = "https://github.com/acme/payments"\n{tail}\n'
    assert told in _problem(tmp_path, text)


def test_ids_of_bots_and_hosts_of_links_load(tmp_path: Path) -> None:
    text = GOOD.replace("guests = false", 'bots = ["B0123ABC", "U0BOT"]')
    loaded = load_contexts(_write(tmp_path, payments='link_hosts = ["wiki.acme.com"]\n' + text))
    assert not loaded.problems


def test_blanks_round_an_address_are_no_part_of_it(tmp_path: Path) -> None:
    (context,) = load_contexts(
        _write(tmp_path, payments=GOOD.replace('"https://git', '" https://git'))
    ).contexts
    assert context.repositories[0].url == "https://github.com/acme/payments"
    local = GOOD.replace("https://github.com/acme/payments", f" {tmp_path} ")
    (context,) = load_contexts(_write(tmp_path, payments=local)).contexts
    assert context.repositories[0].url == str(tmp_path)


@pytest.mark.parametrize("denied", ["the folder", "a folder above it"])
def test_a_folder_that_may_not_be_read_is_not_called_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, denied: str
) -> None:
    _write(tmp_path, payments=GOOD)

    def refuse(self: Path, **_: object) -> bool:
        raise PermissionError(13, "Permission denied")

    if denied == "a folder above it":
        monkeypatch.setattr(Path, "is_dir", refuse)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    (problem,) = load_contexts(tmp_path).problems
    assert "the bot's user may not read this folder" in problem.user_message


def test_a_pipe_among_the_files_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    loaded = load_contexts(_write(tmp_path, payments=GOOD))
    assert [one.name for one in loaded.contexts] == ["payments"]
    assert "no regular file" in loaded.problems[0].user_message
