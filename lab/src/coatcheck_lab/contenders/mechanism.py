"""What a contender brings, and what it is told."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Protocol, Self

from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp

VARIABLE = "COATCHECK_LAB_SETTINGS"
"""The environment variable that brings the settings to a server process."""

COOKIE = "login"
"""The name of the JWTs' cookie."""


@dataclass(frozen=True)
class Settings:
    """One application, in however many processes. The same for every contender."""

    made_by: str
    storage: str
    users: str
    """The SQLite file of the application's own database: users, and what they did."""
    store: str
    """The store's URL, for those that have one."""
    namespace: str
    """What keeps it apart from the lab's other applications in the same store."""
    secret: str
    absolute: float = 3600.0
    """Seconds after which a login ends, whatever happens."""
    idle: float | None = None
    """Seconds without a request after which a login ends; None: no limit of that kind."""
    same_site: str = "lax"

    @classmethod
    def of_environment(cls) -> Self:
        """Those that the process was started with."""
        return cls(**json.loads(os.environ[VARIABLE]))

    def environment(self) -> dict[str, str]:
        """What to start a process with."""
        return os.environ | {VARIABLE: json.dumps(asdict(self))}


class Login(NamedTuple):
    """What a request shows of its login."""

    user: str
    fields: Mapping[str, Any]


class Unable(Exception):
    """This way to stay logged in cannot do that; says why."""


class Mechanism(Protocol):
    """A way to stay logged in: the verbs that an application needs.

    Those that change a login get the response that is on its way to the browser. `Unable` is raised by what cannot be
    done at all.
    """

    middleware: Sequence[Middleware]

    def __init__(self, settings: Settings) -> None: ...

    async def login_of(self, request: HTTPConnection) -> Login | None:
        """The login that the request shows; None for a visitor."""

    async def log_in(self, request: Request, response: Response, user: str, fields: Mapping[str, Any]) -> None:
        """The password was right: let the browser's next requests be this user's."""

    async def keep(self, request: Request, response: Response, name: str, value: Any) -> None:
        """Keep a value until the login ends."""

    async def log_out(self, request: Request, response: Response) -> None:
        """The user wants to be gone from this browser."""

    async def revoke(self, user: str) -> int:
        """An operator ends all logins of a user; how many ended."""
        raise NotImplementedError

    async def change_role(self, user: str, role: str) -> int:
        """An operator changed a user's role; in how many logins it was changed."""
        raise NotImplementedError

    async def ticket(self, request: Request, file: str, seconds: float) -> str:
        """What a link carries, that is to open one file within so many seconds."""
        raise NotImplementedError

    def gate(self, files: ASGIApp) -> ASGIApp:
        """Before the files: lets those in who have a ticket, and tells the file's name with `scope["lab.file"]`."""
        raise NotImplementedError

    async def shorten(self, request: Request, seconds: float) -> None:
        """Let this login end so many seconds from now, sooner than it was promised at login."""
