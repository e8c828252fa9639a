"""Fixtures of the doctor's tests."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial

import pytest

from tests import certificates
from tests.certificates import Certificates
from tests.doctor.stage import HOST, Ask, Names, TlsServer, ask


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate of the shop's, for a hundred days."""
    return certificates.make(tmp_path_factory.mktemp("certificates"), HOST, f"www.{HOST}", days=100)


@pytest.fixture(scope="session")
def site(trusted: Certificates) -> Iterator[TlsServer]:
    """A site that answers what its path tells it to."""
    with TlsServer("tests.doctor.told:app", trusted, "--no-date-header") as server:
        yield server


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch, trusted: Certificates) -> Names:
    """The doctor's way to the shop, whose authority it trusts."""
    made = Names()
    monkeypatch.setattr(socket, "create_connection", made)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted.authority))
    return made


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs the command, with nothing in the environment."""
    for name in ("COATCHECK_STORE", "COATCHECK_SECRET", "COATCHECK_SECRET_FILE", "COATCHECK_COOKIE_SECURE"):
        monkeypatch.delenv(name, raising=False)
    return partial(ask, capsys)


@pytest.fixture
def shop(names: Names, site: TlsServer, doctor: Ask) -> Ask:
    """Looks at one page of https://shop.example, where nobody listens to plain http."""
    names.ports[HOST, 443] = site.port

    def look(path: str, *arguments: str) -> object:
        return doctor("--site", f"https://{HOST}{path}", *arguments)

    return look  # type: ignore[return-value]
