"""The operator's console: for whom the application lets in, what it tells, and what it ends."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette

from coatcheck import Session, SessionManager
from coatcheck.errors import ConfigurationError
from coatcheck.pages import Ask, Console, answer, chart
from coatcheck.store import Ages, Stats
from coatcheck.testing import FakeClock
from coatcheck.trail import AuditEntry
from tests.pages.conftest import Visits

PAGES = ["/console/", "/console/user?id=ada", "/console/session?handle=x", "/console/events", "/console/events/new"]


def told(app: Starlette) -> None:
    """Entries are written a moment later."""
    assert app.state.manager.audit.flush()


@pytest.mark.parametrize("path", PAGES)
def test_only_who_is_allowed_sees_anything(visits: Visits, path: str) -> None:
    """Asked at each request, also of each form: 401 for visitors, 403 for users."""
    visits("ada")
    for user, status in ((None, 401), ("ada", 403)):
        visitor = visits(user)
        page = visitor.get(path)
        assert visitor.status == status
        assert "ada" not in page.removeprefix("To the content Signed in as ada")


def test_an_asynchronous_permission_lets_nobody_into_synchronous_pages() -> None:
    """Its coroutine, unasked, would be true for everybody."""

    async def nobody(_: Session) -> bool:
        return False

    with SessionManager("memory://", namespace="console-sync") as manager:
        session = manager.load(None)
        session.login("mallory")
        session = manager.load(manager.commit(session).token)
        with pytest.raises(ConfigurationError, match="plain"):
            answer(Console(nobody), Ask("GET", "/", "/console", session), manager)


def test_who_is_refused_is_in_the_log(visits: Visits, caplog: pytest.LogCaptureFixture) -> None:
    """Who has no permission, and a form without the right token, in a line each that nobody can break (ASVS 16.3.2,
    16.3.3)."""
    mallory = visits("mall\nory")
    mallory.get("/console/")
    assert f"the console was refused to session={mallory.handle} user='mall\\nory'" in caplog.text
    mallory.post("/console/user?id=ada", forged=True, _csrf="x")
    assert "csrf_refused reason='token-wrong'" in caplog.text


def test_no_user_ends_anything_with_an_operators_form(visits: Visits) -> None:
    """The permission comes before the form, and the form's token is the session's own."""
    ada, mallory = visits("ada"), visits("mallory")
    mallory.get("/devices/")
    mallory.post("/console/user?id=ada")
    assert mallory.status == 403
    mallory.post("/console/session", handle=ada.handle)
    assert mallory.status == 403
    operator = visits("operator")
    operator.get("/console/user?id=ada")
    operator.post("/console/user?id=ada", forged=True)
    assert operator.status == 403
    assert ada.http.get("/devices/").status_code == 200


def test_the_overview_counts_and_charts(app: Starlette, visits: Visits, clock: FakeClock) -> None:
    """Live sessions, users, tickets that nobody has used, and the last day."""
    ada, _ = visits("ada"), visits("bob")
    ada.http.post("/ticket")
    ada.http.post("/ticket")
    clock.advance(timedelta(hours=2))
    operator = visits("operator")
    told(app)
    page = operator.get("/console/")
    assert "Live sessions 3" in page
    assert "Users 3" in page
    assert "Tickets outstanding 0" in page  # they were good for two minutes
    assert "sign-ins: 3 ends: 0" in page
    assert "12:00: 2 sign-ins" in page
    assert "14:00: 1 sign-ins" in page
    ada.http.post("/ticket")
    told(app)
    assert "Tickets outstanding 1" in operator.get("/console/")


def test_the_overview_waits_for_no_count_and_says_what_is_an_estimate(
    app: Starlette, visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million sessions in Redis take seconds to count: a page has half a one."""
    found = Stats(1_003_097, 900_123, 202_835, 12_345, 0, None, False, Ages(1_003_097), {"Firefox": 1_003_097}, 33_327)
    asked: list[float | None] = []

    async def stats(*, within: float | None = None) -> Stats:
        asked.append(within)
        return found

    monkeypatch.setattr(app.state.manager, "stats", stats)
    page = visits("operator").get("/console/")
    assert "Live sessions about 1,000,000" in page
    assert "of these signed in about 900,000" in page
    assert "Users about 203,000" in page
    assert asked == [0.5]


def test_a_user_is_found_with_sessions_and_history(app: Starlette, visits: Visits) -> None:
    """Also one who has none any more, and one who never was."""
    visits("ada", "Mozilla/5.0 (iPhone) Safari/600")
    operator = visits("operator")
    told(app)
    page = operator.get("/console/user?id=ada")
    assert "Safari on iPhone" in page
    assert "Signed in ada" in page
    assert "No live session." in operator.get("/console/user?id=nobody")
    assert operator.http.get("/console/user?id=").headers["location"] == "/console/"


def test_a_session_is_shown_with_its_history_and_without_its_data(app: Starlette, visits: Visits) -> None:
    """Also after its end, by what the trail knows; never a token."""
    ada = visits("ada")
    handle = ada.handle
    operator = visits("operator")
    told(app)
    assert "Ends, if it is not used" in operator.get(f"/console/session?handle={handle}")
    assert ada.token.split(".")[1] not in operator.html
    operator.post("/console/session", handle=handle, reason="phone lost")
    told(app)
    page = operator.get(f"/console/session?handle={handle}")
    assert "State ended" in page
    assert "phone lost, by operator" in page
    assert "Not found" in operator.get("/console/session?handle=AAAAAAAAAAAAAAAAAAAAAA")
    assert operator.status == 404


