"""A JWT login: the token of FastAPI's tutorial is exchanged once for a session, and never makes a second one."""

from __future__ import annotations

import asyncio
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from coatcheck.errors import ConfigurationError
from coatcheck.legacy import JWTLogin
from coatcheck.testing import FakeClock
from tests.legacy.tools import OURS, New, deletes, given, lines, other_spelling, soon

OLD_KEY = "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the curve P-256."""


def create_access_token(data: dict[str, Any], expires_delta: timedelta = timedelta(minutes=30), **more: Any) -> str:
    """As in FastAPI's tutorial."""
    to_encode = data.copy()
    to_encode.update({"exp": datetime.now(UTC) + expires_delta})
    return jwt.encode(to_encode, more.pop("key", OLD_KEY), algorithm=more.pop("algorithm", "HS256"), **more)


def source(**settings: Any) -> JWTLogin:
    given: dict[str, Any] = {"key": OLD_KEY, "algorithms": ["HS256"], "until": soon()}
    return JWTLogin(**given | settings)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_at_the_next_request_it_is_a_session() -> None:
    """A page that still sends its token gets the cookie with it; from then on the cookie is enough."""
    new = New(source())
    token = create_access_token({"sub": "johndoe"})
    first = new.ask(**bearer(token))
    assert first.json() == {"user": "johndoe", "fields": {}}
    assert new.ask(cookie=f"{OURS}={given(first)}").json()["user"] == "johndoe"
    assert new.ask(cookie=f"{OURS}={given(first)}", **bearer(token)).json()["user"] == "johndoe"
    assert new.sessions("johndoe") == [given(first)[:22]]
    assert len([event for event in new.events if event.name == "exchanged"]) == 1


def test_at_an_endpoint_alone() -> None:
    """`paths`: elsewhere it is not looked at."""
    new = New(source(paths=["/session"]))
    token = create_access_token({"sub": "johndoe"})
    for path in ("/me", "/session/", "/Session", "//session", "/%73ession"):
        assert lines(new.ask(path, "POST", **bearer(token))) == []
    assert new.calls == []
    first = new.ask("/session", "POST", **bearer(token))
    assert first.json()["user"] == "johndoe"
    assert new.ask(cookie=f"{OURS}={given(first)}").json()["user"] == "johndoe"


def test_a_native_client_gets_its_token_in_a_header() -> None:
    """No cookie is set, and none is read."""
    new = New(source(paths=["/session"]), options={"header": "X-Session"})
    first = new.ask("/session", "POST", x_session="", **bearer(create_access_token({"sub": "johndoe"})))
    assert first.json()["user"] == "johndoe"
    assert lines(first) == []
    again = new.ask("/me", x_session=first.headers["x-session"])
    assert again.json()["user"] == "johndoe"
    assert "x-session" not in again.headers
    cookie = f"token={create_access_token({'sub': 'eve'})}"
    new = New(source(cookie="token"), options={"header": "X-Session"})
    assert new.ask("/me", x_session="", cookie=cookie).json()["user"] is None


def test_two_requests_at_once_and_a_lost_response_give_one_session() -> None:
    """Whoever shows it again gets the same."""
    new, token = New(source()), create_access_token({"sub": "johndoe"})
    assert len({given(new.ask(**bearer(token))) for _ in range(3)}) == 1
    assert len(new.sessions("johndoe")) == 1


def test_after_a_logout_it_is_worth_nothing() -> None:
    """Though it is good by itself for half an hour: what has ended stays ended."""
    new, token = New(source()), create_access_token({"sub": "johndoe"})
    ours = given(new.ask(**bearer(token)))
    new.ask("/logout", "POST", cookie=f"{OURS}={ours}")
    assert new.ask(**bearer(token)).json()["user"] is None
    new.ask("/logout", "POST", **bearer(other := create_access_token({"sub": "janedoe"})))
    assert new.ask(**bearer(other)).json()["user"] is None
    asyncio.run(new.manager.revoke_user("bob"))
    assert new.ask(**bearer(create_access_token({"sub": "bob"}))).json()["user"] is None
    assert new.sessions("johndoe") + new.sessions("janedoe") + new.sessions("bob") == []


def test_when_it_was_issued_is_what_revoke_user_goes_by() -> None:
    """`iat`, else `exp` less `lifetime`; without either every token is taken for older than the revocation."""
    clock = FakeClock(datetime.now(UTC))
    new = New(source(lifetime=timedelta(minutes=30)), clock=clock)
    asyncio.run(new.manager.revoke_user("ada"))
    clock.advance(5)
    issued = {"iat": clock.now()}
    assert new.ask(**bearer(create_access_token({"sub": "ada", **issued}))).json()["user"] == "ada"
    late = create_access_token({"sub": "ada"}, timedelta(minutes=30, seconds=4))
    early = create_access_token({"sub": "ada"}, timedelta(minutes=29))
    assert [new.ask(**bearer(token)).json()["user"] for token in (late, early)] == ["ada", None]
    plain = New(source(), clock=clock)
    asyncio.run(plain.manager.revoke_user("ada"))
    assert plain.ask(**bearer(late)).json()["user"] is None


