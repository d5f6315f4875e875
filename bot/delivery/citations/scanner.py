"""Reads the model's Markdown piece by piece and decides which text may leave, and as what. Pure.

A step looks at the construct at one place and passes it on, or returns WAIT if more text could
still change its meaning. `release` passes on a construct that has waited long enough, in its safest
meaning. Every code span that was begun also ends on its line.
"""

from __future__ import annotations

import re
from dataclasses import replace
from operator import itemgetter

from bot.delivery.citations.check import Finding
from bot.delivery.citations.citation import (
    LONGEST,
    SHAPE,
    Citation,
    heading_end,
    shaped,
    without_emphasis,
)
from bot.delivery.citations.code_spans import CodeSpans
from bot.delivery.citations.safe_output import TICK, SafeMarkdownWriter
from bot.delivery.citations.tokens import (
    ADDRESS,
    ADDRESS_END,
    ENTITY,
    HOST,
    INNER_SPECIAL,
    SHOWN_ENTITIES,
    SPECIAL,
    WAIT,
    address_label,
    growing_address,
    is_word_sign,
    label,
    matching,
    run_end,
    target,
    without_tail,
)
from bot.delivery.citations.verifier import Verifier
from bot.delivery.citations.worded import cite_behind, lines_alone

WORD = re.compile(r"[A-Za-z0-9]")
_NO_PATH = re.compile(r"[^A-Za-z0-9./\\-]")
"""Signs behind which a path may begin: letters of another script, brackets, quotation marks."""
_BREAKS_LABEL = re.compile(r"[\[\]|]")
_WORD_ENDS = " \t`'\"<>|*?\\(){}"
"""The signs that `citation.SHAPE` takes for no part of a path."""
_WORD = re.compile(r"\s*[^\s`\[\]!\\&<@]*")


