"""The lab is fair to a JWT: it is shown at its best, and no sentence says more than was measured."""

from __future__ import annotations

import pytest

from coatcheck_lab.contenders import CONTENDERS
from coatcheck_lab.experiments import ease, expiry, libraries, theft
from coatcheck_lab.experiments.experiment import run
from coatcheck_lab.jwt_libraries import LIBRARIES
from coatcheck_lab.laboratory import Laboratory
from tests.servers import needed


def test_a_published_hole_that_no_release_has_closed_is_open() -> None:
    """The numbers are on the page, so that who reads it can look; no library is said to have none."""
    assert all(library.advisories for library in LIBRARIES.values())
    measured = libraries.measure(Laboratory())
    assert "CVE-2026-120459" in str(measured["python-jose"][libraries.OPEN])
    assert "python-jose CVE-2026-85394, CVE-2026-120459" in libraries.judge(measured).why


def test_a_library_that_warns_of_a_short_secret_is_said_to() -> None:
    """To accept it in silence is another thing."""
    measured = libraries.measure(Laboratory())
    assert measured["PyJWT"][libraries.WARNS]
    assert not measured["python-jose"][libraries.WARNS]
    assert "PyJWT, joserfc warned" in libraries.judge(measured).why


def test_a_jwt_is_not_blamed_for_the_fraction_of_a_second_that_libraries_drop() -> None:
    """A login that is used stays, also where `exp` was cut by nearly a second."""
    with Laboratory() as laboratory, laboratory.site("jwt-cookie", absolute=expiry.ABSOLUTE - 0.99) as site:
        assert expiry._lifetimes(site)["stays while it is used"]


def test_a_theft_on_a_machine_that_is_too_busy_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that had ended by itself is not one that no thief could use."""
    needed("chromium")
    monkeypatch.setattr(theft, "LIFETIME", 0.2)
    with Laboratory({"jwt-local": CONTENDERS["jwt-local"], "session": CONTENDERS["session"]}) as laboratory:
        row = run(11, theft.THEFT, laboratory)
    assert row.verdict is None
    assert "too busy" in row.fault


def test_each_contender_is_counted_by_its_own_lines_and_with_what_sets_it_up() -> None:
    """No lines of the other contender that a class also serves, and no manager that comes from nowhere."""
    for name in ("jwt-cookie", "jwt-local"):
        kind = ease.class_of(CONTENDERS[name])
        assert not [line for verb in ease.VERBS.values() for line in ease.lines(kind, verb) if "storage" in line]
    session = ease.class_of(CONTENDERS["session"])
    assert any("AsyncSessionManager" in line for verb in ease.VERBS.values() for line in ease.lines(session, verb))


def test_a_refusal_is_no_line_of_code_for_what_was_possible() -> None:
    """What a contender cannot do costs it nothing."""
    with Laboratory({"jwt-cookie": CONTENDERS["jwt-cookie"]}) as laboratory:
        [(_, values), *_] = ease.measure(laboratory).items()
    assert values[ease.ALL] == values[ease.PLAIN]
