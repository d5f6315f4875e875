"""Words of a question must meet the words of the code, in any script and naming style."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.retrieval.terms import count_terms, stem, term_id, terms


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("validation", "validated"),
        ("allocations", "allocator"),
        ("parsing headers", "parse_header"),
        ("serialization", "JSONSerializer"),
        ("connections", "ConnectionPool"),
        ("retries", "maxRetry"),
        ("HTTP server", "HTTPServer"),
        ("the cache", "LRU_CACHE"),
        ("stopped", "stop"),
        ("配置文件", "读取配置"),
        ("التسجيل", "دالة التسجيل"),
        ("Größe", "größe_ändern"),
        ("configuración", "configuracion"),
        ("déjà", "DEJA_VU"),
        ("löschen", "kunde_loeschen"),
        ("löschen", "kundeLoschen"),
        ("Straße", "strasse_name"),
        ("połączenie", "polaczenie"),
        ("ba\u011flant\u0131", "baglanti"),
        ("kết nối", "kết_nối"),
        ("kết nối", "ket_noi"),
        ("r\u0065\u0301sum\u0065\u0301", "résumé"),
        ("\uff52\uff45\uff54\uff52\uff59", "retry"),
        ("ﾃﾞｰﾀ", "データベース"),
        ("ошибка Ёлки", "елки"),
        ("त्रुटि", "यह त्रुटि है"),
        ("பிழை", "பிழை செய்தி"),
        ("ข้อผิดพลาด", "แสดงข้อผิดพลาดของระบบ"),
        ("می\u200cشود", "انجام می\u200cشود"),
        ("\u110b\u1169\u1105\u1172", "오류 처리"),
    ],
)
def test_a_question_shares_a_term_with_the_code_that_it_means(question: str, code: str) -> None:
    assert set(terms(question)) & set(terms(code))


@pytest.mark.parametrize(
    "word",
    [
        "größe",
        "configuración",
        "kết",
        "ba\u011flant\u0131",
        "połączenie",
        "हिन्दी",
        "பிழை",
        "résumé",
        "λάθος",
    ],
)
def test_a_word_in_a_script_with_spaces_is_one_term(word: str) -> None:
    """Pieces of words meet the pieces of any other word."""
    assert len({term for term in terms(word) if "oe" not in term}) == 1


@pytest.mark.parametrize("name", ["parse_header", "parseHeader", "ParseHeader", "PARSE_HEADER"])
def test_an_identifier_counts_as_a_whole_and_by_its_parts(name: str) -> None:
    found = set(terms(name))
    assert {"pars", "head"} <= found
    assert any(term.startswith("=parse") for term in found)


def test_common_words_and_single_letters_are_no_terms() -> None:
    assert not list(terms("what is the a of x"))


def test_a_run_of_letters_that_is_data_holds_no_terms() -> None:
    assert not list(terms("A1b2" * 200))


@given(st.text())
def test_any_text_can_be_counted(text: str) -> None:
    for term, count in count_terms(text).items():
        assert count > 0
        assert 0 <= term_id(term) < 2**32


@given(st.from_regex(r"[a-z]{1,30}", fullmatch=True))
def test_a_stem_is_the_beginning_of_its_word(word: str) -> None:
    assert word.startswith(stem(word))
    assert stem(word)
