"""Decide whether a thread reply that does not mention the bot is a question to it. Pure.

A wrong yes interrupts a conversation between people and costs a request. A wrong no costs the
author one mention. So a reply counts only if something speaks for a question and nothing speaks
for a conversation between people. In doubt the answer is no.

The steps: remove code, addresses and quotations; split into sentences; find the sentences that
ask, by a question mark of any script or by their first words; drop the reply if a sentence speaks
to a person. `question_words.toml` holds the words of each language.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from bot.slack.events.question_words import ENGLISH, LANGUAGES, SHARED, Language

# The question marks of all scripts. The Armenian one, U+055E, stands inside a word.
_MARKS = "?\u00bf\u055e\u061f\u1367\u1945\u203d\u2047\u2048\u2049\u2753\u2754\u2cfa\u2cfb\u2e2e"
_MARKS += "\u2e54\ua60f\ua6f7\ufe16\ufe56\uff1f\U00011143"
_GREEK_MARK = "\u037e"
# Full stops: Latin, ellipsis, ideographic, Armenian, Devanagari, Ethiopic.
_STOPS = ".\u2026\u3002\u0589\u0964\u1362"
_EXCLAMATIONS = "!\uff01\u055c"
_ENDS = f"{_MARKS}{_STOPS}{_EXCLAMATIONS}; "

_READ_CHARACTERS = 1_000
"""Characters that are read at each end of a long reply."""
_SENTENCE_CHARACTERS = 200
"""Characters that are read at each end of a long sentence."""
_SHORT_WORDS = 4
_SHORT_IDEOGRAPHS = 3
_CONTINUING_SENTENCES = 3
_THANKS_CHARACTERS = 40

_FENCE = re.compile(r"(```|~~~).*?(?:\1|\Z)", re.DOTALL)
_INLINE_CODE = re.compile(r"(`+)(?!`)[^\n]*?(?<!`)\1(?!`)")
_ADDRESS = re.compile(r"<?\b(?:[a-z][a-z0-9+.-]{1,15}://|www\.|mailto:)[^\s<>]*>?", re.IGNORECASE)
_QUOTED_LINE = re.compile(r"^[ \t]*(?:>|&gt;).*$", re.MULTILINE)
_QUOTED_TEXT = re.compile(
    '"[^"\n]*"|\u201c[^\u201d\n]*\u201d|\u201e[^\u201c\u201d\n]*[\u201c\u201d]'
    "|\u00ab[^\u00bb\n]*\u00bb|\u300c[^\u300d\n]*\u300d|\u300e[^\u300f\n]*\u300f"
)
_EMOJI = re.compile(r":[a-z0-9_+'-]+(?:::skin-tone-\d)?:", re.IGNORECASE)
_MENTION = re.compile(r"(?<!\w)[@#][\w.-]+(?: \([UWCB][A-Z0-9]+\))?")
# `ok ? 1 : 0`, `a ?? b`, `a?.b`, `*.?`, `colou?r`, `x: Int? = 0`, `id = ?`: a question mark in code
# that has no backticks.
_OPERATOR = re.compile(
    r"\S+ \? [^?:\n]{1,60} : \S+|\S+ \?\?=? \S+|[a-z0-9]\?\.?[a-z0-9]\S*|\S*[*\\/=&(\[]\?\S*"
    r"|\w+\? ?[=>)\]}]|[=<>(,] \?|\b(?:int|bool|string|long|double|float|char)\?",
    re.IGNORECASE | re.ASCII,
)
# A formula of politeness that names "you" speaks to no person in particular.
_POLITE_YOU = re.compile(r"s'il (?:te|vous) pla[i\u00ee]t", re.IGNORECASE)
_ARABIC_VOWELS = re.compile("[\u064b-\u0652]")
_CODE = "`"
_OBJECT = "\ufffc"

_SENTENCE = re.compile(
    rf".+?(?:[{_MARKS}{_STOPS}{_EXCLAMATIONS}]+[\"')\]*_\u00bb\u201d]*(?=\s|$)"
    rf"|(?<=[\uff1f\u3002\uff01?!])(?=\S)|\n|$)",
)
_MARKED = re.compile(f"[{_MARKS}]")
_GREEK = re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]")
# Scripts that write no spaces between words: Thai to Burmese, Khmer, Chinese, Japanese, Korean.
_IDEOGRAPHS = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
)
_FIRST_WORD = re.compile(r"\w+")
_SHORT_LISTS = frozenset({"hebrew", "hindi", "armenian", "ethiopic", "thai", "other_latin"})
_NAME_FIRST = re.compile(
    r"(?:(?:[Hh]ey|[Hh]i|[Hh]allo|[Hh]ola|[Cc]iao)\s+)?[A-Z][a-z\u00e0-\u00ff]+,\s"
)


def is_question(text: str, *, by_asker: bool) -> bool:
    """Tell whether a reply asks the bot.

    `text` is what a person reads, with backticks around code. `by_asker` says that the author has
    asked the bot in this thread. Then a request or a fragment that goes on from the answer counts
    too.
    """
    prose = _prose(text)
    if not any(character.isalnum() for character in prose):
        # The asker adds a log or a piece of code to the question.
        return by_asker and _FENCE.search(text) is not None
    languages = _languages(prose)
    sentences = _sentences(prose)
    if any(_asks(sentence, languages) for sentence in sentences):
        spoken = _no_less_likely(languages, prose, _hits(ENGLISH, prose))
        return not any(_is_for_people(sentence, spoken, by_asker) for sentence in sentences)
    return by_asker and _continues(sentences, _likely(languages, prose))


def is_thanks(text: str) -> bool:
    """Tell whether a message only thanks or acknowledges, so that an answer would be odd."""
    prose = _prose(text)
    if not any(character.isalnum() for character in prose):
        # Emoji alone, but neither code nor an address.
        return not {_CODE, _OBJECT} & set(prose)
    if len(prose) > _THANKS_CHARACTERS or any(_is_marked(s) for s in _sentences(prose)):
        return False
    languages = _languages(prose)
    lowered, bare = prose.lower(), _bare(prose)
    if SHARED.technical.search(bare) or SHARED.report.search(lowered):
        return False
    if any(_opens(language, bare) for language in languages):
        return False
    return any(language.thanks.search(lowered) for language in languages)


def _prose(text: str) -> str:
    """Return the author's own words, with a sign in place of code, addresses and quotations."""
    # Normalisation turns the Greek question mark into a semicolon.
    text = unicodedata.normalize("NFC", text.replace(_GREEK_MARK, "?")).replace("\u2019", "'")
    if len(text) > 2 * _READ_CHARACTERS:
        text = f"{text[:_READ_CHARACTERS]}\n{text[-_READ_CHARACTERS:]}"
    for pattern in (_FENCE, _INLINE_CODE):
        text = pattern.sub(f" {_CODE} ", text)
    for pattern in (_QUOTED_LINE, _EMOJI, _MENTION):
        text = pattern.sub(" ", text)
    for pattern in (_ADDRESS, _QUOTED_TEXT, _OPERATOR):
        text = pattern.sub(f" {_OBJECT} ", text)
    text = _POLITE_YOU.sub("svp", text)
    # Arabic vowel signs are optional in writing.
    return _ARABIC_VOWELS.sub("", text).strip()


