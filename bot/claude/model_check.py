"""Tries out one model on one server: what it accepts, and whether warmth works there.

Sends a warm-up of a made-up prefix just long enough to be cached, then a question on it, so it
costs a fraction of a cent (on the dearest models, a few cents).
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from bot.claude.cache_check import COVERED, WarmResult
from bot.claude.client import ClaudeClient
from bot.claude.events import Label
from bot.claude.models import Capabilities, ModelSettings, settle
from bot.claude.prefix import Prefix
from bot.claude.prices import cost, is_priced
from bot.claude.providers.cache_facts import CacheFacts
from bot.claude.providers.probe import made_up_prefix
from bot.claude.providers.table import Provider
from bot.claude.request import question_request
from bot.claude.stream import Ended
from bot.stored import dump

_QUESTION = [{"role": "user", "content": "Reply with the single word: ready"}]


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """Findings about one model at one provider.

    Seconds run from sending to the first event of the reply. `ignored` is the sentence to show if
    the provider ignores cache markers.
    """

    capabilities: Capabilities
    settings: ModelSettings
    provider: Provider
    facts: CacheFacts
    ignored: str
    priced: bool
    warmed: WarmResult
    read: int
    cold_seconds: float
    warm_seconds: float
    usd: float

    @property
    def works(self) -> bool:
        """Whether the question read what the warm-up had put into the cache."""
        return self.warmed.complete and self.read >= COVERED * self.warmed.tokens

    @property
    def problems(self) -> tuple[str, ...]:
        """Problems to know before relying on this model, a sentence each."""
        model, found = self.settings.model, []
        if not self.capabilities.known:
            found.append(
                f"The server does not say what {model} accepts, so its window is taken to be "
                f"{self.capabilities.max_input_tokens} tokens and thinking is left to it."
            )
        if not self.priced:
            found.append(
                f"The price of {model} is not in the list, so the dearest of its family counts "
                "against the money caps."
            )
        if not self.facts.caches:
            found.append(self.ignored)
        elif not self.warmed.complete:
            found.append(f"The warm-up left the prefix cold: {self.warmed.missed}.")
        elif not self.works:
            found.append(
                f"The question read {self.read} of {self.warmed.tokens} warmed tokens: something "
                "between here and the model changes requests or spreads them over several caches."
            )
        if self.facts.lives == ("5m",):
            found.append(
                f"Cache entries of {model} live 5 minutes at most here, so no warm-up asks for an"
                " hour."
            )
        return tuple(found)

    def __repr__(self) -> str:
        state = "warmth works" if self.works else "warmth does not work"
        return f"<ModelCheck of {self.settings.model}: {state}, {len(self.problems)} problems>"

    def as_json(self) -> dict[str, Any]:
        """Return the findings for machines."""
        return {
            "model": self.settings.model,
            "provider": self.provider.name,
            "lives": list(self.facts.lives),
            "max_tokens_0": self.facts.zero,
            "works": self.works,
            "problems": list(self.problems),
            "settings": dump(self.settings),
            "max_input_tokens": self.capabilities.max_input_tokens,
            "max_tokens": self.capabilities.max_tokens,
            "warmed_tokens": self.warmed.tokens,
            "read_tokens": self.read,
            "cold_seconds": self.cold_seconds,
            "warm_seconds": self.warm_seconds,
            "usd": self.usd,
        }


async def check_model(client: ClaudeClient, model: str, salt: str) -> ModelCheck:
    """Warm a prefix that was never used, ask on it, and report. Raises `ClaudeError`.

    `salt` must be new each time, or an entry of the last probe would pass for a warm-up's work.
    """
    model = client.full_name(model)
    capabilities = await client.capabilities(model)
    settings = settle(capabilities, max_tokens=64)
    _, probe_usd = await client.probe_cache_facts(settings)
    prefix = made_up_prefix(capabilities, settings, salt)
    warmed = await client.warm(prefix, label=Label("warm"))
    ended, seconds, usd = await _ask(client, prefix)
    return ModelCheck(
        capabilities=capabilities,
        settings=settings,
        provider=client.provider(model),
        facts=client.cache_facts(model),
        ignored=client.ignored_sentence(model),
        priced=is_priced(settings.model),
        warmed=warmed,
        read=ended.usage.cache_read,
        cold_seconds=warmed.seconds,
        warm_seconds=seconds,
        usd=probe_usd + warmed.usd + usd,
    )


async def _ask(client: ClaudeClient, prefix: Prefix) -> tuple[Ended, float, float]:
    request = question_request(prefix, "5m", _QUESTION)
    sent = client.now()
    async with aclosing(client.stream(request, label=Label("question"))) as events:
        heard = [event async for event in events]
    ended = heard[-1]
    assert isinstance(ended, Ended)
    return ended, ended.started_at - sent, cost(prefix.model, ended.usage)