def test_ending_a_session_or_all_of_a_users_binds_the_next_request(app: Starlette, visits: Visits) -> None:
    """With the operator's words for the user, and the operator's name in the trail."""
    ada, also, bob = visits("ada"), visits("ada"), visits("bob")
    operator = visits("operator")
    operator.get("/console/user?id=ada")
    operator.post("/console/session", handle=ada.handle, reason="phone lost")
    assert [one.http.get("/devices/").status_code for one in (ada, also, bob)] == [401, 200, 200]
    operator.get("/console/user?id=ada")
    assert "Done" in operator.post("/console/user?id=ada")
    assert [one.http.get("/devices/").status_code for one in (ada, also, bob)] == [401, 401, 200]
    told(app)
    page = operator.get("/console/user?id=ada")
    assert "phone lost, by operator" in page
    assert "revoked, by operator" in page


def test_an_operator_who_ends_all_of_their_own_stays(visits: Visits) -> None:
    """Where they are."""
    operator, elsewhere = visits("operator"), visits("operator")
    operator.get("/console/user?id=operator")
    assert "End all but this one" in operator.html
    operator.post("/console/user?id=operator")
    assert elsewhere.http.get("/console/").status_code == 401
    assert operator.http.get("/console/").status_code == 200


def test_ending_needs_a_sign_in_that_is_fresh(visits: Visits, clock: FakeClock) -> None:
    """Looking does not: a console stays open on a desk."""
    ada, operator = visits("ada"), visits("operator")
    clock.advance(timedelta(minutes=31))
    operator.get("/console/user?id=ada")
    assert operator.status == 200
    assert "Please sign in again" in operator.post("/console/user?id=ada")
    assert ada.http.get("/devices/").status_code in (200, 403)


def test_the_script_is_told_only_what_is_new(app: Starlette, visits: Visits) -> None:
    """Rows since the newest that it knows; all of the newest where that is not among them."""
    operator = visits("operator")
    told(app)
    operator.get("/console/events")
    place = operator.html.partition('data-place="')[2].partition('"')[0]
    visits("latecomer")
    told(app)
    new = operator.get(f"/console/events/new?since={place}")
    assert "latecomer" in new
    assert "operator" not in new
    assert "operator" in operator.get("/console/events/new?since=unknown")


def test_events_are_paged_back_to_the_first(app: Starlette, visits: Visits, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once, newest first."""
    monkeypatch.setattr("coatcheck.pages.console.SHOWN", 2)
    for number in range(4):
        visits(f"user-{number}")
    operator = visits("operator")
    told(app)
    seen: list[str] = []
    path = "/console/events"
    while path:
        page = operator.get(path).partition("Why, where")[2]
        seen += [f"user-{number}" for number in (3, 2, 1, 0) if f"user-{number}" in page]
        later = operator.html.partition('href="/console/events?before=')[2].partition('"')[0]
        path = f"/console/events?before={later}" if later else ""
    assert seen == ["user-3", "user-2", "user-1", "user-0"]


@pytest.mark.parametrize("user", [" ada", "ada\n", "a\nda", "a\x00da", "a&id=ada", "a+%61", "ädä"])
def test_the_user_who_is_shown_is_the_one_who_is_ended(visits: Visits, user: str) -> None:
    """Whatever the id is made of: as a browser sends the form, and never somebody whose id looks alike."""
    ada, odd = visits("ada"), visits(user)
    operator = visits("operator")
    operator.get(f"/console/user?{urlencode({'id': user})}")
    assert odd.handle in operator.html
    assert ada.handle not in operator.html
    action = re.findall(r'<form method="post" action="([^"]+)"', operator.html)[0]
    fields: list[tuple[str, str]] = re.findall(r'<input type="hidden" name="([^"_]+)" value="([^"]*)"', operator.html)
    # As browsers normalise a form's lines.
    sent = {name: re.sub(r"\r\n?|\n", "\r\n", unescape(value)) for name, value in fields}
    operator.post(unescape(action), forged=False, **sent)
    assert [one.http.get("/devices/").status_code for one in (odd, ada)] == [401, 200]


def test_a_page_that_is_open_does_not_keep_its_session_alive(app: Starlette, visits: Visits, clock: FakeClock) -> None:
    """Its script asks every three seconds; nobody has to be there (ASVS 7.3.1)."""
    operator, idle = visits("operator"), app.state.manager.policy.idle_timeout
    for _ in range(30):
        operator.get("/console/events/new")
        assert operator.status == 200
        clock.advance(idle / 30)
    clock.advance(timedelta(seconds=1))
    operator.get("/console/events/new")
    assert operator.status == 401


def test_hostile_names_are_text(app: Starlette, visits: Visits) -> None:
    """A user's id, a reason and a handle from the address."""
    name = "<img src=x onerror=alert(1)>\"'"
    visits(name)
    operator = visits("operator")
    told(app)
    for path in ("/console/", f"/console/user?id={name}", f"/console/session?handle={name}", "/console/events"):
        operator.get(path)
        assert "<img" not in operator.html


def test_bars_count_what_happened_in_each_hour() -> None:
    """A login that replaced a session is one sign-in and no end; an end of everybody counts all."""
    now = 1_900_000_000.0
    made = [
        AuditEntry(now, "authenticated", "a"),
        AuditEntry(now, "ended", "a", reason="replaced"),
        AuditEntry(now - 3600, "ended", None, reason="revoked", detail={"of": "everybody", "sessions": "7"}),
        AuditEntry(now - 25 * 3600, "authenticated", "too old"),
    ]
    found = chart.bars(made, now)
    assert len(found) == 24
    assert (found[-1].signed_in, found[-1].ended) == (1, 0)
    assert (found[-2].signed_in, found[-2].ended) == (0, 7)
    assert sum(bar.signed_in + bar.ended for bar in found) == 8
    assert found[-2].heights[1] == 100.0
