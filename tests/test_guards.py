"""Every guard is needed: with it switched off, the scenario that it stands for goes red.

Each case takes one guard away from the store in memory or from the core, and runs one scenario of the shipped
contract. A scenario that stays green without its guard would check nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from coatcheck import change, codec, engine, gate, loading, record, rotation, token
from coatcheck.change import Change
from coatcheck.record import Ended, Record
from coatcheck.rotation import Step, Verdict
from coatcheck.session import Session
from coatcheck.store import Taken
from coatcheck.stores import memory
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import StoreContract
from coatcheck.testing.kit import Kit

Patch = pytest.MonkeyPatch
GUARDS: list[Any] = []


def without(scenario: str, **fixtures: Any) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Register a function that takes a guard away, and the scenario that must then fail."""

    def register(take_away: Callable[[Patch], None]) -> Callable[[Patch], None]:
        GUARDS.append(pytest.param(take_away, scenario, fixtures, id=f"{take_away.__name__}-{scenario[5:]}"))
        return take_away

    return register


# -- what has ended stays ended --------------------------------------------------------------------------


@without("test_a_late_write_revives_nothing", work=lambda session: session.update(note="late"))
@without("test_a_logout_against_a_slow_write")
@without("test_logouts_overtaken_by_slow_writes_revive_nothing")
def a_commit_creates(patch: Patch) -> None:
    """A commit that finds nothing alive writes what its request had loaded: an upsert."""
    last: dict[str, Record] = {}
    put, commit = MemoryStore._put, MemoryStore.commit

    def remember(self: MemoryStore, one: Record) -> None:
        last[one.handle] = one
        put(self, one)

    def upsert(self: MemoryStore, handle: str, what: Change, now: float) -> Any:
        if not isinstance(self._sessions.get(handle), Record):
            self._put(last[handle])
        return commit(self, handle, what, now)

    patch.setattr(MemoryStore, "_put", remember)
    patch.setattr(MemoryStore, "commit", upsert)


@without("test_the_idle_timeout_holds_to_the_second")
@without("test_the_absolute_timeout_holds_however_busy")
@without("test_a_write_after_the_deadline_is_refused")
@without("test_a_ticket_dies_with_its_session", end="idle")
def time_ends_nothing(patch: Patch) -> None:
    """A record is never over."""
    patch.setattr(Record, "over", lambda self, now: None)


@without("test_a_server_whose_clock_is_a_day_ahead_ends_nobody")
def a_purge_takes_what_is_over(patch: Patch) -> None:
    """A record is forgotten at its deadline, not a day after it."""
    patch.setattr(record, "TOMBSTONE", 0.0)


@without("test_a_session_that_was_told_of_its_end_does_not_start_another")
def a_told_session_keeps_its_data(patch: Patch) -> None:
    """After `SessionEnded` the session goes on as a new one with the old data."""

    def leave(self: Session) -> None:
        self._record = self._shown = self._token = None

    patch.setattr(Session, "_leave", leave)


# -- requests merge --------------------------------------------------------------------------------------


@without("test_clear_deletes_only_what_it_has_seen")
@without("test_overlapping_writers_lose_nothing")
@without("test_two_commits")
def the_whole_session_is_written(patch: Patch) -> None:
    """A commit writes its own view of all fields over what is there."""

    def merge(fields: str, what: Change, patched: dict[str, int]) -> str:
        return codec.dumps(what.set)

    patch.setattr(change, "merge", merge)


@without("test_a_field_that_was_only_read_is_not_written")
def what_was_read_is_written(patch: Patch) -> None:
    """A commit sends every field that it holds, changed or not."""
    patch.setattr("coatcheck.fields.difference", lambda before, after: (after, ()))


@without("test_the_size_is_checked_after_the_merge")
def the_size_is_not_checked_after_the_merge(patch: Patch) -> None:
    """Each request's own fields are checked, their sum is not."""
    patch.setattr(change, "check_size", lambda fields: None)


@without("test_an_anonymous_session_that_is_left_empty_ends")
def an_empty_session_lives(patch: Patch) -> None:
    """A commit that leaves nothing is stored like any other."""

    def apply(one: Record, what: Change, now: float) -> Record | Ended:
        after = change.apply(one, what, now)
        return one._replace(fields="{}") if isinstance(after, Ended) and after.by_this else after

    patch.setattr(memory, "apply", apply)


