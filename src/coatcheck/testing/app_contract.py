"""The conformance kit for integrations: the same routes and the same assertions over every framework.

    class TestMine(AppContract):
        @pytest.fixture(scope="class")
        @classmethod
        def site(cls): ...  # starts the application on its real server, and yields a Site

The application answers, in its framework's own idiom where it has one:

    GET  /me                       JSON {"user": id or null, "fields": {...}}: who is signed in, and what was written
    GET  /page                     text; the handler does not look at the session
    POST /login/<user>             signs in
    POST /logout                   signs out
    POST /rotate                   replaces handle and secret
    POST /write/<name>/<value>     looks at the session; with ?latch=<port> waits (`coatcheck.testing.latch`); writes
    POST /login-slowly/<user>      with ?latch=<port> waits, then signs in
    POST /fail/<name>/<value>      writes, then raises an exception
    POST /fail-out                 signs out, then raises
    POST /refuse/<name>/<value>    writes, and answers 403
    POST /stream/<name>/<value>    starts its response, and writes while the body goes out
    GET  /ticket                   text: a ticket for the purpose "download", with the claims {"file": "a.txt"}
    GET  /download?ticket=         behind the integration's ticket gate: text, the claims' file
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import NamedTuple

import httpx
import pytest

from ..manager import SessionManager
from .latch import Latch
from .visitor import ELSEWHERE, NAVIGATION, Visitor


class Site(NamedTuple):
    """An application that runs."""

    url: str
    """Its base, without a slash at the end."""
    manager: SessionManager
    """Another server over the same store, with the same secret and namespace."""
    outage: Callable[[], AbstractContextManager[object]]
    """Keeps the store from answering while the block runs."""


COOKIE = "__Host-coatcheck"


def set_cookies(response: httpx.Response) -> list[str]:
    """The response's Set-Cookie headers of ours."""
    return [line for line in response.headers.get_list("set-cookie") if line.startswith(COOKIE)]


