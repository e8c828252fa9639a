"""A pytest plugin: every Flask application has our sessions, set up before its first request."""

import flask

from coatcheck.integrations.flask import Coatcheck

_made = flask.Flask.__init__
_asked = flask.Flask.request_context


def _init(app, *args, **kwargs):
    _made(app, *args, **kwargs)
    app.config.setdefault("COATCHECK_STORE", "memory://")


def _context(app, environ):
    if "coatcheck" not in app.extensions:
        Coatcheck(app)
    return _asked(app, environ)


flask.Flask.__init__ = _init
flask.Flask.request_context = _context
