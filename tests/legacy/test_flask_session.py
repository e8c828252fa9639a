"""Flask-Session's Redis: what version 0.8 wrote there is exchanged for a session, and nothing is unpickled."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import flask_session  # type: ignore[import-untyped]  # it has no types
import msgspec
import pytest
import redis
from flask import Flask

from coatcheck.errors import ConfigurationError
from coatcheck.integrations.flask import manager_from
from coatcheck.legacy import FlaskSessionRedis
from coatcheck.testing import FakeClock
from tests.legacy.flask_sites import PLAIN, new_site, old_site, until
from tests.legacy.test_flask_cookie import browser
from tests.legacy.tools import New, deletes, given
from tests.servers import RedisServer

LIFE = 31 * 86_400


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as made:
        yield made


def old(client: redis.Redis, **config: Any) -> Flask:
    """The old application."""
    app = old_site(SESSION_TYPE="redis", SESSION_REDIS=client, **config)
    flask_session.Session(app)
    return app


def moved(client: Any, **config: Any) -> Flask:
    return new_site(FlaskSessionRedis(client, until=until()), **config)


@pytest.mark.parametrize("form", ["msgpack", "json"])
def test_who_was_signed_in_stays_so(client: redis.Redis, form: str) -> None:
    """User, data and permanence, in either of its formats; the old cookie goes."""
    cookie = given(old(client, SESSION_SERIALIZATION_FORMAT=form).test_client().get("/login/ada"), "session")
    site = moved(client)
    user = browser(site, session=cookie)
    first = user.get("/me")
    assert first.text == "ada"
    assert deletes(first, "session")
    assert user.get("/fields").text == repr(sorted(PLAIN.items()))
    assert len(manager_from(site).sessions("ada")) == 1
    user.get("/logout")
    assert browser(site, session=cookie).get("/me").text == "nobody"


def test_a_url_is_enough_and_its_prefix_and_lifetime_are_the_applications(redis_url: str) -> None:
    """SESSION_KEY_PREFIX; the time to live ends it, whatever else."""
    with redis.Redis.from_url(redis_url) as client:
        config: dict[str, Any] = {"SESSION_KEY_PREFIX": "shop:", "PERMANENT_SESSION_LIFETIME": timedelta(days=3)}
        cookie = given(old(client, **config).test_client().get("/login/ada"), "session")
        clock = FakeClock(datetime.now(UTC))
        source = FlaskSessionRedis(redis_url, until=until())
        site = new_site(source, settings={"clock": clock}, **config)
        assert browser(site, session=cookie).get("/me").text == "ada"
        [info] = manager_from(site).sessions("ada")
        assert info.authenticated_at is None
        assert redis_url not in repr(source)
        client.flushdb()
        assert browser(site, session=given(old(client).test_client().get("/login/eve"), "session")).get("/me").text == (
            "nobody"
        )


def test_a_signed_cookie_is_asked_for_its_signature(client: redis.Redis) -> None:
    """SESSION_USE_SIGNER: the bare name of a session is then worth nothing."""
    with pytest.warns(DeprecationWarning, match="use_signer"):
        app = old(client, SESSION_USE_SIGNER=True)
    cookie = given(app.test_client().get("/login/ada"), "session")
    site = moved(client, SESSION_USE_SIGNER=True)
    assert browser(site, session=cookie.partition(".")[0]).get("/me").text == "nobody"
    assert browser(site, session=f"{cookie[:-2]}AA").get("/me").text == "nobody"
    assert browser(site, session=cookie).get("/me").text == "ada"


class _Bomb:
    went_off = False

    def __reduce__(self) -> Any:
        return _go_off, ()


def _go_off() -> dict[str, Any]:
    _Bomb.went_off = True
    return {"_user_id": "eve"}


def test_nothing_is_unpickled(client: redis.Redis, caplog: pytest.LogCaptureFixture) -> None:
    """CWE-502: whoever can write to that Redis runs no code here. It is said once."""
    caplog.set_level(logging.WARNING, "coatcheck")
    sid = "a" * 43
    site = moved(client)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        for value in ({"_user_id": "ada"}, _Bomb()):
            client.set(f"session:{sid}", pickle.dumps(value, protocol), ex=LIFE)
            assert browser(site, session=sid).get("/me").text == "nobody"
    assert not _Bomb.went_off
    client.set(f"session:{sid}", msgspec.msgpack.encode({"_user_id": "ada"}), ex=LIFE)
    assert browser(site, session=sid).get("/me").text == "ada"
    assert len([line for line in caplog.messages if "pickled" in line]) == 1


def test_hostile_values_and_names_are_nobody(client: redis.Redis) -> None:
    """What is no session, and names that no Flask-Session made: another application's keys are not looked at."""
    site, sid = moved(client), "b" * 43
    client.set("secrets", b"\x81\xa8_user_id\xa3ada", ex=LIFE)
    for value in (b"", b"\x00", b"[]", b"\xc1" * 99, b"\x91" * 100_000, b"{" * 100_000, b"\xff\xfe", b'"text"', b"7"):
        client.set(f"session:{sid}", value, ex=LIFE)
        assert browser(site, session=sid).get("/me").text == "nobody"
    client.set(f"session:{sid}", msgspec.msgpack.encode({"_user_id": "ada"}))
    short = moved(client, PERMANENT_SESSION_LIFETIME=timedelta(days=1))
    assert browser(short, session=sid).get("/me").text == "nobody", "it has no time to live"
    client.expire(f"session:{sid}", 80_000)
    assert browser(short, session=sid).get("/me").text == "ada"
    bare = moved(client, SESSION_KEY_PREFIX="")
    for name in ("secrets", "another:secret:of:an:application"):
        client.set(name, msgspec.msgpack.encode({"_user_id": "ada"}), ex=LIFE)
        assert browser(bare, session=name).get("/me").text == "nobody"
    for name in ("../secrets", "*", "b" * 15, "b" * 201, "\x00" * 43):
        assert browser(site, session=name).get("/me").text == "nobody"


