"""The model can fail: with one guard of the library switched off, the machine finds a counterexample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from coatcheck import change, codec, engine, gate, loading, rotation, token
from coatcheck.change import Change
from coatcheck.record import Ended, Record
from coatcheck.rotation import Step, Verdict
from coatcheck.store import Taken
from coatcheck.stores import memory
from coatcheck.stores.memory import MemoryStore
from tests.model.machine import Machine, repeatable
from tests.model.running import explore

ENOUGH = 600
"""Examples within which each counterexample is found; most come within a few dozen."""

Patch = pytest.MonkeyPatch
GUARDS: list[Callable[[Patch], None]] = []


def guard(take_away: Callable[[Patch], None]) -> Callable[[Patch], None]:
    """Register a function that takes a guard away."""
    GUARDS.append(take_away)
    return take_away


# -- what has ended stays ended --------------------------------------------------------------------------


@guard
def a_commit_creates(patch: Patch) -> None:
    """A commit that finds nothing alive writes what was there last: an upsert."""
    last: dict[str, Record] = {}
    put, commit = MemoryStore._put, MemoryStore.commit

    def remember(self: MemoryStore, one: Record) -> None:
        last[one.handle] = one
        put(self, one)

    def upsert(self: MemoryStore, handle: str, what: Change, now: float) -> Any:
        if not isinstance(self._sessions.get(handle), Record) and handle in last:
            self._put(last[handle])
        return commit(self, handle, what, now)

    patch.setattr(MemoryStore, "_put", remember)
    patch.setattr(MemoryStore, "commit", upsert)


@guard
def time_ends_nothing(patch: Patch) -> None:
    """A record is never over."""
    patch.setattr(Record, "over", lambda self, now: None)


@guard
def an_end_stays_with_the_old_name(patch: Patch) -> None:
    """What `rotate()` renamed is not found by a logout or a revocation of its old name."""
    bury = MemoryStore._bury
    patch.setattr(MemoryStore, "_bury", lambda self, handle, end: bury(self, handle, end._replace(successor=None)))


@guard
def revoke_user_forgets_a_member(patch: Patch) -> None:
    """The user's oldest session is not in the list that is ended."""
    revoke = MemoryStore.revoke_user

    def forgetful(self: MemoryStore, user: str, keep: str | None, why: str, now: float, until: float) -> list[str]:
        return revoke(self, user, keep or next(iter(self._users.get(user, ())), None), why, now, until)

    patch.setattr(MemoryStore, "revoke_user", forgetful)


@guard
def revoke_all_spares_the_present(patch: Patch) -> None:
    """What was created at that very instant is not ended."""
    revoke = MemoryStore.revoke_all
    patch.setattr(MemoryStore, "revoke_all", lambda self, before, why, now: revoke(self, before - 0.001, why, now))


# -- nothing is lost -------------------------------------------------------------------------------------


@guard
def the_whole_session_is_written(patch: Patch) -> None:
    """A commit writes its own view of all fields over what is there."""
    patch.setattr(change, "merge", lambda fields, what, patched: codec.dumps(what.set))


@guard
def a_login_takes_what_it_loaded(patch: Patch) -> None:
    """What a parallel request wrote to the old session is not looked for."""
    patch.setattr(engine.Engine, "_late", staticmethod(lambda *_: Change()))


@guard
def a_late_write_ignores_update_user(patch: Patch) -> None:
    """A commit writes patched fields, whatever it had seen of them."""
    merge = change.merge
    patch.setattr(change, "merge", lambda fields, what, patched: merge(fields, what, {}))


@guard
def a_login_ignores_update_user(patch: Patch) -> None:
    """A login's own data stands, however recent the patch."""
    patch.setattr(gate.Gate, "recent", lambda self, now: ())


# -- logins ----------------------------------------------------------------------------------------------


@guard
def a_login_ignores_the_gate(patch: Patch) -> None:
    """A login is not asked when its request arrived."""
    patch.setattr(gate.Gate, "bars", lambda self, began: False)


