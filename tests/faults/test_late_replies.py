"""A reply that comes when nobody waits for it any more must not answer somebody else (CVE-2023-28858)."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.conftest import Opener
from tests.faults.link import Link
from tests.servers import RedisServer

pytestmark = pytest.mark.redis

VISITORS = 40


async def test_a_late_reply_is_never_anothers_session(shop: Opener) -> None:
    """Forty visitors give up, half of them in the middle of a request; then each is answered as themselves."""
    with RedisServer() as server, Link(server.port) as link:
        one = shop(link.url)
        tokens = {str(number): await one.front.signed_in(str(number)) for number in range(VISITORS)}
        for _ in range(3):
            link.hold()
            asked = [asyncio.create_task(one.ask("/read", token)) for token in tokens.values()]
            assert await asyncio.to_thread(link.holding.wait, 10)
            for task in asked[::2]:
                task.cancel()
            late = await asyncio.gather(*asked, return_exceptions=True)
            assert [getattr(answer, "status_code", None) for answer in late] == [None, 503] * (VISITORS // 2)
            link.release()
            for _ in range(3):
                answers = await asyncio.gather(*(one.ask("/read", token) for token in tokens.values()))
                assert [answer.text for answer in answers] == [*tokens]


async def test_a_write_that_was_answered_503_may_have_happened_and_nothing_else_has(shop: Opener) -> None:
    """The server did it, the answer came too late. It is repeatable: once more changes nothing."""
    with RedisServer() as server, Link(server.port) as link:
        one = shop(link.url)
        written, left = await one.front.signed_in("1", cart=1), await one.front.signed_in("2", cart=2)
        link.hold()
        answers = await asyncio.gather(one.ask("/write", written), one.ask("/logout", left), one.ask("/login"))
        assert [answer.status_code for answer in answers] == [503] * 3
        link.release()
        assert (await one.front.fields(written)).items() <= {"cart": 1, "written": True}.items()
        for path, token in (("/write", written), ("/logout", left)):
            assert (await one.ask(path, token)).status_code == 200
        assert await one.front.fields(written) == {"cart": 1, "written": True}
        assert not await one.front.lives(left)
