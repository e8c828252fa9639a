"""What all applications share.

Each has the same pages, and answers in plain text:

* `POST /login?user=u`: sign u in anew, with a role: "u administrator", and a credential in its headers;
* `GET /read`: who is signed in, in which role, as session or token have it: "u administrator";
* `POST /write?n=7`: change one field: "u 7";
* `GET /n`: what was written: "u 7".

A bare application answers each with a constant. One that has only a token has no `/write`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import jwt

KIND = os.environ.get("SERVED_KIND", "bare")
REDIS = os.environ.get("SERVED_REDIS", "")
FOLDER = os.environ.get("SERVED_FOLDER", "")
SECRET = os.environ.get("SERVED_SECRET", "")
PORT = int(os.environ.get("SERVED_PORT", "0"))
BARE = "user-100 administrator"
ROLE = "administrator"
LIFETIME = 14 * 24 * 3600
"""Seconds."""


def coatcheck() -> dict[str, Any]:
    """Settings of ours, by kind. All else is as it comes."""
    stores = {"memory": "memory://", "sqlite": f"sqlite:///{FOLDER}/sessions.db"}
    stores |= {"redis": REDIS, "near": REDIS, "postgresql": os.environ.get("SERVED_POSTGRESQL", "")}
    store = KIND.removeprefix("coatcheck-")
    return {"store": stores[store], "secret": SECRET, "near_cache": store == "near"}


def data(user: str) -> dict[str, Any]:
    """What a session holds, or a token claims."""
    return {"sub": user, "role": ROLE, "n": 3}


def shown(session: Mapping[str, Any], field: str = "role") -> str:
    """A page."""
    return f"{session.get('sub')} {session.get(field)}"


def signed(user: str) -> dict[str, str]:
    """The header that gives a bearer token to who has signed in."""
    token = jwt.encode(data(user) | {"exp": int(time.time()) + LIFETIME, "jti": uuid4().hex}, SECRET, "HS256")
    return {"authorization": f"Bearer {token}"}


def checked(header: str | None) -> dict[str, Any] | None:
    """What a bearer token claims; None without one, or for one that does not hold."""
    if header is None:
        return None
    try:
        claims: dict[str, Any] = jwt.decode(header.removeprefix("Bearer "), SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        return None
    return claims
