"""Two operations in two processes: one is stopped at a point, the other runs whole, the first goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple
from uuid import uuid4

from coatcheck import Session, SessionManager
from coatcheck.stores.redis import RedisStore
from coatcheck.testing.clock import FakeClock
from coatcheck.testing.kit import KEY
from tests.processes.points import LAST
from tests.processes.team import Hand, Message, hired
from tests.processes.worker import serve


class Job(NamedTuple):
    """An operation of a worker. `ahead`: seconds by which its process is ahead of the clock, or late."""

    op: str
    args: dict[str, Any]
    ahead: float = 0.0


@dataclass
class Seen:
    """What became of a pair in one order. 0 is the pair's one, 1 its other."""

    told: list[Message]
    stopped: int
    """Which of them was stopped."""
    at: str
    """Where."""
    waited: bool
    """Whether the other met its lock, and went on when it did."""

    def began_after(self, which: int) -> bool:
        """Whether this one began when the effect of the other was complete."""
        return self.stopped != which and self.at == LAST

    @property
    def ahead(self) -> int:
        """Which took effect first, of two that are one step each."""
        return self.stopped if self.waited or self.at in {"after COMMIT", LAST} else 1 - self.stopped


Judge = Callable[[Seen], None]
Prepare = Callable[["Scene"], tuple[Job, Job, Judge]]


class Pair(NamedTuple):
    """Two operations, and what holds in every order of their steps."""

    one: str
    other: str
    holds: str
    prepare: Prepare


@dataclass
class Place:
    """A store, two workers over it, and a third process that looks on: this one."""

    manager: SessionManager
    clock: FakeClock
    hands: list[Hand]
    numbers: Iterator[int] = field(default_factory=count)


@contextmanager
def staged(url: str, fault: str | None = None) -> Iterator[Place]:
    """A place in a namespace of its own."""
    clock, namespace = FakeClock(), f"races-{uuid4().hex[:8]}"
    with (
        SessionManager(url, secret=KEY, namespace=namespace, clock=clock) as manager,
        hired(2, serve, url, namespace, fault) as hands,
    ):
        yield Place(manager, clock, hands)


class Scene:
    """The situation of one race: a user of its own, and what can be seen of it."""

    def __init__(self, place: Place) -> None:
        self.manager, self.clock = place.manager, place.clock
        self.user = f"user-{next(place.numbers)}"

    def _request(self, token: str | None, work: Callable[[Session], object]) -> str:
        session = self.manager.load(token)
        work(session)
        return self.manager.commit(session).token or token or ""

    def visitor(self, **fields: Any) -> str:
        """The token of a session without a user."""
        return self._request(None, lambda session: session.update(fields))

    def signed_in(self, token: str | None = None, **fields: Any) -> str:
        """The token of a session of the user's."""

        def work(session: Session) -> None:
            session.login(self.user)
            session.update(fields)

        return self._request(token, work)

    def ticket(self, token: str) -> str:
        """A ticket that was issued to that session."""
        return self.manager.tickets.issue("download", {"file": "a.pdf"}, session=self.manager.load(token))

    def fields(self, token: str) -> dict[str, Any]:
        """What the session holds; {} if none lives."""
        return dict(self.manager.load(token))

    def lives(self, token: str | None) -> bool:
        """Whether the token names a live session."""
        return bool(token) and not self.manager.load(token).is_new

    def ended(self, token: str) -> str | None:
        """Why the session is no more; None for one that lives, or is not known."""
        return self.manager.load(token).ended_reason

    def listed(self) -> list[str]:
        """The handles of the user's live sessions."""
        return [info.handle for info in self.manager.sessions(self.user)]

    def raw(self, token: str) -> str | None:
        """What Redis holds of it, in hex."""
        store = self.manager.store
        if not isinstance(store, RedisStore):
            return None
        return bytes(store._send([("GET", store._plans.names.session(token[:22]))])[0]).hex()


def races(place: Place, pair: Pair) -> Iterator[tuple[Scene, Seen]]:
    """The pair in both orders, stopped at every point, one after the other, and judged."""
    for first in (0, 1):
        for stop in count():
            scene = Scene(place)
            one, other, judge = pair.prepare(scene)
            seen = _race(place, [one, other], first, stop)
            try:
                judge(seen)
            except BaseException as error:
                error.add_note(f"{pair.one} x {pair.other}, seen: {seen}")
                raise
            yield scene, seen
            if seen.at == LAST:
                break


def _race(place: Place, jobs: list[Job], first: int, stop: int) -> Seen:
    one, two = place.hands

    def now(job: Job) -> float:
        place.clock.advance(1)
        return place.clock() + job.ahead

    begun, come = jobs[first], jobs[1 - first]
    one.begin(begun.op, begun.args, now(begun), stop)
    # SCAN takes as many round trips as it likes: there may be fewer points this time, and the operation is over.
    heard = one.next("at", "told")
    two.begin(come.op, come.args, now(come))
    # Whole; or up to a lock that the first one holds.
    answer = two.next("waits", "told")
    if waited := "waits" in answer:
        assert not two.pipe.poll(), "it said that it waits, and did not"
    if "at" in heard:
        one.say(now=now(begun))
    done = heard if "told" in heard else one.next("told")
    told = {first: done["told"], 1 - first: (two.next("told") if waited else answer)["told"]}
    for number, what in told.items():
        assert what.get("raised") != "StoreUnavailable", f"{jobs[number].op}: {what['text']}"
    return Seen([told[0], told[1]], first, heard.get("at", LAST), waited)


_REFUSED = {"TicketRevoked": "refused", "TicketInvalid": "refused", "Spent": "spent"}


def words(scene: Scene, job: str, told: Message) -> str:
    """What became of one operation, in the words of the page."""
    if "raised" in told:
        return _REFUSED.get(told["raised"], f"refused ({told['why']})" if told["why"] else "refused")
    if "value" in told:
        return "redeemed" if job == "redeem" else "done"
    action, token = told["action"], told["token"]
    if job == "logout":
        return "done" if action == "drop" else "nothing to end"
    if job == "write":
        return "stored" if told["saw"] else "as a visitor"
    if action == "keep":
        return "kept" if job == "step" else "nothing to rename"
    issued = {"login": "signed in", "rotate": "renamed", "step": "next secret"}[job]
    return issued if scene.lives(token) else f"{issued}, then ended"
