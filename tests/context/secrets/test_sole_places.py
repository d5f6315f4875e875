"""Words are passwords in places that hold nothing else; in other places they are labels."""

from __future__ import annotations

from collections.abc import Callable

import pytest

Show = Callable[[str, str], str]

HIDDEN = [
    ("a.sql", "CREATE USER app IDENTIFIED BY 'sunflower';", "sunflower"),
    ("a.sql", "ALTER USER app WITH PASSWORD 'sunflower';", "sunflower"),
    ("a.sql", "CREATE ROLE app LOGIN PASSWORD 'sunflower';", "sunflower"),
    ("redis.conf", "requirepass sunflower", "sunflower"),
    ("redis.conf", "masterauth sunflower", "sunflower"),
    ("redis.conf", "user worker on >sunflower ~* +@all", "sunflower"),
    (
        "settings.xml",
        "<server><id>nexus</id><username>deploy</username><password>sunflower</password></server>",
        "sunflower",
    ),
    ("a.gradle", '    storePassword "sunflower"', "sunflower"),
    ("a.gradle", '    keyPassword = "sunflower"', "sunflower"),
    ("key.properties", "storePassword=sunflower", "sunflower"),
    ("a.ps1", '$p = ConvertTo-SecureString "sunflower" -AsPlainText -Force', "sunflower"),
    (
        "a.ps1",
        "$c = New-Object PSCredential(\"bob\", (ConvertTo-SecureString 'meadow' -AsPlainText))",
        "meadow",
    ),
    ("a.py", 'client.login("bob", "sunflower")', "sunflower"),
    ("a.js", "await page.login('bob', 'sunflower')", "sunflower"),
    ("a.go", 'c.Login("bob", "sunflower")', "sunflower"),
    ("a.java", 'session.login("bob", "sunflower");', "sunflower"),
    ("a.py", 'smtp.login(user, "sunflower")', "sunflower"),
    ("snmpd.conf", "rocommunity sunfl0wer-ro 10.0.0.0/8", "sunfl0wer-ro"),
    ("snmpd.conf", "rwcommunity meadow", "meadow"),
    ("ipsec.secrets", 'bob : EAP "sunflower"', "sunflower"),
    ("ipsec.secrets", ': PSK "sunflower"', "sunflower"),
    (
        "consul.json",
        '{"encrypt": "LWxvkwaF3Dxa4FWRyH+ugw4ua4RIIyLImycgIgcluSY="}',
        "LWxvkwaF3Dxa4FWRyH",
    ),
    ("squid.conf", "cache_peer proxy.local parent 3128 0 login=bob:sunflower", "sunflower"),
    ("a.txt", "AUTH PLAIN AGJvYgBzdW5mbG93ZXI=", "AGJvYgBzdW5mbG93ZXI"),
    ("a.ldif", "userPassword: sunflower", "sunflower"),
    (
        "a.ldif",
        "userPassword:: e1NTSEF9c3VuZmxvd2Vyc3VuZmxvd2Vy",
        "e1NTSEF9c3VuZmxvd2Vyc3VuZmxvd2Vy",
    ),
    ("secret.yaml", "kind: Secret\nstringData:\n  password: sunflower\n", "sunflower"),
    ("secret.yaml", "kind: Secret\ndata:\n  password: c3VuZmxvd2Vy\n", "c3VuZmxvd2Vy"),
    ("nuget.config", '<add key="ClearTextPassword" value="sunflower" />', "sunflower"),
    ("a.sh", "curl -u bob:sunflower https://x.local", "sunflower"),
    ("a.sh", "docker login -u bob -p sunflower registry.local", "sunflower"),
    ("a.sh", "helm upgrade x . --set auth.password=sunflower", "sunflower"),
    ("a.sh", "mysql -u root -psunflower app", "sunflower"),
    ("a.tfvars", 'db_password = "sunflower"', "sunflower"),
    ("cf.yaml", "  DBPassword:\n    Type: String\n    Default: sunflower", "sunflower"),
    ("wf.yml", "        env:\n          DB_PASSWORD: sunflower", "sunflower"),
    (".env", "DB_PASSWORD=sunflower", "sunflower"),
    ("application.properties", "spring.datasource.password=sunflower", "sunflower"),
    ("a.cs", 'new NetworkCredential("bob", "sunflower")', "sunflower"),
    ("vm.args", "-setcookie sunflower", "sunflower"),
    ("a.go", 'cfg := Config{User: "bob", Password: "sunflower"}', "sunflower"),
    ("a.rs", 'const PASSWORD: &str = "sunflower";', "sunflower"),
    ("a.kt", 'val password = "sunflower"', "sunflower"),
    ("a.swift", 'let password = "sunflower"', "sunflower"),
    ("a.bat", "set DB_PASSWORD=sunflower", "sunflower"),
    ("a.pl", "my $password = 'sunflower';", "sunflower"),
    ("a.r", 'password <- "sunflower"', "sunflower"),
    ("a.jl", 'password = "sunflower"', "sunflower"),
    ("a.m", "password = 'sunflower';", "sunflower"),
    ("a.js", 'db.createUser({user: "bob", pwd: "sunflower", roles: []})', "sunflower"),
    ("haproxy.cfg", "  user bob insecure-password sunflower", "sunflower"),
    ("haproxy.cfg", "  stats auth bob:sunflower", "sunflower"),
    ("crontab", "0 3 * * * mysqldump -u root -psunflower app > x", "sunflower"),
    ("a.md", "Log in with alice / sunflower42.", "sunflower42"),
    ("a.py", 'USERS = {"admin": "s3cret-Sun", "guest": "meadow-11"}', "s3cret-Sun"),
    ("a.py", 'USERS = {"admin": "s3cret-Sun", "guest": "meadow-11"}', "meadow-11"),
    (
        "a.go",
        'var users = map[string]string{"admin": "m4p-Admin", "guest": "m4p-Guest"}',
        "m4p-Admin",
    ),
    (
        "a.go",
        'var users = map[string]string{"admin": "m4p-Admin", "guest": "m4p-Guest"}',
        "m4p-Guest",
    ),
    ("userlist.txt", '"crm" "pgbouncer-8"', "pgbouncer-8"),
    (
        "a.json",
        '{"basic": [{"key": "password", "value": "sunflower", "type": "string"}]}',
        "sunflower",
    ),
    (
        "a.har",
        '{"name": "sessionid", "value": "d41d8cd98f00b204e980lkjhg3"}',
        "d41d8cd98f00b204e980",
    ),
    ("ci.yml", "DB_PASSWORD: sunflower", "sunflower"),
]
SHOWN = [
    ("a.yml", "labels:\n  password: Password"),
    ("a.py", 'password = "password"'),
    ("a.js", "const password = 'newPassword';"),
    ("a.js", "errors.password = 'required';"),
    ("en.json", '"password": "Password"'),
    ("en.json", '"password": "Passwort"'),
    ("a.ts", "password: 'string',"),
    ("a.py", 'fields = {"password": "text"}'),
    ("schema.json", '"password": "string"'),
    ("a.java", 'String PASSWORD = "user.password";'),
    ("a.html", '<label for="password">Kennwort</label>'),
    ("a.go", 'Password: "hidden",'),
    ("a.yml", "password: secret"),
    ("a.properties", "label.password=Kennwort"),
    ("a.md", "| password | string | the user's password |"),
    ("a.php", "'password' => 'hashed',"),
    ("a.sql", "password varchar(20) NOT NULL"),
    ("a.java", 'config.login("form", "basic");'),
    ("a.conf", "password optional pam_unix.so"),
    ("ci.yml", "MYSQL_PASSWORD: mariadb"),
]


@pytest.mark.parametrize(("path", "text", "secret"), HIDDEN)
def test_a_word_is_hidden_if_its_place_holds_only_secrets(
    path: str, text: str, secret: str, show: Show
) -> None:
    assert secret not in show(path, text)


@pytest.mark.parametrize(("path", "text"), SHOWN)
def test_labels_types_and_examples_stay(path: str, text: str, show: Show) -> None:
    assert show(path, text) == text
