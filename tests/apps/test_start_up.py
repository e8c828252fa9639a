"""What is wrong with the settings shows when an application starts, and not to its first visitor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from flask import Flask
from litestar import Litestar
from pyramid.config import Configurator  # type: ignore[import-untyped]
from quart import Quart

from coatcheck.errors import ConfigurationError
from coatcheck.integrations import aiohttp, asgi, fastapi, flask, litestar, pyramid, quart, starlette, wsgi

SHARED = "redis://localhost"


def _asgi(kind: Any) -> Callable[[], object]:
    async def app(*_: Any) -> None: ...

    return lambda: kind(app, store=SHARED)


def _wsgi() -> object:
    return wsgi.SessionMiddleware(lambda *_: [], store=SHARED)


def _flask(framework: Any, integration: Any) -> Callable[[], object]:
    def start() -> None:
        app = framework(__name__)
        app.config["COATCHECK_STORE"] = SHARED
        integration.Coatcheck(app)

    return start


def _litestar() -> object:
    sessions = litestar.SessionConfig(store=SHARED)
    return Litestar([], on_app_init=[sessions.on_app_init])


def _aiohttp() -> object:
    return aiohttp.setup(web.Application(), store=SHARED)


def _pyramid() -> object:
    with Configurator() as config:
        config.include("coatcheck.integrations.pyramid")
        config.set_session_factory(pyramid.session_factory(store=SHARED))
        return config.make_wsgi_app()


STARTS = {
    "asgi": _asgi(asgi.SessionMiddleware),
    "starlette": _asgi(starlette.SessionMiddleware),
    "fastapi": _asgi(fastapi.SessionMiddleware),
    "wsgi": _wsgi,
    "flask": _flask(Flask, flask),
    "quart": _flask(Quart, quart),
    "litestar": _litestar,
    "aiohttp": _aiohttp,
    "pyramid": _pyramid,
}
"""Django has its SECRET_KEY, or does not start itself."""


@pytest.mark.parametrize("framework", STARTS)
def test_a_missing_secret_is_named_with_its_remedy(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shared store needs one that all servers know."""
    monkeypatch.delenv("COATCHECK_SECRET", raising=False)
    monkeypatch.delenv("COATCHECK_SECRET_FILE", raising=False)
    with pytest.raises(ConfigurationError, match="coatcheck keygen"):
        STARTS[framework]()


@pytest.mark.parametrize("framework", STARTS)
def test_with_a_secret_they_start(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is the secret that was missing, and nothing is asked of the store yet."""
    monkeypatch.setenv("COATCHECK_SECRET", "one-that-guards-nothing-for-tests-alone")
    STARTS[framework]()
