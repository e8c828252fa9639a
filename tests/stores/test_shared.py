"""A sync and an async manager of one URL are two doors of the same cloakroom."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from coatcheck import AsyncSessionManager, SessionManager
from coatcheck.testing.kit import KEY


@pytest.fixture(params=["memory", "sqlite", "redis", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store's URL; a server is started only for its own."""
    if request.param in ("redis", "postgres"):
        return str(request.getfixturevalue(f"{request.param}_url"))
    return {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/sessions.db"}[request.param]


def test_a_sync_and_an_async_application_share_their_sessions(url: str) -> None:
    """What a WSGI application stored, an ASGI application finds, changes and revokes, and the other way round."""
    namespace = f"shared-{uuid4().hex[:8]}"

    async def elsewhere(token: str) -> str:
        async with AsyncSessionManager(url, secret=KEY, namespace=namespace) as manager:
            session = await manager.load(token)
            assert (session.user_id, session["cart"]) == ("ada", [1])
            session["cart"].append(2)
            await manager.commit(session)
            other = await manager.load(None)
            other.login("ada")
            return (await manager.commit(other)).token or ""

    async def revoke() -> int:
        async with AsyncSessionManager(url, secret=KEY, namespace=namespace) as manager:
            return await manager.revoke_user("ada")

    with SessionManager(url, secret=KEY, namespace=namespace) as manager:
        session = manager.load(None)
        session.login("ada")
        session["cart"] = [1]
        token = manager.commit(session).token or ""
        other = asyncio.run(elsewhere(token))
        assert manager.load(token)["cart"] == [1, 2]
        assert manager.load(other).user_id == "ada"
        assert asyncio.run(revoke()) == 2
        assert [manager.load(one).ended_reason for one in (token, other)] == ["revoked", "revoked"]
