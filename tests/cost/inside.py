"""The program that runs under valgrind: each contender is asked a few times in one child and more often in another.

The difference of the two is what requests cost, without all that comes once. The children are forked, so that the
imports are counted, and waited for, only once.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import sys

from .pages import CONTENDERS

FEW, MANY = 15, 55
"""Requests in the one child and in the other."""
_WARM = ("coatcheck.stores.memory", "coatcheck.stores.sqlite", "coatcheck.stores.redis.asynchronous")


async def ask(name: str, sqlite: str, redis: str, times: int) -> None:
    """Ask one contender that often."""
    once = await CONTENDERS[name](sqlite, redis)
    for _ in range(times):
        await once()


def main(folder: str, redis: str, *names: str) -> None:
    """Print for each contender the ids of its two children."""
    for module in _WARM:
        importlib.import_module(module)
    for name in names:
        pids = []
        for times in (FEW, MANY):
            pid = os.fork()
            if not pid:
                status = 1
                try:
                    asyncio.run(ask(name, f"sqlite:///{folder}/{os.getpid()}.db", redis, times))
                    status = 0
                finally:
                    os._exit(status)
            if os.waitpid(pid, 0)[1]:
                sys.exit(f"{name} fails")
            pids.append(pid)
        print(name, *pids, sep="\t", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
