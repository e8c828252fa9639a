"""The session as the application meets it: a dict that notices everything, and verbs that mean it."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from coatcheck import Policy, Session, SessionManager, info
from coatcheck import session as session_module
from coatcheck.errors import CoatcheckError, SessionDataError
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FakeClock
from coatcheck.testing.kit import KEY


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def manager(clock: FakeClock) -> SessionManager:
    return SessionManager(MemoryStore(), secret=KEY, clock=clock)


def stored(manager: SessionManager, user: str | None = None, **fields: Any) -> Session:
    """A session as the next request loads it."""
    session = manager.load(None)
    session.update(fields)
    if user:
        session.login(user)
    return manager.load(manager.commit(session).token)


# -- a dict ----------------------------------------------------------------------------------------------


def test_its_contents_are_really_in_it(manager: SessionManager) -> None:
    """What takes a dict takes a session: json, unpacking, merging, copying, comparing."""
    session = stored(manager, a=1, b=[2])
    plain = {"a": 1, "b": [2]}
    assert json.loads(json.dumps(session)) == plain
    assert {**session} == dict(session) == session.copy() == copy.copy(session) == session == plain
    assert session | {"c": 3} == {"c": 3} | session == {**plain, "c": 3}
    assert dict(**session) == plain
    assert "{a}".format_map(session) == "1"
    assert isinstance(session, dict)
    assert type(session.copy()) is dict


def _named(**fields: Any) -> dict[str, Any]:
    return fields


def _matches(subject: object) -> bool:
    match subject:
        case {"a": _}:
            return True
    return False


READS: dict[str, Callable[[Session], object]] = {
    "[]": lambda session: session["a"],
    "get": lambda session: session.get("a"),
    "in": lambda session: "a" in session,
    "iteration": lambda session: next(iter(session)),
    "reversed": lambda session: list(reversed(session)),
    "sorted": sorted,
    "len": len,
    "truth": bool,
    "keys": Session.keys,
    "values": Session.values,
    "items": Session.items,
    "copy": Session.copy,
    "copy.copy": copy.copy,
    "==": lambda session: session == {},
    "!=": lambda session: session != {},
    "json": json.dumps,
    "dict": dict,
    "list": list,
    "{**s}": lambda session: {**session},
    "call": lambda session: _named(**session),
    "s | {}": lambda session: session | {},
    "{} | s": lambda session: {} | session,
    "update from": {}.update,
    "format": "{a}".format_map,
    "setdefault": lambda session: session.setdefault("a", 1),
    "match": _matches,
    "user_id": lambda session: session.user_id,
    "is_authenticated": lambda session: session.is_authenticated,
    "csrf_token": lambda session: session.csrf_token,
    "ended_reason": lambda session: session.ended_reason,
    "info": lambda session: session.info,
    "is_fresh": lambda session: session.is_fresh(timedelta(1)),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_every_way_to_look_is_noticed(manager: SessionManager, read: Callable[[Session], object]) -> None:
    """A response that any of these influenced differs by cookie: a cache must be told."""
    session = stored(manager, a=1)
    before = session.accessed
    read(session)
    assert (before, session.accessed, session.modified) == (False, True, False)


@pytest.mark.parametrize("read", [name for name in READS if name not in {"[]", "iteration", "format", "json"}])
def test_looking_at_an_empty_session_is_noticed(manager: SessionManager, read: str) -> None:
    """A visitor without a session gets another page than one with: that differs by cookie as well.

    (`json.dumps` writes an empty dict without asking it anything.)
    """
    session = manager.load(None)
    READS[read](session)
    assert session.accessed


def test_what_the_server_asks_for_itself_is_no_look(manager: SessionManager) -> None:
    """A log line or a middleware that prints the session or asks its state makes no response uncacheable."""
    session = stored(manager, a=1)
    repr(session)
    assert (session.is_new, session.modified, session.accessed) == (False, False, False)
    assert session.handle


WRITES: dict[str, Callable[[Session], object]] = {
    "[]=": lambda session: session.__setitem__("a", 2),
    "del": lambda session: session.__delitem__("a"),
    "clear": Session.clear,
    "pop": lambda session: session.pop("a"),
    "popitem": Session.popitem,
    "setdefault": lambda session: session.setdefault("b", 1),
    "update": lambda session: session.update({"a": 2}, b=3),
    "|=": lambda session: session.__ior__({"a": 2}),
    "nested": lambda session: session["list"].append(1),
    "nested by get": lambda session: session.get("list").append(1),
    "nested by values": lambda session: list(session.values())[1].append(1),
    "type": lambda session: session.__setitem__("a", 1.0),
    "truth": lambda session: session.__setitem__("a", True),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_every_change_is_noticed_and_kept(manager: SessionManager, write: Callable[[Session], object]) -> None:
    """Whichever way a field changes, deep inside or in its type alone, the next request sees it."""
    session = stored(manager, "ada", a=1, list=[])
    token = session._token
    write(session)
    assert session.modified
    manager.commit(session)
    assert manager.commit(session).action == "keep"
    assert repr(dict(manager.load(token))) == repr(dict(session))


def test_writing_the_same_value_again_writes_nothing(manager: SessionManager) -> None:
    """What counts as changed is the encoded value."""
    session = stored(manager, a=1, list=[1])
    session["a"], session["list"] = 1, [1]
    assert not session.modified
    del session["list"]
    session["list"] = [1]
    assert not session.modified


def test_a_missing_key_raises_as_in_any_dict(manager: SessionManager) -> None:
    """Defaults work, absence is a KeyError, and neither changes anything."""
    session = stored(manager, a=1)
    for miss in (lambda: session["b"], lambda: session.pop("b"), lambda: session.__delitem__("b")):
        with pytest.raises(KeyError):
            miss()
    assert session.pop("b", 7) == 7
    assert session.get("b", 8) == 8
    assert not session.modified


def test_what_cannot_be_stored_is_refused_where_it_is_assigned(manager: SessionManager) -> None:
    """The traceback shows the line, the error names the path, and the field keeps its old value."""
    session = stored(manager, a=1)
    attempts: dict[str, Callable[[], object]] = {
        "a": lambda: session.__setitem__("a", object()),
        "a[1].b": lambda: session.update(a=[1, {"b": object()}]),
        "c": lambda: session.setdefault("c", object()),
        "d[0]": lambda: session.__ior__({"d": [object()]}),
    }
    for path, attempt in attempts.items():
        with pytest.raises(SessionDataError) as caught:
            attempt()
        assert caught.value.path == path
        assert path in str(caught.value)
    with pytest.raises(SessionDataError):
        session[1] = 1  # type: ignore[index]
    assert dict(session) == {"a": 1}
    assert not session.modified


def test_a_repr_shows_no_values(manager: SessionManager) -> None:
    """It ends up in logs and tracebacks: names of fields and the user, never what they hold, never the token."""
    session = stored(manager, "ada", note="between us")
    text = repr(session) + str(session) + f"{session}"
    assert "ada" in text
    assert "note" in text
    assert "between us" not in text
    assert session._token is not None
    assert session._token.split(".")[1] not in text
    session.login("bob")
    assert session._pending is not None
    assert session._pending.secret not in repr(session) + repr(session._pending)


def test_it_is_not_pickled(manager: SessionManager) -> None:
    """A session in a queue or a cache would outlive its revocation."""
    with pytest.raises(TypeError, match="dict\\(session\\)"):
        pickle.dumps(stored(manager, a=1))


# -- warnings --------------------------------------------------------------------------------------------


@pytest.fixture
def never_warned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "_warned", set())


@pytest.mark.usefixtures("never_warned")
@pytest.mark.parametrize("name", ["user_id", "uid", "user", "username"])
def test_a_login_by_hand_warns_once(manager: SessionManager, name: str) -> None:
    """Such a session can't be listed or revoked and keeps its secret: said once, with the remedy."""
    session = manager.load(None)
    with pytest.warns(UserWarning, match=r"session\.login"):
        session[name] = 7
    session[name] = 8
    assert session[name] == 8


