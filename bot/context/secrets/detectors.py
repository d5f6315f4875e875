"""detect-secrets' detectors, applied to one line, with exact positions.

Its plugins yield values without positions, stop at the first keyword of a line and may yield a
prefix instead of the token, so its compiled patterns and its heuristics are used directly.
Imported only when needed: detect-secrets takes 0.1 s to load.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from bot.context.secrets.stub_module import absent

# The plugins import requests to try a found key out on its service. That is never done here, so
# they do without: loading it would take longer than all the rest, and nothing can call out.
with absent("requests", Response=object):
    from detect_secrets.filters import heuristic
    from detect_secrets.plugins import (
        artifactory,
        aws,
        azure_storage_key,
        basic_auth,
        cloudant,
        discord,
        github_token,
        gitlab_token,
        high_entropy_strings,
        ibm_cloud_iam,
        ibm_cos_hmac,
        jwt,
        keyword,
        mailchimp,
        npm,
        openai,
        pypi_token,
        sendgrid,
        slack,
        softlayer,
        square_oauth,
        stripe,
        telegram_token,
        twilio,
    )

from bot.context.secrets.mask import ScanKind

_Found = Iterator[tuple[int, int, str]]

_FORMATS: tuple[tuple[str, type[Any]], ...] = (
    ("Artifactory credential", artifactory.ArtifactoryDetector),
    ("AWS key", aws.AWSKeyDetector),
    ("Azure key", azure_storage_key.AzureStorageKeyDetector),
    ("password", basic_auth.BasicAuthDetector),
    ("Discord token", discord.DiscordBotTokenDetector),
    ("GitHub token", github_token.GitHubTokenDetector),
    ("GitLab token", gitlab_token.GitLabTokenDetector),
    ("JSON web token", jwt.JwtTokenDetector),
    ("Mailchimp key", mailchimp.MailchimpDetector),
    ("npm token", npm.NpmDetector),
    ("OpenAI key", openai.OpenAIDetector),
    ("PyPI token", pypi_token.PypiTokenDetector),
    ("SendGrid key", sendgrid.SendGridDetector),
    ("Slack token", slack.SlackDetector),
    ("Square secret", square_oauth.SquareOAuthDetector),
    ("Stripe key", stripe.StripeDetector),
    ("Telegram token", telegram_token.TelegramBotTokenDetector),
    ("Twilio key", twilio.TwilioKeyDetector),
)
_ASSIGNMENTS: tuple[tuple[str, type[Any]], ...] = (
    ("AWS key", aws.AWSKeyDetector),
    ("Cloudant credential", cloudant.CloudantDetector),
    ("IBM key", ibm_cloud_iam.IbmCloudIamDetector),
    ("IBM key", ibm_cos_hmac.IbmCosHmacDetector),
    ("SoftLayer credential", softlayer.SoftlayerDetector),
)
_OWN_FORMATS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("Anthropic key", re.compile(r"sk-ant-[A-Za-z0-9_-]{20,}")),
    ("OpenAI key", re.compile(r"sk-(?:proj|svcacct)-[A-Za-z0-9_-]{20,}")),
    ("Slack token", re.compile(r"xapp-\d-[A-Za-z0-9]+-\d+-[A-Za-z0-9]+", re.IGNORECASE)),
    ("Slack token", re.compile(r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{20,}", re.IGNORECASE)),
    ("GitHub token", re.compile(r"github_pat_[A-Za-z0-9_]{40,}")),
    ("Google key", re.compile(r"AIza[0-9A-Za-z_-]{35}")),
    ("Google secret", re.compile(r"GOCSPX-[0-9A-Za-z_-]{20,}")),
    ("Google token", re.compile(r"ya29\.[0-9A-Za-z_-]{20,}")),
    ("Hugging Face token", re.compile(r"\bhf_[A-Za-z0-9]{30,}")),
    ("npm token", re.compile(r"\bnpm_[A-Za-z0-9]{36,}")),
    ("Stripe key", re.compile(r"\b(?:[rs]k_test_|whsec_)[0-9a-zA-Z]{20,}")),
    ("DigitalOcean token", re.compile(r"\bdop_v1_[0-9a-f]{40,}")),
    ("Shopify token", re.compile(r"\bshpat_[0-9a-fA-F]{32}")),
    ("Azure key", re.compile(r"SharedAccessKey=([A-Za-z0-9+/=]{40,})")),
)

_TABLES: dict[ScanKind, dict[re.Pattern[str], int]] = {
    "quoted": keyword.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP,
    "config": keyword.CONFIG_DENYLIST_REGEX_TO_GROUP,
    "go": keyword.GOLANG_DENYLIST_REGEX_TO_GROUP,
    "c": keyword.COMMON_C_DENYLIST_REGEX_TO_GROUP,
    "cpp": keyword.C_PLUS_PLUS_REGEX_TO_GROUP,
}
_PRAGMA = re.compile(r"pragma: ?allowlist[ -]secret", re.IGNORECASE)
_INDIRECT = re.compile(r"(?::=?|[!=]{1,3})\s*[\w.-]+[\[(][^\v]*[\])]")
"""`secret = get_secret()`: detect-secrets' own form without its leading groups, which match nothing
more and take cubic time on a line of blanks."""
_SHORTEST_HEX = 20
"""Shorter ones are revisions and colours; keys in hex have at least 80 bits."""
_DIGEST = re.compile(r"sha(?:1|256|384|512)[-:]", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"(?:(?:a|an|the|my|your|our|some|this|new|old|raw|bad|good|wrong|valid|invalid|correct|test|mock"
    r"|fake|dummy|sample|example|user|users|username|admin|client|app|api|oauth|google|slack|github"
    r"|aws|azure|auth|db|database|root|default|placeholder|change|me|changeme|here|value|name|id|env"
    r"|password|passwd|passphrase|pass|pwd|pw|secret|secrets|token|key|keys|signing|access|private"
    r"|public|shared|none|null|true|false|string|str|x+|y+|z+|foo|bar|baz|\d)(?:[^a-z0-9]+|$))+",
    re.IGNORECASE,
)
"""Values made of such words only are names, not secrets."""
_SHORTEST_GROUP = 8
"""A group shorter than this is part of a token (`ghp`), not the secret itself."""


class Detectors:
    """The patterns, loaded once."""

    def __init__(self) -> None:
        self._formats = [*_compiled(_FORMATS), *_OWN_FORMATS]
        self._assignments = list(_compiled(_ASSIGNMENTS))
        self._base64 = high_entropy_strings.Base64HighEntropyString()
        self._hex = high_entropy_strings.HexHighEntropyString()

    def formats(self, line: str) -> _Found:
        """Find tokens that are known by their form."""
        return _matches(self._formats, line)

    def assignments(self, line: str) -> _Found:
        """Find tokens that are known by the name they are assigned to."""
        return _matches(self._assignments, line)

    def keyword(self, line: str, kind: ScanKind) -> _Found:
        """Find values of names such as `password`."""
        found = [
            match.span(group)
            for pattern, group in _TABLES[kind].items()
            for match in pattern.finditer(line)
        ]
        # Most lines that name a password give none, so what excuses one is looked for last.
        if not found or _PRAGMA.search(line) or _INDIRECT.search(line):
            return
        for at, to in found:
            if to > at and not _harmless(line[at:to]):
                yield at, to, "secret"

    def entropy(self, line: str) -> _Found:
        """Find quoted strings that look random."""
        if _PRAGMA.search(line):
            return
        for plugin, shortest in ((self._base64, 0), (self._hex, _SHORTEST_HEX)):
            for match in plugin.regex.finditer(line):
                value = match.group(2)
                if (
                    len(value) >= shortest
                    and plugin.calculate_shannon_entropy(value) > plugin.entropy_limit
                    and not (_harmless(value) or heuristic.is_likely_id_string(value, line))
                ):
                    yield *match.span(2), "random string"


def _compiled(plugins: tuple[tuple[str, type[Any]], ...]) -> Iterator[tuple[str, re.Pattern[str]]]:
    for label, plugin in plugins:
        for pattern in plugin().denylist:
            yield label, pattern


def _matches(patterns: list[tuple[str, re.Pattern[str]]], line: str) -> _Found:
    for label, pattern in patterns:
        for match in pattern.finditer(line):
            groups = [
                match.span(index)
                for index in range(1, (pattern.groups or 0) + 1)
                if match.group(index) and len(match.group(index)) >= _SHORTEST_GROUP
            ]
            at, to = groups[0] if groups else match.span()
            if label == "password" and _harmless(line[at:to]):
                continue
            yield at, to, label


def _harmless(value: str) -> bool:
    """Tell whether the field's usual signs say that a value is no secret."""
    return (
        heuristic.is_sequential_string(value)
        or heuristic.is_potential_uuid(value)
        or heuristic.is_templated_secret(value)
        or heuristic.is_prefixed_with_dollar_sign(value)
        or heuristic.is_not_alphanumeric_string(value)
        or len(value) < 2
        or "%s" in value
        or _PLACEHOLDER.fullmatch(value) is not None
        or _DIGEST.match(value) is not None
    )
