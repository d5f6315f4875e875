"""Models write Perl's expressions: each git has to read them as they are meant."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bot.context.git.expression import read_expression

CASES = {
    # Expression: lines that it finds, lines that it does not.
    r"\d+ ms$": (["took 12 ms", "took 12 ms\r"], ["took d ms", "12 ms each"]),
    r"retry\($": (["retry(", "retry(\r"], ["retry(x"]),
    r"(?:get|set)Name$": (["getName", "setName\r"], ["letName"]),
    r"(?i)retry": (["RETRY", "Retry"], ["try"]),
    r"[\w.-]+@[^\s\]]+": (["a.b@c.de"], ["@", "a@ b", "a@]"]),
    r"[\d]{2}:[\d]{2}": (["12:30"], ["dd:dd"]),
    r"price\$": (["price$"], ["price"]),
    r"[$]\{": (["${a}"], ["{a}"]),
    r'="[^"\n]*"$': (['a="n"', 'a="x"\r'], ['a="']),
    r"a[^\n]b": (["anb", "a-b"], ["ab"]),
    r"a\tb": (["a\tb"], ["atb"]),
    r"[\^a]x": (["^x", "ax"], ["bx"]),
    r"[]\d]x": (["]x", "1x"], ["dx"]),
    r"Gr.ße": (["Größe"], ["Grße"]),
    r"日本.$": (["日本語", "日本語\r"], ["日本"]),
    r"[äö]x": (["äx", "öx"], ["üx", "x"]),
}


@pytest.mark.parametrize("pattern", CASES)
def test_an_extended_expression_finds_the_lines_of_perls(pattern: str, tmp_path: Path) -> None:
    wanted, others = CASES[pattern]
    (tmp_path / "a").write_bytes("".join(f"{line}\n" for line in [*wanted, *others]).encode())
    expression = read_expression(pattern, "--extended-regexp")
    done = subprocess.run(
        ["git", "grep", "--no-index", "-hn", *expression.options, "-e", expression.text, "--", "a"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
    )
    numbers = [int(line.partition(b":")[0]) for line in done.stdout.split(b"\n") if line]
    assert numbers == list(range(1, len(wanted) + 1))


def test_an_expression_of_perl_stays_but_for_the_ends_of_lines() -> None:
    expression = read_expression(r"(?i)(?=a)[\d$]\$b$", "--perl-regexp")
    assert expression.text == "(?i)(?=a)[\\d$]\\$b\r?$"
    assert expression.options == ("--perl-regexp",)
