"""Each language with a grammar has its definitions, with their lines and their parents."""

from __future__ import annotations

import time

import pytest

from bot.context.render.definitions import Definition, definitions
from bot.delivery.citations.symbols import find_definition


def listed(path: str, text: str) -> dict[str, tuple[str, int]]:
    """Return kind and line by qualified name; a declaration's kind ends with a question mark."""
    found = definitions(path, text.encode())
    assert found is not None
    assert found.whole
    return {
        item.qualified: (item.kind + ("?" if item.declared else ""), item.line)
        for item in reversed(found.items)
    }


CASES = {
    "a.py": (
        """\
RETRIES = 3

@cached
class Session(Base):
    timeout: int = 2

    def __init__(self, verify):
        self.open = True
        local = 1

    @property
    def name(self): ...

def outer():
    def inner(): ...
""",
        {
            "RETRIES": ("variable", 1),
            "Session": ("type", 4),
            "Session.timeout": ("field", 5),
            "Session.__init__": ("constructor", 7),
            "Session.open": ("field", 8),
            "Session.name": ("method", 12),
            "outer": ("function", 14),
            "outer.inner": ("function", 15),
        },
    ),
    "a.ts": (
        """\
export class Till {
  #total = 0
  retries = 3
  onClose = () => {}
  constructor(private readonly api: Api) {}
  private async charge(n: number): Promise<void> { const local = 1 }
}
export default function start() {}
export const handler = async () => {}
app.use = function () {}
Till.prototype.drop = function () {}
interface Card { number: string; pay(): void }
enum Kind { Debit, Credit = 2 }
type Money = number
function over(a: string): void
function over(a: any) {}
""",
        {
            "Till": ("type", 1),
            "Till.#total": ("field", 2),
            "Till.retries": ("field", 3),
            "Till.onClose": ("method", 4),
            "Till.constructor": ("constructor", 5),
            "Till.api": ("field", 5),
            "Till.charge": ("method", 6),
            "default": ("variable", 8),
            "start": ("function", 8),
            "handler": ("function", 9),
            "app.use": ("method", 10),
            "Till.drop": ("method", 11),
            "Card": ("type", 12),
            "Card.number": ("field", 12),
            "Card.pay": ("method?", 12),
            "Kind": ("type", 13),
            "Kind.Debit": ("constant", 13),
            "Kind.Credit": ("constant", 13),
            "Money": ("type", 14),
            "over": ("function?", 15),
        },
    ),
    "a.cjs": (
        """\
module.exports = { list() {}, get: function () {}, put: () => {} }
exports.erase = function () {}
const limit = 3, { left, right: other } = pair
class Box { width = 1; static make() {} }
Box.Inner = class {}
""",
        {
            "module.exports": ("variable", 1),
            "module.exports.list": ("function", 1),
            "module.exports.get": ("function", 1),
            "module.exports.put": ("function", 1),
            "erase": ("function", 2),
            "limit": ("variable", 3),
            "left": ("variable", 3),
            "other": ("variable", 3),
            "Box": ("type", 4),
            "Box.width": ("field", 4),
            "Box.make": ("method", 4),
            "Box.Inner": ("type", 5),
        },
    ),
    "a.go": (
        """\
package a

const (
	First = iota
	Second
)

func NewServer(cfg Config) *Server { local := 1; return nil }

type Server struct{ Port, Host int }

func (s *Server) Start() error { return nil }
func (Pair[K, V]) Swap() {}

type Store interface{ Get(key string) error }

var shared = 1
""",
        {
            "First": ("constant", 4),
            "Second": ("constant", 5),
            "NewServer": ("function", 8),
            "Server": ("type", 10),
            "Server.Port": ("field", 10),
            "Server.Host": ("field", 10),
            "Server.Start": ("method", 12),
            "Pair.Swap": ("method", 13),
            "Store": ("type", 15),
            "Store.Get": ("method?", 15),
            "shared": ("variable", 17),
        },
    ),
    "a.rs": (
        """\
pub struct Till<T> { pub total: T }
impl<T> Till<T> {
    pub fn charge(&mut self) { let local = 1; }
}
impl<T> Display for Till<T> {
    fn fmt(&self) {}
}
trait Pay { fn pay(&self); fn tip(&self) {} type Coin; }
enum Card { Debit, Credit { limit: u8 } }
macro_rules! ledger { () => {} }
mod coins { pub static COUNT: u8 = 1; }
mod notes;
const MAX: u8 = 9;
""",
        {
            "Till": ("type", 1),
            "Till.total": ("field", 1),
            "Till.charge": ("method", 3),
            "Till.fmt": ("method", 6),
            "Pay": ("type", 8),
            "Pay.pay": ("method?", 8),
            "Pay.tip": ("method", 8),
            "Pay.Coin": ("type", 8),
            "Card": ("type", 9),
            "Card.Debit": ("constant", 9),
            "Card.Credit": ("constant", 9),
            "Card.Credit.limit": ("field", 9),
            "ledger": ("macro", 10),
            "coins": ("module", 11),
            "coins.COUNT": ("variable", 11),
            "notes": ("module?", 12),
            "MAX": ("constant", 13),
        },
    ),
    "A.java": (
        """\
public class Till<T> extends Base {
    private static final int MAX = 1, MIN = 2;
    Till() { charge(1); }
    @Override
    public <R> R charge(int n) { int local = 1; return null; }
    abstract void close();
    enum Coin { ONE, TWO }
    record Pair(int left, int right) {}
    interface Pay { void pay(); }
}
""",
        {
            "Till": ("type", 1),
            "Till.MAX": ("field", 2),
            "Till.MIN": ("field", 2),
            "Till.Till": ("constructor", 3),
            "Till.charge": ("method", 5),
            "Till.close": ("method?", 6),
            "Till.Coin": ("type", 7),
            "Till.Coin.ONE": ("constant", 7),
            "Till.Coin.TWO": ("constant", 7),
            "Till.Pair": ("type", 8),
            "Till.Pair.left": ("field", 8),
            "Till.Pair.right": ("field", 8),
            "Till.Pay": ("type", 9),
            "Till.Pay.pay": ("method?", 9),
        },
    ),
    "a.c": (
        """\
#define LIMIT 3
#define twice(x) ((x) * 2)
struct later;
typedef struct node node_t;
struct node { int value; struct node *next; };
typedef int (*compare)(int, int);
enum color { RED, BLUE };
int charge(int n);
static int *charge_all(void) { charge(1); return 0; }
int charge(int n) { int local = n; return local; }
int (*hook)(int), table[3], other = 1;
extern int elsewhere;
""",
        {
            "LIMIT": ("macro", 1),
            "twice": ("macro", 2),
            "later": ("type?", 3),
            "node_t": ("type?", 4),
            "node": ("type", 5),
            "node.value": ("field", 5),
            "node.next": ("field", 5),
            "compare": ("type", 6),
            "color": ("type", 7),
            "color.RED": ("constant", 7),
            "color.BLUE": ("constant", 7),
            "charge": ("function?", 8),
            "charge_all": ("function", 9),
            "hook": ("variable", 11),
            "table": ("variable", 11),
            "other": ("variable", 11),
            "elsewhere": ("variable?", 12),
        },
    ),
    "a.cpp": (
        """\
namespace shop::till {
template <class T> class Box : Base {
 public:
  Box();
  ~Box();
  bool operator==(const Box& other) const;
  int width() const { return w; }
  int w;
};
template <class T> Box<T>::Box() {}
bool Box::operator==(const Box& other) const { return true; }
using Alias = int;
}
extern "C" { void plain(int); }
""",
        {
            "shop.till": ("module", 1),
            "shop.till.Box": ("type", 2),
            "shop.till.Box.Box": ("constructor?", 4),
            "shop.till.Box.~Box": ("method?", 5),
            "shop.till.Box.operator==": ("method?", 6),
            "shop.till.Box.width": ("method", 7),
            "shop.till.Box.w": ("field", 8),
            "shop.till.Alias": ("type", 12),
            "plain": ("function?", 14),
        },
    ),
    "a.rb": (
        """\
module Shop::Till
  class Box < Base
    LIMIT = 3
    attr_accessor :width, :height
    class << self
      def make; end
    end
    def self.build(x); end
    def open?; end
    def width=(v); end
    def ==(other); end
    private def hidden; end
    alias shut close
    scope :recent, -> { where(1) }
  end
end
""",
        {
            "Shop.Till": ("type", 1),
            "Shop.Till.Box": ("type", 2),
            "Shop.Till.Box.LIMIT": ("constant", 3),
            "Shop.Till.Box.width": ("field", 4),
            "Shop.Till.Box.height": ("field", 4),
            "Shop.Till.Box.make": ("method", 6),
            "Shop.Till.Box.build": ("method", 8),
            "Shop.Till.Box.open?": ("method", 9),
            "Shop.Till.Box.width=": ("method", 10),
            "Shop.Till.Box.==": ("method", 11),
            "Shop.Till.Box.hidden": ("method", 12),
            "Shop.Till.Box.shut": ("method", 13),
            "Shop.Till.Box.recent": ("field", 14),
        },
    ),
    "A.cs": (
        """\
namespace Shop.Till {
  public class Box : Base {
    int width, height;
    public int Size { get; set; }
    public Box() {}
    public static Box operator +(Box a, Box b) => a;
    public int Charge<T>(int n) { var local = 1; return n; }
    enum Coin { One, Two }
  }
  record Pair(int Left);
}
""",
        {
            "Shop.Till": ("module", 1),
            "Shop.Till.Box": ("type", 2),
            "Shop.Till.Box.width": ("field", 3),
            "Shop.Till.Box.height": ("field", 3),
            "Shop.Till.Box.Size": ("field", 4),
            "Shop.Till.Box.Box": ("constructor", 5),
            "Shop.Till.Box.+": ("method", 6),
            "Shop.Till.Box.Charge": ("method", 7),
            "Shop.Till.Box.Coin": ("type", 8),
            "Shop.Till.Box.Coin.One": ("constant", 8),
            "Shop.Till.Box.Coin.Two": ("constant", 8),
            "Shop.Till.Pair": ("type", 10),
        },
    ),
    "a.php": (
        """\
<?php
namespace Shop;
const LIMIT = 3;
define('OLD', 2);
abstract class Box extends Base {
  const A = 1, B = 2;
  public $width;
  public function __construct(private int $height) { $local = 1; }
  abstract function close();
}
trait Pays {}
function free() {}
""",
        {
            "LIMIT": ("constant", 3),
            "OLD": ("constant", 4),
            "Box": ("type", 5),
            "Box.A": ("constant", 6),
            "Box.B": ("constant", 6),
            "Box.width": ("field", 7),
            "Box.__construct": ("constructor", 8),
            "Box.height": ("field", 8),
            "Box.close": ("method?", 9),
            "Pays": ("type", 11),
            "free": ("function", 12),
        },
    ),
    "a.kt": (
        """\
class Box(val width: Int, height: Int) : Base() {
    companion object {
        const val LIMIT = 3
        fun make() = 1
    }
    val size: Int = 1
    fun charge() { val local = 1 }
    enum class Coin { ONE, TWO }
}
object Single {
    fun go() {}
}
fun String.shout(): String = this
""",
        {
            "Box": ("type", 1),
            "Box.width": ("field", 1),
            "Box.LIMIT": ("field", 3),
            "Box.make": ("method", 4),
            "Box.size": ("field", 6),
            "Box.charge": ("method", 7),
            "Box.Coin": ("type", 8),
            "Box.Coin.ONE": ("constant", 8),
            "Box.Coin.TWO": ("constant", 8),
            "Single": ("type", 10),
            "Single.go": ("method", 11),
            "String.shout": ("method", 13),
        },
    ),
    "a.swift": (
        """\
class Box: Base {
    let width = 1, height = 2
    init(coder: Int) {}
    func charge(n: Int) -> Int { let local = 1; return local }
    static func == (l: Box, r: Box) -> Bool { true }
    enum Coin { case one, two }
}
extension Box { func drop() {} }
protocol Pays { func pay() }
""",
        {
            "Box": ("type", 1),
            "Box.width": ("field", 2),
            "Box.height": ("field", 2),
            "Box.init": ("constructor", 3),
            "Box.charge": ("method", 4),
            "Box.==": ("method", 5),
            "Box.Coin": ("type", 6),
            "Box.Coin.one": ("constant", 6),
            "Box.Coin.two": ("constant", 6),
            "Box.drop": ("method", 8),
            "Pays": ("type", 9),
            "Pays.pay": ("method?", 9),
        },
    ),
    "a.scala": (
        """\
case class Box(width: Int) extends Base {
  def charge(n: Int): Int = { val local = 1; local }
  val left, right = 1
  def ::(n: Int) = n
}
trait Pays { def pay: Int }
""",
        {
            "Box": ("type", 1),
            "Box.width": ("field", 1),
            "Box.charge": ("method", 2),
            "Box.left": ("field", 3),
            "Box.right": ("field", 3),
            "Box.::": ("method", 4),
            "Pays": ("type", 6),
            "Pays.pay": ("method?", 6),
        },
    ),
    "a.sh": (
        "LIMIT=3\nexport OTHER=1\nstart() { local x=1; }\nfunction stop { :; }\n",
        {
            "LIMIT": ("variable", 1),
            "OTHER": ("variable", 2),
            "start": ("function", 3),
            "stop": ("function", 4),
        },
    ),
    "a.md": (
        "# One\n\n## Two\n\n```\n# no heading\n```\n\n## Three ##\n",
        {"One": ("heading", 1), "One.Two": ("heading", 3), "One.Three": ("heading", 9)},
    ),
}


