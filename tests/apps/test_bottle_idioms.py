"""Bottle's own ways over the plain middleware: abort, redirect, error pages, hooks, and its thread-local request."""

from __future__ import annotations

# mypy: disable-error-code="import-untyped, untyped-decorator"
# Bottle has no types.
import json
from typing import Any

import pytest
from bottle import Bottle, abort, redirect, request, response, static_file

from coatcheck.integrations.wsgi import manager_from, session_from
from tests.integrations.wsgi_server import Serving


def serving() -> tuple[Bottle, Serving]:
    """An application to put routes in, and its server."""
    app = Bottle()
    return app, Serving(app, check=False)


def test_the_thread_local_request_has_the_session() -> None:
    """`session_from(bottle.request)` and `manager_from(bottle.request)`, also in a hook."""
    app, site = serving()
    seen: list[Any] = []
    app.add_hook("before_request", lambda: seen.append(session_from(request)))

    @app.get("/")
    def page() -> dict[str, Any]:
        assert manager_from(request) is site.manager
        session = session_from(request)
        session["a"] = 1
        return {"same": session is seen[0]}

    answer = site.ask()
    assert json.loads(answer.body) == {"same": True}
    assert site.fields(answer.token or "") == {"a": 1}


@pytest.mark.parametrize("how", ["redirect", "abort 403", "abort 503", "raise"])
def test_how_a_handler_leaves_decides_what_is_kept(how: str) -> None:
    """16: a redirect or a refusal commits; 500 and above, also Bottle's own error page, does not."""
    app, site = serving()

    @app.get("/")
    def page() -> None:
        session_from(request)["cart"] = 2
        if how == "redirect":
            redirect("/next")
        if how == "raise":
            raise ZeroDivisionError
        abort(int(how.split()[1]), "no")

    token = site.signed_in(cart=1)
    answer = site.ask(token=token)
    status = {"redirect": 303, "abort 403": 403, "abort 503": 503, "raise": 500}[how]
    assert answer.status == status
    assert site.fields(token) == {"cart": 2 if status < 500 else 1}


def test_bottles_own_cookies_and_files_stand_beside_it(tmp_path: Any) -> None:
    """A second Set-Cookie goes out as it was; a file by the server's wrapper, with Range and HEAD."""
    app, site = serving()
    (tmp_path / "a.txt").write_text("0123456789")

    @app.get("/cookie")
    def cookie() -> str:
        response.set_cookie("other", "1")
        session_from(request)["a"] = 1
        return "ok"

    app.get("/file", callback=lambda: static_file("a.txt", root=str(tmp_path)))
    answer = site.ask(path="/cookie")
    assert "other=1" in answer.all("set-cookie")
    assert answer.token
    part = site.ask(path="/file", range="bytes=2-4")
    assert (part.status, part.body) == (206, b"234")
    assert site.ask("HEAD", "/file").body == b""
