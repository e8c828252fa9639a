"""Configurations for `--app`: managers, and applications of each framework that have one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import flask
import quart
from aiohttp import web
from litestar import Litestar
from starlette.applications import Starlette
from starlette.middleware import Middleware

from coatcheck import AsyncSessionManager, CookieSettings, Policy, SessionManager
from coatcheck.integrations import aiohttp as our_aiohttp
from coatcheck.integrations import asgi, wsgi
from coatcheck.integrations.flask import Coatcheck
from coatcheck.integrations.litestar import SessionConfig
from coatcheck.integrations.quart import Coatcheck as QuartCoatcheck
from coatcheck.integrations.starlette import SessionMiddleware
from coatcheck.policy import NIST_AAL2, NIST_AAL3
from tests.doctor.shop import KEY


def made(secret: Any = KEY, **settings: Any) -> SessionManager:
    """A manager over memory."""
    return SessionManager("memory://", secret=secret, **settings)


plain = made()
weak = made([KEY, "changeme" * 5])
words = made("correct horse battery staple again")
aal2 = made(policy=NIST_AAL2)
aal3 = made(policy=NIST_AAL3)
long = made(policy=Policy(idle_timeout=timedelta(days=60), absolute_timeout=timedelta(days=90)))
idle = made(policy=Policy(idle_timeout=timedelta(hours=2), absolute_timeout=timedelta(hours=20), remember=False))
remembered = made(
    policy=Policy(
        idle_timeout=timedelta(hours=1),
        absolute_timeout=timedelta(hours=8),
        remember=False,
        remember_timeout=timedelta(days=7),
    )
)
no_idle = made(policy=Policy(idle_timeout=None, absolute_timeout=timedelta(hours=20), remember=False))
never_secure = made(cookie=CookieSettings(secure=False))
open_to_scripts = made(cookie=CookieSettings(http_only=False))
embedded = made(cookie=CookieSettings(same_site="none"))
shared = made(cookie=CookieSettings(domain="shop.example"))
named = made(namespace="basket")
over_file = SessionManager("sqlite:///never-made.db", secret=KEY)


def awaited() -> AsyncSessionManager:
    """Another for each framework, as they need."""
    return AsyncSessionManager("memory://", secret=KEY, namespace="basket")


asynchronous = awaited()
asynchronous_file = AsyncSessionManager("sqlite:///never-made.db", secret=KEY)


class Holder:
    """Where an attribute has attributes."""

    manager = named


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application."""


def bare_wsgi(environ: Any, start_response: Any) -> list[bytes]:
    """A WSGI application."""
    return []


wrapped = asgi.SessionMiddleware(bare, awaited())
starlette_app = Starlette(middleware=[Middleware(SessionMiddleware, manager=awaited())])
unserved_app = Starlette(middleware=[Middleware(SessionMiddleware, store="memory://", secret=KEY, namespace="basket")])
unserved_wrong = Starlette(middleware=[Middleware(SessionMiddleware, store="redsi://cache:6379/0", secret=KEY)])
wsgi_app = wsgi.SessionMiddleware(bare_wsgi, made(namespace="basket"))
flask_app = flask.Flask("shop")
flask_app.config.update(SECRET_KEY="dev", COATCHECK_STORE="memory://")
Coatcheck(flask_app)
quart_app = quart.Quart("shop")
QuartCoatcheck(quart_app, awaited())
litestar_app = Litestar([], logging_config=None, on_app_init=[SessionConfig(manager=awaited()).on_app_init])
aiohttp_app = web.Application()
our_aiohttp.setup(aiohttp_app, awaited())
folder = Path()