@pytest.mark.usefixtures("never_warned")
def test_a_field_named_like_an_attribute_warns_once(manager: SessionManager) -> None:
    """A template would show the attribute."""
    session = manager.load(None)
    with pytest.warns(UserWarning, match="attribute of Session"):
        session["info"] = 7
    session["info"] = 8
    assert {"user_id", "handle", "csrf_token", "items", "keys", "info"} <= session_module.ATTRIBUTES


@pytest.mark.usefixtures("never_warned")
def test_ordinary_names_and_known_user_fields_do_not_warn(clock: FakeClock) -> None:
    """Where `user_field` says which field it is, that is no mistake."""
    manager = SessionManager(MemoryStore(), secret=KEY, clock=clock, user_field="uid")
    session = manager.load(None)
    session.update(cart=[], uid=7, theme="dark")
    assert session["uid"] == 7


# -- verbs -----------------------------------------------------------------------------------------------


def test_after_login_it_already_speaks_of_the_new_session(manager: SessionManager, clock: FakeClock) -> None:
    """Handle, user, CSRF token and info are those that the commit will make true."""
    session = stored(manager, a=1)
    old = session.handle
    session.login(7, label="Laptop")
    assert (session.user_id, session.is_authenticated, session.is_new) == ("7", True, True)
    assert session.is_fresh(timedelta(0))
    assert session.info is not None
    assert (session.info.handle, session.info.label, session.info.user_id) == (session.handle, "Laptop", "7")
    assert session.handle != old
    handle = session.handle
    after = manager.load(manager.commit(session).token)
    assert (after.handle, session.handle, session.is_new) == (handle, handle, False)
    clock.advance(61)
    assert not after.is_fresh(timedelta(minutes=1))
    assert after.is_fresh(timedelta(seconds=61))


