"""Browsers, crashes and thieves in simulated time, against the pure functions of rotation.

Requests of a burst overlap, responses arrive in any order or not at all, a browser that crashes comes back
with the jar that Chromium last wrote to disk, and a thief uses a copied cookie beside its owner.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from coatcheck import rotation
from coatcheck.change import Change, apply
from coatcheck.record import Record, Secret
from coatcheck.rotation import Step, Verdict
from coatcheck.token import Shown, hash_secret, new_handle, new_secret

INTERVAL = 900.0
"""Seconds between two steps of the secret."""
SAVED_EVERY = 30.0
"""Seconds between two writes of a browser's cookie jar."""
LOST = 0.02
"""How many responses never arrive."""
CRASHES = 0.04
"""How many visits end in a crash."""

Judge = Callable[[Record, Shown, float], tuple[Verdict, int | None]]
Write = Callable[[Record, Change, float], Record]


def write_as_shipped(record: Record, change: Change, now: float) -> Record:
    """What every store does in its atomic step."""
    after = apply(record, change, now)
    assert isinstance(after, Record)
    return after


class Rules(NamedTuple):
    """What decides; the default is what ships."""

    judge: Judge = rotation.judge
    write: Write = write_as_shipped


def grace_after_first_shown() -> Rules:
    """The obvious rule in place of settling: an old secret is accepted until 60 s after the next was first shown."""
    first: dict[int, float] = {}

    def judge(record: Record, shown: Shown, began: float) -> tuple[Verdict, int | None]:
        first.setdefault(shown.step, began)
        if any(step > shown.step and at + 60 <= began for step, at in first.items()):
            return Verdict.STOLEN, None
        return rotation.judge(record._replace(settled=0), shown, began)[0], None

    return Rules(judge=judge)


def two_may_rotate() -> Rules:
    """No compare-and-set: each of two parallel requests replaces the secret that it has seen."""

    def write(record: Record, change: Change, now: float) -> Record:
        if change.step:
            change = change._replace(step=Step(record.secrets[0].hash, change.step.to))
        return write_as_shipped(record, change, now)

    return Rules(write=write)


@dataclass
class Browser:
    """Somebody with a cookie: the owner or a thief."""

    name: str
    token: Shown
    came: float
    life: int = 0
    """Crashes so far: what was under way in an earlier life is lost."""
    jar: list[tuple[float, Shown]] = field(default_factory=list)
    """The cookies that it was given, and when."""

    def __post_init__(self) -> None:
        self.jar.append((self.came, self.token))

    def restore(self, now: float) -> None:
        """Come back with the jar as it was last saved."""
        saved = max(now - (now + self.came) % SAVED_EVERY, self.came)
        # What came since is gone for good: the next crash must not bring it back.
        self.jar = [(at, token) for at, token in self.jar if at <= saved]
        self.token = self.jar[-1][1]


class World:
    """One session and those who use it. Everything in it follows from the seed."""

    def __init__(self, seed: int, rules: Rules) -> None:
        self.random = random.Random(seed)
        self.rules = rules
        self.now = 0.0
        self.requests = 0
        self.verdicts: Counter[tuple[str, Verdict]] = Counter()
        self.ended_at: float | None = None
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        text = new_secret(0)
        handle = new_handle("owner")
        self.record = Record(
            handle=handle,
            user_id="owner",
            created_at=0.0,
            authenticated_at=0.0,
            last_seen_at=0.0,
            idle=None,
            expires_at=1e12,
            remember=True,
            secrets=(Secret(0, hash_secret(text), 0.0),),
            settled=0,
        )
        self.owner = Browser("owner", Shown(handle, 0, hash_secret(text), False), 0.0)
        self.visit(self.owner)

    def at(self, seconds: float, then: Callable[[], None]) -> None:
        """Do something so many seconds from now."""
        heapq.heappush(self._events, (self.now + seconds, next(self._number), then))

    def run(self, until: float) -> None:
        """Let time pass, until then or until the session has ended."""
        while self._events and self.ended_at is None and self._events[0][0] <= until:
            self.now, _, then = heapq.heappop(self._events)
            then()
        self.now = max(self.now, until) if self.ended_at is None else self.now

    def steal(self, after: float) -> Browser:
        """Copy the owner's cookie now, and use it from `after` seconds on, as a browser does."""
        thief = Browser("thief", self.owner.token, self.now + after)
        self.at(after, lambda: self.visit(thief))
        return thief

    # -- what browsers do --------------------------------------------------------------------------------

    def visit(self, browser: Browser) -> None:
        """A page with what belongs to it, and then the next one, a pause, or a crash."""
        dice = self.random
        for _ in range(dice.randint(1, 6)):
            self.at(dice.uniform(0, 0.3), self._alive(browser, lambda: self.send(browser)))
        pause = dice.expovariate(1 / 40) if dice.random() < 0.8 else dice.expovariate(1 / INTERVAL)
        if dice.random() < CRASHES:
            self.at(dice.uniform(0, 45), lambda: self.crash(browser))
        else:
            self.at(pause, self._alive(browser, lambda: self.visit(browser)))

    def crash(self, browser: Browser) -> None:
        """Killed: it comes back, seconds or hours later, with the jar as it was saved last."""
        browser.life += 1
        browser.restore(self.now)
        self.at(self.random.expovariate(1 / INTERVAL), self._alive(browser, lambda: self.visit(browser)))

    def _alive(self, browser: Browser, then: Callable[[], None]) -> Callable[[], None]:
        life = browser.life
        return lambda: then() if browser.life == life else None

    # -- a request ---------------------------------------------------------------------------------------

    def send(self, browser: Browser) -> None:
        """The request leaves with the cookie of this moment."""
        shown = browser.token
        self.at(self.random.expovariate(10), lambda: self.arrive(browser, shown))

    def arrive(self, browser: Browser, shown: Shown) -> None:
        """It is loaded and judged; its commit comes when the handler is done."""
        self.requests += 1
        record, began = self.record, self.now
        verdict, settles = self.rules.judge(record, shown, began)
        self.verdicts[browser.name, verdict] += 1
        if verdict is Verdict.STOLEN:
            self.ended_at = self.now
        if verdict is not Verdict.GOOD:
            return
        life = browser.life

        def commit() -> None:
            planned = rotation.successor(record, shown, began, INTERVAL, self.now)
            if planned is None and settles is None:
                return
            change = Change(settle=settles, step=planned[0] if planned else None)
            self.record = self.rules.write(self.record, change, self.now)
            current = self.record.secrets[0]
            won = change.step is not None and change.step.to.hash == current.hash
            if won and self.random.random() >= LOST:
                token = Shown(self.record.handle, current.step, current.hash, False)
                self.at(self.random.expovariate(5), lambda: self.respond(browser, life, token))

        self.at(self.random.expovariate(5), commit)

    def respond(self, browser: Browser, life: int, token: Shown) -> None:
        """The response brings the next cookie, unless the browser has crashed meanwhile."""
        if browser.life == life:
            browser.token = token
            browser.jar.append((self.now, token))
