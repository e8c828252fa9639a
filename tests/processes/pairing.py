"""What the pairs of `data_pairs` and `other_pairs` are made of."""

from __future__ import annotations

from collections.abc import Callable

from tests.processes.scene import Job, Pair, Prepare, Scene
from tests.processes.team import Message

PAIRS: list[Pair] = []
"""In the order of the page."""


def pair(one: str, other: str, holds: str) -> Callable[[Prepare], Prepare]:
    """Enter a pair."""

    def enter(prepare: Prepare) -> Prepare:
        PAIRS.append(Pair(one, other, holds, prepare))
        return prepare

    return enter


def issued(told: Message) -> str:
    """The token that went out, "" for none."""
    return told.get("token") or ""


def write_job(token: str, **fields: object) -> Job:
    """A request that stores these fields."""
    return Job("write", {"token": token, "fields": fields})


def update_job(scene: Scene, **fields: object) -> Job:
    """`update_user` with these fields."""
    return Job("update_user", {"user": scene.user, "fields": fields})


def login_job(scene: Scene, token: str | None, **more: object) -> Job:
    """A request that signs the scene's user in."""
    return Job("login", {"token": token, "user": scene.user, **more})
