"""Flask: what a failed request commits, who answers it, and what becomes of streams."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import flask
import pytest
from flask import Response, copy_current_request_context, request, session
from werkzeug.exceptions import Conflict

from coatcheck.errors import ReauthenticationRequired, StoreUnavailable
from coatcheck.integrations.flask import manager_from, session_from
from tests.apps.flask_tools import application, cookies


@pytest.mark.parametrize("testing", [True, False])
def test_an_exception_commits_nothing_but_an_end(testing: bool) -> None:
    """Also where the test client, or the debugger, lets it through: no response is made then."""
    app = application(testing)

    @app.get("/login")
    def login() -> str:
        session_from().login("ada")
        return ""

    @app.get("/<any(write, logout):what>")
    def broken(what: str) -> str:
        session["a"] = 1
        if what == "logout":
            session_from().logout()
        raise ZeroDivisionError

    client = app.test_client()
    client.get("/login")
    for path, left in (("/write", 1), ("/logout", 0)):
        if testing:
            with pytest.raises(ZeroDivisionError):
                client.get(path)
        else:
            assert client.get(path).status_code == 500
        found = manager_from(app).sessions("ada")
        assert len(found) == left
        with client.session_transaction() as seen:
            assert "a" not in seen


def test_the_applications_own_handlers_run_and_decide() -> None:
    """A handled exception below 500 is no failure; a page of the application's own for a 500 still is one."""
    app = application(testing=False)

    @app.errorhandler(Conflict)
    def conflict(_: Conflict) -> tuple[str, int]:
        return "mine", 409

    @app.errorhandler(500)
    def broken(_: Exception) -> tuple[str, int]:
        session["from"] = "handler"
        return "my page", 500

    @app.get("/<any(conflict, error):what>")
    def view(what: str) -> str:
        session[what] = 1
        raise Conflict if what == "conflict" else ZeroDivisionError

    client = app.test_client()
    assert client.get("/conflict").text == "mine"
    assert client.get("/error").text == "my page"
    with client.session_transaction() as found:
        assert dict(found) == {"conflict": 1}


def test_what_cannot_be_stored_is_the_applications_error() -> None:
    """A value changed in place shows at the commit: as an exception in a test, as the application's own 500 else."""
    for testing in (True, False):
        app = application(testing)
        app.register_error_handler(500, lambda _: ("my page", 500))

        @app.get("/")
        def index() -> str:
            session["list"] = []
            session["list"].append(object())
            return "fine"

        client = app.test_client()
        if testing:
            with pytest.raises(Exception, match="list"):
                client.get("/")
        else:
            response = client.get("/")
            assert (response.status_code, response.text) == (500, "my page")
        assert manager_from(app).stats().sessions == 0


def test_an_after_request_hook_that_fails_does_not_undo_a_logout() -> None:
    """Then Flask never saves the session: the end is made when the request is torn down."""
    app = application(testing=False)

    @app.get("/<any(login, logout):verb>")
    def act(verb: str) -> str:
        if verb == "login":
            session_from().login("ada")
        else:
            session_from().logout()
        return ""

    @app.after_request
    def breaks(response: Response) -> Response:
        if flask.request.path == "/logout":
            raise ZeroDivisionError
        return response

    client = app.test_client()
    client.get("/login")
    assert len(manager_from(app).sessions("ada")) == 1
    assert client.get("/logout").status_code == 500
    assert manager_from(app).sessions("ada") == []


def test_faults_that_a_view_lets_through_are_answered_by_us() -> None:
    """503 with Retry-After and 401, and nothing of that request is stored; an application's own handler goes first."""
    app, other = application(), application()
    other.register_error_handler(ReauthenticationRequired, lambda _: ("mine", 401))

    def view(what: str) -> str:
        session["a"] = 1
        raise StoreUnavailable("down") if what == "down" else ReauthenticationRequired("sign in again")

    for one in (app, other):
        one.add_url_rule("/<any(down, again):what>", "view", view)
    client = app.test_client()
    assert other.test_client().get("/again").text == "mine"
    down, again = client.get("/down"), client.get("/again")
    assert (down.status_code, again.status_code) == (503, 401)
    assert int(down.headers["Retry-After"]) >= 1
    assert "Sign in again" in again.text
    assert manager_from(app).stats().sessions == 0


