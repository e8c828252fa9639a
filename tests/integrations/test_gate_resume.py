"""Resuming a download by Range: for the session that began it, that path, and a short while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integrations.gatehouse import CONTENT, Gatehouse


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Gatehouse]:
    """A file behind the gate."""
    house = Gatehouse(tmp_path)
    yield house
    await house.aclose()


async def test_the_same_session_resumes_what_it_began(house: Gatehouse) -> None:
    """C: a connection that breaks in the middle costs no new ticket; one redemption in all."""
    token = await house.signed_in()
    ticket = await house.issue(token)
    first = await house.fetch(ticket, token)
    for _ in range(3):
        house.clock.advance(60)
        rest = await house.fetch(ticket, token, range="bytes=5000-", if_range=first.headers["etag"])
        assert rest.status_code == 206
        assert rest.content == CONTENT[5000:]
        assert rest.headers["referrer-policy"] == "no-referrer"
        assert rest.headers["cache-control"] == "no-store"
        assert rest.headers["content-disposition"].startswith("attachment")
    assert len(house.told("ticket_redeemed")) == 1


async def test_parallel_ranges_of_one_client_all_succeed(house: Gatehouse) -> None:
    """C: a download manager opens eight at once; they are one use."""
    token = await house.signed_in()
    ticket = await house.issue(token)
    size = len(CONTENT) // 8
    ranges = [f"bytes={start}-{start + size - 1}" for start in range(0, len(CONTENT), size)]
    parts = await asyncio.gather(*(house.fetch(ticket, token, range=one) for one in ranges))
    assert [part.status_code for part in parts] == [206] * 8
    assert b"".join(part.content for part in parts) == CONTENT
    assert len(house.told("ticket_redeemed")) == 1


async def test_many_whole_requests_at_once_get_one_file(house: Gatehouse) -> None:
    """13: without Range there is nothing to resume."""
    token = await house.signed_in()
    ticket = await house.issue(token)
    answers = await asyncio.gather(*(house.fetch(ticket, token) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [410] * 19


async def test_a_whole_file_is_no_resumption(house: Gatehouse) -> None:
    """If-Range that fails, or an application that ignores Range, would be a second download."""
    token = await house.signed_in()
    ticket = await house.issue(token)
    await house.fetch(ticket, token)
    changed = await house.fetch(ticket, token, range="bytes=0-9", if_range='"another"')
    assert changed.status_code == 410
    assert CONTENT[:50] not in changed.content
    house.status = 200
    assert (await house.fetch(ticket, token, range="bytes=0-9")).status_code == 410
    house.status = 302
    assert (await house.fetch(ticket, token, range="bytes=0-9")).status_code == 410
    assert (await house.fetch(ticket, token, range="lines=0-9")).status_code in (400, 410, 416)
    assert (await house.fetch(ticket, token, range="bytes=0-9")).status_code == 206


@pytest.mark.parametrize("who", ["nobody", "another user", "the same user's other device"])
async def test_another_session_cannot_resume(house: Gatehouse, who: str) -> None:
    """C: who finds the address in a history or a log gets 410."""
    token = await house.signed_in("7")
    users = {"another user": "8", "the same user's other device": "7"}
    other = await house.signed_in(users[who]) if who in users else None
    ticket = await house.issue(token)
    await house.fetch(ticket, token)
    response = await house.fetch(ticket, other, range="bytes=0-9")
    assert response.status_code == 410
    assert CONTENT[:10] not in response.content


async def test_the_issuing_session_cannot_resume_what_another_began(house: Gatehouse) -> None:
    """C: a bearer's ticket that somebody else has used is used, for its issuer too."""
    token, other = await house.signed_in("7"), await house.signed_in("8")
    ticket = await house.issue(token, bearer=True)
    assert (await house.fetch(ticket, other)).status_code == 200
    assert (await house.fetch(ticket, token, range="bytes=0-9")).status_code == 410


async def test_resuming_ends_with_its_window_and_with_the_session(house: Gatehouse) -> None:
    """C: five minutes by default, counted from the first use; never longer than the session lives."""
    token = await house.signed_in()
    ticket = await house.issue(token, ttl=600)
    await house.fetch(ticket, token)
    house.clock.advance(300)
    assert (await house.fetch(ticket, token, range="bytes=1-2")).status_code == 206
    house.clock.advance(1)
    assert (await house.fetch(ticket, token, range="bytes=1-2")).status_code == 410
    again = await house.issue(token)
    await house.fetch(again, token)
    await house.aside.revoke(token[:22])
    assert (await house.fetch(again, token, range="bytes=1-2")).status_code == 410


async def test_the_window_is_the_gates_setting(tmp_path: Path) -> None:
    """A large file on a slow line wants more; none at all is possible."""
    for window, status in ((timedelta(0), 410), (timedelta(minutes=20), 206)):
        house = Gatehouse(tmp_path, resume=window)
        token = await house.signed_in()
        ticket = await house.issue(token, ttl=3600)
        await house.fetch(ticket, token)
        house.clock.advance(19 * 60)
        assert (await house.fetch(ticket, token, range="bytes=1-2")).status_code == status


async def test_a_long_download_is_resumed_after_the_ticket_has_expired(tmp_path: Path) -> None:
    """The ticket's two minutes are for the first use; the window goes on from there."""
    house = Gatehouse(tmp_path, resume=timedelta(minutes=5))
    token = await house.signed_in()
    ticket = await house.issue(token, ttl=60)
    house.clock.advance(50)
    await house.fetch(ticket, token)
    house.clock.advance(120)
    assert (await house.fetch(ticket, token, range="bytes=1-2")).status_code == 206


async def test_another_path_is_another_resource(house: Gatehouse) -> None:
    """C: the first use says which; the same ticket opens no second door."""
    token = await house.signed_in()
    ticket = await house.issue(token)
    assert (await house.fetch(ticket, token, path="/download")).status_code == 200
    assert (await house.fetch(ticket, token, path="/other", range="bytes=1-2")).status_code == 410
    assert (await house.fetch(ticket, token, path="/download", range="bytes=1-2")).status_code == 206
