"""The vault's documents."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

from .database import Database
from .samples import documents

MAX_DOCUMENTS = 50
MAX_TEXT = 20_000
"""Characters of a document that an editor adds."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file, without its content."""

    id: int
    name: str
    kind: str
    title: str
    added_by: str
    size: int

    @property
    def short_kind(self) -> str:
        """PDF, PNG, TXT: what people call it."""
        return self.name.rpartition(".")[2].upper()


_COLUMNS = "SELECT id, name, kind, title, added_by, length(content) AS size FROM documents"


class Vault:
    """Reads and adds documents."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def seed(self) -> None:
        """Put the first documents in, unless there are any."""
        with self._database.open() as connection:
            if connection.execute("SELECT 1 FROM documents").fetchone() is None:
                connection.executemany(
                    "INSERT INTO documents (name, kind, title, added_by, content) VALUES (?, ?, ?, '', ?)",
                    documents(),
                )

    def all(self) -> list[Document]:
        """Every document, the newest first."""
        with self._database.open() as connection:
            return [Document(**row) for row in connection.execute(f"{_COLUMNS} ORDER BY id DESC")]

    def find(self, number: int) -> Document | None:
        """One document, or None."""
        if number >= 2**63:
            return None  # more than SQLite counts to
        with self._database.open() as connection:
            row = connection.execute(f"{_COLUMNS} WHERE id = ?", (number,)).fetchone()
        return Document(**row) if row else None

    def content(self, number: int) -> bytes:
        """What is in it; nothing for an unknown one."""
        with self._database.open() as connection:
            row = connection.execute("SELECT content FROM documents WHERE id = ?", (number,)).fetchone()
        return bytes(row["content"]) if row else b""

    def add(self, title: str, text: str, by: str) -> str | None:
        """Add a text; what is wrong with it, or None."""
        name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60]
        if not name:
            return "Give it a title with at least one letter from a to z, or a digit."
        if not text.strip():
            return "Write something into it."
        if len(text) > MAX_TEXT or len(title) > 80:
            return f"A title has at most 80 characters, a text {MAX_TEXT}."
        with self._database.open() as connection:
            if connection.execute("SELECT count(*) FROM documents").fetchone()[0] >= MAX_DOCUMENTS:
                return f"The vault is full: it holds {MAX_DOCUMENTS} documents."
            row = (f"{name}.txt", "text/plain; charset=utf-8", title.strip(), by, text.encode())
            try:
                connection.execute(
                    "INSERT INTO documents (name, kind, title, added_by, content) VALUES (?, ?, ?, ?, ?)", row
                )
            except sqlite3.IntegrityError:
                same = "SELECT 1 FROM documents WHERE (name, kind, title, added_by, content) = (?, ?, ?, ?, ?)"
                if connection.execute(same, row).fetchone() is None:
                    return "There is a document with that title already."
                # A double click: it was added just now.
        return None
