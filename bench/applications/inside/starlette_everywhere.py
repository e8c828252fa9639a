"""A pytest plugin: ours is in the place of Starlette's SessionMiddleware, before anything imports that."""

import os

import starlette.middleware.sessions

from coatcheck.integrations.starlette import SessionMiddleware

os.environ.setdefault("COATCHECK_STORE", "memory://")
starlette.middleware.sessions.SessionMiddleware = SessionMiddleware
