"""Code in the model's Markdown: fences and spans, each of which ends where a reader thinks. Pure.

A span whose end has not come yet may begin in the open; it then ends on its line in any case, so
that nothing behind it is taken for code, or code for prose.
"""

from __future__ import annotations

from typing import Literal

from bot.delivery.citations.check import Citation
from bot.delivery.citations.safe_output import TICK, SafeMarkdownWriter
from bot.delivery.citations.tokens import (
    ADDRESS_END,
    EXPRESSION,
    PATHLIKE,
    WAIT,
    closing_run,
    line_end,
    run_end,
)
from bot.delivery.citations.verifier import Verifier
from bot.delivery.markdown.outline import columns


class CodeText:
    """Passes code on to the outlet. `open` tells what has been let begin and not ended."""

    def __init__(self, outlet: SafeMarkdownWriter, verifier: Verifier) -> None:
        self.open: Literal["", "code", "address"] = ""
        self.prose_line = False
        self._outlet = outlet
        self._verifier = verifier
        self._ticks = ""
        self._in_fence_line = False
        self._fenced: list[str] = []

    def __repr__(self) -> str:
        return f"<CodeText [{self.open or 'nothing'} open]>"

    @property
    def in_fence(self) -> bool:
        """Whether the line that is being read belongs to a fence, as far as is known."""
        return self._outlet.outline.fence is not None and not self.prose_line

    def close(self) -> None:
        """End what was let begin, so that it swallows nothing after it."""
        if not self.open:
            return
        fenced = self._outlet.outline.fence is None and self._outlet.opens_fence("")
        if not fenced:
            self._outlet.end_code(self._ticks)
        self.open = ""

    def newline(self) -> None:
        self._outlet.newline()
        self.prose_line = False
        self._verifier.named(None, 0)

    def fence(self, raw: str, at: int, final: bool) -> int | None:
        """Pass on a line of a fence; None if the fence has ended before it, with its list item."""
        fence = self._outlet.outline.fence
        assert fence is not None
        end, complete = line_end(raw, at)
        line = raw[at:end]
        if not self._in_fence_line:
            column, rest = columns(line)
            if not rest and not complete and not final:
                return WAIT
            if rest and column < fence.container:
                self.prose_line = True
                return None
            self._in_fence_line = True
        self._fenced.append(line)
        # Slack may not know fences of tildes: what stands in them is disarmed like prose.
        if fence.marker[0] == "`":
            self._outlet.raw(line)
        else:
            self._outlet.text(line)
        if not complete:
            return end
        self._end_fence_line()
        return end + 1

    def _end_fence_line(self) -> None:
        self._fenced.append("\n")
        self.newline()
        self._in_fence_line = False
        if self._outlet.outline.fence is None:
            lines = "".join(self._fenced).splitlines()[:-1]
            self._verifier.quoted(lines, self._outlet.written)
            self._fenced.clear()

    def _begin_fence(self, line: str, stop: int, whole: bool) -> int:
        if not whole:
            return WAIT
        # Nobody sees what stands after the fence; a pipe there could pass for a table's head.
        self._outlet.text(line.replace("|", ""))
        self._fenced.clear()
        return stop

    def span_or_fence(self, raw: str, at: int, final: bool) -> int:
        begin = run_end(raw, at)
        stop, complete = line_end(raw, begin)
        whole = complete or final
        ticks, content = raw[at:begin], raw[begin:stop]
        if not content and not whole:
            return WAIT
        if len(ticks) >= 3 and self._outlet.opens_fence(raw[at:stop]):
            return self._begin_fence(raw[at:stop], stop, whole)
        close = closing_run(raw, begin, stop, len(ticks))
        if close >= 0 and (whole or close + len(ticks) < len(raw)):
            return self._span(ticks, raw[begin:close], close + len(ticks))
        if whole:
            self._outlet.code(ticks, content)
            return stop
        if content.endswith("`") or (len(ticks) == 1 and PATHLIKE.match(content)):
            self._verifier.foresee(content.rstrip("`"))
            return WAIT
        self._begin_code(ticks, content)
        return stop

    def _span(self, ticks: str, content: str, after: int) -> int:
        cited = Citation.parse(content) if len(ticks) == 1 else None
        finding = self._verifier.verify(cited, self._outlet.written) if cited else None
        if finding == "wait":
            return WAIT
        if finding is not None:
            self._verifier.show(self._outlet, finding, content.strip())
            return after
        self._outlet.code(ticks, content)
        name = EXPRESSION.match(content) if len(ticks) == 1 else None
        if name is not None:
            self._verifier.named(name[1], self._outlet.written)
        return after

    def _begin_code(self, ticks: str, content: str) -> None:
        """Let a span begin before its end is known; it will end on this line in any case."""
        self._outlet.begin_code(ticks)
        self._outlet.in_code(content)
        self.open, self._ticks = "code", ticks

    def go_on(self, raw: str, at: int, final: bool) -> int:
        stop, complete = line_end(raw, at)
        whole = complete or final or self._verifier.forcing
        close = closing_run(raw, at, stop, len(self._ticks))
        if close >= 0 and (whole or close + len(self._ticks) < len(raw)):
            self._outlet.in_code(raw[at:close])
            self._outlet.end_code(self._ticks)
            self.open = ""
            return close + len(self._ticks)
        if complete or final:
            self._outlet.in_code(raw[at:stop])
            self.close()
            return stop
        text = raw[at:].rstrip("`")
        self._outlet.in_code(text)
        if self._verifier.forcing:
            self._outlet.in_code(TICK * (len(raw) - at - len(text)))
            return stop
        return at + len(text) if text else WAIT

    def tildes(self, raw: str, at: int, final: bool) -> int:
        begin = run_end(raw, at)
        stop, complete = line_end(raw, begin)
        if begin == len(raw) and not final:
            return WAIT
        if begin - at >= 3 and self._outlet.opens_fence(raw[at:stop]):
            return self._begin_fence(raw[at:stop], stop, complete or final)
        self._outlet.text(raw[at:begin])
        return begin

    def release(self, raw: str) -> int:
        """Let go of a span that waits at the beginning of `raw`."""
        run = run_end(raw, 0)
        stop, _ = line_end(raw, run)
        close = closing_run(raw, run, stop, run)
        if close >= 0:
            return self._span(raw[:run], raw[run:close], close + run)
        content = raw[run:stop].rstrip("`")
        self._begin_code(raw[:run], content)
        return run + len(content)

    def begin_address(self, text: str) -> None:
        """Let an address begin as code before its end is known."""
        self._outlet.begin_code("`")
        self._outlet.part_of_address(text)
        self.open, self._ticks = "address", "`"

    def go_on_address(self, raw: str, at: int) -> int:
        found = ADDRESS_END.search(raw, at)
        stop = found.start() if found else len(raw)
        self._outlet.part_of_address(raw[at:stop])
        if found is not None:
            self.close()
        return stop
