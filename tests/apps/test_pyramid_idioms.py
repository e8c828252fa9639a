"""Pyramid's own ways: flash queues, its CSRF check, its security helper, exception views, subrequests, settings."""

from __future__ import annotations

# mypy: disable-error-code="import-untyped, untyped-decorator"
# Pyramid has no types.
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from typing import Any
from unittest.mock import patch

import pytest
from pyramid.authentication import SessionAuthenticationHelper
from pyramid.config import Configurator
from pyramid.csrf import get_csrf_token, new_csrf_token
from pyramid.interfaces import ISession
from pyramid.request import Request
from pyramid.response import FileResponse, Response
from pyramid.session import SignedCookieSessionFactory
from zope.interface.verify import verifyObject

from coatcheck import SessionManager
from coatcheck.errors import ConfigurationError
from coatcheck.integrations.pyramid import PyramidSession, manager_from, session_factory, session_from
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FakeClock

View = Callable[[Any], Any]


class Site:
    """A Pyramid application of a few views, and one browser."""

    def __init__(
        self, views: dict[str, View], setup: Callable[[Any], object] = lambda _: None, **settings: Any
    ) -> None:
        options = {name: settings.pop(name) for name in ("user_field",) if name in settings}
        self.manager = SessionManager(MemoryStore(), clock=FakeClock(), **options)
        with Configurator() as config:
            config.include("coatcheck.integrations.pyramid")
            config.set_session_factory(session_factory(self.manager, **settings))
            for name, view in views.items():
                config.add_route(name, f"/{name}")
                config.add_view(view, route_name=name)
            setup(config)
            self.app = config.make_wsgi_app()
        self.jar: dict[str, str] = {}

    def ask(self, path: str, method: str = "GET", **options: Any) -> Any:
        """One request."""
        request = Request.blank(path, base_url="https://localhost", method=method, **options)
        request.headers["Origin"] = "https://localhost"  # Pyramid's own check asks for it
        request.headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        response = request.get_response(self.app)
        for line in response.headers.getall("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.jar[name] = morsel.value
        return response

    @property
    def session(self) -> Any:
        """What the store has for this browser."""
        return self.manager.load(self.jar.get("__Host-coatcheck"))


def says(act: Callable[[Any], object]) -> View:
    """A view that answers what something about its session is."""
    return lambda request: Response(json_body=act(request.session))


# -- ISession ------------------------------------------------------------------------------------------------


def test_it_is_what_pyramid_calls_a_session() -> None:
    """Every method of the interface, and `created` and `new` as Pyramid means them."""

    def view(request: Any) -> Response:
        assert verifyObject(ISession, request.session)
        assert isinstance(request.session, PyramidSession)
        assert session_from(request) is request.session
        assert manager_from(request) is site.manager
        before = (request.session.new, request.session.created)
        request.session.changed()
        request.session["a"] = {"b": []}
        return Response(json_body=before)

    site = Site({"x": view, "nested": says(lambda session: session["a"]["b"].append(1))})
    began = int(site.manager.engine.now())
    assert site.ask("/x").json == [True, began]
    site.manager.engine._clock.advance(60)  # type: ignore[attr-defined]
    assert site.ask("/x").json == [False, began]
    site.ask("/nested")
    assert site.session["a"] == {"b": [1]}


def test_flash_queues_are_pyramids() -> None:
    """Peek leaves, pop takes; queues are apart; a duplicate may be kept out."""
    site = Site(
        {
            "add": says(lambda session: [session.flash("a"), session.flash("b", "q"), session.flash("a", "", False)]),
            "peek": says(lambda session: [session.peek_flash(), session.peek_flash("q"), session.peek_flash("no")]),
            "pop": says(lambda session: [session.pop_flash(), session.pop_flash()]),
        }
    )
    site.ask("/add")
    site.ask("/add")
    assert site.ask("/peek").json == [["a", "a"], ["b", "b"], []]
    assert site.ask("/pop").json == [["a", "a"], []]
    assert site.ask("/peek").json == [[], ["b", "b"], []]


def test_a_page_that_only_looks_for_messages_creates_nothing() -> None:
    """8: every layout does it, for every bot."""
    site = Site({"x": says(lambda session: [session.pop_flash(), session.peek_flash()])})
    assert site.ask("/x").json == [[], []]
    assert (site.jar, site.manager.stats().sessions) == ({}, 0)


def test_invalidate_ends_the_session_and_what_follows_is_another() -> None:
    """2: a copy of the cookie is nobody's; a message for the next page comes through."""
    site = Site(
        {
            "in": says(lambda session: session.login("ada")),
            "out": says(lambda session: [session.invalidate(), session.flash("bye")]),
            "see": says(lambda session: [session.user_id, session.pop_flash()]),
        }
    )
    site.ask("/in")
    copy = dict(site.jar)
    site.ask("/out")
    assert site.ask("/see").json == [None, ["bye"]]
    site.jar = copy
    assert site.ask("/see").json == [None, []]


# -- CSRF ----------------------------------------------------------------------------------------------------


def _csrf_site(policy: Callable[[Any], object] = lambda _: None) -> Site:
    def setup(config: Any) -> None:
        config.set_default_csrf_options(require_csrf=True)
        policy(config)

    views: dict[str, View] = {
        "form": lambda request: Response(get_csrf_token(request)),
        "new": lambda request: Response(new_csrf_token(request)),
        "save": says(lambda session: session.update(saved=1)),
        "in": says(lambda session: session.login("ada")),
        "turn": says(lambda session: session.rotate()),
    }
    return Site(views, setup)


def test_pyramids_own_csrf_check_works_over_it() -> None:
    """14: with its token, stable within a session, in field or header; and never an empty one."""
    site = _csrf_site()
    for given in ({}, {"csrf_token": ""}, {"csrf_token": "x"}):
        assert site.ask("/save", "POST", POST=given).status_int == 400
    token = site.ask("/form").text
    assert site.ask("/form").text == token
    assert site.ask("/save", "POST", POST={"csrf_token": token}).status_int == 200
    assert site.ask("/save", "POST", headers={"X-CSRF-Token": token}).status_int == 200
    assert site.ask("/new").text != token
    assert site.ask("/save", "POST", POST={"csrf_token": token}).status_int == 400


@pytest.mark.parametrize("verb", ["in", "turn"])
def test_the_token_from_before_a_login_does_not_serve_after_it(verb: str) -> None:
    """5: whoever planted the anonymous session knows that one."""
    site = _csrf_site()
    token = site.ask("/form").text
    assert site.ask(f"/{verb}", "POST", POST={"csrf_token": token}).status_int == 200
    assert site.ask("/save", "POST", POST={"csrf_token": token}).status_int == 400
    fresh = site.ask("/form").text
    assert fresh != token
    assert site.ask("/save", "POST", POST={"csrf_token": fresh}).status_int == 200


def test_another_site_is_refused_before_any_view_or_tween() -> None:
    """14: whether or not the view looks at the session."""
    seen: list[str] = []

    def view(request: Any) -> Response:
        seen.append(request.path)
        return Response("ok")

    site = Site({"x": view})
    assert site.ask("/x", "POST", headers={"Sec-Fetch-Site": "cross-site"}).status_int == 403
    assert seen == []


# -- who is signed in, by Pyramid's own helper ---------------------------------------------------------------


def test_code_that_calls_remember_and_forget_logs_in_and_out() -> None:
    """5: `user_field="auth.userid"` is where SessionAuthenticationHelper keeps it: listed, revoked, a new secret."""
    helper = SessionAuthenticationHelper()
    views: dict[str, View] = {
        "in": lambda request: Response(headerlist=helper.remember(request, "ada") or None),
        "out": lambda request: Response(headerlist=helper.forget(request) or None),
        "who": lambda request: Response(str(helper.authenticated_userid(request))),
        "cart": says(lambda session: session.update(cart=1)),
    }
    site = Site(views, user_field="auth.userid")
    site.ask("/cart")
    planted = dict(site.jar)
    site.ask("/in")
    assert site.ask("/who").text == "ada"
    assert [info.handle for info in site.manager.sessions("ada")] == [site.session.handle]
    mine, site.jar = site.jar, planted
    assert site.ask("/who").text == "None"
    site.jar = mine
    site.ask("/out")
    assert site.ask("/who").text == "None"
    assert site.manager.sessions("ada") == []


# -- failure, streams, files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 500])
def test_an_exception_view_decides_by_its_status(status: int) -> None:
    """16: an error page of 500 commits nothing; a view that makes the error a refusal does."""

    def view(request: Any) -> Response:
        request.session["cart"] = 2
        raise ZeroDivisionError

    def oops(_error: Any, request: Any) -> Response:
        request.session.flash("sorry")
        return Response("sorry", status=status)

    site = Site(
        {"x": view, "put": says(lambda session: session.update(cart=1))},
        lambda config: config.add_exception_view(oops, context=ZeroDivisionError),
    )
    site.ask("/put")
    assert site.ask("/x").text == "sorry"
    assert dict(site.session) == ({"cart": 1} if status == 500 else {"cart": 2, "_f_": ["sorry"]})


def test_what_response_callbacks_and_tweens_write_is_committed() -> None:
    """All that Pyramid does with a request is inside."""

    def view(request: Any) -> Response:
        request.add_response_callback(lambda request, _: request.session.update(callback=1))
        request.add_finished_callback(lambda request: request.session.update(finished=1))
        return Response("ok")

    site = Site({"x": view})
    site.ask("/x")
    assert dict(site.session) == {"callback": 1, "finished": 1}


def test_a_file_keeps_its_wrapper(tmp_path: Any) -> None:
    """The server sends it by the kernel, with the session's cookie."""
    (tmp_path / "a.txt").write_text("file")

    def view(request: Any) -> Any:
        request.session["seen"] = 1
        return FileResponse(str(tmp_path / "a.txt"), request)

    site = Site({"x": view})
    assert site.ask("/x").text == "file"
    assert dict(site.session) == {"seen": 1}


def test_what_a_body_writes_late_is_committed() -> None:
    """16: Pyramid has long forgotten the request by then."""

    def view(request: Any) -> Response:
        session = request.session
        session["a"] = 1

        def body() -> Iterator[bytes]:
            yield b"x"
            session["b"] = 2
            yield b"y"

        return Response(app_iter=body())

    site = Site({"x": view})
    assert site.ask("/x").text == "xy"
    assert dict(site.session) == {"a": 1, "b": 2}


def test_a_subrequest_has_the_session_of_the_request_around_it() -> None:
    """What it writes is kept; a second session would be lost, or would take the first one's cookie."""

    def outer(request: Any) -> Any:
        return request.invoke_subrequest(Request.blank("/inner"), use_tweens=True)

    site = Site({"outer": outer, "inner": says(lambda session: session.update(inner=1))})
    site.ask("/outer")
    assert dict(site.session) == {"inner": 1}


# -- configuration -------------------------------------------------------------------------------------------


def _make(include: bool = True, factory: Any = None, settings: dict[str, str] | None = None) -> Any:
    with Configurator(settings=settings) as config:
        if include:
            config.include("coatcheck.integrations.pyramid")
        if factory is not None:
            config.set_session_factory(factory)
        config.add_route("x", "/{x}")
        config.add_view(says(lambda session: session.update(a=1)), route_name="x")
        return config.make_wsgi_app()


def test_the_settings_file_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pyramid.includes = coatcheck.integrations.pyramid`, and the store beside it."""
    monkeypatch.delenv("COATCHECK_STORE", raising=False)
    settings = {
        "pyramid.includes": "coatcheck.integrations.pyramid",
        "coatcheck.store": "memory://",
        "coatcheck.secret": f"{'new-' * 9} {'old-' * 9}",
        "coatcheck.csrf": "token",
        "coatcheck.namespace": "pyramid-settings",
    }
    app = _make(include=False, settings=settings)
    response = Request.blank("/x", base_url="https://localhost").get_response(app)
    assert response.headers["Set-Cookie"].startswith("__Host-pyramid-settings=")


def test_what_is_wrong_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """At start-up where it can be seen there, else at the first request."""
    monkeypatch.delenv("COATCHECK_STORE", raising=False)
    with pytest.raises(ConfigurationError, match="no store"):
        _make()
    with pytest.raises(ConfigurationError, match="set_session_factory"):
        _make(factory=SignedCookieSessionFactory("x" * 64))
    with pytest.raises(ConfigurationError, match="csrf"):
        _make(factory=session_factory(SessionManager("memory://"), csrf="on"))
    app = _make(include=False, factory=session_factory(SessionManager("memory://")))
    with pytest.raises(ConfigurationError, match=r"include\("):
        Request.blank("/x").get_response(app)


def test_without_pyramid_the_message_says_what_to_install() -> None:
    """The extra's name, not a traceback of imports."""
    import importlib
    import sys

    name = "coatcheck.integrations.pyramid"
    with patch.dict(sys.modules, {"pyramid.events": None}):
        del sys.modules[name]
        with pytest.raises(ConfigurationError, match=r'pip install "coatcheck\[pyramid\]"'):
            importlib.import_module(name)


def test_a_setting_in_the_file_that_nobody_knows_is_named() -> None:
    """A misspelt `coatcheck.crsf` must not pass for a wish that was heard."""
    settings = {"coatcheck.crsf": "token", "coatcheck.store": "memory://"}

    def start() -> None:
        with Configurator(settings=settings) as config:
            config.include("coatcheck.integrations.pyramid")
            config.make_wsgi_app()

    with pytest.raises(Exception, match=r"coatcheck\.crsf"):
        start()
