"""Tokens that their own form gives away, in addition to the maintained rules.

The forms are those that the providers document. Each has a literal start, which is sought first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.context.secrets.judgement.examples import is_example, is_placeholder
from bot.context.secrets.mask import Span

_FORMS: tuple[tuple[str, bytes, bytes], ...] = (
    ("AWS key", b"AKIA", rb"AKIA[A-Z0-9]{16}"),
    ("AWS key", b"ASIA", rb"ASIA[A-Z0-9]{16}"),
    ("GitHub token", b"ghp_", rb"ghp_[A-Za-z0-9]{30,}"),
    ("GitHub token", b"gho_", rb"gho_[A-Za-z0-9]{30,}"),
    ("GitHub token", b"ghu_", rb"ghu_[A-Za-z0-9]{30,}"),
    ("GitHub token", b"ghs_", rb"ghs_[A-Za-z0-9]{30,}"),
    ("GitHub token", b"ghr_", rb"ghr_[A-Za-z0-9]{30,}"),
    ("GitHub token", b"github_pat_", rb"github_pat_[A-Za-z0-9_]{40,}"),
    (
        "GitLab token",
        b"gl",
        rb"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas|wt)-[A-Za-z0-9_.-]{20,}",
    ),
    ("Slack token", b"xox", rb"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{20,}"),
    ("Slack token", b"xapp-", rb"xapp-\d-[A-Za-z0-9]+-\d+-[A-Za-z0-9]+"),
    (
        "Slack webhook",
        b"hooks.slack.com",
        rb"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9/_-]{20,})",
    ),
    ("Discord webhook", b"/api/webhooks/", rb"/api/webhooks/\d{15,20}/([A-Za-z0-9_-]{40,})"),
    ("Stripe key", b"k_live_", rb"[srp]k_live_[A-Za-z0-9]{16,}"),
    ("Stripe key", b"k_test_", rb"[sr]k_test_[A-Za-z0-9]{16,}"),
    ("Stripe secret", b"whsec_", rb"whsec_[A-Za-z0-9+/=]{20,}"),
    ("Anthropic key", b"sk-ant-", rb"sk-ant-[A-Za-z0-9_-]{20,}"),
    ("OpenAI key", b"T3BlbkFJ", rb"sk-[A-Za-z0-9_-]{10,200}T3BlbkFJ[A-Za-z0-9_-]{10,}"),
    ("OpenAI key", b"sk-", rb"sk-(?:proj|svcacct|admin|or-v1)-[A-Za-z0-9_-]{20,}"),
    ("Google key", b"AIza", rb"AIza[A-Za-z0-9_-]{35}"),
    ("Google secret", b"GOCSPX-", rb"GOCSPX-[A-Za-z0-9_-]{20,}"),
    ("Google token", b"ya29.", rb"ya29\.[A-Za-z0-9_-]{20,}"),
    ("npm token", b"npm_", rb"npm_[A-Za-z0-9]{36,}"),
    ("PyPI token", b"pypi-AgE", rb"pypi-AgE[A-Za-z0-9_-]{50,}"),
    ("SendGrid key", b"SG.", rb"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}"),
    ("Hugging Face token", b"hf_", rb"hf_[A-Za-z0-9]{30,}"),
    ("Twilio key", b"SK", rb"SK[0-9a-f]{32}"),
    ("Twilio account", b"AC", rb"AC[0-9a-f]{32}"),
    ("Mailchimp key", b"-us", rb"[0-9a-f]{32}-us\d{1,2}"),
    ("Mailgun key", b"key-", rb"key-[0-9a-f]{32}"),
    ("DigitalOcean token", b"_v1_", rb"do[opr]_v1_[0-9a-f]{40,}"),
    ("Shopify token", b"shp", rb"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    ("Telegram token", b":AA", rb"\d{8,10}:AA[A-Za-z0-9_-]{32,34}"),
    ("Vault token", b"hv", rb"hv[sbr]\.[A-Za-z0-9_-]{24,}"),
    ("Databricks token", b"dapi", rb"dapi[0-9a-f]{31,32}(?:-\d)?"),
    ("Square secret", b"sq0", rb"sq0(?:csp|atp|idp)-[A-Za-z0-9_-]{22,43}"),
    ("Atlassian token", b"ATATT", rb"ATATT3[A-Za-z0-9_=-]{100,}"),
    ("New Relic key", b"NR", rb"NR(?:AK|II|JS|AA|RA|BR)-[A-Za-z0-9_-]{20,}"),
    ("Sentry token", b"sntrys_", rb"sntrys_[A-Za-z0-9+/=_-]{40,}"),
    ("Postman key", b"PMAK-", rb"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    (
        "Doppler token",
        b"dp.",
        rb"dp\.(?:pt|st|ct|sa|scim|audit|said)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}",
    ),
    ("Terraform token", b".atlasv1.", rb"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    ("age key", b"AGE-SECRET-KEY-1", rb"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    ("Azure secret", b"8Q~", rb"[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{31,40}"),
    ("Azure secret", b"7Q~", rb"[A-Za-z0-9_~.-]{3}7Q~[A-Za-z0-9_~.-]{31,40}"),
    ("Azure key", b"AccountKey=", rb"AccountKey=([A-Za-z0-9+/]{40,}={0,2})"),
    ("Azure key", b"SharedAccessKey=", rb"SharedAccessKey=([A-Za-z0-9+/]{20,}={0,2})"),
    ("Dynatrace token", b"dt0", rb"dt0[a-z]\d{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    ("Airtable token", b"pat", rb"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    ("Atlassian token", b"ATCTT3", rb"ATCTT3[A-Za-z0-9_=-]{60,}"),
    ("Atlassian token", b"ATTA", rb"ATTA[0-9a-f]{60,}"),
    ("Bitbucket password", b"ATBB", rb"ATBB[A-Za-z0-9]{28,36}"),
    ("Alibaba key", b"LTAI", rb"LTAI[A-Za-z0-9]{16,24}"),
    ("Azure DevOps token", b"AZDO", rb"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}"),
    (
        "Discord token",
        b"",
        rb"(?<![A-Za-z0-9_-])[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}",
    ),
    (
        "Teams webhook",
        b".webhook.office.com/",
        rb"\.webhook\.office\.com/webhookb2/([A-Za-z0-9@-]{36,}/IncomingWebhook/[A-Za-z0-9/-]{36,})",
    ),
    ("Zapier webhook", b"hooks.zapier.com/", rb"hooks\.zapier\.com/hooks/catch/(\d+/[a-z0-9]+)"),
    ("NuGet key", b"oy2", rb"oy2[a-z0-9]{43}(?![A-Za-z0-9])"),
    ("Octopus key", b"API-", rb"API-[A-Z0-9]{26,30}(?![A-Za-z0-9])"),
    ("Infracost key", b"ico-", rb"ico-[A-Za-z0-9]{32}(?![A-Za-z0-9])"),
    ("Artifactory token", b"cmVmdGtuOj", rb"cmVmdGtuOj[A-Za-z0-9]{40,}"),
    ("Mapbox token", b"sk.eyJ", rb"sk\.eyJ[A-Za-z0-9_-]{40,}\.[A-Za-z0-9_-]{20,}"),
    ("Mailgun key", b"", rb"(?<![0-9a-f-])[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}(?![0-9a-f-])"),
    ("PubNub key", b"sec-c-", rb"sec-c-[A-Za-z0-9+/=-]{36,}"),
    (
        "PayPal token",
        b"access_token$",
        rb"access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[0-9a-f]{32}",
    ),
    ("Plaid token", b"access-", rb"access-(?:production|development|sandbox)-[0-9a-f-]{36}"),
    ("LaunchDarkly key", b"sdk-", rb"sdk-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"),
    ("LaunchDarkly key", b"api-", rb"api-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"),
    ("Langfuse key", b"sk-lf-", rb"sk-lf-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"),
    ("HubSpot token", b"pat-", rb"pat-(?:na|eu)\d-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"),
    ("Sonar token", b"sq", rb"sq[upa]_[0-9a-f]{40}"),
    ("Shippo token", b"shippo_", rb"shippo_(?:live|test)_[0-9a-f]{40}"),
    ("Sentry token", b"sntryu_", rb"sntryu_[0-9a-f]{64}"),
    ("Razorpay key", b"rzp_", rb"rzp_(?:live|test)_[A-Za-z0-9]{14,}"),
    ("ElevenLabs key", b"sk_", rb"sk_[0-9a-f]{48}"),
    ("Grafana key", b"eyJrIjoi", rb"eyJrIjoi[A-Za-z0-9+/_-]{40,}={0,2}"),
    ("New Relic key", b"FFFFNRAL", rb"[0-9a-f]{36}FFFFNRAL"),
    ("Fireworks key", b"fw_", rb"fw_[A-Za-z0-9]{22,}(?![A-Za-z0-9_])"),
    ("Together key", b"tgp_v1_", rb"tgp_v1_[A-Za-z0-9_-]{30,}"),
    ("Vercel token", b"vercel_blob_rw_", rb"vercel_blob_rw_[A-Za-z0-9]{8,}_[A-Za-z0-9]{20,}"),
    ("Google token", b"1//0", rb"1//0[A-Za-z0-9_-]{40,}"),
    ("Firecrawl key", b"fc-", rb"fc-[0-9a-f]{32}(?![0-9a-f])"),
    ("Asana token", b"2/", rb"2/\d{12,20}(?:/\d{12,20})?:[0-9a-f]{32}"),
    ("Tailscale key", b"tskey-", rb"tskey-[a-z]+-[A-Za-z0-9]{8,}(?:CNTRL)?-[A-Za-z0-9]{20,}"),
    ("Fly token", b"fo1_", rb"fo1_[A-Za-z0-9_-]{43}"),
    ("Fly token", b"fm", rb"fm[12][ar]?_[A-Za-z0-9+/=_-]{100,}"),
    ("PlanetScale token", b"pscale_", rb"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{30,}"),
    ("LangSmith key", b"lsv2_", rb"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    ("Netlify token", b"nfp_", rb"nfp_[A-Za-z0-9]{36,}"),
    ("Resend key", b"re_", rb"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}(?![A-Za-z0-9_])"),
    ("Supabase key", b"sb_secret_", rb"sb_secret_[A-Za-z0-9_-]{20,}"),
    ("Artifactory key", b"AKCp", rb"AKCp[A-Za-z0-9]{60,}"),
    ("Brevo key", b"xkeysib-", rb"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    ("Contentful token", b"CFPAT-", rb"CFPAT-[A-Za-z0-9_-]{40,}"),
    ("Lob key", b"live_", rb"live_[0-9a-f]{35}"),
    ("Buildkite token", b"bkua_", rb"bkua_[0-9a-f]{40}"),
    ("Facebook token", b"EAA", rb"EAA[A-Za-z0-9]{60,}"),
    ("Square token", b"EAAA", rb"EAAA[A-Za-z0-9_+=-]{60}"),
    ("crates.io token", b"cio", rb"cio[A-Za-z0-9]{32}"),
    ("JSON web token", b"eyJ", rb"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{16,}"),
    (
        "JSON web token",
        b"eyJ",
        rb"eyJ[A-Za-z0-9_-]{20,}\.(?:[A-Za-z0-9_-]{0,2000}\.){3}[A-Za-z0-9_-]{16,}",
    ),
    ("Docker credentials", b"eyJhdXRocyI6", rb"eyJhdXRocyI6[A-Za-z0-9+/]{16,}={0,2}"),
    (
        "password hash",
        b"$",
        rb"\${1,2}(?:2[abxy]?|5|6|y|gy|7|1|apr1|argon2(?:id?|d)|pbkdf2(?:-\w+)?|scrypt)\${1,2}(?:(?:\d{1,7}|(?:rounds|m|ln|v)\d[\w,]{0,60}|[\w,-]{1,20}=[\w=,-]{1,60})\${1,2}){0,3}((?:[A-Za-z0-9./+-]{1,60}={0,2}\${1,2})?[A-Za-z0-9./+]{20,}={0,2}(?:\$[A-Za-z0-9./+]{20,}={0,2})?)",
    ),
    ("password hash", b"$", rb"\$[PH]\$([A-Za-z0-9./]{31})(?![A-Za-z0-9./])"),
    ("password hash", b"{S", rb"\{S?SHA(?:256|512)?\}([A-Za-z0-9+/]{27,}={0,2})"),
)
_BEFORE = {
    b"k_live_": 1,
    b"k_test_": 1,
    b"T3BlbkFJ": 210,
    b"-us": 32,
    b"_v1_": 3,
    b":AA": 10,
    b".atlasv1.": 14,
    b"8Q~": 3,
    b"7Q~": 3,
    b"AZDO": 76,
    b"FFFFNRAL": 36,
}
"""How many bytes of a token stand before its anchor, if it does not begin with it."""
_COMPILED = tuple(
    (label, anchor, re.compile(pattern), _BEFORE.get(anchor, 0))
    for label, anchor, pattern in _FORMS
)


def find_known_forms(data: bytes) -> Iterator[Span]:
    """Yield tokens with a known form. A token ends with its characters."""
    for label, anchor, pattern, before in _COMPILED:
        group = 1 if pattern.groups else 0
        for match in _matches(data, anchor, pattern, before):
            token = match[group].decode("latin-1")
            # The letters of an identifier of Amazon's often look like words.
            is_sample = is_example if label == "AWS key" else is_placeholder
            if _is_whole(data, match.start(), label) and not is_sample(token):
                yield Span(*match.span(group), label)


_LONGEST = 5_000


def _matches(
    data: bytes, anchor: bytes, pattern: re.Pattern[bytes], before: int
) -> Iterator[re.Match[bytes]]:
    """Yield the matches that hold the anchor. Without an anchor the pattern itself is sought."""
    if not anchor:
        yield from pattern.finditer(data)
        return
    at = data.find(anchor)
    while at >= 0:
        match = (
            pattern.search(data, max(0, at - before), at + _LONGEST)
            if before
            else pattern.match(data, at)
        )
        following = at + len(anchor)
        if match and match.start() <= at < match.end():
            yield match
            following = max(following, match.end())
        at = data.find(anchor, following)


_LOOSE_START = frozenset(
    [
        "password hash",
        "Slack webhook",
        "Discord webhook",
        "Teams webhook",
        "Zapier webhook",
        "Azure key",
        "Azure secret",
    ]
)


def _is_whole(data: bytes, start: int, label: str) -> bool:
    """Tell whether a token begins here: not in the middle of a word, except behind an escape."""
    if start == 0 or label in _LOOSE_START:
        return True
    if label == "Telegram token" and data.endswith(b"/bot", 0, start):
        return True
    before = data[start - 1 : start]
    if not (before.isalnum() or before in b"_") or before in b"=":
        return True
    return data[max(0, start - 2) : start - 1] == b"\\" and before in b"nrt"