def _languages(prose: str) -> Sequence[Language]:
    """Return the languages that the text may be in, all of them if it is too short to tell."""
    hits = [(_hits(language, prose), language) for language in LANGUAGES]
    most = max(count for count, _ in hits)
    if most <= 1:
        return LANGUAGES
    return [words for count, words in hits if count and (count >= most - 1 or words.by_script)]


def _likely(languages: Sequence[Language], prose: str) -> Sequence[Language]:
    """Return the languages that a text is likelier in than in English.

    A word of one letter tells little: "I" and "a" open English sentences, and mean "and" elsewhere.
    """
    english = _hits(ENGLISH, prose)
    first = _FIRST_WORD.search(prose)
    least = max(2, english + 1) if first is not None and len(first[0]) == 1 else english
    return _no_less_likely(languages, prose, least)


def _no_less_likely(languages: Sequence[Language], prose: str, least: int) -> Sequence[Language]:
    """Return English and the languages of which a text has at least so many words.

    A word of one language is often another word in English: "size" means "to you" in Turkish.
    """
    return [
        language
        for language in languages
        if language is ENGLISH or language.by_script or _hits(language, prose) >= least
    ]


def _hits(language: Language, prose: str) -> int:
    """Return how many frequent words of a language a text has."""
    return len(language.known_by.findall(prose))


def _sentences(prose: str) -> list[str]:
    """Return the sentences with their end marks, long ones without their middle."""
    found = (match.group().strip() for match in _SENTENCE.finditer(prose))
    return [_ends_of(sentence) for sentence in found if sentence]


def _ends_of(sentence: str) -> str:
    """Some word lists take time with the square of a sentence's length."""
    if len(sentence) <= 2 * _SENTENCE_CHARACTERS:
        return sentence
    return f"{sentence[:_SENTENCE_CHARACTERS]} {sentence[-_SENTENCE_CHARACTERS:]}"


def _bare(sentence: str) -> str:
    """Return a sentence in lower case, without end marks and without words that only lead in."""
    return SHARED.leading.sub("", sentence.lower().strip().rstrip(_ENDS), count=1)


# --- what speaks for a question -----------------------------------------------------------------


def _asks(sentence: str, languages: Sequence[Language]) -> bool:
    """Tell whether a sentence asks, of the bot or of a person.

    An imperative or an auxiliary verb is no question before "." or "!": "Will do!".
    """
    if _is_marked(sentence):
        return True
    bare = _bare(sentence)
    if _is_closed(sentence) or ":" in bare:
        return False
    return any(_opens(language, bare) for language in languages)


def _is_marked(sentence: str) -> bool:
    if _MARKED.search(sentence):
        return True
    # Greek is mostly typed with the Latin semicolon for a question mark.
    return sentence.endswith(";") and _GREEK.search(sentence) is not None


