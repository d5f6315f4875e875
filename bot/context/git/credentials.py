"""Tokens for private repositories: from the environment, per host, to git alone.

git asks a helper that is given on its command line and prints two environment variables; so the
token is in no argument, no URL, no file and no log, and git offers it to its own host only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bot.context.git.urls import RepositoryUrl

PREFIX = "FOREWARM_GIT_TOKEN_"
_LOOPBACK = {"localhost", "127.0.0.1"}
_DEFAULT_USER = "x-access-token"
_HELPER = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" '
    '"$FOREWARM_GIT_USER" "$FOREWARM_GIT_PASSWORD"; }; f'
)


@dataclass(frozen=True)
class Tokens:
    """Tokens by the variable they came from. A value may be `user:token`. Shown by name only."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Tokens:
        """Take every `FOREWARM_GIT_TOKEN_<HOST>`: see `RepositoryUrl.token_variable`."""
        return cls({name: value for name, value in environ.items() if name.startswith(PREFIX)})

    def options(self, url: RepositoryUrl) -> list[str]:
        """Return the options that make git ask for credentials nowhere but here."""
        options = ["-c", "credential.helper="]
        if url.scheme == "https" and self._of(url):
            port = "" if url.port is None else f":{url.port}"
            options += ["-c", f"credential.https://{url.host}{port}.helper={_HELPER}"]
        return options

    def environment(self, url: RepositoryUrl) -> dict[str, str]:
        """Return what the helper prints. It belongs into git's environment and nowhere else."""
        token = self._of(url) if url.scheme == "https" else ""
        if not token:
            return {}
        user, found, password = token.partition(":")
        if not found:
            user, password = _DEFAULT_USER, token
        return {"FOREWARM_GIT_USER": user, "FOREWARM_GIT_PASSWORD": password}

    def redacted(self, text: str) -> str:
        """Return the text without any token, should a server have sent one back."""
        known = {
            part for value in self.values.values() for part in (value, value.partition(":")[2])
        }
        for secret in sorted(known - {""}, key=len, reverse=True):
            text = text.replace(secret, "[token]")
        return text

    def _of(self, url: RepositoryUrl) -> str:
        found = self.values.get(url.token_variable, "")
        if not found and url.host in _LOOPBACK:
            # Every port of this machine is this machine's.
            found = self.values.get(replace(url, port=None).token_variable, "")
        return found
