"""`forewarm serve`: the bot, against Slack."""

from __future__ import annotations

import asyncio
import signal
import sys

SWITCH_SECONDS = 0.001
"""Seconds that a thread may compute while the event loop waits for the interpreter's lock.

With Python's 5 ms, six look-ups at once made the event loop wait for tenths of a second.
"""


def serve() -> None:
    """Run the bot: HTTP on $PORT, or Socket Mode if SLACK_APP_TOKEN is set."""
    from bot.garbage_collection import imports_set_aside, set_aside_start_up

    with imports_set_aside():
        from bot.app.bot import Bot
        from bot.app.home_folder import held_by_this_process
        from bot.settings import read_settings, require_network, require_slack
        from bot.telemetry.logs import configure

    sys.setswitchinterval(SWITCH_SECONDS)
    settings = read_settings()
    require_slack(settings)
    require_network()
    configure(settings.log_level)

    async def run() -> None:
        bot = Bot(settings)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await bot.start()
        set_aside_start_up()
        try:
            await stop.wait()
        finally:
            await bot.stop()

    with held_by_this_process(settings):
        asyncio.run(run())
