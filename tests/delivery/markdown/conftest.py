"""Texts as models write them, in twelve scripts and all block types, with the code they hold."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest

WORDS = {
    "latin": [
        "the",
        "retry",
        "queue",
        "is",
        "read",
        "twice",
        "before",
        "a",
        "refund",
        "leaves",
        "it",
    ],
    "german": ["Größe", "über", "fünf", "Übergänge", "schließt", "die", "Prüfung", "außerdem"],
    "cyrillic": ["очередь", "повторов", "читается", "дважды", "перед", "возвратом", "денег"],
    "greek": ["η", "ουρά", "διαβάζεται", "δύο", "φορές", "πριν", "από", "την", "επιστροφή"],
    "hebrew": ["התור", "נקרא", "פעמיים", "לפני", "שההחזר", "יוצא", "ממנו"],
    "arabic": ["تتم", "قراءة", "الطابور", "مرتين", "قبل", "أن", "يخرج", "المبلغ"],
    "devanagari": ["कतार", "को", "धनवापसी", "से", "पहले", "दो", "बार", "पढ़ा", "जाता", "है"],
    "thai": ["คิว", "ถูก", "อ่าน", "สอง", "ครั้ง", "ก่อน", "คืน", "เงิน"],
    "chinese": ["退款", "之前", "队列", "会", "被", "读取", "两次。"],
    "japanese": ["返金", "の", "前に", "キュー", "は", "二回", "読まれます。"],
    "korean": ["환불", "전에", "대기열을", "두", "번", "읽습니다"],
    "tamil": ["பணம்", "திரும்பும்", "முன்", "வரிசை", "இருமுறை", "வாசிக்கப்படும்"],
}
"""Twelve scripts; Chinese and Japanese words are joined without blanks."""

SPANS = [
    "git clone https://git.example.com/acme/app.git",
    "export API_URL=https://api.example.com/v1",
    "curl -s https://pay.example.com/health | jq .status",
    "psql postgres://user@localhost:5432/app",
    "handlers[event.type](event, ctx)",
    "pip install git+https://git.example.com/x@main#egg=x",
    "redis://:secret@cache:6379/0",
    "www.example.com/index.html",
    "a < b && c > d",
    "List<Map<String, int>>",
    "[label](https://evil.example/x)",
    "bob@example.com",
    "**bold** __init__ ~~x~~",
    "C:\\dir\\file.txt",
    "&lt;b&gt; &amp; &#104;ttps://x.example",
    "x",
    "ключ=https://пример.example/путь",
    "値=https://例え.example/パス",
]
LINES = [
    "def __init__(self): pass",
    "curl https://pay.example.com/a",
    "handlers[0](x)",
    "see [x](https://evil.example) and www.evil.example",
    "# a comment, not a heading",
    "- not an item",
    "> not a quotation",
    "| not | a | table |",
    "1. not a list",
    "    deeper `ticks` ``more``",
    "<!channel> & <b>",
    "",
    "値 = fetch('https://例え.example')",
    "ключ: значение",
    "\tindented by a tab",
    "mail bob@example.com",
]
ADDRESSES = [
    "https://docs.example.net/a?b=1&c=2",
    "http://evil.example/login",
    "www.evil.example/x",
    "ftp://files.example/x",
    "foo://bar/baz",
    "<https://docs.example.net/a>",
    "[a link](https://evil.example/y)",
    "![a picture](https://evil.example/p.png)",
    "https://github.com/acme/app/issues/4",
    "bob@example.com",
]
AROUND = ["", " ", *"(「“„«=:—|>*_-/.,;!?。、】…'\"", "を", "я", "ש", "ب", "क", "ก", "한", "é"]


@dataclass
class Written:
    """A text, and the code in it: spans, and lines of blocks as they stand in the text."""

    text: str = ""
    spans: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


class Author:
    """Writes one text from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.script = self.random.choice(sorted(WORDS))
        self.out = Written()

    def write(self, least: int = 3, most: int = 9) -> Written:
        kinds = [
            *(self.prose, self.prose, self.prose, self.fence, self.indented, self.quote),
            *(self.table, self.items, self.heading, self.quoted_fence),
            *(self.indented_item, self.quoted_indented, self.fence_behind_marker),
        ]
        blocks = [self.random.choice(kinds)() for _ in range(self.random.randint(least, most))]
        self.out.text = "\n\n".join(blocks) + self.random.choice(["", "\n"])
        return self.out

    def words(self, least: int = 2, most: int = 12) -> str:
        glue = "" if self.script in ("chinese", "japanese") else " "
        chosen = self.random.choices(WORDS[self.script], k=self.random.randint(least, most))
        return glue.join(chosen)

    def span(self, table: bool = False) -> str:
        content = self.random.choice(SPANS)
        if table and "|" in content:
            content = content.replace("|", "&")
        self.out.spans.append(content)
        ticks = self.random.choice(["`", "`", "`", "``"])
        return ticks + content + ticks

    def sentence(self) -> str:
        parts = []
        for _ in range(self.random.randint(1, 4)):
            parts.append(self.words())
            choice = self.random.random()
            if choice < 0.45:
                parts.append(" " + self.span() + self.random.choice(["", " ", ".", "、", ")"]))
            elif choice < 0.75:
                before, behind = self.random.choice(AROUND), self.random.choice(AROUND)
                parts.append(before + self.random.choice(ADDRESSES) + behind)
        return " ".join(parts)

    def prose(self) -> str:
        return "\n".join(self.sentence() for _ in range(self.random.randint(1, 3)))

    def heading(self) -> str:
        return "## " + self.words()

    def code_lines(self) -> list[str]:
        lines = self.random.choices(LINES, k=self.random.randint(1, 7))
        while not lines[0].strip():
            lines = lines[1:] or ["x = 1"]
        while not lines[-1].strip():
            lines = lines[:-1]
        return lines

    def fence(self, lead: str = "") -> str:
        marker = self.random.choice(["```", "```", "~~~", "````"])
        lines = self.code_lines()
        self.out.lines += [lead + line for line in lines]
        info = self.random.choice(["", "py", "sh", "ts title"])
        body = [f"{lead}{marker}{info}", *(lead + line for line in lines), f"{lead}{marker}"]
        return "\n".join(body)

    def quoted_fence(self) -> str:
        return self.fence("> ")

    def indented(self) -> str:
        lines = ["    " + line for line in self.code_lines()]
        self.out.lines += lines
        return self.words() + "\n\n" + "\n".join(lines)

    def indented_item(self) -> str:
        marker = self.random.choice(["- ", "1. ", "2. ", "10. "])
        lead = " " * (len(marker) + 4)
        lines = [lead + line for line in ["x = 1", *self.code_lines(), "y = 2"]]
        self.out.lines += lines
        return marker + self.words() + "\n\n" + "\n".join(lines)

    def quoted_indented(self) -> str:
        mark = self.random.choice([">", "> >"])
        lines = [f"{mark}     {line}" for line in ["x = 1", *self.code_lines(), "y = 2"]]
        self.out.lines += lines
        return f"{mark} {self.words()}\n{mark}\n" + "\n".join(lines)

    def fence_behind_marker(self) -> str:
        marker = self.random.choice(["- ", "1. ", "> - ", "- > "])
        lead = "".join(sign if sign == ">" else " " for sign in marker)
        return marker + self.fence(lead).removeprefix(lead)

    def quote(self) -> str:
        return "\n".join("> " + self.sentence() for _ in range(self.random.randint(1, 3)))

    def table(self) -> str:
        rows = [
            f"| {self.words(1, 3)} | {self.span(table=True)} | {self.random.choice(ADDRESSES)} |"
            for _ in range(self.random.randint(1, 6))
        ]
        return "\n".join(["| a | b | c |", "|---|:-:|---|", *rows])

    def items(self) -> str:
        lines = []
        for number in range(self.random.randint(1, 5)):
            lines.append(self.random.choice(["- ", "* ", f"{number + 1}. "]) + self.sentence())
            if self.random.random() < 0.3:
                lines.append("")
                lines.append(self.fence("   "))
                lines.append("")
        return "\n".join(lines)


@pytest.fixture(scope="session")
def author() -> type[Author]:
    return Author
