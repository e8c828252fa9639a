"""What a handler needs beside its request: settings, users, documents."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from .database import Database
from .settings import Settings
from .users import Users
from .vault import Vault


@dataclass(frozen=True, slots=True)
class State:
    """One for each worker process."""

    settings: Settings
    users: Users
    vault: Vault

    @classmethod
    def open(cls, settings: Settings) -> State:
        """The state over the vault's file. Does no I/O."""
        database = Database(settings.database)
        return cls(settings, Users(database), Vault(database))

    def fill(self) -> None:
        """Make the vault's file, its users and its first documents, unless they are there."""
        Database(self.settings.database).create()
        self.users.seed()
        self.vault.seed()


def state_of(request: Request) -> State:
    """The state that `create_app` put there."""
    state: State = request.app.state.demo
    return state
