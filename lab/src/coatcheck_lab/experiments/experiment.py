"""What an experiment is: a claim, what is done to try it, what was measured for each contender, and what follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ..programs import INSTALL, find

if TYPE_CHECKING:
    from ..laboratory import Laboratory

Value = str | float | bool | None
"""A figure, a word, yes or no; None: it cannot be done at all."""

Measured = Mapping[str, Mapping[str, Value]]
"""What was measured: for each contender, by name, values by what they are."""


class Part(StrEnum):
    """Which part of the argument a row belongs to."""

    ADVANTAGE = "claimed advantages of JWT sessions"
    DRAWBACK = "drawbacks of JWT sessions"
    USE = "uses that are right for a JWT"


@dataclass(frozen=True)
class Verdict:
    """What follows from the measurements, and from them alone."""

    holds: bool
    """Whether the claim does."""
    why: str
    """In a sentence or two, with the figures."""
    best: Sequence[str] = ()
    """The contenders that did best; empty where none differs."""


@dataclass(frozen=True)
class Chart:
    """Something to look at rather than to read."""

    kind: str
    """"bars": one figure each; "curve": figures over a common axis; "timeline": from 0 until a time each."""
    title: str
    unit: str
    series: Mapping[str, Sequence[tuple[float, float]]]
    """For each contender, points (x, y). Bars and timelines have one point, (0, y)."""
    axis: str = ""
    """What x is, of a curve."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Lines across: what they stand for, and where."""


@dataclass(frozen=True)
class Experiment:
    """A row of the report."""

    name: str
    """What `coatcheck-lab run` calls it."""
    part: Part
    claim: str
    done: str
    """What is done."""
    measure: Callable[[Laboratory], Measured]
    judge: Callable[[Measured], Verdict]
    charts: Callable[[Measured], Sequence[Chart]] = lambda _: ()
    """What is better looked at than read."""
    needs: Sequence[str] = ()
    """Programs without which it cannot be run."""


@dataclass(frozen=True)
class Row:
    """An experiment that was run, or could not be."""

    number: int
    experiment: Experiment
    measured: Measured = field(default_factory=dict)
    verdict: Verdict | None = None
    """None: it was not run."""
    lacking: Sequence[str] = ()
    """The programs that this machine lacks."""
    fault: str = ""
    """What went wrong, of an experiment that broke off."""
    seconds: float = 0.0

    @property
    def command(self) -> str:
        """What repeats this row alone."""
        return f"coatcheck-lab run {self.experiment.name}"

    @property
    def remedy(self) -> str:
        """Why nothing was measured and what to do; empty if it was."""
        if self.fault:
            return f"broke off: {self.fault}"
        if not self.lacking:
            return ""
        installs = "; ".join(INSTALL[name] for name in self.lacking)
        return f"not run: no {', no '.join(self.lacking)} ({installs})"


def check_left(seconds: float, lifetime: float) -> None:
    """Raises RuntimeError where so much of a login's lifetime has gone by before it is measured that the login could
    end by itself. A JWT loses up to a second of it, the fraction of its `exp`."""
    if seconds < lifetime / 2:
        raise RuntimeError("this machine is too busy: a login had nearly ended by itself")


def run(number: int, experiment: Experiment, laboratory: Laboratory) -> Row:
    """Run it, unless a program is lacking. One that breaks off is no row at all, and says why."""
    lacking = [name for name in experiment.needs if find(name) is None]
    if lacking:
        return Row(number, experiment, lacking=lacking)
    began = time.monotonic()
    try:
        measured = experiment.measure(laboratory)
        verdict = experiment.judge(measured)
    except Exception as error:  # noqa: BLE001 (the others are worth having, whatever it is)
        return Row(number, experiment, fault=f"{type(error).__name__}: {error}".splitlines()[0])
    return Row(number, experiment, measured, verdict, seconds=time.monotonic() - began)
