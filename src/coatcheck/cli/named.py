"""The store that an operator names: it has to be there. An application makes its file; a typing error must not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from coatcheck.errors import ConfigurationError
from coatcheck.manager import SessionManager


def url(text: str | None) -> str:
    """What was named, else `COATCHECK_STORE`. Raises `ConfigurationError` for neither."""
    found = os.environ.get("COATCHECK_STORE") if text is None else text
    if not found:
        raise ConfigurationError(
            "no store: add --store sqlite:///sessions.db, or what else the application has, or set COATCHECK_STORE"
        )
    return found


def opened(text: str | None, namespace: str) -> SessionManager:
    """A manager of a store that is there. Raises `ConfigurationError` for none, for one in memory, for a file that is
    missing, and for one that this user may not write."""
    manager = SessionManager(url(text), namespace=namespace)
    _check(manager.store)
    return manager


def _check(store: Any) -> None:
    """While sessions move the new file may be made by whoever comes first."""
    store = getattr(store, "old", store)
    if type(store).__name__ == "MemoryStore":
        raise ConfigurationError(
            "memory:// is inside the application's process, and nothing is seen of it from here. Give the application "
            "sqlite:///sessions.db, and name the same here"
        )
    path = getattr(store, "path", None)
    if isinstance(path, Path):
        _check_file(path)


def _check_file(path: Path) -> None:
    try:
        path.stat()
    except PermissionError:
        raise ConfigurationError(f"this user may not look at {path}. {_as(path.parent)}") from None
    except OSError:
        raise ConfigurationError(
            f"there is no session file {path}. Name the application's: --store sqlite:///sessions.db is one in this "
            "folder, --store sqlite:////srv/app/sessions.db one at a path"
        ) from None
    # SQLite's log lies beside the file, also for whoever only reads.
    if path.is_file() and not (os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK)):
        raise ConfigurationError(f"this user may not write {path}, nor its log. {_as(path)}")


def _as(path: Path) -> str:
    try:
        owner = path.owner()
    except (OSError, KeyError, NotImplementedError):
        owner = "OWNER"
    return f"Type the command as the application's user: sudo -u {owner} coatcheck ..."