def test_a_response_that_cannot_be_committed_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """503 in its place, without its headers; the streamed body is closed unread."""
    app = application()
    closed: list[str] = []

    @app.get("/<any(page, stream):kind>")
    def view(kind: str) -> Response:
        def body() -> Iterator[str]:
            try:
                yield "secret"
            finally:
                closed.append(kind)

        session["a"] = 1
        started = body()
        next(started)
        response = Response(started if kind == "stream" else "secret")
        response.set_cookie("mine", "1")
        return response

    def down(*_: Any) -> Any:
        raise StoreUnavailable("down")

    monkeypatch.setattr(manager_from(app).store, "create", down)
    for kind in ("page", "stream"):
        response = app.test_client().get(f"/{kind}")
        assert response.status_code == 503
        assert "secret" not in response.text
        assert cookies(response) == []
        assert response.headers["Cache-Control"] == "no-store"
    assert "stream" in closed


def test_a_stream_that_breaks_stores_nothing_and_one_that_is_left_does() -> None:
    """A body's exception is a failed request; a client that goes away is none. Verbs raise once it has started."""
    app = application()
    refused: list[str] = []

    @app.get("/<any(break, leave, verb):kind>")
    def view(kind: str) -> Response:
        def body() -> Iterator[str]:
            yield "start"
            session[kind] = 1
            if kind == "break":
                raise ZeroDivisionError
            if kind == "verb":
                try:
                    session_from().login("ada")
                except Exception as error:  # noqa: BLE001
                    refused.append(str(error))
            yield "more"
            yield "never read"

        session["seen"] = kind
        return Response(flask.stream_with_context(body()))

    client = app.test_client()
    with pytest.raises(ZeroDivisionError):
        client.get("/break").get_data()
    response = client.get("/leave")
    pieces = response.iter_encoded()
    next(pieces)
    next(pieces)
    response.close()
    client.get("/verb").get_data()
    with client.session_transaction() as found:
        assert dict(found) == {"seen": "verb", "leave": 1, "verb": 1}
    assert "response has started" in refused[0]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_copied_context_that_ends_earlier_ends_nothing(when: str) -> None:
    """`copy_current_request_context`, as for a thread: the request is committed once, when its own response starts."""
    app = application()

    def upstream() -> None:
        @copy_current_request_context
        def job() -> None:
            """Anything."""

        thread = threading.Thread(target=job)
        thread.start()
        thread.join()

    @app.post("/<verb>")
    def act(verb: str) -> str:
        if when == "before":
            upstream()
        session_from().login("ada") if verb == "in" else session_from().logout()
        session["seen"] = verb
        if when == "after":
            upstream()
        return "done"

    @app.get("/")
    def who() -> str:
        return f"{session_from().user_id} {session.get('seen')}"

    client = app.test_client()
    client.post("/in")
    assert client.get("/").text == "ada in"
    client.post("/out")
    assert client.get("/").text == "None out"


def test_a_request_within_a_request_is_committed_with_it() -> None:
    """An application that asks itself, over the same environ: what both did is stored when the outer one answers."""
    app = application()

    @app.post("/outer")
    def outer() -> str:
        session["outer"] = 1
        with app.request_context({**request.environ, "PATH_INFO": "/inner"}):
            text = app.full_dispatch_request().get_data(as_text=True)
        session["later"] = 1
        return text

    @app.post("/inner")
    def inner() -> str:
        session["inner"] = 1
        return "inside"

    @app.get("/")
    def fields() -> dict[str, int]:
        return dict(session)

    client = app.test_client()
    assert client.post("/outer").text == "inside"
    assert client.get("/").json == {"outer": 1, "inner": 1, "later": 1}