@pytest.mark.parametrize("path", CASES)
def test_each_language_lists_its_definitions(path: str) -> None:
    """Kinds, lines and parents; what is local to a function is no definition."""
    text, expected = CASES[path]
    assert listed(path, text) == expected


def test_lines_are_those_of_git() -> None:
    """A form feed and a line separator end no line."""
    found = definitions(
        "a.py", b"import os\n\x0c\nclass A:\n    pass\n\x0c\ndef target():\n    return 1\n"
    )
    assert found is not None
    assert [(item.name, item.line) for item in found.items] == [("A", 3), ("target", 6)]
    script = definitions("a.js", "const s = '\u2028\x85'\n\nfunction pick() {}\n".encode())
    assert script is not None
    assert [(item.name, item.line) for item in script.items] == [("s", 1), ("pick", 3)]


def test_a_definition_extends_over_its_decorators_and_body() -> None:
    """Excerpts are cut at these lines."""
    found = definitions("a.py", b"@one\n@two\ndef f():\n    a = 1\n\n    return a\n\nx = 1\n")
    assert found is not None
    assert found.items[0] == Definition("f", "function", 3, 1, 6)
    exported = definitions("a.ts", b"export const f = () => {\n  return 1\n}\n")
    assert exported is not None
    assert (exported.items[0].first, exported.items[0].last) == (1, 3)