def _is_closed(sentence: str) -> bool:
    return sentence.rstrip("\"')*_\u00bb\u201d ").endswith(tuple(_STOPS + _EXCLAMATIONS))


def _opens(language: Language, bare: str) -> bool:
    patterns = (language.opening, language.request, language.capable)
    return any(pattern.match(bare) for pattern in patterns)


def _continues(sentences: Sequence[str], languages: Sequence[Language]) -> bool:
    """Tell whether the asker's sentences, none of which asks, go on from the answer."""
    if len(sentences) > _CONTINUING_SENTENCES:
        return False
    if any(_ends_the_talk(sentence, languages) for sentence in sentences):
        return False
    bares = [_bare(sentence) for sentence in sentences]
    requested = any(language.request.match(bare) for bare in bares for language in languages)
    closed = _is_closed(sentences[-1])
    for sentence in sentences:
        lowered = sentence.lower().rstrip(_STOPS + _EXCLAMATIONS + " ")
        if closed and not (requested or SHARED.report.search(lowered)):
            continue
        if any(language.follow_up.match(lowered) for language in languages):
            return True
    return False


def _ends_the_talk(sentence: str, languages: Sequence[Language]) -> bool:
    """Tell whether the asker thanks, tells of plans or speaks to a person."""
    lowered, bare = sentence.lower(), _bare(sentence)
    if _speaks_to_a_name(sentence):
        return True
    if SHARED.plan.search(lowered) and not SHARED.report.search(lowered):
        return True
    return any(
        language.thanks.search(lowered)
        or language.personal.search(lowered)
        or language.reaction.fullmatch(bare)
        for language in languages
    )


# --- what speaks against it ---------------------------------------------------------------------


def _is_for_people(sentence: str, languages: Sequence[Language], by_asker: bool) -> bool:
    """Tell whether a sentence speaks to a colleague, or says too little to tell."""
    lowered, bare = sentence.lower(), _bare(sentence) or sentence.lower().strip(_ENDS)
    if _speaks_to_a_name(sentence):
        return True
    if any(language.reaction.fullmatch(bare) for language in languages):
        return not (by_asker and _is_marked(sentence))
    if _is_marked(sentence) and SHARED.statement.match(bare):
        return not by_asker
    if _is_personal(lowered, bare, languages):
        return not (by_asker and SHARED.about_the_answer.search(lowered))
    if _is_teamwork(bare):
        return True
    if by_asker or not _is_marked(sentence):
        return False
    if _CODE in sentence:
        return False
    return _is_fragment(lowered.strip(_ENDS), languages) or not _is_about_code(bare, languages)


def _speaks_to_a_name(sentence: str) -> bool:
    return bool(_NAME_FIRST.match(sentence)) and not SHARED.no_name.match(sentence)


def _is_personal(lowered: str, bare: str, languages: Sequence[Language]) -> bool:
    if any(language.capable.search(lowered) for language in languages):
        return SHARED.favour.search(lowered) is not None
    return any(language.personal.search(bare) for language in languages)


def _is_teamwork(bare: str) -> bool:
    """Tell whether a sentence is about reviews and releases, and does not ask how or where."""
    if SHARED.interrogative.search(bare):
        return False
    if SHARED.reviewing.search(bare):
        return True
    return bool(SHARED.shipping.search(bare)) and not SHARED.technical.search(bare)


def _is_about_code(bare: str, languages: Sequence[Language]) -> bool:
    """Tell whether a question names a thing that code has, or asks how, where or why."""
    if SHARED.conjunction.match(bare):
        return True
    if _names_a_thing(bare) or SHARED.strong_interrogative.search(bare):
        return True
    if SHARED.interrogative.search(bare) and _is_little_known(languages):
        return True
    return any(
        language.request.match(bare) or language.capable.search(bare) for language in languages
    )


def _is_little_known(languages: Sequence[Language]) -> bool:
    """Tell whether the lists of words are too short to know talk between people by them."""
    return languages is LANGUAGES or any(one.name in _SHORT_LISTS for one in languages)


def _names_a_thing(bare: str) -> bool:
    return bool(SHARED.technical.search(bare) or SHARED.pointing.search(bare))


def _is_fragment(sentence: str, languages: Sequence[Language]) -> bool:
    """Tell whether a marked sentence says too little to know whom it asks: "lunch?"."""
    if SHARED.conjunction.match(sentence):
        return False
    bare = SHARED.leading.sub("", sentence, count=1)
    if any(_opens(language, bare) for language in languages):
        return False
    ideographs = len(_IDEOGRAPHS.findall(bare))
    if ideographs:
        return ideographs < _SHORT_IDEOGRAPHS and not _names_a_thing(bare)
    # A sentence of three words has a verb in the languages that need no pronoun.
    short = _SHORT_WORDS if list(languages) == [ENGLISH] else _SHORT_WORDS - 1
    words = len(bare.split())
    return words < 2 or (words < short and not _names_a_thing(bare))
