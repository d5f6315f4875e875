"""Processes that answer questions from the store until they are killed: `kill_worker.py URL`.

For each line on stdin, a seed, one is forked off, since importing takes longer than its life; its
process id is printed once it works.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time

from bot.answer.interfaces import SavedAnswer
from bot.store.errors import LeaseLost, StoreError
from bot.store.store import Store
from bot.telemetry.interfaces import Line

LEASE = 0.4


async def answer(store: Store, id: str, owner: str, chance: random.Random, number: int) -> None:
    """Do what an answer does, with pauses in which a kill or a takeover may fall."""
    inbox = store.inbox
    await inbox.note_message(id, owner, f"{owner}.{number}")
    await asyncio.sleep(chance.uniform(0, 0.15))
    await inbox.renew([id], owner, LEASE)
    await inbox.save_answer(id, owner, SavedAnswer(id, "", (), (), "answered"))
    await asyncio.sleep(chance.uniform(0, 0.05))
    await inbox.finish(id, owner, "answered")
    await store.journal.append(owner, [Line(number, time.time(), "Finished", f'"{id}"')])


async def work(url: str, seed: int) -> None:
    store, chance = await Store.open(url, now=time.time), random.Random(seed)
    owner, number = f"{os.getpid()}-{seed}", 0
    os.write(1, f"{os.getpid()}\n".encode())
    while True:
        try:
            for claimed in await store.inbox.claim_expired(owner, LEASE, 2):
                number += 1
                try:
                    await answer(store, claimed.id, owner, chance, number)
                except LeaseLost:
                    continue
        except StoreError:
            continue
        await asyncio.sleep(0.02)


def serve(url: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork() == 0:
            try:
                asyncio.run(work(url, int(line)))
            finally:
                os._exit(1)


if __name__ == "__main__":
    serve(sys.argv[1])