def test_a_twin_of_an_ecdsa_signature_is_nobody() -> None:
    """(r, n - s) is as valid as (r, s): anybody who holds the token can make it, and it is no second credential."""
    key = ec.generate_private_key(ec.SECP256R1())
    new = New(source(key=key.public_key(), algorithms=["ES256"]))
    token = create_access_token({"sub": "ada"}, key=key, algorithm="ES256")
    signed, _, signature = token.rpartition(".")
    raw = urlsafe_b64decode(signature + "==")
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    twin_raw = r.to_bytes(32, "big") + (ORDER - s).to_bytes(32, "big")
    twin = f"{signed}.{urlsafe_b64encode(twin_raw).decode().rstrip('=')}"
    assert jwt.decode(twin, key.public_key(), algorithms=["ES256"])["sub"] == "ada"
    ours = given(new.ask(**bearer(token)))
    assert new.ask(**bearer(twin)).json()["user"] is None
    # Some versions of PyJWT take another spelling of the same bytes: it is the same credential then.
    assert given(new.ask(**bearer(other_spelling(token)))) in (ours, "")
    assert new.sessions("ada") == [ours[:22]]
    new.ask("/logout", "POST", cookie=f"{OURS}={ours}")
    for one in (token, twin, other_spelling(token), f"{token}=="):
        assert new.ask(**bearer(one)).json()["user"] is None
    assert new.sessions("ada") == []


