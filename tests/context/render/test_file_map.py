"""The map: everything by name, the most useful with signatures, stable until it is touched."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from bot.context.files.select import File, Rules
from bot.context.render.file_map import build_map, declares, entry, most_room
from bot.context.render.groups import Group
from bot.context.render.rank import Ranked
from bot.context.render.signatures import Signature, signatures
from bot.context.update.build import Standing

if TYPE_CHECKING:
    from tests.context.conftest import Bench, Repo

SOURCES: dict[str, tuple[bytes, list[str]]] = {
    "a.py": (
        b"@deco\nclass A(B):\n    async def m(self, x: int) -> str:\n        def inner(): ...\n",
        ["class A(B)", "async def m(self, x: int) -> str"],
    ),
    "a.ts": (
        b"export class A { m(a: number): Promise<string> { return x } }\n"
        b"export const f = async (x: string) => { return 1 };\ninterface I { a: string }\n",
        ["class A", "m(a: number): Promise<string>", "f = async (x: string)", "interface I"],
    ),
    "a.tsx": (b"export function App({ a }: P) { return <b/> }\n", ["function App({ a }: P)"]),
    "a.vue": (
        b"<template><b/></template>\n<script>\nexport function f(a) {}\n</script>\n",
        ["function f(a)"],
    ),
    "a.js": (
        b"function f(a) {}\nclass B extends C { m() {} }\n",
        ["function f(a)", "class B extends C", "m()"],
    ),
    "a.go": (
        b"package a\ntype T struct { X int }\nfunc (t *T) M(a int) error { return nil }\n",
        ["T struct", "func (t *T) M(a int) error"],
    ),
    "a.rs": (
        b"impl A { pub fn m(&self) -> i32 { 1 } }\npub struct S { x: i32 }\n",
        ["impl A", "pub fn m(&self) -> i32", "pub struct S"],
    ),
    "a.java": (b"class A { int foo(int a) { return 1; } }", ["class A", "int foo(int a)"]),
    "a.c": (b"int foo(int a) { return 1; }\n", ["int foo(int a)"]),
    "a.cpp": (
        b"namespace n { class C { int m(int a) { return 1; } }; }",
        ["namespace n", "class C", "int m(int a)"],
    ),
    "a.cs": (
        b"namespace N { class C { int M(int a) { return 1; } } }",
        ["class C", "int M(int a)"],
    ),
    "a.rb": (
        b"module M\n class C\n  def m(a)\n   1\n  end\n end\nend\n",
        ["module M", "class C", "def m(a)"],
    ),
    "a.php": (b"<?php class C { function m($a) { } }", ["class C", "function m($a)"]),
    "a.kt": (b"class C { fun m(a: Int): Int { return 1 } }", ["class C", "fun m(a: Int): Int"]),
    "a.swift": (b"class C { func m(a: Int) -> Int { 1 } }", ["class C", "func m(a: Int) -> Int"]),
    "a.scala": (b"class C { def m(a: Int): Int = 1 }", ["class C", "def m(a: Int): Int"]),
    "a.sh": (b"foo() { echo 1; }\n", ["foo()"]),
    "a.md": (b"# Title\n```\n# no heading\n```\n## Part\n", ["Title", "Part"]),
}


@pytest.mark.parametrize("path", SOURCES)
def test_signatures_are_found_in_each_language(path: str) -> None:
    """The grammars must be there without a download, and say what a reader looks for."""
    text, expected = SOURCES[path]
    assert [signature.text for signature in signatures(path, text)] == expected


FORMS: dict[str, tuple[str, list[str]]] = {
    "assigned.js": (
        "app.use = function (fn) {\n};\nX.prototype.go = function () {};\n"
        "module.exports = { start() {}, stop: () => 1 };\nexports.run = async (x) => x;\n",
        ["app.use = function (fn)", "X.prototype.go = function ()", "start()", "stop: ()", "run"],
    ),
    "fields.ts": (
        "export default class Shop {\n  private pay = async (x: number) => x;\n  count = 1;\n}\n",
        ["class Shop", "pay = async (x: number)"],
    ),
    "anonymous.js": ("export default class {\n  run() {}\n}\n", ["class", "run()"]),
    "own.rb": (
        "class A\n  class << self\n    def make; end\n  end\n  private def hide(x)\n  end\nend\n",
        ["class A", "class << self", "def make", "def hide(x)"],
    ),
    "companion.kt": (
        "class A {\n  companion object {\n    fun make(): A = A()\n  }\n}\n",
        ["class A", "companion object", "fun make(): A"],
    ),
    "branches.cpp": (
        "#ifdef X\nint one(int a) { return a; }\n#else\nint two() { return 2; }\n#endif\n",
        ["int one(int a)", "int two()"],
    ),
    "elif.c": (
        "#if A\nint a() { return 1; }\n#elif B\nint b() { return 2; }\n#endif\n",
        ["int a()", "int b()"],
    ),
    "fallback.py": (
        "try:\n    import fast\nexcept ImportError:\n    def slow(): ...\n"
        "else:\n    def quick(): ...\n"
        "if A:\n    pass\nelif B:\n    def b(): ...\nelse:\n    class C: ...\n",
        ["def slow()", "def quick()", "def b()", "class C"],
    ),
}


@pytest.mark.parametrize("path", FORMS)
def test_definitions_of_every_usual_form_are_mapped(path: str) -> None:
    """A map without them hides half of a script's functions."""
    text, expected = FORMS[path]
    found = [signature.text for signature in signatures(path, text.encode())]
    for part in expected:
        assert any(part in one for one in found), (part, found)
    assert not any("count" in one for one in found)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.rb", b"<<A," * 97_000),
        ("a.cpp", b"a<" * 190_000),
        ("a.py", b"(" * 390_000),
        ("a.js", b"`${" * 130_000),
        ("a.go", b"func(" * 78_000),
        ("a.ts", b"a?b:" * 97_000),
        ("a.kt", b"{ x -> " * 55_000),
        ("a.sh", b"$(" * 190_000),
    ],
)
def test_a_file_that_is_slow_to_parse_has_no_signatures(path: str, text: bytes) -> None:
    """It is named in the map all the same, and costs about a second at most."""
    began = time.thread_time()
    signatures(path, text)
    assert time.thread_time() - began < 10


