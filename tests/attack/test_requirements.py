"""What the standards ask of a session library and no other test shows."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from coatcheck import CookieSettings, Policy, SessionManager, jwt_token, token
from coatcheck.cookies import Cookie
from coatcheck.engine import Commit
from coatcheck.keyring import Keyring
from coatcheck.testing import FakeClock
from tests.desk import SECRET, Desk


def test_every_unguessable_value_comes_from_the_systems_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """ASVS 7.2.3, 11.5.1: handles, secrets, jtis, CSRF pads and signing secrets draw 112 to 256 bits from `secrets`."""
    drawn: list[int] = []
    real = secrets.token_bytes

    def counted(size: int) -> bytes:
        drawn.append(size)
        return real(size)

    desk = Desk()
    session = desk.session()
    monkeypatch.setattr(secrets, "token_bytes", counted)
    # token_urlsafe draws through the module's own name.
    makers: list[tuple[Callable[[], str], int]] = [
        (lambda: token.new_secret(0), 160),
        (lambda: token.new_handle("ada"), 112),
        (lambda: session.csrf_token, 256),
        (lambda: desk.issue(session), 128),
    ]
    for make, bits in makers:
        drawn.clear()
        make()
        assert sum(drawn) * 8 >= bits


def test_a_new_sign_in_resets_both_timers() -> None:
    """NIST SP 800-63B-4, 5.2: reauthentication starts the inactivity timer and the overall one anew."""
    clock = FakeClock()
    policy = Policy(idle_timeout=timedelta(minutes=10), absolute_timeout=timedelta(hours=1))
    manager = SessionManager("memory://", secret=SECRET, policy=policy, clock=clock, namespace="timers")
    session = manager.load(None)
    session.login("ada")
    shown = manager.commit(session).token
    for minutes in (9, 9, 9, 9, 9, 9):
        clock.advance(timedelta(minutes=minutes))
        session = manager.load(shown)
        session["seen"] = minutes
        shown = manager.commit(session).token or shown
    session = manager.load(shown)
    session.login("ada")
    again = manager.commit(session).token
    for _ in range(6):
        clock.advance(timedelta(minutes=9))
        session = manager.load(again)
        assert session.user_id == "ada"
        session["seen"] = clock()
        again = manager.commit(session).token or again
    assert manager.load(shown).user_id is None
    clock.advance(timedelta(minutes=6))
    assert manager.load(again).ended_reason == "absolute"


@pytest.mark.parametrize("form", [token, jwt_token], ids=["signed", "jwt"])
def test_the_longest_cookie_is_one_that_browsers_keep(form: Any) -> None:
    """RFC 6265bis, 5.6: name and value within 4096 bytes, each attribute within 1024, whatever the settings."""
    ring = Keyring(SECRET, namespace="n" * 40)
    longest = form.sign(ring, token.new_handle("ada"), token.new_secret(65_535))
    settings = CookieSettings(name="n" * 80, path="/" + "p" * 199, domain="d" * 200, partitioned=True)
    header = Cookie(settings, "n" * 40, lambda text: text).set_cookie(Commit("set", longest, 10**9)) or ""
    pair, *attributes = header.split("; ")
    assert len(pair) <= 4096
    assert max(map(len, attributes)) <= 1024
    assert "Max-Age=34560000" in attributes
    assert len(attributes) == 7


@pytest.mark.parametrize("name", ["__Host-Http-id", "__Http-id", "__Host-id", "__Secure-id"])
def test_a_prefixed_name_has_what_its_prefix_asks_for(name: str) -> None:
    """Layered cookies: `__Host-Http-` and `__Http-` are taken as names; Secure, HttpOnly and Path=/ come with them."""
    made = Cookie(CookieSettings(name=name), "shop", lambda text: text)
    header = made.set_cookie(Commit("set", "t", 60)) or ""
    assert header == f"{name}=t; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert made.read(f"{name}=t") == "t"
