"""A file of secrets, the newest first, changed as a whole: who reads it meanwhile has the old ones or the new ones."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable
from pathlib import Path

from coatcheck.errors import ConfigurationError
from coatcheck.keyring import Keyring


def keys_in(text: str) -> list[str]:
    """The keys, the one that signs first. Raises `ConfigurationError` for none, and for one that is too short."""
    keys = text.split()
    Keyring(keys, namespace="coatcheck")  # it judges them, and names them by their number
    return keys


def rewrite(path: Path, change: Callable[[list[str]], list[str]]) -> list[str]:
    """Put what `change` makes of the keys in their place, on the disk when it returns; the keys that are there now. The
    file is its owner's as before, with mode 0600.

    Raises `ConfigurationError` for a file that is not there, holds no keys, or cannot be written: then it is as it was.
    """
    path = path.resolve()  # a link to it stays a link
    draft = path.with_name(f"{path.name}.new")
    try:
        # Exclusive: of two that change it at once the second would lose the first one's key.
        file = os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w")
    except FileExistsError:
        raise ConfigurationError(
            f"{draft} is there: somebody else changes the keys right now, or was cut off. If nobody does, delete it"
        ) from None
    except OSError as error:
        raise ConfigurationError(_why(path, error)) from None
    try:
        with file:
            before = path.stat()
            if not stat.S_ISREG(before.st_mode):
                raise ConfigurationError(f"{path} is no file")
            keys = change(keys_in(path.read_text()))
            own = os.fstat(file.fileno())
            if (own.st_uid, own.st_gid) != (before.st_uid, before.st_gid):
                os.fchown(file.fileno(), before.st_uid, before.st_gid)  # else the application could not read it
            file.writelines(f"{key}\n" for key in keys)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync(path.parent)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(_why(path, error)) from None
    finally:
        draft.unlink(missing_ok=True)
    return keys


def _why(path: Path, error: OSError | UnicodeDecodeError) -> str:
    """What is wrong with a file of keys, and what to type."""
    if isinstance(error, FileNotFoundError):
        return f"there is no {path}. Make its first key: (umask 077; coatcheck keygen > {shlex.quote(str(path))})"
    if isinstance(error, PermissionError):
        return f"this user may not change {path}, nor make files beside it. Type the command as the application's user"
    return f"{path}: {getattr(error, 'strerror', None) or 'it is no text'}"


def _sync(folder: Path) -> None:
    """A name is on the disk when its folder is; Windows opens no folders."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
