"""Function words of a question's language must not outweigh the words that it is about."""

from __future__ import annotations

import pytest

from bot.retrieval.ranking import question_terms
from bot.retrieval.stop_words import stop_terms
from bot.retrieval.terms import term_id, terms

QUESTIONS = {
    "Où est calculée la vitesse de lecture ?": ("vitesse", "est la de ou"),
    "Wo wird der Preis einer Bestellung berechnet?": ("Bestellung", "wo wird der einer"),
    "¿Dónde se eligen los proxies de las variables?": ("proxies", "donde se los de las"),
    "Onde é que o preço do pedido é calculado?": ("pedido", "onde que"),
    "Dove vengono calcolati i prezzi di un ordine": ("ordine", "dove di un"),
    "Waar wordt de cache geleegd?": ("cache", "waar wordt de"),
    "Var töms cachen när man loggar ut?": ("cachen", "var när man"),
    "Gdzie jest liczona cena zamówienia?": ("zamówienia", "gdzie jest"),
    "Sipariş nerede iptal edilir ve neden?": ("sipariş", "nerede ve neden"),
    "Giá đơn hàng được tính ở đâu?": ("hàng", "được đâu"),
    "Где считается цена заказа и почему?": ("заказа", "где почему"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_function_words_of_a_question_are_left_out(question: str) -> None:
    kept, left_out = QUESTIONS[question]
    assert set(terms(left_out)) <= stop_terms(question)
    wanted = question_terms(question)
    assert {term_id(term) for term in terms(kept)} <= set(wanted)
    assert not {term_id(term) for term in terms(left_out)} & set(wanted)


@pytest.mark.parametrize(
    "question",
    [
        "why does the man page die",
        "os.path.join in main.py",
        "com.acme.pay.Retry",
        "die() on error",
        "KeyError: 'la'",
        "Where is the EST time zone set?",
    ],
)
def test_words_of_english_and_of_code_stay(question: str) -> None:
    assert not stop_terms(question)


def test_a_word_in_a_code_span_is_meant() -> None:
    assert "die" not in stop_terms("Wo wird `die` in der Bibliothek aufgerufen?")
    assert "die" in stop_terms("Wo werden die Fehler in der Bibliothek gesammelt?")
