"""Journal records of contexts that were built or dropped."""

from __future__ import annotations

from bot.app.contexts.registry import PrefixChanged
from bot.clock import Now
from bot.telemetry.events import ContextDropped, PrefixBuilt, RepositoryAt
from bot.telemetry.journal import Journal


def note_built(journal: Journal, now: Now, move: PrefixChanged) -> None:
    """Write that a context's prefix was built, with the commits of its repositories."""
    pack, prefix = move.pack, move.new
    journal.write(
        PrefixBuilt(
            at=now(),
            prefix=prefix.key,
            fingerprint=prefix.fingerprint,
            context=move.config.name,
            model=prefix.model,
            tokens=prefix.tokens,
            files=pack.files,
            omitted=len(pack.omitted),
            seconds=move.seconds,
            size=" ".join(filter(None, (pack.size, pack.learned))),
            workspace=move.config.workspace,
            repositories=tuple(
                RepositoryAt(
                    name=state.name,
                    ref=state.ref,
                    commit=state.commit,
                    committed_at=state.committed_at,
                    stale_since=state.stale_since,
                )
                for state in pack.repositories
            ),
        )
    )


def note_dropped(journal: Journal, now: Now, context: str) -> None:
    """Write that a context was taken away."""
    journal.write(ContextDropped(at=now(), context=context))
