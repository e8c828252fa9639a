"""A page of `coatcheck.pages` in Flask.

app.register_blueprint(pages(Devices(login_url="/login"), "devices"), url_prefix="/account/devices")
"""

from __future__ import annotations

import flask

from ..pages import MAX_BODY, Ask, Page, answer, base_of, too_large
from .flask import manager_from, session_from
from .flask_visit import as_response


def pages(page: Page, name: str) -> flask.Blueprint:
    """A blueprint with that name. Its forms have a token of their own: `csrf.exempt(blueprint)` with Flask-WTF."""
    made = flask.Blueprint(name, __name__)

    def view(below: str = "", **_: object) -> flask.Response:
        request = flask.request
        if (request.content_length or 0) > MAX_BODY:
            return as_response(too_large())
        whole = f"{request.script_root}{request.path}"
        ask = Ask(
            method=request.method,
            path=f"/{below}",
            base=base_of(whole, below),
            session=session_from(),
            query=request.args.to_dict(),
            # One that does not say how long it is (chunked) is no form of ours, and may have no end.
            form=request.form.to_dict() if request.method == "POST" and request.content_length else {},
        )
        return as_response(answer(page, ask, manager_from()))

    for rule in ("/", "/<path:below>"):
        made.add_url_rule(rule, "page", view, methods=["GET", "POST"])
    return made
