"""Credentials for private repositories: found for one repository, and given to git alone.

git asks a helper on its command line, which prints two environment variables. So a secret is in no
argument, no URL, no file and no log, and git offers it to the repository's host and port only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from bot.context.git.safety import SAFE_OPTIONS, hardened_environment
from bot.context.git.urls import RepositoryUrl

HOST_PREFIX = "FOREWARM_GIT_TOKEN_"
REPOSITORY_PREFIX = "FOREWARM_REPOSITORY_TOKEN_"
_LOOPBACK = {"localhost", "127.0.0.1"}
_PRINT_CREDENTIAL = (
    '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" '
    '"$FOREWARM_GIT_USER" "$FOREWARM_GIT_PASSWORD"; }; f'
)
_HELPER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Credential:
    """User and password for one host. Without a user the password is sent as a bearer token.

    `refusal` ends the sentence "HOST refused access to REPOSITORY, because ...": the likely reason
    and the fix. A `renewable` one may have expired meanwhile: if it is refused, another one is
    worth a try.
    """

    refusal: str
    user: str = ""
    password: str = field(default="", repr=False)
    renewable: bool = False

    def options(self, url: RepositoryUrl) -> list[str]:
        """Return the options that make git ask for credentials nowhere but here."""
        options = ["-c", "credential.helper="]
        if self.user and self.password:
            options += ["-c", f"credential.{_origin(url)}.helper={_PRINT_CREDENTIAL}"]
        return options

    def environment(self, url: RepositoryUrl) -> dict[str, str]:
        """Return the variables that hold the secret. They belong into git's environment alone."""
        if not self.password:
            return {}
        if self.user:
            return {"FOREWARM_GIT_USER": self.user, "FOREWARM_GIT_PASSWORD": self.password}
        return {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{_origin(url)}.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Bearer {self.password}",
        }

    def redacted(self, text: str) -> str:
        """Return the text without the secret, should a server have sent it back."""
        return text.replace(self.password, "[token]") if self.password else text


def _origin(url: RepositoryUrl) -> str:
    return f"https://{url.host}" + ("" if url.port is None else f":{url.port}")


class TokenIssuer(Protocol):
    """Issues tokens of short life for repositories of one host, such as a GitHub App."""

    def serves(self, url: RepositoryUrl) -> bool:
        """Tell whether the address is on its host and port."""

    async def credential(self, url: RepositoryUrl, repository: str) -> Credential:
        """Return a credential that is valid for a while, or one without a password.

        Raises:
            RepositoryError: it cannot issue any, for a reason that `repository` has to know.
        """

    def forget(self, url: RepositoryUrl) -> None:
        """Do not return the present credential again."""


@dataclass(frozen=True)
class Credentials:
    """Everything that an operator set to reach private repositories.

    `tokens` are the environment's, by the names of their variables; a value may be `user:token`.
    `helper` is a value for git's `credential.helper`. `known_hosts` is a file of ssh host keys.
    """

    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    issuer: TokenIssuer | None = None
    helper: str = ""
    known_hosts: Path | None = None

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str],
        *,
        issuer: TokenIssuer | None = None,
        helper: str = "",
        known_hosts: Path | None = None,
    ) -> Credentials:
        """Take every token of the environment, for a host or for a repository."""
        tokens = {
            name: value.strip()
            for name, value in environ.items()
            if name.startswith((HOST_PREFIX, REPOSITORY_PREFIX))
        }
        return cls(tokens, issuer, helper, known_hosts)

    async def find(self, url: RepositoryUrl, token: str, repository: str) -> Credential:
        """Return the credential for a repository. Without any it has no password.

        `token` is the name of the repository's own token in its context. It comes first, then the
        issuer of the host, the token of the host, and the helper.

        Raises:
            RepositoryError: the issuer or the token that was named cannot be used.
        """
        if url.scheme != "https":
            return Credential("the bot's user may not read it: give it to that user")
        if token:
            return self._static(url, REPOSITORY_PREFIX + token)
        issued = None
        if self.issuer is not None and self.issuer.serves(url):
            issued = await self.issuer.credential(url, repository)
            if issued.password:
                return issued
        found = self._static(url, self._host_variable(url))
        if not found.password and self.helper:
            found = await self._from_helper(url)
        return found if found.password or issued is None else issued

    async def renew(self, url: RepositoryUrl, refused: Credential) -> None:
        """Drop a renewable credential that the host refused."""
        if self.issuer is not None and self.issuer.serves(url):
            self.issuer.forget(url)
        if self.helper:
            secret = f"username={refused.user}\npassword={refused.password}\n"
            await self._ask_helper("reject", url, secret)

    def _host_variable(self, url: RepositoryUrl) -> str:
        of_any_port = replace(url, port=None).token_variable
        if url.token_variable not in self.tokens and url.host in _LOOPBACK:
            # Every port of this machine is this machine's.
            return of_any_port if of_any_port in self.tokens else url.token_variable
        return url.token_variable

    def _static(self, url: RepositoryUrl, variable: str) -> Credential:
        value = self.tokens.get(variable, "")
        if not value:
            return Credential(
                f"no token for it is set: set the environment variable {variable} to a token that"
                " may read it, or correct `url` if the address is wrong"
            )
        refusal = (
            f"the token in {variable} is wrong, has expired or may not read it: set that variable"
            " to a new token with the right to read"
        )
        user, found, password = value.partition(":")
        if found:
            return Credential(refusal, user, password)
        return Credential(refusal, user_of_token(url, value), value)

    async def _from_helper(self, url: RepositoryUrl) -> Credential:
        answer = await self._ask_helper("fill", url)
        values = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
        refusal = (
            f"the credential helper gave no password for {url.host} that may read it: correct"
            " FOREWARM_GIT_CREDENTIAL_HELPER or the password behind it"
        )
        user, password = values.get("username", ""), values.get("password", "")
        return Credential(refusal, user or user_of_token(url, password), password, renewable=True)

    async def _ask_helper(self, verb: str, url: RepositoryUrl, secret: str = "") -> str:
        """Let git ask the helper. A helper that fails or hangs has said nothing."""
        host = _origin(url).removeprefix("https://")
        asked = f"protocol=https\nhost={host}\npath={url.path}\n{secret}\n"
        process = await asyncio.create_subprocess_exec(
            "git",
            *SAFE_OPTIONS,
            *("-c", f"credential.helper={self.helper}", "-c", "credential.useHttpPath=true"),
            *("credential", verb),
            env=hardened_environment(),
            cwd="/",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(asked.encode()), _HELPER_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
            return ""
        return out.decode("utf-8", "replace")


def user_of_token(url: RepositoryUrl, token: str) -> str:
    """Return the user name that a host expects beside a token, "" if it wants a bearer token.

    Sources: https://support.atlassian.com/bitbucket-cloud/docs/using-access-tokens/,
    https://support.atlassian.com/bitbucket-cloud/docs/using-api-tokens/,
    https://confluence.atlassian.com/bitbucketserver/http-access-tokens-939515499.html,
    https://docs.gitlab.com/user/project/settings/project_access_tokens/.
    """
    names = url.host.split(".")
    if url.host == "bitbucket.org":
        return "x-bitbucket-api-token-auth" if token.startswith("ATATT") else "x-token-auth"
    if "bitbucket" in names or url.path.startswith("scm/"):
        return ""
    return "oauth2" if "gitlab" in names else "x-access-token"
