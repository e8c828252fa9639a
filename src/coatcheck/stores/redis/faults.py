"""What goes wrong between here and the server, in plain words that name the remedy.

Never the driver's own error beside them: what a server says of a command may quote it, data and all.
"""

from __future__ import annotations

import re

from redis import exceptions as driver

from ...errors import StoreUnavailable
from .scripts import NEEDS

_SLOW = "did not answer in time. Is it paused, overloaded or out of reach?"
_REFUSED = "refused the user or the password. Correct it in the store's URL: redis://user:password@host"
_LOADING = "is still loading its data after a start. Try again in a moment"
_WORDS = {
    "OOM": "is full (maxmemory). Sessions can still be ended; to create or change one, raise maxmemory or move other "
    "data elsewhere",
    "READONLY": "is a read-only replica. Point the store's URL at the primary",
    "MISCONF": "takes no writes since it cannot save them to its disk. Free space there, and see its log",
    "BUSY": "is held up by somebody's long script. Find it with SLOWLOG",
    "NOREPLICAS": "takes no writes since too few replicas follow it (min-replicas-to-write)",
    "MASTERDOWN": "is a replica that has lost its primary. Point the store's URL at the primary",
    "CLUSTERDOWN": "is a cluster, and a part of it is down",
    "MOVED": "is one node of a cluster. Write redis+cluster:// in the store's URL",
    "TRYAGAIN": "is a cluster that moves these keys. Try again in a moment",
    "WRONGTYPE": "holds something else under our keys. Give each application a namespace or a database of its own",
    "NOPERM": "does not let this user do what sessions need: ~<namespace>:* and "
    + " ".join(f"+{name.lower()}" for name in NEEDS)
    + ", in a cluster also +cluster|slots +cluster|nodes +asking",
}
_CODES = {
    driver.OutOfMemoryError: "OOM",
    driver.ReadOnlyError: "READONLY",
    driver.NoPermissionError: "NOPERM",
    driver.MasterDownError: "MASTERDOWN",
    driver.ClusterDownError: "CLUSTERDOWN",
    driver.TryAgainError: "TRYAGAIN",
}

_FORBIDDEN = ("The user executing the script", "ACL failure in script")
"""How a script is told of a command that its user may not run."""

_FINAL = (
    driver.AuthenticationError,
    driver.AuthorizationError,
    driver.BusyLoadingError,
    driver.MaxConnectionsError,
)


def dropped(error: BaseException) -> bool:
    """Whether the connection was lost, as when the server was restarted: a new one may do."""
    return isinstance(error, driver.ConnectionError) and not isinstance(error, _FINAL)


def plain(error: BaseException, where: str) -> StoreUnavailable:
    """The fault in words; `where` says which server."""
    return StoreUnavailable(f"Redis at {where} {_say(error)}")


def slow(where: str) -> StoreUnavailable:
    """The time for a call is over."""
    return StoreUnavailable(f"Redis at {where} {_SLOW}")


_CLIENT = re.compile(r"<redis\S*\.Redis\(.*?\)>\)>\)> - ")
"""The object that redis-py asked a Sentinel by, as it is shown in the error."""


def _say(error: BaseException) -> str:
    if isinstance(error, (driver.TimeoutError, TimeoutError)):
        return _SLOW
    if isinstance(error, (driver.AuthenticationError, driver.AuthenticationWrongNumberOfArgsError)):
        return _REFUSED
    if isinstance(error, driver.BusyLoadingError):
        return _LOADING
    text = _CLIENT.sub("", str(error))
    if isinstance(error, driver.ResponseError):
        code = _CODES.get(type(error)) or getattr(error, "status_code", None) or text.partition(" ")[0]
        if any(sign in text for sign in _FORBIDDEN):
            code = "NOPERM"
        # Up to Redis 6.2 a fault inside a script has its code in the middle of the text.
        code = next((known for known in _WORDS if f"-{known} " in text), code)
        return _WORDS.get(code) or f"refused a command ({code if code.isupper() else 'ERR'})"
    if isinstance(error, (driver.ConnectionError, OSError)):
        # redis-py 8 does not say any more what was wrong with the Sentinels.
        rest = ", and the Sentinels' certificates good?" if text.startswith("No master found") else "?"
        return f"cannot be reached ({text.rstrip('.')}). Is it running, and are host and port right{rest}"
    return f"failed ({type(error).__name__})"
