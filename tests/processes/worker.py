"""A worker process: it does what it is told over a pipe, in JSON, and stops where it is told."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

from coatcheck import Commit, Policy, Session, SessionManager
from coatcheck.errors import CoatcheckError
from coatcheck.stores.postgresql import PostgreSQLStore
from coatcheck.stores.redis import RedisStore
from coatcheck.stores.sqlite import SQLiteStore
from coatcheck.testing.kit import KEY
from tests.patience import patient
from tests.processes import broken
from tests.processes.points import LAST, Points, watch_postgresql, watch_redis, watch_sqlite


class Worker:
    """The operations, over one store, on a clock that each command sets."""

    def __init__(self, url: str, namespace: str, points: Points) -> None:
        self.url, self.namespace, self.points = url, namespace, points
        self.now = 0.0
        self._managers: dict[int | None, SessionManager] = {}

    def manager(self, limit: int | None = None) -> SessionManager:
        """The manager with that `max_sessions`."""
        if limit not in self._managers:
            policy = Policy(max_sessions=limit)
            made = SessionManager(self.url, secret=KEY, namespace=self.namespace, policy=policy, clock=lambda: self.now)
            if isinstance(made.store, RedisStore):
                watch_redis(made.store, self.points)
            elif isinstance(made.store, PostgreSQLStore):
                made.store._server._purge_due = float("inf")
                watch_postgresql(made.store, self.points)
            elif isinstance(made.store, SQLiteStore):
                # To tidy up is an operation of its own here.
                made.store._purged_at = float("inf")
            self._managers[limit] = made
        return self._managers[limit]

    def close(self) -> None:
        """Give the connections back."""
        for manager in self._managers.values():
            manager.close()

    def run(self, op: str, args: dict[str, Any]) -> dict[str, Any]:
        """Do one operation: what came of it, or what it raised."""
        try:
            return dict(getattr(self, f"do_{op}")(**args))
        except CoatcheckError as error:
            why = getattr(error, "reason", None)
            return {"raised": type(error).__name__, "why": why, "text": str(error)}

    # -- requests ----------------------------------------------------------------------------------------

    def _commit(self, manager: SessionManager, session: Session, saw: dict[str, Any]) -> dict[str, Any]:
        result: Commit = manager.commit(session)
        return {"action": result.action, "token": result.token, "saw": saw}

    def do_write(self, token: str, fields: dict[str, Any]) -> dict[str, Any]:
        session = self.manager().load(token)
        saw = dict(session)
        session.update(fields)
        return self._commit(self.manager(), session, saw)

    def do_login(
        self, token: str | None, user: str, fields: dict[str, Any] | None = None, limit: int | None = None
    ) -> dict[str, Any]:
        manager = self.manager(limit)
        session = manager.load(token)
        saw = dict(session)
        session.login(user)
        session.update(fields or {})
        return self._commit(manager, session, saw)

    def do_logout(self, token: str) -> dict[str, Any]:
        session = self.manager().load(token)
        session.logout()
        return self._commit(self.manager(), session, {})

    def do_rotate(self, token: str) -> dict[str, Any]:
        session = self.manager().load(token)
        session.rotate()
        return self._commit(self.manager(), session, {})

    def do_step(self, token: str) -> dict[str, Any]:
        """A request that only reads, when a touch or the next secret is due."""
        return self._commit(self.manager(), self.manager().load(token), {})

    def do_issue(self, token: str) -> dict[str, Any]:
        """A ticket. No store is asked to write."""
        session = self.manager().load(token)
        ticket = self.manager().tickets.issue("download", {}, session=session, ttl=timedelta(hours=1))
        return {"value": ticket}

    def do_redeem(self, token: str, ticket: str) -> dict[str, Any]:
        session = self.manager().load(token)
        return {"value": self.manager().tickets.redeem(ticket, "download", session).claims}

    # -- operators ---------------------------------------------------------------------------------------

    def do_revoke(self, handle: str) -> dict[str, Any]:
        return {"value": self.manager().revoke(handle)}

    def do_revoke_user(self, user: str, keep: str | None = None) -> dict[str, Any]:
        return {"value": self.manager().revoke_user(user, keep=keep)}

    def do_revoke_all(self) -> dict[str, Any]:
        return {"value": self.manager().revoke_all()}

    def do_update_user(self, user: str, fields: dict[str, Any]) -> dict[str, Any]:
        return {"value": self.manager().update_user(user, fields)}

    def do_purge(self, handle: str, value: str | None) -> dict[str, Any]:
        """What was forgotten goes. In Redis a key's time is its server's: here, that of the value it had."""
        store = self.manager().store
        if isinstance(store, RedisStore):
            script = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0"
            store._send([("EVAL", script, 1, store._plans.names.session(handle), bytes.fromhex(value or ""))])
            return {"value": 0}
        return {"value": self.manager().purge()}


def serve(pipe: Connection, url: str, namespace: str, fault: str | None = None) -> None:
    """Do one command after the other, until the other end closes. `fault`: with one of `broken`'s guards off."""

    def tell(message: dict[str, Any]) -> None:
        pipe.send_bytes(json.dumps(message).encode())

    def stopped(name: str) -> None:
        tell({"at": name})
        worker.now = json.loads(pipe.recv_bytes())["now"]

    points = Points(stopped, lambda: tell({"waits": True}))
    watch_sqlite(points)
    patient()
    logging.disable()
    broken.switch_off(fault)
    worker = Worker(url, namespace, points)
    worker.manager()
    try:
        while True:
            command = json.loads(pipe.recv_bytes())
            worker.now = command["now"]
            points.left = command.get("stop")
            told = worker.run(command["op"], command["args"])
            points.reach(LAST)
            points.left = None
            tell({"told": told})
    except EOFError:
        worker.close()
