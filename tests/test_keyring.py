"""Keys are derived by purpose and namespace, and a weak or missing secret does not start."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from coatcheck import SessionManager, generate_secret
from coatcheck.errors import ConfigurationError
from coatcheck.keyring import Keyring
from coatcheck.stores.memory import MemoryStore

FIRST, SECOND = generate_secret(), generate_secret()


def test_every_purpose_and_namespace_has_a_key_of_its_own() -> None:
    """A key for tokens signs no ticket; one application's key is not the other's, nor the secret itself."""
    keys = [
        Keyring(FIRST, namespace=namespace).keys(purpose)[0]
        for namespace in ("shop", "shop2", "s")
        for purpose in ("token", "ticket", "csrf", "hoptoken")
    ]
    assert all(one != other for one, other in combinations([*keys, FIRST.encode()], 2))
    assert {len(key) for key in keys} == {32}
    assert keys[0] == Keyring(FIRST, namespace="shop").keys("token")[0]


def test_the_first_secret_signs_and_all_verify() -> None:
    """So a new one goes in front, and the old one is taken out when nobody needs it any more."""
    both = Keyring([SECOND, FIRST], namespace="shop").keys("token")
    assert both == (*Keyring(SECOND, namespace="shop").keys("token"), *Keyring(FIRST, namespace="shop").keys("token"))
    assert Keyring(FIRST.encode(), namespace="shop").keys("token") == both[1:]


@pytest.mark.parametrize(
    "secret",
    [
        *("", "short", b"x" * 31, "a" * 64, "ab" * 32, [], [FIRST, "short"], [FIRST, ""]),
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
        b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrb ada@example.org",
    ],
)
def test_a_weak_or_missing_secret_does_not_start(secret: str | bytes | list[str | bytes]) -> None:
    """RFC 7518, 3.2: 32 bytes. The error counts them and names the remedy, never the secret."""
    with pytest.raises(ConfigurationError, match="coatcheck keygen") as caught:
        SessionManager("memory://", secret=secret)
    assert "short" not in str(caught.value)
    assert FIRST not in str(caught.value)


def test_a_repr_shows_no_key() -> None:
    """It may end up in a traceback."""
    keyring = Keyring([FIRST, SECOND], namespace="shop")
    keyring.keys("token")
    assert repr(keyring) == "<Keyring of 2>"


def test_generated_secrets_are_long_and_differ() -> None:
    """256 bits in 43 characters, as `coatcheck keygen` prints them."""
    made = {generate_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(secret) for secret in made} == {43}


def test_the_environment_gives_the_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One or several by white space, in a variable or a file; the argument comes first, then the variable."""
    token = _token(SessionManager(MemoryStore(), secret=[FIRST]))
    monkeypatch.setenv("COATCHECK_SECRET", f"{SECOND}\n {FIRST}")
    assert _opens(SessionManager(MemoryStore()), token)
    assert not _opens(SessionManager(MemoryStore(), secret=SECOND), token)
    monkeypatch.delenv("COATCHECK_SECRET")
    file = tmp_path / "secret"
    file.write_text(f"{FIRST}\n")
    monkeypatch.setenv("COATCHECK_SECRET_FILE", str(file))
    assert _opens(SessionManager(MemoryStore()), token)
    file.unlink()
    with pytest.raises(ConfigurationError, match="COATCHECK_SECRET_FILE"):
        _token(SessionManager(MemoryStore()))


def _token(manager: SessionManager) -> str:
    session = manager.load(None)
    session["cart"] = [1]
    return manager.commit(session).token or ""


def _opens(manager: SessionManager, token: str) -> bool:
    return manager.engine.verify(token) is not None