@guard
def a_login_leaves_the_old_session(patch: Patch) -> None:
    """The session before a login is not ended."""
    end = MemoryStore.end

    def spare(self: MemoryStore, handle: str, user: str | None, reason: str, now: float) -> Any:
        return self.load(handle) if reason == "replaced" else end(self, handle, user, reason, now)

    patch.setattr(MemoryStore, "end", spare)


@guard
def there_is_no_limit(patch: Patch) -> None:
    """The store does not count a user's sessions."""
    login = MemoryStore.login

    def unlimited(self: MemoryStore, one: Record, began: float, now: float, limit: int | None, *more: Any) -> Any:
        return login(self, one, began, now, None, *more)

    patch.setattr(MemoryStore, "login", unlimited)


# -- rotation --------------------------------------------------------------------------------------------


@guard
def a_secret_settles_when_first_shown(patch: Patch) -> None:
    """The first request that shows the next secret condemns the one before."""
    judge = rotation.judge

    def hasty(one: Record, shown: token.Shown, began: float, held: float = 0.0) -> tuple[Verdict, int | None]:
        if shown.step < one.settled:
            return Verdict.STOLEN, None
        verdict, _ = judge(one, shown, began, held)
        return verdict, shown.step if verdict is Verdict.GOOD and shown.step > one.settled else None

    patch.setattr(rotation, "judge", hasty)


@guard
def nothing_ever_settles(patch: Patch) -> None:
    """An old secret is good as long as it is known."""
    judge = rotation.judge
    patch.setattr(rotation, "judge", lambda *args: (judge(*args)[0], None))


@guard
def two_may_rotate(patch: Patch) -> None:
    """A step does not say which secret it replaces."""

    def apply(one: Record, what: Change, now: float) -> Record | Ended:
        blind = what._replace(step=Step(one.secrets[0].hash, what.step.to)) if what.step else what
        return change.apply(one, blind, now)

    patch.setattr(memory, "apply", apply)


@guard
def a_mismatch_means_stolen(patch: Patch) -> None:
    """What is not known is a thief."""
    judge = rotation.judge

    def harsh(one: Record, shown: token.Shown, began: float, held: float = 0.0) -> tuple[Verdict, int | None]:
        verdict, settles = judge(one, shown, began, held)
        return Verdict.GOOD if verdict is Verdict.GOOD else Verdict.STOLEN, settles

    patch.setattr(rotation, "judge", harsh)


@guard
def every_request_touches(patch: Patch) -> None:
    """`last_seen_at` is written whenever somebody comes."""
    patch.setattr(loading, "due_at", lambda *_: float("-inf"))


# -- tickets ---------------------------------------------------------------------------------------------


@guard
def a_ticket_is_won_by_all(patch: Patch) -> None:
    """A redemption does not say whether it was the first."""
    redeem = MemoryStore.redeem
    patch.setattr(MemoryStore, "redeem", lambda self, *args: redeem(self, *args)._replace(won=True))


@guard
def a_ticket_outlives_its_session(patch: Patch) -> None:
    """A redemption does not ask for the session."""
    patch.setattr(MemoryStore, "redeem", lambda self, handle, jti, nonce, note, now, until: Taken(True, now, note))


@guard
def a_refused_ticket_is_spent(patch: Patch) -> None:
    """Somebody else's attempt uses a ticket up."""

    def taken(self: MemoryStore, handle: str, jti: str, now: float) -> Taken:
        return self.redeem(handle, jti, "theirs", "", now, now + 3600)

    patch.setattr(MemoryStore, "taken", taken)


@pytest.fixture
def repeated(monkeypatch: Patch) -> Iterator[None]:
    """The same names and secrets each time."""
    monkeypatch.setattr(token, "secrets", repeatable)
    Machine.counts.clear()
    yield
    Machine.counts.clear()


@pytest.mark.parametrize("take_away", [pytest.param(one, id=one.__name__) for one in GUARDS])
@pytest.mark.usefixtures("repeated")
def test_without_this_guard_a_counterexample_is_found(take_away: Callable[[Patch], None], monkeypatch: Patch) -> None:
    """With all guards the same examples are green: `test_the_store_in_memory_does_what_the_model_says`."""
    take_away(monkeypatch)
    with pytest.raises(AssertionError):
        explore(lambda namespace: MemoryStore(), ENOUGH, shrink=False)