def test_after_rotate_it_already_speaks_of_the_new_handle(manager: SessionManager) -> None:
    """An audit line written between `rotate()` and the commit names the handle that will live."""
    session = stored(manager, "ada")
    old = session.handle
    session.rotate()
    assert session.handle != old
    assert session.info is not None
    assert session.info.handle == session.handle
    manager.commit(session)
    assert manager.info(session.handle or "") is not None


@pytest.mark.parametrize("user", ["", "x" * 256, "\ud800"])
def test_a_user_id_that_cannot_be_kept_is_refused_at_once(manager: SessionManager, user: str) -> None:
    """1 to 255 characters of text: the handler sees it, not the commit."""
    with pytest.raises(ValueError, match="a user id"):
        manager.load(None).login(user)


@pytest.mark.parametrize("user", [None, True, 1.5, b"ada", object()])
def test_a_user_id_of_another_type_is_refused_at_once(manager: SessionManager, user: Any) -> None:
    """None above all: a lookup that found nobody must not log anybody in."""
    with pytest.raises(TypeError, match="a user id"):
        manager.load(None).login(user)


def test_a_uuid_and_an_int_are_kept_as_text(manager: SessionManager) -> None:
    """An id comes back as a str, whatever it was."""
    for user in (7, UUID(int=7), "7"):
        session = manager.load(None)
        session.login(user)
        assert session.user_id == str(user)


def test_carry_is_not_one_name(manager: SessionManager) -> None:
    """carry="cart" would carry the fields c, a, r and t."""
    with pytest.raises(TypeError, match="carry"):
        manager.load(None).login("ada", carry="cart")


def test_a_lifetime_that_is_refused_changes_nothing(manager: SessionManager, clock: FakeClock) -> None:
    """A handler that catches the error goes on with the session as it was."""
    session = stored(manager, "ada")
    for lifetime in (
        {"idle": timedelta(0)},
        {"absolute": timedelta(0)},
        {"idle": timedelta(hours=1), "absolute": -timedelta(1)},
        {"absolute": datetime(2040, 1, 1)},  # noqa: DTZ001 (the mistake itself)
        {"absolute": clock.now()},
    ):
        with pytest.raises(ValueError, match=r"idle|absolute"):
            session.set_lifetime(**lifetime)
    assert not session.modified
    assert manager.commit(session).action == "keep"


