"""The engine by itself, as Channels, commands and the test client use it: what Django's own session tests ask for."""

# Django ships no types.
# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.core.exceptions import SynchronousOnlyOperation
from django.core.management import call_command
from django.test import override_settings

from coatcheck.integrations.django import SessionStore, manager_from
from coatcheck.integrations.django.held import SessionKey
from coatcheck.integrations.django.middleware import session_from
from coatcheck.testing import FakeClock
from tests.apps import django_site as _configured  # noqa: F401


@pytest.fixture
def store() -> SessionStore:
    return SessionStore()


def test_a_new_one_is_empty_and_nobody_has_looked(store: SessionStore) -> None:
    """8: nothing is stored, nothing varies."""
    assert (store.session_key, store.accessed, store.modified) == (None, False, False)
    assert store.is_empty()
    assert store.get("missing") is None
    assert (store.accessed, store.modified) == (True, False)


def test_it_is_the_mapping_that_django_promises(store: SessionStore) -> None:
    """Every method of `SessionBase`, and what each does to `accessed` and `modified`."""
    store["cat"] = "dog"
    assert store.modified
    assert (store.pop("cat"), store.pop("cat", "gone")) == ("dog", "gone")
    with pytest.raises(KeyError):
        store.pop("cat")
    assert store.setdefault("cat", "cow") == store.setdefault("cat", "hen") == "cow"
    store.update({"update key": 1})
    assert store.has_key("cat")
    assert "cat" in store
    assert (list(store.keys()), list(store.values())) == (["cat", "update key"], ["cow", 1])
    assert list(store.items()) == [("cat", "cow"), ("update key", 1)]
    store.clear()
    assert list(store.items()) == []


def test_what_is_saved_is_there_for_whoever_has_the_key(store: SessionStore) -> None:
    """Alone, `session_key` is the token."""
    store["cat"] = "dog"
    store.save()
    assert store.exists(store.session_key)
    assert SessionStore(store.session_key)["cat"] == "dog"
    assert len(store.session_key or "") == 86


def test_an_empty_one_is_stored_if_it_is_told_to(store: SessionStore) -> None:
    """Django's `create()` and `save()` make a row."""
    store.create()
    assert store.exists(store.session_key)
    other = SessionStore()
    other.save()
    assert other.exists(other.session_key)
    assert other.session_key != store.session_key


@pytest.mark.parametrize("key", ["1", "someunknownkey", "A" * 22, "A" * 86, ""])
def test_an_invented_key_is_never_adopted(key: str) -> None:
    """5: session fixation. It loads nothing, and a save makes another."""
    store = SessionStore(key)
    assert store.get("cat") is None
    assert store.session_key is None
    store.save()
    assert store.session_key != key
    store.delete()


def test_a_handle_is_no_credential(store: SessionStore) -> None:
    """9: what applications keep in their tables opens nothing; it can be looked for and ended."""
    store["cat"] = "dog"
    store.save()
    handle = (store.session_key or "")[:22]
    assert SessionStore(handle).get("cat") is None
    assert SessionStore().exists(handle)
    SessionStore(handle).delete()
    assert not SessionStore().exists(handle)
    assert SessionStore(store.session_key).get("cat") is None


def test_a_key_that_is_kept_has_lost_its_token() -> None:
    """9: pickled, copied or put into text, it is the handle alone."""
    key = SessionKey("h" * 22, "secret")
    for kept in (pickle.loads(pickle.dumps(key)), copy.deepcopy(key), str(key), f"{key}"):
        assert kept == "h" * 22
        assert not hasattr(kept, "token")
    assert "secret" not in repr(key)


def test_requests_that_overlap_lose_nothing(store: SessionStore) -> None:
    """1: each saves the fields that it changed; nested ones too."""
    store["cart"] = [1]
    store.save()
    one, two = SessionStore(store.session_key), SessionStore(store.session_key)
    one["a"] = 1
    two["cart"].append(2)
    assert two.modified
    one.save()
    two.save()
    assert dict(SessionStore(store.session_key).items()) == {"cart": [1, 2], "a": 1}


def test_a_late_save_revives_nothing(store: SessionStore) -> None:
    """2: Django's own error, and no row."""
    store["cat"] = "dog"
    store.save()
    other = SessionStore(store.session_key)
    other.get("cat")
    store.delete()
    other["cat"] = "cow"
    with pytest.raises(UpdateError):
        other.save()
    assert other.get("cat") is None


def test_flush_ends_it_at_once(store: SessionStore) -> None:
    """The test client logs out by it, and saves nothing after it."""
    store["cat"] = "dog"
    store.save()
    key = store.session_key
    store.flush()
    assert not store.exists(key)
    assert (store.session_key, dict(store.items())) == (None, {})
    SessionStore(key).flush()


def test_cycle_key_keeps_the_data_and_ends_the_old_key(store: SessionStore) -> None:
    """5: also for a store that has not loaded yet."""
    store["cat"] = "dog"
    store.save()
    old = store.session_key
    again = SessionStore(old)
    again.cycle_key()
    assert again.session_key != old
    assert again["cat"] == "dog"
    assert SessionStore(old).get("cat") is None
    fresh = SessionStore()
    fresh.cycle_key()
    assert fresh.session_key


