"""Thinking and effort decide both whether a request is accepted and how long a user stares."""

from __future__ import annotations

from typing import Any

import pytest

from bot.claude.models import (
    Capabilities,
    ModelSettings,
    SettingError,
    from_model_info,
    least_thinking,
    listed,
    settle,
)
from bot.claude.prices import priced_models


def info(thinking: dict[str, bool], effort: dict[str, bool], **more: Any) -> dict[str, Any]:
    """Return an object as the Models API gives it."""
    return {
        "id": "claude-x",
        "type": "model",
        "max_input_tokens": 1_000_000,
        "max_tokens": 128_000,
        "capabilities": {
            "thinking": {
                "supported": True,
                "types": {kind: {"supported": yes} for kind, yes in thinking.items()},
            },
            "effort": {
                "supported": any(effort.values()),
                **{level: {"supported": yes} for level, yes in effort.items()},
            },
        },
        **more,
    }


@pytest.mark.parametrize(
    ("model", "least"),
    [
        ("claude-opus-5-5", ("adaptive", "low")),
        ("claude-fable-5-2", ("adaptive", "low")),
        ("claude-sonnet-5-5", ("between_tools", "low")),
        ("claude-haiku-5-5", ("disabled", None)),
        ("claude-opus-5", ("disabled", None)),
        ("claude-sonnet-4-6", ("disabled", None)),
        ("claude-haiku-4-5", ("disabled", None)),
        ("smollm2-135m-instruct", (None, None)),
        ("claude-of-tomorrow", (None, None)),
    ],
)
def test_the_least_thinking_of_each_model(model: str, least: tuple[str | None, str | None]) -> None:
    """`disabled` where accepted, else between tools, else adaptive; unknown models get neither."""
    assert least_thinking(listed(model)) == least


@pytest.mark.parametrize("model", priced_models())
def test_every_priced_model_has_limits(model: str) -> None:
    """A model that can be paid for must not run with the windows of a stranger."""
    assert listed(model).known
    assert listed(model).cacheable >= 512


def test_the_models_api_overrules_our_list() -> None:
    """The server knows its models better than a file of ours does."""
    said = info({"adaptive": True, "disabled": True}, {"low": True, "high": True})
    capabilities = from_model_info("claude-sonnet-5-5", said)
    assert capabilities.thinking == {"adaptive", "disabled"}
    assert capabilities.effort == ("low", "high")
    assert (capabilities.max_input_tokens, capabilities.max_tokens) == (1_000_000, 128_000)


def test_a_model_with_all_effort_levels_unsupported_has_none() -> None:
    """Effort sent to such a model is refused, and every question with it."""
    said = info({"enabled": True, "disabled": True}, {"low": False, "medium": False})
    assert from_model_info("claude-haiku-4-5", said).effort == ()


@pytest.mark.parametrize(
    "empty",
    [
        {},
        {"capabilities": None, "max_input_tokens": None, "max_tokens": None},
        {"capabilities": {}, "max_input_tokens": 0},
        {"capabilities": {"thinking": None, "effort": None}},
        {"capabilities": {"thinking": {"types": {}}, "effort": {}}},
        {"capabilities": ["completion"], "max_tokens": "many"},
    ],
)
def test_empty_fields_get_what_the_list_knows(empty: dict[str, Any]) -> None:
    """Gateways answer the Models API with half an object; the bot must run all the same."""
    assert from_model_info("claude-sonnet-5-5", empty) == listed("claude-sonnet-5-5")
    unknown = from_model_info("some-model", empty)
    assert unknown == listed("some-model")
    assert not unknown.known
    assert least_thinking(unknown) == (None, None)


def test_llama_cpp_states_its_window() -> None:
    """Its objects have no capabilities, but the window decides how much code fits."""
    capabilities = from_model_info("smollm2", {"id": "smollm2", "meta": {"n_ctx": 8192}})
    assert capabilities == Capabilities("smollm2", 8192, 8192)


