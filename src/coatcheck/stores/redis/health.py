"""Whether a Redis keeps what sessions need: what `coatcheck doctor` asks of it, and the remedies."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from hashlib import sha1
from secrets import token_hex
from typing import Any

from redis import connection as driver_connection
from redis import exceptions as driver

from ...errors import StoreUnavailable
from ...health import Check, clock, on_this_machine
from .cluster import Routes
from .faults import plain
from .steps import pairs
from .talk import OLDEST

_FULL = 80
"""Per cent of maxmemory from which on it is time to act."""

_TRY = """
local key, other, user, refused = KEYS[1], KEYS[2], KEYS[3], {}
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then refused[#refused + 1] = ({...})[1] .. ' ' .. reply.err end
end
try('SET', key, '1', 'PX', 1000, 'NX') try('GET', key) try('MGET', key) try('PTTL', key) try('PEXPIRE', key, 1000)
if redis.pcall('EXISTS', key) ~= 0 then try('RENAME', key, other) end
try('HSET', user, 'a', 1) try('HGET', user, 'a') try('HMGET', user, 'a') try('HLEN', user) try('HKEYS', user)
try('HGETALL', user) try('HDEL', user, 'a') try('DEL', key, other)
return refused
"""
"""Every command of the store's scripts, on keys of its own that are gone afterwards."""

_SHA = sha1(_TRY.encode()).hexdigest()  # noqa: S324 (the name that Redis gives it)

Ask = Callable[..., Any]


def checks(send: Callable[[list[tuple[Any, ...]]], list[Any]], where: str, wait: int, slot: str) -> Iterator[Check]:
    """Ask the server behind `send`. `slot` is the beginning of a key that the namespace owns."""

    def ask(*command: Any) -> Any:
        """The reply; None where it is not allowed. Raises the driver's errors."""
        (reply,) = send([command])
        if isinstance(reply, driver.NoPermissionError):
            return None
        if isinstance(reply, Exception):
            raise reply
        return reply

    try:
        yield from _all(ask, where, wait, slot)
    except (driver.RedisError, OSError) as error:
        yield Check("fail", "reachable", str(plain(error, where)))
    except StoreUnavailable as error:
        yield Check("fail", "reachable", str(error))


def coverage(routes: Routes) -> Check:
    """Whether every session of a cluster has a node."""
    primaries = len(routes.primaries())
    if routes.unserved:
        text = f"{routes.unserved} of its slots have no primary: requests of their sessions are answered 503"
        return Check("fail", "cluster", text, "See CLUSTER NODES")
    return Check("ok", "cluster", f"{primaries} primaries, every slot is served")


def encryption(where: str, pool: Any) -> Check:
    """Whether what goes to a server can be read on the way: by what a pool makes connections of. No I/O."""
    settings = pool.connection_kwargs
    if on_this_machine(where):
        return Check("ok", "encryption", "on this machine")
    if not issubclass(pool.connection_class, driver_connection.SSLConnection):
        found = "the password, and every session" if settings.get("password") else "every session"
        remedy = "rediss:// in the store's URL, and tls-port on the server"
        return Check("warn", "encryption", f"{found} can be read, and altered, on the way to {where}", remedy)
    if settings.get("ssl_cert_reqs") in ("none", "optional"):
        text = f"encrypted, and whoever stands in the way to {where} may be the server"
        return Check(
            "warn", "encryption", text, "Take ssl_cert_reqs out of the store's URL; ssl_ca_certs names your own"
        )
    return Check("ok", "encryption", "TLS, with a certificate that is checked")


def _all(ask: Ask, where: str, wait: int, slot: str) -> Iterator[Check]:
    before = time.time()
    there = ask("TIME")
    after = time.time()
    yield Check("ok", "reachable", f"{where}, {(after - before) * 1000:.1f} ms")
    facts: dict[str, Any] = {}
    for section in ("server", "memory", "persistence", "replication"):
        facts |= ask("INFO", section) or {}
    if facts:
        yield from _version(facts)
        yield from _memory(facts)
        yield from _persistence(facts, ask)
        yield from _replicas(facts, wait, ask)
    else:
        text = "INFO is not allowed: version, eviction, persistence and replicas are unknown"
        yield Check("warn", "settings", text, "Allow this user +info, or ask who hosts it")
    if there:
        yield clock(there[0] + there[1] / 1e6, before, after)
    yield _permissions(ask, where, slot)


def _version(facts: dict[str, Any]) -> Iterator[Check]:
    version = str(facts.get("redis_version", "0"))
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < OLDEST:
        yield Check("fail", "version", f"{version}: sessions need 6.2 or newer", "Update the server")
    else:
        yield Check("ok", "version", f"Valkey {facts['valkey_version']}" if "valkey_version" in facts else version)


def _memory(facts: dict[str, Any]) -> Iterator[Check]:
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy == "noeviction":
        yield Check("ok", "eviction", "maxmemory-policy noeviction")
    else:
        text = f"maxmemory-policy {policy} may drop a session, or the memory of its end"
        remedy = "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf, or a Redis for sessions alone"
        yield Check("fail", "eviction", text, remedy)
    limit, used = int(facts.get("maxmemory", 0)), int(facts.get("used_memory", 0))
    if not limit:
        yield Check("ok", "memory", "no maxmemory: what the machine has")
    elif used * 100 >= limit * _FULL:
        share = min(100, used * 100 // limit)
        text = f"{share} % of maxmemory: full, it refuses logins and changes"
        yield Check("warn", "memory", text, "Raise maxmemory, or move other data elsewhere")
    else:
        yield Check("ok", "memory", f"{used * 100 // limit} % of maxmemory")


def _setting(ask: Ask, name: str) -> str | None:
    """A setting's value; None where we may not know."""
    try:
        found = ask("CONFIG", "GET", name)
    except driver.ResponseError:
        return None  # hosts rename CONFIG away
    texts = {_text(key): _text(value) for key, value in pairs(found).items()} if found else {}
    return texts.get(name)


def _persistence(facts: dict[str, Any], ask: Ask) -> Iterator[Check]:
    broken = [name for name in ("rdb_last_bgsave_status", "aof_last_write_status") if facts.get(name) == "err"]
    if broken:
        text = f"cannot write to its disk ({', '.join(broken)}): it refuses writes, revocations too"
        yield Check("fail", "persistence", text, "Free space there")
    elif not facts.get("aof_enabled"):
        snapshots = _setting(ask, "save")
        text = "its last snapshot: whoever was revoked since then is signed in again" if snapshots else "nothing"
        unsure = " (or its last snapshot, if it makes any)" if snapshots is None else ""
        yield Check("warn", "persistence", f"a restart goes back to {text}{unsure}", "Set appendonly yes")
    else:
        how = _setting(ask, "appendfsync")
        lost = {"everysec": "the last second", "no": "half a minute"}.get(how or "")
        if lost:
            text = f"appendfsync {how}: a power cut may lose {lost}, acknowledged revocations too"
            remedy = "appendfsync always loses nothing, and costs a disk write for each change"
            yield Check("warn", "persistence", text, remedy)
        else:
            yield Check("ok", "persistence", f"append-only file, appendfsync {how or 'unknown'}")


def _replicas(facts: dict[str, Any], wait: int, ask: Ask) -> Iterator[Check]:
    count = int(facts.get("connected_slaves", 0))
    if facts.get("role") == "slave":
        yield Check("fail", "role", "a read-only replica, which may be behind", "point the store's URL at the primary")
        return
    yield Check("ok", "role", f"primary with {count} replica{'' if count == 1 else 's'}")
    if wait > count:
        text = f"wait={wait} and {count} connected: every change is answered 503"
        yield Check("fail", "wait", text, "Connect more")
    elif wait and wait == count:
        text = f"wait={wait} and {count} connected: when one is lost, every change is answered 503"
        yield Check("warn", "wait", text, "Add a replica")
    elif count and not wait:
        text = "a failover may lose acknowledged revocations"
        remedy = "Put ?wait=1 into the store's URL; with two replicas or more, so that one may be lost"
        yield Check("warn", "wait", text, remedy)
    elif count:
        yield Check("ok", "wait", f"a change is acknowledged when {wait} of {count} replicas have it")
    least = _setting(ask, "min-replicas-to-write") if count else None
    if least == "0":
        text = "min-replicas-to-write 0: a primary that was cut off goes on taking changes that will be lost"
        remedy = "Set 1, and min-replicas-max-lag 10; its reads stay stale until it is fenced"
        yield Check("warn", "isolation", text, remedy)
    elif least:
        yield Check("ok", "isolation", f"a primary that {least} replicas do not hear takes no changes")


def _permissions(ask: Ask, where: str, slot: str) -> Check:
    name = token_hex(6)
    keys = [f"{slot}:s:{name}", f"{slot}:x:{name}", f"{slot}:u:{name}"]
    others = (("EVALSHA", _SHA, len(keys), *keys), ("SCAN", 0, "COUNT", 1), ("WAIT", 0, 1))
    try:
        refused = ask("EVAL", _TRY, len(keys), *keys)
        missing = refused is None or (not refused and any(ask(*command) is None for command in others))
    except driver.ResponseError as error:
        return Check("fail", "write", str(plain(error, where)))
    if missing:
        return Check("fail", "write", str(plain(driver.NoPermissionError(""), where)))
    if refused:
        command, _, text = _text(refused[0]).partition(" ")
        fault = driver.ResponseError(text.lstrip("-"))
        return Check("fail", "write", f"{command}: {plain(fault, where)}")
    return Check("ok", "write", "every command that sessions need is allowed, and a change goes through")


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