def test_an_absolute_lifetime_may_be_an_instant(manager: SessionManager, clock: FakeClock) -> None:
    """Such as the end of the working day."""
    session = stored(manager, "ada")
    session.set_lifetime(absolute=clock.now() + timedelta(hours=3))
    assert manager.commit(session).max_age == 3 * 3600


def test_verbs_that_need_a_cookie_raise_once_the_response_has_started(manager: SessionManager) -> None:
    """`login` and `rotate` raise at once; data is still committed, and `logout` works."""
    session = stored(manager, "ada", a=1)
    token = session._token
    manager.engine.response_started(session)
    with pytest.raises(CoatcheckError, match="response has started"):
        session.login("ada")
    with pytest.raises(CoatcheckError, match="response has started"):
        session.rotate()
    session["a"] = 2
    assert manager.commit(session).action == "keep"
    assert manager.load(token)["a"] == 2
    session.logout()
    manager.commit(session)
    assert manager.load(token).ended_reason == "logout"


def test_a_visitor_whose_response_has_started_gets_no_row(manager: SessionManager) -> None:
    """No cookie can carry its token any more, so nobody would ever own it."""
    session = manager.load(None)
    manager.engine.response_started(session)
    session["a"] = 1
    assert manager.commit(session).action == "keep"
    assert manager.stats().sessions == 0


def test_a_form_token_differs_at_every_read_and_stays_valid(manager: SessionManager) -> None:
    """Masked against compression attacks; "" for a session that is not stored, which has nothing to protect."""
    assert manager.load(None).csrf_token == ""
    session, other = stored(manager, a=1), stored(manager, a=1)
    first, second = session.csrf_token, session.csrf_token
    assert first != second
    assert manager.engine.csrf_matches(session, first)
    assert manager.engine.csrf_matches(session, second)
    assert not manager.engine.csrf_matches(other, first)
    assert not manager.engine.csrf_matches(manager.load(None), first)


def test_open_commits_unless_the_block_raises(manager: SessionManager) -> None:
    """For scripts: `with manager.open(token) as session`."""
    token = stored(manager, a=1)._token
    with manager.open(token) as session:
        session["a"] = 2
    with pytest.raises(ZeroDivisionError), manager.open(token) as session:
        session["a"] = 3 // 0
    assert manager.load(token)["a"] == 2


def test_a_policy_without_idle_timeout_ends_by_the_absolute_one(clock: FakeClock) -> None:
    """Inactivity is then no reason, the deadline is."""
    manager = SessionManager(MemoryStore(), secret=KEY, clock=clock, policy=Policy(idle_timeout=None))
    token = stored(manager, "ada")._token
    clock.advance(timedelta(days=29))
    session = manager.load(token)
    assert session.info is not None
    assert session.info.expires_at == clock.now().astimezone(UTC) + timedelta(days=1)
    clock.advance(timedelta(days=1))
    assert manager.load(token).ended_reason == "absolute"


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/604.1",
        "Mozilla/5.0 (Windows NT 10.0; rv:130.0) Gecko/20100101 Firefox/130.0",
        "curl/8.5",
        "Mozilla/5.0 (Mozilla/5.0 (",
        "",
    ],
)
def test_a_browsers_name_is_kept_short_and_told_whole(agent: str) -> None:
    """A small session in Redis stays within its budget."""
    kept = info.short(info.clip(agent))
    assert info.whole(kept) == (agent or None)
    assert len((kept or "").encode()) <= len(agent) or "Mozilla" not in agent


def test_nobody_can_send_what_stands_for_the_usual_words() -> None:
    """Else a list of devices would show what was never sent, and grow with it."""
    assert info.clip("\ue000" * 9) == "\N{REPLACEMENT CHARACTER}" * 9