@without("test_last_seen_only_grows")
def last_seen_follows_the_last_request(patch: Patch) -> None:
    """A touch sets the time to whatever the request says."""

    def apply(one: Record, what: Change, now: float) -> Record | Ended:
        after = change.apply(one, what, now)
        return after._replace(last_seen_at=what.seen_at or now) if isinstance(after, Record) else after

    patch.setattr(memory, "apply", apply)


# -- login and revoke_user -------------------------------------------------------------------------------


@without("test_a_login_that_arrived_before_revoke_user_is_refused")
@without("test_a_login_against_revoke_user")
def the_gate_is_open(patch: Patch) -> None:
    """A login is not asked when its request arrived."""
    patch.setattr(gate.Gate, "bars", lambda self, began: False)


@without("test_a_gate_that_closed_later_does_not_open_again")
def the_gate_follows_the_last_clock(patch: Patch) -> None:
    """A revocation sets the gate back if its server's clock is behind."""
    patch.setattr(gate.Gate, "closed", lambda self, now: self._replace(not_before=now))


@without("test_the_token_from_before_a_login_is_merely_unknown")
@without("test_a_slow_request_of_the_attackers_cannot_write_into_the_victims_login")
@without("test_a_login_submitted_twice")
def a_login_leaves_the_old_session(patch: Patch) -> None:
    """The session before a login is not ended."""
    end = MemoryStore.end

    def spare(self: MemoryStore, handle: str, user: str | None, reason: str, now: float) -> Any:
        return self.load(handle) if reason == "replaced" else end(self, handle, user, reason, now)

    patch.setattr(MemoryStore, "end", spare)


@without("test_a_login_against_a_parallel_write")
def a_login_takes_what_it_loaded(patch: Patch) -> None:
    """What a parallel request wrote to the old session is not looked for."""
    patch.setattr(engine.Engine, "_late", staticmethod(lambda *_: Change()))


@without("test_a_login_above_the_limit_ends_the_oldest")
@without("test_parallel_logins_stay_within_the_limit")
def there_is_no_limit(patch: Patch) -> None:
    """The store does not count a user's sessions."""
    login = MemoryStore.login

    def unlimited(self: MemoryStore, one: Record, began: float, now: float, limit: int | None, *more: Any) -> Any:
        return login(self, one, began, now, None, *more)

    patch.setattr(MemoryStore, "login", unlimited)


@without("test_a_login_replaces_handle_secret_and_csrf_token")
def forms_outlive_a_login(patch: Patch) -> None:
    """The CSRF secret is the application's, not the session's."""
    patch.setattr(engine.Engine, "_csrf_secrets", lambda self, handle: list(self._keyring().keys("csrf")))


@without("test_a_commit_loaded_before_it_does_not_undo_it")
@without("test_update_user_against_a_commit")
def patches_are_forgotten_by_the_record(patch: Patch) -> None:
    """A commit writes patched fields, whatever it had seen of them."""
    merge = change.merge
    patch.setattr(change, "merge", lambda fields, what, patched: merge(fields, what, {}))


@without("test_a_login_of_the_next_minute_does_not_undo_it")
@without("test_update_user_against_a_login")
def patches_are_forgotten_by_the_gate(patch: Patch) -> None:
    """A login's own data stands, however recent the patch."""
    patch.setattr(gate.Gate, "recent", lambda self, now: ())


# -- rotation --------------------------------------------------------------------------------------------


@without("test_a_copied_cookie_that_comes_back_ends_the_session")
@without("test_a_thief_who_rotates_first_is_found_by_the_owner")
def every_secret_is_good(patch: Patch) -> None:
    """Whatever was once issued is accepted."""
    patch.setattr(rotation, "judge", lambda *_: (Verdict.GOOD, None))


@without("test_the_old_secret_serves_until_the_next_has_settled")
def a_secret_settles_at_once(patch: Patch) -> None:
    """The first request that shows the next secret condemns the one before."""
    judge = rotation.judge

    def hasty(one: Record, shown: token.Shown, began: float, held: float = 0.0) -> tuple[Verdict, int | None]:
        verdict, _ = judge(one, shown, began, held)
        return verdict, shown.step if verdict is Verdict.GOOD and shown.step > one.settled else None

    patch.setattr(rotation, "judge", hasty)


