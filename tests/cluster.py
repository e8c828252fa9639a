"""A real Redis Cluster of six nodes, whose slots can be moved and whose primaries can be killed."""

from __future__ import annotations

import time
from contextlib import ExitStack
from itertools import pairwise
from typing import Any, Self

import redis
from redis.crc import key_slot

from tests.servers import READY_WITHIN, RedisServer, free_port

SLOTS = 16_384


class Cluster:
    """Three primaries, each with a replica. Use `with`."""

    def __init__(self, *options: str, tls: bool = False) -> None:
        """`options` are of each node; `tls`: each gets a port for it, by which they know each other."""
        self._options, self._tls = options, tls
        self.tls_ports: list[int] = []
        self._stack = ExitStack()
        self.nodes: list[RedisServer] = []
        self._names: dict[RedisServer, str] = {}
        self._clients: dict[RedisServer, redis.Redis] = {}

    @property
    def url(self) -> str:
        """The store URL, with two of the nodes."""
        first, second = self.nodes[0], self.nodes[1]
        return f"redis+cluster://{first.host}:{first.port},{second.host}:{second.port}"

    def __enter__(self) -> Self:
        try:
            self._form()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _form(self) -> None:
        for number in range(6):
            bus = free_port()
            common = (
                f"--cluster-enabled yes --cluster-node-timeout 1000 --cluster-port {bus} --repl-diskless-sync-delay 0"
            )
            if self._tls:
                self.tls_ports.append(free_port())
                common += f" --tls-port {self.tls_ports[-1]}"
            node = self._stack.enter_context(RedisServer(*common.split(), *self._options))
            self.nodes.append(node)
            node.cli("CLUSTER SET-CONFIG-EPOCH", number + 1)
            if number:
                self.nodes[0].cli("CLUSTER MEET", node.host, self.tls_ports[-1] if self._tls else node.port, bus)
        for node, (first, last) in zip(self.nodes[:3], pairwise((0, SLOTS // 3, SLOTS * 2 // 3, SLOTS)), strict=True):
            node.cli("CLUSTER ADDSLOTSRANGE", first, last - 1)
        _until(lambda: all(int(self.info(node)["cluster_known_nodes"]) == 6 for node in self.nodes))
        for primary, replica in zip(self.nodes[:3], self.nodes[3:], strict=True):
            _until(lambda primary=primary, replica=replica: _replicates(replica, name(primary)))
        _until(self.well)
        self._names = {node: name(node) for node in self.nodes}
        self._clients = {
            node: self._stack.enter_context(redis.Redis(host=node.host, port=node.port)) for node in self.nodes
        }

    def info(self, node: RedisServer) -> dict[str, str]:
        """What a node says of the cluster."""
        found: dict[str, str] = node.cli("CLUSTER INFO")
        return found

    def well(self) -> bool:
        """Whether every slot is served, and every replica has what its primary has."""
        if any(self.info(node)["cluster_state"] != "ok" for node in self.nodes):
            return False
        links = [node.cli("INFO", "replication") for node in self.nodes]
        return all(link["role"] == "master" or link["master_link_status"] == "up" for link in links)

    def empty(self) -> None:
        """Take out all keys."""
        for node in self.primaries():
            node.cli("FLUSHALL")

    def primaries(self) -> list[RedisServer]:
        """The nodes that say that they are primaries."""
        return [node for node in self.nodes if node.cli("ROLE")[0] == "master"]

    def owner(self, key: str) -> RedisServer:
        """The primary of a key's slot, as itself says."""
        slot = key_slot(key.encode())
        for node in self.nodes:
            for first, last, primary, *_ in node.cli("CLUSTER SLOTS"):
                if first <= slot <= last and primary[1] == node.port:
                    return node
        raise RuntimeError(f"nobody owns the slot of {key}")

    def begin(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        """Begin to move a slot."""
        self._ask(target, "CLUSTER SETSLOT", slot, "IMPORTING", self._names[source])
        self._ask(source, "CLUSTER SETSLOT", slot, "MIGRATING", self._names[target])

    def carry(self, slot: int, source: RedisServer, target: RedisServer, most: int = 100) -> int:
        """Move some keys of a slot; how many."""
        keys = self._ask(source, "CLUSTER GETKEYSINSLOT", slot, most)
        if keys:
            self._ask(source, "MIGRATE", target.host, target.port, "", 0, 5000, "KEYS", *keys)
        return len(keys)

    def end(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        """The slot is the other node's by now, and every node knows."""
        for node in (target, source):
            self._ask(node, "CLUSTER SETSLOT", slot, "NODE", self._names[target])
        # Whoever takes the slot next, unaware of this one's epoch, has a lower one: when word of this move comes,
        # each of the two says that the slot is the other's, for ever.
        _until(
            lambda: len({self._told(node, target) for node in self.nodes}) == 1, "the nodes do not agree on the move"
        )

    def move(self, slot: int, source: RedisServer, target: RedisServer) -> None:
        """Move a slot as a whole."""
        self.begin(slot, source, target)
        while self.carry(slot, source, target):
            pass
        self.end(slot, source, target)

    def _told(self, node: RedisServer, primary: RedisServer) -> tuple[str, str]:
        """What a node has heard of a primary: its epoch and its slots."""
        known = {one["node_id"]: one for one in self._ask(node, "CLUSTER NODES").values()}
        told = known[self._names[primary]]
        return told["epoch"], str(told["slots"])

    def _ask(self, node: RedisServer, *command: str | int) -> Any:
        return self._clients[node].execute_command(*command)  # type: ignore[no-untyped-call]


def name(node: RedisServer) -> str:
    """What the cluster calls a node."""
    return str(node.cli("CLUSTER MYID"))


def _replicates(replica: RedisServer, primary: str) -> bool:
    try:
        replica.cli("CLUSTER REPLICATE", primary)
    except Exception as error:
        if "Unknown node" in str(error):
            return False
        raise
    return True


def _until(ready: Any, complaint: str = "the cluster does not form") -> None:
    deadline = time.monotonic() + READY_WITHIN
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(complaint)
        time.sleep(0.02)