def forged(header: dict[str, Any], claims: dict[str, Any], key: bytes | None) -> str:
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    text = b".".join(parts)
    signature = hmac.digest(key, text, "sha256") if key is not None else b""
    return (text + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode()


def test_what_is_not_a_good_token_is_nobody() -> None:
    """Unsigned, another key, another algorithm, without exp, expired, not yet good, not for us, no user, no time."""
    new = New(source(issuer="https://old.example"))
    ahead = {"exp": datetime.now(UTC).timestamp() + 1000, "sub": "ada", "iss": "https://old.example"}
    assert new.ask(**bearer(jwt.encode(ahead, OLD_KEY))).json()["user"] == "ada"
    key = OLD_KEY.encode()
    now = datetime.now(UTC).timestamp()
    changed: list[dict[str, Any]] = [
        {"exp": now - 1}, {"exp": "soon"}, {"exp": None}, {"exp": True}, {"nbf": now + 100}, {"iat": now + 1000},
        {"exp": float("nan")}, {"exp": float("inf")}, {"iat": float("nan")}, {"iat": "then"}, {"aud": "another"},
        {"iss": "https://evil.example"}, {"sub": ""}, {"sub": None}, {"sub": ["ada"]}, {"sub": {"a": 1}}, {"sub": True},
        {"sub": "x" * 256}, {"exp": 10**400},
    ]  # fmt: skip
    bad = [forged({"alg": "HS256"}, {**ahead, **change}, key) for change in changed]
    bad += [forged({"alg": "HS256"}, {name: ahead[name] for name in ahead if name != gone}, key) for gone in ahead]
    bad += [
        forged({"alg": "none"}, ahead, None), forged({"alg": "HS512"}, ahead, key),
        forged({"alg": "HS256"}, ahead, b"k" * 32), forged({"alg": "HS256", "crit": ["x"], "x": 1}, ahead, key),
        "a.b.c", "..", "x" * 20_000, "é.é.é", "", forged({"alg": "HS256"}, [], key),  # type: ignore[arg-type]
    ]  # fmt: skip
    new.calls.clear()
    for token in bad:
        assert new.ask(**bearer(token)).json()["user"] is None, token
    for value in (jwt.encode(ahead, OLD_KEY), f"Basic {jwt.encode(ahead, OLD_KEY)}", "Bearer", "Bearer "):
        assert new.ask(authorization=value).json()["user"] is None
    assert new.calls == []


def test_the_managers_clock_counts() -> None:
    """`exp` and `nbf` are judged by it."""
    clock = FakeClock(datetime.now(UTC))
    new = New(source(), clock=clock)
    token = create_access_token({"sub": "ada"})
    clock.advance(timedelta(minutes=31))
    assert new.ask(**bearer(token)).json()["user"] is None
    clock.advance(timedelta(minutes=-2))
    assert new.ask(**bearer(token)).json()["user"] == "ada"


def test_a_callable_refuses_what_is_no_login() -> None:
    """Such as a token to refresh others with, under the same key."""
    new = New(source(user=lambda claims: claims["sub"] if claims.get("type") == "access" else None, claims=["role"]))
    assert new.ask(**bearer(create_access_token({"sub": "ada", "type": "refresh"}))).json()["user"] is None
    first = new.ask(**bearer(create_access_token({"sub": "ada", "type": "access", "role": "editor"})))
    assert first.json() == {"user": "ada", "fields": {"role": "editor"}}


def test_several_keys_and_an_audience() -> None:
    """Any of the keys; the audience that is set is asked for."""
    new = New(source(key=["another " * 5, OLD_KEY], audience=["web", "app"]))
    assert new.ask(**bearer(create_access_token({"sub": "ada", "aud": "app"}))).json()["user"] == "ada"
    assert new.ask(**bearer(create_access_token({"sub": "ada"}))).json()["user"] is None


def test_a_visitor_of_ours_who_shows_it_is_signed_in() -> None:
    """Neither their session without a user stands in the way nor one of somebody else, who used this browser before:
    a token in a header is shown on purpose. Nothing of the other's comes along; who shows their own goes on."""
    new = New(source())
    visitor = asyncio.run(stored(new))
    first = new.ask(cookie=f"{OURS}={visitor}", **bearer(create_access_token({"sub": "ada"})))
    assert first.json() == {"user": "ada", "fields": {"cart": [1]}}
    other = create_access_token({"sub": "bob"})
    before = given(first)
    again = new.ask(cookie=f"{OURS}={before}", **bearer(create_access_token({"sub": "ada", "n": 1})))
    assert (again.json()["user"], lines(again), len(new.sessions("ada"))) == ("ada", [], 1)
    second = new.ask(cookie=f"{OURS}={before}", **bearer(other))
    assert second.json() == {"user": "bob", "fields": {}}
    assert new.ask(cookie=f"{OURS}={given(second)}").json()["user"] == "bob"
    assert new.sessions("ada") == []
    assert new.ask(cookie=f"{OURS}={visitor}").json()["user"] is None


async def stored(new: New) -> str:
    session = await new.manager.load(None)
    session["cart"] = [1]
    return (await new.manager.commit(session)).token or ""


def test_who_logged_out_may_show_a_newer_one() -> None:
    """A header is sent on purpose: the dead cookie beside it does not stand in the way."""
    new = New(source())
    dead = given(new.ask(**bearer(create_access_token({"sub": "ada", "n": 1}))))
    new.ask("/logout", "POST", cookie=f"{OURS}={dead}")
    newer = create_access_token({"sub": "ada", "n": 2})
    assert new.ask(cookie=f"{OURS}={dead}", **bearer(newer)).json()["user"] == "ada"


def test_a_form_token_is_not_asked_of_who_sends_a_header() -> None:
    """`csrf="token"`: no other site can send it, and there was no page of ours yet to have a form in."""
    new = New(source(), options={"csrf": "token"})
    first = new.ask("/session", "POST", **bearer(create_access_token({"sub": "ada"})))
    assert first.json()["user"] == "ada"
    assert new.ask("/session", "POST", cookie=f"{OURS}={given(first)}").status_code == 403
    new = New(source(cookie="token"), options={"csrf": "token"})
    assert new.ask("/session", "POST", cookie=f"token={create_access_token({'sub': 'ada'})}").status_code == 403


def test_a_token_in_a_cookie_is_replaced() -> None:
    """The old cookie goes."""
    new = New(source(cookie="access_token"))
    first = new.ask(cookie=f"access_token={create_access_token({'sub': 'ada'})}")
    assert first.json()["user"] == "ada"
    assert deletes(first, "access_token")


def test_only_a_login_that_says_when_is_fresh() -> None:
    """`auth_time` of OpenID Connect; `iat` may be a refresh's."""
    new, now = New(source()), int(datetime.now(UTC).timestamp())
    for user, claims in (("ada", {"iat": now}), ("bob", {"iat": now, "auth_time": now - 5})):
        new.ask(**bearer(create_access_token({"sub": user, **claims})))
    [ada], [bob] = (asyncio.run(new.manager.sessions(user)) for user in ("ada", "bob"))
    assert ada.authenticated_at is None
    assert bob.authenticated_at == datetime.fromtimestamp(now - 5, UTC)


def test_a_weak_setting_does_not_start() -> None:
    """No algorithm, or "none", or a single text; and no key in a repr."""
    for algorithms in ([], ["none"], ["HS256", "None"], "HS256"):
        with pytest.raises(ConfigurationError, match="algorithms"):
            source(algorithms=algorithms)
    assert OLD_KEY not in repr(source())
