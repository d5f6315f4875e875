"""Reads the text of snippets that people attach, from Slack's own hosts and nowhere else."""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp

from bot.answer.question import File

SLACK_FILES = "files.slack.com"
BYTES_PER_CHARACTER = 4


class SlackSnippets:
    """`bot.answer.interfaces.Snippets`. The bot's token goes to Slack's hosts only."""

    def __init__(self, session: aiohttp.ClientSession, token: str, api_url: str) -> None:
        self._session = session
        self._token = token
        own = urlsplit(api_url)
        self._own = (own.scheme, own.netloc)

    def __repr__(self) -> str:
        return f"<SlackSnippets from {self._own[1]}>"

    async def text(self, file: File, limit: int) -> str | None:
        """Return at most `limit` characters, or None where the file cannot be read."""
        if file.url is None or not self._is_slacks(file.url):
            return None
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            # A redirect could carry the token to another host.
            async with self._session.get(
                file.url, headers=headers, allow_redirects=False
            ) as response:
                if response.status != 200 or response.content_type == "text/html":
                    return None
                raw = await _first_bytes(response, limit * BYTES_PER_CHARACTER)
        except (TimeoutError, aiohttp.ClientError, OSError):
            return None
        return raw.decode("utf-8", "replace")[:limit]

    def _is_slacks(self, url: str) -> bool:
        parts = urlsplit(url)
        if (parts.scheme, parts.netloc) == self._own:
            return True
        return parts.scheme == "https" and parts.hostname == SLACK_FILES


async def _first_bytes(response: aiohttp.ClientResponse, limit: int) -> bytes:
    read = bytearray()
    async for chunk in response.content.iter_any():
        read += chunk
        if len(read) >= limit:
            break
    return bytes(read[:limit])