def test_a_user_is_known_by_djangos_own_field(store: SessionStore) -> None:
    """`user_field`: it can be listed, and revoked at once."""
    store["_auth_user_id"] = "alone-1"
    store.save()
    [info] = manager_from().sessions("alone-1")
    assert info.handle == (store.session_key or "")[:22]
    assert manager_from().revoke_user("alone-1") == 1
    assert SessionStore(store.session_key).get("_auth_user_id") is None


def test_the_key_does_not_rotate_by_time(store: SessionStore) -> None:
    """Nobody would give the browser the new secret."""
    assert store._sync().policy.rotation_interval is None
    assert manager_from().policy.rotation_interval is not None


def test_test_cookies_work(store: SessionStore) -> None:
    """As in Django."""
    store.set_test_cookie()
    assert store.test_cookie_worked()
    store.delete_test_cookie()
    assert not store.test_cookie_worked()


# -- lifetimes -----------------------------------------------------------------------------------------------


def test_a_number_is_an_idle_timeout(store: SessionStore) -> None:
    """In seconds, moved on by each request."""
    store.set_expiry(10)
    store.save()
    info = manager_from().info((store.session_key or "")[:22])
    assert info is not None
    assert timedelta(seconds=8) < info.expires_at - datetime.now(UTC) <= timedelta(seconds=10)
    assert store.get_expiry_age() == 10
    assert not store.get_expire_at_browser_close()


@pytest.mark.parametrize("naive", [False, True])
def test_a_date_or_a_timedelta_is_the_end(store: SessionStore, naive: bool) -> None:
    """7: whoever comes, and also beyond the policy's own idle timeout."""
    with override_settings(USE_TZ=not naive, TIME_ZONE="Asia/Tokyo"):
        store.set_expiry(timedelta(days=60))
        store.save()
        assert abs(store.get_expiry_age() - 60 * 86_400) <= 2
    info = manager_from().info((store.session_key or "")[:22])
    assert info is not None
    assert abs(info.expires_at - datetime.now(UTC) - timedelta(days=60)) < timedelta(seconds=5)
    store.set_expiry(datetime(2030, 1, 1, tzinfo=UTC))
    assert store.get_expiry_date() == datetime(2030, 1, 1, tzinfo=UTC)


def test_zero_is_the_browsers_end_and_none_the_settings(store: SessionStore) -> None:
    """As in Django."""
    store.set_expiry(0)
    assert store.get_expire_at_browser_close()
    assert store.get_expiry_age() == 1_209_600
    store.set_expiry(None)
    assert not store.get_expire_at_browser_close()
    with override_settings(SESSION_EXPIRE_AT_BROWSER_CLOSE=True, SESSION_COOKIE_AGE=60):
        assert SessionStore().get_expire_at_browser_close()
        assert SessionStore().get_expiry_age() == 60


def test_what_is_over_is_over(store: SessionStore) -> None:
    """7: a past date ends it, and so does an idle timeout."""
    clock = FakeClock()
    with override_settings(COATCHECK=settings.COATCHECK | {"clock": clock}):
        for expiry in (datetime(2020, 1, 1, tzinfo=UTC), 10):
            store = SessionStore()
            store["cat"] = "dog"
            store.set_expiry(expiry)
            store.save()
            clock.advance(11)
            assert SessionStore(store.session_key).get("cat") is None


def test_clearsessions_works() -> None:
    """The command of django.contrib.sessions."""
    call_command("clearsessions")


# -- asynchronous --------------------------------------------------------------------------------------------


async def test_every_verb_has_its_coroutine() -> None:
    """The same over the asynchronous manager, natively."""
    store = SessionStore()
    await store.aset("cat", "dog")
    assert await store.aget("cat") == "dog"
    await store.asave()
    key = store.session_key
    assert await store.aexists(key)
    other = SessionStore(key)
    assert dict(await other.aload()) == {"cat": "dog"}
    await other.aset_expiry(10)
    assert await other.aget_expiry_age() == 10
    assert not await other.aget_expire_at_browser_close()
    await other.acycle_key()
    assert other.session_key != key
    assert not await other.aexists(key)
    assert await SessionStore(other.session_key).aget("cat") == "dog"
    await other.aflush()
    assert other.session_key is None
    made = SessionStore()
    await made.acreate()
    handle = (made.session_key or "")[:22]
    await SessionStore().adelete(handle)
    assert not await made.aexists(handle)
    await made.aset("late", 1)
    with pytest.raises(UpdateError):
        await made.asave()
    await SessionStore.aclear_expired()


async def test_synchronous_verbs_do_not_block_an_event_loop(store: SessionStore) -> None:
    """Django's own refusal, in place of a loop that stands still."""
    with pytest.raises(SynchronousOnlyOperation):
        store.save()


def test_without_a_session_of_ours_the_error_says_what_to_do() -> None:
    """A missing middleware is named."""
    with pytest.raises(Exception, match="MIDDLEWARE"):
        session_from(object())