@without("test_of_parallel_requests_one_steps")
@without("test_two_rotations_that_are_due")
@without("test_parallel_requests_rotate_once")
def two_may_rotate(patch: Patch) -> None:
    """A step does not say which secret it replaces."""

    def apply(one: Record, what: Change, now: float) -> Record | Ended:
        blind = what._replace(step=Step(one.secrets[0].hash, what.step.to)) if what.step else what
        return change.apply(one, blind, now)

    patch.setattr(memory, "apply", apply)


@without("test_a_step_that_the_store_has_forgotten_ends_nothing")
def a_mismatch_means_stolen(patch: Patch) -> None:
    """What is not known is a thief."""
    judge = rotation.judge

    def harsh(one: Record, shown: token.Shown, began: float, held: float = 0.0) -> tuple[Verdict, int | None]:
        verdict, settles = judge(one, shown, began, held)
        return Verdict.GOOD if verdict is Verdict.GOOD else Verdict.STOLEN, settles

    patch.setattr(rotation, "judge", harsh)


# -- costs, secrets, tickets -----------------------------------------------------------------------------


@without("test_a_forged_token_never_reaches_the_store")
def the_tag_is_not_checked(patch: Patch) -> None:
    """Any text of the right form goes to the store."""
    patch.setattr(token, "verify", lambda keyring, text: token.Shown(text[:22], 0, "", False))


@without("test_the_touch_is_throttled")
@without("test_a_read_only_request_costs_one_read_and_no_write")
def every_request_touches(patch: Patch) -> None:
    """`last_seen_at` is written whenever somebody comes."""
    patch.setattr(loading, "due_at", lambda *_: float("-inf"))


@without("test_nothing_is_created_until_something_is_stored")
def every_visitor_gets_a_session(patch: Patch) -> None:
    """A commit stores a session that holds nothing."""
    patch.setattr(engine.Engine, "idle", lambda *_: False)
    patch.setattr(Session, "wires", lambda self: {"visited": 1})


@without("test_what_the_store_holds_takes_over_nothing")
def secrets_are_kept_as_they_are(patch: Patch) -> None:
    """The store holds what the client shows."""
    for module in ("token", "session", "rotation"):
        patch.setattr(f"coatcheck.{module}.hash_secret", lambda secret: secret)


@without("test_what_one_request_loaded_is_not_anothers")
def values_are_shared(patch: Patch) -> None:
    """What a request loads is the very object that the next one loads."""
    loaded: dict[str, Any] = {}
    loads = codec.loads
    patch.setattr(codec, "loads", lambda text: loaded.setdefault(text, loads(text)))


@without("test_a_ticket_is_redeemed_once")
@without("test_two_redemptions")
@without("test_of_fifty_redemptions_one_wins")
def a_ticket_is_looked_up_and_then_taken(patch: Patch) -> None:
    """A redemption does not say whether it was the first."""
    redeem = MemoryStore.redeem
    patch.setattr(MemoryStore, "redeem", lambda self, *args: redeem(self, *args)._replace(won=True))


@without("test_a_ticket_dies_with_its_session", end="logout")
@without("test_a_redemption_against_the_sessions_logout")
def a_ticket_outlives_its_session(patch: Patch) -> None:
    """A redemption does not ask for the session."""
    patch.setattr(MemoryStore, "redeem", lambda self, handle, jti, nonce, note, now, until: Taken(True, now, note))
    patch.setattr(MemoryStore, "taken", lambda self, handle, jti, now: Taken(True))


@pytest.mark.parametrize(("take_away", "scenario", "fixtures"), GUARDS)
def test_without_its_guard_a_promise_is_broken(
    take_away: Callable[[Patch], None],
    scenario: str,
    fixtures: dict[str, Any],
    monkeypatch: Patch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The scenario is green with the guard and fails, by its own assertions, without it."""
    run(scenario, fixtures, caplog)
    take_away(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        run(scenario, fixtures, caplog)


def run(scenario: str, fixtures: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """Run one scenario of the contract over an empty store in memory."""
    store = MemoryStore()

    def dump() -> bytes:
        return repr(store._sessions).encode()

    if scenario == "test_what_the_store_holds_takes_over_nothing":
        fixtures = {"dump": dump, "caplog": caplog}
    getattr(StoreContract(), scenario)(Kit("sync", lambda mode: store, dump), **fixtures)