def test_a_field_that_cannot_be_stored_stays_behind_alone(
    client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is logged out for it, and it is named once, without its value."""
    caplog.set_level(logging.WARNING, "coatcheck")
    site, fields = (
        moved(client),
        {"_user_id": "ada", "ok": 1, "deep": [], "big": "x" * 200_000, "bigger": "y" * 250_000},
    )
    inner: list[Any] = fields["deep"]  # type: ignore[assignment]
    for _ in range(40):
        inner.append([])
        inner = inner[0]
    for number in range(2):
        sid = f"{number}" * 43
        client.set(f"session:{sid}", msgspec.msgpack.encode(fields), ex=LIFE)
        user = browser(site, session=sid)
        assert user.get("/me").text == "ada"
        assert user.get("/fields").text == repr([("big", "x" * 200_000), ("ok", 1)])
    said = [line for line in caplog.messages if "stays behind" in line]
    assert len(said) == 2
    assert not any("xxx" in line or "yyy" in line for line in said)


def test_an_old_redis_that_is_down_is_503_and_logs_nobody_out() -> None:
    """Who has an old cookie and no session of ours waits; everybody else is served."""
    with RedisServer() as server, redis.Redis.from_url(server.url) as client:
        app = old(client)
        cookie = given(app.test_client().get("/login/ada"), "session")
        site = moved(client)
        there = browser(site, session=given(app.test_client().get("/login/bob"), "session"))
        assert there.get("/me").text == "bob"
        new = New(FlaskSessionRedis(server.url, until=until()))
    with client:
        answer = browser(site, session=cookie).get("/me")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert not deletes(answer, "session")
        assert there.get("/me").text == "bob"
        assert site.test_client().get("/me").text == "nobody"
        assert new.ask(cookie=f"session={cookie}").status_code == 503
        assert new.ask().status_code == 200


def test_an_event_loop_reads_it_on_a_thread(client: redis.Redis, redis_url: str) -> None:
    """From Flask to Starlette."""
    cookie = given(old(client).test_client().get("/login/ada"), "session")
    new = New(FlaskSessionRedis(redis_url, until=until()))
    first = new.ask(cookie=f"session={cookie}")
    assert first.json()["user"] == "ada"
    assert new.ask(cookie=f"session={cookie}").json()["user"] == "ada"
    assert len(new.sessions("ada")) == 1


def test_a_signer_without_a_key_does_not_start() -> None:
    """It says what to pass."""
    source = FlaskSessionRedis("redis://localhost", until=until(), secret_key=[])
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        New(source).ask()
