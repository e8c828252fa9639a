"""The vault's users: names, password hashes and roles. No business of the sessions'."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from .database import Database

ROLES = MappingProxyType(
    {
        "viewer": "may download",
        "editor": "may download and add documents",
        "administrator": "may do everything, and change roles",
    }
)

SEED = (("alice", "tag-and-ticket", "viewer"), ("morgan", "keeper-of-coats", "administrator"))
"""Who is there at first. The demo listens on loopback only, and prints these."""

SHORTEST = 8
LONGEST = 128
"""Characters of a password: OWASP ASVS 5.0, 6.2.1 and 6.2.9."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a password."""

    name: str
    role: str


class Users:
    """Reads and changes users. Hashing takes a while: call it in a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # The least that the OWASP Password Storage Cheat Sheet takes: 19 MiB, two passes, one lane.
        self._hasher = PasswordHasher(memory_cost=19_456, time_cost=2, parallelism=1)

    @cached_property
    def _nobody(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe())

    def seed(self) -> None:
        """Add the first users, unless they are there."""
        with self._database.open() as connection:
            there = {row["name"] for row in connection.execute("SELECT name FROM users")}
            rows = [(name, self._hasher.hash(password), role) for name, password, role in SEED if name not in there]
            connection.executemany("INSERT OR IGNORE INTO users VALUES (?, ?, ?)", rows)

    def check(self, name: str, password: str) -> User | None:
        """The user of that name and password, or None."""
        with self._database.open() as connection:
            row = connection.execute("SELECT * FROM users WHERE name = ?", (name.strip(),)).fetchone()
        try:
            # An unknown name costs the same time as a wrong password: names cannot be guessed by the clock.
            self._hasher.verify(row["password"] if row else self._nobody, password if len(password) <= LONGEST else "")
        except VerifyMismatchError:
            return None
        return User(row["name"], row["role"]) if row else None

    def set_password(self, name: str, password: str) -> None:
        """Replace a user's password."""
        with self._database.open() as connection:
            connection.execute("UPDATE users SET password = ? WHERE name = ?", (self._hasher.hash(password), name))

    def set_role(self, name: str, role: str) -> bool:
        """Change a user's role; False for an unknown user. Raises KeyError for an unknown role."""
        ROLES[role]
        with self._database.open() as connection:
            return connection.execute("UPDATE users SET role = ? WHERE name = ?", (role, name)).rowcount > 0

    def all(self) -> list[User]:
        """Everybody, by name."""
        with self._database.open() as connection:
            return [User(row["name"], row["role"]) for row in connection.execute("SELECT * FROM users ORDER BY 1")]
