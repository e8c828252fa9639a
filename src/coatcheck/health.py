"""What a store says of itself when an operator asks whether it is fit: `coatcheck doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol, runtime_checkable

Level = Literal["ok", "warn", "fail"]
"""From the best to the worst."""

OFF = 2.0
"""Seconds by which another clock may differ from ours without anybody having to look."""


class Check(NamedTuple):
    """One thing that was looked at, by its `name`. `level`: "ok"; "warn", it serves, and something that was promised
    may not hold one day; "fail", it cannot serve."""

    level: Level
    name: str
    """Which of the doctor's checks: a row of docs/doctor.md."""
    text: str
    """What was found. Never a password, a token or a session's data."""
    remedy: str = ""
    """What to do; "" where all is well, or where the text ends with it, as our errors' texts do."""

    @property
    def line(self) -> str:
        """Both, as one line says them."""
        return f"{self.text}. {self.remedy}" if self.remedy else self.text


@runtime_checkable
class Checkable(Protocol):
    """A store that can be asked."""

    def checks(self) -> Iterator[Check]:
        """What was looked at, one by one. Faults are checks too: it raises nothing."""
        ...


class Twin(Checkable, Protocol):
    """One that can also be closed."""

    def close(self) -> None:
        """Let go of its connections."""
        ...


@runtime_checkable
class HasTwin(Protocol):
    """An asynchronous store, of which there is a synchronous one."""

    def twin(self) -> Twin | None:
        """A store over the same, that can be asked, and is the caller's to close; None where the application's own
        connections are lent to this one. No I/O."""
        ...


def clock(there: float, before: float, after: float) -> Check:
    """A store's clock against ours: `there`, in seconds since the epoch, was read between two instants of ours."""
    off = skew(there, before, after)
    if abs(off) > OFF:
        return Check("warn", "clock", f"{off:+.1f} s from ours, which we correct", "See to NTP on both machines")
    return Check("ok", "clock", f"within {max(abs(off), after - before):.3f} s of ours")


def skew(there: float, before: float, after: float, grain: float = 0.0) -> float:
    """By how many seconds another clock is surely ahead of ours (negative: behind); `grain`: what it was cut to."""
    return there - after if there > after else min(0.0, there + grain - before)


def on_this_machine(where: str) -> bool:
    """Whether a server's place, as messages name it, is this machine or a socket on it."""
    return where.startswith(("127.", "localhost:", "localhost/", "its local", "/", "::1", "[::1]"))
