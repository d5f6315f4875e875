"""Code and configuration that only speaks of secrets stays as it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Show = Callable[[str, str], str]

UNTOUCHED: list[tuple[str, str]] = [
    # Expressions.
    ("a.go", "if foundSecret != nil {"),
    ("a.go", "for _, secret := range secrets {"),
    ("a.go", "maxPasswordAge = time.Minute * 5"),
    ("a.go", "repo.Password = source.Password"),
    ("a.go", 'SecretKey config.Secret `yaml:"secret_key,omitempty"`'),
    ("a.go", "token, err := jwt.ParseWithClaims(raw2, claims5, keyFunc)"),
    ("a.py", "password = get_password(user_1)"),
    ("a.py", "token = tokens[index2 + 1].value"),
    ("a.py", "password=config.smtp_v2.password1"),
    ("a.py", 'secret = os.environ["APP_SECRET_V2"]'),
    ("a.py", "key_password = None if x86 else b64decode(raw_1)"),
    ("a.ts", "const token = await getToken(clientV2.id3);"),
    ("a.ts", "this.password = form.value.password1x;"),
    ("a.rs", "let secret = Secret::from_bytes(&buf32)?;"),
    ("a.java", "this.password = builder.password1b;"),
    ("a.c", "password = strdup(argv[optind2]);"),
    ("a.rb", "secret = Rails.application.credentials.secret_1a"),
    ("a.sh", "PASSWORD=$(cat /run/secrets/db1)"),
    ("a.sh", 'TOKEN="${GITHUB_TOKEN:-}"'),
    ("a.sh", 'curl -u "$USER1:$PASS1" https://api.acme.com'),
    ("main.tf", "password = random_password.db1.result"),
    ("main.tf", "secret_key = var.secret_key_v2"),
    ("Makefile", "DB_PASSWORD := $(shell pass show db1)"),
    # Names of secrets.
    ("a.yaml", "secretName: my-tls"),
    ("a.yaml", "existingSecret: redis-auth"),
    ("a.yaml", "existingSecretPasswordKey: redis-password1"),
    ("a.yaml", "secrets: inherit"),
    ("a.yaml", "imagePullSecrets:\n  - name: regcred-2"),
    ("a.yaml", "    secretKeyRef:\n      name: db-2\n      key: password"),
    ("a.yaml", "password: ${{ secrets.DB_PASSWORD_2 }}"),
    ("a.yaml", "token: {{ .Values.auth.token2 }}"),
    ("a.yaml", "password: !vault |"),
    ("a.ts", 'const SECRET_HEADER = "x-acme-signature";'),
    ("a.py", 'PASSWORD_FIELD = "user_pwd_input2"'),
    ("a.go", 'initialPasswordSecretName = "argocd-initial-admin-secret"'),
    ("a.py", 'openapi_types = {"secret_ref": "V1SecretReference"}'),
    ("a.py", '"secrets": "List[V1ObjectReference]",'),
    ("a.py", '__all__ = ["OAuth2AccessToken", "OAuth2Application"]'),
    ("a.py", 'TOKEN_URL = "https://login.acme.com/oauth2/v2.0/token"'),
    ("a.json", '{"tokenEndpointAuthMethod": "client_secret_basic"}'),
    ("a.json", '{"authMethod": "oauth2-client-credentials"}'),
    # Words.
    ("en.yml", "reset_password: Reset your password now"),
    ("en.yml", "password: Password"),
    ("de.yml", "forgot_password: Passwort vergessen?"),
    ("routes.rb", 'get "/login/forgot_password" => "login#forgot_password"'),
    ("redis.conf", "# no password: it means that every client may connect"),
    ("README.md", "Set the password: it is needed once."),
    ("README.md", "The token is refreshed every 10 minutes."),
    ("a.html", '<input type="password" name="password" placeholder="8 characters or more">'),
    ("a.ts", "throw new Error('password: must have 8 characters')"),
    ("a.go", 't.Errorf("password=%q, want %q", got1, want1)'),
    ("a.c", " * Note: caller must not pass 'IObuff2' as 1st argument."),
    ("guide.md", "Pass `createState2()` as the `state` option."),
    # Hashes, identifiers, alphabets.
    ("a.rb", 'sha256 "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"'),
    ("a.yaml", "uses: actions/checkout@8ade135a41bc03ea155e62e844d188df1ea18608"),
    ("a.yaml", "commit: 8ade135a41bc03ea155e62e844d188df1ea18608"),
    (
        "a.json",
        '{"integrity": "sha512-D9gUyxqja7hBtkWpPWGt9wfbfaMGVt9gnyCvYa+jojwwPHLCzUm5i8rpk7vD7w=="}',
    ),
    ("a.c", 'char *geoalphabet= "0123456789bcdefghjkmnpqrstuvwxyz";'),
    ("a.py", 'TOKEN_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"'),
    ("a.py", 'id = "5e1b3e4a-6b7a-4c6e-9d3b-2f1c0a9b8c7d"'),
    ("a.py", 'SECRET_ID = "5e1b3e4a-6b7a-4c6e-9d3b-2f1c0a9b8c7d"'),
    ("a.rb", "AAAS_01j6ax48wpfb4vas8qgv8vmg20"),
    ("a.tcl", "set rna {ACGUACGUACGUACGUACGU}"),
    ("a.yaml", "tls.crt: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUM1"),
    ("a.pem.txt", "-----BEGIN CERTIFICATE-----\nMIIC5jCCAc6gAwIBAgIJAKtest1234567\n"),
    # Placeholders.
    ("a.env.example", "DB_PASSWORD=changeme"),
    ("a.env.example", "API_TOKEN=<your-api-token>"),
    ("a.env.example", "API_TOKEN=your-token-here-123456789"),
    ("a.py", 'password = "${DB_PASSWORD}"'),
    ("a.py", 'client_secret="secret"'),
    ("a.py", 'token = "xxxxxxxxxxxxxxxxxxxxxxxx1"'),
    ("a.py", 'api_key = "sk-ant-api03-your-api-key-here-0001"'),
    ("a.py", 'password = f"{user}-{host2}"'),
    ("a.java", 'url = "jdbc:mysql://${host1}:3306/db2?user=${user1}&password=${pw1}"'),
    ("a.md", "https://user:password@example.com/x"),
    ("a.md", "http://localhost:8080/users/@me2"),
    ("a.md", "https://host.acme.com:4873/@scope/package-2"),
    ("a.yaml", "secret: '%env(APP_SECRET_2)%'"),
    ("a.yaml", "secret: '%kernel.secret2%'"),
    ("a.tf", 'cluster_auth_base64 = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUM1"'),
    ("a.ts", " * the Auth Group ID, e.g. `https://auth.acme.com/YQpbQV5dbW-224dCovz-3`"),
    ("A.java", 'static final String UNSET_PASSWORD = "#$!-UNSET-PASSWORD";'),
    ("a.py", 'assert secrets["k8s:client2id"] == value'),
    ("a.ts", 'import { token } from "./x7tokens2b";'),
    ("a.yaml", "password: ''"),
    ("a.ini", "password ="),
    ("secret.yaml", "kind: Secret\nstringData:\n  type: git\n  url: https://git.acme.com/a-2\n"),
    ("s.yaml", "kind: Secret\nstringData:\n  changed: 2019-03-20T17:54:53Z\n"),
    ("a.vim", 'let s = "string $user = ini_get(1), string $passwd = ini_get(2)"'),
    (
        "a.json",
        '{"x": "{\\"tokens\\": 6}}\\n{\\"id\\": \\"msg_01XFDUDYJgAACzvnptvVoYEL\\"}"}',
    ),
    ("a.yaml", "checksum/secret: 9fceb02d0ae598e95dc970b74767f19372d61af8"),
    ("ja.json", '{"auth.forget_password": "パスワードを忘れました"}'),
    ("ru.ini", "auths.bind_password=Привязать пароль"),
    ("tr.properties", "password.change=Değiştir şifre"),
    ("zh.php", "<?php return ['password' => '密码至少8位'];"),
    ("sv.yml", "password: Lösenord"),
    (
        "a.txt",
        'Authorization: Digest username="testuser", realm="r", uri="/99990002", nc="00000001"',
    ),
    ("a.html", '<a class="token" href="#/s:9Alamofire7RequestC15cURLDescription2on">x</a>'),
    ("a.md", "func apply(_ credential: OAuthCredential, to request: inout URLRequest) {"),
    ("a.js", 'const password = translate("glacier-saddle-orbit-comet70");'),
    ("a.py", 'secret_name = "payments-orders-ledger-cache02"'),
    (
        "a.json",
        '{"kty": "RSA", "n": "d6iz1rPFFXos2CBlmlklrnCVoHjh9QShcMypaKB3Pj5icn", "e": "AQAB"}',
    ),
    ("a.js", "const key = crypto.createHmac('sha256', process.env.SIGNING_SECRET_V2);"),
    ("a.txt", "Cookie: sessionid=<your-session-id-here-0001>; path=/"),
    ("A.swift", 'headers[.authorization] = "Bearer \\(session.token)"'),
    ("A.swift", 'let credentials = "\\(basic.username):\\(encode(basic.password))"'),
    ("a.py", 'assert md5(token) == "5d41402abc4b2a76b9719d911017c592"'),
    ("a.html", "<a name='/s:So17OS_dispatch_queueC9AlamofireE5after_7executeySd_yyctF'></a>"),
    ("a.md", "see pull/36/files/2736ebd#diff-a95f46e7ce116caddc9b9a9aa81004246d5210d5da5f4df90aL4"),
    ("a.js", 'WWW-Authenticate: Digest realm="Test", qop="auth", nonce="0796e98e1aeef43141fab2a6"'),
    ("rbac.yaml", "resources:\n  - secrets\n  - events2k8s\n"),
    ("a.ts", 'DROP CONSTRAINT "CHK_0528bff24af57f1513a83e5cfe_ENUM"'),
    ("a.ts", "// partial edits, or multi-pass pipelines) would stack"),
    ("a.tmpl", "https://{token}:x-access-token@git.acme.com/user/repo.git"),
    ("a.js", 'btoa(user + ":" + password); Buffer.from("token:value"); btoa("urn:x:oauth2")'),
    ("a.cs", 'f.Add($"overlay=eof_action=pass:repeatlast=0{format}");'),
    ("a.cs", 'var filterFirstPass = "vpp_scale=format=bgra:afbc=1";'),
    ("A.cs", "public void Is4K_MatchesAnItemWhoseVersionGroupHoldsBothHdAnd4K() {}"),
    ("a.php", "<?php return ['password' => 'required|min:8|confirmed'];"),
    ("a.go", 'signingKey := sumHMAC(service, []byte("aws4_request"))'),
    ("a.yml", "- name: If we got here, password was passed!"),
    ("a.yml", "p: \"{{ lookup('password', dir + '/lookup/password length=8') }}\""),
    ("a.md", 'tls_client_key="" brokers="localhost:9092,localhost:9093"'),
    ("a.yml", "password: VeryStrongPasswordHere!"),
    ("a.yaml", "password: redis-password1"),
    ("a.ts", "const t = jwt.sign({ sub: 'user-42' }, process.env.JWT_SECRET);"),
    ("a.py", 'mac = hmac.new(key, msg, "sha-256")'),
    ("a.go", "tokens = []int{1, 22, 31, 44, 55, 61, 72, 83, 99, 10, 11, 12, 13, 14, 15, 16, 17}"),
    ("a.sql", "INSERT INTO users (name, mail) VALUES ('calvin99', 'c4lvin@acme.com');"),
    ("a.py", 'connect("broker-17", "queue-2")'),
    ("a.ts", 'const key = "user:17:profile-v2";'),
    ("a.ini", "esxi1_password: @ESXI1_PASSWORD"),
    ("a.md", "curl 127.0.0.1:3000/debug/vars"),
    (
        "Dockerfile",
        '# Verify by the public key "RWTx5Zr1tiHQLwG9keckT0c45M3AGeHD6IvimQHpyRywVWGbP1aVSGav"',
    ),
    (
        "a.lock.json",
        '{"name": "acme/php-jwt", "source": {"reference": "46a395dfeff8f6f4572bc2c3bdabc4e0"}}',
    ),
    ("a.js", 'const n={PASSWORD:"Password",chunk:"46a395dfeff8f6f4572b"};'),
    ("a.php", "$this->runLogin(['email' => 'a@acme.com', 'sub' => 'benny505']);"),
    ("a.bicep", "resource sqlPasswordSecret 'Microsoft.KeyVault/vaults/secrets@2022-07-01' = {"),
    ("a.diff", '+password = os.environ["PASSWORD"]'),
    ("a.ts", r'const token = "^(?:[a-zA-Z0-9_.]+|[^\\s\\w]{2,4})+(?=[A-Z0-9]{1,3}:)$";'),
    ("a.java", 'form.add("password", "text1"); match("password", "password2");'),
    ("a.json", '{"password": "Password 2 of 3 is invalid"}'),
    ("cm.yaml", "kind: ConfigMap\ndata:\n  level2: ZGVidWctbGV2ZWwtMQ==\n"),
    # Beside the places that hold nothing but a password.
    ("a.sh", "run --pwd=build --password-file=secrets/db"),
    ("a.sh", "useradd -p $(openssl passwd -6) bob"),
    ("users.csv", "id,password_hint,token_type\n1,meadow,bearer\n"),
    ("a.md", "| Option | Password |\n|---|---|\n| reset | rotation |"),
    ("a.py", 'USERS = [("bob", "editor"), ("eve", "sales")]'),
    ("a.py", 'credentials = {"region": "eu-west-1", "host": "db-7"}'),
    ("a.py", 'WS_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"'),
    ("a.py", 'CURVE_TYPE_LIB_KEY = "com.github.googlei18n.cu2qu.curve_type"'),
    ("strings.xml", '<string name="mqtt_pass">passwort</string>'),
    ("Caddyfile", "tls {\n  dns cloudflare {env.CF_API_TOKEN}\n}"),
    (".env", "RECAPTCHA_SITE_KEY=6LofyE1uo5vEun3WLG9OmAOfdbLO5YOZiiO6oGB8"),
    ("a.sql", "CREATE TABLE m (id int, sha char(40));\nINSERT INTO m VALUES (1,'f84dbbcddb6624');"),
    ("a.sh", "openssl enc -pass pass:$KEY -in a; openssl enc -pass pass:password -in b"),
    ("a.yml", "login:\n  password: Kennwort\n  username: Benutzer"),
    ("a.py", 'parser.add_argument("--password", "-p", help="the words to log in with")'),
    ("a.md", "The keys `user / group` and the pages: home / settings"),
    ("a.yml", "https://bob@a.local:8080/x@2"),
    ("a.ts", "await page.fill('input[name=\"password\"]', password);"),
    ("a.py", 'auth = ("basic", "digest")'),
]


@pytest.mark.parametrize(("path", "text"), UNTOUCHED)
def test_what_is_no_secret_stays(path: str, text: str, show: Show) -> None:
    """Masked code cannot be explained."""
    assert show(path, text) == text


@pytest.mark.parametrize(
    ("path", "text", "shown"),
    [
        (
            "a.py",
            'u = "redis://:sup3rs3cretpw@cache:6379/1"',
            'u = "redis://:[masked: password]@cache:6379/1"',
        ),
        ("a.py", 'u = "https://ci:pw1x@host/p"', 'u = "https://ci:[masked: password]@host/p"'),
        (
            "a.ipynb",
            '["x = \\"a\\"\\npassword = \\"Falcon-x7Qa212\\"\\n"]',
            '["x = \\"a\\"\\npassword = \\"[masked: password]\\"\\n"]',
        ),
        ("a.yml", "{a: 1, password: Falcon-x7Qa212}", "{a: 1, password: [masked: password]}"),
        ("a.yml", "p: ${DB_PASSWORD:Falcon-x7Qa212}", "p: ${DB_PASSWORD:[masked: password]}"),
        ("a.sh", "DB_PASSWORD=Falcon-x7Qa212; run", "DB_PASSWORD=[masked: password]; run"),
        ("a.xml", "<password>Falcon-x7Qa212</password>", "<password>[masked: password]</password>"),
        ("a.cs", '"Uid=sa;Pwd=Mango!Hz8;Encrypt=no"', '"Uid=sa;Pwd=[masked: password];Encrypt=no"'),
    ],
)
def test_only_the_value_is_masked(path: str, text: str, shown: str, show: Show) -> None:
    """Schemes, users, quotes, backslashes and brackets are code."""
    assert show(path, text) == shown


@pytest.mark.parametrize(
    "value",
    ["/alrXUtn7EMI/K7MDEN2bPxRfiCY3XAMPL3K5Yab", "+alrXUtn7EMI/K7MDEN2bPxRfiCY3XAMPL3K5Yab"],
)
def test_a_key_may_begin_with_any_character_of_base64(value: str, show: Show) -> None:
    """One of 32 keys of AWS begins with a slash or a plus sign."""
    assert value[:12] not in show("a.yml", f"AWS_SECRET_ACCESS_KEY: {value}\n")


def test_a_finding_names_its_rule(show: Show) -> None:
    """A reader must be able to tell a password from a provider's token."""
    token = "ghp" + "_" + "aZ3kP9qLx7Rt2Wv8bN5mQ1cJaZ3kP9qLx7Rt"
    assert show("a.py", f'x = "{token}"') == 'x = "[masked: GitHub token]"'
    assert show("a.py", 'password = "Falcon-x7Qa212"') == 'password = "[masked: password]"'