def test_a_signature_knows_its_line() -> None:
    """The map is cited from, too."""
    found = signatures("a.py", b"\n\nclass A:\n    x = 1\n\n    def m(self): ...\n")
    assert [(s.line, s.depth) for s in found] == [(3, 0), (6, 1)]


@pytest.mark.parametrize(
    "text", [b"", b"def (((", b"\xff\xfe\x00", b"class " * 5_000, b"(" * 10_000, b"x" * 500_000]
)
def test_broken_source_is_survived(text: bytes) -> None:
    """Half of a repository's history does not parse."""
    for path in ("a.py", "a.ts", "a.go", "a.rs", "a.unknown"):
        signatures(path, text)


def _ranked(count: int, folder: str = "src", group: Group = "source") -> list[Ranked]:
    paths = [f"{folder}/f{number}.py" for number in range(count)]
    files = [File(path, "0" * 40, 100, 10, "code", ()) for path in paths]
    return [Ranked(file, group, 1.0, "") for file in files]


def _map(hidden: list[Ranked], room: int) -> bytes:
    def cost(size: int) -> int:
        return size

    most = most_room(hidden, cost, room)
    text, _, named = build_map(hidden, lambda file: (), cost, most, room)
    assert all(path.rpartition("/")[2].encode() in text for path in named)
    return text


def test_a_map_keeps_to_its_share() -> None:
    """A map that eats the budget leaves nothing to map for."""
    hidden = _ranked(500)
    for room in (40_000, 8_000, 1_200, 400):
        assert len(_map(hidden, room)) <= max(room * 0.43, 100)
    assert b"src/: 500 files" in _map(hidden, 200)


