"""The lab is fair to a JWT: it is shown at its best, and no sentence says more than was measured."""

from __future__ import annotations

import pytest

from coatcheck_lab.contenders import CONTENDERS
from coatcheck_lab.experiments import blocked, csrf, download, ease, expiry, libraries, security, theft, together
from coatcheck_lab.experiments.experiment import Experiment, Measured, Verdict, run
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


def found(experiment: Experiment, *names: str) -> tuple[Measured, Verdict]:
    """What an experiment finds for these."""
    for program in experiment.needs:
        needed(program)
    with Laboratory({name: CONTENDERS[name] for name in names}) as laboratory:
        row = run(1, experiment, laboratory)
    assert row.verdict is not None, row.fault
    return row.measured, row.verdict


def test_a_cookie_alone_does_not_stop_a_forged_request_and_the_row_says_what_does() -> None:
    """A session is no safer for being one: without the check that comes with it, siblings post in the user's name."""
    measured, verdict = found(csrf.CSRF, "jwt-cookie", "session")
    assert measured["session-unchecked"]["a form on a sibling origin"]
    assert not measured["session"]["a form on a sibling origin"]
    assert "a JWT in a cookie can be given one" in verdict.why


def test_a_cookie_that_is_made_for_frames_works_in_one() -> None:
    """A row on frames says SameSite=None, as whoever wants a login in a frame would."""
    measured, _ = found(blocked.BLOCKED, "jwt-cookie", "session")
    assert measured["jwt-cookie"][blocked.FRAMED]
    assert measured["session"][blocked.FRAMED]


def test_a_link_of_a_jwt_in_a_cookie_is_its_owners() -> None:
    """That takes no store."""
    measured, _ = found(download.DOWNLOAD, "jwt-cookie", "jwt-local", "session")
    assert measured["jwt-cookie"][download.HANDED_ON]
    assert not measured["jwt-local"][download.HANDED_ON]


def test_a_login_that_cannot_be_revoked_is_not_said_to_have_been() -> None:
    """A link does not outlive a revocation that there never was."""
    measured, verdict = found(together.TOGETHER, "jwt-cookie", "session")
    assert not measured["jwt-cookie"][together.ENDS]
    assert "the login itself could not be ended with jwt-cookie" in verdict.why
    assert "revocation of its login" not in verdict.why


def test_a_changed_claim_is_a_forgery_and_no_other_spelling() -> None:
    """Another spelling says the same."""
    broken = CONTENDERS["jwt-cookie"]._replace(made_by="tests.lab.broken:Credulous")
    with Laboratory({"jwt-cookie": broken}) as laboratory:
        measured = security.measure(laboratory)["jwt-cookie"]
    assert int(measured[security.FORGED] or 0) > 50
    assert measured[security.SPELLINGS] == 0
