"""The programs that experiments need beside Python, and how one gets them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

COMMANDS = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "redis-server": ("redis-server", "valkey-server"),
    "nginx": ("nginx",),
    "curl": ("curl",),
    "node": ("node", "nodejs"),
    "java": ("java",),
    "go": ("go",),
    "sh": ("sh",),
}
"""Names that each goes by."""

INSTALL = {
    "chromium": "apt install chromium",
    "redis-server": "apt install redis-server",
    "nginx": "apt install nginx-light",
    "curl": "apt install curl",
    "node": "apt install nodejs npm",
    "java": "apt install default-jdk-headless",
    "go": "apt install golang-go",
}
"""What to type on Debian."""


def find(name: str) -> Path | None:
    """The path of a program's command, or None if this machine lacks it."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    found = (shutil.which(command, path=places) for command in COMMANDS[name])
    return next((Path(path) for path in found if path), None)