def test_the_enclosing_definition_of_a_line_is_the_innermost() -> None:
    """A search shows where a line stands."""
    found = definitions(
        "a.py", b"import a\n\nclass A:\n    def m(self):\n        x = 1\n\n    y = 2\n"
    )
    assert found is not None
    names = [inner.qualified if (inner := found.enclosing(line)) else "" for line in range(1, 8)]
    assert names == ["", "", "A", "A.m", "A.m", "A", "A.y"]


COMPONENTS: dict[str, tuple[str, dict[str, int]]] = {
    "options.vue": (
        """\
<template><form @submit="send">größe</form></template>
<script>
export default {
  data() { return {} },
  methods: {
    async send() {},
  },
}
</script>
<script type="text/x-template">{{ not a script</script>
""",
        {"data": 4, "send": 6},
    ),
    "setup.vue": (
        """\
<script setup lang="ts" generic="T extends string">
const count = ref(0)
function add(): void { count.value++ }
interface Order { id: number }
</script>
<style>.add { color: red }</style>
""",
        {"count": 2, "add": 3, "Order": 4, "Order.id": 4},
    ),
    "tsx.vue": ('<script lang="tsx">\nconst view = () => <b/>\n</script>\n', {"view": 2}),
    "page.svelte": (
        """\
<script context="module" lang="ts">
  export async function load({ params }) { return {} }
</script>
<script>
  export let name;
  $: twice = name * 2;
  function press() {}
</script>
{#if name}<p on:click={press}>x</p>{/if}
""",
        {"load": 2, "name": 5, "press": 7},
    ),
    "page.astro": (
        """\
---
const { slug } = Astro.params;
export async function getStaticPaths() { return []; }
---
<Layout><script>function press() {}</script></Layout>
""",
        {"slug": 2, "getStaticPaths": 3, "press": 5},
    ),
}


