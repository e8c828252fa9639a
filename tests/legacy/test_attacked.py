"""What a hostile reader of `legacy` found: each of these was so once."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from typing import Any

import flask
import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask.sessions import SecureCookieSessionInterface

from coatcheck.codec import MAX_BYTES
from coatcheck.errors import StoreUnavailable
from coatcheck.legacy import FlaskCookie, FlaskSessionRedis, JWTLogin, Old, Source, StarletteCookie
from coatcheck.legacy.data import storable
from tests.legacy.test_starlette_cookie import OLD_KEY, old_cookie
from tests.legacy.tools import OURS, New, deletes, given, lines, soon


def both(new: New, old: str) -> str:
    """The cookies of a visitor with a session of ours, and an old login beside it."""

    async def stored() -> str:
        session = await new.manager.load(None)
        session["cart"] = 1
        return str((await new.manager.commit(session)).token)

    return f"{OURS}={asyncio.run(stored())}; {old}"


@pytest.fixture
def new() -> New:
    return New(StarletteCookie(OLD_KEY, until=soon()))


# -- nobody is logged out ----------------------------------------------------------------------------------------


def test_a_visitor_whose_first_response_was_lost_is_signed_in_by_the_next(new: New) -> None:
    """The exchange ended the visitor's session: the next request brings that and the old cookie once more."""
    cookies = both(new, old_cookie({"user_id": "ada"}))
    assert new.ask("/fail", cookie=cookies).status_code == 500
    second = new.ask(cookie=cookies)
    assert second.json()["user"] == "ada"
    assert new.ask(cookie=f"{OURS}={given(second)}").json() == {"user": "ada", "fields": {"user_id": "ada", "cart": 1}}


def test_a_session_that_was_replaced_otherwise_opens_no_old_one(new: New) -> None:
    """After a login nothing that was not exchanged before is exchanged by the cookie of before."""
    old = old_cookie({"user_id": "bob"})
    cookies = both(new, old)
    assert new.ask("/login/ada", "POST", cookie=cookies.partition(";")[0]).status_code == 200
    assert new.ask(cookie=cookies).json()["user"] is None
    assert new.sessions("bob") == []


def test_what_a_parallel_request_wrote_for_a_visitor_comes_along() -> None:
    """It was acknowledged, before the exchange ended that session."""
    new = New(StarletteCookie(OLD_KEY, until=soon()))
    cookies = both(new, old_cookie({"user_id": "ada"}))
    noted: Any = new.manager.store
    inner = noted._inner
    login = inner.login

    async def written_meanwhile(*args: Any) -> Any:
        session = await new.manager.load(cookies.partition("=")[2].partition(";")[0])
        session["paid"] = True
        await new.manager.commit(session)
        return await login(*args)

    inner.login = written_meanwhile
    first = new.ask(cookie=cookies)
    assert first.json()["user"] == "ada"
    fields = new.ask(cookie=f"{OURS}={given(first)}").json()["fields"]
    assert (fields["cart"], fields["paid"]) == (1, True)


def test_a_browser_takes_both_lines_or_neither(new: New) -> None:
    """Over plain http it refuses ours: it must keep the old one, then, and be exchanged again."""
    ours, deletion = lines(new.ask(cookie=old_cookie({"user_id": "ada"})))
    for attribute in ("Secure", "SameSite=Lax"):
        assert attribute in ours.split("; ")
        assert attribute in deletion.split("; ")


def test_a_partitioned_cookie_is_deleted_as_one() -> None:
    """Another deletion does not reach it."""
    source = FlaskCookie(until=soon()).bound({"SECRET_KEY": OLD_KEY, "SESSION_COOKIE_PARTITIONED": True})
    assert source.deletion("x=y; Secure; SameSite=None").endswith("; Secure; SameSite=None; Partitioned")


def test_what_flask_was_not_told_comes_from_its_settings_one_by_one() -> None:
    """A path and a domain that were told stay, and a cookie's name does not keep the others away."""
    config = {"SECRET_KEY": OLD_KEY, "SESSION_COOKIE_PATH": "/app", "SESSION_COOKIE_DOMAIN": "example.com"}
    told = FlaskCookie(until=soon(), path="/shop", domain="old.example").bound(config)
    assert (told.path, told.domain) == ("/shop", "old.example")
    named = FlaskCookie(until=soon(), cookie="sid").bound(config)
    assert (named.path, named.domain) == ("/app", "example.com")


def test_keys_of_two_kinds_serve_both() -> None:
    """A key that does not fit the token's algorithm is not the last word."""
    secret = "h" * 40
    pair = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = pair.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    now = time.time()
    for keys in ([secret, pem], [pem, secret], [pair.public_key(), secret]):
        source = JWTLogin(keys, ["HS256", "RS256"], until=soon())
        for key, algorithm in ((secret, "HS256"), (pair, "RS256")):
            token = jwt.encode({"sub": "ada", "exp": int(now) + 600}, key, algorithm)
            assert source.read(token, now) is not None, (keys, algorithm)
    confused = jwt.encode({"sub": "ada", "exp": int(now) + 600}, "another" * 8, "HS256")
    assert JWTLogin([pem, secret], ["HS256", "RS256"], until=soon()).read(confused, now) is None