def test_wishes_that_the_model_accepts_are_sent() -> None:
    """The values of a context's file must not be replaced without a word."""
    opus = listed("claude-opus-5")
    assert settle(opus, thinking="adaptive", effort="xhigh", max_tokens=9) == ModelSettings(
        "claude-opus-5", "adaptive", "xhigh", 9
    )
    assert settle(opus, effort="medium") == ModelSettings("claude-opus-5", "disabled", "medium")


def test_least_takes_low_effort_unless_one_is_wished_for() -> None:
    """On Sonnet 5.5 the built-in default is high: a user would wait for it."""
    sonnet = listed("claude-sonnet-5-5")
    assert settle(sonnet) == ModelSettings("claude-sonnet-5-5", "between_tools", "low")
    assert settle(sonnet, effort="high").effort == "high"


@pytest.mark.parametrize(
    ("model", "wish", "key"),
    [
        ("claude-opus-5-5", {"thinking": "disabled"}, "thinking"),
        ("claude-sonnet-5-5", {"thinking": "disabled"}, "thinking"),
        ("claude-opus-5", {"thinking": "enabled"}, "thinking"),
        ("claude-opus-5", {"thinking": "sometimes"}, "thinking"),
        ("claude-opus-5", {"effort": "enormous"}, "effort"),
        ("claude-haiku-5-5", {"thinking": "disabled", "effort": "max"}, "effort"),
        ("claude-sonnet-5-5", {"effort": "xhigh"}, "effort"),
    ],
)
def test_a_wish_the_model_refuses_is_one_clear_sentence(
    model: str, wish: dict[str, str], key: str
) -> None:
    """Better at start, naming the key and what is accepted, than as a 400 under each question."""
    with pytest.raises(SettingError) as raised:
        settle(listed(model), **wish)  # type: ignore[arg-type]  # a context's words are any
    sentence = raised.value.user_message
    assert raised.value.key == key
    assert model in sentence
    assert wish[key] in sentence
    assert raised.value.accepted
    assert all(f'"{choice}"' in sentence for choice in raised.value.accepted)


def test_models_without_effort_or_thinking_are_never_sent_any() -> None:
    """A context moved to a local model keeps its file; the server would refuse the fields."""
    local = listed("smollm2-135m-instruct")
    sent = settle(local, thinking="adaptive", effort="low", max_tokens=9)
    assert sent == ModelSettings("smollm2-135m-instruct", None, None, 9)
    assert settle(listed("claude-haiku-4-5"), effort="low").effort is None


def test_an_answer_is_never_longer_than_the_model_can_write() -> None:
    """`max_tokens` above the model's cap is a 400; a small window must not be filled by it."""
    assert settle(Capabilities("m", 200_000, 2_048), max_tokens=4_096).max_tokens == 2_048
    assert settle(Capabilities("m", 8_192, 8_192), max_tokens=4_096).max_tokens == 1_024
    assert settle(listed("claude-opus-5-5"), max_tokens=4_096).max_tokens == 4_096


def test_capabilities_say_where_they_are_guesses() -> None:
    """A reader of the log must see that a window was assumed."""
    assert repr(listed("claude-sonnet-5-5")) == (
        "<Capabilities of claude-sonnet-5-5: 1000000 in, 128000 out, "
        "thinking between_tools, adaptive>"
    )
    assert repr(listed("mystery")) == (
        "<Capabilities of mystery: 200000 in, 8192 out, thinking none sent, by default>"
    )


def test_pictures_are_sent_to_models_that_read_them_only() -> None:
    assert listed("claude-sonnet-5-5").images
    assert not listed("llama-3").images
    told = {"capabilities": {"image_input": {"supported": True}}}
    assert from_model_info("llama-3", told).images
    told = {"capabilities": {"image_input": {"supported": False}}}
    assert not from_model_info("claude-sonnet-5-5", told).images
    assert from_model_info("claude-sonnet-5-5", {}).images
