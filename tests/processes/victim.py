"""A worker that works on its own, says what it begins and what is done, and may be killed at any moment."""

from __future__ import annotations

import json
import logging
import random
import time
from multiprocessing.connection import Connection
from typing import Any

from tests.processes import broken
from tests.processes.points import LAST, Points, watch_sqlite
from tests.processes.worker import Worker

_WEIGHTS = {
    "login": 4,
    "write": 4,
    "redeem": 3,
    "rotate": 2,
    "logout": 2,
    "revoke": 1,
    "update_user": 2,
    "revoke_user": 1,
}


def work(pipe: Connection, url: str, namespace: str, seed: int, die: int | None, fault: str | None = None) -> None:
    """Do one operation after the other, until killed or told to end. `die`: kill -9 after so many points."""

    def tell(**message: Any) -> None:
        pipe.send_bytes(json.dumps(message).encode())

    def nothing(*_: object) -> None:
        pass

    points = Points(nothing, nothing)
    watch_sqlite(points)
    logging.disable()
    broken.switch_off(fault)
    worker = Worker(url, namespace, points)
    choose = random.Random(seed)
    users = [f"{seed}-{number}" for number in range(2)]
    held: dict[str, str] = {}
    worker.manager()
    points.left, points.deadly = die, True
    number = 0
    while not pipe.poll():
        number += 1
        op = choose.choices([*_WEIGHTS], [*_WEIGHTS.values()])[0]
        token = choose.choice([*held]) if held else None
        user = choose.choice(users)
        if token is None and op in {"write", "redeem", "rotate", "logout", "revoke"}:
            op = "login"
        facts: dict[str, Any] = {"op": op, "number": number}
        args: dict[str, Any] = {}
        worker.now = time.time()
        if op in {"login", "revoke_user", "update_user"}:
            facts["user"] = args["user"] = user
        else:
            facts["token"] = token
            args = {"handle": token[:22]} if op == "revoke" and token else {"token": token}
        if op == "redeem":
            facts["ticket"] = args["ticket"] = worker.run("issue", {"token": token})["value"]
        elif op == "login":
            args |= {"token": None, "fields": {"a": number, "b": number}}
        elif op == "write":
            args["fields"] = {"a": number, "b": number}
        elif op == "update_user":
            args["fields"] = {"p": number, "q": number}
        tell(**{"try": facts})
        began = time.monotonic()
        told = worker.run(op, args)
        if "raised" in told:
            tell(failed=told, facts=facts)
            return
        points.reach(LAST)
        issued = told.get("token")
        tell(did={"issued": issued}, synced=points.synced, seconds=time.monotonic() - began)
        _remember(held, op, token, user, issued)
    worker.close()


def _remember(held: dict[str, str], op: str, token: str | None, user: str, issued: str | None) -> None:
    if op == "login" and issued:
        held[issued] = user
    elif op == "rotate" and token and issued:
        held[issued] = held.pop(token)
    elif op in {"logout", "revoke"} and token:
        del held[token]
    elif op == "revoke_user":
        for name in [name for name, owner in held.items() if owner == user]:
            del held[name]