@pytest.mark.parametrize("path", COMPONENTS)
def test_the_scripts_of_a_component_are_read(path: str) -> None:
    text, expected = COMPONENTS[path]
    found = definitions(path, text.encode())
    assert found is not None
    lines = {one.qualified: one.line for one in found.items if one.name != "default"}
    assert lines == expected


def test_a_component_without_an_end_takes_time_in_proportion_to_its_length() -> None:
    began = time.thread_time()
    for piece in (b"<script", b"<script>", b"<script lang='ts'></script>", b"---\n"):
        definitions("a.vue", piece * (400_000 // len(piece)))
        definitions("a.astro", piece * (400_000 // len(piece)))
    assert time.thread_time() - began < 4


SELDOM: dict[str, tuple[str, dict[str, int | None]]] = {
    "a.py": (
        """\
(left, right) = 1, 2
[top] = rows
type Pair[T] = tuple[T, T]
@overload
def read(path: str) -> str: ...
@typing.overload
def read(path: int) -> int: ...
def read(path): ...
class Box:
    def __init__(self):
        self.wide, self.high = 1, 2
""",
        {"left": 1, "right": 1, "top": 2, "Pair": 3, "read": 8, "Box.wide": 11, "high": 11},
    ),
    "a.rb": (
        """\
class Order
  enum status: { open: 1 }
end
task :deploy => :environment do
end
task seed: :environment do
end
scope module: "api" do
end
""",
        {"status": 2, "deploy": 4, "seed": 6, "module": None},
    ),
    "a.php": ("<?php\n$limit = 3;\n$twice = fn($x) => 2 * $x;\n", {"limit": 2, "twice": 3}),
    "a.md": (
        """\
---
title: a
---

Payments
========

Retries and limits
------------------

| a | b |
---------

- item
-----

```
Code
====
```
""",
        {"payments": 5, "retries-and-limits": 8, "code": None, "item": None, "title-a": None},
    ),
}


@pytest.mark.parametrize("path", SELDOM)
def test_less_common_forms_define_names_too(path: str) -> None:
    text, expected = SELDOM[path]
    found = definitions(path, text.encode())
    assert found is not None
    chosen = {name: find_definition(found, name) for name in expected}
    assert {name: one and one[0].line for name, one in chosen.items()} == expected


@pytest.mark.parametrize("path", ["a.yaml", "Makefile", "a.sql", "a.ex", "a.dart", "LICENSE"])
def test_a_language_without_a_grammar_has_no_answer(path: str) -> None:
    """None is not the same as no definition."""
    assert definitions(path, b"def f(): pass\n") is None


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("bin/run", "#!/usr/bin/env python3\ndef main(): ...\n", "main"),
        ("bin/rails", "#!/usr/bin/env ruby\ndef main; end\n", "main"),
        ("bin/run", "#!/bin/bash -e\nmain() { :; }\n", "main"),
        ("bin/run", "#! /bin/sh\nmain() { :; }\n", "main"),
        ("bin/cli", "#!/usr/bin/env -S node --no-warnings\nfunction main() {}\n", "main"),
        ("script", "#!/usr/local/bin/python3.11\ndef main(): ...\n", "main"),
        ("Rakefile", "def main; end\n", "main"),
        ("tools/BUILD.bazel", "def main():\n    pass\n", "main"),
    ],
)
def test_a_script_without_an_ending_names_its_interpreter(path: str, text: str, name: str) -> None:
    """The first line of a script tells its language."""
    found = definitions(path, text.encode())
    assert found is not None
    assert [item.name for item in found.items] == [name]


def test_syntax_errors_are_told() -> None:
    """A name that is missing from such a tree may still be defined."""
    found = definitions("a.py", b"def f(:\n\ndef g():\n    pass\n")
    assert found is not None
    assert not found.whole


def test_headers_are_read_as_c_or_as_cpp() -> None:
    """The ending does not tell which language a header is in."""
    plain = definitions("a.h", b"struct new { int class; };\nint charge(int this);\n")
    assert plain is not None
    assert plain.whole
    other = definitions(
        "a.h", b"class A { public: void m(); };\nnamespace b { template <class T> T f(T t); }\n"
    )
    assert other is not None
    assert [item.qualified for item in other.items] == ["A", "A.m", "b", "b.f"]
    # Neither grammar reads such macros. The C one would find more names, and wrong ones.
    macros = (
        b"API_BEGIN\ntemplate <class T> API auto f(T t) -> T { return (int) t; }\nclass API B;\n"
    )
    assert definitions("a.h", macros) == definitions("a.hpp", macros)


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("a.swift", "import UIKit\n\nextension Session { func f() {} }\n", 3),
        ("a.swift", "extension Session { func f() {} }\n\nclass Session {}\n", 3),
        ("a.rs", "use x::Session;\n\nimpl<T> Session<T> { fn f() {} }\n", 3),
        ("a.rs", "impl Session {}\nstruct Session;\n", 2),
    ],
)
def test_an_extension_declares_the_type_that_it_extends(path: str, text: str, line: int) -> None:
    """The type itself, if it is in the same file, counts more."""
    found = definitions(path, text.encode())
    assert found is not None
    items = [item for item in found.items if item.qualified == "Session"]
    assert min(items, key=lambda item: (item.declared, item.line)).line == line


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", b"(" * 200_000),
        ("a.ts", b"{" * 200_000),
        ("a.js", b"a<" * 100_000),
        ("a.c", b"int " + b"*" * 200_000 + b"a;"),
        ("a.cpp", b"int " + b"a::" * 100_000 + b"b(){}"),
        ("a.rb", b"class A::" + b"B::" * 60_000 + b"C; end"),
        ("a.java", b"class A {" * 20_000),
        ("a.go", b"\0" * 300_000),
        ("a.md", b"# a\n## b\n" * 40_000),
        ("a.rs", b"x" * 600_000),
    ],
)
def test_a_hostile_file_takes_a_bounded_time(path: str, text: bytes) -> None:
    """Brackets without end, names without end: an answer or none, in bounded processor time."""
    began = time.thread_time()
    definitions(path, text)
    assert time.thread_time() - began < 5.0
