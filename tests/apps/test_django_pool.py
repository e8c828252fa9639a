"""Django's own pool of connections to PostgreSQL, as the store's."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections, transaction
from django.test import Client, override_settings

from coatcheck.errors import ConfigurationError, StoreUnavailable
from coatcheck.integrations.django import managers
from coatcheck.stores.postgresql import PostgreSQLStore, schema
from coatcheck.token import new_handle
from tests.apps import django_site as site
from tests.servers import PostgresServer

ALIAS = "shop"


@pytest.fixture(scope="module", autouse=True)
def _tables() -> Iterator[None]:
    with site.tested():
        yield


@pytest.fixture
def database(postgres_server: PostgresServer, postgres_url: str) -> Iterator[Any]:
    """A database of the project's with a pool, in which nothing has been asked yet; sessions are to live there."""
    postgres_server.sql(schema())
    parts = urlsplit(postgres_server.url)
    mine = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path[1:],
        "USER": parts.username,
        "PASSWORD": parts.password,
        "HOST": parts.hostname,
        "PORT": parts.port,
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 2}},
    }
    known = connections.settings
    known[ALIAS] = connections.configure_settings({"default": {}, ALIAS: mine})[ALIAS]
    with override_settings(COATCHECK={"store": store}):
        yield connections[ALIAS]
    connections[ALIAS].close()
    connections[ALIAS].close_pool()
    del connections[ALIAS], known[ALIAS]


def store() -> PostgreSQLStore:
    """As a project's settings have it."""
    return PostgreSQLStore(connections[ALIAS].pool)


def test_sessions_live_in_the_projects_own_pool(database: Any) -> None:
    """A function in the settings makes the store when the first request comes, before the first query of Django's."""
    user = get_user_model().objects.create_user("pooled")
    browser = Client()
    assert [browser.get("/count").content for _ in range(3)] == [b"1", b"2", b"3"]
    browser.force_login(user)
    assert browser.get("/me").json()["user"] == "pooled"
    found = managers.sync_manager().store
    assert isinstance(found, PostgreSQLStore)
    assert found._given is database.pool
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM coatcheck_sessions WHERE record IS NOT NULL")
        assert cursor.fetchone() == (1,)
    assert managers.sync_manager().revoke_user(user.pk) == 1
    assert browser.get("/me").json()["user"] is None


def test_a_rollback_of_the_projects_does_not_undo_a_logout(database: Any) -> None:
    """The store never has the connection that Django has, nor its transaction; and that one is as it was."""
    manager = managers.sync_manager()
    session = manager.load(None)
    session.login("ada")
    token = manager.commit(session).token

    def fail() -> None:
        with transaction.atomic(using=ALIAS), database.cursor() as cursor:
            cursor.execute("CREATE TABLE mine (n int)")
            assert manager.revoke_user("ada") == 1
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    assert not manager.load(token).is_authenticated
    with database.cursor() as cursor:
        cursor.execute("SELECT to_regclass('mine')")
        assert cursor.fetchone() == (None,)


def test_checks_connect_to_nothing(database: Any) -> None:
    """`manage.py check`, and a server that loads the project before it forks, leave the pool unopened."""
    call_command("check", verbosity=0)
    assert isinstance(managers.sync_manager().store, PostgreSQLStore)
    assert database.pool.closed


def test_a_failure_names_the_server_and_no_password(database: Any) -> None:
    """Django gives the pool no conninfo, but its parts."""
    found: Any = managers.sync_manager().store
    assert repr(found) == f"<PostgreSQLStore {database.settings_dict['HOST']}:{database.settings_dict['PORT']}>"
    database.pool.open()
    database.pool.close()
    with pytest.raises(StoreUnavailable) as refused:
        found.load(new_handle(None))
    assert "secret" not in str(refused.value)


def test_a_connection_of_djangos_is_refused(database: Any) -> None:
    """It is inside of the project's transaction."""
    with pytest.raises(ConfigurationError, match="transaction"):
        PostgreSQLStore(database)


def test_under_asgi_the_settings_ask_for_an_asynchronous_store(database: Any) -> None:
    """Django's pool is for synchronous code alone."""
    with pytest.raises(ConfigurationError, match="async_store"):
        managers.async_manager()
