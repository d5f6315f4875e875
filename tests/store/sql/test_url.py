"""Which database a URL means, as people and hosts write it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.store.sql.url import BadDatabaseUrl, default_url, locate


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///forewarm.db", "forewarm.db"),
        ("sqlite:////var/lib/forewarm.db", "/var/lib/forewarm.db"),
        ("sqlite+aiosqlite:////var/lib/f.db", "/var/lib/f.db"),
        ("data/forewarm.db", "data/forewarm.db"),
    ],
)
def test_a_file_is_meant_with_and_without_a_scheme(url: str, path: str) -> None:
    """SQLAlchemy's three and four slashes, and a bare path."""
    assert locate(url).path == Path(path)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg", "POSTGRES"])
def test_every_spelling_of_postgresql_is_understood(scheme: str) -> None:
    """Heroku says postgres://, SQLAlchemy's users write the driver."""
    assert locate(f"{scheme}://u:p@h/d").dsn == "postgresql://u:p@h/d"


def test_parameters_for_libpq_alone_are_left_out_and_the_others_kept() -> None:
    """Hosts hand out URLs that the server itself would refuse."""
    url = "postgres://u@h/d?sslmode=require&channel_binding=require&connect_timeout=3"
    assert locate(url).dsn == "postgresql://u@h/d?sslmode=require"


def test_another_database_is_refused_without_showing_the_url() -> None:
    """The URL holds a password, and errors are printed."""
    with pytest.raises(BadDatabaseUrl) as caught:
        locate("mysql://u:secretpw@h/d")
    assert "mysql" in caught.value.user_message
    assert "secretpw" not in caught.value.user_message


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("postgresql://u:secretpw@h:54x2/d", "port"),
        ("postgresql://u:secretpw@h:70000/d", "port"),
        ("postgresql://u:secret/pw@h/d", "%2F"),
        ("postgresql://u:secret#pw@h/d", "%23"),
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_showing_it(url: str, word: str) -> None:
    with pytest.raises(BadDatabaseUrl) as caught:
        locate(url)
    assert word in caught.value.user_message
    assert "secret" not in caught.value.user_message


def test_a_password_is_not_in_the_repr() -> None:
    """A location is shown in logs."""
    assert "secretpw" not in repr(locate("postgres://u:secretpw@h/d"))


def test_the_default_is_one_file_at_home() -> None:
    """One process with SQLite for a team, nothing to set up."""
    assert locate(default_url(Path(".forewarm"))).path == Path(".forewarm/forewarm.db")
    assert locate(default_url(Path("/srv"))).path == Path("/srv/forewarm.db")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:///:memory:", "in memory"),
        ("postgresql://u:p@host/db?sslmode=requird", "the sslmode 'requird'"),
        ("postgresql://u:p@host/db?sslrootcert=/nonexistent/ca.pem", "/nonexistent/ca.pem"),
    ],
)
def test_what_the_driver_would_refuse_or_lose_is_told(url: str, told: str) -> None:
    with pytest.raises(BadDatabaseUrl, match=re.escape(told)):
        locate(url)


def test_a_file_may_lie_in_the_home_folder() -> None:
    assert locate("sqlite:///~/forewarm.db").path == Path.home() / "forewarm.db"


def test_an_address_of_ipv6_is_shown_with_brackets() -> None:
    assert locate("postgresql://u:p@[::1]:9/db").place == "[::1]:9"


def test_several_hosts_are_left_to_the_driver() -> None:
    found = locate("postgresql://u:secret@one:5432,two:5433/db")
    assert found.place == "one:5432,two:5433"