def test_all_names_come_before_any_signature() -> None:
    """A file whose name is not known cannot be read in one call."""
    hidden = _ranked(50)
    found = [Signature(n, 0, f"def f{n}()") for n in range(1, 30)]
    most = most_room(hidden, len_of, 4_000)
    text, mapped, named = build_map(hidden, lambda file: found, len_of, most, 4_000)
    assert named == {entry.file.path for entry in hidden}
    assert len(mapped) < 50
    assert b"f49.py" in text


def test_source_and_tests_are_named_before_fixtures_and_folders_are_counted() -> None:
    """Of a repository with ten thousand samples the samples are the least useful names."""
    hidden = [*_ranked(900, "samples", "fixture"), *_ranked(40, "tests", "test"), *_ranked(40)]
    text = _map(hidden, 6_000).decode()
    assert "src/: f0.py, f1.py" in text
    assert "f39.py" in text.partition("tests/:")[0]
    assert "tests/: f0.py" in text
    assert "samples/: " in text
    assert " more files" in text


def len_of(size: int) -> int:
    return size


def test_only_what_a_file_declares_is_news() -> None:
    """A line added above a function moves it, but tells the model nothing."""
    before = signatures("a.py", b"def f(a): ...\n")
    moved = signatures("a.py", b"# comment\ndef f(a): ...\n")
    changed = signatures("a.py", b"def f(a, b): ...\n")
    assert declares(before) == declares(moved) != declares(changed)


def test_an_entry_keeps_the_outermost_where_there_are_many() -> None:
    """Of a file with a hundred methods the classes say more than the first forty methods."""
    body = b"".join(
        b"class C%d:\n%b" % (n, b"".join(b"    def m%d(self): ...\n" % m for m in range(10)))
        for n in range(8)
    )
    file = File("a.py", "0" * 40, len(body), 88, "code", ())
    text = entry(file, signatures("a.py", body)).decode()
    assert all(f"class C{n}" in text for n in range(8))
    assert "def m" not in text


def _big(bench: Bench, repo: Repo) -> Standing:
    module = b"def function_%d(argument: int) -> int:\n" + b"    return 1  # filler\n" * 60
    repo.commit({f"src/m{n}.py": module % n for n in range(30)})
    found = bench.look(repo, rules=Rules("repo", first=("src/m3.py",)))
    return Standing.of(bench.plan(repo, found, room=2_500))


def test_over_budget_the_base_maps_what_it_does_not_show(bench: Bench, repo: Repo) -> None:
    """The model must know that a file exists before it can read it with a tool."""
    standing = _big(bench, repo)
    assert "src/m3.py" in standing.shown
    assert 0 < len(standing.shown) < 30
    text = bench.base(repo, standing.survey, room=2_500).decode()
    assert f"@@@ map of {30 - len(standing.shown)} files not shown in full" in text
    assert all(f"def function_{p[5:-3].lstrip('m')}" in text for p in standing.mapped)


def test_a_push_that_does_not_touch_the_map_leaves_it(bench: Bench, repo: Repo) -> None:
    """A hidden file's body may change a hundred times without a byte written."""
    standing = _big(bench, repo)
    path = sorted(standing.mapped)[0]
    number = path.removeprefix("src/m").removesuffix(".py")
    repo.commit(
        {path: f"# moved\ndef function_{number}(argument: int) -> int:\n  return 2\n".encode()}
    )
    assert bench.next(repo, standing).text == b""


def test_a_push_that_changes_a_mapped_signature_is_told(bench: Bench, repo: Repo) -> None:
    """A signature that is no more would be answered from."""
    standing = _big(bench, repo)
    path = sorted(standing.mapped)[0]
    repo.commit({path: b"def renamed(argument: str) -> str: ...\n"})
    text = bench.next(repo, standing).text.decode()
    assert f"@@@ map now: {path}" in text
    assert "1 def renamed(argument: str) -> str" in text


def test_a_hidden_file_that_is_deleted_is_told(bench: Bench, repo: Repo) -> None:
    """The map must not promise what is gone."""
    standing = _big(bench, repo)
    path = next(p for p in standing.survey.files if p not in standing.shown)
    repo.commit({path: None})
    assert f"@@@ deleted {path}" in bench.next(repo, standing).text.decode()
