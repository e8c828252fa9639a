"""Whether a session file is safe, whole and has room: what `coatcheck doctor` looks at. Nothing is changed."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from ..health import Check

_ROOM, _TIGHT = 1 << 30, 64 << 20
"""Bytes of free disk below which it is time to act, and below which writes may fail at any moment."""
_LONG_LOG = 64 << 20
"""Bytes of a log that checkpoints do not get shorter: about sixteen times what it has when all is well."""
_SHARED = (
    *("nfs", "cifs", "smb", "9p", "ceph", "lustre", "afs", "beegfs", "gpfs", "ocfs2", "gfs2", "pvfs2", "orangefs"),
    *("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.ceph", "fuse.juicefs"),
)
"""File systems whose locks SQLite cannot trust: several machines write there (https://sqlite.org/wal.html, 1)."""
_MOUNTS = Path("/proc/self/mounts")
"""What the kernel says of each mount: Python has no `statfs`, whose numbers would need a table of names."""
_OCTAL = re.compile(r"\\([0-7]{3})")
"""A space, a tab, a line's end or a backslash in a mount's path."""
_WAIT = 1.5


def checks(path: Path, plain: Callable[[sqlite3.Error], Exception]) -> Iterator[Check]:
    """Look at the file at `path`, and at its log and key. `plain` puts SQLite's errors in words."""
    if not path.parent.is_dir():
        yield Check("fail", "folder", f"{path.parent} does not exist", "Make it, or correct the store's URL")
        return
    if not os.access(path.parent, os.W_OK | os.X_OK):
        text = f"{path.parent} is not writable for this user, and SQLite's log lies there"
        yield Check("fail", "folder", text, "Give that folder to this user")
    else:
        yield Check("ok", "folder", f"{path.parent} is writable")
    yield from _place(path)
    yield _disk(path)
    yield from _key(path)
    if not path.exists():
        yield Check("ok", "file", f"{path} is not there yet: the first use makes it")
        return
    yield _private("file", path)
    yield _log(path)
    try:
        yield from _contents(path)
    except sqlite3.Error as error:
        yield Check("fail", "writable", str(plain(error)))


def _contents(path: Path) -> Iterator[Check]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=_WAIT, isolation_level=None)) as db:
        (mode,) = db.execute("PRAGMA journal_mode").fetchone()
        if mode == "wal":
            yield Check("ok", "journal", "WAL: readers never wait")
        else:
            text = f"{mode}, not WAL: unused yet, or it lies where WAL cannot work"
            yield Check("warn", "journal", text, "A local disk, that has shared memory")
        db.execute("BEGIN IMMEDIATE")
        db.execute("ROLLBACK")
        yield Check("ok", "writable", "takes a write transaction")
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found == "ok":
            yield Check("ok", "whole", "quick_check finds no damage")
        else:
            remedy = "Restore it from a backup, or move it away to start empty"
            yield Check("fail", "whole", "it is damaged", remedy)


def _private(name: str, path: Path) -> Check:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Check("warn", name, f"others may read {path} ({mode:04o})", f"chmod 600 {path}")
    return Check("ok", name, f"{path}, readable by its owner alone")


def _key(path: Path) -> Iterator[Check]:
    key = path.with_name(path.name + ".key")
    if key.exists():
        yield _private("key file", key)
    elif path.exists():
        text = f"{key} is missing: nobody who is signed in can go on"
        yield Check("fail", "key file", text, "Put it back, or set COATCHECK_SECRET")


def _log(path: Path) -> Check:
    log = path.with_name(path.name + "-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > _LONG_LOG:
        text = f"{size >> 20} MiB: somebody reads in a transaction that does not end (a backup, a shell)"
        return Check("warn", "log", text, "End what reads so long")
    return Check("ok", "log", f"{size / (1 << 20):.1f} MiB beside {path.stat().st_size / (1 << 20):.1f} MiB")


def _disk(path: Path) -> Check:
    free = shutil.disk_usage(path.parent).free
    text = f"{free >> 20} MiB free"
    if free < _TIGHT:
        return Check("fail", "disk", f"{text}: sessions cannot be saved soon", "Make room")
    return Check("warn", "disk", text, "Make room") if free < _ROOM else Check("ok", "disk", text)


def _place(path: Path) -> Iterator[Check]:
    try:
        mounts = _MOUNTS.read_text().splitlines()
    except OSError:
        return  # not Linux
    kinds = {Path(_OCTAL.sub(_char, place)): kind for _, place, kind, *_ in (line.split(" ") for line in mounts)}
    kind = next((kinds[parent] for parent in path.resolve().parents if parent in kinds), "")
    if kind.startswith(_SHARED):
        text = f"a network file system ({kind}): SQLite's locks are not safe there"
        yield Check("fail", "place", text, "A local disk, or Redis or PostgreSQL for several machines")
    elif kind:
        yield Check("ok", "place", f"{kind}, no network file system")


def _char(found: re.Match[str]) -> str:
    return chr(int(found[1], 8))