def test_a_client_that_decodes_reads_json() -> None:
    """Flask-Session's JSON through a Redis client with `decode_responses=True`."""
    source = FlaskSessionRedis("redis://localhost:1/0", until=soon())
    assert source._data('{"_user_id": "ada"}') == {"_user_id": "ada"}


# -- nobody is somebody else -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/logout", "/login/bob"])
def test_no_old_cookie_outlives_a_login_or_a_logout(path: str) -> None:
    """Also where the exchange is limited to another path: who came to this machine before would be signed in there."""
    new, old = New(StarletteCookie(OLD_KEY, until=soon(), paths=["/session"])), old_cookie({"user_id": "ada"})
    bob = given(new.ask("/login/bob", "POST"))
    answer = new.ask(path, "POST", cookie=f"{OURS}={bob}; {old}", sec_fetch_site="same-origin")
    assert deletes(answer, "session")


def test_a_visitors_write_leaves_the_login_that_another_path_exchanges() -> None:
    """Nobody has signed in or out: the old cookie is still to be exchanged."""
    new, old = New(StarletteCookie(OLD_KEY, until=soon(), paths=["/session"])), old_cookie({"user_id": "ada"})
    cookies = both(new, old)
    assert not deletes(new.ask("/me", cookie=cookies), "session")
    assert new.ask("/session", "POST", cookie=old, sec_fetch_site="same-origin").json()["user"] == "ada"


def test_of_two_good_cookies_of_one_name_neither_counts_whoever_reads_them() -> None:
    """One of another kind was planted just the same."""
    new = New(FlaskCookie(OLD_KEY, until=soon(), cookie="session"), StarletteCookie(OLD_KEY, until=soon()))
    app = flask.Flask("old")
    app.secret_key = OLD_KEY
    signer: Any = SecureCookieSessionInterface().get_signing_serializer(app)
    planted, own = f"session={signer.dumps({'_user_id': 'mallory'})}", old_cookie({"user_id": "ada"})
    assert new.ask(cookie=f"{planted}; {own}").json()["user"] is None
    assert new.ask(cookie=own).json()["user"] == "ada"
    assert new.ask(cookie=planted).json()["user"] == "mallory"


# -- in bounded time ---------------------------------------------------------------------------------------------


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a Redis that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=500) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def test_strangers_do_not_queue_for_an_old_store_that_is_silent(silent: str) -> None:
    """Forty at once: one after the other they would hold all threads, for 2 s each."""
    new = New(FlaskSessionRedis(silent, until=soon()))

    async def ask(number: int) -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(new.app), base_url="https://a.example") as client:
            answer = await client.get("/me", headers={"cookie": f"session=garbage-garbage-{number}"})
            return answer.status_code

    async def crowd() -> list[int]:
        return await asyncio.gather(*map(ask, range(40)))

    began = time.monotonic()
    assert asyncio.run(crowd()) == [503] * 40
    assert time.monotonic() - began < 4.0


def test_an_old_store_that_is_back_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a second without."""
    clock, down = [100.0], [True]
    monkeypatch.setattr("coatcheck.legacy.source.time.monotonic", lambda: clock[0])

    class Fickle(Source):
        kind = "fickle"

        def find(self, text: str, now: float) -> Old | None:
            if down[0]:
                raise StoreUnavailable("down")
            return Old(identity=text.encode(), expires_at=now + 60)

    source = Fickle(until=soon(), user="u", cookie="c")
    now = time.time()
    for at, is_down, works in ((0.0, True, False), (0.9, False, False), (1.1, False, True)):
        clock[0], down[0] = 100.0 + at, is_down
        if works:
            assert source.read("a", now) is not None
        else:
            with pytest.raises(StoreUnavailable):
                source.read("a", now)


def test_what_unpacks_to_more_than_a_session_holds_is_not_unpacked() -> None:
    """A cookie of four kilobytes may hold four megabytes: signed, where the old application stored what people sent."""
    app = flask.Flask("old")
    app.secret_key = OLD_KEY
    signer: Any = SecureCookieSessionInterface().get_signing_serializer(app)
    source = FlaskCookie(OLD_KEY, until=soon(), cookie="session")
    now = time.time()
    assert source.read(signer.dumps({"_user_id": "1", "l": "a" * (MAX_BYTES // 2)}), now) is not None
    bomb = signer.dumps({"_user_id": "1", "l": "a" * MAX_BYTES})
    assert len(bomb) < 2000
    assert source.read(bomb, now) is None


def test_a_session_of_many_small_fields_is_cut_in_time_that_grows_with_them() -> None:
    """And not with their square: forty thousand took four seconds."""
    began = time.process_time()
    kept = storable({f"k{number:06d}": number for number in range(40_000)}, lambda _: None)
    assert 0 < len(kept) < 40_000
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
@pytest.mark.parametrize("name", ["authenticated_at", "issued_at", "idle", "ends_at"])
def test_an_instant_that_is_none_is_nobody(name: str, value: float) -> None:
    """A signed NaN would be a 500 at each request."""
    odd: Any = {name: value}

    class Odd(Source):
        kind = "odd"

        def find(self, text: str, now: float) -> Old | None:
            return Old(identity=text.encode(), expires_at=now + 60, **odd)

    assert Odd(until=soon(), user="u", cookie="c").read("a", time.time()) is None
