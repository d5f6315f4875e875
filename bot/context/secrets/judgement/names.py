"""Which names say that their value is a secret, judged by the last words of the name."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

Strength = Literal["password", "key"]
"""A password may be short and typed by a person. A key is long and made by a machine: names such
as `token` or `auth` have many other uses, so only values that look random count for them."""


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_PASSWORDS = _word_set(
    "password passwords passwd passwort pwd pass passphrase passcode secret secrets psk "
    "contrasena senha credential credentials creds pw requirepass masterauth storepass keypass"
)
_PASSWORD_ENDINGS = (
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "secret",
    "dbpass",
    "rootpass",
    "userpass",
    "adminpass",
    "sshpass",
    "dbpwd",
    "userpwd",
    "storepass",
    "keypass",
    "requirepass",
    "bindpw",
    "rootpw",
)
_KEYS = _word_set(
    "token tokens auth authorization bearer jwt pat apikey apikeys authkey salt mnemonic "
    "sessionid phpsessid jsessionid"
)
_KEY_ENDINGS = (
    "apikey",
    "secretkey",
    "accesstoken",
    "authtoken",
    "apitoken",
    "privatekey",
    "authkey",
)
_BEFORE_KEY = _word_set(
    "api secret private access auth encryption encrypt signing sign master account shared client "
    "service storage deploy session jwt hmac cookie crypt cipher security app application consumer "
    "server webhook admin wifi wpa wlan aes license licence ssh instrumentation subscription "
    "integration project "
    "preshared validation decryption nonce enc in user functions function write read ingest sec "
    "fernet "
    # Services whose keys are known by the service's name alone.
    "datadog twilio algolia mailgun mailjet sendgrid sparkpost postmark stripe openai anthropic "
    "gemini cohere mistral groq deepl pusher mixpanel amplitude segment newrelic honeycomb "
    "pagerduty opsgenie bugsnag rollbar cloudflare fastly linode mapbox okta plaid braintree "
    "shopify hubspot intercom zendesk mailchimp vonage nexmo telnyx fireworks snyk wandb deepgram"
)
_KEY_PAIRS = frozenset(
    [("sonar", "login"), ("erlang", "cookie"), ("password", "hash"), ("password", "digest")]
)
_STRONG_BEFORE_KEY = _word_set(
    "secret sec private encryption signing master fernet jwt aes hmac wifi wpa wlan"
)
_AFTER_SECRET = _word_set(
    "value values string str text plain plaintext raw b64 base64 hex prod production dev "
    "development staging local default old new current previous main primary secondary data bytes "
    "confirmation confirm again base live sandbox v"
)
_BEFORE_OTHER_KEYS = _word_set(
    "site cache foreign primary partition sort row object idempotency publishable translation "
    "message event storage query route group config map dict index lookup hash image file s3 "
    "registry react sitemap locale lang i18n label sub parent child search anon"
)
"""Words before `key` in the names of what is no secret."""
_BEFORE_OTHER_TOKENS = _word_set("next page continuation cancellation sync cancel")
"""Words before `token` in the names of places in a list, and of signs to stop."""
_REFERENCES = _word_set("existing pull public pub csrf")


@lru_cache(maxsize=16_384)
def secret_strength(name: str) -> Strength | None:
    """Return the kind of secret that a name holds, or None.

    `secretName`, `token_url` or `passwordField` hold something about a secret: their last word
    says so. A digit or a word such as `default` may follow.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    while words and (words[-1] in _AFTER_SECRET or words[-1].isdigit()):
        words.pop()
    if not words or not _REFERENCES.isdisjoint(words):
        return None
    last = words[-1]
    before = words[-2] if len(words) > 1 else ""
    if last in _PASSWORDS or last.endswith(_PASSWORD_ENDINGS):
        return "password"
    if last in {"key", "keys", "keyid"} and before in _BEFORE_KEY:
        return "password" if before in _STRONG_BEFORE_KEY and last != "keyid" else "key"
    if last == "key" and "encryption" in words[-3:]:
        return "key"
    if last == "token" and before in _BEFORE_OTHER_TOKENS:
        return None
    if last in {"word", "phrase", "code"} and before == "pass":
        return "password"
    if last == "pepper":
        return "password"
    if last in _KEYS or last.endswith(_KEY_ENDINGS) or (before, last) in _KEY_PAIRS:
        return "key"
    return None


@lru_cache(maxsize=16_384)
def is_key_name(name: str) -> bool:
    """Tell whether a name may hold a key of an unknown service: `key`, `AIO_KEY`."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] not in {"key", "keys"} or not _REFERENCES.isdisjoint(words):
        return False
    return len(words) == 1 or words[-2] not in _BEFORE_OTHER_KEYS


_OF_PASSWORDS = _word_set(
    "password passwords passwd passwort pwd pass passphrase passcode psk contrasena senha pw "
    "requirepass masterauth"
)


@lru_cache(maxsize=16_384)
def is_password_name(name: str) -> bool:
    """Tell whether a name that holds a secret holds a password: a short text that a person made.

    The value of `client_secret` is often the name of a secret, that of `password` hardly ever.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    while words and (words[-1] in _AFTER_SECRET or words[-1].isdigit()):
        words.pop()
    if not words:
        return False
    return words[-1] in _OF_PASSWORDS or (
        words[-1].endswith(_PASSWORD_ENDINGS) and not words[-1].endswith("secret")
    )


_SOLE_PASSWORD = re.compile(
    r"(?i)(?:(?<![a-z])|(?<=[a-z])(?=[A-Z]))(?:store|key(?:store)?|trust(?:store)?|db|database"
    r"|datasource|hikari|jdbc|mysql|mariadb|postgres(?:ql)?|pg|redis|mongo(?:db)?|rabbitmq|amqp"
    r"|kafka|smtp|e?mail|imap|ldap|bind|s?ftp|ssh|root|sql|sa|broker|nexus|sonatype|ossrh|wifi"
    r"|vault|sudo|become|backup|replication|keycloak|grafana|elastic(?:search)?|master|admin|initial"
    r"|restic|borg|bootstrap|security[-_.]user|basic[-_]?auth|minio|pgadmin|mqtt|radius|proxy|ci"
    r"|connection(?:strings?)?|deploy|service|encryptor|encryption|gpg|sonar|artifactory|jenkins|gitlab"
    r"|registry|harbor|cassandra|clickhouse|influx(?:db)?|neo4j|mssql|db2|nats|ipmi|snmp|tomcat"
    r"|key[-_]?store|trust[-_]?store|certificate|p12|pfx|jks|ssl|vnc|rdp|samba|airflow|superset)[-_.]?"
    r"(?:(?:root|admin|user|master|login|default)[-_.]?)?(?:password|passwd|passphrase|pass|pwd)\Z"
    r"|\A(?:requirepass|masterauth|cleartextpassword|insecure-password|userpassword|psk|wpa[-_]passphrase)\Z"
)


@lru_cache(maxsize=16_384)
def is_sole_password(name: str) -> bool:
    """Tell whether a name is a setting of a service's password: no form and no label has it."""
    return _SOLE_PASSWORD.search(name) is not None