class Scanner:
    """Passes text from `raw` strings to the writer. The verifier judges citations."""

    def __init__(self, writer: SafeMarkdownWriter, verifier: Verifier) -> None:
        self._writer = writer
        self._verifier = verifier
        self._code = CodeSpans(writer, verifier)

    def __repr__(self) -> str:
        return f"<Scanner [{self._code.open or 'prose'}] to {self._writer}>"

    def step(self, raw: str, at: int, final: bool) -> int:
        """Pass on the construct at `at`; return where it ends, or WAIT."""
        if self._code.open == "code":
            return self._code.go_on(raw, at, final)
        if self._code.open == "address":
            return self._code.go_on_address(raw, at)
        after = self._code.line(raw, at, final)
        return self._inline(raw, at, final) if after is None else after

    def close(self) -> None:
        """End the code that was begun, so that it swallows no later text."""
        self._code.close()

    # Prose

    def _inline(self, raw: str, at: int, final: bool) -> int:
        found = SPECIAL.search(raw, at)
        if found is not None and found.start() == 0 and is_word_sign(self._writer.last):
            # The word has begun in an earlier piece.
            found = INNER_SPECIAL.search(raw)
        stop = found.start() if found else len(raw)
        if (after := self._odd_path(raw, at, stop, final)) is not None:
            return after
        if stop > at:
            return self._read_words(raw[at:stop], at, growing=found is None and not final)
        match raw[at]:
            case "\n":
                self._code.newline()
                return at + 1
            case "`":
                return self._code.span_or_fence(raw, at, final)
            case "~":
                return self._code.tildes(raw, at, final)
            case "[":
                return self._bracket(raw, at, at, final)
            case "!":
                return self._exclamation(raw, at, final)
            case "]":
                self._writer.text("]")
                return at + 1
            case "\\":
                return self._backslash(raw, at, final)
            case "&":
                return self._ampersand(raw, at, final)
            case "<":
                return self._angle(raw, at, final)
            case "@":
                return self._at_sign(raw, at, final)
            case ":":
                return self._other_scheme(raw, at, final)
            case _:
                return self._address(raw, at, final)

    def _odd_path(self, raw: str, at: int, stop: int, final: bool) -> int | None:
        """Pass on words up to a citation whose path has blanks or brackets, then that citation."""
        odd = self._verifier.odd_in_prose(
            raw,
            at,
            stop,
            within_word=self._within_word,
            final=final or self._verifier.forcing,
        )
        if odd is None:
            return None
        begin, end, cited = odd.begin, odd.words_end, odd.cited
        if end < 0 and stop == len(raw):
            # The path may begin within the scheme of an address, as in `git+s`.
            begin = min(begin, stop - growing_address(raw[at:stop], self._writer.last))
        if end < 0 and begin > at and raw[begin - 1] in ":#":
            word = max(raw.rfind(" ", at, begin), raw.rfind("\n", at, begin), at - 1) + 1
            if self._verifier.foresee(raw[word:stop].lstrip("(\"'*_")):
                # The name in an unfinished citation could be the beginning of another path.
                return None
        if end < 0:
            # A path may begin with the underscores before it.
            begin = at + len(raw[at:begin].rstrip("_"))
        if begin > at and end < 0:
            # What begins here may also be words that say the lines of a path before it.
            begin = at + self._verifier.open_words(self._free_line, raw[at:begin])
        if begin > at:
            return self._read_words(raw[at:begin], at, growing=False)
        if cited is None:
            return WAIT if end < 0 else None
        line = self._writer.outline.line
        finding = self._verifier.verify(cited, self._writer.written, line)
        if finding == "wait":
            return WAIT
        self._verifier.claim_words(self._writer.written + end - at)
        if finding is None:
            self._writer.text(raw[at:end])
        else:
            self._verifier.show(self._writer, finding, raw[at : odd.end])
        return end if finding is None or finding.fate == "corrected" else odd.end

    def _read_words(self, text: str, at: int, *, growing: bool) -> int:
        """Pass on running text up to the last word if that may still become something else."""
        if growing:
            text = text[: len(text) - growing_address(text, self._writer.last)]
            word = max(text.rfind(" "), text.rfind("\t")) + 1
            left = "" if word else self._word_left
            if word < len(text) and (
                self._may_grow(text[word:]) or self._verifier.may_be_unknown(left + text[word:])
            ):
                text = text[:word]
            text = text[: self._verifier.open_words(self._free_line, text)]
        done = self._cite_words(text) if text else 0
        return at + done if done else WAIT

    def _may_grow(self, word: str) -> bool:
        word = word[-LONGEST:]
        begins = [0, *(found.end() for found in _NO_PATH.finditer(word))]
        words = (word[begin:] for begin in begins if begin < len(word))
        # Underscores may begin emphasis or a path.
        return any(not one.strip("_") or self._verifier.may_grow(one) for one in words)

    @property
    def _word_left(self) -> str:
        """The beginning of a word whose end has not left yet."""
        if not self._writer.within_word:
            return ""
        line = self._writer.outline.line[-LONGEST:]
        return line[max(line.rfind(sign) for sign in _WORD_ENDS) + 1 :]

    def _cite_words(self, text: str) -> int:
        """Pass on words, their citations checked; return how many characters that were."""
        done, inner = 0, self._within_word
        whole = SHAPE.match(text) if inner else None
        if whole is not None:
            # The beginning of the path has left already.
            word = self._word_left + text
            begin, end = self._citation_in(word, 0, len(word) - len(text) + whole.end())
            self._verifier.struck(word[begin:end])
        for begin, end, words_end, cited in self._cited_in(text):
            if begin < done:
                continue
            if begin == 0 and inner:
                continue
            line = self._writer.outline.line + text[done:begin]
            at = self._writer.written + begin - done
            finding = self._verifier.verify(cited, at, line)
            if finding == "wait":
                self._writer.text(text[done:begin])
                return begin
            if finding is not None:
                self._writer.text(text[done:begin])
                self._verifier.show(self._writer, finding, cited.text)
                # The words that say the lines stay if they are right.
                done = end if finding.fate == "good" else words_end
            self._verifier.claim_words(self._writer.written + words_end - done)
        self._writer.text(text[done:])
        return len(text)

    @property
    def _within_word(self) -> bool:
        """Whether the next text belongs to a word that has left; marks of emphasis are no word."""
        last = self._writer.last
        if not self._writer.within_word or not last.isascii():
            return False
        return last != "_" or bool(self._word_left.strip("_"))

    @property
    def _free_line(self) -> str:
        return self._verifier.free_words(self._writer.outline.line, self._writer.written)

    def _cited_in(self, text: str) -> list[tuple[int, int, int, Citation]]:
        """Return the citations in words, in order.

        Each has its beginning, its end, and the end of the words that say its lines.
        """
        cited = []
        for one in self._verifier.in_words(self._free_line, text, final=True):
            if one.cited is not None:
                cited.append((one.begin, one.end, one.words_end, one.cited))
        at = 0 if ":" in text or "#" in text else len(text)
        while (found := SHAPE.search(text, at)) is not None:
            begin, end = self._citation_in(text, *found.span())
            piece = text[begin:end]
            is_shaped = shaped(text[begin : min(end, found.end())]) is not None
            read = self._verifier.read(piece) if is_shaped else None
            if read is not None and self._verifier.may_name_file(read):
                if WORD.match(text, end) is None:
                    cited.append((begin, end, end, read))
                at = max(end, found.end())
            else:
                # A path may follow a colon: "file:src/a.py:5".
                at = found.end("path") + 1
        return sorted(cited, key=itemgetter(0))

    def _citation_in(self, text: str, begin: int, end: int) -> tuple[int, int]:
        """Return the part of a word that is a citation, without other words and emphasis."""
        end = heading_end(text, begin, end)
        end = begin + len(without_emphasis(text[begin:end]))
        first = begin + self._verifier.words_before(text[begin:end])
        if self._verifier.read_known(text[first:end]) is None:
            lead = run_end(text, first) - first if text[first] == "_" else 0
            behind = run_end(text, end) - end if text[end : end + 1] == "_" else 0
            first += min(lead, behind)
        return first, end

    def _backslash(self, raw: str, at: int, final: bool) -> int:
        after = raw[at + 1 : at + 2]
        if not after and not final:
            return WAIT
        if after == "`":
            self._writer.text(TICK)
            return at + 2
        if after in ("", "\n", "&", "@"):
            self._writer.text("\\")
            return at + 1
        self._writer.text(raw[at : at + 2])
        return at + 2

    def _ampersand(self, raw: str, at: int, final: bool) -> int:
        found = ENTITY.match(raw, at)
        if found is not None and found.end() == len(raw) and not final:
            return WAIT
        # Other entities could hide an address's colon from the search for links.
        named = found is None or found[0][1:] in SHOWN_ENTITIES
        closed = found is not None and raw[found.end() : found.end() + 1] == ";"
        numbered = raw[at + 1 : at + 2] == "#"
        self._writer.text("&amp;" if numbered or (closed and not named) else "&")
        return at + 1

    # Links

    def _exclamation(self, raw: str, at: int, final: bool) -> int:
        if at + 1 == len(raw) and not final:
            return WAIT
        if raw[at + 1 : at + 2] == "[":
            return self._bracket(raw, at, at + 1, final)
        self._writer.text("!")
        return at + 1

    def _bracket(self, raw: str, at: int, opening: int, final: bool) -> int:
        """Pass on a link, or an image if `at` is before `opening`, or a bracket that is neither."""
        close = matching(raw, opening, "]")
        end: int | None = None
        if close is not None and close >= 0 and raw[close + 1 : close + 2] == "(":
            end = matching(raw, close + 1, ")")
        unsure = WAIT in (close, end) or (close is not None and close + 1 == len(raw))
        if unsure and not final:
            return WAIT
        if close is None or end is None or WAIT in (close, end):
            self._writer.text(raw[at : opening + 1])
            return opening + 1
        text, inner = raw[opening + 1 : close], raw[close + 2 : end]
        if not self._verifier.is_ready(text):
            return WAIT
        if at < opening:
            self._nested(text)
            return end + 1
        if (after := self._file_link(text, target(inner), raw, end + 1, final)) is not None:
            return after
        done = self._link(text, inner)
        if done is None:
            self._writer.text("[")
            return opening + 1
        return end + 1 if done else WAIT

    def _nested(self, text: str) -> None:
        """Pass on a text that stands within another construct, whole."""
        at, forcing = 0, self._verifier.forcing
        self._verifier.forcing = True
        while at < len(text):
            at = self.step(text, at, True)
        self.close()
        self._verifier.forcing = forcing

    def _link(self, text: str, inner: str) -> bool | None:
        """Pass on a link, checked or disarmed; False: read a file first; None: it is none."""
        address = target(inner)
        cited = self._verifier.page(address) or self._verifier.read(address)
        bare = text.strip("`*_ ")
        named = self._verifier.read(bare)
        # The label is what a reader believes: if it is a citation, the link leads there or nowhere.
        if named is not None and self._verifier.names_file(named.path):
            cited = cited if cited and self._verifier.is_same(cited, named) else named
        path = self._verifier.file_named(bare)
        said = lines_alone(bare) if cited is not None and cited.ranges and path is None else ()
        if cited is not None and said and said != cited.ranges:
            cited = replace(cited, ranges=said)
        if cited is not None and path is None and _looks_like_citation(text):
            # A label that says more than one citation is text: each leads to its own lines.
            self._nested(text)
            return True
        finding = (
            self._verifier.verify(cited, self._writer.written, self._writer.outline.line)
            if cited
            else None
        )
        if finding == "wait":
            return False
        page = None if _looks_like_citation(text) else self._verifier.file_page(address)
        if cited is not None:
            self._checked_link(text, path, finding)
        elif page is not None and path in (None, page[0]):
            self._labelled(text, page[1])
        elif path is not None and not self._verifier.is_page_of(address, path):
            self._named_elsewhere(text, address)
        elif (allowed := self._allowed(text, address)) is not None:
            self._labelled(text, allowed)
        elif "://" in address or address.startswith("www."):
            self._nested(text)
            self._writer.text(" (")
            self._writer.address(address)
            self._writer.text(")")
        else:
            return None
        return True

    def _file_link(self, text: str, path: str, raw: str, at: int, final: bool) -> int | None:
        """Pass on a link to a file whose lines the words behind it say; None if it is none."""
        named = self._verifier.file_named(text.strip("`*_ "))
        page = self._verifier.file_page(path)
        if page is None or named not in (None, page[0]) or _looks_like_citation(text):
            return None
        cited, end = cite_behind(path, raw, at, final=final or self._verifier.forcing)
        if cited is None:
            return WAIT if end == WAIT else None
        line = self._writer.outline.line
        finding = self._verifier.verify(cited, self._writer.written, line)
        if finding == "wait":
            return WAIT
        url = self._verifier.permalink(finding) if finding is not None else None
        said = end
        if finding is None or url is None:
            self._verifier.muted = True
            self._nested(text)
            self._verifier.muted = False
            end = at
        elif finding.fate == "good":
            self._labelled(text, url)
            end = at
        else:
            self._verifier.show(self._writer, finding, text)
        self._verifier.claim_words(self._writer.written + said - end)
        return end

    def _checked_link(self, text: str, path: str | None, finding: Finding | None) -> None:
        """Pass on a link to a citation. `path` is the file that its label names, or None."""
        url = self._verifier.permalink(finding) if finding is not None else None
        if finding is None or url is None:
            self._verifier.muted = True
            self._nested(text)
            self._verifier.muted = False
            return
        differs = path is not None and (finding.fate == "corrected" or path != finding.key[1])
        says_lines = path is None and bool(lines_alone(text.strip("`*_ ")))
        if differs or (says_lines and finding.fate == "corrected"):
            # The label must name the lines that the link leads to.
            self._verifier.show(self._writer, replace(finding, fate="corrected"), text)
            return
        self._labelled(text, url)

    def _labelled(self, text: str, url: str) -> None:
        """Pass on a link whose target is checked."""
        if not _BREAKS_LABEL.search(text):
            self._writer.link(label(text) or label(url), url)
            return
        # A label holds no bracket and no bar: parsers differ in how they read them there.
        muted, self._verifier.muted = self._verifier.muted, True
        self._nested(text)
        self._verifier.muted = muted
        self._writer.text(" ")
        self._writer.link("\u2197", url)

    def _allowed(self, text: str, address: str) -> str | None:
        """Return the address if a link may lead there; a label like a citation must be one."""
        return None if _looks_like_citation(text) else self._verifier.hosts.allow(address)

    def _named_elsewhere(self, text: str, address: str) -> None:
        """Pass on a link that is labelled with a file's path and leads elsewhere."""
        self._nested(text)
        self._writer.text(" (")
        allowed = self._verifier.hosts.allow(address)
        if allowed is not None:
            self._writer.link(label(address), allowed)
        elif "://" in address or address.startswith("www."):
            self._writer.address(address)
        else:
            self._writer.text(address)
        self._writer.text(")")

    def _address(self, raw: str, at: int, final: bool) -> int:
        found = ADDRESS_END.search(raw, at)
        if found is None and not final:
            return WAIT
        url = without_tail(raw[at : found.start() if found else len(raw)])
        return at + len(url) if self._show_address(url) else WAIT

    def _show_address(self, url: str) -> bool:
        """Pass on an address: as a checked citation, a link or code; False: read a file first."""
        cited = self._verifier.page(url)
        finding = (
            self._verifier.verify(cited, self._writer.written, self._writer.outline.line)
            if cited
            else None
        )
        if finding == "wait":
            return False
        if finding is not None:
            self._verifier.show(self._writer, finding, finding.label)
        elif cited is None and (allowed := self._verifier.hosts.allow(url)) is not None:
            self._writer.link(address_label(url), allowed)
        else:
            self._writer.address(url)
        return True

    def _angle(self, raw: str, at: int, final: bool) -> int:
        """Pass on `<`, or the address in `<https://…>`, whose brackets Slack would show."""
        begin = at + 1
        if ADDRESS.match(raw, begin) is None:
            rest = raw[begin:]
            if not final and (not rest or growing_address(rest, "<") == len(rest)):
                return WAIT
            self._writer.text("<")
            return begin
        found = ADDRESS_END.search(raw, begin)
        if found is None and not final:
            return WAIT
        if found is None or found[0] != ">":
            self._writer.text("<")
            return begin
        return found.end() if self._show_address(raw[begin : found.start()]) else WAIT

    def _at_sign(self, raw: str, at: int, final: bool) -> int:
        """Pass on `@`. The host of a mail address goes into code, so that it becomes no link."""
        before = raw[at - 1 : at] if at else self._writer.last
        found = HOST.match(raw, at + 1)
        assert found is not None
        if not (before.isalnum() or before in tuple("._+-*~\\")):
            self._writer.text("@")
            return at + 1
        if found.end() == len(raw) and not final and len(found[0]) < 255:
            return WAIT
        host = found[0].rstrip("._-")
        self._writer.text("@")
        if "." not in host:
            return at + 1
        self._writer.address(host)
        return at + 1 + len(host)

    def _other_scheme(self, raw: str, at: int, final: bool) -> int:
        """Pass on `://` behind a scheme that is not known: the rest of the address is code."""
        found = ADDRESS_END.search(raw, at)
        if found is None and not final:
            return WAIT
        rest = without_tail(raw[at + 1 : found.start() if found else len(raw)])
        self._writer.text(":")
        self._writer.address(rest)
        return at + 1 + len(rest)

    # When time is up

    def release(self, raw: str) -> int:
        """Pass on the construct that waits at the beginning of `raw`; return its length."""
        if self._code.open:
            return self._code.go_on(raw, 0, False)
        if self._writer.head_has_pipe and not self._writer.outline.line and raw[0] in "|:-":
            self._writer.text("\\")
        self._code.prose_line = True
        match raw[0]:
            case "`":
                return self._code.release(raw)
            case "[":
                self._writer.text("[")
                return 1
            case "&":
                self._writer.text("&amp;")
                return 1
            case "\\":
                self._writer.text("\\\\")
                return 1
            case "!" | "~" | "<":
                self._writer.text(raw[0])
                return 1
            case ":" if not raw.startswith("://"):
                length = 2 if raw.startswith(":/") else 1
                self._writer.text(raw[:length])
                return length
            case "@" if len(raw) == 1:
                # The host may follow, and must not be joined to the name any more.
                self._writer.text("@ ")
                return 1
            case "@" | ":":
                self._writer.text(raw[0])
                self._code.begin_address(raw[1:])
                return len(raw)
        if SPECIAL.match(raw) is not None:
            found = ADDRESS_END.search(raw)
            stop = found.start() if found else len(raw)
            self._code.begin_address(raw[:stop])
            return stop
        return self._release_word(raw)

    def _release_word(self, raw: str) -> int:
        found = _WORD.match(raw)
        length = max(1, found.end() if found else 1)
        if shaped(raw[:length].strip()) is not None:
            self._verifier.struck(raw[:length])
        self._writer.text(raw[:length])
        return length


def _looks_like_citation(label: str) -> bool:
    found = SHAPE.finditer(label.replace("\\", ""))
    return any(shaped(one[0]) is not None for one in found)