class AppContract:
    """What holds in every framework. One fixture says where the application is."""

    @pytest.fixture(scope="class")
    @classmethod
    def site(cls) -> Iterator[Site]:
        """The application, on its real server. Yours takes its place: this one raises NotImplementedError."""
        raise NotImplementedError("define the fixture site in your class: see coatcheck.testing.app_contract")

    @pytest.fixture
    def visitor(self, site: Site) -> Iterator[Visitor]:
        """Somebody new."""
        with ThreadPoolExecutor(12) as pool:
            yield Visitor(site.url, pool)

    @pytest.fixture
    def latch(self) -> Iterator[Latch]:
        """Holds requests up."""
        with Latch() as latch:
            yield latch

    # -- what it costs, and what goes out ----------------------------------------------------------------

    def test_a_visitor_leaves_no_row_and_gets_no_cookie(self, site: Site, visitor: Visitor) -> None:
        """8: bots and health checks create nothing, whatever the page reads."""
        before = site.manager.stats().sessions
        for path in ("/me", "/page"):
            response = visitor.get(path)
            assert response.status_code == 200
            assert set_cookies(response) == []
        assert site.manager.stats().sessions == before

    def test_the_cookie_is_as_strict_as_it_can_be(self, visitor: Visitor) -> None:
        """15: `__Host-`, Secure, HttpOnly, SameSite=Lax, Path=/; and the response is in no cache."""
        response = visitor.post("/login/ada")
        [line] = set_cookies(response)
        attributes = {part.strip() for part in line.split(";")[1:]}
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= attributes
        assert not any(part.startswith("Domain") for part in attributes)
        assert "no-store" in response.headers["cache-control"]
        assert "cookie" in response.headers["vary"].lower()
        assert len(line.partition(";")[0]) < 120

    def test_vary_and_cookie_only_where_the_session_was_looked_at(self, visitor: Visitor) -> None:
        """8: a page that is the same for everybody can be cached; one that looked says so."""
        visitor.post("/login/ada")
        assert "cookie" not in visitor.get("/page").headers.get("vary", "").lower()
        looked = visitor.get("/me")
        assert "cookie" in looked.headers["vary"].lower()
        assert set_cookies(looked) == []

    @pytest.mark.parametrize("token", ["", "x", "a.b.c", "A" * 86, "\xff" * 20, "A" * 5000])
    def test_a_forged_cookie_is_nobody(self, visitor: Visitor, token: str) -> None:
        """12: whatever is sent, it is a visitor's page."""
        visitor.jar[COOKIE] = token
        response = visitor.get("/me")
        assert response.status_code == 200
        assert response.json()["user"] is None

    # -- login, logout, revocation -----------------------------------------------------------------------

    def test_a_login_is_a_new_session_with_the_visitors_data(self, visitor: Visitor) -> None:
        """5: new handle and secret, the cart comes along, and the old cookie is merely unknown."""
        visitor.post("/write/cart/1")
        before = visitor.copy()
        visitor.post("/login/ada")
        assert visitor.jar[COOKIE][:22] != before.jar[COOKIE][:22]
        assert visitor.seen() == ("ada", {"cart": "1"})
        assert before.seen() == (None, {})
        assert visitor.seen() == ("ada", {"cart": "1"})

    def test_a_logout_ends_the_session_and_its_copies(self, visitor: Visitor) -> None:
        """2: the cookie is dropped, and whoever kept one has nothing."""
        visitor.post("/login/ada")
        copy = visitor.copy()
        response = visitor.post("/logout")
        assert COOKIE not in visitor.jar
        assert [line for line in set_cookies(response) if "Max-Age=0" in line]
        assert copy.seen() == (None, {})

    def test_rotate_replaces_the_cookie_at_once(self, visitor: Visitor) -> None:
        """5: the same user and data under a new handle; the old cookie is unknown."""
        visitor.post("/login/ada")
        visitor.post("/write/cart/1")
        copy = visitor.copy()
        visitor.post("/rotate")
        assert visitor.jar[COOKIE][:22] != copy.jar[COOKIE][:22]
        assert visitor.seen() == ("ada", {"cart": "1"})
        assert copy.seen() == (None, {})

    def test_a_revocation_binds_the_very_next_request(self, site: Site, visitor: Visitor) -> None:
        """3: made on another server, by handle and by user; and the list there knows the session."""
        visitor.post("/login/grace")
        [info] = site.manager.sessions("grace")
        assert info.handle == visitor.jar[COOKIE][:22]
        assert site.manager.revoke(info.handle)
        assert visitor.seen() == (None, {})
        visitor.post("/login/grace")
        assert site.manager.revoke_user("grace") == 1
        assert visitor.seen() == (None, {})

    def test_fresh_data_shows_at_the_next_request(self, site: Site, visitor: Visitor) -> None:
        """3: `update_user` on another server."""
        visitor.post("/login/heidi")
        assert site.manager.update_user("heidi", {"role": "reader"}) == 1
        assert visitor.seen() == ("heidi", {"role": "reader"})

    # -- concurrency -------------------------------------------------------------------------------------

    def test_overlapping_requests_lose_nothing(self, visitor: Visitor, latch: Latch) -> None:
        """1: eight load the session before the first writes; each writes a field of its own."""
        visitor.post("/login/ada")
        pending = [visitor.meanwhile(f"/write/f{number}/{number}?latch={latch.port}") for number in range(8)]
        latch.gather(8)
        latch.lift()
        assert [one.result().status_code for one in pending] == [200] * 8
        assert visitor.seen()[1] == {f"f{number}": str(number) for number in range(8)}

    def test_a_slow_request_does_not_undo_a_logout(self, visitor: Visitor, latch: Latch) -> None:
        """2: its response goes out, without a cookie; nobody is signed in again."""
        visitor.post("/login/ada")
        copy = visitor.copy()
        slow = copy.meanwhile(f"/write/late/1?latch={latch.port}")
        latch.gather()
        visitor.post("/logout")
        latch.lift()
        response = slow.result()
        assert response.status_code < 500
        assert set_cookies(response) == []
        assert copy.seen() == (None, {})

    def test_a_login_that_a_revocation_overtook_is_refused(self, site: Site, visitor: Visitor, latch: Latch) -> None:
        """4: 401 in plain words, and no session."""
        slow = visitor.meanwhile(f"/login-slowly/ivan?latch={latch.port}")
        latch.gather()
        site.manager.revoke_user("ivan")
        latch.lift()
        response = slow.result()
        assert response.status_code == 401
        assert "sign in again" in response.text.lower()
        assert set_cookies(response) == []
        assert site.manager.sessions("ivan") == []

    # -- requests that fail ------------------------------------------------------------------------------

    def test_a_failed_request_commits_nothing_but_an_end(self, visitor: Visitor) -> None:
        """16: an exception drops data; a logout in it happens. A refusal of the application's own is no failure."""
        visitor.post("/login/ada")
        assert visitor.post("/fail/cart/1").status_code == 500
        assert visitor.seen() == ("ada", {})
        assert visitor.post("/refuse/cart/2").status_code == 403
        assert visitor.seen() == ("ada", {"cart": "2"})
        copy = visitor.copy()
        assert visitor.post("/fail-out").status_code == 500
        assert copy.seen() == (None, {})

    def test_what_a_streaming_body_writes_is_kept(self, visitor: Visitor) -> None:
        """16: after the response has started data is still committed."""
        visitor.post("/login/ada")
        assert visitor.post("/stream/late/1").status_code == 200
        assert visitor.seen() == ("ada", {"late": "1"})

    def test_a_store_that_is_down_is_503_and_logs_nobody_out(self, site: Site, visitor: Visitor) -> None:
        """11: in plain words, with Retry-After, the cookie kept; afterwards the same process serves on."""
        visitor.post("/login/ada")
        jar = dict(visitor.jar)
        with site.outage():
            response = visitor.get("/me")
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) >= 1
            assert visitor.jar == jar
        assert visitor.seen() == ("ada", {})

    # -- other sites, and those who come too late --------------------------------------------------------

    def test_another_site_cannot_post(self, visitor: Visitor) -> None:
        """14: 403 before the handler, signed in or not; a page of ours may."""
        visitor.post("/login/ada")
        for path in ("/write/cart/1", "/logout", "/login/mallory"):
            response = visitor.post(path, **ELSEWHERE)
            assert response.status_code == 403
            assert set_cookies(response) == []
        assert visitor.seen() == ("ada", {})

    def test_a_dead_cookie_goes_where_a_person_sees_the_page(self, site: Site, visitor: Visitor) -> None:
        """E: a poll does not delete it, another tab's login may be on its way; a navigation does."""
        visitor.post("/login/judy")
        site.manager.revoke_user("judy")
        assert set_cookies(visitor.get("/me")) == []
        [line] = set_cookies(visitor.get("/me", **NAVIGATION))
        assert "Max-Age=0" in line

    # -- tickets -----------------------------------------------------------------------------------------

    def test_a_ticket_gives_the_file_out_once(self, visitor: Visitor) -> None:
        """13: to the session that asked; a second time 410, as a download, and out of every cache."""
        visitor.post("/login/ada")
        address = f"/download?ticket={visitor.get('/ticket').text}"
        stranger = visitor.copy()
        stranger.jar.clear()
        assert stranger.get(address).status_code == 403
        first = visitor.get(address)
        assert (first.status_code, first.text) == (200, "a.txt")
        assert first.headers["content-disposition"].startswith("attachment")
        assert "no-store" in first.headers["cache-control"]
        assert first.headers["referrer-policy"] == "no-referrer"
        assert visitor.get(address).status_code == 410

    def test_a_ticket_dies_with_its_session(self, visitor: Visitor) -> None:
        """13: logged out, 410."""
        visitor.post("/login/ada")
        address = f"/download?ticket={visitor.get('/ticket').text}"
        copy = visitor.copy()
        visitor.post("/logout")
        assert copy.get(address).status_code == 410

    def test_looking_at_a_ticket_spends_nothing(self, visitor: Visitor) -> None:
        """C: HEAD and prefetches."""
        visitor.post("/login/ada")
        address = f"/download?ticket={visitor.get('/ticket').text}"
        assert visitor.ask("HEAD", address).status_code == 200
        assert visitor.get(address, **{"sec-purpose": "prefetch"}).status_code == 503
        assert visitor.get(address).text == "a.txt"

    def test_of_many_at_once_one_gets_the_file(self, visitor: Visitor) -> None:
        """13: ten requests with one ticket."""
        visitor.post("/login/ada")
        address = f"/download?ticket={visitor.get('/ticket').text}"
        with ThreadPoolExecutor(10) as pool:
            statuses = sorted(one.status_code for one in pool.map(visitor.get, [address] * 10))
        assert statuses == [200, *[410] * 9]
