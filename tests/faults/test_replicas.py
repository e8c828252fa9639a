"""3: what `?wait=N` promises and what it cannot; each line of docs/redis.md about it is one test here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from coatcheck.errors import StoreUnavailable
from tests.faults import book
from tests.faults.cast import SWIFT, in_step, promote, until
from tests.faults.conftest import Opener
from tests.faults.link import Link
from tests.integrations.front import set_cookies, token_in
from tests.redis_tools import LossyProxy
from tests.servers import RedisServer

pytestmark = pytest.mark.redis


class Pair(NamedTuple):
    """A primary, its replica, and the way between them."""

    primary: RedisServer
    replica: RedisServer
    link: Link

    def fail_over(self) -> None:
        """The primary's machine is gone, with all that was on its way to the replica."""
        self.primary.kill()
        self.link.lose()
        promote(self.replica)


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A replica that has all that its primary has."""
    with contextlib.ExitStack() as stack:
        primary = stack.enter_context(RedisServer(*SWIFT))
        link = stack.enter_context(Link(primary.port))
        replica = stack.enter_context(RedisServer(*SWIFT, "--replicaof", "127.0.0.1", str(link.port)))
        in_step(primary, 1)
        yield Pair(primary, replica, link)


# -- promised --------------------------------------------------------------------------------------------------


async def test_what_wait_acknowledged_is_on_the_replica(shop: Opener, pair: Pair) -> None:
    """A revocation, a sign-out, a sign-in and a change, each followed at once by the loss of the primary."""
    one = shop(f"{pair.primary.url}?wait=1")
    stock = await one.stock()
    assert await one.look(stock) == (book.SERVED, book.SERVED, book.SERVED, book.SERVED, book.DONE)
    came = token_in(await one.ask("/login"))
    pair.fail_over()
    two = shop(pair.replica.url, one)
    assert await two.kept(stock) == (book.LIVES, book.ENDED)
    assert await two.front.fields(stock.write) == {"written": True}
    assert [await two.front.lives(token) for token in (stock.logout, came)] == [False, True]
    assert await two.front.aside.sessions("8") == []


async def test_what_no_replica_has_is_not_acknowledged(shop: Opener, pair: Pair) -> None:
    """The link hangs: 503, an error for the operator. When it flows again, asking once more is acknowledged."""
    one = shop(f"{pair.primary.url}?wait=1")
    stock = await one.stock()
    pair.link.hold()
    assert await one.look(stock, together=False) == (book.SERVED, book.BUSY, book.BUSY, book.BUSY, book.ERROR)
    pair.link.release()
    in_step(pair.primary, 1)
    assert await one.revoke("8") == book.DONE
    # It had been done at once, and that was not acknowledged: to whoever asks again there is nothing left to sign out.
    assert await one.sees("/logout", stock.logout) == book.VISITOR


async def test_a_lost_reply_does_not_make_wait_count_for_nothing(shop: Opener, pair: Pair) -> None:
    """The command is sent again on a new connection, which has written nothing itself: still no replica has it."""
    with LossyProxy(pair.primary.port) as lossy:
        one = shop(f"{lossy.url}?wait=1")
        token = await one.front.signed_in("1")
        # The script is known from here on, so the next EVALSHA is the one that ends a session.
        assert await one.sees("/logout", await one.front.signed_in("2")) == book.SERVED
        pair.link.hold()
        lossy.lose_reply_to(b"EVALSHA")
        assert await one.sees("/logout", token) == book.BUSY
        assert lossy.lost == 1
        await one.aclose()


async def test_a_thief_is_out_on_the_primary_though_no_replica_confirms_it(shop: Opener, pair: Pair) -> None:
    """All steps of a revocation, an update and a sign-in over the limit are made, and then it is an error; to ask
    again is acknowledged when it is on the replica, and not before."""
    one = shop(f"{pair.primary.url}?wait=1")
    primary = shop(pair.primary.url, one)
    tokens = {user: await one.front.signed_in(user) for user in ("ada", "bob", "cy")}
    manager = one.front.aside
    pair.link.hold()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="confirmed"):
            await manager.revoke_user("ada")
        with pytest.raises(StoreUnavailable, match="confirmed"):
            await manager.update_user("bob", {"role": "reader"})
        with pytest.raises(StoreUnavailable, match="confirmed"):
            await manager.revoke(tokens["cy"][:22])
    assert [await primary.front.lives(tokens[user]) for user in ("ada", "bob", "cy")] == [False, True, False]
    assert await primary.front.fields(tokens["bob"]) == {"role": "reader"}
    pair.link.release()
    in_step(pair.primary, 1)
    assert await manager.revoke_user("ada") == 0
    assert await manager.update_user("bob", {"role": "reader"}) == 1
    assert not await manager.revoke(tokens["cy"][:22])


# -- not promised ----------------------------------------------------------------------------------------------


async def test_without_wait_a_failover_may_lose_an_acknowledged_revocation(shop: Opener, pair: Pair) -> None:
    """Replication is asynchronous: the primary said yes, and took it to its grave."""
    one = shop(pair.primary.url)
    token = await one.front.signed_in("1")
    in_step(pair.primary, 1)
    pair.link.hold()
    assert await one.revoke("1") == book.DONE
    assert await one.sees("/read", token) == book.VISITOR
    pair.fail_over()
    assert await shop(pair.replica.url, one).sees("/read", token) == book.SERVED


async def test_an_isolated_old_primary_serves_what_was_revoked_until_it_is_fenced(shop: Opener, pair: Pair) -> None:
    """It cannot know. With wait=1 it acknowledges nothing; its reads are right again when it has been fenced."""
    here = shop(pair.primary.url)
    behind = shop(f"{pair.primary.url}?wait=1", here)
    stock = await here.stock()
    token = await here.front.signed_in("7")
    in_step(pair.primary, 1)
    pair.link.part()
    promote(pair.replica)
    there = shop(pair.replica.url, here)
    assert await there.revoke("7") == book.DONE
    assert await there.sees("/read", token) == book.VISITOR
    assert await here.sees("/read", token) == book.SERVED
    assert await behind.look(stock, together=False) == (book.SERVED, book.BUSY, book.BUSY, book.BUSY, book.ERROR)
    # Fenced for writes: for reads nothing changes.
    pair.primary.cli("CONFIG", "SET", "min-replicas-max-lag", "1")
    pair.primary.cli("CONFIG", "SET", "min-replicas-to-write", "1")
    until(lambda: pair.primary.cli("INFO", "replication")["min_slaves_good_slaves"] == 0)
    assert await here.sees("/login") == book.BUSY
    assert await here.sees("/read", token) == book.SERVED
    # As Sentinel does when it finds it again.
    pair.primary.cli("REPLICAOF", pair.replica.host, pair.replica.port)
    in_step(pair.replica, 1)
    assert await here.sees("/read", token) == book.VISITOR


async def test_a_secret_that_the_failover_forgot_ends_nothing(shop: Opener, pair: Pair) -> None:
    """6: a step newer than the record's is anonymous, with an event. Calling it theft would end a fleet's sessions."""
    one = shop(pair.primary.url)
    token = await one.front.signed_in("1")
    in_step(pair.primary, 1)
    one.front.clock.advance(2 * 86400)
    pair.link.hold()
    newer = token_in(await one.ask("/read", token))
    assert await one.sees("/read", newer) == book.SERVED
    pair.fail_over()
    two = shop(pair.replica.url, one)
    response = await two.ask("/read", newer)
    assert (response.text, set_cookies(response)) == ("None", [])
    assert [event.reason for event in two.front.told("token_unknown")] == ["unknown step"]
    assert two.front.told("ended") == []
    assert await two.sees("/read", token) == book.SERVED
