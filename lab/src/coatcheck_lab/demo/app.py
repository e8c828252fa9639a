"""The application: routes, and Coatcheck in front of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from coatcheck import AsyncSessionManager
from coatcheck.errors import ReauthenticationRequired, StoreUnavailable
from coatcheck.integrations.asgi_pages import PagesApp
from coatcheck.integrations.starlette import SessionMiddleware
from coatcheck.pages import Console

from .access import ask_to_sign_in, is_administrator
from .guard import Guard
from .page import HERE, failed
from .pages import devices, files, notes, password, people, sign_in, token
from .settings import NAMESPACE, POLICY, Settings
from .state import State


def create_app(settings: Settings, **manager_settings: Any) -> ASGIApp:
    """The demo. Its vault must have been filled (`State.fill`); sessions lie where `COATCHECK_STORE` says."""
    manager = AsyncSessionManager(policy=POLICY, namespace=NAMESPACE, audit=timedelta(days=90), **manager_settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with manager:
            yield

    modules = (sign_in, files, notes, devices, token, password, people)
    app = Starlette(
        routes=[
            *(route for module in modules for route in module.ROUTES),
            Mount("/console", PagesApp(Console(is_administrator, login_url="/confirm", home_url="/"))),
            Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
        ],
        middleware=[Middleware(SessionMiddleware, manager=manager, csrf="token", exclude=["/static/"])],
        exception_handlers={
            HTTPException: failed,
            StoreUnavailable: failed,
            Exception: failed,
            ReauthenticationRequired: ask_to_sign_in,
        },
        lifespan=lifespan,
    )
    app.state.demo = State.open(settings)
    return Guard(app)
