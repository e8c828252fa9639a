"""Which secrets somebody may guess: what `coatcheck doctor` says of them, and what it never does."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from pathlib import Path
from random import Random

import pytest

from coatcheck import SessionManager
from coatcheck.errors import ConfigurationError
from coatcheck.keyring import Keyring
from coatcheck.strength import LEAST_BITS, weakness

RANDOM = "8vQx2mT0cE5nYw7Lr1uJk4ZsBf6hGd3p"


@pytest.mark.parametrize(
    "secret",
    [
        "changeme" * 5,
        "Change-Me-9QmT2vXc8LpZ4nRw7yKd3sHf",
        "django-insecure-9qmt2vxc8lpz4nrw7ykd3shf",
        "my_super_secret_9QmT2vXc8LpZ4nRw7y",
        "P@ssw0rd Passw0rd 9QmT2vXc8LpZ4nRw7y",
        "a1b2" * 10,
        "9QmT2vXc8LpZ4nRw" * 2,
        "9QmT2vXc8LpZ4nRw" * 2 + "9QmT",
        "aaaaaaaabbbbbbbbccccccccdddddddd",
        "zyxwvutsrqponmlkjihgfedcba987654",
        "0101101001011010110100101101001011",
        "x9x9xx99x9x9x9xx9x99x9x9xx9x9x9x",
    ],
)
def test_a_secret_that_attackers_try_is_found(secret: str) -> None:
    """Words of examples, whatever their spelling; repetitions, also cut off; runs; few characters. ASVS 11.5.1."""
    found = weakness(secret.encode())
    assert found is not None
    assert found.sure
    assert secret[:6].lower() not in found.text


@pytest.mark.parametrize("secret", ["correct horse battery staple again", "Correct-Horse-Battery-Staple-Again-HERE"])
def test_words_are_told_and_no_fault(secret: str) -> None:
    """RFC 8725, 3.5: a password is no key. Many words may be one."""
    found = weakness(secret.encode())
    assert found is not None
    assert not found.sure


def test_a_random_secret_is_never_suspected() -> None:
    """As `coatcheck keygen` makes it, as bytes, as hexadecimal digits, 128 bits of them too: a thousand of each."""
    source = Random(7)  # so that no run differs
    for _ in range(1000):
        key = source.randbytes(32)
        for secret in (urlsafe_b64encode(key).rstrip(b"="), key, key.hex().encode(), key[:16].hex().encode()):
            assert weakness(secret) is None
    assert LEAST_BITS < 90
    assert weakness(b"0f" * 16) is not None


def test_a_retired_key_counts_as_long_as_it_verifies() -> None:
    """By its place, and never by its text."""
    keyring = Keyring([RANDOM, "changeme" * 5, "correct horse battery staple again"], namespace="shop")
    assert [place for place, _ in keyring.weaknesses()] == [2, 3]
    with SessionManager("memory://", secret=RANDOM) as manager:
        assert manager.weak_secrets() == []
    with SessionManager("memory://", secret="changeme" * 5) as manager:
        ((place, weak),) = manager.weak_secrets()
        assert (place, weak.sure) == (1, True)


def test_an_embedded_stores_own_secret_is_not_made_to_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look makes no key file; a shared store without a secret raises."""
    for name in ("COATCHECK_SECRET", "COATCHECK_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)
    with SessionManager(f"sqlite:///{tmp_path}/sessions.db") as manager:
        assert manager.secret_is_own
        assert manager.weak_secrets() == []
    assert [*tmp_path.iterdir()] == []
    monkeypatch.setenv("COATCHECK_SECRET", "changeme" * 5)
    with SessionManager(f"sqlite:///{tmp_path}/sessions.db") as manager:
        assert not manager.secret_is_own
        assert len(manager.weak_secrets()) == 1
    monkeypatch.delenv("COATCHECK_SECRET")
    with SessionManager("redis://127.0.0.1:1/0") as manager, pytest.raises(ConfigurationError, match="keygen"):
        manager.weak_secrets()
