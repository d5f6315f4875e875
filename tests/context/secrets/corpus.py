"""A seeded corpus of planted secrets: provider tokens and values without a fixed form.

Every value is made up from random characters when a test runs. Prefixes are joined from two pieces
so that no secret scanner takes this file for a leak. The forms are those that providers document.
"""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable, Iterator
from typing import NamedTuple

ALNUM = string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"
URLSAFE = ALNUM + "-_"
BASE64 = ALNUM + "+/"

Random = random.Random


class Planted(NamedTuple):
    """One text with one or more secret values. `values` lists what must not be shown."""

    group: str
    name: str
    path: str
    text: str
    values: tuple[str, ...]


def pick(rng: Random, alphabet: str, count: int) -> str:
    """Return `count` characters that hold a digit and, if the alphabet has them, both cases."""
    while True:
        text = "".join(rng.choice(alphabet) for _ in range(count))
        has_digit = any(c.isdigit() for c in text) or not any(c.isdigit() for c in alphabet)
        has_upper = any(c.isupper() for c in text) or not any(c.isupper() for c in alphabet)
        has_lower = any(c.islower() for c in text) or not any(c.islower() for c in alphabet)
        if has_digit and has_upper and has_lower:
            return text


def _form(prefix: tuple[str, str], alphabet: str, count: int) -> Callable[[Random], str]:
    return lambda rng: "".join(prefix) + pick(rng, alphabet, count)


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _uuid(rng: Random) -> str:
    return "-".join(pick(rng, HEX, size) for size in (8, 4, 4, 4, 12))


def jwt(rng: Random) -> str:
    """Return a JSON web token with a random subject and signature."""
    claims = {"sub": pick(rng, LOWER, 12), "iat": 1_700_000_000}
    return f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}.{pick(rng, URLSAFE, 43)}"


