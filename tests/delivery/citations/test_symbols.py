"""A name leads to its definition, in the ways that models write names."""

from __future__ import annotations

import pytest

from bot.context.render.definitions import definitions
from bot.delivery.citations.symbols import find_definition, parts_of

FILES = {
    "a.go": """\
func NewServer(cfg Config) *Server { return nil }

type Server struct{}

func (s *Server) Start() {}
func (s *Client) Start() {}
type Client struct{}
""",
    "a.py": """\
def login(user, verify):
    verify(user)

def verify(user):
    '''the class verify'''

class A(Base):
    def close(self): ...

class Base:
    def close(self): ...
    def __eq__(self, o): ...
""",
    "A.java": """\
class A {
  A() { charge(1); }
  public void charge(int n) {}
  void charge(long n) {}
  private Method refund;
  interface B { Object refund(Object o); }
}
""",
    "a.c": """\
int charge(int n);
void f(void) {
  charge(1);
}
int charge(int n) { return n; }
typedef struct node node;
struct node { int x; };
#define twice(x) x
""",
    "a.ts": """\
class A {
  run() {
    this.charge(1)
  }
  private async charge(n: number) {}
}
function over(a: string): void
function over(a: any) {}
""",
    "a.rb": """\
class A
  def active?; end
  def name=(v); end
  def ==(o); end
  def [](i); end
end
module ::B; end
""",
    "a.cpp": """\
struct A { bool operator==(const A& o); ~A(); };
bool A::operator==(const A& o) { return 1; }
A::~A() {}
template <class T> T most(T a) { return a; }
""",
    "a.rs": """\
struct P;
impl P { fn new() {} }
impl Display for P { fn fmt(&self) {} }
struct Q;
impl Q { fn new() {} }
fn r#async() {}
""",
    "a.kt": """\
class Client {
    val timeout = 1
    class Builder {
        fun timeout(n: Int) {}
    }
    fun `waits for a lease`() {}
}
""",
    "a.js": """\
class A {
  #key = 1
  constructor() {}
}
module.exports = { f() {} }
app.use = function () {}
const o = { "a b.c"() {}, [Symbol.iterator]() {} }
""",
    "a.md": "# Title\n\n## How to `install` it, now\n\n## FAQ\n",
}


@pytest.mark.parametrize(
    ("path", "symbol", "line"),
    [
        ("a.go", "Server", 3),
        ("a.go", "Server.Start", 5),
        ("a.go", "Client.Start", 6),
        ("a.go", "(*Client).Start", 6),
        ("a.py", "verify", 4),
        ("a.py", "verify()", 4),
        ("a.py", "Base", 10),
        ("a.py", "Base.close", 11),
        ("a.py", "a.Base.close", 11),
        ("a.py", "__eq__", 12),
        ("A.java", "charge", 3),
        ("A.java", "A#charge(int)", 3),
        ("A.java", "A", 1),
        ("A.java", "refund", 6),
        ("a.c", "charge", 5),
        ("a.c", "node", 7),
        ("a.c", "twice", 8),
        ("a.ts", "charge", 5),
        ("a.ts", "A.charge", 5),
        ("a.ts", "over", 8),
        ("a.rb", "A#active?", 2),
        ("a.rb", "name=", 3),
        ("a.rb", "==", 4),
        ("a.rb", "A#[]", 5),
        ("a.rb", "::B", 7),
        ("a.cpp", "A::operator==", 2),
        ("a.cpp", "operator ==", 2),
        ("a.cpp", "~A", 3),
        ("a.cpp", "A::~A", 3),
        ("a.cpp", "most<T>", 4),
        ("a.rs", "P::new", 2),
        ("a.rs", "Q::new", 5),
        ("a.rs", "P::fmt", 3),
        ("a.rs", "async", 6),
        ("a.rs", "r#async", 6),
        ("a.kt", "Client.timeout", 2),
        ("a.kt", "Builder.timeout", 4),
        ("a.kt", "Client.Builder.timeout", 4),
        ("a.kt", "waits for a lease", 6),
        ("a.js", "#key", 2),
        ("a.js", "key", 2),
        ("a.js", "module.exports", 5),
        ("a.js", "app.use", 6),
        ("a.js", '"a b.c"', 7),
        ("a.js", "[Symbol.iterator]", 7),
        ("a.md", "how-to-install-it-now", 3),
        ("a.md", "FAQ", 5),
    ],
)
def test_a_name_leads_to_its_definition(path: str, symbol: str, line: int) -> None:
    """Not to a parameter, a call, a return type, a base class or a docstring."""
    found = definitions(path, FILES[path].encode())
    assert found is not None
    chosen = find_definition(found, symbol)
    assert chosen is not None
    assert chosen[0].line == line


@pytest.mark.parametrize(
    ("path", "symbol"),
    [("a.py", "user"), ("a.go", "Config"), ("a.ts", "this"), ("a.c", "n"), ("a.py", "missing")],
)
def test_a_name_that_is_not_defined_has_no_line(path: str, symbol: str) -> None:
    """A parameter, an imported type or a call is no definition."""
    found = definitions(path, FILES[path].encode())
    assert found is not None
    assert find_definition(found, symbol) is None


def test_a_wrong_parent_is_told() -> None:
    """One definition of that name elsewhere is a correction; two are none."""
    go = definitions("a.go", FILES["a.go"].encode())
    assert go is not None
    assert find_definition(go, "Pool.Start") is None
    script = definitions("a.ts", FILES["a.ts"].encode())
    assert script is not None
    chosen = find_definition(script, "Till.charge")
    assert chosen is not None
    assert (chosen[0].qualified, chosen[1]) == ("A.charge", False)


def test_a_name_beside_the_citation_chooses_among_equals() -> None:
    """`Base` has `close` (`a.py#close`)."""
    found = definitions("a.py", FILES["a.py"].encode())
    assert found is not None
    first, named = find_definition(found, "close"), find_definition(found, "close", {"Base"})
    assert first is not None
    assert named is not None
    assert (first[0].line, named[0].line) == (8, 11)


@pytest.mark.parametrize(
    ("symbol", "parts"),
    [
        ("Class.method", ["Class", "method"]),
        ("Class::method()", ["Class", "method"]),
        ("Class#method?", ["Class", "method?"]),
        ("foo/2", ["foo"]),
        ("Map<K, V>.get", ["Map", "get"]),
        ("Foo->bar", ["Foo", "bar"]),
        ("operator<<", ["<<"]),
        ("$value", ["value"]),
        ('"Regex pattern"', ["Regex pattern"]),
        ("[Symbol.iterator]", ["[Symbol.iterator]"]),
        ("@ivar", ["ivar"]),
    ],
)
def test_a_name_has_parts(symbol: str, parts: list[str]) -> None:
    """The outermost first."""
    assert parts_of(symbol) == parts
