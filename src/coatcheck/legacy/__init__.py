"""Sessions of before: what other libraries gave their browsers, and what ours makes of it at the next request.

    SessionMiddleware(app, manager, legacy=[StarletteCookie(OLD_KEY, until=datetime(2026, 6, 1, tzinfo=UTC))])

A *source* recognises and verifies one kind of old credential. `claim` exchanges it: one credential, one session, ever.
"""

from .django import DjangoSessions as DjangoSessions
from .flask import FlaskCookie as FlaskCookie
from .flask_session import FlaskSessionRedis as FlaskSessionRedis
from .jwt_login import JWTLogin as JWTLogin
from .source import Old as Old
from .source import Source as Source
from .starlette import StarletteCookie as StarletteCookie

__all__ = ["DjangoSessions", "FlaskCookie", "FlaskSessionRedis", "JWTLogin", "Old", "Source", "StarletteCookie"]