PROVIDERS: dict[str, Callable[[Random], str]] = {
    "AWS id": _form(("AK", "IA"), "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16),
    "GitHub classic": _form(("gh", "p_"), ALNUM, 36),
    "GitHub OAuth": _form(("gh", "o_"), ALNUM, 36),
    "GitHub app": _form(("gh", "s_"), ALNUM, 36),
    "GitHub fine": lambda r: "github" + "_pat_11" + pick(r, ALNUM, 20) + "_" + pick(r, ALNUM, 59),
    "GitLab": _form(("gl", "pat-"), URLSAFE, 20),
    "GitLab runner": _form(("gl", "rt-"), URLSAFE, 20),
    "GitLab trigger": _form(("gl", "ptt-"), HEX, 40),
    "GitLab deploy": _form(("gl", "dt-"), URLSAFE, 20),
    "Slack bot": lambda r: (
        "xox" + f"b-{pick(r, string.digits, 12)}-{pick(r, string.digits, 13)}-{pick(r, ALNUM, 24)}"
    ),
    "Slack user": lambda r: (
        "xox"
        + f"p-{pick(r, string.digits, 12)}-{pick(r, string.digits, 12)}-"
        + f"{pick(r, string.digits, 12)}-{pick(r, HEX, 32)}"
    ),
    "Slack app": lambda r: (
        "xapp" + f"-1-A{pick(r, UPPER, 10)}-{pick(r, string.digits, 13)}-{pick(r, HEX, 64)}"
    ),
    "Slack webhook": lambda r: (
        "https://hooks.slack" + f".com/services/T{pick(r, UPPER, 8)}/B{pick(r, UPPER, 10)}/"
        f"{pick(r, ALNUM, 24)}"
    ),
    "Stripe secret": _form(("sk_", "live_"), ALNUM, 24),
    "Stripe long": _form(("sk_", "live_51"), ALNUM, 97),
    "Stripe restricted": _form(("rk_", "live_"), ALNUM, 24),
    "Stripe test": _form(("sk_", "test_"), ALNUM, 24),
    "Stripe webhook": _form(("wh", "sec_"), ALNUM, 32),
    "Anthropic": lambda r: "sk-" + "ant-api03-" + pick(r, URLSAFE, 93) + "AA",
    "OpenAI project": lambda r: (
        "sk-" + "proj-" + pick(r, URLSAFE, 74) + "T3Blbk" + "FJ" + pick(r, URLSAFE, 74)
    ),
    "OpenAI legacy": lambda r: "sk-" + pick(r, ALNUM, 20) + "T3Blbk" + "FJ" + pick(r, ALNUM, 20),
    "Google API": _form(("AI", "za"), URLSAFE, 35),
    "Google OAuth": _form(("GOC", "SPX-"), URLSAFE, 28),
    "npm": _form(("np", "m_"), ALNUM, 36),
    "PyPI": _form(("pypi-", "AgEIcHlwaS5vcmc"), URLSAFE, 90),
    "SendGrid": lambda r: "S" + "G." + pick(r, URLSAFE, 22) + "." + pick(r, URLSAFE, 43),
    "Hugging Face": _form(("h", "f_"), string.ascii_letters, 34),
    "Twilio key": _form(("S", "K"), HEX, 32),
    "Mailchimp": lambda r: pick(r, HEX, 32) + "-us" + str(r.randint(1, 20)),
    "Mailgun": _form(("ke", "y-"), HEX, 32),
    "DigitalOcean": _form(("dop", "_v1_"), HEX, 64),
    "Shopify access": _form(("shp", "at_"), HEX, 32),
    "Shopify shared": _form(("shp", "ss_"), HEX, 32),
    "Telegram": lambda r: pick(r, "123456789", 10) + ":AA" + pick(r, URLSAFE, 33),
    "Vault service": _form(("hv", "s."), URLSAFE, 92),
    "Vault batch": _form(("hv", "b."), URLSAFE, 150),
    "Databricks": _form(("da", "pi"), HEX, 32),
    "Linear": _form(("lin", "_api_"), ALNUM, 40),
    "Notion": _form(("nt", "n_"), ALNUM, 46),
    "Grafana service": lambda r: "gl" + "sa_" + pick(r, ALNUM, 32) + "_" + pick(r, HEX, 8),
    "Grafana cloud": lambda r: "gl" + "c_" + pick(r, ALNUM, 60),
    "Docker": _form(("dckr", "_pat_"), URLSAFE, 27),
    "Atlassian": lambda r: "AT" + "ATT3xFfGF0" + pick(r, URLSAFE, 171) + "=" + pick(r, UPPER, 8),
    "New Relic": _form(("NR", "AK-"), UPPER, 27),
    "Sentry user": _form(("sntr", "yu_"), HEX, 64),
    "Sentry organisation": lambda r: (
        "sntr"
        + "ys_"
        + _encoded({"iat": 1700000000.1, "url": "https://sentry.io", "org": "acme"})
        + "_"
        + pick(r, BASE64, 43)
    ),
    "Postman": lambda r: "PM" + "AK-" + pick(r, HEX, 24) + "-" + pick(r, HEX, 34),
    "Doppler": _form(("dp.", "pt."), ALNUM, 43),
    "Doppler service": lambda r: "dp." + "st.prd." + pick(r, ALNUM, 43),
    "Terraform Cloud": lambda r: pick(r, ALNUM, 14) + ".atlas" + "v1." + pick(r, ALNUM, 67),
    "age": _form(("AGE-SECRET", "-KEY-1"), "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    "Groq": _form(("gs", "k_"), ALNUM, 52),
    "xAI": _form(("xa", "i-"), ALNUM, 80),
    "RubyGems": _form(("ruby", "gems_"), HEX, 48),
    "PlanetScale": _form(("pscale", "_pw_"), URLSAFE, 43),
    "PlanetScale token": _form(("pscale", "_tkn_"), URLSAFE, 43),
    "Supabase": _form(("sb", "p_"), HEX, 40),
    "Supabase secret": lambda r: "sb_" + "secret_" + pick(r, URLSAFE, 22) + "_" + pick(r, ALNUM, 8),
    "Replicate": _form(("r", "8_"), ALNUM, 37),
    "Square": _form(("sq0", "csp-"), URLSAFE, 43),
    "Square access": _form(("EA", "AA"), URLSAFE, 60),
    "Dynatrace": lambda r: "dt0" + "c01." + pick(r, UPPER, 24) + "." + pick(r, UPPER, 64),
    "EasyPost": _form(("EZ", "AK"), ALNUM, 54),
    "Figma": _form(("fig", "d_"), URLSAFE, 40),
    "Airtable": lambda r: "pat" + pick(r, ALNUM, 14) + "." + pick(r, HEX, 64),
    "Asana": lambda r: (
        "2/"
        + pick(r, string.digits, 16)
        + "/"
        + pick(r, string.digits, 16)
        + ":"
        + pick(r, HEX, 32)
    ),
    "Pulumi": _form(("pu", "l-"), HEX, 40),
    "Prefect": _form(("pn", "u_"), LOWER, 36),
    "ReadMe": _form(("rd", "me_"), LOWER, 70),
    "Typeform": lambda r: "tf" + "p_" + pick(r, ALNUM, 44) + "_" + pick(r, ALNUM, 14),
    "Contentful": _form(("CFPAT", "-"), URLSAFE, 43),
    "Clojars": _form(("CLOJARS", "_"), LOWER, 60),
    "crates.io": _form(("ci", "o"), ALNUM, 32),
    "Tailscale": lambda r: "tskey" + "-auth-k" + pick(r, ALNUM, 11) + "CNTRL-" + pick(r, ALNUM, 32),
    "Fly": lambda r: "fo1" + "_" + pick(r, URLSAFE, 43),
    "Netlify": _form(("nf", "p_"), ALNUM, 36),
    "Perplexity": _form(("pp", "lx-"), ALNUM, 48),
    "OpenRouter": _form(("sk-or", "-v1-"), HEX, 64),
    "LangSmith": lambda r: "lsv2" + "_pt_" + pick(r, HEX, 32) + "_" + pick(r, HEX, 10),
    "Resend": lambda r: "re" + "_" + pick(r, ALNUM, 8) + "_" + pick(r, ALNUM, 24),
    "PostHog": _form(("ph", "x_"), ALNUM, 43),
    "Pinecone": lambda r: "pc" + "sk_" + pick(r, ALNUM, 6) + "_" + pick(r, ALNUM, 63),
    "Brevo": lambda r: "xkey" + "sib-" + pick(r, HEX, 64) + "-" + pick(r, ALNUM, 16),
    "Discord webhook": lambda r: (
        "https://discord"
        + ".com/api/webhooks/"
        + pick(r, string.digits, 18)
        + "/"
        + pick(r, URLSAFE, 68)
    ),
    "Azure client secret": lambda r: pick(r, ALNUM, 3) + "8" + "Q~" + pick(r, URLSAFE, 34),
    "Azure storage": lambda r: (
        "DefaultEndpointsProtocol=https;AccountName=acme;Account"
        + "Key="
        + base64.b64encode(r.randbytes(64)).decode()
        + ";EndpointSuffix=core.windows.net"
    ),
    "Artifactory": _form(("AK", "Cp"), ALNUM, 69),
    "Buildkite": _form(("bk", "ua_"), HEX, 40),
    "Lob": _form(("li", "ve_"), HEX, 35),
    "Rainforest": _form(("da", "pi3"), HEX, 31),
    "JWT": jwt,
    "Alibaba": _form(("LT", "AI5t"), ALNUM, 18),
    "Azure DevOps": lambda r: pick(r, ALNUM, 76) + "AZ" + "DO" + pick(r, ALNUM, 4),
    "Discord bot": lambda r: (
        "MT" + pick(r, ALNUM, 22) + ".G" + pick(r, ALNUM, 5) + "." + pick(r, URLSAFE, 38)
    ),
    "Fireworks": _form(("f", "w_"), ALNUM, 22),
    "HubSpot": lambda r: "pat" + "-na1-" + _uuid(r),
    "Infracost": _form(("ic", "o-"), ALNUM, 32),
    "Langfuse": lambda r: "sk" + "-lf-" + _uuid(r),
    "LaunchDarkly": lambda r: "sd" + "k-" + _uuid(r),
    "Mailgun API": lambda r: "-".join((pick(r, HEX, 32), pick(r, HEX, 8), pick(r, HEX, 8))),
    "Mapbox": lambda r: "sk." + "eyJ1Ijoi" + pick(r, URLSAFE, 60) + "." + pick(r, URLSAFE, 22),
    "New Relic licence": lambda r: pick(r, HEX, 36) + "FFFF" + "NRAL",
    "NuGet": _form(("o", "y2"), LOWER, 43),
    "Octopus": _form(("AP", "I-"), UPPER, 26),
    "Plaid": lambda r: "access" + "-production-" + _uuid(r),
    "Razorpay": _form(("rzp", "_live_"), ALNUM, 14),
    "Shippo": _form(("shippo", "_live_"), HEX, 40),
    "Sonar": _form(("sq", "u_"), HEX, 40),
    "Teams webhook": lambda r: (
        "https://acme.webhook.office"
        + f".com/webhookb2/{_uuid(r)}@{_uuid(r)}/IncomingWebhook/{pick(r, HEX, 32)}/{_uuid(r)}"
    ),
    "Vercel blob": lambda r: "vercel_blob" + "_rw_" + pick(r, ALNUM, 16) + "_" + pick(r, ALNUM, 30),
}
"""Token forms by provider. A form with fixed parts is whole: what follows the prefix is secret."""

_QUOTED_FRAMES = (
    ("src/client.py", 'client = Client("{}")\n'),
    ("src/client.ts", "export const client = make('{}');\n"),
    ("internal/c.go", 'func c() *C {{ return newC("{}") }}\n'),
    ("app/C.java", 'class C {{ C c = C.of("{}"); }}\n'),
    ("config.yaml", 'client: "{}"\n'),
)
_BARE_FRAMES = (
    ("README.md", "The old one was {}, please rotate it.\n"),
    ("docs/setup.rst", "Call it with {} and wait.\n"),
    ("notes.txt", "2024-05-01 10:00 used {}\n"),
    ("docs/faq.adoc", "Q: which one?\nA: {}\n"),
)


def secret_part(token: str) -> str:
    """Return the random part of a connection string or an address."""
    if token.startswith("DefaultEndpoints"):
        return token.split("Key=")[1].split(";")[0]
    return token.rsplit("/", 1)[1] if token.startswith("http") else token


def provider_tokens(seed: int) -> Iterator[Planted]:
    """Yield each provider's token twice: quoted in code and bare in prose."""
    rng = Random(seed)
    for at, (name, make) in enumerate(PROVIDERS.items()):
        for group, frames in (("quoted token", _QUOTED_FRAMES), ("bare token", _BARE_FRAMES)):
            token = make(rng)
            path, frame = frames[(at + seed) % len(frames)]
            yield Planted(group, name, path, frame.format(token), (secret_part(token),))


_WORDS = "Falcon Mango River Copper Winter Tiger Orange Pepper Rocket Maple".split()


def password(rng: Random) -> str:
    """Return a password as people make them, without characters that a format reserves."""
    style = rng.randrange(6)
    word = rng.choice(_WORDS)
    if style == 0:
        return f"{word}-{pick(rng, ALNUM, 7)}"
    if style == 1:
        return f"{word}{rng.choice('!@*.')}{pick(rng, ALNUM, 5)}"
    if style == 2:
        return pick(rng, ALNUM, rng.randint(12, 24))
    if style == 3:
        return pick(rng, URLSAFE, 32).strip("-_") + pick(rng, ALNUM, 3)
    if style == 4:
        return word.lower().replace("e", "3").replace("o", "0") + pick(rng, LOWER, 5)
    return pick(rng, HEX, 32)


def key(rng: Random) -> str:
    """Return a machine-made key without a provider's form."""
    style = rng.randrange(4)
    if style == 0:
        return pick(rng, HEX, 32)
    if style == 1:
        return pick(rng, ALNUM, 40)
    if style == 2:
        return pick(rng, URLSAFE, 43).strip("-_") + pick(rng, ALNUM, 3)
    return base64.b64encode(rng.randbytes(32)).decode()


def _aws(rng: Random) -> str:
    return rng.choice(["/", "+", "a", "Q"]) + pick(rng, BASE64, 39)


# (group, path, template, maker). `{v}` is the value; a template names nothing else.
_P = password
_K = key
_B = _form(("", ""), URLSAFE, 43)
CONTEXTS: tuple[tuple[str, str, str, Callable[[Random], str]], ...] = (
    # Languages.
    ("language", "a.py", 'PASSWORD = "{v}"\n', _P),
    ("language", "a.py", 'conn = psycopg2.connect(host="db", user="app", password="{v}")\n', _P),
    ("language", "a.py", 'psycopg2.connect(\n    host="db",\n    password="{v}",\n)\n', _P),
    ("language", "a.py", 'PASSWORD = os.environ.get("DB_PASSWORD", "{v}")\n', _P),
    ("language", "a.py", 'password: str = "{v}"\n', _P),
    ("language", "a.py", 'class S(BaseSettings):\n    api_key: SecretStr = SecretStr("{v}")\n', _K),
    ("language", "a.py", "settings['smtp']['password'] = '{v}'\n", _P),
    ("language", "a.py", 'def connect(host, password="{v}"):\n    return host\n', _P),
    ("language", "a.py", 'if request.password == "{v}":\n    allow()\n', _P),
    ("language", "a.py", 'HEADERS = {{"X-Api-Key": "{v}"}}\n', _K),
    ("language", "a.py", "SECRET_KEY = b'{v}'\n", _K),
    ("language", "a.py", 'password = (\n    "{v}"\n)\n', _P),
    (
        "language",
        "a.py",
        'auth = ("admin", "{v}")  # password\nsession.auth = HTTPBasicAuth("admin", "{v}")\n',
        _P,
    ),
    ("language", "a.js", "const pool = mysql.createPool({{ password: '{v}' }});\n", _P),
    ("language", "a.js", "  password: '{v}', // x = f(y)\n", _P),
    ("language", "a.js", "const secret = process.env.SESSION_SECRET || '{v}';\n", _K),
    ("language", "a.js", "app.use(session({{ secret: `{v}` }}));\n", _K),
    ("language", "a.ts", "const dbPassword: string = '{v}';\n", _P),
    ("language", "a.ts", "private readonly clientSecret = '{v}' as const;\n", _K),
    ("language", "a.ts", "const token = config.apiToken ?? '{v}';\n", _K),
    ("language", "a.tsx", 'const apiKey = "{v}";\n', _K),
    ("language", "a.go", 'cfg := Config{{Password: "{v}"}}\n', _P),
    ("language", "a.go", 'var c = Config{{\n\tUser:     "app",\n\tPassword: "{v}",\n}}\n', _P),
    ("language", "a.go", 'const apiSecret = "{v}"\n', _K),
    ("language", "a.go", 'os.Setenv("DB_PASSWORD", "{v}")\n', _P),
    ("language", "a.go", 'flag.StringVar(&password, "password", "{v}", "database password")\n', _P),
    ("language", "a.go", "var signingKey = []byte(`{v}`)\n", _K),
    ("language", "a.rs", 'const DB_PASSWORD: &str = "{v}";\n', _P),
    ("language", "a.rs", 'let api_key = String::from("{v}");\n', _K),
    ("language", "a.rs", 'Client {{ secret: "{v}".to_string(), port: 1 }}\n', _K),
    ("language", "A.java", 'private static final String DB_PASSWORD = "{v}";\n', _P),
    ("language", "A.java", 'dataSource.setPassword("{v}");\n', _P),
    ("language", "A.java", 'props.put("db.password", "{v}");\n', _P),
    ("language", "A.java", 'DriverManager.getConnection(url, "app", "{v}"); // password\n', _P),
    ("language", "A.java", '@Value("${{db.password:{v}}}")\nString p;\n', _P),
    ("language", "A.kt", 'val apiSecret: String = "{v}"\n', _K),
    ("language", "A.kt", 'Credentials(user = "app", password = "{v}")\n', _P),
    ("language", "A.scala", 'val dbPassword: String = "{v}"\n', _P),
    ("language", "A.swift", 'let clientSecret: String = "{v}"\n', _K),
    ("language", "A.cs", 'public string Password {{ get; set; }} = "{v}";\n', _P),
    ("language", "A.cs", 'var cred = new NetworkCredential("app", "{v}"); // password\n', _P),
    ("language", "A.cs", 'const string ApiKey = @"{v}";\n', _K),
    ("language", "a.rb", "config.secret_key = '{v}'\n", _K),
    ("language", "a.rb", "ENV['DB_PASSWORD'] ||= '{v}'\n", _P),
    ("language", "a.rb", "Client.new(user: 'app', password: '{v}')\n", _P),
    ("language", "a.rb", "{{ :password => '{v}' }}\n", _P),
    ("language", "a.rb", 'ENV.fetch("API_TOKEN", "{v}")\n', _K),
    ("language", "a.rb", "ENV.fetch('API_TOKEN') {{ '{v}' }}\n", _K),
    ("language", "a.php", "<?php\ndefine('DB_PASSWORD', '{v}');\n", _P),
    ("language", "a.php", "<?php\n$config['password'] = '{v}';\n", _P),
    ("language", "a.php", '<?php\n$dbPass = "{v}";\n', _P),
    ("language", "a.php", "<?php return ['password' => env('DB_PASSWORD', '{v}')];\n", _P),
    ("language", "a.c", '#define WIFI_PASSWORD "{v}"\n', _P),
    ("language", "a.c", 'static const char *password = "{v}";\n', _P),
    ("language", "a.c", 'const char api_key[] = "{v}";\n', _K),
    ("language", "a.cpp", 'std::string password{{"{v}"}};\n', _P),
    ("language", "a.cpp", 'constexpr auto kApiSecret = "{v}";\n', _K),
    ("language", "a.lua", 'local password = "{v}"\n', _P),
    ("language", "a.ex", 'config :app, Repo, password: "{v}"\n', _P),
    ("language", "a.dart", "final String apiKey = '{v}';\n", _K),
    ("language", "a.pl", "my $password = '{v}';\n", _P),
    ("language", "a.r", 'password <- "{v}"\n', _P),
    ("language", "a.groovy", "def dbPassword = '{v}'\n", _P),
    ("language", "a.ps1", '$env:DB_PASSWORD = "{v}"\n', _P),
    ("language", "a.ps1", 'ConvertTo-SecureString "{v}" -AsPlainText -Force\n', _P),
    ("language", "a.sql", "CREATE USER app IDENTIFIED BY '{v}';\n", _P),
    ("language", "a.sql", "ALTER ROLE app WITH LOGIN PASSWORD '{v}';\n", _P),
    ("language", "a.m", 'NSString *const kApiSecret = @"{v}";\n', _K),
    ("language", "a.hs", 'password = "{v}"\n', _P),
    ("language", "a.clj", '{{:db-password "{v}"}}\n', _P),
    ("language", "a.vb", 'Dim password As String = "{v}"\n', _P),
    ("language", "a.jl", 'const API_KEY = "{v}"\n', _K),
    # Configuration.
    ("config", "application.yml", "spring:\n  datasource:\n    password: {v}\n", _P),
    ("config", "config.yml", "api:\n  token: {v}\n", _K),
    ("config", "config.yml", 'smtp: {{ host: mail, password: "{v}" }}\n', _P),
    ("config", "config.yml", "smtp: {{host: mail, password: {v}}}\n", _P),
    ("config", "config.yml", "password: >-\n  {v}\nport: 1\n", _P),
    ("config", "config.yml", "db:\n  password: ${{DB_PASSWORD:{v}}}\n", _P),
    ("config", "config.yml", "AWS_SECRET_ACCESS_KEY: {v}\n", _aws),
    ("config", "config.json", '{{\n  "smtp": {{"password": "{v}"}}\n}}\n', _P),
    ("config", "config.json", '{{"apiKey":"{v}","port":1}}\n', _K),
    (
        "config",
        "appsettings.json",
        '{{"ConnectionStrings": {{"Db": "Server=db;Database=x;User Id=sa;Password={v};"}}}}\n',
        _P,
    ),
    ("config", "task.json", '{{"environment": [{{"name": "DB_PASSWORD", "value": "{v}"}}]}}\n', _P),
    ("config", "task.json", '[{{"Value": "{v}", "Name": "DB_PASSWORD"}}]\n', _P),
    ("config", "task.json", '{{"command": ["serve", "--password", "{v}"]}}\n', _P),
    ("config", "config.toml", '[db]\npassword = "{v}"\n', _P),
    ("config", "config.toml", "api_key = '{v}'\n", _K),
    ("config", "app.ini", "[db]\npassword = {v}\n", _P),
    ("config", "my.cnf", "[client]\npassword={v}\n", _P),
    ("config", "application.properties", "spring.datasource.password={v}\n", _P),
    (
        "config",
        "application.properties",
        "jdbc.url=jdbc:mysql://db:3306/x?user=app&password={v}\n",
        _P,
    ),
    ("config", ".env.example", "DB_PASSWORD={v}\n", _P),
    ("config", "env.production", 'export API_TOKEN="{v}"\n', _K),
    ("config", "config/prod.env.sample", "STRIPE_WEBHOOK_SECRET={v}\n", _K),
    ("config", ".envrc", "export AWS_SECRET_ACCESS_KEY={v}\n", _aws),
    ("config", "settings.xml", "<server><id>r</id><password>{v}</password></server>\n", _P),
    ("config", "web.config", '<add key="SmtpPassword" value="{v}" />\n', _P),
    (
        "config",
        "web.config",
        '<add name="Db" connectionString="Server=db;Uid=app;Pwd={v};" />\n',
        _P,
    ),
    (
        "config",
        "core-site.xml",
        "<property>\n  <name>fs.s3a.secret.key</name>\n  <value>{v}</value>\n</property>\n",
        _aws,
    ),
    ("config", "beans.xml", '<property name="password" value="{v}"/>\n', _P),
    (
        "config",
        "main.tf",
        'variable "db_password" {{\n  type    = string\n  default = "{v}"\n}}\n',
        _P,
    ),
    ("config", "main.tf", 'resource "aws_db_instance" "x" {{\n  password = "{v}"\n}}\n', _P),
    ("config", "prod.tfvars", 'db_password = "{v}"\n', _P),
    (
        "config",
        "compose.yaml",
        "services:\n  db:\n    environment:\n      POSTGRES_PASSWORD: {v}\n",
        _P,
    ),
    (
        "config",
        "compose.yaml",
        "services:\n  db:\n    environment:\n      - MYSQL_ROOT_PASSWORD={v}\n",
        _P,
    ),
    ("config", "compose.yaml", "    command: redis-server --requirepass {v}\n", _P),
    ("config", "redis.conf", "requirepass {v}\n", _P),
    (
        "config",
        ".npmrc",
        "//npm.example.com/:_auth={v}\n",
        lambda r: base64.b64encode(b"ci:" + pick(r, ALNUM, 20).encode()).decode(),
    ),
    ("config", "pip.conf", "[global]\nindex-url = https://ci:{v}@pypi.acme.com/simple\n", _P),
    ("config", "_netrc", "machine git.acme.com\n  login ci\n  password {v}\n", _P),
    ("config", "pgpass.conf", "db.acme.com:5432:app:app:{v}\n", _P),
    (
        "config",
        "users.htpasswd",
        "admin:$apr1${v}\n",
        lambda r: f"{pick(r, ALNUM, 8)}${pick(r, ALNUM, 22)}",
    ),
    (
        "config",
        "shadow.txt",
        "root:$6${v}:19000:0:99999:7:::\n",
        lambda r: f"{pick(r, ALNUM, 8)}${pick(r, ALNUM, 86)}",
    ),
    (
        "config",
        "wg0.conf",
        "[Interface]\nPrivateKey = {v}\n",
        lambda r: base64.b64encode(r.randbytes(32)).decode(),
    ),
    (
        "config",
        "nginx.conf",
        'proxy_set_header Authorization "Basic {v}";\n',
        lambda r: base64.b64encode(b"ci:" + pick(r, ALNUM, 14).encode()).decode(),
    ),
    (
        "config",
        "docker.json",
        '{{"auths": {{"r.acme.com": {{"auth": "{v}"}}}}}}\n',
        lambda r: base64.b64encode(b"ci:" + pick(r, ALNUM, 14).encode()).decode(),
    ),
    ("config", "inventory.ini", "web1 ansible_host=1.2.3.4 ansible_ssh_pass={v}\n", _P),
    ("config", "wpa.conf", 'network={{\n  ssid="x"\n  psk="{v}"\n}}\n', _P),
    (
        "config",
        "database.yml",
        "production:\n  username: app\n  password: <%= ENV['X'] || '{v}' %>\n",
        _P,
    ),
    ("config", "odbc.ini", "Driver={{SQL Server}};Server=db;Uid=sa;Pwd={v};\n", _P),
    ("config", "grafana.ini", "admin_password = {v} ; change it\n", _P),
    # Kubernetes.
    (
        "k8s",
        "secret.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\ndata:\n  db: {v}\n",
        lambda r: base64.b64encode(password(r).encode()).decode(),
    ),
    (
        "k8s",
        "secret.yaml",
        "kind: Secret\napiVersion: v1\nstringData:\n  dsn.txt: {v}\n  user: app\n",
        _P,
    ),
    (
        "k8s",
        "secret.yaml",
        "apiVersion: v1\ndata:\n  tls.key: {v}\nkind: Secret\ntype: kubernetes.io/tls\n",
        lambda r: base64.b64encode(pem(r).encode()).decode(),
    ),
    (
        "k8s",
        "secret.yaml",
        "kind: Secret\ndata:\n  token: {v}\n",
        lambda r: base64.b64encode(pick(r, ALNUM, 40).encode()).decode(),
    ),
    (
        "k8s",
        "secret.yaml",
        "kind: Secret\ndata:\n  .dockerconfigjson: {v}\n",
        lambda r: base64.b64encode(
            json.dumps(
                {
                    "auths": {
                        "r": {
                            "auth": base64.b64encode(b"u:" + pick(r, ALNUM, 20).encode()).decode()
                        }
                    }
                }
            ).encode()
        ).decode(),
    ),
    (
        "k8s",
        "secret.json",
        '{{"kind": "Secret", "data": {{"x": "{v}"}}}}\n',
        lambda r: base64.b64encode(pick(r, ALNUM, 24).encode()).decode(),
    ),
    (
        "k8s",
        "list.yaml",
        "a: 1\n---\nkind: Secret\nstringData:\n  x: |\n    {v}\n---\nkind: Pod\n",
        _K,
    ),
    ("k8s", "deploy.yaml", "env:\n  - name: DB_PASSWORD\n    value: {v}\n", _P),
    ("k8s", "deploy.yaml", 'env:\n  - value: "{v}"\n    name: API_TOKEN\n', _K),
    ("k8s", "deploy.yaml", 'args: ["--token={v}"]\n', _K),
    ("k8s", "deploy.yaml", "args:\n  - --admin-password\n  - {v}\n", _P),
    (
        "k8s",
        "kubeconfig.yaml",
        "users:\n- name: a\n  user:\n    client-key-data: {v}\n",
        lambda r: base64.b64encode(pem(r).encode()).decode(),
    ),
    ("k8s", "kubeconfig.yaml", "users:\n- name: a\n  user:\n    token: {v}\n", _K),
    ("k8s", "values.yaml", "auth:\n  rootPassword: {v}\n", _P),
    ("k8s", "values.yaml", 'adminPassword: "{v}"\n', _P),
    # Shell.
    ("shell", "run.sh", "export DB_PASSWORD={v}\n", _P),
    ("shell", "run.sh", "DB_PASSWORD='{v}' ./serve\n", _P),
    ("shell", "run.sh", 'API_KEY="${{API_KEY:-{v}}}"\n', _K),
    ("shell", "run.sh", "mysql -u root -p{v} app < x.sql\n", _P),
    ("shell", "run.sh", "sshpass -p {v} ssh root@host\n", _P),
    ("shell", "run.sh", "sshpass -p '{v}' ssh root@host\n", _P),
    ("shell", "run.sh", "curl -u admin:{v} https://api.acme.com\n", _P),
    ("shell", "run.sh", "curl --user 'admin:{v}' https://api.acme.com\n", _P),
    ("shell", "run.sh", "curl -H 'Authorization: Bearer {v}' https://api.acme.com\n", _K),
    ("shell", "run.sh", 'curl -H "X-Api-Key: {v}" https://api.acme.com\n', _K),
    ("shell", "run.sh", "docker login -u ci -p {v} r.acme.com\n", _P),
    ("shell", "run.sh", "echo {v} | docker login -u ci --password-stdin r.acme.com\n", _P),
    ("shell", "run.sh", "redis-cli -a {v} ping\n", _P),
    ("shell", "run.sh", "PGPASSWORD={v} psql -h db\n", _P),
    ("shell", "run.sh", "./login --user x --password {v} --verbose\n", _P),
    ("shell", "run.sh", "./login --api-token={v}\n", _K),
    ("shell", "run.sh", "openssl rsa -in k -passin pass:{v}\n", _P),
    ("shell", "run.sh", "kubectl create secret generic x --from-literal=password={v}\n", _P),
    ("shell", "run.sh", "helm install x c --set auth.password={v}\n", _P),
    ("shell", "run.sh", "keytool -genkey -storepass {v} -alias x\n", _P),
    ("shell", "run.fish", "set -x API_TOKEN {v}\n", _K),
    ("shell", "run.bat", "set DB_PASSWORD={v}\n", _P),
    ("shell", "Dockerfile", "FROM x\nENV DB_PASSWORD={v}\n", _P),
    ("shell", "Dockerfile", "FROM x\nENV AWS_SECRET_ACCESS_KEY {v}\n", _aws),
    ("shell", "Dockerfile", "FROM x\nARG NPM_TOKEN={v}\n", _K),
    ("shell", "Makefile", "deploy:\n\tAPI_SECRET={v} ./deploy\n", _K),
    ("shell", "Makefile", "DB_PASSWORD ?= {v}\n", _P),
    ("shell", "ci.yml", "script:\n  - export TOKEN={v}\n", _K),
    # Documentation.
    ("docs", "README.md", "```bash\nexport DB_PASSWORD={v}\n```\n", _P),
    ("docs", "README.md", "Log in as admin with the password `{v}`.\n", _P),
    ("docs", "README.md", "Password: {v}\n", _P),
    ("docs", "README.md", "| user | password |\n|---|---|\n| admin | {v} |\n", _P),
    ("docs", "README.md", "* **API key:** `{v}`\n", _K),
    ("docs", "README.md", "AWS_SECRET_ACCESS_KEY: {v}\n", _aws),
    ("docs", "README.md", "```yaml\ndb:\n  password: {v}\n```\n", _P),
    ("docs", "README.md", "```python\nlogin(password='{v}')\n```\n", _P),
    ("docs", "guide.rst", ".. code-block:: yaml\n\n   secret_key: {v}\n", _K),
    ("docs", "guide.adoc", "----\npassword = {v}\n----\n", _P),
    ("docs", "guide.txt", "The password is {v}\n", _P),
    ("docs", "guide.md", "curl -H 'Authorization: Token {v}' https://api\n", _K),
    ("docs", "a.patch", "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-password: {v}\n+password: x\n", _P),
    ("docs", "a.patch", "@@ -1 +1 @@\n+DB_PASSWORD={v}\n", _P),
    ("docs", "a.html", "<!-- password: {v} -->\n", _P),
    ("docs", "a.py", '# password = "{v}"\nx = 1\n', _P),
    ("docs", "a.go", "// password: {v}\npackage a\n", _P),
    ("docs", "a.py", '"""Run with --password {v} to log in."""\n', _P),
    # Notebooks.
    (
        "notebook",
        "a.ipynb",
        '{{"cells": [{{"source": [\n    "password = \\"{v}\\"\\n",\n    "x = 1"]}}]}}\n',
        _P,
    ),
    (
        "notebook",
        "a.ipynb",
        '{{"cells": [{{"source": [\n    "os.environ[\\"API_KEY\\"] = \\"{v}\\"\\n"]}}]}}\n',
        _K,
    ),
    (
        "notebook",
        "a.ipynb",
        '{{"cells": [{{"source": [\n    "connect(user=\'a\', password=\'{v}\')"]}}]}}\n',
        _P,
    ),
    ("notebook", "a.ipynb", '{{"cells": [{{"source": ["!export TOKEN={v}\\n"]}}]}}\n', _K),
    # Addresses.
    ("address", "a.py", 'URL = "postgres://app:{v}@db:5432/x"\n', _P),
    ("address", "a.py", 'URL = "redis://:{v}@cache:6379/1"\n', _P),
    ("address", "a.yml", "url: amqp://guest:{v}@mq/%2f\n", _P),
    ("address", "a.md", "Clone https://ci:{v}@git.acme.com/x.git first.\n", _P),
    ("address", "a.go", 'db, _ := sql.Open("mysql", "app:{v}@tcp(db:3306)/x")\n', _P),
    ("address", "a.rb", "url = 'mongodb+srv://app:{v}@c.mongodb.net/x'\n", _P),
    (
        "address",
        "a.py",
        'URL = "postgres://admin:{v}@db/app"\n',
        lambda r: pick(r, ALNUM, 5) + r.choice("!$&*") + pick(r, ALNUM, 5),
    ),
    (
        "address",
        "a.py",
        'URL = "postgres://admin:{v}@db/app"\n',
        lambda r: pick(r, ALNUM, 5) + r.choice("#/?@") + pick(r, ALNUM, 5),
    ),
    ("address", "a.java", 'String u = "jdbc:postgresql://db/x?user=app&password={v}";\n', _P),
    ("address", "a.java", 'String u = "jdbc:oracle:thin:app/{v}@db:1521:x";\n', _P),
    (
        "address",
        "a.cs",
        'var s = "Server=db;Database=x;User Id=sa;Password={v};Encrypt=true";\n',
        _P,
    ),
    (
        "address",
        "a.cs",
        'var s = "Endpoint=sb://x;SharedAccessKeyName=r;SharedAccessKey={v}";\n',
        lambda r: base64.b64encode(r.randbytes(32)).decode(),
    ),
    ("address", "a.py", 's = "DRIVER={{ODBC}};SERVER=db;UID=sa;PWD={v}"\n', _P),
    ("address", "a.py", 's = "host=db user=app password={v} dbname=x"\n', _P),
    (
        "address",
        "a.go",
        's := "https://x.blob.core.windows.net/c?sv=2022&sig={v}"\n',
        lambda r: pick(r, ALNUM, 43) + "%3D",
    ),
    ("address", "a.md", "https://hub.acme.com/api?access_token={v}&x=1\n", _K),
)
"""Values without a provider's form, by the place that makes them secrets."""

LATER_CONTEXTS: tuple[tuple[str, str, str, Callable[[Random], str]], ...] = (
    (
        "language",
        "svc/db.py",
        'engine = create_engine(f"mysql+pymysql://root:{v}@db:3306/app")\n',
        _P,
    ),
    (
        "language",
        "svc/db.py",
        'DATABASES = {{"default": {{"ENGINE": "x", "USER": "app", "PASSWORD": "{v}", "HOST": ""}}}}\n',
        _P,
    ),
    ("language", "a.py", 'smtp.login("bot@acme.com", "{v}")\n', _P),
    ("language", "a.py", 'app.config["SECRET_KEY"] = "{v}"\n', _K),
    ("language", "a.py", 'jwt.encode(payload, key="{v}")\n', _K),
    (
        "language",
        "a.py",
        'client = boto3.client("s3", aws_access_key_id="x", aws_secret_access_key="{v}")\n',
        _aws,
    ),
    ("language", "a.py", 'parser.add_argument("--db-password", default="{v}")\n', _P),
    ("language", "a.py", '@dataclass\nclass C:\n    db_pass: str = field(default="{v}")\n', _P),
    ("language", "a.py", 'requests.get(url, headers={{"Authorization": "Bearer {v}"}})\n', _K),
    ("language", "a.py", 'requests.get(url, headers={{"Authorization": f"Token {v}"}})\n', _K),
    ("language", "a.py", 'requests.post(url, auth=("api", "{v}"))\n', _K),
    ("language", "a.py", 'os.environ.setdefault("DB_PASSWORD", "{v}")\n', _P),
    ("language", "a.py", 'creds = dict(user="x", passwd="{v}")\n', _P),
    ("language", "a.py", 'PASSWORDS = {{"admin": "{v}"}}\n', _P),
    ("language", "a.js", "axios.defaults.headers.common['Authorization'] = 'Bearer {v}';\n", _K),
    ("language", "a.js", "module.exports = {{ db: {{ user: 'x', pass: '{v}' }} }};\n", _P),
    (
        "language",
        "a.js",
        "const client = new Client({{ connectionString: 'postgres://u:{v}@h/db' }});\n",
        _P,
    ),
    ("language", "a.js", "jwt.sign(payload, process.env.JWT_SECRET || '{v}');\n", _K),
    ("language", "a.js", 'fetch(url, {{ headers: {{ "x-api-key": "{v}" }} }});\n', _K),
    ("language", "a.js", "  'client-secret': \"{v}\",\n", _K),
    ("language", "a.ts", "export const environment = {{ production: true, apiKey: '{v}' }};\n", _K),
    ("language", "a.ts", "await page.fill('#password', '{v}');\n", _P),
    ("language", "a.ts", "const {{ token = '{v}' }} = options;\n", _K),
    ("language", "a.go", 'req.Header.Set("Authorization", "Bearer {v}")\n', _K),
    ("language", "a.go", 'req.Header.Add("X-Auth-Token", "{v}")\n', _K),
    ("language", "a.go", 'req.SetBasicAuth("admin", "{v}")\n', _P),
    (
        "language",
        "a.go",
        'dsn := fmt.Sprintf("host=%s user=app password={v} dbname=x", host)\n',
        _P,
    ),
    ("language", "a.go", 'password := getEnv("DB_PASSWORD", "{v}")\n', _P),
    ("language", "a.go", 'viper.SetDefault("database.password", "{v}")\n', _P),
    ("language", "a.go", 'm := map[string]string{{"password": "{v}"}}\n', _P),
    ("language", "a.go", 'opts := &redis.Options{{Addr: "x:6379", Password: "{v}", DB: 0}}\n', _P),
    (
        "language",
        "a.rs",
        'let password = env::var("DB_PASSWORD").unwrap_or_else(|_| "{v}".to_string());\n',
        _P,
    ),
    ("language", "a.rs", '.password("{v}")\n', _P),
    ("language", "a.rs", 'static API_TOKEN: &\'static str = "{v}";\n', _K),
    ("language", "a.rs", 'cfg.insert("api_key".into(), "{v}".into());\n', _K),
    ("language", "A.java", 'String apiKey = System.getenv().getOrDefault("API_KEY", "{v}");\n', _K),
    (
        "language",
        "A.java",
        'properties.setProperty("javax.jdo.option.ConnectionPassword", "{v}");\n',
        _P,
    ),
    ("language", "A.java", '@Property(name = "secret", value = "{v}")\n', _K),
    ("language", "A.java", '.withPassword("{v}")\n', _P),
    ("language", "A.java", 'Algorithm.HMAC256("{v}"); // jwt secret\n', _K),
    ("language", "A.java", 'new UsernamePasswordToken("admin", "{v}")\n', _P),
    (
        "language",
        "A.java",
        'auth.inMemoryAuthentication().withUser("u").password("{{noop}}{v}");\n',
        _P,
    ),
    ("language", "A.kt", 'const val CLIENT_SECRET = "{v}"\n', _K),
    ("language", "A.kt", 'buildConfigField("String", "API_KEY", "\\"{v}\\"")\n', _K),
    ("language", "A.swift", 'static let apiKey = "{v}"\n', _K),
    ("language", "A.cs", 'builder.Password = "{v}";\n', _P),
    (
        "language",
        "A.cs",
        'services.AddDbContext<Db>(o => o.UseNpgsql("Host=db;Username=app;Password={v}"));\n',
        _P,
    ),
    (
        "language",
        "A.cs",
        'new ClientSecretCredential(tenant, client, "{v}"); // client secret\n',
        _K,
    ),
    ("language", "A.cs", '["Jwt:Secret"] = "{v}",\n', _K),
    ("language", "a.rb", "Devise.setup {{ |config| config.secret_key = '{v}' }}\n", _K),
    ("language", "a.rb", 'Stripe.api_key = "{v}"\n', _K),
    ("language", "a.rb", "http_basic_authenticate_with name: 'dhh', password: '{v}'\n", _P),
    ("language", "a.rb", "request['X-Api-Token'] = '{v}'\n", _K),
    ("language", "a.php", "<?php\nnew PDO('mysql:host=db', 'root', '{v}'); // password\n", _P),
    ("language", "a.php", "<?php\n$this->apiToken = '{v}';\n", _K),
    ("language", "a.php", "<?php\ncurl_setopt($ch, CURLOPT_USERPWD, 'admin:{v}');\n", _P),
    ("language", "a.php", "<?php\nputenv('DB_PASSWORD={v}');\n", _P),
    ("language", "a.c", 'strcpy(cfg.wifi_password, "{v}");\n', _P),
    ("language", "a.c", 'curl_easy_setopt(curl, CURLOPT_USERPWD, "admin:{v}");\n', _P),
    ("language", "a.cpp", 'WiFi.begin("net", "{v}"); // password\n', _P),
    ("language", "a.ino", 'const char* password = "{v}";\n', _P),
    ("language", "a.ex", 'System.get_env("SECRET_KEY_BASE") || "{v}"\n', _K),
    ("language", "a.exs", 'config :app, AppWeb.Endpoint, secret_key_base: "{v}"\n', _K),
    ("language", "a.dart", 'const String kClientSecret = "{v}";\n', _K),
    ("language", "a.lua", 'ngx.req.set_header("X-Api-Key", "{v}")\n', _K),
    ("language", "a.sql", "SET PASSWORD FOR 'app'@'%' = PASSWORD('{v}');\n", _P),
    ("language", "a.sql", "CREATE LOGIN app WITH PASSWORD = '{v}';\n", _P),
    ("language", "a.sql", "INSERT INTO users (name, password) VALUES ('a', '{v}');\n", _P),
    ("config", "a.yml", "redis:\n  auth:\n    password: '{v}'\n", _P),
    ("config", "a.yml", 'encryption_key: "{v}" # do not share\n', _K),
    ("config", "a.yml", "  secret-key: {v}   # prod\n", _K),
    ("config", "a.yml", "jdbcUrl: jdbc:postgresql://db/x?user=a&password={v}&ssl=true\n", _P),
    ("config", "a.yml", 'environment:\n  - "SECRET_KEY={v}"\n', _K),
    ("config", "a.yml", "- name: login\n  uri:\n    url_username: a\n    url_password: {v}\n", _P),
    ("config", "a.yml", 'vars:\n  ansible_become_pass: "{v}"\n', _P),
    ("config", "a.yml", "database_url: postgresql://app:{v}@db.internal:5432/prod\n", _P),
    ("config", "a.json", '{{"db": {{"user": "a", "passwd": "{v}"}}}}\n', _P),
    ("config", "a.json", '{{"client_id": "x", "client_secret": "{v}"}}\n', _K),
    ("config", "a.json", '{{"key": "api_token", "value": "{v}"}}\n', _K),
    (
        "config",
        "a.json",
        '{{"Parameters": [{{"ParameterKey": "DBPassword", "ParameterValue": "{v}"}}]}}\n',
        _P,
    ),
    (
        "config",
        "a.json",
        '{{"headers": {{"Authorization": "Basic {v}"}}}}\n',
        lambda r: base64.b64encode(b"u:" + pick(r, ALNUM, 16).encode()).decode(),
    ),
    ("config", "a.json", '{{"args": ["-u", "root", "--password={v}"]}}\n', _P),
    ("config", "postman.json", '{{"key": "password", "value": "{v}", "type": "string"}}\n', _P),
    ("config", "a.toml", '[tool.x]\nauth_token = "{v}"\n', _K),
    ("config", "a.toml", 'db = {{ user = "a", password = "{v}" }}\n', _P),
    ("config", "a.ini", "[smtp]\nsmtp_pass = {v}\n", _P),
    ("config", "a.properties", "quarkus.datasource.password = {v}\n", _P),
    ("config", "a.properties", "signing.keyPassword={v}\n", _P),
    ("config", "a.properties", "app.jwt.secret: {v}\n", _K),
    ("config", ".env.dist", "MAILER_DSN=smtp://user:{v}@smtp.acme.com:587\n", _P),
    ("config", ".env.sample", "JWT_SECRET='{v}'\n", _K),
    ("config", ".env.sample", "SECRET_KEY_BASE={v}\n", _K),
    (
        "config",
        "a.xml",
        '<bean><property name="password"><value>{v}</value></property></bean>\n',
        _P,
    ),
    ("config", "a.xml", '<Resource name="jdbc/x" username="a" password="{v}" />\n', _P),
    (
        "config",
        "a.xml",
        "<connection-string>Data Source=db;User ID=a;Password={v}</connection-string>\n",
        _P,
    ),
    ("config", "a.plist", "<key>ApiSecret</key>\n<string>{v}</string>\n", _K),
    ("config", "strings.xml", '<string name="api_key">{v}</string>\n', _K),
    ("config", "a.tf", 'provider "x" {{\n  api_token = "{v}"\n}}\n', _K),
    ("config", "a.tf", 'environment = {{\n  DB_PASSWORD = "{v}"\n}}\n', _P),
    ("config", "a.tf", 'locals {{\n  master_password = "{v}"\n}}\n', _P),
    ("config", "a.hcl", 'token = "{v}"\n', _K),
    ("config", "a.conf", "ldap_bind_password {v}\n", _P),
    ("config", "a.conf", "masterauth {v}\n", _P),
    ("config", "rabbitmq.conf", "default_pass = {v}\n", _P),
    ("config", "a.cfg", 'password = "{v}"\n', _P),
    ("config", "credentials", "[default]\naws_secret_access_key = {v}\n", _aws),
    ("config", "a.nix", 'services.x.password = "{v}";\n', _P),
    ("config", ".gitconfig", "[credential]\n  token = {v}\n", _K),
    ("config", "settings.gradle", "credentials {{ username = 'ci'; password = '{v}' }}\n", _P),
    ("config", "build.sbt", 'credentials += Credentials("realm", "host", "ci", "{v}")\n', _P),
    (
        "config",
        "a.csproj",
        '<PackageSourceCredentials><add key="ClearTextPassword" value="{v}" /></PackageSourceCredentials>\n',
        _P,
    ),
    (
        "k8s",
        "s.yaml",
        'apiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\nstringData:\n  password: "{v}"\n',
        _P,
    ),
    (
        "k8s",
        "s.yaml",
        "apiVersion: v1\nkind: Secret\ntype: Opaque\ndata:\n    API_KEY:   {v}   \n",
        lambda r: base64.b64encode(pick(r, ALNUM, 32).encode()).decode(),
    ),
    (
        "k8s",
        "s.yaml",
        "kind: List\nitems:\n- kind: Secret\n  data:\n    p: {v}\n",
        lambda r: base64.b64encode(pick(r, ALNUM, 16).encode()).decode(),
    ),
    (
        "k8s",
        "s.yaml",
        "kind: Secret\nstringData:\n  app.properties: |\n    user=a\n    password={v}\n",
        _P,
    ),
    (
        "k8s",
        "t.yaml",
        '{{{{- if .x }}}}\nkind: Secret\ndata:\n  pw: {{{{ "{v}" | b64enc }}}}\n{{{{- end }}}}\n',
        _P,
    ),
    ("k8s", "d.yaml", "      - name: REDIS_PASSWORD\n        # local\n        value: {v}\n", _P),
    ("k8s", "d.yaml", '      - {{name: DB_PASS, value: "{v}"}}\n', _P),
    ("k8s", "d.yaml", 'command: ["sh", "-c", "redis-server --requirepass {v}"]\n', _P),
    ("k8s", "v.yaml", "postgresql:\n  auth: {{postgresPassword: {v}}}\n", _P),
    ("k8s", "kust.yaml", "secretGenerator:\n- name: x\n  literals:\n  - password={v}\n", _P),
    ("shell", "a.sh", 'curl --header "PRIVATE-TOKEN: {v}" https://gitlab.acme.com\n', _K),
    ("shell", "a.sh", "curl -sS -u 'ci:{v}' -X POST https://x\n", _P),
    ("shell", "a.sh", "wget --user=a --password='{v}' https://x\n", _P),
    ("shell", "a.sh", "export PGPASSWORD='{v}'; psql\n", _P),
    ("shell", "a.sh", "mysqldump -h db -uroot -p'{v}' app\n", _P),
    ("shell", "a.sh", "git clone https://oauth2:{v}@gitlab.acme.com/a/b.git\n", _K),
    ("shell", "a.sh", "echo 'root:{v}' | chpasswd\n", _P),
    ("shell", "a.sh", "aws configure set aws_secret_access_key {v}\n", _aws),
    ("shell", "a.sh", "heroku config:set SECRET_KEY={v}\n", _K),
    ("shell", "a.sh", "ldapsearch -x -D cn=admin -w {v} -b dc=x\n", _P),
    ("shell", "a.sh", "gpg --batch --passphrase {v} -d x.gpg\n", _P),
    ("shell", "a.sh", "zip -P {v} a.zip b\n", _P),
    ("shell", "a.sh", "vault login {v}\n", _K),
    ("shell", "a.sh", 'read -r TOKEN <<< "{v}"\n', _K),
    ("shell", "a.sh", 'TOKEN="{v}" # ci\n', _K),
    ("shell", "a.sh", 'if [ "$PASSWORD" = "{v}" ]; then ok; fi\n', _P),
    ("shell", "a.ps1", "$password = '{v}'\n", _P),
    ("shell", "a.ps1", "Connect-X -User a -Password '{v}'\n", _P),
    ("shell", "a.bat", "net use z: \\\\srv\\x /user:a {v}\n", _P),
    ("shell", "Dockerfile", 'RUN useradd x && echo "x:{v}" | chpasswd\n', _P),
    ("shell", "Dockerfile", "ENV A=1 \\\n    API_KEY={v} \\\n    B=2\n", _K),
    (
        "shell",
        "Dockerfile",
        "RUN pip install --index-url https://u:{v}@pypi.acme.com/simple x\n",
        _P,
    ),
    ("shell", "Makefile", "TOKEN = {v}\n", _K),
    ("shell", "Jenkinsfile", "withEnv(['DB_PASSWORD={v}']) {{ sh 'x' }}\n", _P),
    ("docs", "a.md", "Use `API_KEY={v}` in the shell.\n", _K),
    ("docs", "a.md", "Default credentials: admin / {v} (password)\n", _P),
    ("docs", "a.md", "- username: `admin`\n- password: `{v}`\n", _P),
    ("docs", "a.md", '```json\n{{ "password": "{v}" }}\n```\n', _P),
    ("docs", "a.md", "| Setting | Value |\n|---|---|\n| DB password | {v} |\n", _P),
    ("docs", "a.md", "    $ mysql -uroot -p{v}\n", _P),
    ("docs", "a.rst", "The API key is ``{v}``.\n", _K),
    ("docs", "a.txt", "user: admin\npass: {v}\n", _P),
    ("docs", "a.adoc", "Password:: {v}\n", _P),
    ("docs", "a.org", "#+begin_src sh\nexport SECRET={v}\n#+end_src\n", _K),
    ("docs", "a.html", "<p>Password: <code>{v}</code></p>\n", _P),
    ("docs", "a.csv", "name,password\nadmin,{v}\n", _P),
    ("docs", "a.log", "INFO connecting with password={v} to db\n", _P),
    ("docs", "a.diff", '-    "api_key": "{v}",\n', _K),
    ("docs", "a.java", "/** Default password is {v}. */\nclass A {{}}\n", _P),
    ("docs", "a.js", "// TODO remove: token {v}\n", _K),
    ("docs", "a.py", "# curl -u admin:{v} https://x\n", _P),
    ("notebook", "a.ipynb", '{{"cells": [{{"source": ["api_key = \'{v}\'\\n"]}}]}}\n', _K),
    (
        "notebook",
        "a.ipynb",
        '{{"cells": [{{"source": ["client = Client(token=\\"{v}\\")"]}}]}}\n',
        _K,
    ),
    (
        "notebook",
        "a.ipynb",
        '{{"cells": [{{"outputs": [{{"text": ["password: {v}\\n"]}}]}}]}}\n',
        _P,
    ),
    (
        "notebook",
        "a.ipynb",
        '{{"cells": [{{"source": ["engine = create_engine(\\"postgresql://u:{v}@h/d\\")"]}}]}}\n',
        _P,
    ),
    ("address", "a.py", 'broker = "amqps://svc:{v}@mq.acme.com:5671/vhost"\n', _P),
    ("address", "a.yml", "dsn: https://{v}@o1.ingest.sentry.io/2\n", lambda r: pick(r, HEX, 32)),
    ("address", "a.go", '"user:{v}@tcp(127.0.0.1:3306)/db?parseTime=true"\n', _P),
    ("address", "a.cs", '"mongodb://root:{v}@h1,h2/?replicaSet=r"\n', _P),
    ("address", "a.py", '"Driver={{ODBC Driver 17}};Server=x;UID=u;PWD={v};"\n', _P),
    ("address", "a.js", '"https://x.com/?api_key={v}"\n', _K),
    ("address", "a.md", "ftp://backup:{v}@ftp.acme.com/x\n", _P),
    ("address", "a.sh", "psql postgresql://u:{v}@h:5432/d\n", _P),
    ("address", "a.py", '"sqlserver://sa:{v}@db:1433?database=x"\n', _P),
    ("address", "a.ini", "url = ldap://cn=admin:{v}@ldap:389\n", _P),
    ("language", "m.py", 'ES_AUTH = ("elastic", "{v}")\n', _P),
    ("language", "m.py", 'redis.StrictRedis(host="r", port=6379, password="{v}", db=0)\n', _P),
    ("language", "m.py", 'SLACK_SIGNING_SECRET: Final = "{v}"\n', _K),
    ("language", "m.py", 'client = OpenAI(api_key="{v}")\n', _K),
    ("language", "m.py", 'config = {{"auth": {{"username": "x", "password": "{v}"}}}}\n', _P),
    ("language", "m.py", 'pwd: Optional[str] = "{v}"\n', _P),
    ("language", "m.py", 'params = {{"apikey": "{v}", "q": 1}}\n', _K),
    ("language", "m.py", 'mysql_password = os.getenv("MYSQL_PASSWORD") or "{v}"\n', _P),
    ("language", "m.py", 'paramiko_client.connect("host", username="x", password="{v}")\n', _P),
    ("language", "m.js", 'const DB_PASS = "{v}";\n', _P),
    (
        "language",
        "m.js",
        "passport.use(new Strategy({{ clientID: 'x', clientSecret: '{v}' }}));\n",
        _K,
    ),
    ("language", "m.js", "mongoose.connect('mongodb://root:{v}@localhost:27017/x');\n", _P),
    ("language", "m.js", "let password = `{v}`\n", _P),
    ("language", "m.ts", 'const cfg: Config = {{ smtpPassword: "{v}" }};\n', _P),
    ("language", "m.ts", "@Inject() private token: string = '{v}';\n", _K),
    ("language", "m.tsx", '<Provider clientKey="x" apiToken="{v}" />\n', _K),
    ("language", "m.go", 'token := "{v}"\n', _K),
    ("language", "m.go", 'var (\n\tdbUser = "x"\n\tdbPassword = "{v}"\n)\n', _P),
    ("language", "m.go", 'client := api.New("x", api.WithToken("{v}"))\n', _K),
    ("language", "m.go", 'if pass != "{v}" {{\n', _P),
    (
        "language",
        "m.rs",
        'pub const SECRET_KEY: [u8; 32] = *b"{v}";\n',
        lambda r: pick(r, ALNUM, 32),
    ),
    (
        "language",
        "m.rs",
        'Some(Credentials {{ username: "x".into(), password: "{v}".into() }})\n',
        _P,
    ),
    ("language", "M.java", '@SuppressWarnings("x") String password = "{v}"; // NOPMD\n', _P),
    ("language", "M.java", 'env.put(Context.SECURITY_CREDENTIALS, "{v}");\n', _P),
    (
        "language",
        "M.java",
        'KeyStore.getInstance("JKS").load(in, "{v}".toCharArray()); // keystore password\n',
        _P,
    ),
    ("language", "M.java", 'char[] keystorePassword = "{v}".toCharArray();\n', _P),
    ("language", "M.kt", 'var password by mutableStateOf("{v}")\n', _P),
    ("language", "M.scala", 'password = Some("{v}")\n', _P),
    ("language", "M.swift", 'private var authToken: String? = "{v}"\n', _K),
    ("language", "M.cs", 'var password = $"{v}";\n', _P),
    ("language", "M.cs", 'options.ClientSecret = "{v}";\n', _K),
    (
        "language",
        "m.rb",
        "ActionMailer::Base.smtp_settings = {{ user_name: 'x', password: '{v}' }}\n",
        _P,
    ),
    ("language", "m.rb", "API_KEY = '{v}'.freeze\n", _K),
    ("language", "m.php", "<?php\ndefine( 'AUTH_KEY', '{v}' );\n", _K),
    ("language", "m.php", "<?php\nprotected $password = '{v}';\n", _P),
    ("language", "m.php", "<?php\n'secret' => env('X_SECRET', '{v}'),\n", _K),
    ("language", "m.c", 'char password[64] = "{v}";\n', _P),
    ("language", "m.cpp", 'config.setValue("password", "{v}");\n', _P),
    ("language", "m.cpp", 'std::string apiKey("{v}");\n', _K),
    ("language", "m.pl", "$dbh = DBI->connect($dsn, 'root', '{v}');\n", _P),
    ("language", "m.lua", 'redis:auth("{v}")\n', _P),
    ("language", "m.ex", '  password: System.get_env("PW", "{v}"),\n', _P),
    ("language", "m.dart", "final password = '{v}';\n", _P),
    ("language", "m.sql", "CREATE ROLE x LOGIN PASSWORD '{v}';\n", _P),
    (
        "language",
        "m.ps1",
        "$cred = New-Object PSCredential('x', (ConvertTo-SecureString '{v}' -AsPlainText -Force))\n",
        _P,
    ),
    ("config", "c.yaml", 'credentials:\n  username: x\n  password: "{v}"\n', _P),
    ("config", "c.yaml", "api_keys:\n  - {v}\n", _K),
    ("config", "c.yaml", "webhook_secret: '{v}'\n", _K),
    (
        "config",
        "c.yaml",
        "registry:\n  auth: {v}\n",
        lambda r: base64.b64encode(b"ci:" + pick(r, ALNUM, 14).encode()).decode(),
    ),
    ("config", "c.yaml", "args: --db.password={v} --x=1\n", _P),
    ("config", "c.json", '{{"secret_key" : "{v}"}}\n', _K),
    ("config", "c.json", '{{"database": "mysql://root:{v}@localhost/x"}}\n', _P),
    ("config", "c.json", '{{"env": {{"TOKEN": "{v}"}}}}\n', _K),
    ("config", "c.toml", '[auth]\nsecret = """{v}"""\n', _K),
    ("config", "c.toml", '[registry]\ntoken = "{v}"\n', _K),
    ("config", "c.ini", "[client]\npass={v}\n", _P),
    ("config", "c.ini", "[x]\naccess_token: {v}\n", _K),
    ("config", "c.properties", "db.pwd={v}\n", _P),
    ("config", "c.properties", "ssl.keystore.password={v}\n", _P),
    ("config", "x.env.example", "export REDIS_PASSWORD={v}\n", _P),
    ("config", "x.env.example", 'DATABASE_URL="postgresql://u:{v}@h:5432/d?schema=public"\n', _P),
    ("config", "c.xml", '<entry key="password">{v}</entry>\n', _P),
    ("config", "c.xml", '<user username="tomcat" password="{v}" roles="x"/>\n', _P),
    (
        "config",
        "c.config",
        '<connectionStrings><add connectionString="data source=x;user id=y;password={v};"/></connectionStrings>\n',
        _P,
    ),
    ("config", "c.tf", 'resource "x" "y" {{\n  master_user_password = "{v}"\n}}\n', _P),
    ("config", "c.tfvars", 'github_token = "{v}"\n', _K),
    ("config", "c.conf", 'bind_password = "{v}"\n', _P),
    ("config", "httpd.conf", "AuthLDAPBindPassword {v}\n", _P),
    ("config", "c.cnf", "password = {v}\n", _P),
    ("config", "c.groovy", "password '{v}'\n", _P),
    ("config", "build.gradle.kts", 'password = "{v}"\n', _P),
    ("config", "Vagrantfile", 'config.ssh.password = "{v}"\n', _P),
    (
        "k8s",
        "k.yaml",
        "kind: Secret\napiVersion: v1\ntype: kubernetes.io/basic-auth\nstringData:\n  username: admin\n  password: {v}\n",
        _P,
    ),
    (
        "k8s",
        "k.yaml",
        '      containers:\n      - env:\n        - name: MYSQL_ROOT_PASSWORD\n          value: "{v}"\n',
        _P,
    ),
    ("k8s", "k.yaml", "global:\n  redis:\n    password: {v}\n", _P),
    ("shell", "k.sh", "docker run -e MYSQL_ROOT_PASSWORD={v} mysql\n", _P),
    ("shell", "k.sh", 'docker run --env POSTGRES_PASSWORD="{v}" postgres\n', _P),
    ("shell", "k.sh", 'curl -XPOST -d \'{{"password":"{v}"}}\' https://x\n', _P),
    ("shell", "k.sh", 'curl -d "client_secret={v}&grant_type=x" https://x\n', _K),
    ("shell", "k.sh", "http --auth admin:{v} GET x\n", _P),
    ("shell", "k.sh", "mysql --user=root --password={v} x\n", _P),
    ("shell", "k.sh", "gh auth login --with-token <<< {v}\n", _K),
    ("shell", "k.sh", "export GITHUB_TOKEN={v}\n", _K),
    ("shell", "k.sh", 'local pass="{v}"\n', _P),
    ("shell", "k.sh", "az login --service-principal -u x -p {v} --tenant y\n", _P),
    ("shell", "k.sh", "kubectl config set-credentials x --token={v}\n", _K),
    ("shell", "k.sh", "rsync -a rsync://u:{v}@h/x .\n", _P),
    ("shell", "Dockerfile", 'ENV POSTGRES_PASSWORD "{v}"\n', _P),
    ("shell", "Dockerfile", "RUN echo 'root:{v}' | chpasswd\n", _P),
    ("docs", "d.md", "Username: admin  \nPassword: `{v}`\n", _P),
    ("docs", "d.md", "Run `mysql -u root -p{v}`.\n", _P),
    ("docs", "d.md", 'Set `"apiKey": "{v}"` in the file.\n', _K),
    ("docs", "d.md", "> token = {v}\n", _K),
    ("docs", "d.md", "1. Enter the passphrase **{v}**\n", _P),
    ("docs", "d.rst", "    export API_SECRET={v}\n", _K),
    ("docs", "d.txt", "login: admin password: {v}\n", _P),
    ("docs", "d.txt", "admin password is '{v}'\n", _P),
    ("docs", "d.html", "<td>password</td><td>{v}</td>\n", _P),
    ("docs", "d.patch", '+        password="{v}",\n', _P),
    ("docs", "d.go", "/*\n\tpassword: {v}\n*/\npackage d\n", _P),
    ("docs", "d.ipynb", '{{"cells": [{{"source": ["%env API_KEY={v}\\n"]}}]}}\n', _K),
    (
        "docs",
        "d.ipynb",
        '{{"cells": [{{"source": ["headers = {{\\"Authorization\\": \\"Bearer {v}\\"}}"]}}]}}\n',
        _K,
    ),
)
"""Contexts that were written after the scanner, to see what it finds among forms that it was not
made for. At first it hid 82 % of the first 176, and after those 94 % of the other 102."""


LATEST_CONTEXTS: tuple[tuple[str, str, str, Callable[[Random], str]], ...] = (
    ("call", "a.js", "const t = jwt.sign(payload, '{v}');\n", _K),
    ("call", "a.js", "crypto.createHmac('sha256', '{v}').update(b);\n", _K),
    ("call", "A.java", 'Key k = new SecretKeySpec("{v}".getBytes(), "AES");\n', _K),
    ("call", "a.go", 'var h = hmac.New(sha256.New, []byte("{v}"))\n', _K),
    ("call", "a.py", 'sig = hmac.new(b"{v}", body, sha256)\n', _K),
    ("call", "A.cs", 'k = new SymmetricSecurityKey(Encoding.UTF8.GetBytes("{v}"));\n', _K),
    ("call", "A.java", 'return token.equals("{v}");\n', _K),
    ("call", "A.java", 'String s = Optional.of(getenv("SECRET")).orElse("{v}");\n', _K),
    ("call", "a.php", "<?php $db = new PDO('mysql:host=db', 'app', '{v}');\n", _P),
    ("call", "a.js", 'r.setRequestHeader("Authorization", "Bearer " + "{v}");\n', _K),
    ("language", "a.rb", "password = %q({v})\n", _P),
    ("language", "a.pl", "our $api_key = q{{{v}}};\n", _K),
    ("language", "a.pl", '$cfg{{password}} = "{v}";\n', _P),
    ("language", "a.rb", "API_SECRET = <<~K\n  {v}\nK\n", _K),
    ("language", "A.java", 'String password = """\n    {v}""";\n', _P),
    ("language", "A.java", '@Value("${{db.password:{v}}}") String p;\n', _P),
    ("language", "a.rs", '#[arg(long, default_value = "{v}")] password: String,\n', _P),
    ("language", "a.py", 'TOKENS = ["5e1b3e4a-6b7a", "{v}"]\n', _K),
    ("language", "a.go", 'var secrets = []string{{"x", "{v}"}}\n', _K),
    ("language", "a.php", "<?php define( 'NONCE_SALT', '{v}' );\n", _K),
    ("language", "a.rb", "config.pepper = '{v}'\n", _K),
    ("config", "sys.config", '[{{app, [{{password, "{v}"}}]}}].\n', _P),
    ("config", "a.yaml", "token: &tok {v}\n", _K),
    ("config", "cf.yaml", "DbPassword:\n  Type: String\n  Default: {v}\n", _P),
    ("config", "a.yml", "STRIPE_SECRET: ${{env:X, '{v}'}}\n", _K),
    ("config", "a.toml", 'private_key = """\n{v}\n"""\n', _K),
    ("config", "ldap.conf", "bindpw {v}\n", _P),
    ("config", "crontab", "0 1 * * * API_KEY={v} run\n", _K),
    ("config", "kubeconfig", "users:\n- user:\n    token: {v}\n", _K),
    ("config", "userlist.txt", '"app" "{v}"\n', _P),
    ("config", "AndroidManifest.xml", '<m android:name="x.API_KEY" android:value="{v}"/>\n', _K),
    ("config", "a.http", "GET /\nAuthorization: Bearer {v}\n", _K),
    ("config", "a.json", '{{"kty": "RSA", "e": "AQAB", "d": "{v}"}}\n', _B),
    ("shell", "a.sh", "openssl enc -aes-256-cbc -k {v} -in a\n", _P),
    ("shell", "a.sh", "lftp -u app,{v} ftp.acme.com\n", _P),
    ("docs", "a.txt", "Cookie: sessionid={v}; path=/\n", _B),
    ("docs", "a.md", "Use the token `{v}` to log in.\n", _K),
)
"""Contexts that the scanner missed of 600 more, written before a look at its rules: it hid 92 %."""


def pem(rng: Random, rows: int = 25, label: str = "RSA ") -> str:
    """Return a private key in PEM form with random rows."""
    body = [pick(rng, BASE64, 64) for _ in range(rows - 1)] + [pick(rng, BASE64, 22) + "=="]
    mark = f"{label}PRIVATE" + " KEY"
    return f"-----BEGIN {mark}-----\n" + "\n".join(body) + f"\n-----END {mark}-----\n"


def _key_texts(rng: Random) -> Iterator[tuple[str, str, str, list[str]]]:
    """Yield name, path, text and rows of private keys behind line prefixes and in strings."""
    for name, path, prefix in (
        ("plain", "k.txt", ""),
        ("comment", "a.go", "// "),
        ("table", "a.md", "| "),
        ("removed", "a.patch", "-   "),
        ("quote", "a.md", "> "),
        ("hash", "a.py", "# "),
        ("YAML", "a.yaml", "    "),
        ("remark", "a.bat", "REM "),
        ("log", "a.log", "12:00:01 INFO "),
        ("SQL", "a.sql", "-- "),
        ("star", "a.c", " * "),
    ):
        key_text = pem(rng, label=rng.choice(["RSA ", "", "EC ", "OPENSSH "]))
        rows = key_text.split("\n")[1:-2]
        head = "key:\n" if name != "YAML" else "key: |\n"
        text = head + "".join(f"{prefix}{line}\n" for line in key_text.splitlines()) + "after: 1\n"
        yield name, path, text, rows
    key_text = pem(rng)
    rows = key_text.split("\n")[1:-2]
    yield "JSON", "a.json", json.dumps({"private_key": key_text}) + "\n", rows
    lines = "".join(f'    "{line}\\n" +\n' for line in key_text.splitlines())
    yield "joined", "A.java", f'String k =\n{lines}    "";\n', rows
    lines = "".join(f'  "{line}",\n' for line in key_text.splitlines())
    yield "list", "a.js", f"const k = [\n{lines}].join('\\n');\n", rows
    one = key_text.replace("\n", "\\n")
    yield "dotenv", ".env.sample", f'PRIVATE_KEY="{one}"\n', rows
    long_key = pem(rng, rows=400, label="")
    yield "long", "k.txt", long_key, long_key.split("\n")[1:-2]
    pgp = "-----BEGIN PGP PRIVATE" + " KEY BLOCK-----\nVersion: 1\n\n"
    body = [pick(rng, BASE64, 64) for _ in range(260)]
    pgp += "\n".join(body) + "\n=aB3d\n-----END PGP PRIVATE" + " KEY BLOCK-----\n"
    yield "PGP", "k.txt", pgp, body
    putty = "PuTTY-User-Key" + "-File-3: ssh-rsa\nEncryption: none\nComment: x\nPublic-Lines: 2\n"
    public = [pick(rng, BASE64, 64) for _ in range(2)]
    private = [pick(rng, BASE64, 64) for _ in range(14)]
    putty += "\n".join(public) + "\nPrivate-Lines: 14\n" + "\n".join(private)
    yield "PuTTY", "k.txt", putty + f"\nPrivate-MAC: {pick(rng, HEX, 64)}\n", private
    inner = base64.b64encode(pem(rng).encode()).decode()
    yield "base64", "ci.yml", f"GCP_SA_KEY: {inner}\n", [inner[100:160], inner[-60:]]


def private_keys(seed: int) -> Iterator[Planted]:
    """Yield private keys; each text counts as one value per key, hidden if every row is."""
    for name, path, text, rows in _key_texts(Random(seed)):
        yield Planted("private key", name, path, text, tuple(rows))


def contexts(seed: int) -> Iterator[Planted]:
    """Yield each context once, with a value of its kind."""
    rng = Random(seed)
    for at, (group, path, template, make) in enumerate(
        (*CONTEXTS, *LATER_CONTEXTS, *LATEST_CONTEXTS)
    ):
        value = make(rng)
        yield Planted(group, f"{at} {path}", path, template.format(v=value), (value,))


def corpus(seed: int) -> list[Planted]:
    """Return the whole corpus of a seed."""
    return [*provider_tokens(seed), *contexts(seed), *private_keys(seed)]


def is_hidden(planted: Planted, shown: str) -> bool:
    """Tell whether no 12 characters (or no 8 of a shorter value) of any value are shown."""
    return not any(_shows(value, shown) for value in planted.values)


def _shows(value: str, shown: str) -> bool:
    size = min(12, max(6, len(value) - 2))
    return any(value[at : at + size] in shown for at in range(max(1, len(value) - size + 1)))
