"""Falcon's own ways over the plain middleware: errors, redirects, its middleware, sinks, and its test client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import falcon
import pytest
from falcon import testing

from coatcheck.integrations.wsgi import SessionMiddleware, manager_from, session_from
from tests.integrations.wsgi_server import Serving


def serving(on_get: Callable[[Any, Any], object], **settings: Any) -> Serving:
    """An application of one resource."""
    resource = type("Resource", (), {"on_get": lambda _, req, resp: on_get(req, resp)})()
    app = falcon.App(**settings)
    app.add_route("/", resource)
    return Serving(app)


@pytest.mark.parametrize("how", [falcon.HTTPSeeOther("/x"), falcon.HTTPForbidden(), falcon.HTTPServiceUnavailable(), 0])
def test_how_a_responder_leaves_decides_what_is_kept(how: Any) -> None:
    """16: a redirect or a refusal commits; 500 and above, also Falcon's own for an exception, does not."""

    def on_get(req: Any, _: Any) -> None:
        session_from(req)["cart"] = 2
        raise how or ZeroDivisionError

    site = serving(on_get)
    token = site.signed_in(cart=1)
    answer = site.ask(token=token)
    assert site.fields(token) == {"cart": 2 if answer.status < 500 else 1}
    assert answer.status == {0: 500}.get(how) or int(how.status[:3])


def test_falcons_own_middleware_has_the_session() -> None:
    """Before and after the responder, as an authentication middleware needs it."""

    class Auth:
        def process_request(self, req: Any, _resp: Any) -> None:
            req.context.user = session_from(req).user_id
            assert manager_from(req) is site.manager

        def process_response(self, req: Any, _resp: Any, _resource: Any, _succeeded: bool) -> None:
            session_from(req)["seen"] = req.context.user

    site = serving(lambda req, resp: setattr(resp, "text", req.context.user), middleware=[Auth()])
    token = site.signed_in("ada")
    assert site.ask(token=token).body == b"ada"
    assert site.fields(token) == {"seen": "ada"}


def test_falcons_test_client_works_around_the_middleware() -> None:
    """No setting is needed for it."""
    site = serving(lambda req, resp: setattr(resp, "media", session_from(req).setdefault("n", 1)))
    client = testing.TestClient(SessionMiddleware(site.middleware.app, site.manager))
    result = client.simulate_get("/")
    assert result.json == 1
    assert set(result.cookies) <= {"coatcheck-insecure", "__Host-coatcheck"}
    assert len(result.cookies) == 1
