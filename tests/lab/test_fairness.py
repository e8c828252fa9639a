"""The lab is fair to a JWT: it is shown at its best, and no sentence says more than was measured."""

from __future__ import annotations

from coatcheck_lab.experiments import libraries
from coatcheck_lab.jwt_libraries import LIBRARIES
from coatcheck_lab.laboratory import Laboratory


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
