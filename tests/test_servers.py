"""The servers that other tests lean on do what those tests believe."""

from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.retry import Retry

from tests.cluster import Cluster
from tests.servers import AppServer, RedisServer

APP = """
import os

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            await send({"type": (await receive())["type"] + ".complete"})
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": f"{os.environ['WORD']} {os.getpid()}".encode()})
"""


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.redis
def test_a_paused_redis_is_silent_and_a_resumed_one_goes_on() -> None:
    """What `pause` gives is a server that holds connections and answers nothing."""
    with RedisServer() as server:
        server.cli("SET", "key", "value")
        server.pause()
        with (
            redis.Redis(port=server.port, socket_timeout=0.2, retry=Retry(NoBackoff(), 0)) as client,
            pytest.raises(redis.TimeoutError),
        ):
            client.get("key")
        server.resume()
        assert server.cli("GET", "key") == "value"


@pytest.mark.redis
def test_a_restarted_redis_keeps_its_port_and_forgets_its_data() -> None:
    """After a restart the same URL reaches an empty server."""
    with RedisServer() as server:
        url = server.url
        server.cli("SET", "key", "value")
        server.restart()
        assert server.url == url
        assert server.cli("GET", "key") is None
    assert not _listens(server.port)


@pytest.mark.redis
def test_a_slot_that_comes_straight_back_has_one_owner(redis_cluster: Cluster) -> None:
    """Two moves faster than word of the first: they leave two nodes that send all who ask to each other, for good."""
    source, target, _ = redis_cluster.primaries()
    keys = [key for key in map(str, range(100)) if redis_cluster.owner(key) is source][:20]
    for slot in (key_slot(key.encode()) for key in keys):
        redis_cluster.move(slot, source, target)
        redis_cluster.move(slot, target, source)
    assert {redis_cluster.owner(key) for key in keys} == {source}


def test_tests_do_not_see_each_others_data(redis_url: str) -> None:
    """`redis_url` is a database without a key, whatever ran before."""
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("key", "value")


@pytest.mark.parametrize("workers", [1, 2])
def test_an_application_is_served_and_all_its_workers_stop(workers: int, tmp_path: Path) -> None:
    """Any status is an answer; a port that nobody holds any more proves that all workers are gone."""
    (tmp_path / "small.py").write_text(APP)
    server = AppServer("small:app", workers=workers, env={"WORD": "hello"}, folder=tmp_path)
    with server:
        group = server.pid
        request = urllib.request.Request(server.url)
        with pytest.raises(urllib.error.HTTPError) as answer, urllib.request.urlopen(request):
            pass
        with answer.value as response:
            word, pid = response.read().decode().split()
        assert word == "hello"
        assert os.getpgid(int(pid)) == group
    assert not _listens(server.port)


def test_an_application_that_cannot_start_fails_with_its_log(tmp_path: Path) -> None:
    """A broken import is an error at once, in uvicorn's words."""
    with (
        pytest.raises(RuntimeError, match="no_such_module"),
        AppServer("no_such_module:app", folder=tmp_path),
    ):
        pass
