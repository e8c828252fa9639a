"""The guards are what makes these tests pass: with one taken away, its scenario turns red."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from coatcheck import Session, passage, tickets
from coatcheck.cookies import Cookie
from coatcheck.csrf import OriginCheck, TokenScanner
from coatcheck.engine import DROP, Engine
from coatcheck.gate import Gate
from coatcheck.integrations import asgi_visit
from coatcheck.integrations.asgi_visit import Visit
from coatcheck.passage import Passage
from coatcheck.store import Taken
from coatcheck.stores.memory import MemoryStore
from coatcheck.token import HANDLE_LENGTH, Shown
from tests.integrations import (
    test_asgi,
    test_bad_input_http,
    test_cookies_http,
    test_csrf_http,
    test_csrf_token_http,
    test_dead_cookies_http,
    test_failures_http,
    test_gate,
    test_gate_resume,
    test_header_http,
    test_starlette,
    test_streaming,
    test_websockets,
)
from tests.integrations.front import ELSEWHERE, Front
from tests.integrations.gatehouse import Gatehouse

Off = tuple[Any, str, Any]
"""Where a guard is, its name, and what stands there in its place."""
Guards = dict[str, tuple[list[Off], Callable[[Any], Awaitable[None]]]]


def says(value: Any) -> Callable[..., Any]:
    """A function that always says that."""
    return lambda *_, **__: value


def believes(_: Engine, text: str) -> Shown:
    """What a token says, whoever signed it."""
    return Shown(text[:HANDLE_LENGTH], 0, "", False)


def first(cookie: Cookie, header: Any, secure: bool = True) -> str | None:
    """The first cookie of our name."""
    found = cookie._find[secure](header)
    return found[0].decode() if found else None


def any_name(cookie: Cookie, header: Any, secure: bool = True, read: Any = Cookie.read) -> str | None:
    """The cookie of either name."""
    found: str | None = read(cookie, header, secure) or read(cookie, header, not secure)
    return found


def never_failed(engine: Engine, subject: Session, failed: bool = False, commit: Any = Engine.commit) -> Any:
    """The commit of a request that has not failed."""
    return commit(engine, subject, False)


async def leaks(front: Front) -> None:
    """A client that sends the header and a cookie."""
    app = front.app(test_header_http.handler, header=test_header_http.HEADER)
    await test_header_http.test_the_cookie_is_ignored_where_the_header_is(front, app)


NO_ORIGINS: list[Off] = [(OriginCheck, "check", says(None))]

GUARDS: Guards = {
    "the origin of requests": (NO_ORIGINS, test_csrf_http.test_the_whole_matrix),
    "the origin of a login form": (
        NO_ORIGINS,
        partial(test_csrf_http.test_the_cookie_makes_no_difference, shown="no cookie"),
    ),
    "the origin of handshakes": (
        NO_ORIGINS,
        partial(
            test_websockets.test_a_handshake_from_elsewhere_is_refused_before_the_application,
            headers={"origin": ELSEWHERE},
            parts={},
        ),
    ),
    "the session's own CSRF token": (
        [(Engine, "csrf_matches", says(True))],
        test_csrf_token_http.test_a_token_from_before_a_login_is_dead_after_it,
    ),
    "the end of the search for it": (
        [(asgi_visit, "SCAN_LIMIT", 10**9), (TokenScanner, "feed", says(None))],
        test_csrf_token_http.test_an_upload_without_a_token_is_refused_before_it_has_come,
    ),
    "the tag": ([(Engine, "verify", believes)], test_asgi.test_a_forged_token_never_reaches_the_store),
    "the tag's last character": (
        [(Engine, "verify", believes)],
        test_bad_input_http.test_every_truncation_and_every_flipped_character_of_a_token_is_a_visitor,
    ),
    "two cookies are nobody": (
        [(Cookie, "read", first)],
        test_cookies_http.test_two_different_valid_cookies_are_nobody,
    ),
    "a name of its own for plain http": (
        [(Cookie, "read", any_name)],
        test_cookies_http.test_an_insecure_cookie_never_serves_https,
    ),
    "Vary": (
        [(Session, "accessed", False)],
        test_asgi.test_vary_cookie_exactly_when_the_session_was_looked_at,
    ),
    "no deletion but on navigations": (
        [(Visit, "_is_navigation", says(True))],
        test_dead_cookies_http.test_a_dead_cookie_goes_only_where_a_person_sees_a_page,
    ),
    "no deletion for the replaced": (
        [(Engine, "shows_end", lambda self, subject: subject.ended_reason is not None)],
        test_dead_cookies_http.test_an_unknown_or_replaced_token_is_left_alone,
    ),
    "no cookie for a late write": (
        [(Engine, "_not_written", says(DROP))],
        test_failures_http.test_a_late_write_lets_the_response_out_without_a_cookie,
    ),
    "a failed request commits nothing": (
        [(Engine, "commit", never_failed)],
        partial(test_failures_http.test_a_failed_request_commits_nothing, how="500", verb="login"),
    ),
    "the gate of a user": (
        [(Gate, "bars", says(False))],
        partial(
            test_failures_http.test_a_login_that_a_revocation_overtook_is_answered_401_in_plain_words, accept="*/*"
        ),
    ),
    "no login after the start": (
        [(Session, "_check_open", says(None))],
        test_streaming.test_login_and_rotate_after_the_start_raise_at_once_and_logout_works,
    ),
    "no new session after the start": (
        [(Engine, "response_started", says(None))],
        test_streaming.test_a_visitor_who_writes_after_the_start_leaves_no_row,
    ),
    "headers are copied": (
        [(asgi_visit, "list", lambda headers: headers)],
        test_starlette.test_one_response_object_sent_to_many_carries_nobodys_cookie,
    ),
    "the header rules the cookie out": ([(Visit, "by_header", property(says(False), says(None)))], leaks),
}

FORGETS: list[Off] = [(MemoryStore, "taken", says(Taken(True))), (MemoryStore, "redeem", says(Taken(True)))]


def always_resumes(passage: Passage, error: Any) -> bool:
    """Whoever has it, whatever the path, and however late."""
    passage.ticket, passage._resuming = error.ticket, error
    return True


ALWAYS_RESUMES: list[Off] = [(Passage, "_resumes", always_resumes)]

AT_THE_GATE: Guards = {
    "once": (FORGETS, test_gate.test_the_first_use_gets_the_file_and_the_second_is_told_when_that_was),
    "once, of many at a time": (FORGETS, test_gate_resume.test_many_whole_requests_at_once_get_one_file),
    "dead with its session": (FORGETS, test_gate.test_a_logout_kills_open_tickets),
    "bound to its session": (
        [(tickets, "_is_own", says(True))],
        test_gate.test_another_session_is_refused_and_spends_nothing,
    ),
    "one path": (ALWAYS_RESUMES, test_gate_resume.test_another_path_is_another_resource),
    "a window": (ALWAYS_RESUMES, test_gate_resume.test_resuming_ends_with_its_window_and_with_the_session),
    "protecting headers": (
        [(passage, "SAFE_HEADERS", {})],
        test_gate.test_the_first_use_gets_the_file_and_the_second_is_told_when_that_was,
    ),
}


async def check_red(guard: tuple[list[Off], Callable[[Any], Awaitable[None]]], front: Front, patch: Any) -> None:
    """Take the guard away and see its scenario fail."""
    for owner, name, instead in guard[0]:
        patch.setattr(owner, name, instead, raising=False)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await guard[1](front)


@pytest.mark.parametrize("name", GUARDS)
async def test_without_its_guard_a_scenario_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that could go without any test noticing would soon be gone."""
    await check_red(GUARDS[name], Front(), monkeypatch)


@pytest.mark.parametrize("name", AT_THE_GATE)
async def test_without_its_guard_a_download_goes_wrong(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same, for tickets."""
    await check_red(AT_THE_GATE[name], Gatehouse(tmp_path), monkeypatch)
