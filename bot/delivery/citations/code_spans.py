"""Code in the model's Markdown: fences and spans, each with the end that a reader sees. Pure.

A span may be begun before its end has come. It then ends on its line in any case, so that no prose
behind it is taken for code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from bot.delivery.citations.check import Evidence, Finding
from bot.delivery.citations.compound import Part
from bot.delivery.citations.safe_output import TICK, SafeMarkdownWriter
from bot.delivery.citations.tokens import (
    ADDRESS_END,
    BARE_LINE,
    EXPRESSION,
    PATHLIKE,
    WAIT,
    closing_run,
    line_end,
    run_end,
)
from bot.delivery.citations.verifier import Verifier, label_of
from bot.delivery.citations.worded import cite_before, cite_behind

_LONGEST_NAME = 200
_LEAD = re.compile(r"[ \t>]*")
LONGEST_STRUCK = 200
"""Characters of the longest text that is struck through."""
_STRUCK = re.compile(rf"[^~`\n]{{1,{LONGEST_STRUCK}}}~~(?!~)")
_DELIMITER = re.compile(r"[ \t>|:-]*")


class CodeSpans:
    """Passes code on to the writer, byte for byte.

    `open` names the construct that was begun and not ended. `prose_line` means that the line being
    read is no code.
    """

    def __init__(self, writer: SafeMarkdownWriter, verifier: Verifier) -> None:
        self.open: Literal["", "code", "address"] = ""
        self.prose_line = False
        self._writer = writer
        self._verifier = verifier
        self._ticks = ""
        self._content = ""
        self._in_code_line = False
        self._fenced: list[str] = []
        self._strikes = False

    def close(self) -> None:
        """End the code that was begun, so that it swallows no later text."""
        if not self.open:
            return
        fenced = self._writer.outline.open_fence is None and self._writer.opens_fence("")
        if not fenced:
            self._writer.end_code(self._ticks)
        self.open = ""

    def newline(self) -> None:
        self._writer.newline()
        self.prose_line = self._strikes = False
        self._verifier.forget_names()

    def line(self, raw: str, at: int, final: bool) -> int | None:
        """Pass on a line of code (fenced or indented, quoted or not); None if it is prose.

        Markdown decides by the white space and quotation marks at the line's beginning.
        """
        if self._in_code_line:
            return self._pass_line(raw, at)
        if self.prose_line or self._writer.outline.line:
            return None
        lead = _LEAD.match(raw, at)
        assert lead is not None
        if lead.end() == len(raw) and not final:
            return WAIT
        fenced = self._writer.outline.open_fence is not None
        if fenced and ">" not in lead[0] and self._writer.outline.quote is not None:
            # The quotation has ended within its fence. A blank line tells that to all parsers.
            self._writer.newline()
        blank = raw[lead.end() : lead.end() + 1] in ("", "\n")
        if (fenced or not blank) and self._writer.outline.is_code(lead[0]):
            self._in_code_line = True
            return self._pass_line(raw, at)
        if self._writer.head_has_pipe and (after := self._delimiter(raw, at, final)) is not None:
            return after
        self.prose_line = True
        return None

    def _pass_line(self, raw: str, at: int) -> int:
        end, complete = line_end(raw, at)
        self._fenced.append(raw[at:end])
        self._writer.raw(raw[at:end])
        if not complete:
            return end
        self._fenced.append("\n")
        fenced = self._writer.outline.open_fence is not None
        self.newline()
        self._in_code_line = False
        if fenced and self._writer.outline.open_fence is None:
            lines = "".join(self._fenced).split("\n")[:-2]
            self._verifier.quoted(lines, self._writer.written)
            self._fenced.clear()
        return end + 1

    def _delimiter(self, raw: str, at: int, final: bool) -> int | None:
        """Pass on a row of dashes that would split code in the line above into cells; else None."""
        row = _DELIMITER.match(raw, at)
        assert row is not None
        if row.end() == len(raw) and not final:
            return WAIT
        if raw[row.end() : row.end() + 1] not in ("", "\n") or "|" not in row[0]:
            return None
        lead = _LEAD.match(raw, at)
        assert lead is not None
        self._writer.text(lead[0] + "\\")
        self.prose_line = True
        return lead.end()

    def _begin_fence(self, line: str, stop: int, whole: bool) -> int:
        if not whole:
            return WAIT
        # Slack does not show the text after the marks; a pipe in it could begin a table.
        marks = run_end(line, 0)
        self._writer.raw(line[:marks])
        self._writer.text(line[marks:].replace("|", ""))
        self._fenced.clear()
        return stop

    def span_or_fence(self, raw: str, at: int, final: bool) -> int:
        begin = run_end(raw, at)
        stop, complete = line_end(raw, begin)
        whole = complete or final
        ticks, content = raw[at:begin], raw[begin:stop]
        if not content.strip() and not whole:
            return WAIT
        if len(ticks) >= 3 and self._writer.opens_fence(raw[at:stop]):
            return self._begin_fence(raw[at:stop], stop, whole)
        close = closing_run(raw, begin, stop, len(ticks))
        if close >= 0 and (whole or close + len(ticks) < len(raw)):
            return self._span(ticks, raw[begin:close], close + len(ticks), raw, final)
        if whole:
            self._writer.code(ticks, content)
            return stop
        if content.endswith("`") or (len(ticks) <= 2 and self._may_cite(content)):
            return WAIT
        self._begin_code(ticks, content)
        return stop

    def _may_cite(self, content: str) -> bool:
        content = content.lstrip()
        if PATHLIKE.match(content) is not None or self._verifier.may_grow(content):
            return True
        return self._verifier.may_have_parts(content)

    def _span(self, ticks: str, content: str, after: int, raw: str, final: bool) -> int:
        cited = self._verifier.read(content) if len(ticks) <= 2 else None
        # An address of a page names its repository.
        is_page = cited is not None and cited.repository is not None
        if cited is None and len(ticks) == 1:
            line = self._writer.outline.line
            cited = self._verifier.more_lines(content, line, self._writer.written)
        if cited is None and self._verifier.names_path(content):
            return self._path(ticks, content, after, raw, final)
        if cited is None and len(ticks) == 1 and (parts := self._verifier.parts(content)):
            return after if self._parts(content, parts) else WAIT
        finding: Finding | Literal["wait"] | None = None
        if cited is not None:
            alone = self._is_alone(raw, after, final or self._verifier.forcing)
            if alone is None:
                return WAIT
            line = self._writer.outline.line
            finding = self._verifier.verify(cited, self._writer.written, line, alone=alone)
        if finding == "wait":
            return WAIT
        if finding is not None:
            written = finding.label if is_page else content.strip()
            self._verifier.show(self._writer, finding, written)
            return after
        self._writer.code(ticks, content)
        self._name(ticks, content)
        return after

    def _parts(self, content: str, parts: Sequence[Part]) -> bool:
        """Pass on code that holds citations among other things; False: read a file first."""
        if not self._verifier.are_ready([cited for _, _, cited in parts]):
            return False
        at, line = self._writer.written, self._writer.outline.line
        found = [self._verifier.verify(one, at, line, evidence=Evidence()) for _, _, one in parts]
        # One citation and the words beside it are one link, several are one each.
        whole = len(parts) == 1
        done = 0
        for (begin, end, cited), finding in zip(parts, found, strict=True):
            before, behind = (content[:begin], content[end:]) if whole else ("", "")
            self._writer.text("" if whole else content[done:begin])
            if isinstance(finding, Finding):
                label = cited.text if finding.fate == "good" else label_of(finding)
                shown = f"{before}{label}{behind}".strip()
                self._verifier.show(self._writer, replace(finding, fate="good"), shown)
            else:
                self._writer.code("`", before + content[begin:end] + behind)
            done = end
        self._writer.text("" if whole else content[done:])
        return True

    def _path(self, ticks: str, content: str, after: int, raw: str, final: bool) -> int:
        """Pass on a path in code; its lines may be said before or behind it."""
        line = self._verifier.free_words(self._writer.outline.line, self._writer.written)
        cited, end = cite_before(content, line), after
        if cited is None:
            final = final or self._verifier.forcing
            cited, end = cite_behind(content, raw, after, final=final)
        if end == WAIT:
            return WAIT
        said = end
        finding = (
            self._verifier.verify(cited, self._writer.written, self._writer.outline.line)
            if cited
            else None
        )
        if finding == "wait":
            return WAIT
        if finding is None or self._verifier.permalink(finding) is None:
            self._writer.code(ticks, content)
            self._name(ticks, content)
            end = after
        else:
            self._verifier.show(self._writer, finding, content)
            # The words that say the lines stay if they are right.
            end = after if finding.fate == "good" else end
        self._verifier.claim_words(self._writer.written + said - end)
        return end

    def _name(self, ticks: str, content: str) -> None:
        name = EXPRESSION.match(content) if len(ticks) == 1 else None
        if name is not None:
            size = len(content) + 2 * len(ticks)
            self._verifier.named(name[1], self._writer.outline.line, size, self._writer.written)

    def _is_alone(self, raw: str, after: int, final: bool) -> bool | None:
        """Return whether a citation stands alone on its line; None: later text decides.

        Only below a quoted block it matters: a citation within a sentence is not that block's.
        """
        if not self._verifier.is_beside_quote(self._writer.written):
            return False
        if BARE_LINE.fullmatch(self._writer.outline.line) is None:
            return False
        rest = BARE_LINE.match(raw, after)
        assert rest is not None
        if rest.end() == len(raw):
            return True if final else None
        return raw[rest.end()] == "\n"

    def _begin_code(self, ticks: str, content: str) -> None:
        """Begin a span before its end is known; it will end on this line in any case."""
        self._writer.begin_code(ticks)
        self._writer.in_code(content)
        self.open, self._ticks, self._content = "code", ticks, content

    def go_on(self, raw: str, at: int, final: bool) -> int:
        stop, complete = line_end(raw, at)
        whole = complete or final or self._verifier.forcing
        close = closing_run(raw, at, stop, len(self._ticks))
        if close >= 0 and (whole or close + len(self._ticks) < len(raw)):
            self._writer.in_code(raw[at:close])
            self._writer.end_code(self._ticks)
            self._name(self._ticks, self._content + raw[at:close])
            self.open = ""
            return close + len(self._ticks)
        if complete or final:
            self._writer.in_code(raw[at:stop])
            self.close()
            return stop
        text = raw[at:].rstrip("`")
        self._writer.in_code(text)
        self._content = (self._content + text)[:_LONGEST_NAME]
        if self._verifier.forcing:
            self._writer.in_code(TICK * (len(raw) - at - len(text)))
            return stop
        return at + len(text) if text else WAIT

    def tildes(self, raw: str, at: int, final: bool) -> int:
        begin = run_end(raw, at)
        stop, complete = line_end(raw, begin)
        if begin == len(raw) and not final:
            return WAIT
        if begin - at >= 3 and self._writer.opens_fence(raw[at:stop]):
            return self._begin_fence(raw[at:stop], stop, complete or final)
        if begin - at != 2:
            self._writer.text(raw[at:begin])
            return begin
        if self._strikes:
            self._writer.raw("~~")
            self._strikes = False
            return begin
        end = _STRUCK.match(raw, begin)
        if end is None and not (complete or final) and stop - begin <= LONGEST_STRUCK:
            return WAIT
        # Some parsers would look for the end of an open mark within code.
        self._strikes = end is not None
        if self._strikes:
            self._writer.raw("~~")
        else:
            self._writer.text("~~")
        return begin

    def release(self, raw: str) -> int:
        """Pass on a span that waits at the beginning of `raw`; return its length."""
        run = run_end(raw, 0)
        stop, _ = line_end(raw, run)
        close = closing_run(raw, run, stop, run)
        if close >= 0:
            return self._span(raw[:run], raw[run:close], close + run, raw, False)
        content = raw[run:stop].rstrip("`")
        self._begin_code(raw[:run], content)
        return run + len(content)

    def begin_address(self, text: str) -> None:
        """Begin an address as code before its end is known."""
        self._writer.begin_code("`")
        self._writer.part_of_address(text)
        self.open, self._ticks = "address", "`"

    def go_on_address(self, raw: str, at: int) -> int:
        found = ADDRESS_END.search(raw, at)
        stop = found.start() if found else len(raw)
        self._writer.part_of_address(raw[at:stop])
        if found is not None:
            self.close()
        return stop
