"""11: one Redis, broken in each way that we can make: what visitors see, and what has survived when it is over."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from secrets import token_hex

import pytest
import redis

from tests.faults import book
from tests.faults.cast import until
from tests.faults.conftest import Opener
from tests.faults.link import Link
from tests.servers import RedisServer, free_port

pytestmark = pytest.mark.redis

LOG = ("--appendonly", "yes")
SNAPSHOTS = ("--save", "3600 1")
Fault = Callable[[RedisServer, Link], Iterator[None]]

FAULTS: dict[str, tuple[Callable[..., contextlib.AbstractContextManager[None]], tuple[str, ...]]] = {}
"""How each is made and undone, and the options of the server that it happens to."""


def fault(*options: str) -> Callable[[Fault], Fault]:
    """Enter a fault of that name."""

    def enter(make: Fault) -> Fault:
        FAULTS[make.__name__] = contextlib.contextmanager(make), options
        return make

    return enter


@fault(*LOG)
def stopped(server: RedisServer, link: Link) -> Iterator[None]:
    """Nobody listens."""
    server.stop()
    yield
    server.start()


@fault()
def paused(server: RedisServer, link: Link) -> Iterator[None]:
    """A machine that hangs, or a firewall that swallows packets."""
    server.pause()
    yield
    server.resume()
    server.cli("PING")


@fault()
def slow(server: RedisServer, link: Link) -> Iterator[None]:
    """What is asked is done, and the answer does not come in time."""
    link.hold()
    yield
    link.release()


@fault(*SNAPSHOTS, "--loading-process-events-interval-bytes", "1024")
def loading(server: RedisServer, link: Link) -> Iterator[None]:
    """A large file, as far as anybody can tell."""
    for number in range(200):
        server.cli("SET", f"other:{number}", token_hex(2048))
    server.cli("SAVE")
    server.kill()
    server._options += ("--key-load-delay", "100000")
    server.until_loaded = False
    server.start()
    assert server.cli("INFO", "persistence")["loading"] == 1
    yield
    server.cli("CONFIG", "SET", "key-load-delay", "0")
    until(lambda: server.cli("INFO", "persistence")["loading"] == 0)


@fault()
def password(server: RedisServer, link: Link) -> Iterator[None]:
    """An operator renews it there, and not here."""
    with redis.Redis(port=server.port, single_connection_client=True) as operator:
        operator.execute_command("ACL SETUSER", "default", "resetpass", ">another")
        operator.execute_command("CLIENT KILL", "TYPE", "normal", "SKIPME", "yes")
        yield
        operator.execute_command("ACL SETUSER", "default", "nopass")


@fault()
def evicts(server: RedisServer, link: Link) -> Iterator[None]:
    """A cache, not a store."""
    server.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    yield
    server.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")


@fault(*LOG)
def crashed(server: RedisServer, link: Link) -> Iterator[None]:
    """The process is killed; the machine is not."""
    server.kill()
    server.start()
    yield


@fault(*SNAPSHOTS)
def snapshot(server: RedisServer, link: Link) -> Iterator[None]:
    """The last snapshot is from before the revocation: see the test."""
    server.kill()
    server.start()
    yield


@fault()
def emptied(server: RedisServer, link: Link) -> Iterator[None]:
    """It comes back, and knows nothing."""
    server.kill()
    server.start()
    yield


@fault()
def evicting(server: RedisServer, link: Link) -> Iterator[None]:
    """Somebody makes a cache of it after the application has met it."""
    server.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-random")
    server.cli("CONFIG", "SET", "maxmemory", "1")
    with contextlib.suppress(redis.OutOfMemoryError):
        server.cli("SET", "other", "1")
    until(lambda: server.cli("DBSIZE") == 0)
    server.cli("CONFIG", "SET", "maxmemory", "0")
    yield


@fault()
def full(server: RedisServer, link: Link) -> Iterator[None]:
    """Not a byte is left."""
    server.cli("CONFIG", "SET", "maxmemory", "1")
    yield
    server.cli("CONFIG", "SET", "maxmemory", "0")


@fault()
def replica(server: RedisServer, link: Link) -> Iterator[None]:
    """Of a primary that it cannot reach."""
    server.cli("REPLICAOF", server.host, free_port())
    yield
    server.cli("REPLICAOF", "NO", "ONE")


@fault()
def fenced(server: RedisServer, link: Link) -> Iterator[None]:
    """Nobody follows it."""
    server.cli("CONFIG", "SET", "min-replicas-to-write", "1")
    yield
    server.cli("CONFIG", "SET", "min-replicas-to-write", "0")


@fault(*SNAPSHOTS)
def disk(server: RedisServer, link: Link) -> Iterator[None]:
    """Something is in the way of the file: the same fault as a full disk's."""
    obstacle = server.folder / "dump.rdb"
    obstacle.mkdir()
    server.cli("BGSAVE")
    until(lambda: server.cli("INFO", "persistence")["rdb_last_bgsave_status"] == "err")
    yield
    obstacle.rmdir()
    server.cli("SAVE")


@pytest.mark.parametrize("name", book.ROWS)
async def test_what_a_fault_does_is_what_the_book_says(shop: Opener, name: str) -> None:
    """Visitors, the operator who revokes, and the sessions afterwards. The same process serves on, with no restart."""
    make, options = FAULTS[name]
    with RedisServer(*options) as server, Link(server.port) as link:
        one = shop(link.url)
        stock = await one.stock()
        if name == "snapshot":
            stock = stock._replace(dead=await one.front.signed_in("4"))
            server.cli("SAVE")
            assert await one.front.aside.revoke_user("4") == 1
            assert not await one.front.lives(stock.dead)
        with make(server, link):
            if name == "evicts":
                one = shop(link.url, one)
            seen = await one.look(stock)
        kept = await one.kept(stock)
        again = await one.sees("/login")
    assert (*seen, *kept) == book.ROWS[name].sight
    assert again == book.SERVED


def test_every_fault_is_in_the_book_and_the_book_on_the_page() -> None:
    """The operator's page says what was seen, word by word."""
    assert [*FAULTS] == [*book.ROWS]
    page = book.PAGE.read_text()
    assert page == book.renewed(page)
