"""A Flask application as the tests want it."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Flask

from coatcheck.integrations.flask import Coatcheck

KEY = "a key that guards nothing, for tests alone"
ELSEWHERE = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}


def application(testing: bool = True, settings: dict[str, Any] | None = None, **config: Any) -> Flask:
    """An application over a store of its own."""
    app = Flask(__name__)
    app.config.update(SECRET_KEY=KEY, TESTING=testing, **config)
    if not testing:
        app.config["PROPAGATE_EXCEPTIONS"] = False
    given: dict[str, Any] = {"store": "memory://", "namespace": uuid.uuid4().hex} | (settings or {})
    Coatcheck(app, **given)
    return app


def cookies(response: Any) -> list[str]:
    """The response's Set-Cookie headers."""
    return list(response.headers.getlist("Set-Cookie"))


def ours(response: Any) -> str:
    """The one of ours."""
    [line] = [line for line in cookies(response) if not line.startswith("remember_token")]
    return str(line)
