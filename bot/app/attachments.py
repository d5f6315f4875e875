"""Fetch the bytes of attached files, from Slack's own hosts and nowhere else."""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.answer.interfaces import FetchedFile
from bot.answer.question import File, file_of

log = structlog.get_logger(__name__)

SLACK_FILES = "files.slack.com"
SCOPE = "files:read"
NO_SCOPE = "my Slack app lacks the permission files:read"
NOT_GIVEN = "Slack did not give it to me"
ELSEWHERE = "it is not stored in Slack"


class SlackAttachments:
    """`bot.answer.interfaces.Attachments`. The client's token goes to Slack's hosts only.

    `may_read` says whether the installation granted the scope `files:read`. Without it, only the
    previews that Slack sends along are known.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        session: aiohttp.ClientSession,
        api_url: str,
        *,
        may_read: bool = True,
    ) -> None:
        self._client = client
        self._session = session
        self._may_read = may_read
        own = urlsplit(api_url)
        self._own = (own.scheme, own.netloc)

    async def fetch(self, file: File, limit: int) -> FetchedFile:
        """Return at most `limit` bytes of a file, or the problem why there are none."""
        if not self._may_read:
            return FetchedFile(file, problem=NO_SCOPE)
        if file.stub:
            file = await self._resolved(file)
        if file.url is None:
            return FetchedFile(file, problem=NOT_GIVEN)
        if not self._is_slacks(file.url):
            return FetchedFile(file, problem=ELSEWHERE)
        headers = {"Authorization": f"Bearer {self._client.token or ''}"}
        try:
            # A redirect could carry the token to another host.
            async with self._session.get(
                file.url, headers=headers, allow_redirects=False, proxy=self._client.proxy
            ) as response:
                if response.status != 200 or self._is_sign_in(file, response):
                    log.info("file_not_given", file=file.id, status=response.status)
                    return FetchedFile(file, problem=NOT_GIVEN)
                data = await _first_bytes(response, limit + 1)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            log.info("file_not_fetched", file=file.id, why=type(error).__name__)
            return FetchedFile(file, problem=NOT_GIVEN)
        return FetchedFile(file, data=data[:limit], whole=len(data) <= limit)

    async def _resolved(self, file: File) -> File:
        """Return a stub's facts, which Slack gives for a file of another organisation."""
        try:
            found = (await self._client.files_info(file=file.id)).get("file")
        except (SlackApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("file_not_resolved", file=file.id, why=type(error).__name__)
            return file
        return file_of(found) if isinstance(found, dict) else file

    def _is_slacks(self, url: str) -> bool:
        """Tell whether an address is on Slack's own host, at the usual port, with no user."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return (parts.scheme, parts.netloc.lower()) in (self._own, ("https", SLACK_FILES))

    @staticmethod
    def _is_sign_in(file: File, response: aiohttp.ClientResponse) -> bool:
        """Tell Slack's page for signing in, which it gives without permission, from a file."""
        if response.content_type != "text/html":
            return False
        is_html = file.name.lower().endswith((".html", ".htm")) or file.kind == "text/html"
        return not is_html or bool(file.size and response.content_length != file.size)


async def _first_bytes(response: aiohttp.ClientResponse, limit: int) -> bytes:
    read = bytearray()
    async for chunk in response.content.iter_any():
        read += chunk
        if len(read) >= limit:
            break
    return bytes(read[:limit])
